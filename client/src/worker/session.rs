//! A worker's talk with the server, over any number of connections.

use std::collections::HashMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::book::{Book, Key};
use super::context::TaskContext;
use super::handler::{DynHandler, attempt};
use crate::client::Client;
use crate::error::{Error, reason};
use crate::new_task::std_duration;
use crate::retry::Backoff;

/// Longest time for the server to say welcome, to take a message, or to end the stream.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often progress, and reports that are made again, are looked at.
const TICK: Duration = Duration::from_millis(500);
/// Messages under way to the server.
const BUFFER: usize = 16;

/// What a worker is made of.
pub(super) struct Parts {
    pub(super) client: Client,
    pub(super) hello: pb::Hello,
    pub(super) concurrency: u32,
    pub(super) handlers: HashMap<String, DynHandler>,
    pub(super) fallback: Option<DynHandler>,
    pub(super) drain_timeout: Duration,
}

pub(super) struct Session {
    parts: Parts,
    book: Book,
    jobs: JoinSet<(Key, Option<Outcome>)>,
    stop: CancellationToken,
    /// When draining has to be over.
    drained_by: Option<Instant>,
}

/// How one connection ended.
enum End {
    Goodbye,
    Broken(Status),
}

struct Connection {
    outbound: mpsc::Sender<pb::WorkRequest>,
    inbound: Streaming<pb::WorkResponse>,
    spoke: Instant,
    heartbeat: Duration,
    told_progress: Instant,
}

impl Connection {
    async fn send(&mut self, message: Message) -> Result<(), Status> {
        let request = pb::WorkRequest { message: Some(message) };
        let sent = timeout(PATIENCE, self.outbound.send(request)).await;
        let gone = || Status::unavailable("the connection has ended");
        sent.map_err(|_| gone())?.map_err(|_| gone())?;
        self.spoke = Instant::now();
        Ok(())
    }
}

impl Session {
    pub(super) fn new(parts: Parts, stop: CancellationToken) -> Self {
        Self { parts, book: Book::default(), jobs: JoinSet::new(), stop, drained_by: None }
    }

    /// Works until it is told to stop and everything is reported.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        loop {
            let status = match self.converse(&mut backoff).await {
                Ok(End::Goodbye) => return Ok(()),
                Ok(End::Broken(status)) | Err(status) => status,
            };
            if is_final(&status) {
                return Err(status.into());
            }
            if reason(&status) == Some(pb::ErrorReason::SessionLost) {
                self.parts.hello.session_token.clear();
                let lost = self.book.refs();
                self.book.lose(&lost);
            }
            let error = Error::from(status);
            tracing::info!(%error, "connecting again");
            let wait = backoff.next(rand::random()).max(error.retry_after().unwrap_or_default());
            if !self.rest(wait).await {
                return Ok(());
            }
        }
    }

    /// Waits before the next connection, while handlers go on; false if there is nothing to connect
    /// for any more.
    async fn rest(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            self.heed_stop();
            let is_over = self.drained_by.is_some_and(|by| Instant::now() >= by);
            if self.drained_by.is_some() && (self.book.is_empty() || is_over) {
                return false;
            }
            let stopped = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                Some(done) = self.jobs.join_next() => self.note(done),
                () = stopped.cancelled(), if self.drained_by.is_none() => {}
                () = sleep(TICK), if self.drained_by.is_some() => {}
            }
        }
    }

    async fn converse(&mut self, backoff: &mut Backoff) -> Result<End, Status> {
        let mut connection = self.connect().await?;
        *backoff = Backoff::new();
        loop {
            self.heed_stop();
            self.tell(&mut connection).await?;
            if let Some(by) = self.drained_by
                && (self.book.is_empty() || Instant::now() >= by)
            {
                return self.leave(connection).await;
            }
            let stopped = self.stop.clone();
            tokio::select! {
                answer = connection.inbound.message() => match answer?.and_then(|a| a.message) {
                    None => return Ok(End::Broken(Status::unavailable("the stream has ended"))),
                    Some(Answer::Drain(_)) => {
                        return Ok(End::Broken(Status::unavailable("the server is stopping")));
                    }
                    Some(answer) => self.hear(answer),
                },
                Some(done) = self.jobs.join_next() => {
                    self.note(done);
                    let mut free = 1;
                    while let Some(done) = self.jobs.try_join_next() {
                        self.note(done);
                        free += 1;
                    }
                    self.report(&mut connection, free).await?;
                }
                () = stopped.cancelled(), if self.drained_by.is_none() => {}
                () = sleep(TICK) => {}
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, Status> {
        let mut hello = self.parts.hello.clone();
        let busy = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        if self.drained_by.is_none() {
            hello.credit = self.parts.concurrency.saturating_sub(busy);
        }
        if !hello.session_token.is_empty() {
            hello.running = self.book.refs();
        }
        let (outbound, requests) = mpsc::channel(BUFFER);
        let first = pb::WorkRequest { message: Some(Message::Hello(hello)) };
        outbound.try_send(first).map_err(|_| Status::internal("the buffer is too small"))?;
        let mut service = self.parts.client.worker_service();
        let silent = |_| Status::unavailable("the server does not answer");
        let call = service.work(ReceiverStream::new(requests));
        let mut inbound = timeout(PATIENCE, call).await.map_err(silent)??.into_inner();
        let first = timeout(PATIENCE, inbound.message()).await.map_err(silent)??;
        let Some(Answer::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(Status::unavailable("the server did not say welcome"));
        };
        if !welcome.resumed {
            let lost = self.book.refs();
            self.book.lose(&lost);
        }
        self.book.lose(&welcome.lost);
        self.book.tell_anew();
        self.parts.hello.session_token = welcome.session_token;
        let heartbeat = welcome.heartbeat_interval.as_ref().map(std_duration);
        let heartbeat = heartbeat.filter(|h| !h.is_zero()).unwrap_or(Duration::from_secs(10));
        let now = Instant::now();
        Ok(Connection { outbound, inbound, spoke: now, heartbeat, told_progress: now })
    }

    fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Assign(assign) => assign.assignments.into_iter().for_each(|t| self.start(t)),
            Answer::Acks(acks) => acks.acks.iter().for_each(|ack| self.book.acknowledged(ack)),
            Answer::Stop(stop) => self.book.stop(&stop),
            Answer::Welcome(_) | Answer::Drain(_) => {}
        }
    }

    fn start(&mut self, mut task: pb::Assignment) {
        let key = (task.task_id.clone(), task.attempt);
        let handler = self.parts.handlers.get(&task.kind).or(self.parts.fallback.as_ref()).cloned();
        let payload = task.payload.take();
        let left = task.deadline.as_ref().map(time_left);
        let context = TaskContext::new(task);
        self.book.start(context.clone());
        if self.drained_by.is_some() {
            // Came after the worker had said that it stops.
            self.book.ended(&key, Some(Outcome::Released(pb::Released {})));
            return;
        }
        self.jobs.spawn(async move { (key, attempt(handler, context, payload, left).await) });
    }

    fn note(&mut self, done: Result<(Key, Option<Outcome>), tokio::task::JoinError>) {
        // A panic is caught inside; what was aborted is given back by the goodbye.
        if let Ok((key, outcome)) = done {
            self.book.ended(&key, outcome);
        }
    }

    fn heed_stop(&mut self) {
        if self.stop.is_cancelled() && self.drained_by.is_none() {
            self.drained_by = Some(Instant::now() + self.parts.drain_timeout);
        }
    }

    /// Tells what there is to tell, and that the worker lives.
    async fn tell(&mut self, connection: &mut Connection) -> Result<(), Status> {
        self.report(connection, 0).await?;
        let is_time = connection.told_progress.elapsed() >= Duration::from_secs(1);
        let progress = if is_time { self.book.take_progress() } else { Vec::new() };
        let is_silent = connection.spoke.elapsed() >= connection.heartbeat.mul_f64(0.8);
        if !progress.is_empty() || is_silent {
            connection.told_progress = Instant::now();
            connection.send(Message::Beat(pb::Beat { progress })).await?;
        }
        Ok(())
    }

    /// Sends reports that are due, after the last progress of their attempts, and grants credit.
    async fn report(&mut self, connection: &mut Connection, free: u32) -> Result<(), Status> {
        let mut grant = if self.drained_by.is_none() { free } else { 0 };
        loop {
            let reports = self.book.take_reports();
            if reports.is_empty() {
                if grant > 0 {
                    connection.send(Message::Credit(pb::Credit { grant })).await?;
                }
                return Ok(());
            }
            let progress = self.book.take_progress();
            if !progress.is_empty() {
                connection.send(Message::Beat(pb::Beat { progress })).await?;
            }
            let report = pb::Report { reports, grant: std::mem::take(&mut grant) };
            connection.send(Message::Report(report)).await?;
        }
    }

    /// Gives back what still runs, and lets the server end the stream.
    async fn leave(&mut self, mut connection: Connection) -> Result<End, Status> {
        self.jobs.abort_all();
        connection.send(Message::Goodbye(pb::Goodbye {})).await?;
        let ended = async { while let Ok(Some(_)) = connection.inbound.message().await {} };
        // What the server does not hear of runs out with the leases.
        timeout(PATIENCE, ended).await.ok();
        Ok(End::Goodbye)
    }
}

/// Whether trying again cannot help.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
            | Code::FailedPrecondition
    )
}

#[expect(clippy::disallowed_methods, reason = "a deadline is a time of the wall clock")]
fn time_left(deadline: &prost_types::Timestamp) -> Duration {
    let now = jiff::Timestamp::now();
    let nanos = deadline.nanos;
    jiff::Timestamp::new(deadline.seconds, nanos)
        .ok()
        .and_then(|deadline| Duration::try_from(deadline.duration_since(now)).ok())
        .unwrap_or_default()
}
