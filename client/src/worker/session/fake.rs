//! A server that a test speaks for.

use std::pin::Pin;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use bellringer_api::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::client::Client;

type Sent = Result<pb::WorkResponse, Status>;

/// A server that hands its connections to the test. Ends when dropped.
pub(super) struct Fake {
    pub(super) client: Client,
    connections: mpsc::Receiver<Link>,
    _serving: JoinSet<()>,
}

/// One connection of the worker, seen from the server; breaks when dropped.
pub(super) struct Link {
    inbound: Streaming<pb::WorkRequest>,
    outbound: mpsc::Sender<Sent>,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, connections) = mpsc::channel(8);
        let service = WorkerServiceServer::new(Service(sender));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        let client = Client::builder(address).connect_lazy().unwrap();
        Self { client, connections, _serving: serving }
    }

    /// The next connection of the worker, with its hello, after it was welcomed.
    pub(super) async fn welcome(
        &mut self,
        resumed: bool,
        lost: &[(&str, u32)],
    ) -> (Link, pb::Hello) {
        let (link, hello) = self.accept().await;
        let lost = lost.iter().map(|(id, attempt)| attempt_ref(id, *attempt)).collect();
        link.say(Answer::Welcome(pb::Welcome {
            session_token: "secret".to_owned(),
            heartbeat_interval: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            resumed,
            lost,
            ..Default::default()
        }))
        .await;
        (link, hello)
    }

    /// The next connection of the worker, with its hello.
    pub(super) async fn accept(&mut self) -> (Link, pb::Hello) {
        let link = timeout(Duration::from_secs(20), self.connections.recv()).await;
        let mut link = link.expect("the worker connects").expect("the server runs");
        match link.hear().await {
            Some(Message::Hello(hello)) => (link, hello),
            other => panic!("not a hello: {other:?}"),
        }
    }
}

impl Link {
    /// The worker's next message; `None` when it has ended its stream.
    pub(super) async fn hear(&mut self) -> Option<Message> {
        let next = timeout(Duration::from_secs(20), self.inbound.message()).await;
        let next = next.expect("the worker speaks").ok().flatten();
        next.map(|request| request.message.expect("a message"))
    }

    /// The next report of one attempt, and the credit that came with it.
    pub(super) async fn report(&mut self) -> (String, Outcome, u32) {
        loop {
            match self.hear().await {
                Some(Message::Beat(_)) => {}
                Some(Message::Report(mut report)) => {
                    assert_eq!(report.reports.len(), 1);
                    let one = report.reports.remove(0);
                    return (one.task_id, one.outcome.expect("an outcome"), report.grant);
                }
                other => panic!("not a report: {other:?}"),
            }
        }
    }

    pub(super) async fn say(&self, answer: Answer) {
        let answer = pb::WorkResponse { message: Some(answer) };
        self.outbound.send(Ok(answer)).await.unwrap();
    }

    /// Assigns the first attempt at a task of this kind.
    pub(super) async fn assign(&self, id: &str, kind: &str) {
        self.assign_until(id, kind, None).await;
    }

    pub(super) async fn assign_until(
        &self,
        id: &str,
        kind: &str,
        deadline: Option<prost_types::Timestamp>,
    ) {
        let (task_id, kind) = (id.to_owned(), kind.to_owned());
        let task = pb::Assignment { task_id, kind, attempt: 1, deadline, ..Default::default() };
        self.say(Answer::Assign(pb::Assign { assignments: vec![task] })).await;
    }

    pub(super) async fn acknowledge(&self, id: &str, reason: pb::ErrorReason) {
        let ack = pb::Ack {
            task_id: id.to_owned(),
            attempt: 1,
            reason: reason.into(),
            message: String::new(),
        };
        self.say(Answer::Acks(pb::Acks { acks: vec![ack] })).await;
    }

    pub(super) async fn stop(&self, id: &str, reason: pb::StopReason, grace: Duration) {
        self.say(Answer::Stop(pb::Stop {
            task_id: id.to_owned(),
            attempt: 1,
            reason: reason.into(),
            grace: Some(crate::new_task::pb_duration(grace)),
        }))
        .await;
    }

    pub(super) async fn fail(self, status: Status) {
        self.outbound.send(Err(status)).await.unwrap();
    }

    /// Hears the goodbye and ends the stream, as the server does.
    pub(super) async fn part(mut self) {
        loop {
            match self.hear().await {
                Some(Message::Beat(_)) => {}
                Some(Message::Goodbye(_)) => return,
                other => panic!("not a goodbye: {other:?}"),
            }
        }
    }
}

pub(super) fn attempt_ref(id: &str, attempt: u32) -> pb::AttemptRef {
    pb::AttemptRef { task_id: id.to_owned(), attempt }
}

struct Service(mpsc::Sender<Link>);

#[tonic::async_trait]
impl WorkerService for Service {
    type WorkStream = Pin<Box<dyn Stream<Item = Sent> + Send>>;

    async fn work(
        &self,
        request: Request<Streaming<pb::WorkRequest>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let (outbound, answers) = mpsc::channel(16);
        let link = Link { inbound: request.into_inner(), outbound };
        self.0.send(link).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn lease(
        &self,
        _: Request<pb::LeaseRequest>,
    ) -> Result<Response<pb::LeaseResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn heartbeat(
        &self,
        _: Request<pb::HeartbeatRequest>,
    ) -> Result<Response<pb::HeartbeatResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn complete(
        &self,
        _: Request<pb::CompleteRequest>,
    ) -> Result<Response<pb::CompleteResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn fail(
        &self,
        _: Request<pb::FailRequest>,
    ) -> Result<Response<pb::FailResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn release(
        &self,
        _: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}
