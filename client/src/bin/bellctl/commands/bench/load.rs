//! What is submitted: by submitters in this process, spread over some connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::payload::Content;
use bellringer_api::v1::submit_batch_result::Result as Answer;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_client::Connection;
use bytes::Bytes;
use rand::Rng as _;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::{Code, Status};

use super::fleet::Fleet;
use super::numbers::shares;
use crate::{app::App, exit::Exit, failure::Failure};

/// Connections that submit, each with one batch under way at a time.
pub(super) const CONNECTIONS: usize = 4;
/// Callers of unary Submit, spread over the connections.
const CALLERS: u32 = 256;
/// Wait after a call that was refused because too much was waiting to be written.
const PAUSE: Duration = Duration::from_millis(5);

/// Makes a plain task something else. The number differs for each task of a batch, and starts at random.
pub(super) type Shape = fn(&mut pb::SubmitBatchItem, u64);

/// What is submitted, and where.
pub(super) struct Load {
    pub(super) app: App,
    /// A queue of its own.
    pub(super) queue: String,
    batch: u32,
    /// Random, so that nothing on the way can make it smaller. The first eight bytes are zero.
    payload: Vec<u8>,
    connections: Vec<TaskServiceClient<Connection>>,
    /// Zero: tasks are due when they are submitted.
    pub(super) delay: Duration,
    /// Tasks whose submission was begun by `pace`.
    pub(super) offered: AtomicU64,
}

impl Load {
    pub(super) fn new(app: App, channels: Vec<Connection>, batch: u32, payload: u32) -> Self {
        let queue = format!("bench-{:08x}", rand::random::<u32>());
        let mut bytes = vec![0; usize::try_from(payload).unwrap_or(8)];
        rand::rng().fill_bytes(&mut bytes[8..]);
        let connections = channels.into_iter().map(TaskServiceClient::new).collect();
        let (delay, offered) = (Duration::ZERO, AtomicU64::new(0));
        Self { app, queue, batch, payload: bytes, connections, delay, offered }
    }

    /// The connections in turn, for ever.
    pub(super) fn clients(&self) -> impl Iterator<Item = TaskServiceClient<Connection>> {
        self.connections.iter().cycle().cloned()
    }

    /// A task; `due_at` in nanoseconds since 1970, or 0 if nobody wants to know.
    pub(super) fn item(&self, due_at: i64) -> pb::SubmitBatchItem {
        let mut data = self.payload.clone();
        data[..8].copy_from_slice(&due_at.to_le_bytes());
        let task = pb::TaskSpec {
            queue: self.queue.clone(),
            kind: "bench".to_owned(),
            payload: Some(pb::Payload {
                content: Some(Content::Data(Bytes::from(data))),
                content_type: String::new(),
            }),
            delay: (!self.delay.is_zero()).then(|| self.delay.try_into().unwrap_or_default()),
            ..Default::default()
        };
        pb::SubmitBatchItem { task: Some(task), idempotency_key: String::new() }
    }

    pub(super) fn request(&self, due_at: i64) -> pb::SubmitRequest {
        pb::SubmitRequest {
            namespace: self.app.namespace.clone(),
            task: self.item(due_at).task,
            idempotency_key: String::new(),
        }
    }

    pub(super) fn batch_of(&self, items: Vec<pb::SubmitBatchItem>) -> pb::SubmitBatchRequest {
        pb::SubmitBatchRequest { namespace: self.app.namespace.clone(), items, atomic: false }
    }

    /// Submits in batches while the workers run, until the last task is acknowledged as complete.
    pub(super) async fn batches(&self, fleet: &mut Fleet, tasks: u32) -> Result<(), Failure> {
        tokio::try_join!(self.preload(tasks), fleet.until(tasks))?;
        Ok(())
    }

    /// Submits in batches, from every connection at once.
    pub(super) async fn preload(&self, tasks: u32) -> Result<(), Failure> {
        self.submit(tasks, |_, _| ()).await
    }

    /// The same with tasks of another shape.
    pub(super) async fn submit(&self, tasks: u32, shape: Shape) -> Result<(), Failure> {
        let mut submitters = JoinSet::new();
        let count = u32::try_from(self.connections.len()).unwrap_or(1);
        for (mut client, share) in self.clients().zip(shares(tasks, count)) {
            let (request, batch) = (self.batch_of(Vec::new()), self.batch);
            let plain = self.item(0);
            let mut number = u64::from(rand::random::<u32>()) << 32;
            submitters.spawn(async move {
                let mut left = share;
                while left > 0 {
                    let count = left.min(batch);
                    let mut request = request.clone();
                    request.items = (0..u64::from(count))
                        .map(|n| {
                            let mut item = plain.clone();
                            shape(&mut item, number + n);
                            item
                        })
                        .collect();
                    match client.submit_batch(request).await {
                        Ok(answer) => all_taken(answer.get_ref())?,
                        Err(status) => {
                            wait_for_room(status).await?;
                            continue;
                        }
                    }
                    number += u64::from(count);
                    left -= count;
                }
                Ok(())
            });
        }
        all_done(submitters).await
    }

    /// Submits one by one from many callers at once, until the last task is acknowledged as complete.
    pub(super) async fn unary(&self, fleet: &mut Fleet, tasks: u32) -> Result<(), Failure> {
        let mut callers = JoinSet::new();
        for (mut client, share) in self.clients().zip(shares(tasks, CALLERS)) {
            let request = self.request(0);
            callers.spawn(async move {
                let mut left = share;
                while left > 0 {
                    match client.submit(request.clone()).await {
                        Ok(_) => left -= 1,
                        Err(status) => wait_for_room(status).await?,
                    }
                }
                Ok(())
            });
        }
        tokio::try_join!(all_done(callers), fleet.until(tasks))?;
        Ok(())
    }

    /// Stops leasing from the queue.
    pub(super) async fn pause(&self) -> Result<(), Failure> {
        let (namespace, queue) = (self.app.namespace.clone(), self.queue.clone());
        let note = "bellctl bench".to_owned();
        let request = pb::PauseQueueRequest { namespace, queue, note };
        self.app.call(self.app.queues().pause(request)).await.map(drop)
    }

    /// Leases from the queue again.
    pub(super) async fn resume(&self) -> Result<(), Failure> {
        let (namespace, queue) = (self.app.namespace.clone(), self.queue.clone());
        let request = pb::ResumeQueueRequest { namespace, queue };
        self.app.call(self.app.queues().resume(request)).await.map(drop)
    }

    /// Leases from the queue again, until `tasks` are acknowledged as complete.
    pub(super) async fn drain(&self, fleet: &mut Fleet, tasks: u32) -> Result<(), Failure> {
        self.resume().await?;
        fleet.until(tasks).await?;
        Ok(())
    }

    pub(super) fn offered(&self) -> u64 {
        self.offered.load(Ordering::Relaxed)
    }
}

/// # Errors
/// A task of the batch was refused.
pub(super) fn all_taken(answer: &pb::SubmitBatchResponse) -> Result<(), Failure> {
    for result in &answer.results {
        if let Some(Answer::Error(error)) = &result.result {
            let reason = error.reason().as_str_name();
            let text = format!("a task was refused: {reason} {}", error.message);
            return Err(Failure::new(Exit::Other, text));
        }
    }
    Ok(())
}

/// A server that is full is asked again; that costs the time that it costs.
pub(super) async fn wait_for_room(status: Status) -> Result<(), Failure> {
    if status.code() != Code::ResourceExhausted {
        return Err(status.into());
    }
    sleep(PAUSE).await;
    Ok(())
}

pub(super) async fn all_done(mut callers: JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(ended) = callers.join_next().await {
        ended.map_err(|error| Failure::new(Exit::Other, error.to_string()))??;
    }
    Ok(())
}
