//! A worker at the other end of a `Work` stream, which does only what the test says.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Replica, make, watched};

/// Long enough for a loaded machine; tests that pass never wait for it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Worker {
    requests: mpsc::Sender<pb::WorkRequest>,
    answers: Streaming<pb::WorkResponse>,
    pub(crate) welcome: pb::Welcome,
    /// Answers that came while the test waited for another kind.
    early: Vec<Answer>,
}

impl Worker {
    /// Connects to a replica with room for `credit` tasks of the default queue.
    pub(crate) async fn connect(replica: &Replica, credit: u32) -> Self {
        Self::hello(replica, pb::Hello { credit, ..Default::default() }).await
    }

    pub(crate) async fn hello(replica: &Replica, hello: pb::Hello) -> Self {
        let (requests, receiver) = mpsc::channel(64);
        requests.send(request(Message::Hello(hello))).await.unwrap();
        let answers =
            replica.workers().work(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        let mut worker =
            Self { requests, answers, welcome: pb::Welcome::default(), early: Vec::new() };
        let Answer::Welcome(welcome) = worker.next().await.unwrap() else { panic!("no welcome") };
        watched::secret(&welcome.session_token);
        worker.welcome = welcome;
        worker
    }

    async fn next(&mut self) -> Result<Answer, Status> {
        let message = tokio::time::timeout(PATIENCE, self.answers.message()).await;
        let message = message.expect("an answer in time")?;
        Ok(message.ok_or_else(|| Status::ok("the stream ended"))?.message.unwrap())
    }

    async fn until<T>(&mut self, wanted: impl Fn(&Answer) -> Option<T>) -> T {
        if let Some(index) = self.early.iter().position(|answer| wanted(answer).is_some()) {
            return wanted(&self.early.remove(index)).unwrap();
        }
        loop {
            let answer = self.next().await.unwrap();
            if let Some(found) = wanted(&answer) {
                return found;
            }
            self.early.push(answer);
        }
    }

    /// The tasks of the next assignment.
    pub(crate) async fn assigned(&mut self) -> Vec<pb::Assignment> {
        self.until(|answer| match answer {
            Answer::Assign(assign) => Some(assign.assignments.clone()),
            _ => None,
        })
        .await
    }

    /// The next task, when assignments come one by one.
    pub(crate) async fn task(&mut self) -> pb::Assignment {
        let mut tasks = self.assigned().await;
        assert_eq!(tasks.len(), 1, "more tasks at once than expected");
        tasks.remove(0)
    }

    /// The next order to stop.
    pub(crate) async fn stopped(&mut self) -> pb::Stop {
        self.until(|answer| match answer {
            Answer::Stop(stop) => Some(stop.clone()),
            _ => None,
        })
        .await
    }

    /// The status with which the stream ends.
    pub(crate) async fn ended(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }

    /// Waits until the server asks it to leave.
    pub(crate) async fn drained(&mut self) {
        self.until(|answer| matches!(answer, Answer::Drain(_)).then_some(())).await;
    }

    /// Reports the end of an attempt and waits for the acknowledgement.
    pub(crate) async fn report(&mut self, task: &pb::Assignment, outcome: Outcome) -> pb::Ack {
        self.report_and_grant(task, outcome, 0).await
    }

    /// The same, with room for more tasks in the same message.
    async fn report_and_grant(
        &mut self,
        task: &pb::Assignment,
        outcome: Outcome,
        grant: u32,
    ) -> pb::Ack {
        let report = pb::AttemptReport {
            task_id: task.task_id.clone(),
            attempt: task.attempt,
            outcome: Some(outcome),
        };
        self.send(Message::Report(pb::Report { reports: vec![report], grant })).await;
        let (id, attempt) = (task.task_id.clone(), task.attempt);
        self.until(move |answer| match answer {
            Answer::Acks(acks) => {
                acks.acks.iter().find(|ack| ack.task_id == id && ack.attempt == attempt).cloned()
            }
            _ => None,
        })
        .await
    }

    /// Reports the ends of many attempts at once, grants as many tasks, and waits for the
    /// acknowledgements.
    pub(crate) async fn report_all(&mut self, reports: Vec<pb::AttemptReport>) -> Vec<pb::Ack> {
        let count = reports.len();
        let grant = u32::try_from(count).unwrap();
        self.send(Message::Report(pb::Report { reports, grant })).await;
        let mut all = Vec::new();
        while all.len() < count {
            let acks = self.until(|answer| match answer {
                Answer::Acks(acks) => Some(acks.acks.clone()),
                _ => None,
            });
            all.extend(acks.await);
        }
        all
    }

    /// Reports success, which must be accepted.
    pub(crate) async fn succeed(&mut self, task: &pb::Assignment, result: &str) {
        let outcome = Outcome::Succeeded(pb::Succeeded { result: make::text(result) });
        let ack = self.report(task, outcome).await;
        assert_eq!(ack.reason(), pb::ErrorReason::Unspecified, "{}", ack.message);
    }

    /// Reports success with room for one more task.
    pub(crate) async fn succeed_and_grant(&mut self, task: &pb::Assignment, result: &str) {
        let outcome = Outcome::Succeeded(pb::Succeeded { result: make::text(result) });
        let ack = self.report_and_grant(task, outcome, 1).await;
        assert_eq!(ack.reason(), pb::ErrorReason::Unspecified, "{}", ack.message);
    }

    /// Reports a failure with room for one more task.
    pub(crate) async fn fail_and_grant(&mut self, task: &pb::Assignment, kind: &str) {
        let failed = pb::Failed { error: make::error(kind), ..Default::default() };
        let ack = self.report_and_grant(task, Outcome::Failed(failed), 1).await;
        assert_eq!(ack.reason(), pb::ErrorReason::Unspecified, "{}", ack.message);
    }

    /// Reports a failure, which must be accepted.
    pub(crate) async fn fail(&mut self, task: &pb::Assignment, kind: &str) {
        let failed = pb::Failed { error: make::error(kind), ..Default::default() };
        let ack = self.report(task, Outcome::Failed(failed)).await;
        assert_eq!(ack.reason(), pb::ErrorReason::Unspecified, "{}", ack.message);
    }

    /// Grants more tasks.
    pub(crate) async fn grant(&self, grant: u32) {
        self.send(Message::Credit(pb::Credit { grant })).await;
    }

    /// Says goodbye and waits for the end of the stream.
    pub(crate) async fn goodbye(mut self) {
        self.send(Message::Goodbye(pb::Goodbye {})).await;
        assert_eq!(self.ended().await.code(), tonic::Code::Ok);
    }

    pub(crate) async fn send(&self, message: Message) {
        self.requests.send(request(message)).await.unwrap();
    }

    /// The hello with which another stream takes this session up again.
    pub(crate) fn resume(&self, running: &[&pb::Assignment], credit: u32) -> pb::Hello {
        pb::Hello {
            credit,
            session_token: self.welcome.session_token.clone(),
            running: running
                .iter()
                .map(|task| pb::AttemptRef { task_id: task.task_id.clone(), attempt: task.attempt })
                .collect(),
            ..Default::default()
        }
    }
}

fn request(message: Message) -> pb::WorkRequest {
    pb::WorkRequest { message: Some(message) }
}
