//! Cancelling: G-17.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;

use crate::support::make::{error, seconds, task, text};
use crate::support::{TestServer, Worker};

#[tokio::test]
async fn g_17_waiting_work_is_cancelled_at_once_and_never_starts() {
    let test = TestServer::start().await;
    let ready = test.submit(task()).await;
    let delayed = test.submit(pb::TaskSpec { delay: seconds(5), ..task() }).await;

    for id in [&ready, &delayed] {
        let task = test.cancel(id).await;
        assert_eq!(task.state(), pb::TaskState::Cancelled);
        assert_eq!(task.error.unwrap().message, "no longer wanted");
        assert_eq!(test.cancel(id).await.state(), pb::TaskState::Cancelled, "again is no error");
    }
    test.advance(Duration::from_secs(10)).await;
    let leased = test.workers().lease(pb::LeaseRequest::default()).await.unwrap().into_inner();
    assert!(leased.assignments.is_empty());
}

#[tokio::test]
async fn g_17_the_worker_of_running_work_is_told_and_its_answer_counts() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;

    let asked = test.cancel(&id).await;
    assert_eq!((asked.state(), asked.cancel_requested), (pb::TaskState::Running, true));
    let stop = worker.stopped().await;
    assert_eq!((stop.reason(), stop.grace), (pb::StopReason::Cancelled, seconds(30)));
    worker.report(&attempt, Outcome::Cancelled(pb::Cancelled {})).await;

    let task = test.get(&id).await;
    assert_eq!(task.state(), pb::TaskState::Cancelled);
    assert_eq!(task.attempts[0].outcome(), pb::AttemptOutcome::Cancelled);
}

#[tokio::test]
async fn g_17_work_that_is_done_before_it_hears_of_the_cancel_has_succeeded() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    test.cancel(&id).await;

    worker.succeed(&attempt, "done").await;

    assert_eq!(test.state(&id).await, pb::TaskState::Succeeded);
}

#[tokio::test]
async fn g_17_a_cancelled_task_is_not_tried_again() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    test.cancel(&id).await;

    worker.fail(&attempt, "interrupted").await;

    assert_eq!(test.state(&id).await, pb::TaskState::Cancelled);
}

#[tokio::test]
async fn g_7_an_answer_to_a_cancel_is_accepted_again_as_it_was() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 3).await;
    let failed = Outcome::Failed(pb::Failed { error: error("interrupted"), ..Default::default() });
    let snoozed = Outcome::Snoozed(pb::Snoozed { delay: seconds(60) });
    for (answer, other, kept) in [
        (failed.clone(), snoozed.clone(), pb::AttemptOutcome::Cancelled),
        (snoozed, failed, pb::AttemptOutcome::Snoozed),
    ] {
        let id = test.submit(task()).await;
        let attempt = worker.task().await;
        test.cancel(&id).await;
        for _ in 0..2 {
            let ack = worker.report(&attempt, answer.clone()).await;
            assert_eq!(ack.reason(), pb::ErrorReason::Unspecified);
        }
        let task = test.get(&id).await;
        assert_eq!(task.state(), pb::TaskState::Cancelled);
        assert_eq!(task.attempts[0].outcome(), kept);
        assert_eq!(task.attempts[0].late, None, "nothing came too late");
        let ack = worker.report(&attempt, other).await;
        assert_eq!(ack.reason(), pb::ErrorReason::LeaseLost);
    }
}

#[tokio::test]
async fn g_17_a_worker_that_does_not_answer_loses_the_attempt_after_the_grace() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    test.cancel(&id).await;
    // Heard of all the time, so that the lease itself is not lost.
    for _ in 0..4 {
        worker.send(pb::work_request::Message::Beat(pb::Beat::default())).await;
        test.replica.app.engine().workers.beat_all().await.unwrap();
        test.advance(Duration::from_secs(8)).await;
    }

    assert_eq!(test.state(&id).await, pb::TaskState::Cancelled);
    let late = Outcome::Succeeded(pb::Succeeded { result: text("late") });
    let ack = worker.report(&attempt, late).await;
    assert_eq!(ack.reason(), pb::ErrorReason::LeaseLost);
}

#[tokio::test]
async fn g_17_the_worker_is_told_also_when_it_is_connected_to_another_replica() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&other, 1).await;
    worker.task().await;
    // What makes the hint superfluous: the renewal of the lease looks too.
    worker.send(pb::work_request::Message::Beat(pb::Beat::default())).await;

    test.cancel(&id).await;
    worker.send(pb::work_request::Message::Beat(pb::Beat::default())).await;

    assert_eq!(worker.stopped().await.reason(), pb::StopReason::Cancelled);
}
