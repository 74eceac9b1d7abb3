//! The worker of suite watch: holds every task, and changes some when it is told to.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{app::App, exit::Exit, failure::Failure};

/// How often the server hears of us.
const BEAT: Duration = Duration::from_secs(5);

pub(super) struct Driver {
    /// Attempts that it holds.
    pub(super) running: Vec<pb::AttemptRef>,
    /// The one that changes next.
    next: usize,
    outbound: mpsc::Sender<pb::WorkRequest>,
    background: JoinSet<()>,
}

impl Driver {
    /// Connects, and waits until it holds so many tasks.
    ///
    /// # Errors
    /// The server refuses it, or ends the stream.
    pub(super) async fn start(app: &App, queue: &str, tasks: u32) -> Result<Self, Failure> {
        let (outbound, requests) = mpsc::channel(64);
        let hello = pb::Hello {
            namespace: app.namespace.clone(),
            worker_name: "bench".to_owned(),
            queues: vec![queue.to_owned()],
            credit: tasks,
            ..Default::default()
        };
        outbound.send(message(Message::Hello(hello))).await.ok();
        let stream = app.workers().work(ReceiverStream::new(requests)).await?;
        let mut stream = stream.into_inner();
        let mut running = Vec::new();
        while u32::try_from(running.len()).unwrap_or(u32::MAX) < tasks {
            let Some(answer) = stream.message().await? else { return Err(ended()) };
            if let Some(Answer::Assign(assign)) = answer.message {
                running.extend(
                    assign.assignments.into_iter().map(|task| pb::AttemptRef {
                        task_id: task.task_id,
                        attempt: task.attempt,
                    }),
                );
            }
        }
        let mut background = JoinSet::new();
        background.spawn(beat(outbound.clone()));
        background.spawn(read(stream));
        Ok(Self { running, next: 0, outbound, background })
    }

    /// Lets the next `count` tasks report progress that says when it was due, or end.
    ///
    /// # Errors
    /// The stream has ended.
    pub(super) async fn change(
        &mut self,
        count: u32,
        due_at: i128,
        end: Option<Outcome>,
    ) -> Result<(), Failure> {
        let mut reports = Vec::new();
        let mut progress = Vec::new();
        for _ in 0..count {
            let attempt = self.running[self.next % self.running.len()].clone();
            self.next += 1;
            if let Some(outcome) = &end {
                reports.push(pb::AttemptReport {
                    task_id: attempt.task_id,
                    attempt: attempt.attempt,
                    outcome: Some(outcome.clone()),
                });
            } else {
                let due = pb::Progress { message: due_at.to_string(), ..Default::default() };
                progress.push(pb::AttemptProgress {
                    task_id: attempt.task_id,
                    attempt: attempt.attempt,
                    progress: Some(due),
                    checkpoint: None,
                });
            }
        }
        let change = if end.is_some() {
            Message::Report(pb::Report { reports, grant: 0 })
        } else {
            Message::Beat(pb::Beat { progress })
        };
        self.outbound.send(message(change)).await.map_err(|_| ended())
    }

    pub(super) async fn stop(mut self) {
        self.background.shutdown().await;
    }
}

fn message(message: Message) -> pb::WorkRequest {
    pb::WorkRequest { message: Some(message) }
}

fn ended() -> Failure {
    Failure::new(Exit::Other, "the server has ended the worker's stream")
}

async fn beat(outbound: mpsc::Sender<pb::WorkRequest>) {
    let mut beats = tokio::time::interval(BEAT);
    loop {
        beats.tick().await;
        if outbound.send(message(Message::Beat(pb::Beat::default()))).await.is_err() {
            return;
        }
    }
}

/// Acknowledgements are of no interest: the watchers tell what became of the tasks.
async fn read(mut stream: Streaming<pb::WorkResponse>) {
    while let Ok(Some(_)) = stream.message().await {}
}
