//! Whether this replica may judge that workers are gone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How much later than it should a look may come, for the time before to count.
const LATENESS: Duration = Duration::from_secs(5);
/// How long looks have to succeed before workers are judged: every replica that lives has written down several times by
/// then whom it has heard of.
const SETTLED: Duration = Duration::from_secs(5);

/// While the database was away nobody could write down that a worker lives, so that all of them seem gone when it
/// comes back. Who looks first must not end their sessions before their replicas have had time to write.
#[derive(Debug)]
pub(super) struct Footing {
    /// Longest pause between two looks for the time before to count.
    gap: Duration,
    looks: Mutex<Option<Looks>>,
}

/// Looks that have succeeded one after the other.
#[derive(Debug, Clone, Copy)]
struct Looks {
    first: Instant,
    last: Instant,
}

impl Footing {
    /// Nobody has looked yet. Looks come at least once in `every`.
    pub(super) fn new(every: Duration) -> Self {
        Self { gap: every + LATENESS, looks: Mutex::default() }
    }

    /// A look at the database has succeeded.
    pub(super) fn looked(&self, now: Instant) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match *looks {
            Some(before) if now - before.last <= self.gap => before.first,
            _ => now,
        };
        *looks = Some(Looks { first, last: now });
    }

    /// A look at the database has failed.
    pub(super) fn failed(&self) {
        *self.looks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether looks have succeeded for long enough.
    pub(super) fn is_firm(&self, now: Instant) -> bool {
        let looks = *self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.is_some_and(|looks| now - looks.first >= SETTLED && now - looks.last <= self.gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn footing() -> Footing {
        Footing::new(SECOND)
    }

    /// Looks once a second for so many seconds, from then on; when the last one was.
    fn look_for(footing: &Footing, seconds: u32, from: Instant) -> Instant {
        for n in 0..=seconds {
            footing.looked(from + n * SECOND);
        }
        from + seconds * SECOND
    }

    #[test]
    fn nobody_is_judged_before_looks_have_succeeded_for_a_while() {
        let footing = footing();
        let start = Instant::now();
        assert!(!footing.is_firm(start));
        let now = look_for(&footing, 4, start);
        assert!(!footing.is_firm(now));
        let now = look_for(&footing, 1, now);
        assert!(footing.is_firm(now));
    }

    #[test]
    fn g_22_after_an_outage_workers_have_time_to_be_heard_of() {
        let footing = footing();
        let before = look_for(&footing, 60, Instant::now());
        assert!(footing.is_firm(before));
        let back = before + 40 * SECOND;
        assert!(!footing.is_firm(back), "while it lasts");
        footing.looked(back);
        assert!(!footing.is_firm(back), "when it is over");
        let now = look_for(&footing, 5, back);
        assert!(footing.is_firm(now));
        footing.failed();
        footing.looked(now + SECOND);
        assert!(!footing.is_firm(now + SECOND), "after a look that failed");
    }

    #[test]
    fn where_looks_are_rare_workers_are_judged_as_well() {
        let footing = Footing::new(60 * SECOND);
        let start = Instant::now();
        footing.looked(start);
        assert!(footing.is_firm(start + 5 * SECOND));
        footing.looked(start + 62 * SECOND);
        assert!(footing.is_firm(start + 62 * SECOND));
        assert!(!footing.is_firm(start + 128 * SECOND), "nobody looks any more");
    }
}
