//! From when a call was due to the worker process having the task, at fixed rates.

use std::time::Duration;

use crate::commands::bench::bars::Goal;
use crate::commands::bench::numbers::{Spread, median, ratio};
use crate::commands::bench::pace::{Pace, offer};
use crate::commands::bench::raw_sql::{self, RawSql};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;

/// Inserts by raw SQL in a round, one after the other, and at the pace of the tasks.
const ROUND_TRIPS: u32 = 200;
const PACED: u32 = 100;

/// The rounds of one rate.
#[derive(Default)]
struct Rounds {
    start: Vec<Spread>,
    accept: Vec<Spread>,
    late: Vec<Spread>,
    raw: Vec<Option<f64>>,
    raw_paced: Vec<Option<f64>>,
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    let length = Duration::from_secs(u64::from(stand.options.latency_seconds));
    let mut all: Vec<(u32, Rounds)> =
        stand.options.rate.iter().map(|rate| (*rate, Rounds::default())).collect();
    for round in 1..=stand.options.rounds {
        for (rate, rounds) in &mut all {
            let text = format!("latency at {rate}/s, round {round} of {} …", stand.options.rounds);
            stand.out().remark(&text);
            rounds.raw.push(raw(stand, ROUND_TRIPS, Duration::ZERO).await?);
            let pause = Duration::from_secs(1) / *rate;
            rounds.raw_paced.push(raw(stand, PACED, pause).await?);
            let pace = Pace { rate: *rate, per_call: 1, length };
            let measured =
                async { tokio::try_join!(offer(&load, pace), fleet.until(pace.tasks())) };
            let (offered, heard) = within(measured).await?;
            rounds.start.push(Spread::of(heard.latencies));
            rounds.accept.push(Spread::of(offered.accepted));
            rounds.late.push(Spread::of(offered.late));
        }
    }
    fleet.stop().await;
    for (rate, rounds) in &all {
        tell(*rate, rounds, report);
    }
    Ok(())
}

/// What one durable insert takes, in milliseconds, with a pause before each.
async fn raw(stand: &Stand<'_>, count: u32, pause: Duration) -> Result<Option<f64>, Failure> {
    let Ok(database) = stand.database() else { return Ok(None) };
    let mut raw = RawSql::open(database, 1, 1, stand.options.payload).await?;
    let spread = within(raw.round_trips(count, pause)).await?;
    raw_sql::clean_up(database).await?;
    Ok(spread.p50)
}

fn tell(rate: u32, rounds: &Rounds, report: &mut Report) {
    let (start, accept) = (Spread::median(&rounds.start), Spread::median(&rounds.accept));
    let late = Spread::median(&rounds.late);
    let raw = median(rounds.raw.iter().copied());
    let line = Line::new(format!("submit at {rate}/s"))
        .with("start_p50_ms", start.p50)
        .with("start_p99_ms", start.p99)
        .with("start_max_ms", start.max)
        .with("accept_p50_ms", accept.p50)
        .with("accept_p99_ms", accept.p99)
        .with("late_p50_ms", late.p50)
        .with("late_p99_ms", late.p99)
        .with("raw_insert_p50_ms", raw)
        .with("raw_paced_p50_ms", median(rounds.raw_paced.iter().copied()))
        .with("raw_of_start", ratio(raw, start.p50))
        .rounds(rounds.start.iter().filter_map(|spread| spread.p50).collect());
    report.add(line);
    match rate {
        50 => {
            report.reached.set(Goal::StartP50At50, start.p50);
            report.reached.set(Goal::StartP99At50, start.p99);
        }
        1_000 => {
            report.reached.set(Goal::StartP50At1000, start.p50);
            report.reached.set(Goal::StartP99At1000, start.p99);
        }
        _ => {}
    }
}
