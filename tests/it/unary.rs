//! Workers without a stream: `Lease`, `Heartbeat`, `Complete`.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::payload::Content;
use bellringer_server::clock::Clock as _;
use jiff_sqlx::ToSqlx as _;
use tokio::task::JoinSet;

use crate::support::TestServer;
use crate::support::make::{seconds, task};
use crate::support::process::eventually;

#[tokio::test]
async fn who_waits_for_tasks_keeps_the_session_and_gets_them_with_a_whole_lease() {
    let test = TestServer::start().await;
    let mut workers = test.workers();
    let request = pb::LeaseRequest { max_tasks: 1, wait: seconds(60), ..Default::default() };
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { workers.lease(request).await.unwrap().into_inner() });
    let engine = test.replica.app.engine();
    eventually("the call waits", async || engine.workers.connected() == 1).await;
    let left = "select extract(epoch from expires_at - $1)::float8 from worker_session";
    for _ in 0..3 {
        test.clock.advance(Duration::from_secs(20));
        eventually("its waiting is a sign of life", async || {
            let left = sqlx::query_scalar::<_, f64>(left).bind(test.clock.now().to_sqlx());
            left.fetch_one(&mut test.database().await).await.unwrap() > 25.0
        })
        .await;
        engine.upkeep.reap_once(true).await.unwrap();
    }
    let id = test.submit(task()).await;
    let leased = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(leased.assignments[0].task_id, id);
    test.advance(Duration::from_secs(25)).await;
    let beat = pb::HeartbeatRequest {
        session_token: leased.session_token.clone(),
        running: vec![pb::AttemptProgress { task_id: id, attempt: 1, ..Default::default() }],
        ..Default::default()
    };
    let answer = test.workers().heartbeat(beat).await.unwrap().into_inner();
    assert!(answer.stops.is_empty());
}

#[tokio::test]
async fn an_answer_has_no_more_tasks_than_a_client_can_read_and_the_others_stay_ready() {
    let test = TestServer::start().await;
    let content = Content::Data(vec![7; 900_000].into());
    let payload = Some(pb::Payload { content: Some(content), content_type: String::new() });
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(test.submit(pb::TaskSpec { payload: payload.clone(), ..task() }).await);
    }
    let leased = test.lease(10).await.assignments;
    let (taken, left) = ids.split_at(leased.len());
    assert_eq!(leased.len(), 3, "of 900 KB each");
    assert!(leased.iter().map(|task| &task.task_id).eq(taken));
    for id in left {
        let task = test.get(id).await;
        assert_eq!((task.state(), task.tries), (pb::TaskState::Ready, 0));
    }
    // One that is too large for it alone is answered alone.
    assert_eq!(test.lease(1).await.assignments.len(), 1);
}
