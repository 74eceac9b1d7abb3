//! Reading tasks, and cancelling them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::query;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::{self, Corrupt, all, corrupt, count, get, maybe_time, state, time};
use super::wall::Tenant;
use super::{Error, Store, statements as sql};
use crate::domain::{
    Attempt, AttemptOutcome, Late, Payload, Progress, RetryPolicy, SessionId, TaskError, TaskId,
    TaskState, limits,
};

/// A task as the tables have it: with the number of its lane instead of names.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// Number of its lane.
    pub lane: i32,
    /// Its priority.
    pub priority: u8,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Earliest start.
    pub run_at: Timestamp,
    /// Input; `None` if not asked for.
    pub payload: Option<Payload>,
    /// Not to be started after.
    pub expire_at: Option<Timestamp>,
    /// Limit on one attempt.
    pub attempt_timeout: Option<Duration>,
    /// Limit on the whole.
    pub total_timeout: Option<Duration>,
    /// Policy; `None`: the default.
    pub retry: Option<RetryPolicy>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Unique key.
    pub unique_key: Option<String>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Of which it is another run.
    pub retry_of: Option<TaskId>,
    /// Where it is.
    pub state: TaskState,
    /// Number of the current or last attempt.
    pub attempt: u32,
    /// Tries that count.
    pub tries: u32,
    /// Start of the current or last attempt.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// Whether a cancel was asked for.
    pub is_cancelling: bool,
    /// Worker of the current or last attempt.
    pub worker: String,
    /// Result; `None` if there is none or it was not asked for.
    pub result: Option<Payload>,
    /// Error or reason.
    pub error: Option<TaskError>,
    /// Writes of progress so far.
    pub progress_seq: u32,
    /// Last progress.
    pub progress: Option<Progress>,
}

/// Which rows of a list.
#[derive(Debug, Clone)]
pub struct ListRows<'a> {
    /// Number of the namespace.
    pub namespace: i32,
    /// Numbers of the lanes; `None`: all.
    pub lanes: Option<Vec<i32>>,
    /// Labels that they have.
    pub labels: &'a BTreeMap<String, String>,
    /// States that they may be in; empty: any.
    pub states: &'a [TaskState],
    /// Ids from this one on.
    pub from: Uuid,
    /// Ids before this one.
    pub before: Uuid,
    /// Most rows.
    pub limit: usize,
    /// Whether with payload and result.
    pub full: bool,
}

/// A task that a cancel changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRow {
    /// The task.
    pub id: TaskId,
    /// Number of its lane.
    pub lane: i32,
    /// Number of its current or last attempt.
    pub attempt: u32,
    /// `Cancelled`, or `Running` if its worker has to be told.
    pub state: TaskState,
    /// Who runs it.
    pub session: Option<SessionId>,
}

impl Store {
    /// Tasks by id, in any order; those of other namespaces are left out.
    pub async fn tasks(
        &self,
        namespace: i32,
        ids: &[TaskId],
        full: bool,
    ) -> Result<Vec<TaskRow>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let statement = query(sql::TASKS_GET).bind(namespace).bind(ids).bind(full);
        all(&self.tenant_rows(Tenant::Namespace(namespace), statement).await?, task)
    }

    /// Tasks that match, newest first.
    pub async fn list(&self, which: &ListRows<'_>) -> Result<Vec<TaskRow>, Error> {
        let unfinished = !which.states.is_empty() && !which.states.iter().any(|s| s.is_final());
        let states: Vec<i16> = which.states.iter().map(|state| state.code()).collect();
        let text = match which.labels.is_empty() {
            _ if unfinished => sql::TASKS_LIST_UNFINISHED,
            false if self.is_walled() => sql::TASKS_LIST_LABELLED,
            _ => sql::TASKS_LIST,
        };
        let statement = query(text)
            .bind(which.namespace)
            .bind(which.lanes.clone())
            .bind(which.full)
            .bind((!which.labels.is_empty()).then_some(Json(which.labels)))
            .bind((!states.is_empty()).then_some(states))
            .bind(which.from)
            .bind(which.before)
            .bind(i64::try_from(which.limit).unwrap_or(i64::MAX));
        all(&self.tenant_rows(Tenant::Namespace(which.namespace), statement).await?, task)
    }

    /// Recorded attempts of tasks, oldest first, at most the last
    /// [`ATTEMPTS_SHOWN`](limits::ATTEMPTS_SHOWN) of each.
    pub async fn attempts(
        &self,
        namespace: i32,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Vec<Attempt>>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let statement =
            query(sql::TASKS_ATTEMPTS).bind(namespace).bind(ids).bind(limits::ATTEMPTS_SHOWN);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let found = all(&rows, |row| Ok((TaskId(get(row, "id")?), attempt(row)?)))?;
        let mut attempts: HashMap<TaskId, Vec<Attempt>> = HashMap::new();
        for (id, attempt) in found {
            attempts.entry(id).or_default().push(attempt);
        }
        for recorded in attempts.values_mut() {
            recorded.sort_by_key(|attempt| attempt.number);
        }
        Ok(attempts)
    }

    /// Cancels waiting tasks and marks running ones; answers with what was changed.
    pub async fn cancel(
        &self,
        namespace: i32,
        ids: &[TaskId],
        reason: &str,
    ) -> Result<Vec<CancelRow>, Error> {
        let object = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let statement =
            query(sql::TASKS_CANCEL).bind(self.now()).bind(namespace).bind(ids).bind(reason);
        let tenant = Some(Tenant::Namespace(namespace));
        all(&self.audited_rows(tenant, statement, &object, false).await?, |row| {
            Ok(CancelRow {
                id: TaskId(get(row, "id")?),
                lane: get(row, "lane")?,
                attempt: count(row, "attempt")?,
                state: state(row)?,
                session: get::<Option<Uuid>>(row, "session")?.map(SessionId),
            })
        })
    }
}

fn task(row: &PgRow) -> Result<TaskRow, Corrupt> {
    let priority: i16 = get(row, "priority")?;
    Ok(TaskRow {
        id: TaskId(get(row, "id")?),
        lane: get(row, "lane")?,
        priority: u8::try_from(priority).map_err(|_| corrupt("priority", "out of range"))?,
        created_at: time(row, "created_at")?,
        run_at: time(row, "run_at")?,
        payload: rows::payload(row, "payload", "content_type")?,
        expire_at: maybe_time(row, "expire_at")?,
        attempt_timeout: milliseconds(row, "attempt_timeout_ms")?,
        total_timeout: milliseconds(row, "total_timeout_ms")?,
        retry: rows::retry(row)?,
        labels: rows::labels(row)?,
        unique_key: get(row, "unique_key")?,
        idempotency_key: get(row, "idempotency_key")?,
        traceparent: get(row, "traceparent")?,
        retry_of: get::<Option<Uuid>>(row, "retry_of")?.map(TaskId),
        state: state(row)?,
        attempt: count(row, "attempt")?,
        tries: count(row, "tries")?,
        started_at: maybe_time(row, "started_at")?,
        finished_at: maybe_time(row, "finished_at")?,
        due_at: maybe_time(row, "due_at")?,
        is_cancelling: get(row, "is_cancelling")?,
        worker: get(row, "worker")?,
        result: rows::payload(row, "result", "result_content_type")?,
        error: rows::error(row, "error")?,
        progress_seq: u32::try_from(get::<Option<i32>>(row, "progress_seq")?.unwrap_or_default())
            .unwrap_or_default(),
        progress: rows::progress(row)?,
    })
}

fn attempt(row: &PgRow) -> Result<Attempt, Corrupt> {
    let late = match get::<Option<i16>>(row, "late_outcome")? {
        None => None,
        Some(code) => Some(Late {
            outcome: outcome("late_outcome", code)?,
            reported_at: time(row, "late_at")?,
            result: rows::payload(row, "late_result", "late_content_type")?,
            error: rows::error(row, "late_error")?,
        }),
    };
    Ok(Attempt {
        number: count(row, "number")?,
        outcome: Some(outcome("outcome", get(row, "outcome")?)?),
        worker: get(row, "worker")?,
        started_at: Some(time(row, "started_at")?),
        finished_at: Some(time(row, "finished_at")?),
        error: rows::error(row, "error")?,
        late,
    })
}

fn outcome(column: &str, code: i16) -> Result<AttemptOutcome, Corrupt> {
    AttemptOutcome::from_code(code).ok_or_else(|| corrupt(column, format!("{code} is no outcome")))
}

pub(super) fn milliseconds(row: &PgRow, column: &str) -> Result<Option<Duration>, Corrupt> {
    let value: Option<i64> = get(row, column)?;
    value
        .map(|ms| u64::try_from(ms).map(Duration::from_millis))
        .transpose()
        .map_err(|_| corrupt(column, "negative"))
}
