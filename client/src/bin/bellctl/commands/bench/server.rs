//! The server that is measured: one that runs already, or one that is started for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bellringer_api::v1 as pb;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::{app::App, exit::Exit, failure::Failure};

/// Longest time for a server to start, with a PostgreSQL of its own.
const START: Duration = Duration::from_secs(60);
/// Longest time for a server to stop.
const STOP: Duration = Duration::from_secs(30);
/// How often is looked whether it serves: the error of the time to start.
const LOOK: Duration = Duration::from_millis(2);

/// What `bellringer dev` tells.
#[derive(Debug, Default, Deserialize)]
struct Handshake {
    grpc_url: Option<String>,
    database_url: Option<String>,
    pid: Option<u64>,
}

/// A server. One that was started here ends with this value, and also when this process is killed: it
/// stops when its standard input is closed.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) database_url: Option<String>,
    /// Its process, if it is known and on this machine.
    pub(super) pid: Option<u64>,
    /// From the start of the process to its first answer.
    pub(super) start_up: Option<Duration>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Of its handshake and its log.
    folder: TempDir,
}

impl Server {
    /// A server that runs already.
    ///
    /// # Errors
    /// The handshake cannot be read.
    pub(super) fn given(
        url: &str,
        database_url: Option<&str>,
        handshake_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let handshake = handshake_file.map(read).transpose()?.unwrap_or_default();
        let database_url = database_url.map(str::to_owned).or(handshake.database_url);
        Ok(Self {
            url: handshake.grpc_url.unwrap_or_else(|| url.to_owned()),
            database_url: database_url.filter(|url| !url.is_empty()),
            pid: handshake.pid,
            start_up: None,
            process: None,
        })
    }

    /// Starts one, with a throw-away PostgreSQL or as a replica on a database, and waits until it answers.
    ///
    /// # Errors
    /// There is no such program, or it does not start.
    pub(super) async fn start(
        app: &App,
        program: &Path,
        database_url: Option<&str>,
    ) -> Result<Self, Failure> {
        Self::start_with(program, database_url, &[], &[], |url| app.at(url)).await
    }

    /// The same with more arguments, with settings as variables of its environment, and with what is called at
    /// its address.
    ///
    /// # Errors
    /// There is no such program, or it does not start.
    pub(super) async fn start_with(
        program: &Path,
        database_url: Option<&str>,
        arguments: &[&str],
        settings: &[(&str, String)],
        app: impl Fn(&str) -> Result<App, Failure>,
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (file, log) = (folder.path().join("handshake"), folder.path().join("log"));
        let begun = Instant::now();
        let mut command = Command::new(program);
        command.args(["dev", "--exit-when-stdin-closes", "--listen", "127.0.0.1:0"]);
        command.args(arguments).arg("--handshake-file").arg(&file);
        // A backlog is what some suites are about.
        command.env("BELLRINGER__LIMITS__QUEUE_DEPTH", "0");
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        match database_url {
            Some(url) => command.args(["--database-url", url]),
            None => command.arg("--temporary"),
        };
        let shown = program.display();
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            // Ctrl-C is for us; we stop it.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::usage(format!("cannot start {shown}: {error}"))
                    .next("build it, name it with --server-program, or name a server with --server")
            })?;
        let mut server = Self {
            url: String::new(),
            database_url: None,
            pid: child.id().map(u64::from),
            start_up: None,
            process: Some(Process { child, folder }),
        };
        let served = timeout(START, server.until_it_serves(app, &file)).await;
        let served =
            served.unwrap_or_else(|_| Err(Failure::new(Exit::TimedOut, "it is not ready")));
        if let Err(failure) = served {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let last = log.lines().rev().take(5).collect::<Vec<_>>();
            let failure = failure.context(format!("starting {shown}"));
            return Err(last.into_iter().rev().fold(failure, Failure::detail));
        }
        server.start_up = Some(begun.elapsed());
        server.database_url = server.database_url.take().or(database_url.map(str::to_owned));
        Ok(server)
    }

    async fn until_it_serves(
        &mut self,
        app: impl Fn(&str) -> Result<App, Failure>,
        file: &Path,
    ) -> Result<(), Failure> {
        while !file.exists() {
            let process = self.process.as_mut().map(|process| process.child.try_wait());
            if let Some(Ok(Some(status))) = process {
                return Err(Failure::new(Exit::Other, format!("it ended with {status}")));
            }
            sleep(LOOK).await;
        }
        let handshake = read(file)?;
        self.url = handshake.grpc_url.unwrap_or_default();
        self.database_url = handshake.database_url.filter(|url| !url.is_empty());
        let app = app(&self.url)?;
        app.repeat(|| async { app.admin().get_cluster(pb::GetClusterRequest {}).await }).await?;
        Ok(())
    }

    /// Whether it was started here.
    pub(super) fn is_own(&self) -> bool {
        self.process.is_some()
    }

    /// Stops it, if it was started here; waits until its data is gone.
    pub(super) async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }
}

impl Drop for Server {
    /// When something went wrong: it begins to stop, and [`all_gone`] waits for it.
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.child.stdin.take());
            DROPPED.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }
}

impl Process {
    async fn stop(mut self) {
        drop(self.child.stdin.take());
        if timeout(STOP, self.child.wait()).await.is_err() {
            self.child.kill().await.ok();
        }
        drop(self.folder);
    }
}

/// Servers that were dropped while they ran.
static DROPPED: Mutex<Vec<Process>> = Mutex::new(Vec::new());

/// Waits for servers that were dropped while they ran, so that nothing is left behind when we are gone.
pub(super) async fn all_gone() {
    let dropped = std::mem::take(&mut *DROPPED.lock().unwrap_or_else(PoisonError::into_inner));
    futures_util::future::join_all(dropped.into_iter().map(Process::stop)).await;
}

/// The program `bellringer` beside this one.
///
/// # Errors
/// There is none.
pub(super) fn program_beside() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?.with_file_name("bellringer");
    if program.exists() {
        return Ok(program);
    }
    let text = format!("there is no server to measure: {} does not exist", program.display());
    Err(Failure::usage(text)
        .next("build it, name it with --server-program, or name a server with --server"))
}

fn read(file: &Path) -> Result<Handshake, Failure> {
    let shown = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{shown} is not a handshake: {error}")))
}
