//! What waits to be sent to one worker. Bounded by the credit that the worker granted and by what
//! it reported; a slow worker slows nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::Error;
use crate::domain::{Assignment, AttemptRef, Stop};

/// What became of one report.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The attempt that was reported.
    pub attempt: AttemptRef,
    /// Whether the report is durable and in force.
    pub result: Result<(), Error>,
}

/// Everything that waits, in the order of its fields.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// What became of reports.
    pub acks: Vec<Ack>,
    /// Attempts to stop.
    pub stops: Vec<Stop>,
    /// Tasks to run.
    pub assignments: Vec<Assignment>,
    /// Whether the server stops.
    pub drain: bool,
    /// The session has ended for this reason; nothing follows.
    pub ended: Option<Error>,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.acks.is_empty()
            && self.stops.is_empty()
            && self.assignments.is_empty()
            && !self.drain
            && self.ended.is_none()
    }
}

/// A mailbox with one reader.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Outgoing>,
    /// Read and written under the lock of `waiting`.
    is_closed: AtomicBool,
    arrived: Notify,
}

impl Outbox {
    /// Adds to what waits.
    pub fn push(&self, add: impl FnOnce(&mut Outgoing)) {
        add(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.arrived.notify_one();
    }

    /// Adds tasks to run; gives them back if the reader is gone.
    pub fn assign(&self, assignments: Vec<Assignment>) -> Vec<Assignment> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closed.load(Ordering::Relaxed) {
            return assignments;
        }
        waiting.assignments.extend(assignments);
        drop(waiting);
        self.arrived.notify_one();
        Vec::new()
    }

    /// The reader is gone: answers with the tasks that it has not read.
    pub fn close(&self) -> Vec<Assignment> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_closed.store(true, Ordering::Relaxed);
        std::mem::take(&mut waiting.assignments)
    }

    /// Takes what waits; waits for something if there is nothing. Cancel safe.
    pub async fn next(&self) -> Outgoing {
        loop {
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    /// Takes what waits, which may be nothing.
    pub fn take(&self) -> Outgoing {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
