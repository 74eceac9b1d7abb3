//! What the server has to reach, and whether it did.

use serde_json::{Value, json};

use super::numbers::shown;

/// How good a number has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

impl Bound {
    fn is_met(self, measured: f64) -> bool {
        match self {
            AtLeast(bound) => measured >= bound,
            AtMost(bound) => measured <= bound,
        }
    }

    fn text(self) -> String {
        match self {
            AtLeast(bound) => format!(">= {bound}"),
            AtMost(bound) => format!("<= {bound}"),
        }
    }

    fn number(self) -> f64 {
        match self {
            AtLeast(bound) | AtMost(bound) => bound,
        }
    }
}

/// One line of what has to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goal {
    BatchesOfRaw,
    UnaryOfRaw,
    DrainOfRaw,
    PostgresCpu,
    ServerCpu,
    StartP50At50,
    StartP99At50,
    StartP50At1000,
    StartP99At1000,
    BacklogOfEmpty,
    BacklogOfFew,
    SnapshotStart,
    SnapshotLag,
    SteadyGrowth,
    WatchP99,
    WatchMemory,
    IdleCpu,
    IdleStatements,
    IdleMemory,
    StartUp,
    TwoReplicas,
    ThreeReplicas,
    ReplicaLatency,
    DuplicateClaims,
}

/// What a goal means.
struct Bar {
    goal: Goal,
    name: &'static str,
    text: &'static str,
    bar: Bound,
    stretch: Option<Bound>,
}

const fn bar(
    goal: Goal,
    name: &'static str,
    text: &'static str,
    bar: Bound,
    stretch: Option<Bound>,
) -> Bar {
    Bar { goal, name, text, bar, stretch }
}

/// In the order of the report.
const BARS: [Bar; 24] = [
    bar(
        Goal::BatchesOfRaw,
        "batches_of_raw",
        "life cycles, SubmitBatch, of raw SQL",
        AtLeast(0.4),
        Some(AtLeast(0.6)),
    ),
    bar(
        Goal::UnaryOfRaw,
        "unary_of_raw",
        "life cycles, Submit from 256 callers, of raw SQL",
        AtLeast(0.15),
        Some(AtLeast(0.3)),
    ),
    bar(
        Goal::DrainOfRaw,
        "drain_of_raw",
        "drain, of raw lease + complete",
        AtLeast(0.4),
        Some(AtLeast(0.6)),
    ),
    bar(
        Goal::PostgresCpu,
        "postgres_cpu_s_per_10k",
        "PostgreSQL CPU-s per 10,000 life cycles",
        AtMost(0.25),
        Some(AtMost(0.16)),
    ),
    bar(
        Goal::ServerCpu,
        "server_cpu_s_per_10k",
        "server CPU-s per 10,000 life cycles",
        AtMost(0.2),
        Some(AtMost(0.1)),
    ),
    bar(
        Goal::StartP50At50,
        "start_p50_ms_at_50",
        "submit to start at 50/s, p50 ms",
        AtMost(1.5),
        Some(AtMost(1.0)),
    ),
    bar(
        Goal::StartP99At50,
        "start_p99_ms_at_50",
        "submit to start at 50/s, p99 ms",
        AtMost(6.0),
        Some(AtMost(3.0)),
    ),
    bar(
        Goal::StartP50At1000,
        "start_p50_ms_at_1000",
        "submit to start at 1,000/s, p50 ms",
        AtMost(1.5),
        Some(AtMost(1.0)),
    ),
    bar(
        Goal::StartP99At1000,
        "start_p99_ms_at_1000",
        "submit to start at 1,000/s, p99 ms",
        AtMost(6.0),
        Some(AtMost(3.0)),
    ),
    bar(
        Goal::BacklogOfEmpty,
        "backlog_of_empty",
        "life cycles where most tasks wait, of an empty queue",
        AtLeast(0.9),
        Some(AtLeast(1.0)),
    ),
    bar(
        Goal::BacklogOfFew,
        "backlog_of_few",
        "life cycles where most tasks wait, of where few do",
        AtLeast(0.9),
        Some(AtLeast(1.0)),
    ),
    bar(
        Goal::SnapshotStart,
        "snapshot_start_ratio",
        "start p50 at the end of a held snapshot, times before",
        AtMost(3.0),
        Some(AtMost(2.0)),
    ),
    bar(
        Goal::SnapshotLag,
        "snapshot_lag_s",
        "tasks behind at the end of a held snapshot, in seconds",
        AtMost(0.1),
        None,
    ),
    bar(
        Goal::SteadyGrowth,
        "steady_growth",
        "hot tables with indexes, last minute times first",
        AtMost(1.1),
        None,
    ),
    bar(
        Goal::WatchP99,
        "watch_p99_ms",
        "change to watcher, p99 ms",
        AtMost(1_000.0),
        Some(AtMost(200.0)),
    ),
    bar(
        Goal::WatchMemory,
        "watch_memory_mb",
        "server memory with all watchers, MB",
        AtMost(600.0),
        None,
    ),
    bar(Goal::IdleCpu, "idle_cpu_percent", "idle server, % of a core", AtMost(0.5), None),
    bar(
        Goal::IdleStatements,
        "idle_statements_per_s",
        "idle server, statements per second",
        AtMost(5.0),
        None,
    ),
    bar(Goal::IdleMemory, "idle_memory_mb", "idle server, memory MB", AtMost(40.0), None),
    bar(Goal::StartUp, "start_up_ms", "start of the server to serving, ms", AtMost(300.0), None),
    bar(
        Goal::TwoReplicas,
        "two_replicas_of_one",
        "life cycles with two replicas, of one",
        AtLeast(0.95),
        None,
    ),
    bar(
        Goal::ThreeReplicas,
        "three_replicas_of_one",
        "life cycles with three replicas, of one",
        AtLeast(0.95),
        None,
    ),
    bar(
        Goal::ReplicaLatency,
        "replica_latency_ratio",
        "start p50 with several replicas, times one",
        AtMost(2.0),
        None,
    ),
    bar(
        Goal::DuplicateClaims,
        "duplicate_claims",
        "attempts beyond the first of any task, replicas",
        AtMost(0.0),
        None,
    ),
];

/// What was reached.
#[derive(Debug, Default)]
pub(super) struct Reached(Vec<(Goal, f64)>);

impl Reached {
    /// Unknown numbers leave the goal open.
    pub(super) fn set(&mut self, goal: Goal, measured: Option<f64>) {
        self.0.extend(measured.map(|measured| (goal, measured)));
    }

    fn of(&self, goal: Goal) -> Option<f64> {
        self.0.iter().find(|(other, _)| *other == goal).map(|(_, measured)| *measured)
    }

    /// A table for people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!(
            "{:56}{:>9}{:>10}{:>11}   {}",
            "what has to be reached", "bar", "stretch", "measured", "verdict"
        )];
        for bar in &BARS {
            let measured = self.of(bar.goal);
            lines.push(format!(
                "{:56}{:>9}{:>10}{:>11}   {}",
                bar.text,
                bar.bar.text(),
                bar.stretch.map_or_else(|| "-".to_owned(), Bound::text),
                shown(measured),
                measured.map_or("not measured", |measured| bar.verdict(measured)),
            ));
        }
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let line = |bar: &Bar| {
            let measured = self.of(bar.goal);
            json!({
                "name": bar.name,
                "text": bar.text,
                "better": if matches!(bar.bar, AtLeast(_)) { "more" } else { "less" },
                "bar": bar.bar.number(),
                "stretch": bar.stretch.map(Bound::number),
                "measured": measured,
                "verdict": measured.map(|measured| bar.verdict(measured)),
            })
        };
        BARS.iter().map(line).collect()
    }
}

impl Bar {
    fn verdict(&self, measured: f64) -> &'static str {
        match self.stretch {
            Some(stretch) if stretch.is_met(measured) => "stretch",
            _ if self.bar.is_met(measured) => "met",
            _ => "MISSED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_stretched_met_missed_or_open() {
        let mut reached = Reached::default();
        reached.set(Goal::BatchesOfRaw, Some(0.6));
        reached.set(Goal::UnaryOfRaw, Some(0.2));
        reached.set(Goal::StartP50At50, Some(1.51));
        reached.set(Goal::DrainOfRaw, None);
        let json = reached.json();
        let verdicts: Vec<_> = (0..6).map(|n| json[n]["verdict"].clone()).collect();
        let open = Value::Null;
        assert_eq!(
            verdicts,
            ["stretch".into(), "met".into(), open.clone(), open.clone(), open, "MISSED".into()]
        );
        assert!(reached.text().lines().nth(3).unwrap().ends_with("not measured"));
    }

    #[test]
    fn every_goal_has_one_bar_with_a_name_of_its_own() {
        for (n, bar) in BARS.iter().enumerate() {
            let twins =
                BARS.iter().skip(n + 1).filter(|b| b.goal == bar.goal || b.name == bar.name);
            assert_eq!(twins.count(), 0, "{}", bar.name);
        }
    }
}
