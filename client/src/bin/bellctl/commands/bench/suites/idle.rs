//! What a server costs that has nothing to do, and how soon one serves.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::commands::bench::bars::Goal;
use crate::commands::bench::cpu::Meter;
use crate::commands::bench::machine;
use crate::commands::bench::numbers::{median, ratio};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::failure::Failure;

/// For what goes on after the start.
const SETTLING: Duration = Duration::from_secs(5);

/// What has PostgreSQL count statements, where it has the library for that.
pub(super) const COUNTING: &[&str] =
    &["--pg-setting", "shared_preload_libraries=pg_stat_statements"];

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    sleep(SETTLING).await;
    let pid = stand.server_pid()?;
    let meter = Meter { servers: vec![pid], workers: Vec::new() };
    let database = stand.database()?;
    database.count_statements().await;
    stand.out().remark(&format!("idle, for {} s …", stand.options.idle_seconds));
    let (begun, cpu, before) = (Instant::now(), meter.read(), database.statements().await);
    sleep(Duration::from_secs(stand.options.idle_seconds.into())).await;
    let spent = meter.read().with(cpu, |after, before| after - before);
    let after = database.statements().await;
    let seconds = begun.elapsed().as_secs_f64();
    let memory = machine::memory(pid).map(|(now, _)| now);
    let percent = |spent: Option<f64>| spent.map(|spent| spent * 100.0 / seconds);
    // Two of them are our own question: for statements, and for transactions.
    let statements = after.zip(before).map(|(after, before)| (after - before - 2.0).max(0.0));
    let statements = ratio(statements, Some(seconds));
    report.add(
        Line::new("no worker, no watcher")
            .with("server_cpu_percent", percent(spent.server))
            .with("postgres_cpu_percent", percent(spent.postgres))
            .with("statements_per_s", statements)
            .with("memory_mb", memory),
    );
    report.reached.set(Goal::IdleCpu, percent(spent.server));
    report.reached.set(Goal::IdleStatements, statements);
    report.reached.set(Goal::IdleMemory, memory);
    start_up(stand, report).await
}

/// Replicas on a database that is up to date, one after the other.
async fn start_up(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut times = Vec::new();
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("start, round {round} of {} …", stand.options.rounds));
        let replica = stand.replica().await?;
        times.extend(replica.start_up.map(|time| time.as_secs_f64() * 1_000.0));
        replica.stop().await;
    }
    let time = median(times.iter().map(|time| Some(*time)));
    report
        .add(Line::new("start of the process to its first answer").with("ms", time).rounds(times));
    report.reached.set(Goal::StartUp, time);
    Ok(())
}
