//! Queues.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::finish::{Ended, ended};
use super::rows::{all, get, maybe_time, time};
use super::submit::milliseconds;
use super::wall::Tenant;
use super::{Error, Statement, Store, statements as sql, tasks};
use crate::domain::Retention;

/// Counts of tasks stop at this.
const LARGEST_COUNT: i64 = 10_000;

/// A queue as the tables have it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRow {
    /// Its name.
    pub name: String,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Why.
    pub pause_note: String,
    /// What was set for it.
    pub retention: Retention<Option<Duration>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Kinds ever submitted.
    pub kinds: Vec<String>,
    /// Ready tasks.
    pub ready: u64,
    /// Scheduled and retrying tasks.
    pub scheduled: u64,
    /// Running tasks.
    pub running: u64,
    /// Age of the oldest ready task.
    pub oldest_ready_age: Option<Duration>,
}

impl Store {
    /// Queues by name, after `after`; or only the one named `only`.
    pub async fn queues(
        &self,
        namespace: i32,
        after: &str,
        limit: usize,
        only: Option<&str>,
    ) -> Result<Vec<QueueRow>, Error> {
        let statement = query(sql::QUEUES_LIST)
            .bind(namespace)
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(LARGEST_COUNT)
            .bind(self.now())
            .bind(only);
        all(&self.tenant_rows(Tenant::Namespace(namespace), statement).await?, |row| {
            let count = |column| Ok(u64::try_from(get::<i64>(row, column)?).unwrap_or_default());
            // A clock that was set back makes an age negative; that is no age.
            let age = get::<Option<i64>>(row, "oldest_ready_ms")?
                .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
            Ok(QueueRow {
                name: get(row, "name")?,
                paused_at: maybe_time(row, "paused_at")?,
                pause_note: get(row, "pause_note")?,
                retention: Retention {
                    succeeded: tasks::milliseconds(row, "keep_succeeded_ms")?,
                    failed: tasks::milliseconds(row, "keep_failed_ms")?,
                    cancelled: tasks::milliseconds(row, "keep_cancelled_ms")?,
                    expired: tasks::milliseconds(row, "keep_expired_ms")?,
                },
                created_at: time(row, "created_at")?,
                kinds: get(row, "kinds")?,
                ready: count("ready")?,
                scheduled: count("scheduled")?,
                running: count("running")?,
                oldest_ready_age: age,
            })
        })
    }

    /// Stops leasing from a queue.
    pub async fn pause_queue(&self, namespace: i32, queue: &str, note: &str) -> Result<(), Error> {
        let statement =
            query(sql::QUEUES_PAUSE).bind(self.now()).bind(namespace).bind(queue).bind(note);
        self.turn_queue(namespace, queue, statement, true).await.map(drop)
    }

    /// Pauses a queue or resumes it, and then its lanes: whoever made one meanwhile held the row of the queue, so that
    /// the second statement sees it.
    async fn turn_queue(
        &self,
        namespace: i32,
        queue: &str,
        turning: Statement<'_>,
        always: bool,
    ) -> Result<Vec<PgRow>, Error> {
        let aligning = query(sql::QUEUES_ALIGN).bind(namespace).bind(queue);
        let tenant = Some(Tenant::Namespace(namespace));
        self.audited_in_turn(tenant, None, (turning, Some(aligning)), queue, always).await
    }

    /// Leases from a queue again; whether it exists.
    pub async fn resume_queue(&self, namespace: i32, queue: &str) -> Result<bool, Error> {
        let statement = query(sql::QUEUES_RESUME).bind(namespace).bind(queue);
        Ok(!self.turn_queue(namespace, queue, statement, false).await?.is_empty())
    }

    /// Sets how long finished tasks of a queue are kept.
    pub async fn set_retention(
        &self,
        namespace: i32,
        queue: &str,
        retention: &Retention<Option<Duration>>,
    ) -> Result<(), Error> {
        let statement = query(sql::QUEUES_SET_RETENTION)
            .bind(namespace)
            .bind(queue)
            .bind(retention.succeeded.map(milliseconds))
            .bind(retention.failed.map(milliseconds))
            .bind(retention.cancelled.map(milliseconds))
            .bind(retention.expired.map(milliseconds));
        self.audited_rows(Some(Tenant::Namespace(namespace)), statement, queue, true)
            .await
            .map(drop)
    }

    /// Counts the waiting tasks of lanes.
    pub async fn waiting(&self, namespace: i32, lanes: &[i32]) -> Result<u64, Error> {
        let statement = query(sql::QUEUES_WAITING).bind(namespace).bind(lanes);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let counts = all(&rows, |row| get::<i64>(row, "waiting"))?;
        Ok(counts.first().and_then(|count| u64::try_from(*count).ok()).unwrap_or_default())
    }

    /// Cancels some waiting tasks of lanes, those of a queue; answers with them.
    pub async fn purge(
        &self,
        namespace: i32,
        queue: &str,
        lanes: &[i32],
        limit: i64,
    ) -> Result<Vec<Ended>, Error> {
        let statement =
            query(sql::QUEUES_PURGE).bind(self.now()).bind(namespace).bind(lanes).bind(limit);
        all(
            &self.audited_rows(Some(Tenant::Namespace(namespace)), statement, queue, false).await?,
            ended,
        )
    }
}
