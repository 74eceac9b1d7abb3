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

/// Connections of raw SQL that submit, and as many that lease and complete: which is faster depends on the machine, and
/// the limit is the faster one of a round.
const RAW: [u32; 2] = [1, 2];

/// The rounds of each measurement.
#[derive(Default)]
struct Rounds {
    raw_cycles: [Vec<Run>; RAW.len()],
    raw_drain: [Vec<Run>; RAW.len()],
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
        let (mut cycles, mut drain) = (None, None);
        if stand.database().is_ok() {
            for (n, each) in RAW.into_iter().enumerate() {
                let (all, second_half) = raw(stand, &fleet, each).await?;
                cycles = faster(cycles, all);
                drain = faster(drain, second_half);
                rounds.raw_cycles[n].push(all);
                rounds.raw_drain[n].push(second_half);
            }
        }

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

fn faster(one: Option<Run>, other: Run) -> Option<Run> {
    Some(one.filter(|one| one.per_second >= other.per_second).unwrap_or(other))
}

/// Life cycles, and lease with complete alone.
async fn raw(stand: &Stand<'_>, fleet: &Fleet, each: u32) -> Result<(Run, Run), Failure> {
    let database = stand.database()?;
    let tasks = stand.options.tasks;
    let mut raw = RawSql::open(database, each, stand.options.batch, stand.options.payload).await?;
    let before = stand.read(fleet).await;
    within(raw.life_cycles(tasks)).await?;
    let cycles = Run { wire: None, ..stand.since(&before, fleet, tasks).await };
    within(raw.preload(tasks)).await?;
    let before = stand.read(fleet).await;
    within(raw.drain(tasks)).await?;
    let drain = Run { wire: None, ..stand.since(&before, fleet, tasks).await };
    raw_sql::clean_up(database).await?;
    Ok((cycles, drain))
}

impl Rounds {
    fn tell(&self, report: &mut Report) {
        let raw = [("life cycles", &self.raw_cycles), ("lease + complete", &self.raw_drain)];
        for (what, all) in raw {
            for (each, rounds) in RAW.iter().zip(all).filter(|(_, rounds)| !rounds.is_empty()) {
                let name = format!("raw SQL: {what}, {each} + {each} connections");
                report.add(Run::line(name, "of_raw", "best_of_raw", rounds));
            }
        }
        for (name, rounds) in [
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
