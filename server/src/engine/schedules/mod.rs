//! Making, changing and asking about schedules. Firing them is the leader's business.

mod by_hand;
mod change;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

pub use by_hand::{Backfill, Backfilled};
pub use change::{Change, Changed, Update};
pub use times::Preview;

use super::Error;
use super::cancelling::Cancelling;
use super::hints::Hints;
use super::ids::Ids;
use super::registry::Registry;
use super::signals::Signals;
use crate::domain::schedule::accounting::account_for_pause;
use crate::domain::schedule::{Fire, Schedule, ScheduleId, ScheduleState};
use crate::domain::{Namespace, ScheduleName, TaskId, Violations};
use crate::store::{FiresQuery, Store};

/// How often a change looks again at a schedule that somebody else is changing.
const LOOKS: usize = 20;

/// Looks after schedules.
#[derive(Debug)]
pub struct Schedules {
    store: Store,
    registry: Arc<Registry>,
    signals: Arc<Signals>,
    hints: Arc<Hints>,
    cancelling: Arc<Cancelling>,
    ids: Ids,
    /// Most schedules of a namespace.
    most: usize,
    /// Wakes the leader if it is here.
    leader: Arc<Notify>,
}

impl Schedules {
    pub(super) fn new(
        store: Store,
        registry: Arc<Registry>,
        signals: Arc<Signals>,
        hints: Arc<Hints>,
        cancelling: Arc<Cancelling>,
        leader: Arc<Notify>,
        most: usize,
    ) -> Self {
        Self { store, registry, signals, hints, cancelling, ids: Ids::default(), most, leader }
    }

    /// One schedule.
    ///
    /// # Errors
    /// If the namespace has no such schedule.
    pub async fn get(&self, namespace: &Namespace, name: &ScheduleName) -> Result<Schedule, Error> {
        self.find(namespace, name).await?.ok_or_else(|| Error::ScheduleNotFound(name.clone()))
    }

    async fn find(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
    ) -> Result<Option<Schedule>, Error> {
        match self.registry.find_namespace(namespace).await? {
            Some(id) => Ok(self.store.schedule(id, name.as_str()).await?),
            None => Ok(None),
        }
    }

    /// Schedules by name, after `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list(
        &self,
        namespace: &Namespace,
        after: &str,
        labels: &BTreeMap<String, String>,
        states: &[ScheduleState],
        limit: usize,
    ) -> Result<Vec<Schedule>, Error> {
        match self.registry.find_namespace(namespace).await? {
            Some(id) => Ok(self.store.schedules(id, after, labels, states, limit).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Stops firing.
    ///
    /// # Errors
    /// If there is no such schedule, or the end of the pause is over already.
    pub async fn pause(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        note: &str,
        until: Option<Timestamp>,
    ) -> Result<Schedule, Error> {
        if until.is_some_and(|until| until <= self.store.clock().now()) {
            return Err(Violations::one("until", "must be in the future").into());
        }
        let found = self.get(namespace, name).await?;
        if let Some(id) = self.registry.find_namespace(&found.namespace).await? {
            self.store.pause_schedule(id, name.as_str(), note, until).await?;
        }
        self.wake_leader();
        self.get(namespace, name).await
    }

    /// Fires again, from now on.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn resume(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
    ) -> Result<Schedule, Error> {
        for _ in 0..LOOKS {
            let found = self.get(namespace, name).await?;
            if found.state != ScheduleState::Paused {
                return Ok(found);
            }
            let plan = found.plan().map_err(unreadable)?;
            let now = self.store.clock().now();
            let account = account_for_pause(&plan, found.next_fire_at, now);
            if account.state == ScheduleState::Paused {
                // Very many times to account for: the leader does it in rounds.
                if let Some(id) = self.registry.find_namespace(namespace).await? {
                    let note = found.pause.map(|pause| pause.note).unwrap_or_default();
                    let end = Some(now);
                    self.store.pause_schedule(id, name.as_str(), &note, end).await?;
                }
                self.wake_leader();
                return self.get(namespace, name).await;
            }
            let (state, next) = match change::has_fires_left(&found.spec.policies, found.fires) {
                true => (account.state, account.next),
                false => (ScheduleState::Finished, None),
            };
            let ranges = &account.ranges;
            let number = self.number(&found).await?;
            let which = (found.id, name.as_str());
            if self.store.resume_schedule(number, which, found.version, state, next, ranges).await?
            {
                self.wake_leader();
                return self.get(namespace, name).await;
            }
        }
        Err(Error::StoreUnavailable)
    }

    /// Removes a schedule and its ledger; `etag`: only this version.
    ///
    /// # Errors
    /// If there is no such schedule, or it has changed.
    pub async fn delete(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        etag: Option<i64>,
    ) -> Result<(), Error> {
        let found = self.get(namespace, name).await?;
        let id = self.registry.find_namespace(namespace).await?;
        let id = id.ok_or_else(|| Error::ScheduleNotFound(name.clone()))?;
        if self.store.delete_schedule(id, name.as_str(), etag).await? {
            return Ok(());
        }
        match self.find(namespace, name).await? {
            Some(now) => Err(Error::EtagMismatch(now.version)),
            None if etag.is_some_and(|etag| etag != found.version) => {
                Err(Error::EtagMismatch(found.version))
            }
            None => Err(Error::ScheduleNotFound(name.clone())),
        }
    }

    /// The ledger of a schedule, newest first.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn fires(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        page: &FiresQuery,
    ) -> Result<(Schedule, Vec<Fire>), Error> {
        let found = self.get(namespace, name).await?;
        let fires = self.store.fires(self.number(&found).await?, found.id, page).await?;
        Ok((found, fires))
    }

    /// The number of a schedule's namespace.
    async fn number(&self, found: &Schedule) -> Result<i32, Error> {
        let number = self.registry.find_namespace(&found.namespace).await?;
        number.ok_or_else(|| Error::ScheduleNotFound(found.name.clone()))
    }

    /// After a change: the leader may have to rise earlier than it meant to.
    pub(super) fn wake_leader(&self) {
        self.leader.notify_one();
        self.hints.schedules();
    }

    fn new_id(&self, now: Timestamp) -> ScheduleId {
        ScheduleId(self.ids.task(now).0)
    }

    fn new_task(&self, now: Timestamp) -> TaskId {
        self.ids.task(now)
    }
}

/// A schedule that this program cannot read: a newer one has written it.
fn unreadable(why: String) -> Error {
    let log_id = uuid::Uuid::new_v4().simple().to_string();
    tracing::error!(log_id, why, "the times of a schedule cannot be read");
    Error::Internal { log_id }
}
