//! Statistics, as callers ask for them, and how they are rolled up and kept.

mod recount;

use std::collections::BTreeMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::stats_service_client::StatsServiceClient;
use bellringer_server::clock::Clock as _;
use sqlx::PgConnection;

use crate::support::make::{retry, seconds, task};
use crate::support::postgres::run_from_handbook;
use crate::support::process::eventually;
use crate::support::server::Replica;
use crate::support::{TestServer, Worker, reason};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

async fn ask(replica: &Replica, request: pb::QueryStatsRequest) -> pb::QueryStatsResponse {
    let mut client = StatsServiceClient::new(replica.channel.clone());
    client.query(request).await.unwrap().into_inner()
}

/// One row, over all tasks.
async fn total(replica: &Replica) -> pb::Stats {
    let answer = ask(replica, pb::QueryStatsRequest::default()).await;
    assert!(answer.rows.len() <= 1);
    answer.rows.into_iter().next().and_then(|row| row.stats).unwrap_or_default()
}

async fn roll_up(replica: &Replica) -> u64 {
    replica.app.engine().statistics.catch_up().await.unwrap()
}

/// The counts of a row, as the recount writes them.
fn counts(stats: &pb::Stats) -> Vec<i64> {
    let tries = stats.attempts.unwrap();
    let (wait, run) = (stats.wait.unwrap(), stats.run.unwrap());
    [
        stats.succeeded,
        stats.failed,
        stats.cancelled,
        stats.expired,
        tries.failed,
        tries.cancelled,
        tries.snoozed,
        tries.released,
        tries.lease_expired,
        wait.count,
        run.count,
    ]
    .map(|count| i64::try_from(count).unwrap())
    .to_vec()
}

/// Statistics by queue.
async fn by_queue(replica: &Replica) -> BTreeMap<String, Vec<i64>> {
    let group_by = vec![pb::StatsDimension::Queue.into()];
    let answer = ask(replica, pb::QueryStatsRequest { group_by, ..Default::default() }).await;
    answer.rows.into_iter().map(|row| (row.queue, counts(&row.stats.unwrap()))).collect()
}

#[tokio::test]
async fn after_a_dump_was_restored_elsewhere_the_handbook_lets_statistics_and_watches_go_on() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let cancelled = async || {
        let id = test.submit(task()).await;
        test.cancel(&id).await;
        id
    };
    let queue = || "tried".to_owned();
    let hello = pb::Hello { credit: 2, queues: vec![queue()], ..Default::default() };
    let mut worker = Worker::hello(&test.replica, hello).await;
    let mut tried = async || {
        test.submit(pb::TaskSpec { queue: queue(), retry: retry(2, 3_600), ..task() }).await;
        let assigned = worker.task().await;
        worker.fail(&assigned, "TROUBLE").await;
    };
    tried().await;
    for _ in 0..3 {
        cancelled().await;
    }
    while rolled_up(&mut database).await < 3 {
        roll_up(&test.replica).await;
    }
    // Two that are not counted yet, and an attempt, and all numbers as of a PostgreSQL that is far ahead.
    sqlx::raw_sql("begin; lock table statistic_mark in exclusive mode")
        .execute(&mut database)
        .await
        .unwrap();
    cancelled().await;
    cancelled().await;
    tried().await;
    sqlx::raw_sql(
        "update result set xid = xid + 1000000000; update attempt set xid = xid + 1000000000;
         update statistic_mark set xid = xid + 1000000000;
         update history_tick set xid = xid + 1000000000; commit",
    )
    .execute(&mut database)
    .await
    .unwrap();
    assert_eq!(roll_up(&test.replica).await, 0, "it stands still");

    run_from_handbook("restored", &mut database).await;

    let request =
        pb::WatchTasksRequest { filter: Some(pb::TaskFilter::default()), ..Default::default() };
    let mut watch = test.tasks().watch(request).await.unwrap().into_inner();
    let sixth = cancelled().await;
    let told = loop {
        let event = watch.message().await.unwrap().unwrap();
        if event.event() == pb::WatchEvent::Change {
            break event.task.unwrap().id;
        }
    };
    assert_eq!(told, sixth, "and of no end before");
    // Each end is counted once, also that of the attempts that were followed by no end of their task.
    let counted = async || {
        let total = total(&test.replica).await;
        (total.cancelled, total.attempts.unwrap().failed)
    };
    assert_eq!(counted().await, (6, 2));
    while rolled_up(&mut database).await < 6 {
        roll_up(&test.replica).await;
    }
    assert_eq!(counted().await, (6, 2));
    assert_eq!(kept(&mut database).await, 2);
}

/// Attempts that have failed and are counted in the tables.
async fn kept(database: &mut PgConnection) -> i64 {
    let counted = "select coalesce(sum(tries_failed), 0)::int8 from statistic where unit = 1";
    sqlx::query_scalar(counted).fetch_one(database).await.unwrap()
}

/// A connection that lets no roll-up write until its transaction ends.
async fn holding_roll_ups(test: &TestServer) -> PgConnection {
    let mut database = test.database().await;
    sqlx::raw_sql("begin; lock table statistic in exclusive mode")
        .execute(&mut database)
        .await
        .unwrap();
    database
}

#[tokio::test]
async fn a_roll_up_that_is_killed_half_way_counts_nothing_and_the_next_one_everything() {
    let test = TestServer::start().await;
    let mut database = holding_roll_ups(&test).await;
    for _ in 0..7 {
        let id = test.submit(task()).await;
        test.cancel(&id).await;
    }
    let statistics = test.replica.app.engine().statistics.clone();
    let mut rolling = tokio::task::JoinSet::new();
    // A transaction of another test may keep it from counting for a while.
    rolling.spawn(async move {
        loop {
            if let Err(error) = statistics.catch_up().await {
                break error;
            }
        }
    });
    let mut killer = test.database().await;
    // The replica may be at it by itself: whichever waits is killed, until this one was.
    let killed = loop {
        if let Some(killed) = rolling.try_join_next() {
            break killed;
        }
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_locks
             where not granted and relation = 'statistic'::regclass
               and database = (select oid from pg_database where datname = current_database())",
        )
        .execute(&mut killer)
        .await
        .unwrap();
    };
    killed.unwrap();
    sqlx::raw_sql("rollback").execute(&mut database).await.unwrap();
    assert_eq!((rolled_up(&mut killer).await, total(&test.replica).await.cancelled), (0, 7));
    while rolled_up(&mut killer).await == 0 {
        roll_up(&test.replica).await;
    }
    assert_eq!((rolled_up(&mut killer).await, total(&test.replica).await.cancelled), (7, 7));
    assert_eq!(roll_up(&test.replica).await, 0);
}

/// Cancelled tasks that are counted in the tables.
async fn rolled_up(database: &mut PgConnection) -> i64 {
    let counted = "select coalesce(sum(cancelled), 0)::int8 from statistic where unit = 1";
    sqlx::query_scalar(counted).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn of_two_replicas_that_roll_up_at_once_each_end_is_counted_by_one() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let mut database = test.database().await;
    for round in 1..=5 {
        for _ in 0..10 {
            let id = test.submit(task()).await;
            test.cancel(&id).await;
        }
        while rolled_up(&mut database).await < round * 10 {
            tokio::join!(roll_up(&test.replica), roll_up(&other));
        }
        let told = i64::try_from(total(&other).await.cancelled).unwrap();
        assert_eq!((rolled_up(&mut database).await, told), (round * 10, round * 10));
    }
}

#[tokio::test]
async fn statistics_are_told_by_step_and_dimension() {
    let test = TestServer::start_at("2026-11-27T10:00:30Z".parse().unwrap()).await;
    for (queue, kind, version) in [("a", "x", ""), ("a", "y", "v2"), ("b", "x", "")] {
        let [queue, kind, version] = [queue, kind, version].map(str::to_owned);
        let id = test.submit(pb::TaskSpec { queue, kind, version, ..Default::default() }).await;
        test.advance(60 * SECOND).await;
        test.cancel(&id).await;
    }
    use pb::StatsDimension::{Kind, Queue, Version};
    for rolls_up in [false, true] {
        if rolls_up {
            roll_up(&test.replica).await;
        }
        let request = pb::QueryStatsRequest {
            step: pb::StatsStep::Minute.into(),
            group_by: [Queue, Kind, Version].map(Into::into).to_vec(),
            ..Default::default()
        };
        let answer = ask(&test.replica, request).await;
        let rows: Vec<_> = answer
            .rows
            .iter()
            .map(|row| {
                let start = row.start.unwrap().seconds - answer.rows[0].start.unwrap().seconds;
                (start, &*row.queue, &*row.kind, &*row.version, row.stats.unwrap().cancelled)
            })
            .collect();
        assert_eq!(
            rows,
            [(0, "a", "x", "", 1), (60, "a", "y", "v2", 1), (120, "b", "x", "", 1)],
            "rolled up: {rolls_up}"
        );
        for (request, expected) in [
            (pb::QueryStatsRequest { queue: "a".to_owned(), ..Default::default() }, 2),
            (pb::QueryStatsRequest { kind: "x".to_owned(), ..Default::default() }, 2),
            (pb::QueryStatsRequest { version: Some(String::new()), ..Default::default() }, 2),
            (pb::QueryStatsRequest { version: Some("v2".to_owned()), ..Default::default() }, 1),
            (pb::QueryStatsRequest { namespace: "else".to_owned(), ..Default::default() }, 0),
        ] {
            let answer = ask(&test.replica, request.clone()).await;
            let told: u64 = answer.rows.iter().map(|row| row.stats.unwrap().cancelled).sum();
            assert_eq!(told, expected, "{request:?}");
        }
    }
}

#[tokio::test]
async fn tasks_of_a_schedule_are_told_by_its_name_and_after_its_deletion_by_its_id() {
    let test = TestServer::start().await;
    let interval = pb::IntervalTrigger { every: seconds(60), ..Default::default() };
    let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Interval(interval)) };
    let overlap = pb::OverlapPolicy::Allow.into();
    let spec = pb::ScheduleSpec {
        times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
        task: Some(task()),
        policies: Some(pb::SchedulePolicies { overlap, ..Default::default() }),
        ..Default::default()
    };
    let request =
        pb::ScheduleRequest { name: "each".to_owned(), spec: Some(spec), ..Default::default() };
    test.schedules().schedule(request).await.unwrap();
    assert_eq!(test.advance_through(120 * SECOND).await, 2);
    test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 3).await;
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(worker.assigned().await);
    }
    for assigned in &held {
        worker.succeed(assigned, "x").await;
    }
    let by_schedule = async || {
        let group_by = vec![pb::StatsDimension::Schedule.into()];
        let request = pb::QueryStatsRequest { group_by, ..Default::default() };
        let answer = ask(&test.replica, request).await;
        let rows = answer.rows.into_iter();
        rows.map(|row| (row.schedule, row.stats.unwrap().succeeded)).collect::<Vec<_>>()
    };
    let expected = [(String::new(), 1), ("each".to_owned(), 2)];
    assert_eq!(by_schedule().await, expected);
    roll_up(&test.replica).await;
    assert_eq!(by_schedule().await, expected);
    let request = pb::QueryStatsRequest { schedule: "each".to_owned(), ..Default::default() };
    assert_eq!(ask(&test.replica, request.clone()).await.rows[0].stats.unwrap().succeeded, 2);

    let delete = pb::DeleteScheduleRequest { name: "each".to_owned(), ..Default::default() };
    test.schedules().delete(delete).await.unwrap();
    let rows = by_schedule().await;
    assert!(uuid::Uuid::parse_str(&rows[1].0).is_ok() && rows[1].1 == 2, "{rows:?}");
    let mut client = StatsServiceClient::new(test.replica.channel.clone());
    let status = client.query(request).await.unwrap_err();
    assert_eq!(reason(&status), "SCHEDULE_NOT_FOUND");
}

#[tokio::test]
async fn statistics_outlive_the_tasks_that_they_count_and_no_task_goes_before_it_is_counted() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    test.cancel(&id).await;
    let engine = test.replica.app.engine();
    test.clock.advance(8 * DAY);
    assert_eq!(engine.pruning.prune_once().await.unwrap(), 1);
    let since = test.clock.now().as_second() - 10 * 86_400;
    let since = Some(prost_types::Timestamp { seconds: since, nanos: 0 });
    for (step, kept) in [
        (pb::StatsStep::Minute, 0),
        (pb::StatsStep::Hour, 1),
        (pb::StatsStep::Day, 1),
        (pb::StatsStep::Unspecified, 1),
    ] {
        engine.statistics.forget_once().await.unwrap();
        let request = pb::QueryStatsRequest { since, step: step.into(), ..Default::default() };
        let rows = ask(&test.replica, request).await.rows;
        let told: u64 = rows.iter().map(|row| row.stats.unwrap().cancelled).sum();
        assert_eq!(told, kept, "{step:?}");
    }
    let mut database = test.database().await;
    let units: Vec<i16> = sqlx::query_scalar("select unit from statistic order by unit")
        .fetch_all(&mut database)
        .await
        .unwrap();
    assert_eq!(units, [2, 3]);
}

#[tokio::test]
async fn unfinished_tasks_are_counted_by_state() {
    let test = TestServer::start().await;
    for n in 0..4 {
        let queue = if n == 3 { "b" } else { "a" }.to_owned();
        test.submit(pb::TaskSpec { queue, ..task() }).await;
    }
    let delayed = pb::TaskSpec { queue: "a".to_owned(), delay: seconds(60), ..task() };
    test.submit(delayed).await;
    test.advance(2 * SECOND).await;
    let hello = pb::Hello { credit: 1, queues: vec!["a".to_owned()], ..Default::default() };
    let mut worker = Worker::hello(&test.replica, hello).await;
    worker.assigned().await;
    let mut client = StatsServiceClient::new(test.replica.channel.clone());
    let group_by = vec![pb::StatsDimension::Queue.into()];
    let request = pb::CountUnfinishedRequest { group_by, ..Default::default() };
    let rows = client.count_unfinished(request).await.unwrap().into_inner().rows;
    let counts = |row: &pb::UnfinishedRow| (row.ready, row.running, row.scheduled, row.retrying);
    assert_eq!(rows.iter().map(counts).collect::<Vec<_>>(), [(2, 1, 1, 0), (1, 0, 0, 0)]);
    assert_eq!(rows[1].oldest_ready_age, seconds(2));
    let all = client.count_unfinished(pb::CountUnfinishedRequest::default()).await.unwrap();
    assert_eq!(all.into_inner().rows.iter().map(counts).collect::<Vec<_>>(), [(3, 1, 1, 0)]);
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said_by_field() {
    let test = TestServer::start().await;
    let mut client = StatsServiceClient::new(test.replica.channel.clone());
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let twice = vec![pb::StatsDimension::Queue.into(); 2];
    let request = pb::QueryStatsRequest {
        queue: "not a queue".to_owned(),
        since: time(100),
        until: time(100),
        step: 9,
        group_by: twice,
        ..Default::default()
    };
    let status = client.query(request).await.unwrap_err();
    for field in ["queue", "until", "step", "group_by"] {
        assert!(status.message().contains(field), "{field}: {}", status.message());
    }
    let group_by = vec![pb::StatsDimension::Schedule.into()];
    let request = pb::CountUnfinishedRequest { group_by, ..Default::default() };
    let status = client.count_unfinished(request).await.unwrap_err();
    assert!(status.message().contains("group_by"), "{}", status.message());
}

#[tokio::test]
async fn a_roll_up_may_take_longer_than_other_statements() {
    let test = TestServer::start_with(&[("store__statement_timeout", "2s")]).await;
    let mut database = holding_roll_ups(&test).await;
    let id = test.submit(task()).await;
    test.cancel(&id).await;
    let statistics = test.replica.app.engine().statistics.clone();
    let mut rolling = tokio::task::JoinSet::new();
    // By this one or by the replica itself.
    rolling.spawn(async move {
        loop {
            statistics.catch_up().await.ok();
        }
    });
    eventually("it waits for twice as long as others may", async || {
        let waits = "select exists (
            select from pg_locks join pg_stat_activity using (pid)
            where not granted and relation = 'statistic'::regclass and datname = current_database()
              and clock_timestamp() - query_start > interval '4 seconds')";
        sqlx::query_scalar(waits).fetch_one(&mut test.database().await).await.unwrap()
    })
    .await;
    sqlx::raw_sql("rollback").execute(&mut database).await.unwrap();
    eventually("it is counted", async || rolled_up(&mut test.database().await).await == 1).await;
    let metrics = test.replica.metrics().await;
    let failed = |line: &&str| line.contains("errors") && line.contains("statistics/add");
    assert_eq!(metrics.lines().find(failed), None, "it was cut short");
}
