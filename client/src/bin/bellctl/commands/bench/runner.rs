//! The worker process of a benchmark: ends every attempt at once, as the task's kind says, and tells on
//! standard output how many were assigned and acknowledged, and how old each was when it started. It ends when its standard input does, so that
//! it never outlives the process that measures.

use std::io::{Write, stdout};

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::payload::Content;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use clap::Args;
use tokio::io::{AsyncReadExt, stdin};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::wire::Wire;
use crate::{app::App, exit::Exit, failure::Failure, time};

/// Most reports in one message.
const REPORTS: usize = 500;

/// Largest message: many assignments with large payloads.
const LARGEST: usize = 256 << 20;

/// Kinds of tasks: what becomes of their attempts. Any other succeeds.
pub(super) const FAILS: &str = "bench-fails";
pub(super) const RETRIED: &str = "bench-retried";
pub(super) const WITH_PROGRESS: &str = "bench-progress";

/// The worker process of `bellctl bench`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bellctl bench starts it by itself")]
pub(crate) struct BenchWorker {
    /// Queue to take tasks from
    #[arg(long)]
    queue: String,
    /// Tasks at once
    #[arg(long)]
    credit: u32,
}

impl BenchWorker {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        tokio::select! {
            result = self.work(app) => result,
            () = end_of_input() => Ok(Exit::Ok),
        }
    }

    async fn work(&self, app: &App) -> Result<Exit, Failure> {
        let (outbound, requests) = mpsc::channel(64);
        let hello = pb::Hello {
            namespace: app.namespace.clone(),
            worker_name: "bench".to_owned(),
            queues: vec![self.queue.clone()],
            credit: self.credit,
            ..Default::default()
        };
        let send = |message| pb::WorkRequest { message: Some(message) };
        outbound.send(send(Message::Hello(hello))).await.ok();
        let wire = Wire::default();
        let channel = wire.connect(&app.endpoint(&app.server)?);
        let mut client =
            WorkerServiceClient::new(app.over(channel)).max_decoding_message_size(LARGEST);
        let mut answers = client.work(ReceiverStream::new(requests)).await?.into_inner();
        let mut out = stdout();
        let mut beat = tokio::time::interval(std::time::Duration::from_secs(5));
        loop {
            let answer = tokio::select! {
                answer = answers.message() => answer?,
                _ = beat.tick() => {
                    outbound.send(send(Message::Beat(pb::Beat::default()))).await.ok();
                    continue;
                }
            };
            match answer.and_then(|answer| answer.message) {
                None => return Ok(Exit::Ok),
                Some(Answer::Welcome(_)) => writeln!(out, "welcome")?,
                Some(Answer::Assign(assign)) => {
                    let now = i64::try_from(time::now().as_nanosecond()).unwrap_or(i64::MAX);
                    let mut told = String::new();
                    let count = assign.assignments.len();
                    let mut reports = Vec::with_capacity(count);
                    let mut progress = Vec::new();
                    for task in assign.assignments {
                        if let Some(due) = due_at(&task) {
                            told.push_str(&format!("latency {}\n", (now - due).max(0) / 1_000));
                        }
                        if task.kind == WITH_PROGRESS {
                            progress.push(half_done(&task));
                        }
                        reports.push(report(task));
                    }
                    while !progress.is_empty() {
                        let rest = progress.split_off(progress.len().min(REPORTS));
                        let message = Message::Beat(pb::Beat { progress });
                        outbound.send(send(message)).await.ok();
                        progress = rest;
                    }
                    while !reports.is_empty() {
                        let rest = reports.split_off(reports.len().min(REPORTS));
                        let grant = u32::try_from(reports.len()).unwrap_or(u32::MAX);
                        let message = Message::Report(pb::Report { reports, grant });
                        outbound.send(send(message)).await.ok();
                        reports = rest;
                    }
                    told.push_str(&format!("assigned {count}\n"));
                    out.write_all(told.as_bytes())?;
                }
                Some(Answer::Acks(acks)) => {
                    let (accepted, refused): (Vec<_>, Vec<_>) =
                        acks.acks.iter().partition(|ack| ack.reason == 0);
                    let told = format!("wire {}\nacknowledged {}\n", wire.bytes(), accepted.len());
                    out.write_all(told.as_bytes())?;
                    if let Some(ack) = refused.first() {
                        writeln!(out, "refused {} {}", ack.reason().as_str_name(), ack.message)?;
                    }
                }
                Some(Answer::Stop(_) | Answer::Drain(_)) => {}
            }
            out.flush()?;
        }
    }
}

async fn end_of_input() {
    let (mut input, mut buffer) = (stdin(), [0; 64]);
    while matches!(input.read(&mut buffer).await, Ok(1..)) {}
}

/// When the submission of a task was due, if it says so: the first eight bytes, in nanoseconds since 1970.
fn due_at(task: &pb::Assignment) -> Option<i64> {
    let Some(Content::Data(data)) = task.payload.as_ref()?.content.as_ref() else { return None };
    let first: [u8; 8] = data.get(..8)?.try_into().ok()?;
    Some(i64::from_le_bytes(first)).filter(|due| *due > 0)
}

fn report(task: pb::Assignment) -> pb::AttemptReport {
    let outcome = match task.kind.as_str() {
        FAILS => failed(true),
        RETRIED if task.tries == 1 => failed(false),
        _ => {
            let result = pb::Payload {
                content: Some(Content::Data(bytes::Bytes::from_static(&[7; 32]))),
                content_type: String::new(),
            };
            Outcome::Succeeded(pb::Succeeded { result: Some(result) })
        }
    };
    pb::AttemptReport { task_id: task.task_id, attempt: task.attempt, outcome: Some(outcome) }
}

/// For good, or until the next try, which may follow at once.
fn failed(non_retryable: bool) -> Outcome {
    let error = pb::TaskError {
        r#type: "bench".to_owned(),
        message: "fails as it should".to_owned(),
        detail: String::new(),
    };
    let retry_after =
        (!non_retryable).then_some(prost_types::Duration { seconds: 0, nanos: 1_000_000 });
    Outcome::Failed(pb::Failed { error: Some(error), non_retryable, retry_after })
}

fn half_done(task: &pb::Assignment) -> pb::AttemptProgress {
    let progress = pb::Progress { current: 1.0, total: 2.0, ..Default::default() };
    pb::AttemptProgress {
        task_id: task.task_id.clone(),
        attempt: task.attempt,
        progress: Some(progress),
        checkpoint: None,
    }
}
