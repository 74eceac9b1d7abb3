//! How late schedules fire when they are very many: measured, not asserted.

use std::time::Duration;

use bellringer_server::private_postgres::{Options, PrivatePostgres, Speed};
use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

use crate::support::process::free_port;
use crate::support::replicas::{connect, fires_again, make_schedules, postgres_options, replica};

/// Copies of one schedule, each with a single time, which `next` says as an expression over `n`.
async fn copies(database: &mut PgConnection, count: i64, next: &str) {
    let text = format!(
        "insert into schedule (id, namespace, name, version, state, times, policies, labels,
                               description, lane, priority, payload, task_labels, created_at,
                               updated_at, next_fire_at, due_at)
         select gen_random_uuid(), s.namespace, 'c' || n, 1, 1,
                jsonb_build_object('triggers', jsonb_build_array(jsonb_build_object('once',
                    jsonb_build_object('at', to_char(t.next at time zone 'UTC',
                        'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))))),
                s.policies, '{{}}', '', s.lane, 5, '', '{{}}', now(), now(), t.next, t.next
         from schedule s, generate_series(1, $1) n, lateral (select {next} as next) t
         where s.name = 's0'"
    );
    sqlx::query(sqlx::AssertSqlSafe(text)).bind(count).execute(database).await.unwrap();
}

/// Lateness in seconds: median, 99 %, largest, and how many.
async fn lateness(database: &mut PgConnection) -> (f64, f64, f64, i64) {
    sqlx::query_as(
        "select coalesce(percentile_disc(0.5) within group (order by l), 0),
                coalesce(percentile_disc(0.99) within group (order by l), 0),
                coalesce(max(l), 0), count(*)
         from (select extract(epoch from f.recorded_at - f.due_at)::float8 as l
               from fire f join schedule s on s.id = f.schedule
               where f.outcome = 1 and s.name like 'c%') t",
    )
    .fetch_one(database)
    .await
    .unwrap()
}

/// CPU seconds that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// G-12, on a machine that does nothing else; prints what it saw. Linux only, for the CPU time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it by name, with --release, on a quiet machine"]
async fn lateness_of_many_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = Options { speed: Speed::Durable, ..postgres_options(&data) };
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&options).unwrap())
        .await
        .unwrap();
    let url = postgres.url("bellringer");
    bellringer_server::store::migrate(&url).await.unwrap();
    let port = free_port();
    let server = replica(&url, "r0", port).await;
    make_schedules(port).await;
    let mut database = connect(&url).await;
    fires_again(&mut database, 0, Instant::now()).await;
    let quiet = "update schedule set state = 3, due_at = null where name like 's%'";
    sqlx::query(quiet).execute(&mut database).await.unwrap();

    // Ten thousand in one second.
    let next = "date_trunc('second', now()) + interval '5 s'";
    copies(&mut database, 10_000, next).await;
    sleep(Duration::from_secs(12)).await;
    let (median, p99, most, count) = lateness(&mut database).await;
    println!(
        "10,000 due in one second: {count} fired, median {median:.3} s, p99 {p99:.3} s, largest {most:.3} s"
    );
    assert_eq!(count, 10_000);

    // A hundred thousand saved, and nothing due.
    sqlx::query("delete from schedule where name like 'c%'").execute(&mut database).await.unwrap();
    sqlx::query("truncate fire, schedule_run, task, ready").execute(&mut database).await.unwrap();
    let next = "timestamptz '2030-01-01' + n * interval '1 s'";
    copies(&mut database, 100_000, next).await;
    sqlx::query("analyze").execute(&mut database).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let pid = server.0.id();
    let before = cpu_seconds(pid);
    sleep(Duration::from_secs(20)).await;
    let idle = (cpu_seconds(pid) - before) / 20.0 * 100.0;
    println!("100,000 saved, none due: the server uses {idle:.2} % of a core");

    // And a thousand due each second, for half a minute.
    sqlx::query(
        "update schedule s
         set times = jsonb_build_object('triggers', jsonb_build_array(jsonb_build_object('interval',
                 jsonb_build_object('every', '100s', 'phase', (n % 100) || 's')))),
             version = 2, next_fire_at = t.next, due_at = t.next
         from (select id, row_number() over (order by id) as n from schedule
               where name like 'c%') k,
              (select extract(epoch from now())::int8 + 15 as begin) b,
              lateral (select to_timestamp(b.begin + (k.n + 100 - b.begin % 100) % 100) as next) t
         where s.id = k.id",
    )
    .execute(&mut database)
    .await
    .unwrap();
    sleep(Duration::from_secs(40)).await;
    let (median, p99, most, count) = lateness(&mut database).await;
    println!(
        "100,000 saved, 1,000 due each second: {count} fired, median {median:.3} s, p99 {p99:.3} s, largest {most:.3} s"
    );
    drop(server);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}
