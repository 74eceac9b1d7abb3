//! One watch: what it has seen, and what waits to be sent to it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::Error;
use crate::domain::{Filter, Selection, Task, TaskId, View};

/// What a watch yields.
#[derive(Debug, Clone)]
pub enum Event {
    /// A task as it was when the watch began.
    Snapshot(Arc<Task>),
    /// The snapshot is complete.
    SnapshotEnd,
    /// A task has changed.
    Change(Arc<Task>),
}

#[derive(Debug, Default)]
struct Inner {
    /// Revision last sent, by task.
    seen: HashMap<TaskId, i64>,
    /// Tasks whose latest state waits to be sent, in the order of their first change.
    order: VecDeque<TaskId>,
    latest: HashMap<TaskId, Arc<Task>>,
    /// Final tasks that a journal may still bring again, with the horizon beyond which it cannot.
    finals: VecDeque<(TaskId, Option<i64>)>,
    snapshot: VecDeque<Event>,
    /// Of a watch of ids: those not finished yet.
    unfinished: Option<usize>,
    ended: Option<Error>,
}

/// One watch.
#[derive(Debug)]
pub struct Watcher {
    /// Number of the namespace.
    pub namespace: i32,
    /// Which tasks.
    pub selection: Selection,
    /// How much of each.
    pub view: View,
    /// Tells it apart from others.
    pub number: u64,
    inner: Mutex<Inner>,
    arrived: Notify,
    was_ended: watch::Sender<bool>,
    horizon: AtomicI64,
    buffer: usize,
}

impl Watcher {
    /// A watch that has seen nothing, beginning at `horizon`, with room for `buffer` changed tasks.
    pub fn new(
        number: u64,
        namespace: i32,
        selection: Selection,
        view: View,
        horizon: i64,
        buffer: usize,
    ) -> Self {
        let unfinished = match &selection {
            Selection::Ids(ids) => Some(ids.len()),
            Selection::Filter(_) => None,
        };
        Self {
            namespace,
            selection,
            view,
            number,
            inner: Mutex::new(Inner { unfinished, ..Inner::default() }),
            arrived: Notify::new(),
            was_ended: watch::Sender::new(false),
            horizon: AtomicI64::new(horizon),
            buffer,
        }
    }

    /// Everything final before this horizon was sent, or waits to be.
    pub fn horizon(&self) -> i64 {
        self.horizon.load(Ordering::Relaxed)
    }

    /// Moves the horizon on, and forgets what no journal can bring again. `newest` is above every
    /// transaction so far.
    pub fn advance(&self, horizon: i64, newest: i64) {
        self.horizon.fetch_max(horizon, Ordering::Relaxed);
        let inner = &mut *self.lock();
        for (_, bound) in &mut inner.finals {
            bound.get_or_insert(newest);
        }
        while let Some((task, Some(bound))) = inner.finals.front()
            && *bound <= horizon
        {
            inner.seen.remove(task);
            inner.finals.pop_front();
        }
    }

    /// Whether a task in this revision would be news.
    pub fn lacks(&self, task: TaskId, revision: i64) -> bool {
        let inner = self.lock();
        inner.seen.get(&task).is_none_or(|seen| *seen < revision)
            && inner.latest.get(&task).is_none_or(|latest| latest.revision < revision)
    }

    /// Puts what a watch begins with before everything else, with its end.
    pub fn set_snapshot(&self, tasks: Vec<Task>, events: fn(Arc<Task>) -> Event) {
        let mut inner = self.lock();
        inner.snapshot = tasks.into_iter().map(Arc::new).map(events).collect();
        inner.snapshot.push_back(Event::SnapshotEnd);
        drop(inner);
        self.arrived.notify_one();
    }

    /// Offers a task that has changed. Answers whether that was too much for the watcher, who is ended.
    pub fn offer(&self, task: &Arc<Task>) -> bool {
        let inner = &mut *self.lock();
        if inner.seen.get(&task.id).is_some_and(|seen| *seen >= task.revision) {
            return false;
        }
        let was_over = inner.ended.is_some();
        match inner.latest.get_mut(&task.id) {
            Some(latest) if latest.revision >= task.revision => return false,
            Some(latest) => *latest = task.clone(),
            None if inner.order.len() >= self.buffer => {
                inner.ended.get_or_insert(Error::SlowConsumer);
                self.was_ended.send_replace(true);
            }
            None => {
                inner.order.push_back(task.id);
                inner.latest.insert(task.id, task.clone());
            }
        }
        self.arrived.notify_one();
        !was_over && inner.ended.is_some()
    }

    /// Ends the watch.
    pub fn end(&self, error: Error) {
        self.lock().ended.get_or_insert(error);
        self.was_ended.send_replace(true);
        self.arrived.notify_one();
    }

    /// The next event; `None` when every task of a watch of ids is finished. Cancel safe.
    ///
    /// # Errors
    /// Why the watch has ended.
    pub async fn next(&self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(next) = self.take()? {
                return Ok(next);
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until the watch has been ended for a reason. Cancel safe.
    pub async fn ended(&self) -> Error {
        let mut ended = self.was_ended.subscribe();
        loop {
            if let Some(error) = &self.lock().ended {
                return error.clone();
            }
            if ended.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// `Some(None)` at the end.
    fn take(&self) -> Result<Option<Option<Event>>, Error> {
        let inner = &mut *self.lock();
        if let Some(error) = &inner.ended {
            return Err(error.clone());
        }
        while let Some(event) = inner.snapshot.pop_front() {
            if let Event::Snapshot(task) | Event::Change(task) = &event
                && !inner.see(task)
            {
                continue;
            }
            return Ok(Some(Some(event)));
        }
        if inner.unfinished == Some(0) {
            return Ok(Some(None));
        }
        while let Some(id) = inner.order.pop_front() {
            let Some(task) = inner.latest.remove(&id) else { continue };
            if inner.see(&task) {
                return Ok(Some(Some(Event::Change(task))));
            }
        }
        Ok(None)
    }

    /// The filter of the watch, unless it is one of ids.
    pub fn filter(&self) -> Option<&Filter> {
        match &self.selection {
            Selection::Ids(_) => None,
            Selection::Filter(filter) => Some(filter),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Notes that a task is sent; false if that revision was sent before.
    fn see(&mut self, task: &Task) -> bool {
        let before = self.seen.insert(task.id, task.revision);
        if let Some(before) = before
            && before >= task.revision
        {
            self.seen.insert(task.id, before);
            return false;
        }
        if task.state.is_final() {
            match &mut self.unfinished {
                Some(unfinished) => *unfinished = unfinished.saturating_sub(1),
                None => self.finals.push_back((task.id, None)),
            }
        }
        true
    }
}
