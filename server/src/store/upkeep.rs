//! What has to be done again and again. Safe on several replicas at once: rows that another one has
//! locked are left to it, and every condition is in the statement.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::query;
use uuid::Uuid;

use super::finish::{Ended, Lease, ended};
use super::rows::{all, count, get, maybe_time, time};
use super::submit::milliseconds;
use super::{Error, Store, statements as sql};
use crate::domain::{AttemptRef, SessionId, TaskId, TaskState};

/// An attempt that has to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// The fence.
    pub lease: Lease,
    /// Whether the grace of a cancel is over (or else a deadline).
    pub is_cancelled: bool,
}

fn lease(row: &sqlx::postgres::PgRow) -> Result<Lease, super::rows::Corrupt> {
    Ok(Lease {
        attempt: AttemptRef { task: TaskId(get(row, "id")?), attempt: count(row, "attempt")? },
        namespace: get(row, "namespace")?,
        session: SessionId(get(row, "session")?),
    })
}

/// From where on to look: what was due, or came to its end, before these times was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// Due times of scheduled and retrying tasks.
    pub due: Timestamp,
    /// Deadlines of attempts and ends of waiting tasks.
    pub ends: Timestamp,
}

impl Default for Since {
    /// Everything.
    fn default() -> Self {
        Self { due: Timestamp::UNIX_EPOCH, ends: Timestamp::UNIX_EPOCH }
    }
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpkeepLook {
    /// What the database's clock said; `None`: nobody has looked yet.
    pub at: Option<Timestamp>,
    /// When the next scheduled or retrying task is due.
    pub due: Option<Timestamp>,
    /// How long until the next scheduled or retrying task is due; `None`: there is none.
    pub wait: Option<Duration>,
    /// Whether a session, an attempt or a waiting task ran out of time.
    pub is_overdue: bool,
}

impl Store {
    /// Moves up to `limit` due tasks to ready.
    pub async fn promote(&self, limit: i64, since: Since) -> Result<Vec<Ended>, Error> {
        let statement =
            query(sql::UPKEEP_PROMOTE).bind(self.now()).bind(limit).bind(since.due.to_sqlx());
        all(&self.hot_rows(statement).await?, |row| {
            Ok(Ended {
                id: TaskId(get(row, "id")?),
                lane: get(row, "lane")?,
                attempt: count(row, "attempt")?,
                state: TaskState::Ready,
                run_at: Some(time(row, "run_at")?),
                tried: None,
            })
        })
    }

    /// What there is to do, at the price of one statement where there is nothing.
    pub async fn upkeep_look(
        &self,
        cancel_grace: Duration,
        since: Since,
    ) -> Result<UpkeepLook, Error> {
        let statement = query(sql::UPKEEP_LOOK)
            .bind(self.now())
            .bind(milliseconds(cancel_grace))
            .bind(since.due.to_sqlx())
            .bind(since.ends.to_sqlx());
        let rows = all(&self.hot_rows(statement).await?, |row| {
            let wait: Option<i64> = get(row, "wait_ms")?;
            Ok(UpkeepLook {
                at: Some(time(row, "looked_at")?),
                due: maybe_time(row, "due_at")?,
                wait: wait.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default())),
                is_overdue: get(row, "is_overdue")?,
            })
        })?;
        Ok(rows.first().copied().unwrap_or_default())
    }

    /// How long until the next task is due; `None` if there is none.
    pub async fn next_due(&self) -> Result<Option<Duration>, Error> {
        let rows = self.hot_rows(query(sql::UPKEEP_NEXT_DUE).bind(self.now())).await?;
        let waits = all(&rows, |row| get::<i64>(row, "wait_ms"))?;
        Ok(waits.first().map(|ms| Duration::from_millis(u64::try_from(*ms).unwrap_or_default())))
    }

    /// Ends sessions that were not heard of any more; how many.
    pub async fn end_sessions(&self) -> Result<usize, Error> {
        Ok(self.hot_rows(query(sql::UPKEEP_END_SESSIONS).bind(self.now())).await?.len())
    }

    /// Attempts whose session has ended.
    pub async fn orphans(&self, limit: i64) -> Result<Vec<Lease>, Error> {
        all(&self.hot_rows(query(sql::UPKEEP_ORPHANS).bind(limit)).await?, lease)
    }

    /// Attempts past their deadline, or past the grace of a cancel.
    pub async fn overdue_running(
        &self,
        cancel_grace: Duration,
        limit: i64,
        since: Since,
    ) -> Result<Vec<Overdue>, Error> {
        let statement = query(sql::UPKEEP_OVERDUE_RUNNING)
            .bind(self.now())
            .bind(milliseconds(cancel_grace))
            .bind(limit)
            .bind(since.ends.to_sqlx());
        all(&self.hot_rows(statement).await?, |row| {
            Ok(Overdue { lease: lease(row)?, is_cancelled: get(row, "is_cancelled")? })
        })
    }

    /// Attempts of these sessions for which a cancel was asked.
    pub async fn cancelled(&self, sessions: &[SessionId]) -> Result<Vec<Lease>, Error> {
        let ids: Vec<Uuid> = sessions.iter().map(|id| id.0).collect();
        all(&self.hot_rows(query(sql::UPKEEP_CANCELLED).bind(ids)).await?, lease)
    }

    /// Ends waiting tasks that ran out of time; answers with them.
    pub async fn end_overdue_waiting(&self, limit: i64, since: Since) -> Result<Vec<Ended>, Error> {
        let statement = query(sql::UPKEEP_OVERDUE_WAITING)
            .bind(self.now())
            .bind(limit)
            .bind(since.ends.to_sqlx());
        all(&self.hot_rows(statement).await?, ended)
    }

    /// Says that this replica lives; answers with the others, and whether somebody watches there.
    pub async fn replica_beat(
        &self,
        id: Uuid,
        name: &str,
        is_watching: bool,
        (role, role_note): (i16, &str),
    ) -> Result<Vec<(Uuid, bool)>, Error> {
        let statement = query(sql::UPKEEP_REPLICA_BEAT)
            .bind(id)
            .bind(name)
            .bind(is_watching)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(role)
            .bind(role_note);
        all(&self.hot_rows(statement).await?, |row| Ok((get(row, "id")?, get(row, "is_watching")?)))
    }

    /// Says that this replica stops.
    pub async fn replica_leave(&self, id: Uuid) -> Result<(), Error> {
        self.hot_rows(query(sql::UPKEEP_REPLICA_LEAVE).bind(id)).await.map(drop)
    }

    /// Whether connected workers have something to do.
    pub async fn is_busy(&self) -> Result<bool, Error> {
        let rows = self.read_rows(query(sql::UPKEEP_IS_BUSY)).await?;
        Ok(all(&rows, |row| get::<bool>(row, "is_busy"))?.first().copied().unwrap_or_default())
    }

    /// Whether the database answers and takes writes.
    pub async fn ping(&self) -> Result<bool, Error> {
        let rows = self.hot_rows(query(sql::UPKEEP_PING)).await?;
        Ok(all(&rows, |row| get::<bool>(row, "is_primary"))?.first().copied().unwrap_or_default())
    }
}
