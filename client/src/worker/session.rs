//! A worker's talk with the server, over any number of connections.

use std::collections::HashMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::book::{Book, Key};
use super::connection::{Connection, PATIENCE};
use super::context::TaskContext;
use super::handler::{DynHandler, attempt, panicked};
use crate::client::Client;
use crate::error::{Error, reason};
use crate::retry::{Backoff, later};

/// How often progress, and reports that are made again, are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(1);
/// A connection that lasted this long is good: after it, the waits begin anew.
const GOOD: Duration = Duration::from_secs(1);
/// Attempts that run or whose reports are not acknowledged, from which on no more are asked for: with
/// what was asked for before, fewer than the server lets a worker take up again.
const HELD: usize = 20_000;
/// How long handlers that are dropped may take to end.
const DROPPING: Duration = Duration::from_secs(1);

/// The end of a handler, or that it was dropped or panicked.
type Done = Result<(Id, (Key, Option<Outcome>)), JoinError>;

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
    /// Which attempt each of the jobs runs.
    running: HashMap<Id, Key>,
    told_progress: Instant,
    /// Room that the server does not know of yet.
    room: u32,
    stop: CancellationToken,
    /// When draining has to be over.
    drained_by: Option<Instant>,
}

/// How one connection ended.
enum End {
    Goodbye,
    Broken(Status),
    /// The server takes this worker, but could not read something that it was sent.
    Refused(Status),
}

impl Session {
    pub(super) fn new(parts: Parts, stop: CancellationToken) -> Self {
        let (book, jobs, running) = (Book::default(), JoinSet::new(), HashMap::new());
        let told_progress = Instant::now();
        Self { parts, book, jobs, running, told_progress, room: 0, stop, drained_by: None }
    }

    /// Works until it is told to stop and everything is reported.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        loop {
            let began = Instant::now();
            let status = match self.converse().await {
                Ok(End::Goodbye) => return Ok(()),
                Err(status) if is_final(&status) => return Err(status.into()),
                Ok(End::Broken(status)) | Err(status) => status,
                Ok(End::Refused(status)) => {
                    if is_about_reports(&status) {
                        self.book.stream_refused(status.message());
                    }
                    status
                }
            };
            if began.elapsed() >= GOOD {
                backoff = Backoff::new();
            }
            if reason(&status) == Some(pb::ErrorReason::SessionLost) {
                self.parts.hello.session_token.clear();
                let lost = self.book.refs();
                self.book.lose(&lost);
            }
            let error = Error::from(status);
            tracing::info!(%error, "connecting again");
            let wait = backoff.after(&error);
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
                Some(done) = self.jobs.join_next_with_id() => self.note(done),
                () = stopped.cancelled(), if self.drained_by.is_none() => {}
                () = sleep(TICK), if self.drained_by.is_some() => {}
            }
        }
    }

    async fn converse(&mut self) -> Result<End, Status> {
        let too_late = self.too_late();
        let connection = tokio::select! {
            connection = self.connect() => connection?,
            () = too_late => return Ok(End::Goodbye),
        };
        match self.talk(connection).await {
            Err(status) if status.code() == Code::InvalidArgument => Ok(End::Refused(status)),
            ended => ended,
        }
    }

    async fn talk(&mut self, mut connection: Connection) -> Result<End, Status> {
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
                answer = connection.hear() => match answer? {
                    None => return Ok(End::Broken(Status::unavailable("the stream has ended"))),
                    Some(Answer::Drain(_)) => {
                        return Ok(End::Broken(Status::unavailable("the server is stopping")));
                    }
                    Some(answer) => self.hear(answer),
                },
                Some(done) = self.jobs.join_next_with_id() => {
                    self.note(done);
                    let mut free = 1;
                    while let Some(done) = self.jobs.try_join_next_with_id() {
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

    /// Returns when a connection is of no use any more: the worker is to stop and has nothing to
    /// report, or has waited for its handlers long enough.
    fn too_late(&self) -> impl Future<Output = ()> + Send + use<> {
        let (stop, drained_by) = (self.stop.clone(), self.drained_by);
        let (is_empty, drain_timeout) = (self.book.is_empty(), self.parts.drain_timeout);
        async move {
            stop.cancelled().await;
            if !is_empty {
                let by = drained_by.unwrap_or_else(|| later(drain_timeout));
                tokio::time::sleep_until(by).await;
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, Status> {
        let mut hello = self.parts.hello.clone();
        let busy = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        self.room = self.parts.concurrency.saturating_sub(busy);
        hello.credit = self.take_room();
        if !hello.session_token.is_empty() {
            hello.running = self.book.refs();
        }
        let (connection, welcome) = Connection::open(&self.parts.client, hello).await?;
        if !welcome.resumed {
            let lost = self.book.refs();
            self.book.lose(&lost);
        }
        self.book.lose(&welcome.lost);
        self.book.tell_anew();
        self.parts.hello.session_token = welcome.session_token;
        Ok(connection)
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
        if self.book.has(&key) {
            return;
        }
        let handler = self.parts.handlers.get(&task.kind).or(self.parts.fallback.as_ref()).cloned();
        let payload = task.payload.take();
        let context = TaskContext::new(task);
        let left = context.deadline().and_then(time_left);
        self.book.start(context.clone());
        if self.drained_by.is_some() {
            // Came after the worker had said that it stops.
            self.book.ended(&key, Some(Outcome::Released(pb::Released {})));
            return;
        }
        let named = key.clone();
        let job =
            self.jobs.spawn(async move { (named, attempt(handler, context, payload, left).await) });
        self.running.insert(job.id(), key);
    }

    fn note(&mut self, done: Done) {
        match done {
            Ok((id, (key, outcome))) => {
                self.running.remove(&id);
                self.book.ended(&key, outcome);
            }
            // What a handler leaves behind may panic too, when it is dropped.
            Err(error) if error.is_panic() => {
                if let Some(key) = self.running.remove(&error.id()) {
                    let failure = panicked(&*error.into_panic());
                    self.book.ended(&key, Some(failure.outcome()));
                }
            }
            // What was dropped is given back by the goodbye.
            Err(error) => {
                self.running.remove(&error.id());
            }
        }
    }

    fn heed_stop(&mut self) {
        if self.stop.is_cancelled() && self.drained_by.is_none() {
            self.drained_by = Some(later(self.parts.drain_timeout));
        }
    }

    /// Tells what there is to tell, and that the worker lives.
    async fn tell(&mut self, connection: &mut Connection) -> Result<(), Status> {
        self.report(connection, 0).await?;
        if self.told_progress.elapsed() >= PROGRESS {
            self.told_progress = Instant::now();
            for beat in self.book.take_progress() {
                connection.send(Message::Beat(beat)).await?;
            }
        }
        connection.beat().await
    }

    /// Sends reports that are due, after the last progress of their attempts, and grants credit.
    async fn report(&mut self, connection: &mut Connection, free: u32) -> Result<(), Status> {
        self.room = self.room.saturating_add(free);
        let mut grant = self.take_room();
        loop {
            let reports = self.book.take_reports();
            if reports.is_empty() {
                if grant > 0 {
                    connection.send(Message::Credit(pb::Credit { grant })).await?;
                }
                return Ok(());
            }
            for beat in self.book.take_progress_of(&reports) {
                connection.send(Message::Beat(beat)).await?;
            }
            let report = pb::Report { reports, grant: std::mem::take(&mut grant) };
            connection.send(Message::Report(report)).await?;
        }
    }

    /// Room for tasks that the server may be told of now.
    fn take_room(&mut self) -> u32 {
        let may_take = self.drained_by.is_none() && self.book.len() < HELD;
        if may_take { std::mem::take(&mut self.room) } else { 0 }
    }

    /// Gives back what still runs, and lets the server end the stream.
    async fn leave(&mut self, mut connection: Connection) -> Result<End, Status> {
        self.jobs.abort_all();
        let dropped = async {
            while let Some(done) = self.jobs.join_next_with_id().await {
                self.note(done);
            }
        };
        timeout(DROPPING, dropped).await.ok();
        self.report(&mut connection, 0).await?;
        connection.send(Message::Goodbye(pb::Goodbye {})).await?;
        let ended = async {
            while let Ok(Some(answer)) = connection.hear().await {
                if let Answer::Acks(acks) = answer {
                    acks.acks.iter().for_each(|ack| self.book.acknowledged(ack));
                }
            }
        };
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

/// Whether what the server could not read may have been a report.
fn is_about_reports(refused: &Status) -> bool {
    let wrong = Error::from(refused.clone()).violations();
    wrong.is_empty()
        || wrong.iter().any(|(field, _)| field == "message" || field == "report.reports")
}

/// How long a new attempt may take. `None` if its deadline is over already: then the clock here runs
/// ahead, and the server, whose clock counts, has to end the attempt.
#[expect(clippy::disallowed_methods, reason = "a deadline is a time of the wall clock")]
fn time_left(deadline: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(deadline.duration_since(Timestamp::now())).ok();
    let left = left.filter(|left| !left.is_zero());
    if left.is_none() {
        tracing::warn!("a task came after its deadline: the clock of this machine may run ahead");
    }
    left
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
