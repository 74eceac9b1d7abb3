//! The worker's talk with the server: takes tasks, reports ends, and keeps the session through
//! broken connections and servers that restart.

mod conversation;
mod ledger;

use std::{sync::Arc, time::Duration};

use bellringer_api::v1::{ErrorReason, Hello};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use self::{conversation::End, ledger::Ledger};
use super::{runner::Runner, verdict::Verdict};
use crate::{app::App, failure::Failure};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pause after the server has ended a stream that it could not read.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Time that commands have to end when the worker stops them.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// How long the server is looked for to tell it of the stopped attempts.
const FAREWELL: Duration = Duration::from_secs(10);

/// Attempts that run or whose reports are not confirmed, from which on no more are asked for: with
/// what was asked for before, fewer than the server lets a worker take up again.
const HELD: usize = 20_000;

/// What the worker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Take tasks and run them.
    Working,
    /// Take no more, finish what runs.
    Draining,
    /// Stop what runs and give it back.
    Stopping,
}

/// Names one attempt.
type Key = (String, u32);

/// A session of a worker, over any number of connections.
pub(crate) struct Session<'a> {
    app: &'a App,
    /// What every connection begins with; holds the token.
    hello: Hello,
    concurrency: u32,
    /// Room that the server does not know of yet.
    room: u32,
    runner: Arc<Runner>,
    ledger: Ledger,
    jobs: JoinSet<(Key, Verdict)>,
    phase: watch::Receiver<Phase>,
    is_stopping: bool,
}

impl<'a> Session<'a> {
    /// A session that has not begun. `hello` says who the worker is; credit is set here.
    pub(crate) fn new(
        app: &'a App,
        hello: Hello,
        concurrency: u32,
        runner: Runner,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            app,
            hello,
            concurrency,
            room: 0,
            runner: Arc::new(runner),
            ledger: Ledger::default(),
            jobs: JoinSet::new(),
            phase,
            is_stopping: false,
        }
    }

    /// Works until it is told to end, and everything is reported.
    ///
    /// # Errors
    /// The server refuses this worker. A server that is away is waited for.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        let mut is_told = false;
        let mut begun = false;
        loop {
            let status = match self.converse(&mut begun, &mut is_told, &mut pause).await {
                Ok(End::Goodbye) => return self.end_without_server(Failure::from(&unwritten())),
                Ok(End::Broken) => Status::unavailable("the connection has ended"),
                Ok(End::Refused(status)) => {
                    pause = REFUSED_PAUSE;
                    if is_about_reports(&status) {
                        self.ledger.stream_refused(status.message());
                    }
                    status
                }
                Err(status) if is_final(&status) => return Err(Failure::from(&status)),
                Err(status) => status,
            };
            let failure = Failure::from(&status);
            if reason(&status) == ErrorReason::SessionLost {
                self.lose_session();
            }
            if !is_told {
                is_told = true;
                self.app.out.remark(&format!("{failure}\ntrying again until it works"));
            }
            if !self.rest(failure.retry_after.unwrap_or(pause)).await {
                return self.end_without_server(failure);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The session is gone, and with it the leases.
    fn lose_session(&mut self) {
        self.hello.session_token.clear();
        self.ledger.lose_all();
    }

    /// Waits before the next connection, while commands go on. False if there is nothing to connect
    /// for any more.
    async fn rest(&mut self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            self.heed_phase();
            if *self.phase.borrow() > Phase::Working && self.ledger.is_empty() {
                return false;
            }
            let end = match self.farewell() {
                Some(farewell) if self.jobs.is_empty() => farewell.min(end),
                _ => end,
            };
            tokio::select! {
                () = sleep_until(end) => return !self.is_over(),
                Some(done) = self.jobs.join_next() => self.note(done),
                Ok(()) = self.phase.changed() => {}
            }
        }
    }

    /// Whether all commands have been stopped and the server cannot be told.
    fn is_over(&self) -> bool {
        self.jobs.is_empty() && self.farewell().is_some_and(|end| Instant::now() >= end)
    }

    /// Until when the server is told of the stopped attempts.
    fn farewell(&self) -> Option<Instant> {
        self.ledger.stopped_at().map(|at| at + FAREWELL)
    }

    /// Room for tasks that the server may be told of now.
    fn take_room(&mut self) -> u32 {
        let may_take = *self.phase.borrow() == Phase::Working && self.ledger.len() < HELD;
        if may_take { std::mem::take(&mut self.room) } else { 0 }
    }

    /// Stops the commands once that is wanted.
    fn heed_phase(&mut self) {
        if !self.is_stopping && *self.phase.borrow_and_update() == Phase::Stopping {
            self.is_stopping = true;
            self.ledger.leave(GRACE);
        }
    }

    /// Notes how a command ended, to be reported.
    fn note(&mut self, done: Result<(Key, Verdict), tokio::task::JoinError>) {
        // A job cannot be aborted; if it panicked, its lease runs out.
        if let Ok((key, verdict)) = done {
            self.ledger.finished(&key, verdict);
        }
    }

    fn end_without_server(&self, failure: Failure) -> Result<(), Failure> {
        match self.ledger.len() {
            0 => Ok(()),
            count => Err(failure.detail(format!(
                "{count} attempts could not be reported: their leases run out by themselves"
            ))),
        }
    }
}

fn reason(status: &Status) -> ErrorReason {
    let details = status.get_error_details();
    let name = details.error_info().map(|info| format!("ERROR_REASON_{}", info.reason));
    name.and_then(|name| ErrorReason::from_str_name(&name)).unwrap_or_default()
}

/// What is said of attempts that the server never confirmed.
fn unwritten() -> Status {
    Status::unavailable("the server did not confirm how the last attempts ended")
}

/// Whether what the server could not read may have been a report.
fn is_about_reports(refused: &Status) -> bool {
    let details = refused.get_error_details();
    let Some(request) = details.bad_request() else { return true };
    let mut fields = request.field_violations.iter().map(|violation| violation.field.as_str());
    fields.any(|field| field == "message" || field == "report.reports")
}

/// Whether trying again cannot help.
fn is_final(status: &Status) -> bool {
    let is_lost = reason(status) == ErrorReason::SessionLost;
    !is_lost
        && matches!(
            status.code(),
            Code::InvalidArgument
                | Code::Unauthenticated
                | Code::PermissionDenied
                | Code::Unimplemented
                | Code::NotFound
                | Code::FailedPrecondition
        )
}

#[cfg(test)]
mod tests;
