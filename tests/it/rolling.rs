//! Three replicas, replaced one after the other under load, as Kubernetes does it on an upgrade: a new
//! pod serves before an old one goes, and the Service sends new connections to ready pods only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_client::{Client, TaskContext, TaskFailure, Worker};
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::support::make;
use crate::support::postgres::fresh_database;
use crate::support::process::{Process, eventually, free_port, serve};
use crate::support::replicas::make_some_schedules;
use crate::support::service::Service;

const REPLICAS: usize = 3;
const SUBMITTERS: usize = 12;
const WORKERS: usize = 3;
const SCHEDULES: i64 = 10;
/// Time between two calls of a submitter.
const PACE: Duration = Duration::from_millis(10);
/// The chart's `shutdown.preStopSeconds`, a fifth of it.
const PRE_STOP: Duration = Duration::from_secs(1);
/// Between two times of a schedule, and what a change of leaders in good order may take (G-13), and
/// that again for a loaded machine.
const LONGEST_GAP: f64 = 1.0 + 2.0 + 2.0;

/// How a pod is told to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the chart does it: the pod gets no more connections, goes on for a while, gets SIGTERM.
    PreStop,
    /// SIGTERM alone: the pod gets connections until a probe finds it red, and serves them meanwhile.
    Readiness,
}

/// What callers saw.
#[derive(Debug, Default)]
struct Seen {
    calls: usize,
    retries: Vec<Status>,
    failures: Vec<Status>,
    slowest: Duration,
    tasks: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_13_an_upgrade_as_the_chart_does_it_fails_no_call_and_loses_no_lease() {
    replaced_in_turn(Way::PreStop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_13_an_upgrade_by_readiness_alone_fails_no_call_and_loses_no_lease() {
    replaced_in_turn(Way::Readiness).await;
}

async fn replaced_in_turn(way: Way) {
    let database = fresh_database().await;
    let service = Service::start().await;
    let mut pods = Vec::new();
    for _ in 0..REPLICAS {
        pods.push(start_pod(&database, &service, way).await);
    }
    make_some_schedules(pods[0].0, SCHEDULES).await;

    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    for n in 0..WORKERS {
        working.spawn(worker(&service, n).run(stop.clone()));
    }
    let enough = CancellationToken::new();
    let mut submitting = JoinSet::new();
    for n in 0..SUBMITTERS {
        submitting.spawn(submit(service.address(), n, enough.clone()));
    }
    sleep(Duration::from_secs(1)).await;

    let mut slowest_end = Duration::ZERO;
    for _ in 0..REPLICAS {
        let new = start_pod(&database, &service, way).await;
        pods.push(new);
        let (port, mut old) = pods.remove(0);
        if way == Way::PreStop {
            service.terminate(port);
            sleep(PRE_STOP).await;
        }
        let began = Instant::now();
        old.signal(Signal::TERM);
        assert_eq!(old.exit_code().await, Some(0));
        slowest_end = slowest_end.max(began.elapsed());
        service.remove(port);
    }
    sleep(Duration::from_secs(1)).await;
    enough.cancel();
    let mut seen = Seen::default();
    for one in submitting.join_all().await {
        seen.calls += one.calls;
        seen.retries.extend(one.retries);
        seen.failures.extend(one.failures);
        seen.slowest = seen.slowest.max(one.slowest);
        seen.tasks.extend(one.tasks);
    }

    let mut database = PgConnection::connect(&database).await.unwrap();
    all_finished(&mut database, &seen.tasks).await;
    let (lost, gap) = (leases_lost(&mut database).await, longest_gap(&mut database).await);
    stop.cancel();
    for worked in working.join_all().await {
        worked.unwrap();
    }

    print(way, &seen, lost, gap, slowest_end);
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert!(seen.calls > 300, "too little load to show anything: {} calls", seen.calls);
    assert_eq!(lost, 0);
    assert!(gap < LONGEST_GAP, "nothing fired for {gap:.1} s");
}

#[expect(clippy::print_stdout, reason = "what the test saw is worth reading")]
fn print(way: Way, seen: &Seen, lost: i64, gap: f64, slowest_end: Duration) {
    let named = match way {
        Way::PreStop => "preStop, then SIGTERM",
        Way::Readiness => "SIGTERM, readiness alone",
    };
    println!("| three replicas replaced in turn | {named} |");
    println!("|---|---|");
    println!("| unary calls | {} |", seen.calls);
    println!("| of them repeated once | {} |", seen.retries.len());
    println!("| failed | {} |", seen.failures.len());
    println!("| slowest call | {:?} |", seen.slowest);
    println!("| tasks, all succeeded | {} |", seen.tasks.len());
    println!("| leases lost | {lost} |");
    println!("| longest gap in firing | {gap:.2} s |");
    println!("| slowest end of a replica | {slowest_end:?} |");
    for status in &seen.retries {
        println!("repeated after: {:?} {}", status.code(), status.message());
    }
}

/// A pod that is ready, and gets connections.
async fn start_pod(database: &str, service: &Service, way: Way) -> (u16, Process) {
    let port = free_port();
    let mut settings = vec![
        ("BELLRINGER__LEASES__DURATION", "5s"),
        ("BELLRINGER__LEASES__HEARTBEAT_INTERVAL", "1s"),
        ("BELLRINGER__SERVER__SHUTDOWN_GRACE", "15s"),
    ];
    if way == Way::Readiness {
        settings.push(("BELLRINGER__SERVER__SHUTDOWN_PAUSE", "1s"));
    }
    service.add(port);
    let process = serve(database, port, &settings).await;
    eventually("the pod gets connections", || std::future::ready(service.gives_to(port))).await;
    (port, process)
}

fn worker(service: &Service, number: usize) -> Worker {
    let client = Client::builder(service.address()).connect_lazy().unwrap();
    let run = |_: TaskContext, (): ()| async {
        sleep(Duration::from_millis(rand::random_range(20..300))).await;
        Ok::<_, TaskFailure>("done")
    };
    Worker::builder(client)
        .name(format!("worker {number}"))
        .concurrency(50)
        .handler("work", run)
        .handler("ring", run)
        .build()
}

/// Submits tasks, and reads each that it submitted, one call after the other.
async fn submit(address: String, number: usize, enough: CancellationToken) -> Seen {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
    let mut count = 0;
    while !enough.is_cancelled() {
        count += 1;
        let request = pb::SubmitRequest {
            // The handler takes none.
            task: Some(pb::TaskSpec { payload: None, ..make::task() }),
            idempotency_key: format!("{number}/{count}"),
            ..Default::default()
        };
        let submitted = call(&seen, &channel, |mut client| {
            let request = limited(request.clone());
            async move { client.submit(request).await }
        });
        if let Some(answer) = submitted.await {
            let task_id = answer.task_id.clone();
            seen.lock().unwrap().tasks.push(answer.task_id);
            let request = pb::GetTaskRequest { task_id, ..Default::default() };
            call(&seen, &channel, |mut client| {
                let request = limited(request.clone());
                async move { client.get(request).await }
            })
            .await;
        }
        sleep(PACE).await;
    }
    Arc::into_inner(seen).unwrap().into_inner().unwrap()
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(10));
    request
}

/// Makes a call, and repeats it once if need be.
async fn call<T, F>(
    seen: &Mutex<Seen>,
    channel: &Channel,
    make: impl Fn(TaskServiceClient<Channel>) -> F,
) -> Option<T>
where
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let began = Instant::now();
    let mut answer = make(TaskServiceClient::new(channel.clone())).await;
    if let Err(status) = answer {
        seen.lock().unwrap().retries.push(status);
        answer = make(TaskServiceClient::new(channel.clone())).await;
    }
    let mut seen = seen.lock().unwrap();
    seen.calls += 1;
    seen.slowest = seen.slowest.max(began.elapsed());
    match answer {
        Ok(answer) => Some(answer.into_inner()),
        Err(status) => {
            seen.failures.push(status);
            None
        }
    }
}

/// Waits until every acknowledged task has succeeded, and there is no other but those of schedules.
async fn all_finished(database: &mut PgConnection, tasks: &[String]) {
    let mut finished: i64 = 0;
    for _ in 0..600 {
        finished = sqlx::query_scalar(
            "select count(*) from result where id::text = any($1) and state = 5",
        )
        .bind(tasks)
        .fetch_one(&mut *database)
        .await
        .unwrap();
        if usize::try_from(finished) == Ok(tasks.len()) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(usize::try_from(finished).unwrap(), tasks.len(), "acknowledged tasks are lost");
    let all: i64 = sqlx::query_scalar(
        "select count(*) from task t join lane l on l.id = t.lane where l.kind = 'work'",
    )
    .fetch_one(database)
    .await
    .unwrap();
    assert_eq!(usize::try_from(all).unwrap(), tasks.len(), "a repeated call made a second task");
}

async fn leases_lost(database: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from attempt where outcome = $1")
        .bind(i16::try_from(i32::from(pb::AttemptOutcome::LeaseExpired)).unwrap())
        .fetch_one(database)
        .await
        .unwrap()
}

/// Seconds between two moments, one after the other, at which something fired.
async fn longest_gap(database: &mut PgConnection) -> f64 {
    sqlx::query_scalar(
        "select coalesce(max(extract(epoch from gap)), 1e9)::float8 from (
             select recorded_at - lag(recorded_at) over (order by recorded_at) as gap
             from fire where outcome = 1) f",
    )
    .fetch_one(database)
    .await
    .unwrap()
}
