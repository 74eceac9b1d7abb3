//! `bellringer.v1.TaskService`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_server::TaskService;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::call::context_of;
use super::caller::enter;
use super::convert::fields::{key, one_more, page_size, text, uuid, view};
use super::convert::task::{Payloads, filter, new_task, pb_task, task_ref};
use super::convert::time::duration;
use super::deadline::Deadline;
use super::panics::told;
use super::status::{classify, invalid};
use super::stream_end::StreamEnd;
use super::{Context, STREAM_BUFFER, page_token};
use crate::domain::{
    Checker, Filter, ListQuery, Namespace, Selection, TaskId, View, Violations, limits,
};
use crate::engine::{Error, Event, ResumeToken, Submitted, Watch};

/// Time before the deadline of a call in which `Wait` answers.
const ANSWERING: Duration = Duration::from_millis(250);
/// Messages that wait in a stream of tasks with their contents.
const LARGE_BUFFER: usize = 2;
/// Largest batch in bytes of payload.
const BATCH_BYTES: usize = 3 << 20;
/// Longest wait of `Wait`, and the wait if none is given.
pub(super) const WAIT: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(60));

#[derive(Debug)]
pub(super) struct Tasks(pub(super) Context);

#[tonic::async_trait]
impl TaskService for Tasks {
    async fn submit(
        &self,
        request: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        let context = context_of(&request);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let anywhere = Namespace::parse(Namespace::DEFAULT).map_err(|_| Status::internal(""))?;
        let task = check.part(new_task(
            namespace.as_ref().unwrap_or(&anywhere),
            request.task,
            request.idempotency_key,
            "task",
            self.0.settings.largest_payload,
        ));
        check.finish().map_err(invalid)?;
        let mut task = task.ok_or_else(|| invalid(Violations::one("task", "cannot be read")))?;
        task.traceparent = task.traceparent.or(context);
        let submitted = self.0.engine.submit_one(task).await?;
        Ok(Response::new(pb_submitted(submitted)))
    }

    async fn submit_batch(
        &self,
        request: Request<pb::SubmitBatchRequest>,
    ) -> Result<Response<pb::SubmitBatchResponse>, Status> {
        let context = context_of(&request);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        if request.items.is_empty() || request.items.len() > limits::BATCH {
            check.refuse("items", format!("must be 1 to {} items", limits::BATCH));
        }
        check.finish().map_err(invalid)?;
        let namespace =
            namespace.ok_or_else(|| invalid(Violations::one("namespace", "cannot be read")))?;
        let largest = self.0.settings.largest_payload;
        let mut tasks = Vec::with_capacity(request.items.len());
        let mut refused = Vec::new();
        for (index, item) in request.items.into_iter().enumerate() {
            let field = format!("items[{index}].task");
            match new_task(&namespace, item.task, item.idempotency_key, &field, largest) {
                Ok(mut task) => {
                    task.traceparent = task.traceparent.or_else(|| context.clone());
                    tasks.push(task);
                }
                Err(violations) if request.atomic => return Err(invalid(violations)),
                Err(violations) => refused.push((index, Error::Invalid(violations))),
            }
        }
        let bytes: usize = tasks.iter().map(|task| task.payload.data.len()).sum();
        if bytes > BATCH_BYTES {
            let why = format!("must be up to {BATCH_BYTES} bytes of payload in all, are {bytes}");
            return Err(invalid(Violations::one("items", why)));
        }
        let mut answers = if tasks.is_empty() {
            Vec::new()
        } else {
            self.0.engine.submit(tasks, request.atomic).await?
        };
        for (index, error) in refused {
            answers.insert(index, Err(error));
        }
        let results = answers.into_iter().map(pb_batch_result).collect();
        Ok(Response::new(pb::SubmitBatchResponse { results }))
    }

    async fn get(
        &self,
        request: Request<pb::GetTaskRequest>,
    ) -> Result<Response<pb::GetTaskResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(task_ref(namespace, &request.task_id));
        let view = check.field("view", view(request.view, View::Full)).unwrap_or(View::Full);
        let (namespace, id) = checked(check, named)?;
        let task = self.0.engine.get(&namespace, id, view).await?;
        Ok(Response::new(pb::GetTaskResponse {
            task: Some(pb_task(task, view, caller.payloads(&namespace))),
        }))
    }

    async fn list(
        &self,
        request: Request<pb::ListTasksRequest>,
    ) -> Result<Response<pb::ListTasksResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let token_query = format!("tasks {} {:?}", request.namespace, sorted(&request.filter));
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let filter = check.part(filter(request.filter));
        let size = check.field("page_size", page_size(request.page_size));
        let view = check.field("view", view(request.view, View::Basic)).unwrap_or(View::Basic);
        let before = if request.page_token.is_empty() {
            None
        } else {
            let last = page_token::decode(self.0.seal(), &token_query, &request.page_token)
                .and_then(|last| uuid(&last).map(TaskId));
            check.field("page_token", last)
        };
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(filter), Some(size)) = (namespace, filter, size) else {
            return Err(invalid(Violations::one("filter", "cannot be read")));
        };
        let payloads = caller.payloads(&namespace);
        let query = ListQuery { namespace, filter, before, limit: one_more(size), view };
        let mut tasks = self.0.engine.list(&query).await?;
        let has_more = tasks.len() > size;
        tasks.truncate(size);
        let next_page_token = match tasks.last() {
            Some(last) if has_more => {
                page_token::encode(self.0.seal(), &token_query, &last.id.to_string())
            }
            _ => String::new(),
        };
        let tasks = tasks.into_iter().map(|task| pb_task(task, view, payloads)).collect();
        Ok(Response::new(pb::ListTasksResponse { tasks, next_page_token }))
    }

    async fn cancel(
        &self,
        request: Request<pb::CancelTaskRequest>,
    ) -> Result<Response<pb::CancelTaskResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(task_ref(namespace, &request.task_id));
        let reason = check.field("reason", text(request.reason, limits::NOTE)).unwrap_or_default();
        let (namespace, id) = checked(check, named)?;
        let task = self.0.engine.cancel(&namespace, id, &reason).await?;
        Ok(Response::new(pb::CancelTaskResponse {
            task: Some(pb_task(task, View::Basic, Payloads::Hidden)),
        }))
    }

    async fn retry(
        &self,
        request: Request<pb::RetryTaskRequest>,
    ) -> Result<Response<pb::RetryTaskResponse>, Status> {
        let context = context_of(&request);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(task_ref(namespace, &request.task_id));
        let key = check.field("idempotency_key", key(request.idempotency_key)).flatten();
        let (namespace, id) = checked(check, named)?;
        let again = self.0.engine.retry(&namespace, id, key, context).await?;
        Ok(Response::new(pb::RetryTaskResponse {
            task_id: again.task.to_string(),
            created: again.created,
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchTasksResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<pb::WatchTasksRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut end = StreamEnd::of(&request, &self.0);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let selection = check.part(selection(request.task_ids, request.filter));
        let view = check.field("view", view(request.view, View::Basic)).unwrap_or(View::Basic);
        let watched = namespace.as_ref().zip(selection.as_ref());
        let watched =
            watched.map(|(namespace, selection)| ResumeToken::watched(namespace, selection));
        let resume = match watched {
            Some(watched) if !request.resume_token.is_empty() => {
                let token = ResumeToken::decode(self.0.seal(), &watched, &request.resume_token);
                check.field("resume_token", token)
            }
            _ => None,
        };
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(selection)) = (namespace, selection) else {
            return Err(invalid(Violations::one("task_ids", "cannot be read")));
        };
        let shown = (view, caller.payloads(&namespace));
        let watch = self.0.engine.watch(&namespace, selection, view, resume).await?;
        let room = if view == View::Full { LARGE_BUFFER } else { STREAM_BUFFER };
        let (sender, receiver) = mpsc::channel(room);
        let bookmarks = self.0.settings.bookmark_interval;
        self.0.streams.spawn(async move {
            let serving = async {
                let ended = tokio::select! {
                    ended = send_events(&watch, shown, bookmarks, &sender) => ended,
                    error = end.came() => {
                        // Where to go on. Whoever has not read the last one will not miss this one.
                        sender.try_send(Ok(bookmark(&watch))).ok();
                        Err(error)
                    }
                    error = caller.ended() => Err(error),
                };
                ended.map_err(Status::from)
            };
            if let Err(status) = told(serving).await {
                tokio::select! {
                    _ = sender.send(Err(status)) => {}
                    () = sender.closed() => {}
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn wait(
        &self,
        request: Request<pb::WaitTaskRequest>,
    ) -> Result<Response<pb::WaitTaskResponse>, Status> {
        let left = Deadline::left(&request);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(task_ref(namespace, &request.task_id));
        let timeout = request.timeout.map(|wait| duration(wait, Duration::ZERO, WAIT.0));
        let timeout = check.field("timeout", timeout.unwrap_or(Ok(WAIT.1))).unwrap_or_default();
        let (namespace, id) = checked(check, named)?;
        let timeout = timeout.min(left.saturating_sub(ANSWERING));
        let task = tokio::select! {
            task = self.0.engine.wait(&namespace, id, timeout) => task?,
            error = caller.ended() => return Err(error.into()),
        };
        let finished = task.state.is_final();
        let task = Some(pb_task(task, View::Full, caller.payloads(&namespace)));
        Ok(Response::new(pb::WaitTaskResponse { task, finished }))
    }
}

/// Sends what a watch yields until it ends, or its reader is gone.
async fn send_events(
    watch: &Watch,
    (view, payloads): (View, Payloads),
    bookmarks: Duration,
    sender: &mpsc::Sender<Result<pb::WatchTasksResponse, Status>>,
) -> Result<(), Error> {
    loop {
        let next = async {
            tokio::select! {
                event = watch.next() => event.map(|event| event.map(Some)),
                () = tokio::time::sleep(bookmarks) => Ok(Some(None)),
            }
        };
        // A reader that does not read makes this wait; the watch then coalesces, and ends at last.
        let next = tokio::select! {
            next = next_with_room(sender, next) => next,
            error = watch.watcher.ended() => return Err(error),
        };
        let Some((room, event)) = next else { return Ok(()) };
        let Some(event) = event? else { return Ok(()) };
        let (event, task) = match event {
            Some(Event::Snapshot(task)) => (pb::WatchEvent::Snapshot, Some(task)),
            Some(Event::SnapshotEnd) => (pb::WatchEvent::SnapshotEnd, None),
            Some(Event::Change(task)) => (pb::WatchEvent::Change, Some(task)),
            None => (pb::WatchEvent::Bookmark, None),
        };
        let message = pb::WatchTasksResponse {
            event: event.into(),
            task: task.map(|task| pb_task(Arc::unwrap_or_clone(task), view, payloads)),
            resume_token: watch.resume_token(),
        };
        room.send(Ok(message));
    }
}

/// What comes next, and room to send it; `None` if its reader is gone. Nothing is taken before there is room: what
/// was taken counts as told, and whoever gives this up would lose it.
async fn next_with_room<T, N>(
    sender: &mpsc::Sender<T>,
    next: impl Future<Output = N>,
) -> Option<(mpsc::Permit<'_, T>, N)> {
    let room = sender.reserve().await.ok()?;
    tokio::select! {
        () = sender.closed() => None,
        next = next => Some((room, next)),
    }
}

fn bookmark(watch: &Watch) -> pb::WatchTasksResponse {
    let event = pb::WatchEvent::Bookmark.into();
    pb::WatchTasksResponse { event, task: None, resume_token: watch.resume_token() }
}

fn selection(
    task_ids: Vec<String>,
    wanted: Option<pb::TaskFilter>,
) -> Result<Selection, Violations> {
    match (task_ids.is_empty(), wanted) {
        (true, None) => Err(Violations::one("task_ids", "either task_ids or filter is required")),
        (false, Some(_)) => Err(Violations::one("filter", "must not be given with task_ids")),
        (false, None) if task_ids.len() > limits::BATCH => {
            Err(Violations::one("task_ids", format!("must be up to {} ids", limits::BATCH)))
        }
        (false, None) => {
            let mut check = Checker::default();
            let mut ids: Vec<TaskId> = task_ids
                .iter()
                .enumerate()
                .filter_map(|(n, id)| check.field(&format!("task_ids[{n}]"), TaskId::parse(id)))
                .collect();
            check.finish()?;
            ids.sort_unstable();
            ids.dedup();
            Ok(Selection::Ids(ids))
        }
        (true, Some(wanted)) => {
            let filter = filter(Some(wanted))?;
            let Filter { states, created_after, created_before, .. } = &filter;
            let mut check = Checker::below("filter");
            if !states.is_empty() {
                check.refuse("states", "must be empty in a watch");
            }
            if created_after.is_some() {
                check.refuse("created_after", "must be empty in a watch");
            }
            if created_before.is_some() {
                check.refuse("created_before", "must be empty in a watch");
            }
            check.finish()?;
            Ok(Selection::Filter(filter))
        }
    }
}

/// A filter as text that is the same for the same filter: maps have no order of their own.
fn sorted(filter: &Option<pb::TaskFilter>) -> impl std::fmt::Debug + use<> {
    filter.clone().map(|filter| {
        let labels: std::collections::BTreeMap<_, _> = filter.labels.into_iter().collect();
        let times = (filter.created_after, filter.created_before);
        (filter.queue, filter.kind, labels, filter.states, times)
    })
}

fn checked<T>(check: Checker, value: Option<T>) -> Result<T, Status> {
    check.finish().map_err(invalid)?;
    value.ok_or_else(|| invalid(Violations::one("task_id", "cannot be read")))
}

fn pb_submitted(submitted: Submitted) -> pb::SubmitResponse {
    pb::SubmitResponse { task_id: submitted.task.to_string(), created: submitted.created }
}

fn pb_batch_result(answer: Result<Submitted, Error>) -> pb::SubmitBatchResult {
    use pb::submit_batch_result::Result as Either;
    let result = match answer {
        Ok(submitted) => Either::Submitted(pb_submitted(submitted)),
        Err(error) => Either::Error(pb::BatchItemError {
            reason: classify(&error).1.into(),
            message: error.to_string(),
        }),
    };
    pb::SubmitBatchResult { result: Some(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn g_16_nothing_is_taken_before_there_is_room_to_send_it() {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.send("before").await.unwrap();
        let mut taken = false;
        let waiting = next_with_room(&sender, async { taken = true });
        assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
        assert!(!taken);

        assert_eq!(receiver.recv().await, Some("before"));
        let (room, ()) = next_with_room(&sender, async { taken = true }).await.unwrap();
        room.send("after");
        assert_eq!(receiver.recv().await, Some("after"));
        assert!(taken);
        drop(receiver);
        assert!(next_with_room(&sender, std::future::pending::<()>()).await.is_none());
    }
}
