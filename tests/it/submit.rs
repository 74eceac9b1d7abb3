//! Taking tasks in: G-1, G-2, and what is refused.

use std::collections::HashSet;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_server::clock::Clock as _;
use sqlx::Row as _;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::make::{seconds, task, text};
use crate::support::{TestServer, Worker, reason};

#[tokio::test]
async fn g_1_an_acknowledged_task_is_there_with_everything_that_was_submitted() {
    let test = TestServer::start().await;
    let spec = pb::TaskSpec {
        queue: "mail".to_owned(),
        version: "v2".to_owned(),
        payload: text("hello"),
        labels: [("customer".to_owned(), "7".to_owned())].into(),
        priority: Some(9),
        delay: seconds(60),
        attempt_timeout: seconds(30),
        total_timeout: seconds(300),
        unique_key: "only-one".to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        ..task()
    };

    let submitted = test.try_submit(spec.clone(), "key").await.unwrap();

    assert!(submitted.created);
    let task = test.get(&submitted.task_id).await;
    assert_eq!(task.state(), pb::TaskState::Scheduled);
    let kept = task.spec.unwrap();
    let run_at = kept.run_at.unwrap();
    assert_eq!(run_at.seconds - task.created_at.unwrap().seconds, 60);
    let expected =
        pb::TaskSpec { run_at: Some(run_at), delay: None, retry: kept.retry.clone(), ..spec };
    assert_eq!(kept, expected);
    assert_eq!(kept.retry.unwrap().max_attempts, 5, "defaults are filled in");
}

#[tokio::test]
async fn concurrent_submits_share_commits() {
    let test = TestServer::start().await;
    test.submit(task()).await;
    let mut callers = JoinSet::new();
    for _ in 0..300 {
        let mut client = test.tasks();
        let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
        callers.spawn(async move { client.submit(request).await.unwrap().into_inner().task_id });
    }
    let ids: HashSet<String> = callers.join_all().await.into_iter().collect();

    assert_eq!(ids.len(), 300);
    let commits: i64 = sqlx::query_scalar("select count(distinct xmin::text) from task")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap();
    assert!(commits < 150, "300 submits took {commits} commits");
}

#[tokio::test]
async fn g_2_the_same_idempotency_key_answers_the_same_task_on_any_replica() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let mut callers = JoinSet::new();
    for n in 0..40 {
        let mut client = if n % 2 == 0 { test.tasks() } else { other.tasks() };
        let request = pb::SubmitRequest {
            task: Some(task()),
            idempotency_key: "same".to_owned(),
            ..Default::default()
        };
        callers.spawn(async move { client.submit(request).await.unwrap().into_inner() });
    }
    let answers = callers.join_all().await;

    let ids: HashSet<&str> = answers.iter().map(|answer| answer.task_id.as_str()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    let tasks: i64 = sqlx::query_scalar("select count(*) from task")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap();
    assert_eq!(tasks, 1);
}

#[tokio::test]
async fn g_2_an_idempotency_key_with_another_request_is_a_conflict() {
    let test = TestServer::start().await;
    let first = test.try_submit(task(), "key").await.unwrap();
    let other = pb::TaskSpec { payload: text("else"), ..task() };

    let status = test.try_submit(other, "key").await.unwrap_err();

    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(reason(&status), "IDEMPOTENCY_CONFLICT");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["task_id"], first.task_id);
}

#[tokio::test]
async fn a_unique_key_is_held_until_its_task_is_finished() {
    let test = TestServer::start().await;
    let unique = |policy: pb::UniqueConflictPolicy| pb::TaskSpec {
        unique_key: "report".to_owned(),
        unique_conflict: policy.into(),
        ..task()
    };
    let first = test.submit(unique(pb::UniqueConflictPolicy::ReturnExisting)).await;

    let again =
        test.try_submit(unique(pb::UniqueConflictPolicy::ReturnExisting), "").await.unwrap();
    assert_eq!((again.task_id.as_str(), again.created), (first.as_str(), false));

    let status = test.try_submit(unique(pb::UniqueConflictPolicy::Refuse), "").await.unwrap_err();
    assert_eq!(reason(&status), "UNIQUE_KEY_CONFLICT");

    let replacement = test.submit(unique(pb::UniqueConflictPolicy::ReplaceWaiting)).await;
    assert_ne!(replacement, first);
    assert_eq!(test.state(&first).await, pb::TaskState::Cancelled);

    let mut worker = Worker::connect(&test.replica, 1).await;
    let running = worker.task().await;
    assert_eq!(running.task_id, replacement);
    let status =
        test.try_submit(unique(pb::UniqueConflictPolicy::ReplaceWaiting), "").await.unwrap_err();
    assert_eq!(reason(&status), "UNIQUE_KEY_CONFLICT", "a started task is not replaced");

    worker.succeed(&running, "done").await;
    let free = test.try_submit(unique(pb::UniqueConflictPolicy::Refuse), "").await.unwrap();
    assert!(free.created, "the key is free again");
}

#[tokio::test]
async fn every_item_of_a_batch_gets_its_own_answer_unless_the_batch_is_atomic() {
    let test = TestServer::start().await;
    let item = |kind: &str| pb::SubmitBatchItem {
        task: Some(pb::TaskSpec { kind: kind.to_owned(), ..task() }),
        idempotency_key: String::new(),
    };
    let request = |atomic| pb::SubmitBatchRequest {
        items: vec![item("good"), item("not good"), item("fine")],
        atomic,
        ..Default::default()
    };

    let answer = test.tasks().submit_batch(request(false)).await.unwrap().into_inner();
    let created: Vec<bool> = answer
        .results
        .iter()
        .map(|result| matches!(result.result, Some(pb::submit_batch_result::Result::Submitted(_))))
        .collect();
    assert_eq!(created, [true, false, true]);

    let status = test.tasks().submit_batch(request(true)).await.unwrap_err();
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "items[1].task.kind");
    let tasks: i64 = sqlx::query("select count(*) from task")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap()
        .get(0);
    assert_eq!(tasks, 2, "an atomic batch that is refused submits nothing");
}

#[tokio::test]
async fn an_atomic_batch_with_a_conflict_submits_nothing() {
    let test = TestServer::start().await;
    let unique = |key: &str| pb::TaskSpec {
        unique_key: key.to_owned(),
        unique_conflict: pb::UniqueConflictPolicy::Refuse.into(),
        ..task()
    };
    test.submit(unique("held")).await;
    let items = ["free", "held"].map(|key| pb::SubmitBatchItem {
        task: Some(unique(key)),
        idempotency_key: format!("key of {key}"),
    });

    let request =
        pb::SubmitBatchRequest { items: items.to_vec(), atomic: true, ..Default::default() };
    let status = test.tasks().submit_batch(request).await.unwrap_err();

    assert_eq!(reason(&status), "UNIQUE_KEY_CONFLICT");
    assert!(status.message().starts_with("items[1]: the unique key is held"), "{status}");
    assert_eq!(status.get_details_error_info().unwrap().metadata["item"], "1");
    assert!(test.try_submit(unique("free"), "").await.unwrap().created);
}

#[tokio::test]
async fn in_a_batch_each_task_with_a_unique_key_gets_its_own_answer() {
    use pb::UniqueConflictPolicy::{Refuse, ReplaceWaiting, ReturnExisting};
    use pb::submit_batch_result::Result::{Error, Submitted};
    let test = TestServer::start().await;
    let unique = |key: &str, policy: pb::UniqueConflictPolicy| pb::TaskSpec {
        unique_key: key.to_owned(),
        unique_conflict: policy.into(),
        ..task()
    };
    let shared = test.submit(unique("shared", Refuse)).await;
    let old = test.submit(unique("replaced", Refuse)).await;
    test.submit(unique("held", Refuse)).await;
    let tasks = [
        unique("free", Refuse),
        unique("shared", ReturnExisting),
        unique("replaced", ReplaceWaiting),
        unique("held", Refuse),
        unique("also free", ReturnExisting),
        // Another of the same batch holds it.
        unique("free", Refuse),
        unique("also free", ReturnExisting),
        task(),
    ];
    let items = tasks.map(|task| pb::SubmitBatchItem { task: Some(task), ..Default::default() });
    let request = pb::SubmitBatchRequest { items: items.to_vec(), ..Default::default() };

    let answers = test.tasks().submit_batch(request).await.unwrap().into_inner().results;

    let told: Vec<(bool, String)> = answers
        .into_iter()
        .map(|answer| match answer.result.unwrap() {
            Submitted(task) => (task.created, task.task_id),
            Error(error) => (false, error.reason().as_str_name().to_owned()),
        })
        .collect();
    let created: Vec<bool> = told.iter().map(|(created, _)| *created).collect();
    assert_eq!(created, [true, false, true, false, true, false, false, true], "{told:?}");
    assert_eq!(told[1].1, shared);
    assert!(told[3].1.ends_with("UNIQUE_KEY_CONFLICT"), "{told:?}");
    assert!(told[5].1.ends_with("UNIQUE_KEY_CONFLICT"), "{told:?}");
    assert_eq!(told[6].1, told[4].1);
    assert_eq!(test.state(&old).await, pb::TaskState::Cancelled);
    for n in [0, 2, 4, 7] {
        assert_eq!(test.state(&told[n].1).await, pb::TaskState::Ready, "{n}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_task_is_said_all_at_once_and_field_by_field() {
    let test = TestServer::start().await;
    let wrong = pb::TaskSpec {
        queue: "no spaces".to_owned(),
        kind: String::new(),
        priority: Some(10),
        attempt_timeout: seconds(-1),
        retry: Some(pb::RetryPolicy { multiplier: f64::NAN, ..Default::default() }),
        ..Default::default()
    };

    let status = test.try_submit(wrong, &"k".repeat(256)).await.unwrap_err();

    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "INVALID_ARGUMENT")
    );
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let mut fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
    fields.sort_unstable();
    let expected = [
        "idempotency_key",
        "task.attempt_timeout",
        "task.kind",
        "task.priority",
        "task.queue",
        "task.retry.multiplier",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let elsewhere = "elsewhere".to_owned();

    let get = pb::GetTaskRequest {
        namespace: elsewhere.clone(),
        task_id: id.clone(),
        ..Default::default()
    };
    assert_eq!(reason(&test.tasks().get(get).await.unwrap_err()), "TASK_NOT_FOUND");
    let cancel = pb::CancelTaskRequest {
        namespace: elsewhere.clone(),
        task_id: id.clone(),
        ..Default::default()
    };
    assert_eq!(reason(&test.tasks().cancel(cancel).await.unwrap_err()), "TASK_NOT_FOUND");
    let lease = pb::LeaseRequest { namespace: elsewhere, max_tasks: 5, ..Default::default() };
    let leased = test.workers().lease(lease).await.unwrap().into_inner();
    assert!(leased.assignments.is_empty());
    assert_eq!(test.state(&id).await, pb::TaskState::Ready);
}

#[tokio::test]
async fn a_delayed_task_is_ready_when_its_time_has_come() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { delay: seconds(60), ..task() }).await;

    test.advance(Duration::from_secs(59)).await;
    assert_eq!(test.state(&id).await, pb::TaskState::Scheduled);

    test.advance(Duration::from_secs(1)).await;
    assert_eq!(test.state(&id).await, pb::TaskState::Ready);
}

#[tokio::test]
async fn a_task_that_was_not_started_in_time_expires() {
    let test = TestServer::start().await;
    let now = test.get(&test.submit(task()).await).await.created_at.unwrap();
    let end = prost_types::Timestamp { seconds: now.seconds + 30, nanos: 0 };
    let ready = test.submit(pb::TaskSpec { expire_at: Some(end), ..task() }).await;
    let paused = pb::TaskSpec { delay: seconds(10), expire_at: Some(end), ..task() };
    let delayed = test.submit(paused).await;

    test.advance(Duration::from_secs(31)).await;

    for id in [ready, delayed] {
        let task = test.get(&id).await;
        assert_eq!(task.state(), pb::TaskState::Expired);
        assert_eq!(task.error.unwrap().r#type, "EXPIRED");
    }
}

#[tokio::test]
async fn however_many_are_not_started_in_time_all_of_them_expire_at_once() {
    let test = TestServer::start().await;
    let end = test.clock.now().as_second() + 60;
    let end = prost_types::Timestamp { seconds: end, nanos: 0 };
    let item = pb::SubmitBatchItem {
        task: Some(pb::TaskSpec { expire_at: Some(end), ..task() }),
        ..Default::default()
    };
    for _ in 0..3 {
        let items = vec![item.clone(); 1_000];
        let request = pb::SubmitBatchRequest { items, ..Default::default() };
        test.tasks().submit_batch(request).await.unwrap();
    }
    test.clock.advance(Duration::from_secs(61));
    test.replica.app.engine().upkeep.reap_once(false).await.unwrap();
    let expired = "select count(*) from result where state = 8";
    let expired = sqlx::query_scalar::<_, i64>(expired);
    assert_eq!(expired.fetch_one(&mut test.database().await).await.unwrap(), 3_000);
}
