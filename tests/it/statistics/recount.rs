//! Statistics equal a recount from the history, at any moment, whatever happened to workers, replicas and
//! roll-ups.

use std::collections::BTreeMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_server::clock::Clock as _;
use sqlx::{PgConnection, Row as _};

use super::{SECOND, by_queue, roll_up, total};
use crate::support::make::{error, retry, seconds, task};
use crate::support::server::Replica;
use crate::support::{TestServer, Worker};

/// Counts the history by queue, in another way than the service does.
async fn recount(database: &mut PgConnection) -> BTreeMap<String, Vec<i64>> {
    let rows = sqlx::query(
        "select l.queue,
                count(*) filter (where r.state = 5), count(*) filter (where r.state = 6),
                count(*) filter (where r.state = 7), count(*) filter (where r.state = 8),
                sum(a.failed)::int8, sum(a.cancelled)::int8, sum(a.snoozed)::int8,
                sum(a.released)::int8, sum(a.expired)::int8,
                count(*) filter (where a.first > 0 or r.attempt = 1 and r.state = 5),
                sum(a.tries)::int8 + count(*) filter (where r.state = 5)
         from task t
         join lane l on l.id = t.lane
         left join result r on r.id = t.id
         cross join lateral (
             select count(*) as tries, count(*) filter (where number = 1) as first,
                    count(*) filter (where outcome = 2) as failed,
                    count(*) filter (where outcome = 3) as cancelled,
                    count(*) filter (where outcome = 4) as snoozed,
                    count(*) filter (where outcome = 5) as released,
                    count(*) filter (where outcome = 6) as expired
             from attempt where id = t.id) a
         group by l.queue",
    )
    .fetch_all(database)
    .await
    .unwrap();
    let row = |row: &sqlx::postgres::PgRow| {
        (row.get::<String, _>(0), (1..12).map(|column| row.get::<i64, _>(column)).collect())
    };
    rows.iter().map(row).collect()
}

/// Compares the two at a moment when nothing ends: what was on its way to a worker that is gone is given back by and
/// by. Counts only rise.
async fn same(replica: &Replica, database: &mut PgConnection, when: &str) {
    let mut before = recount(database).await;
    loop {
        let (told, after) = (by_queue(replica).await, recount(database).await);
        if before == after {
            assert_eq!(told, after, "{when}");
            return;
        }
        before = after;
    }
}

/// What a history is made with.
struct Maker {
    queues: Vec<String>,
    reported: usize,
}

impl Maker {
    /// Submits tasks over four queues, one of which nobody serves: there they expire.
    async fn submit(&self, test: &TestServer, first: usize, count: usize) {
        let now = test.clock.now().as_second();
        let items = (first..first + count).map(|n| {
            let is_served = n % 50 != 7;
            let spec = pb::TaskSpec {
                queue: if is_served { self.queues[n % 3].clone() } else { "nobody".to_owned() },
                retry: retry(3, 1),
                expire_at: (!is_served)
                    .then_some(prost_types::Timestamp { seconds: now + 5, nanos: 0 }),
                ..task()
            };
            pb::SubmitBatchItem { task: Some(spec), ..Default::default() }
        });
        let request = pb::SubmitBatchRequest { items: items.collect(), ..Default::default() };
        let answer = test.tasks().submit_batch(request).await.unwrap().into_inner();
        assert_eq!(answer.results.len(), count);
    }

    /// Runs what is ready: it succeeds, fails, is snoozed, given back, cancelled, or lost when the worker
    /// is killed at the end, by turns.
    async fn run(&mut self, test: &TestServer, database: &mut PgConnection) {
        let hello = pb::Hello { credit: 2_000, queues: self.queues.clone(), ..Default::default() };
        let mut worker = Worker::hello(&test.replica, hello).await;
        let mut held = Vec::new();
        let session = uuid::Uuid::parse_str(&worker.welcome.session_token).unwrap();
        while held.len() < leased(database, session).await || open(database, "ready").await > 0 {
            held.extend(worker.assigned().await);
        }
        test.clock.advance(Duration::from_millis(1_234));
        let mut reports = Vec::new();
        for (n, assigned) in held.iter().enumerate() {
            self.reported += 1;
            let outcome = match self.reported % 20 {
                0..=3 => {
                    Outcome::Failed(pb::Failed { error: error("TROUBLE"), ..Default::default() })
                }
                4 => Outcome::Released(pb::Released {}),
                5 => Outcome::Snoozed(pb::Snoozed { delay: seconds(1) }),
                6 => continue,
                7 => {
                    test.cancel(&assigned.task_id).await;
                    Outcome::Cancelled(pb::Cancelled {})
                }
                _ => Outcome::Succeeded(pb::Succeeded::default()),
            };
            let (task_id, attempt) = (assigned.task_id.clone(), assigned.attempt);
            reports.push(pb::AttemptReport { task_id, attempt, outcome: Some(outcome) });
            if n % 100 == 99 {
                // So that times differ.
                worker.report_all(std::mem::take(&mut reports)).await;
                test.clock.advance(Duration::from_millis(u64::try_from(n % 977).unwrap()));
            }
        }
        let acks = worker.report_all(reports).await;
        assert!(acks.iter().all(|ack| ack.reason() == pb::ErrorReason::Unspecified), "{acks:?}");
    }
}

/// Attempts of a session.
async fn leased(database: &mut PgConnection, session: uuid::Uuid) -> usize {
    let count: i64 = sqlx::query_scalar("select count(*) from inflight where session = $1")
        .bind(session)
        .fetch_one(database)
        .await
        .unwrap();
    usize::try_from(count).unwrap()
}

/// Rows of a table.
async fn open(database: &mut PgConnection, table: &'static str) -> usize {
    let text = match table {
        "inflight" => "select count(*) from inflight",
        "scheduled" => "select count(*) from scheduled",
        _ => {
            "select count(*) from ready where lane in (select id from lane where queue <> 'nobody')"
        }
    };
    let count: i64 = sqlx::query_scalar(text).fetch_one(database).await.unwrap();
    usize::try_from(count).unwrap()
}

/// Makes a history of tasks with failures, retries and kills on two replicas that roll up at once, and
/// compares statistics with a recount again and again. Answers with how often.
async fn statistics_equal_a_recount(tasks: usize, batch: usize) -> usize {
    let test = TestServer::start().await;
    let other = test.another().await;
    let mut database = test.database().await;
    let queues = (0..3).map(|n| format!("queue-{n}")).collect();
    let mut maker = Maker { queues, reported: 0 };
    let (mut passes, mut compared) = (0, 0);
    for first in (0..tasks).step_by(batch) {
        maker.submit(&test, first, batch.min(tasks - first)).await;
        test.clock.advance(Duration::from_millis(700));
        loop {
            maker.run(&test, &mut database).await;
            passes += 1;
            if passes % 3 == 0 {
                let both = [&test.replica, &other].map(|replica| &replica.app.engine().statistics);
                let (a, b) = tokio::join!(both[0].catch_up(), both[1].catch_up());
                a.and(b).unwrap();
            }
            // Leases of the worker that was killed run out, and retries become due.
            test.advance(32 * SECOND).await;
            test.advance(2 * SECOND).await;
            if tasks <= 10_000 || passes % 20 == 0 {
                compared += 1;
                same(&other, &mut database, &format!("pass {passes}")).await;
            }
            let left = open(&mut database, "ready").await
                + open(&mut database, "inflight").await
                + open(&mut database, "scheduled").await;
            if left == 0 {
                break;
            }
        }
    }
    same(&other, &mut database, "before the last roll-up").await;
    roll_up(&other).await;
    same(&test.replica, &mut database, "after it").await;
    compare_times(&total(&test.replica).await, &mut database).await;
    compared + 2
}

/// Means are exact, percentiles within 5 %.
async fn compare_times(stats: &pb::Stats, database: &mut PgConnection) {
    for (told, sql) in [
        (
            stats.run.unwrap(),
            "select finished_at - started_at from result where state = 5
             union all select finished_at - started_at from attempt",
        ),
        (
            stats.wait.unwrap(),
            "select r.started_at - t.run_at from result r join task t using (id)
             where r.state = 5 and r.attempt = 1
             union all select a.started_at - t.run_at from attempt a join task t using (id)
             where a.number = 1",
        ),
    ] {
        let text = format!(
            "select count(*), avg(s)::float8,
                    (percentile_disc(array[0.5, 0.95, 0.99]) within group (order by s))::float8[]
             from (select extract(epoch from d) as s from ({sql}) as x (d)) y"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_one(&mut *database).await.unwrap();
        assert_eq!(i64::try_from(told.count).unwrap(), row.get::<i64, _>(0));
        let length = |told: Option<prost_types::Duration>| {
            Duration::try_from(told.unwrap()).unwrap().as_secs_f64()
        };
        assert!((length(told.mean) - row.get::<f64, _>(1)).abs() < 2e-6, "{told:?}");
        let exact: Vec<f64> = row.get(2);
        for (told, exact) in [told.p50, told.p95, told.p99].into_iter().zip(exact) {
            let told = length(told);
            assert!((told - exact).abs() <= exact * 0.05 + 2e-6, "{told} for {exact}");
        }
    }
}

#[tokio::test]
async fn statistics_equal_a_recount_at_any_moment_after_failures_retries_and_kills() {
    statistics_equal_a_recount(2_000, 500).await;
}

#[tokio::test]
#[ignore = "takes minutes: run it by name when statistics have changed"]
async fn statistics_equal_a_recount_of_100_000_tasks() {
    let began = tokio::time::Instant::now();
    let compared = statistics_equal_a_recount(100_000, 1_000).await;
    println!("compared {compared} times, in {:?}", began.elapsed());
}
