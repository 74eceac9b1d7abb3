//! Life cycles through a queue in which many tasks wait, beside an empty queue in the same round. What is
//! submitted goes to the end of the queue, what is completed comes from its head.

use crate::commands::bench::bars::Goal;
use crate::commands::bench::load::Load;
use crate::commands::bench::numbers::median;
use crate::commands::bench::report::Report;
use crate::commands::bench::spent::Run;
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;

/// Tasks that are put in between two remarks, each within the time of one measurement.
const PORTION: u32 = 1_000_000;

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let (empty, deep) = (stand.load()?, stand.load()?);
    let mut depths = stand.options.backlog.clone();
    depths.sort_unstable();
    let mut waiting = 0;
    // A queue exists once something was submitted to it.
    let mut fleet = stand.fleet(&deep).await?;
    within(deep.batches(&mut fleet, 1_000)).await?;
    fleet.stop().await;
    for depth in &depths {
        deep.pause().await?;
        while waiting < *depth {
            let portion = PORTION.min(depth - waiting);
            stand.out().remark(&format!("backlog, {waiting} of {depth} tasks wait …"));
            within(deep.preload(portion)).await?;
            waiting += portion;
        }
        let rounds = rounds(stand, &empty, &deep).await?;
        let name = if depths.len() == 1 {
            "with a backlog".to_owned()
        } else {
            format!("with {depth} waiting")
        };
        let (empty, deep): (Vec<Run>, Vec<Run>) = rounds.into_iter().unzip();
        report.add(Run::line("empty queue", "of_empty", "best_of_empty", &empty));
        report.add(Run::line(name, "of_empty", "best_of_empty", &deep));
        if Some(depth) == depths.last() {
            let of_empty = median(deep.iter().map(|run| run.of_other));
            report.reached.set(Goal::BacklogOfEmpty, of_empty);
        }
    }
    Ok(())
}

/// Each round with the empty queue and with the deep one.
async fn rounds(stand: &Stand<'_>, empty: &Load, deep: &Load) -> Result<Vec<(Run, Run)>, Failure> {
    let (tasks, mut rounds) = (stand.options.tasks, Vec::new());
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("backlog, round {round} of {} …", stand.options.rounds));
        let mut fleet = stand.fleet(empty).await?;
        let before = stand.read(&fleet).await;
        within(empty.batches(&mut fleet, tasks)).await?;
        let plain = stand.since(&before, &fleet, tasks).await;
        fleet.stop().await;

        let mut fleet = stand.fleet(deep).await?;
        let before = stand.read(&fleet).await;
        deep.resume().await?;
        within(deep.batches(&mut fleet, tasks)).await?;
        let run = stand.since(&before, &fleet, tasks).await;
        deep.pause().await?;
        fleet.settle().await?;
        fleet.stop().await;
        rounds.push((plain, run.beside(Some(plain))));
    }
    Ok(rounds)
}
