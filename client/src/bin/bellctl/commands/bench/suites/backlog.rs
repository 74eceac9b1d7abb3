//! Life cycles through a queue in which many tasks wait. What is submitted goes to the end of the queue, what is
//! completed comes from its head. Beside it in the same round a queue in which few wait, whose tasks go the same way;
//! and an empty one, whose tasks go straight to workers.

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

/// What was measured with some number of waiting tasks.
#[derive(Default)]
struct Rounds {
    empty: Vec<Run>,
    few: Vec<Run>,
    many: Vec<Run>,
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let deep = queue(stand).await?;
    let mut depths = stand.options.backlog.clone();
    depths.sort_unstable();
    let mut waiting = 0;
    for depth in &depths {
        while waiting < *depth {
            let portion = PORTION.min(depth - waiting);
            stand.out().remark(&format!("backlog, {waiting} of {depth} tasks wait …"));
            within(deep.preload(portion)).await?;
            waiting += portion;
        }
        let rounds = Rounds::measure(stand, &deep).await?;
        let name = if depths.len() == 1 {
            "with a backlog".to_owned()
        } else {
            format!("with {depth} waiting")
        };
        let (of_empty, of_few) = rounds.tell(name, few(stand), report);
        if Some(depth) == depths.last() {
            report.reached.set(Goal::BacklogOfEmpty, of_empty);
            report.reached.set(Goal::BacklogOfFew, of_few);
        }
    }
    Ok(())
}

/// Tasks that wait in the queue in which few do: so many that some still wait at the end of a measurement.
fn few(stand: &Stand<'_>) -> u32 {
    stand.options.tasks / 2
}

/// A queue that is paused. It exists once something was submitted to it.
async fn queue(stand: &Stand<'_>) -> Result<Load, Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    within(load.batches(&mut fleet, 1_000)).await?;
    fleet.stop().await;
    load.pause().await?;
    Ok(load)
}

/// Life cycles through a queue that is paused before and after.
async fn behind(stand: &Stand<'_>, load: &Load) -> Result<Run, Failure> {
    let mut fleet = stand.fleet(load).await?;
    let before = stand.read(&fleet).await;
    load.resume().await?;
    within(load.batches(&mut fleet, stand.options.tasks)).await?;
    let run = stand.since(&before, &fleet, stand.options.tasks).await;
    load.pause().await?;
    fleet.settle().await?;
    fleet.stop().await;
    Ok(run)
}

impl Rounds {
    async fn measure(stand: &Stand<'_>, deep: &Load) -> Result<Self, Failure> {
        let (tasks, mut rounds) = (stand.options.tasks, Self::default());
        for round in 1..=stand.options.rounds {
            stand.out().remark(&format!("backlog, round {round} of {} …", stand.options.rounds));
            let load = stand.load()?;
            let mut fleet = stand.fleet(&load).await?;
            let before = stand.read(&fleet).await;
            within(load.batches(&mut fleet, tasks)).await?;
            rounds.empty.push(stand.since(&before, &fleet, tasks).await);
            fleet.stop().await;

            let load = queue(stand).await?;
            within(load.preload(few(stand))).await?;
            let few = behind(stand, &load).await?;
            rounds.few.push(few);
            rounds.many.push(behind(stand, deep).await?.beside(Some(few)));
        }
        Ok(rounds)
    }

    /// Answers with the rate where many wait, of that of an empty queue, and of that where few do.
    fn tell(&self, name: String, few: u32, report: &mut Report) -> (Option<f64>, Option<f64>) {
        let line = |name, runs| Run::line(name, "of_few", "best_of_few", runs);
        let of_empty = |runs: &[Run]| {
            median(
                runs.iter().zip(&self.empty).map(|(run, empty)| run.beside(Some(*empty)).of_other),
            )
        };
        report.add(line("empty queue".to_owned(), &self.empty));
        report.add(
            line(format!("with {few} waiting"), &self.few).with("of_empty", of_empty(&self.few)),
        );
        let many_of_empty = of_empty(&self.many);
        report.add(line(name, &self.many).with("of_empty", many_of_empty));
        (many_of_empty, median(self.many.iter().map(|run| run.of_other)))
    }
}
