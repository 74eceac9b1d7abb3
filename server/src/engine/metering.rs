//! Counts what becomes of tasks, by their queues. What moves tasks tells it of whole batches; a queue's
//! counters are looked up when the lane changes within a batch, and not for each task.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

use super::registry::Registry;
use crate::domain::schedule::FireOutcome;
use crate::domain::{AttemptOutcome, TaskState};
use crate::metrics::{Metrics, Queue};
use crate::store::{Claimed, Ended, Fired};

/// Namespace and queue of tasks whose lane is not known here yet.
const UNKNOWN: &str = "_other";

/// Counts.
#[derive(Debug)]
pub struct Meter {
    /// What is not counted by queue.
    pub(super) metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    queues: RwLock<HashMap<i32, Arc<Queue>>>,
}

impl Meter {
    pub(super) fn new(metrics: Arc<Metrics>, registry: Arc<Registry>) -> Self {
        Self { metrics, registry, queues: RwLock::default() }
    }

    /// Tasks of these lanes were taken in.
    pub(super) fn submitted(&self, lanes: impl Iterator<Item = i32>) {
        self.each(lanes.map(|lane| (lane, ())), |queue, ()| {
            queue.submitted.inc();
        });
    }

    /// Tasks were leased as they were submitted.
    pub(super) fn started_at_once(&self, lanes: impl Iterator<Item = i32>) {
        self.each(lanes.map(|lane| (lane, ())), |queue, ()| {
            queue.started.inc();
            queue.wait.observe(Duration::ZERO);
        });
    }

    /// A claim has leased these.
    pub(super) fn claimed(&self, claimed: &[Claimed]) {
        self.metrics.tasks.claim_batch.observe_size(claimed.len());
        self.each(claimed.iter().map(|task| (task.lane, task)), |queue, task| {
            queue.started.inc();
            if task.attempt == 1 {
                queue.wait.observe(between(task.run_at, task.started_at));
            }
        });
    }

    /// Tasks were moved.
    pub(super) fn moved(&self, tasks: &[Ended]) {
        self.each(tasks.iter().map(|task| (task.lane, task)), |queue, task| {
            match task.state {
                TaskState::Succeeded => queue.finished.succeeded.inc(),
                TaskState::Failed => queue.finished.failed.inc(),
                TaskState::Cancelled => queue.finished.cancelled.inc(),
                TaskState::Expired => queue.finished.expired.inc(),
                TaskState::Retrying => queue.retried.inc(),
                TaskState::Scheduled | TaskState::Ready | TaskState::Running => 0,
            };
            let Some((outcome, ran)) = task.tried else { return };
            queue.run.observe(ran);
            match outcome {
                AttemptOutcome::Succeeded => queue.attempts.succeeded.inc(),
                AttemptOutcome::Failed => queue.attempts.failed.inc(),
                AttemptOutcome::Cancelled => queue.attempts.cancelled.inc(),
                AttemptOutcome::Snoozed => queue.attempts.snoozed.inc(),
                AttemptOutcome::Released => queue.attempts.released.inc(),
                AttemptOutcome::LeaseExpired => {
                    queue.leases_lost.inc();
                    queue.attempts.lease_expired.inc()
                }
            };
        });
    }

    /// Waiting tasks of these lanes were cancelled.
    pub(super) fn cancelled(&self, lanes: impl Iterator<Item = i32>) {
        self.each(lanes.map(|lane| (lane, ())), |queue, ()| {
            queue.finished.cancelled.inc();
        });
    }

    /// Times of schedules got their outcome, those of whole schedules at once.
    pub(super) fn fired(&self, fired: &[Fired], now: Timestamp) {
        let schedules = &self.metrics.schedules;
        for account in fired.iter().map(|fired| &fired.account) {
            for entry in &account.entries {
                match entry.outcome {
                    FireOutcome::Fired => {
                        schedules.lateness.observe(between(entry.due, now));
                        schedules.fired("fired", "", 1);
                    }
                    FireOutcome::HeldBack => schedules.fired("held_back", "", 1),
                    FireOutcome::Skipped => {
                        let reason = entry.reason.map_or("", |reason| reason.name());
                        schedules.fired("skipped", reason, 1);
                    }
                }
            }
            for range in &account.ranges {
                schedules.fired("skipped", range.reason.name(), range.count);
            }
        }
    }

    /// So many times of a schedule were fired because somebody asked; they were never due.
    pub(super) fn fired_by_hand(&self, times: usize) {
        self.metrics.schedules.fired("fired", "", u64::try_from(times).unwrap_or_default());
    }

    fn each<T>(&self, items: impl Iterator<Item = (i32, T)>, note: impl Fn(&Queue, T)) {
        let mut current: Option<(i32, Arc<Queue>)> = None;
        for (lane, item) in items {
            let queue = match current.take() {
                Some((known, queue)) if known == lane => queue,
                _ => self.queue(lane),
            };
            note(&queue, item);
            current = Some((lane, queue));
        }
    }

    fn queue(&self, lane: i32) -> Arc<Queue> {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner).get(&lane).cloned();
        if let Some(queue) = known {
            return queue;
        }
        let tasks = &self.metrics.tasks;
        let Some(found) = self.registry.peek(lane) else { return tasks.queue(UNKNOWN, UNKNOWN) };
        let queue = tasks.queue(found.namespace.as_str(), found.queue.as_str());
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.insert(lane, queue.clone());
        queue
    }
}

/// How long from one time to a later one.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
