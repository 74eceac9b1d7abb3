//! The entries of a plan, each of which names times.

use crate::{elapsed::Elapsed, exclusion::Exclusions, rule::Rule, wall::Wall, zone::Zone};

/// A trigger, compiled.
#[derive(Debug)]
pub(crate) enum Entry {
    Elapsed(Elapsed),
    Wall(Wall),
}

/// A nominal time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) second: i64,
    pub(crate) rule: Rule,
    pub(crate) is_excluded: bool,
}

/// What all entries of a plan share.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) zone: &'a Zone,
    pub(crate) exclusions: &'a Exclusions,
}

impl Entry {
    /// The first time at or after `from`, a second of the horizon.
    pub(crate) fn first_at_or_after(&self, from: i64, setting: Setting<'_>) -> Option<Moment> {
        match self {
            Self::Elapsed(elapsed) => {
                let second = elapsed.first_at_or_after(from)?;
                let is_excluded = setting.exclusions.cover(second, setting.zone.local(second));
                Some(Moment { second, rule: Rule::Plain, is_excluded })
            }
            Self::Wall(wall) => wall.first_at_or_after(from, setting),
        }
    }
}

impl Moment {
    /// One of two times of the same second or of different ones: the earlier, or both as one.
    pub(crate) fn merge(self, other: Self) -> Self {
        if self.second != other.second {
            return if self.second < other.second { self } else { other };
        }
        Self {
            second: self.second,
            rule: self.rule.min(other.rule),
            is_excluded: self.is_excluded && other.is_excluded,
        }
    }
}

/// The earliest of some times, merged.
pub(crate) fn earliest(moments: impl IntoIterator<Item = Option<Moment>>) -> Option<Moment> {
    moments.into_iter().flatten().reduce(Moment::merge)
}
