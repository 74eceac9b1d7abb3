//! One watch: what it has seen, and what waits to be sent to it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::Error;
use crate::domain::{Filter, Selection, Task, TaskId, View};
use crate::store::Sight;

/// Bytes of changed tasks that wait for one watcher; of what is beyond, only the ids wait.
const MOST_HELD: usize = 4 << 20;
/// Tasks whose contents are read at once for one watcher.
const PAGE: usize = 100;
/// A final state that was to be told has been taken away.
const GONE: Error = Error::Resync("what waited to be sent is not kept any more");

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

/// What a watch goes on with.
#[derive(Debug, Clone)]
pub enum Step {
    /// This is to be sent.
    Event(Event),
    /// These are next, and their contents have to be read: some of the first at least.
    Read(Vec<TaskId>),
    /// Every task of a watch of ids is finished.
    End,
}

/// A task as it is now, for those who watch it.
#[derive(Debug, Clone)]
pub struct News {
    /// The task.
    pub task: Arc<Task>,
    /// The transaction in which it came to its end; a watch of ids does without.
    pub ended: Option<i64>,
}

/// A change that waits to be sent.
#[derive(Debug)]
struct Waiting {
    revision: i64,
    ended: Option<i64>,
    /// `None`: it is read when it is sent.
    task: Option<Arc<Task>>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Revision last sent, by task.
    seen: HashMap<TaskId, i64>,
    /// Tasks whose latest state waits to be sent, in the order of their first change, with the horizon then.
    order: VecDeque<(TaskId, Arc<Sight>)>,
    latest: HashMap<TaskId, Waiting>,
    /// Bytes of the tasks in `latest`.
    held: usize,
    /// Tasks in `seen` that came to their end beyond the horizon, with the transactions in which they did.
    finals: Vec<(i64, TaskId)>,
    /// What the watch begins with, as far as it is not sent, with the transactions in which it came to its end.
    snapshot: VecDeque<(TaskId, Option<i64>)>,
    /// What was read of that which is sent next; `None`: it is not there.
    read: HashMap<TaskId, Option<Arc<Task>>>,
    /// Whether the end of the snapshot waits to be sent.
    is_beginning: bool,
    /// The horizon that the snapshot goes on from.
    began: Arc<Sight>,
    /// Whatever came to its end within this was sent, waits to be, or was over when the watch began.
    horizon: Arc<Sight>,
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
    buffer: usize,
}

impl Watcher {
    /// A watch that has seen nothing, beginning at `horizon`, with room for `buffer` changed tasks.
    pub fn new(
        number: u64,
        namespace: i32,
        selection: Selection,
        view: View,
        horizon: Arc<Sight>,
        buffer: usize,
    ) -> Self {
        let began = horizon.clone();
        let unfinished = match &selection {
            Selection::Ids(ids) => Some(ids.len()),
            Selection::Filter(_) => None,
        };
        Self {
            namespace,
            selection,
            view,
            number,
            inner: Mutex::new(Inner { unfinished, horizon, began, ..Inner::default() }),
            arrived: Notify::new(),
            was_ended: watch::Sender::new(false),
            buffer,
        }
    }

    /// Everything final within this horizon was sent, or waits to be.
    pub fn horizon(&self) -> Arc<Sight> {
        self.lock().horizon.clone()
    }

    /// Everything final within this horizon was sent: a watch that goes on from here misses nothing.
    pub fn told_before(&self) -> Arc<Sight> {
        let inner = self.lock();
        match inner.order.front() {
            _ if inner.is_beginning => inner.began.clone(),
            Some((_, horizon)) => horizon.clone(),
            None => inner.horizon.clone(),
        }
    }

    /// Moves the horizon on, when everything final within it was offered, and forgets what it covers: from now on
    /// the horizon itself says that it was told.
    pub fn advance(&self, horizon: &Arc<Sight>) {
        let inner = &mut *self.lock();
        if horizon.moment() < inner.horizon.moment() {
            return;
        }
        inner.horizon = horizon.clone();
        let seen = &mut inner.seen;
        inner.finals.retain(|(ended, task)| {
            let is_past = horizon.covers(*ended);
            if is_past {
                seen.remove(task);
            }
            !is_past
        });
    }

    /// Whether a task in this revision, which came to its end in this transaction, would be news.
    pub fn lacks(&self, task: TaskId, revision: i64, ended: Option<i64>) -> bool {
        self.lock().lacks(task, revision, ended)
    }

    /// Puts what a watch begins with before everything else, with its end. What came to its end beyond `began` is in
    /// it, or follows.
    pub fn set_snapshot(
        &self,
        tasks: impl IntoIterator<Item = (TaskId, Option<i64>)>,
        began: Arc<Sight>,
    ) {
        let mut inner = self.lock();
        inner.snapshot = tasks.into_iter().collect();
        inner.is_beginning = true;
        inner.began = began;
        drop(inner);
        self.arrived.notify_one();
    }

    /// Offers a task that has changed. Answers whether that was too much for the watcher, who is ended.
    pub fn offer(&self, news: &News) -> bool {
        let inner = &mut *self.lock();
        let task = &news.task;
        if !inner.lacks(task.id, task.revision, news.ended) {
            return false;
        }
        let was_over = inner.ended.is_some();
        if inner.latest.contains_key(&task.id) {
            inner.hold(news);
        } else if inner.latest.len() >= self.buffer {
            inner.ended.get_or_insert(Error::SlowConsumer);
            self.was_ended.send_replace(true);
        } else {
            inner.order.push_back((task.id, inner.horizon.clone()));
            inner.hold(news);
        }
        self.arrived.notify_one();
        !was_over && inner.ended.is_some()
    }

    /// Takes what was read of tasks that it asked for; those that are not among it are not there.
    pub fn fill(&self, ids: &[TaskId], tasks: Vec<Task>) {
        let mut inner = self.lock();
        inner.read = ids.iter().map(|id| (*id, None)).collect();
        inner.read.extend(tasks.into_iter().map(|task| (task.id, Some(Arc::new(task)))));
    }

    /// Ends the watch.
    pub fn end(&self, error: Error) {
        self.lock().ended.get_or_insert(error);
        self.was_ended.send_replace(true);
        self.arrived.notify_one();
    }

    /// How to go on. Cancel safe.
    ///
    /// # Errors
    /// Why the watch has ended.
    pub async fn next(&self) -> Result<Step, Error> {
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

    fn take(&self) -> Result<Option<Step>, Error> {
        let inner = &mut *self.lock();
        if let Some(error) = &inner.ended {
            return Err(error.clone());
        }
        let next = inner.take();
        if let Err(error) = &next {
            inner.ended = Some(error.clone());
            self.was_ended.send_replace(true);
        }
        next
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
    fn lacks(&self, task: TaskId, revision: i64, ended: Option<i64>) -> bool {
        let is_past =
            self.unfinished.is_none() && ended.is_some_and(|ended| self.horizon.covers(ended));
        !is_past
            && self.seen.get(&task).is_none_or(|seen| *seen < revision)
            && self.latest.get(&task).is_none_or(|latest| latest.revision < revision)
    }

    /// Has a change wait, with its contents if there is room for them.
    fn hold(&mut self, news: &News) {
        self.release(news.task.id);
        let bytes = news.task.bytes();
        let fits = self.held + bytes <= MOST_HELD;
        let (task, bytes) = if fits { (Some(news.task.clone()), bytes) } else { (None, 0) };
        self.held += bytes;
        let revision = news.task.revision;
        self.latest.insert(news.task.id, Waiting { revision, ended: news.ended, task, bytes });
    }

    fn release(&mut self, task: TaskId) {
        if let Some(waiting) = self.latest.remove(&task) {
            self.held -= waiting.bytes;
        }
    }

    fn take(&mut self) -> Result<Option<Step>, Error> {
        while let Some((id, ended)) = self.snapshot.front().copied() {
            let Some(read) = self.read.remove(&id) else {
                let next = self.snapshot.iter().take(PAGE).map(|(id, _)| *id);
                return Ok(Some(Step::Read(next.collect())));
            };
            self.snapshot.pop_front();
            match read {
                Some(task) => {
                    if let Some(task) = self.told(News { task, ended }) {
                        return Ok(Some(Step::Event(Event::Snapshot(task))));
                    }
                }
                None if self.unfinished.is_some() => return Err(Error::TaskNotFound(id)),
                None if ended.is_some() => return Err(GONE),
                // Its end was offered, or was over before.
                None => {}
            }
        }
        if std::mem::take(&mut self.is_beginning) {
            return Ok(Some(Step::Event(Event::SnapshotEnd)));
        }
        if self.unfinished == Some(0) {
            return Ok(Some(Step::End));
        }
        while let Some((id, _)) = self.order.front() {
            let id = *id;
            let read = self.read.remove(&id);
            if let Some(waiting) = self.latest.get(&id) {
                let ended = waiting.ended;
                let task = match (&waiting.task, read) {
                    (Some(task), _) => task.clone(),
                    (None, Some(None)) => return Err(GONE),
                    (None, Some(Some(task))) if task.revision >= waiting.revision => task,
                    (None, _) => return Ok(Some(Step::Read(self.unread()))),
                };
                self.release(id);
                self.order.pop_front();
                if let Some(task) = self.told(News { task, ended }) {
                    return Ok(Some(Step::Event(Event::Change(task))));
                }
            } else {
                self.order.pop_front();
            }
        }
        Ok(None)
    }

    /// What is to be read of the changes that wait, from the first on.
    fn unread(&self) -> Vec<TaskId> {
        let is_unread =
            |id: &TaskId| self.latest.get(id).is_some_and(|waiting| waiting.task.is_none());
        self.order.iter().map(|(id, _)| *id).filter(is_unread).take(PAGE).collect()
    }

    /// The task, if it is to be sent; then it counts as sent. Of an end that was not offered yet the transaction is
    /// not known: a watch of a filter is told when it is.
    fn told(&mut self, news: News) -> Option<Arc<Task>> {
        let is_early =
            news.task.state.is_final() && news.ended.is_none() && self.unfinished.is_none();
        (!is_early && self.see(&news)).then_some(news.task)
    }

    /// Notes that a task is sent; false if that revision was sent before.
    fn see(&mut self, news: &News) -> bool {
        let (id, revision) = (news.task.id, news.task.revision);
        if self.seen.get(&id).is_some_and(|seen| *seen >= revision) {
            return false;
        }
        if self.latest.get(&id).is_some_and(|latest| latest.revision <= revision) {
            self.release(id);
        }
        self.seen.insert(id, revision);
        if news.task.state.is_final() {
            match (&mut self.unfinished, news.ended) {
                (Some(unfinished), _) => *unfinished = unfinished.saturating_sub(1),
                // It waited so long that the horizon has passed it.
                (None, Some(ended)) if self.horizon.covers(ended) => drop(self.seen.remove(&id)),
                (None, Some(ended)) => self.finals.push((ended, id)),
                (None, None) => {}
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::task::{Start, UniqueConflict};
    use crate::domain::{Filter, Kind, Namespace, NewTask, Payload, QueueName, TaskState};

    const FIRST: u128 = 0x0192_0000_0000_7000_8000_0000_0000_0001;

    fn news(number: u128, revision: i64, ended: Option<i64>) -> News {
        let state = if ended.is_some() { TaskState::Succeeded } else { TaskState::Running };
        let id = TaskId(uuid::Uuid::from_u128(FIRST + number));
        let spec = NewTask {
            namespace: Namespace::parse("default").unwrap(),
            queue: QueueName::parse("mail").unwrap(),
            kind: Kind::parse("send").unwrap(),
            version: None,
            payload: Payload { data: Vec::new().into(), content_type: None },
            labels: BTreeMap::new(),
            priority: 4,
            start: Start::Now,
            expire_at: None,
            attempt_timeout: None,
            total_timeout: None,
            retry: None,
            unique_key: None,
            unique_conflict: UniqueConflict::default(),
            idempotency_key: None,
            traceparent: None,
            retry_of: None,
        };
        let task = Task {
            id,
            spec,
            state,
            revision,
            created_at: Timestamp::UNIX_EPOCH,
            run_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
            due_at: None,
            attempt: 1,
            tries: 1,
            cancel_requested: false,
            progress: None,
            result: None,
            error: None,
            attempts: Vec::new(),
            worker: String::new(),
        };
        News { task: Arc::new(task), ended }
    }

    fn before(xid: i64) -> Arc<Sight> {
        Arc::new(Sight::before(xid))
    }

    fn begun(horizon: i64, buffer: usize, snapshot: Vec<News>, began: i64) -> Watcher {
        let selection = Selection::Filter(Filter::default());
        let watcher = Watcher::new(1, 7, selection, View::Basic, before(horizon), buffer);
        watcher.set_snapshot(snapshot.iter().map(|news| (news.task.id, news.ended)), before(began));
        read(&watcher, &snapshot);
        watcher
    }

    /// Has these tasks read.
    fn read(watcher: &Watcher, tasks: &[News]) {
        let ids: Vec<TaskId> = tasks.iter().map(|news| news.task.id).collect();
        watcher.fill(&ids, tasks.iter().map(|news| Task::clone(&news.task)).collect());
    }

    /// What is to be read next, by number.
    fn wanted(watcher: &Watcher) -> Vec<u128> {
        match watcher.take().unwrap() {
            Some(Step::Read(ids)) => ids.iter().map(|id| id.0.as_u128() - FIRST).collect(),
            _ => Vec::new(),
        }
    }

    /// With a payload of 1 MiB.
    fn large(number: u128, revision: i64, ended: Option<i64>) -> News {
        let news = news(number, revision, ended);
        let mut task = Arc::unwrap_or_clone(news.task);
        task.spec.payload.data = vec![7; 1 << 20].into();
        News { task: Arc::new(task), ended: news.ended }
    }

    /// What is told next: a number of a task and its revision, or that the snapshot is over.
    fn next(watcher: &Watcher) -> Option<(u128, i64)> {
        match watcher.take().unwrap()? {
            Step::Event(Event::Snapshot(task) | Event::Change(task)) => {
                Some((task.id.0.as_u128() - FIRST, task.revision))
            }
            Step::Event(Event::SnapshotEnd) => Some((0, 0)),
            other @ (Step::Read(_) | Step::End) => panic!("{other:?}"),
        }
    }

    #[test]
    fn g_16_an_end_that_was_told_is_not_told_again_when_the_horizon_passes_it() {
        let watcher = begun(20, 10, Vec::new(), 20);
        assert_eq!(next(&watcher), Some((0, 0)));
        let end = news(1, 5, Some(20));
        watcher.offer(&end);
        assert_eq!(next(&watcher), Some((1, 5)));
        for horizon in [20, 21, 30] {
            watcher.advance(&before(horizon));
            assert!(!watcher.lacks(end.task.id, 5, end.ended), "at {horizon}");
            watcher.offer(&end);
            assert_eq!(next(&watcher), None, "at {horizon}");
        }
        assert!(watcher.lock().seen.is_empty(), "what is past takes no room");
    }

    #[test]
    fn g_16_an_end_before_the_watch_is_not_its_business() {
        let watcher = begun(20, 10, Vec::new(), 20);
        assert!(!watcher.lacks(news(1, 5, None).task.id, 5, Some(19)));
        assert!(watcher.lacks(news(1, 5, None).task.id, 5, Some(20)));
    }

    #[test]
    fn g_16_a_transaction_that_hangs_is_told_when_it_ends_and_holds_up_nothing() {
        let sight = |newest, running: &[i64]| {
            Arc::new(Sight { newest, running: running.to_vec(), ..Sight::default() })
        };
        let selection = Selection::Filter(Filter::default());
        let watcher = Watcher::new(1, 7, selection, View::Basic, sight(20, &[5]), 10);
        watcher.set_snapshot([], sight(20, &[5]));
        assert_eq!(next(&watcher), Some((0, 0)));
        assert!(!watcher.lacks(news(1, 5, None).task.id, 5, Some(19)), "over before the watch");
        watcher.offer(&news(1, 5, Some(22)));
        assert_eq!(next(&watcher), Some((1, 5)));
        watcher.advance(&sight(30, &[5]));
        assert!(watcher.lock().seen.is_empty(), "what is past takes no room");
        watcher.advance(&sight(20, &[5]));
        assert_eq!(watcher.horizon(), sight(30, &[5]), "an older look sets nothing back");
        watcher.offer(&news(1, 5, Some(22)));
        assert_eq!(next(&watcher), None);
        let hung = news(2, 5, Some(5));
        watcher.offer(&hung);
        assert_eq!(next(&watcher), Some((2, 5)));
        watcher.advance(&sight(30, &[]));
        watcher.offer(&hung);
        assert_eq!(next(&watcher), None);
        assert!(watcher.lock().seen.is_empty());
    }

    #[test]
    fn g_16_what_waits_is_behind_the_place_from_which_the_watch_can_be_resumed() {
        let watcher = begun(20, 10, Vec::new(), 20);
        assert_eq!(next(&watcher), Some((0, 0)));
        watcher.offer(&news(1, 5, Some(22)));
        watcher.advance(&before(30));
        watcher.offer(&news(2, 5, Some(33)));
        watcher.advance(&before(40));
        assert_eq!(watcher.told_before(), before(20));
        assert_eq!(next(&watcher), Some((1, 5)));
        assert_eq!(watcher.told_before(), before(30));
        assert_eq!(next(&watcher), Some((2, 5)));
        assert_eq!(watcher.told_before(), before(40));
        assert!(watcher.lock().seen.is_empty(), "what the horizon has passed takes no room");
    }

    #[test]
    fn g_16_a_resumed_snapshot_that_is_not_sent_whole_can_be_resumed_where_it_began() {
        let watcher = begun(20, 10, vec![news(1, 5, Some(11)), news(2, 5, Some(12))], 10);
        watcher.advance(&before(30));
        assert_eq!(next(&watcher), Some((1, 5)));
        assert_eq!(next(&watcher), Some((2, 5)));
        assert_eq!(watcher.told_before(), before(10));
        assert_eq!(next(&watcher), Some((0, 0)));
        assert_eq!(watcher.told_before(), before(30));
    }

    #[test]
    fn g_16_what_the_snapshot_tells_is_not_told_again_by_what_waited_meanwhile() {
        let watcher = begun(20, 1, vec![news(1, 5, Some(25))], 10);
        watcher.offer(&news(1, 5, Some(25)));
        watcher.advance(&before(30));
        assert_eq!(next(&watcher), Some((1, 5)));
        assert!(!watcher.offer(&news(2, 3, None)), "there is room again");
        assert_eq!(next(&watcher), Some((0, 0)));
        assert_eq!(next(&watcher), Some((2, 3)));
        assert_eq!(next(&watcher), None);
    }

    #[test]
    fn a_watch_that_is_not_read_holds_few_bytes_and_reads_the_rest_when_it_is_sent() {
        let watcher = begun(20, 100, Vec::new(), 20);
        let offered: Vec<News> = (1..=50).map(|number| large(number, 5, None)).collect();
        for news in &offered {
            assert!(!watcher.offer(news));
        }
        let held = |news: &&News| Arc::strong_count(&news.task) > 1;
        assert!(watcher.lock().held <= MOST_HELD);
        assert_eq!(offered.iter().filter(held).count(), 3);
        assert_eq!(next(&watcher), Some((0, 0)));
        for number in 1..=3 {
            assert_eq!(next(&watcher), Some((number, 5)));
        }
        assert_eq!(watcher.lock().held, 0);
        assert_eq!(wanted(&watcher), (4..=50).collect::<Vec<u128>>());
        read(&watcher, &offered[3..5]);
        assert_eq!((next(&watcher), next(&watcher)), (Some((4, 5)), Some((5, 5))));
        assert_eq!(wanted(&watcher).len(), 45);
        assert_eq!(watcher.told_before(), before(20));
    }

    #[test]
    fn a_snapshot_waits_as_ids_and_is_read_when_it_is_sent() {
        let watcher = begun(20, 10, Vec::new(), 20);
        let ids = (1..=10_000).map(|number| (news(number, 1, None).task.id, None));
        watcher.set_snapshot(ids, before(20));
        assert_eq!(wanted(&watcher), (1..=100).collect::<Vec<u128>>());
        watcher.fill(
            &[news(1, 1, None).task.id, news(2, 1, None).task.id],
            vec![Arc::unwrap_or_clone(news(2, 3, None).task)],
        );
        assert_eq!(next(&watcher), Some((2, 3)), "the first is not there any more");
        assert_eq!(wanted(&watcher).first(), Some(&3));
    }

    #[test]
    fn g_16_what_has_changed_again_since_it_was_read_is_read_again() {
        let watcher = begun(20, 100, Vec::new(), 20);
        assert_eq!(next(&watcher), Some((0, 0)));
        for number in 1..=5 {
            watcher.offer(&large(number, 5, None));
        }
        for number in 1..=3 {
            assert_eq!(next(&watcher), Some((number, 5)));
        }
        assert_eq!(wanted(&watcher), [4, 5]);
        read(&watcher, &[news(4, 5, None), news(5, 5, None)]);
        watcher.lock().held = MOST_HELD;
        watcher.offer(&large(4, 6, Some(30)));
        assert_eq!(wanted(&watcher), [4, 5]);
        read(&watcher, &[news(4, 6, Some(30)), news(5, 7, Some(31))]);
        assert_eq!(next(&watcher), Some((4, 6)));
        assert_eq!(next(&watcher), None, "the end of the fifth was not offered yet");
        watcher.lock().held = 0;
        watcher.offer(&news(5, 7, Some(31)));
        assert_eq!(next(&watcher), Some((5, 7)));
    }

    #[test]
    fn g_16_an_end_that_is_gone_before_it_is_sent_ends_the_watch() {
        let watcher = begun(20, 10, Vec::new(), 20);
        assert_eq!(next(&watcher), Some((0, 0)));
        watcher.lock().held = MOST_HELD;
        let end = news(1, 5, Some(20));
        watcher.offer(&end);
        watcher.fill(&[end.task.id], Vec::new());
        assert!(matches!(watcher.take(), Err(Error::Resync(_))));
        assert!(matches!(watcher.take(), Err(Error::Resync(_))), "once and for all");
    }
}
