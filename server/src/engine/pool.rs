//! Workers that run the same things: they share one loop that leases for them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::marks::FULL_LOOK;
use super::registry::Lane;
use super::room::Room;
use super::session::Session;
use crate::domain::{Kind, QueueName, Version};
use crate::store::Slot;

/// What the workers of a pool run. Lists are sorted, so that equal means equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Abilities {
    /// Number of the namespace.
    pub namespace: i32,
    /// Queues.
    pub queues: Vec<QueueName>,
    /// Kinds; empty: all.
    pub kinds: Vec<Kind>,
    /// Versions; empty: all.
    pub versions: Vec<Version>,
}

impl Abilities {
    /// Whether tasks of this lane can be run.
    pub(super) fn cover(&self, lane: &Lane) -> bool {
        lane.namespace_id == self.namespace
            && self.queues.binary_search(&lane.queue).is_ok()
            && (self.kinds.is_empty() || self.kinds.binary_search(&lane.kind).is_ok())
            && lane.version.as_ref().is_none_or(|version| {
                self.versions.is_empty() || self.versions.binary_search(version).is_ok()
            })
    }
}

/// A place for one task, paid for with one credit of its session.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Who gets the task.
    pub session: Arc<Session>,
}

impl Place {
    /// As the store wants it.
    pub(super) fn slot(&self) -> Slot<'_> {
        Slot { session: self.session.id, worker: Cow::from(&self.session.hello.worker_name) }
    }
}

/// What a pool knows about ready tasks that its workers could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ready {
    /// There may be some.
    Perhaps,
    /// It is looking.
    Looking,
    /// There were none at its last look, and it heard of none since.
    None,
}

/// Most tasks that may become ready at once because others were leased.
const MOST_ALLOWED: usize = 2_000;

/// Most tasks in one claim, and most of the first one, when nobody knows yet how large they are.
const LARGEST_CLAIM: usize = 500;
const FIRST_CLAIM: usize = 64;
/// Bytes of tasks that a claim should have at most, if the next ones are as large as the last ones.
const CLAIM_BYTES: usize = 16 << 20;

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct How {
    /// Most tasks.
    pub most: usize,
    /// What has waited longest, whatever its priority.
    pub oldest_first: bool,
    /// Without marks.
    pub is_full: bool,
}

/// One look at a time, and whose turn it is.
#[derive(Debug)]
struct Turns {
    is_looking: bool,
    /// Whether the last look left nothing behind.
    is_drained: bool,
    /// Tasks leased by priority since what waited longest had its turn.
    debt: usize,
    /// New tasks that may become ready, since so many were leased.
    allowance: usize,
    full_look_at: Instant,
    /// Whether the last look without marks was full before it came to the last lane and priority.
    is_rest_due: bool,
}

/// Workers with the same abilities.
#[derive(Debug)]
pub(super) struct Pool {
    /// What they run.
    pub abilities: Abilities,
    /// Told when there may be something to lease.
    pub wake: Notify,
    /// Told when there is more room for new tasks.
    pub room: Arc<Room>,
    sessions: Mutex<Vec<Arc<Session>>>,
    lanes: RwLock<(Vec<Arc<Lane>>, HashSet<i32>)>,
    turn: AtomicU64,
    ready: AtomicU8,
    /// Bytes of a task of the last claim; 0: there was none.
    typical: AtomicUsize,
    turns: Mutex<Turns>,
}

impl Pool {
    /// A pool without workers.
    pub(super) fn new(abilities: Abilities) -> Self {
        Self {
            abilities,
            wake: Notify::new(),
            room: Arc::default(),
            sessions: Mutex::default(),
            lanes: RwLock::default(),
            turn: AtomicU64::new(0),
            typical: AtomicUsize::new(0),
            ready: AtomicU8::new(Ready::Perhaps as u8),
            turns: Mutex::new(Turns {
                is_looking: false,
                is_drained: false,
                debt: 0,
                allowance: 0,
                full_look_at: Instant::now(),
                is_rest_due: false,
            }),
        }
    }

    /// Says that something may have become ready.
    pub(super) fn look(&self) {
        self.ready.store(Ready::Perhaps as u8, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Most tasks of one claim: a claim of large ones is not to fill the memory.
    pub(super) fn largest_claim(&self) -> usize {
        match self.typical.load(Ordering::Relaxed) {
            0 => FIRST_CLAIM,
            bytes => (CLAIM_BYTES / bytes).clamp(1, LARGEST_CLAIM),
        }
    }

    /// So many tasks came, with so many bytes.
    pub(super) fn weighed(&self, tasks: usize, bytes: usize) {
        if let Some(typical) = bytes.checked_div(tasks) {
            self.typical.store(typical.max(1), Ordering::Relaxed);
        }
    }

    /// Begins a look, unless one is under way. What becomes ready from now on may be missed by it.
    pub(super) fn begin_look(&self, most: usize, fair_share: usize) -> Option<How> {
        let mut turns = self.turns();
        if turns.is_looking {
            return None;
        }
        turns.is_looking = true;
        // Half of the room, and the odd place, if nothing is known to wait.
        let most = if turns.is_drained { most.min(self.free().div_ceil(2)) } else { most };
        self.ready.store(Ready::Looking as u8, Ordering::SeqCst);
        // What waited longest gets a claim once its share is as large as other claims: small ones cost more.
        let oldest_first = turns.debt / fair_share >= most.min(self.free()).max(1);
        let is_full = Instant::now() >= turns.full_look_at || (oldest_first && turns.is_rest_due);
        Some(How { most, oldest_first, is_full })
    }

    /// A look has come to its end, with so many tasks for so many places. Answers with whether there may be more.
    pub(super) fn end_look(
        &self,
        how: How,
        taken: usize,
        places: usize,
        fair_share: usize,
    ) -> bool {
        // Of what has waited longest, others may have been at some.
        let found_all = taken < places && !how.oldest_first;
        let mut turns = self.turns();
        turns.is_looking = false;
        turns.is_drained = found_all;
        turns.allowance = turns.allowance.saturating_add(taken).min(MOST_ALLOWED);
        turns.debt = match how.oldest_first {
            _ if found_all => 0,
            true => turns.debt.saturating_sub(places * fair_share),
            false => turns.debt.saturating_add(taken),
        };
        if how.is_full {
            turns.full_look_at = Instant::now() + FULL_LOOK;
            turns.is_rest_due = !found_all && !how.oldest_first;
        }
        let now = if found_all { Ready::None } else { Ready::Perhaps } as u8;
        // Unless something became ready since it began.
        let looking = Ready::Looking as u8;
        self.ready.compare_exchange(looking, now, Ordering::SeqCst, Ordering::SeqCst).ok();
        drop(turns);
        self.room.moved(taken);
        !found_all
    }

    /// Whether the last look took as much as there was room for: then more is probably waiting.
    pub(super) fn has_backlog(&self) -> bool {
        self.turns().debt > 0
    }

    /// A look was broken off, failed, or had no room.
    pub(super) fn abandon_look(&self) {
        let mut turns = self.turns();
        (turns.is_looking, turns.is_drained) = (false, false);
        drop(turns);
        self.ready.store(Ready::Perhaps as u8, Ordering::SeqCst);
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is nothing ready, as far as is known here: then a task that is submitted now has
    /// nothing before it.
    pub(super) fn has_nothing_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst) == Ready::None as u8
    }

    /// Sets the lanes that the pool takes tasks from.
    pub(super) fn set_lanes(&self, mut lanes: Vec<Arc<Lane>>) {
        lanes.sort_by_key(|lane| lane.id);
        let ids = lanes.iter().map(|lane| lane.id).collect();
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = (lanes, ids);
    }

    /// The lanes, starting with another one each time, so that kinds take turns.
    pub(super) fn lanes_in_turn(&self) -> Vec<i32> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<i32> = lanes.0.iter().map(|lane| lane.id).collect();
        if !ids.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let length = u64::try_from(ids.len()).unwrap_or(1);
            ids.rotate_left(usize::try_from(turn % length).unwrap_or_default());
        }
        ids
    }

    /// Whether the pool takes tasks from any of these lanes.
    pub(super) fn serves(&self, lanes: &HashSet<i32>) -> bool {
        let own = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let (few, many) = if lanes.len() < own.1.len() { (lanes, &own.1) } else { (&own.1, lanes) };
        few.iter().any(|lane| many.contains(lane))
    }

    /// Whether the pool takes tasks from this lane.
    pub(super) fn serves_lane(&self, lane: i32) -> bool {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).1.contains(&lane)
    }

    /// Reserves up to `most` places for tasks that are about to be submitted, if they have nothing before
    /// them: nothing is ready, or what the pool has just heard of has half of the room to itself. Refused
    /// there, one task that waits for a look would make all that come during the look wait too; of several
    /// replicas each looks, so that one would always be looking.
    pub(super) fn reserve_for_new(&self, most: usize) -> Vec<Place> {
        let ready = self.ready.load(Ordering::SeqCst);
        let is_certain = ready == Ready::None as u8;
        if !is_certain && !self.turns().is_drained {
            return Vec::new();
        }
        // A look that is under way has taken its half.
        let is_looking = ready == Ready::Looking as u8;
        let room = if is_certain || is_looking { most } else { self.free() / 2 };
        let wanted = most.min(room);
        let places = self.reserve(wanted);
        if places.len() < wanted {
            // There is no room left, for nobody.
            self.turns().is_drained = false;
        }
        places
    }

    /// Whether so many tasks that are about to be submitted find room with workers, or all the room there ever is; or
    /// behind others, if more of those were leased.
    pub(super) fn has_room_for_new(&self, wanted: usize) -> bool {
        let ready = self.ready.load(Ordering::SeqCst);
        let free = match ready == Ready::None as u8 {
            true => self.free(),
            false if !self.turns().is_drained => {
                return self.turns().allowance >= more(wanted).min(MOST_ALLOWED);
            }
            false if ready == Ready::Looking as u8 => self.free(),
            false => self.free() / 2,
        };
        let most = self.sessions().iter().map(|session| session.most_credit() as usize).sum();
        free >= wanted.min(most)
    }

    /// Whether workers are fast, or a look is under way; begins one where there is room for what may be ready.
    pub(super) fn moves(&self) -> bool {
        if self.room.is_fast() || self.turns().is_looking {
            return true;
        }
        let is_due = !self.has_nothing_ready() && self.free() > 0;
        if is_due {
            self.wake.notify_one();
        }
        is_due
    }

    /// So many new tasks become ready, since they found no worker.
    pub(super) fn made_ready(&self, tasks: usize) {
        let mut turns = self.turns();
        turns.allowance = turns.allowance.saturating_sub(more(tasks));
    }

    /// Tasks that its workers could take at once.
    fn free(&self) -> usize {
        self.sessions().iter().map(|session| session.room() as usize).sum()
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a worker.
    pub(super) fn join(&self, session: Arc<Session>) {
        session.share(&self.room);
        self.sessions().push(session);
        self.look();
    }

    /// Removes a worker; answers with how many are left. Another call of the same worker stays.
    pub(super) fn leave(&self, session: &Session) -> usize {
        let mut sessions = self.sessions();
        sessions.retain(|member| !std::ptr::eq(&**member, session));
        sessions.len()
    }

    /// Reserves up to `most` places, spread over the workers that have credit.
    pub(super) fn reserve(&self, most: usize) -> Vec<Place> {
        let mut sessions = self.sessions();
        if sessions.is_empty() {
            return Vec::new();
        }
        sessions.rotate_left(1);
        let mut places = Vec::new();
        let share = u32::try_from(most.div_ceil(sessions.len()).max(1)).unwrap_or(u32::MAX);
        // First everyone gets an equal share, then whoever has credit left gets the rest.
        for share in [share, u32::MAX] {
            for session in sessions.iter() {
                let room = u32::try_from(most - places.len()).unwrap_or(u32::MAX);
                let taken = session.reserve(share.min(room));
                places.extend((0..taken).map(|_| Place { session: session.clone() }));
            }
        }
        places
    }
}

/// How many ready tasks have to be leased before so many become ready: more, so that there are less of them.
fn more(tasks: usize) -> usize {
    tasks + tasks.div_ceil(8)
}

/// Gives the credit of unused places back.
pub(super) fn give_back(places: &[Place]) {
    for place in places {
        place.session.give_back(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Assignment, Hello, Namespace, Payload, SessionId, TaskId};

    /// A pool with one worker of so much credit, whose look found nothing.
    fn drained(credit: u32) -> Pool {
        let nothing = Abilities { namespace: 1, queues: vec![], kinds: vec![], versions: vec![] };
        let pool = Pool::new(nothing);
        let hello = Hello {
            namespace: Namespace::parse("default").unwrap(),
            worker_name: String::new(),
            queues: vec![],
            kinds: vec![],
            versions: vec![],
            resume: None,
        };
        let session = Session::new(SessionId(uuid::Uuid::nil()), 1, hello);
        assert!(session.grant(credit));
        pool.join(Arc::new(session));
        look(&pool, 0);
        assert!(pool.has_nothing_ready());
        pool
    }

    /// Looks, and finds so many tasks; answers with the places there were for them.
    fn look(pool: &Pool, found: usize) -> usize {
        let how = pool.begin_look(500, 8).unwrap();
        let places = pool.reserve(how.most);
        let taken = found.min(places.len());
        give_back(&places[taken..]);
        pool.end_look(how, taken, places.len(), 8);
        places.len()
    }

    #[test]
    fn with_nothing_ready_all_room_is_for_what_comes_in() {
        assert_eq!(drained(10).reserve_for_new(20).len(), 10);
        assert_eq!(drained(10).reserve_for_new(4).len(), 4);
    }

    #[test]
    fn what_was_heard_of_has_half_of_the_room_and_what_comes_in_the_other() {
        let pool = drained(10);
        pool.look();
        assert_eq!(pool.reserve_for_new(3).len(), 3, "before the look");
        let how = pool.begin_look(500, 8).unwrap();
        let looking = pool.reserve(how.most);
        assert_eq!(looking.len(), 4, "the larger half of what is left");
        assert_eq!(pool.reserve_for_new(3).len(), 3, "during the look");
        pool.end_look(how, 0, looking.len(), 8);
        assert!(pool.has_nothing_ready());
        let single = drained(1);
        single.look();
        assert!(single.reserve_for_new(1).is_empty(), "half of one place is none");
    }

    #[test]
    fn what_comes_in_has_no_place_while_others_wait_for_one() {
        // More came than had room.
        let pool = drained(10);
        let busy = pool.reserve_for_new(11);
        assert_eq!(busy.len(), 10);
        pool.look();
        give_back(&busy);
        assert!(pool.reserve_for_new(1).is_empty());
        assert_eq!(look(&pool, 0), 10, "a look takes all room then");
        assert_eq!(pool.reserve_for_new(1).len(), 1);
        // A look was full.
        let pool = drained(10);
        pool.look();
        assert_eq!(look(&pool, 50), 5);
        pool.look();
        assert!(pool.reserve_for_new(1).is_empty());
        // A look had no room.
        let pool = drained(10);
        let busy = pool.reserve(10);
        pool.look();
        pool.begin_look(500, 8).unwrap();
        pool.abandon_look();
        give_back(&busy);
        assert!(pool.reserve_for_new(1).is_empty());
    }

    #[test]
    fn new_tasks_find_room_with_workers_who_have_nothing_before_them() {
        let pool = drained(10);
        assert!(pool.has_room_for_new(10));
        assert!(pool.has_room_for_new(11), "all there ever is");
        let busy = pool.reserve_for_new(4);
        assert!(pool.has_room_for_new(6));
        assert!(!pool.has_room_for_new(7));
        pool.look();
        assert!(pool.has_room_for_new(3), "half of what is left");
        assert!(!pool.has_room_for_new(4));
        give_back(&busy);
        assert!(pool.has_room_for_new(5));
    }

    #[test]
    fn behind_others_new_tasks_find_room_when_more_were_leased() {
        let pool = drained(10);
        pool.look();
        assert_eq!(look(&pool, 50), 5, "as many as there was room for");
        assert!(pool.has_room_for_new(4));
        assert!(!pool.has_room_for_new(5));
        pool.made_ready(3);
        assert!(pool.has_room_for_new(0));
        assert!(!pool.has_room_for_new(1));
        look(&pool, 50);
        assert!(pool.has_room_for_new(5), "ten were leased, and three came");
        assert!(!pool.has_room_for_new(6));
        let how = pool.begin_look(500, 8).unwrap();
        pool.end_look(how, MOST_ALLOWED, MOST_ALLOWED, 8);
        assert!(pool.has_room_for_new(MOST_ALLOWED + 1), "more are never counted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_without_marks_that_was_full_too_early_is_made_up_for_by_what_waited_longest() {
        let pool = drained(10);
        pool.look();
        tokio::time::advance(FULL_LOOK).await;
        let mut looks = String::new();
        for _ in 0..12 {
            let how = pool.begin_look(500, 4).unwrap();
            let places = pool.reserve(how.most);
            give_back(&places);
            assert!(pool.end_look(how, places.len(), places.len(), 4), "there may be more");
            looks.push(match (how.oldest_first, how.is_full) {
                (false, false) => '.',
                (false, true) => 'f',
                (true, false) => 'o',
                (true, true) => 'O',
            });
        }
        assert_eq!(looks, "f....O....o.");
        tokio::time::advance(FULL_LOOK).await;
        let how = pool.begin_look(500, 4).unwrap();
        assert!(how.is_full && !pool.end_look(how, 0, 10, 4), "it has seen everything");
        assert!(!pool.turns().is_rest_due);
    }

    #[test]
    fn claims_of_large_tasks_are_small_ones() {
        let pool = drained(10);
        assert_eq!(pool.largest_claim(), FIRST_CLAIM);
        for (tasks, bytes, largest) in
            [(64, 64 * 200, 500), (500, 500 << 20, 16), (1, 40 << 20, 1), (0, 0, 1), (9, 0, 500)]
        {
            pool.weighed(tasks, bytes);
            assert_eq!(pool.largest_claim(), largest, "{tasks} tasks of {bytes} bytes");
        }
    }

    #[test]
    fn who_does_not_read_large_tasks_is_given_no_more() {
        let pool = drained(10);
        let session = pool.sessions()[0].clone();
        let task = |bytes: usize| Assignment {
            task: TaskId(uuid::Uuid::nil()),
            attempt: 1,
            tries: 1,
            max_attempts: 1,
            queue: QueueName::parse("q").unwrap(),
            kind: Kind::parse("work").unwrap(),
            version: None,
            payload: Payload { data: vec![0; bytes].into(), content_type: None },
            deadline: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            labels: std::collections::BTreeMap::new(),
            traceparent: None,
            progress: None,
            checkpoint: bytes::Bytes::new(),
        };
        session.outbox.assign(vec![task(9 << 20)]);
        assert_eq!((pool.free(), pool.reserve(2).len()), (10, 2));
        session.outbox.assign(vec![task(9 << 20)]);
        assert_eq!((pool.free(), pool.reserve(2).len()), (0, 0));
        assert!(session.outbox.take().was_full());
        assert_eq!((pool.free(), pool.reserve(2).len()), (8, 2));
    }

    #[test]
    fn of_what_waited_longest_others_may_have_been_at_some() {
        let pool = drained(10);
        let how = How { most: 10, oldest_first: true, is_full: false };
        pool.look();
        pool.begin_look(500, 8).unwrap();
        assert!(pool.end_look(how, 0, 10, 8));
        assert!(!pool.has_nothing_ready());
    }

    #[test]
    fn what_waited_longest_has_its_share_in_claims_as_large_as_the_others() {
        let pool = drained(10);
        pool.look();
        let mut turns = String::new();
        for _ in 0..20 {
            let how = pool.begin_look(500, 4).unwrap();
            let places = pool.reserve(how.most);
            give_back(&places);
            pool.end_look(how, places.len(), places.len(), 4);
            turns.push(if how.oldest_first { 'o' } else { '.' });
        }
        assert_eq!(turns, ".....o....o....o....");
    }
}
