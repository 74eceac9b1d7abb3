//! Low-water marks: claims begin where the last one ended, and still find what comes back.

use std::time::Duration;

use bellringer_api::v1 as pb;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use crate::support::make::{retry, task};
use crate::support::postgres::{fresh_database, statement};
use crate::support::process::eventually;
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

/// Puts a task of an hour ago in line behind the back of the server, which is told of everything else.
async fn put_behind(test: &TestServer, table: &str) -> String {
    let id = uuid::Uuid::now_v7();
    let row = match table {
        "ready" => {
            "insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags)
             select lane, priority, run_at, id, namespace, 0, 0, 0 from task where id = $1"
        }
        _ => {
            "insert into scheduled (id, due_at, state, lane, priority, run_at, namespace, attempt, tries, flags)
             select id, run_at, 1, lane, priority, run_at, namespace, 0, 0, 0 from task where id = $1"
        }
    };
    let task = "insert into task (id, namespace, lane, priority, created_at, run_at, payload)
                select $1, namespace, lane, priority, run_at - interval '1 hour', run_at - interval '1 hour', ''
                from task order by id limit 1";
    let mut database = test.database().await;
    for statement in [task, row] {
        sqlx::query(statement).bind(id).execute(&mut database).await.unwrap();
    }
    id.to_string()
}

#[tokio::test]
async fn what_lies_before_the_mark_is_claimed_by_the_look_without_marks() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 0).await;
    // Unless a look without marks was due just then, which is so once in ten seconds.
    let mut passed = None;
    for _ in 0..5 {
        test.clock.advance(Duration::from_secs(60));
        for _ in 0..3 {
            test.submit(task()).await;
        }
        let mut take = async || {
            worker.grant(1).await;
            let task = worker.task().await;
            worker.succeed(&task, "x").await;
            task.task_id
        };
        take().await;
        let old = put_behind(&test, "ready").await;
        if [take().await, take().await].contains(&old) {
            take().await;
        } else {
            passed = Some(old);
            break;
        }
    }
    worker.grant(1).await;
    assert_eq!(worker.task().await.task_id, passed.expect("no claim began at its mark"));
}

#[tokio::test]
async fn what_lies_before_the_mark_is_promoted_by_the_look_at_everything() {
    let test = TestServer::start().await;
    test.submit(task()).await;
    let upkeep = &test.replica.app.engine().upkeep;
    let mut passed = None;
    for _ in 0..5 {
        test.clock.advance(Duration::from_secs(60));
        upkeep.promote_once().await.unwrap();
        let old = put_behind(&test, "scheduled").await;
        upkeep.promote_once().await.unwrap();
        if test.state(&old).await == pb::TaskState::Scheduled {
            passed = Some(old);
            break;
        }
    }
    let passed = passed.expect("no look began at its mark");
    eventually("a look at everything", async || test.state(&passed).await == pb::TaskState::Ready)
        .await;
}

/// What a claim has locked, the claims of others pass over, and so do their marks.
#[tokio::test]
async fn a_claim_of_what_waited_longest_locks_no_row_that_it_leaves() {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    // Three of each of two lanes; those of the second have waited less.
    sqlx::raw_sql(
        "insert into lane (namespace, queue, kind, version)
         select 1, 'q', 'k' || n, '' from generate_series(1, 2) n;
         insert into task (id, namespace, lane, priority, created_at, run_at, payload)
         select gen_random_uuid(), 1, l.id, 5, now(), now() + (l.id * 10 + n) * interval '1 s', ''
         from lane l, generate_series(1, 3) n;
         insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags)
         select lane, priority, run_at, id, 1, 0, 0, 0 from task",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let lanes = sqlx::query_scalar::<_, i32>("select id from lane order by id");
    let lanes = lanes.fetch_all(&mut database).await.unwrap();
    let mut claim = database.begin().await.unwrap();
    let taken = sqlx::query(statement("tasks/claim_oldest"))
        .bind(None::<jiff_sqlx::Timestamp>)
        .bind(lanes)
        .bind(vec![5_i16; 2])
        .bind(vec![Timestamp::UNIX_EPOCH.to_sqlx(); 2])
        .bind(4)
        .bind(vec![uuid::Uuid::nil(); 4])
        .bind(vec!["w"; 4])
        .fetch_all(&mut *claim)
        .await
        .unwrap();
    assert_eq!(taken.len(), 4);
    let free = "select id from ready for update skip locked";
    let free = sqlx::query(free).fetch_all(&mut other).await.unwrap();
    assert_eq!(free.len(), 2, "all that was not taken");
    let oldest = sqlx::query_scalar::<_, i64>(
        "select count(*) from inflight where lane = (select min(id) from lane)",
    );
    assert_eq!(oldest.fetch_one(&mut *claim).await.unwrap(), 3);
}
