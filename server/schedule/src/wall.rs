//! From the clock on the wall to instants.
//!
//! Within a segment of a zone local time is UTC plus a constant, so a pattern is searched in local
//! time and its match is an instant. What is special happens where a segment begins: local time is
//! skipped there, or what the end of the segment before has shown is shown again.

use std::ops::Range;

use crate::{
    calendar::Calendar,
    cron::Cron,
    entry::{Moment, Setting, earliest},
    local::{BEGIN, Local},
    rule::Rule,
    spec::{GapPolicy, RepeatPolicy},
    zone::Segment,
};

/// Local times that come back for ever, or end.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Cron(Box<Cron>),
    Calendar(Calendar),
}

/// An entry that means local times.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    pub(crate) pattern: Pattern,
    gap: GapPolicy,
    repeat: RepeatPolicy,
}

/// No offset is as large as this, in seconds.
const MORE_THAN_ANY_OFFSET: i64 = 26 * 3600;

/// How many of the times in one gap are asked whether they are excluded, before all are taken to be.
const LOOK_AT_IN_GAP: usize = 1000;

impl Pattern {
    /// The first match at or after `from`, if there is one in the horizon.
    pub(crate) fn first_at_or_after(&self, from: Local) -> Option<Local> {
        match self {
            Self::Cron(cron) => cron.first_at_or_after(from),
            Self::Calendar(calendar) => calendar.first_at_or_after(from),
        }
    }

    pub(crate) fn matches(&self, local: Local) -> bool {
        match self {
            Self::Cron(cron) => cron.matches(local),
            Self::Calendar(_) => self.first_at_or_after(local) == Some(local),
        }
    }

    fn is_wild(&self) -> bool {
        matches!(self, Self::Cron(cron) if cron.is_wild)
    }

    fn first_within(&self, range: &Range<Local>) -> Option<Local> {
        self.first_at_or_after(range.start).filter(|local| *local < range.end)
    }

    fn all_within(&self, range: Range<Local>) -> impl Iterator<Item = Local> {
        let end = range.end;
        std::iter::successors(self.first_within(&range), move |last| {
            self.first_within(&(Local(last.0 + 1)..end))
        })
    }
}

impl Wall {
    pub(crate) fn new(
        pattern: Pattern,
        gap: Option<GapPolicy>,
        repeat: Option<RepeatPolicy>,
    ) -> Self {
        let (usual_gap, usual_repeat) = if pattern.is_wild() {
            (GapPolicy::Skip, RepeatPolicy::Both)
        } else {
            (GapPolicy::RunAfter, RepeatPolicy::First)
        };
        Self { pattern, gap: gap.unwrap_or(usual_gap), repeat: repeat.unwrap_or(usual_repeat) }
    }

    /// The first time at or after `from`, a second of the horizon.
    pub(crate) fn first_at_or_after(&self, from: i64, setting: Setting<'_>) -> Option<Moment> {
        let zone = setting.zone;
        let mut index = zone.index_at(from)?;
        loop {
            if let Some(moment) = self.in_segment(index, from, setting) {
                return Some(moment);
            }
            // Nothing up to the end of the segment, so look where the pattern goes on. What comes
            // shows local times from here on, all the way; only the next segment may go back.
            let (segment, next) = (zone.segment(index)?, zone.segment(index + 1)?);
            let least = Local(segment.end + segment.offset.min(next.offset));
            let upcoming = self.pattern.first_at_or_after(least)?;
            let not_before = (upcoming.0 - MORE_THAN_ANY_OFFSET).max(BEGIN);
            index = zone.index_at(not_before)?.max(index + 1);
        }
    }

    /// The first time at or after `from` that segment `index` or the gap before it makes.
    fn in_segment(&self, index: usize, from: i64, setting: Setting<'_>) -> Option<Moment> {
        let segment = setting.zone.segment(index)?;
        let made_up = setting.zone.gap_before(index).and_then(|gap| match self.gap {
            GapPolicy::RunAfter => self.moved(gap, segment, from, setting),
            GapPolicy::Shift => self.shifted(gap, segment, from, setting),
            GapPolicy::Skip => None,
        });
        earliest([made_up, self.shown(index, from, setting)])
    }

    /// The first time that the clocks of segment `index` show.
    fn shown(&self, index: usize, from: i64, setting: Setting<'_>) -> Option<Moment> {
        let segment = setting.zone.segment(index)?;
        let last_pass_ends = segment.start + setting.zone.last_pass(index);
        let first_pass_starts = segment.end - setting.zone.last_pass(index + 1);
        let (start, end) = match self.repeat {
            RepeatPolicy::First => (last_pass_ends, segment.end),
            RepeatPolicy::Last => (segment.start, first_pass_starts),
            RepeatPolicy::Both => (segment.start, segment.end),
        };

        let range = segment.local(from.max(start))..segment.local(end);
        let local = self.pattern.first_within(&range)?;
        let second = segment.second(local);
        let rule = if second < last_pass_ends {
            Rule::Last
        } else if second >= first_pass_starts {
            Rule::First
        } else {
            Rule::Plain
        };
        Some(Moment { second, rule, is_excluded: setting.exclusions.cover(second, local) })
    }

    /// Everything in the gap, at the instant after it.
    fn moved(
        &self,
        gap: Range<Local>,
        after: Segment,
        from: i64,
        setting: Setting<'_>,
    ) -> Option<Moment> {
        let second = after.start;
        if second < from {
            return None;
        }
        self.pattern.first_within(&gap)?;
        let is_excluded = !setting.exclusions.are_none()
            && self
                .pattern
                .all_within(gap)
                .take(LOOK_AT_IN_GAP)
                .all(|local| setting.exclusions.cover(second, local));
        Some(Moment { second, rule: Rule::GapMoved, is_excluded })
    }

    /// The first in the gap, at the instant that it would have been with the offset from before.
    fn shifted(
        &self,
        gap: Range<Local>,
        after: Segment,
        from: i64,
        setting: Setting<'_>,
    ) -> Option<Moment> {
        let offset_before = gap.start.0 - after.start;
        let start = gap.start.max(Local(from + offset_before));
        let local = self.pattern.first_within(&(start..gap.end))?;
        let second = local.0 - offset_before;
        let is_excluded = setting.exclusions.cover(second, local);
        Some(Moment { second, rule: Rule::GapShifted, is_excluded })
    }
}
