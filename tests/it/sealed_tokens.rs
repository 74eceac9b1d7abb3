//! Tokens that clients keep: they serve the query they were given for, on every replica, and nothing else.

use std::time::Duration;

use bellringer_api::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::make::task;
use crate::support::{Replica, TestServer};

/// What a token becomes that was changed on the way, or is not ours.
fn made_up(token: &str) -> Vec<String> {
    let mut all =
        vec!["!".to_owned(), "AAAA".to_owned(), "A".repeat(10_000), token[1..].to_owned()];
    // As they were before they were sealed: version 1, fingerprint, where to go on.
    all.push("MSBBQUFBQUFBQUFBQUEgMDE5MWQwYzA".to_owned());
    for at in (0..token.len()).step_by(3) {
        let other = if token.as_bytes()[at] == b'B' { "C" } else { "B" };
        let mut changed = token.to_owned();
        changed.replace_range(at..=at, other);
        all.push(changed);
    }
    all
}

fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str, what: &str) {
    let status = answer.expect_err(what);
    assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
    let bad = status.get_details_bad_request().unwrap();
    assert_eq!(bad.field_violations[0].field, field, "{what}");
}

async fn list(
    replica: &Replica,
    namespace: &str,
    kind: &str,
    page_token: &str,
) -> Result<pb::ListTasksResponse, Status> {
    let filter = pb::TaskFilter { kind: kind.to_owned(), ..Default::default() };
    let request = pb::ListTasksRequest {
        namespace: namespace.to_owned(),
        filter: Some(filter),
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    Ok(replica.tasks().list(request).await?.into_inner())
}

#[tokio::test]
async fn a_page_token_serves_its_query_on_every_replica_and_no_other_query() {
    let test = TestServer::start().await;
    let other = test.another().await;
    for _ in 0..3 {
        test.submit(task()).await;
    }
    let kind = task().kind;
    let first = list(&test.replica, "default", &kind, "").await.unwrap();
    let token = first.next_page_token;
    let second = list(&other, "default", &kind, &token).await.unwrap();
    assert!(second.tasks.len() == 1 && second.tasks[0].id < first.tasks[0].id);

    for wrong in made_up(&token) {
        assert_refused(list(&other, "default", &kind, &wrong).await, "page_token", &wrong);
    }
    assert_refused(list(&other, "tenant", &kind, &token).await, "page_token", "another namespace");
    assert_refused(list(&other, "default", "x", &token).await, "page_token", "another filter");
    let request =
        pb::ListSchedulesRequest { page_token: token.clone(), page_size: 1, ..Default::default() };
    let schedules = test.replica.schedules().list(request).await;
    assert_refused(schedules, "page_token", "another list");
    let request = pb::ListQueuesRequest { page_token: token, page_size: 1, ..Default::default() };
    assert_refused(test.replica.queues().list(request).await, "page_token", "another list");
}

async fn watch(
    replica: &Replica,
    namespace: &str,
    kind: &str,
    token: &str,
) -> Result<String, Status> {
    let filter = pb::TaskFilter { kind: kind.to_owned(), ..Default::default() };
    let request = pb::WatchTasksRequest {
        namespace: namespace.to_owned(),
        filter: Some(filter),
        resume_token: token.to_owned(),
        ..Default::default()
    };
    let mut events = replica.tasks().watch(request).await?.into_inner();
    let event = tokio::time::timeout(Duration::from_secs(20), events.message()).await;
    Ok(event.expect("an event in time")?.unwrap().resume_token)
}

#[tokio::test]
async fn a_resume_token_serves_its_watch_on_every_replica_and_no_other_watch() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let id = test.submit(task()).await;
    let kind = task().kind;
    let token = watch(&test.replica, "default", &kind, "").await.unwrap();
    watch(&other, "default", &kind, &token).await.unwrap();

    for wrong in made_up(&token) {
        assert_refused(watch(&other, "default", &kind, &wrong).await, "resume_token", &wrong);
    }
    assert_refused(watch(&other, "tenant", &kind, &token).await, "resume_token", "a namespace");
    assert_refused(watch(&other, "default", "x", &token).await, "resume_token", "another filter");
    let request =
        pb::WatchTasksRequest { task_ids: vec![id], resume_token: token, ..Default::default() };
    assert_refused(test.replica.tasks().watch(request).await, "resume_token", "other tasks");
}
