//! The load of the throughput measurements: submitters in this process, each with a connection.

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
use crate::{app::App, exit::Exit, failure::Failure};

/// Connections that submit, each with one batch under way at a time.
pub(super) const CONNECTIONS: u32 = 4;
/// Callers of unary Submit, spread over the connections.
pub(super) const CALLERS: u32 = 256;
/// Wait after a call that was refused because too much was waiting to be written.
const PAUSE: Duration = Duration::from_millis(5);

/// What is submitted, and where.
pub(super) struct Load<'a> {
    pub(super) app: &'a App,
    /// A queue of its own.
    pub(super) queue: String,
    batch: u32,
    /// Random, so that nothing on the way can make it smaller. The first eight bytes are zero.
    payload: Vec<u8>,
    connections: Vec<TaskServiceClient<Connection>>,
}

impl<'a> Load<'a> {
    pub(super) fn new(app: &'a App, batch: u32, payload: u32) -> Result<Self, Failure> {
        let queue = format!("bench-{:08x}", rand::random::<u32>());
        let mut bytes = vec![0; usize::try_from(payload).unwrap_or(8)];
        rand::rng().fill_bytes(&mut bytes[8..]);
        let connections = (0..CONNECTIONS)
            .map(|_| Ok(app.at(&app.server)?.tasks()))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { app, queue, batch, payload: bytes, connections })
    }

    /// A task; `due_at` in nanoseconds since 1970, or 0 if nobody wants to know.
    fn task(&self, due_at: i64) -> pb::TaskSpec {
        let mut data = self.payload.clone();
        data[..8].copy_from_slice(&due_at.to_le_bytes());
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

    pub(super) fn request(&self, due_at: i64) -> pb::SubmitRequest {
        pb::SubmitRequest {
            namespace: self.app.namespace.clone(),
            task: Some(self.task(due_at)),
            idempotency_key: String::new(),
        }
    }

    /// Submits in batches while the workers run, until the last task is acknowledged as complete.
    pub(super) async fn batches(&self, fleet: &mut Fleet, tasks: u32) -> Result<(), Failure> {
        tokio::try_join!(self.preload(tasks), fleet.until(tasks))?;
        Ok(())
    }

    /// Submits in batches, from every connection at once.
    pub(super) async fn preload(&self, tasks: u32) -> Result<(), Failure> {
        let mut submitters = JoinSet::new();
        for (client, share) in self.connections.iter().zip(shares(tasks, CONNECTIONS)) {
            let item =
                pb::SubmitBatchItem { task: Some(self.task(0)), idempotency_key: String::new() };
            let (mut client, batch) = (client.clone(), self.batch);
            let namespace = self.app.namespace.clone();
            submitters.spawn(async move {
                let mut left = share;
                while left > 0 {
                    let count = left.min(batch);
                    let items = vec![item.clone(); usize::try_from(count).unwrap_or_default()];
                    let namespace = namespace.clone();
                    let request = pb::SubmitBatchRequest { namespace, items, atomic: false };
                    match client.submit_batch(request).await {
                        Ok(answer) => all_taken(answer.get_ref())?,
                        Err(status) => {
                            wait_for_room(status).await?;
                            continue;
                        }
                    }
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
        for (client, share) in self.connections.iter().cycle().zip(shares(tasks, CALLERS)) {
            let (mut client, request) = (client.clone(), self.request(0));
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

    /// Leases from the queue again, until `tasks` are acknowledged as complete.
    pub(super) async fn drain(&self, fleet: &mut Fleet, tasks: u32) -> Result<(), Failure> {
        let (namespace, queue) = (self.app.namespace.clone(), self.queue.clone());
        let request = pb::ResumeQueueRequest { namespace, queue };
        self.app.call(self.app.queues().resume(request)).await?;
        fleet.until(tasks).await?;
        Ok(())
    }

    /// Lets the server forget the finished tasks as soon as it may, and the rest of them now.
    pub(super) async fn clean_up(&self) -> Result<(), Failure> {
        let name = || (self.app.namespace.clone(), self.queue.clone());
        let (namespace, queue) = name();
        let request = pb::PurgeQueueRequest { namespace, queue, confirm: true };
        self.app.call(self.app.queues().purge(request)).await?;
        let minute = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        let retention = Some(pb::Retention {
            succeeded: minute,
            failed: minute,
            cancelled: minute,
            expired: minute,
        });
        let (namespace, queue) = name();
        let request = pb::SetRetentionRequest { namespace, queue, retention };
        self.app.call(self.app.queues().set_retention(request)).await.map(drop)
    }
}

/// `tasks` in `count` parts that differ by one at most.
fn shares(tasks: u32, count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |n| tasks / count + u32::from(n < tasks % count))
}

fn all_taken(answer: &pb::SubmitBatchResponse) -> Result<(), Failure> {
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
async fn wait_for_room(status: Status) -> Result<(), Failure> {
    if status.code() != Code::ResourceExhausted {
        return Err(status.into());
    }
    sleep(PAUSE).await;
    Ok(())
}

async fn all_done(mut callers: JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(ended) = callers.join_next().await {
        ended.map_err(|error| Failure::new(Exit::Other, error.to_string()))??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_leave_nothing_out() {
        assert_eq!(shares(10, 4).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(shares(3, 256).sum::<u32>(), 3);
    }
}
