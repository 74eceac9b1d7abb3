//! `--quick`: few tasks, and a verdict that no slow or busy machine can change: ratios within one run,
//! their best round, against bounds that only a gross regression breaks.

use super::Bench;
use super::numbers::shown;
use super::report::Report;
use super::suites::Suite;
use crate::{exit::Exit, failure::Failure, output::Output};

/// What is measured.
pub(super) const SUITES: [Suite; 3] = [Suite::Throughput, Suite::Latency, Suite::Backlog];

/// A number of the report that must be good enough.
struct Check {
    what: &'static str,
    suite: Suite,
    line: &'static str,
    number: &'static str,
    /// At least; of a debug build, where our side is slow and PostgreSQL is not.
    release: f64,
    debug: f64,
}

const CHECKS: [Check; 5] = [
    Check {
        what: "life cycles by SubmitBatch, of raw SQL",
        suite: Suite::Throughput,
        line: "life cycles, SubmitBatch",
        number: "best_of_raw",
        release: 0.2,
        debug: 0.1,
    },
    Check {
        what: "life cycles by Submit from 256 callers, of raw SQL",
        suite: Suite::Throughput,
        line: "life cycles, Submit x 256",
        number: "best_of_raw",
        release: 0.06,
        debug: 0.015,
    },
    Check {
        what: "drain, of raw lease + complete",
        suite: Suite::Throughput,
        line: "drain",
        number: "best_of_raw",
        release: 0.2,
        debug: 0.1,
    },
    Check {
        what: "one insert by raw SQL, of submit to start at 50/s, p50",
        suite: Suite::Latency,
        line: "submit at 50/s",
        number: "raw_of_start",
        release: 0.05,
        debug: 0.04,
    },
    Check {
        what: "life cycles where many tasks wait, of where few do",
        suite: Suite::Backlog,
        line: "with a backlog",
        number: "best_of_few",
        release: 0.5,
        debug: 0.4,
    },
];

/// Sets the options to small numbers.
pub(super) fn reduce(bench: &mut Bench) {
    bench.tasks = if cfg!(debug_assertions) { 10_000 } else { 20_000 };
    bench.rounds = 3;
    bench.latency_seconds = 3;
    bench.rate = vec![50];
    bench.backlog = vec![if cfg!(debug_assertions) { 30_000 } else { 200_000 }];
}

/// Prints what was compared.
///
/// # Errors
/// A number is too bad, or is missing.
pub(super) fn judge(report: &Report, out: Output) -> Result<Exit, Failure> {
    let mut bad = Vec::new();
    for check in &CHECKS {
        let bound = if cfg!(debug_assertions) { check.debug } else { check.release };
        let measured = report.number(check.suite.name(), check.line, check.number);
        let is_good = measured.is_some_and(|measured| measured >= bound);
        let verdict = if is_good { "good" } else { "BAD" };
        let text =
            format!("{verdict}: {}: {}, must be at least {bound}", check.what, shown(measured));
        out.remark(&text);
        if !is_good {
            bad.push(text);
        }
    }
    if bad.is_empty() {
        return Ok(Exit::Ok);
    }
    let failure = Failure::new(Exit::Other, "the server is far slower than it should be").next(
        "run bellctl bench without --quick on a quiet machine, and compare with BENCHMARKS.md",
    );
    Err(bad.into_iter().fold(failure, Failure::detail))
}
