//! One file for each command: its options, and what it does.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod cancel;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod input;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod queues;
pub(crate) mod result;
pub(crate) mod retry;
pub(crate) mod run_payload;
pub(crate) mod schedule;
pub(crate) mod stats;
pub(crate) mod submit;
pub(crate) mod top;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod whoami;
pub(crate) mod worker;

use std::io::{self, Write};

use crate::{app::App, cli::Command, exit::Exit, failure::Failure};

/// Runs one command.
pub(crate) async fn run(app: &App, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Submit(command) => command.run(app).await,
        Command::Get(command) => command.run(app).await,
        Command::List(command) => command.run(app).await,
        Command::Watch(command) => command.run(app).await,
        Command::Wait(command) => command.run(app).await,
        Command::Result(command) => command.run(app).await,
        Command::Cancel(command) => command.run(app).await,
        Command::Retry(command) => command.run(app).await,
        Command::Queues(command) => command.run(app).await,
        Command::Schedule(command) => command.run(app).await,
        Command::Stats(command) => command.run(app).await,
        Command::Top(command) => command.run(app).await,
        Command::Cluster(command) => command.run(app).await,
        Command::Keys(command) => command.run(app).await,
        Command::Audit(command) => command.run(app).await,
        Command::Whoami(command) => command.run(app).await,
        Command::Clock(command) => command.run(app).await,
        Command::Import(command) => command.run(app).await,
        Command::RunPayload(command) => command.run(),
        Command::Worker(command) => command.run(app).await,
        Command::Bench(command) => command.run(app).await,
        Command::BenchWorker(command) => command.run(app).await,
        Command::Completion(command) => command.run(app),
        Command::Man(command) => command.run(),
        Command::Version(command) => command.run(app).await,
    }
}

/// Tells of a failure and goes on, in commands over several tasks; gives its exit code.
///
/// # Errors
/// If nobody reads our output any more, or the server is away: then the rest would fail as well.
fn tell_and_go_on(failure: Failure) -> Result<Exit, Failure> {
    if failure.is_silent() || failure.is_passing() {
        return Err(failure);
    }
    let _ = writeln!(io::stderr(), "{failure}");
    Ok(failure.exit)
}

/// A `key=value` of the command line.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a label as key=value".to_owned()),
    }
}
