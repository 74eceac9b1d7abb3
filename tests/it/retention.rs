//! How long finished tasks are kept.

use std::time::Duration;

use bellringer_api::v1 as pb;

use crate::support::TestServer;
use crate::support::make::{seconds, task};

const DAY: Duration = Duration::from_secs(86_400);

async fn exists(test: &TestServer, id: &str) -> bool {
    let request = pb::GetTaskRequest { task_id: id.to_owned(), ..Default::default() };
    test.tasks().get(request).await.is_ok()
}

#[tokio::test]
async fn finished_tasks_are_kept_by_queue_and_outcome_and_unfinished_ones_always() {
    let test = TestServer::start().await;
    let short = pb::TaskSpec { queue: "short".to_owned(), ..task() };
    let retention = pb::Retention { cancelled: seconds(3_600), ..Default::default() };
    let request = pb::SetRetentionRequest {
        queue: "short".to_owned(),
        retention: Some(retention),
        ..Default::default()
    };
    let queue = test.queues().set_retention(request).await.unwrap().into_inner().queue.unwrap();
    assert_eq!(queue.retention.unwrap().succeeded, seconds(7 * 86_400), "defaults stay");
    let (brief, usual, waiting) =
        (test.submit(short).await, test.submit(task()).await, test.submit(task()).await);
    test.cancel(&brief).await;
    test.cancel(&usual).await;
    let pruning = &test.replica.app.engine().pruning;

    test.clock.advance(DAY);
    assert_eq!(pruning.prune_once().await.unwrap(), 1);
    assert!(!exists(&test, &brief).await && exists(&test, &usual).await);

    test.clock.advance(7 * DAY);
    assert_eq!(pruning.prune_once().await.unwrap(), 1);
    assert!(!exists(&test, &usual).await && exists(&test, &waiting).await);
}

#[tokio::test]
async fn g_2_a_task_is_kept_as_long_as_its_idempotency_key_holds() {
    let test = TestServer::start().await;
    let retention = pb::Retention { cancelled: seconds(60), ..Default::default() };
    let request = pb::SetRetentionRequest {
        queue: "default".to_owned(),
        retention: Some(retention),
        ..Default::default()
    };
    test.queues().set_retention(request).await.unwrap();
    let id = test.try_submit(task(), "key").await.unwrap().task_id;
    test.cancel(&id).await;
    let pruning = &test.replica.app.engine().pruning;

    test.clock.advance(DAY / 2);
    assert_eq!(pruning.prune_once().await.unwrap(), 0);
    assert!(!test.try_submit(task(), "key").await.unwrap().created);

    test.clock.advance(DAY);
    assert_eq!(pruning.prune_once().await.unwrap(), 1);
    assert!(test.try_submit(task(), "key").await.unwrap().created);
}
