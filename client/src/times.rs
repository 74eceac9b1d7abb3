//! Describing the times of a schedule.

use std::time::Duration;

use bellringer_api::v1 as pb;
use jiff::Timestamp;
use pb::exclusion::Exclusion as Excluded;
use pb::trigger::Trigger as When;

use crate::new_task::{pb_duration, pb_time};

/// When a schedule fires: at the times of every trigger that was added, less the exclusions. Limits
/// and defaults are those of `ScheduleTimes` in the `.proto`.
///
/// ```
/// use bellringer_client::Times;
///
/// let times = Times::cron("30 2 * * MON-FRI").zone("Europe/Berlin").exclude_dates("2026-12-24", "2026-12-26");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times(pb::ScheduleTimes);

impl Times {
    /// By a cron expression: five fields, or six with seconds first, or a nickname as `@daily`.
    pub fn cron(expression: impl Into<String>) -> Self {
        Self::default().or_cron(expression)
    }

    /// By a cron expression as Quartz reads it.
    pub fn quartz(expression: impl Into<String>) -> Self {
        let expression = expression.into();
        let dialect = pb::CronDialect::Quartz.into();
        Self::default().or(When::Cron(pb::CronTrigger { expression, dialect }))
    }

    /// Every so many seconds of elapsed time, counted from `start`, else from 1970.
    pub fn every(every: Duration) -> Self {
        Self::default().or_every(every, Duration::ZERO)
    }

    /// Once.
    pub fn at(time: Timestamp) -> Self {
        Self::default().or_at(time)
    }

    /// At a local time (`02:30`) of every n-th day, week, month or year, counted from a date
    /// (`2026-01-31`). A month that lacks the day uses its last one.
    pub fn calendar(
        every: u32,
        unit: pb::CalendarUnit,
        from_date: impl Into<String>,
        local_time: impl Into<String>,
    ) -> Self {
        Self::default().or(When::Calendar(pb::CalendarTrigger {
            every,
            unit: unit.into(),
            from_date: from_date.into(),
            local_time: local_time.into(),
        }))
    }

    /// Adds the times of a cron expression.
    #[must_use]
    pub fn or_cron(self, expression: impl Into<String>) -> Self {
        let expression = expression.into();
        self.or(When::Cron(pb::CronTrigger { expression, dialect: 0 }))
    }

    /// Adds times by elapsed time, `phase` after whole multiples of `every`.
    #[must_use]
    pub fn or_every(self, every: Duration, phase: Duration) -> Self {
        self.or(When::Interval(pb::IntervalTrigger {
            every: Some(pb_duration(every)),
            anchor: None,
            phase: (!phase.is_zero()).then(|| pb_duration(phase)),
        }))
    }

    /// Adds one time.
    #[must_use]
    pub fn or_at(self, time: Timestamp) -> Self {
        self.or(When::Once(pb::OnceTrigger { at: Some(pb_time(time)) }))
    }

    /// Adds the times of any trigger.
    #[must_use]
    pub fn or(mut self, trigger: When) -> Self {
        self.0.triggers.push(pb::Trigger { trigger: Some(trigger) });
        self
    }

    /// Does not fire on these local dates, both included.
    #[must_use]
    pub fn exclude_dates(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let dates = pb::DateRange { from_date: from.into(), to_date: to.into() };
        self.exclude(Excluded::Dates(dates))
    }

    /// Does not fire at the times of a cron expression.
    #[must_use]
    pub fn exclude_cron(self, expression: impl Into<String>) -> Self {
        let cron = pb::CronTrigger { expression: expression.into(), dialect: 0 };
        self.exclude(Excluded::Trigger(pb::Trigger { trigger: Some(When::Cron(cron)) }))
    }

    /// Does not fire at these times.
    #[must_use]
    pub fn exclude(mut self, exclusion: Excluded) -> Self {
        self.0.exclusions.push(pb::Exclusion { exclusion: Some(exclusion) });
        self
    }

    /// IANA time zone. Default: `UTC`.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.0.zone = zone.into();
        self
    }

    /// No time before this.
    #[must_use]
    pub fn start(mut self, start: Timestamp) -> Self {
        self.0.start = Some(pb_time(start));
        self
    }

    /// No time at or after this.
    #[must_use]
    pub fn end(mut self, end: Timestamp) -> Self {
        self.0.end = Some(pb_time(end));
        self
    }

    /// Each fire is late by a part of this, always the same part for the same time.
    #[must_use]
    pub fn jitter(mut self, most: Duration) -> Self {
        self.0.jitter = Some(pb_duration(most));
        self
    }

    /// What becomes of local times that a clock change skips. Default: as in crontab(5).
    #[must_use]
    pub fn gap(mut self, policy: pb::GapPolicy) -> Self {
        self.0.gap = policy.into();
        self
    }

    /// In which pass of local times that a clock change repeats to fire. Default: as in crontab(5).
    #[must_use]
    pub fn repeat(mut self, policy: pb::RepeatPolicy) -> Self {
        self.0.repeat = policy.into();
        self
    }

    pub(crate) fn into_proto(self) -> pb::ScheduleTimes {
        self.0
    }
}

impl From<pb::ScheduleTimes> for Times {
    fn from(times: pb::ScheduleTimes) -> Self {
        Self(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_union_of_their_triggers() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let times = Times::cron("0 9 * * *")
            .or_cron("0 17 * * *")
            .or_every(Duration::from_secs(900), Duration::from_secs(60))
            .or_at(at)
            .exclude_dates("2026-12-24", "2026-12-26")
            .exclude_cron("* * * * SUN")
            .zone("Europe/Berlin")
            .jitter(Duration::from_secs(30))
            .gap(pb::GapPolicy::Skip)
            .into_proto();
        assert_eq!((times.triggers.len(), times.exclusions.len()), (4, 2));
        let Some(When::Interval(interval)) = &times.triggers[2].trigger else { panic!() };
        assert_eq!(interval.every.unwrap().seconds, 900);
        assert_eq!(interval.phase.unwrap().seconds, 60);
        assert_eq!(times.zone, "Europe/Berlin");
        assert_eq!(times.gap(), pb::GapPolicy::Skip);
        assert_eq!(times.repeat, 0, "left to the server");
    }

    #[test]
    fn a_calendar_trigger_counts_units_from_a_date() {
        let times = Times::calendar(1, pb::CalendarUnit::Month, "2026-01-31", "02:30").into_proto();
        let Some(When::Calendar(calendar)) = &times.triggers[0].trigger else { panic!() };
        assert_eq!(calendar.unit(), pb::CalendarUnit::Month);
        assert_eq!(
            (calendar.from_date.as_str(), calendar.local_time.as_str()),
            ("2026-01-31", "02:30")
        );
    }
}
