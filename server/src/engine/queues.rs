//! Looking after queues.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::registry::Registry;
use super::signals::Signals;
use crate::domain::{Namespace, Queue, QueueName, Retention};
use crate::store::{QueueRow, Store};

/// Tasks cancelled in one statement.
const PURGE_BATCH: i64 = 5_000;

/// Looks after queues.
#[derive(Debug)]
pub struct Queues {
    store: Store,
    registry: Arc<Registry>,
    signals: Arc<Signals>,
}

impl Queues {
    /// Ready to use.
    pub fn new(store: Store, registry: Arc<Registry>, signals: Arc<Signals>) -> Self {
        Self { store, registry, signals }
    }

    /// Queues by name, after `after`.
    pub async fn list(
        &self,
        namespace: &Namespace,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Queue>, Error> {
        let Some(id) = self.registry.find_namespace(namespace).await? else {
            return Ok(Vec::new());
        };
        let rows = self.store.queues(id, after, limit, None).await?;
        Ok(rows.into_iter().filter_map(|row| queue(namespace, row)).collect())
    }

    /// One queue.
    pub async fn get(&self, namespace: &Namespace, name: &QueueName) -> Result<Queue, Error> {
        let missing = || Error::QueueNotFound(name.clone());
        let id = self.registry.find_namespace(namespace).await?.ok_or_else(missing)?;
        let rows = self.store.queues(id, "", 1, Some(name.as_str())).await?;
        rows.into_iter().find_map(|row| queue(namespace, row)).ok_or_else(missing)
    }

    /// Stops leasing from a queue.
    pub async fn pause(
        &self,
        namespace: &Namespace,
        name: &QueueName,
        note: &str,
    ) -> Result<Queue, Error> {
        let id = self.registry.namespace(namespace).await?;
        self.store.pause_queue(id, name.as_str(), note).await?;
        self.get(namespace, name).await
    }

    /// Leases from a queue again.
    pub async fn resume(&self, namespace: &Namespace, name: &QueueName) -> Result<Queue, Error> {
        let missing = || Error::QueueNotFound(name.clone());
        let id = self.registry.find_namespace(namespace).await?.ok_or_else(missing)?;
        if !self.store.resume_queue(id, name.as_str()).await? {
            return Err(missing());
        }
        self.signals.ready(self.lanes(id, name).await?.into_iter().collect());
        self.get(namespace, name).await
    }

    /// Sets how long finished tasks of a queue are kept.
    pub async fn set_retention(
        &self,
        namespace: &Namespace,
        name: &QueueName,
        retention: &Retention<Option<Duration>>,
    ) -> Result<Queue, Error> {
        let id = self.registry.namespace(namespace).await?;
        self.store.set_retention(id, name.as_str(), retention).await?;
        self.get(namespace, name).await
    }

    /// Counts the waiting tasks of a queue, or cancels them if `confirm`; answers with how many.
    pub async fn purge(
        &self,
        namespace: &Namespace,
        name: &QueueName,
        confirm: bool,
    ) -> Result<u64, Error> {
        self.get(namespace, name).await?;
        let missing = || Error::QueueNotFound(name.clone());
        let id = self.registry.find_namespace(namespace).await?.ok_or_else(missing)?;
        let lanes = self.lanes(id, name).await?;
        if !confirm {
            return Ok(self.store.waiting(id, &lanes).await?);
        }
        let mut purged = 0;
        loop {
            let gone = self.store.purge(id, name.as_str(), &lanes, PURGE_BATCH).await?;
            self.signals.moved(&gone);
            purged += u64::try_from(gone.len()).unwrap_or_default();
            if gone.is_empty() {
                return Ok(purged);
            }
        }
    }

    async fn lanes(&self, namespace: i32, name: &QueueName) -> Result<Vec<i32>, Error> {
        self.registry.refresh(false).await?;
        let lanes =
            self.registry.select(|lane| lane.namespace_id == namespace && lane.queue == *name);
        Ok(lanes.iter().map(|lane| lane.id).collect())
    }
}

fn queue(namespace: &Namespace, row: QueueRow) -> Option<Queue> {
    Some(Queue {
        namespace: namespace.clone(),
        name: QueueName::parse(&row.name).ok()?,
        paused: row.paused_at.map(|at| (at, row.pause_note)),
        retention: row.retention,
        created_at: row.created_at,
        ready: row.ready,
        scheduled: row.scheduled,
        running: row.running,
        oldest_ready_age: row.oldest_ready_age,
        kinds: row.kinds,
    })
}
