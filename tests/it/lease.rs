//! Leasing and ending attempts: G-3, G-5, G-6, G-7, G-8.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_server::clock::Clock as _;
use jiff_sqlx::ToSqlx as _;
use tokio::task::JoinSet;

use crate::support::make::{retry, seconds, task, text};
use crate::support::postgres::statement;
use crate::support::process::eventually;
use crate::support::{TestServer, Worker, reason};

/// Longer than the default lease.
const PAST_THE_LEASE: Duration = Duration::from_secs(31);

#[tokio::test]
async fn a_worker_runs_what_was_submitted_and_its_result_is_kept() {
    let test = TestServer::start().await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let id = test.submit(pb::TaskSpec { payload: text("in"), ..task() }).await;

    let assigned = worker.task().await;
    assert_eq!((assigned.task_id.as_str(), assigned.attempt), (id.as_str(), 1));
    assert_eq!(assigned.payload, text("in"));
    assert_eq!(test.state(&id).await, pb::TaskState::Running);
    worker.succeed(&assigned, "out").await;

    let done = test.get(&id).await;
    assert_eq!(done.state(), pb::TaskState::Succeeded);
    assert_eq!(done.result, text("out"));
    assert_eq!(done.attempts.len(), 1);
    assert_eq!(done.attempts[0].outcome(), pb::AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn no_more_is_leased_than_the_worker_has_granted() {
    let test = TestServer::start().await;
    for _ in 0..5 {
        test.submit(task()).await;
    }
    let mut worker = Worker::connect(&test.replica, 2).await;
    let mut held = Vec::new();
    while held.len() < 2 {
        held.extend(worker.assigned().await);
    }
    worker.succeed(&held[0], "x").await;

    let queue = pb::GetQueueRequest { queue: "default".to_owned(), ..Default::default() };
    let queue = test.queues().get(queue).await.unwrap().into_inner().queue.unwrap();
    assert_eq!((queue.ready, queue.running), (3, 1), "a finished task is not credit");

    worker.grant(1).await;
    held.extend(worker.assigned().await);
    assert_eq!(held.len(), 3);
}

#[tokio::test]
async fn higher_priorities_run_first() {
    let test = TestServer::start().await;
    for priority in [1, 9, 5] {
        test.submit(pb::TaskSpec { priority: Some(priority), ..task() }).await;
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let lease = test.lease(1).await;
        let id = &lease.assignments[0].task_id;
        order.push(test.get(id).await.spec.unwrap().priority.unwrap());
    }
    assert_eq!(order, [9, 5, 1]);
}

#[tokio::test]
async fn a_low_priority_is_not_starved_by_a_constant_load_of_higher_ones() {
    let test = TestServer::start().await;
    let low = test.submit(pb::TaskSpec { priority: Some(0), ..task() }).await;
    let high = |count: usize| pb::SubmitBatchRequest {
        items: vec![
            pb::SubmitBatchItem {
                task: Some(pb::TaskSpec { priority: Some(9), ..task() }),
                idempotency_key: String::new(),
            };
            count
        ],
        ..Default::default()
    };
    test.tasks().submit_batch(high(100)).await.unwrap();
    let mut worker = Worker::connect(&test.replica, 10).await;

    // As many high tasks come in as are run, so the line of high tasks never ends.
    let mut run = 0;
    loop {
        let tasks = worker.assigned().await;
        run += tasks.len();
        if tasks.iter().any(|task| task.task_id == low) {
            break;
        }
        assert!(run < 1_000, "a thousand tasks of higher priority went first");
        test.tasks().submit_batch(high(tasks.len())).await.unwrap();
        let count = u32::try_from(tasks.len()).unwrap();
        for task in &tasks {
            worker.succeed(task, "x").await;
        }
        worker.grant(count).await;
    }
}

#[tokio::test]
async fn a_worker_gets_only_the_kinds_and_versions_that_it_has() {
    let test = TestServer::start().await;
    let of = |kind: &str, version: &str| pb::TaskSpec {
        kind: kind.to_owned(),
        version: version.to_owned(),
        ..task()
    };
    test.submit(of("other", "")).await;
    test.submit(of("work", "v1")).await;
    let v2 = test.submit(of("work", "v2")).await;
    let any = test.submit(of("work", "")).await;
    let hello = pb::Hello {
        kinds: vec!["work".to_owned()],
        versions: vec!["v2".to_owned()],
        credit: 10,
        ..Default::default()
    };
    let mut worker = Worker::hello(&test.replica, hello).await;

    let mut got: Vec<String> = Vec::new();
    while got.len() < 2 {
        got.extend(worker.assigned().await.into_iter().map(|task| task.task_id));
    }
    got.sort();
    let mut expected = [v2, any];
    expected.sort();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn g_6_an_attempt_that_lost_its_lease_cannot_complete_the_task_and_its_result_is_kept_as_late()
 {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(3, 0), ..task() }).await;
    let mut frozen = Worker::connect(&test.replica, 1).await;
    let first = frozen.task().await;

    test.advance(PAST_THE_LEASE).await;
    let mut other = Worker::connect(&test.replica, 1).await;
    let second = other.task().await;
    assert_eq!((second.task_id.as_str(), second.attempt), (id.as_str(), 2));
    assert_eq!(frozen.stopped().await.reason(), pb::StopReason::LeaseLost);
    let late = Outcome::Succeeded(pb::Succeeded { result: text("late") });
    let ack = frozen.report(&first, late).await;

    assert_eq!(ack.reason(), pb::ErrorReason::LeaseLost);
    assert_eq!(test.state(&id).await, pb::TaskState::Running);
    other.succeed(&second, "in time").await;
    let task = test.get(&id).await;
    assert_eq!(task.result, text("in time"));
    assert_eq!(task.attempts[0].outcome(), pb::AttemptOutcome::LeaseExpired);
    let late = task.attempts[0].late.clone().unwrap();
    assert_eq!((late.outcome(), late.result), (pb::AttemptOutcome::Succeeded, text("late")));
    assert_eq!(task.tries, 2, "a lost lease is a try");
}

#[tokio::test]
async fn g_6_another_session_cannot_report_for_an_attempt() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let holder = test.lease(1).await;
    let stranger = test.workers().lease(pb::LeaseRequest::default()).await.unwrap().into_inner();
    let complete = |token: &str| pb::CompleteRequest {
        session_token: token.to_owned(),
        task_id: id.clone(),
        attempt: 1,
        ..Default::default()
    };

    let refused = test.workers().complete(complete(&stranger.session_token)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::Aborted, "LEASE_LOST"));
    assert_eq!(test.state(&id).await, pb::TaskState::Running);
    test.workers().complete(complete(&holder.session_token)).await.unwrap();
}

#[tokio::test]
async fn g_7_repeating_an_accepted_report_is_accepted_and_a_different_one_is_not() {
    let test = TestServer::start().await;
    test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let assigned = worker.task().await;
    worker.succeed(&assigned, "one").await;

    worker.succeed(&assigned, "one").await;
    let other = Outcome::Succeeded(pb::Succeeded { result: text("two") });
    let ack = worker.report(&assigned, other).await;

    assert_eq!(ack.reason(), pb::ErrorReason::LeaseLost);
    assert_eq!(test.get(&assigned.task_id).await.result, text("one"));
}

#[tokio::test]
async fn g_8_attempts_never_exceed_the_limit_even_if_every_lease_is_lost() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(3, 0), ..task() }).await;
    for attempt in 1..=3 {
        let leased = test.lease(1).await;
        assert_eq!(leased.assignments[0].attempt, attempt);
        test.advance(PAST_THE_LEASE).await;
    }

    let task = test.get(&id).await;
    assert_eq!(task.state(), pb::TaskState::Failed);
    assert_eq!(task.error.unwrap().r#type, "LEASE_EXPIRED");
    assert_eq!(task.attempts.len(), 3);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease_and_tells_what_is_lost() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let lease = test.lease(1).await;
    let beat = |attempt| pb::HeartbeatRequest {
        session_token: lease.session_token.clone(),
        running: vec![pb::AttemptProgress { task_id: id.clone(), attempt, ..Default::default() }],
        ..Default::default()
    };
    for _ in 0..4 {
        test.advance(Duration::from_secs(20)).await;
        let answer = test.workers().heartbeat(beat(1)).await.unwrap().into_inner();
        assert!(answer.stops.is_empty());
    }
    let answer = test.workers().heartbeat(beat(2)).await.unwrap().into_inner();
    assert_eq!(answer.stops[0].reason(), pb::StopReason::LeaseLost);

    test.advance(PAST_THE_LEASE).await;
    let lost = test.workers().heartbeat(beat(1)).await.unwrap_err();
    assert_eq!(reason(&lost), "SESSION_LOST");
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_again_on_another_replica_with_its_attempts() {
    let test = TestServer::start().await;
    let other = test.another().await;
    let (kept, forgotten) = (test.submit(task()).await, test.submit(task()).await);
    let mut worker = Worker::connect(&test.replica, 2).await;
    let mut tasks = Vec::new();
    while tasks.len() < 2 {
        tasks.extend(worker.assigned().await);
    }
    let held = tasks.iter().find(|task| task.task_id == kept).unwrap().clone();
    let hello = worker.resume(&[&held], 0);
    drop(worker);

    let mut again = Worker::hello(&other, hello).await;

    assert!(again.welcome.resumed);
    assert!(again.welcome.lost.is_empty());
    let released = test.get(&forgotten).await;
    assert_eq!(released.state(), pb::TaskState::Ready, "the worker does not know of it");
    assert_eq!((released.tries, released.attempts[0].outcome()), (0, pb::AttemptOutcome::Released));
    again.succeed(&held, "done").await;
    assert_eq!(test.state(&kept).await, pb::TaskState::Succeeded);
}

#[tokio::test]
async fn a_session_that_was_lost_meanwhile_starts_anew_and_hears_what_is_lost() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(3, 60), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let held = worker.task().await;
    let hello = worker.resume(&[&held], 1);
    drop(worker);
    test.advance(PAST_THE_LEASE).await;

    let again = Worker::hello(&test.replica, hello).await;

    assert!(!again.welcome.resumed);
    assert_eq!(again.welcome.lost[0].task_id, id);
    assert_eq!(test.state(&id).await, pb::TaskState::Retrying);
}

#[tokio::test]
async fn a_worker_that_says_goodbye_gives_its_tasks_back_at_once_and_uncounted() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    worker.task().await;

    worker.goodbye().await;

    let task = test.get(&id).await;
    assert_eq!((task.state(), task.attempt, task.tries), (pb::TaskState::Ready, 1, 0));
    let next = test.lease(1).await;
    assert_eq!(next.assignments[0].attempt, 2, "numbers of attempts always rise");
}

#[tokio::test]
async fn progress_and_checkpoint_survive_into_the_next_attempt() {
    let test = TestServer::start().await;
    let id = test.submit(pb::TaskSpec { retry: retry(2, 0), ..task() }).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let first = worker.task().await;
    let progress = pb::AttemptProgress {
        task_id: id.clone(),
        attempt: 1,
        progress: Some(pb::Progress {
            current: 3.0,
            total: 10.0,
            message: "a third".to_owned(),
            reported_at: None,
        }),
        checkpoint: Some(b"row 3".to_vec().into()),
    };
    let beat = pb::Beat { progress: vec![progress] };
    worker.send(pb::work_request::Message::Beat(beat)).await;
    worker.fail(&first, "boom").await;
    worker.grant(1).await;

    let second = worker.task().await;

    assert_eq!((second.attempt, &second.checkpoint[..]), (2, &b"row 3"[..]));
    assert_eq!(second.progress.unwrap().message, "a third");
    assert_eq!(test.get(&id).await.progress.unwrap().current, 3.0);
}

#[tokio::test]
async fn an_attempt_that_runs_too_long_is_taken_away_and_tried_again() {
    let test = TestServer::start().await;
    let spec = pb::TaskSpec { attempt_timeout: seconds(10), retry: retry(2, 5), ..task() };
    let id = test.submit(spec).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let first = worker.task().await;
    assert!(first.deadline.is_some());

    test.advance(Duration::from_secs(11)).await;

    assert_eq!(worker.stopped().await.reason(), pb::StopReason::TimedOut);
    let task = test.get(&id).await;
    assert_eq!(task.state(), pb::TaskState::Retrying);
    assert_eq!(task.error.unwrap().r#type, "TIMEOUT");
    test.advance(Duration::from_secs(5)).await;
    worker.grant(1).await;
    assert_eq!(worker.task().await.attempt, 2);
}

#[tokio::test]
async fn a_task_that_takes_too_long_in_all_fails() {
    let test = TestServer::start().await;
    let spec = pb::TaskSpec { total_timeout: seconds(10), ..task() };
    let (waiting, running) = (test.submit(spec.clone()).await, test.submit(spec).await);
    let leased = test.lease(1).await;
    let leased = &leased.assignments[0].task_id;

    test.advance(Duration::from_secs(11)).await;

    for id in [&waiting, &running] {
        let task = test.get(id).await;
        assert_eq!(task.state(), pb::TaskState::Failed, "leased: {}", id == leased);
        assert_eq!(task.error.unwrap().r#type, "TOTAL_TIMEOUT");
    }
}

#[tokio::test]
async fn of_two_calls_with_one_session_the_end_of_one_is_not_that_of_the_other() {
    let test = TestServer::start().await;
    test.submit(task()).await;
    let session_token = test.lease(1).await.session_token;
    let lease = |wait| {
        let mut workers = test.workers();
        let request = pb::LeaseRequest {
            session_token: session_token.clone(),
            max_tasks: 1,
            wait: seconds(wait),
            ..Default::default()
        };
        async move { workers.lease(request).await.unwrap().into_inner().assignments }
    };
    let mut long = JoinSet::new();
    long.spawn(lease(20));
    eventually("the long call waits", async || test.replica.app.engine().workers.connected() == 1)
        .await;
    assert!(lease(0).await.is_empty());
    let id = test.submit(task()).await;
    let leased = long.join_next().await.unwrap().unwrap();
    assert_eq!(leased.iter().map(|task| &task.task_id).collect::<Vec<_>>(), [&id]);
}

#[tokio::test]
async fn a_worker_that_was_told_to_go_elsewhere_is_given_nothing_more_here() {
    let test = TestServer::start().await;
    let mut told = Worker::connect(&test.replica, 10).await;
    let first = test.submit(task()).await;
    let assigned = told.task().await;
    assert_eq!(assigned.task_id, first);
    test.replica.app.engine().workers.tell_drain();
    let second = test.submit(task()).await;
    told.grant(5).await;
    told.succeed(&assigned, "done").await;
    assert_eq!(test.state(&second).await, pb::TaskState::Ready);
    let mut other = Worker::connect(&test.replica, 1).await;
    assert_eq!(other.task().await.task_id, second);
}

#[tokio::test]
async fn due_times_go_by_the_clock_of_the_database() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let token = test.lease(1).await.session_token;
    let mut database = test.database().await;
    // A replica whose clock is an hour behind says: in 50 s.
    let settle = statement("tasks/settle");
    let ids = |id: &str| vec![uuid::Uuid::parse_str(id).unwrap()];
    let told = test.clock.now() - Duration::from_secs(3_600);
    let due = told + Duration::from_secs(50);
    sqlx::query(settle)
        .bind(None::<jiff_sqlx::Timestamp>)
        .bind(ids(&id))
        .bind(vec![1])
        .bind(ids(&token))
        .bind(vec![1])
        .bind(vec![2_i16])
        .bind(vec![None::<i16>])
        .bind(vec![Some(due.to_sqlx())])
        .bind(vec![Some(4_i16)])
        .bind(vec![true])
        .bind(vec![None::<sqlx::types::Json<String>>])
        .bind(vec![None::<Vec<u8>>])
        .bind(vec![None::<String>])
        .bind(told.to_sqlx())
        .fetch_one(&mut database)
        .await
        .unwrap();
    let wait = "select extract(epoch from due_at - now())::float8 from scheduled where id = $1";
    let wait = sqlx::query_scalar::<_, f64>(wait).bind(ids(&id)[0]);
    let wait = wait.fetch_one(&mut database).await.unwrap();
    assert!(wait > 0.0 && wait <= 50.0, "{wait} s");
}
