//! Tasks as people see them: rows with the names of their lanes.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Error;
use super::registry::{Lane, Registry};
use super::watcher::Watcher;
use crate::domain::task::Start;
use crate::domain::{
    Attempt, AttemptOutcome, Filter, ListQuery, Namespace, NewTask, Payload, Selection, Task,
    TaskId, TaskState, UniqueConflict, View, history, revision,
};
use crate::store::{ListRows, Sight, Store, TaskRow};

/// Bytes of tasks that are read at once with their contents.
const PAGE_BYTES: usize = 4 << 20;

/// Reads tasks.
#[derive(Debug)]
pub struct Reading {
    store: Store,
    registry: Arc<Registry>,
}

impl Reading {
    /// Reads from a store.
    pub fn new(store: Store, registry: Arc<Registry>) -> Self {
        Self { store, registry }
    }

    /// The store it reads from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The names it uses.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Tasks by id, in any order; those that the namespace has not are left out.
    pub async fn tasks(
        &self,
        namespace: &Namespace,
        ids: &[TaskId],
        view: View,
    ) -> Result<Vec<Task>, Error> {
        match self.registry.find_namespace(namespace).await? {
            Some(id) => self.tasks_of(id, ids, view).await,
            None => Ok(Vec::new()),
        }
    }

    /// The same, by the number of the namespace.
    pub async fn tasks_of(
        &self,
        namespace: i32,
        ids: &[TaskId],
        view: View,
    ) -> Result<Vec<Task>, Error> {
        let rows = self.store.tasks(namespace, ids, view == View::Full).await?;
        self.dress(namespace, rows, view).await
    }

    /// The first of these tasks, as many as may be held in memory at once: how many those are, and the tasks among
    /// them that the namespace has, in any order.
    pub async fn first_of(
        &self,
        namespace: i32,
        ids: &[TaskId],
        view: View,
    ) -> Result<(usize, Vec<Task>), Error> {
        let count = match view {
            View::Basic => ids.len(),
            View::Full => fitting(ids, &self.store.sizes(namespace, ids).await?),
        };
        let ids = ids.get(..count).unwrap_or(ids);
        Ok((count, self.tasks_of(namespace, ids, view).await?))
    }

    /// One task.
    pub async fn task(&self, namespace: &Namespace, id: TaskId, view: View) -> Result<Task, Error> {
        let found = self.tasks(namespace, &[id], view).await?;
        found.into_iter().next().ok_or(Error::TaskNotFound(id))
    }

    /// Tasks that match, newest first.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<Task>, Error> {
        let Some(namespace) = self.registry.find_namespace(&query.namespace).await? else {
            return Ok(Vec::new());
        };
        let filter = &query.filter;
        let lanes = self.lanes(namespace, filter).await?;
        if lanes.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let last = uuid::Uuid::max();
        let before = filter.created_before.map_or(last, history::first_id_at);
        let rows = ListRows {
            namespace,
            lanes,
            labels: &filter.labels,
            states: &filter.states,
            from: filter.created_after.map_or(uuid::Uuid::nil(), history::first_id_at),
            before: query.before.map_or(before, |id| id.0.min(before)),
            limit: query.limit,
            full: query.view == View::Full,
        };
        let rows = self.store.list(&rows).await?;
        self.dress(namespace, rows, query.view).await
    }

    /// Tasks that came to their end in transactions beyond `since` and may match a watch, with the transactions in
    /// which they did: at most one more than `most`.
    pub async fn journal(
        &self,
        watcher: &Watcher,
        since: &Sight,
        most: usize,
    ) -> Result<HashMap<TaskId, i64>, Error> {
        let lanes = match watcher.filter() {
            Some(filter) => self.lanes(watcher.namespace, filter).await?,
            None => None,
        };
        let limit = i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX);
        let found =
            self.store.journal(Some(watcher.namespace), since, lanes.as_deref(), limit).await?;
        Ok(found.into_iter().map(|row| (row.id, row.ended)).collect())
    }

    /// Whether a task matches a watch.
    pub fn matches(&self, watcher: &Watcher, task: &Task) -> bool {
        match &watcher.selection {
            Selection::Ids(ids) => ids.contains(&task.id),
            Selection::Filter(filter) => {
                filter.queue.as_ref().is_none_or(|queue| *queue == task.spec.queue)
                    && filter.kind.as_ref().is_none_or(|kind| *kind == task.spec.kind)
                    && filter.labels.iter().all(|(k, v)| task.spec.labels.get(k) == Some(v))
            }
        }
    }

    /// Numbers of the lanes that a filter speaks of; `None`: all of the namespace.
    async fn lanes(&self, namespace: i32, filter: &Filter) -> Result<Option<Vec<i32>>, Error> {
        if filter.queue.is_none() && filter.kind.is_none() {
            return Ok(None);
        }
        self.registry.refresh(false).await?;
        let lanes =
            self.registry.select(|lane| lane.namespace_id == namespace && covers(filter, lane));
        Ok(Some(lanes.iter().map(|lane| lane.id).collect()))
    }

    async fn dress(
        &self,
        namespace: i32,
        rows: Vec<TaskRow>,
        view: View,
    ) -> Result<Vec<Task>, Error> {
        let mut attempts = match view {
            View::Full => {
                let tried: Vec<TaskId> =
                    rows.iter().filter(|row| row.attempt > 0).map(|row| row.id).collect();
                self.store.attempts(namespace, &tried).await?
            }
            View::Basic => HashMap::new(),
        };
        let mut tasks = Vec::with_capacity(rows.len());
        for row in rows {
            let lane = self.registry.lane_by_id(row.lane).await?;
            let mut recorded = attempts.remove(&row.id).unwrap_or_default();
            if view == View::Full {
                recorded.extend(unrecorded(&row, &recorded));
            }
            tasks.push(task(row, &lane, recorded));
        }
        Ok(tasks)
    }
}

/// How many of the first have no more than [`PAGE_BYTES`] together: one at least.
fn fitting(ids: &[TaskId], sizes: &HashMap<TaskId, usize>) -> usize {
    let mut bytes = 0_usize;
    let count = ids.iter().take_while(|id| {
        bytes = bytes.saturating_add(sizes.get(*id).copied().unwrap_or_default());
        bytes <= PAGE_BYTES
    });
    count.count().max(1).min(ids.len())
}

fn covers(filter: &Filter, lane: &Lane) -> bool {
    filter.queue.as_ref().is_none_or(|queue| *queue == lane.queue)
        && filter.kind.as_ref().is_none_or(|kind| *kind == lane.kind)
}

/// The attempt that has no record of its own: the running one, and the one that succeeded.
fn unrecorded(row: &TaskRow, recorded: &[Attempt]) -> Option<Attempt> {
    let is_recorded = recorded.last().is_some_and(|attempt| attempt.number >= row.attempt);
    let outcome = match row.state {
        TaskState::Running => None,
        TaskState::Succeeded => Some(AttemptOutcome::Succeeded),
        _ => return None,
    };
    (!is_recorded).then(|| Attempt {
        number: row.attempt,
        outcome,
        worker: row.worker.clone(),
        started_at: row.started_at,
        finished_at: row.finished_at,
        error: None,
        late: None,
    })
}

fn task(row: TaskRow, lane: &Lane, attempts: Vec<Attempt>) -> Task {
    Task {
        id: row.id,
        state: row.state,
        revision: revision(row.attempt, row.state, row.is_cancelling, row.progress_seq),
        created_at: row.created_at,
        run_at: row.run_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
        due_at: row.due_at,
        attempt: row.attempt,
        tries: row.tries,
        cancel_requested: row.is_cancelling,
        progress: row.progress,
        result: row.result,
        error: row.error,
        attempts,
        worker: row.worker,
        spec: NewTask {
            namespace: lane.namespace.clone(),
            queue: lane.queue.clone(),
            kind: lane.kind.clone(),
            version: lane.version.clone(),
            payload: row.payload.unwrap_or_else(Payload::none),
            labels: row.labels,
            priority: row.priority,
            start: Start::At(row.run_at),
            expire_at: row.expire_at,
            attempt_timeout: row.attempt_timeout,
            total_timeout: row.total_timeout,
            retry: row.retry,
            unique_key: row.unique_key,
            unique_conflict: UniqueConflict::default(),
            idempotency_key: row.idempotency_key,
            traceparent: row.traceparent,
            retry_of: row.retry_of,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_tasks_are_read_as_may_be_held_and_one_at_least() {
        let ids: Vec<TaskId> = (0..4).map(|n| TaskId(uuid::Uuid::from_u128(n))).collect();
        let of = |sizes: [usize; 4]| fitting(&ids, &ids.iter().copied().zip(sizes).collect());
        assert_eq!(of([1, 2, 3, 4]), 4);
        assert_eq!(of([PAGE_BYTES, 0, 1, 1]), 2);
        assert_eq!(of([PAGE_BYTES * 2, 1, 1, 1]), 1);
        assert_eq!(fitting(&ids, &HashMap::new()), 4, "what is gone takes no room");
        assert_eq!(fitting(&[], &HashMap::new()), 0);
    }
}
