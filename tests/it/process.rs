//! The real programs under kill -9, SIGSTOP, lost databases and lost hints.

use std::collections::{HashMap, HashSet};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellringer_client::api as pb;
use bellringer_client::{Client, NewTask, TaskContext, TaskFailure, WatchEvent, Worker};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::postgres::fresh_database;
use crate::support::process::{Process, address, eventually, free_port, health, program, serve};
use crate::support::replicas::start_postgres;

/// What a loaded machine may add to a bound.
const SLACK: Duration = Duration::from_secs(2);

/// Leases that run out while a test waits.
const SHORT_LEASES: [(&str, &str); 2] =
    [("BELLRINGER__LEASES__DURATION", "2s"), ("BELLRINGER__LEASES__HEARTBEAT_INTERVAL", "500ms")];

async fn client(port: u16) -> Client {
    Client::builder(address(port)).connect_lazy().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "compared with what the database wrote")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// What handlers saw, outside the system: task, attempt, start.
type Evidence = Arc<Mutex<Vec<(String, u32, Timestamp)>>>;

fn worker(client: Client, concurrency: u32, evidence: &Evidence) -> Worker {
    let evidence = evidence.clone();
    Worker::builder(client)
        .name("in the test")
        .concurrency(concurrency)
        .handler("work", move |context: TaskContext, (): ()| {
            let seen = (context.task_id().to_owned(), context.attempt(), wall_clock());
            evidence.lock().unwrap().push(seen);
            std::future::ready(Ok::<_, TaskFailure>("done"))
        })
        .build()
}

/// G-1, G-3, G-8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_server_at_random_moments_loses_no_acknowledged_task() {
    const SUBMITTERS: usize = 5;
    const BATCHES: usize = 40;
    const BATCH: usize = 100;
    const KILLS: usize = 4;
    let database = fresh_database().await;
    let port = free_port();
    let mut server = serve(&database, port, &SHORT_LEASES).await;
    let evidence = Evidence::default();
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(worker(client(port).await, 500, &evidence).run(stop.clone()));
    let mut submitting = JoinSet::new();
    let enough = CancellationToken::new();
    for _ in 0..SUBMITTERS {
        let (client, enough) = (client(port).await, enough.clone());
        submitting.spawn(async move {
            let mut acknowledged = HashSet::new();
            let mut failures = 0;
            while acknowledged.len() < BATCHES * BATCH || !enough.is_cancelled() {
                match client.submit_batch(vec![NewTask::new("work"); BATCH]).await {
                    Ok(answers) => {
                        acknowledged.extend(answers.into_iter().map(|a| a.unwrap().task_id));
                    }
                    // Unknown outcome: these tasks may or may not exist.
                    Err(_) => {
                        failures += 1;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            (acknowledged, failures)
        });
    }
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..700))).await;
        server.kill();
        server = serve(&database, port, &SHORT_LEASES).await;
    }
    enough.cancel();
    let mut acknowledged = HashSet::new();
    let mut failures = 0;
    for (ids, failed) in submitting.join_all().await {
        acknowledged.extend(ids);
        failures += failed;
    }
    assert!(acknowledged.len() >= SUBMITTERS * BATCHES * BATCH);
    assert!(failures > 0, "no call met a dead server: the test shows nothing");

    let mut connection = PgConnection::connect(&database).await.unwrap();
    let unfinished = "select count(*) from task t
        where not exists (select from result r where r.id = t.id)";
    for _ in 0..600 {
        let left: i64 = sqlx::query_scalar(unfinished).fetch_one(&mut connection).await.unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();

    let rows = sqlx::query("select id::text, state, attempt, finished_at from result")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let results: HashMap<String, (i16, Timestamp)> = rows
        .iter()
        .map(|row| {
            let finished: jiff_sqlx::Timestamp = row.get("finished_at");
            (row.get("id"), (row.get("state"), finished.to_jiff()))
        })
        .collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !results.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} acknowledged tasks are lost", lost.len());
    let succeeded = acknowledged.iter().filter(|id| results[*id].0 == 5).count();
    assert_eq!(succeeded, acknowledged.len());
    let evidence = std::mem::take(&mut *evidence.lock().unwrap());
    for (task, attempt, started) in evidence.iter() {
        let (_, finished) = results[task];
        assert!(*started <= finished, "attempt {attempt} of {task} began after its end");
    }
    let leftovers: i64 = sqlx::query_scalar(
        "select (select count(*) from ready) + (select count(*) from scheduled)
              + (select count(*) from inflight)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(leftovers, 0, "a finished task has no other row");
    println!(
        "{} acknowledged, {} in all, {} attempts, {KILLS} kills, {failures} failed calls",
        acknowledged.len(),
        results.len(),
        evidence.len()
    );
}

/// G-6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_frozen_past_its_lease_is_too_late_and_its_result_is_kept() {
    let database = fresh_database().await;
    let port = free_port();
    let _server = serve(&database, port, &SHORT_LEASES).await;
    let client = client(port).await;
    let frozen = Process::start(
        Command::new(program("bellctl"))
            .args(["--server", &address(port), "worker", "--name", "frozen"])
            .args(["--exec", "work=sleep 1; echo late"]),
    );
    let task = client.submit(NewTask::new("work").json(&()).unwrap()).await.unwrap().task_id;
    eventually("the worker runs it", || async {
        client.get(&task).await.unwrap().state() == pb::TaskState::Running
    })
    .await;

    frozen.signal(Signal::STOP);
    let evidence = Evidence::default();
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(worker(client.clone(), 1, &evidence).run(stop.clone()));
    let done = client.wait(&task, Duration::from_secs(60)).await.unwrap();
    assert_eq!((done.state(), done.attempt), (pb::TaskState::Succeeded, 2));
    assert_eq!(done.attempts[0].outcome(), pb::AttemptOutcome::LeaseExpired);
    assert_eq!(done.worker, "in the test");

    frozen.signal(Signal::CONT);
    eventually("its late result is kept", || async {
        let task = client.get(&task).await.unwrap();
        assert_eq!(task.state(), pb::TaskState::Succeeded);
        task.attempts[0].late.is_some()
    })
    .await;
    stop.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();
}

/// G-16, and every loop polls: hints are made impossible by killing whoever listens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_serve_one_queue_with_and_without_hints() {
    let database = fresh_database().await;
    let (one, two) = (free_port(), free_port());
    let _servers = [serve(&database, one, &[]).await, serve(&database, two, &[]).await];
    let (near, far) = (client(one).await, client(two).await);
    let evidence = Evidence::default();
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(worker(far, 4, &evidence).run(stop.clone()));
    let mut connection = PgConnection::connect(&database).await.unwrap();
    for hints in [true, false] {
        if !hints {
            sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and query ilike 'listen%'",
            )
            .execute(&mut connection)
            .await
            .unwrap();
        }
        let begun = tokio::time::Instant::now();
        let task = near.submit(NewTask::new("work")).await.unwrap().task_id;
        let mut watch = Box::pin(near.watch_task(&task));
        let mut last = pb::TaskState::Unspecified;
        while let Some(event) = watch.next().await {
            if let WatchEvent::Snapshot(task) | WatchEvent::Change(task) = event.unwrap() {
                last = task.state();
            }
        }
        assert_eq!(last, pb::TaskState::Succeeded);
        println!("submitted, run elsewhere and seen, hints {hints}: {:?}", begun.elapsed());
    }
    stop.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();
}

/// G-22. The outage is short; BELLRINGER_OUTAGE is a longer time for it, in seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_22_a_lost_database_fails_calls_fast_and_is_used_again_when_it_is_back() {
    let home = tempfile::Builder::new().prefix("bellringer-outage").tempdir().unwrap();
    let (data, postgres_port) = (home.path().join("data"), Some(free_port()));
    let postgres = start_postgres(&data, postgres_port).await;
    let database = postgres.url("bellringer");
    bellringer_server::store::migrate(&database).await.unwrap();
    let port = free_port();
    let mut server = serve(&database, port, &[]).await;
    let client = client(port).await;
    let kept = client.submit_batch(vec![NewTask::new("work"); 100]).await.unwrap();

    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
    let lost = tokio::time::Instant::now();
    let error = client.submit(NewTask::new("work")).await.unwrap_err();
    assert_eq!(error.code(), Some(tonic::Code::Unavailable), "{error}");
    let refused = lost.elapsed();
    assert!(refused < Duration::from_secs(3) + SLACK, "{refused:?}");
    let url = address(port);
    eventually("readiness is red", || async {
        health(&url, "").await == Some(ServingStatus::NotServing)
    })
    .await;
    let red = lost.elapsed();
    assert!(red < Duration::from_secs(5), "{red:?}");
    let outage = std::env::var("BELLRINGER_OUTAGE").map_or(0, |length| length.parse().unwrap());
    let mut calls = 0;
    loop {
        assert_eq!(health(&url, "liveness").await, Some(ServingStatus::Serving));
        assert_eq!(health(&url, "").await, Some(ServingStatus::NotServing));
        if lost.elapsed() >= Duration::from_secs(outage) {
            break;
        }
        let error = client.submit(NewTask::new("work")).await.unwrap_err();
        assert_eq!(error.code(), Some(tonic::Code::Unavailable), "{error}");
        calls += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let outage = lost.elapsed();

    let postgres = start_postgres(&data, postgres_port).await;
    let back = tokio::time::Instant::now();
    eventually("the server is ready again", || async {
        health(&url, "").await == Some(ServingStatus::Serving)
    })
    .await;
    let green = back.elapsed();
    assert!(green < Duration::from_secs(5), "{green:?}");
    assert!(server.0.try_wait().unwrap().is_none(), "the process went on all the time");
    println!(
        "database lost for {outage:?}: call refused after {refused:?}, red after {red:?}, {calls} more calls refused; \
         green again {green:?}"
    );
    for task in kept {
        let task = client.get(&task.unwrap().task_id).await.unwrap();
        assert_eq!(task.state(), pb::TaskState::Ready);
    }
    client.submit(NewTask::new("work")).await.unwrap();
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_moves_its_workers_and_loses_nothing() {
    let database = fresh_database().await;
    let (one, two) = (free_port(), free_port());
    let mut first = serve(&database, one, &[]).await;
    let _second = serve(&database, two, &[]).await;
    let both = format!("{},{}", address(one), address(two));
    let client = Client::builder(both).auto_idempotency(true).connect().await.unwrap();
    let evidence = Evidence::default();
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(worker(client.clone(), 20, &evidence).run(stop.clone()));
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(client.submit(NewTask::new("work")).await.unwrap().task_id);
        if n == 100 {
            first.signal(Signal::TERM);
        }
    }
    assert_eq!(first.exit_code().await, Some(0));

    for id in &ids {
        let task = client.wait(id, Duration::from_secs(60)).await.unwrap();
        assert_eq!(task.state(), pb::TaskState::Succeeded);
        assert_eq!(task.tries, 1, "no lease was lost");
    }
    stop.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_leaves_no_postgres_behind_after_kill_9_and_finds_its_data_again() {
    let home = tempfile::Builder::new().prefix("bellringer-dev").tempdir().unwrap();
    let handshake = home.path().join("handshake");
    let start = || {
        Process::start(
            Command::new(program("bellringer"))
                .args(["dev", "--listen", "127.0.0.1:0", "--no-install", "--data-dir"])
                .arg(home.path().join("data"))
                .arg("--handshake-file")
                .arg(&handshake)
                .stdout(Stdio::null()),
        )
    };
    let connected = || async {
        eventually("dev serves", || std::future::ready(handshake.exists())).await;
        let text = std::fs::read_to_string(&handshake).unwrap();
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        Client::connect(told["grpc_url"].as_str().unwrap()).await.unwrap()
    };
    let dev = start();
    let task = connected().await.submit(NewTask::new("work")).await.unwrap().task_id;
    let data = std::fs::read_dir(home.path().join("data")).unwrap();
    let pid_file = data
        .map(|entry| entry.unwrap().path().join("postmaster.pid"))
        .find(|path| path.exists())
        .unwrap();

    dev.kill();
    std::fs::remove_file(&handshake).unwrap();
    #[cfg(target_os = "linux")]
    eventually("PostgreSQL has ended too", || std::future::ready(!pid_file.exists())).await;

    let mut again = start();
    let client = connected().await;
    assert_eq!(client.get(&task).await.unwrap().state(), pb::TaskState::Ready);
    again.signal(Signal::INT);
    assert_eq!(again.exit_code().await, Some(0));
    assert!(!pid_file.exists(), "stopped cleanly");
}

#[test]
fn check_config_shows_the_settings_without_secrets_or_everything_that_is_wrong() {
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(program("bellringer"));
        command.arg("check-config").envs(variables.iter().copied()).output().unwrap()
    };
    let good = run(&[("BELLRINGER_DATABASE_URL", "postgres://u:canary@localhost/d")]);
    let shown = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && shown.contains("[redacted]") && !shown.contains("canary"));

    let bad = run(&[
        ("BELLRINGER__LEASES__DURATION", "soon"),
        ("BELLRINGER__LIMITS__PAYLOAD", "9GiB"),
        ("BELLRINGER__NO__SUCH", "thing"),
    ]);
    let shown = String::from_utf8(bad.stderr).unwrap();
    assert_eq!(bad.status.code(), Some(1));
    for named in ["leases.duration", "limits.payload", "BELLRINGER__NO__SUCH"] {
        assert!(shown.contains(named), "{named} in {shown}");
    }
}
