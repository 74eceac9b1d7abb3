//! The express path: a task that meets a free worker is written already leased to it.

use std::time::Duration;

use bellringer_api::v1 as pb;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::support::make::{retry, seconds, task};
use crate::support::process::eventually;
use crate::support::{TestServer, Worker, reason};

/// Whether a task was leased by the transaction that submitted it.
pub(crate) async fn was_express(test: &TestServer, id: &str) -> bool {
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    sqlx::query_scalar(
        "select exists (select from task t join inflight i using (id)
                        where t.id = $1 and t.xmin = i.xmin)",
    )
    .bind(uuid::Uuid::parse_str(id).unwrap())
    .fetch_one(&mut database)
    .await
    .unwrap()
}

/// Runs tasks until one is leased by the statement that submits it: the worker is known to be free.
pub(crate) async fn warm(test: &TestServer, worker: &mut Worker) {
    for _ in 0..1_000 {
        let id = test.submit(task()).await;
        let assigned = worker.task().await;
        let was_express = was_express(test, &id).await;
        worker.succeed(&assigned, "x").await;
        worker.grant(1).await;
        if was_express {
            return;
        }
    }
    panic!("no task ever met a free worker");
}

#[tokio::test]
async fn a_task_that_meets_a_free_worker_is_leased_by_the_statement_that_submits_it() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let spec = pb::TaskSpec {
        payload: crate::support::make::text("in"),
        labels: [("a".to_owned(), "b".to_owned())].into(),
        attempt_timeout: seconds(60),
        retry: retry(7, 1),
        ..task()
    };
    let id = test.submit(spec.clone()).await;
    let assigned = worker.task().await;
    assert!(was_express(&test, &id).await);
    assert_eq!((assigned.task_id.as_str(), assigned.attempt, assigned.max_attempts), (&*id, 1, 7));
    assert_eq!(
        (assigned.payload.as_ref(), &assigned.labels),
        (spec.payload.as_ref(), &spec.labels)
    );
    assert!(assigned.deadline.is_some());

    // What the worker is told is what anybody reads, and what a claim would have written.
    let read = test.get(&id).await;
    assert_eq!(read.state(), pb::TaskState::Running);
    assert_eq!((read.attempt, read.started_at), (1, read.created_at));
    worker.succeed(&assigned, "out").await;
    assert_eq!(test.state(&id).await, pb::TaskState::Succeeded);
}

#[tokio::test]
async fn an_express_task_that_fails_is_tried_again() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let id = test.submit(pb::TaskSpec { retry: retry(2, 1), ..task() }).await;
    let first = worker.task().await;
    assert!(was_express(&test, &id).await);
    worker.fail(&first, "oh").await;
    worker.grant(1).await;
    test.advance(Duration::from_secs(120)).await;
    let second = worker.task().await;
    assert_eq!((second.task_id.as_str(), second.attempt), (id.as_str(), 2));
}

#[tokio::test]
async fn nothing_overtakes_a_task_that_waits() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let ids = [test.submit(task()).await, test.submit(task()).await, test.submit(task()).await];
    for id in ids {
        let assigned = worker.task().await;
        assert_eq!(assigned.task_id, id);
        worker.succeed(&assigned, "x").await;
        worker.grant(1).await;
    }
}

#[tokio::test]
async fn of_a_batch_the_highest_priorities_get_the_free_places() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 2).await;
    warm(&test, &mut worker).await;
    let priorities = [1, 8, 3, 9, 2];
    let items = priorities.map(|priority| pb::SubmitBatchItem {
        task: Some(pb::TaskSpec { priority: Some(priority), ..task() }),
        idempotency_key: String::new(),
    });
    let request = pb::SubmitBatchRequest { items: items.to_vec(), ..Default::default() };
    let ids: Vec<String> = test
        .tasks()
        .submit_batch(request)
        .await
        .unwrap()
        .into_inner()
        .results
        .into_iter()
        .map(|result| match result.result.unwrap() {
            pb::submit_batch_result::Result::Submitted(submitted) => submitted.task_id,
            pb::submit_batch_result::Result::Error(error) => panic!("{error:?}"),
        })
        .collect();
    let assigned = worker.assigned().await;
    let mut assigned: Vec<&str> = assigned.iter().map(|task| task.task_id.as_str()).collect();
    assigned.sort_unstable();
    assert_eq!(assigned, [ids[1].as_str(), ids[3].as_str()]);
}

#[tokio::test]
async fn what_may_not_start_now_is_not_leased() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let later = test.submit(pb::TaskSpec { delay: seconds(60), ..task() }).await;
    assert_eq!(test.state(&later).await, pb::TaskState::Scheduled);

    let queue = || "default".to_owned();
    let pause = pb::PauseQueueRequest { queue: queue(), ..Default::default() };
    test.queues().pause(pause).await.unwrap();
    let paused = test.submit(task()).await;
    assert_eq!(test.state(&paused).await, pb::TaskState::Ready);
    // The place was given back: it is there when the queue goes on.
    let resume = pb::ResumeQueueRequest { queue: queue(), ..Default::default() };
    test.queues().resume(resume).await.unwrap();
    assert_eq!(worker.task().await.task_id, paused);
}

#[tokio::test]
async fn a_worker_of_another_queue_or_kind_gets_nothing() {
    let test = TestServer::start().await;
    let hello = pb::Hello { credit: 1, kinds: vec!["other".to_owned()], ..Default::default() };
    let mut other = Worker::hello(&test.replica, hello).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let id = test.submit(task()).await;
    assert_eq!(worker.task().await.task_id, id);
    let theirs = test.submit(pb::TaskSpec { kind: "other".to_owned(), ..task() }).await;
    assert_eq!(other.task().await.task_id, theirs);
}

#[tokio::test]
async fn tasks_with_keys_and_atomic_batches_go_the_same_way() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 2).await;
    warm(&test, &mut worker).await;
    let unique = pb::TaskSpec { unique_key: "one at a time".to_owned(), ..task() };
    let submitted = test.try_submit(unique, "request").await.unwrap();
    let assigned = worker.task().await;
    assert!(was_express(&test, &submitted.task_id).await);
    assert_eq!(assigned.task_id, submitted.task_id);
    worker.succeed(&assigned, "out").await;
    worker.grant(1).await;

    warm(&test, &mut worker).await;
    let items = vec![pb::SubmitBatchItem { task: Some(task()), ..Default::default() }; 2];
    let request = pb::SubmitBatchRequest { items, atomic: true, ..Default::default() };
    test.tasks().submit_batch(request).await.unwrap();
    assert!(was_express(&test, &worker.assigned().await[0].task_id).await);
}

#[tokio::test]
async fn what_was_submitted_before_takes_no_place_of_a_free_worker() {
    let test = TestServer::start().await;
    let unique = || pb::TaskSpec {
        unique_key: "held".to_owned(),
        unique_conflict: pb::UniqueConflictPolicy::Refuse.into(),
        delay: seconds(60),
        ..task()
    };
    let holder = test.try_submit(unique(), "request").await.unwrap();
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;

    let again = test.try_submit(unique(), "request").await.unwrap();
    assert_eq!((again.created, &again.task_id), (false, &holder.task_id));
    let now = || pb::TaskSpec { delay: None, ..unique() };
    let refused = test.try_submit(now(), "another request").await.unwrap_err();
    assert_eq!(reason(&refused), "UNIQUE_KEY_CONFLICT");
    let item = |task| pb::SubmitBatchItem { task: Some(task), ..Default::default() };
    let items = vec![item(task()), item(now())];
    let request = pb::SubmitBatchRequest { items, atomic: true, ..Default::default() };
    let refused = test.tasks().submit_batch(request).await.unwrap_err();
    assert_eq!(reason(&refused), "UNIQUE_KEY_CONFLICT");

    // The place is still there.
    let id = test.submit(task()).await;
    assert_eq!(worker.task().await.task_id, id);
    assert!(was_express(&test, &id).await);
}

#[tokio::test]
async fn an_atomic_batch_whose_caller_is_gone_is_handed_out_all_the_same() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    warm(&test, &mut worker).await;
    let mut database = test.database().await;
    let mut lock = database.begin().await.unwrap();
    sqlx::query("lock table inflight in exclusive mode").execute(&mut *lock).await.unwrap();

    let item = pb::SubmitBatchItem { task: Some(task()), ..Default::default() };
    let request = pb::SubmitBatchRequest { items: vec![item], atomic: true, ..Default::default() };
    let mut tasks = test.tasks();
    let mut caller = JoinSet::new();
    caller.spawn(async move { tasks.submit_batch(request).await });
    eventually("the batch waits for the lock", async || {
        let waits = "select exists (select from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock')";
        sqlx::query_scalar(waits).fetch_one(&mut test.database().await).await.unwrap()
    })
    .await;
    caller.abort_all();
    assert!(caller.join_next().await.unwrap().unwrap_err().is_cancelled());
    eventually("the server has heard of it", async || {
        let metrics = test.replica.metrics().await;
        metrics.lines().any(|line| {
            line.contains("grpc_calls_total{")
                && line.contains("SubmitBatch")
                && line.contains("\"cancelled\"")
                && !line.ends_with(" 0")
        })
    })
    .await;
    lock.commit().await.unwrap();

    let assigned = worker.task().await;
    assert!(was_express(&test, &assigned.task_id).await);
    worker.succeed(&assigned, "out").await;
    worker.grant(1).await;
    // The place is there again.
    let id = test.submit(task()).await;
    assert_eq!(worker.task().await.task_id, id);
}
