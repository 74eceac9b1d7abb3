//! A task that comes alone has statements of its own. They leave the same rows as those for many.

use bellringer_api::v1 as pb;
use serde_json::Value;

use crate::express::{warm, was_express};
use crate::metrics::Told;
use crate::support::make::{retry, seconds, task, text};
use crate::support::{TestServer, Worker};

/// The row of a task in a table, without what makes it another task's.
async fn row(test: &TestServer, table: &str, id: &str) -> Option<Value> {
    let text = format!(
        "select to_jsonb(t) - '{{id,xid,unique_key,idempotency_key}}'::text[] from {table} t where id = $1::uuid"
    );
    let reading = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).bind(id);
    reading.fetch_optional(&mut test.database().await).await.unwrap()
}

/// Submits a task alone and the same twice in a batch, each with keys of its own if the first has one.
async fn submit(test: &TestServer, spec: &pb::TaskSpec) -> [String; 3] {
    let numbered = |n: u32| {
        let mut spec = spec.clone();
        if !spec.unique_key.is_empty() {
            spec.unique_key += &n.to_string();
        }
        let key = if spec.unique_key.is_empty() { String::new() } else { format!("request {n}") };
        (spec, key)
    };
    let (first, key) = numbered(1);
    let alone = test.try_submit(first, &key).await.unwrap().task_id;
    let item = |n| {
        let (task, idempotency_key) = numbered(n);
        pb::SubmitBatchItem { task: Some(task), idempotency_key }
    };
    let request = pb::SubmitBatchRequest { items: vec![item(2), item(3)], ..Default::default() };
    let answer = test.tasks().submit_batch(request).await.unwrap().into_inner();
    let mut ids = answer.results.into_iter().map(|result| match result.result.unwrap() {
        pb::submit_batch_result::Result::Submitted(submitted) => submitted.task_id,
        pb::submit_batch_result::Result::Error(error) => panic!("{error:?}"),
    });
    [alone, ids.next().unwrap(), ids.next().unwrap()]
}

/// Whether the rows of the three in a table are the same, and there.
async fn assert_alike(test: &TestServer, tables: &[&str], [alone, second, third]: &[String; 3]) {
    for table in tables {
        let expected = row(test, table, second).await;
        assert!(expected.is_some(), "nothing in {table}");
        assert_eq!(row(test, table, third).await, expected, "{table}");
        assert_eq!(row(test, table, alone).await, expected, "{table}");
    }
}

fn specs() -> [pb::TaskSpec; 3] {
    let full = pb::TaskSpec {
        version: "v2".to_owned(),
        payload: text("in"),
        labels: [("customer".to_owned(), "7".to_owned())].into(),
        priority: Some(9),
        attempt_timeout: seconds(30),
        total_timeout: seconds(300),
        expire_at: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
        retry: retry(7, 1),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        ..task()
    };
    let keyed = pb::TaskSpec { unique_key: "key ".to_owned(), ..task() };
    [task(), full, keyed]
}

#[tokio::test]
async fn a_task_alone_waits_as_one_of_many_does() {
    let test = TestServer::start().await;
    for spec in specs() {
        let ids = submit(&test, &spec).await;
        assert_alike(&test, &["task", "ready"], &ids).await;
    }
}

#[tokio::test]
async fn a_task_alone_is_leased_and_ends_as_one_of_many_does() {
    let test = TestServer::start().await;
    // So many places that a look, for which half of them is kept, leaves enough.
    let mut worker = Worker::connect(&test.replica, 8).await;
    for spec in specs() {
        warm(&test, &mut worker).await;
        let ids = submit(&test, &pb::TaskSpec { version: String::new(), ..spec }).await;
        let mut held = Vec::new();
        while held.len() < 3 {
            held.extend(worker.assigned().await);
        }
        for id in &ids {
            assert!(was_express(&test, id).await);
        }
        assert_alike(&test, &["task", "inflight"], &ids).await;

        let report = |held: &pb::Assignment| pb::AttemptReport {
            task_id: held.task_id.clone(),
            attempt: held.attempt,
            outcome: Some(pb::attempt_report::Outcome::Succeeded(pb::Succeeded {
                result: text("out"),
            })),
        };
        let (alone, others): (Vec<_>, Vec<_>) =
            held.iter().partition(|held| held.task_id == ids[0]);
        for reports in [alone, others] {
            worker.report_all(reports.into_iter().map(report).collect()).await;
        }
        assert_alike(&test, &["result"], &ids).await;
        assert_eq!(row(&test, "inflight", &ids[0]).await, None);
    }
    let told = Told::by(&test).await;
    for statement in ["tasks/submit_one", "tasks/submit", "tasks/complete_one"] {
        let times = told.sum("bellringer_statement_seconds_count", &[("statement", statement)]);
        assert!(times > 0.0, "{statement}");
    }
    let keys: i64 = sqlx::query_scalar("select count(*) from unique_key")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap();
    assert_eq!(keys, 0, "all were given back");
}
