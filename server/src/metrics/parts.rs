//! Metrics of schedules, watches, workers and leadership.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::histogram::{Histogram, LONG, SHORT};
use crate::leader::{Role, Status};

/// Metrics of schedules.
#[derive(Debug)]
pub struct Schedules {
    /// How late times fired whose time had come, not counting times that were held back.
    pub lateness: Histogram,
    fires: Family<[(&'static str, &'static str); 2], Counter>,
}

impl Schedules {
    pub(super) fn register(to: &mut Registry) -> Self {
        let lateness = Histogram::new(LONG);
        to.register(
            "schedule_lateness_seconds",
            "Time from when a schedule was due to when its task was there.",
            lateness.clone(),
        );
        let fires = Family::default();
        to.register(
            "schedule_fires",
            "Times of schedules that got their outcome here, by outcome and reason.",
            fires.clone(),
        );
        Self { lateness, fires }
    }

    /// Times got their outcome.
    pub fn fired(&self, outcome: &'static str, reason: &'static str, times: u64) {
        self.fires.get_or_create(&[("outcome", outcome), ("reason", reason)]).inc_by(times);
    }
}

/// Metrics of watches.
#[derive(Debug)]
pub struct Watches {
    /// Watches that are open.
    pub open: Gauge,
    /// From when a change was known here to when it was offered to its watchers.
    pub lag: Histogram,
    /// Changed tasks that wait to be read for watchers.
    pub pending: Gauge,
    /// Watches that were ended because the watcher did not read fast enough.
    pub slow: Counter,
    /// Watches that had to begin anew.
    pub resyncs: Counter,
}

impl Watches {
    pub(super) fn register(to: &mut Registry) -> Self {
        let one = Self {
            open: Gauge::default(),
            lag: Histogram::new(SHORT),
            pending: Gauge::default(),
            slow: Counter::default(),
            resyncs: Counter::default(),
        };
        to.register("watchers", "Watches that are open.", one.open.clone());
        to.register(
            "watch_lag_seconds",
            "From when a change was known here to when it was offered to its watchers.",
            one.lag.clone(),
        );
        to.register(
            "watch_pending_tasks",
            "Changed tasks that wait to be read for watchers.",
            one.pending.clone(),
        );
        to.register("watch_slow", "Watches ended because they were not read.", one.slow.clone());
        to.register("watch_resyncs", "Watches that had to begin anew.", one.resyncs.clone());
        one
    }
}

/// Metrics of connected workers.
#[derive(Debug)]
pub struct Workers {
    /// Sessions of workers that are connected here.
    pub sessions: Gauge,
    /// Tasks that they could take at once.
    pub credit: Gauge,
}

impl Workers {
    pub(super) fn register(to: &mut Registry) -> Self {
        let one = Self { sessions: Gauge::default(), credit: Gauge::default() };
        to.register("worker_sessions", "Workers that are connected.", one.sessions.clone());
        to.register(
            "worker_credit_tasks",
            "Tasks that connected workers could take now.",
            one.credit.clone(),
        );
        one
    }
}

/// Metrics of leadership.
#[derive(Debug)]
pub struct Leader {
    is_leader: Gauge,
    epoch: Gauge,
    refused: Gauge,
    terms: Counter,
    lost: Counter,
}

impl Leader {
    pub(super) fn register(to: &mut Registry) -> Self {
        let one = Self {
            is_leader: Gauge::default(),
            epoch: Gauge::default(),
            refused: Gauge::default(),
            terms: Counter::default(),
            lost: Counter::default(),
        };
        to.register("leader", "1 if this replica fires schedules.", one.is_leader.clone());
        to.register(
            "leader_epoch",
            "Number of the term in which this replica leads; else 0.",
            one.epoch.clone(),
        );
        to.register(
            "leader_refused",
            "1 if this replica cannot lead; its log says why.",
            one.refused.clone(),
        );
        to.register("leader_terms", "Terms that this replica has held.", one.terms.clone());
        to.register(
            "leader_terms_lost",
            "Terms that this replica has lost without resigning.",
            one.lost.clone(),
        );
        one
    }

    /// Tells what this replica does about schedules.
    pub fn set(&self, status: &Status) {
        let epoch = match status.role {
            Role::Leader { epoch, .. } => epoch,
            Role::Starting | Role::Standby | Role::Refused { .. } => 0,
        };
        self.is_leader.set(i64::from(epoch > 0));
        self.epoch.set(epoch);
        self.refused.set(i64::from(matches!(status.role, Role::Refused { .. })));
        self.terms.inner().store(status.terms, Ordering::Relaxed);
        self.lost.inner().store(status.lost, Ordering::Relaxed);
    }
}
