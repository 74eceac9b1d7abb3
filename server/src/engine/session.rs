//! One connected worker.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::outbox::Outbox;
use super::room::Room;
use crate::domain::{AttemptRef, Hello, SessionId, limits};

/// A worker that can be given tasks.
#[derive(Debug)]
pub struct Session {
    /// Its id, which is its secret and its fence.
    pub id: SessionId,
    /// Number of its namespace.
    pub namespace: i32,
    /// Who it is and what it runs.
    pub hello: Hello,
    /// What waits to be sent to it.
    pub outbox: Outbox,
    credit: Mutex<Credit>,
    /// Where new tasks wait for it, once it takes part.
    room: OnceLock<Arc<Room>>,
    was_heard: AtomicBool,
    /// Attempts whose spans are to be sent.
    traced: Mutex<HashSet<AttemptRef>>,
}

/// Tasks that a worker can be given.
#[derive(Debug, Default)]
struct Credit {
    now: u32,
    /// Most there was at once.
    most: u32,
    /// It is given no more, whatever it grants.
    is_closed: bool,
}

impl Session {
    /// A session without credit.
    pub fn new(id: SessionId, namespace: i32, hello: Hello) -> Self {
        Self {
            id,
            namespace,
            hello,
            outbox: Outbox::default(),
            credit: Mutex::default(),
            room: OnceLock::new(),
            was_heard: AtomicBool::new(false),
            traced: Mutex::default(),
        }
    }

    /// Grants more tasks; false if that is more than a worker may grant.
    pub fn grant(&self, more: u32) -> bool {
        let mut credit = self.credit_held();
        if credit.is_closed {
            return true;
        }
        match credit.now.checked_add(more) {
            Some(sum) if sum <= limits::CREDIT => {
                credit.now = sum;
                credit.most = credit.most.max(sum);
            }
            _ => return false,
        }
        drop(credit);
        self.moved(more as usize);
        true
    }

    /// Takes part with others: new tasks wait here for them.
    pub(super) fn share(&self, room: &Arc<Room>) {
        self.room.set(room.clone()).ok();
    }

    /// It was given so many tasks, or has room for so many more.
    pub(super) fn moved(&self, tasks: usize) {
        if let Some(room) = self.room.get() {
            room.moved(tasks);
        }
    }

    /// Reserves up to `most` of the credit, none while it does not read what it was given.
    pub(super) fn reserve(&self, most: u32) -> u32 {
        if self.outbox.is_full() { 0 } else { self.take_credit(most) }
    }

    /// Takes up to `most` of the credit.
    pub fn take_credit(&self, most: u32) -> u32 {
        let mut credit = self.credit_held();
        let taken = most.min(credit.now);
        credit.now -= taken;
        taken
    }

    /// Gives back credit that was taken and not used.
    pub fn give_back(&self, unused: u32) {
        let mut credit = self.credit_held();
        if !credit.is_closed {
            credit.now = credit.now.saturating_add(unused);
        }
    }

    /// Tells the worker to go elsewhere; it is given no more tasks here.
    pub fn drain(&self) {
        let mut credit = self.credit_held();
        credit.is_closed = true;
        credit.now = 0;
        drop(credit);
        self.outbox.push(|out| out.drain = true);
    }

    /// Tasks that it could be given now.
    pub(super) fn room(&self) -> u32 {
        if self.outbox.is_full() { 0 } else { self.credit() }
    }

    /// Tasks that it could take at once.
    pub fn credit(&self) -> u32 {
        self.credit_held().now
    }

    /// Most tasks that it ever could take at once.
    pub fn most_credit(&self) -> u32 {
        self.credit_held().most
    }

    fn credit_held(&self) -> MutexGuard<'_, Credit> {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the worker was heard of.
    pub fn heard(&self) {
        self.was_heard.store(true, Ordering::Relaxed);
    }

    /// Notes attempts that are traced.
    pub(super) fn trace(&self, attempts: impl IntoIterator<Item = AttemptRef>) {
        self.traced().extend(attempts);
    }

    /// Whether any attempt is traced.
    pub(super) fn traces_any(&self) -> bool {
        !self.traced().is_empty()
    }

    /// Forgets an attempt; answers with whether it was traced.
    pub(super) fn end_trace(&self, attempt: AttemptRef) -> bool {
        self.traced().remove(&attempt)
    }

    fn traced(&self) -> MutexGuard<'_, HashSet<AttemptRef>> {
        self.traced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the worker was heard of since the last call.
    pub fn take_heard(&self) -> bool {
        self.was_heard.swap(false, Ordering::Relaxed)
    }
}
