//! Dates and calendar triggers as people type them.

use bellringer_api::v1::{CalendarTrigger, CalendarUnit, DateRange, TimeRange};
use jiff::civil;

use crate::time;

const CALENDAR: &str = "write for example \"1 month from 2026-01-31 at 02:30\"";

/// Reads `1 month from 2026-01-31 at 02:30`; an `every` before it and a left-out 1 are fine.
pub(crate) fn calendar(text: &str) -> Result<CalendarTrigger, String> {
    let lower = text.to_lowercase();
    let mut words = lower.split_whitespace().peekable();
    words.next_if_eq(&"every");
    let every = match words.peek().and_then(|word| word.parse::<u32>().ok()) {
        Some(0) => return Err(format!("it cannot be every 0; {CALENDAR}")),
        Some(number) => {
            words.next();
            number
        }
        None => 1,
    };
    let unit = match words.next() {
        Some("day" | "days") => CalendarUnit::Day,
        Some("week" | "weeks") => CalendarUnit::Week,
        Some("month" | "months") => CalendarUnit::Month,
        Some("year" | "years") => CalendarUnit::Year,
        other => {
            let other = other.unwrap_or_default();
            return Err(format!("{other:?} is none of day, week, month, year; {CALENDAR}"));
        }
    };
    let rest: Vec<&str> = words.collect();
    let ["from", from_date, "at", local_time] = rest[..] else {
        return Err(format!("the date or the time is missing; {CALENDAR}"));
    };
    date(from_date)?;
    local(local_time)?;
    Ok(CalendarTrigger {
        every,
        unit: unit.into(),
        from_date: from_date.to_owned(),
        local_time: local_time.to_owned(),
    })
}

/// Reads `2026-12-24` or `2026-12-24..2026-12-26`.
pub(crate) fn dates(text: &str) -> Result<DateRange, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (from.trim(), to.trim());
    if date(to)? < date(from)? {
        return Err(format!("{to} is before {from}"));
    }
    Ok(DateRange { from_date: from.to_owned(), to_date: to.to_owned() })
}

/// Reads `2026-12-24T10:00:00Z..2026-12-24T12:00:00Z`; the end is excluded.
pub(crate) fn range(text: &str) -> Result<TimeRange, String> {
    let (from, to) = text.split_once("..").ok_or("write two times with .. between them")?;
    let (from, to) = (time::moment(from)?, time::moment(to)?);
    if to <= from {
        return Err("the end must be after the start".to_owned());
    }
    Ok(TimeRange { from: Some(time::to_proto(from)), to: Some(time::to_proto(to)) })
}

fn date(text: &str) -> Result<civil::Date, String> {
    // Jiff would take a time with it.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = is_plain.then(|| text.parse().ok()).flatten();
    date.ok_or_else(|| format!("{text:?} is no date; write for example 2026-12-24"))
}

fn local(text: &str) -> Result<civil::Time, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let time = is_plain.then(|| text.parse().ok()).flatten();
    time.ok_or_else(|| format!("{text:?} is no local time; write for example 02:30 or 02:30:15"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_trigger_reads_like_a_sentence() {
        let trigger = calendar("1 month from 2026-01-31 at 02:30").unwrap();
        assert_eq!((trigger.every, trigger.unit()), (1, CalendarUnit::Month));
        assert_eq!(
            (trigger.from_date.as_str(), trigger.local_time.as_str()),
            ("2026-01-31", "02:30")
        );
        assert_eq!(calendar("month from 2026-01-31 at 02:30").unwrap(), trigger);
        let weeks = calendar("every 2 Weeks from 2026-03-02 at 09:00:15").unwrap();
        assert_eq!((weeks.every, weeks.unit()), (2, CalendarUnit::Week));
    }

    #[test]
    fn what_is_no_calendar_trigger_says_how_to_write_one() {
        for wrong in [
            "",
            "1 month",
            "0 days from 2026-01-31 at 02:30",
            "1 fortnight from 2026-01-31 at 02:30",
            "1 month from 2026-02-30 at 02:30",
            "1 month from 2026-01-31 at 25:00",
            "1 month from 2026-01-31 at 02:30 sharp",
            "1 month at 02:30 from 2026-01-31",
        ] {
            let why = calendar(wrong).unwrap_err();
            assert!(why.contains("write for example"), "{wrong}: {why}");
        }
    }

    #[test]
    fn dates_are_one_or_a_range() {
        let day = dates("2026-12-24").unwrap();
        assert_eq!((day.from_date.as_str(), day.to_date.as_str()), ("2026-12-24", "2026-12-24"));
        assert_eq!(dates("2026-12-24..2026-12-26").unwrap().to_date, "2026-12-26");
        for wrong in ["christmas", "2026-12-26..2026-12-24", "2026-02-30", "2026-12-24T10:00"] {
            assert!(dates(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn instants_have_an_end_after_their_start() {
        let range_of = |text| range(text).map(|range| range.to.unwrap().seconds);
        assert_eq!(
            range_of("2026-05-01T10:00:00Z..2026-05-01T12:00+02:00"),
            Err("the end must be after the start".to_owned())
        );
        assert_eq!(range_of("2026-05-01T09:00:00Z..2026-05-01T12:00+02:00"), Ok(1_777_629_600));
        assert!(range("2026-05-01T09:00:00Z").is_err());
    }
}
