//! How often who may call: past the rate a call is refused before anything is done, and others do not notice.

use std::time::Duration;

use bellringer_api::v1 as pb;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::support::make::task;
use crate::support::{Caller, TestServer, reason};

const KEYS: (&str, &str) = ("auth__mechanisms", "keys");

async fn submit(caller: &Caller, namespace: &str) -> Result<String, Status> {
    let namespace = namespace.to_owned();
    let request = pb::SubmitRequest { namespace, task: Some(task()), ..Default::default() };
    Ok(caller.tasks().submit(request).await?.into_inner().task_id)
}

/// So many submits at once: ids of those that passed, and the errors of the others.
async fn flood(caller: &Caller, namespace: &str, calls: usize) -> (Vec<String>, Vec<Status>) {
    let mut all = JoinSet::new();
    for _ in 0..calls {
        let (caller, namespace) = (caller.clone(), namespace.to_owned());
        all.spawn(async move { submit(&caller, &namespace).await });
    }
    let (mut passed, mut refused) = (Vec::new(), Vec::new());
    for answer in all.join_all().await {
        match answer {
            Ok(id) => passed.push(id),
            Err(status) => refused.push(status),
        }
    }
    (passed, refused)
}

/// That calls were refused for their number, of this subject, and when there is room again.
fn assert_limited(refused: &[Status], of: &str) {
    for status in refused {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(reason(status), "RATE_LIMITED");
        let quota = status.get_details_quota_failure().unwrap();
        assert_eq!(quota.violations[0].subject, of);
        let after = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(after > Duration::ZERO && after <= Duration::from_secs(1), "{after:?}");
    }
}

async fn count(test: &TestServer) -> i64 {
    let mut database = test.database().await;
    sqlx::query_scalar("select count(*) from task").fetch_one(&mut database).await.unwrap()
}

#[tokio::test]
async fn g_21_a_caller_that_calls_too_often_is_refused_before_any_write_and_others_are_not() {
    let rates = [KEYS, ("rates__per_caller", "1"), ("rates__per_caller_burst", "10")];
    let test = TestServer::start_with(&rates).await;
    let (one, other) =
        (test.caller("acme", &["submitter"]).await, test.caller("acme", &["submitter"]).await);
    // At the limit.
    let (passed, refused) = flood(&one, "acme", 10).await;
    assert!(passed.len() == 10 && refused.is_empty(), "{refused:?}");
    // Past it, and far past it.
    let (passed, refused) = flood(&one, "acme", 300).await;
    assert!(passed.len() <= 5, "{} of 300 passed", passed.len());
    assert_limited(&refused, "caller");
    let in_all = 10 + i64::try_from(passed.len()).unwrap();
    assert_eq!(count(&test).await, in_all, "a refused call wrote something");
    submit(&other, "acme").await.unwrap();
    // Whoever waits as it is told passes.
    let after = refused[0].get_details_retry_info().unwrap().retry_delay.unwrap();
    tokio::time::sleep(after + Duration::from_millis(50)).await;
    submit(&one, "acme").await.unwrap();
}

#[tokio::test]
async fn g_21_a_namespace_has_a_rate_whoever_calls_and_others_do_not_notice() {
    let rates = [KEYS, ("rates__per_namespace", "1"), ("rates__per_namespace_burst", "6")];
    let test = TestServer::start_with(&rates).await;
    let mut refused = Vec::new();
    for _ in 0..3 {
        let caller = test.caller("acme", &["submitter"]).await;
        refused.extend(flood(&caller, "acme", 6).await.1);
    }
    assert!(refused.len() >= 8, "{} of 18 were refused", refused.len());
    assert_limited(&refused, "namespace");
    let other = test.caller("other", &["submitter"]).await;
    submit(&other, "other").await.unwrap();
}

#[tokio::test]
async fn who_tries_wrong_keys_is_soon_not_listened_to() {
    let rates = [KEYS, ("rates__per_source", "1"), ("rates__per_source_burst", "5")];
    let test = TestServer::start_with(&rates).await;
    let guess = "brk_0123456789abcdef_0123456789012345678901234567890123456789012";
    let guesser = Caller::new(&test.replica, Some(guess));
    let (mut told, mut limited) = (0, Vec::new());
    for _ in 0..50 {
        let status = submit(&guesser, "acme").await.unwrap_err();
        match status.code() {
            Code::Unauthenticated => told += 1,
            _ => limited.push(status),
        }
    }
    assert!((5..15).contains(&told) && limited.len() > 30, "{told} were looked at");
    assert_limited(&limited, "address");
}

#[tokio::test]
async fn calls_without_a_credential_have_a_rate_by_address() {
    let rates = [KEYS, ("rates__per_source", "1"), ("rates__per_source_burst", "4")];
    let test = TestServer::start_with(&rates).await;
    let mut health = HealthClient::new(test.replica.channel.clone());
    let mut refused = Vec::new();
    for _ in 0..30 {
        refused.extend(health.check(HealthCheckRequest::default()).await.err());
    }
    assert!(refused.len() >= 20, "{} of 30 were refused", refused.len());
    assert_limited(&refused, "address");
    // Who shows a key is not meant.
    let caller = test.caller("acme", &["submitter"]).await;
    submit(&caller, "acme").await.unwrap();
}

#[tokio::test]
async fn where_nobody_is_asked_who_they_are_calls_are_counted_on_demand_only() {
    let few = [("rates__per_caller", "1"), ("rates__per_caller_burst", "5")];
    let free = TestServer::start_with(&few).await;
    let anyone = Caller::new(&free.replica, None);
    assert!(flood(&anyone, "acme", 200).await.1.is_empty());
    let counted = TestServer::start_with(&[few[0], few[1], ("rates__limit", "on")]).await;
    let anyone = Caller::new(&counted.replica, None);
    let (passed, refused) = flood(&anyone, "acme", 200).await;
    assert!(passed.len() < 20, "{} passed", passed.len());
    assert_limited(&refused, "caller");
}

#[tokio::test]
async fn g_21_a_caller_has_so_many_streams_and_no_more() {
    let settings = [KEYS, ("limits__streams_per_caller", "3")];
    let test = TestServer::start_with(&settings).await;
    let (one, other) =
        (test.caller("acme", &["ns-admin"]).await, test.caller("acme", &["ns-admin"]).await);
    let watch = |caller: &Caller| {
        let filter = Some(pb::TaskFilter::default());
        let namespace = "acme".to_owned();
        let request = pb::WatchTasksRequest { namespace, filter, ..Default::default() };
        let mut tasks = caller.tasks();
        async move { Ok::<_, Status>(tasks.watch(request).await?.into_inner()) }
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(watch(&one).await.unwrap());
    }
    for _ in 0..100 {
        let status = watch(&one).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(reason(&status), "LIMIT_REACHED");
        assert!(status.get_details_retry_info().is_some());
    }
    watch(&other).await.unwrap();
    open.pop();
    crate::support::process::eventually("the place is free again", || async {
        watch(&one).await.is_ok()
    })
    .await;
}
