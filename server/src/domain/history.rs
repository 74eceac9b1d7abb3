//! Partitions of what is kept: which of them have to be looked at, and what becomes of them then.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Length of a partition when it is made.
pub const DAY: Duration = Duration::from_secs(86_400);
/// A partition takes no more tasks when this has passed since its last id: more than clocks of replicas, and
/// submits that wait, can be off. Until then it is made anew, and no longer: nothing would keep it.
pub const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// How often a partition is looked at beside the times that its retention gives: for tasks that came to their
/// end late.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Partitions with fewer tasks to keep than this are put together.
const FEW: u64 = 200_000;

/// Tasks with ids in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What the names of its tables end with.
    pub suffix: String,
    /// Its first id.
    pub first: Uuid,
    /// The first id after it.
    pub last: Uuid,
    /// When it was looked at.
    pub examined_at: Option<Timestamp>,
    /// How many tasks it had to keep then.
    pub tasks: Option<u64>,
}

/// What becomes of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing in it was kept long enough.
    Stays,
    /// Few tasks are deleted one by one.
    Thinned,
    /// Few tasks are kept in a new partition; this one is dropped.
    Replaced,
    /// Nothing has to be kept.
    Dropped,
}

/// The smallest id of a task accepted at `time` or later: its first 48 bits are milliseconds since 1970 (RFC
/// 9562, section 5.7).
pub fn first_id_at(time: Timestamp) -> Uuid {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(u128::from(milliseconds & 0xffff_ffff_ffff) << 80)
}

/// When the first task with this id or a later one can have been accepted.
fn time_of(id: Uuid) -> Timestamp {
    let milliseconds = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

impl Partition {
    /// Whether no more tasks come into it.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(time_of(self.last)) >= SETTLED
    }

    /// Whether it has to be looked at, if tasks are kept for these times.
    pub fn is_due(&self, retentions: &[Duration], now: Timestamp) -> bool {
        let age = now.duration_since(time_of(self.last));
        let due =
            |retention: &&Duration| SignedDuration::try_from(**retention).is_ok_and(|r| r <= age);
        if !self.is_settled(now) || !retentions.iter().any(|retention| due(&retention)) {
            return false;
        }
        let Some(examined_at) = self.examined_at else { return true };
        let then = examined_at.duration_since(time_of(self.last));
        let since = retentions.iter().filter(due).any(|retention| {
            SignedDuration::try_from(*retention).is_ok_and(|retention| retention > then)
        });
        since || now.duration_since(examined_at) >= AGAIN
    }

    /// What becomes of it if so many of its tasks were kept long enough, and so many have to be kept.
    pub fn fate(gone: u64, kept: u64) -> Fate {
        match (gone, kept) {
            (_, 0) => Fate::Dropped,
            (0, _) => Fate::Stays,
            (gone, kept) if gone >= kept => Fate::Replaced,
            _ => Fate::Thinned,
        }
    }

    /// Whether what is kept of it goes together with the partition `before` it.
    pub fn joins(&self, before: &Self, kept: u64) -> bool {
        before.last == self.first && kept < FEW && before.tasks.is_some_and(|tasks| tasks < FEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn partition(examined_at: Option<Timestamp>) -> Partition {
        let last = first_id_at(start());
        Partition { suffix: "x".to_owned(), first: Uuid::nil(), last, examined_at, tasks: Some(7) }
    }

    #[test]
    fn an_id_tells_its_time() {
        assert_eq!(time_of(first_id_at(start())), start());
        assert!(
            first_id_at(start())
                < Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_767_225_600, 0))
        );
        assert_eq!(time_of(Uuid::max()), Timestamp::MAX);
    }

    #[test]
    fn a_partition_is_looked_at_when_a_retention_has_passed_and_once_a_day_after_that() {
        let kept = [DAY, 7 * DAY];
        let never = partition(None);
        for (hours, expected) in [(-5, false), (0, false), (23, false), (24, true), (500, true)] {
            assert_eq!(never.is_due(&kept, start() + HOUR * hours), expected, "{hours}");
        }
        let once = partition(Some(start() + HOUR * 160));
        for (hours, expected) in [(161, false), (167, false), (168, true), (184, true)] {
            assert_eq!(once.is_due(&kept, start() + HOUR * hours), expected, "{hours}");
        }
        let since = partition(Some(start() + HOUR * 169));
        assert!(!since.is_due(&kept, start() + HOUR * 192));
        assert!(since.is_due(&kept, start() + HOUR * 193));
        assert!(!never.is_due(&[], start() + HOUR * 500));
    }

    #[test]
    fn short_retention_waits_until_a_partition_has_settled() {
        assert!(!partition(None).is_due(&[Duration::ZERO], start() + HOUR / 2));
        assert!(partition(None).is_due(&[Duration::ZERO], start() + HOUR));
    }

    #[test]
    fn the_smaller_part_of_a_partition_is_moved() {
        for (gone, kept, expected) in [
            (0, 0, Fate::Dropped),
            (9, 0, Fate::Dropped),
            (0, 9, Fate::Stays),
            (9, 9, Fate::Replaced),
            (9, 1, Fate::Replaced),
            (1, 9, Fate::Thinned),
        ] {
            assert_eq!(Partition::fate(gone, kept), expected, "{gone} {kept}");
        }
    }

    #[test]
    fn small_partitions_side_by_side_go_together() {
        let before = partition(None);
        let after = Partition { first: before.last, last: Uuid::max(), ..partition(None) };
        assert!(after.joins(&before, 10));
        assert!(!after.joins(&before, FEW) && !before.joins(&after, 10));
        assert!(!after.joins(&Partition { tasks: None, ..before }, 10));
    }
}
