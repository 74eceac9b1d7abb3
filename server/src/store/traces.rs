//! What spans of tasks are made of.

use jiff::Timestamp;
use sqlx::query;

use super::finish::number;
use super::rows::{self, all, count, get, maybe_time, time};
use super::{Error, Store, statements as sql};
use crate::domain::{AttemptOutcome, AttemptRef, TaskError, TaskId, TaskState};

/// An attempt that has ended, or a task that ended while it waited.
#[derive(Debug, Clone)]
pub struct EndedRow {
    /// The attempt; number 0 if the task waited.
    pub attempt: AttemptRef,
    /// W3C trace context of the task.
    pub traceparent: String,
    /// When the task was accepted.
    pub created_at: Timestamp,
    /// When it was to start, at the earliest.
    pub run_at: Timestamp,
    /// Number of its lane.
    pub lane: i32,
    /// How the attempt ended.
    pub outcome: Option<AttemptOutcome>,
    /// When it began, and when it ended.
    pub ran: Option<(Timestamp, Timestamp)>,
    /// Name of the worker.
    pub worker: String,
    /// What went wrong.
    pub error: Option<TaskError>,
    /// When the attempt before ended.
    pub previous_end: Option<Timestamp>,
    /// The end of the task, if this was it.
    pub end: Option<End>,
}

/// The end of a task.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// How it ended.
    pub state: TaskState,
    /// Tries that counted.
    pub tries: u32,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// What is known of attempts that have ended, of tasks with a trace context.
    pub async fn traces_ended(&self, attempts: &[AttemptRef]) -> Result<Vec<EndedRow>, Error> {
        let statement = query(sql::TRACES_ENDED)
            .bind(attempts.iter().map(|a| a.task.0).collect::<Vec<_>>())
            .bind(attempts.iter().map(|a| number(a.attempt)).collect::<Vec<_>>());
        all(&self.read_rows(statement).await?, |row| {
            let end = match maybe_time(row, "ended_at")? {
                None => None,
                Some(at) => Some(End { state: rows::state(row)?, tries: count(row, "tries")?, at }),
            };
            Ok(EndedRow {
                attempt: AttemptRef {
                    task: TaskId(get(row, "id")?),
                    attempt: count(row, "number")?,
                },
                traceparent: get(row, "traceparent")?,
                created_at: time(row, "created_at")?,
                run_at: time(row, "run_at")?,
                lane: get(row, "lane")?,
                outcome: get::<Option<i16>>(row, "outcome")?.and_then(AttemptOutcome::from_code),
                ran: maybe_time(row, "started_at")?.zip(maybe_time(row, "finished_at")?),
                worker: get(row, "worker")?,
                error: rows::error(row, "error")?,
                previous_end: maybe_time(row, "previous_end")?,
                end,
            })
        })
    }
}
