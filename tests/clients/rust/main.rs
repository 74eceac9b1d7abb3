//! The scenario of `tests/clients/README.md`, with nothing but the generated stubs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "prints a line for each step")]

use std::collections::HashMap;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use bellringer_api::v1::{
    AttemptOutcome, AttemptReport, CancelTaskRequest, ErrorReason, GetTaskRequest, Goodbye, Hello,
    Payload, Report, SubmitRequest, Succeeded, Task, TaskSpec, TaskState, WatchEvent,
    WatchTasksRequest, WatchTasksResponse, WorkRequest, WorkResponse, attempt_report, payload,
    task_service_client::TaskServiceClient, work_request, work_response,
    worker_service_client::WorkerServiceClient,
};
use prost_types::{Struct, Value, value};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

/// For everything.
const LIMIT: Duration = Duration::from_secs(60);
const KIND: &str = "scenario.greet";

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = tokio::time::timeout(LIMIT, scenario()).await;
    match outcome.unwrap_or_else(|_| Err(anyhow!("not done after {LIMIT:?}"))) {
        Ok(()) => {
            println!("PASS rust");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("FAIL rust: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn scenario() -> anyhow::Result<()> {
    let server = env::var("BELLRINGER_SERVER").context("BELLRINGER_SERVER is not set")?;
    let channel = Endpoint::new(server)?.connect().await?;
    let queue = format!("clients-rust-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let mut tasks = TaskServiceClient::new(channel.clone());
    submit_watch_and_run(&mut tasks, channel, &queue).await?;
    cancel_waiting(&mut tasks, &queue).await?;
    read_rich_errors(&mut tasks).await
}

async fn submit_watch_and_run(
    tasks: &mut TaskServiceClient<Channel>,
    channel: Channel,
    queue: &str,
) -> anyhow::Result<()> {
    let labels = HashMap::from([("language".to_owned(), "rust".to_owned())]);
    let spec =
        TaskSpec { payload: Some(json("name", "rust")), labels: labels.clone(), ..spec(queue) };
    let task_id = submit(tasks, spec).await?;
    println!("submit: {task_id}");

    let request = WatchTasksRequest { task_ids: vec![task_id.clone()], ..Default::default() };
    let mut watch = tasks.watch(request).await?.into_inner();
    let first = watch.message().await?.context("the watch ended at once")?;
    ensure!(first.event() == WatchEvent::Snapshot, "the watch began with {:?}", first.event());
    let snapshot = first.task.context("a snapshot without a task")?;
    ensure!(snapshot.state() == TaskState::Ready, "snapshot: {:?}", snapshot.state());
    println!("watch: snapshot, {:?}", snapshot.state());

    run_one(WorkerServiceClient::new(channel), queue, &task_id).await.context("work")?;
    until_final(watch, snapshot).await.context("watch")?;

    let request = GetTaskRequest { task_id, ..Default::default() };
    let task = tasks.get(request).await?.into_inner().task.context("no task")?;
    ensure!(task.result == Some(json("greeting", "hello, rust")), "result: {:?}", task.result);
    let outcomes: Vec<_> = task.attempts.iter().map(|attempt| attempt.outcome()).collect();
    ensure!(outcomes == [AttemptOutcome::Succeeded], "attempts: {outcomes:?}");
    ensure!(task.spec.is_some_and(|spec| spec.labels == labels), "labels");
    println!("get: result, attempts and labels are there");
    Ok(())
}

/// Reads the watch to its end, which must come after the final state.
async fn until_final(
    mut watch: Streaming<WatchTasksResponse>,
    mut seen: Task,
) -> anyhow::Result<()> {
    while let Some(message) = watch.message().await? {
        ensure!(!message.resume_token.is_empty(), "no resume token");
        if message.event() != WatchEvent::Change {
            continue;
        }
        let task = message.task.context("a change without a task")?;
        ensure!(task.revision > seen.revision, "the revision did not rise");
        seen = task;
    }
    ensure!(seen.state() == TaskState::Succeeded, "last seen: {:?}", seen.state());
    println!("watch: {:?}, the stream ended", seen.state());
    Ok(())
}

/// Is a worker for one task.
async fn run_one(
    mut workers: WorkerServiceClient<Channel>,
    queue: &str,
    task_id: &str,
) -> anyhow::Result<()> {
    let (requests, receiver) = mpsc::channel(4);
    let hello = Hello {
        worker_name: "rust scenario".to_owned(),
        queues: vec![queue.to_owned()],
        kinds: vec![KIND.to_owned()],
        credit: 1,
        ..Default::default()
    };
    // Before the call: it is answered only after the first message.
    requests.send(request(work_request::Message::Hello(hello))).await?;
    let mut responses = workers.work(ReceiverStream::new(receiver)).await?.into_inner();

    let welcome = match receive(&mut responses).await? {
        work_response::Message::Welcome(welcome) => welcome,
        other => bail!("expected welcome, got {other:?}"),
    };
    ensure!(!welcome.session_token.is_empty(), "welcome without a session token");
    println!("work: welcome, leases last {} s", welcome.lease_duration.unwrap_or_default().seconds);

    let assigned = match receive(&mut responses).await? {
        work_response::Message::Assign(assign) => assign.assignments,
        other => bail!("expected assign, got {other:?}"),
    };
    let [assigned] = &assigned[..] else { bail!("expected one assignment, got {assigned:?}") };
    ensure!(assigned.task_id == task_id, "assigned {}", assigned.task_id);
    ensure!((assigned.attempt, assigned.tries) == (1, 1), "not the first attempt");
    ensure!(assigned.payload == Some(json("name", "rust")), "payload: {:?}", assigned.payload);
    println!("work: assigned attempt {} of {}", assigned.attempt, assigned.task_id);

    let succeeded = Succeeded { result: Some(json("greeting", "hello, rust")) };
    let report = AttemptReport {
        task_id: assigned.task_id.clone(),
        attempt: assigned.attempt,
        outcome: Some(attempt_report::Outcome::Succeeded(succeeded)),
    };
    let report = Report { reports: vec![report], ..Default::default() };
    requests.send(request(work_request::Message::Report(report))).await?;
    let acks = match receive(&mut responses).await? {
        work_response::Message::Acks(acks) => acks.acks,
        other => bail!("expected acks, got {other:?}"),
    };
    let [ack] = &acks[..] else { bail!("expected one ack, got {acks:?}") };
    ensure!(ack.task_id == task_id && ack.attempt == 1, "the ack names another attempt: {ack:?}");
    ensure!(ack.reason() == ErrorReason::Unspecified, "refused: {ack:?}");
    println!("work: reported success, acked");

    requests.send(request(work_request::Message::Goodbye(Goodbye {}))).await?;
    let after = responses.message().await?;
    ensure!(after.is_none(), "after goodbye: {after:?}");
    println!("work: goodbye, the stream ended");
    Ok(())
}

async fn receive(
    responses: &mut Streaming<WorkResponse>,
) -> anyhow::Result<work_response::Message> {
    let response = responses.message().await?.context("the work stream ended")?;
    response.message.context("an empty message")
}

async fn cancel_waiting(tasks: &mut TaskServiceClient<Channel>, queue: &str) -> anyhow::Result<()> {
    let hour = prost_types::Duration { seconds: 3600, nanos: 0 };
    let task_id = submit(tasks, TaskSpec { delay: Some(hour), ..spec(queue) }).await?;
    let request = CancelTaskRequest {
        task_id: task_id.clone(),
        reason: "scenario".to_owned(),
        ..Default::default()
    };
    let cancelled = tasks.cancel(request).await?.into_inner().task.context("no task")?;
    ensure!(cancelled.state() == TaskState::Cancelled, "answered {:?}", cancelled.state());
    let request = GetTaskRequest { task_id, ..Default::default() };
    let task = tasks.get(request).await?.into_inner().task.context("no task")?;
    ensure!(task.state() == TaskState::Cancelled, "after the cancel: {:?}", task.state());
    println!("cancel: {:?}", task.state());
    Ok(())
}

async fn read_rich_errors(tasks: &mut TaskServiceClient<Channel>) -> anyhow::Result<()> {
    let bad = TaskSpec { queue: "a bad name!".to_owned(), ..Default::default() };
    let answer = tasks.submit(SubmitRequest { task: Some(bad), ..Default::default() }).await;
    let details = refused(answer, Code::InvalidArgument, "INVALID_ARGUMENT")?;
    let violations = &details.bad_request().context("no BadRequest")?.field_violations;
    let mut fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    for field in ["task.kind", "task.queue"] {
        ensure!(fields.contains(&field), "violations on {fields:?}");
    }
    println!("error: INVALID_ARGUMENT, violations on {}", fields.join(", "));

    let unknown = GetTaskRequest { task_id: Uuid::now_v7().to_string(), ..Default::default() };
    refused(tasks.get(unknown).await, Code::NotFound, "TASK_NOT_FOUND")?;
    println!("error: NOT_FOUND, TASK_NOT_FOUND");
    Ok(())
}

/// Checks that a call failed as it must, and answers with the details.
fn refused<T>(
    answer: Result<Response<T>, Status>,
    code: Code,
    reason: &str,
) -> anyhow::Result<ErrorDetails> {
    let Err(status) = answer else { bail!("expected {code:?}, but the call was answered") };
    ensure!(status.code() == code, "expected {code:?}, got {status}");
    let details = status.get_error_details();
    let info = details.error_info().context("no ErrorInfo")?;
    ensure!(info.domain == "bellringer.v1" && info.reason == reason, "error info: {info:?}");
    Ok(details)
}

async fn submit(tasks: &mut TaskServiceClient<Channel>, spec: TaskSpec) -> anyhow::Result<String> {
    let request = SubmitRequest { task: Some(spec), ..Default::default() };
    let submitted = tasks.submit(request).await?.into_inner();
    ensure!(submitted.created, "the task was not created");
    Ok(submitted.task_id)
}

fn spec(queue: &str) -> TaskSpec {
    TaskSpec { queue: queue.to_owned(), kind: KIND.to_owned(), ..Default::default() }
}

fn request(message: work_request::Message) -> WorkRequest {
    WorkRequest { message: Some(message) }
}

/// The payload `{key: text}`.
fn json(key: &str, text: &str) -> Payload {
    let text = Value { kind: Some(value::Kind::StringValue(text.to_owned())) };
    let object = Struct { fields: [(key.to_owned(), text)].into() };
    let object = Value { kind: Some(value::Kind::StructValue(object)) };
    Payload { content: Some(payload::Content::Json(object)), ..Default::default() }
}
