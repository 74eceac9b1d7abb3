//! Triggers and exclusions in words and as JSON.

use bellringer_api::v1::{
    CalendarTrigger, CalendarUnit, CronDialect, Exclusion, Trigger,
    exclusion::Exclusion as Excluded, trigger::Trigger as When,
};
use serde_json::{Value, json};

use crate::{
    render::json::{duration, timestamp},
    time,
};

/// A trigger under the name of its sort.
pub(crate) fn json(trigger: &Trigger) -> Value {
    match &trigger.trigger {
        None => Value::Null,
        Some(When::Cron(cron)) => {
            let dialect = match cron.dialect() {
                CronDialect::Unspecified | CronDialect::Vixie => "vixie",
                CronDialect::Quartz => "quartz",
            };
            json!({"cron": {"expression": cron.expression, "dialect": dialect}})
        }
        Some(When::Interval(interval)) => json!({"interval": {
            "every": duration(interval.every.as_ref()),
            "anchor": timestamp(interval.anchor.as_ref()),
            "phase": duration(interval.phase.as_ref()),
        }}),
        Some(When::Once(once)) => json!({"once": {"at": timestamp(once.at.as_ref())}}),
        Some(When::Calendar(calendar)) => json!({"calendar": {
            "every": calendar.every.max(1),
            "unit": unit(calendar),
            "from_date": calendar.from_date,
            "local_time": calendar.local_time,
        }}),
    }
}

/// An exclusion under the name of its sort.
pub(crate) fn exclusion_json(exclusion: &Exclusion) -> Value {
    match &exclusion.exclusion {
        None => Value::Null,
        Some(Excluded::Dates(dates)) => {
            json!({"dates": {"from_date": dates.from_date, "to_date": last(dates)}})
        }
        Some(Excluded::Range(range)) => json!({"range": {
            "from": timestamp(range.from.as_ref()),
            "to": timestamp(range.to.as_ref()),
        }}),
        Some(Excluded::Trigger(trigger)) => json!({"trigger": json(trigger)}),
    }
}

/// A trigger as it would be typed.
pub(crate) fn words(trigger: &Trigger) -> String {
    match &trigger.trigger {
        None => String::new(),
        Some(When::Cron(cron)) => match cron.dialect() {
            CronDialect::Unspecified | CronDialect::Vixie => format!("cron {}", cron.expression),
            CronDialect::Quartz => format!("cron {} (quartz)", cron.expression),
        },
        Some(When::Interval(interval)) => {
            let mut text = format!("every {}", length(interval.every.as_ref()));
            if let Some(anchor) = &interval.anchor {
                text = format!("{text} from {}", at(Some(anchor)));
            }
            match interval.phase.as_ref().filter(|phase| phase.seconds != 0) {
                Some(phase) => format!("{text}, {} later", length(Some(phase))),
                None => text,
            }
        }
        Some(When::Once(once)) => format!("once at {}", at(once.at.as_ref())),
        Some(When::Calendar(calendar)) => {
            let CalendarTrigger { every, from_date, local_time, .. } = calendar;
            let every = (*every).max(1);
            let plural = if every == 1 { "" } else { "s" };
            format!("every {every} {}{plural} from {from_date} at {local_time}", unit(calendar))
        }
    }
}

/// An exclusion as it would be typed.
pub(crate) fn exclusion_words(exclusion: &Exclusion) -> String {
    match &exclusion.exclusion {
        None => String::new(),
        Some(Excluded::Dates(dates)) if last(dates) == dates.from_date => {
            format!("on {}", dates.from_date)
        }
        Some(Excluded::Dates(dates)) => format!("from {} to {}", dates.from_date, last(dates)),
        Some(Excluded::Range(range)) => {
            format!("from {} until before {}", at(range.from.as_ref()), at(range.to.as_ref()))
        }
        Some(Excluded::Trigger(trigger)) => words(trigger),
    }
}

fn last(dates: &bellringer_api::v1::DateRange) -> &str {
    if dates.to_date.is_empty() { &dates.from_date } else { &dates.to_date }
}

fn unit(calendar: &CalendarTrigger) -> &'static str {
    match calendar.unit() {
        CalendarUnit::Unspecified => "unknown",
        CalendarUnit::Day => "day",
        CalendarUnit::Week => "week",
        CalendarUnit::Month => "month",
        CalendarUnit::Year => "year",
    }
}

fn length(duration: Option<&prost_types::Duration>) -> String {
    duration.map(|duration| time::friendly(time::length(duration))).unwrap_or_default()
}

fn at(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(time::from_proto).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::{DateRange, IntervalTrigger};

    use super::*;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    #[test]
    fn triggers_read_as_they_are_typed() {
        let trigger = |when| Trigger { trigger: Some(when) };
        let interval = When::Interval(IntervalTrigger {
            every: seconds(5_400),
            anchor: None,
            phase: seconds(60),
        });
        assert_eq!(words(&trigger(interval.clone())), "every 1h 30m, 1m later");
        assert_eq!(json(&trigger(interval))["interval"]["every"], "5400s");
        let calendar = When::Calendar(CalendarTrigger {
            every: 2,
            unit: CalendarUnit::Week.into(),
            from_date: "2026-03-02".to_owned(),
            local_time: "09:00".to_owned(),
        });
        assert_eq!(words(&trigger(calendar)), "every 2 weeks from 2026-03-02 at 09:00");
    }

    #[test]
    fn a_single_date_is_its_own_end() {
        let dates = DateRange { from_date: "2026-12-24".to_owned(), to_date: String::new() };
        let exclusion = Exclusion { exclusion: Some(Excluded::Dates(dates)) };
        assert_eq!(exclusion_words(&exclusion), "on 2026-12-24");
        assert_eq!(exclusion_json(&exclusion)["dates"]["to_date"], "2026-12-24");
    }
}
