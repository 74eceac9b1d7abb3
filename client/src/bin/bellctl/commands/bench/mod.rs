//! `bellctl bench`: how fast a server is, beside what its PostgreSQL could do at most. `suites` has one
//! file for each thing that is measured; everything they have in common is beside it.

mod bars;
mod cpu;
mod database;
mod fleet;
mod guard;
mod load;
mod machine;
mod numbers;
mod pace;
mod quick;
mod raw_sql;
mod report;
pub(crate) mod runner;
mod server;
mod spent;
mod stand;
mod suites;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::signal::ctrl_c;
use tokio::time::timeout;

use crate::{app::App, exit::Exit, failure::Failure, time};
use database::Database;
use report::{Report, Section};
use server::{Server, program_beside};
use stand::{Queues, Stand};
use suites::Suite;

/// Longest time for one measurement that has no length of its own.
const MEASUREMENT: Duration = Duration::from_secs(600);
/// Longest time for everything with `--quick`: a debug build on a busy machine takes its time.
const QUICK: Duration = Duration::from_secs(if cfg!(debug_assertions) { 300 } else { 110 });

/// Measure a server: throughput and latency beside raw SQL, and how both hold under strain
#[derive(Debug, Args)]
#[command(after_help = "\
A life cycle is submit, lease, complete, each acknowledged durable, with worker processes of their own.
Without --server, --handshake-file and --database-url, a server with a throw-away PostgreSQL is started for
each suite, from the program bellringer beside this one, and stopped afterwards; the suites idle, guarded,
history and replicas need that. A server that is given is used as it is and should have nothing else to do: tasks go into
queues of their own, whose finished tasks are kept for a minute only.

Examples:
  bellctl bench                              # throughput and latency, 4 minutes
  bellctl bench --all -o json > bench.json   # every suite, half an hour
  bellctl bench --quick                      # less than 2 minutes; fails if a ratio is grossly bad
  bellctl bench --suite throughput --handshake-file /tmp/handshake")]
pub(crate) struct Bench {
    /// What to measure; several with commas between [default: throughput,latency]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SUITE")]
    suite: Vec<Suite>,
    /// Measure everything; takes about half an hour
    #[arg(long, conflicts_with = "suite")]
    all: bool,
    /// Small numbers, and failure only if a ratio is grossly bad; less than two minutes
    #[arg(long, conflicts_with_all = ["suite", "all", "tasks", "rounds", "latency_seconds", "backlog"])]
    quick: bool,
    /// Tasks of each throughput measurement; half as many for unary Submit
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    tasks: u32,
    /// How often throughput and latency are measured; medians are printed
    #[arg(long, default_value_t = 5, value_name = "N")]
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
    /// How long each rate is kept up in a round, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=300))]
    latency_seconds: u32,
    /// Tasks waiting in the queue of suite backlog, in rising order; repeatable
    #[arg(long, default_values_t = [1_000_000, 5_000_000], value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    backlog: Vec<u32>,
    /// How long suite snapshot holds its snapshot, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=3_600))]
    snapshot_seconds: u32,
    /// How long suite steady lasts, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(10..=86_400))]
    steady_seconds: u32,
    /// Tasks per second of suite steady
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=50_000))]
    steady_rate: u32,
    /// Watch streams of suite watch, each on a task of its own
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=10_000))]
    watch_streams: u32,
    /// How long suite watch changes 1,000 tasks each second, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=600))]
    watch_seconds: u32,
    /// How long suite idle looks at an idle server, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=600))]
    idle_seconds: u32,
    /// Finished tasks that suite history puts into the tables first; needs about 350 bytes of disk each
    #[arg(long, default_value_t = 20_000_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(10_000..=200_000_000))]
    history_tasks: u32,
    /// File that `bellringer dev --handshake-file` writes: tells address, database and process
    #[arg(long, value_name = "FILE")]
    handshake_file: Option<PathBuf>,
    /// URL of the server's database, for the comparison with raw SQL [default: none]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Program of the server to start [default: bellringer, beside this program]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["handshake_file", "database_url"])]
    server_program: Option<PathBuf>,
}

impl Bench {
    pub(crate) async fn run(mut self, app: &App) -> Result<Exit, Failure> {
        if self.quick {
            quick::reduce(&mut self);
        }
        let program = self.program(app)?;
        let (queues, mut report) = (Queues::default(), Report::default());
        let limit = if self.quick { QUICK } else { Duration::MAX };
        let measured = tokio::select! {
            measured = timeout(limit, self.measure(app, program.as_ref(), &queues, &mut report)) => {
                measured.unwrap_or_else(|_| Err(too_long(QUICK)))
            }
            _ = ctrl_c() => Err(Failure::new(Exit::Other, "interrupted")),
        };
        // Whatever happened, nothing is left behind.
        server::all_gone().await;
        if program.is_none() {
            self.clean_up(app, &queues).await;
        }
        if !report.sections.is_empty() {
            report.print(app.out)?;
        }
        measured?;
        if self.quick { quick::judge(&report, app.out) } else { Ok(Exit::Ok) }
    }

    /// Goes on after a suite that failed; tells of it in the report, and fails at the end.
    async fn measure(
        &self,
        app: &App,
        program: Option<&PathBuf>,
        queues: &Queues,
        report: &mut Report,
    ) -> Result<(), Failure> {
        report.facts = json!({ "bellctl": self.facts(), "machine": machine::facts().await });
        let mut failed = Vec::new();
        for suite in self.suites() {
            report.sections.push(Section::new(suite.name(), suite.title()));
            app.out.remark(&format!("{} …", suite.name()));
            let measured = match self.server(app, program, suite).await {
                Ok(server) => {
                    let measured = self.one(app, program, queues, suite, &server, report).await;
                    server.stop().await;
                    server::all_gone().await;
                    measured
                }
                Err(failure) => Err(failure),
            };
            if let Err(failure) = measured {
                app.out.remark(&format!("{} FAILED: {failure}", suite.name()));
                report.trouble(format!("FAILED: {}", failure.summary()));
                failed.push((suite.name(), failure));
            }
        }
        let others = failed.len().saturating_sub(1);
        match failed.into_iter().next() {
            None => Ok(()),
            Some((suite, failure)) if others == 0 => Err(failure.context(suite)),
            Some((suite, failure)) => {
                Err(failure.context(suite).detail(format!("so did {others} more; see the report")))
            }
        }
    }

    async fn one(
        &self,
        app: &App,
        program: Option<&PathBuf>,
        queues: &Queues,
        suite: Suite,
        server: &Server,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let program = program.map(PathBuf::as_path);
        let stand = Stand::new(app, self, server, program, queues).await?;
        if let Some(why) = suite.cannot(&stand) {
            app.out.remark(&format!("{} SKIPPED: {why}", suite.name()));
            report.trouble(format!("SKIPPED: {why}"));
            return Ok(());
        }
        if report.facts.get("postgresql").is_none()
            && let Ok(database) = stand.database()
        {
            report.facts["postgresql"] = database.settings().await?;
        }
        suite.measure(&stand, report).await
    }

    fn suites(&self) -> Vec<Suite> {
        match () {
            () if self.all => Suite::all(),
            () if self.quick => quick::SUITES.to_vec(),
            () if self.suite.is_empty() => vec![Suite::Throughput, Suite::Latency],
            () => self.suite.clone(),
        }
    }

    /// The program to start servers with; `None` if a server is given.
    fn program(&self, app: &App) -> Result<Option<PathBuf>, Failure> {
        let is_given =
            app.is_server_given || self.handshake_file.is_some() || self.database_url.is_some();
        match &self.server_program {
            Some(program) => Ok(Some(program.clone())),
            None if is_given => Ok(None),
            None => program_beside().map(Some),
        }
    }

    async fn server(
        &self,
        app: &App,
        program: Option<&PathBuf>,
        suite: Suite,
    ) -> Result<Server, Failure> {
        let Some(program) = program else { return self.given(app) };
        let wished = suite.arguments();
        if !wished.is_empty()
            && let Ok(server) =
                Server::start_with(program, None, wished, &[], |url| app.at(url)).await
        {
            return Ok(server);
        }
        Server::start(app, program, None).await
    }

    fn given(&self, app: &App) -> Result<Server, Failure> {
        let database_url = self.database_url.as_deref();
        Server::given(&app.server, database_url, self.handshake_file.as_deref())
    }

    /// What goes wrong here is not worth more than a remark.
    async fn clean_up(&self, app: &App, queues: &Queues) {
        let Ok(server) = self.given(app) else { return };
        if let Some(url) = &server.database_url {
            let dropped = async { raw_sql::clean_up(&Database::open(url).await?).await };
            if let Err(failure) = dropped.await {
                let text = format!("the schema bellringer_bench may be left behind: {failure}");
                app.out.remark(&text);
            }
        }
        if let Ok(app) = app.at(&server.url) {
            queues.clean_up(&app).await;
        }
    }

    fn facts(&self) -> serde_json::Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "at": time::whole_second(time::now()).to_string(),
            "tasks": self.tasks,
            "rounds": self.rounds,
            "batch": self.batch,
            "payload_bytes": self.payload,
            "workers": self.workers,
            "credit": self.credit,
        })
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(MEASUREMENT, work).await.unwrap_or_else(|_| Err(too_long(MEASUREMENT)))
}

fn too_long(limit: Duration) -> Failure {
    let text = format!("not done within {}", time::friendly(limit));
    Failure::new(Exit::TimedOut, text).next("take fewer --tasks")
}
