//! How large what is sent may be, and how much of it there may be on a connection: at the limit it passes, past it it
//! is refused or waits, and a flood past it changes nothing.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_client::{Client, NewTask, TaskFailure};
use prost::Message as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::make::{failure, seconds, task};
use crate::support::process::eventually;
use crate::support::{TestServer, Worker, reason};

/// Largest payload and result of the servers here.
const LARGEST: usize = 2 << 10;
const SMALL: &[(&str, &str)] = &[("limits__payload", "2KiB")];

fn bytes(length: usize) -> Option<pb::Payload> {
    let content = Some(pb::payload::Content::Data(vec![7; length].into()));
    Some(pb::Payload { content, ..Default::default() })
}

/// The field of the only thing that is wrong.
fn field(refused: &Status) -> String {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    let mut violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = violations.remove(0);
    assert!(violation.description.contains(&LARGEST.to_string()), "{violation:?}");
    violation.field
}

async fn tasks(test: &TestServer) -> i64 {
    let mut database = test.database().await;
    sqlx::query_scalar("select count(*) from task").fetch_one(&mut database).await.unwrap()
}

#[tokio::test]
async fn a_payload_is_taken_up_to_the_limit_and_a_flood_past_it_leaves_nothing() {
    let test = TestServer::start_with(SMALL).await;
    let id = test.submit(pb::TaskSpec { payload: bytes(LARGEST), ..task() }).await;
    assert_eq!(
        test.get(&id).await.spec.unwrap().payload.unwrap().content,
        bytes(LARGEST).unwrap().content
    );
    for _ in 0..200 {
        let spec = pb::TaskSpec { payload: bytes(LARGEST + 1), ..task() };
        assert_eq!(field(&test.try_submit(spec, "").await.unwrap_err()), "task.payload");
    }
    // As JSON it is as long as it is written: with its quotation marks.
    let json = |length: usize| crate::support::make::text(&"x".repeat(length));
    test.submit(pb::TaskSpec { payload: json(LARGEST - 2), ..task() }).await;
    let spec = pb::TaskSpec { payload: json(LARGEST - 1), ..task() };
    assert_eq!(field(&test.try_submit(spec, "").await.unwrap_err()), "task.payload");
    assert_eq!(tasks(&test).await, 2);
}

#[tokio::test]
async fn a_result_is_taken_up_to_the_limit_and_past_it_the_attempt_goes_on() {
    let test = TestServer::start_with(SMALL).await;
    let id = test.submit(task()).await;
    let leased = test.lease(1).await;
    let complete = |length: usize| {
        let request = pb::CompleteRequest {
            session_token: leased.session_token.clone(),
            task_id: id.clone(),
            attempt: 1,
            result: bytes(length),
            ..Default::default()
        };
        let mut workers = test.workers();
        async move { workers.complete(request).await }
    };
    for _ in 0..100 {
        assert_eq!(field(&complete(LARGEST + 1).await.unwrap_err()), "result");
    }
    assert_eq!(test.state(&id).await, pb::TaskState::Running);
    complete(LARGEST).await.unwrap();
    assert_eq!(test.finished(&id).await.result.unwrap().content, bytes(LARGEST).unwrap().content);

    // The same over a stream, which goes on as well.
    let mut worker = Worker::connect(&test.replica, 1).await;
    test.submit(task()).await;
    let assigned = worker.task().await;
    let succeeded = |length| Outcome::Succeeded(pb::Succeeded { result: bytes(length) });
    let ack = worker.report(&assigned, succeeded(LARGEST + 1)).await;
    assert_eq!(ack.reason(), pb::ErrorReason::InvalidArgument, "{}", ack.message);
    assert!(ack.message.contains("result") && ack.message.contains("2048"), "{}", ack.message);
    let ack = worker.report(&assigned, succeeded(LARGEST)).await;
    assert_eq!(ack.reason(), pb::ErrorReason::Unspecified, "{}", ack.message);
}

#[tokio::test]
async fn a_result_nested_too_deep_for_a_message_comes_as_text_or_fails_its_task_alone() {
    let test = TestServer::start().await;
    let server = format!("http://{}", test.replica.app.local_addr());
    let client = Client::connect(server).await.unwrap();
    let worker = bellringer_client::Worker::builder(client.clone())
        .handler("echo", |_, value: serde_json::Value| async { Ok::<_, TaskFailure>(value) })
        .raw_handler("raw", |_, _| async {
            let deep = (0..40).fold(prost_types::Value::default(), |value, _| object(value));
            let content = Some(pb::payload::Content::Json(deep));
            Ok(Some(pb::Payload { content, ..Default::default() }))
        })
        .build();
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(worker.run(stop.clone()));

    let raw = client.submit(NewTask::new("raw")).await.unwrap();
    let failed = client.wait(&raw.task_id, Duration::from_secs(20)).await.unwrap();
    assert_eq!(failed.state(), pb::TaskState::Failed, "{failed:?}");
    let deep = (0..40).fold(serde_json::json!(1), |value, _| serde_json::json!({ "a": value }));
    let echo = client.submit(NewTask::new("echo").json(&deep).unwrap()).await.unwrap();
    let result = client.wait_result::<serde_json::Value>(&echo.task_id, Duration::from_secs(20));
    assert_eq!(result.await.unwrap(), deep);
    stop.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();
}

/// An object with this value in it.
fn object(value: prost_types::Value) -> prost_types::Value {
    let fields = [("a".to_owned(), value)].into();
    let object = prost_types::Struct { fields };
    prost_types::Value { kind: Some(prost_types::value::Kind::StructValue(object)) }
}

#[tokio::test]
async fn the_text_of_an_error_is_cut_at_a_character() {
    const MESSAGE: usize = 4 << 10;
    const DETAIL: usize = 32 << 10;
    let test = TestServer::start().await;
    for (message, detail, kept) in [
        ("x".repeat(MESSAGE), "y".repeat(DETAIL), (MESSAGE, DETAIL)),
        ("x".repeat(MESSAGE + 1), "y".repeat(DETAIL + 1), (MESSAGE, DETAIL)),
        // Of two bytes and four: the limit is in the middle of a character.
        (
            format!("x{}", "ä".repeat(MESSAGE)),
            format!("y{}", "😀".repeat(DETAIL)),
            (MESSAGE - 1, DETAIL - 3),
        ),
        ("x".repeat(1 << 20), "y".repeat(2 << 20), (MESSAGE, DETAIL)),
    ] {
        let id = test.submit(task()).await;
        let leased = test.lease(1).await;
        let error = pb::TaskError {
            r#type: "Broken".to_owned(),
            message: message.clone(),
            detail: detail.clone(),
        };
        let fail = pb::FailRequest { non_retryable: true, ..failure(leased, Some(error)) };
        test.workers().fail(fail).await.unwrap();
        let told = test.finished(&id).await.error.unwrap();
        assert_eq!((told.message.len(), told.detail.len()), kept);
        assert!(message.starts_with(&told.message) && detail.starts_with(&told.detail));
    }
}

#[tokio::test]
async fn an_answer_is_never_larger_than_sixteen_mebibytes() {
    const LARGEST: usize = 16 << 20;
    let test = TestServer::start().await;
    for _ in 0..20 {
        test.submit(pb::TaskSpec { payload: bytes(1_000_000), ..task() }).await;
    }
    let list = |page_size: u32| {
        let view = pb::TaskView::Full.into();
        let request = pb::ListTasksRequest { view, page_size, ..Default::default() };
        // This client would take anything.
        let mut tasks = test.tasks().max_decoding_message_size(usize::MAX);
        async move { tasks.list(request).await }
    };
    assert_eq!(list(16).await.unwrap().into_inner().tasks.len(), 16);
    for _ in 0..5 {
        let told = list(20).await;
        let size = told.as_ref().map(|answer| answer.get_ref().encoded_len());
        assert!(size.is_err() || size.is_ok_and(|size| size <= LARGEST), "{size:?}");
        println!("{:?}", told.map(|answer| answer.get_ref().tasks.len()));
    }
    list(16).await.unwrap();
}

#[tokio::test]
async fn a_connection_has_so_many_streams_and_those_past_it_wait() {
    let test = TestServer::start_with(&[("limits__streams_per_connection", "4")]).await;
    let watch = || {
        let filter = Some(pb::TaskFilter::default());
        let request = pb::WatchTasksRequest { filter, ..Default::default() };
        let mut tasks = test.tasks();
        async move { Ok::<_, Status>(tasks.watch(request).await?.into_inner()) }
    };
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(watch().await.unwrap());
    }
    // A client that keeps to HTTP/2 does not even send them.
    let mut past = JoinSet::new();
    for _ in 0..50 {
        past.spawn(watch());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(past.try_join_next().is_none(), "a fifth stream was opened");
    // Others have a connection of their own.
    let other = test.another().await;
    other.queues().list(pb::ListQueuesRequest::default()).await.unwrap();
    drop(open);
    for _ in 0..50 {
        past.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Reads a watch to its end: whether anything was idle, the last token, and why it ended.
async fn to_the_end(
    mut watch: tonic::Streaming<pb::WatchTasksResponse>,
) -> (usize, String, Status) {
    let (mut bookmarks, mut token) = (0, String::new());
    loop {
        match watch.message().await {
            Ok(Some(event)) => {
                bookmarks += usize::from(event.event() == pb::WatchEvent::Bookmark);
                token = event.resume_token;
            }
            Ok(None) => panic!("it ended without saying why"),
            Err(status) => return (bookmarks, token, status),
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_idle_says_so_and_ends_with_a_place_to_go_on_from_when_it_has_lived_long_enough()
 {
    let settings = [
        ("server__stream_lifetime", "2s"),
        ("server__connection_age_grace", "1s"),
        ("watch__bookmark_interval", "200ms"),
    ];
    let test = TestServer::start_with(&settings).await;
    let id = test.submit(task()).await;
    let watch = |resume_token: String| {
        let request = pb::WatchTasksRequest {
            task_ids: vec![id.clone()],
            resume_token,
            ..Default::default()
        };
        let mut tasks = test.tasks();
        async move { tasks.watch(request).await.unwrap().into_inner() }
    };
    let begun = tokio::time::Instant::now();
    let mut worker = Worker::connect(&test.replica, 0).await;
    let (bookmarks, token, ended) = to_the_end(watch(String::new()).await).await;
    let lived = begun.elapsed();
    assert_eq!(ended.code(), Code::Unavailable, "{ended:?}");
    assert!(bookmarks >= 3 && !token.is_empty(), "{bookmarks} bookmarks");
    assert!(lived >= Duration::from_millis(1_800), "after {lived:?}");
    assert_eq!(worker.ended().await.code(), Code::Unavailable);

    // Nothing of what came between is missed.
    test.cancel(&id).await;
    let mut again = watch(token).await;
    let cancelled = loop {
        let event = again.message().await.unwrap().expect("the end of the task");
        if let Some(task) = event.task {
            break task.state() == pb::TaskState::Cancelled;
        }
    };
    assert!(cancelled);
}

#[tokio::test]
async fn a_watcher_within_its_buffer_misses_nothing_and_one_past_it_is_ended() {
    // Nobody reads while this many tasks come: what fits is kept, what does not ends the watch.
    for (tasks, fits) in [(12_u32, true), (400, false)] {
        let test = TestServer::start_with(&[("watch__buffer", "16")]).await;
        let filter = Some(pb::TaskFilter { kind: "work".to_owned(), ..Default::default() });
        let request =
            pb::WatchTasksRequest { filter, view: pb::TaskView::Full.into(), ..Default::default() };
        let mut watch = test.tasks().watch(request).await.unwrap().into_inner();
        for _ in 0..tasks {
            test.submit(pb::TaskSpec { payload: bytes(200_000), ..task() }).await;
        }
        let mut seen = 0;
        let ended = loop {
            let next = tokio::time::timeout(Duration::from_secs(20), watch.message()).await;
            match next.expect("it goes on or ends") {
                Ok(Some(event)) => seen += u32::from(event.task.is_some()),
                Ok(None) => panic!("it ended without saying why"),
                Err(status) => break Some(status),
            }
            if fits && seen == tasks {
                break None;
            }
        };
        assert_eq!(ended.as_ref().map(reason), (!fits).then(|| "SLOW_CONSUMER".to_owned()));
    }
}

#[tokio::test]
async fn a_lease_waits_no_longer_than_it_may() {
    let test = TestServer::start().await;
    let lease = |wait: i64| {
        let request = pb::LeaseRequest { max_tasks: 1, wait: seconds(wait), ..Default::default() };
        let mut workers = test.workers();
        async move { workers.lease(request).await }
    };
    lease(3_600).await.unwrap_err();
    eventually("the server is as before", || async { lease(0).await.is_ok() }).await;
}
