//! Life cycles through gRPC beside raw SQL on the same PostgreSQL in the same round.

use crate::commands::bench::bars::Goal;
use crate::commands::bench::fleet::Fleet;
use crate::commands::bench::numbers::median;
use crate::commands::bench::raw_sql::{self, RawSql};
use crate::commands::bench::report::Report;
use crate::commands::bench::spent::Run;
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;

/// The rounds of each measurement.
#[derive(Default)]
struct Rounds {
    raw_cycles: Vec<Run>,
    raw_drain: Vec<Run>,
    batches: Vec<Run>,
    unary: Vec<Run>,
    drain: Vec<Run>,
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    let tasks = stand.options.tasks;
    let mut rounds = Rounds::default();
    if stand.database().is_err() {
        stand.out().remark("SKIPPED raw SQL: no --database-url and no --handshake-file");
    }
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("throughput, round {round} of {} …", stand.options.rounds));
        let (cycles, drain) = raw(stand, &fleet).await?.unzip();
        rounds.raw_cycles.extend(cycles);
        rounds.raw_drain.extend(drain);

        let before = stand.read(&fleet).await;
        within(load.batches(&mut fleet, tasks)).await?;
        rounds.batches.push(stand.since(&before, &fleet, tasks).await.beside(cycles));

        let few = (tasks / 2).max(1_000);
        let before = stand.read(&fleet).await;
        within(load.unary(&mut fleet, few)).await?;
        rounds.unary.push(stand.since(&before, &fleet, few).await.beside(cycles));

        load.pause().await?;
        within(load.preload(tasks)).await?;
        let before = stand.read(&fleet).await;
        within(load.drain(&mut fleet, tasks)).await?;
        rounds.drain.push(stand.since(&before, &fleet, tasks).await.beside(drain));
    }
    fleet.stop().await;
    rounds.tell(report);
    Ok(())
}

/// Life cycles, and lease with complete alone.
async fn raw(stand: &Stand<'_>, fleet: &Fleet) -> Result<Option<(Run, Run)>, Failure> {
    let Ok(database) = stand.database() else { return Ok(None) };
    let tasks = stand.options.tasks;
    let mut raw = RawSql::open(database, stand.options.batch, stand.options.payload).await?;
    let before = stand.read(fleet).await;
    within(raw.life_cycles(tasks)).await?;
    let cycles = Run { wire: None, ..stand.since(&before, fleet, tasks).await };
    within(raw.preload(tasks)).await?;
    let before = stand.read(fleet).await;
    within(raw.drain(tasks)).await?;
    let drain = Run { wire: None, ..stand.since(&before, fleet, tasks).await };
    raw_sql::clean_up(database).await?;
    Ok(Some((cycles, drain)))
}

impl Rounds {
    fn tell(&self, report: &mut Report) {
        for (name, rounds) in [
            ("raw SQL: life cycles", &self.raw_cycles),
            ("raw SQL: lease + complete", &self.raw_drain),
            ("life cycles, SubmitBatch", &self.batches),
            ("life cycles, Submit x 256", &self.unary),
            ("drain", &self.drain),
        ] {
            if !rounds.is_empty() {
                report.add(Run::line(name, "of_raw", "best_of_raw", rounds));
            }
        }
        let of_raw = |rounds: &[Run]| median(rounds.iter().map(|run| run.of_other));
        report.reached.set(Goal::BatchesOfRaw, of_raw(&self.batches));
        report.reached.set(Goal::UnaryOfRaw, of_raw(&self.unary));
        report.reached.set(Goal::DrainOfRaw, of_raw(&self.drain));
        let batches = || self.batches.iter();
        report.reached.set(Goal::PostgresCpu, median(batches().map(|run| run.cpu.postgres)));
        report.reached.set(Goal::ServerCpu, median(batches().map(|run| run.cpu.server)));
    }
}
