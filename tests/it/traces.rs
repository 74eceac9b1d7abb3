//! Traces: from the submitter through the stored task to the worker and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_client::{Client, NewTask, RetryPolicy};
use bellringer_server::clock::SystemClock;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::collector::{Collector, Seen, text, tree};
use crate::support::postgres::fresh_database;
use crate::support::process::Process;
use crate::support::{Replica, TestServer, Worker, make};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// The Python that `tests/clients` uses; `None`, with a word of why, where there is none.
#[expect(clippy::print_stderr, reason = "said loudly")]
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ready =
        Command::new(root.join("tests/clients/python/ready")).stderr(Stdio::piped()).output();
    match ready {
        Ok(ready) if ready.status.success() => {
            Some(PathBuf::from(String::from_utf8(ready.stdout).unwrap().trim()))
        }
        Ok(ready) => {
            eprintln!(
                "SKIPPED the trace of a worker in another language: no Python: {}",
                String::from_utf8_lossy(&ready.stderr)
            );
            None
        }
        Err(error) => {
            eprintln!("SKIPPED the trace of a worker in another language: no Python: {error}");
            None
        }
    }
}

fn one<'t>(trace: &'t [Seen], name: &str) -> &'t Seen {
    let mut found = trace.iter().filter(|seen| seen.span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in\n{}", tree(trace)));
    assert!(found.next().is_none(), "two of {name} in\n{}", tree(trace));
    first
}

fn assert_below(trace: &[Seen], child: &str, parent: &str) {
    let (child_span, parent_span) = (&one(trace, child).span, &one(trace, parent).span);
    let is_below = child_span.parent_span_id == parent_span.span_id;
    assert!(is_below, "{child} is not below {parent} in\n{}", tree(trace));
}

fn with_context<T>(message: T, traceparent: &'static str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", MetadataValue::from_static(traceparent));
    request
}

fn submission(task: pb::TaskSpec) -> pb::SubmitRequest {
    pb::SubmitRequest { task: Some(task), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_shows_a_task_from_its_submitter_to_a_worker_in_another_language() {
    let Some(python) = python() else { return };
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
    let clock = Arc::new(SystemClock);
    let replica = Replica::start(&fresh_database().await, clock, &settings).await;
    let server = format!("http://{}", replica.app.local_addr());
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&collector.endpoint)
        .build()
        .unwrap();
    let shop = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("shop").build())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(shop.tracer("shop"));
    let subscriber = tracing_subscriber::registry().with(layer);

    let submitting = async {
        let client = Client::connect(server.clone()).await.unwrap();
        let order = tracing::info_span!("checkout");
        let retry = RetryPolicy::new().backoff(Duration::from_millis(50), Duration::from_secs(1));
        let task = NewTask::new("charge-card").retry(retry);
        client.submit(task).instrument(order).await.unwrap()
    };
    submitting.with_subscriber(subscriber).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut worker = Process::start(
        Command::new(python)
            .arg(root.join("tests/clients/python/traced_worker.py"))
            .env("PYTHONPATH", root.join("client/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BELLRINGER_SERVER", &server)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
    );
    assert_eq!(worker.exit_code().await, Some(0));
    tokio::task::spawn_blocking(move || shop.shutdown().unwrap()).await.unwrap();

    let names =
        ["checkout", "bellringer.v1.TaskService/Submit", "attempt 2", "report", "task charge-card"];
    let trace = collector.trace_with(&names).await;
    println!("{}", tree(&trace));
    assert_below(&trace, "bellringer.v1.TaskService/Submit", "checkout");
    assert_below(&trace, "task charge-card", "bellringer.v1.TaskService/Submit");
    assert_below(&trace, "attempt 1", "task charge-card");
    assert_below(&trace, "attempt 2", "task charge-card");
    let workers = |attempt: &str| {
        let id = &one(&trace, attempt).span.span_id;
        trace
            .iter()
            .filter(|s| s.service == "python-worker" && s.span.parent_span_id == *id)
            .count()
    };
    assert_eq!((workers("attempt 1"), workers("attempt 2")), (1, 1));
    let failed = &one(&trace, "attempt 1").span;
    assert_eq!(failed.status.as_ref().unwrap().message, "CARD_DECLINED");
    assert_eq!(text(&failed.attributes, "bellringer.outcome"), "failed");
    let whole = one(&trace, "task charge-card");
    assert_eq!(text(&whole.span.attributes, "bellringer.state"), "succeeded");
    let waits = trace.iter().filter(|seen| seen.span.name == "wait");
    assert_eq!(waits.count(), 2, "before each attempt");
}

#[tokio::test]
async fn what_is_not_recorded_makes_no_span_and_goes_to_the_worker_as_it_came() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let mut worker = Worker::connect(&test.replica, 1).await;

    let request = with_context(submission(make::task()), UNSAMPLED);
    test.tasks().submit(request).await.unwrap();
    let task = worker.task().await;
    worker.succeed(&task, "done").await;
    assert_eq!(task.traceparent, UNSAMPLED);

    // A trace that is recorded comes after it, so that nothing of the first is still on its way.
    worker.grant(1).await;
    test.tasks().submit(with_context(submission(make::task()), SAMPLED)).await.unwrap();
    let task = worker.task().await;
    worker.succeed(&task, "done").await;
    let trace = collector.trace_with(&["attempt 1", "report"]).await;
    assert_eq!(trace.iter().filter(|seen| seen.span.name == "attempt 1").count(), 1);
    assert!(task.traceparent.ends_with("-01"));
    let attempt: String =
        one(&trace, "attempt 1").span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(task.traceparent.contains(&attempt), "the worker goes on from its attempt");
}

#[tokio::test]
async fn a_batch_that_is_not_recorded_makes_no_spans() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let item = || pb::SubmitBatchItem { task: Some(make::task()), ..Default::default() };
    let batch = pb::SubmitBatchRequest {
        items: (0..1_000).map(|_| item()).collect(),
        ..Default::default()
    };
    test.tasks().submit_batch(with_context(batch, UNSAMPLED)).await.unwrap();
    let leased = test.lease(1_000).await.assignments;
    assert!(leased.iter().all(|task| task.traceparent == UNSAMPLED));
    test.tasks().submit(with_context(submission(make::task()), SAMPLED)).await.unwrap();
    collector.trace_with(&["bellringer.v1.TaskService/Submit"]).await;
    let names: Vec<String> = collector.seen().into_iter().map(|seen| seen.span.name).collect();
    assert!(!names.iter().any(|name| name.contains("Batch")), "{names:?}");
}

#[tokio::test]
async fn a_server_without_a_collector_hands_contexts_on() {
    let test = TestServer::start().await;
    test.tasks().submit(with_context(submission(make::task()), SAMPLED)).await.unwrap();
    let own = pb::TaskSpec { traceparent: UNSAMPLED.to_owned(), ..make::task() };
    test.tasks().submit(with_context(submission(own), SAMPLED)).await.unwrap();
    test.tasks().submit(with_context(submission(make::task()), "nonsense")).await.unwrap();

    let leased = test.lease(3).await.assignments;
    let mut contexts: Vec<String> = leased.into_iter().map(|task| task.traceparent).collect();
    contexts.sort();
    // What the task itself says is stronger than what came with the call.
    assert_eq!(contexts, ["", UNSAMPLED, SAMPLED]);
}

#[tokio::test]
async fn a_task_that_is_delayed_for_long_has_a_trace_of_its_own_with_a_link() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let delay = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    let late = pb::TaskSpec { delay, ..make::task() };
    let request = with_context(submission(late), SAMPLED);
    let id = test.tasks().submit(request).await.unwrap().into_inner().task_id;
    test.advance(Duration::from_secs(3_601)).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let task = worker.task().await;
    worker.succeed(&task, "done").await;

    let trace = collector.trace_with(&["wait", "attempt 1", "report"]).await;
    let whole = trace.iter().find(|seen| seen.span.name.starts_with("task ")).unwrap();
    assert!(whole.span.parent_span_id.is_empty() || whole.span.parent_span_id == [0; 8]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&whole.span.trace_id), id.replace('-', ""));
    assert_eq!(hex(&whole.span.links[0].trace_id), &SAMPLED[3..35]);
}

#[tokio::test]
async fn an_attempt_that_ends_on_another_replica_is_traced_once() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
    let other = Replica::start(&test.url, Arc::new(test.clock.clone()), &settings).await;
    test.tasks().submit(with_context(submission(make::task()), SAMPLED)).await.unwrap();
    let mut first = Worker::connect(&test.replica, 1).await;
    let task = first.task().await;
    let mut second = Worker::hello(&other, first.resume(&[&task], 0)).await;
    second.succeed(&task, "done").await;

    let trace = collector.trace_with(&["wait", "attempt 1", "report"]).await;
    one(&trace, "attempt 1");
}

#[tokio::test]
async fn a_task_that_is_cancelled_while_it_waits_is_traced_to_its_end() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let request = with_context(submission(make::task()), SAMPLED);
    let id = test.tasks().submit(request).await.unwrap().into_inner().task_id;
    test.clock.advance(Duration::from_secs(1));
    test.cancel(&id).await;

    let name = format!("task {}", make::task().kind);
    let trace = collector.trace_with(&["wait", &name]).await;
    let whole = one(&trace, &name);
    assert_eq!(text(&whole.span.attributes, "bellringer.state"), "cancelled");
    assert!(!trace.iter().any(|seen| seen.span.name.starts_with("attempt")));
}

#[tokio::test]
async fn a_fire_of_a_schedule_begins_a_trace_of_its_own() {
    let collector = Collector::start().await;
    let test = TestServer::start_traced(&collector).await;
    let cron = pb::CronTrigger { expression: "* * * * *".to_owned(), ..Default::default() };
    let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
    let times =
        pb::ScheduleTimes { triggers: vec![trigger], zone: "UTC".to_owned(), ..Default::default() };
    let spec =
        pb::ScheduleSpec { times: Some(times), task: Some(make::task()), ..Default::default() };
    let request =
        pb::ScheduleRequest { name: "nightly".to_owned(), spec: Some(spec), ..Default::default() };
    test.schedules().schedule(request).await.unwrap();
    test.advance_through(Duration::from_secs(60)).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let task = worker.task().await;
    worker.succeed(&task, "done").await;

    let trace = collector.trace_with(&["fire", "wait", "attempt 1", "report"]).await;
    let name = format!("task {}", make::task().kind);
    assert_below(&trace, &name, "fire");
    assert_below(&trace, "attempt 1", &name);
    assert_eq!(&task.traceparent[3..35], task.task_id.replace('-', ""));
}
