//! Queues in which so much waits that they take nothing more in. The leader finds them when it counts for the
//! metrics, and tells the others: a submit costs no count of its own. So a queue may get longer than its limit
//! until the next look, and what schedules make is never refused.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::Error;
use super::registry::Lane;
use crate::domain::QueueName;

/// Number of the namespace, and name.
pub(super) type QueueId = (i32, QueueName);

/// Which queues are full, as of the leader's last look.
#[derive(Debug)]
pub(super) struct Fullness {
    /// Most waiting tasks of a queue; 0: as many as there are.
    limit: usize,
    /// Whether any is: all that is asked while none is.
    any: AtomicBool,
    full: RwLock<Full>,
}

#[derive(Debug, Default)]
struct Full {
    queues: HashSet<QueueId>,
    /// When this is forgotten: nobody may be left to say that there is room again.
    until: Option<Instant>,
}

impl Fullness {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, any: AtomicBool::new(false), full: RwLock::default() }
    }

    /// Whether a queue is full with so many waiting tasks.
    pub(super) fn is_reached(&self, waiting: i64) -> bool {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        limit > 0 && waiting >= limit
    }

    /// These are full, and no others, for so long at most.
    pub(super) fn set(&self, queues: HashSet<QueueId>, lasts: Duration) {
        self.any.store(!queues.is_empty(), Ordering::Relaxed);
        let until = Instant::now().checked_add(lasts);
        *self.full.write().unwrap_or_else(PoisonError::into_inner) = Full { queues, until };
    }

    /// Whether a lane takes tasks in.
    ///
    /// # Errors
    /// If its queue is full.
    pub(super) fn check(&self, lane: &Lane) -> Result<(), Error> {
        if !self.any.load(Ordering::Relaxed) {
            return Ok(());
        }
        let full = self.full.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = full.until.is_some_and(|until| Instant::now() < until);
        if is_known && full.queues.contains(&(lane.namespace_id, lane.queue.clone())) {
            return Err(Error::QueueFull { queue: lane.queue.clone(), limit: self.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Namespace};

    fn lane(namespace_id: i32, queue: &str) -> Lane {
        Lane {
            id: 1,
            namespace_id,
            namespace: Namespace::parse("acme").unwrap(),
            queue: QueueName::parse(queue).unwrap(),
            kind: Kind::parse("work").unwrap(),
            version: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_takes_nothing_in_until_that_is_over_or_too_old_to_be_believed() {
        let fullness = Fullness::new(10);
        assert!(!fullness.is_reached(9) && fullness.is_reached(10));
        assert!(!Fullness::new(0).is_reached(i64::MAX));
        let mail = lane(1, "mail");
        let full = || HashSet::from([(1, mail.queue.clone())]);
        fullness.check(&mail).unwrap();
        fullness.set(full(), Duration::from_secs(30));
        assert!(matches!(fullness.check(&mail), Err(Error::QueueFull { limit: 10, .. })));
        fullness.check(&lane(2, "mail")).unwrap();
        fullness.check(&lane(1, "other")).unwrap();
        fullness.set(HashSet::new(), Duration::from_secs(30));
        fullness.check(&mail).unwrap();
        fullness.set(full(), Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(30)).await;
        fullness.check(&mail).unwrap();
    }
}
