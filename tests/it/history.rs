//! What is kept lies in partitions, and goes with them.

use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_server::clock::{Clock, SystemClock};
use bellringer_server::engine::Error;
use bellringer_server::store::{Kept, migrate};
use jiff::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::support::make::{seconds, task};
use crate::support::postgres::{fresh_database, patiently, store};
use crate::support::relay::Relay;
use crate::support::{Replica, TestServer};

const DAY: Duration = Duration::from_secs(86_400);

async fn count(database: &mut PgConnection, from: &str) -> i64 {
    let statement = AssertSqlSafe(format!("select count(*) from {from}"));
    sqlx::query_scalar(statement).fetch_one(database).await.unwrap()
}

async fn days(database: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("select suffix from history where is_attached order by first")
        .fetch_all(database)
        .await
        .unwrap()
}

async fn prune(test: &TestServer) -> u64 {
    prune_on(&test.replica).await
}

async fn prune_on(replica: &Replica) -> u64 {
    let pruning = &replica.app.engine().pruning;
    loop {
        match pruning.prune_once().await {
            Ok(gone) => return gone,
            // Somebody reads the partition that it is at: it gives up rather than let others wait.
            Err(Error::StoreUnavailable) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn exists(test: &TestServer, id: &str) -> bool {
    let request = pb::GetTaskRequest { task_id: id.to_owned(), ..Default::default() };
    test.tasks().get(request).await.is_ok()
}

#[tokio::test]
async fn partitions_are_made_ahead_and_take_what_lay_in_the_rest() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    test.submit(task()).await;
    assert_eq!(count(&mut database, "task_rest").await, 0, "there is a partition for today");

    // Far beyond what was made ahead.
    test.clock.advance(30 * DAY);
    let late = test.submit(task()).await;
    assert_eq!(count(&mut database, "task_rest").await, 1);
    prune(&test).await;
    assert_eq!(count(&mut database, "task_rest").await, 0, "it was moved");
    assert!(exists(&test, &late).await);
}

#[tokio::test]
async fn a_day_without_anything_to_keep_is_dropped_with_its_keys() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    let gone = test.try_submit(task(), "key").await.unwrap().task_id;
    test.cancel(&gone).await;
    let before = days(&mut database).await;

    test.clock.advance(9 * DAY);
    assert_eq!(prune(&test).await, 1);
    assert!(!exists(&test, &gone).await);
    let after = days(&mut database).await;
    assert!(!after.contains(&before[0]) && !after.contains(&before[1]), "{before:?} {after:?}");
    assert_eq!(count(&mut database, "idempotency_key").await, 0);
    assert_eq!(prune(&test).await, 0);
}

#[tokio::test]
async fn what_outlives_its_day_is_moved_and_small_days_are_put_together() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    let (mut gone, mut waiting) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let cancelled = test.submit(task()).await;
        test.cancel(&cancelled).await;
        gone.push(cancelled);
        waiting.push(test.submit(task()).await);
        prune(&test).await;
        test.clock.advance(DAY);
    }
    let finished = test.submit(task()).await;
    test.cancel(&finished).await;
    test.clock.advance(7 * DAY);

    assert_eq!(prune(&test).await, 3, "the last one was kept for less than 7 days after its day");
    for id in &gone {
        assert!(!exists(&test, id).await);
    }
    for id in waiting.iter().chain([&finished]) {
        assert!(exists(&test, id).await);
    }
    let merged = days(&mut database).await.into_iter().filter(|name| name.contains('_')).count();
    assert_eq!(merged, 1, "{:?}", days(&mut database).await);

    // What was moved lives on: it runs, and is pruned in its turn.
    for id in &waiting {
        test.cancel(id).await;
    }
    test.clock.advance(9 * DAY);
    assert_eq!(prune(&test).await, 4);
    assert_eq!(count(&mut database, "task").await, 0);
    assert_eq!(count(&mut database, "result").await, 0);
    assert_eq!(count(&mut database, "attempt").await, 0);
}

/// The partition in which a task lies.
async fn day_of(database: &mut PgConnection, id: &str) -> String {
    let statement = "select suffix from history where first <= $1::uuid and last > $1::uuid";
    sqlx::query_scalar(statement).bind(id).fetch_one(database).await.unwrap()
}

/// Closes a day and copies what has to be kept of it to `moved`, without retention; answers with the horizon.
async fn keep(database: &mut PgConnection, day: &str) -> i64 {
    let lanes: Vec<i32> =
        sqlx::query_scalar("select id from lane").fetch_all(&mut *database).await.unwrap();
    let nothing = vec![0_i64; lanes.len()];
    patiently(database, &format!("select history_close('{day}')")).await;
    sqlx::query_scalar(
        "select history_keep('moved', array[$1], now() + interval '1000 days', $2, $3, $3, $3, $3, 0)",
    )
    .bind(day)
    .bind(&lanes)
    .bind(&nothing)
    .fetch_one(database)
    .await
    .unwrap()
}

/// Puts `moved` in the place of a day, and leaves the transaction open.
async fn begin_to_replace(database: &mut PgConnection, day: &str, horizon: i64) {
    let replace =
        format!("rollback; begin; select history_replace(array['{day}'], 'moved', {horizon})");
    patiently(database, &replace).await;
}

/// The copy is made without a lock, so that tasks of that day go on meanwhile.
#[tokio::test]
async fn g_1_what_ends_while_its_day_is_being_moved_is_kept() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    let (ended, cancelled) = (test.submit(task()).await, test.submit(task()).await);
    test.cancel(&cancelled).await;
    // Nothing goes before it is counted.
    test.replica.app.engine().statistics.catch_up().await.unwrap();
    let day = day_of(&mut database, &ended).await;
    let horizon = keep(&mut database, &day).await;

    test.cancel(&ended).await;
    let replace = format!("select history_replace(array['{day}'], 'moved', {horizon})");
    patiently(&mut database, &replace).await;

    assert!(!exists(&test, &cancelled).await);
    let request = pb::GetTaskRequest { task_id: ended, ..Default::default() };
    let task = test.tasks().get(request).await.unwrap().into_inner().task.unwrap();
    assert_eq!(task.state(), pb::TaskState::Cancelled);
}

/// Another replica that looks after the partitions as well, since it took too long, cleans up what it sees.
#[tokio::test]
async fn g_1_a_partition_is_not_dropped_while_it_is_put_in_its_place() {
    let test = TestServer::start().await;
    let (mut database, mut other) = (test.database().await, test.database().await);
    let waiting = test.submit(task()).await;
    let day = day_of(&mut database, &waiting).await;
    let horizon = keep(&mut database, &day).await;

    begin_to_replace(&mut database, &day, horizon).await;
    let mut all = JoinSet::new();
    let cleaning = all.spawn(async move {
        sqlx::query_scalar::<_, i32>("select history_clean()").fetch_one(&mut other).await
    });
    let waits =
        "pg_stat_activity where query = 'select history_clean()' and wait_event_type = 'Lock'";
    while !cleaning.is_finished() && count(&mut database, waits).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        // What a transaction has seen of the activity, it sees to its end.
        count(&mut database, "(select pg_stat_clear_snapshot()) x").await;
    }
    sqlx::raw_sql("commit").execute(&mut database).await.unwrap();

    assert_eq!(all.join_next().await.unwrap().unwrap().unwrap(), 0);
    assert!(exists(&test, &waiting).await, "it went with a partition that was in use");
    assert!(days(&mut database).await.contains(&"moved".to_owned()));
}

#[tokio::test]
async fn g_1_what_was_cleaned_away_meanwhile_is_not_put_in_the_place_of_a_day() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let waiting = test.submit(task()).await;
    let day = day_of(&mut database, &waiting).await;
    let horizon = keep(&mut database, &day).await;
    assert_eq!(count(&mut database, "history_clean() where history_clean = 1").await, 1);

    let replace = format!("select history_replace(array['{day}'], 'moved', {horizon})");
    let refused = loop {
        let error = sqlx::raw_sql(AssertSqlSafe(replace.clone())).execute(&mut database).await;
        let error = error.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code()).unwrap();
        if code != "55P03" {
            break code.into_owned();
        }
    };
    assert_eq!(refused, "P0002");
    assert!(exists(&test, &waiting).await);
}

#[tokio::test]
async fn one_replica_at_a_time_looks_after_the_partitions_however_long_it_takes() {
    let test = TestServer::start().await;
    let mut other = test.database().await;
    let gone = test.submit(task()).await;
    test.cancel(&gone).await;
    test.clock.advance(9 * DAY);

    // The turn by time is over, the session of whoever had it is not.
    let lock = "select pg_advisory_lock(hashtext('bellringer history'), 1)";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    assert_eq!(prune(&test).await, 0);
    assert!(exists(&test, &gone).await);
    other.close().await.unwrap();
    while prune(&test).await == 0 {}
    assert!(!exists(&test, &gone).await);
}

#[tokio::test]
async fn a_round_stops_when_somebody_else_has_taken_the_turn() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let gone = test.submit(task()).await;
    test.cancel(&gone).await;
    test.clock.advance(9 * DAY);

    // It is taken once, and cannot be kept.
    sqlx::raw_sql(
        "create function lost() returns trigger language plpgsql as
         'begin return case when new.replica is distinct from old.replica then new end; end';
         create trigger lost before update on history_turn for each row execute function lost()",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let before = days(&mut database).await;
    assert_eq!(prune(&test).await, 0);
    assert!(exists(&test, &gone).await);
    let after = days(&mut database).await;
    assert!(before.iter().all(|day| after.contains(day)), "{before:?} {after:?}");
}

/// An attempt, which would otherwise be of a task that a worker runs.
async fn add_attempt(database: &mut PgConnection, id: &str, number: i32) {
    sqlx::query(
        "insert into attempt (id, number, namespace, outcome, session, worker, started_at, finished_at)
         values ($1::uuid, $2, 1, 2, $1::uuid, 'w', now(), now())",
    )
    .bind(id)
    .bind(number)
    .execute(database)
    .await
    .unwrap();
}

/// What a worker reports after its attempt has ended; as `tasks/late`.
async fn report_late(database: &mut PgConnection, id: &str) {
    let statement =
        "update attempt set late_outcome = 1, late_at = now() where id = $1::uuid and number = 1";
    sqlx::query(statement).bind(id).execute(database).await.unwrap();
}

#[tokio::test]
async fn what_changes_while_a_day_is_being_moved_is_found_without_reading_it_whole() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let (waiting, gone) = (test.submit(task()).await, test.submit(task()).await);
    test.cancel(&gone).await;
    for id in [&waiting, &gone] {
        add_attempt(&mut database, id, 1).await;
    }
    test.replica.app.engine().statistics.catch_up().await.unwrap();
    let day = day_of(&mut database, &waiting).await;
    let horizon = keep(&mut database, &day).await;
    let tables: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select (t || '_{day}')::regclass::oid::text from unnest(array['result', 'attempt']) t"
    )))
    .fetch_all(&mut database)
    .await
    .unwrap();

    for id in [&waiting, &gone] {
        report_late(&mut database, id).await;
    }
    add_attempt(&mut database, &waiting, 2).await;
    test.cancel(&waiting).await;
    // A session of its own: it counts by session what was read.
    let mut database = test.database().await;
    begin_to_replace(&mut database, &day, horizon).await;
    for table in tables {
        let read = format!("(select pg_stat_get_xact_tuples_returned({table}) as n) x where n > 0");
        assert_eq!(count(&mut database, &read).await, 0, "while everything stands still");
    }
    sqlx::raw_sql("commit").execute(&mut database).await.unwrap();

    assert_eq!(count(&mut database, "attempt").await, 2, "none without its task");
    assert_eq!(count(&mut database, "attempt where number = 1 and late_outcome = 1").await, 1);
    assert_eq!(count(&mut database, "attempt where number = 2").await, 1);
    assert_eq!(test.state(&waiting).await, pb::TaskState::Cancelled);
}

#[tokio::test]
async fn a_partition_that_was_moved_once_is_closed_before_it_is_moved_again() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    let both: Vec<String> = days(&mut database).await.into_iter().take(2).collect();
    // So that it goes no further than to close them.
    sqlx::raw_sql("create table task_taken ()").execute(&mut database).await.unwrap();
    let mut keeper =
        store(&test.url, Duration::from_secs(3)).await.unwrap().keeper().await.unwrap();
    let kept = Kept { lanes: Vec::new(), idempotency: Duration::ZERO };
    assert!(keeper.replace(&both, "taken", &kept).await.is_err());
    for suffix in both {
        let closed = format!(
            "pg_constraint where conname = 'is_closed' and conrelid = 'task_{suffix}'::regclass"
        );
        assert_eq!(count(&mut database, &closed).await, 1, "{suffix}");
    }
}

/// Keeps whatever comes to its end for an hour.
async fn keep_for_an_hour(replica: &Replica) {
    let hour = seconds(3_600);
    let retention = pb::Retention { succeeded: hour, failed: hour, cancelled: hour, expired: hour };
    let request = pb::SetRetentionRequest {
        queue: "default".to_owned(),
        retention: Some(retention),
        ..Default::default()
    };
    replica.queues().set_retention(request).await.unwrap();
}

#[tokio::test]
async fn yesterday_is_not_made_again_when_it_has_gone() {
    let today = SystemClock.now().as_second() / 86_400;
    let morning = Timestamp::from_second((today + 1) * 86_400 + 5 * 3_600).unwrap();
    let test = TestServer::start_at(morning).await;
    let mut database = test.database().await;
    keep_for_an_hour(&test.replica).await;
    test.submit(task()).await;
    prune(&test).await;
    sqlx::raw_sql(
        "create table made (suffix text);
         create rule made as on insert to history do also insert into made values (new.suffix)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let before = days(&mut database).await;
    prune(&test).await;
    assert_eq!(count(&mut database, "made").await, 0);
    assert_eq!(days(&mut database).await, before);
}

/// The clock of a replica that is ahead; statements go by the database's.
#[derive(Debug)]
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }

    fn pinned(&self) -> Option<Timestamp> {
        None
    }
}

#[tokio::test]
async fn a_replica_whose_clock_is_ahead_does_not_close_the_day() {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    // For this replica, today was over long ago.
    let replica = Replica::start(&url, Arc::new(Ahead(Duration::from_secs(30 * 3_600))), &[]).await;
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    replica.tasks().submit(request).await.unwrap();
    keep_for_an_hour(&replica).await;
    let today: String = sqlx::query_scalar("select to_char(now() at time zone 'UTC', 'YYYYMMDD')")
        .fetch_one(&mut database)
        .await
        .unwrap();
    prune_on(&replica).await;
    assert!(days(&mut database).await.contains(&today), "{today}");
    assert_eq!(count(&mut database, "pg_constraint where conname = 'is_closed'").await, 0);
}

#[tokio::test]
async fn a_server_starts_where_it_may_not_ask_whether_its_clients_live() {
    let refused = Some("client_connection_check_interval");
    let relay = Relay::start_refusing(&fresh_database().await, refused).await;
    let replica = Replica::start(&relay.url, Arc::new(SystemClock), &[]).await;
    prune_on(&replica).await;
}

#[tokio::test]
async fn a_server_starts_without_somebody_to_look_after_the_partitions() {
    let relay = Relay::start_refusing(&fresh_database().await, Some("bellringer history")).await;
    let replica = Replica::start(&relay.url, Arc::new(SystemClock), &[]).await;
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    replica.tasks().submit(request).await.unwrap();
    assert!(replica.app.engine().pruning.prune_once().await.is_err());
}

#[tokio::test]
async fn a_closed_partition_takes_no_more_tasks() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    let id = test.submit(task()).await;
    patiently(&mut database, "select history_close(suffix) from history").await;
    assert!(test.try_submit(task(), "").await.is_err(), "rather than losing it with the partition");
    test.cancel(&id).await;
}

#[tokio::test]
async fn a_round_that_was_broken_off_leaves_nothing_behind() {
    let test = TestServer::start().await;
    let mut database = PgConnection::connect(&test.url).await.unwrap();
    let begun = "select history_tables('begun', '00000000-0000-0000-0000-000000000000', $1::uuid)";
    sqlx::query(begun).bind(uuid::Uuid::max()).execute(&mut database).await.unwrap();
    prune(&test).await;
    let left: bool = sqlx::query_scalar("select to_regclass('task_begun') is not null")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert!(!left);
}

#[tokio::test]
async fn briefly_kept_tasks_go_before_their_day() {
    let test = TestServer::start().await;
    let request = pb::SetRetentionRequest {
        queue: "default".to_owned(),
        retention: Some(pb::Retention { cancelled: seconds(60), ..Default::default() }),
        ..Default::default()
    };
    test.queues().set_retention(request).await.unwrap();
    let old = test.submit(task()).await;
    test.cancel(&old).await;
    prune(&test).await;
    // A transaction anywhere in the cluster may still hide what had ended by then.
    let mut rounds = 0;
    while exists(&test, &old).await {
        rounds += 1;
        assert!(rounds < 200, "it is kept for ever");
        test.clock.advance(Duration::from_secs(40));
        prune(&test).await;
    }
    let young = test.submit(task()).await;
    test.cancel(&young).await;
    test.clock.advance(Duration::from_secs(40));
    prune(&test).await;
    assert!(exists(&test, &young).await);
}

#[tokio::test]
async fn what_was_there_before_partitions_is_the_first_one() {
    let url = fresh_database_before("0004").await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "insert into task (id, namespace, lane, priority, created_at, run_at, payload)
         values ('01890000-0000-7000-8000-000000000001', 1, 1, 5, now(), now(), 'old');
         insert into result (id, namespace, lane, state, attempt, tries, finished_at)
         values ('01890000-0000-7000-8000-000000000001', 1, 1, 5, 1, 1, now())",
    )
    .execute(&mut database)
    .await
    .unwrap();
    assert!(!migrate(&url).await.unwrap().is_empty());
    assert_eq!(count(&mut database, "task_first").await, 1);
    assert_eq!(count(&mut database, "task_now where state = 5").await, 1);
    assert_eq!(days(&mut database).await[0], "first");
}

/// A database with the migrations before one.
async fn fresh_database_before(number: &str) -> String {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("drop schema public cascade; create schema public")
        .execute(&mut database)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let all = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("server/migrations");
    for file in std::fs::read_dir(all).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap() < number {
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
    }
    Migrator::new(folder.path()).await.unwrap().run(&mut database).await.unwrap();
    url
}
