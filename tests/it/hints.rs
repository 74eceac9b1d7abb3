//! What replicas tell each other through the database: ids and numbers, and nothing that a caller wrote.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_server::store::Error;
use serde_json::Value;
use sqlx::postgres::PgListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::make::{error, failure, seconds, task, text};
use crate::support::postgres::{fresh_database, store};
use crate::support::process::eventually;
use crate::support::relay::Relay;
use crate::support::watched::MARK;
use crate::support::{Replica, TestServer, Worker};

/// What a message may have; see `server/src/engine/hints.rs`.
const KEYS: [&str; 10] = ["r", "l", "o", "t", "c", "m", "h", "s", "k", "f"];

/// Whether there is nothing in a value but numbers, ids, and yes and no.
fn is_bare(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => Uuid::try_parse(text).is_ok(),
        Value::Array(values) => values.iter().all(is_bare),
        Value::Object(_) => false,
    }
}

/// A task in which everything that a caller can write is marked.
fn marked(n: u32) -> pb::TaskSpec {
    let marked = || format!("{MARK}-{n}");
    pb::TaskSpec {
        queue: format!("{MARK}-queue"),
        kind: marked(),
        version: marked(),
        payload: text(&marked()),
        labels: [(marked(), marked())].into(),
        unique_key: marked(),
        ..Default::default()
    }
}

/// Makes everything happen that replicas tell each other of.
async fn work(test: &TestServer, other: &Replica, round: u32) {
    let queues = vec![format!("{MARK}-queue")];
    let hello = || pb::Hello {
        worker_name: format!("{MARK}-worker"),
        queues: queues.clone(),
        credit: 2,
        ..Default::default()
    };
    let filter = Some(pb::TaskFilter { queue: queues[0].clone(), ..Default::default() });
    let watch = pb::WatchTasksRequest { filter, ..Default::default() };
    let _watch = other.tasks().watch(watch).await.unwrap();
    let mut worker = Worker::hello(other, hello()).await;
    for n in 4 * round..4 * round + 4 {
        test.try_submit(marked(n), &format!("{MARK}-{n}")).await.unwrap();
    }
    let mut ran = worker.assigned().await;
    if ran.len() < 2 {
        ran.extend(worker.assigned().await);
    }
    test.cancel(&ran[1].task_id).await;
    worker.stopped().await;
    worker.succeed(&ran[0], &format!("{MARK} result")).await;
    worker.fail(&ran[1], &format!("{MARK}Error")).await;
    let lease = pb::LeaseRequest {
        worker_name: format!("{MARK}-worker"),
        queues,
        max_tasks: 1,
        wait: seconds(5),
        ..Default::default()
    };
    let leased = other.workers().lease(lease).await.unwrap().into_inner();
    other.workers().fail(failure(leased, error(MARK))).await.unwrap();
    let cron = pb::CronTrigger { expression: "* * * * *".to_owned(), ..Default::default() };
    let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
    let schedule = pb::ScheduleRequest {
        name: format!("{MARK}-schedule"),
        spec: Some(pb::ScheduleSpec {
            times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
            task: Some(pb::TaskSpec { unique_key: String::new(), ..marked(1_000) }),
            description: MARK.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    other.schedules().schedule(schedule).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_by_notify_is_ids_and_numbers_only() {
    let test = TestServer::start().await;
    let mut listener = PgListener::connect(&test.url).await.unwrap();
    listener.listen("bellringer").await.unwrap();
    let other = test.another().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut hearing = JoinSet::new();
    let kept = heard.clone();
    hearing.spawn(async move {
        while let Ok(message) = listener.recv().await {
            kept.lock().unwrap().push(message.payload().to_owned());
        }
    });
    // A replica tells nothing before it knows of others, and nothing of tasks before somebody watches.
    let has = |key: &str| heard.lock().unwrap().iter().any(|told| told.contains(key));
    eventually("the first one knows of the second", || async {
        test.submit(task()).await;
        has("\"l\":")
    })
    .await;
    let kinds = ["\"l\":", "\"t\":", "\"c\":", "\"s\":"];
    for round in 0.. {
        work(&test, &other, round).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        if kinds.iter().all(|kind| has(kind)) {
            break;
        }
        assert!(round < 50, "{heard:?}");
    }
    let heard = heard.lock().unwrap();
    for told in heard.iter() {
        assert!(!told.to_lowercase().contains(MARK), "{told}");
        let message: serde_json::Map<String, Value> = serde_json::from_str(told).unwrap();
        for (key, value) in &message {
            assert!(KEYS.contains(&key.as_str()) && is_bare(value), "{told}");
        }
    }
    println!("{} messages", heard.len());
}

#[tokio::test]
async fn a_listening_connection_that_has_died_silently_is_given_up() {
    let relay = Relay::start(&fresh_database().await).await;
    let store = store(&relay.url, Duration::from_secs(1)).await.unwrap();
    let mut listener = store.listen(Duration::from_millis(50)).await.unwrap();
    // One that lives stays, however little it hears.
    tokio::time::timeout(Duration::from_millis(500), listener.next()).await.unwrap_err();
    relay.fall_silent();
    let lost = tokio::time::timeout(Duration::from_secs(60), listener.next()).await.unwrap();
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
}
