//! Dead rows of the hot tables are seen, and removed.

use std::time::Duration;

use bellringer_server::store::{Bloat, TableBloat};
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::{fresh_database, store};
use crate::support::process::eventually;

/// Of a statement.
const PATIENCE: Duration = Duration::from_secs(30);

fn ready(bloat: &Bloat) -> TableBloat {
    bloat.tables.iter().find(|table| table.table == "ready").unwrap().clone()
}

#[tokio::test]
async fn dead_rows_of_a_hot_table_are_seen_and_removed() {
    let url = fresh_database().await;
    let store = store(&url, PATIENCE).await.unwrap();
    let mut database = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags)
         select 1, 5, now(), gen_random_uuid(), 1, 0, 0, 0 from generate_series(1, 30000);
         delete from ready",
    )
    .execute(&mut database)
    .await
    .unwrap();
    eventually("the dead rows are seen", || async {
        ready(&store.bloat().await.unwrap()).dead >= 30_000
    })
    .await;
    let before = ready(&store.bloat().await.unwrap());
    store.vacuum(&before).await.unwrap();
    eventually("they are gone", || async {
        let table = ready(&store.bloat().await.unwrap());
        table.dead == 0 && table.vacuumed.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_held_snapshot_is_seen() {
    let url = fresh_database().await;
    let store = store(&url, PATIENCE).await.unwrap();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin isolation level repeatable read; select 1")
        .execute(&mut holder)
        .await
        .unwrap();
    eventually("its age grows", || async {
        store.bloat().await.unwrap().snapshot_age > Duration::from_millis(50)
    })
    .await;
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    assert!(store.bloat().await.unwrap().snapshot_age < Duration::from_millis(50));
}
