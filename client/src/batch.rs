//! Submitting many tasks.

use bellringer_api::v1 as pb;
use pb::submit_batch_result::Result as Either;
use prost::Message as _;

use crate::client::Client;
use crate::error::Error;
use crate::new_task::NewTask;
use crate::retry::{once, repeated};
use crate::tasks::{Submitted, limited};

/// Most items in one call of `SubmitBatch`.
const ITEMS: usize = 1_000;
/// Most bytes in one call, unless a single item has more. The server takes 3 MiB.
const BYTES: usize = 2 << 20;

/// Why one task of a batch was not submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct BatchError {
    /// What programs match on; `Unspecified` if the server did not answer.
    pub reason: pb::ErrorReason,
    /// For a person.
    pub message: String,
    /// Whether the task may have been submitted nevertheless.
    pub outcome_unknown: bool,
    /// Whether submitting it again may succeed, and it has certainly not been submitted.
    pub is_retryable: bool,
}

impl Client {
    /// Submits many tasks, each with its own answer, in order. Goes in calls of up to 1000 tasks,
    /// each of which is repeated while the server is away if all of its tasks have idempotency keys.
    ///
    /// # Errors
    /// If every call failed as a whole. If only some did, it is told for each of their tasks, so that
    /// no id of a task that is durable gets lost.
    pub async fn submit_batch(
        &self,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Result<Submitted, BatchError>>, Error> {
        let mut answers = Vec::with_capacity(tasks.len());
        let (mut was_answered, mut first_error, mut is_away) = (false, None, None);
        for items in self.parts(tasks) {
            if let Some(why) = &is_away {
                answers.extend(vec![Err(BatchError::not_sent(why)); items.len()]);
                continue;
            }
            let length = items.len();
            match self.submit_items(items).await {
                Ok(results) => {
                    was_answered = true;
                    answers.extend(results);
                }
                Err(error) => {
                    answers.extend(vec![Err(BatchError::of_call(&error)); length]);
                    if error.is_retryable() || error.outcome_unknown() {
                        is_away = Some(error.clone());
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if !was_answered => Err(error),
            _ => Ok(answers),
        }
    }

    /// What goes into each call.
    fn parts(&self, tasks: Vec<NewTask>) -> Vec<Vec<pb::SubmitBatchItem>> {
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut bytes = 0;
        for mut task in tasks {
            self.complete_key(&mut task);
            let NewTask { spec, idempotency_key } = task;
            let item = pb::SubmitBatchItem { task: Some(spec), idempotency_key };
            let size = item.encoded_len();
            if !part.is_empty() && (part.len() == ITEMS || bytes + size > BYTES) {
                parts.push(std::mem::take(&mut part));
                bytes = 0;
            }
            bytes += size;
            part.push(item);
        }
        if !part.is_empty() {
            parts.push(part);
        }
        parts
    }

    async fn submit_items(
        &self,
        items: Vec<pb::SubmitBatchItem>,
    ) -> Result<Vec<Result<Submitted, BatchError>>, Error> {
        let length = items.len();
        let is_repeatable = items.iter().all(|item| !item.idempotency_key.is_empty());
        let namespace = self.namespace().to_owned();
        let request = pb::SubmitBatchRequest { namespace, items, atomic: false };
        let answer = if is_repeatable {
            repeated(self.request_timeout, |left| {
                let call = limited(request.clone(), left);
                async move { Ok(self.task_service().submit_batch(call).await?.into_inner()) }
            })
            .await?
        } else {
            once(self.request_timeout, |left| async move {
                let call = limited(request, left);
                Ok(self.task_service().submit_batch(call).await?.into_inner())
            })
            .await?
        };
        let mut answers: Vec<_> = answer.results.into_iter().take(length).map(read).collect();
        // One answer for each, whatever the server says.
        answers.resize_with(length, || Err(BatchError::no_answer()));
        Ok(answers)
    }
}

fn read(result: pb::SubmitBatchResult) -> Result<Submitted, BatchError> {
    match result.result {
        Some(Either::Submitted(task)) => {
            Ok(Submitted { task_id: task.task_id, created: task.created })
        }
        Some(Either::Error(error)) => Err(BatchError::of_item(&error)),
        None => Err(BatchError::no_answer()),
    }
}

impl BatchError {
    fn of_item(error: &pb::BatchItemError) -> Self {
        use pb::ErrorReason as Reason;
        let reason = error.reason();
        Self {
            reason,
            message: error.message.clone(),
            outcome_unknown: matches!(reason, Reason::OutcomeUnknown | Reason::DeadlineExceeded),
            is_retryable: matches!(
                reason,
                Reason::Overloaded
                    | Reason::RateLimited
                    | Reason::StoreUnavailable
                    | Reason::Draining
            ),
        }
    }

    fn of_call(error: &Error) -> Self {
        Self {
            reason: error.reason().unwrap_or_default(),
            message: error.to_string(),
            outcome_unknown: error.outcome_unknown(),
            is_retryable: error.is_retryable(),
        }
    }

    fn not_sent(why: &Error) -> Self {
        Self {
            reason: why.reason().unwrap_or_default(),
            message: format!("not sent, after an earlier part of the batch failed: {why}"),
            outcome_unknown: false,
            is_retryable: true,
        }
    }

    fn no_answer() -> Self {
        Self {
            reason: pb::ErrorReason::Unspecified,
            message: "the server gave no answer".to_owned(),
            outcome_unknown: true,
            is_retryable: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_goes_in_parts_that_the_server_takes() {
        let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
        let lengths = |tasks| client.parts(tasks).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(vec![NewTask::new("work"); 2_500]), [1_000, 1_000, 500]);
        let large = NewTask::new("work").data(vec![0; 900 << 10], "a/b");
        assert_eq!(lengths(vec![large; 5]), [2, 2, 1]);
        let single = NewTask::new("work").data(vec![0; 3 << 20], "a/b");
        assert_eq!(lengths(vec![NewTask::new("work"), single, NewTask::new("work")]), [1, 1, 1]);
        assert!(lengths(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_refuses_the_whole_batch_as_retryable() {
        let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
        let error = client.submit_batch(vec![NewTask::new("work"); 1_500]).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let rest = BatchError::not_sent(&error);
        assert!(rest.is_retryable && !rest.outcome_unknown);
    }
}
