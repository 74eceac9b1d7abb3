//! A steady load while a transaction elsewhere holds a snapshot, so that nothing that is deleted can be
//! removed: where queues in PostgreSQL break down.

use std::time::Duration;

use crate::commands::bench::bars::Goal;
use crate::commands::bench::database::HOT;
use crate::commands::bench::fleet::{Fleet, Heard};
use crate::commands::bench::load::Load;
use crate::commands::bench::numbers::{Spread, ratio};
use crate::commands::bench::pace::{Pace, offer};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::commands::bench::suites::steady::{behind, megabytes};
use crate::failure::Failure;

/// Tasks per second.
const RATE: u32 = 1_500;
/// Longest look at the load without a snapshot, and longest window with one.
const WINDOW: u32 = 30;

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    let held = stand.options.snapshot_seconds;
    let window = WINDOW.min(held / 2).max(2);
    let windows = held / window;
    // To get warm, before, while it is held, after.
    let length = Duration::from_secs(u64::from((windows + 3) * window));
    let pace = Pace { rate: RATE, per_call: 1, length };
    let looking = look(stand, &load, &mut fleet, window, windows, report);
    let (_, heard) = tokio::try_join!(offer(&load, pace), looking)?;
    fleet.until(pace.tasks().saturating_sub(heard)).await?;
    fleet.stop().await;
    Ok(())
}

/// Answers with the reports that were acknowledged meanwhile.
async fn look(
    stand: &Stand<'_>,
    load: &Load,
    fleet: &mut Fleet,
    window: u32,
    windows: u32,
    report: &mut Report,
) -> Result<u32, Failure> {
    let length = Duration::from_secs(u64::from(window));
    let mut all = fleet.during(length).await?.acknowledged;
    stand.out().remark("snapshot, before …");
    let heard = fleet.during(length).await?;
    all += heard.acknowledged;
    let before = tell(stand, load, fleet, "before", heard, report).await?;

    let snapshot = stand.database()?.hold_snapshot().await?;
    let mut last = Spread::default();
    for n in 1..=windows {
        stand.out().remark(&format!("snapshot, held for {} s …", n * window));
        let heard = fleet.during(length).await?;
        all += heard.acknowledged;
        let name = format!("held for {} s", n * window);
        last = tell(stand, load, fleet, &name, heard, report).await?;
    }
    let lag = behind(load, fleet) / f64::from(RATE);
    report.reached.set(Goal::SnapshotStart, ratio(last.p50, before.p50));
    report.reached.set(Goal::SnapshotLag, Some(lag));
    drop(snapshot);

    stand.out().remark("snapshot, after …");
    let heard = fleet.during(length).await?;
    all += heard.acknowledged;
    tell(stand, load, fleet, "after", heard, report).await?;
    Ok(all)
}

async fn tell(
    stand: &Stand<'_>,
    load: &Load,
    fleet: &Fleet,
    name: &str,
    heard: Heard,
    report: &mut Report,
) -> Result<Spread, Failure> {
    let behind = behind(load, fleet);
    let sizes = stand.database()?.sizes(&HOT).await?;
    let start = Spread::of(heard.latencies);
    let line = Line::new(name)
        .with("start_p50_ms", start.p50)
        .with("start_p99_ms", start.p99)
        .with("start_max_ms", start.max)
        .with("behind_tasks", behind)
        .with("hot_heap_mb", megabytes(sizes.iter().map(|size| size.heap)))
        .with("hot_indexes_mb", megabytes(sizes.iter().map(|size| size.indexes)));
    report.add(line);
    Ok(start)
}
