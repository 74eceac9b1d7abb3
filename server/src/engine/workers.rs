//! What workers do: connect, report, beat, leave.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dispatcher::Dispatcher;
use super::hints::Hints;
use super::ids::Ids;
use super::outbox::Ack;
use super::registry::Registry;
use super::reporter::{End, Reporter, lease};
use super::session::Session;
use super::signals::Signals;
use super::{Error, Settings};
use crate::domain::{
    Assignment, AttemptRef, Ending, Hello, Kind, Namespace, ProgressReport, QueueName, Report,
    SessionId, Stop, StopReason, Version,
};
use crate::store::{Lease, SessionRow, Store};

/// How often sessions that were heard of are written down.
const BEATS_EVERY: Duration = Duration::from_secs(1);
/// How often a caller who waits for tasks counts as heard of.
const HEARD_EVERY: Duration = Duration::from_secs(1);

/// Answer to a worker's hello.
#[derive(Debug, Clone)]
pub struct Welcome {
    /// Whether an earlier session was taken up again.
    pub resumed: bool,
    /// Attempts that the worker thought were its own and are not.
    pub lost: Vec<AttemptRef>,
}

/// Serves workers.
#[derive(Debug)]
pub struct Workers {
    store: Store,
    registry: Arc<Registry>,
    dispatcher: Arc<Dispatcher>,
    reporter: Arc<Reporter>,
    signals: Arc<Signals>,
    hints: Arc<Hints>,
    lease_duration: Duration,
    cancel_grace: Duration,
}

/// A worker that takes part; leaves when dropped, without a goodbye: its leases live on.
#[derive(Debug)]
pub struct Connection {
    /// The session.
    pub session: Arc<Session>,
    workers: Arc<Workers>,
    said_goodbye: bool,
}

impl Workers {
    /// Nobody is connected.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        dispatcher: Arc<Dispatcher>,
        reporter: Arc<Reporter>,
        signals: Arc<Signals>,
        hints: Arc<Hints>,
        settings: &Settings,
    ) -> Self {
        Self {
            store,
            registry,
            dispatcher,
            reporter,
            signals,
            hints,
            lease_duration: settings.lease_duration,
            cancel_grace: settings.cancel_grace,
        }
    }

    /// Starts a session, or takes up an earlier one, for a worker that will read its outbox. Of an earlier
    /// one `may_take` is asked about the queues: its token may have come to somebody else.
    pub async fn connect(
        self: &Arc<Self>,
        hello: Hello,
        may_take: impl FnOnce(&[QueueName]) -> Result<(), Error>,
    ) -> Result<(Connection, Welcome), Error> {
        let namespace = self.registry.namespace(&hello.namespace).await?;
        if let Some((old, _)) = &hello.resume
            && let Some(row) = self.store.session(*old, namespace).await?
        {
            may_take(&queues(&row))?;
        }
        self.registry.refresh(false).await?;
        let id = Ids::session();
        let mut welcome = Welcome { resumed: false, lost: Vec::new() };
        let session = Arc::new(Session::new(id, namespace, hello));
        let hello = &session.hello;
        let replica = self.hints.replica();
        if let Some((old, running)) = &hello.resume {
            let resumed = self
                .store
                .resume_session((id, *old), namespace, hello, running, replica, self.lease_duration)
                .await?;
            let moved = resumed.as_ref().map(|r| r.moved.as_slice()).unwrap_or_default();
            welcome.lost = running
                .iter()
                .filter(|attempt| !moved.iter().any(|(other, _)| other == *attempt))
                .copied()
                .collect();
            for (attempt, _) in moved.iter().filter(|(_, is_cancelling)| *is_cancelling) {
                let stop = self.stop_for_cancel(*attempt);
                session.outbox.push(|out| out.stops.push(stop));
            }
            self.signals.traces.resumed(&session, moved.iter().map(|(attempt, _)| *attempt));
            if let Some(resumed) = resumed {
                welcome.resumed = true;
                let unknown = resumed.unknown.iter();
                let ends: Vec<End> = unknown
                    .map(|attempt| End {
                        lease: lease(*attempt, namespace, *old),
                        ending: Ending::Released,
                    })
                    .collect();
                // The session is this one's now, and its worker has to hear so.
                if let Err(error) = self.reporter.end(&ends).await {
                    tracing::warn!(%error, "failed to release what a worker no longer runs; its leases run out");
                }
            }
        }
        if !welcome.resumed {
            self.store.open_session(id, namespace, hello, replica, self.lease_duration).await?;
        }
        self.dispatcher.join(&session, &self.signals);
        let connection = Connection { session, workers: self.clone(), said_goodbye: false };
        Ok((connection, welcome))
    }

    /// Ends an attempt for a worker that has no stream: the unary twins.
    pub async fn report_one(
        &self,
        namespace: &Namespace,
        session: SessionId,
        report: Report,
    ) -> Result<(), Error> {
        let attempt = report.attempt;
        let Some(namespace) = self.registry.find_namespace(namespace).await? else {
            return Err(Error::LeaseLost(attempt));
        };
        let end = End { lease: lease(attempt, namespace, session), ending: report.ending };
        let came = self.signals.traces.report_came();
        let acks = self.reporter.report(vec![end]).await;
        if acks.iter().all(|ack| ack.result.is_ok()) {
            self.signals.traces.reported_alone(attempt, came);
        }
        acks.into_iter().next().map_or(Err(Error::OutcomeUnknown), |ack| ack.result)
    }

    /// Keeps a session without a stream alive; answers with what to stop of `running`, and until when
    /// the leases live.
    pub async fn beat(
        &self,
        namespace: &Namespace,
        session: SessionId,
        running: Vec<ProgressReport>,
    ) -> Result<(Vec<Stop>, Timestamp), Error> {
        let namespace = self.registry.find_namespace(namespace).await?.ok_or(Error::SessionLost)?;
        if self.store.session(session, namespace).await?.is_none() {
            return Err(Error::SessionLost);
        }
        let alive = self.store.beat(&[session], self.lease_duration).await?;
        let expires_at = *alive.get(&session).ok_or(Error::SessionLost)?;
        let held = self.store.session_leases(session).await?;
        let held: HashMap<AttemptRef, bool> =
            held.into_iter().map(|row| (row.lease.attempt, row.is_cancelling)).collect();
        let mut stops = Vec::new();
        for report in &running {
            match held.get(&report.attempt) {
                Some(false) => {}
                Some(true) => stops.push(self.stop_for_cancel(report.attempt)),
                None => stops.push(Stop {
                    attempt: report.attempt,
                    reason: StopReason::LeaseLost,
                    grace: Duration::ZERO,
                }),
            }
        }
        self.write_progress(namespace, session, running).await?;
        Ok((stops, expires_at))
    }

    /// Leases up to `most` tasks for a worker without a stream, and waits up to `wait` for the first.
    /// With an earlier session its queues count, and `may_take` is asked about them. What was leased is put into the
    /// answer by `put`, one by one, until one does not fit; the rest is given back.
    pub async fn lease(
        self: &Arc<Self>,
        mut hello: Hello,
        may_take: impl FnOnce(&[QueueName]) -> Result<(), Error>,
        most: u32,
        wait: Duration,
        mut put: impl FnMut(&Assignment) -> bool,
        stop: &CancellationToken,
    ) -> Result<SessionId, Error> {
        let namespace = self.registry.namespace(&hello.namespace).await?;
        self.registry.refresh(false).await?;
        let id = match hello.resume.take() {
            Some((id, _)) => {
                let row = self.store.session(id, namespace).await?.ok_or(Error::SessionLost)?;
                may_take(&queues(&row))?;
                adopt(&mut hello, row);
                let alive = self.store.beat(&[id], self.lease_duration).await?;
                alive.get(&id).ok_or(Error::SessionLost)?;
                id
            }
            None => {
                let id = Ids::session();
                let replica = self.hints.replica();
                self.store
                    .open_session(id, namespace, &hello, replica, self.lease_duration)
                    .await?;
                id
            }
        };
        let session = Arc::new(Session::new(id, namespace, hello));
        // On the way out, also when the caller gives up, the guard releases what was not read.
        let mut guard =
            Connection { session: session.clone(), workers: self.clone(), said_goodbye: false };
        session.grant(most);
        self.dispatcher.join(&session, &self.signals);
        let (mut leased, mut ended) = (Vec::new(), None);
        let begun = Instant::now();
        let waiting = async {
            loop {
                // The caller waits: that is a sign of life, which the loop of the sessions writes down.
                tokio::time::sleep(HEARD_EVERY).await;
                session.heard();
            }
        };
        tokio::select! {
            out = session.outbox.next() => (leased, ended) = (out.assignments, out.ended),
            () = tokio::time::sleep(wait.max(SHORTEST_WAIT)) => {}
            () = stop.cancelled() => {}
            () = waiting => {}
        }
        // Credit that a claim under way has taken may still turn into tasks: those are released.
        session.take_credit(u32::MAX);
        leased.extend(guard.leave().await);
        // What is answered has a whole lease before it.
        if begun.elapsed() > HEARD_EVERY
            && let Ok(alive) = self.store.beat(&[id], self.lease_duration).await
            && !alive.contains_key(&id)
        {
            self.dispatcher.release_unsent(&session, &leased, &self.signals).await;
            return Err(Error::SessionLost);
        }
        let answered = leased.iter().take_while(|task| put(task)).count();
        let rest = leased.get(answered..).unwrap_or_default();
        self.dispatcher.release_unsent(&session, rest, &self.signals).await;
        match ended {
            // Nobody knows whether something was leased.
            Some(error) if leased.is_empty() => Err(error),
            _ => Ok(id),
        }
    }

    async fn write_progress(
        &self,
        namespace: i32,
        session: SessionId,
        reports: Vec<ProgressReport>,
    ) -> Result<(), Error> {
        // One statement must not write a row twice: the last report of an attempt counts.
        let mut latest: HashMap<AttemptRef, ProgressReport> = HashMap::new();
        for report in reports {
            if report.progress.is_none() && report.checkpoint.is_none() {
                continue;
            }
            let kept = latest.entry(report.attempt).or_insert_with(|| ProgressReport {
                attempt: report.attempt,
                progress: None,
                checkpoint: None,
            });
            kept.progress = report.progress.or(kept.progress.take());
            kept.checkpoint = report.checkpoint.or(kept.checkpoint.take());
        }
        if latest.is_empty() {
            return Ok(());
        }
        let reports: Vec<(Lease, ProgressReport)> = latest
            .into_values()
            .map(|report| (lease(report.attempt, namespace, session), report))
            .collect();
        // Two attempts of one task cannot both be held, so ids do not repeat among the held ones.
        let written = self.store.report_progress(&reports).await?;
        self.signals.changed(written.iter().map(|(task, lane)| (*task, *lane, 0)));
        Ok(())
    }

    /// Tells the worker of an attempt that a cancel was asked for, if it is connected here.
    pub fn tell_cancel(&self, session: SessionId, attempt: AttemptRef) {
        if let Some(session) = self.dispatcher.session(session) {
            let stop = self.stop_for_cancel(attempt);
            session.outbox.push(|out| out.stops.push(stop));
        }
    }

    /// Tells the worker of an attempt that it has ended, if it is connected here.
    pub fn tell_ended(&self, lease: &Lease, reason: StopReason) {
        if let Some(session) = self.dispatcher.session(lease.session) {
            let stop = Stop { attempt: lease.attempt, reason, grace: Duration::ZERO };
            session.outbox.push(|out| out.stops.push(stop));
        }
    }

    fn stop_for_cancel(&self, attempt: AttemptRef) -> Stop {
        Stop { attempt, reason: StopReason::Cancelled, grace: self.cancel_grace }
    }

    /// A worker has read what waited for it.
    pub fn has_room(&self, session: &Session) {
        self.dispatcher.has_room(session.id);
    }

    /// Workers that are connected.
    pub fn connected(&self) -> usize {
        self.dispatcher.sessions().len()
    }

    /// Tells all workers that the server stops.
    pub fn tell_drain(&self) {
        for session in self.dispatcher.sessions() {
            session.drain();
        }
    }

    /// Writes down which sessions were heard of, until stopped.
    pub async fn keep_alive(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BEATS_EVERY) => {}
            }
            if let Err(error) = self.beat_all().await {
                tracing::warn!(%error, "failed to renew the leases; trying again");
            }
        }
    }

    /// Takes all connected workers for heard of, and writes that down: for a clock that jumps.
    pub async fn beat_connected(&self) -> Result<(), Error> {
        for session in self.dispatcher.sessions() {
            session.heard();
        }
        self.beat_all().await
    }

    /// Writes down which sessions were heard of, once.
    pub async fn beat_all(&self) -> Result<(), Error> {
        let heard: Vec<Arc<Session>> =
            self.dispatcher.sessions().into_iter().filter(|session| session.take_heard()).collect();
        if heard.is_empty() {
            return Ok(());
        }
        let ids: Vec<SessionId> = heard.iter().map(|session| session.id).collect();
        let alive = match self.store.beat(&ids, self.lease_duration).await {
            Ok(alive) => alive,
            Err(error) => {
                for session in heard {
                    session.heard();
                }
                return Err(error.into());
            }
        };
        for session in heard.iter().filter(|session| !alive.contains_key(&session.id)) {
            session.outbox.push(|out| out.ended = Some(Error::SessionLost));
        }
        // A hint about a cancel may have been lost.
        for cancelled in self.store.cancelled(&ids).await? {
            self.tell_cancel(cancelled.session, cancelled.attempt);
        }
        Ok(())
    }
}

/// A claim needs a moment, also for a caller who does not want to wait.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

impl Connection {
    /// Grants the worker more tasks.
    ///
    /// # Errors
    /// Why not.
    pub fn grant(&self, more: u32) -> Result<(), String> {
        self.grant_with_report(more)?;
        self.workers.dispatcher.has_room(self.session.id);
        Ok(())
    }

    /// The same, if reports follow that were made room by: writing them leases what is ready.
    ///
    /// # Errors
    /// Why not.
    pub fn grant_with_report(&self, more: u32) -> Result<(), String> {
        match self.session.grant(more) {
            true => Ok(()),
            false => {
                let most = crate::domain::limits::CREDIT;
                Err(format!("may not grant more than {most} tasks that are not used yet"))
            }
        }
    }

    /// Writes the ends of attempts; answers for each once it is durable.
    pub async fn report(workers: &Workers, session: &Session, reports: Vec<Report>) -> Vec<Ack> {
        let ends = reports
            .into_iter()
            .map(|report| End {
                lease: lease(report.attempt, session.namespace, session.id),
                ending: report.ending,
            })
            .collect();
        let traces = &workers.signals.traces;
        let came = traces.report_came();
        let acks = workers.reporter.report(ends).await;
        traces.reported(session, &acks, came);
        acks
    }

    /// Writes the progress of attempts.
    pub async fn progress(&self, reports: Vec<ProgressReport>) -> Result<(), Error> {
        self.workers.write_progress(self.session.namespace, self.session.id, reports).await
    }

    /// Who serves the worker.
    pub fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Ends the session: what the worker still holds is released at once.
    pub async fn goodbye(mut self) -> Result<(), Error> {
        self.said_goodbye = true;
        let (session, workers) = (self.session.clone(), self.workers.clone());
        workers.dispatcher.leave(&session);
        session.outbox.close();
        workers.store.close_session(session.id, session.namespace).await?;
        let held = workers.store.session_leases(session.id).await?;
        let ends: Vec<End> = held
            .into_iter()
            .map(|row| End { lease: row.lease, ending: Ending::Released })
            .collect();
        workers.reporter.end(&ends).await?;
        Ok(())
    }

    /// Leaves without ending the session; answers with what was leased for it and not read yet.
    async fn leave(&mut self) -> Vec<Assignment> {
        self.said_goodbye = true;
        self.workers.dispatcher.leave(&self.session);
        self.session.outbox.close()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.said_goodbye {
            return;
        }
        self.workers.dispatcher.leave(&self.session);
        let unsent = self.session.outbox.close();
        if !unsent.is_empty() {
            self.workers.dispatcher.release_later(
                self.session.clone(),
                unsent,
                &self.workers.signals,
            );
        }
    }
}

/// A worker that comes back is what it said it was at first.
fn adopt(hello: &mut Hello, row: SessionRow) {
    hello.queues = queues(&row);
    hello.worker_name = row.worker;
    hello.kinds = row.kinds.iter().filter_map(|text| Kind::parse(text).ok()).collect();
    hello.versions = row.versions.iter().filter_map(|text| Version::parse(text).ok()).collect();
}

fn queues(row: &SessionRow) -> Vec<QueueName> {
    row.queues.iter().filter_map(|text| QueueName::parse(text).ok()).collect()
}
