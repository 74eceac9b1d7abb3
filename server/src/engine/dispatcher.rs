//! Leasing: one loop for each pool of workers claims as much as they have room for, and no more.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::marks::Marks;
use super::pool::{Abilities, Place, Pool};
use super::registry::Registry;
use super::session::Session;
use super::signals::Signals;
use crate::domain::{Assignment, AttemptOutcome, AttemptRef, SessionId, TaskState, Verdict};
use crate::store::{Lease, Settlement, Store};
use crate::supervise::Group;

/// Knows the connected workers and leases for them.
#[derive(Debug)]
pub struct Dispatcher {
    store: Store,
    pub(super) registry: Arc<Registry>,
    pub(super) marks: Marks,
    pools: Mutex<HashMap<Abilities, Arc<Pool>>>,
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    poll_interval: Duration,
    pub(super) fair_share: usize,
    loops: Group,
    stop: CancellationToken,
}

impl Dispatcher {
    /// A dispatcher without workers.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        poll_interval: Duration,
        fair_share: usize,
    ) -> Self {
        Self {
            store,
            registry,
            marks: Marks::default(),
            pools: Mutex::default(),
            sessions: Mutex::default(),
            poll_interval,
            fair_share: fair_share.max(2),
            loops: Group::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Lets a worker take part. `signals` is where its claims are announced.
    pub fn join(self: &Arc<Self>, session: &Arc<Session>, signals: &Arc<Signals>) {
        lock(&self.sessions).insert(session.id, session.clone());
        let abilities = abilities(session);
        let mut pools = lock(&self.pools);
        let pool = pools.entry(abilities.clone()).or_insert_with(|| {
            let pool = Arc::new(Pool::new(abilities));
            pool.set_lanes(self.registry.select(|lane| pool.abilities.cover(lane)));
            self.loops.spawn(self.clone().lease_for(pool.clone(), signals.clone()));
            pool
        });
        pool.join(session.clone());
    }

    /// Lets a worker take part no more. Its leases are for the caller to care about. Another call of the same
    /// worker stays, though it has the same id.
    pub fn leave(&self, session: &Session) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&session.id).is_some_and(|member| std::ptr::eq(&**member, session)) {
            sessions.remove(&session.id);
        }
        drop(sessions);
        let mut pools = lock(&self.pools);
        let abilities = abilities(session);
        let is_empty = pools.get(&abilities).is_some_and(|pool| pool.leave(session) == 0);
        if is_empty && let Some(pool) = pools.remove(&abilities) {
            pool.wake.notify_one();
        }
    }

    /// Tells the loop of a worker that the worker has room. If nothing is ready, that is no reason to
    /// look.
    pub fn has_room(&self, session: SessionId) {
        if let Some(pool) = self.pool_of(session)
            && !pool.has_nothing_ready()
        {
            pool.wake.notify_one();
        }
    }

    /// Waits until there is room for so many tasks of a lane that are about to be submitted; not for long, and only
    /// where workers are fast, or about to be given tasks.
    pub(super) async fn wait_for_room(&self, lane: i32, wanted: usize) {
        let pools = self.pools_of(lane);
        let is_enough = || pools.iter().any(|pool| pool.has_room_for_new(wanted));
        let moves = || pools.iter().any(|pool| pool.moves());
        if let Some(pool) = pools.first() {
            pool.room.wait(is_enough, moves).await;
        }
    }

    /// So many new tasks of a lane become ready, since they found no worker.
    pub(super) fn made_ready(&self, lane: i32, tasks: usize) {
        for pool in self.pools_of(lane) {
            pool.made_ready(tasks);
        }
    }

    /// The pools that take tasks from a lane.
    fn pools_of(&self, lane: i32) -> Vec<Arc<Pool>> {
        lock(&self.pools).values().filter(|pool| pool.serves_lane(lane)).cloned().collect()
    }

    /// The pool of a connected worker.
    pub(super) fn pool_of(&self, session: SessionId) -> Option<Arc<Pool>> {
        let session = self.session(session)?;
        lock(&self.pools).get(&abilities(&session)).cloned()
    }

    /// Reserves up to `most` places for tasks of a lane that are about to be submitted, with workers who
    /// have nothing else to do: the tasks need not wait for a claim then.
    pub(super) fn reserve_free(&self, lane: i32, most: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for pool in self.pools_of(lane) {
            if places.len() < most {
                places.extend(pool.reserve_for_new(most - places.len()));
            }
        }
        places
    }

    /// Whether more tasks are ready than workers had room for.
    pub(super) fn has_backlog(&self) -> bool {
        lock(&self.pools).values().any(|pool| pool.has_backlog())
    }

    /// A connected worker.
    pub fn session(&self, id: SessionId) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&id).cloned()
    }

    /// All connected workers.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// Wakes the loops that take tasks from these lanes.
    pub fn wake(&self, lanes: &HashSet<i32>) {
        for pool in lock(&self.pools).values() {
            if pool.serves(lanes) {
                pool.look();
            }
        }
    }

    /// Tasks came back to these lanes; the oldest of each has this place in line.
    pub fn returned(&self, lanes: &HashMap<i32, Timestamp>) {
        for (lane, oldest) in lanes {
            self.marks.lower(*lane, *oldest);
        }
        self.wake(&lanes.keys().copied().collect());
    }

    /// Wakes every loop.
    pub fn wake_all(&self) {
        for pool in lock(&self.pools).values() {
            pool.look();
        }
    }

    /// Finds out which lanes each pool takes tasks from, whenever lanes became known.
    pub async fn follow_lanes(&self, stop: CancellationToken) {
        let mut changes = self.registry.changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            for pool in lock(&self.pools).values() {
                pool.set_lanes(self.registry.select(|lane| pool.abilities.cover(lane)));
                pool.look();
            }
        }
    }

    /// Leases no more; returns when every loop has ended.
    pub async fn drain(&self) {
        self.stop.cancel();
        self.loops.wait().await;
    }

    /// Ends when `stop` is cancelled, or with an error when a loop has panicked: workers would wait for tasks in vain,
    /// and what it had claimed would be kept from others as long as they are connected.
    pub async fn watch_loops(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        self.loops.clone().watch(stop).await
    }

    async fn lease_for(self: Arc<Self>, pool: Arc<Pool>, signals: Arc<Signals>) {
        loop {
            // Register before looking, so that a wake-up in between is not lost.
            let mut woken = pin!(pool.wake.notified());
            woken.as_mut().enable();
            if self.stop.is_cancelled() || !self.is_current(&pool) {
                return;
            }
            if let Some(claiming) = self.begin(&pool) {
                let claimed = {
                    let (slots, oldest_first) = (claiming.slots(), claiming.is_oldest_first());
                    self.store.claim(claiming.claim(&slots), oldest_first).await
                };
                match self.finish(claiming, claimed, &signals).await {
                    // A full claim: others may be waiting behind it.
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(_) => tokio::time::sleep(self.poll_interval).await,
                }
            }
            tokio::select! {
                () = woken => {}
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(self.poll_interval) => pool.look(),
            }
        }
    }

    /// The same, for a caller who cannot wait.
    pub fn release_later(
        self: &Arc<Self>,
        session: Arc<Session>,
        unsent: Vec<Assignment>,
        signals: &Arc<Signals>,
    ) {
        let (dispatcher, signals) = (self.clone(), signals.clone());
        self.loops.spawn(async move {
            dispatcher.release_unsent(&session, &unsent, &signals).await;
        });
    }

    fn is_current(&self, pool: &Arc<Pool>) -> bool {
        lock(&self.pools).get(&pool.abilities).is_some_and(|current| Arc::ptr_eq(current, pool))
    }

    /// Hands out tasks that were leased when they were written.
    pub(super) fn hand_over(
        self: &Arc<Self>,
        session: &Arc<Session>,
        tasks: Vec<Assignment>,
        signals: &Arc<Signals>,
    ) {
        session.moved(tasks.len());
        let unsent = session.outbox.assign(tasks);
        if !unsent.is_empty() {
            self.release_later(session.clone(), unsent, signals);
        }
    }

    /// Gives tasks back that were leased to a worker and never sent.
    pub async fn release_unsent(
        &self,
        session: &Session,
        unsent: &[Assignment],
        signals: &Signals,
    ) {
        if unsent.is_empty() {
            return;
        }
        let now = self.store.clock().now();
        let settlements: Vec<Settlement> = unsent
            .iter()
            .map(|task| Settlement {
                lease: Lease {
                    attempt: AttemptRef { task: task.task, attempt: task.attempt },
                    namespace: session.namespace,
                    session: session.id,
                },
                outcome: AttemptOutcome::Released,
                verdict: Verdict::Again {
                    due_at: now,
                    state: TaskState::Scheduled,
                    counts: false,
                    error: None,
                },
                result: None,
            })
            .collect();
        match self.store.settle(&settlements, now).await {
            Ok(released) => signals.moved(&released),
            Err(error) => tracing::warn!(%error, "failed to release; the leases run out"),
        }
    }
}

/// Nobody knows whether something was leased to these workers. They come back and say what they run;
/// the rest is released then.
pub(super) fn start_over(places: &[Place]) {
    for place in places {
        place.session.outbox.push(|out| out.ended = Some(super::Error::StoreUnavailable));
    }
}

fn abilities(session: &Session) -> Abilities {
    Abilities {
        namespace: session.namespace,
        queues: session.hello.queues.clone(),
        kinds: session.hello.kinds.clone(),
        versions: session.hello.versions.clone(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
