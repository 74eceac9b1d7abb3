//! Low-water marks: claims begin where the last one ended, and still find what comes back.

use std::time::Duration;

use bellringer_api::v1 as pb;
use tokio::time::{Instant, sleep};

use crate::support::make::{retry, task};
use crate::support::{TestServer, Worker};

/// Well before the next look without marks.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_task_that_comes_back_is_found_although_newer_ones_were_leased_since() {
    let test = TestServer::start().await;
    let old = test.submit(pb::TaskSpec { retry: retry(3, 1), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let first = worker.task().await;
    assert_eq!(first.task_id, old);
    test.clock.advance(Duration::from_secs(60));
    // Two of them, so that one waits and is claimed, and the claims leave the old place behind.
    for _ in 0..2 {
        test.submit(task()).await;
    }
    for _ in 0..2 {
        worker.grant(1).await;
        let assigned = worker.task().await;
        worker.succeed(&assigned, "x").await;
    }
    let begin = Instant::now();
    worker.fail(&first, "oh").await;
    worker.grant(1).await;
    test.advance(Duration::from_secs(120)).await;
    let again = worker.task().await;
    assert_eq!((again.task_id.as_str(), again.attempt), (old.as_str(), 2));
    assert!(begin.elapsed() < SOON, "it was found by the mark, not by the look without marks");
}

#[tokio::test]
async fn a_task_given_back_at_one_replica_is_found_at_another() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let ids = [test.submit(task()).await, test.submit(task()).await];
    let mut one = Worker::connect(&test.replica, 1).await;
    let held = one.task().await;
    assert_eq!(held.task_id, ids[0]);
    let mut two = Worker::connect(&other, 1).await;
    assert_eq!(two.task().await.task_id, ids[1]);
    test.clock.advance(Duration::from_secs(60));
    // The other replica's mark is now beyond both.
    for _ in 0..2 {
        let id = test.submit(task()).await;
        two.grant(1).await;
        assert_eq!(two.task().await.task_id, id);
    }
    two.grant(1).await;
    // Replicas know of each other.
    sleep(Duration::from_millis(100)).await;
    let begin = Instant::now();
    one.goodbye().await;
    assert_eq!(two.task().await.task_id, held.task_id);
    assert!(begin.elapsed() < SOON, "it was found by the hint");
}
