//! The worker processes of a benchmark, seen from the process that started them.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{app::App, exit::Exit, failure::Failure};

/// Longest silence of all workers while something is expected of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long what is on its way to a worker can take.
const SETTLING: Duration = Duration::from_millis(200);

/// What a worker tells, a line each.
enum Told {
    /// It has a session.
    Welcome,
    /// So many attempts were given to it.
    Assigned(u32),
    /// So many reports are durable.
    Acknowledged(u32),
    /// Bytes of its connection so far.
    Wire(u64),
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
    /// With the number of the worker.
    told: mpsc::Receiver<(usize, Told)>,
    readers: JoinSet<()>,
    /// Bytes by worker.
    wire: Vec<u64>,
    /// Attempts that were given to the workers so far.
    pub(super) assigned: u64,
    /// Reports that were acknowledged so far.
    pub(super) acknowledged: u64,
}

/// What was told within some time.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) acknowledged: u32,
    /// Ages of tasks when they started, in microseconds.
    pub(super) latencies: Vec<u32>,
}

impl Fleet {
    /// Starts them, spread over the servers, and waits until each has a session.
    ///
    /// # Errors
    /// A worker cannot be started, or does not get a session.
    pub(super) async fn start(
        app: &App,
        urls: &[String],
        queue: &str,
        workers: u32,
        credit: u32,
    ) -> Result<Self, Failure> {
        let (sender, told) = mpsc::channel(10_000);
        let mut fleet = Self {
            workers: Vec::new(),
            told,
            readers: JoinSet::new(),
            wire: Vec::new(),
            assigned: 0,
            acknowledged: 0,
        };
        for (_, url) in (0..workers).zip(urls.iter().cycle()) {
            let number = fleet.workers.len();
            let mut worker = Command::new(std::env::current_exe()?);
            app.pass_on(&mut worker);
            let mut worker = worker
                .args(["--server", url, "--namespace", &app.namespace, "bench-worker"])
                .args(["--queue", queue, "--credit", &credit.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                // Ctrl-C is for us; they end with their standard input.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()?;
            if let Some(stdout) = worker.stdout.take() {
                let sender = sender.clone();
                fleet.readers.spawn(async move {
                    let mut lines = BufReader::new(stdout).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let Some(told) = understand(&line) else { continue };
                        if sender.send((number, told)).await.is_err() {
                            return;
                        }
                    }
                    sender.send((number, Told::Gone)).await.ok();
                });
            }
            fleet.workers.push(worker);
            fleet.wire.push(0);
        }
        let mut welcome = 0;
        while welcome < workers {
            welcome += u32::from(fleet.next(&mut Heard::default()).await?);
        }
        Ok(fleet)
    }

    pub(super) fn pids(&self) -> Vec<u64> {
        self.workers.iter().filter_map(|worker| worker.id().map(u64::from)).collect()
    }

    /// Bytes of the workers' connections so far.
    pub(super) fn wire(&self) -> u64 {
        self.wire.iter().sum()
    }

    /// Takes in the next thing that is told; whether it is that a worker has a session.
    async fn next(&mut self, heard: &mut Heard) -> Result<bool, Failure> {
        match timeout(PATIENCE, self.told.recv()).await {
            Ok(told) => self.take(told, heard),
            Err(_) => {
                let text = format!("no worker got on for {} s", PATIENCE.as_secs());
                Err(Failure::new(Exit::TimedOut, text))
            }
        }
    }

    fn take(&mut self, told: Option<(usize, Told)>, heard: &mut Heard) -> Result<bool, Failure> {
        let gone = || Failure::new(Exit::Other, "a worker process has ended early");
        let (worker, told) = told.ok_or_else(gone)?;
        match told {
            Told::Welcome => return Ok(true),
            Told::Assigned(count) => self.assigned += u64::from(count),
            Told::Acknowledged(count) => {
                self.acknowledged += u64::from(count);
                heard.acknowledged += count;
            }
            Told::Wire(bytes) => self.wire[worker] = bytes,
            Told::Latency(micros) => heard.latencies.push(micros),
            Told::Refused(reason) => {
                return Err(Failure::new(Exit::Other, format!("a report was refused: {reason}")));
            }
            Told::Gone => return Err(gone()),
        }
        Ok(false)
    }

    /// Waits until `reports` more are acknowledged.
    ///
    /// # Errors
    /// A worker ended or had a report refused, or nothing was told for too long.
    pub(super) async fn until(&mut self, reports: u32) -> Result<Heard, Failure> {
        let mut heard = Heard::default();
        while heard.acknowledged < reports {
            self.next(&mut heard).await?;
        }
        Ok(heard)
    }

    /// Waits until the workers hold nothing more, once nothing is leased to them any more.
    ///
    /// # Errors
    /// As of [`Fleet::until`].
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        self.during(SETTLING).await?;
        while self.acknowledged < self.assigned {
            self.next(&mut Heard::default()).await?;
        }
        Ok(())
    }

    /// Listens for some time, whether or not anything is told.
    ///
    /// # Errors
    /// A worker ended or had a report refused.
    pub(super) async fn during(&mut self, length: Duration) -> Result<Heard, Failure> {
        let (mut heard, end) = (Heard::default(), Instant::now() + length);
        while let Ok(told) = timeout_at(end, self.told.recv()).await {
            self.take(told, &mut heard)?;
        }
        Ok(heard)
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
        "assigned" => Some(Told::Assigned(rest.parse().ok()?)),
        "wire" => Some(Told::Wire(rest.parse().ok()?)),
        "acknowledged" => Some(Told::Acknowledged(rest.parse().ok()?)),
        "latency" => Some(Told::Latency(rest.parse().ok()?)),
        "refused" => Some(Told::Refused(rest.to_owned())),
        _ => None,
    }
}
