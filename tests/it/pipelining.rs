//! Ends of attempts make room, and the statement that writes them leases what is ready.

use bellringer_api::v1 as pb;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::make::task;
use crate::support::{TestServer, Worker};

/// Whether `next` was leased by the transaction that wrote the end of `done`.
async fn was_along(database: &mut PgConnection, done: &str, next: &str) -> bool {
    sqlx::query_scalar(
        "select exists (select from result r, inflight i
                        where r.id = $1 and i.id = $2 and r.xmin = i.xmin)",
    )
    .bind(Uuid::parse_str(done).unwrap())
    .bind(Uuid::parse_str(next).unwrap())
    .fetch_one(database)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_next_task_is_leased_by_the_statement_that_ends_the_last_one() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(test.submit(task()).await);
    }
    let mut worker = Worker::connect(&test.replica, 1).await;
    let mut done = worker.task().await;
    let mut along = 0;
    for id in &ids[1..] {
        worker.succeed_and_grant(&done, "x").await;
        let next = worker.task().await;
        assert_eq!(&next.task_id, id, "in the order of the line");
        along += u32::from(was_along(&mut database, &done.task_id, &next.task_id).await);
        done = next;
    }
    // Now and then the loop, which also looks by itself, is earlier.
    assert!(along >= 20, "{along} of 39");
    worker.succeed_and_grant(&done, "x").await;
    test.finished(&done.task_id).await;
}

#[tokio::test]
async fn room_that_comes_with_a_failure_is_used_as_well() {
    let test = TestServer::start().await;
    let (first, second) = (test.submit(task()).await, test.submit(task()).await);
    let mut worker = Worker::connect(&test.replica, 1).await;
    let assigned = worker.task().await;
    assert_eq!(assigned.task_id, first);
    worker.fail_and_grant(&assigned, "oh").await;
    assert_eq!(worker.task().await.task_id, second);
}

#[tokio::test]
async fn what_has_waited_longest_has_its_turn_also_along_with_ends_of_others() {
    let test = TestServer::start().await;
    let low = test.submit(pb::TaskSpec { priority: Some(0), ..task() }).await;
    for _ in 0..200 {
        test.submit(pb::TaskSpec { priority: Some(9), ..task() }).await;
    }
    let mut worker = Worker::connect(&test.replica, 1).await;
    for n in 0.. {
        assert!(n < 150, "it starves");
        let assigned = worker.task().await;
        worker.succeed_and_grant(&assigned, "x").await;
        if assigned.task_id == low {
            return;
        }
    }
}
