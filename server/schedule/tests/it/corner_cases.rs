//! Days on which the clocks of some place did something.

use std::time::Duration;

use bellringer_schedule::{CalendarUnit, GapPolicy, RepeatPolicy, Spec, Trigger};
use jiff::{
    SignedDuration,
    civil::{date, time},
};

use crate::make::{cron, fires, told, with_gap, with_repeat};

const NEW_YORK: &str = "America/New_York";
const NOTHING: [&str; 0] = [];

#[test]
fn a_gap_runs_a_fixed_entry_once_right_after_it() {
    for (expression, expected) in [
        ("30 2 * * *", &["03-09 03:00-04:00 gap_moved"][..]),
        ("0,30 2 * * *", &["03-09 03:00-04:00 gap_moved"]),
        ("30 2,3 * * *", &["03-09 03:00-04:00 gap_moved", "03-09 03:30-04:00"]),
        (
            "30 1-3 * * *",
            &["03-09 01:30-05:00", "03-09 03:00-04:00 gap_moved", "03-09 03:30-04:00"],
        ),
        ("0,30 2,3 * * *", &["03-09 03:00-04:00", "03-09 03:30-04:00"]),
    ] {
        let spec = cron(expression, NEW_YORK);
        assert_eq!(told(&spec, "2025-03-09", "2025-03-10"), expected, "{expression}");
    }
}

#[test]
fn a_gap_takes_from_a_wild_entry_what_is_in_it() {
    let spec = cron("*/15 2 * * *", NEW_YORK);
    assert_eq!(told(&spec, "2025-03-09", "2025-03-10"), NOTHING);

    let spec = cron("*/30 1-3 * * *", NEW_YORK);
    assert_eq!(
        told(&spec, "2025-03-09", "2025-03-10"),
        ["03-09 01:00-05:00", "03-09 01:30-05:00", "03-09 03:00-04:00", "03-09 03:30-04:00"]
    );
}

#[test]
fn a_repeated_hour_runs_a_fixed_entry_in_the_first_pass() {
    let spec = cron("30 1 * * *", NEW_YORK);
    assert_eq!(told(&spec, "2025-11-02", "2025-11-03"), ["11-02 01:30-04:00 first"]);
    let spec = cron("0,30 1 * * *", NEW_YORK);
    assert_eq!(
        told(&spec, "2025-11-02", "2025-11-03"),
        ["11-02 01:00-04:00 first", "11-02 01:30-04:00 first"]
    );
}

#[test]
fn a_repeated_hour_runs_a_wild_entry_in_both_passes() {
    let spec = cron("*/30 1 * * *", NEW_YORK);
    assert_eq!(
        told(&spec, "2025-11-02", "2025-11-03"),
        [
            "11-02 01:00-04:00 first",
            "11-02 01:30-04:00 first",
            "11-02 01:00-05:00 last",
            "11-02 01:30-05:00 last"
        ]
    );
}

#[test]
fn an_explicit_gap_policy_holds_for_fixed_and_wild_entries() {
    for (expression, policy, expected) in [
        ("30 2 * * *", GapPolicy::Skip, &[][..]),
        ("30 2 * * *", GapPolicy::Shift, &["03-09 03:30-04:00 gap_shifted"]),
        (
            "0,30 2 * * *",
            GapPolicy::Shift,
            &["03-09 03:00-04:00 gap_shifted", "03-09 03:30-04:00 gap_shifted"],
        ),
        ("30 2,3 * * *", GapPolicy::Shift, &["03-09 03:30-04:00"]),
        ("*/15 2 * * *", GapPolicy::RunAfter, &["03-09 03:00-04:00 gap_moved"]),
        (
            "*/30 2 * * *",
            GapPolicy::Shift,
            &["03-09 03:00-04:00 gap_shifted", "03-09 03:30-04:00 gap_shifted"],
        ),
    ] {
        let spec = with_gap(policy, cron(expression, NEW_YORK));
        assert_eq!(told(&spec, "2025-03-09", "2025-03-10"), expected, "{expression} {policy:?}");
    }
}

#[test]
fn an_explicit_repeat_policy_holds_for_fixed_and_wild_entries() {
    let (first, last) = ("11-02 01:30-04:00 first", "11-02 01:30-05:00 last");
    for expression in ["30 1 * * *", "*/60 1 * * *"] {
        for (policy, passes) in [
            (RepeatPolicy::First, &[first][..]),
            (RepeatPolicy::Last, &[last]),
            (RepeatPolicy::Both, &[first, last]),
        ] {
            let spec = with_repeat(policy, cron(expression, NEW_YORK));
            let passes: Vec<String> = if expression.starts_with('*') {
                passes.iter().map(|pass| pass.replace(":30-", ":00-")).collect()
            } else {
                passes.iter().map(ToString::to_string).collect()
            };
            assert_eq!(told(&spec, "2025-11-02", "2025-11-03"), passes, "{expression} {policy:?}");
        }
    }
}

#[test]
fn the_last_pass_is_found_when_nothing_else_matches_for_years() {
    let spec = with_repeat(RepeatPolicy::Last, cron("0 30 1 2 11 * 2025", NEW_YORK));
    assert_eq!(told(&spec, "2025-01-01", "2030-01-01"), ["11-02 01:30-05:00 last"]);
    let spec = with_repeat(RepeatPolicy::Last, cron("30 1 2 11 */7", NEW_YORK));
    assert_eq!(told(&spec, "2024-11-03", "2030-01-01"), ["11-02 01:30-05:00 last"]);
}

#[test]
fn what_is_shortly_before_a_change_is_found_from_far_away() {
    for (expression, zone, expected) in [
        ("0 1 5 10 *", "Australia/Lord_Howe", "10-05 01:00+10:30"),
        ("0 1 2 11 *", NEW_YORK, "11-02 01:00-04:00 first"),
        ("59 23 31 12 *", "Pacific/Kiritimati", "12-31 23:59+14:00"),
    ] {
        assert_eq!(told(&cron(expression, zone), "2025-01-01", "2026-01-01"), [expected]);
    }
}

#[test]
fn half_an_hour_is_skipped_and_repeated_on_lord_howe() {
    let spec = cron("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(told(&spec, "2025-10-05", "2025-10-06"), ["10-05 02:30+11:00 gap_moved"]);
    let spec = cron("*/15 1 * * *", "Australia/Lord_Howe");
    assert_eq!(
        told(&spec, "2025-04-06", "2025-04-07"),
        [
            "04-06 01:00+11:00",
            "04-06 01:15+11:00",
            "04-06 01:30+11:00 first",
            "04-06 01:45+11:00 first",
            "04-06 01:30+10:30 last",
            "04-06 01:45+10:30 last"
        ]
    );
}

#[test]
fn a_zone_with_three_quarters_of_an_hour_changes_at_a_quarter_to() {
    let spec = cron("0 3 * * *", "Pacific/Chatham");
    assert_eq!(told(&spec, "2025-09-28", "2025-09-29"), ["09-28 03:45+13:45 gap_moved"]);
    let spec = cron("45 2 * * *", "Pacific/Chatham");
    assert_eq!(told(&spec, "2025-04-06", "2025-04-07"), ["04-06 02:45+13:45 first"]);
}

#[test]
fn two_hours_are_skipped_and_repeated_at_troll() {
    let spec = cron("30 1,2 * * *", "Antarctica/Troll");
    assert_eq!(told(&spec, "2025-03-30", "2025-03-31"), ["03-30 03:00+02:00 gap_moved"]);
    assert_eq!(
        told(&spec, "2025-10-26", "2025-10-27"),
        ["10-26 01:30+02:00 first", "10-26 02:30+02:00 first"]
    );
}

#[test]
fn a_gap_at_midnight_moves_midnight() {
    for (zone, day, next, expected) in [
        ("Africa/Cairo", "2024-04-26", "2024-04-27", "04-26 01:00+03:00 gap_moved"),
        ("Asia/Amman", "2017-03-31", "2017-04-01", "03-31 01:00+03:00 gap_moved"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-05", "11-04 01:00-02:00 gap_moved"),
    ] {
        for expression in ["0 0 * * *", "@daily"] {
            assert_eq!(told(&cron(expression, zone), day, next), [expected], "{zone}");
        }
    }
}

#[test]
fn what_is_meant_for_saturday_fires_after_a_gap_that_ends_on_sunday() {
    for expression in ["30 23 * * 6", "30 23 * * *", "30 23 30 3 *"] {
        let spec = cron(expression, "America/Nuuk");
        let fires = told(&spec, "2024-03-30", "2024-04-01");
        assert_eq!(fires[0], "03-31 00:00-01:00 gap_moved", "{expression}");
    }
    // Sunday's own midnight is not a matter of the gap.
    let spec = cron("0 0 * * 0", "America/Nuuk");
    assert_eq!(told(&spec, "2024-03-30", "2024-04-01"), ["03-31 00:00-01:00"]);
    let spec = cron("30 23 * * 0", "America/Nuuk");
    assert_eq!(told(&spec, "2024-03-30", "2024-04-01"), ["03-31 23:30-01:00"]);
}

#[test]
fn a_repeated_hour_before_midnight_runs_on_its_own_date() {
    let spec = cron("30 23 * * 6", "America/Santiago");
    assert_eq!(told(&spec, "2017-05-12", "2017-05-16"), ["05-13 23:30-03:00 first"]);
    let spec = cron("0 0 * * *", "America/Santiago");
    assert_eq!(told(&spec, "2017-05-13", "2017-05-15"), ["05-13 00:00-03:00", "05-14 00:00-04:00"]);
    let spec = with_repeat(RepeatPolicy::Last, cron("30 23 * * 6", "America/Nuuk"));
    assert_eq!(told(&spec, "2024-10-25", "2024-10-29"), ["10-26 23:30-02:00 last"]);
}

#[test]
fn a_day_that_is_skipped_is_made_up_for_once() {
    let spec = cron("0 9 * * *", "Pacific/Apia");
    assert_eq!(
        told(&spec, "2011-12-29", "2012-01-01"),
        ["12-29 09:00-10:00", "12-31 00:00+14:00 gap_moved", "12-31 09:00+14:00"]
    );
    let spec = cron("0 * * * *", "Pacific/Apia");
    assert_eq!(told(&spec, "2011-12-29", "2012-01-01").len(), 48);
    // The 21st of August was skipped in Kwajalein.
    let spec = cron("0 9,15 * * *", "Pacific/Kwajalein");
    assert_eq!(
        told(&spec, "1993-08-20", "1993-08-23"),
        [
            "08-20 09:00-12:00",
            "08-20 15:00-12:00",
            "08-22 00:00+12:00 gap_moved",
            "08-22 09:00+12:00",
            "08-22 15:00+12:00"
        ]
    );
    let spec = with_gap(GapPolicy::Shift, cron("0 9 30 12 *", "Pacific/Apia"));
    assert_eq!(told(&spec, "2011-12-29", "2012-01-03"), ["12-31 09:00+14:00 gap_shifted"]);
}

#[test]
fn a_zone_that_changes_its_offset_for_good_repeats_like_any_other() {
    let spec = cron("30 23 * * *", "Asia/Almaty");
    assert_eq!(
        told(&spec, "2024-02-28", "2024-03-02"),
        ["02-28 23:30+06:00", "02-29 23:30+06:00 first", "03-01 23:30+05:00"]
    );
}

#[test]
fn a_change_of_the_name_alone_is_no_change() {
    // Since October 2024 summer time is the standard time of Paraguay.
    let spec = cron("*/30 23,0 * * *", "America/Asuncion");
    let fires = told(&spec, "2024-10-13", "2024-10-17");
    assert_eq!(fires.len(), 16);
    assert!(fires.iter().all(|fire| fire.ends_with("-03:00")), "{fires:?}");
}

#[test]
fn clocks_that_change_twice_around_ramadan_are_followed() {
    let spec = cron("30 2 * * *", "Africa/Casablanca");
    assert_eq!(
        told(&spec, "2024-03-09", "2024-03-12"),
        ["03-09 02:30+01:00", "03-10 02:30+01:00 first", "03-11 02:30+00:00"]
    );
    assert_eq!(
        told(&spec, "2024-04-13", "2024-04-16"),
        ["04-13 02:30+00:00", "04-14 03:00+01:00 gap_moved", "04-15 02:30+01:00"]
    );
}

#[test]
fn dublin_is_followed_whichever_time_is_called_summer_time() {
    let spec = cron("30 1 * * *", "Europe/Dublin");
    assert_eq!(told(&spec, "2025-03-30", "2025-03-31"), ["03-30 02:00+01:00 gap_moved"]);
    assert_eq!(told(&spec, "2025-10-26", "2025-10-27"), ["10-26 01:30+01:00 first"]);
}

#[test]
fn the_29th_of_february_and_the_31st_come_when_they_exist() {
    let spec = cron("0 12 29 2 *", "Europe/Berlin");
    let years = told(&spec, "2090-01-01", "2110-01-01");
    assert_eq!(years.len(), 4, "2092, 2096, 2104, 2108: {years:?}");
    let spec = cron("0 12 31 * *", "Europe/Berlin");
    assert_eq!(told(&spec, "2026-01-01", "2027-01-01").len(), 7);
}

#[test]
fn an_interval_is_elapsed_time_whatever_the_clocks_do() {
    let every = Duration::from_secs(90 * 60);
    let interval = Trigger::Interval { every, anchor: None, phase: Duration::ZERO };
    let spec = Spec { zone: NEW_YORK.into(), ..Spec::new([interval]) };
    assert_eq!(
        told(&spec, "2025-11-02", "2025-11-03")[..4],
        ["11-02 00:30-04:00", "11-02 01:00-05:00", "11-02 02:30-05:00", "11-02 04:00-05:00"]
    );
    for (from, to) in [("2025-11-01", "2025-11-04"), ("2025-03-08", "2025-03-11")] {
        for pair in fires(&spec, from, to).windows(2) {
            assert_eq!(
                pair[1].nominal.duration_since(pair[0].nominal),
                SignedDuration::from_mins(90)
            );
        }
    }
}

#[test]
fn a_calendar_entry_is_fixed() {
    let calendar = Trigger::Calendar {
        every: 1,
        unit: CalendarUnit::Weeks,
        start: date(2025, 3, 2),
        at: time(2, 30, 0, 0),
    };
    let spec = Spec { zone: NEW_YORK.into(), ..Spec::new([calendar.clone()]) };
    assert_eq!(
        told(&spec, "2025-03-01", "2025-03-17"),
        ["03-02 02:30-05:00", "03-09 03:00-04:00 gap_moved", "03-16 02:30-04:00"]
    );
    let spec = with_gap(GapPolicy::Skip, spec);
    assert_eq!(told(&spec, "2025-03-01", "2025-03-17"), ["03-02 02:30-05:00", "03-16 02:30-04:00"]);
}

#[test]
fn seconds_are_moved_and_repeated_like_minutes() {
    let spec = cron("59,0 59 2 * * *", NEW_YORK);
    assert_eq!(told(&spec, "2025-03-09", "2025-03-10"), ["03-09 03:00-04:00 gap_moved"]);
    let spec = cron("*/30 59 1 * * *", NEW_YORK);
    assert_eq!(told(&spec, "2025-11-02", "2025-11-03").len(), 4);
}

#[test]
fn no_second_is_a_leap_second() {
    let spec = cron("* 59 23 31 12 *", "UTC");
    assert_eq!(told(&spec, "2016-12-31", "2017-01-01").len(), 60);
}

#[test]
fn clocks_that_change_after_the_last_year_of_the_table_are_followed() {
    let spec = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(told(&spec, "2150-03-29", "2150-03-30"), ["03-29 03:00+02:00 gap_moved"]);
}
