//! The fires of a plan, one after the other.

use jiff::{SignedDuration, Timestamp};

use crate::{
    entry::{Moment, earliest},
    local::timestamp,
    plan::Inner,
    rule::Rule,
    stable_hash,
};

/// One time at which a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fire {
    /// What the schedule means: a whole second. It identifies the fire within the schedule.
    pub nominal: Timestamp,
    /// `nominal` plus jitter; before the next nominal time.
    pub due: Timestamp,
    /// What made the nominal time.
    pub rule: Rule,
    /// Whether an exclusion covers it: it is told, but makes no task.
    pub excluded: bool,
}

/// An iterator over fires in order of time, their nominal times strictly rising.
#[derive(Debug)]
pub struct Fires<'a> {
    plan: &'a Inner,
    /// The next time of each entry.
    ahead: Vec<Option<Moment>>,
}

impl<'a> Fires<'a> {
    /// The fires with a nominal time at or after `from`.
    pub(crate) fn new(plan: &'a Inner, from: i64) -> Self {
        let from = from.max(plan.start);
        let first = |entry| plan.first_of(entry, from);
        Self { plan, ahead: plan.entries.iter().map(first).collect() }
    }

    /// The next time of all entries, and steps those over it that name it.
    fn take(&mut self) -> Option<Moment> {
        let next = earliest(self.ahead.iter().copied())?;
        for (ahead, entry) in self.ahead.iter_mut().zip(&self.plan.entries) {
            if ahead.is_some_and(|moment| moment.second == next.second) {
                *ahead = self.plan.first_of(entry, next.second + 1);
            }
        }
        Some(next)
    }

    /// What comes after the nominal time, in milliseconds: less than the plan's jitter, and less than
    /// the time to the next fire.
    fn jitter_millis(&self, nominal: i64) -> u64 {
        if self.plan.jitter_millis == 0 {
            return 0;
        }
        let next = earliest(self.ahead.iter().copied());
        let room = next.map_or(u64::MAX, |next| next.second.abs_diff(nominal) * 1000);
        let below = self.plan.jitter_millis.min(room);
        stable_hash::below(below, &self.plan.seed, "jitter", nominal)
    }
}

impl Iterator for Fires<'_> {
    type Item = Fire;

    fn next(&mut self) -> Option<Fire> {
        let Moment { second, rule, is_excluded } = self.take()?;
        let nominal = timestamp(second);
        let jitter = i64::try_from(self.jitter_millis(second)).expect("less than a day");
        let due = nominal + SignedDuration::from_millis(jitter);
        Some(Fire { nominal, due, rule, excluded: is_excluded })
    }
}

impl std::iter::FusedIterator for Fires<'_> {}
