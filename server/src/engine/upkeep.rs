//! What is done again and again, on every replica: rows that another one has locked are left to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::ids::first_id_at;
use super::registry::Registry;
use super::reporter::{End, Reporter};
use super::signals::Signals;
use super::workers::Workers;
use super::{Error, Settings};
use crate::domain::{Ending, Retention, StopReason};
use crate::store::{Lease, RetentionRow, Store};

/// Rows moved in one statement.
const BATCH: i64 = 1_000;
/// How often leases and limits are looked at.
const REAPS_EVERY: Duration = Duration::from_secs(1);
/// Every so many rounds, attempts without a session are looked for even if no session has ended.
const ORPHANS_EVERY: u32 = 4;

/// Keeps the tables in order.
#[derive(Debug)]
pub struct Upkeep {
    store: Store,
    registry: Arc<Registry>,
    reporter: Arc<Reporter>,
    workers: Arc<Workers>,
    signals: Arc<Signals>,
    cancel_grace: Duration,
    poll_interval: Duration,
    retention: Retention,
    idempotency: Duration,
    prune_interval: Duration,
    fires: Duration,
}

impl Upkeep {
    /// Ready to run.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        reporter: Arc<Reporter>,
        workers: Arc<Workers>,
        signals: Arc<Signals>,
        settings: &Settings,
    ) -> Self {
        Self {
            store,
            registry,
            reporter,
            workers,
            signals,
            cancel_grace: settings.cancel_grace,
            poll_interval: settings.poll_interval,
            retention: settings.retention,
            idempotency: settings.idempotency,
            prune_interval: settings.prune_interval,
            fires: settings.fires,
        }
    }

    /// Moves tasks that are due to ready, until stopped: at the very time, not at the next poll.
    pub async fn promote(&self, stop: CancellationToken) {
        loop {
            let wait = match self.promote_once().await {
                Ok(wait) => wait.map_or(self.poll_interval, |wait| wait.min(self.poll_interval)),
                Err(error) => {
                    tracing::warn!(%error, "failed to move due tasks; trying again");
                    self.poll_interval
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.signals.next_scheduled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Moves everything that is due; answers with how long until the next.
    pub async fn promote_once(&self) -> Result<Option<Duration>, Error> {
        loop {
            match self.store.next_due().await? {
                Some(Duration::ZERO) => {}
                wait => return Ok(wait),
            }
            let moved = self.store.promote(BATCH).await?;
            self.signals.moved(&moved);
            if moved.is_empty() {
                // Another replica is at it.
                return Ok(Some(Duration::from_millis(20)));
            }
        }
    }

    /// Ends what ran out of time, until stopped.
    pub async fn reap(&self, stop: CancellationToken) {
        let mut round = 0_u32;
        loop {
            round = round.wrapping_add(1);
            if let Err(error) = self.reap_once(round.is_multiple_of(ORPHANS_EVERY)).await {
                tracing::warn!(%error, "failed to look for lost leases; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REAPS_EVERY) => {}
            }
        }
    }

    /// Ends sessions that were not heard of, attempts that lost their session or ran too long, and
    /// waiting tasks whose time is over.
    pub async fn reap_once(&self, look_for_orphans: bool) -> Result<(), Error> {
        let ended = self.store.end_sessions().await?;
        if ended > 0 {
            tracing::info!(sessions = ended, "workers were not heard of any more");
        }
        if ended > 0 || look_for_orphans {
            loop {
                let orphans = self.store.orphans(BATCH).await?;
                let ends = orphans.iter().map(|lease| end(lease, Ending::LeaseExpired));
                self.end(ends.collect()).await?;
                if orphans.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                    break;
                }
            }
        }
        let overdue = self.store.overdue_running(self.cancel_grace, BATCH).await?;
        let ends = overdue.iter().map(|over| {
            end(&over.lease, if over.is_cancelled { Ending::Cancelled } else { Ending::TimedOut })
        });
        self.end(ends.collect()).await?;
        let waiting = self.store.end_overdue_waiting(BATCH).await?;
        self.signals.moved(&waiting);
        Ok(())
    }

    async fn end(&self, ends: Vec<End>) -> Result<(), Error> {
        if ends.is_empty() {
            return Ok(());
        }
        self.reporter.end(&ends).await?;
        for end in &ends {
            let reason = match end.ending {
                Ending::TimedOut => StopReason::TimedOut,
                _ => StopReason::LeaseLost,
            };
            self.workers.tell_ended(&end.lease, reason);
        }
        Ok(())
    }

    /// Deletes what was kept long enough, until stopped.
    pub async fn prune(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.prune_interval) => {}
            }
            if let Err(error) = self.prune_fires().await {
                tracing::warn!(%error, "failed to delete old fires of schedules; trying again");
            }
            if let Err(error) = self.prune_once().await {
                tracing::warn!(%error, "failed to delete old tasks; trying again");
            }
        }
    }

    /// Goes once through everything that may be old enough; answers with how many were deleted.
    pub async fn prune_once(&self) -> Result<u64, Error> {
        self.registry.refresh(true).await?;
        let retention = self.retention_by_lane().await?;
        let shortest = retention.iter().map(|row| row.retention.shortest()).min();
        let Some(shortest) = shortest else { return Ok(0) };
        let oldest_kept = SignedDuration::try_from(shortest)
            .ok()
            .and_then(|shortest| self.store.clock().now().checked_sub(shortest).ok());
        let Some(oldest_kept) = oldest_kept else { return Ok(0) };
        let until = first_id_at(oldest_kept);
        let mut after = uuid::Uuid::nil();
        let mut deleted = 0;
        loop {
            let round =
                self.store.prune((after, until), &retention, self.idempotency, BATCH).await?;
            deleted += round.gone;
            match round.last {
                Some(last) => after = last,
                None => return Ok(deleted),
            }
        }
    }

    /// Deletes old entries of the ledger of schedules.
    pub async fn prune_fires(&self) -> Result<(), Error> {
        let kept = SignedDuration::try_from(self.fires).unwrap_or(SignedDuration::MAX);
        let Ok(before) = self.store.clock().now().checked_sub(kept) else { return Ok(()) };
        while self.store.prune_fires(before, BATCH).await? {}
        Ok(())
    }

    async fn retention_by_lane(&self) -> Result<Vec<RetentionRow>, Error> {
        let lanes = self.registry.select(|_| true);
        let namespaces: std::collections::HashSet<i32> =
            lanes.iter().map(|lane| lane.namespace_id).collect();
        let mut set = std::collections::HashMap::new();
        for namespace in namespaces {
            let mut after = String::new();
            loop {
                let page = self.store.queues(namespace, &after, 1_000, None).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.name);
                for queue in page {
                    set.insert((namespace, queue.name), queue.retention);
                }
            }
        }
        Ok(lanes
            .iter()
            .map(|lane| {
                let own = set.get(&(lane.namespace_id, lane.queue.as_str().to_owned()));
                let own = own.copied().unwrap_or(Retention::UNSET);
                RetentionRow { lane: lane.id, retention: own.or(&self.retention) }
            })
            .collect())
    }
}

fn end(lease: &Lease, ending: Ending) -> End {
    End { lease: *lease, ending }
}
