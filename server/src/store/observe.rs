//! What metrics tell of the whole database.

use std::time::Duration;

use sqlx::query;
use uuid::Uuid;

use super::rows::{all, corrupt, get, state};
use super::{Error, Store, statements as sql};
use crate::domain::{AttemptRef, TaskId, TaskState};

/// Unfinished tasks of a lane in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthRow {
    /// Number of the lane.
    pub lane: i32,
    /// Where they are.
    pub state: TaskState,
    /// How many, of those that were counted.
    pub tasks: i64,
    /// Of ready ones: for how long the oldest could have started.
    pub oldest: Option<Duration>,
}

/// What must never be, and is; each counted up to 1,000.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Active schedules that nobody has looked at for 30 s after they were due.
    pub overdue_schedules: u64,
    /// Attempts whose session ended more than 60 s ago and is still there.
    pub expired_leases: u64,
    /// Attempts that began more than 60 s ago and have no session.
    pub orphans: Vec<AttemptRef>,
    /// Attempts of finished tasks.
    pub finished_but_leased: u64,
    /// Terms that two replicas have begun.
    pub terms_of_two: u64,
}

impl Store {
    /// What stands in the lanes, of the first `most` ready, running and waiting tasks. Reads them all: to
    /// be called now and then.
    pub async fn queue_depths(&self, most: i64) -> Result<Vec<DepthRow>, Error> {
        let statement = query(sql::OBSERVE_DEPTHS).bind(self.now()).bind(most);
        all(&self.read_rows(statement).await?, |row| {
            let oldest: Option<i64> = get(row, "oldest_ms")?;
            Ok(DepthRow {
                lane: get(row, "lane")?,
                state: state(row)?,
                tasks: get(row, "tasks")?,
                oldest: oldest
                    .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default())),
            })
        })
    }

    /// Looks for what must never be.
    pub async fn audit(&self) -> Result<Audit, Error> {
        let rows = self.read_rows(query(sql::OBSERVE_AUDIT).bind(self.now())).await?;
        let found = all(&rows, |row| {
            let count = |column: &str| {
                let count: i64 = get(row, column)?;
                u64::try_from(count).map_err(|_| corrupt(column, "is negative"))
            };
            let ids: Vec<Uuid> = get(row, "orphans")?;
            let attempts: Vec<i32> = get(row, "orphan_attempts")?;
            let orphans = ids.into_iter().zip(attempts).map(|(task, attempt)| AttemptRef {
                task: TaskId(task),
                attempt: u32::try_from(attempt).unwrap_or_default(),
            });
            Ok(Audit {
                overdue_schedules: count("overdue_schedules")?,
                expired_leases: count("expired_leases")?,
                orphans: orphans.collect(),
                finished_but_leased: count("finished_but_leased")?,
                terms_of_two: count("terms_of_two")?,
            })
        })?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}
