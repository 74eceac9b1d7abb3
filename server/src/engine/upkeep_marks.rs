//! From where on upkeep looks.
//!
//! The indexes by due time and by end keep an entry of everything that was due until a vacuum removes it: as long as
//! somebody holds a snapshot, of all that was due since. A look that began at the head would step over them each time,
//! more from second to second. So it begins shortly before the last one. What comes in is due later than that: all
//! times are reckoned by the database's clock when a row is written. What is committed late, or written by a clock
//! that was set back, is found by a look at everything every [`FULL_LOOK`].

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use super::marks::{FULL_LOOK, SLACK};
use crate::store::{Since, UpkeepLook};

/// What the last look has left behind it.
#[derive(Debug)]
pub(super) struct UpkeepMarks(Mutex<State>);

#[derive(Debug)]
struct State {
    since: Since,
    full_look_at: Instant,
}

impl UpkeepMarks {
    /// Nobody has looked yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { since: Since::default(), full_look_at: Instant::now() }))
    }

    /// From where on to look now; once in a while at everything.
    pub(super) fn since(&self, now: Instant) -> Since {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= state.full_look_at {
            state.full_look_at = now + FULL_LOOK;
            state.since = Since::default();
        }
        state.since
    }

    /// A look that began there has found this.
    pub(super) fn looked(&self, from: Since, found: &UpkeepLook) {
        let Some(at) = found.at else { return };
        let latest = at.checked_sub(SLACK).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another look may have begun at everything since.
        if state.since == from {
            state.since.due = found.due.map_or(latest, |due| due.min(latest)).max(from.due);
            if !found.is_overdue {
                state.since.ends = latest.max(from.ends);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn found(due: Option<i64>, is_overdue: bool) -> UpkeepLook {
        UpkeepLook { at: Some(at(100)), due: due.map(at), wait: None, is_overdue }
    }

    #[test]
    fn a_look_begins_shortly_before_the_last_one_unless_that_has_left_something() {
        for (due, is_overdue, expected) in [
            (None, false, Since { due: at(97), ends: at(97) }),
            (Some(200), false, Since { due: at(97), ends: at(97) }),
            (Some(90), false, Since { due: at(90), ends: at(97) }),
            (None, true, Since { due: at(97), ends: Timestamp::UNIX_EPOCH }),
        ] {
            let (marks, now) = (UpkeepMarks::new(), Instant::now());
            assert_eq!(marks.since(now), Since::default());
            marks.looked(Since::default(), &found(due, is_overdue));
            assert_eq!(marks.since(now), expected, "{due:?} {is_overdue}");
            assert_eq!(marks.since(now + FULL_LOOK), Since::default(), "at everything");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_moves_no_mark_back_and_a_look_from_before_none_at_all() {
        let (marks, now) = (UpkeepMarks::new(), Instant::now());
        marks.since(now);
        marks.looked(Since::default(), &found(None, false));
        let since = marks.since(now);
        let before = UpkeepLook { at: Some(at(50)), ..found(None, false) };
        marks.looked(since, &before);
        assert_eq!(marks.since(now), since);
        marks.since(now + FULL_LOOK);
        marks.looked(since, &found(None, false));
        assert_eq!(marks.since(now + FULL_LOOK), Since::default());
    }
}
