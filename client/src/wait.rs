//! Waiting for the end of a task.

use std::time::Duration;

use bellringer_api::v1 as pb;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::error::Error;
use crate::new_task::pb_duration;
use crate::payload::from_payload;
use crate::retry::{Backoff, later, left, once};
use crate::tasks::limited;

/// Longest wait in one call: short enough for what ends silent connections on the way.
const CALL: Duration = Duration::from_secs(30);
/// How much later than asked for the answer may come.
const LATE: Duration = Duration::from_secs(5);
/// Answers that come sooner than this are not asked for again at once.
const SOON: Duration = Duration::from_millis(100);

impl Client {
    /// Waits until a task is finished, for `timeout` at most, through lost connections and servers
    /// that restart; answers with it as it is then, finished or not. `Duration::MAX` waits for ever.
    ///
    /// # Errors
    /// If there is no such task, or no server when the time is over.
    pub async fn wait(&self, task_id: &str, timeout: Duration) -> Result<pb::Task, Error> {
        let end = later(timeout);
        let mut backoff = Backoff::new();
        loop {
            let began = Instant::now();
            let pause = match self.wait_once(task_id, left(end).min(CALL)).await {
                Ok(answer) if answer.finished || left(end).is_zero() => {
                    return Ok(answer.task.unwrap_or_default());
                }
                Ok(_) if began.elapsed() < SOON => backoff.next(rand::random()),
                Ok(_) => {
                    backoff = Backoff::new();
                    continue;
                }
                Err(error) if left(end).is_zero() || !is_passing(&error) => return Err(error),
                Err(error) => backoff.after(&error),
            };
            sleep(pause.min(left(end))).await;
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
        result(&self.wait(task_id, timeout).await?)
    }

    async fn wait_once(
        &self,
        task_id: &str,
        wait: Duration,
    ) -> Result<pb::WaitTaskResponse, Error> {
        let request = pb::WaitTaskRequest {
            namespace: self.namespace().to_owned(),
            task_id: task_id.to_owned(),
            timeout: Some(pb_duration(wait)),
        };
        once(wait + LATE, |limit| async move {
            Ok(self.task_service().wait(limited(request, limit)).await?.into_inner())
        })
        .await
    }
}

fn is_passing(error: &Error) -> bool {
    error.is_retryable() || error.outcome_unknown()
}

/// The result of a task that succeeded.
fn result<T: DeserializeOwned>(task: &pb::Task) -> Result<T, Error> {
    match task.state() {
        pb::TaskState::Succeeded => from_payload(task.result.as_ref()),
        state @ (pb::TaskState::Failed | pb::TaskState::Cancelled | pb::TaskState::Expired) => {
            let state = state.as_str_name().trim_start_matches("TASK_STATE_").to_owned();
            let error = task.error.clone().unwrap_or_default();
            let parts = [error.r#type, error.message];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let message = match parts.is_empty() {
                true => "no error was kept".to_owned(),
                false => parts.join(": "),
            };
            Err(Error::Unsuccessful { task_id: task.id.clone(), state, message })
        }
        pb::TaskState::Unspecified
        | pb::TaskState::Scheduled
        | pb::TaskState::Ready
        | pb::TaskState::Running
        | pb::TaskState::Retrying => Err(Error::NotFinished(task.id.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: pb::TaskState) -> pb::Task {
        pb::Task { id: "7".to_owned(), state: state.into(), ..Default::default() }
    }

    #[test]
    fn only_success_has_a_result_and_every_other_end_says_why() {
        let mut done = task(pb::TaskState::Succeeded);
        done.result = Some(crate::to_payload("out").unwrap());
        assert_eq!(result::<String>(&done).unwrap(), "out");
        assert!(matches!(result::<u8>(&done), Err(Error::Json(_))));

        let mut failed = task(pb::TaskState::Failed);
        let (r#type, message) = ("smtp.Refused".to_owned(), "no such box".to_owned());
        failed.error = Some(pb::TaskError { r#type, message, detail: String::new() });
        let shown = result::<()>(&failed).unwrap_err().to_string();
        assert_eq!(shown, "task 7 ended as FAILED: smtp.Refused: no such box");
        let shown = result::<()>(&task(pb::TaskState::Expired)).unwrap_err().to_string();
        assert_eq!(shown, "task 7 ended as EXPIRED: no error was kept");
        let running = result::<()>(&task(pb::TaskState::Running));
        assert!(matches!(running, Err(Error::NotFinished(_))));
    }

    #[tokio::test]
    async fn waiting_goes_on_while_there_is_no_server_and_ends_with_its_time() {
        let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
        let began = Instant::now();
        let error = client.wait("7", Duration::from_millis(700)).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(began.elapsed() >= Duration::from_millis(700));
    }
}
