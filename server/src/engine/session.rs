//! One connected worker.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use super::outbox::Outbox;
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
    credit: Mutex<u32>,
    was_heard: AtomicBool,
    /// Attempts whose spans are to be sent.
    traced: Mutex<HashSet<AttemptRef>>,
}

impl Session {
    /// A session without credit.
    pub fn new(id: SessionId, namespace: i32, hello: Hello) -> Self {
        Self {
            id,
            namespace,
            hello,
            outbox: Outbox::default(),
            credit: Mutex::new(0),
            was_heard: AtomicBool::new(false),
            traced: Mutex::default(),
        }
    }

    /// Grants more tasks; false if that is more than a worker may grant.
    pub fn grant(&self, more: u32) -> bool {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        match credit.checked_add(more) {
            Some(sum) if sum <= limits::CREDIT => {
                *credit = sum;
                true
            }
            _ => false,
        }
    }

    /// Takes up to `most` of the credit.
    pub fn take_credit(&self, most: u32) -> u32 {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = most.min(*credit);
        *credit -= taken;
        taken
    }

    /// Gives back credit that was taken and not used.
    pub fn give_back(&self, unused: u32) {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        *credit = credit.saturating_add(unused);
    }

    /// Tasks that it could take at once.
    pub fn credit(&self) -> u32 {
        *self.credit.lock().unwrap_or_else(PoisonError::into_inner)
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
