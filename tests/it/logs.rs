//! The log: what stands in it, and what never does.

use std::path::Path;
use std::process::{Command, Stdio};

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use serde_json::Value;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::collector::Collector;
use crate::support::make;
use crate::support::postgres::fresh_database;
use crate::support::process::{Process, address, eventually, free_port, health, program};
use crate::support::watched;

/// Stands in everything that is secret, or nobody's business but the caller's.
pub(crate) const CANARY: &str = "cAnArY-4711";
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// `bellringer serve`, with a log of JSON in a file.
pub(crate) struct Logged {
    process: Process,
    channel: Channel,
    folder: tempfile::TempDir,
}

impl Logged {
    pub(crate) async fn start(database: &str, settings: &[(&str, &str)]) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Process::start_with_log(
            Command::new(program("bellringer"))
                .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
                .env("BELLRINGER_DATABASE_URL", database)
                .env("BELLRINGER__LOG__FORMAT", "json")
                .env("BELLRINGER__LOG__LEVEL", "info,bellringer_server=debug")
                .envs(settings.iter().copied())
                .stdout(Stdio::null()),
            log,
        );
        let url = address(port);
        eventually("the server is ready", || async {
            health(&url, "").await == Some(tonic_health::ServingStatus::Serving.into())
        })
        .await;
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { process, channel, folder }
    }

    /// Stops the server and answers with the lines of its log.
    pub(crate) async fn stop(mut self) -> (String, Vec<Value>) {
        self.process.signal(rustix::process::Signal::TERM);
        assert_eq!(self.process.exit_code().await, Some(0));
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        watched::look_through("a server", &text);
        let lines = text.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
        });
        let lines = lines.collect();
        (text, lines)
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone())
    }

    fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone())
    }
}

/// A call as a program makes it that takes part in traces and has a token.
pub(crate) fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
    metadata.insert("x-request-id", "request-1".parse().unwrap());
    metadata.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
    request
}

pub(crate) fn submission(task: pb::TaskSpec, key: &str) -> pb::SubmitRequest {
    pb::SubmitRequest { task: Some(task), idempotency_key: key.to_owned(), ..Default::default() }
}

pub(crate) fn log_id(status: &Status) -> String {
    status.get_details_error_info().unwrap().metadata["log_id"].clone()
}

#[tokio::test]
async fn nothing_secret_stands_in_the_log_or_in_traces() {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
    // The password counts for nothing here, and is still one.
    let database =
        fresh_database().await.replacen("bellringer@", &format!("bellringer:{CANARY}@"), 1);
    let server = Logged::start(&database, &settings).await;
    let task = || pb::TaskSpec {
        payload: make::text(CANARY),
        labels: [("secret".to_owned(), CANARY.to_owned())].into(),
        retry: make::retry(1, 1),
        ..make::task()
    };
    for _ in 0..2 {
        server.tasks().submit(call(submission(task(), ""))).await.unwrap();
    }
    let leased = pb::LeaseRequest { max_tasks: 2, wait: make::seconds(5), ..Default::default() };
    let leased = server.workers().lease(call(leased)).await.unwrap().into_inner();
    let (session_token, ran) = (leased.session_token, leased.assignments);
    let beat = pb::HeartbeatRequest {
        session_token: session_token.clone(),
        running: vec![pb::AttemptProgress {
            task_id: ran[0].task_id.clone(),
            attempt: 1,
            progress: Some(pb::Progress { message: CANARY.to_owned(), ..Default::default() }),
            checkpoint: Some(CANARY.into()),
        }],
        ..Default::default()
    };
    server.workers().heartbeat(call(beat)).await.unwrap();
    let done = pb::CompleteRequest {
        session_token: session_token.clone(),
        task_id: ran[0].task_id.clone(),
        attempt: 1,
        result: make::text(CANARY),
        ..Default::default()
    };
    server.workers().complete(call(done.clone())).await.unwrap();
    let failed = pb::FailRequest {
        session_token: session_token.clone(),
        task_id: ran[1].task_id.clone(),
        attempt: 1,
        error: Some(pb::TaskError { message: CANARY.to_owned(), ..make::error("Boom").unwrap() }),
        ..Default::default()
    };
    server.workers().fail(call(failed)).await.unwrap();
    let late = pb::CompleteRequest { task_id: ran[1].task_id.clone(), ..done };
    server.workers().complete(call(late)).await.unwrap_err();
    let bad = pb::TaskSpec { queue: format!("{CANARY}!"), ..task() };
    server.tasks().submit(call(submission(bad, ""))).await.unwrap_err();

    collector.trace_with(&["attempt 1", "report", "task work"]).await;
    let (text, _) = server.stop().await;
    let traces = format!("{:?}", collector.seen());
    for (what, shown) in [("the log", text), ("traces", traces)] {
        assert!(!shown.contains(CANARY), "{what}: {shown}");
        assert!(!shown.contains(&session_token), "{what} tells the session's token");
    }
}

#[tokio::test]
async fn an_internal_error_is_found_in_the_log_by_its_id_and_by_those_of_the_call() {
    let database = fresh_database().await;
    let server = Logged::start(&database, &[]).await;
    {
        use sqlx::Connection as _;
        let mut connection = sqlx::PgConnection::connect(&database).await.unwrap();
        sqlx::query("drop table idempotency_key").execute(&mut connection).await.unwrap();
    }
    let status = server.tasks().submit(call(submission(make::task(), "key"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("idempotency_key"), "says nothing of the cause");

    let log_id = log_id(&status);
    let (_, lines) = server.stop().await;
    let told: Vec<&Value> =
        lines.iter().filter(|line| line["fields"]["log_id"] == log_id.as_str()).collect();
    let of = |message: &str| {
        let mut of = told.iter().filter(|line| line["fields"]["message"] == message);
        of.next().unwrap_or_else(|| panic!("no line {message:?} in {told:?}"))
    };
    let cause = of("a statement failed")["fields"]["error"].as_str().unwrap();
    assert!(cause.contains("idempotency_key"), "{cause}");
    let span = &of("a call was answered INTERNAL")["span"];
    assert_eq!(span["method"], "/bellringer.v1.TaskService/Submit");
    assert_eq!((&span["trace_id"], &span["request_id"]), (&TRACE.into(), &"request-1".into()));
}

#[test]
fn every_event_of_the_log_is_in_the_runbook() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("server");
    let runbook = std::fs::read_to_string(root.join("RUNBOOK.md")).unwrap();
    let mut count = 0;
    for file in sources(&root.join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for level in ["info", "warn", "error"] {
            let begin = format!("tracing::{level}!(");
            for call in text.split(&begin).skip(1) {
                let Some(message) = message(call) else { continue };
                count += 1;
                let entry = format!("`{message}`");
                assert!(runbook.contains(&entry), "{}: no entry for {message:?}", file.display());
            }
        }
    }
    assert!(count > 40, "only {count} events were found");
}

/// The last text among the arguments of a call of a macro; `None` if it is the caller's.
fn message(call: &str) -> Option<String> {
    let (mut depth, mut texts, mut text) = (1, Vec::new(), None::<String>);
    let mut chars = call.chars();
    while depth > 0 {
        let next = chars.next().expect("a whole call");
        match (&mut text, next) {
            (Some(inner), '\\') => match chars.next().expect("a whole text") {
                '\n' => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                escaped => inner.push(escaped),
            },
            (Some(_), '"') => texts.extend(text.take()),
            (Some(inner), other) => inner.push(other),
            (None, '"') => text = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    texts.pop().filter(|text| !text.starts_with('{'))
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false => found.extend(path.extension().is_some_and(|end| end == "rs").then_some(path)),
        }
    }
    found
}
