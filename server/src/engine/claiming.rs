//! A claim from its beginning to the workers: by the loop of a pool, or together with the ends of attempts that
//! made room for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::dispatcher::{Dispatcher, start_over};
use super::marks::Look;
use super::pool::{How, Place, Pool, give_back};
use super::session::Session;
use super::signals::Signals;
use crate::domain::{Assignment, AttemptRef, SessionId, TaskId, TaskState, revision};
use crate::store::{self, Claim, Claimed, Slot};

/// Places that are reserved, and where to look for tasks. Broken off if it is dropped.
#[derive(Debug)]
pub(super) struct Claiming {
    pool: Arc<Pool>,
    places: Vec<Place>,
    look: Look,
    how: How,
}

impl Claiming {
    /// Room for tasks, as the store wants it.
    pub(super) fn slots(&self) -> Vec<Slot<'_>> {
        self.places.iter().map(Place::slot).collect()
    }

    /// As the store wants it.
    pub(super) fn claim<'a>(&'a self, slots: &'a [Slot<'a>]) -> Claim<'a> {
        Claim { pairs: &self.look.pairs, slots }
    }

    /// Whether it takes what has waited longest.
    pub(super) fn is_oldest_first(&self) -> bool {
        self.how.oldest_first
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        if !self.places.is_empty() {
            give_back(&self.places);
            self.pool.abandon_look();
        }
    }
}

impl Dispatcher {
    /// Reserves places and begins a look for a pool; `None` if nobody has room, nothing is ready, or a look is
    /// under way already.
    pub(super) fn begin(&self, pool: &Arc<Pool>) -> Option<Claiming> {
        if pool.has_nothing_ready() {
            return None;
        }
        let lanes = pool.lanes_in_turn();
        if lanes.is_empty() {
            return None;
        }
        let how = pool.begin_look(pool.largest_claim(), self.fair_share)?;
        let places = pool.reserve(how.most);
        if places.is_empty() {
            pool.abandon_look();
            return None;
        }
        let look = self.marks.look(&lanes, how.is_full);
        Some(Claiming { pool: pool.clone(), places, look, how })
    }

    /// A claim that can be made together with the ends of attempts of these sessions, who have room now. The
    /// loops of those for whom it is not are told of the room.
    pub(super) fn begin_along(
        &self,
        sessions: impl Iterator<Item = SessionId>,
    ) -> Option<Claiming> {
        let mut pools: Vec<Arc<Pool>> = Vec::new();
        for session in sessions {
            if let Some(pool) = self.pool_of(session)
                && !pools.iter().any(|other| Arc::ptr_eq(other, &pool))
            {
                pools.push(pool);
            }
        }
        let mut claiming = None;
        for pool in pools {
            if claiming.is_none() {
                // What has waited longest is for the loop, which keeps the turns.
                claiming = self.begin(&pool).filter(|claiming| !claiming.is_oldest_first());
                if claiming.is_some() {
                    continue;
                }
            }
            if !pool.has_nothing_ready() {
                pool.wake.notify_one();
            }
        }
        claiming
    }

    /// Hands out what was claimed, and gives back the places that were not used. Answers with whether there may
    /// be more.
    ///
    /// # Errors
    /// If nothing was claimed, or nobody knows.
    pub(super) async fn finish(
        &self,
        mut claiming: Claiming,
        claimed: Result<Vec<Claimed>, store::Error>,
        signals: &Signals,
    ) -> Result<bool, store::Error> {
        let places = std::mem::take(&mut claiming.places);
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, may_be_done = error.may_have_committed(), "failed to lease");
                if error.may_have_committed() {
                    start_over(&places);
                }
                give_back(&places);
                claiming.pool.abandon_look();
                return Err(error);
            }
        };
        self.marks.raise(&claiming.look, &claimed);
        signals.meter.claimed(&claimed);
        let taken = claimed.len();
        let bytes = claimed.iter().map(|task| task.payload.data.len() + task.checkpoint.len());
        claiming.pool.weighed(taken, bytes.sum());
        let changed: Vec<(TaskId, i32, i64)> = claimed
            .iter()
            .map(|c| (c.id, c.lane, revision(c.attempt, TaskState::Running, false, 0)))
            .collect();
        self.hand_out(&places, claimed, signals).await;
        let may_be_more =
            claiming.pool.end_look(claiming.how, taken, places.len(), self.fair_share);
        signals.changed(changed.into_iter());
        Ok(may_be_more)
    }

    /// The same for a claim that was made along with something else: the pool's loop goes on if there may be
    /// more, or something became ready since the look began, of which the loop was told in vain.
    pub(super) async fn finish_along(
        &self,
        claiming: Claiming,
        claimed: Result<Vec<Claimed>, store::Error>,
        signals: &Signals,
    ) {
        let pool = claiming.pool.clone();
        let may_be_more = self.finish(claiming, claimed, signals).await.unwrap_or(true);
        if may_be_more || !pool.has_nothing_ready() {
            pool.wake.notify_one();
        }
    }

    async fn hand_out(&self, places: &[Place], mut claimed: Vec<Claimed>, signals: &Signals) {
        claimed.sort_by_key(|task| (std::cmp::Reverse(task.priority), task.run_at, task.id));
        let mut used = vec![false; places.len()];
        let mut by_session: HashMap<SessionId, (Arc<Session>, Vec<Assignment>)> = HashMap::new();
        for task in claimed {
            used[task.slot] = true;
            let session = &places[task.slot].session;
            match self.assignment(session, task, signals).await {
                Ok(assignment) => by_session
                    .entry(session.id)
                    .or_insert_with(|| (session.clone(), Vec::new()))
                    .1
                    .push(assignment),
                // Its lane cannot be read: the lease runs out, and the fault is in the log.
                Err((task, error)) => {
                    tracing::error!(%task, %error, "a leased task is not handed out");
                }
            }
        }
        for (place, used) in places.iter().zip(used) {
            if !used {
                place.session.give_back(1);
            }
        }
        for (session, assignments) in by_session.into_values() {
            let unsent = session.outbox.assign(assignments);
            self.release_unsent(&session, &unsent, signals).await;
        }
    }

    async fn assignment(
        &self,
        session: &Session,
        task: Claimed,
        signals: &Signals,
    ) -> Result<Assignment, (TaskId, super::Error)> {
        let lane = self.registry.lane_by_id(task.lane).await.map_err(|error| (task.id, error))?;
        let attempt = AttemptRef { task: task.id, attempt: task.attempt };
        let (created_at, run_at) = (task.created_at, task.run_at);
        let traceparent =
            signals.traces.leased(session, attempt, task.traceparent, created_at, run_at);
        Ok(Assignment {
            task: attempt.task,
            attempt: attempt.attempt,
            tries: task.tries,
            max_attempts: task.retry.unwrap_or_default().max_attempts,
            queue: lane.queue.clone(),
            kind: lane.kind.clone(),
            version: lane.version.clone(),
            payload: task.payload,
            deadline: task.deadline_at,
            created_at: task.created_at,
            labels: task.labels,
            traceparent,
            progress: task.progress,
            checkpoint: task.checkpoint,
        })
    }
}
