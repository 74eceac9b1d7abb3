//! Secrets and contents of tasks stay where they belong: known texts go in by every door, at the most
//! talkative level of the log, and are looked for in everything that comes out for others than their owner.

use std::process::{Command, Stdio};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::queue_service_client::QueueServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Request, Response, Status};

use crate::support::make::{error, seconds, task, text};
use crate::support::postgres::fresh_database;
use crate::support::process::{Process, eventually, free_port, program};
use crate::support::tls::{Authority, Secret};

const PASSWORD: &str = "canary-password-5b1e";
const API_KEY: &str = "brk_0123456789abcdef_canary-key-9f27";
const PAYLOAD: &str = "canary-payload-77c3";
const LABEL: &str = "canary-label-0d4a";
const KEY: &str = "canary-idempotency-61f8";
const FORGED: &str = "x\r\n{\"level\":\"ERROR\",\"forged\":true}\n\u{1b}[31m";
const CANARIES: [&str; 5] = [PASSWORD, "canary-key-9f27", PAYLOAD, LABEL, KEY];

type Authenticated = InterceptedService<Channel, fn(Request<()>) -> Result<Request<()>, Status>>;

fn with_key(mut request: Request<()>) -> Result<Request<()>, Status> {
    let value = format!("Bearer {API_KEY}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

/// Everything that was told to somebody who should not be told.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    /// An error is told to its caller, and often kept by others.
    fn error<T>(&mut self, answer: Result<Response<T>, Status>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer.into_inner()),
            Err(status) => {
                let details = String::from_utf8_lossy(status.details()).into_owned();
                self.0.push(format!("{status:?} {} {details}", status.message()));
                None
            }
        }
    }
}

fn spec() -> pb::TaskSpec {
    let labels = [("team".to_owned(), LABEL.to_owned())].into();
    pb::TaskSpec { payload: text(PAYLOAD), labels, ..task() }
}

/// Calls of every kind, good and bad.
async fn calls(connection: Authenticated) -> Told {
    let mut told = Told::default();
    let mut tasks = TaskServiceClient::new(connection.clone());
    let mut workers = WorkerServiceClient::new(connection.clone());
    let mut schedules = ScheduleServiceClient::new(connection.clone());
    let mut queues = QueueServiceClient::new(connection);

    let submit = |task: pb::TaskSpec| pb::SubmitRequest {
        task: Some(task),
        idempotency_key: KEY.to_owned(),
        ..Default::default()
    };
    let submitted = told.error(tasks.submit(submit(spec())).await).unwrap();
    let task_id = submitted.task_id;
    // The same key with something else, and everything wrong at once.
    let other = pb::TaskSpec { payload: text(&format!("{PAYLOAD} 2")), ..spec() };
    told.error(tasks.submit(submit(other)).await);
    let many = (0..100).map(|n| (format!("{LABEL}{n}"), LABEL.to_owned())).collect();
    told.error(tasks.submit(submit(pb::TaskSpec { labels: many, ..spec() })).await);
    let large = text(&PAYLOAD.repeat(100_000));
    told.error(tasks.submit(submit(pb::TaskSpec { payload: large, ..spec() })).await);
    for name in [FORGED, "\0"] {
        let named = pb::TaskSpec { queue: name.to_owned(), kind: name.to_owned(), ..spec() };
        told.error(tasks.submit(submit(named)).await.map(|_| Response::new(())));
    }
    let items = vec![
        pb::SubmitBatchItem { task: Some(spec()), ..Default::default() },
        pb::SubmitBatchItem { task: Some(pb::TaskSpec::default()), ..Default::default() },
    ];
    told.error(tasks.submit_batch(pb::SubmitBatchRequest { items, ..Default::default() }).await);

    let filter = pb::TaskFilter {
        labels: [("team".to_owned(), LABEL.to_owned())].into(),
        ..Default::default()
    };
    let list = pb::ListTasksRequest { filter: Some(filter.clone()), ..Default::default() };
    told.error(tasks.list(list.clone()).await);
    told.error(tasks.list(pb::ListTasksRequest { page_token: PAYLOAD.to_owned(), ..list }).await);
    let watch = pb::WatchTasksRequest { filter: Some(filter), ..Default::default() };
    let mut events = told.error(tasks.watch(watch).await).unwrap();
    events.message().await.unwrap();

    let lease =
        pb::LeaseRequest { worker_name: FORGED.to_owned(), max_tasks: 1, ..Default::default() };
    told.error(workers.lease(lease).await);
    let lease = pb::LeaseRequest { max_tasks: 2, wait: seconds(5), ..Default::default() };
    let leased = told.error(workers.lease(lease).await).unwrap();
    let session_token = leased.session_token;
    for (n, assigned) in leased.assignments.iter().enumerate() {
        let progress = pb::AttemptProgress {
            task_id: assigned.task_id.clone(),
            attempt: assigned.attempt,
            ..Default::default()
        };
        let beat = pb::HeartbeatRequest {
            session_token: session_token.clone(),
            running: vec![progress],
            ..Default::default()
        };
        told.error(workers.heartbeat(beat).await);
        let (task_id, attempt) = (assigned.task_id.clone(), assigned.attempt);
        if n == 0 {
            let complete = pb::CompleteRequest {
                session_token: session_token.clone(),
                task_id,
                attempt,
                result: text(PAYLOAD),
                ..Default::default()
            };
            told.error(workers.complete(complete.clone()).await);
            let other = pb::CompleteRequest { result: text(&format!("{PAYLOAD} 2")), ..complete };
            told.error(workers.complete(other).await);
        } else {
            let failed =
                error("broken").map(|e| pb::TaskError { message: PAYLOAD.to_owned(), ..e });
            let fail = pb::FailRequest {
                session_token: session_token.clone(),
                task_id,
                attempt,
                error: failed,
                ..Default::default()
            };
            told.error(workers.fail(fail).await);
        }
    }
    let reason = FORGED.to_owned();
    told.error(
        tasks
            .cancel(pb::CancelTaskRequest {
                task_id: task_id.clone(),
                reason,
                ..Default::default()
            })
            .await,
    );
    let retry = pb::RetryTaskRequest { task_id, ..Default::default() };
    told.error(tasks.retry(retry).await);

    let times = pb::ScheduleTimes::default();
    let spec = pb::ScheduleSpec { times: Some(times), task: Some(spec()), ..Default::default() };
    for name in ["nightly", FORGED] {
        let request = pb::ScheduleRequest {
            name: name.to_owned(),
            spec: Some(spec.clone()),
            ..Default::default()
        };
        told.error(schedules.schedule(request).await);
    }
    let note = FORGED.to_owned();
    let pause = pb::PauseQueueRequest { queue: "default".to_owned(), note, ..Default::default() };
    told.error(queues.pause(pause).await);
    told
}

/// What a port tells over HTTP.
async fn metrics(port: u16) -> String {
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_contents_of_tasks_are_found_nowhere_else() {
    let (authority, folder) = (Authority::new("one"), tempfile::tempdir().unwrap());
    let certified = authority.server();
    let secret = Secret::new(&[("tls.crt", &certified.cert), ("tls.key", &certified.key)]);
    let key_line = certified.key.lines().nth(1).unwrap().to_owned();
    // Any password will do where the database trusts this machine.
    let (scheme, rest) = fresh_database()
        .await
        .split_once("://")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (user, rest) = rest.split_once('@').unwrap_or(("postgres", &rest));
    let user = user.split(':').next().unwrap();
    let database = format!("{scheme}://{user}:{PASSWORD}@{rest}");
    for format in ["json", "text"] {
        let (port, metrics_port) = (free_port(), free_port());
        let path = folder.path().join(format!("{format}.log"));
        let log = std::fs::File::create(&path).unwrap();
        let environment = [
            ("BELLRINGER_DATABASE_URL", database.clone()),
            ("BELLRINGER__STORE__DIRECT_URL", database.clone()),
            ("BELLRINGER__SERVER__LISTEN", format!("127.0.0.1:{port}")),
            ("BELLRINGER__SERVER__METRICS_LISTEN", format!("127.0.0.1:{metrics_port}")),
            ("BELLRINGER__TLS__CERT_FILE", secret.path("tls.crt")),
            ("BELLRINGER__TLS__KEY_FILE", secret.path("tls.key")),
            ("BELLRINGER__LOG__LEVEL", "trace".to_owned()),
            ("BELLRINGER__LOG__FORMAT", format.to_owned()),
        ];
        let mut told = Vec::new();
        let shown = Command::new(program("bellringer"))
            .arg("check-config")
            .envs(environment.clone())
            .output()
            .unwrap();
        assert!(shown.status.success());
        told.extend([shown.stdout, shown.stderr].map(|out| String::from_utf8(out).unwrap()));

        let mut server = Process::start_with_log(
            Command::new(program("bellringer"))
                .arg("serve")
                .envs(environment)
                .stdout(Stdio::null()),
            log,
        );
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority.pem()))
            .domain_name("localhost");
        let endpoint = Channel::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap();
        eventually("the server listens", || async { endpoint.connect().await.is_ok() }).await;
        let channel = endpoint.connect().await.unwrap();
        let intercept = with_key as fn(Request<()>) -> Result<Request<()>, Status>;
        told.extend(calls(InterceptedService::new(channel, intercept)).await.0);
        told.push(metrics(metrics_port).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.signal(Signal::TERM);
        server.exit_code().await;

        let log = std::fs::read_to_string(&path).unwrap();
        let lines = log.lines().count();
        for line in log.lines() {
            let is_event = match format {
                "json" => serde_json::from_str::<serde_json::Value>(line).is_ok(),
                _ => line.as_bytes().first().is_some_and(u8::is_ascii_digit),
            };
            assert!(is_event, "a line that is no event: {line}");
        }
        assert!(!log.contains('\u{1b}'), "escape sequences");
        told.push(log);
        let mut hits = Vec::new();
        for canary in CANARIES.into_iter().chain([key_line.as_str()]) {
            for line in told.iter().flat_map(|text| text.lines()).filter(|l| l.contains(canary)) {
                hits.push(format!("{canary} in {}", line.chars().take(600).collect::<String>()));
            }
        }
        println!(
            "{format}: {} hits in {lines} lines of log and {} answers",
            hits.len(),
            told.len()
        );
        assert!(hits.is_empty(), "{hits:#?}");
    }
}
