//! What watches read.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use sqlx::query;

use super::rows::{all, count, get, state};
use super::submit::milliseconds;
use super::wall::Tenant;
use super::{Error, Store, statements as sql, tasks};
use crate::domain::{Retention, TaskId, TaskState, revision};

/// Which transactions had ended at a moment, so that all that they wrote is in sight. One that hangs does not hold
/// up the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// No transaction had begun that has this number or a higher one.
    pub newest: i64,
    /// Those below `newest` that ran, in order.
    pub running: Vec<i64>,
    /// When that was, or shortly before, in seconds since 1970.
    pub read_at: i64,
}

/// Transactions this close to the newest are read together, and the few that are not wanted are sorted out: that is
/// cheaper than one look into the index for each that runs.
const NEAR: i64 = 1_000;

impl Sight {
    /// Every transaction below this one had ended, and no other.
    pub fn before(oldest: i64) -> Self {
        Self { newest: oldest, ..Self::default() }
    }

    /// Whether a transaction had ended.
    pub fn covers(&self, xid: i64) -> bool {
        xid < self.newest && self.running.binary_search(&xid).is_err()
    }

    /// Every transaction below this one had ended.
    pub fn oldest(&self) -> i64 {
        self.running.first().copied().unwrap_or(self.newest)
    }

    /// How late its moment was, for comparison with others of the same database.
    pub fn moment(&self) -> (i64, Reverse<usize>) {
        (self.newest, Reverse(self.running.len()))
    }

    /// The same without what is too much to remember: what the oldest `most` that ran do not say, is taken for
    /// not ended.
    pub fn shortened(mut self, most: usize) -> Self {
        if let Some(next) = self.running.get(most).copied() {
            self.newest = next;
            self.running.truncate(most);
        }
        self
    }

    /// Where to begin to read what it does not cover, and what to read before that.
    fn reach(&self) -> (i64, &[i64]) {
        let near = self.newest.saturating_sub(NEAR);
        let apart = self.running.partition_point(|xid| *xid < near);
        let begin = self.running.get(apart).copied().unwrap_or(self.newest);
        (begin, self.running.get(..apart).unwrap_or_default())
    }
}

/// A point in the history of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    /// What had ended by then.
    pub sight: Sight,
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
        let read_at = self.clock().now().as_second();
        let rows = self.read_rows(query(sql::WATCH_HORIZON)).await?;
        let found = all(&rows, |row| {
            Ok(Horizon {
                sight: Sight {
                    newest: get(row, "newest")?,
                    running: get(row, "running")?,
                    read_at,
                },
                incarnation: get(row, "incarnation")?,
            })
        })?;
        found.into_iter().next().ok_or_else(|| Error::Corrupt("no horizon".to_owned()))
    }

    /// Tasks that came to their end in transactions that are not covered.
    pub async fn journal(
        &self,
        namespace: Option<i32>,
        since: &Sight,
        lanes: Option<&[i32]>,
        limit: i64,
    ) -> Result<Vec<JournalRow>, Error> {
        let (begin, apart) = since.reach();
        let statement = query(sql::WATCH_JOURNAL)
            .bind(namespace)
            .bind(lanes)
            .bind(limit)
            .bind(since.newest)
            .bind(&since.running)
            .bind(begin)
            .bind(apart);
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

    /// The shortest time that ended tasks of a queue, or of all of them, are kept for, if there are any.
    pub async fn kept(
        &self,
        namespace: i32,
        queue: Option<&str>,
        defaults: &Retention,
    ) -> Result<Option<Duration>, Error> {
        let statement = query(sql::WATCH_KEPT)
            .bind(namespace)
            .bind(queue)
            .bind(milliseconds(defaults.succeeded))
            .bind(milliseconds(defaults.failed))
            .bind(milliseconds(defaults.cancelled))
            .bind(milliseconds(defaults.expired));
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let found = all(&rows, |row| tasks::milliseconds(row, "kept_ms"))?;
        Ok(found.into_iter().flatten().min())
    }

    /// How many bytes the contents of tasks have; those of other namespaces are left out.
    pub async fn sizes(
        &self,
        namespace: i32,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, usize>, Error> {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let statement = query(sql::WATCH_SIZES).bind(namespace).bind(ids);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let found = all(&rows, |row| {
            let bytes: i64 = get(row, "bytes")?;
            Ok((TaskId(get(row, "id")?), usize::try_from(bytes).unwrap_or_default()))
        })?;
        Ok(found.into_iter().collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_at_a_moment_is_not_covered_and_everything_else_before_it_is() {
        let sight = Sight { newest: 5_000, running: vec![7, 4_900, 4_950], ..Sight::default() };
        let covered = |xid: &i64| sight.covers(*xid);
        assert!([6, 8, 4_899, 4_999].iter().all(covered));
        assert!(![7, 4_900, 4_950, 5_000, 5_001].iter().any(covered));
        assert_eq!((sight.oldest(), sight.reach()), (7, (4_900, &[7][..])));
        assert_eq!(Sight::before(9).reach(), (9, &[][..]));
    }

    #[test]
    fn a_shortened_sight_covers_nothing_that_the_whole_does_not() {
        let sight = Sight { newest: 50, running: vec![7, 20, 30], ..Sight::default() };
        for most in 0..4 {
            let short = sight.clone().shortened(most);
            assert!(short.running.len() <= most);
            assert!((0..60).all(|xid| sight.covers(xid) || !short.covers(xid)), "{most}");
        }
        assert_eq!(
            sight.clone().shortened(1),
            Sight { newest: 20, running: vec![7], ..Sight::default() }
        );
        assert_eq!(sight.clone().shortened(3), sight);
    }

    #[test]
    fn a_later_sight_is_one_in_which_more_has_ended() {
        let sight = |newest, running: &[i64]| Sight {
            newest,
            running: running.to_vec(),
            ..Sight::default()
        };
        let in_order = [sight(9, &[3, 5]), sight(9, &[3]), sight(12, &[3, 10]), sight(12, &[])];
        assert!(in_order.windows(2).all(|pair| pair[0].moment() < pair[1].moment()));
    }
}
