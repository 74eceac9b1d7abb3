//! What holds for every spec.

use std::{collections::BTreeMap, time::Duration};

use bellringer_schedule::{
    CalendarUnit, Exclusion, Fire, GapPolicy, Plan, RepeatPolicy, Search, Spec, Trigger,
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use proptest::{prelude::*, sample::select};

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/Nuuk",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
];

fn instant() -> impl Strategy<Value = Timestamp> {
    (1_300_000_000_i64..2_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let expressions = [
        "30 2 * * *",
        "*/20 1-3 * * *",
        "0,30 23,0 * * *",
        "@hourly",
        "H H(0-3) * * *",
        "0 0 L * *",
        "15 10 15W * *",
        "0 3 * * 0#1",
        "*/30 30 2 * * 6",
        "0 0 30 2 *",
        "0 0 29 2 *",
    ];
    let units =
        [CalendarUnit::Days, CalendarUnit::Weeks, CalendarUnit::Months, CalendarUnit::Years];
    prop_oneof![
        4 => select(expressions.to_vec()).prop_map(Trigger::cron),
        1 => (600_u64..1_000_000, 0_u64..600, prop::option::of(instant())).prop_map(
            |(every, phase, anchor)| Trigger::Interval {
                every: Duration::from_secs(every),
                anchor,
                phase: Duration::from_secs(phase),
            }
        ),
        1 => instant().prop_map(|at| Trigger::Once { at }),
        1 => (1_u32..40, select(units.to_vec()), 1_i8..=12, 1_i8..=28, 0_i8..24).prop_map(
            |(every, unit, month, day, hour)| Trigger::Calendar {
                every,
                unit,
                start: Date::constant(2010, month, day),
                at: Time::constant(hour, 30, 0, 0),
            }
        ),
    ]
}

fn exclusion() -> impl Strategy<Value = Exclusion> {
    let date = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    prop_oneof![
        (instant(), 0_i64..1000).prop_map(move |(from, days)| Exclusion::Dates {
            from: date(from),
            to: date(from + SignedDuration::from_hours(24 * days)),
        }),
        (instant(), 1_i64..10_000).prop_map(|(from, hours)| Exclusion::Range {
            from,
            to: from + SignedDuration::from_hours(hours),
        }),
        trigger().prop_map(Exclusion::Trigger),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let gaps = [None, Some(GapPolicy::RunAfter), Some(GapPolicy::Skip), Some(GapPolicy::Shift)];
    let repeats =
        [None, Some(RepeatPolicy::First), Some(RepeatPolicy::Last), Some(RepeatPolicy::Both)];
    (
        prop::collection::vec(trigger(), 1..4),
        prop::collection::vec(exclusion(), 0..3),
        select(&ZONES[..]),
        prop::option::of(instant()),
        prop::option::of(1_i64..100_000_000),
        prop_oneof![Just(0_u64), 0_u64..=86_400_000],
        select(gaps.to_vec()),
        select(repeats.to_vec()),
    )
        .prop_map(|(triggers, exclusions, zone, start, length, jitter, gap, repeat)| Spec {
            triggers,
            exclusions,
            zone: zone.into(),
            start,
            end: start.zip(length).map(|(start, length)| start + SignedDuration::from_secs(length)),
            jitter: Duration::from_millis(jitter),
            gap,
            repeat,
        })
}

fn compile(spec: &Spec) -> Plan {
    Plan::compile(spec, "a schedule").unwrap()
}

fn some(plan: &Plan, after: Timestamp) -> Vec<Fire> {
    plan.fires(after).take(200).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn fires_rise_stay_within_their_bounds_and_are_due_before_the_next(
        spec in spec(),
        after in instant(),
    ) {
        let fires = some(&compile(&spec), after);
        for fire in &fires {
            prop_assert!(fire.nominal > after && fire.nominal.subsec_nanosecond() == 0);
            prop_assert!(spec.start.is_none_or(|start| fire.nominal >= start));
            prop_assert!(spec.end.is_none_or(|end| fire.nominal < end));
            let jitter = Duration::try_from(fire.due.duration_since(fire.nominal)).unwrap();
            prop_assert!(jitter < spec.jitter || jitter.is_zero());
        }
        for pair in fires.windows(2) {
            prop_assert!(pair[0].nominal < pair[1].nominal && pair[0].due < pair[1].nominal);
        }
    }

    #[test]
    fn the_next_fire_is_the_same_from_anywhere_before_it(
        spec in spec(),
        after in instant(),
        nanos in 0_i64..1_000_000_000,
    ) {
        let plan = compile(&spec);
        let mut after = after;
        for fire in some(&plan, after).into_iter().take(30) {
            prop_assert_eq!(plan.next(after), Some(fire));
            let near = fire.nominal - SignedDuration::from_nanos(nanos).max(SignedDuration::from_nanos(1));
            prop_assert_eq!(plan.next(near.max(after)), Some(fire));
            after = fire.nominal;
        }
    }

    #[test]
    fn several_triggers_fire_when_any_of_them_does(spec in spec(), after in instant()) {
        let fires = some(&compile(&spec), after);
        let last = fires.last().map_or(Timestamp::MAX, |fire| fire.nominal);

        // The anchor of an interval is the spec's start, which the single specs share.
        let mut single = BTreeMap::new();
        for trigger in &spec.triggers {
            let plan = compile(&Spec { triggers: vec![trigger.clone()], ..spec.clone() });
            for fire in plan.fires(after).take_while(|fire| fire.nominal <= last) {
                let (rule, excluded) =
                    single.entry(fire.nominal).or_insert((fire.rule, fire.excluded));
                *rule = fire.rule.min(*rule);
                *excluded &= fire.excluded;
                if single.len() > 1000 {
                    break;
                }
            }
        }

        let all: BTreeMap<_, _> =
            fires.iter().map(|fire| (fire.nominal, (fire.rule, fire.excluded))).collect();
        prop_assert_eq!(all, single);
    }

    #[test]
    fn exclusions_and_jitter_change_no_nominal_time(spec in spec(), after in instant()) {
        let bare = Spec { exclusions: Vec::new(), jitter: Duration::ZERO, ..spec.clone() };
        let (fires, bare) = (some(&compile(&spec), after), some(&compile(&bare), after));
        let times = |fires: &[Fire]| -> Vec<_> {
            fires.iter().map(|fire| (fire.nominal, fire.rule)).collect()
        };
        prop_assert_eq!(times(&fires), times(&bare));
        prop_assert!(bare.iter().all(|fire| !fire.excluded && fire.due == fire.nominal));
    }

    #[test]
    fn what_is_found_and_counted_is_what_fires(spec in spec(), after in instant()) {
        let plan = compile(&spec);
        let fires = some(&plan, after);
        match plan.first_wanted(after) {
            Search::Found(found) => {
                prop_assert!(!found.excluded);
                let first = fires.iter().find(|fire| !fire.excluded);
                prop_assert!(first.is_none_or(|first| *first == found));
            }
            Search::Never(_) => prop_assert!(fires.iter().all(|fire| fire.excluded)),
            Search::AllExcluded { .. } => prop_assert!(fires.iter().all(|fire| fire.excluded)),
        }

        if let Some(last) = fires.last() {
            let from = after + SignedDuration::from_nanos(1);
            let count = plan.count(from, last.nominal, 1000);
            let excluded = fires[..fires.len() - 1].iter().filter(|fire| fire.excluded).count();
            prop_assert_eq!(count.excluded as usize, excluded);
            prop_assert_eq!((count.wanted + count.excluded) as usize, fires.len() - 1);
        }
    }

    #[test]
    fn a_spec_survives_json_and_means_the_same(spec in spec(), after in instant()) {
        let json = serde_json::to_string(&spec).unwrap();
        let read: Spec = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &spec);
        prop_assert_eq!(compile(&read).next(after), compile(&spec).next(after));
    }
}
