//! A session against a server that the test speaks for.

use std::collections::HashMap;
use std::sync::Arc;

use bellringer_api::v1::ErrorReason as Reason;
use tokio::sync::{Notify, mpsc};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::fake::{Fake, attempt_ref};
use super::*;
use crate::worker::{Handled, TaskFailure, Worker};

/// A worker of three tasks at once: `quick` ends at once, `gated` when the gate opens, `deaf` never,
/// `polite` when it is told to stop, and says why it was; `panics` does.
struct Working {
    fake: Fake,
    gate: Arc<Notify>,
    stopped: mpsc::Receiver<Option<pb::StopReason>>,
    stop: CancellationToken,
    running: JoinSet<Result<(), Error>>,
}

impl Working {
    async fn start() -> Self {
        let fake = Fake::start().await;
        let (gate, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let (tell, stopped) = mpsc::channel(8);
        let opened = gate.clone();
        let worker = Worker::builder(fake.client.clone())
            .concurrency(3)
            .drain_timeout(Duration::from_secs(2))
            .raw_handler("quick", |_, _| async { Ok(None) })
            .raw_handler("gated", move |_, _| {
                let opened = opened.clone();
                async move {
                    opened.notified().await;
                    Ok(None)
                }
            })
            .raw_handler("deaf", |_, _| std::future::pending::<Handled>())
            .raw_handler("polite", move |context: TaskContext, _| {
                let tell = tell.clone();
                async move {
                    context.cancelled().cancelled().await;
                    tell.send(context.stop_reason()).await.unwrap();
                    Err(TaskFailure::retryable("STOPPED", ""))
                }
            })
            .raw_handler("panics", |_, _| async { panic!("oh no") })
            .build();
        let mut running = JoinSet::new();
        running.spawn(worker.run(stop.clone()));
        Self { fake, gate, stopped, stop, running }
    }

    async fn ended(mut self) -> Result<(), Error> {
        let ended = timeout(Duration::from_secs(20), self.running.join_next()).await;
        ended.expect("the worker ends").unwrap().unwrap()
    }
}

fn session_lost() -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info("SESSION_LOST", "bellringer.v1", HashMap::new());
    Status::with_error_details(Code::Aborted, "the session has ended", details)
}

#[tokio::test]
async fn a_task_is_run_reported_and_makes_room_and_the_heart_beats_meanwhile() {
    let mut working = Working::start().await;
    let (mut link, hello) = working.fake.welcome(false, &[]).await;
    assert_eq!((hello.credit, hello.session_token.as_str()), (3, ""));
    link.assign("a", "gated").await;
    for _ in 0..2 {
        assert!(matches!(link.hear().await, Some(Message::Beat(_))));
    }
    working.gate.notify_one();
    let (id, outcome, grant) = link.report().await;
    assert!(matches!((id.as_str(), outcome, grant), ("a", Outcome::Succeeded(_), 1)));
    link.acknowledge("a", Reason::Unspecified).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_with_what_runs_and_what_is_not_confirmed() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "gated").await;
    link.assign("b", "quick").await;
    assert_eq!(link.report().await.0, "b");
    drop(link);

    let (mut link, hello) = working.fake.welcome(true, &[]).await;
    assert_eq!((hello.session_token.as_str(), hello.credit), ("secret", 2));
    assert_eq!(hello.running.len(), 2);
    assert!(["a", "b"].iter().all(|id| hello.running.contains(&attempt_ref(id, 1))));
    let (id, _, grant) = link.report().await;
    assert_eq!((id.as_str(), grant), ("b", 0), "its room was granted by the hello");
    link.acknowledge("b", Reason::Unspecified).await;
    working.gate.notify_one();
    assert_eq!(link.report().await.0, "a");
    link.acknowledge("a", Reason::Unspecified).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn what_the_session_has_lost_is_stopped_and_only_results_are_told() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "polite").await;
    link.assign("b", "quick").await;
    assert_eq!(link.report().await.0, "b");
    link.fail(session_lost()).await;

    let (mut link, hello) = working.fake.welcome(false, &[]).await;
    assert_eq!((hello.session_token.as_str(), hello.running.len()), ("", 0));
    assert_eq!(working.stopped.recv().await, Some(Some(pb::StopReason::LeaseLost)));
    let (mut told, mut room) = (Vec::new(), hello.credit);
    while room < 3 || told.is_empty() {
        match link.hear().await {
            Some(Message::Report(report)) => {
                room += report.grant;
                told.extend(report.reports.into_iter().map(|report| report.task_id));
            }
            Some(Message::Credit(credit)) => room += credit.grant,
            other => assert!(matches!(other, Some(Message::Beat(_))), "{other:?}"),
        }
    }
    assert_eq!((told, room), (vec!["b".to_owned()], 3));
    link.acknowledge("b", Reason::LeaseLost).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_single_lost_attempt_is_stopped_and_the_others_go_on() {
    let mut working = Working::start().await;
    let (link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "polite").await;
    link.assign("b", "gated").await;
    link.say(Answer::Drain(pb::Drain {})).await;

    let (mut link, hello) = working.fake.welcome(true, &[("a", 1)]).await;
    assert_eq!((hello.session_token.as_str(), hello.running.len()), ("secret", 2));
    assert_eq!(working.stopped.recv().await, Some(Some(pb::StopReason::LeaseLost)));
    assert!(matches!(link.hear().await, Some(Message::Credit(pb::Credit { grant: 1 }))));
    working.gate.notify_one();
    assert_eq!(link.report().await.0, "b");
    link.acknowledge("b", Reason::Unspecified).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_cancel_is_answered_at_once_or_enforced_within_the_grace() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    let grace = Duration::from_secs(3);
    for (id, kind) in [("a", "polite"), ("b", "deaf")] {
        link.assign(id, kind).await;
        let told = Instant::now();
        link.stop(id, pb::StopReason::Cancelled, grace).await;
        let (ended, outcome, _) = link.report().await;
        assert!(matches!(outcome, Outcome::Cancelled(_)), "{outcome:?}");
        assert_eq!(ended, id);
        assert!(told.elapsed() < grace, "before the server takes it away");
        link.acknowledge(id, Reason::Unspecified).await;
    }
    assert_eq!(working.stopped.recv().await, Some(Some(pb::StopReason::Cancelled)));
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_and_is_reported_until_it_is_written() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "panics").await;
    for answer in [Reason::StoreUnavailable, Reason::OutcomeUnknown, Reason::Unspecified] {
        let (_, outcome, _) = link.report().await;
        let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failed.error.unwrap().r#type, "PANIC");
        link.acknowledge("a", answer).await;
    }
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_deadline_is_kept_unless_the_clock_here_cannot_be_right() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    let past = prost_types::Timestamp { seconds: 1, nanos: 0 };
    link.assign_until("a", "deaf", Some(past)).await;
    #[expect(clippy::disallowed_methods, reason = "a deadline is a time of the wall clock")]
    let soon = Timestamp::now() + Duration::from_millis(500);
    let (seconds, nanos) = (soon.as_second(), soon.subsec_nanosecond());
    link.assign_until("b", "deaf", Some(prost_types::Timestamp { seconds, nanos })).await;
    let (id, outcome, _) = link.report().await;
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    assert_eq!((id.as_str(), failed.error.unwrap().r#type.as_str()), ("b", "TIMEOUT"));
    link.acknowledge("b", Reason::Unspecified).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_stops_finishes_what_it_can_and_gives_the_rest_back() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "gated").await;
    link.assign("b", "deaf").await;
    link.assign("c", "quick").await;
    assert_eq!(link.report().await.0, "c");
    link.acknowledge("c", Reason::Unspecified).await;
    working.stop.cancel();
    sleep(Duration::from_millis(100)).await;
    link.assign("late", "quick").await;
    let (id, outcome, grant) = link.report().await;
    assert!(matches!((id.as_str(), outcome, grant), ("late", Outcome::Released(_), 0)));
    link.acknowledge("late", Reason::Unspecified).await;
    working.gate.notify_one();
    let (id, _, grant) = link.report().await;
    assert_eq!((id.as_str(), grant), ("a", 0), "no more credit");
    link.acknowledge("a", Reason::Unspecified).await;
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_refused_ends_and_says_why() {
    let mut working = Working::start().await;
    let (link, _) = working.fake.accept().await;
    link.fail(Status::permission_denied("not here")).await;
    let refused = working.ended().await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::PermissionDenied));
}

#[tokio::test]
async fn a_report_that_the_server_cannot_read_fails_its_task_and_the_others_go_on() {
    let mut working = Working::start().await;
    let (mut link, _) = working.fake.welcome(false, &[]).await;
    link.assign("a", "gated").await;
    link.assign("b", "quick").await;
    assert_eq!(link.report().await.0, "b");
    link.fail(Status::invalid_argument("must be protobuf")).await;

    let (mut link, hello) = working.fake.welcome(true, &[]).await;
    assert_eq!((hello.session_token.as_str(), hello.running.len()), ("secret", 2));
    let (id, outcome, _) = link.report().await;
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    let error = failed.error.unwrap();
    assert_eq!((&*id, &*error.message), ("b", "must be protobuf"));
    link.acknowledge("b", Reason::Unspecified).await;
    working.gate.notify_one();
    let (id, outcome, _) = link.report().await;
    assert!(matches!((id.as_str(), outcome), ("a", Outcome::Succeeded(_))));
    link.acknowledge("a", Reason::Unspecified).await;
    working.stop.cancel();
    link.part().await;
    working.ended().await.unwrap();
}

#[tokio::test]
async fn a_worker_whose_hello_is_wrong_ends() {
    let mut working = Working::start().await;
    let (link, _) = working.fake.accept().await;
    link.fail(Status::invalid_argument("hello.queues")).await;
    let refused = working.ended().await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::InvalidArgument));
}

#[tokio::test]
async fn room_is_not_told_while_too_many_reports_wait_to_be_acknowledged() {
    let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
    let worker = Worker::builder(client).raw_handler("quick", |_, _| async { Ok(None) }).build();
    let mut session = Session::new(worker.0, CancellationToken::new());
    let task = |attempt| TaskContext::new(pb::Assignment { attempt, ..Default::default() });
    session.book.start(task(0));
    session.room = 1;
    assert_eq!(session.take_room(), 1);
    for attempt in 1..20_000 {
        session.book.start(task(attempt));
    }
    session.room = 3;
    assert_eq!(session.take_room(), 0);
    session.book.ended(&(String::new(), 7), None);
    assert_eq!((session.take_room(), session.take_room()), (3, 0), "told once it may be");
}
