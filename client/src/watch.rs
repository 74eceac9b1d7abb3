//! Watching tasks through lost connections.

use std::collections::HashSet;
use std::time::Duration;

use bellringer_api::v1 as pb;
use futures_util::{Stream, stream};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::client::Client;
use crate::error::{Error, reason};
use crate::retry::Backoff;
use crate::revisions::Revisions;

/// Longest time without a word; the server sends at least a bookmark about every 10 s.
const SILENCE: Duration = Duration::from_secs(60);

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
    revisions: Revisions,
    /// Of the ids that are watched, those whose final state was not told yet.
    unfinished: HashSet<String>,
    backoff: Backoff,
}

impl Client {
    /// Watches one task until it is finished. Lost connections are waited out, however long; every
    /// event of a task has a higher revision than the one before.
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
        let namespace = self.namespace().to_owned();
        let request = pb::WatchTasksRequest { namespace, ..request };
        let watching = Watching::new(self.clone(), request);
        stream::try_unfold(watching, |mut watching| async move {
            Ok(watching.next().await?.map(|event| (event, watching)))
        })
    }
}

impl Watching {
    fn new(client: Client, request: pb::WatchTasksRequest) -> Self {
        let unfinished = request.task_ids.iter().map(|id| canonical(id)).collect();
        let (revisions, backoff) = (Revisions::new(), Backoff::new());
        Self { client, request, stream: None, revisions, unfinished, backoff }
    }

    /// Whether everything was told that there will ever be.
    fn is_over(&self) -> bool {
        self.request.filter.is_none() && self.unfinished.is_empty()
    }

    async fn next(&mut self) -> Result<Option<WatchEvent>, Error> {
        loop {
            let message = match &mut self.stream {
                Some(stream) => {
                    let message = timeout(SILENCE, stream.message()).await;
                    message.unwrap_or_else(|_| Err(silent()))
                }
                None => {
                    match timeout(SILENCE, self.begin()).await.unwrap_or_else(|_| Err(silent())) {
                        Ok(()) => continue,
                        Err(status) => Err(status),
                    }
                }
            };
            match message {
                Ok(None) if self.is_over() => return Ok(None),
                // The server does not end a watch early: somebody on the way has closed the stream.
                Ok(None) => {
                    if let Some(event) = self.broken(Status::unavailable("it ended")).await? {
                        return Ok(Some(event));
                    }
                }
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
        if !is_passing(&status) {
            return Err(status.into());
        }
        let error = Error::from(status);
        tracing::debug!(%error, "taking the watch up again");
        let wait = self.backoff.after(&error);
        tokio::time::sleep(wait).await;
        Ok(None)
    }

    /// What a message says that was not said before.
    fn event(&mut self, message: pb::WatchTasksResponse) -> Option<WatchEvent> {
        let kind = message.event();
        if kind == pb::WatchEvent::SnapshotEnd {
            return Some(WatchEvent::SnapshotEnd);
        }
        let task = message.task?;
        if is_final(task.state()) {
            self.unfinished.remove(&task.id);
        }
        if !self.revisions.is_news(&task.id, task.revision) {
            return None;
        }
        Some(match kind {
            pb::WatchEvent::Snapshot => WatchEvent::Snapshot(Box::new(task)),
            _ => WatchEvent::Change(Box::new(task)),
        })
    }
}

/// An id as the server writes it.
fn canonical(task_id: &str) -> String {
    uuid::Uuid::parse_str(task_id).map_or_else(|_| task_id.to_owned(), |id| id.to_string())
}

fn is_final(state: pb::TaskState) -> bool {
    use pb::TaskState as State;
    matches!(state, State::Succeeded | State::Failed | State::Cancelled | State::Expired)
}

fn silent() -> Status {
    Status::unavailable("the server is silent")
}

/// Whether the watch can be taken up again after this.
fn is_passing(status: &Status) -> bool {
    use pb::ErrorReason as Reason;
    match reason(status) {
        Some(reason) => matches!(
            reason,
            Reason::SlowConsumer
                | Reason::Overloaded
                | Reason::RateLimited
                | Reason::Draining
                | Reason::StoreUnavailable
                | Reason::OutcomeUnknown
        ),
        // No word from the server: the connection broke, in one of many ways.
        None => matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
        ),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn watching() -> Watching {
        let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
        let task_ids = vec!["7".to_owned()];
        Watching::new(client, pb::WatchTasksRequest { task_ids, ..Default::default() })
    }

    fn message(event: pb::WatchEvent, revision: i64) -> pb::WatchTasksResponse {
        let task = pb::Task { id: "7".to_owned(), revision, ..Default::default() };
        let (event, resume_token) = (event.into(), "here".to_owned());
        pb::WatchTasksResponse { event, task: Some(task), resume_token }
    }

    fn status(code: Code, reason: &str) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "bellringer.v1", std::collections::HashMap::new());
        Status::with_error_details(code, "why", details)
    }

    #[tokio::test]
    async fn what_was_told_is_not_told_again_after_a_new_beginning() {
        let mut watching = watching();
        let mut told = |event, revision| watching.event(message(event, revision));
        assert!(matches!(told(pb::WatchEvent::Snapshot, 1), Some(WatchEvent::Snapshot(_))));
        assert!(matches!(told(pb::WatchEvent::Change, 2), Some(WatchEvent::Change(_))));
        assert_eq!(told(pb::WatchEvent::Snapshot, 2), None);
        assert_eq!(told(pb::WatchEvent::SnapshotEnd, 2), Some(WatchEvent::SnapshotEnd));
        assert!(told(pb::WatchEvent::Snapshot, 3).is_some());
        let bookmark =
            pb::WatchTasksResponse { task: None, ..message(pb::WatchEvent::Bookmark, 0) };
        assert_eq!(watching.event(bookmark), None);
    }

    #[tokio::test]
    async fn a_watch_of_ids_is_over_when_all_final_states_were_told() {
        let mut watching = watching();
        watching.event(message(pb::WatchEvent::Snapshot, 1));
        assert!(!watching.is_over(), "an end of the stream is a broken one");
        let mut last = message(pb::WatchEvent::Change, 2);
        last.task.as_mut().unwrap().set_state(pb::TaskState::Expired);
        watching.event(last);
        assert!(watching.is_over());
        let id = "01A20A42-214F718EB918-6C41C9D674D8";
        assert_eq!(canonical(&id.replace('-', "")), "01a20a42-214f-718e-b918-6c41c9d674d8");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_not_honoured_begins_anew_once_and_says_so() {
        let mut watching = watching();
        watching.request.resume_token = "old".to_owned();
        let resync = || status(Code::OutOfRange, "RESYNC");
        assert_eq!(watching.broken(resync()).await.unwrap(), Some(WatchEvent::Gap));
        assert!(watching.request.resume_token.is_empty());
        assert!(watching.broken(resync()).await.is_err(), "without a token it makes no sense");
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_passes_is_waited_out_and_the_token_is_kept() {
        let mut watching = watching();
        watching.request.resume_token = "here".to_owned();
        for passing in [
            status(Code::ResourceExhausted, "SLOW_CONSUMER"),
            status(Code::Unavailable, "DRAINING"),
            status(Code::Unavailable, "STORE_UNAVAILABLE"),
            Status::unavailable("broken pipe"),
        ] {
            assert_eq!(watching.broken(passing).await.unwrap(), None);
            assert_eq!(watching.request.resume_token, "here");
        }
        for lasting in [
            status(Code::NotFound, "TASK_NOT_FOUND"),
            status(Code::InvalidArgument, "INVALID_ARGUMENT"),
            status(Code::Internal, "INTERNAL"),
            Status::unauthenticated("who"),
        ] {
            assert!(watching.broken(lasting).await.is_err());
        }
    }
}
