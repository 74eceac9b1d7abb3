//! A steady load while a transaction elsewhere holds a snapshot, so that nothing that is deleted can be
//! removed: where queues in PostgreSQL break down. Most tasks go straight to workers, which have room. Others are
//! delayed for a moment and so go all the way: they wait until they are due, become ready, and are claimed.

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

/// Tasks per second that go straight to workers, and that are delayed.
const RATES: [u32; 2] = [1_000, 500];
/// How long those are delayed.
const DELAY: Duration = Duration::from_millis(100);
/// Longest look at the load without a snapshot, and longest window with one.
const WINDOW: u32 = 30;

/// Of both kinds of tasks, in this order: straight, delayed.
struct Looking<'a> {
    stand: &'a Stand<'a>,
    loads: [&'a Load; 2],
    fleets: [Fleet; 2],
    acknowledged: [u32; 2],
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let held = stand.options.snapshot_seconds;
    let window = WINDOW.min(held / 2).max(2);
    let windows = held / window;
    // To get warm, before, while it is held, after.
    let length = Duration::from_secs(u64::from((windows + 3) * window));
    let paces = RATES.map(|rate| Pace { rate, per_call: 1, length });
    let (straight, mut delayed) = (stand.load()?, stand.load()?);
    delayed.delay = DELAY;
    let mut looking = Looking {
        stand,
        loads: [&straight, &delayed],
        fleets: [stand.fleet(&straight).await?, stand.fleet(&delayed).await?],
        acknowledged: [0, 0],
    };
    tokio::try_join!(
        offer(&straight, paces[0]),
        offer(&delayed, paces[1]),
        looking.look(window, windows, report)
    )?;
    for ((mut fleet, pace), acknowledged) in
        looking.fleets.into_iter().zip(paces).zip(looking.acknowledged)
    {
        fleet.until(pace.tasks().saturating_sub(acknowledged)).await?;
        fleet.stop().await;
    }
    Ok(())
}

impl Looking<'_> {
    async fn look(
        &mut self,
        window: u32,
        windows: u32,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let length = Duration::from_secs(u64::from(window));
        self.during(length).await?;
        self.stand.out().remark("snapshot, before …");
        let before = self.tell("before", length, report).await?;

        let snapshot = self.stand.database()?.hold_snapshot().await?;
        let mut last = [Spread::default(); 2];
        for n in 1..=windows {
            self.stand.out().remark(&format!("snapshot, held for {} s …", n * window));
            last = self.tell(&format!("held for {} s", n * window), length, report).await?;
        }
        let ratios = last.iter().zip(before).map(|(last, before)| ratio(last.p50, before.p50));
        let worst = ratios.collect::<Option<Vec<f64>>>();
        let worst = worst.and_then(|ratios| ratios.into_iter().max_by(f64::total_cmp));
        report.reached.set(Goal::SnapshotStart, worst);
        let lag = self.behind() / f64::from(RATES.iter().sum::<u32>());
        report.reached.set(Goal::SnapshotLag, Some(lag));
        drop(snapshot);

        self.stand.out().remark("snapshot, after …");
        self.tell("after", length, report).await?;
        Ok(())
    }

    async fn during(&mut self, length: Duration) -> Result<[Heard; 2], Failure> {
        let [straight, delayed] = &mut self.fleets;
        let heard = tokio::try_join!(straight.during(length), delayed.during(length))?;
        let heard = <[Heard; 2]>::from(heard);
        for (all, heard) in self.acknowledged.iter_mut().zip(&heard) {
            *all += heard.acknowledged;
        }
        Ok(heard)
    }

    /// Tasks that were submitted and are not complete.
    fn behind(&self) -> f64 {
        self.loads.iter().zip(&self.fleets).map(|(load, fleet)| behind(load, fleet)).sum()
    }

    async fn tell(
        &mut self,
        name: &str,
        length: Duration,
        report: &mut Report,
    ) -> Result<[Spread; 2], Failure> {
        let spreads = self.during(length).await?.map(|heard| Spread::of(heard.latencies));
        let sizes = self.stand.database()?.sizes(&HOT).await?;
        let [start, delayed] = spreads;
        let line = Line::new(name)
            .with("start_p50_ms", start.p50)
            .with("start_p99_ms", start.p99)
            .with("start_max_ms", start.max)
            .with("delayed_p50_ms", delayed.p50)
            .with("delayed_p99_ms", delayed.p99)
            .with("delayed_max_ms", delayed.max)
            .with("behind_tasks", self.behind())
            .with("hot_heap_mb", megabytes(sizes.iter().map(|size| size.heap)))
            .with("hot_indexes_mb", megabytes(sizes.iter().map(|size| size.indexes)));
        report.add(line);
        Ok(spreads)
    }
}
