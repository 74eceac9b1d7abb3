//! Writing new tasks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _, query};
use uuid::Uuid;

use super::claim::Slot;
use super::rows::{Corrupt, all, get, maybe_time, time};
use super::{Error, Statement, Store, statements as sql};
use crate::domain::task::Start;
use crate::domain::{NewTask, TaskId, UniqueConflict};

/// Bit of `flags`: the task holds a unique key.
const HOLDS_UNIQUE_KEY: i16 = 1;

/// A task to write.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: TaskId,
    /// Number of its namespace.
    pub namespace: i32,
    /// Number of its lane.
    pub lane: i32,
    /// The rest.
    pub task: NewTask,
}

/// A task that was leased when it was written.
#[derive(Debug, Clone, Copy)]
pub struct Leased {
    /// The task.
    pub id: TaskId,
    /// When it was accepted, and its first attempt began.
    pub started_at: Timestamp,
    /// When the attempt ends by itself.
    pub deadline_at: Option<Timestamp>,
}

/// What becomes of a task whose unique key another task holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unique {
    /// The holder made room, or has given the key back: submit the task.
    Taken,
    /// Another task holds it, and the caller gets that one.
    Existing(TaskId),
    /// Another task holds it, and the caller is refused.
    Refused(TaskId),
}

/// What became of a task with keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// It was written.
    Submitted,
    /// This task stands for it.
    Existing(TaskId),
    /// The unique key is held by this task.
    UniqueConflict(TaskId),
    /// The idempotency key was used for another request, which made this task.
    IdempotencyConflict(TaskId),
}

impl Keyed {
    /// Whether a key stood in its way.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::UniqueConflict(_) | Self::IdempotencyConflict(_))
    }
}

/// What became of tasks that may have keys.
#[derive(Debug, Clone, Default)]
pub struct KeyedAnswers {
    /// Of each, in order.
    pub answers: Vec<Keyed>,
    /// Whether a key stood in the way of one of them, and so nothing was written of any.
    pub is_refused: bool,
    /// Those that were leased.
    pub leased: Vec<Leased>,
    /// Waiting tasks that made room, with their lanes.
    pub replaced: Vec<(TaskId, i32)>,
}

impl Store {
    /// Writes tasks without idempotency or unique key: one statement, one commit. Those with a slot
    /// (`slots` has one place for each row) are leased to it if they can start at once and their queue
    /// is not paused; answers with these.
    pub async fn submit(
        &self,
        rows: &[&Row],
        slots: &[Option<Slot<'_>>],
    ) -> Result<Vec<Leased>, Error> {
        all(&self.hot_rows(self.submit_statement(rows, slots)).await?, leased)
    }

    /// Writes tasks that may have keys, in one transaction, and answers for each. `hashes` are the hashes of the
    /// requests, for those with an idempotency key. No two rows may have the same idempotency key, nor the same
    /// unique key. With `atomic`, one conflict is enough for nothing to be written. `reserve` is asked for slots, as
    /// for [`Store::submit`], when it is known which rows are to be written: just before they are, and again if that
    /// came to nothing.
    pub async fn submit_keyed(
        &self,
        rows: &[Row],
        hashes: &[Vec<u8>],
        atomic: bool,
        mut reserve: impl FnMut(&[&Row]) -> Vec<Option<Slot<'static>>> + Send,
    ) -> Result<KeyedAnswers, Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_submit_keyed(rows, hashes, atomic, &mut reserve).await {
                // Two transactions that wait for each other: PostgreSQL ends one of them.
                Err(Error::Collision(_)) if attempt < 5 => {}
                other => return other,
            }
        }
    }

    /// Whether the idempotency key of a row was used before.
    pub async fn is_key_used(&self, row: &Row) -> Result<bool, Error> {
        let Some(key) = &row.task.idempotency_key else { return Ok(false) };
        let statement =
            query(sql::TASKS_KEYS_READ).bind(vec![row.namespace]).bind(vec![key.clone()]);
        Ok(!self.hot_rows(statement).await?.is_empty())
    }

    async fn try_submit_keyed(
        &self,
        rows: &[Row],
        hashes: &[Vec<u8>],
        atomic: bool,
        reserve: &mut (impl FnMut(&[&Row]) -> Vec<Option<Slot<'static>>> + Send),
    ) -> Result<KeyedAnswers, Error> {
        let mut held = self.hot.acquire().await?;
        let mut tx = self.in_time(held.begin()).await.map_err(Error::uncommitted)?;
        let written = self.write_keyed(&mut tx, rows, hashes, atomic, reserve).await;
        let answers = written.map_err(Error::uncommitted)?;
        if answers.is_refused {
            let undone = self.in_time(async { tx.rollback().await.map_err(Error::during) });
            undone.await.map_err(Error::uncommitted)?;
        } else {
            self.in_time(async { tx.commit().await.map_err(Error::during) }).await?;
        }
        held.release();
        Ok(answers)
    }

    /// All of it but the commit.
    async fn write_keyed(
        &self,
        tx: &mut PgConnection,
        rows: &[Row],
        hashes: &[Vec<u8>],
        atomic: bool,
        reserve: &mut (impl FnMut(&[&Row]) -> Vec<Option<Slot<'static>>> + Send),
    ) -> Result<KeyedAnswers, Error> {
        let mut answers = self.claim_idempotency(tx, rows, hashes).await?;
        let replaced = self.claim_unique(tx, rows, &mut answers).await?;
        if atomic && answers.iter().any(Keyed::is_conflict) {
            return Ok(KeyedAnswers { answers, is_refused: true, ..KeyedAnswers::default() });
        }
        let submitted: Vec<&Row> = rows
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer == Keyed::Submitted)
            .map(|(row, _)| row)
            .collect();
        let mut started = Vec::new();
        if !submitted.is_empty() {
            let statement = self.submit_statement(&submitted, &reserve(&submitted));
            // Places of workers are held from here on.
            let writing = self.step(tx, statement);
            started = all(&writing.await?, leased)?;
        }
        Ok(KeyedAnswers { answers, is_refused: false, leased: started, replaced })
    }

    pub(super) async fn claim_idempotency(
        &self,
        tx: &mut PgConnection,
        rows: &[Row],
        hashes: &[Vec<u8>],
    ) -> Result<Vec<Keyed>, Error> {
        let mut answers = vec![Keyed::Submitted; rows.len()];
        let keyed: Vec<usize> =
            (0..rows.len()).filter(|&n| rows[n].task.idempotency_key.is_some()).collect();
        if keyed.is_empty() {
            return Ok(answers);
        }
        let key = |n: usize| rows[n].task.idempotency_key.clone().unwrap_or_default();
        let claiming = query(sql::TASKS_KEYS_CLAIM)
            .bind(self.now())
            .bind(keyed.iter().map(|&n| rows[n].namespace).collect::<Vec<_>>())
            .bind(keyed.iter().map(|&n| key(n)).collect::<Vec<_>>())
            .bind(keyed.iter().map(|&n| hashes[n].as_slice()).collect::<Vec<_>>())
            .bind(keyed.iter().map(|&n| rows[n].id.0).collect::<Vec<_>>());
        let claimed = self.step(tx, claiming).await?;
        let claimed = claimed
            .iter()
            .map(|row| row.try_get::<Uuid, _>("task"))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::during)?;
        let taken: Vec<usize> =
            keyed.into_iter().filter(|&n| !claimed.contains(&rows[n].id.0)).collect();
        if taken.is_empty() {
            return Ok(answers);
        }
        let reading = query(sql::TASKS_KEYS_READ)
            .bind(taken.iter().map(|&n| rows[n].namespace).collect::<Vec<_>>())
            .bind(taken.iter().map(|&n| key(n)).collect::<Vec<_>>());
        let holders = self.step(tx, reading).await?;
        for n in taken {
            let mut found = None;
            for holder in &holders {
                let namespace: i32 = holder.try_get("namespace").map_err(Error::during)?;
                let held: &str = holder.try_get("key").map_err(Error::during)?;
                if namespace == rows[n].namespace && held == key(n) {
                    let hash: &[u8] = holder.try_get("request_hash").map_err(Error::during)?;
                    let task = TaskId(holder.try_get("task").map_err(Error::during)?);
                    found = Some(if hash == hashes[n] {
                        Keyed::Existing(task)
                    } else {
                        Keyed::IdempotencyConflict(task)
                    });
                }
            }
            // Pruned between the two statements: as a collision, the whole is tried again.
            answers[n] =
                found.ok_or_else(|| Error::Collision(Arc::new(sqlx::Error::RowNotFound)))?;
        }
        Ok(answers)
    }

    /// Takes the unique keys of those that are to be submitted, and changes the answers of the others; tells
    /// which tasks made room.
    async fn claim_unique(
        &self,
        tx: &mut PgConnection,
        rows: &[Row],
        answers: &mut [Keyed],
    ) -> Result<Vec<(TaskId, i32)>, Error> {
        let mut wanted: Vec<(&Row, &str, &mut Keyed)> = rows
            .iter()
            .zip(answers)
            .filter(|(_, answer)| **answer == Keyed::Submitted)
            .filter_map(|(row, answer)| Some((row, row.task.unique_key.as_deref()?, answer)))
            .collect();
        let mut replaced = Vec::new();
        if wanted.is_empty() {
            return Ok(replaced);
        }
        // In the same order by all, so that they do not wait for each other in a circle.
        wanted.sort_unstable_by_key(|(row, key, _)| (row.namespace, *key));
        let keys: Vec<(&Row, &str)> = wanted.iter().map(|(row, key, _)| (*row, *key)).collect();
        let taken = self.take_unique(tx, &keys).await?;
        for (row, key, answer) in wanted {
            if taken.contains(&row.id.0) {
                continue;
            }
            match self.contest_unique(tx, row, key, &mut replaced).await? {
                Unique::Taken => {}
                Unique::Existing(holder) => {
                    self.point_idempotency(tx, row, holder).await?;
                    *answer = Keyed::Existing(holder);
                }
                Unique::Refused(holder) => {
                    if row.task.idempotency_key.is_some() {
                        let statement = query(sql::TASKS_KEYS_DROP).bind(vec![row.id.0]);
                        self.step(tx, statement).await?;
                    }
                    *answer = Keyed::UniqueConflict(holder);
                }
            }
        }
        Ok(replaced)
    }

    /// Takes those of the keys that are free, and tells whose they are now.
    async fn take_unique(
        &self,
        tx: &mut PgConnection,
        keys: &[(&Row, &str)],
    ) -> Result<HashSet<Uuid>, Error> {
        let taking = query(sql::TASKS_UNIQUE_CLAIM)
            .bind(keys.iter().map(|(row, _)| row.namespace).collect::<Vec<_>>())
            .bind(keys.iter().map(|(_, key)| *key).collect::<Vec<_>>())
            .bind(keys.iter().map(|(row, _)| row.id.0).collect::<Vec<_>>());
        let taken = self.step(tx, taking).await?;
        let taken = taken.iter().map(|row| row.try_get("task"));
        taken.collect::<Result<_, _>>().map_err(Error::during)
    }

    /// What becomes of a task whose unique key is held.
    async fn contest_unique(
        &self,
        tx: &mut PgConnection,
        row: &Row,
        key: &str,
        replaced: &mut Vec<(TaskId, i32)>,
    ) -> Result<Unique, Error> {
        let holding = query(sql::TASKS_UNIQUE_HOLDER).bind(row.namespace).bind(key);
        let holder = match self.step(tx, holding).await?.first() {
            Some(holder) => TaskId(holder.try_get("task").map_err(Error::during)?),
            // Given back between the two statements; perhaps somebody else has taken it since.
            None if self.take_unique(tx, &[(row, key)]).await?.is_empty() => {
                return Err(Error::Collision(Arc::new(sqlx::Error::RowNotFound)));
            }
            None => return Ok(Unique::Taken),
        };
        match row.task.unique_conflict {
            UniqueConflict::ReturnExisting => Ok(Unique::Existing(holder)),
            UniqueConflict::Refuse => Ok(Unique::Refused(holder)),
            UniqueConflict::ReplaceWaiting => {
                let replacing =
                    query(sql::TASKS_REPLACE).bind(self.now()).bind(row.namespace).bind(holder.0);
                let gone = self.step(tx, replacing).await?;
                let Some(gone) = gone.first() else { return Ok(Unique::Refused(holder)) };
                let lane = gone.try_get("lane").map_err(Error::during)?;
                self.point_unique(tx, row, key).await?;
                replaced.push((holder, lane));
                Ok(Unique::Taken)
            }
        }
    }

    async fn point_unique(&self, tx: &mut PgConnection, row: &Row, key: &str) -> Result<(), Error> {
        let statement = query(sql::TASKS_UNIQUE_POINT).bind(row.namespace).bind(key).bind(row.id.0);
        self.step(tx, statement).await.map(drop)
    }

    async fn point_idempotency(
        &self,
        tx: &mut PgConnection,
        row: &Row,
        holder: TaskId,
    ) -> Result<(), Error> {
        let Some(key) = &row.task.idempotency_key else { return Ok(()) };
        let statement = query(sql::TASKS_KEYS_POINT).bind(row.namespace).bind(key).bind(holder.0);
        self.step(tx, statement).await.map(drop)
    }

    /// Without `slots`, nothing is leased.
    fn submit_statement(&self, rows: &[&Row], slots: &[Option<Slot<'_>>]) -> Statement<'static> {
        match rows {
            [row] if row.task.start == Start::Now => {
                self.submit_one(row, slots.first().and_then(Option::as_ref))
            }
            _ => self.submit_many(rows, slots),
        }
    }

    fn submit_one(&self, row: &Row, slot: Option<&Slot<'_>>) -> Statement<'static> {
        let task = &row.task;
        query(sql::TASKS_SUBMIT_ONE)
            .bind(self.now())
            .bind(row.id.0)
            .bind(row.namespace)
            .bind(row.lane)
            .bind(i16::from(task.priority))
            .bind(task.payload.data.as_ref())
            .bind(task.payload.content_type.as_deref())
            .bind(task.expire_at.map(|time| time.to_sqlx()))
            .bind(task.attempt_timeout.map(milliseconds))
            .bind(task.total_timeout.map(milliseconds))
            .bind(task.retry.as_ref().map(Json))
            .bind((!task.labels.is_empty()).then_some(Json(&task.labels)))
            .bind(task.unique_key.as_deref())
            .bind(task.idempotency_key.as_deref())
            .bind(task.traceparent.as_deref())
            .bind(task.retry_of.map(|id| id.0))
            .bind(task.unique_key.as_ref().map(|_| HOLDS_UNIQUE_KEY))
            .bind(slot.map(|slot| slot.session.0))
            .bind(slot.map(|slot| &*slot.worker))
    }

    fn submit_many(&self, rows: &[&Row], slots: &[Option<Slot<'_>>]) -> Statement<'static> {
        fn column<'r, T>(rows: &[&'r Row], value: impl Fn(&'r Row) -> T) -> Vec<T> {
            rows.iter().map(|row| value(row)).collect()
        }
        /// A column that few tasks need.
        fn rare<'r, T>(rows: &[&'r Row], value: impl Fn(&'r Row) -> Option<T>) -> Vec<Option<T>> {
            sparse(rows.iter().map(|row| value(row)))
        }
        let seats = (0..rows.len()).map(|n| slots.get(n).and_then(Option::as_ref));
        query(sql::TASKS_SUBMIT)
            .bind(self.now())
            .bind(column(rows, |r| r.id.0))
            .bind(column(rows, |r| r.namespace))
            .bind(column(rows, |r| r.lane))
            .bind(column(rows, |r| i16::from(r.task.priority)))
            .bind(rare(rows, |r| match r.task.start {
                Start::At(time) => Some(time.to_sqlx()),
                Start::Now | Start::After(_) => None,
            }))
            .bind(rare(rows, |r| match r.task.start {
                Start::After(delay) => Some(milliseconds(delay)),
                Start::Now | Start::At(_) => None,
            }))
            .bind(column(rows, |r| r.task.payload.data.as_ref()))
            .bind(rare(rows, |r| r.task.payload.content_type.as_deref()))
            .bind(rare(rows, |r| r.task.expire_at.map(|time| time.to_sqlx())))
            .bind(rare(rows, |r| r.task.attempt_timeout.map(milliseconds)))
            .bind(rare(rows, |r| r.task.total_timeout.map(milliseconds)))
            .bind(rare(rows, |r| r.task.retry.as_ref().map(Json)))
            .bind(rare(rows, |r| (!r.task.labels.is_empty()).then_some(Json(&r.task.labels))))
            .bind(rare(rows, |r| r.task.unique_key.as_deref()))
            .bind(rare(rows, |r| r.task.idempotency_key.as_deref()))
            .bind(rare(rows, |r| r.task.traceparent.as_deref()))
            .bind(rare(rows, |r| r.task.retry_of.map(|id| id.0)))
            .bind(rare(rows, |r| r.task.unique_key.as_ref().map(|_| HOLDS_UNIQUE_KEY)))
            .bind(sparse(seats.clone().map(|seat| seat.map(|slot| slot.session.0))))
            .bind(sparse(seats.map(|seat| seat.map(|slot| &*slot.worker))))
    }
}

fn leased(row: &PgRow) -> Result<Leased, Corrupt> {
    Ok(Leased {
        id: TaskId(get(row, "id")?),
        started_at: time(row, "started_at")?,
        deadline_at: maybe_time(row, "deadline_at")?,
    })
}

/// An array for `unnest`, empty if it would hold nulls alone: `unnest` fills it up with them, and an
/// array of 500 nulls costs the database as much as one of 500 values.
pub(super) fn sparse<T>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let values: Vec<Option<T>> = values.collect();
    if values.iter().all(Option::is_none) { Vec::new() } else { values }
}

/// Whole milliseconds; limits on input keep them far below the largest.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
