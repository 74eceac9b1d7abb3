//! Where the time comes from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When so much time will be over. More than a clock can tell is as good as thirty years.
pub fn moment_in(wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(wait).or_else(|| now.checked_add(FAR)).unwrap_or(now)
}

/// The time, for everything that is not a wait inside the process (that is `tokio::time`).
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time of this process: for ids, answers and verdicts.
    fn now(&self) -> Timestamp;
    /// The time that statements use in place of the database's own; `None` in production, so that
    /// replicas need not agree on the time.
    fn pinned(&self) -> Option<Timestamp>;

    /// Moves the clock forward; false if it cannot be moved.
    fn advance(&self, by: Duration) -> bool {
        let _ = by;
        false
    }

    /// How far it was moved forward; `None` if it cannot be moved, or does not go by itself.
    fn advanced(&self) -> Option<Duration> {
        None
    }
}

/// The real time; statements use the database's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn pinned(&self) -> Option<Timestamp> {
        None
    }
}

/// The real time, and as much more as it was moved forward: for development. Clones share the hand.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock(Arc<Mutex<Duration>>);

impl VirtualClock {
    fn ahead(&self) -> SignedDuration {
        SignedDuration::try_from(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
            .unwrap_or(SignedDuration::MAX)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(self.ahead()).unwrap_or(Timestamp::MAX)
    }

    fn pinned(&self) -> Option<Timestamp> {
        (!self.ahead().is_zero()).then(|| self.now())
    }

    fn advance(&self, by: Duration) -> bool {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by);
        true
    }

    fn advanced(&self) -> Option<Duration> {
        Some(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A clock that tests set. Clones share the hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the hand forward, for this process and for its statements.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pinned(&self) -> Option<Timestamp> {
        Some(self.now())
    }

    fn advance(&self, by: Duration) -> bool {
        Self::advance(self, by);
        true
    }
}
