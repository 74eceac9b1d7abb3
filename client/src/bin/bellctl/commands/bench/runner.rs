//! The worker process of a benchmark: completes every task at once, and tells on standard output how many
//! were acknowledged, and how old each was when it started. It ends when its standard input does, so that
//! it never outlives the process that measures.

use std::io::{Write, stdout};

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::payload::Content;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use clap::Args;
use tokio::io::{AsyncReadExt, stdin};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{app::App, exit::Exit, failure::Failure, time};

/// Most reports in one message.
const REPORTS: usize = 500;

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
        let mut answers = app.workers().work(ReceiverStream::new(requests)).await?.into_inner();
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
                    let mut reports = Vec::with_capacity(assign.assignments.len());
                    for task in assign.assignments {
                        if let Some(due) = due_at(&task) {
                            told.push_str(&format!("latency {}\n", (now - due).max(0) / 1_000));
                        }
                        reports.push(report(task));
                    }
                    while !reports.is_empty() {
                        let rest = reports.split_off(reports.len().min(REPORTS));
                        let grant = u32::try_from(reports.len()).unwrap_or(u32::MAX);
                        let message = Message::Report(pb::Report { reports, grant });
                        outbound.send(send(message)).await.ok();
                        reports = rest;
                    }
                    out.write_all(told.as_bytes())?;
                }
                Some(Answer::Acks(acks)) => {
                    let (accepted, refused): (Vec<_>, Vec<_>) =
                        acks.acks.iter().partition(|ack| ack.reason == 0);
                    writeln!(out, "acknowledged {}", accepted.len())?;
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
    let result = pb::Payload {
        content: Some(Content::Data(bytes::Bytes::from_static(&[7; 32]))),
        content_type: String::new(),
    };
    pb::AttemptReport {
        task_id: task.task_id,
        attempt: task.attempt,
        outcome: Some(Outcome::Succeeded(pb::Succeeded { result: Some(result) })),
    }
}
