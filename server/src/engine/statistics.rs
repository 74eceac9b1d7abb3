//! Statistics: rolling up what has ended, forgetting it in the end, and answering.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::registry::{Lane, Registry};
use crate::domain::statistics::{StatUnit, Tally};
use crate::domain::{Kind, Namespace, QueueName, ScheduleId, ScheduleName, TaskState, Version};
use crate::store::{RolledUp, StatQuery, Store};

/// A roll-up that took long is repeated after so many times its length.
const REST: u32 = 20;
/// Transactions in the first roll-up; more or fewer later, by how much they hold.
const FIRST: i64 = 20_000;
/// Fewest and most transactions in a roll-up.
const RANGE: (i64, i64) = (100, 10_000_000);
/// Ends that are as many as a roll-up should count at once.
const PLENTY: u64 = 200_000;
/// Longest wait for transactions that are under way.
const CATCHES_UP: Duration = Duration::from_secs(2);
/// How many intervals are waited after a roll-up that had nothing to count: it is six statements.
const IDLE: u32 = 2;
/// How often what was kept long enough is deleted.
const FORGETS_EVERY: Duration = Duration::from_secs(600);
/// Rows deleted in one statement.
const BATCH: i64 = 10_000;
/// Most rows in an answer.
const MOST_ROWS: usize = 10_000;
/// Most records that an answer is made of.
const MOST_RECORDS: i64 = 200_000;
/// Tasks of a state that are counted.
const MOST_COUNTED: i64 = 1_000_000;
/// Up to this, a span without steps is counted in minutes, or in hours.
const IN_MINUTES: SignedDuration = SignedDuration::from_hours(3);
const IN_HOURS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The span if none is asked for.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long statistics are kept, and how often they are rolled up.
#[derive(Debug, Clone, Copy)]
pub struct StatSettings {
    /// How often.
    pub interval: Duration,
    /// Minutes are kept as long.
    pub minutes: Duration,
    /// Hours are kept as long.
    pub hours: Duration,
    /// Days are kept as long.
    pub days: Duration,
}

/// Which tasks statistics are about.
#[derive(Debug, Clone)]
pub struct StatFilter {
    /// Of this namespace.
    pub namespace: Namespace,
    /// Of this queue.
    pub queue: Option<QueueName>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// That ask for this version, or for none.
    pub version: Option<Option<Version>>,
    /// Made by this schedule.
    pub schedule: Option<ScheduleName>,
}

/// What rows are told apart by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// By queue.
    pub queue: bool,
    /// By kind.
    pub kind: bool,
    /// By version.
    pub version: bool,
    /// By schedule.
    pub schedule: bool,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct StatRequest {
    /// Of which tasks.
    pub filter: StatFilter,
    /// From here on.
    pub since: Option<Timestamp>,
    /// Until before this.
    pub until: Option<Timestamp>,
    /// A row for each of these.
    pub step: Option<StatUnit>,
    /// Rows by these.
    pub group_by: GroupBy,
}

/// What a row is about; what was not asked for is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// Start of the step.
    pub start: Option<Timestamp>,
    /// Queue.
    pub queue: String,
    /// Kind.
    pub kind: String,
    /// Version.
    pub version: String,
    /// Name or id of the schedule.
    pub schedule: String,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct StatAnswer {
    /// In order.
    pub rows: BTreeMap<Group, Tally>,
    /// The span that was counted.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// What it was counted in.
    pub unit: StatUnit,
}

/// Unfinished tasks of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unfinished {
    /// By state.
    pub tasks: HashMap<&'static str, u64>,
    /// How long the oldest ready one could have started.
    pub oldest_ready: Option<Duration>,
}

/// Rolls up, and answers.
#[derive(Debug)]
pub struct Statistics {
    store: Store,
    registry: Arc<Registry>,
    settings: StatSettings,
}

impl Statistics {
    pub(super) fn new(store: Store, registry: Arc<Registry>, settings: StatSettings) -> Self {
        Self { store, registry, settings }
    }

    /// Rolls up again and again, and forgets, until stopped. Every replica tries; those that find another
    /// one at it leave it to that one.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut most = FIRST;
        let mut next_forget = Instant::now() + FORGETS_EVERY;
        let mut was_told = false;
        loop {
            let began = Instant::now();
            let mut wait = match self.store.roll_up(most).await {
                Ok(RolledUp { counted, mark, horizon, newest }) => {
                    // No mark is above what it was taken from, but that of another PostgreSQL may be.
                    if mark > newest && !was_told {
                        was_told = true;
                        tracing::error!(
                            mark,
                            newest,
                            "statistics stand still: the database numbers its transactions anew"
                        );
                    }
                    most = if counted > PLENTY { most / 2 } else { most * 2 };
                    let is_behind = mark > 0 && mark < horizon;
                    match counted {
                        _ if is_behind => Duration::ZERO,
                        0 if mark > 0 => self.settings.interval * IDLE,
                        _ => self.settings.interval,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to roll up statistics; trying again");
                    most /= 2;
                    self.settings.interval
                }
            };
            most = most.clamp(RANGE.0, RANGE.1);
            if !wait.is_zero() {
                wait = wait.max(began.elapsed() * REST);
            }
            if Instant::now() >= next_forget {
                next_forget = Instant::now() + FORGETS_EVERY;
                if let Err(error) = self.forget_once().await {
                    tracing::warn!(%error, "failed to delete old statistics; trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Rolls up everything that has ended up to now, and waits up to 2 s for transactions that are under
    /// way; answers with how many ends this replica has counted.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn catch_up(&self) -> Result<u64, Error> {
        let end = Instant::now() + CATCHES_UP;
        let mut counted = 0;
        let mut target = None;
        loop {
            let round = self.store.roll_up(FIRST).await?;
            counted += round.counted;
            if round.newest > 0 && round.mark >= *target.get_or_insert(round.newest) {
                return Ok(counted);
            }
            if round.mark == 0 || round.mark >= round.horizon {
                if Instant::now() >= end {
                    return Ok(counted);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Deletes what was kept long enough.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn forget_once(&self) -> Result<(), Error> {
        for unit in StatUnit::ALL {
            let before = self.oldest(unit);
            while self.store.forget_statistics(unit, before, BATCH).await? > 0 {}
        }
        Ok(())
    }

    /// The oldest unit that is kept.
    fn oldest(&self, unit: StatUnit) -> Timestamp {
        let kept = match unit {
            StatUnit::Minute => self.settings.minutes,
            StatUnit::Hour => self.settings.hours,
            StatUnit::Day => self.settings.days,
        };
        let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
        let time = self.store.clock().now().checked_sub(kept);
        unit.floor(time.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Counts what has ended.
    ///
    /// # Errors
    /// If there is no such schedule, the answer would be too large, or the database cannot be read.
    pub async fn query(&self, request: &StatRequest) -> Result<StatAnswer, Error> {
        let now = self.store.clock().now();
        let until = request.until.unwrap_or(now);
        let since = request.since.unwrap_or_else(|| until.checked_sub(DAY).unwrap_or(until));
        let unit = request.step.unwrap_or_else(|| self.unit_for(since, until));
        // No namespace has the number 0.
        let namespace = self.registry.find_namespace(&request.filter.namespace).await?.unwrap_or(0);
        let wanted = StatQuery {
            namespace,
            unit,
            since: unit.floor(since).max(self.oldest(unit)),
            until: unit.ceil(until),
            lanes: self.lanes(&request.filter).await?.iter().map(|lane| lane.id).collect(),
            schedule: self.schedule(&request.filter).await?,
            limit: MOST_RECORDS,
        };
        let mut groups: HashMap<(Group, Option<ScheduleId>), Tally> = HashMap::new();
        let is_whole = wanted.lanes.is_empty()
            || self
                .store
                .statistics(&wanted, |key, tally| {
                    let Some(lane) = self.registry.peek(key.lane) else { return true };
                    let mut group = group(&lane, request.group_by);
                    group.start = request.step.is_some().then_some(key.at);
                    let schedule = key.schedule.filter(|_| request.group_by.schedule);
                    groups.entry((group, schedule)).or_default().add(tally);
                    groups.len() <= MOST_ROWS
                })
                .await?;
        if groups.len() > MOST_ROWS {
            return Err(Error::LimitReached { what: "rows of statistics", limit: MOST_ROWS });
        }
        if !is_whole {
            let limit = usize::try_from(MOST_RECORDS).unwrap_or(usize::MAX);
            return Err(Error::LimitReached { what: "records of statistics", limit });
        }
        let ids: HashSet<ScheduleId> = groups.keys().filter_map(|(_, id)| *id).collect();
        let names = match ids.is_empty() {
            true => HashMap::new(),
            false => {
                self.store.schedule_names(namespace, &ids.into_iter().collect::<Vec<_>>()).await?
            }
        };
        let mut rows: BTreeMap<Group, Tally> = BTreeMap::new();
        for ((mut group, id), tally) in groups {
            if let Some(id) = id {
                group.schedule = names.get(&id).cloned().unwrap_or_else(|| id.to_string());
            }
            rows.entry(group).or_default().add(&tally);
        }
        Ok(StatAnswer { rows, since: wanted.since, until: wanted.until, unit })
    }

    /// What a span without steps is counted in.
    fn unit_for(&self, since: Timestamp, until: Timestamp) -> StatUnit {
        let span = until.duration_since(since);
        let fits = |unit: StatUnit| since >= self.oldest(unit);
        if span <= IN_MINUTES && fits(StatUnit::Minute) {
            StatUnit::Minute
        } else if span <= IN_HOURS && fits(StatUnit::Hour) {
            StatUnit::Hour
        } else {
            StatUnit::Day
        }
    }

    /// Counts unfinished tasks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn unfinished(
        &self,
        filter: &StatFilter,
        group_by: GroupBy,
    ) -> Result<BTreeMap<Group, Unfinished>, Error> {
        let lanes = self.lanes(filter).await?;
        let mut rows: BTreeMap<Group, Unfinished> = BTreeMap::new();
        if group_by == GroupBy::default() {
            rows.entry(Group::default()).or_default();
        }
        let groups: HashMap<i32, Group> =
            lanes.iter().map(|lane| (lane.id, group(lane, group_by))).collect();
        for row in self.store.queue_depths(MOST_COUNTED).await? {
            let Some(group) = groups.get(&row.lane) else { continue };
            let sum = rows.entry(group.clone()).or_default();
            let count = u64::try_from(row.tasks).unwrap_or_default();
            *sum.tasks.entry(row.state.name()).or_default() += count;
            if row.state == TaskState::Ready {
                sum.oldest_ready = sum.oldest_ready.max(row.oldest);
            }
        }
        Ok(rows)
    }

    async fn lanes(&self, filter: &StatFilter) -> Result<Vec<Arc<Lane>>, Error> {
        self.registry.refresh(false).await?;
        let Some(namespace) = self.registry.find_namespace(&filter.namespace).await? else {
            return Ok(Vec::new());
        };
        Ok(self.registry.select(|lane| {
            lane.namespace_id == namespace
                && filter.queue.as_ref().is_none_or(|queue| lane.queue == *queue)
                && filter.kind.as_ref().is_none_or(|kind| lane.kind == *kind)
                && filter.version.as_ref().is_none_or(|version| lane.version == *version)
        }))
    }

    async fn schedule(&self, filter: &StatFilter) -> Result<Option<ScheduleId>, Error> {
        let Some(name) = &filter.schedule else { return Ok(None) };
        let missing = || Error::ScheduleNotFound(name.clone());
        let namespace = self.registry.find_namespace(&filter.namespace).await?;
        let found = self.store.schedule(namespace.ok_or_else(missing)?, name.as_str()).await?;
        Ok(Some(found.ok_or_else(missing)?.id))
    }
}

fn group(lane: &Lane, by: GroupBy) -> Group {
    let of = |wanted: bool, text: &str| if wanted { text.to_owned() } else { String::new() };
    Group {
        start: None,
        queue: of(by.queue, lane.queue.as_str()),
        kind: of(by.kind, lane.kind.as_str()),
        version: of(by.version, lane.version.as_ref().map_or("", Version::as_str)),
        schedule: String::new(),
    }
}
