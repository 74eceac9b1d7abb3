//! The roles of the handbook: one that owns the schema and migrates, and one that serves and may do no
//! more than read and write rows.

use std::process::Command;

use bellringer_client::{Client, NewTask};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::Instant;

use crate::support::process::{address, free_port, program, serve};
use crate::support::replicas::{connect, fires_again, make_some_schedules, start_postgres};

/// Runs the statements that the handbook has under a name.
async fn run(name: &str, url: &str) {
    let handbook = include_str!("../../server/OPERATIONS.md");
    let (_, after) = handbook.split_once(&format!("<!-- {name} -->\n```sql\n")).unwrap();
    let text = after.split_once("```").unwrap().0.replace("'…'", "'secret'");
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in text.split_inclusive(";\n") {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_role_may_only_write_rows_serves_and_fires() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start_postgres(&folder.path().join("data"), None).await;
    let admin = postgres.loopback_url();
    let host = admin.rsplit_once('@').unwrap().1.rsplit_once('/').unwrap().0.to_owned();
    let url = |role: &str| format!("postgres://{role}:secret@{host}/tasks");
    run("roles", &admin).await;
    run("grants", &url("bellringer_owner")).await;

    let migrated = Command::new(program("bellringer"))
        .args(["migrate", "--database-url", &url("bellringer_owner")])
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let app = url("bellringer_app");
    let mut database = connect(&app).await;
    for forbidden in ["create table t ()", "drop table task", "truncate result"] {
        assert!(sqlx::query(forbidden).execute(&mut database).await.is_err(), "{forbidden}");
    }
    // Partitions are made with the owner's rights.
    sqlx::query("select history_make('2035-05-05', '2035-05-05')")
        .execute(&mut database)
        .await
        .unwrap();

    let port = free_port();
    let server = serve(&app, port, &[]).await;
    let client = Client::connect(address(port)).await.unwrap();
    client.submit(NewTask::new("work")).await.unwrap();
    make_some_schedules(port, 1).await;
    fires_again(&mut database, 0, Instant::now()).await;
    drop((server, database));
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}
