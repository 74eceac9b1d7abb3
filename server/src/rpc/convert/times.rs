//! The times of schedules.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_schedule::{
    CalendarUnit, Dialect, Exclusion, GapPolicy, RepeatPolicy, Spec, Trigger,
};
use jiff::civil::{Date, Time};
use pb::exclusion::Exclusion as PbExclusion;
use pb::trigger::Trigger as PbTrigger;

use super::time::{duration, pb_duration, pb_timestamp, timestamp};
use crate::domain::{Checker, Violations};

const SECOND: Duration = Duration::from_secs(1);
const ZONE: &str = "UTC";

/// Reads times; `field` is where they stand in the request. What is wrong with them as times is found
/// when they are compiled.
pub(crate) fn times(times: Option<pb::ScheduleTimes>, field: &str) -> Result<Spec, Violations> {
    let Some(times) = times else { return Err(Violations::one(field, "is required")) };
    let mut check = Checker::below(field);
    let (triggers, exclusions) = (Spec::MAX_TRIGGERS, Spec::MAX_EXCLUSIONS);
    if times.triggers.len() > triggers {
        check.refuse("triggers", format!("must be 1 to {triggers}"));
    }
    if times.exclusions.len() > exclusions {
        check.refuse("exclusions", format!("must be up to {exclusions}"));
    }
    check.finish()?;
    let mut check = Checker::below(field);
    let mut triggers = Vec::new();
    for (index, one) in times.triggers.into_iter().enumerate() {
        let read = trigger(&mut check, &format!("triggers[{index}]"), one);
        triggers.extend(read);
    }
    let mut exclusions = Vec::new();
    for (index, one) in times.exclusions.into_iter().enumerate() {
        let read = exclusion(&mut check, &format!("exclusions[{index}]"), one);
        exclusions.extend(read);
    }
    let start = check.field("start", times.start.map(timestamp).transpose()).flatten();
    let end = check.field("end", times.end.map(timestamp).transpose()).flatten();
    let jitter = times.jitter.map(|jitter| duration(jitter, Duration::ZERO, Spec::MAX_JITTER));
    let jitter = check.field("jitter", jitter.transpose()).flatten().unwrap_or_default();
    let gap = check.field("gap", gap(times.gap)).flatten();
    let repeat = check.field("repeat", repeat(times.repeat)).flatten();
    check.finish()?;
    let zone = if times.zone.is_empty() { ZONE.to_owned() } else { times.zone };
    Ok(Spec { triggers, exclusions, zone, start, end, jitter, gap, repeat })
}

fn trigger(check: &mut Checker, field: &str, trigger: pb::Trigger) -> Option<Trigger> {
    let Some(trigger) = trigger.trigger else {
        check.refuse(field, "must be one of cron, interval, once and calendar");
        return None;
    };
    match trigger {
        PbTrigger::Cron(cron) => {
            let dialect = match pb::CronDialect::try_from(cron.dialect) {
                Ok(pb::CronDialect::Unspecified | pb::CronDialect::Vixie) => Dialect::Vixie,
                Ok(pb::CronDialect::Quartz) => Dialect::Quartz,
                Err(_) => {
                    check.refuse(&format!("{field}.cron.dialect"), "must be VIXIE or QUARTZ");
                    return None;
                }
            };
            if cron.expression.contains('\0') {
                check.refuse(&format!("{field}.cron.expression"), "must not contain NUL");
                return None;
            }
            Some(Trigger::Cron { expression: cron.expression, dialect })
        }
        PbTrigger::Interval(interval) => {
            let field = format!("{field}.interval");
            let every = match interval.every {
                Some(every) => duration(every, SECOND, Trigger::MAX_INTERVAL),
                None => Err("is required".to_owned()),
            };
            let every = check.field(&format!("{field}.every"), every);
            let anchor = interval.anchor.map(timestamp).transpose();
            let anchor = check.field(&format!("{field}.anchor"), anchor);
            let phase = interval
                .phase
                .map(|phase| duration(phase, Duration::ZERO, Trigger::MAX_INTERVAL))
                .transpose();
            let phase = check.field(&format!("{field}.phase"), phase);
            Some(Trigger::Interval {
                every: every?,
                anchor: anchor?,
                phase: phase?.unwrap_or_default(),
            })
        }
        PbTrigger::Once(once) => {
            let at = once.at.map_or_else(|| Err("is required".to_owned()), timestamp);
            Some(Trigger::Once { at: check.field(&format!("{field}.once.at"), at)? })
        }
        PbTrigger::Calendar(calendar) => {
            let field = format!("{field}.calendar");
            let unit = match pb::CalendarUnit::try_from(calendar.unit) {
                Ok(pb::CalendarUnit::Day) => Ok(CalendarUnit::Days),
                Ok(pb::CalendarUnit::Week) => Ok(CalendarUnit::Weeks),
                Ok(pb::CalendarUnit::Month) => Ok(CalendarUnit::Months),
                Ok(pb::CalendarUnit::Year) => Ok(CalendarUnit::Years),
                _ => Err("must be DAY, WEEK, MONTH or YEAR".to_owned()),
            };
            let unit = check.field(&format!("{field}.unit"), unit);
            let start = check.field(&format!("{field}.from_date"), date(&calendar.from_date));
            let at = check.field(&format!("{field}.local_time"), local_time(&calendar.local_time));
            let every = calendar.every.max(1);
            Some(Trigger::Calendar { every, unit: unit?, start: start?, at: at? })
        }
    }
}

fn exclusion(check: &mut Checker, field: &str, given: pb::Exclusion) -> Option<Exclusion> {
    match given.exclusion {
        None => {
            check.refuse(field, "must be one of dates, range and trigger");
            None
        }
        Some(PbExclusion::Dates(dates)) => {
            let from = check.field(&format!("{field}.dates.from_date"), date(&dates.from_date));
            let to = match dates.to_date.as_str() {
                "" => from,
                text => check.field(&format!("{field}.dates.to_date"), date(text)),
            };
            Some(Exclusion::Dates { from: from?, to: to? })
        }
        Some(PbExclusion::Range(range)) => {
            let required =
                |time: Option<_>| time.map_or_else(|| Err("is required".to_owned()), timestamp);
            let from = check.field(&format!("{field}.range.from"), required(range.from));
            let to = check.field(&format!("{field}.range.to"), required(range.to));
            Some(Exclusion::Range { from: from?, to: to? })
        }
        Some(PbExclusion::Trigger(one)) => {
            trigger(check, &format!("{field}.trigger"), one).map(Exclusion::Trigger)
        }
    }
}

fn date(text: &str) -> Result<Date, String> {
    let wrong = || "must be a date as in 2026-12-24".to_owned();
    if text.len() != 10 {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn local_time(text: &str) -> Result<Time, String> {
    let wrong = || "must be a local time as in 02:30 or 02:30:15".to_owned();
    match text.len() {
        5 => format!("{text}:00").parse().map_err(|_| wrong()),
        8 => text.parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

fn gap(policy: i32) -> Result<Option<GapPolicy>, String> {
    match pb::GapPolicy::try_from(policy) {
        Ok(pb::GapPolicy::Unspecified) => Ok(None),
        Ok(pb::GapPolicy::RunAfter) => Ok(Some(GapPolicy::RunAfter)),
        Ok(pb::GapPolicy::Skip) => Ok(Some(GapPolicy::Skip)),
        Ok(pb::GapPolicy::Shift) => Ok(Some(GapPolicy::Shift)),
        Err(_) => Err("must be RUN_AFTER, SKIP or SHIFT".to_owned()),
    }
}

fn repeat(policy: i32) -> Result<Option<RepeatPolicy>, String> {
    match pb::RepeatPolicy::try_from(policy) {
        Ok(pb::RepeatPolicy::Unspecified) => Ok(None),
        Ok(pb::RepeatPolicy::First) => Ok(Some(RepeatPolicy::First)),
        Ok(pb::RepeatPolicy::Last) => Ok(Some(RepeatPolicy::Last)),
        Ok(pb::RepeatPolicy::Both) => Ok(Some(RepeatPolicy::Both)),
        Err(_) => Err("must be FIRST, LAST or BOTH".to_owned()),
    }
}

/// Writes times as they were given.
pub(crate) fn pb_times(times: Spec) -> pb::ScheduleTimes {
    pb::ScheduleTimes {
        triggers: times.triggers.into_iter().map(pb_trigger).collect(),
        exclusions: times.exclusions.into_iter().map(pb_exclusion).collect(),
        zone: times.zone,
        start: times.start.map(pb_timestamp),
        end: times.end.map(pb_timestamp),
        jitter: (!times.jitter.is_zero()).then(|| pb_duration(times.jitter)),
        gap: match times.gap {
            None => pb::GapPolicy::Unspecified,
            Some(GapPolicy::RunAfter) => pb::GapPolicy::RunAfter,
            Some(GapPolicy::Skip) => pb::GapPolicy::Skip,
            Some(GapPolicy::Shift) => pb::GapPolicy::Shift,
        }
        .into(),
        repeat: match times.repeat {
            None => pb::RepeatPolicy::Unspecified,
            Some(RepeatPolicy::First) => pb::RepeatPolicy::First,
            Some(RepeatPolicy::Last) => pb::RepeatPolicy::Last,
            Some(RepeatPolicy::Both) => pb::RepeatPolicy::Both,
        }
        .into(),
    }
}

fn pb_trigger(trigger: Trigger) -> pb::Trigger {
    let trigger = match trigger {
        Trigger::Cron { expression, dialect } => PbTrigger::Cron(pb::CronTrigger {
            expression,
            dialect: match dialect {
                Dialect::Vixie => pb::CronDialect::Vixie,
                Dialect::Quartz => pb::CronDialect::Quartz,
            }
            .into(),
        }),
        Trigger::Interval { every, anchor, phase } => PbTrigger::Interval(pb::IntervalTrigger {
            every: Some(pb_duration(every)),
            anchor: anchor.map(pb_timestamp),
            phase: (!phase.is_zero()).then(|| pb_duration(phase)),
        }),
        Trigger::Once { at } => PbTrigger::Once(pb::OnceTrigger { at: Some(pb_timestamp(at)) }),
        Trigger::Calendar { every, unit, start, at } => PbTrigger::Calendar(pb::CalendarTrigger {
            every,
            unit: match unit {
                CalendarUnit::Days => pb::CalendarUnit::Day,
                CalendarUnit::Weeks => pb::CalendarUnit::Week,
                CalendarUnit::Months => pb::CalendarUnit::Month,
                CalendarUnit::Years => pb::CalendarUnit::Year,
            }
            .into(),
            from_date: start.to_string(),
            local_time: at.to_string(),
        }),
    };
    pb::Trigger { trigger: Some(trigger) }
}

fn pb_exclusion(exclusion: Exclusion) -> pb::Exclusion {
    let exclusion = match exclusion {
        Exclusion::Dates { from, to } => PbExclusion::Dates(pb::DateRange {
            from_date: from.to_string(),
            to_date: to.to_string(),
        }),
        Exclusion::Range { from, to } => PbExclusion::Range(pb::TimeRange {
            from: Some(pb_timestamp(from)),
            to: Some(pb_timestamp(to)),
        }),
        Exclusion::Trigger(trigger) => PbExclusion::Trigger(pb_trigger(trigger)),
    };
    pb::Exclusion { exclusion: Some(exclusion) }
}
