//! Watching tasks through lost connections.

use std::collections::HashMap;

use bellringer_api::v1 as pb;
use futures_util::{Stream, stream};
use tonic::{Code, Status, Streaming};

use crate::client::Client;
use crate::error::{Error, reason};
use crate::retry::Backoff;

/// What a watch yields.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchEvent {
    /// A task as it was when the watch began, or was taken up again.
    Snapshot(Box<pb::Task>),
    /// The snapshot is complete.
    SnapshotEnd,
    /// A task has changed.
    Change(Box<pb::Task>),
    /// The watch could not be resumed and begins anew: tasks of a filter that were finished meanwhile
    /// may have been missed.
    Gap,
}

struct Watching {
    client: Client,
    request: pb::WatchTasksRequest,
    stream: Option<Streaming<pb::WatchTasksResponse>>,
    revisions: HashMap<String, i64>,
    backoff: Backoff,
}

impl Client {
    /// Watches one task until it is finished.
    pub fn watch_task(
        &self,
        task_id: &str,
    ) -> impl Stream<Item = Result<WatchEvent, Error>> + Send + use<> {
        self.watch_tasks(vec![task_id.to_owned()])
    }

    /// Watches tasks until all of them are finished.
    pub fn watch_tasks(
        &self,
        task_ids: Vec<String>,
    ) -> impl Stream<Item = Result<WatchEvent, Error>> + Send + use<> {
        self.watch(pb::WatchTasksRequest { task_ids, ..Default::default() })
    }

    /// Watches the tasks that match, now and later, without end.
    pub fn watch_filter(
        &self,
        filter: pb::TaskFilter,
    ) -> impl Stream<Item = Result<WatchEvent, Error>> + Send + use<> {
        self.watch(pb::WatchTasksRequest { filter: Some(filter), ..Default::default() })
    }

    fn watch(
        &self,
        request: pb::WatchTasksRequest,
    ) -> impl Stream<Item = Result<WatchEvent, Error>> + Send + use<> {
        let watching = Watching {
            client: self.clone(),
            request: pb::WatchTasksRequest { namespace: self.namespace().to_owned(), ..request },
            stream: None,
            revisions: HashMap::new(),
            backoff: Backoff::new(),
        };
        stream::try_unfold(watching, |mut watching| async move {
            Ok(watching.next().await?.map(|event| (event, watching)))
        })
    }
}

impl Watching {
    async fn next(&mut self) -> Result<Option<WatchEvent>, Error> {
        loop {
            let message = match &mut self.stream {
                Some(stream) => stream.message().await,
                None => match self.begin().await {
                    Ok(()) => continue,
                    Err(status) => Err(status),
                },
            };
            match message {
                Ok(None) => return Ok(None),
                Ok(Some(message)) => {
                    self.backoff = Backoff::new();
                    self.request.resume_token = message.resume_token.clone();
                    if let Some(event) = self.event(message) {
                        return Ok(Some(event));
                    }
                }
                Err(status) => {
                    if let Some(event) = self.broken(status).await? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<(), Status> {
        let stream = self.client.task_service().watch(self.request.clone()).await?;
        self.stream = Some(stream.into_inner());
        Ok(())
    }

    /// Decides whether to go on after the stream broke.
    async fn broken(&mut self, status: Status) -> Result<Option<WatchEvent>, Error> {
        self.stream = None;
        let is_resync = reason(&status) == Some(pb::ErrorReason::Resync);
        if is_resync && !self.request.resume_token.is_empty() {
            self.request.resume_token.clear();
            return Ok(Some(WatchEvent::Gap));
        }
        let is_slow = reason(&status) == Some(pb::ErrorReason::SlowConsumer);
        let is_away = matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
        ) && reason(&status) != Some(pb::ErrorReason::Internal);
        if !(is_slow || is_away) {
            return Err(status.into());
        }
        let error = Error::from(status);
        let wait = self.backoff.next(rand::random());
        tokio::time::sleep(error.retry_after().unwrap_or_default().max(wait)).await;
        Ok(None)
    }

    /// What a message says that was not said before.
    fn event(&mut self, message: pb::WatchTasksResponse) -> Option<WatchEvent> {
        let kind = message.event();
        if kind == pb::WatchEvent::SnapshotEnd {
            return Some(WatchEvent::SnapshotEnd);
        }
        let task = message.task?;
        let before = self.revisions.get(&task.id);
        if before.is_some_and(|before| *before >= task.revision) {
            return None;
        }
        self.revisions.insert(task.id.clone(), task.revision);
        Some(match kind {
            pb::WatchEvent::Snapshot => WatchEvent::Snapshot(Box::new(task)),
            _ => WatchEvent::Change(Box::new(task)),
        })
    }
}
