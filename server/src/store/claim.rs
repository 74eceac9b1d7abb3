//! Leasing tasks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::rows::{self, Corrupt, all, corrupt, count, get, maybe_time, time};
use super::{Error, Statement, Store, statements as sql};
use crate::domain::{Payload, Progress, RetryPolicy, SessionId, TaskId};

/// A lane and a priority to take tasks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Number of the lane.
    pub lane: i32,
    /// Priority.
    pub priority: i16,
    /// No row of interest has an earlier `run_at`.
    pub mark: Timestamp,
}

/// Room for one task.
#[derive(Debug, Clone)]
pub struct Slot<'a> {
    /// Who gets it.
    pub session: SessionId,
    /// The name of its worker.
    pub worker: Cow<'a, str>,
}

impl Slot<'_> {
    /// The same, for longer.
    pub fn into_owned(self) -> Slot<'static> {
        Slot { session: self.session, worker: Cow::Owned(self.worker.into_owned()) }
    }
}

/// A task that was leased.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The task.
    pub id: TaskId,
    /// Number of its lane.
    pub lane: i32,
    /// Index of the slot that it was leased to.
    pub slot: usize,
    /// Its priority.
    pub priority: i16,
    /// Its place in the line.
    pub run_at: Timestamp,
    /// Number of the attempt.
    pub attempt: u32,
    /// Tries that count, this one included.
    pub tries: u32,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When the attempt ends by itself.
    pub deadline_at: Option<Timestamp>,
    /// Input.
    pub payload: Payload,
    /// Policy; `None`: the default.
    pub retry: Option<RetryPolicy>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Last progress of an earlier attempt.
    pub progress: Option<Progress>,
    /// Last checkpoint of an earlier attempt.
    pub checkpoint: Bytes,
}

/// Where to look, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Lanes and priorities, those to be served first first.
    pub pairs: &'a [Pair],
    /// Room for tasks.
    pub slots: &'a [Slot<'a>],
}

impl Claim<'_> {
    /// Adds what every claim binds.
    pub(super) fn bind<'q>(&'q self, statement: Statement<'q>) -> Statement<'q> {
        let (pairs, slots) = (self.pairs, self.slots);
        statement
            .bind(pairs.iter().map(|pair| pair.lane).collect::<Vec<_>>())
            .bind(pairs.iter().map(|pair| pair.priority).collect::<Vec<_>>())
            .bind(pairs.iter().map(|pair| pair.mark.to_sqlx()).collect::<Vec<_>>())
            .bind(i32::try_from(slots.len()).unwrap_or(i32::MAX))
            .bind(slots.iter().map(|slot| slot.session.0).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| &*slot.worker).collect::<Vec<_>>())
    }

    /// A task that was leased.
    pub(super) fn claimed(&self, row: &PgRow) -> Result<Claimed, Corrupt> {
        let slot = count(row, "slot")?;
        Ok(Claimed {
            id: TaskId(get(row, "id")?),
            lane: get(row, "lane")?,
            slot: slot
                .checked_sub(1)
                .and_then(|slot| usize::try_from(slot).ok())
                .filter(|slot| *slot < self.slots.len())
                .ok_or_else(|| corrupt("slot", format!("{slot} is out of range")))?,
            priority: get(row, "priority")?,
            run_at: time(row, "run_at")?,
            attempt: count(row, "attempt")?,
            tries: count(row, "tries")?,
            started_at: time(row, "started_at")?,
            deadline_at: maybe_time(row, "deadline_at")?,
            payload: rows::payload(row, "payload", "content_type")?.unwrap_or_default(),
            retry: rows::retry(row)?,
            labels: rows::labels(row)?,
            traceparent: get(row, "traceparent")?,
            created_at: time(row, "created_at")?,
            progress: rows::progress(row)?,
            checkpoint: get::<Option<Vec<u8>>>(row, "checkpoint")?.unwrap_or_default().into(),
        })
    }
}

impl Store {
    /// Leases up to as many ready tasks of the claim's pairs as it has slots: the first pairs first, and
    /// within a pair in the order of `run_at`; or, if `oldest_first`, what has waited longest.
    ///
    /// The order of the answer is not the order of the line.
    pub async fn claim(&self, claim: Claim<'_>, oldest_first: bool) -> Result<Vec<Claimed>, Error> {
        let text = if oldest_first { sql::TASKS_CLAIM_OLDEST } else { sql::TASKS_CLAIM };
        let statement = claim.bind(query(text).bind(self.now()));
        all(&self.hot_rows(statement).await?, |row| claim.claimed(row))
    }
}
