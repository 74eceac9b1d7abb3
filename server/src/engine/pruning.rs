//! Takes away what was kept long enough. What is kept for days goes with its partition: those with nothing to
//! keep are dropped, and of those with little to keep the little is moved. What is kept for less is deleted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::registry::Registry;
use super::statistics::Statistics;
use super::{Error, Settings};
use crate::domain::history::{DAY, SETTLED, first_id_at};
use crate::domain::{Fate, Partition, Retention};
use crate::store::{Keeper, Kept, RetentionRow, Store};

/// Rows deleted, or looked at, in one statement.
const BATCH: i64 = 20_000;
/// Days for which partitions are made ahead.
const AHEAD: i32 = 3;
/// How long a replica keeps the turn without a word. Versions before the lock of the session go by it alone.
const TURN: Duration = Duration::from_secs(600);
/// What is kept for less than this is deleted, since a partition goes a day after its first task at the earliest.
const BRIEF: Duration = Duration::from_secs(2 * 86_400);
/// How often everything that was kept briefly is looked at, as long as it is not known what had ended by when.
const WHOLE_LOOK: SignedDuration = SignedDuration::from_hours(1);

/// Prunes.
#[derive(Debug)]
pub struct Pruning {
    store: Store,
    registry: Arc<Registry>,
    statistics: Arc<Statistics>,
    replica: Uuid,
    retention: Retention,
    idempotency: Duration,
    fires: Duration,
    interval: Duration,
    /// By what is kept for a short time: up to which transaction it was deleted.
    brief: Mutex<HashMap<Duration, Progress>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    xid: i64,
    looked_whole: Option<Timestamp>,
}

impl Pruning {
    /// Ready to run.
    pub(super) fn new(
        store: Store,
        registry: Arc<Registry>,
        statistics: Arc<Statistics>,
        replica: Uuid,
        settings: &Settings,
    ) -> Self {
        Self {
            store,
            registry,
            statistics,
            replica,
            retention: settings.retention,
            idempotency: settings.idempotency,
            fires: settings.fires,
            interval: settings.prune_interval,
            brief: Mutex::default(),
        }
    }

    /// Prunes again and again, until stopped.
    pub(super) async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            // Broken off where it is, which every statement is made for.
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.round() => {}
            }
        }
    }

    async fn round(&self) {
        if let Err(error) = self.prune_fires().await {
            tracing::warn!(%error, "failed to delete old fires of schedules; trying again");
        }
        if let Err(error) = self.prune_once().await {
            tracing::warn!(%error, "failed to delete old tasks; trying again");
        }
    }

    /// Makes the partitions of the days to come: before the first task is written.
    pub(super) async fn prepare(&self) {
        // Without them tasks go to the rest, and the next round makes them.
        if let Err(error) = self.make().await {
            tracing::warn!(%error, "failed to make partitions; trying again later");
        }
    }

    async fn make(&self) -> Result<i32, Error> {
        let mut keeper = self.store.keeper().await?;
        let made = keeper.make(SETTLED.unsigned_abs(), AHEAD).await;
        keeper.close_connection().await;
        Ok(made?)
    }

    /// Does everything once, unless another replica is at it; answers with how many tasks were taken away.
    ///
    /// # Errors
    /// If the database cannot be read or written, or is too busy.
    pub async fn prune_once(&self) -> Result<u64, Error> {
        self.registry.refresh(true).await?;
        // What is not counted yet is not deleted.
        self.statistics.catch_up().await?;
        let kept = Kept { lanes: self.retention_by_lane().await?, idempotency: self.idempotency };
        let mut keeper = self.store.keeper().await?;
        let gone = self.prune(&mut keeper, &kept).await;
        keeper.close_connection().await;
        gone
    }

    async fn prune(&self, keeper: &mut Keeper, kept: &Kept) -> Result<u64, Error> {
        if !keeper.is_alone().await? || !keeper.turn(self.replica, TURN).await? {
            return Ok(0);
        }
        let now = keeper.set_time().await?;
        keeper.clean().await?;
        keeper.make(SETTLED.unsigned_abs(), AHEAD).await?;
        let retentions: Vec<Duration> = each(kept).into_iter().collect();
        let mut gone = 0;
        let mut open = Uuid::nil();
        let mut before: Option<Partition> = None;
        for partition in keeper.partitions().await? {
            if partition.is_settled(now) {
                open = partition.last;
            }
            before = if partition.is_due(&retentions, now) {
                if !keeper.turn(self.replica, TURN).await? {
                    return Ok(gone);
                }
                let (left, taken) = self.examine(keeper, kept, partition, before).await?;
                gone += taken;
                left
            } else {
                Some(partition)
            };
        }
        Ok(gone + self.prune_brief(keeper, kept, open, now).await?)
    }

    /// Looks at a partition that takes no more tasks; answers with what is there afterwards, and how many tasks
    /// were taken away.
    async fn examine(
        &self,
        keeper: &mut Keeper,
        kept: &Kept,
        partition: Partition,
        before: Option<Partition>,
    ) -> Result<(Option<Partition>, u64), Error> {
        let (gone, stay) = keeper.close(&partition.suffix, kept).await?;
        let range = (partition.first, partition.last);
        let fate = Partition::fate(gone, stay);
        let left = match fate {
            Fate::Stays => Some(Partition { tasks: Some(stay), ..partition }),
            Fate::Thinned => {
                self.thin(keeper, kept, range).await?;
                Some(Partition { tasks: Some(stay), ..partition })
            }
            Fate::Dropped => {
                keeper.drop(&partition.suffix).await?;
                before
            }
            Fate::Replaced => Some(replace(keeper, kept, partition, before, stay).await?),
        };
        if let (Some(left), Fate::Stays | Fate::Thinned | Fate::Replaced) = (&left, fate) {
            keeper.examined(&left.suffix, left.tasks.unwrap_or(stay)).await?;
        }
        if gone > 0 {
            tracing::info!(?fate, gone, stay, "looked after a partition");
            while keeper.sweep(range, BATCH).await? > 0 {}
        }
        Ok((left, gone))
    }

    /// Deletes one by one what was kept long enough.
    async fn thin(
        &self,
        keeper: &mut Keeper,
        kept: &Kept,
        (mut from, before): (Uuid, Uuid),
    ) -> Result<u64, Error> {
        let mut deleted = 0;
        loop {
            let (gone, last) = keeper.delete((from, before), kept, BATCH).await?;
            deleted += gone;
            match last {
                Some(last) => from = Uuid::from_u128(last.as_u128().saturating_add(1)),
                None => return Ok(deleted),
            }
        }
    }

    /// Deletes what is kept for a short time, of partitions that still take tasks: what came to its end before
    /// a time is found by the transactions that had ended then.
    async fn prune_brief(
        &self,
        keeper: &mut Keeper,
        kept: &Kept,
        open: Uuid,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let brief: Vec<Duration> = each(kept).into_iter().filter(|r| *r < BRIEF).collect();
        let times: Vec<Timestamp> = brief.iter().map(|retention| before(now, *retention)).collect();
        let ended = keeper.tick(&times).await?;
        let mut deleted = 0;
        for (retention, until) in brief.iter().zip(ended) {
            let only = only(kept, *retention);
            let mut progress = self.progress(*retention).unwrap_or_default();
            if until > progress.xid {
                let span = (progress.xid, until);
                loop {
                    let gone = keeper.delete_brief(open, span, &only, BATCH).await?;
                    deleted += gone;
                    if gone < u64::try_from(BATCH).unwrap_or(u64::MAX) {
                        break;
                    }
                }
                progress.xid = until;
            } else if until == 0
                && progress.looked_whole.is_none_or(|at| now.duration_since(at) >= WHOLE_LOOK)
            {
                let until = first_id_at(before(now, *retention));
                deleted += self.thin(keeper, &only, (open, until)).await?;
                progress.looked_whole = Some(now);
            }
            self.brief.lock().unwrap_or_else(PoisonError::into_inner).insert(*retention, progress);
        }
        Ok(deleted)
    }

    fn progress(&self, retention: Duration) -> Option<Progress> {
        self.brief.lock().unwrap_or_else(PoisonError::into_inner).get(&retention).copied()
    }

    /// Deletes old entries of the ledger of schedules.
    async fn prune_fires(&self) -> Result<(), Error> {
        let before = before(self.store.clock().now(), self.fires);
        while self.store.prune_fires(before, 1_000).await? {}
        Ok(())
    }

    async fn retention_by_lane(&self) -> Result<Vec<RetentionRow>, Error> {
        let lanes = self.registry.select(|_| true);
        let namespaces: HashSet<i32> = lanes.iter().map(|lane| lane.namespace_id).collect();
        let mut set = HashMap::new();
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

/// Moves what has to be kept of a partition into a new one, together with the partition before it if both are
/// small.
async fn replace(
    keeper: &mut Keeper,
    kept: &Kept,
    partition: Partition,
    before: Option<Partition>,
    stay: u64,
) -> Result<Partition, Error> {
    let joined = before.filter(|before| partition.joins(before, stay));
    let first = joined.as_ref().unwrap_or(&partition);
    let begin = first.suffix.split('_').next().unwrap_or_default();
    let new = Partition {
        suffix: format!("{begin}_{:08x}", rand::random::<u32>()),
        first: first.first,
        last: partition.last,
        examined_at: None,
        tasks: Some(stay + joined.as_ref().and_then(|joined| joined.tasks).unwrap_or_default()),
    };
    let suffixes: Vec<String> =
        joined.iter().chain([&partition]).map(|old| old.suffix.clone()).collect();
    keeper.replace(&suffixes, &new.suffix, kept).await?;
    Ok(new)
}

/// The times that tasks are kept for.
fn each(kept: &Kept) -> BTreeSet<Duration> {
    let each = |r: Retention| [r.succeeded, r.failed, r.cancelled, r.expired];
    kept.lanes.iter().flat_map(|row| each(row.retention)).collect()
}

/// With everything else kept for ever.
fn only(kept: &Kept, retention: Duration) -> Kept {
    let only = |value: Duration| if value == retention { value } else { 365_000 * DAY };
    let lanes = kept.lanes.iter().filter(|row| {
        let Retention { succeeded, failed, cancelled, expired } = row.retention;
        [succeeded, failed, cancelled, expired].contains(&retention)
    });
    let lanes = lanes.map(|row| RetentionRow {
        lane: row.lane,
        retention: Retention {
            succeeded: only(row.retention.succeeded),
            failed: only(row.retention.failed),
            cancelled: only(row.retention.cancelled),
            expired: only(row.retention.expired),
        },
    });
    Kept { lanes: lanes.collect(), idempotency: kept.idempotency }
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    SignedDuration::try_from(ago)
        .ok()
        .and_then(|ago| now.checked_sub(ago).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
