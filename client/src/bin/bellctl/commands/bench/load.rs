//! The load: submitters in this process, workers in processes of their own.

use std::process::Stdio;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::payload::Content;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{app::App, exit::Exit, failure::Failure, time};

/// Connections that submit batches at once.
const SUBMITTERS: u32 = 4;
/// Callers of unary Submit.
const CALLERS: u32 = 256;
/// Longest time for one measurement.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a worker tells.
enum Told {
    Welcome,
    Acknowledged(u32),
    /// Age of a task when it started, in microseconds.
    Latency(u32),
    Gone,
}

/// Worker processes.
pub(super) struct Fleet {
    workers: Vec<Child>,
    told: mpsc::Receiver<Told>,
    readers: JoinSet<()>,
}

impl Fleet {
    pub(super) async fn start(
        app: &App,
        queue: &str,
        workers: u32,
        credit: u32,
    ) -> Result<Self, Failure> {
        let (sender, told) = mpsc::channel(10_000);
        let mut fleet = Self { workers: Vec::new(), told, readers: JoinSet::new() };
        for _ in 0..workers {
            let mut worker = Command::new(std::env::current_exe()?)
                .args(["--server", &app.server, "--namespace", &app.namespace, "bench-worker"])
                .args(["--queue", queue, "--credit", &credit.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let Some(stdout) = worker.stdout.take() else { continue };
            let sender = sender.clone();
            fleet.readers.spawn(async move {
                let mut lines = BufReader::new(stdout).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let number = || line.get(2..).and_then(|n| n.parse().ok()).unwrap_or_default();
                    let told = match line.chars().next() {
                        Some('a') => Told::Acknowledged(number()),
                        Some('l') => Told::Latency(number()),
                        _ => Told::Welcome,
                    };
                    if sender.send(told).await.is_err() {
                        return;
                    }
                }
                sender.send(Told::Gone).await.ok();
            });
            fleet.workers.push(worker);
        }
        for _ in 0..workers {
            fleet.next().await?;
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
            Ok(Some(told)) => Ok(told),
            Err(_) => Err(Failure::new(Exit::TimedOut, "the workers do not get on")),
        }
    }

    /// Waits until `tasks` are acknowledged; answers with the latencies that were told meanwhile.
    async fn until(&mut self, tasks: u32) -> Result<Vec<u32>, Failure> {
        let mut latencies = Vec::new();
        let mut acknowledged = 0;
        while acknowledged < tasks {
            match self.next().await? {
                Told::Acknowledged(count) => acknowledged += count,
                Told::Latency(micros) => latencies.push(micros),
                Told::Welcome | Told::Gone => {}
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

/// What is submitted, and where.
pub(super) struct Load<'a> {
    app: &'a App,
    pub(super) queue: String,
    batch: u32,
    payload: u32,
}

impl<'a> Load<'a> {
    pub(super) fn new(app: &'a App, batch: u32, payload: u32) -> Self {
        let queue = format!("bench-{:08x}", rand::random::<u32>());
        Self { app, queue, batch, payload }
    }

    /// A task; `sent_at` in nanoseconds since 1970, or 0 if nobody wants to know.
    fn task(&self, sent_at: i64) -> pb::TaskSpec {
        let mut data = vec![7; usize::try_from(self.payload).unwrap_or(8)];
        data[..8].copy_from_slice(&sent_at.to_le_bytes());
        pb::TaskSpec {
            queue: self.queue.clone(),
            kind: "bench".to_owned(),
            payload: Some(pb::Payload {
                content: Some(Content::Data(Bytes::from(data))),
                content_type: String::new(),
            }),
            ..Default::default()
        }
    }

    /// Submits in batches; answers with the seconds until the last one is acknowledged as complete.
    pub(super) async fn batches(&self, fleet: &mut Fleet, tasks: u32) -> Result<f64, Failure> {
        let begun = Instant::now();
        let submitting = self.submit_batches(tasks);
        let (submitted, done) = tokio::join!(submitting, fleet.until(tasks));
        submitted?;
        done?;
        Ok(begun.elapsed().as_secs_f64())
    }

    async fn submit_batches(&self, tasks: u32) -> Result<(), Failure> {
        let mut submitters = JoinSet::new();
        for n in 0..SUBMITTERS {
            let mut client = self.app.tasks();
            let share = tasks / SUBMITTERS + u32::from(n < tasks % SUBMITTERS);
            let item =
                pb::SubmitBatchItem { task: Some(self.task(0)), idempotency_key: String::new() };
            let (namespace, batch) = (self.app.namespace.clone(), self.batch);
            submitters.spawn(async move {
                let mut left = share;
                while left > 0 {
                    let count = left.min(batch);
                    left -= count;
                    let items = vec![item.clone(); usize::try_from(count).unwrap_or_default()];
                    let namespace = namespace.clone();
                    let request = pb::SubmitBatchRequest { namespace, items, atomic: false };
                    client.submit_batch(request).await?;
                }
                Ok::<_, tonic::Status>(())
            });
        }
        for submitted in submitters.join_all().await {
            submitted?;
        }
        Ok(())
    }

    /// Submits one by one, from many callers at once.
    pub(super) async fn unary(&self, fleet: &mut Fleet, tasks: u32) -> Result<f64, Failure> {
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for n in 0..CALLERS {
            let mut client = self.app.tasks();
            let share = tasks / CALLERS + u32::from(n < tasks % CALLERS);
            let request = self.request(0);
            callers.spawn(async move {
                for _ in 0..share {
                    client.submit(request.clone()).await?;
                }
                Ok::<_, tonic::Status>(())
            });
        }
        let (submitted, done) = tokio::join!(callers.join_all(), fleet.until(tasks));
        for submitted in submitted {
            submitted?;
        }
        done?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Submits into the paused queue, and measures from its resumption on.
    pub(super) async fn drain(&self, fleet: &mut Fleet, tasks: u32) -> Result<f64, Failure> {
        let (namespace, queue) = (self.app.namespace.clone(), self.queue.clone());
        let note = "bellctl bench".to_owned();
        let pause = pb::PauseQueueRequest { namespace, queue, note };
        self.app.queues().pause(pause).await?;
        self.submit_batches(tasks).await?;
        let begun = Instant::now();
        let (namespace, queue) = (self.app.namespace.clone(), self.queue.clone());
        self.app.queues().resume(pb::ResumeQueueRequest { namespace, queue }).await?;
        fleet.until(tasks).await?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Submits at a rate, whether or not earlier calls have been answered, and counts from when each call
    /// was due: a server that stalls is charged for everything that it holds up.
    pub(super) async fn latency(
        &self,
        fleet: &mut Fleet,
        rate: u32,
        length: Duration,
    ) -> Result<Vec<u32>, Failure> {
        let count = rate * u32::try_from(length.as_secs()).unwrap_or(1);
        let submitting = async {
            let (begun, wall) = (Instant::now(), time::now());
            let mut calls = JoinSet::new();
            for n in 0..count {
                let due = Duration::from_secs(1).mul_f64(f64::from(n) / f64::from(rate));
                sleep_until(begun + due).await;
                let sent =
                    wall.as_nanosecond() + i128::try_from(due.as_nanos()).unwrap_or_default();
                let request = self.request(i64::try_from(sent).unwrap_or_default());
                let mut client = self.app.tasks();
                calls.spawn(async move { client.submit(request).await.map(drop) });
            }
            calls.join_all().await
        };
        let (submitted, latencies) = tokio::join!(submitting, fleet.until(count));
        for submitted in submitted {
            submitted?;
        }
        latencies
    }

    fn request(&self, sent_at: i64) -> pb::SubmitRequest {
        pb::SubmitRequest {
            namespace: self.app.namespace.clone(),
            task: Some(self.task(sent_at)),
            idempotency_key: String::new(),
        }
    }
}
