//! Replicas that fire schedules, as processes on a PostgreSQL of their own.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_server::private_postgres::{Data, Options, PrivatePostgres};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::process::{Process, address, serve};

/// How many [`make_schedules`] makes.
pub(crate) const SCHEDULES: i64 = 200;

pub(crate) fn postgres_options(folder: &std::path::Path) -> Options {
    Options::throwaway(Data::Kept(folder.to_owned()))
}

pub(crate) async fn start_postgres(folder: &std::path::Path, port: Option<u16>) -> PrivatePostgres {
    let options = Options { port, ..postgres_options(folder) };
    tokio::task::spawn_blocking(move || PrivatePostgres::start(&options).unwrap()).await.unwrap()
}

pub(crate) async fn replica(url: &str, name: &str, port: u16) -> Process {
    serve(url, port, &[("BELLRINGER__SERVER__NAME", name), ("BELLRINGER__LOG__LEVEL", "warn")])
        .await
}

pub(crate) async fn make_schedules(port: u16) {
    make_some_schedules(port, SCHEDULES).await;
}

/// Schedules that fire each second a task of kind `ring`.
pub(crate) async fn make_some_schedules(port: u16, count: i64) {
    let mut client = ScheduleServiceClient::connect(address(port)).await.unwrap();
    for n in 0..count {
        let cron = pb::CronTrigger { expression: "* * * * * *".to_owned(), ..Default::default() };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
        let spec = pb::ScheduleSpec {
            times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
            task: Some(pb::TaskSpec { kind: "ring".to_owned(), ..Default::default() }),
            policies: Some(pb::SchedulePolicies {
                overlap: pb::OverlapPolicy::Allow.into(),
                misfire: pb::MisfirePolicy::FireAll.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request =
            pb::ScheduleRequest { name: format!("s{n}"), spec: Some(spec), ..Default::default() };
        client.schedule(request).await.unwrap();
    }
}

/// Name of the leader and number of its term, if a term is open.
pub(crate) async fn leader(database: &mut PgConnection) -> Option<(String, i64)> {
    let row: (Option<String>, i64) = sqlx::query_as(
        "select case when holder is not null then replica end, epoch from leadership",
    )
    .fetch_one(database)
    .await
    .unwrap();
    row.0.map(|name| (name, row.1))
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    loop {
        if let Ok(connection) = PgConnection::connect(url).await {
            return connection;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a later term has fired; how long that took.
pub(crate) async fn fires_again(
    database: &mut PgConnection,
    epoch: i64,
    since: Instant,
) -> Duration {
    loop {
        let fired: bool = sqlx::query_scalar("select exists (select from fire where epoch > $1)")
            .bind(epoch)
            .fetch_one(&mut *database)
            .await
            .unwrap();
        if fired {
            return since.elapsed();
        }
        assert!(since.elapsed() < Duration::from_secs(40), "nobody fires after term {epoch}");
        sleep(Duration::from_millis(10)).await;
    }
}
