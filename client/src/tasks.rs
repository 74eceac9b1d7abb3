//! Submitting tasks and asking what became of them.

use std::time::Duration;

use bellringer_api::v1 as pb;
use futures_util::{Stream, stream};

use crate::client::Client;
use crate::error::Error;
use crate::new_task::NewTask;
use crate::retry::{once, repeated};

/// A task that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub task_id: String,
    /// False if it is an earlier task: same idempotency key, or unique key held.
    pub created: bool,
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
        let call = |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.task_service().submit(call).await?.into_inner();
                Ok(Submitted { task_id: answer.task_id, created: answer.created })
            }
        };
        match is_repeatable {
            true => repeated(self.request_timeout, call).await,
            false => once(self.request_timeout, call).await,
        }
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
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.task_service().get(call).await?.into_inner();
                Ok(answer.task.unwrap_or_default())
            }
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
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.task_service().list(call).await?.into_inner();
                let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
                Ok((answer.tasks, next))
            }
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
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.task_service().cancel(call).await?.into_inner();
                Ok(answer.task.unwrap_or_default())
            }
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
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.task_service().retry(call).await?.into_inner();
                Ok(Submitted { task_id: answer.task_id, created: answer.created })
            }
        })
        .await
    }

    pub(crate) fn complete_key(&self, task: &mut NewTask) {
        if self.auto_idempotency && task.idempotency_key.is_empty() {
            task.idempotency_key = random_key();
        }
    }
}

/// A request that says how long its answer is waited for, so that the server does not work for nobody.
pub(crate) fn limited<T>(message: T, left: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(left);
    request
}

fn random_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
