//! What waits to be sent to one worker. Bounded by the credit that the worker granted, by leasing it nothing more while
//! many bytes wait, and by waiting before more reports are heard while many answers have not been read; a slow worker
//! slows nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::Error;
use crate::domain::{Assignment, AttemptRef, Stop, limits};

/// Answers that may wait before no more reports are heard: as many as the tasks that a worker can hold by its credit,
/// so that one that reports all of them before it reads is heard.
const MOST_ANSWERS: usize = limits::CREDIT as usize + limits::BATCH;

/// Bytes of tasks that may wait before nothing more is leased to the worker.
const MOST_BYTES: usize = 16 << 20;

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
    /// What they have of data.
    bytes: usize,
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

    /// Whether nothing more was leased to the worker while this waited.
    pub fn was_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }
}

/// A mailbox with one reader.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Outgoing>,
    /// Read and written under the lock of `waiting`.
    is_closed: AtomicBool,
    arrived: Notify,
    taken: Notify,
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
        waiting.bytes += assignments.iter().map(Assignment::bytes).sum::<usize>();
        waiting.assignments.extend(assignments);
        drop(waiting);
        self.arrived.notify_one();
        Vec::new()
    }

    /// Whether so much waits that nothing more should come.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).was_full()
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
        let taken =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.taken.notify_one();
        taken
    }

    /// Waits while more answers have not been read than a worker has reason to leave unread. For one waiter; cancel
    /// safe.
    pub async fn has_space(&self) {
        loop {
            let answers = {
                let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.acks.len() + waiting.stops.len()
            };
            if answers <= MOST_ANSWERS {
                return;
            }
            self.taken.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::domain::TaskId;

    #[tokio::test]
    async fn who_does_not_read_answers_is_heard_no_more_until_they_are_taken() {
        let outbox = Outbox::default();
        let task = TaskId(uuid::Uuid::nil());
        let ack = Ack { attempt: AttemptRef { task, attempt: 1 }, result: Ok(()) };
        outbox.push(|out| out.acks = vec![ack.clone(); MOST_ANSWERS]);
        assert!(outbox.has_space().now_or_never().is_some(), "all that it can hold");
        outbox.push(|out| out.acks.push(ack));
        let mut space = std::pin::pin!(outbox.has_space());
        assert!(space.as_mut().now_or_never().is_none(), "one more");
        assert_eq!(outbox.take().acks.len(), MOST_ANSWERS + 1);
        assert!(space.now_or_never().is_some(), "taken");
    }
}
