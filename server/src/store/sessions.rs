//! Workers' sessions.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::query;
use uuid::Uuid;

use super::finish::{Lease, number};
use super::rows::{all, count, get, time};
use super::submit::milliseconds;
use super::{Error, Store, statements as sql};
use crate::domain::{AttemptRef, Hello, SessionId, TaskId};

/// A session as other replicas know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Name of the worker.
    pub worker: String,
    /// Its queues.
    pub queues: Vec<String>,
    /// Its kinds.
    pub kinds: Vec<String>,
    /// Its versions.
    pub versions: Vec<String>,
}

/// An attempt that a session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRow {
    /// The fence.
    pub lease: Lease,
    /// Whether a cancel was asked for.
    pub is_cancelling: bool,
}

/// What became of the attempts of a session that was taken up again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Those that go on, with whether a cancel was asked for.
    pub moved: Vec<(AttemptRef, bool)>,
    /// Those that the worker knows nothing of; still held by the old session.
    pub unknown: Vec<AttemptRef>,
}

impl Store {
    /// Starts a session.
    pub async fn open_session(
        &self,
        id: SessionId,
        namespace: i32,
        hello: &Hello,
        replica: Uuid,
        lease: Duration,
    ) -> Result<(), Error> {
        let statement = open(self, id, namespace, hello, replica, lease);
        self.hot_rows(statement).await.map(drop)
    }

    /// Starts a session that takes up the attempts of an old one, and ends that. `None` if the old
    /// one has ended already; nothing is started then.
    pub async fn resume_session(
        &self,
        (id, old): (SessionId, SessionId),
        namespace: i32,
        hello: &Hello,
        running: &[AttemptRef],
        replica: Uuid,
        lease: Duration,
    ) -> Result<Option<Resumed>, Error> {
        let mut held = self.hot.acquire().await?;
        let mut tx = self.in_time(held.begin()).await.map_err(Error::uncommitted)?;
        let opening = open(self, id, namespace, hello, replica, lease);
        self.step(&mut tx, opening).await?;
        let resuming = query(sql::SESSIONS_RESUME)
            .bind(old.0)
            .bind(namespace)
            .bind(id.0)
            .bind(&hello.worker_name)
            .bind(running.iter().map(|r| r.task.0).collect::<Vec<_>>())
            .bind(running.iter().map(|r| number(r.attempt)).collect::<Vec<_>>());
        let rows = self.step(&mut tx, resuming).await?;
        if rows.is_empty() {
            self.in_time(async { tx.rollback().await.map_err(Error::during) }).await?;
            held.release();
            return Ok(None);
        }
        let found = all(&rows, |row| {
            let Some(task) = get::<Option<Uuid>>(row, "id")? else { return Ok(None) };
            let attempt = AttemptRef { task: TaskId(task), attempt: count(row, "attempt")? };
            let is_moved: bool = get(row, "is_moved")?;
            Ok(Some((attempt, is_moved, get::<bool>(row, "is_cancelling")?)))
        })?;
        self.in_time(async { tx.commit().await.map_err(Error::during) }).await?;
        held.release();
        let mut resumed = Resumed::default();
        for (attempt, is_moved, is_cancelling) in found.into_iter().flatten() {
            if is_moved {
                resumed.moved.push((attempt, is_cancelling));
            } else {
                resumed.unknown.push(attempt);
            }
        }
        Ok(Some(resumed))
    }

    /// Keeps sessions alive; answers with those that have not ended, and until when they live.
    pub async fn beat(
        &self,
        ids: &[SessionId],
        lease: Duration,
    ) -> Result<HashMap<SessionId, Timestamp>, Error> {
        let statement = query(sql::SESSIONS_BEAT)
            .bind(self.now())
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .bind(milliseconds(lease));
        let alive = all(&self.hot_rows(statement).await?, |row| {
            Ok((SessionId(get(row, "id")?), time(row, "expires_at")?))
        })?;
        Ok(alive.into_iter().collect())
    }

    /// A session that has not ended.
    pub async fn session(
        &self,
        id: SessionId,
        namespace: i32,
    ) -> Result<Option<SessionRow>, Error> {
        let statement = query(sql::SESSIONS_FIND).bind(id.0).bind(namespace);
        let found = all(&self.hot_rows(statement).await?, |row| {
            Ok(SessionRow {
                worker: get(row, "worker")?,
                queues: get(row, "queues")?,
                kinds: get(row, "kinds")?,
                versions: get(row, "versions")?,
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// What a session holds.
    pub async fn session_leases(&self, id: SessionId) -> Result<Vec<LeaseRow>, Error> {
        all(&self.hot_rows(query(sql::SESSIONS_LEASES).bind(id.0)).await?, |row| {
            let attempt =
                AttemptRef { task: TaskId(get(row, "id")?), attempt: count(row, "attempt")? };
            Ok(LeaseRow {
                lease: Lease { attempt, namespace: get(row, "namespace")?, session: id },
                is_cancelling: get(row, "is_cancelling")?,
            })
        })
    }

    /// Ends a session; what it holds is for the caller to release.
    pub async fn close_session(&self, id: SessionId, namespace: i32) -> Result<(), Error> {
        self.hot_rows(query(sql::SESSIONS_CLOSE).bind(id.0).bind(namespace)).await.map(drop)
    }
}

fn open(
    store: &Store,
    id: SessionId,
    namespace: i32,
    hello: &Hello,
    replica: Uuid,
    lease: Duration,
) -> super::Statement<'static> {
    fn texts<T>(names: &[T], text: impl Fn(&T) -> &str) -> Vec<String> {
        names.iter().map(|name| text(name).to_owned()).collect()
    }
    query(sql::SESSIONS_OPEN)
        .bind(store.now())
        .bind(id.0)
        .bind(namespace)
        .bind(hello.worker_name.clone())
        .bind(texts(&hello.queues, |queue| queue.as_str()))
        .bind(texts(&hello.kinds, |kind| kind.as_str()))
        .bind(texts(&hello.versions, |version| version.as_str()))
        .bind(replica)
        .bind(milliseconds(lease))
}
