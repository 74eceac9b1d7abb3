//! Statistics: rolled-up counts, and what has ended since.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::rows::{self, all, corrupt, count_of, get, maybe_time, time};
use super::wall::{self, Tenant};
use super::{Error, Store, statements as sql};
use crate::deadline;
use crate::domain::statistics::{Spread, StatUnit, Tally};
use crate::domain::{AttemptOutcome, ScheduleId, TaskState};

/// Longest time for a roll-up, or for reading statistics.
const PATIENCE: Duration = Duration::from_secs(60);
/// No transaction has this number.
const NO_END: i64 = i64::MAX;

/// What is counted apart: a unit of time, a lane, and the schedule that made the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatKey {
    /// Start of the unit.
    pub at: Timestamp,
    /// Number of the lane.
    pub lane: i32,
    /// The schedule; `None`: none has made them.
    pub schedule: Option<ScheduleId>,
}

/// Which statistics are read.
#[derive(Debug, Clone)]
pub struct StatQuery {
    /// Number of the namespace.
    pub namespace: i32,
    /// Counted in these.
    pub unit: StatUnit,
    /// From here on; the start of a unit.
    pub since: Timestamp,
    /// Until before this; the start of a unit.
    pub until: Timestamp,
    /// Numbers of lanes.
    pub lanes: Vec<i32>,
    /// Only tasks of this schedule.
    pub schedule: Option<ScheduleId>,
    /// Most rolled-up rows.
    pub limit: i64,
}

/// What a roll-up did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledUp {
    /// Ends that were counted.
    pub counted: u64,
    /// Everything that ended in transactions before this one has been counted; 0: another replica is at
    /// it, nothing was done.
    pub mark: i64,
    /// What it could be at most: older transactions are under way.
    pub horizon: i64,
    /// No transaction up to now has this number or a higher one.
    pub newest: i64,
}

/// A row, as the statement takes it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    unit: i16,
    at: Timestamp,
    lane: i32,
    schedule: Uuid,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    expired: u64,
    tries_failed: u64,
    tries_cancelled: u64,
    tries_snoozed: u64,
    tries_released: u64,
    tries_lease_expired: u64,
    wait_us: u64,
    run_us: u64,
    waits: &'a [u64],
    runs: &'a [u64],
    last_at: Option<Timestamp>,
    last_state: Option<i16>,
}

impl Store {
    /// Rolls up what has ended in up to `most` transactions since the last roll-up, as one transaction:
    /// all of it or nothing. Does nothing if another replica is at it.
    pub async fn roll_up(&self, most: i64) -> Result<RolledUp, Error> {
        let rolled = tokio::time::timeout(PATIENCE, self.try_roll_up(most)).await;
        rolled.unwrap_or(Err(Error::Unknown(None)))
    }

    async fn try_roll_up(&self, most: i64) -> Result<RolledUp, Error> {
        let mut held = self.hot.acquire().await?;
        let mut tx = held.begin().await?;
        self.in_transaction(&mut tx, None, query(sql::STATISTICS_SETTINGS)).await?;
        let turn = query(sql::STATISTICS_TURN).bind(most);
        let turn = self.in_transaction(&mut tx, None, turn).await?;
        let Some(turn) = turn.first() else {
            tx.rollback().await.map_err(Error::during)?;
            held.release();
            return Ok(RolledUp::default());
        };
        let (first, last): (i64, i64) = (get(turn, "first")?, get(turn, "last")?);
        let (horizon, newest) = (get(turn, "horizon")?, get(turn, "newest")?);
        if last <= first {
            tx.rollback().await.map_err(Error::during)?;
            held.release();
            return Ok(RolledUp { counted: 0, mark: first, horizon, newest });
        }
        let has_fires: bool = get(turn, "has_fires")?;
        let (always, never) = (Timestamp::UNIX_EPOCH, latest());
        let ended = self.ended_in(&mut tx, (first, last), (always, never), None, has_fires);
        let (minutes, counted) = ended.await?;
        let mut units: HashMap<(StatUnit, StatKey), Tally> = HashMap::new();
        for (key, tally) in &minutes {
            for unit in StatUnit::ALL {
                let key = StatKey { at: unit.floor(key.at), ..*key };
                units.entry((unit, key)).or_default().add(tally);
            }
        }
        let rows: Vec<Row<'_>> =
            units.iter().map(|((unit, key), tally)| row(*unit, *key, tally)).collect();
        let adding = query(sql::STATISTICS_ADD).bind(Json(rows)).bind(first).bind(last);
        let added = self.in_transaction(&mut tx, None, adding).await?;
        if all(&added, |row| get::<i64>(row, "moved"))? != [1] {
            return Err(Error::Corrupt("the mark of statistics has moved by itself".to_owned()));
        }
        tx.commit().await.map_err(Error::during)?;
        held.release();
        Ok(RolledUp { counted, mark: last, horizon, newest })
    }

    /// Reads what was rolled up and what has ended since, of one moment, and hands it to `take`, part by
    /// part and in no order, until that answers false. False if there are more rolled-up rows than the
    /// limit, or if `take` wanted no more.
    pub async fn statistics(
        &self,
        wanted: &StatQuery,
        take: impl FnMut(StatKey, &Tally) -> bool + Send,
    ) -> Result<bool, Error> {
        let read = tokio::time::timeout(PATIENCE, self.read_statistics(wanted, take)).await;
        read.unwrap_or(Err(Error::Unknown(None))).map_err(|error| error.within(deadline::left()))
    }

    async fn read_statistics(
        &self,
        wanted: &StatQuery,
        mut take: impl FnMut(StatKey, &Tally) -> bool + Send,
    ) -> Result<bool, Error> {
        let mut held = self.read.acquire().await?;
        let mut tx = held.begin().await?;
        // All statements see one moment, so that nothing is counted twice or not at all.
        let one_moment = "set transaction isolation level repeatable read, read only";
        for statement in [one_moment, sql::STATISTICS_SETTINGS] {
            self.in_transaction(&mut tx, None, query(statement)).await?;
        }
        // The mark is nobody's.
        let mark = self.in_transaction(&mut tx, None, query(sql::STATISTICS_MARK)).await?;
        let mark = mark.first().ok_or_else(|| Error::Corrupt("there is no mark".to_owned()))?;
        let tenant = Some(Tenant::Namespace(wanted.namespace));
        if let Some(settings) = self.beginning_with(tenant, PATIENCE).settings() {
            wall::run(&mut tx, settings).await.map_err(Error::during)?;
        }
        let statement = query(sql::STATISTICS_KEPT)
            .bind(wanted.unit.code())
            .bind(wanted.since.to_sqlx())
            .bind(wanted.until.to_sqlx())
            .bind(&wanted.lanes)
            .bind(wanted.schedule.map(|id| id.0))
            .bind(wanted.limit + 1);
        // With the time that it takes to take the rows.
        let running = self.statements.start(sql::STATISTICS_KEPT);
        let read = read_kept(statement.fetch(&mut *tx), wanted.limit, &mut take).await;
        running.end(read.as_ref().err().map(Error::kind));
        if !read? {
            // Broken off: the connection is closed, and with it the statement.
            return Ok(false);
        }
        let from: i64 = get(mark, "xid")?;
        let times = (wanted.since, wanted.until);
        let lanes = Some(wanted.lanes.as_slice());
        let (since, _) =
            self.ended_in(&mut tx, (from, NO_END), times, lanes, get(mark, "has_fires")?).await?;
        tx.commit().await.map_err(Error::during)?;
        held.release();
        Ok(since.iter().all(|(key, tally)| {
            let is_wanted = wanted.schedule.is_none() || key.schedule == wanted.schedule;
            let key = StatKey { at: wanted.unit.floor(key.at), ..*key };
            !is_wanted || take(key, tally)
        }))
    }

    /// Counts by minute what has ended in the transactions of a range, and how many ends that were.
    async fn ended_in(
        &self,
        tx: &mut PgConnection,
        (first, last): (i64, i64),
        (since, until): (Timestamp, Timestamp),
        lanes: Option<&[i32]>,
        has_fires: bool,
    ) -> Result<(HashMap<StatKey, Tally>, u64), Error> {
        let statement = query(sql::STATISTICS_ENDED)
            .bind(first)
            .bind(last)
            .bind(since.to_sqlx())
            .bind(until.to_sqlx())
            .bind(lanes)
            .bind(has_fires);
        let ended = self.in_transaction(tx, None, statement).await?;
        let mut minutes: HashMap<StatKey, Tally> = HashMap::new();
        let mut counted = 0;
        for row in &ended {
            let key = StatKey {
                at: time(row, "minute")?,
                lane: get(row, "lane")?,
                schedule: get::<Option<Uuid>>(row, "schedule")?.map(ScheduleId),
            };
            let tally = minutes.entry(key).or_default();
            let count = count_of(row, "count")?;
            counted += count;
            let state: i16 = get(row, "state")?;
            if let Some(state) = TaskState::from_code(state) {
                tally.count_tasks(state, count, time(row, "last_at")?);
            }
            let outcome: i16 = get(row, "outcome")?;
            if let Some(outcome) = AttemptOutcome::from_code(outcome) {
                tally.count_tries(outcome, count);
            }
            for (spread, size, sum) in
                [(&mut tally.wait, "wait_size", "wait_us"), (&mut tally.run, "run_size", "run_us")]
            {
                if let Some(size) = get::<Option<i32>>(row, size)? {
                    let size = usize::try_from(size).unwrap_or_default();
                    spread.count(size, count, count_of(row, sum)?);
                }
            }
        }
        Ok((minutes, counted))
    }

    /// Deletes up to `limit` rows of a unit that are older than `before`; answers with how many.
    pub async fn forget_statistics(
        &self,
        unit: StatUnit,
        before: Timestamp,
        limit: i64,
    ) -> Result<u64, Error> {
        let statement =
            query(sql::STATISTICS_FORGET).bind(unit.code()).bind(before.to_sqlx()).bind(limit);
        let rows = self.hot_rows(statement).await?;
        Ok(all(&rows, |row| count_of(row, "deleted"))?.first().copied().unwrap_or_default())
    }

    /// The names of schedules; those that were deleted are left out.
    pub async fn schedule_names(
        &self,
        namespace: i32,
        ids: &[ScheduleId],
    ) -> Result<HashMap<ScheduleId, String>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let statement = query(sql::STATISTICS_SCHEDULES).bind(ids);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let names = all(&rows, |row| Ok((ScheduleId(get(row, "id")?), get(row, "name")?)))?;
        Ok(names.into_iter().collect())
    }
}

fn row(unit: StatUnit, key: StatKey, tally: &Tally) -> Row<'_> {
    Row {
        unit: unit.code(),
        at: key.at,
        lane: key.lane,
        schedule: key.schedule.map(|id| id.0).unwrap_or_default(),
        succeeded: tally.succeeded,
        failed: tally.failed,
        cancelled: tally.cancelled,
        expired: tally.expired,
        tries_failed: tally.tries.failed,
        tries_cancelled: tally.tries.cancelled,
        tries_snoozed: tally.tries.snoozed,
        tries_released: tally.tries.released,
        tries_lease_expired: tally.tries.lease_expired,
        wait_us: tally.wait.sum_us,
        run_us: tally.run.sum_us,
        waits: &tally.wait.sizes,
        runs: &tally.run.sizes,
        last_at: tally.last.map(|(at, _)| at),
        last_state: tally.last.map(|(_, state)| state.code()),
    }
}

/// Hands rows to `take` until it wants no more, or they are more than the limit; false then. One by one: many large
/// rows may come to few small ones.
async fn read_kept(
    mut rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin,
    limit: i64,
    take: &mut impl FnMut(StatKey, &Tally) -> bool,
) -> Result<bool, Error> {
    let mut read = 0;
    while let Some(row) = rows.try_next().await.map_err(Error::during)? {
        let (key, tally) = kept_row(&row)?;
        read += 1;
        if read > limit || !take(key, &tally) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn kept_row(row: &PgRow) -> Result<(StatKey, Tally), rows::Corrupt> {
    let schedule: Uuid = get(row, "schedule")?;
    let key = StatKey {
        at: time(row, "at")?,
        lane: get(row, "lane")?,
        schedule: (!schedule.is_nil()).then_some(ScheduleId(schedule)),
    };
    let spread = |sizes: &str, sum: &str| {
        let sizes: Vec<i64> = get(row, sizes)?;
        let sizes = sizes.into_iter().map(|size| u64::try_from(size).unwrap_or_default()).collect();
        Ok(Spread { sum_us: count_of(row, sum)?, sizes })
    };
    let mut tally = Tally {
        succeeded: count_of(row, "succeeded")?,
        failed: count_of(row, "failed")?,
        cancelled: count_of(row, "cancelled")?,
        expired: count_of(row, "expired")?,
        wait: spread("waits", "wait_us")?,
        run: spread("runs", "run_us")?,
        last: None,
        ..Tally::default()
    };
    tally.tries.failed = count_of(row, "tries_failed")?;
    tally.tries.cancelled = count_of(row, "tries_cancelled")?;
    tally.tries.snoozed = count_of(row, "tries_snoozed")?;
    tally.tries.released = count_of(row, "tries_released")?;
    tally.tries.lease_expired = count_of(row, "tries_lease_expired")?;
    if let (Some(at), Some(code)) =
        (maybe_time(row, "last_at")?, get::<Option<i16>>(row, "last_state")?)
    {
        let state =
            TaskState::from_code(code).ok_or_else(|| corrupt("last_state", "is no state"))?;
        tally.last = Some((at, state));
    }
    Ok((key, tally))
}

/// Later than anything that has ended.
fn latest() -> Timestamp {
    const YEAR_9000: i64 = 221_845_392_000;
    Timestamp::from_second(YEAR_9000).unwrap_or(Timestamp::MAX)
}
