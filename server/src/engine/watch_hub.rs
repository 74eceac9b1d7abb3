//! Who watches what. A change costs as much as its watchers, and nothing when nobody watches.
//!
//! Changes arrive as ids, from this process after its commits, from other replicas as hints, and from
//! the hub's own look at the database. The hub reads the tasks that somebody watches, many at once,
//! and offers them to the watchers: what is sent is always what the database says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::reading::Reading;
use super::watch_index::{Wanted, WatchIndex};
use super::watcher::{Event, News, Step, Watcher};
use crate::domain::{
    Filter, ListQuery, Namespace, Retention, Selection, Task, TaskId, TaskState, View, limits,
};
use crate::metrics::Metrics;
use crate::seal::Seal;
use crate::store::{Horizon, Sight};

/// Tasks of a snapshot or of a resumed journal.
const LARGEST_SNAPSHOT: usize = 10_000;
/// Changes waiting to be read; beyond, the next look at the database finds them.
const MOST_DIRTY: usize = 100_000;

#[derive(Debug, Default)]
struct Watchers {
    index: WatchIndex,
    dirty: HashSet<TaskId>,
    /// Since when something has been dirty.
    dirty_since: Option<Instant>,
    horizon: Option<Horizon>,
}

/// Knows the watchers.
#[derive(Debug)]
pub struct WatchHub {
    reading: Arc<Reading>,
    seal: Seal,
    watchers: Mutex<Watchers>,
    count: AtomicUsize,
    next_number: AtomicU64,
    changed: Notify,
    look: Notify,
    /// Told when the first watcher comes.
    pub began: Notify,
    most: usize,
    buffer: usize,
    looks_every: Duration,
    retention: Retention,
    metrics: Arc<Metrics>,
}

/// A place in the hub; given up when dropped.
#[derive(Debug)]
pub struct Watch {
    /// The watcher.
    pub watcher: Arc<Watcher>,
    /// What is watched, as tokens are bound to it.
    watched: String,
    hub: Arc<WatchHub>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.remove(&self.watcher);
    }
}

impl Watch {
    /// The next event; `None` when every task of a watch of ids is finished. Cancel safe.
    ///
    /// # Errors
    /// Why the watch has ended.
    pub async fn next(&self) -> Result<Option<Event>, Error> {
        loop {
            match self.watcher.next().await? {
                Step::Event(event) => return Ok(Some(event)),
                Step::End => return Ok(None),
                Step::Read(ids) => Box::pin(self.read(&ids)).await?,
            }
        }
    }

    async fn read(&self, ids: &[TaskId]) -> Result<(), Error> {
        let Watcher { namespace, view, .. } = *self.watcher;
        let (count, tasks) = self.hub.reading.first_of(namespace, ids, view).await?;
        self.watcher.fill(ids.get(..count).unwrap_or(ids), tasks);
        Ok(())
    }

    /// The resume token as of now.
    pub fn resume_token(&self) -> String {
        let horizon = self.hub.lock().horizon.clone();
        let incarnation = horizon.map(|horizon| horizon.incarnation).unwrap_or_default();
        let sight = Arc::unwrap_or_clone(self.watcher.told_before());
        super::resume_token::ResumeToken { incarnation, sight }
            .encode(&self.hub.seal, &self.watched)
    }
}

impl WatchHub {
    /// A hub without watchers: at most `most`, with room for `buffer` changed tasks each. Ended tasks
    /// are kept as `retention` says, where nothing else is set.
    pub fn new(
        reading: Arc<Reading>,
        seal: Seal,
        most: usize,
        buffer: usize,
        looks_every: Duration,
        retention: Retention,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            reading,
            seal,
            watchers: Mutex::default(),
            count: AtomicUsize::new(0),
            next_number: AtomicU64::new(0),
            changed: Notify::new(),
            look: Notify::new(),
            began: Notify::new(),
            most,
            buffer,
            looks_every,
            retention,
            metrics,
        }
    }

    /// Tells the metrics how things stand now.
    pub fn observe(&self) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.watches.open.set(gauge(self.count.load(Ordering::Relaxed)));
        self.metrics.watches.pending.set(gauge(self.lock().dirty.len()));
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// These tasks of these lanes have changed.
    pub fn changed(&self, tasks: impl Iterator<Item = (TaskId, i32)>) {
        if !self.is_watched() {
            return;
        }
        let watchers = &mut *self.lock();
        let registry = self.reading.registry();
        let mut any = false;
        for (task, lane) in tasks {
            let concerns = watchers.index.concerns(task, || registry.peek(lane));
            if concerns && watchers.dirty.len() < MOST_DIRTY {
                watchers.dirty.insert(task);
                any = true;
            }
        }
        if any {
            watchers.dirty_since.get_or_insert_with(Instant::now);
            self.changed.notify_one();
        }
    }

    /// Something may have been missed: look at the database now.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Ends every watch.
    pub fn end_all(&self, error: &Error) {
        for watcher in self.lock().index.all() {
            watcher.end(error.clone());
        }
    }

    /// Begins a watch, with its snapshot; `resume` is the horizon to go on from.
    pub async fn watch(
        self: &Arc<Self>,
        namespace: &Namespace,
        selection: Selection,
        view: View,
        resume: Option<super::resume_token::ResumeToken>,
    ) -> Result<Watch, Error> {
        let watch = self.begin(namespace, selection, view, resume).await;
        if matches!(watch, Err(Error::Resync(_))) {
            self.metrics.watches.resyncs.inc();
        }
        watch
    }

    async fn begin(
        self: &Arc<Self>,
        namespace: &Namespace,
        selection: Selection,
        view: View,
        resume: Option<super::resume_token::ResumeToken>,
    ) -> Result<Watch, Error> {
        if self.count.load(Ordering::Relaxed) >= self.most {
            return Err(Error::LimitReached { what: "watches of this replica", limit: self.most });
        }
        let id = self.reading.registry().namespace(namespace).await?;
        let horizon = self.reading.store().horizon().await?;
        if let Some(resume) = &resume {
            let kept = self.kept(id, &selection).await?;
            resume.check(&horizon, self.reading.now(), kept)?;
        }
        self.lock().horizon.get_or_insert_with(|| horizon.clone());
        let watched = super::resume_token::ResumeToken::watched(namespace, &selection);
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let sight = Arc::new(horizon.sight);
        let watcher =
            Arc::new(Watcher::new(number, id, selection, view, sight.clone(), self.buffer));
        self.add(&watcher);
        // From here on changes wait behind the snapshot; dropping `watch` gives the place up.
        let watch = Watch { watcher: watcher.clone(), watched, hub: self.clone() };
        match &watcher.selection {
            Selection::Ids(ids) => {
                let tasks = self.reading.tasks(namespace, ids, View::Basic).await?;
                if let Some(missing) = ids.iter().find(|id| !tasks.iter().any(|t| t.id == **id)) {
                    return Err(Error::TaskNotFound(*missing));
                }
                watcher.set_snapshot(tasks.into_iter().map(|task| (task.id, None)), sight);
            }
            Selection::Filter(filter) => {
                let since = resume.map(|resume| Arc::new(resume.sight));
                let mut tasks = BTreeMap::new();
                for id in self.unfinished(namespace, filter).await? {
                    tasks.insert(id, None);
                }
                if let Some(since) = &since {
                    for (id, ended) in self.finished_since(&watcher, namespace, since).await? {
                        tasks.insert(id, Some(ended));
                    }
                }
                watcher.set_snapshot(tasks, since.unwrap_or(sight));
            }
        }
        Ok(watch)
    }

    /// How long ends are kept that a watch must not miss; one of ids reads where they stand.
    async fn kept(&self, namespace: i32, selection: &Selection) -> Result<Option<Duration>, Error> {
        let Selection::Filter(filter) = selection else { return Ok(None) };
        let queue = filter.queue.as_ref().map(|queue| queue.as_str());
        Ok(self.reading.store().kept(namespace, queue, &self.retention).await?)
    }

    async fn unfinished(
        &self,
        namespace: &Namespace,
        filter: &Filter,
    ) -> Result<Vec<TaskId>, Error> {
        let states: Vec<TaskState> =
            TaskState::ALL.into_iter().filter(|state| !state.is_final()).collect();
        let mut query = ListQuery {
            namespace: namespace.clone(),
            filter: Filter { states, ..filter.clone() },
            before: None,
            limit: limits::BATCH,
            view: View::Basic,
        };
        let mut tasks = Vec::new();
        while tasks.len() < LARGEST_SNAPSHOT {
            let page = self.reading.list(&query).await?;
            let is_last = page.len() < limits::BATCH;
            query.before = page.last().map(|task| task.id);
            // What ended while it was read comes by the journal.
            tasks.extend(page.iter().filter(|task| !task.state.is_final()).map(|task| task.id));
            if is_last {
                break;
            }
        }
        Ok(tasks)
    }

    async fn finished_since(
        &self,
        watcher: &Watcher,
        namespace: &Namespace,
        since: &Sight,
    ) -> Result<Vec<(TaskId, i64)>, Error> {
        let ended = self.reading.journal(watcher, since, LARGEST_SNAPSHOT).await?;
        if ended.len() > LARGEST_SNAPSHOT {
            return Err(Error::Resync("too much has happened since"));
        }
        let ids: Vec<TaskId> = ended.keys().copied().collect();
        let mut found = Vec::new();
        for ids in ids.chunks(limits::BATCH) {
            let tasks = self.reading.tasks(namespace, ids, View::Basic).await?;
            let matching = tasks.iter().filter(|task| self.reading.matches(watcher, task));
            found.extend(matching.filter_map(|task| Some((task.id, *ended.get(&task.id)?))));
        }
        Ok(found)
    }

    /// Reads what has changed and offers it, until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let mut next_look = Instant::now() + self.looks_every;
        loop {
            let is_watched = self.is_watched();
            let done = tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => self.publish().await,
                () = self.look.notified() => self.reconcile().await,
                () = tokio::time::sleep_until(next_look), if is_watched => {
                    next_look = Instant::now() + self.looks_every;
                    self.reconcile().await
                }
                // The first watcher starts the clock.
                () = self.began.notified() => {
                    next_look = Instant::now() + self.looks_every;
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::warn!(%error, "failed to look for changes; trying again");
            }
        }
    }

    /// Offers everything that is known to have changed. What changes meanwhile waits for the next time, so that a
    /// look at the database gets its turn however fast changes come.
    async fn publish(&self) -> Result<(), Error> {
        let (dirty, since) = {
            let mut watchers = self.lock();
            (std::mem::take(&mut watchers.dirty), watchers.dirty_since.take())
        };
        let dirty: Vec<TaskId> = dirty.into_iter().collect();
        for (n, some) in dirty.chunks(limits::BATCH).enumerate() {
            if let Err(error) = self.publish_some(some).await {
                let mut watchers = self.lock();
                watchers.dirty.extend(dirty.iter().skip(n * limits::BATCH));
                watchers.dirty_since = since.or(watchers.dirty_since);
                return Err(error);
            }
        }
        if let Some(since) = since {
            self.metrics.watches.lag.observe(since.elapsed());
        }
        Ok(())
    }

    async fn publish_some(&self, ids: &[TaskId]) -> Result<(), Error> {
        let mut by_namespace: HashMap<(i32, View), Vec<TaskId>> = HashMap::new();
        let mut ended = HashMap::new();
        for row in self.reading.store().revisions(ids).await? {
            let lane = self.reading.registry().peek(row.lane);
            let wanted = self.lock().index.wanted(&row, lane.as_deref());
            if let Wanted::Yes(view) = wanted {
                by_namespace.entry((row.namespace, view)).or_default().push(row.id);
                ended.extend(row.ended.map(|ended| (row.id, ended)));
            }
        }
        for ((namespace, view), ids) in by_namespace {
            let mut ids = ids.as_slice();
            while !ids.is_empty() {
                let (count, tasks) = self.reading.first_of(namespace, ids, view).await?;
                for task in tasks {
                    let ended = ended.get(&task.id).copied();
                    self.publish_one(namespace, task, ended);
                }
                ids = ids.get(count..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn publish_one(&self, namespace: i32, task: Task, ended: Option<i64>) {
        if task.state.is_final() && ended.is_none() {
            // It ended between the two looks; the next one tells in which transaction.
            self.lock().dirty.insert(task.id);
            self.changed.notify_one();
            return;
        }
        self.offer(namespace, &News { task: Arc::new(task), ended });
    }

    fn offer(&self, namespace: i32, news: &News) {
        let watchers = self.lock().index.of_task(namespace, &news.task);
        for watcher in watchers {
            if self.reading.matches(&watcher, &news.task) && watcher.offer(news) {
                self.metrics.watches.slow.inc();
            }
        }
    }

    /// Looks at the database for what no hint told of.
    async fn reconcile(&self) -> Result<(), Error> {
        if !self.is_watched() {
            return Ok(());
        }
        // First the horizon, then what is within it: nothing falls between.
        let horizon = self.reading.store().horizon().await?;
        let (ids, filters, before) = {
            let watchers = self.lock();
            let filters: Vec<Arc<Watcher>> = watchers.index.of_filters().cloned().collect();
            (watchers.index.ids(), filters, watchers.horizon.clone())
        };
        if before.as_ref().is_some_and(|before| before.incarnation != horizon.incarnation) {
            let open = self.count.load(Ordering::Relaxed);
            self.metrics.watches.resyncs.inc_by(u64::try_from(open).unwrap_or_default());
            self.end_all(&Error::Resync("the database is another one"));
            self.lock().horizon = Some(horizon);
            return Ok(());
        }
        let mut dirty = Vec::new();
        for ids in ids.chunks(limits::BATCH) {
            let rows = self.reading.store().revisions(ids).await?;
            let watchers = self.lock();
            dirty.extend(rows.iter().filter_map(|row| {
                let lane = self.reading.registry().peek(row.lane);
                let wanted = watchers.index.wanted(row, lane.as_deref());
                (wanted != Wanted::No).then_some(row.id)
            }));
        }
        dirty.extend(self.ended_since(&filters).await?);
        self.lock().dirty.extend(dirty);
        self.publish().await?;
        let mut watchers = self.lock();
        let sight = Arc::new(horizon.sight.clone());
        for watcher in watchers.index.of_ids().chain(&filters) {
            watcher.advance(&sight);
        }
        watchers.horizon = Some(horizon);
        Ok(())
    }

    /// What came to its end since the horizons of these watches: one look at the journal for all of them, from the
    /// horizon that is furthest behind. If that is too much, they are ended.
    async fn ended_since(&self, filters: &[Arc<Watcher>]) -> Result<Vec<TaskId>, Error> {
        let horizons = filters.iter().map(|watcher| watcher.horizon());
        let Some(since) = horizons.min_by_key(|horizon| horizon.moment()) else {
            return Ok(Vec::new());
        };
        let limit = i64::try_from(MOST_DIRTY).unwrap_or(i64::MAX);
        let ended = self.reading.store().journal(None, &since, None, limit).await?;
        if ended.len() >= MOST_DIRTY {
            for watcher in filters {
                watcher.end(Error::Resync("too much has happened since"));
                self.metrics.watches.resyncs.inc();
            }
            return Ok(Vec::new());
        }
        let watchers = self.lock();
        let concerning = ended.into_iter().filter(|row| {
            watchers.index.concerns(row.id, || self.reading.registry().peek(row.lane))
        });
        Ok(concerning.map(|row| row.id).collect())
    }

    fn add(&self, watcher: &Arc<Watcher>) {
        self.lock().index.add(watcher);
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.began.notify_waiters();
            self.began.notify_one();
        }
    }

    fn remove(&self, watcher: &Arc<Watcher>) {
        self.lock().index.remove(watcher);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
