//! The roles of the handbook: one that owns the schema and migrates, and one that serves and may do no
//! more than read and write rows.

use std::process::Command;
use std::time::Duration;

use bellringer_client::{Client, NewTask};
use bellringer_server::store::{Store, migrate};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::Instant;

use crate::support::postgres::{self, patiently, run_from_handbook};
use crate::support::process::{address, free_port, program, serve};
use crate::support::replicas::{connect, fires_again, make_some_schedules, start_postgres};

/// Runs the statements that the handbook has under a name.
async fn run(name: &str, url: &str) {
    run_from_handbook(name, &mut PgConnection::connect(url).await.unwrap()).await;
}

async fn store(url: &str) -> anyhow::Result<Store> {
    postgres::store(url, Duration::from_secs(3)).await
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
    patiently(&mut database, "select history_make('2035-05-05', '2035-05-05')").await;
    let store = store(&app).await.unwrap();
    assert!(store.is_walled());
    assert_eq!(store.above(), None);
    // The tables are the owner's to vacuum: the other one leaves it to autovacuum.
    let may_vacuum = async |store: &Store| {
        store.bloat().await.unwrap().tables.into_iter().map(|table| table.may_vacuum).collect()
    };
    let owner = self::store(&url("bellringer_owner")).await.unwrap();
    let (owners, apps): (Vec<bool>, Vec<bool>) =
        (may_vacuum(&owner).await, may_vacuum(&store).await);
    assert_eq!((owners, apps), (vec![true; 4], vec![false; 4]));

    let port = free_port();
    let server = serve(&app, port, &[]).await;
    let client = Client::connect(address(port)).await.unwrap();
    client.submit(NewTask::new("work")).await.unwrap();
    make_some_schedules(port, 1).await;
    fires_again(&mut database, 0, Instant::now()).await;
    drop((server, database));
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_role_of_tenants_there_is_one_wall_until_somebody_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start_postgres(&folder.path().join("data"), None).await;
    let admin_url = postgres.loopback_url();
    let mut admin = connect(&admin_url).await;
    let host = admin_url.rsplit_once('@').unwrap().1.rsplit_once('/').unwrap().0.to_owned();
    let url = format!("postgres://plain:secret@{host}/tasks");
    let run = async |admin: &mut PgConnection, text: &'static str| {
        sqlx::raw_sql(text).execute(admin).await.unwrap();
    };
    run(&mut admin, "create role plain login password 'secret'").await;
    run(&mut admin, "create database tasks owner plain").await;

    // It may not make a role: the server works, and tells what to do.
    migrate(&url).await.unwrap();
    let port = free_port();
    let server = serve(&url, port, &[]).await;
    let client = Client::connect(address(port)).await.unwrap();
    let task = client.submit(NewTask::new("work")).await.unwrap();
    assert!(!store(&url).await.unwrap().is_walled());

    // The role alone is not enough, nor is the membership.
    run(&mut admin, "create role bellringer_tenant nologin").await;
    migrate(&url).await.unwrap();
    assert!(!store(&url).await.unwrap().is_walled());
    run(&mut admin, "grant bellringer_tenant to plain").await;
    migrate(&url).await.unwrap();
    assert!(store(&url).await.unwrap().is_walled());
    // Who was started before goes on as before.
    client.get(&task.task_id).await.unwrap();

    // A role that is no owner and a tenant without taking the role would see nothing.
    run(&mut admin, "create role other login inherit password 'secret' in role bellringer_tenant")
        .await;
    let other = url.replace("plain", "other");
    let mut tasks = connect(&format!("{}/tasks", admin_url.rsplit_once('/').unwrap().0)).await;
    run(&mut tasks, "grant select on all tables in schema public to other").await;
    let refused = store(&other).await.unwrap_err();
    assert!(format!("{refused:#}").contains("alter role other noinherit"), "{refused:#}");

    drop((server, admin, tasks));
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_are_migrated_at_once_make_one_role_of_tenants() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start_postgres(&folder.path().join("data"), None).await;
    let admin_url = postgres.loopback_url();
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let mut admin = connect(&admin_url).await;
    // Some by a superuser, some by a role that may make roles.
    let plain = server.replace("bellringer:", "maker:");
    let (begin, host) = plain.rsplit_once('@').unwrap();
    let maker = format!("{}:secret@{host}", begin.rsplit_once(':').unwrap().0);
    let urls: Vec<String> = (0..6)
        .map(|n| format!("{}/d{n}", if n % 2 == 0 { server } else { maker.as_str() }))
        .collect();
    sqlx::raw_sql("create role maker login createrole password 'secret'")
        .execute(&mut admin)
        .await
        .unwrap();
    for n in 0..urls.len() {
        let create = format!(
            "create database d{n} owner {}",
            if n % 2 == 0 { "bellringer" } else { "maker" }
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    }

    for applied in futures_util::future::join_all(urls.iter().map(|url| migrate(url))).await {
        applied.unwrap();
    }

    for url in &urls {
        // Once more: it is built already.
        assert!(migrate(url).await.unwrap().is_empty());
        assert!(store(url).await.unwrap().is_walled(), "{url}");
    }
    drop(admin);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}
