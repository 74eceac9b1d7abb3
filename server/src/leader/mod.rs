//! Leadership: of all replicas on a database at most one fires schedules. The advisory lock only
//! chooses; what makes a double fire impossible is in the leader's statements (see
//! `sql/schedules/fire.sql`).

mod boottime;
mod connect;
mod crc32;
mod elector;
mod error;
mod lead;
#[cfg(feature = "test-util")]
mod seam;
mod session;
mod skew;
mod status;
mod term;
mod tls;
mod verify;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use boottime::BootTime;
pub use elector::{Elector, Held, Holder, Step, Timings};
pub use error::LeadError;
pub use lead::Lead;
pub use session::ALL as STATEMENTS;
pub use status::{Role, Status};

use connect::Target;
use session::Session;
use verify::Opened;

use crate::metrics::Statements;

/// Longest wait for an orderly end.
const RESIGN: Duration = Duration::from_secs(2);
/// Wait after a statement was refused.
const AGAIN: Duration = Duration::from_millis(500);

/// How to lead.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database, without a pooler between.
    pub url: String,
    /// Name of this replica, for people.
    pub replica: String,
    /// How long things take.
    pub timings: Timings,
    /// Where statements are measured.
    pub statements: Statements,
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
    let mut target = connect::target(&settings.url, &settings.replica)?;
    target.statements = settings.statements.clone();
    let seed = u64::from_be_bytes(Uuid::new_v4().into_bytes()[..8].try_into()?);
    let elector = Mutex::new(Elector::new(settings.timings, seed, BootTime::now()));
    let complaint = Mutex::new(None);
    let replica = Replica { settings, target, elector, duty, wake, status, complaint };
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
    /// Why there is no usable session; what was said once is not said again.
    complaint: Mutex<Option<String>>,
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
        match verify::open(&self.target).await {
            Ok(Opened::Usable(session)) => {
                self.elector().connected(BootTime::now());
                self.set_role(Role::Standby);
                self.complain(None);
                return Some(*session);
            }
            Ok(Opened::Refused(reason)) => {
                self.elector().refused(BootTime::now());
                self.set_role(Role::Refused { reason: reason.clone() });
                self.complain(Some(reason));
            }
            Ok(Opened::NotYet(reason)) => {
                self.elector().dropped(BootTime::now());
                self.set_role(Role::Refused { reason: reason.clone() });
                self.complain(Some(reason));
            }
            Err(error) => {
                self.elector().dropped(BootTime::now());
                self.set_role(Role::Starting);
                self.complain(Some(format!("{error:#}")));
            }
        }
        None
    }

    /// Logs why this replica cannot lead, and that it can again, when that changes.
    fn complain(&self, reason: Option<String>) {
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match &reason {
            _ if *last == reason => {}
            Some(reason) => tracing::warn!(reason, "this replica cannot fire schedules"),
            None => tracing::info!("this replica can fire schedules again"),
        }
        *last = reason;
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
                    "a session holds the leader's lock and gives no sign of life; it is ended if it \
                     is one of ours"
                );
                self.elector().freed(BootTime::now());
            }
            Err(LeadError::Refused(error)) => {
                tracing::warn!(%error, pid = holder.pid, "may not end a leader without signs of life");
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &LeadError) {
        tracing::debug!(%error, "the leader's session is given up");
        self.elector().failed();
    }
}

fn lock(elector: &Mutex<Elector>) -> MutexGuard<'_, Elector> {
    elector.lock().unwrap_or_else(PoisonError::into_inner)
}
