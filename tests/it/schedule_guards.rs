//! What keeps a time from firing twice: each of the guards of `schedules/fire` is enough by itself, and
//! with none of them two leaders that know nothing of each other do fire twice.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::guards::Guards;
use crate::support::postgres::fresh_database;

const SCHEDULES: usize = 300;

/// What a leader read before it fires.
#[derive(Debug, Clone)]
struct Leader {
    epoch: i64,
    holder: Uuid,
    schedules: Vec<Uuid>,
    cursor: Timestamp,
}

async fn prepare(database: &mut PgConnection) -> Leader {
    let cursor: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let schedules: Vec<Uuid> = (0..SCHEDULES).map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into schedule (id, namespace, name, version, state, times, policies, labels,
                               description, lane, priority, payload, task_labels, created_at,
                               updated_at, next_fire_at, due_at)
         select id, 1, id::text, 1, 1, '{}', '{}', '{}', '', 1, 5, '', '{}', now(), now(), $2, $2
         from unnest($1::uuid[]) as u (id)",
    )
    .bind(&schedules)
    .bind(cursor.to_sqlx())
    .execute(&mut *database)
    .await
    .unwrap();
    Leader { epoch: 1, holder: Uuid::new_v4(), schedules, cursor }
}

async fn open_term(database: &mut PgConnection, leader: &Leader) {
    sqlx::query("update leadership set epoch = $1, holder = $2")
        .bind(leader.epoch)
        .bind(leader.holder)
        .execute(database)
        .await
        .unwrap();
}

/// Fires once for every schedule; whether the leader still led, and how many tasks were made.
async fn fire(database: &mut PgConnection, leader: &Leader, guards: Guards) -> (i64, usize) {
    let text = guards.fire();
    let n = leader.schedules.len();
    let next = leader.cursor + SignedDuration::from_secs(1);
    let times = |time: Timestamp| vec![time.to_sqlx(); n];
    let tasks: Vec<Uuid> = (0..n).map(|_| Uuid::now_v7()).collect();
    let empty_ids: Vec<Uuid> = Vec::new();
    let empty_times: Vec<jiff_sqlx::Timestamp> = Vec::new();
    let (led, _, tasks, _): (i64, i64, Vec<Uuid>, Vec<i32>) = sqlx::query_as(AssertSqlSafe(text))
        .bind(None::<jiff_sqlx::Timestamp>)
        .bind(leader.epoch)
        .bind(leader.holder)
        .bind(&leader.schedules)
        .bind(vec![1_i64; n])
        .bind(vec![1_i16; n])
        .bind(times(leader.cursor))
        .bind(times(leader.cursor))
        .bind(times(next))
        .bind(times(next))
        .bind(vec![1_i16; n])
        .bind(&leader.schedules)
        .bind(times(leader.cursor))
        .bind(times(leader.cursor))
        .bind(vec![1_i16; n])
        .bind(vec![None::<i16>; n])
        .bind(vec![1_i16; n])
        .bind(&tasks)
        .bind(&empty_ids)
        .bind(&empty_times)
        .bind(&empty_times)
        .bind(Vec::<i64>::new())
        .bind(Vec::<i16>::new())
        .bind(vec![None::<String>; n])
        .fetch_one(database)
        .await
        .unwrap();
    (led, tasks.len())
}

/// Two leaders have read the same schedules; the first one's term is over when the second one's
/// begins, but nobody has told it. Both fire at the same time. Answers with how many times fired more
/// than once, and how many fired at all.
async fn two_leaders(guards: Guards) -> (i64, i64) {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    guards.prepare(&mut database).await;
    let old = prepare(&mut database).await;
    let new = Leader { epoch: 2, holder: Uuid::new_v4(), ..old.clone() };
    open_term(&mut database, &new).await;
    let (mut a, mut b) =
        tokio::join!(async { PgConnection::connect(&url).await.unwrap() }, async {
            PgConnection::connect(&url).await.unwrap()
        });
    let (by_old, by_new) = tokio::join!(fire(&mut a, &old, guards), fire(&mut b, &new, guards));
    // Whoever was locked out tries again, from what it has read.
    if by_old.1 < SCHEDULES {
        fire(&mut a, &old, guards).await;
    }
    if by_new.1 < SCHEDULES {
        fire(&mut b, &new, guards).await;
    }
    sqlx::query_as(
        "select count(*) filter (where n > 1), count(*)
         from (select count(*) as n from task group by labels) t",
    )
    .fetch_one(&mut database)
    .await
    .unwrap()
}

#[tokio::test]
async fn g9_each_guard_alone_keeps_two_leaders_from_firing_twice() {
    let all = Guards::ALL;
    let none = Guards { term: false, cursor: false, key: false, ..Guards::ALL };
    for guards in [
        all,
        Guards { term: false, ..all },
        Guards { key: false, ..all },
        Guards { cursor: false, ..all },
        Guards { term: true, ..none },
        Guards { key: true, ..none },
        Guards { cursor: true, ..none },
    ] {
        let (twice, fired) = two_leaders(guards).await;
        assert_eq!((twice, fired), (0, 300), "{guards:?}");
    }
}

/// Without any guard the test above would see double fires: it can fail.
#[tokio::test]
async fn without_any_guard_two_leaders_do_fire_twice() {
    let (twice, _) =
        two_leaders(Guards { term: false, cursor: false, key: false, ..Guards::ALL }).await;
    assert!(twice > 0);
}

#[tokio::test]
async fn a_term_that_has_ended_writes_nothing() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    let guards = Guards::ALL;
    let leader = prepare(&mut database).await;
    open_term(&mut database, &leader).await;
    let stale = Leader { epoch: 0, ..leader.clone() };
    assert_eq!(fire(&mut database, &stale, guards).await, (0, 0), "another epoch");
    let stranger = Leader { holder: Uuid::new_v4(), ..leader.clone() };
    assert_eq!(fire(&mut database, &stranger, guards).await, (0, 0), "another holder");
    assert_eq!(fire(&mut database, &leader, guards).await, (1, SCHEDULES));
    assert_eq!(fire(&mut database, &leader, guards).await, (1, 0), "its cursor has moved on");
}

#[tokio::test]
async fn g11_nothing_fires_before_its_time_whatever_a_leader_believes() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    let guards = Guards::ALL;
    let leader = prepare(&mut database).await;
    open_term(&mut database, &leader).await;
    let future: Timestamp = "2199-01-01T00:00:00Z".parse().unwrap();
    sqlx::query("update schedule set next_fire_at = $1")
        .bind(future.to_sqlx())
        .execute(&mut database)
        .await
        .unwrap();
    let eager = Leader { cursor: future, ..leader };
    assert_eq!(fire(&mut database, &eager, guards).await, (1, 0));
}

/// A leader that fires while the next term is being opened waits for it, and is fenced.
#[tokio::test]
async fn a_fire_that_meets_the_next_term_waits_for_it_and_does_nothing() {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let guards = Guards::ALL;
    let leader = prepare(&mut database).await;
    open_term(&mut database, &leader).await;
    let mut next = PgConnection::connect(&url).await.unwrap();
    let mut term = next.begin().await.unwrap();
    sqlx::query("update leadership set epoch = 2, holder = gen_random_uuid()")
        .execute(&mut *term)
        .await
        .unwrap();
    let mut waiting = PgConnection::connect(&url).await.unwrap();
    let firing = async {
        let fired = fire(&mut waiting, &leader, guards).await;
        assert_eq!(fired, (0, 0));
    };
    let opening = async {
        loop {
            let blocked: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                                where wait_event_type = 'Lock' and datname = current_database())",
            )
            .fetch_one(&mut database)
            .await
            .unwrap();
            if blocked {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        term.commit().await.unwrap();
    };
    tokio::join!(firing, opening);
}
