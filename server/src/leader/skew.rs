//! Whether the database's clock goes as ours does. It decides what is due, so a jump of it makes
//! schedules fire at the wrong time; nobody can undo that, but somebody should know.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::boottime::BootTime;

/// The clocks may disagree so much about the time between two readings.
const ALLOWED: SignedDuration = SignedDuration::from_secs(5);

/// Compares the two clocks from one renewal to the next.
#[derive(Debug, Default)]
pub(super) struct SkewGuard {
    last: Option<Reading>,
}

/// The database's clock was read some time between two moments of ours.
#[derive(Debug, Clone, Copy)]
struct Reading {
    began: BootTime,
    ended: BootTime,
    at: Timestamp,
}

impl SkewGuard {
    /// Takes a reading; how far the database's clock has jumped since the one before, if it has for
    /// sure. A slow answer widens what is possible and is no jump.
    pub(super) fn observe(
        &mut self,
        began: BootTime,
        ended: BootTime,
        at: Timestamp,
    ) -> Option<SignedDuration> {
        let last = self.last.replace(Reading { began, ended, at })?;
        let theirs = at.duration_since(last.at);
        let too_far = theirs.saturating_sub(signed(ended.since(last.began)));
        let not_enough = theirs.saturating_sub(signed(began.since(last.ended)));
        if too_far > ALLOWED {
            Some(too_far)
        } else if not_enough < -ALLOWED {
            Some(not_enough)
        } else {
            None
        }
    }
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    fn theirs(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_jump_is_seen_once_in_either_direction() {
        for jump in [3_600_000, -3_600_000] {
            let mut guard = SkewGuard::default();
            assert_eq!(guard.observe(ours(0), ours(10), theirs(0)), None);
            let seen = guard.observe(ours(1_000), ours(1_010), theirs(1_000 + jump)).unwrap();
            assert!((seen.as_millis() - i128::from(jump)).abs() <= 20, "{seen}");
            assert_eq!(guard.observe(ours(2_000), ours(2_010), theirs(2_000 + jump)), None);
        }
    }

    #[test]
    fn small_differences_are_no_jump() {
        let mut guard = SkewGuard::default();
        guard.observe(ours(0), ours(10), theirs(0));
        assert_eq!(guard.observe(ours(1_000), ours(1_010), theirs(5_900)), None);
        assert_eq!(guard.observe(ours(2_000), ours(2_010), theirs(2_000)), None);
    }

    #[test]
    fn a_slow_answer_is_no_jump() {
        let mut guard = SkewGuard::default();
        guard.observe(ours(0), ours(7_000), theirs(6_900));
        assert_eq!(guard.observe(ours(7_000), ours(14_000), theirs(7_100)), None);
        assert_eq!(guard.observe(ours(14_000), ours(21_000), theirs(20_900)), None);
    }
}
