//! A session against a server that the test speaks for.

use std::{collections::HashSet, pin::Pin};

use bellringer_api::v1::{
    Ack, Acks, Assign, Assignment, CompleteRequest, CompleteResponse, FailRequest, FailResponse,
    HeartbeatRequest, HeartbeatResponse, LeaseRequest, LeaseResponse, ReleaseRequest,
    ReleaseResponse, Stop, StopReason, Welcome, WorkRequest, WorkResponse,
    attempt_report::Outcome,
    work_request::Message,
    work_response::Message as Answer,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use clap::Parser;
use futures_util::Stream;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Streaming, transport::Server};

use super::*;
use crate::cli::Cli;

type Sent = Result<WorkResponse, Status>;

/// One connection of the worker, seen from the server.
struct Connection {
    inbound: Streaming<WorkRequest>,
    outbound: mpsc::Sender<Sent>,
}

impl Connection {
    async fn next(&mut self) -> Message {
        let next = timeout(Duration::from_secs(20), self.inbound.message()).await;
        next.unwrap().unwrap().unwrap().message.unwrap()
    }

    /// The next message that is no heartbeat and no credit.
    async fn next_of_weight(&mut self) -> Message {
        loop {
            match self.next().await {
                Message::Beat(beat) if beat.progress.is_empty() => {}
                Message::Credit(_) => {}
                message => return message,
            }
        }
    }

    async fn report(&mut self) -> (String, Outcome) {
        match self.next_of_weight().await {
            Message::Report(mut report) => {
                let report = report.reports.remove(0);
                (report.task_id, report.outcome.unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn send(&self, answer: Answer) {
        self.outbound.send(Ok(WorkResponse { message: Some(answer) })).await.unwrap();
    }

    async fn welcome(&self, token: &str, resumed: bool) {
        let heartbeat = prost_types::Duration { seconds: 1, nanos: 0 };
        self.send(Answer::Welcome(Welcome {
            session_token: token.to_owned(),
            heartbeat_interval: Some(heartbeat),
            resumed,
            ..Welcome::default()
        }))
        .await;
    }

    async fn assign(&self, id: &str, kind: &str) {
        let task = Assignment {
            task_id: id.to_owned(),
            kind: kind.to_owned(),
            attempt: 1,
            ..Assignment::default()
        };
        self.send(Answer::Assign(Assign { assignments: vec![task] })).await;
    }

    async fn acknowledge(&self, id: &str) {
        self.answer(id, ErrorReason::Unspecified).await;
    }

    async fn answer(&self, id: &str, reason: ErrorReason) {
        let reason = reason.into();
        let ack = Ack { task_id: id.to_owned(), attempt: 1, reason, ..Ack::default() };
        self.send(Answer::Acks(Acks { acks: vec![ack] })).await;
    }
}

struct Fake(mpsc::Sender<Connection>);

#[tonic::async_trait]
impl WorkerService for Fake {
    type WorkStream = Pin<Box<dyn Stream<Item = Sent> + Send>>;

    async fn work(
        &self,
        request: Request<Streaming<WorkRequest>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let (outbound, answers) = mpsc::channel(16);
        let connection = Connection { inbound: request.into_inner(), outbound };
        self.0.send(connection).await.map_err(|_| Status::unavailable("over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn lease(&self, _: Request<LeaseRequest>) -> Result<Response<LeaseResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn heartbeat(
        &self,
        _: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn complete(
        &self,
        _: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn fail(&self, _: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn release(
        &self,
        _: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// A worker with a few commands, and the server it talks to.
struct Test {
    connections: mpsc::Receiver<Connection>,
    phase: watch::Sender<Phase>,
    parts: JoinSet<Result<(), Failure>>,
}

impl Test {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let (sender, connections) = mpsc::channel(4);
        let (phase, phases) = watch::channel(Phase::Working);
        let mut parts = JoinSet::new();
        parts.spawn(async move {
            let served = Server::builder().add_service(WorkerServiceServer::new(Fake(sender)));
            served.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
            Ok(())
        });
        parts.spawn(async move {
            let cli = Cli::parse_from(["bellctl", "-q", "--server", &server, "version"]);
            let app = App::new(&cli.global, true).unwrap();
            let commands = [
                ("quick", "echo '{\"ok\": true}'"),
                ("slow", "exec sleep 60"),
                ("saves", "echo here > \"$BELLRINGER_CHECKPOINT_FILE\""),
                ("steps", "echo bellringer:progress 1/2 half >&2; sleep 1; echo 1"),
            ];
            let commands = commands.map(|(kind, command)| (kind.to_owned(), command.to_owned()));
            let runner = Runner::new(commands.to_vec(), app.out)?;
            let hello = Hello { kinds: runner.kinds(), ..Hello::default() };
            Session::new(&app, hello, 2, runner, phases).run().await
        });
        Self { connections, phase, parts }
    }

    async fn connection(&mut self) -> (Connection, Hello) {
        let next = timeout(Duration::from_secs(20), self.connections.recv()).await;
        let mut connection = next.unwrap().unwrap();
        match connection.next().await {
            Message::Hello(hello) => (connection, hello),
            other => panic!("{other:?}"),
        }
    }

    async fn end(mut self) {
        let ended = timeout(Duration::from_secs(20), self.parts.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_task_is_run_and_reported_and_makes_room_for_another() {
    let mut test = Test::start().await;
    let (mut server, hello) = test.connection().await;
    assert_eq!(hello.credit, 2);
    assert_eq!(hello.kinds, ["quick", "saves", "slow", "steps"]);

    server.welcome("t1", false).await;
    server.assign("a", "quick").await;

    let (id, outcome) = server.report().await;
    assert_eq!(id, "a");
    assert!(matches!(outcome, Outcome::Succeeded(succeeded) if succeeded.result.is_some()));
    assert!(matches!(server.next().await, Message::Credit(credit) if credit.grant == 1));
    server.acknowledge("a").await;

    test.phase.send_replace(Phase::Draining);
    assert!(matches!(server.next_of_weight().await, Message::Goodbye(_)));
    drop(server);
    test.end().await;
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_with_what_is_running_and_unconfirmed() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "quick").await;
    server.assign("b", "slow").await;
    server.report().await;
    drop(server);

    let (mut server, hello) = test.connection().await;
    assert_eq!(hello.session_token, "t1");
    assert_eq!(hello.credit, 1);
    let mut running: Vec<_> = hello.running.into_iter().map(|attempt| attempt.task_id).collect();
    running.sort();
    assert_eq!(running, ["a", "b"]);

    server.welcome("t2", true).await;
    assert_eq!(server.report().await.0, "a");
    server.acknowledge("a").await;
    test.phase.send_replace(Phase::Stopping);
    assert!(matches!(server.report().await, (id, Outcome::Released(_)) if id == "b"));
    server.acknowledge("b").await;
    assert!(matches!(server.next_of_weight().await, Message::Goodbye(_)));
    drop(server);
    test.end().await;
}

#[tokio::test]
async fn a_cancel_stops_the_command() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "slow").await;
    // The shell needs a moment to start.
    sleep(Duration::from_millis(300)).await;
    let grace = Some(prost_types::Duration { seconds: 10, nanos: 0 });
    let reason = StopReason::Cancelled.into();
    server.send(Answer::Stop(Stop { task_id: "a".to_owned(), attempt: 1, reason, grace })).await;
    assert!(matches!(server.report().await, (id, Outcome::Cancelled(_)) if id == "a"));
}

#[tokio::test]
async fn progress_is_told_before_the_end() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "steps").await;
    match server.next_of_weight().await {
        Message::Beat(beat) => {
            assert_eq!(beat.progress[0].progress.as_ref().unwrap().message, "half");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(server.report().await, (_, Outcome::Succeeded(_))));
}

#[tokio::test]
async fn a_lost_session_begins_anew_without_what_it_held() {
    let mut test = Test::start().await;
    let (server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "slow").await;
    sleep(Duration::from_millis(300)).await;
    let details = tonic_types::ErrorDetails::with_error_info(
        "SESSION_LOST",
        "bellringer.v1",
        std::collections::HashMap::<String, String>::new(),
    );
    let lost = Status::with_error_details(Code::Aborted, "the session has ended", details);
    server.outbound.send(Err(lost)).await.unwrap();

    let (_, hello) = test.connection().await;
    assert_eq!(hello.session_token, "");
    assert!(hello.running.is_empty());
}

#[tokio::test]
async fn a_task_that_comes_after_the_worker_began_to_leave_is_given_back() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "slow").await;
    sleep(Duration::from_millis(300)).await;
    test.phase.send_replace(Phase::Draining);
    sleep(Duration::from_millis(100)).await;
    server.assign("b", "quick").await;
    assert!(matches!(server.report().await, (id, Outcome::Released(_)) if id == "b"));
}

#[tokio::test]
async fn a_worker_that_is_refused_ends() {
    let mut test = Test::start().await;
    let (server, _) = test.connection().await;
    server.outbound.send(Err(Status::permission_denied("no"))).await.unwrap();
    let ended = timeout(Duration::from_secs(20), test.parts.join_next()).await;
    assert!(ended.unwrap().unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_report_that_the_server_cannot_read_fails_its_task_and_the_others_go_on() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "slow").await;
    server.assign("b", "quick").await;
    assert_eq!(server.report().await.0, "b");
    let refused = Status::invalid_argument("must be protobuf");
    server.outbound.send(Err(refused)).await.unwrap();

    let (mut server, hello) = test.connection().await;
    assert_eq!((hello.session_token.as_str(), hello.running.len()), ("t1", 2));
    server.welcome("t2", true).await;
    let (id, outcome) = server.report().await;
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&*id, &*failed.error.unwrap().message), ("b", "must be protobuf"));
    server.acknowledge("b").await;
    test.phase.send_replace(Phase::Stopping);
    assert!(matches!(server.report().await, (id, Outcome::Released(_)) if id == "a"));
    server.acknowledge("a").await;
    assert!(matches!(server.next_of_weight().await, Message::Goodbye(_)));
    drop(server);
    test.end().await;
}

#[tokio::test]
async fn each_of_many_attempts_is_reported_after_its_last_checkpoint() {
    const TASKS: usize = 100;
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    for n in 0..TASKS {
        server.assign(&n.to_string(), "saves").await;
    }
    ends_after_checkpoints(&mut server, TASKS).await;
    drop(server);

    let (mut server, _) = test.connection().await;
    server.welcome("t2", true).await;
    ends_after_checkpoints(&mut server, TASKS).await;
}

/// Hears of so many ends, each after the checkpoint of its attempt.
async fn ends_after_checkpoints(server: &mut Connection, tasks: usize) {
    let (mut saved, mut ended) = (HashSet::new(), 0);
    while ended < tasks {
        match server.next_of_weight().await {
            Message::Beat(beat) => {
                assert!(beat.progress.len() <= 32);
                let told = beat.progress.into_iter().filter(|told| told.checkpoint.is_some());
                saved.extend(told.map(|told| told.task_id));
            }
            Message::Report(report) => {
                ended += report.reports.len();
                assert!(report.reports.iter().all(|report| saved.contains(&report.task_id)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_stops_does_not_wait_without_end_for_a_database_that_is_away() {
    let mut test = Test::start().await;
    let (mut server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "quick").await;
    server.report().await;
    server.answer("a", ErrorReason::StoreUnavailable).await;
    test.phase.send_replace(Phase::Stopping);
    let began = Instant::now();
    loop {
        match server.next_of_weight().await {
            Message::Report(_) => server.answer("a", ErrorReason::StoreUnavailable).await,
            Message::Goodbye(_) => break,
            _ => {}
        }
    }
    drop(server);
    let ended = timeout(Duration::from_secs(20), test.parts.join_next()).await;
    let failure = ended.unwrap().unwrap().unwrap().unwrap_err();
    assert!(failure.to_string().contains("1 attempts could not be reported"), "{failure}");
    assert!(began.elapsed() <= GRACE + FAREWELL);
}

#[tokio::test]
async fn a_worker_that_stops_does_not_wait_without_end_for_a_silent_server() {
    let mut test = Test::start().await;
    let (server, _) = test.connection().await;
    server.welcome("t1", false).await;
    server.assign("a", "slow").await;
    sleep(Duration::from_millis(300)).await;
    drop(server);
    let _silent = test.connection().await;
    test.phase.send_replace(Phase::Stopping);
    let ended = timeout(GRACE + FAREWELL, test.parts.join_next()).await;
    assert!(ended.unwrap().unwrap().unwrap().is_err());
}
