//! `bellctl`, the command line of Bellringer.
//!
//! `cli` says what can be typed, `commands` has one file for each command, `render` turns answers
//! into text and JSON, `failure` turns errors into two lines and an exit code.

#![forbid(unsafe_code)]

mod app;
mod cli;
mod commands;
mod draft;
mod exit;
mod explain;
mod failure;
mod output;
mod paint;
mod payload;
mod render;
mod time;
mod tls;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _, parser::ValueSource};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::{
    app::App,
    cli::{Cli, Command},
    exit::Exit,
    failure::Failure,
};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let is_server_given = matches.value_source("server") != Some(ValueSource::DefaultValue);
    show_logs();
    let runtime = match runtime(&cli.command).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::from(error).context("starting"))),
    };
    let result = runtime.block_on(async {
        let app = App::new(&cli.global, is_server_given)?;
        commands::run(&app, cli.command).await
    });
    // A blocking read of standard input must not hold the process.
    runtime.shutdown_background();
    end(result)
}

/// A benchmark has one thread in each of its processes: hops between threads are time that it would add to what
/// it measures.
fn runtime(command: &Command) -> Builder {
    match command {
        Command::Bench(_) | Command::BenchWorker(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    }
}

/// Warnings of the library go to standard error; `BELLRINGER_LOG=debug` shows more.
fn show_logs() {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .with_env_var("BELLRINGER_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

fn end(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_silent() {
                let _ = writeln!(io::stderr(), "{failure}");
            }
            failure.exit.into()
        }
    }
}
