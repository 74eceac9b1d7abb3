//! What watches read.

use sqlx::query;

use super::rows::{all, count, get, state};
use super::wall::Tenant;
use super::{Error, Store, statements as sql};
use crate::domain::{TaskId, TaskState, revision};

/// A point in the history of the database: all that was committed before is in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    /// Every transaction below this number has ended.
    pub xid: i64,
    /// No transaction up to now has this number or a higher one.
    pub newest: i64,
    /// Which history: it changes with a fail-over or a restore.
    pub incarnation: String,
}

/// Where a task stands, without its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionRow {
    /// The task.
    pub id: TaskId,
    /// Number of its namespace.
    pub namespace: i32,
    /// Number of its lane.
    pub lane: i32,
    /// Where it is.
    pub state: TaskState,
    /// See [`revision`](crate::domain::revision()).
    pub revision: i64,
    /// The transaction in which it came to its end.
    pub ended: Option<i64>,
}

/// A task that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalRow {
    /// The task.
    pub id: TaskId,
    /// Number of its lane.
    pub lane: i32,
    /// The transaction in which it did.
    pub ended: i64,
}

impl Store {
    /// The present horizon.
    pub async fn horizon(&self) -> Result<Horizon, Error> {
        let rows = self.read_rows(query(sql::WATCH_HORIZON)).await?;
        let found = all(&rows, |row| {
            Ok(Horizon {
                xid: get(row, "horizon")?,
                newest: get(row, "newest")?,
                incarnation: get(row, "incarnation")?,
            })
        })?;
        found.into_iter().next().ok_or_else(|| Error::Corrupt("no horizon".to_owned()))
    }

    /// Tasks that came to their end at or after a horizon.
    pub async fn journal(
        &self,
        namespace: Option<i32>,
        since: i64,
        lanes: Option<&[i32]>,
        limit: i64,
    ) -> Result<Vec<JournalRow>, Error> {
        let statement =
            query(sql::WATCH_JOURNAL).bind(namespace).bind(since).bind(lanes).bind(limit);
        let rows = match namespace {
            Some(namespace) => self.tenant_rows(Tenant::Namespace(namespace), statement).await?,
            None => self.read_rows(statement).await?,
        };
        all(&rows, |row| {
            Ok(JournalRow {
                id: TaskId(get(row, "id")?),
                lane: get(row, "lane")?,
                ended: get(row, "xid")?,
            })
        })
    }

    /// Where tasks stand; those that do not exist are left out.
    pub async fn revisions(&self, ids: &[TaskId]) -> Result<Vec<RevisionRow>, Error> {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        all(&self.read_rows(query(sql::WATCH_REVISIONS).bind(ids)).await?, |row| {
            let state = state(row)?;
            let attempt = count(row, "attempt")?;
            let progress = count(row, "progress_seq")?;
            Ok(RevisionRow {
                id: TaskId(get(row, "id")?),
                namespace: get(row, "namespace")?,
                lane: get(row, "lane")?,
                state,
                revision: revision(attempt, state, get(row, "is_cancelling")?, progress),
                ended: get(row, "ended")?,
            })
        })
    }

    /// Tells the other replicas something: a hint, which may be lost.
    pub async fn notify(&self, message: &str) -> Result<(), Error> {
        self.hot_rows(query(sql::WATCH_NOTIFY).bind(message)).await.map(drop)
    }
}
