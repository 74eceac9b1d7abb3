//! The binary `bellringer`.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use bellringer_server::cli::{Cli, Command, Source, write_manual};
use bellringer_server::config::Config;
use bellringer_server::telemetry::Reports;
use bellringer_server::{access, app, dev, keys, log};
use clap::Parser as _;
use tokio::task::JoinSet;

/// The allocator of musl, with which the published programs are built, is slow with many threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stderr, reason = "the last word of a program that cannot go on")]
fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider of TLS in the whole program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(cli));
    // Reading standard input cannot be interrupted; do not wait for it.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "answers of commands")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut signals = JoinSet::new();
    match cli.command {
        Command::Completion { shell } => std::io::stdout().write_all(&shell.completion())?,
        Command::Man { folder } => write_manual(&folder)
            .with_context(|| format!("cannot write manual pages into {}", folder.display()))?,
        Command::Version => println!("bellringer {}", env!("CARGO_PKG_VERSION")),
        Command::CheckConfig(source) => {
            let config = source.load()?;
            for warning in config.warnings() {
                eprintln!("warning: {warning}");
            }
            print!("{config}");
        }
        Command::Permissions => println!("{}", access::permission::table()),
        Command::Keys { command } => keys::run(command).await?,
        Command::Migrate(source) => {
            let (config, _reports) = start(&source)?;
            let applied = app::migrate(&config).await?;
            for name in &applied {
                println!("applied {name}");
            }
            if applied.is_empty() {
                println!("the schema is up to date");
            }
        }
        Command::Serve(source) => {
            let (config, _reports) = start(&source)?;
            let stop = app::stop_signal(&mut signals, Some(config.server.shutdown_grace))?;
            let app = app::App::start(&config).await?;
            app.run_until(stop.cancelled_owned()).await?;
        }
        Command::Dev(options) => {
            let (_, _reports) = start(&Source { database_url: None, ..options.source.clone() })?;
            let stop = app::stop_signal(&mut signals, None)?;
            dev::run(options, stop).await?;
        }
    }
    Ok(())
}

/// Reads the settings and starts the log. What is to be reported is sent when the second is dropped, at the latest.
fn start(source: &Source) -> anyhow::Result<(Config, Option<Reports>)> {
    let config = source.load()?;
    let reports = app::reports(&config)?;
    log::start(&config.log, reports.as_ref())?;
    if reports.is_some() {
        tracing::info!("reporting errors to Sentry");
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok((config, reports))
}
