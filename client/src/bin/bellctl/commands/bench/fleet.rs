//! The worker processes of a benchmark, seen from the process that started them.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{app::App, exit::Exit, failure::Failure};

/// Longest silence of all workers while something is expected of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a worker tells, a line each.
enum Told {
    /// It has a session.
    Welcome,
    /// So many reports are durable.
    Acknowledged(u32),
    /// Age of a task when it started, in microseconds.
    Latency(u32),
    /// A report was refused, for this reason.
    Refused(String),
    /// It has ended.
    Gone,
}

/// Worker processes. They end with this value, and also when this process is killed.
pub(super) struct Fleet {
    workers: Vec<Child>,
    told: mpsc::Receiver<Told>,
    readers: JoinSet<()>,
}

impl Fleet {
    /// Starts them, and waits until each has a session.
    ///
    /// # Errors
    /// A worker cannot be started, or does not get a session.
    pub(super) async fn start(
        app: &App,
        queue: &str,
        workers: u32,
        credit: u32,
    ) -> Result<Self, Failure> {
        let (sender, told) = mpsc::channel(10_000);
        let mut fleet = Self { workers: Vec::new(), told, readers: JoinSet::new() };
        for _ in 0..workers {
            let mut worker = Command::new(std::env::current_exe()?);
            app.pass_on(&mut worker);
            let mut worker = worker
                .args(["--server", &app.server, "--namespace", &app.namespace, "bench-worker"])
                .args(["--queue", queue, "--credit", &credit.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            if let Some(stdout) = worker.stdout.take() {
                let sender = sender.clone();
                fleet.readers.spawn(async move {
                    let mut lines = BufReader::new(stdout).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let Some(told) = understand(&line) else { continue };
                        if sender.send(told).await.is_err() {
                            return;
                        }
                    }
                    sender.send(Told::Gone).await.ok();
                });
            }
            fleet.workers.push(worker);
        }
        let mut welcome = 0;
        while welcome < workers {
            welcome += u32::from(matches!(fleet.next().await?, Told::Welcome));
        }
        Ok(fleet)
    }

    pub(super) fn pids(&self) -> Vec<u64> {
        self.workers.iter().filter_map(|worker| worker.id().map(u64::from)).collect()
    }

    async fn next(&mut self) -> Result<Told, Failure> {
        match timeout(PATIENCE, self.told.recv()).await {
            Ok(Some(Told::Gone) | None) => {
                Err(Failure::new(Exit::Other, "a worker process has ended early"))
            }
            Ok(Some(Told::Refused(reason))) => {
                Err(Failure::new(Exit::Other, format!("a report was refused: {reason}")))
            }
            Ok(Some(told)) => Ok(told),
            Err(_) => {
                let text = format!("no worker got on for {} s", PATIENCE.as_secs());
                Err(Failure::new(Exit::TimedOut, text))
            }
        }
    }

    /// Waits until `tasks` are acknowledged; answers with the latencies that were told meanwhile, in
    /// microseconds.
    ///
    /// # Errors
    /// A worker ended or had a report refused, or nothing was acknowledged for too long.
    pub(super) async fn until(&mut self, tasks: u32) -> Result<Vec<u32>, Failure> {
        let mut latencies = Vec::new();
        let mut acknowledged = 0;
        while acknowledged < tasks {
            match self.next().await? {
                Told::Acknowledged(count) => acknowledged += count,
                Told::Latency(micros) => latencies.push(micros),
                Told::Welcome | Told::Refused(_) | Told::Gone => {}
            }
        }
        Ok(latencies)
    }

    pub(super) async fn stop(mut self) {
        for worker in &mut self.workers {
            worker.kill().await.ok();
        }
        self.readers.shutdown().await;
    }
}

fn understand(line: &str) -> Option<Told> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "welcome" => Some(Told::Welcome),
        "acknowledged" => Some(Told::Acknowledged(rest.parse().ok()?)),
        "latency" => Some(Told::Latency(rest.parse().ok()?)),
        "refused" => Some(Told::Refused(rest.to_owned())),
        _ => None,
    }
}
