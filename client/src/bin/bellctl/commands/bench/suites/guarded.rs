//! What TLS, API keys and rates cost: the same load on a server with all of them, beside an open one on the same
//! database in the same round.

use crate::commands::bench::fleet::Fleet;
use crate::commands::bench::guard::Guard;
use crate::commands::bench::load::Load;
use crate::commands::bench::report::Report;
use crate::commands::bench::spent::Run;
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;

/// A server with load and workers of its own.
struct Side<'a> {
    stand: &'a Stand<'a>,
    load: Load,
    fleet: Fleet,
    batches: Vec<Run>,
    unary: Vec<Run>,
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let guard = Guard::new(&stand.app).await?;
    let (server, guarded) = stand.guarded(&guard).await?;
    let mut open = Side::new(stand).await?;
    let mut closed = Side::new(&guarded).await?;
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("guarded, round {round} of {} …", stand.options.rounds));
        let (batches, unary) = open.round().await?;
        open.batches.push(batches);
        open.unary.push(unary);
        let (closed_batches, closed_unary) = closed.round().await?;
        closed.batches.push(closed_batches.beside(Some(batches)));
        closed.unary.push(closed_unary.beside(Some(unary)));
    }
    for (name, rounds) in [
        ("open: life cycles, SubmitBatch", &open.batches),
        ("guarded: life cycles, SubmitBatch", &closed.batches),
        ("open: life cycles, Submit x 256", &open.unary),
        ("guarded: life cycles, Submit x 256", &closed.unary),
    ] {
        report.add(Run::line(name, "of_open", "best_of_open", rounds));
    }
    open.fleet.stop().await;
    closed.fleet.stop().await;
    server.stop().await;
    Ok(())
}

impl<'a> Side<'a> {
    async fn new(stand: &'a Stand<'a>) -> Result<Self, Failure> {
        let load = stand.load()?;
        let fleet = stand.fleet(&load).await?;
        Ok(Self { stand, load, fleet, batches: Vec::new(), unary: Vec::new() })
    }

    /// Life cycles by SubmitBatch, and by Submit.
    async fn round(&mut self) -> Result<(Run, Run), Failure> {
        let tasks = self.stand.options.tasks;
        let before = self.stand.read(&self.fleet).await;
        within(self.load.batches(&mut self.fleet, tasks)).await?;
        let batches = self.stand.since(&before, &self.fleet, tasks).await;
        let few = (tasks / 2).max(1_000);
        let before = self.stand.read(&self.fleet).await;
        within(self.load.unary(&mut self.fleet, few)).await?;
        Ok((batches, self.stand.since(&before, &self.fleet, few).await))
    }
}
