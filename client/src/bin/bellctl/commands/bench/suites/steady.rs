//! One rate for a long time. Tables whose rows live for moments have to stay as small as they were after
//! the first minute, and so do their indexes.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::bench::bars::Goal;
use crate::commands::bench::database::{HOT, Size};
use crate::commands::bench::fleet::{Fleet, Heard};
use crate::commands::bench::load::Load;
use crate::commands::bench::numbers::{Spread, ratio};
use crate::commands::bench::pace::{Pace, offer};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::failure::Failure;

/// Tasks of one SubmitBatch.
const PER_CALL: u32 = 10;
/// Minutes, or parts of a shorter time.
const PARTS: u32 = 10;
/// Looks at the sizes in a part.
const LOOKS: u32 = 6;
/// Tables that keep every task.
const KEPT: [&str; 2] = ["task", "result"];

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    let length = Duration::from_secs(u64::from(stand.options.steady_seconds));
    let pace = Pace { rate: stand.options.steady_rate, per_call: PER_CALL, length };
    let before = stand.read(&fleet).await;
    let looking = look(stand, &load, &mut fleet, length, report);
    let (_, heard) = tokio::try_join!(offer(&load, pace), looking)?;
    fleet.until(pace.tasks().saturating_sub(heard)).await?;
    let run = stand.since(&before, &fleet, pace.tasks()).await;
    report.add(
        Line::new("all in all")
            .with("per_second", run.per_second)
            .with("postgres_cpu", run.cpu.postgres)
            .with("server_cpu", run.cpu.server)
            .with("wal_bytes", run.wal)
            .with("wire_bytes", run.wire)
            .with("other_cores", run.cpu.other),
    );
    fleet.stop().await;
    Ok(())
}

/// Answers with the reports that were acknowledged meanwhile.
async fn look(
    stand: &Stand<'_>,
    load: &Load,
    fleet: &mut Fleet,
    length: Duration,
    report: &mut Report,
) -> Result<u32, Failure> {
    let begun = Instant::now();
    let (mut acknowledged, mut first, mut last) = (0, None, None);
    for part in 1..=PARTS {
        let mut heard = Heard::default();
        let mut largest: Vec<Size> = Vec::new();
        for look in 1..=LOOKS {
            let end = begun + length * ((part - 1) * LOOKS + look) / (PARTS * LOOKS);
            let more = fleet.during(end.saturating_duration_since(Instant::now())).await?;
            heard.acknowledged += more.acknowledged;
            heard.latencies.extend(more.latencies);
            largest = larger(largest, stand.database()?.sizes(&HOT).await?);
        }
        acknowledged += heard.acknowledged;
        let kept = stand.database()?.sizes(&KEPT).await?;
        let seconds = begun.elapsed().as_secs();
        stand.out().remark(&format!("steady, {seconds} s of {} s …", length.as_secs()));
        let start = Spread::of(heard.latencies);
        let hot = total(&largest);
        report.add(
            Line::new(format!("up to {seconds} s"))
                .with("start_p50_ms", start.p50)
                .with("start_p99_ms", start.p99)
                .with("behind_tasks", behind(load, fleet))
                .with("hot_heap_mb", megabytes(largest.iter().map(|size| size.heap)))
                .with("hot_indexes_mb", megabytes(largest.iter().map(|size| size.indexes)))
                .with("kept_heap_mb", megabytes(kept.iter().map(|size| size.heap)))
                .with("kept_indexes_mb", megabytes(kept.iter().map(|size| size.indexes))),
        );
        first = first.or(Some(hot));
        last = Some(hot);
    }
    report.reached.set(Goal::SteadyGrowth, ratio(last, first));
    Ok(acknowledged)
}

/// Of each table the larger of two sizes.
fn larger(one: Vec<Size>, two: Vec<Size>) -> Vec<Size> {
    let before = |table: &str| one.iter().find(|size| size.table == table);
    two.into_iter()
        .map(|size| match before(&size.table) {
            Some(old) => Size {
                heap: size.heap.max(old.heap),
                indexes: size.indexes.max(old.indexes),
                ..size
            },
            None => size,
        })
        .collect()
}

fn total(sizes: &[Size]) -> f64 {
    sizes.iter().map(|size| size.heap + size.indexes).sum()
}

pub(super) fn megabytes(bytes: impl Iterator<Item = f64>) -> f64 {
    bytes.sum::<f64>() / 1_000_000.0
}

/// Tasks that were due and are not complete yet.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 tasks")]
pub(super) fn behind(load: &Load, fleet: &Fleet) -> f64 {
    load.offered().saturating_sub(fleet.acknowledged) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_size_of_each_table_counts() {
        let size = |table: &str, heap, indexes| Size { table: table.to_owned(), heap, indexes };
        let both = larger(
            vec![size("ready", 10.0, 1.0)],
            vec![size("inflight", 5.0, 5.0), size("ready", 8.0, 3.0)],
        );
        assert_eq!(both, [size("inflight", 5.0, 5.0), size("ready", 10.0, 3.0)]);
        assert_eq!(total(&both), 23.0);
    }
}
