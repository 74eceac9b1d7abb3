//! Low-water marks: from where on a claim looks.
//!
//! A claim that began at the head of a lane would step over every dead index entry that nobody has
//! vacuumed yet: a few in good times, millions while somebody holds a snapshot. So it begins where the
//! last one ended. Whatever comes back with an earlier place lowers the mark; what was missed all the
//! same (another replica's hint was lost, a submit took very long to commit) is found by a look without
//! marks every [`FULL_LOOK`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::limits;
use crate::store::{Claimed, Pair};

/// How often a pool looks without marks.
pub(super) const FULL_LOOK: Duration = Duration::from_secs(10);
/// Rows younger than this may still be committed by others: no mark comes closer to the present.
pub(super) const SLACK: SignedDuration = SignedDuration::from_secs(3);

/// The marks of this replica, by lane and priority.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Nothing before this is ready.
    marks: HashMap<(i32, i16), Timestamp>,
    /// When the marks of a lane were lowered last, counted in [`State::count`].
    lowered: HashMap<i32, u64>,
    count: u64,
}

/// A look that is under way.
#[derive(Debug)]
pub(super) struct Look {
    /// Where to look, highest priority first.
    pub pairs: Vec<Pair>,
    is_full: bool,
    /// [`State::count`] when it began.
    began: u64,
}

impl Marks {
    /// Begins a look at lanes; `is_full`: without marks.
    pub(super) fn look(&self, lanes: &[i32], is_full: bool) -> Look {
        let state = self.lock();
        let mark = |lane, priority| match state.marks.get(&(lane, priority)) {
            Some(mark) if !is_full => *mark,
            _ => Timestamp::UNIX_EPOCH,
        };
        let pairs = (0..=highest()).rev().flat_map(|priority| {
            lanes.iter().map(move |&lane| Pair { lane, priority, mark: mark(lane, priority) })
        });
        Look { pairs: pairs.collect(), is_full, began: state.count }
    }

    /// A look has ended: before the last task that it took from a lane and priority nothing is left.
    pub(super) fn raise(&self, look: &Look, claimed: &[Claimed]) {
        let mut last: HashMap<(i32, i16), Timestamp> = HashMap::new();
        for task in claimed {
            let latest = task.started_at.checked_sub(SLACK).unwrap_or(Timestamp::UNIX_EPOCH);
            let at = last.entry((task.lane, task.priority)).or_insert(Timestamp::UNIX_EPOCH);
            *at = (*at).max(task.run_at.min(latest));
        }
        let mut state = self.lock();
        for ((lane, priority), from) in last {
            // What came back while the look was under way may have been missed by it.
            if state.lowered.get(&lane).is_none_or(|at| *at <= look.began) {
                let mark = state.marks.entry((lane, priority)).or_insert(from);
                *mark = if look.is_full { from } else { from.max(*mark) };
            }
        }
    }

    /// Tasks came back to a lane; the oldest has this place in line.
    pub(super) fn lower(&self, lane: i32, to: Timestamp) {
        let mut state = self.lock();
        state.count += 1;
        let count = state.count;
        state.lowered.insert(lane, count);
        for priority in 0..=highest() {
            if let Some(mark) = state.marks.get_mut(&(lane, priority)) {
                *mark = to.min(*mark);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn highest() -> i16 {
    i16::try_from(limits::PRIORITY).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TaskId;

    const NOW: &str = "2026-01-01T00:01:00Z";

    fn at(second: i64) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs(second)
    }

    fn claimed(run_at: Timestamp) -> Claimed {
        Claimed {
            id: TaskId(uuid::Uuid::nil()),
            lane: 1,
            slot: 0,
            priority: 5,
            run_at,
            attempt: 1,
            tries: 1,
            started_at: NOW.parse().unwrap(),
            deadline_at: None,
            payload: crate::domain::Payload::default(),
            retry: None,
            labels: std::collections::BTreeMap::new(),
            traceparent: None,
            created_at: run_at,
            progress: None,
            checkpoint: bytes::Bytes::new(),
        }
    }

    fn mark(marks: &Marks) -> Timestamp {
        let look = marks.look(&[1], false);
        look.pairs.iter().find(|pair| pair.priority == 5).unwrap().mark
    }

    #[test]
    fn a_look_begins_where_the_last_one_ended() {
        let marks = Marks::default();
        assert_eq!(mark(&marks), Timestamp::UNIX_EPOCH);
        marks.raise(&marks.look(&[1], false), &[claimed(at(10)), claimed(at(20))]);
        assert_eq!(mark(&marks), at(20));
        marks.raise(&marks.look(&[1], false), &[]);
        assert_eq!(mark(&marks), at(20));
    }

    #[test]
    fn a_mark_stays_away_from_the_present() {
        let marks = Marks::default();
        marks.raise(&marks.look(&[1], false), &[claimed(at(59))]);
        assert_eq!(mark(&marks), at(57));
    }

    #[test]
    fn what_comes_back_lowers_the_mark_also_during_a_look() {
        let marks = Marks::default();
        marks.raise(&marks.look(&[1], false), &[claimed(at(20))]);
        let look = marks.look(&[1], false);
        marks.lower(1, at(12));
        marks.raise(&look, &[claimed(at(30))]);
        assert_eq!(mark(&marks), at(12), "the look had begun before");
        marks.raise(&marks.look(&[1], false), &[claimed(at(30))]);
        assert_eq!(mark(&marks), at(30));
        marks.lower(1, Timestamp::UNIX_EPOCH);
        assert_eq!(mark(&marks), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn what_comes_back_during_the_first_look_at_a_lane_is_not_passed() {
        let marks = Marks::default();
        let look = marks.look(&[1], false);
        marks.lower(1, at(5));
        marks.raise(&look, &[claimed(at(30))]);
        assert_eq!(mark(&marks), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_full_look_finds_what_was_missed_and_goes_on_from_there() {
        let marks = Marks::default();
        marks.raise(&marks.look(&[1], false), &[claimed(at(50))]);
        let look = marks.look(&[1], true);
        assert!(look.pairs.iter().all(|pair| pair.mark == Timestamp::UNIX_EPOCH));
        marks.raise(&look, &[claimed(at(5))]);
        assert_eq!(mark(&marks), at(5), "more may lie between");
    }

    #[test]
    fn two_looks_at_once_never_move_a_mark_back() {
        let marks = Marks::default();
        let (one, two) = (marks.look(&[1], false), marks.look(&[1], false));
        marks.raise(&two, &[claimed(at(40))]);
        marks.raise(&one, &[claimed(at(30))]);
        assert_eq!(mark(&marks), at(40));
    }
}
