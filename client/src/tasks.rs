//! Submitting tasks and asking what became of them.

use std::time::Duration;

use bellringer_api::v1 as pb;
use futures_util::{Stream, stream};
use prost_types::Duration as PbDuration;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::new_task::{NewTask, pb_duration};
use crate::payload::from_payload;
use crate::retry::repeated;

/// Most items, and most bytes, in one call of `SubmitBatch`.
const BATCH: (usize, usize) = (1_000, 2 << 20);
/// Longest wait in one call of `Wait`.
const WAIT: Duration = Duration::from_secs(30);

/// A task that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub task_id: String,
    /// False if it is an earlier task: same idempotency key, or unique key held.
    pub created: bool,
}

/// Why one task of a batch was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BatchError {
    /// What programs match on.
    pub reason: pb::ErrorReason,
    /// For a person.
    pub message: String,
}

impl Client {
    /// Submits a task and answers once it is durable. Repeated while the server is away if the task
    /// has an idempotency key, or the client gives it one.
    ///
    /// # Errors
    /// Why it was refused, or that it may not be durable.
    pub async fn submit(&self, mut task: NewTask) -> Result<Submitted, Error> {
        self.complete_key(&mut task);
        let request = pb::SubmitRequest {
            namespace: self.namespace().to_owned(),
            idempotency_key: task.idempotency_key,
            task: Some(task.spec),
        };
        let is_repeatable = !request.idempotency_key.is_empty();
        let call = || async {
            let call = tonic::Request::new(request.clone());
            let answer = self.task_service().submit(self.limited(call)).await?.into_inner();
            Ok(Submitted { task_id: answer.task_id, created: answer.created })
        };
        if is_repeatable { repeated(self.request_timeout, call).await } else { call().await }
    }

    /// Submits many tasks, each with its own answer, in order.
    ///
    /// # Errors
    /// If a call failed as a whole; tasks of earlier calls are durable then.
    pub async fn submit_batch(
        &self,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Result<Submitted, BatchError>>, Error> {
        let mut answers = Vec::with_capacity(tasks.len());
        let mut items: Vec<pb::SubmitBatchItem> = Vec::new();
        let mut bytes = 0;
        for mut task in tasks {
            self.complete_key(&mut task);
            let size = prost_len(&task.spec);
            if !items.is_empty() && (items.len() == BATCH.0 || bytes + size > BATCH.1) {
                answers.extend(self.submit_items(std::mem::take(&mut items)).await?);
                bytes = 0;
            }
            bytes += size;
            let NewTask { spec, idempotency_key } = task;
            items.push(pb::SubmitBatchItem { task: Some(spec), idempotency_key });
        }
        if !items.is_empty() {
            answers.extend(self.submit_items(items).await?);
        }
        Ok(answers)
    }

    async fn submit_items(
        &self,
        items: Vec<pb::SubmitBatchItem>,
    ) -> Result<Vec<Result<Submitted, BatchError>>, Error> {
        use pb::submit_batch_result::Result as Either;
        let is_repeatable = items.iter().all(|item| !item.idempotency_key.is_empty());
        let namespace = self.namespace().to_owned();
        let request = pb::SubmitBatchRequest { namespace, items, atomic: false };
        let call = || async {
            let call = tonic::Request::new(request.clone());
            Ok(self.task_service().submit_batch(self.limited(call)).await?.into_inner())
        };
        let answer = if is_repeatable {
            repeated(self.request_timeout, call).await?
        } else {
            call().await?
        };
        let read = |result: pb::SubmitBatchResult| match result.result {
            Some(Either::Submitted(task)) => {
                Ok(Submitted { task_id: task.task_id, created: task.created })
            }
            Some(Either::Error(error)) => {
                Err(BatchError { reason: error.reason(), message: error.message })
            }
            None => Err(BatchError {
                reason: pb::ErrorReason::Unspecified,
                message: "the server gave no answer".to_owned(),
            }),
        };
        Ok(answer.results.into_iter().map(read).collect())
    }

    /// A task, with payload, result and attempts.
    ///
    /// # Errors
    /// If there is no such task.
    pub async fn get(&self, task_id: &str) -> Result<pb::Task, Error> {
        let request = pb::GetTaskRequest {
            namespace: self.namespace().to_owned(),
            task_id: task_id.to_owned(),
            view: pb::TaskView::Full.into(),
        };
        repeated(self.request_timeout, || async {
            let call = tonic::Request::new(request.clone());
            let answer = self.task_service().get(self.limited(call)).await?.into_inner();
            Ok(answer.task.unwrap_or_default())
        })
        .await
    }

    /// One page of the tasks that match, newest first, and the token of the next page.
    ///
    /// # Errors
    /// If the filter or the token is wrong.
    pub async fn list(
        &self,
        filter: pb::TaskFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<pb::Task>, Option<String>), Error> {
        let request = pb::ListTasksRequest {
            namespace: self.namespace().to_owned(),
            filter: Some(filter),
            page_size,
            page_token: page_token.to_owned(),
            view: pb::TaskView::Basic.into(),
        };
        repeated(self.request_timeout, || async {
            let call = tonic::Request::new(request.clone());
            let answer = self.task_service().list(self.limited(call)).await?.into_inner();
            let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
            Ok((answer.tasks, next))
        })
        .await
    }

    /// All tasks that match, newest first, page after page as they are read.
    pub fn list_all(
        &self,
        filter: pb::TaskFilter,
    ) -> impl Stream<Item = Result<pb::Task, Error>> + Send + '_ {
        let first = (Vec::new().into_iter(), Some(String::new()));
        stream::try_unfold(first, move |(mut page, mut token)| {
            let filter = filter.clone();
            async move {
                loop {
                    if let Some(task) = page.next() {
                        return Ok(Some((task, (page, token))));
                    }
                    let Some(next) = token else { return Ok(None) };
                    let (tasks, following) = self.list(filter.clone(), 0, &next).await?;
                    page = tasks.into_iter();
                    token = following;
                }
            }
        })
    }

    /// Cancels a task; answers with it as it is then: cancelled, or asked to stop.
    ///
    /// # Errors
    /// If there is no such task.
    pub async fn cancel(&self, task_id: &str, reason: &str) -> Result<pb::Task, Error> {
        let request = pb::CancelTaskRequest {
            namespace: self.namespace().to_owned(),
            task_id: task_id.to_owned(),
            reason: reason.to_owned(),
        };
        repeated(self.request_timeout, || async {
            let call = tonic::Request::new(request.clone());
            let answer = self.task_service().cancel(self.limited(call)).await?.into_inner();
            Ok(answer.task.unwrap_or_default())
        })
        .await
    }

    /// Submits the work of a finished task once more.
    ///
    /// # Errors
    /// If there is no such task, or it is not finished.
    pub async fn retry(&self, task_id: &str) -> Result<Submitted, Error> {
        let request = pb::RetryTaskRequest {
            namespace: self.namespace().to_owned(),
            task_id: task_id.to_owned(),
            idempotency_key: random_key(),
        };
        repeated(self.request_timeout, || async {
            let call = tonic::Request::new(request.clone());
            let answer = self.task_service().retry(self.limited(call)).await?.into_inner();
            Ok(Submitted { task_id: answer.task_id, created: answer.created })
        })
        .await
    }

    /// Waits until a task is finished, for `timeout` at most, through lost connections and servers
    /// that restart; answers with it as it is then, finished or not.
    ///
    /// # Errors
    /// If there is no such task, or no server for the whole time.
    pub async fn wait(&self, task_id: &str, timeout: Duration) -> Result<pb::Task, Error> {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now()).min(WAIT);
            let wait: PbDuration = pb_duration(left);
            let answer = repeated(left + Duration::from_secs(5), || async {
                let request = pb::WaitTaskRequest {
                    namespace: self.namespace().to_owned(),
                    task_id: task_id.to_owned(),
                    timeout: Some(wait),
                };
                Ok(self.task_service().wait(request).await?.into_inner())
            })
            .await?;
            if answer.finished || Instant::now() >= end {
                return Ok(answer.task.unwrap_or_default());
            }
        }
    }

    /// Waits for a task and answers with its result.
    ///
    /// # Errors
    /// [`Error::NotFinished`], [`Error::Unsuccessful`], or that the result is of another type.
    pub async fn wait_result<T: DeserializeOwned>(
        &self,
        task_id: &str,
        timeout: Duration,
    ) -> Result<T, Error> {
        let task = self.wait(task_id, timeout).await?;
        match task.state() {
            pb::TaskState::Succeeded => from_payload(task.result.as_ref()),
            state @ (pb::TaskState::Failed | pb::TaskState::Cancelled | pb::TaskState::Expired) => {
                let state = state.as_str_name().trim_start_matches("TASK_STATE_").to_owned();
                let error = task.error.unwrap_or_default();
                let message = format!("{}: {}", error.r#type, error.message);
                Err(Error::Unsuccessful { task_id: task.id, state, message })
            }
            _ => Err(Error::NotFinished(task.id)),
        }
    }

    fn complete_key(&self, task: &mut NewTask) {
        if self.auto_idempotency && task.idempotency_key.is_empty() {
            task.idempotency_key = random_key();
        }
    }

    /// Sends the deadline along, so that the server does not work for nobody.
    fn limited<T>(&self, mut request: tonic::Request<T>) -> tonic::Request<T> {
        request.set_timeout(self.request_timeout);
        request
    }
}

fn random_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn prost_len(spec: &pb::TaskSpec) -> usize {
    prost::Message::encoded_len(spec)
}
