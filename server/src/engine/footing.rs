//! Whether this replica may judge that workers are gone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Longest pause between two looks at the database for the time before to count.
const GAP: Duration = Duration::from_secs(5);
/// How long looks have to succeed before workers are judged: every replica that lives has written down several times by
/// then whom it has heard of.
const SETTLED: Duration = Duration::from_secs(5);

/// While the database was away nobody could write down that a worker lives, so that all of them seem gone when it
/// comes back. Who looks first must not end their sessions before their replicas have had time to write.
#[derive(Debug, Default)]
pub(super) struct Footing(Mutex<Option<Looks>>);

/// Looks that have succeeded one after the other.
#[derive(Debug, Clone, Copy)]
struct Looks {
    first: Instant,
    last: Instant,
}

impl Footing {
    /// A look at the database has succeeded.
    pub(super) fn looked(&self, now: Instant) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match *looks {
            Some(before) if now - before.last <= GAP => before.first,
            _ => now,
        };
        *looks = Some(Looks { first, last: now });
    }

    /// Whether looks have succeeded for long enough.
    pub(super) fn is_firm(&self, now: Instant) -> bool {
        let looks = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.is_some_and(|looks| looks.last - looks.first >= SETTLED && now - looks.last <= GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Looks once a second for so many seconds, from then on; when the last one was.
    fn look_for(footing: &Footing, seconds: u32, from: Instant) -> Instant {
        for n in 0..=seconds {
            footing.looked(from + n * SECOND);
        }
        from + seconds * SECOND
    }

    #[test]
    fn nobody_is_judged_before_looks_have_succeeded_for_a_while() {
        let footing = Footing::default();
        let start = Instant::now();
        assert!(!footing.is_firm(start));
        let now = look_for(&footing, 4, start);
        assert!(!footing.is_firm(now));
        let now = look_for(&footing, 1, now);
        assert!(footing.is_firm(now));
    }

    #[test]
    fn g_22_after_an_outage_workers_have_time_to_be_heard_of() {
        let footing = Footing::default();
        let before = look_for(&footing, 60, Instant::now());
        assert!(footing.is_firm(before));
        let back = before + 40 * SECOND;
        assert!(!footing.is_firm(back), "while it lasts");
        footing.looked(back);
        assert!(!footing.is_firm(back), "when it is over");
        let now = look_for(&footing, 5, back);
        assert!(footing.is_firm(now));
    }
}
