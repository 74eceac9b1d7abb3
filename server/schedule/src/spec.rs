//! A schedule's times as the user wrote them.

use std::time::Duration;

use jiff::{
    Timestamp,
    civil::{Date, Time},
    fmt::serde::unsigned_duration::friendly::compact::required as duration,
};
use serde::{Deserialize, Serialize};

/// When a schedule fires, as the user wrote it.
///
/// Nothing here is checked or changed; [`Plan::compile`](crate::Plan::compile) does that. It is
/// stored as it is: reading back what was written gives an equal spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The schedule fires when any of these does; 1 to [`Spec::MAX_TRIGGERS`].
    pub triggers: Vec<Trigger>,
    /// Fires that are left out; 0 to [`Spec::MAX_EXCLUSIONS`].
    #[serde(default)]
    pub exclusions: Vec<Exclusion>,
    /// IANA name of the zone whose local time the triggers mean, in any case. Default `UTC`.
    #[serde(default = "utc")]
    pub zone: String,
    /// No nominal time is before this instant.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// No nominal time is at or after this instant.
    #[serde(default)]
    pub end: Option<Timestamp>,
    /// Each fire is due a stable pseudo-random time after its nominal time: less than this, and less
    /// than the time to the next fire. Whole milliseconds, 0 to [`Spec::MAX_JITTER`]. Default 0.
    #[serde(default, with = "duration")]
    pub jitter: Duration,
    /// What becomes of local times that are skipped; if absent, the default of each entry.
    #[serde(default)]
    pub gap: Option<GapPolicy>,
    /// What becomes of local times that are repeated; if absent, the default of each entry.
    #[serde(default)]
    pub repeat: Option<RepeatPolicy>,
}

/// One entry of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// A cron expression, at most [`Trigger::MAX_EXPRESSION`] bytes, in the spec's zone.
    Cron {
        expression: String,
        #[serde(default)]
        dialect: Dialect,
    },
    /// Elapsed time: `anchor + phase + k * every` for every whole `k`, also before the anchor. The
    /// zone does not matter.
    Interval {
        /// Whole seconds, 1 s to 10 years of 365 days.
        #[serde(with = "duration")]
        every: Duration,
        /// A whole second. Default: the spec's start, at the next whole second; without a start
        /// 1970-01-01T00:00:00Z.
        #[serde(default)]
        anchor: Option<Timestamp>,
        /// Whole seconds, less than `every`. Default 0.
        #[serde(default, with = "duration")]
        phase: Duration,
    },
    /// One instant, a whole second.
    Once { at: Timestamp },
    /// Every so many days, weeks, months or years from a date, at a local time of the spec's zone.
    ///
    /// In a month that does not have the day of `start` this is the month's last day: monthly from
    /// 31 January means 28 or 29 February and then 31 March again; yearly from 29 February means
    /// 28 February in other years.
    Calendar {
        /// 1 to 1000.
        every: u32,
        unit: CalendarUnit,
        /// The first date, 1970-01-01 to 2199-12-31.
        start: Date,
        /// A whole second.
        at: Time,
    },
}

/// What the numbers of a cron expression mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// As in Vixie cron and Debian: 0 and 7 are Sunday; if neither day of month nor day of week
    /// starts with `*`, one of them is enough.
    #[default]
    Vixie,
    /// As in Quartz: 6 or 7 fields with seconds first, 1 is Sunday, one of day of month and day of
    /// week is `?`, ranges may wrap around.
    Quartz,
}

/// What a calendar trigger counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    Days,
    Weeks,
    Months,
    Years,
}

/// Fires that are left out. They stay visible, as excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Exclusion {
    /// Local dates of the spec's zone, both inclusive.
    Dates { from: Date, to: Date },
    /// Instants; `to` is exclusive.
    Range { from: Timestamp, to: Timestamp },
    /// The times of a trigger. A cron expression with five fields means second 0.
    Trigger(Trigger),
}

/// What becomes of local times that are skipped when clocks go forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapPolicy {
    /// All of them together fire once, at the first instant after the gap.
    RunAfter,
    /// They do not fire.
    Skip,
    /// Each fires at the instant that it would have been without the change: with a gap from 02:00
    /// to 03:00 what is meant for 02:30 fires at 03:30.
    Shift,
}

/// What becomes of local times that are repeated when clocks go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatPolicy {
    /// They fire the first time.
    First,
    /// They fire the second time.
    Last,
    /// They fire both times.
    Both,
}

impl Spec {
    pub const MAX_TRIGGERS: usize = 20;
    pub const MAX_EXCLUSIONS: usize = 50;
    pub const MAX_JITTER: Duration = Duration::from_secs(24 * 3600);

    /// A spec with these triggers in UTC, and nothing else.
    pub fn new(triggers: impl Into<Vec<Trigger>>) -> Self {
        Self {
            triggers: triggers.into(),
            exclusions: Vec::new(),
            zone: utc(),
            start: None,
            end: None,
            jitter: Duration::ZERO,
            gap: None,
            repeat: None,
        }
    }
}

impl Trigger {
    /// In bytes.
    pub const MAX_EXPRESSION: usize = 256;
    pub const MAX_INTERVAL: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    pub const MAX_CALENDAR_EVERY: u32 = 1000;

    /// A cron expression of the default dialect.
    pub fn cron(expression: impl Into<String>) -> Self {
        Self::Cron { expression: expression.into(), dialect: Dialect::Vixie }
    }
}

fn utc() -> String {
    "UTC".into()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn a_spec_is_read_back_as_it_was_written() {
        let at: Timestamp = "2026-03-01T09:00:00.123456789Z".parse().unwrap();
        let calendar = Trigger::Calendar {
            every: 2,
            unit: CalendarUnit::Weeks,
            start: date(2026, 3, 1),
            at: time(9, 30, 0, 1),
        };
        let spec = Spec {
            triggers: vec![
                Trigger::cron(" 0  9 * * mon-FRI "),
                Trigger::Interval {
                    every: Duration::new(90, 7),
                    anchor: Some(at),
                    phase: Duration::from_millis(1),
                },
                Trigger::Once { at },
                calendar.clone(),
            ],
            exclusions: vec![
                Exclusion::Dates { from: date(2026, 12, 24), to: date(2026, 12, 26) },
                Exclusion::Range { from: at, to: at },
                Exclusion::Trigger(calendar),
            ],
            zone: "europe/berlin".into(),
            start: Some(at),
            end: Some(at),
            jitter: Duration::new(86_399, 999_999_999),
            gap: Some(GapPolicy::RunAfter),
            repeat: Some(RepeatPolicy::Both),
        };

        let json = serde_json::to_string(&spec).unwrap();

        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let json = r#"{"triggers": [{"cron": {"expression": "@daily"}}]}"#;
        let spec: Spec = serde_json::from_str(json).unwrap();
        assert_eq!(spec, Spec::new([Trigger::cron("@daily")]));
    }

    #[test]
    fn a_field_that_this_version_does_not_know_is_an_error() {
        let json = r#"{"triggers": [], "moon": "full"}"#;
        assert!(serde_json::from_str::<Spec>(json).is_err());
    }
}
