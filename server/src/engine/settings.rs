//! What of the configuration the engine needs.

use std::time::Duration;

use crate::batch::Limits;
use crate::domain::Retention;

/// Settings of the engine; the meaning of each stands in `config.default.toml`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of this replica, for people.
    pub replica_name: String,
    /// How long leases live without a word from the worker.
    pub lease_duration: Duration,
    /// How often a worker is to say something.
    pub heartbeat_interval: Duration,
    /// How long a worker has to answer a cancel.
    pub cancel_grace: Duration,
    /// How often every loop looks by itself.
    pub poll_interval: Duration,
    /// Most tasks in one statement of submits.
    pub submit_batch: usize,
    /// Most reports in one statement.
    pub report_batch: usize,
    /// Most submits, and most reports, waiting to be written.
    pub max_waiting: usize,
    /// Every so many slots, one goes to what has waited longest.
    pub fair_share: usize,
    /// Most lanes of a namespace.
    pub kinds_per_namespace: usize,
    /// Most waiting tasks of a queue; 0: as many as there are.
    pub queue_depth: usize,
    /// Most schedules of a namespace.
    pub schedules_per_namespace: usize,
    /// Most watches.
    pub watchers: usize,
    /// Changed tasks that wait for one watcher.
    pub watch_buffer: usize,
    /// How often watches look at the database by themselves.
    pub reconcile_interval: Duration,
    /// How long finished tasks are kept.
    pub retention: Retention,
    /// How long idempotency keys hold at least.
    pub idempotency: Duration,
    /// How long the ledger of schedules is kept.
    pub fires: Duration,
    /// How statistics are kept.
    pub statistics: super::StatSettings,
    /// How to lead.
    pub leader: crate::leader::Settings,
    /// Where spans go.
    pub tracer: crate::telemetry::Tracer,
    /// Delay of a task from which its trace is linked to the submitter's instead of being a part of it.
    pub link_after: Duration,
    /// How often old tasks are deleted.
    pub prune_interval: Duration,
}

/// Bytes in one flush: well below what a statement can carry.
const FLUSH_BYTES: usize = 8 << 20;
/// Bytes waiting to be written, of submits and of reports each.
const WAITING_BYTES: usize = 128 << 20;

impl Settings {
    /// Limits of group commit.
    pub(super) fn batches(&self, units: usize) -> Limits {
        Limits {
            flush_units: units,
            flush_bytes: FLUSH_BYTES,
            flushes: 2,
            waiting_units: self.max_waiting,
            waiting_bytes: WAITING_BYTES,
        }
    }
}
