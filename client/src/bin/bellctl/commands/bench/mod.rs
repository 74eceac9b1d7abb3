//! `bellctl bench`: how fast a server is, beside what its PostgreSQL could do at most.

mod cpu;
mod fleet;
mod load;
mod pace;
mod raw_sql;
mod report;
pub(crate) mod runner;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, timeout};

use crate::{app::App, exit::Exit, failure::Failure, time};
use cpu::Meter;
use fleet::Fleet;
use load::Load;
use raw_sql::RawSql;
use report::{Report, Run};

/// Longest time for one measurement.
const MEASUREMENT: Duration = Duration::from_secs(300);
/// Longest time for everything with `--quick`.
const QUICK: Duration = Duration::from_secs(110);

const RAW_CYCLES: &str = "raw SQL: life cycles";
const RAW_DRAIN: &str = "raw SQL: lease + complete";
const BATCHES: &str = "life cycles, SubmitBatch";
const UNARY: &str = "life cycles, Submit x 256";
const DRAIN: &str = "drain";

/// Measure life cycles per second and latency through this server, with real worker processes
#[derive(Debug, Args)]
#[command(after_help = "\
A life cycle is submit, lease, complete, each acknowledged durable. With the database's URL the same is
done in raw SQL on the same PostgreSQL in the same round, and the ratio is printed. Use it on a server that
has nothing else to do. It writes into a queue of its own, whose finished tasks are kept for a minute only.

Example:
  bellringer dev --temporary --handshake-file /tmp/handshake &
  bellctl bench --handshake-file /tmp/handshake")]
pub(crate) struct Bench {
    /// Tasks of each throughput measurement; half as many for unary Submit
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    tasks: u32,
    /// How often throughput is measured; medians are printed
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Tasks in one SubmitBatch, and rows in one statement of raw SQL
    #[arg(long, default_value_t = 500, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
    /// Bytes of payload of a task
    #[arg(long, default_value_t = 200, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    payload: u32,
    /// Worker processes
    #[arg(long, default_value_t = 2, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Tasks that each worker takes at once
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    credit: u32,
    /// Rate at which the latency from submit to start is measured, in tasks per second; repeatable
    #[arg(long, default_values_t = [50, 1_000], value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: Vec<u32>,
    /// How long each rate is kept up, in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=240))]
    latency_seconds: u32,
    /// One round of 20,000 tasks, 3 s for each rate; less than two minutes whatever happens
    #[arg(long, conflicts_with_all = ["tasks", "rounds", "latency_seconds"])]
    quick: bool,
    /// File that `bellringer dev --handshake-file` writes: tells address, database and process
    #[arg(long, value_name = "FILE")]
    handshake_file: Option<PathBuf>,
    /// URL of the server's database, for the comparison with raw SQL [default: none]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

/// What `bellringer dev` tells.
#[derive(Debug, Default, Deserialize)]
struct Handshake {
    grpc_url: Option<String>,
    database_url: Option<String>,
    pid: Option<u64>,
}

impl Bench {
    pub(crate) async fn run(mut self, app: &App) -> Result<Exit, Failure> {
        if self.quick {
            (self.tasks, self.rounds, self.latency_seconds) = (20_000, 1, 3);
        }
        let handshake = self.handshake()?;
        let app = app.at(handshake.grpc_url.as_ref().unwrap_or(&app.server))?;
        let database = self.database_url.clone().or(handshake.database_url);
        let database = database.filter(|url| !url.is_empty());
        let load = Load::new(&app, self.batch, self.payload)?;
        let limit = if self.quick { QUICK } else { Duration::MAX };
        let measured = tokio::select! {
            measured = timeout(limit, self.measure(&load, database.as_deref(), handshake.pid)) => {
                measured.unwrap_or_else(|_| Err(too_long(QUICK)))
            }
            _ = ctrl_c() => Err(Failure::new(Exit::Other, "interrupted")),
        };
        // Whatever happened, nothing is left behind; what goes wrong here is not worth more than a remark.
        if let Some(url) = &database
            && let Err(failure) = raw_sql::clean_up(url).await
        {
            app.out.remark(&format!("the schema bellringer_bench may be left behind: {failure}"));
        }
        if let Err(failure) = load.clean_up().await {
            app.out.remark(&format!("tasks of queue {} may be left behind: {failure}", load.queue));
        }
        measured?.print(app.out)?;
        Ok(Exit::Ok)
    }

    async fn measure(
        &self,
        load: &Load<'_>,
        database: Option<&str>,
        server: Option<u64>,
    ) -> Result<Report, Failure> {
        let out = load.app.out;
        let mut fleet = Fleet::start(load.app, &load.queue, self.workers, self.credit).await?;
        let meter = Meter { server, workers: fleet.pids() };
        let mut report = Report::new(self.facts(database).await?);
        if database.is_none() {
            out.remark("SKIPPED raw SQL: no --database-url and no --handshake-file");
        }
        for round in 1..=self.rounds {
            out.remark(&format!("throughput, round {round} of {} …", self.rounds));
            let raw = match database {
                Some(url) => Some(self.raw(&meter, url).await?),
                None => None,
            };
            if let Some((cycles, drain)) = raw {
                report.add(RAW_CYCLES, cycles);
                report.add(RAW_DRAIN, drain);
            }
            let (cycles, drain) = raw.unzip();
            let run = timed(&meter, self.tasks, load.batches(&mut fleet, self.tasks)).await?;
            report.add(BATCHES, run.beside(cycles));
            let few = (self.tasks / 2).max(1_000);
            let run = timed(&meter, few, load.unary(&mut fleet, few)).await?;
            report.add(UNARY, run.beside(cycles));
            load.pause().await?;
            within(load.preload(self.tasks)).await?;
            let run = timed(&meter, self.tasks, load.drain(&mut fleet, self.tasks)).await?;
            report.add(DRAIN, run.beside(drain));
        }
        for rate in &self.rate {
            out.remark(&format!("latency at {rate}/s …"));
            let length = Duration::from_secs(u64::from(self.latency_seconds));
            report.latencies.push(within(pace::measure(load, &mut fleet, *rate, length)).await?);
        }
        fleet.stop().await;
        Ok(report)
    }

    /// Life cycles, and lease with complete alone.
    async fn raw(&self, meter: &Meter, url: &str) -> Result<(Run, Run), Failure> {
        let mut raw = RawSql::open(url, self.batch, self.payload).await?;
        let cycles = timed(meter, self.tasks, raw.life_cycles(self.tasks)).await?;
        within(raw.preload(self.tasks)).await?;
        let drain = timed(meter, self.tasks, raw.drain(self.tasks)).await?;
        raw_sql::clean_up(url).await?;
        Ok((cycles, drain))
    }

    async fn facts(&self, database: Option<&str>) -> Result<Vec<String>, Failure> {
        let mut facts = vec![
            format!("bellctl {}, {}", env!("CARGO_PKG_VERSION"), time::whole_second(time::now())),
            cpu::facts(),
        ];
        if let Some(url) = database {
            facts.push(raw_sql::facts(url).await?);
        }
        facts.push(format!(
            "{} tasks, batches of {}, payload {} B, {} worker processes with credit {}",
            self.tasks, self.batch, self.payload, self.workers, self.credit
        ));
        Ok(facts)
    }

    fn handshake(&self) -> Result<Handshake, Failure> {
        let Some(file) = &self.handshake_file else { return Ok(Handshake::default()) };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("{shown} is not a handshake: {error}")))
    }
}

/// How long `work` with `tasks` takes, and what it costs.
async fn timed(
    meter: &Meter,
    tasks: u32,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Run, Failure> {
    let before = meter.read();
    let begun = Instant::now();
    within(work).await?;
    let elapsed = begun.elapsed();
    let spent = meter.read().with(before, |after, before| after - before);
    Ok(Run::new(tasks, elapsed, spent))
}

async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(MEASUREMENT, work).await.unwrap_or_else(|_| Err(too_long(MEASUREMENT)))
}

fn too_long(limit: Duration) -> Failure {
    let text = format!("not done within {}", time::friendly(limit));
    Failure::new(Exit::TimedOut, text).next("take fewer --tasks")
}
