//! Entries of a ledger, and times that are to come.

use bellringer_api::v1::{Fire, FireCause, FireOutcome, FireRule, SkipReason};
use comfy_table::{Cell, Color};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::{
    paint::one_line,
    render::json::{duration, timestamp},
    time,
};

/// An entry with the stable names of its fields.
pub(crate) fn json(fire: &Fire) -> Value {
    json!({
        "time": timestamp(fire.time.as_ref()),
        "local_time": fire.local_time,
        "due_at": timestamp(fire.due_at.as_ref()),
        "outcome": outcome_word(fire.outcome()),
        "reason": reason_word(fire.reason()),
        "rule": rule_word(fire.rule()),
        "cause": cause_word(fire.cause()),
        "task_id": Some(&fire.task_id).filter(|id| !id.is_empty()),
        "recorded_at": timestamp(fire.recorded_at.as_ref()),
        "lateness": duration(fire.lateness.as_ref()),
        "epoch": Some(fire.epoch).filter(|epoch| *epoch != 0),
        "last_time": timestamp(fire.last_time.as_ref()),
        "count": fire.count.max(1),
    })
}

/// A time that is to come, on one line: `Sun 2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00Z  note`.
pub(crate) fn line(fire: &Fire) -> String {
    format!("{:<30}  {:<20}  {}", local(fire), at(fire.time.as_ref()), note(fire))
}

/// The local time with its weekday and offset, without the name of the zone.
fn local(fire: &Fire) -> String {
    let text = one_line(&fire.local_time);
    let text = text.split('[').next().unwrap_or_default().trim_end();
    let Some((date, time)) = text.split_once('T') else { return text.to_owned() };
    let day = date.parse::<Date>().map(|date| match date.weekday() {
        jiff::civil::Weekday::Monday => "Mon ",
        jiff::civil::Weekday::Tuesday => "Tue ",
        jiff::civil::Weekday::Wednesday => "Wed ",
        jiff::civil::Weekday::Thursday => "Thu ",
        jiff::civil::Weekday::Friday => "Fri ",
        jiff::civil::Weekday::Saturday => "Sat ",
        jiff::civil::Weekday::Sunday => "Sun ",
    });
    let (clock, offset) = match time.find(['+', '-', 'Z']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    format!("{}{date} {clock} {offset}", day.unwrap_or_default()).trim_end().to_owned()
}

/// What is to be known about a time that is to come.
pub(crate) fn note(fire: &Fire) -> String {
    let mut notes = Vec::new();
    if fire.reason() == SkipReason::Excluded {
        notes.push("excluded: does not fire".to_owned());
    }
    match fire.rule() {
        FireRule::Unspecified => {}
        FireRule::GapMoved => {
            notes.push("clocks skip its local time: fires right after the gap".to_owned());
        }
        FireRule::GapShifted => {
            notes.push("clocks skip its local time: later by the gap".to_owned());
        }
        FireRule::FirstPass => notes.push("clocks repeat its local time: first pass".to_owned()),
        FireRule::SecondPass => notes.push("clocks repeat its local time: second pass".to_owned()),
    }
    if let (Some(time), Some(due)) = (nanos(fire.time.as_ref()), nanos(fire.due_at.as_ref()))
        && due > time
        && fire.reason() != SkipReason::Excluded
    {
        let jitter = std::time::Duration::from_nanos(u64::try_from(due - time).unwrap_or_default());
        notes.push(format!("{} later by jitter", time::brief(jitter)));
    }
    notes.join("; ")
}

fn nanos(time: Option<&prost_types::Timestamp>) -> Option<i128> {
    time.and_then(time::from_proto).map(|time| time.as_nanosecond())
}

fn at(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(time::from_proto).map(|time| time.to_string()).unwrap_or_default()
}

/// The head of the table of a ledger.
pub(crate) const HEAD: [&str; 7] =
    ["TIME", "OUTCOME", "REASON", "LATENESS", "CAUSE", "TERM", "TASK"];

/// A row of the table of a ledger.
pub(crate) fn row(fire: &Fire) -> Vec<Cell> {
    let mut when = at(fire.time.as_ref());
    if fire.count > 1 {
        when = format!("{when} to {} ({} times)", at(fire.last_time.as_ref()), fire.count);
    }
    let outcome = match fire.outcome() {
        FireOutcome::Unspecified => Cell::new("to come"),
        FireOutcome::Fired => Cell::new("fired").fg(Color::Green),
        FireOutcome::Skipped => Cell::new("skipped").fg(Color::Yellow),
        FireOutcome::HeldBack => Cell::new("held back").fg(Color::Cyan),
    };
    let lateness = fire.lateness.as_ref().map(|lateness| time::brief(time::length(lateness)));
    let term = if fire.epoch == 0 { String::new() } else { fire.epoch.to_string() };
    vec![
        Cell::new(when),
        outcome,
        Cell::new(reason_word(fire.reason()).unwrap_or_default().replace('_', " ")),
        Cell::new(lateness.unwrap_or_default()),
        Cell::new(cause_word(fire.cause()).unwrap_or("time")),
        Cell::new(term),
        Cell::new(one_line(&fire.task_id)),
    ]
}

fn outcome_word(outcome: FireOutcome) -> Option<&'static str> {
    match outcome {
        FireOutcome::Unspecified => None,
        FireOutcome::Fired => Some("fired"),
        FireOutcome::Skipped => Some("skipped"),
        FireOutcome::HeldBack => Some("held_back"),
    }
}

fn reason_word(reason: SkipReason) -> Option<&'static str> {
    match reason {
        SkipReason::Unspecified => None,
        SkipReason::Misfire => Some("misfire"),
        SkipReason::Overlap => Some("overlap"),
        SkipReason::Paused => Some("paused"),
        SkipReason::CatchUpLimit => Some("catch_up_limit"),
        SkipReason::Excluded => Some("excluded"),
        SkipReason::Coalesced => Some("coalesced"),
    }
}

fn rule_word(rule: FireRule) -> Option<&'static str> {
    match rule {
        FireRule::Unspecified => None,
        FireRule::GapMoved => Some("gap_moved"),
        FireRule::GapShifted => Some("gap_shifted"),
        FireRule::FirstPass => Some("first_pass"),
        FireRule::SecondPass => Some("second_pass"),
    }
}

fn cause_word(cause: FireCause) -> Option<&'static str> {
    match cause {
        FireCause::Unspecified => None,
        FireCause::Trigger => Some("trigger"),
        FireCause::Backfill => Some("backfill"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fire(time: &str, local_time: &str) -> Fire {
        let time = Some(time::to_proto(time.parse().unwrap()));
        Fire { time, due_at: time, local_time: local_time.to_owned(), count: 1, ..Fire::default() }
    }

    #[test]
    fn a_time_to_come_says_what_a_clock_change_did_to_it() {
        let shown = "2026-03-29T03:00:00+02:00[Europe/Berlin]";
        let mut moved = fire("2026-03-29T01:00:00Z", shown);
        moved.set_rule(FireRule::GapMoved);
        assert_eq!(
            line(&moved),
            "Sun 2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00Z  \
             clocks skip its local time: fires right after the gap"
        );
        moved.set_rule(FireRule::Unspecified);
        moved.set_reason(SkipReason::Excluded);
        assert_eq!(note(&moved), "excluded: does not fire");
        moved.set_reason(SkipReason::Unspecified);
        moved.due_at = Some(time::to_proto("2026-03-29T01:00:12Z".parse().unwrap()));
        assert_eq!(note(&moved), "12s later by jitter");
    }

    #[test]
    fn local_times_west_of_greenwich_and_odd_ones_are_shown() {
        let west = fire("2026-03-29T06:00:00Z", "2026-03-29T02:00:00-04:00[America/New_York]");
        assert_eq!(local(&west), "Sun 2026-03-29 02:00:00 -04:00");
        assert_eq!(local(&fire("2026-03-29T06:00:00Z", "soon\x1b[2J")), "soon");
    }

    #[test]
    fn a_range_of_times_is_shown_as_such() {
        let mut range = fire("2026-05-01T10:00:00Z", "");
        range.last_time = Some(time::to_proto("2026-05-01T11:00:00Z".parse().unwrap()));
        range.count = 61;
        range.set_outcome(FireOutcome::Skipped);
        range.set_reason(SkipReason::CatchUpLimit);
        let texts: Vec<_> = row(&range).iter().map(Cell::content).collect();
        assert_eq!(texts[0], "2026-05-01T10:00:00Z to 2026-05-01T11:00:00Z (61 times)");
        assert_eq!(&texts[1..3], ["skipped", "catch up limit"]);
        assert_eq!(json(&range)["count"], 61);
        assert_eq!(json(&range)["reason"], "catch_up_limit");
        assert_eq!(json(&range)["epoch"], Value::Null);
    }
}
