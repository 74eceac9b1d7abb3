//! SIGTERM: what happens in which order, and that the process ends in time whoever holds on to it.

use std::process::Command;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::make;
use crate::support::postgres::fresh_database;
use crate::support::process::{Process, address, eventually, free_port, health, program, serve};
use crate::support::replicas::leader;

/// What a process may take longer than its grace on a loaded machine.
const SLACK: Duration = Duration::from_secs(2);

/// The order of events; G-13 for who fires meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_turns_red_and_resigns_first_and_serves_on_for_its_pause() {
    let database = fresh_database().await;
    let (one, two) = (free_port(), free_port());
    let settings = [
        ("BELLRINGER__SERVER__SHUTDOWN_PAUSE", "3s"),
        ("BELLRINGER__SERVER__SHUTDOWN_GRACE", "10s"),
        ("BELLRINGER__SERVER__NAME", "first"),
    ];
    let mut first = serve(&database, one, &settings).await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    eventually_led_by("first", &mut connection).await;
    let _second = serve(&database, two, &[("BELLRINGER__SERVER__NAME", "second")]).await;
    let mut tasks = TaskServiceClient::connect(address(one)).await.unwrap();
    let mut workers = WorkerServiceClient::connect(address(one)).await.unwrap();

    let began = Instant::now();
    first.signal(Signal::TERM);
    let url = address(one);
    eventually("readiness is red", || async {
        health(&url, "").await == Some(ServingStatus::NotServing)
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(2), "red after {:?}", began.elapsed());
    assert_eq!(health(&url, "liveness").await, Some(ServingStatus::Serving));
    let submit = pb::SubmitRequest { task: Some(make::task()), ..Default::default() };
    tasks.submit(submit).await.unwrap();
    let lease = pb::LeaseRequest { wait: make::seconds(1), ..Default::default() };
    let leased = workers.lease(lease).await.unwrap().into_inner();
    assert_eq!(leased.assignments.len(), 1, "nothing was leased in the pause");
    eventually_led_by("second", &mut connection).await;

    assert_eq!(first.exit_code().await, Some(0));
    assert!(began.elapsed() >= Duration::from_secs(3), "it did not wait for its pause");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

async fn eventually_led_by(name: &str, database: &mut PgConnection) {
    let limit = Instant::now() + Duration::from_secs(20);
    while leader(database).await.is_none_or(|(leader, _)| leader != name) {
        assert!(Instant::now() < limit, "{name} does not lead");
        sleep(Duration::from_millis(50)).await;
    }
}

/// One that connects and says nothing, one that has a call open and hears no GOAWAY, one that reads
/// nothing of its watch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_hang_up_do_not_keep_a_server_from_stopping() {
    let database = fresh_database().await;
    let port = free_port();
    let grace = Duration::from_secs(4);
    let mut server = serve(&database, port, &[("BELLRINGER__SERVER__SHUTDOWN_GRACE", "4s")]).await;
    let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut deaf = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    open_a_call(&mut deaf, "/bellringer.v1.TaskService/Submit").await;
    let mut blind = TaskServiceClient::connect(address(port)).await.unwrap();
    let filter = Some(pb::TaskFilter { queue: "default".to_owned(), ..Default::default() });
    let request = pb::WatchTasksRequest { filter, ..Default::default() };
    let _unread = blind.watch(request).await.unwrap();

    let began = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code().await, Some(0));
    assert!(began.elapsed() < grace + SLACK, "{:?}", began.elapsed());
    println!("stopped after {:?} of {grace:?}", began.elapsed());
}

/// Begins a call over HTTP/2 by hand, and never ends it.
async fn open_a_call(connection: &mut TcpStream, path: &str) {
    let mut headers = vec![0x83, 0x86]; // :method POST, :scheme http
    for (name, value) in [(0x04, path), (0x01, "test")] {
        headers.extend([name, u8::try_from(value.len()).unwrap()]); // :path, :authority
        headers.extend(value.as_bytes());
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        headers.push(0);
        for text in [name, value] {
            headers.push(u8::try_from(text.len()).unwrap());
            headers.extend(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]); // SETTINGS, empty
    bytes.extend([0, 0, u8::try_from(headers.len()).unwrap(), 1, 4, 0, 0, 0, 1]); // HEADERS, not the last
    bytes.extend(headers);
    connection.write_all(&bytes).await.unwrap();
    // The server's settings: it has understood.
    let mut answer = [0; 9];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[3], 4, "no HTTP/2 is spoken");
}

/// The last resort: nothing that hangs can hold it up, here a start that waits for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_gone_when_its_grace_is_over() {
    let database = fresh_database().await;
    let mut holder = PgConnection::connect(&database).await.unwrap();
    let mut locked = holder.begin().await.unwrap();
    sqlx::query("lock table _sqlx_migrations in access exclusive mode")
        .execute(&mut *locked)
        .await
        .unwrap();
    let mut server = Process::start(
        Command::new(program("bellringer"))
            .args(["serve", "--listen", &format!("127.0.0.1:{}", free_port())])
            .env("BELLRINGER_DATABASE_URL", &database)
            .env("BELLRINGER__STORE__MIGRATE", "true")
            .env("BELLRINGER__SERVER__SHUTDOWN_GRACE", "1s"),
    );
    let mut observer = PgConnection::connect(&database).await.unwrap();
    for _ in 0..400 {
        let waits: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock')",
        )
        .fetch_one(&mut observer)
        .await
        .unwrap();
        if waits {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }

    let began = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code().await, Some(1));
    assert!(began.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", began.elapsed());
}
