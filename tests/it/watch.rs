//! Watching: G-16.

use std::collections::HashMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use tonic::{Status, Streaming};

use crate::support::make::{retry, seconds, task};
use crate::support::{Replica, TestServer, Worker, reason};

const PATIENCE: Duration = Duration::from_secs(20);

struct Watching {
    stream: Streaming<pb::WatchTasksResponse>,
    revisions: HashMap<String, i64>,
    token: String,
}

impl Watching {
    async fn begin(replica: &Replica, request: pb::WatchTasksRequest) -> Self {
        let stream = replica.tasks().watch(request).await.unwrap().into_inner();
        Self { stream, revisions: HashMap::new(), token: String::new() }
    }

    async fn ids(replica: &Replica, ids: &[&str]) -> Self {
        let task_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Self::begin(replica, pb::WatchTasksRequest { task_ids, ..Default::default() }).await
    }

    /// The next message; revisions are checked to rise strictly.
    async fn next(&mut self) -> Result<Option<pb::WatchTasksResponse>, Status> {
        let message = tokio::time::timeout(PATIENCE, self.stream.message()).await;
        let message = message.expect("a message in time")?;
        if let Some(message) = &message {
            self.token.clone_from(&message.resume_token);
            if let Some(task) = &message.task {
                let before = self.revisions.insert(task.id.clone(), task.revision);
                assert!(before.is_none_or(|before| before < task.revision), "{message:?}");
            }
        }
        Ok(message)
    }

    /// Reads until a task is in a state.
    async fn until(&mut self, id: &str, state: pb::TaskState) -> pb::Task {
        loop {
            let message = self.next().await.unwrap().expect("the watch goes on");
            if let Some(task) = message.task
                && task.id == id
                && task.state() == state
            {
                return task;
            }
        }
    }

    async fn snapshot(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let message = self.next().await.unwrap().unwrap();
            match message.event() {
                pb::WatchEvent::SnapshotEnd => return ids,
                _ => ids.extend(message.task.map(|task| task.id)),
            }
        }
    }
}

#[tokio::test]
async fn g_16_a_watch_begins_with_a_snapshot_shows_changes_and_ends_when_all_is_finished() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(2, 0), ..task() }).await;
    let mut watch = Watching::ids(&test.replica, &[&id]).await;
    assert_eq!(watch.snapshot().await, std::slice::from_ref(&id));

    let mut worker = Worker::connect(&test.replica, 2).await;
    let first = worker.task().await;
    watch.until(&id, pb::TaskState::Running).await;
    worker.fail(&first, "boom").await;
    let second = worker.task().await;
    worker.succeed(&second, "done").await;

    let last = watch.until(&id, pb::TaskState::Succeeded).await;
    assert_eq!(last.tries, 2);
    assert!(watch.next().await.unwrap().is_none(), "the stream ends with OK");
}

#[tokio::test]
async fn g_16_a_change_on_another_replica_is_seen() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let id = test.submit(task()).await;
    let mut watch = Watching::ids(&other, &[&id]).await;
    watch.snapshot().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;

    worker.succeed(&attempt, "done").await;

    watch.until(&id, pb::TaskState::Succeeded).await;
}

#[tokio::test]
async fn g_16_a_change_that_nobody_told_of_is_found() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut by_id = Watching::ids(&test.replica, &[&id]).await;
    let kind = pb::TaskFilter { kind: "work".to_owned(), ..Default::default() };
    let request = pb::WatchTasksRequest { filter: Some(kind), ..Default::default() };
    let mut by_filter = Watching::begin(&test.replica, request).await;
    by_id.snapshot().await;
    by_filter.snapshot().await;

    end_unseen(&test, &id).await;

    by_id.until(&id, pb::TaskState::Cancelled).await;
    by_filter.until(&id, pb::TaskState::Cancelled).await;
}

/// Cancels a task as another replica whose hints are lost would do it.
const END_UNSEEN: &str =
    "with gone as (delete from ready where id = $1::uuid returning id, namespace, lane)
     insert into result (id, namespace, lane, state, attempt, tries, finished_at)
     select id, namespace, lane, 7, 0, 0, now() from gone";

async fn end_unseen(test: &TestServer, id: &str) {
    sqlx::query(END_UNSEEN).bind(id).execute(&mut test.database().await).await.unwrap();
}

#[tokio::test]
async fn g_16_an_end_is_told_once_however_often_and_late_others_hint_at_it() {
    let test = TestServer::start().await;
    let filter = pb::TaskFilter { kind: "work".to_owned(), ..Default::default() };
    let request = pb::WatchTasksRequest { filter: Some(filter), ..Default::default() };
    let mut watch = Watching::begin(&test.replica, request).await;
    watch.snapshot().await;
    let first = test.submit(task()).await;
    end_unseen(&test, &first).await;
    watch.until(&first, pb::TaskState::Cancelled).await;

    // Each of them is found by a look of its own, so that the first is long past.
    for _ in 0..3 {
        let next = test.submit(task()).await;
        end_unseen(&test, &next).await;
        watch.until(&next, pb::TaskState::Cancelled).await;
        sqlx::query(
            "select pg_notify('bellringer', json_build_object('r', gen_random_uuid(),
                 't', json_build_array(json_build_array(id, lane)))::text)
             from result where id = $1::uuid",
        )
        .bind(&first)
        .execute(&mut test.database().await)
        .await
        .unwrap();
    }

    let last = test.submit(task()).await;
    end_unseen(&test, &last).await;
    // Each message was checked to be news.
    watch.until(&last, pb::TaskState::Cancelled).await;
}

#[tokio::test]
async fn g_16_a_watch_of_a_filter_shows_tasks_that_come_later_and_only_those_that_match() {
    let test = TestServer::start().await;
    let of = |queue: &str, label: &str| pb::TaskSpec {
        queue: queue.to_owned(),
        labels: [("team".to_owned(), label.to_owned())].into(),
        ..task()
    };
    let before = test.submit(of("mail", "red")).await;
    test.submit(of("mail", "blue")).await;
    let filter = pb::TaskFilter {
        queue: "mail".to_owned(),
        labels: [("team".to_owned(), "red".to_owned())].into(),
        ..Default::default()
    };
    let request = pb::WatchTasksRequest { filter: Some(filter), ..Default::default() };
    let mut watch = Watching::begin(&test.replica, request).await;
    assert_eq!(watch.snapshot().await, [before]);

    test.submit(of("mail", "blue")).await;
    test.submit(of("other", "red")).await;
    let later = test.submit(of("mail", "red")).await;

    let message = watch.next().await.unwrap().unwrap();
    assert_eq!(message.task.unwrap().id, later);
}

#[tokio::test]
async fn progress_is_shown_to_whoever_watches_its_queue_whichever_of_several_it_is() {
    let test = TestServer::start().await;
    for queue in ["mail", "images", "reports"] {
        let filter = pb::TaskFilter { queue: queue.to_owned(), ..Default::default() };
        let request = pb::WatchTasksRequest { filter: Some(filter), ..Default::default() };
        let mut watch = Watching::begin(&test.replica, request).await;
        watch.snapshot().await;
        let queues = vec![queue.to_owned()];
        let hello = pb::Hello { credit: 1, queues, ..Default::default() };
        let mut worker = Worker::hello(&test.replica, hello).await;
        let id = test.submit(pb::TaskSpec { queue: queue.to_owned(), ..task() }).await;
        let attempt = worker.task().await.attempt;
        watch.until(&id, pb::TaskState::Running).await;

        let progress = pb::AttemptProgress {
            task_id: id.clone(),
            attempt,
            progress: Some(pb::Progress { current: 3.0, total: 10.0, ..Default::default() }),
            checkpoint: None,
        };
        let beat = pb::Beat { progress: vec![progress] };
        worker.send(pb::work_request::Message::Beat(beat)).await;

        let shown = watch.until(&id, pb::TaskState::Running).await.progress;
        assert_eq!(shown.expect(queue).current, 3.0);
    }
}

#[tokio::test]
async fn g_16_a_resumed_watch_has_every_final_state_that_was_missed() {
    let test = TestServer::start().await;
    let kind = || Some(pb::TaskFilter { kind: "work".to_owned(), ..Default::default() });
    let request = pb::WatchTasksRequest { filter: kind(), ..Default::default() };
    let mut watch = Watching::begin(&test.replica, request).await;
    watch.snapshot().await;
    let token = watch.token.clone();
    drop(watch);
    let missed = test.submit(task()).await;
    test.cancel(&missed).await;
    let waiting = test.submit(task()).await;

    let request =
        pb::WatchTasksRequest { filter: kind(), resume_token: token.clone(), ..Default::default() };
    let other = test.another().await;
    let mut again = Watching::begin(&other, request).await;

    assert_eq!(again.snapshot().await, [missed, waiting]);
    test.clock.advance(Duration::from_secs(7_200));
    let late = pb::WatchTasksRequest { filter: kind(), resume_token: token, ..Default::default() };
    assert_eq!(reason(&test.tasks().watch(late).await.unwrap_err()), "RESYNC");
}

#[tokio::test]
async fn g_16_a_watch_is_not_resumed_from_where_ends_may_not_be_kept_any_more() {
    let test = TestServer::start().await;
    let retention = pb::Retention { cancelled: seconds(60), ..Default::default() };
    let request = pb::SetRetentionRequest {
        queue: "brief".to_owned(),
        retention: Some(retention),
        ..Default::default()
    };
    test.queues().set_retention(request).await.unwrap();
    let watched = |queue: &str, resume_token: String| pb::WatchTasksRequest {
        filter: Some(pb::TaskFilter {
            queue: queue.to_owned(),
            kind: "work".to_owned(),
            ..Default::default()
        }),
        resume_token,
        ..Default::default()
    };
    let mut tokens = Vec::new();
    for queue in ["brief", "usual", ""] {
        let request = watched(queue, String::new());
        let mut watch = Watching::begin(&test.replica, request).await;
        watch.snapshot().await;
        tokens.push((queue, watch.token));
    }
    for queue in ["brief", "usual"] {
        let id = test.submit(pb::TaskSpec { queue: queue.to_owned(), ..task() }).await;
        test.cancel(&id).await;
    }

    let missed = async |queue: &str, token: &str| {
        let request = watched(queue, token.to_owned());
        let stream = test.tasks().watch(request).await.map_err(|status| reason(&status))?;
        let (stream, revisions) = (stream.into_inner(), HashMap::new());
        let mut watch = Watching { stream, revisions, token: String::new() };
        Ok::<_, String>(watch.snapshot().await.len())
    };
    let mut found = Vec::new();
    for wait in [30, 60] {
        test.clock.advance(Duration::from_secs(wait));
        for (queue, token) in &tokens {
            found.push(missed(queue, token).await);
        }
    }
    let resync = || Err("RESYNC".to_owned());
    assert_eq!(found, [Ok(1), Ok(1), Ok(2), resync(), Ok(1), resync()]);
}

#[tokio::test]
async fn g_16_a_watcher_that_does_not_read_is_ended_with_a_reason_and_slows_nobody() {
    let test = TestServer::start().await;
    let kind = Some(pb::TaskFilter { kind: "work".to_owned(), ..Default::default() });
    let request = pb::WatchTasksRequest {
        filter: kind,
        view: pb::TaskView::Full.into(),
        ..Default::default()
    };
    let mut slow = Watching::begin(&test.replica, request).await;
    let large = pb::Payload {
        content: Some(pb::payload::Content::Data(vec![7; 500_000].into())),
        content_type: String::new(),
    };
    for _ in 0..80 {
        test.submit(pb::TaskSpec { payload: Some(large.clone()), ..task() }).await;
    }
    let ended = loop {
        match slow.next().await {
            Ok(message) => assert!(message.is_some(), "ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&ended), "SLOW_CONSUMER");
}

#[tokio::test]
async fn g_16_a_transaction_that_hangs_ends_no_watch_and_its_own_end_is_told_when_it_commits() {
    /// More than one look reads.
    const MANY: i32 = 110_000;
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut hanging = test.database().await;
    sqlx::raw_sql("begin; select pg_current_xact_id()").execute(&mut hanging).await.unwrap();
    let mut database = test.database().await;
    sqlx::query(
        "insert into result (id, namespace, lane, state, attempt, tries, finished_at)
         select gen_random_uuid(), namespace, lane, 5, 1, 1, now()
         from ready, generate_series(1, $1)",
    )
    .bind(MANY)
    .execute(&mut database)
    .await
    .unwrap();
    let filter = || Some(pb::TaskFilter { kind: "work".to_owned(), ..Default::default() });
    let request = pb::WatchTasksRequest { filter: filter(), ..Default::default() };
    let mut watch = Watching::begin(&test.replica, request).await;
    assert_eq!(watch.snapshot().await, std::slice::from_ref(&id));
    let mut token = watch.token.clone();

    // Each of them is found by a look of its own.
    for _ in 0..3 {
        let other = test.submit(task()).await;
        end_unseen(&test, &other).await;
        watch.until(&other, pb::TaskState::Cancelled).await;
        token.clone_from(&watch.token);
    }
    sqlx::query(END_UNSEEN).bind(&id).execute(&mut hanging).await.unwrap();
    let last = test.submit(task()).await;
    end_unseen(&test, &last).await;
    watch.until(&last, pb::TaskState::Cancelled).await;
    sqlx::raw_sql("commit").execute(&mut hanging).await.unwrap();

    watch.until(&id, pb::TaskState::Cancelled).await;
    let resume =
        pb::WatchTasksRequest { filter: filter(), resume_token: token, ..Default::default() };
    let resumed = Watching::begin(&test.replica, resume).await.snapshot().await;
    assert!([&id, &last].iter().all(|id| resumed.contains(id)), "{resumed:?}");
}

#[tokio::test]
async fn g_16_a_slow_watch_of_large_tasks_has_all_of_them_when_it_reads_at_last() {
    const LARGE: usize = 900_000;
    let test = TestServer::start().await;
    let submit = async || {
        let content = Some(pb::payload::Content::Data(vec![7; LARGE].into()));
        let payload = Some(pb::Payload { content, content_type: String::new() });
        test.submit(pb::TaskSpec { payload, ..task() }).await
    };
    let mut before = Vec::new();
    for _ in 0..12 {
        before.push(submit().await);
    }
    let request = pb::WatchTasksRequest {
        filter: Some(pb::TaskFilter { kind: "work".to_owned(), ..Default::default() }),
        view: pb::TaskView::Full.into(),
        ..Default::default()
    };
    let mut watch = Watching::begin(&test.replica, request).await;
    let mut later = Vec::new();
    for _ in 0..12 {
        later.push(submit().await);
    }
    for id in &later {
        test.cancel(id).await;
    }

    assert_eq!(watch.snapshot().await, before);
    for id in &later {
        let task = watch.until(id, pb::TaskState::Cancelled).await;
        let content = task.spec.unwrap().payload.unwrap().content;
        let Some(pb::payload::Content::Data(data)) = content else { panic!("{content:?}") };
        assert_eq!(data.len(), LARGE);
    }
}

#[tokio::test]
async fn a_watch_of_a_task_that_is_not_there_is_refused() {
    let test = TestServer::start().await;
    let task_ids = vec!["01a209f7-f26d-75d5-8326-400316a4ee62".to_owned()];
    let request = pb::WatchTasksRequest { task_ids, ..Default::default() };
    assert_eq!(reason(&test.tasks().watch(request).await.unwrap_err()), "TASK_NOT_FOUND");
}

#[tokio::test]
async fn waiting_answers_when_the_task_is_finished() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let attempt = worker.task().await;
    let (done, ()) = tokio::join!(test.finished(&id), worker.succeed(&attempt, "done"));
    assert_eq!(done.state(), pb::TaskState::Succeeded);
}
