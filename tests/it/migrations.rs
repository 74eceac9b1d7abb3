//! Schemas of other versions.

use bellringer_server::store::migrate;
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::fresh_database;

#[tokio::test]
async fn a_schema_of_a_later_version_is_left_as_it_is() {
    let url = fresh_database().await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, '', 0)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    assert!(migrate(&url).await.unwrap().is_empty());
    let kept: i64 =
        sqlx::query_scalar("select count(*) from _sqlx_migrations where version = 9999")
            .fetch_one(&mut database)
            .await
            .unwrap();
    assert_eq!(kept, 1);
}
