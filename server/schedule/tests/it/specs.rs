//! What specs mean beyond their triggers' times, and how wrong ones are refused.

use std::time::Duration;

use bellringer_schedule::{
    CalendarUnit, Count, Exclusion, Plan, Rule, Search, Spec, Trigger, tzdata_version,
};
use jiff::civil::{Date, date, time};

use crate::make::{at, cron, fires, plan, told};

fn excluding(exclusion: Exclusion, spec: Spec) -> Spec {
    Spec { exclusions: vec![exclusion], ..spec }
}

fn on(date: Date) -> Exclusion {
    Exclusion::Dates { from: date, to: date }
}

/// Local dates and hours of the fires that are excluded.
fn excluded(spec: &Spec, from: &str, to: &str) -> Vec<String> {
    let fires = fires(spec, from, to);
    let told = told(spec, from, to);
    fires.iter().zip(told).filter(|(fire, _)| fire.excluded).map(|(_, told)| told).collect()
}

#[test]
fn triggers_that_name_one_instant_make_one_fire() {
    let every = |hours: u64| Trigger::Interval {
        every: Duration::from_secs(hours * 3600),
        anchor: None,
        phase: Duration::ZERO,
    };
    let once = Trigger::Once { at: at("2026-01-01T12:00:00Z") };
    let spec = Spec::new([every(6), every(4), once, Trigger::cron("0 12 * * *")]);
    let hours: Vec<_> = told(&spec, "2026-01-01", "2026-01-02");
    assert_eq!(hours, [0, 4, 6, 8, 12, 16, 18, 20].map(|hour| format!("01-01 {hour:02}:00+00:00")));
}

#[test]
fn a_merged_fire_is_told_with_the_first_of_its_rules() {
    let spec = Spec {
        zone: "America/New_York".into(),
        ..Spec::new([Trigger::cron("30 2 * * *"), Trigger::cron("0 3 * * *")])
    };
    let fires = fires(&spec, "2025-03-09", "2025-03-10");
    assert_eq!((fires.len(), fires[0].rule), (1, Rule::Plain));
}

#[test]
fn the_start_belongs_to_the_times_and_the_end_does_not() {
    let mut spec = cron("0 * * * *", "UTC");
    spec.start = Some(at("2026-01-01T10:00:00Z"));
    spec.end = Some(at("2026-01-01T12:00:00Z"));
    assert_eq!(told(&spec, "2026-01-01", "2026-01-02"), ["01-01 10:00+00:00", "01-01 11:00+00:00"]);
    spec.start = Some(at("2026-01-01T10:00:00.001Z"));
    spec.end = Some(at("2026-01-01T12:00:00.001Z"));
    assert_eq!(told(&spec, "2026-01-01", "2026-01-02"), ["01-01 11:00+00:00", "01-01 12:00+00:00"]);
}

#[test]
fn an_interval_is_anchored_at_the_start_unless_told_otherwise() {
    let interval = |anchor| Trigger::Interval {
        every: Duration::from_secs(100),
        anchor,
        phase: Duration::from_secs(7),
    };
    let first = |anchor, start: Option<&str>| {
        let spec = Spec { start: start.map(at), ..Spec::new([interval(anchor)]) };
        plan(&spec).next(at("2026-01-01T00:00:00Z")).unwrap().nominal.to_string()
    };
    // 2026-01-01T00:00:00Z is a multiple of 100 seconds after 1970.
    assert_eq!(first(None, None), "2026-01-01T00:00:07Z");
    assert_eq!(first(None, Some("2026-01-01T10:00:01Z")), "2026-01-01T10:00:08Z");
    assert_eq!(first(None, Some("2026-01-01T10:00:00.5Z")), "2026-01-01T10:00:08Z");
    assert_eq!(first(Some(at("2030-01-01T00:00:30Z")), None), "2026-01-01T00:00:37Z");
}

#[test]
fn excluded_dates_are_judged_by_the_local_time_that_is_meant() {
    let berlin = cron("30 0 * * *", "Europe/Berlin");
    let spec = excluding(on(date(2026, 12, 25)), berlin);
    assert_eq!(excluded(&spec, "2026-12-23", "2026-12-28"), ["12-25 00:30+01:00"]);
    assert_eq!(told(&spec, "2026-12-23", "2026-12-28").len(), 5, "they are told all the same");

    let midnight = excluding(on(date(2026, 12, 25)), cron("0 0 * * *", "Europe/Berlin"));
    assert_eq!(excluded(&midnight, "2026-12-23", "2026-12-28"), ["12-25 00:00+01:00"]);

    // Meant for Saturday, 23:30, although the gap ends on Sunday.
    let nuuk = cron("30 23 * * *", "America/Nuuk");
    let saturday = excluding(on(date(2024, 3, 30)), nuuk.clone());
    assert_eq!(excluded(&saturday, "2024-03-30", "2024-04-01"), ["03-31 00:00-01:00 gap_moved"]);
    let sunday = excluding(on(date(2024, 3, 31)), nuuk);
    assert_eq!(excluded(&sunday, "2024-03-30", "2024-04-01"), ["03-31 23:30-01:00"]);
}

#[test]
fn a_range_excludes_its_start_and_not_its_end() {
    let range = |from, to| Exclusion::Range { from: at(from), to: at(to) };
    let hourly = cron("0 * * * *", "UTC");
    let spec = excluding(range("2026-01-01T03:00:00Z", "2026-01-01T05:00:00Z"), hourly.clone());
    assert_eq!(
        excluded(&spec, "2026-01-01", "2026-01-02"),
        ["01-01 03:00+00:00", "01-01 04:00+00:00"]
    );
    let spec = excluding(range("2026-01-01T03:00:00.1Z", "2026-01-01T05:00:00.1Z"), hourly);
    assert_eq!(
        excluded(&spec, "2026-01-01", "2026-01-02"),
        ["01-01 04:00+00:00", "01-01 05:00+00:00"]
    );
}

#[test]
fn a_cron_exclusion_covers_both_passes_of_a_repeated_hour() {
    let spec = excluding(
        Exclusion::Trigger(Trigger::cron("30 1 * * *")),
        cron("*/30 1 * * *", "America/New_York"),
    );
    assert_eq!(
        excluded(&spec, "2025-11-02", "2025-11-03"),
        ["11-02 01:30-04:00 first", "11-02 01:30-05:00 last"]
    );
}

#[test]
fn an_interval_excludes_by_the_instant() {
    let every = Duration::from_secs(3 * 3600);
    let thirds = Trigger::Interval { every, anchor: None, phase: Duration::ZERO };
    let spec = excluding(Exclusion::Trigger(thirds), cron("0 0-6 * * *", "UTC"));
    assert_eq!(
        excluded(&spec, "2026-01-01", "2026-01-02"),
        [0, 3, 6].map(|hour| format!("01-01 {hour:02}:00+00:00"))
    );
}

#[test]
fn a_merged_fire_is_excluded_only_if_all_that_made_it_is() {
    // What is meant for 02:00 and 02:30 is moved to one instant, 03:00.
    let one = cron("0,30 2 * * *", "America/New_York");
    let two = Spec {
        triggers: vec![Trigger::cron("0 2 * * *"), Trigger::cron("30 2 * * *")],
        ..one.clone()
    };
    for spec in [one, two] {
        for (exclusion, number) in [("0 2 * * *", 0), ("30 2 * * *", 0), ("0,30 2 * * *", 1)] {
            let exclusion = Exclusion::Trigger(Trigger::cron(exclusion));
            let spec = excluding(exclusion, spec.clone());
            assert_eq!(excluded(&spec, "2025-03-09", "2025-03-10").len(), number, "{spec:?}");
        }
    }
}

#[test]
fn jitter_is_stable_and_less_than_the_time_to_the_next_fire() {
    let mut spec = cron("0,1 * * * *", "UTC");
    spec.jitter = Duration::from_secs(3600);
    let fires = fires(&spec, "2026-01-01", "2026-01-08");
    for pair in fires.windows(2) {
        assert!(pair[0].nominal <= pair[0].due && pair[0].due < pair[1].nominal, "{pair:?}");
        assert_eq!(pair[0].due.subsec_nanosecond() % 1_000_000, 0);
    }
    let most = fires.iter().map(|fire| fire.due.duration_since(fire.nominal)).max().unwrap();
    assert!(most > jiff::SignedDuration::from_mins(50), "the room is used: {most}");
    for fire in fires.iter().step_by(17) {
        let before = fire.nominal - jiff::SignedDuration::from_nanos(1);
        assert_eq!(plan(&spec).next(before), Some(*fire), "from anywhere the same");
    }
    let other = Plan::compile(&spec, "another seed").unwrap();
    assert_ne!(other.next(at("2026-01-01T00:00:00Z")).unwrap().due, fires[1].due);
    assert_eq!(fires[0].due.to_string(), "2026-01-01T00:00:12.442Z");
}

#[test]
fn without_jitter_a_fire_is_due_at_its_nominal_time() {
    for fire in fires(&cron("@hourly", "UTC"), "2026-01-01", "2026-01-02") {
        assert_eq!(fire.due, fire.nominal);
    }
}

#[test]
fn times_are_in_the_horizon() {
    let spec = cron("* * * * * *", "America/New_York");
    let first = plan(&spec).next(jiff::Timestamp::MIN).unwrap();
    assert_eq!(first.nominal.to_string(), "1970-01-01T00:00:00Z");
    let last = plan(&spec).next(at("2199-12-31T23:59:58Z")).unwrap();
    assert_eq!(last.nominal.to_string(), "2199-12-31T23:59:59Z");
    assert_eq!(plan(&spec).next(last.nominal), None);
    assert_eq!(plan(&spec).next(jiff::Timestamp::MAX), None);
    let berlin = plan(&cron("0 0 * * *", "Asia/Tokyo"));
    let last = berlin.next(at("2199-12-31T12:00:00Z")).unwrap();
    assert_eq!(last.nominal.to_string(), "2199-12-31T15:00:00Z", "a local date in 2200");
}

#[test]
fn a_spec_that_never_fires_is_told_from_one_whose_fires_are_excluded() {
    let now = at("2026-06-01T00:00:00Z");
    let never = |spec: &Spec| match plan(spec).first_wanted(now) {
        Search::Never(why) => why,
        other @ (Search::Found(_) | Search::AllExcluded { .. }) => panic!("{other:?}"),
    };

    assert_eq!(never(&cron("0 0 30 2 *", "UTC")), "no date from 1970 to 2199 matches");
    assert_eq!(
        never(&cron("0 0 0 1 1 * 2025", "UTC")),
        "all times are before 2026-06-01T00:00:01Z"
    );
    let ended = Spec { end: Some(at("2026-06-01T12:00:00Z")), ..cron("0 13 * * *", "UTC") };
    assert_eq!(
        never(&ended),
        "the next time, 2026-06-01T13:00:00Z, is not before the end, 2026-06-01T12:00:00Z"
    );
    let once = Trigger::Once { at: at("2026-07-01T00:00:00Z") };
    let excluded = excluding(on(date(2026, 7, 1)), Spec::new([once]));
    assert_eq!(never(&excluded), "the only time that is left is excluded");
    let fridays = Exclusion::Trigger(Trigger::cron("* * * * 5"));
    let excluded = excluding(fridays, cron("0 9 * * 5", "UTC"));
    assert!(never(&excluded).contains("times that are left are all excluded"));
    let every_minute = Exclusion::Trigger(Trigger::cron("* * * * *"));
    let excluded = excluding(every_minute, cron("0 9 * * *", "UTC"));
    assert_eq!(plan(&excluded).first_wanted(now), Search::AllExcluded { looked_at: 10_000 });

    let spec = excluding(on(date(2026, 6, 1)), cron("0 9 * * *", "UTC"));
    let Search::Found(fire) = plan(&spec).first_wanted(now) else { panic!() };
    assert_eq!(fire.nominal.to_string(), "2026-06-02T09:00:00Z");
}

#[test]
fn fires_are_counted_up_to_a_limit() {
    let plan = plan(&excluding(on(date(2026, 1, 2)), cron("0 */6 * * *", "UTC")));
    let count = |limit| plan.count(at("2026-01-01T00:00:00Z"), at("2026-01-03T00:00:00Z"), limit);
    assert_eq!(count(100), Count { wanted: 4, excluded: 4, is_more: false });
    assert_eq!(count(8), Count { wanted: 4, excluded: 4, is_more: false });
    assert_eq!(count(5), Count { wanted: 4, excluded: 1, is_more: true });
    assert_eq!(count(0), Count { wanted: 0, excluded: 0, is_more: true });
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_field() {
    let seconds = Duration::from_secs;
    let interval = |every, anchor, phase| Trigger::Interval { every, anchor, phase };
    let mut spec = Spec::new([
        Trigger::cron("61 * * * *"),
        interval(Duration::from_millis(1500), Some(at("2026-01-01T00:00:00.5Z")), seconds(0)),
        interval(seconds(60), None, seconds(60)),
        Trigger::Once { at: at("2200-01-01T00:00:00Z") },
        Trigger::Calendar {
            every: 0,
            unit: CalendarUnit::Days,
            start: date(1969, 12, 31),
            at: time(9, 0, 0, 1),
        },
    ]);
    spec.exclusions = vec![
        Exclusion::Dates { from: date(2026, 1, 2), to: date(2026, 1, 1) },
        Exclusion::Range { from: at("2026-01-01T00:00:00Z"), to: at("2026-01-01T00:00:00Z") },
        Exclusion::Trigger(Trigger::cron("* * *")),
    ];
    spec.zone = "Europe/Berln".into();
    spec.start = Some(at("2026-01-01T00:00:00Z"));
    spec.end = Some(at("2026-01-01T00:00:00Z"));
    spec.jitter = seconds(86_401);

    let problems = Plan::compile(&spec, "seed").unwrap_err();

    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told[..12],
        [
            "zone: unknown time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?",
            "triggers[0].cron.expression: minute \"61\": \"61\" is not allowed; allowed are 0-59",
            "triggers[1].interval.every: is 1.5s; allowed are whole seconds, 1 s to 10 years (87600 h)",
            "triggers[1].interval.anchor: is 2026-01-01T00:00:00.5Z; allowed are whole seconds",
            "triggers[2].interval.phase: is 60s; allowed are whole seconds, 0 s to less than every",
            "triggers[3].once.at: is 2200-01-01T00:00:00Z; allowed are 1970-01-01T00:00:00Z to 2199-12-31T23:59:59Z",
            "triggers[4].calendar.every: is 0; allowed are 1 to 1000",
            "triggers[4].calendar.start: is 1969-12-31; allowed are 1970-01-01 to 2199-12-31",
            "triggers[4].calendar.at: is 09:00:00.000000001; allowed are whole seconds",
            "exclusions[0].dates.to: 2026-01-01 is before from, 2026-01-02",
            "exclusions[1].range.to: 2026-01-01T00:00:00Z is not after from, 2026-01-01T00:00:00Z",
            told[11].as_str(),
        ]
    );
    assert!(told[11].starts_with("exclusions[2].trigger.cron.expression: has 3 fields"));
    assert_eq!(
        told[12..],
        [
            "end: 2026-01-01T00:00:00Z is not after start, 2026-01-01T00:00:00Z",
            "jitter: is 86401s; allowed are whole milliseconds, 0 s to 24 h",
        ]
    );
}

#[test]
fn there_are_at_most_so_many_triggers_and_exclusions() {
    let field = |spec: &Spec| Plan::compile(spec, "seed").unwrap_err()[0].field.clone();
    assert_eq!(field(&Spec::new([])), "triggers");
    assert_eq!(field(&Spec::new(vec![Trigger::cron("@daily"); 21])), "triggers");
    let exclusions = vec![on(date(2026, 1, 1)); 51];
    assert_eq!(field(&Spec { exclusions, ..cron("@daily", "UTC") }), "exclusions");
}

#[test]
fn a_plan_knows_its_zone_and_its_data() {
    let plan = plan(&cron("@daily", "europe/berlin"));
    assert_eq!(plan.zone_name(), "Europe/Berlin");
    assert_eq!(plan.describe(), "at 00:00 every day in Europe/Berlin");
    assert_eq!(plan.spec().zone, "europe/berlin", "as it was written");
    assert!(tzdata_version().starts_with("20"), "{}", tzdata_version());
}
