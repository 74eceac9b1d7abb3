//! Says in English what a spec means. Where English would be long or doubtful, it quotes.

use std::time::Duration;

use jiff::SignedDuration;

use crate::spec::{CalendarUnit, Dialect, Exclusion, Spec, Trigger};

/// One line for a spec that is in order.
pub(crate) fn spec(spec: &Spec, zone: &str) -> String {
    let triggers: Vec<String> = spec.triggers.iter().map(trigger).collect();
    let mut text = triggers.join(" and ");
    let is_local =
        |trigger: &Trigger| matches!(trigger, Trigger::Cron { .. } | Trigger::Calendar { .. });
    if spec.triggers.iter().any(is_local) {
        text += &format!(" in {zone}");
    }
    if let Some(start) = spec.start {
        text += &format!(", from {start}");
    }
    if let Some(end) = spec.end {
        text += &format!(", before {end}");
    }
    if !spec.jitter.is_zero() {
        text += &format!(", up to {} later", duration(spec.jitter));
    }
    for exclusion in &spec.exclusions {
        text += &match exclusion {
            Exclusion::Dates { from, to } if from == to => format!(", except on {from}"),
            Exclusion::Dates { from, to } => format!(", except from {from} to {to}"),
            Exclusion::Range { from, to } => format!(", except from {from} to before {to}"),
            Exclusion::Trigger(excluded) => format!(", except {}", trigger(excluded)),
        };
    }
    text
}

fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Cron { expression, dialect } => cron(expression, *dialect),
        Trigger::Interval { every, anchor, phase } => {
            let mut text = format!("every {}", duration(*every));
            if let Some(anchor) = anchor {
                text += &format!(" counted from {anchor}");
            }
            if !phase.is_zero() {
                text += &format!(", {} late", duration(*phase));
            }
            text
        }
        Trigger::Once { at } => format!("once at {at}"),
        Trigger::Calendar { every, unit, start, at } => {
            let (one, many) = match unit {
                CalendarUnit::Days => ("day", "days"),
                CalendarUnit::Weeks => ("week", "weeks"),
                CalendarUnit::Months => ("month", "months"),
                CalendarUnit::Years => ("year", "years"),
            };
            let often =
                if *every == 1 { format!("every {one}") } else { format!("every {every} {many}") };
            format!("{often} from {start} at {at}")
        }
    }
}

/// The usual expressions in words, others as they are.
fn cron(expression: &str, dialect: Dialect) -> String {
    let expression = expression.trim_ascii();
    let fields = match expression.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *".into(),
        "@daily" | "@midnight" => "0 0 * * *".into(),
        "@weekly" => "0 0 * * 0".into(),
        "@monthly" => "0 0 1 * *".into(),
        "@yearly" | "@annually" => return "at 00:00 on 1 January".into(),
        other => other.to_owned(),
    };
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // Five fields are Vixie's, or a nickname.
    let words = match fields[..] {
        [minute, hour, day, "*", weekday] => clock(minute, hour).zip(days(day, weekday)),
        _ => None,
    };
    match (words, dialect) {
        (Some((clock, days)), _) if clock.starts_with("at ") && days.is_empty() => {
            format!("{clock} every day")
        }
        (Some((clock, days)), _) => format!("{clock}{days}"),
        (None, Dialect::Vixie) => format!("cron \"{expression}\""),
        (None, Dialect::Quartz) => format!("Quartz cron \"{expression}\""),
    }
}

fn clock(minute: &str, hour: &str) -> Option<String> {
    if hour == "*" {
        return match (minute, minute.strip_prefix("*/").and_then(number)) {
            ("*", _) | (_, Some(1)) => Some("every minute".into()),
            // Other steps are not evenly spaced from hour to hour.
            (_, Some(step)) if step < 60 && 60 % step == 0 => Some(format!("every {step} minutes")),
            _ => Some(format!("every hour at minute {}", number(minute)?)),
        };
    }
    Some(format!("at {:02}:{:02}", number(hour)?, number(minute)?))
}

fn days(day: &str, weekday: &str) -> Option<String> {
    match (day, weekday) {
        ("*", "*") => Some(String::new()),
        ("*", "1-5" | "mon-fri") => Some(" from Monday to Friday".into()),
        ("*", weekday) => Some(format!(" on {}", weekday_name(weekday)?)),
        (day, "*") => Some(format!(" on day {} of the month", number(day)?)),
        _ => None,
    }
}

fn weekday_name(weekday: &str) -> Option<&'static str> {
    Some(match weekday {
        "0" | "7" | "sun" => "Sunday",
        "1" | "mon" => "Monday",
        "2" | "tue" => "Tuesday",
        "3" | "wed" => "Wednesday",
        "4" | "thu" => "Thursday",
        "5" | "fri" => "Friday",
        "6" | "sat" => "Saturday",
        _ => return None,
    })
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0 || text.starts_with('0'))
}

fn duration(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |duration| format!("{duration:#}"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn the_usual_expressions_are_said_in_words_and_others_are_quoted() {
        for (expression, words) in [
            ("30 2 * * *", "at 02:30 every day in Europe/Berlin"),
            ("*/15 * * * *", "every 15 minutes in Europe/Berlin"),
            ("*/7 * * * *", "cron \"*/7 * * * *\" in Europe/Berlin"),
            ("5 * * * *", "every hour at minute 5 in Europe/Berlin"),
            ("* * * * mon", "every minute on Monday in Europe/Berlin"),
            ("0 9 * * MON-FRI", "at 09:00 from Monday to Friday in Europe/Berlin"),
            ("0 9 15 * *", "at 09:00 on day 15 of the month in Europe/Berlin"),
            ("0 9 15 * 1", "cron \"0 9 15 * 1\" in Europe/Berlin"),
            ("0,30 9 * * *", "cron \"0,30 9 * * *\" in Europe/Berlin"),
            ("H H * * *", "cron \"H H * * *\" in Europe/Berlin"),
            ("@Daily", "at 00:00 every day in Europe/Berlin"),
        ] {
            assert_eq!(spec(&Spec::new([Trigger::cron(expression)]), "Europe/Berlin"), words);
        }
    }

    #[test]
    fn everything_else_that_a_spec_says_is_said() {
        let every = Duration::from_secs(5400);
        let mut all = Spec::new([
            Trigger::Interval { every, anchor: None, phase: Duration::from_secs(30) },
            Trigger::Calendar {
                every: 2,
                unit: CalendarUnit::Weeks,
                start: date(2026, 1, 5),
                at: time(9, 0, 0, 0),
            },
        ]);
        all.end = Some("2027-01-01T00:00:00Z".parse().unwrap());
        all.jitter = Duration::from_secs(90);
        let christmas = date(2026, 12, 25);
        all.exclusions = vec![Exclusion::Dates { from: christmas, to: christmas }];

        assert_eq!(
            spec(&all, "UTC"),
            "every 1h 30m, 30s late and every 2 weeks from 2026-01-05 at 09:00:00 in UTC, \
             before 2027-01-01T00:00:00Z, up to 1m 30s later, except on 2026-12-25"
        );
    }
}
