//! Leadership: of all replicas on a database at most one fires schedules. The advisory lock only
//! chooses; what makes a double fire impossible is in the leader's statements (see
//! `sql/schedules/fire.sql`).

mod boottime;
mod connect;
mod elector;
mod session;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::{Clock as _, SystemClock};
pub use boottime::BootTime;
pub use elector::{Elector, Held, Holder, Step, Timings};
pub use session::{ALL as STATEMENTS, LeadError};

use connect::Target;
use session::{Opened, Session};

/// Longest wait for an orderly end.
const RESIGN: Duration = Duration::from_secs(2);
/// Wait after a statement was refused.
const AGAIN: Duration = Duration::from_millis(500);
/// The database's clock and ours may disagree so much about the time between two renewals.
const SKEW: i64 = 5;

/// How to lead.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database, without a pooler between.
    pub url: String,
    /// Name of this replica, for people.
    pub replica: String,
    /// How long things take.
    pub timings: Timings,
}

/// What the leader does while it leads, on the leader's own session.
pub trait Duty: Send + Sync + 'static {
    /// One pass; answers with how long to wait for the next at most.
    ///
    /// # Errors
    /// If the term has ended, or the database did not do what it should.
    fn run(
        &self,
        lead: &Lead<'_>,
    ) -> impl Future<Output = Result<Option<Duration>, LeadError>> + Send;
}

/// What a replica does about schedules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Not known yet: there is no session.
    Starting,
    /// Would lead if the leader were gone.
    Standby,
    /// Leads.
    Leader {
        /// Number of the term.
        epoch: i64,
        /// When it began.
        since: Timestamp,
    },
    /// Cannot lead.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What is known here about leadership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What this replica does.
    pub role: Role,
    /// Terms that it has held.
    pub terms: u64,
    /// Terms that it has lost without resigning.
    pub lost: u64,
}

impl Default for Status {
    fn default() -> Self {
        Self { role: Role::Starting, terms: 0, lost: 0 }
    }
}

/// A term that is being used.
#[derive(Debug, Clone, Copy)]
pub struct Lead<'a> {
    session: &'a Session,
    elector: &'a Mutex<Elector>,
    epoch: i64,
    holder: Uuid,
}

impl Lead<'_> {
    /// Number of the term.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Who holds it; fresh for each term.
    pub fn holder(&self) -> Uuid {
        self.holder
    }

    /// Whether this replica may write in its term now.
    pub fn may_fire(&self) -> bool {
        lock(self.elector).may_fire(BootTime::now()).is_some()
    }

    /// Runs a statement in the term, unless the term is over.
    ///
    /// # Errors
    /// If the term is over, the session is lost, or the statement was refused.
    pub async fn query(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LeadError> {
        if !self.may_fire() {
            return Err(LeadError::Fenced);
        }
        self.session.query(sql, params).await
    }

    /// The guard of a statement says that another term has begun.
    pub fn fenced(&self) -> LeadError {
        tracing::warn!(epoch = self.epoch, "fenced: another term has begun");
        LeadError::Fenced
    }
}

/// Leads whenever it can, until stopped.
///
/// # Errors
/// If the database URL is wrong.
pub async fn run(
    settings: Settings,
    duty: impl Duty,
    wake: Arc<Notify>,
    status: watch::Sender<Status>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let target = connect::target(&settings.url, &settings.replica)?;
    let seed = u64::from_be_bytes(Uuid::new_v4().into_bytes()[..8].try_into()?);
    let elector = Mutex::new(Elector::new(settings.timings, seed, BootTime::now()));
    let replica = Replica { settings, target, elector, duty, wake, status };
    replica.run(stop).await;
    Ok(())
}

struct Replica<D> {
    settings: Settings,
    target: Target,
    elector: Mutex<Elector>,
    duty: D,
    wake: Arc<Notify>,
    status: watch::Sender<Status>,
}

impl<D: Duty> Replica<D> {
    async fn run(&self, stop: CancellationToken) {
        let mut session: Option<Session> = None;
        while !stop.is_cancelled() {
            let step = self.elector().step(BootTime::now());
            match (step, &session) {
                (Step::Wait(until), _) => self.wait(until, session.as_ref(), &stop).await,
                (Step::Connect, _) => {
                    session = tokio::select! {
                        session = self.connect() => session,
                        () = stop.cancelled() => None,
                    };
                }
                (Step::TryLock, Some(session)) => self.try_lock(session).await,
                (Step::OpenTerm(holder), Some(session)) => self.term(session, holder, &stop).await,
                (Step::Break(holder), Some(session)) => self.break_lock(session, &holder).await,
                (Step::Drop | Step::Renew, _) | (_, None) => {
                    session = None;
                    self.elector().dropped(BootTime::now());
                    self.set_role(Role::Starting);
                }
            }
        }
    }

    fn elector(&self) -> MutexGuard<'_, Elector> {
        lock(&self.elector)
    }

    fn set_role(&self, role: Role) {
        self.status.send_if_modified(|status| {
            let is_new = status.role != role;
            status.role = role;
            is_new
        });
    }

    async fn wait(&self, until: BootTime, session: Option<&Session>, stop: &CancellationToken) {
        let closed = async {
            match session {
                Some(session) => session.closed().await,
                None => std::future::pending().await,
            }
        };
        let freed = async {
            match session {
                Some(session) => session.freed.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(until.since(BootTime::now())) => {}
            () = closed => self.elector().failed(),
            () = freed => self.elector().freed(BootTime::now()),
        }
    }

    async fn connect(&self) -> Option<Session> {
        match Session::open(&self.target).await {
            Ok(Opened::Usable(session)) => {
                self.elector().connected(BootTime::now());
                self.set_role(Role::Standby);
                Some(*session)
            }
            Ok(Opened::Refused(reason)) => {
                let role = Role::Refused { reason };
                if self.status.borrow().role != role
                    && let Role::Refused { reason } = &role
                {
                    tracing::warn!(reason, "this replica cannot fire schedules");
                }
                self.set_role(role);
                self.elector().refused(BootTime::now());
                None
            }
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "no session for the leader");
                self.elector().dropped(BootTime::now());
                None
            }
        }
    }

    async fn try_lock(&self, session: &Session) {
        let started = BootTime::now();
        match session.try_lock().await {
            Ok(tried) => {
                let now = BootTime::now();
                self.elector().lock_tried(started, now, tried.granted, tried.holder);
            }
            Err(error) => self.fail(&error),
        }
    }

    async fn break_lock(&self, session: &Session, holder: &Holder) {
        match session.break_lock(holder).await {
            Ok(ended) => {
                tracing::warn!(
                    pid = holder.pid,
                    ended,
                    "the leader holds its lock and gives no sign of life: its session was ended"
                );
                self.elector().freed(BootTime::now());
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &LeadError) {
        tracing::debug!(%error, "the leader's session is given up");
        self.elector().failed();
    }

    /// A whole term: opens it, renews it and does its duty until it ends.
    async fn term(&self, session: &Session, holder: Uuid, stop: &CancellationToken) {
        match session.open_term(holder, &self.settings.replica).await {
            Ok(epoch) => self.elector().term_opened(epoch),
            Err(error) => return self.fail(&error),
        }
        let Some(held) = self.elector().may_fire(BootTime::now()) else { return };
        let epoch = held.epoch;
        self.status.send_modify(|status| {
            status.role = Role::Leader { epoch, since: SystemClock.now() };
            status.terms += 1;
        });
        tracing::info!(epoch, "leads: fires schedules");
        let is_stopped = tokio::select! {
            () = self.renew(session) => false,
            () = self.work(session, &held) => false,
            () = session.closed() => false,
            () = stop.cancelled() => true,
        };
        if is_stopped {
            if timeout(RESIGN, session.resign(&held)).await.is_err() {
                tracing::warn!(epoch, "could not resign in time; the lock ends with the session");
            }
            tracing::info!(epoch, "resigned");
        } else {
            self.status.send_modify(|status| status.lost += 1);
            tracing::warn!(epoch, "leads no more");
        }
        self.elector().failed();
    }

    /// Renews the term until it cannot.
    async fn renew(&self, session: &Session) {
        let mut last: Option<(BootTime, Timestamp)> = None;
        loop {
            let started = BootTime::now();
            let step = self.elector().step(started);
            match step {
                Step::Wait(until) => sleep(until.since(started)).await,
                Step::Renew => {
                    let Some(held) = self.elector().may_fire(started) else { return };
                    match session.renew(&held).await {
                        Ok((is_mine, at)) => {
                            if let Some((before, then)) = last {
                                warn_of_skew(started.since(before), at.duration_since(then));
                            }
                            last = Some((started, at));
                            self.elector().renewed(started, is_mine);
                            if !is_mine {
                                return;
                            }
                        }
                        // Slow once is not the end: trust runs out by itself.
                        Err(LeadError::Refused(error)) => {
                            tracing::warn!(%error, "a renewal was refused");
                            sleep(AGAIN).await;
                        }
                        Err(error) => return self.fail(&error),
                    }
                }
                _ => return,
            }
        }
    }

    /// Does the duty until the term ends.
    async fn work(&self, session: &Session, held: &Held) {
        let lead = Lead { session, elector: &self.elector, epoch: held.epoch, holder: held.holder };
        loop {
            let wait = match self.duty.run(&lead).await {
                Ok(wait) => wait,
                Err(LeadError::Refused(error)) => {
                    let detail = error.as_db_error().map(ToString::to_string);
                    tracing::warn!(%error, detail, "failed to fire schedules; trying again");
                    Some(AGAIN)
                }
                Err(error) => return self.fail(&error),
            };
            let waited = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waited => {}
                () = self.wake.notified() => {}
            }
        }
    }
}

fn warn_of_skew(ours: Duration, theirs: jiff::SignedDuration) {
    let ours = i64::try_from(ours.as_secs()).unwrap_or(i64::MAX);
    if ours.abs_diff(theirs.as_secs()) > SKEW.unsigned_abs() {
        tracing::error!(ours, theirs = theirs.as_secs(), "the database's clock has jumped");
    }
}

fn lock(elector: &Mutex<Elector>) -> MutexGuard<'_, Elector> {
    elector.lock().unwrap_or_else(PoisonError::into_inner)
}
