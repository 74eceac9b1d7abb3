//! Ending attempts. Every statement is fenced by task, namespace, session and attempt.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::query;
use sqlx::types::Json;

use super::claim::{Claim, Claimed};
use super::rows::{self, all, count, get, state};
use super::submit::sparse;
use super::{Error, Statement, Store, statements as sql};
use crate::domain::{
    AttemptOutcome, AttemptRef, Payload, ProgressReport, SessionId, TaskError, TaskId, TaskState,
    Tried, Verdict,
};

/// Who says that an attempt has ended: the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The attempt.
    pub attempt: AttemptRef,
    /// Number of the namespace.
    pub namespace: i32,
    /// The session that holds it.
    pub session: SessionId,
}

/// An attempt that succeeded.
#[derive(Debug, Clone)]
pub struct Success {
    /// The fence.
    pub lease: Lease,
    /// What came out.
    pub result: Payload,
}

/// An attempt that ended, and the verdict.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The fence.
    pub lease: Lease,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What becomes of the task.
    pub verdict: Verdict,
    /// What came out, if it succeeded.
    pub result: Option<Payload>,
}

/// A task whose row was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The task.
    pub id: TaskId,
    /// Number of its lane.
    pub lane: i32,
    /// Number of the attempt that ended, or of the last one.
    pub attempt: u32,
    /// What the task is now.
    pub state: TaskState,
    /// If it is ready: its `run_at`, by which it stands in line.
    pub run_at: Option<Timestamp>,
    /// How its attempt ended and how long it had run, if one has ended now.
    pub tried: Option<(AttemptOutcome, Duration)>,
}

/// How an attempt that is no longer held has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The final state that this very attempt brought, and its result.
    pub last: Option<(TaskState, Payload)>,
    /// The record of the attempt, if it has one.
    pub record: Option<(AttemptOutcome, Option<TaskError>)>,
}

pub(super) fn ended(row: &sqlx::postgres::PgRow) -> Result<Ended, rows::Corrupt> {
    Ok(Ended {
        id: TaskId(get(row, "id")?),
        lane: get(row, "lane")?,
        attempt: count(row, "attempt")?,
        state: state(row)?,
        run_at: None,
        tried: None,
    })
}

fn completed(row: &sqlx::postgres::PgRow) -> Result<Ended, rows::Corrupt> {
    Ok(Ended {
        tried: Some((AttemptOutcome::Succeeded, rows::interval(row, "ran")?)),
        ..ended(row)?
    })
}

fn settled(row: &sqlx::postgres::PgRow) -> Result<Ended, rows::Corrupt> {
    let ended = ended(row)?;
    let run_at = match ended.state {
        TaskState::Ready => Some(rows::time(row, "run_at")?),
        _ => None,
    };
    let outcome = AttemptOutcome::from_code(get(row, "outcome")?)
        .ok_or_else(|| rows::corrupt("outcome", "no such outcome"))?;
    Ok(Ended { run_at, tried: Some((outcome, rows::interval(row, "ran")?)), ..ended })
}

/// What every statement binds that ends attempts by success.
fn bind<'q>(statement: Statement<'q>, successes: &'q [Success]) -> Statement<'q> {
    let column =
        |value: fn(&Success) -> uuid::Uuid| successes.iter().map(value).collect::<Vec<_>>();
    statement
        .bind(column(|s| s.lease.attempt.task.0))
        .bind(successes.iter().map(|s| s.lease.namespace).collect::<Vec<_>>())
        .bind(column(|s| s.lease.session.0))
        .bind(successes.iter().map(|s| number(s.lease.attempt.attempt)).collect::<Vec<_>>())
        .bind(
            successes
                .iter()
                .map(|s| (!s.result.is_none()).then_some(s.result.data.as_ref()))
                .collect::<Vec<_>>(),
        )
        .bind(sparse(successes.iter().map(|s| s.result.content_type.as_deref())))
}

pub(super) fn number(attempt: u32) -> i32 {
    i32::try_from(attempt).unwrap_or(i32::MAX)
}

impl Store {
    /// Ends attempts that succeeded; answers with those that were held.
    pub async fn complete(&self, successes: &[Success]) -> Result<Vec<Ended>, Error> {
        let statement = match successes {
            [success] => self.complete_one(success),
            _ => bind(query(sql::TASKS_COMPLETE).bind(self.now()), successes),
        };
        all(&self.hot_rows(statement).await?, completed)
    }

    fn complete_one<'q>(&self, success: &'q Success) -> Statement<'q> {
        let (lease, result) = (&success.lease, &success.result);
        query(sql::TASKS_COMPLETE_ONE)
            .bind(self.now())
            .bind(lease.attempt.task.0)
            .bind(lease.namespace)
            .bind(lease.session.0)
            .bind(number(lease.attempt.attempt))
            .bind((!result.is_none()).then_some(result.data.as_ref()))
            .bind(result.content_type.as_deref())
    }

    /// The same, and leases ready tasks as [`claim`](Self::claim) does, by one statement and commit.
    pub async fn complete_and_claim(
        &self,
        successes: &[Success],
        claim: Claim<'_>,
    ) -> Result<(Vec<Ended>, Vec<Claimed>), Error> {
        let statement = bind(query(sql::TASKS_COMPLETE_AND_CLAIM).bind(self.now()), successes);
        let rows = self.hot_rows(claim.bind(statement)).await?;
        let (mut done, mut claimed) = (Vec::with_capacity(successes.len()), Vec::new());
        for row in &rows {
            match state(row)? {
                TaskState::Running => claimed.push(claim.claimed(row)?),
                _ => done.push(completed(row)?),
            }
        }
        Ok((done, claimed))
    }

    /// Ends attempts with their verdicts; answers with those that were held. `now`: what the clock said by which due
    /// times were reckoned. They are as far ahead by the database's clock when this is written.
    pub async fn settle(
        &self,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<Vec<Ended>, Error> {
        let each = settlements.iter();
        let statement = query(sql::TASKS_SETTLE)
            .bind(self.now())
            .bind(each.clone().map(|s| s.lease.attempt.task.0).collect::<Vec<_>>())
            .bind(each.clone().map(|s| s.lease.namespace).collect::<Vec<_>>())
            .bind(each.clone().map(|s| s.lease.session.0).collect::<Vec<_>>())
            .bind(each.clone().map(|s| number(s.lease.attempt.attempt)).collect::<Vec<_>>())
            .bind(each.clone().map(|s| s.outcome.code()).collect::<Vec<_>>())
            .bind(
                each.clone()
                    .map(|s| match s.verdict {
                        Verdict::Final { state, .. } => Some(state.code()),
                        Verdict::Again { .. } => None,
                    })
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|s| match s.verdict {
                        Verdict::Final { .. } => None,
                        Verdict::Again { due_at, .. } => Some(storable(due_at).to_sqlx()),
                    })
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|s| match s.verdict {
                        Verdict::Final { .. } => None,
                        Verdict::Again { state, .. } => Some(state.code()),
                    })
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|s| match s.verdict {
                        Verdict::Final { .. } => {
                            !matches!(s.outcome, AttemptOutcome::Snoozed | AttemptOutcome::Released)
                        }
                        Verdict::Again { counts, .. } => counts,
                    })
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|s| match &s.verdict {
                        Verdict::Final { error, .. } | Verdict::Again { error, .. } => {
                            error.as_ref().map(Json)
                        }
                    })
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|s| s.result.as_ref().filter(|r| !r.is_none()).map(|r| r.data.as_ref()))
                    .collect::<Vec<Option<&[u8]>>>(),
            )
            .bind(
                each.map(|s| s.result.as_ref().and_then(|r| r.content_type.as_deref()))
                    .collect::<Vec<_>>(),
            )
            .bind(now.to_sqlx());
        all(&self.hot_rows(statement).await?, settled)
    }

    /// What a verdict on these attempts depends on, and what the database's clock says. Attempts that are not
    /// running are left out.
    pub async fn tried(
        &self,
        ids: &[TaskId],
    ) -> Result<(Timestamp, HashMap<AttemptRef, Tried>), Error> {
        let ids = ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let statement = query(sql::TASKS_TRIED).bind(ids).bind(self.now());
        let rows = self.hot_rows(statement).await?;
        let now = all(&rows, |row| rows::time(row, "at"))?.first().copied();
        let found = all(&rows, |row| {
            let attempt =
                AttemptRef { task: TaskId(get(row, "id")?), attempt: count(row, "attempt")? };
            let tried = Tried {
                tries: count(row, "tries")?,
                policy: rows::retry(row)?.unwrap_or_default(),
                give_up_at: rows::maybe_time(row, "give_up_at")?,
                cancel_requested: get(row, "is_cancelling")?,
            };
            Ok((attempt, tried))
        })?;
        Ok((now.unwrap_or_else(|| self.clock().now()), found.into_iter().collect()))
    }

    /// How attempts that are no longer held have ended.
    pub async fn ended(&self, leases: &[Lease]) -> Result<HashMap<AttemptRef, Past>, Error> {
        let statement = query(sql::TASKS_ENDED)
            .bind(leases.iter().map(|l| l.attempt.task.0).collect::<Vec<_>>())
            .bind(leases.iter().map(|l| l.namespace).collect::<Vec<_>>())
            .bind(leases.iter().map(|l| number(l.attempt.attempt)).collect::<Vec<_>>());
        let found = all(&self.hot_rows(statement).await?, |row| {
            let attempt =
                AttemptRef { task: TaskId(get(row, "id")?), attempt: count(row, "attempt")? };
            let last = match get::<Option<i16>>(row, "state")? {
                None => None,
                Some(_) => Some((
                    state(row)?,
                    rows::payload(row, "result", "content_type")?.unwrap_or_default(),
                )),
            };
            let record = match get::<Option<i16>>(row, "outcome")? {
                None => None,
                Some(code) => Some((
                    AttemptOutcome::from_code(code)
                        .ok_or_else(|| rows::corrupt("outcome", "no such outcome"))?,
                    rows::error(row, "error")?,
                )),
            };
            Ok((attempt, Past { last, record }))
        })?;
        Ok(found.into_iter().collect())
    }

    /// Keeps a report that came too late.
    pub async fn keep_late(
        &self,
        lease: &Lease,
        outcome: AttemptOutcome,
        result: Option<&Payload>,
        error: Option<&TaskError>,
    ) -> Result<(), Error> {
        let statement = query(sql::TASKS_LATE)
            .bind(self.now())
            .bind(lease.attempt.task.0)
            .bind(lease.namespace)
            .bind(lease.session.0)
            .bind(number(lease.attempt.attempt))
            .bind(outcome.code())
            .bind(result.filter(|r| !r.is_none()).map(|r| r.data.as_ref()))
            .bind(result.and_then(|r| r.content_type.as_deref()))
            .bind(error.map(Json));
        self.hot_rows(statement).await.map(drop)
    }

    /// Keeps the last progress and checkpoint of attempts that are held; answers with their tasks and lanes.
    pub async fn report_progress(
        &self,
        reports: &[(Lease, ProgressReport)],
    ) -> Result<Vec<(TaskId, i32)>, Error> {
        let each = reports.iter();
        let statement = query(sql::TASKS_REPORT_PROGRESS)
            .bind(self.now())
            .bind(each.clone().map(|(l, _)| l.attempt.task.0).collect::<Vec<_>>())
            .bind(each.clone().map(|(l, _)| l.namespace).collect::<Vec<_>>())
            .bind(each.clone().map(|(l, _)| l.session.0).collect::<Vec<_>>())
            .bind(each.clone().map(|(l, _)| number(l.attempt.attempt)).collect::<Vec<_>>())
            .bind(each.clone().map(|(_, r)| r.progress.is_some()).collect::<Vec<_>>())
            .bind(
                each.clone()
                    .map(|(_, r)| r.progress.as_ref().map(|p| p.current))
                    .collect::<Vec<_>>(),
            )
            .bind(
                each.clone().map(|(_, r)| r.progress.as_ref().map(|p| p.total)).collect::<Vec<_>>(),
            )
            .bind(
                each.clone()
                    .map(|(_, r)| r.progress.as_ref().map(|p| p.message.as_str()))
                    .collect::<Vec<_>>(),
            )
            .bind(each.map(|(_, r)| r.checkpoint.as_deref()).collect::<Vec<_>>());
        all(&self.hot_rows(statement).await?, |row| {
            Ok((TaskId(get(row, "id")?), get(row, "lane")?))
        })
    }
}

/// The latest time that is stored: beyond it a task waits for ever anyway.
fn storable(time: Timestamp) -> Timestamp {
    const YEAR_9000: i64 = 221_845_392_000;
    Timestamp::from_second(YEAR_9000).map_or(time, |latest| time.min(latest))
}
