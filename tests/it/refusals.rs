//! Calls that are refused before the server has read them leave the connection, and the other calls on it, alone.

use bellringer_api::v1 as pb;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::make::task;
use crate::support::{TestServer, reason};

/// Submits so many tasks at once over one connection, with so many bytes each, and answers with the refusals.
async fn refused(test: &TestServer, calls: usize, bytes: usize) -> Vec<(Code, String)> {
    let mut task = task();
    task.payload = Some(pb::Payload {
        content: Some(pb::payload::Content::Data(vec![0; bytes].into())),
        content_type: String::new(),
    });
    let mut all = JoinSet::new();
    for _ in 0..calls {
        let mut tasks = test.tasks();
        let request = pb::SubmitRequest { task: Some(task.clone()), ..Default::default() };
        all.spawn(async move { tasks.submit(request).await });
    }
    let answers = all.join_all().await.into_iter();
    answers.filter_map(Result::err).map(|status| (status.code(), reason(&status))).collect()
}

#[tokio::test]
async fn a_connection_outlives_any_number_of_refused_calls() {
    let settings =
        [("rates__limit", "on"), ("rates__per_caller", "1"), ("rates__per_caller_burst", "1")];
    let test = TestServer::start_with(&settings).await;
    let refused = refused(&test, 2_000, 20_000).await;
    assert!(refused.len() > 1_900, "{}", refused.len());
    for refusal in refused {
        assert_eq!(refusal, (Code::ResourceExhausted, "RATE_LIMITED".to_owned()));
    }
}
