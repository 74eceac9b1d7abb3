//! The flags that say when a schedule fires.

use bellringer_api::v1::{
    CalendarTrigger, CronDialect, CronTrigger, DateRange, Exclusion, GapPolicy, IntervalTrigger,
    OnceTrigger, RepeatPolicy, TimeRange, Trigger, exclusion::Exclusion as Excluded,
    trigger::Trigger as When,
};
use clap::Args;
use jiff::Timestamp;

use super::{
    calendar,
    edit::{Edit, given},
    words::{Dialect, Gap, Repeat},
};
use crate::time::{self, Length};

/// When to fire.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "When to fire (several of them: at the times of each)")]
pub(crate) struct TimeFlags {
    /// By a cron expression, such as "30 2 * * MON-FRI", "H H * * *" or @daily; may be given several
    /// times
    #[arg(long, value_name = "EXPRESSION")]
    cron: Vec<String>,
    /// How cron expressions are read [default: vixie]
    #[arg(long, value_enum, value_name = "DIALECT")]
    dialect: Option<Dialect>,
    /// Every so often, of elapsed time
    #[arg(long, value_name = "DURATION")]
    every: Option<Length>,
    /// With --every: this long after each multiple [default: 0s]
    #[arg(long, value_name = "DURATION", requires = "every")]
    phase: Option<Length>,
    /// With --every: count from here [default: --start, else 1970-01-01T00:00:00Z]
    #[arg(long, value_name = "TIME", requires = "every", value_parser = time::moment)]
    anchor: Option<Timestamp>,
    /// Once; may be given several times
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    at: Vec<Timestamp>,
    /// Every n days, weeks, months or years, as "1 month from 2026-01-31 at 02:30": months that lack
    /// the day use their last one; may be given several times
    #[arg(long, value_name = "SENTENCE", value_parser = calendar::calendar)]
    calendar: Vec<CalendarTrigger>,
    /// Time zone of cron, calendar and dates, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// No time before this [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    start: Option<Timestamp>,
    /// No time at or after this [default: never]
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    end: Option<Timestamp>,
    /// Be late by a part of this, always the same for the same time [default: 0s]
    #[arg(long, value_name = "DURATION")]
    jitter: Option<Length>,
    /// What becomes of local times that a clock change skips [default: as in crontab(5)]
    #[arg(long, value_enum, value_name = "POLICY")]
    gap: Option<Gap>,
    /// In which pass of local times that a clock change repeats to fire [default: as in crontab(5)]
    #[arg(long, value_enum, value_name = "POLICY")]
    repeat: Option<Repeat>,
    /// Not on these local dates, such as 2026-12-24..2026-12-26; may be given several times
    #[arg(long, value_name = "FROM[..TO]", value_parser = calendar::dates)]
    exclude_dates: Vec<DateRange>,
    /// Not from a time until before another; may be given several times
    #[arg(long, value_name = "FROM..TO", value_parser = calendar::range)]
    exclude_range: Vec<TimeRange>,
    /// Not at the times of this cron expression; may be given several times
    #[arg(long, value_name = "EXPRESSION")]
    exclude_cron: Vec<String>,
}

impl TimeFlags {
    /// Whether there is a trigger.
    pub(crate) fn has_trigger(&self) -> bool {
        !self.cron.is_empty()
            || self.every.is_some()
            || !self.at.is_empty()
            || !self.calendar.is_empty()
    }

    /// Whether any of the flags was given.
    pub(crate) fn is_given(&self) -> bool {
        let mut edit = Edit::default();
        self.clone().write(&mut edit).is_err() || !edit.paths.is_empty()
    }

    /// Writes what was given; triggers and exclusions as a whole.
    ///
    /// # Errors
    /// If the dialect is given without an expression.
    pub(crate) fn write(self, edit: &mut Edit) -> Result<(), String> {
        if self.dialect.is_some() && self.cron.is_empty() && self.exclude_cron.is_empty() {
            return Err("--dialect goes with --cron or --exclude-cron".to_owned());
        }
        let dialect = self.dialect.map_or(CronDialect::Unspecified, CronDialect::from);
        let cron = |expression| When::Cron(CronTrigger { expression, dialect: dialect.into() });
        let trigger = |trigger| Trigger { trigger: Some(trigger) };

        let mut triggers: Vec<_> = self.cron.into_iter().map(cron).map(trigger).collect();
        triggers.extend(self.every.map(|every| {
            trigger(When::Interval(IntervalTrigger {
                every: Some(every.to_proto()),
                anchor: self.anchor.map(time::to_proto),
                phase: self.phase.map(Length::to_proto),
            }))
        }));
        let once = |at| When::Once(OnceTrigger { at: Some(time::to_proto(at)) });
        triggers.extend(self.at.into_iter().map(once).map(trigger));
        triggers.extend(self.calendar.into_iter().map(When::Calendar).map(trigger));

        let mut excluded: Vec<_> = self.exclude_dates.into_iter().map(Excluded::Dates).collect();
        excluded.extend(self.exclude_range.into_iter().map(Excluded::Range));
        let at_times = |expression| Excluded::Trigger(trigger(cron(expression)));
        excluded.extend(self.exclude_cron.into_iter().map(at_times));
        let exclusions: Vec<_> =
            excluded.into_iter().map(|one| Exclusion { exclusion: Some(one) }).collect();

        edit.times("triggers", given(triggers), |times, value| times.triggers = value);
        edit.times("exclusions", given(exclusions), |times, value| times.exclusions = value);
        edit.times("zone", self.zone, |times, value| times.zone = value);
        edit.times("start", self.start, |times, at| times.start = Some(time::to_proto(at)));
        edit.times("end", self.end, |times, at| times.end = Some(time::to_proto(at)));
        edit.times("jitter", self.jitter, |times, most| times.jitter = Some(most.to_proto()));
        edit.times("gap", self.gap, |times, gap| times.gap = GapPolicy::from(gap).into());
        edit.times("repeat", self.repeat, |times, repeat| {
            times.repeat = RepeatPolicy::from(repeat).into();
        });
        Ok(())
    }
}
