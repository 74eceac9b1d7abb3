//! Trying again, and running finished work once more.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;

use crate::support::make::{error, retry, seconds, task, text};
use crate::support::{TestServer, Worker, reason};

#[tokio::test]
async fn a_failed_attempt_is_tried_again_after_its_backoff_with_its_history_kept() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(3, 30), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let first = worker.task().await;
    worker.fail(&first, "smtp.Refused").await;

    let waiting = test.get(&id).await;
    assert_eq!(waiting.state(), pb::TaskState::Retrying);
    assert_eq!(waiting.error.unwrap().r#type, "smtp.Refused");
    test.advance(Duration::from_secs(29)).await;
    assert_eq!(test.state(&id).await, pb::TaskState::Retrying);
    test.advance(Duration::from_secs(1)).await;
    worker.grant(1).await;
    let second = worker.task().await;
    worker.succeed(&second, "sent").await;

    let done = test.get(&id).await;
    let outcomes: Vec<_> = done.attempts.iter().map(|attempt| attempt.outcome()).collect();
    assert_eq!(outcomes, [pb::AttemptOutcome::Failed, pb::AttemptOutcome::Succeeded]);
    assert_eq!((done.attempt, done.tries), (2, 2));
}

#[tokio::test]
async fn a_task_fails_when_its_tries_are_used_up_or_the_error_is_not_to_be_retried() {
    let test = TestServer::start().await;
    let mut policy = retry(5, 0).unwrap();
    policy.non_retryable_errors = vec!["bad.Input".to_owned()];
    let listed = test.submit(pb::TaskSpec { retry: Some(policy), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    worker.fail(&attempt, "bad.Input").await;
    assert_eq!(test.state(&listed).await, pb::TaskState::Failed);

    let refused = test.submit(task()).await;
    worker.grant(1).await;
    let attempt = worker.task().await;
    let failed = pb::Failed { error: error("any"), non_retryable: true, ..Default::default() };
    worker.report(&attempt, Outcome::Failed(failed)).await;
    assert_eq!(test.state(&refused).await, pb::TaskState::Failed);

    let used_up = test.submit(pb::TaskSpec { retry: retry(2, 0), ..task() }).await;
    for _ in 0..2 {
        worker.grant(1).await;
        let attempt = worker.task().await;
        worker.fail(&attempt, "boom").await;
    }
    let task = test.get(&used_up).await;
    assert_eq!((task.state(), task.tries), (pb::TaskState::Failed, 2));
}

#[tokio::test]
async fn a_worker_may_say_when_to_try_again() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    let failed =
        pb::Failed { error: error("rate"), retry_after: seconds(100), ..Default::default() };
    worker.report(&attempt, Outcome::Failed(failed)).await;

    let task = test.get(&id).await;
    let started = task.started_at.unwrap().seconds;
    assert_eq!(task.due_at.unwrap().seconds - started, 100);
}

#[tokio::test]
async fn a_snoozed_attempt_is_not_a_try() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(1, 0), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    worker.report(&attempt, Outcome::Snoozed(pb::Snoozed { delay: seconds(60) })).await;

    let snoozed = test.get(&id).await;
    assert_eq!((snoozed.state(), snoozed.tries), (pb::TaskState::Scheduled, 0));
    test.advance(Duration::from_secs(60)).await;
    worker.grant(1).await;
    let attempt = worker.task().await;
    assert_eq!((attempt.attempt, attempt.tries), (2, 1));
    worker.succeed(&attempt, "now").await;
}

#[tokio::test]
async fn a_finished_task_can_be_run_once_more_as_a_new_task() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { payload: text("in"), ..task() }).await;
    let again = |key: &str| pb::RetryTaskRequest {
        task_id: id.clone(),
        idempotency_key: key.to_owned(),
        ..Default::default()
    };
    let early = test.tasks().retry(again("")).await.unwrap_err();
    assert_eq!(reason(&early), "TASK_NOT_FINISHED");
    test.cancel(&id).await;

    let first = test.tasks().retry(again("once")).await.unwrap().into_inner();
    let second = test.tasks().retry(again("once")).await.unwrap().into_inner();

    assert!(first.created && !second.created);
    assert_eq!(first.task_id, second.task_id);
    let task = test.get(&first.task_id).await;
    assert_eq!((task.state(), task.retry_of), (pb::TaskState::Ready, id.clone()));
    assert_eq!(task.spec.unwrap().payload, text("in"));
    assert_eq!(test.state(&id).await, pb::TaskState::Cancelled, "the old one stays as it is");
}
