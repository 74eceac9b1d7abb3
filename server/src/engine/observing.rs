//! What only one replica tells, since the others would tell the same: the leader looks at the queues, and
//! for what must never be.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::fullness::{Fullness, QueueId};
use super::hints::{Hints, LANES};
use super::metering::Meter;
use super::registry::Registry;
use crate::domain::{AttemptRef, TaskState};
use crate::leader::{Role, Status};
use crate::metrics::{Depth, Invariant};
use crate::store::Store;

/// How often it looks, unless a look takes long.
const EVERY: Duration = Duration::from_secs(10);
/// A look that took long is repeated after so many times its length, so that looking costs the
/// database 2 % of one core at most.
const REST: u32 = 50;
/// Unfinished tasks that are counted, of each table.
const MOST: i64 = 5_000_000;
/// How often it looks for what must never be.
const AUDITS_EVERY: Duration = Duration::from_secs(60);

/// Looks.
#[derive(Debug)]
pub struct Observing {
    pub(super) store: Store,
    pub(super) registry: Arc<Registry>,
    pub(super) meter: Arc<Meter>,
    pub(super) leadership: watch::Receiver<Status>,
    /// Told here which queues are full.
    pub(super) fullness: Arc<Fullness>,
    /// Told there.
    pub(super) hints: Arc<Hints>,
}

impl Observing {
    /// Looks again and again while this replica leads, until stopped.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut leadership = self.leadership.clone();
        let mut suspects = HashSet::new();
        let mut next_audit = Instant::now();
        let mut told = false;
        loop {
            let is_leader = matches!(leadership.borrow_and_update().role, Role::Leader { .. });
            let mut wait = EVERY;
            if is_leader {
                match self.look().await {
                    Ok(rest) => (told, wait) = (true, rest),
                    Err(error) => tracing::debug!(%error, "failed to look at the queues"),
                }
                if Instant::now() >= next_audit {
                    next_audit = Instant::now() + AUDITS_EVERY;
                    if let Err(error) = self.audit(&mut suspects).await {
                        tracing::debug!(%error, "failed to look for what must never be");
                    }
                }
            } else if std::mem::take(&mut told) {
                self.meter.metrics.tasks.set_depths(HashMap::new());
                suspects.clear();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = leadership.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait), if is_leader => {}
            }
        }
    }

    /// Tells what stands in the queues, and which of them are full. Queues in which nothing stands are told as
    /// well. Answers with how long to rest then.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn look(&self) -> Result<Duration, Error> {
        let began = Instant::now();
        self.registry.refresh(false).await?;
        let mut depths: HashMap<(String, String), Depth> = HashMap::new();
        // How much waits, and one of the lanes.
        let mut waiting: HashMap<QueueId, (i64, i32)> = HashMap::new();
        let name = |lane: i32| {
            let lane = self.registry.peek(lane)?;
            Some((lane.namespace.as_str().to_owned(), lane.queue.as_str().to_owned()))
        };
        for lane in self.registry.select(|_| true) {
            let name = (lane.namespace.as_str().to_owned(), lane.queue.as_str().to_owned());
            let depth = depths.entry(name).or_default();
            for state in ["ready", "scheduled", "running", "retrying"] {
                depth.tasks.entry(state).or_default();
            }
        }
        for row in self.store.queue_depths(MOST).await? {
            let Some(depth) = name(row.lane).and_then(|name| depths.get_mut(&name)) else {
                continue;
            };
            *depth.tasks.entry(row.state.name()).or_default() += row.tasks;
            if row.state != TaskState::Running
                && let Some(lane) = self.registry.peek(row.lane)
            {
                let queue = (lane.namespace_id, lane.queue.clone());
                waiting.entry(queue).or_insert((0, lane.id)).0 += row.tasks;
            }
            if let Some(age) = row.oldest {
                depth.oldest_ready = depth.oldest_ready.max(age.as_secs_f64());
            }
        }
        self.meter.metrics.tasks.set_depths(depths);
        let rest = EVERY.max(began.elapsed() * REST);
        waiting.retain(|_, (tasks, _)| self.fullness.is_reached(*tasks));
        // Some looks may fail before it is forgotten.
        self.tell_full(waiting, rest * 4);
        Ok(rest)
    }

    /// Tells everybody which queues are full; if these are very many, the deepest.
    fn tell_full(&self, full: HashMap<QueueId, (i64, i32)>, lasts: Duration) {
        let mut full: Vec<(QueueId, (i64, i32))> = full.into_iter().collect();
        full.sort_unstable_by_key(|(_, (tasks, _))| std::cmp::Reverse(*tasks));
        full.truncate(LANES);
        self.hints.full(full.iter().map(|(_, (_, lane))| *lane).collect(), lasts);
        self.fullness.set(full.into_iter().map(|(queue, _)| queue).collect(), lasts);
    }

    /// Looks for what must never be. An attempt without a session is one only if it was one at the
    /// last look as well: whoever reaps may just be at it.
    async fn audit(&self, suspects: &mut HashSet<AttemptRef>) -> Result<(), Error> {
        let found = self.store.audit().await?;
        let orphans: HashSet<AttemptRef> = found.orphans.into_iter().collect();
        let expired = orphans.intersection(suspects).count();
        *suspects = orphans;
        for (invariant, times) in [
            (Invariant::OverdueSchedule, found.overdue_schedules),
            (Invariant::ExpiredLease, found.expired_leases + expired as u64),
            (Invariant::FinishedButLeased, found.finished_but_leased),
            (Invariant::TwoLeaders, found.terms_of_two),
        ] {
            if times > 0 {
                tracing::error!(invariant = invariant.name(), times, "found what must never be");
                self.meter.metrics.database.violated(invariant, times);
            }
        }
        Ok(())
    }
}
