use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::spec::Dialect;

fn vixie(expression: &str) -> Cron {
    Cron::parse(expression, Dialect::Vixie, "seed").unwrap()
}

fn quartz(expression: &str) -> Cron {
    Cron::parse(expression, Dialect::Quartz, "seed").unwrap()
}

fn problem(expression: &str) -> String {
    Cron::parse(expression, Dialect::Vixie, "seed").unwrap_err()
}

/// The next `count` matches from a date on, as text.
fn matches(cron: &Cron, from: Date, count: usize) -> Vec<String> {
    let mut from = Local::new(from, 0);
    let mut found = Vec::new();
    while found.len() < count
        && let Some(local) = cron.first_at_or_after(from)
    {
        assert!(local >= from && cron.matches(local));
        let (date, second) = (local.date(), local.second_of_day());
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        found.push(format!("{date} {hour:02}:{minute:02}:{second:02}"));
        from = Local(local.0 + 1);
    }
    found
}

/// The days of a month that match.
fn days(cron: &Cron, year: i16, month: u32) -> Vec<u32> {
    let days = cron.days_of(Month::new(year, month).unwrap());
    (1..=31).filter(|day| days & (1 << day) != 0).collect()
}

#[test]
fn five_fields_mean_second_zero() {
    assert_eq!(
        matches(&vixie("30,15 9-10 * * *"), date(2026, 1, 1), 5),
        [
            "2026-01-01 09:15:00",
            "2026-01-01 09:30:00",
            "2026-01-01 10:15:00",
            "2026-01-01 10:30:00",
            "2026-01-02 09:15:00"
        ]
    );
}

#[test]
fn six_fields_have_the_second_first_and_seven_the_year_last() {
    assert_eq!(
        matches(&vixie("*/20 59 23 31 12 *"), date(2026, 1, 1), 4),
        [
            "2026-12-31 23:59:00",
            "2026-12-31 23:59:20",
            "2026-12-31 23:59:40",
            "2027-12-31 23:59:00"
        ]
    );
    assert_eq!(
        matches(&vixie("5 0 0 1 1 * 2030,2028-2029"), date(2026, 1, 1), 9),
        ["2028-01-01 00:00:05", "2029-01-01 00:00:05", "2030-01-01 00:00:05"]
    );
}

#[test]
fn steps_count_from_the_start_of_their_range() {
    assert_eq!(vixie("*/20 * * * *").times.minutes, 1 | 1 << 20 | 1 << 40);
    assert_eq!(vixie("5/20 * * * *").times.minutes, 1 << 5 | 1 << 25 | 1 << 45);
    assert_eq!(vixie("5-30/20 * * * *").times.minutes, 1 << 5 | 1 << 25);
    assert_eq!(vixie("0 0 * */5 *").months, 1 << 1 | 1 << 6 | 1 << 11);
}

#[test]
fn sunday_is_zero_and_seven_and_ends_a_range() {
    for expression in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 7-7", "0 0 * * */7"] {
        assert_eq!(vixie(expression).days.of_week.days, 1, "{expression}");
    }
    assert_eq!(vixie("0 0 * * FRI-Sun").days.of_week.days, 1 | 1 << 5 | 1 << 6);
    assert_eq!(vixie("0 0 * * SUN-MON").days.of_week.days, 0b11);
    assert_eq!(vixie("0 0 * * 1/3").days.of_week.days, 1 | 1 << 1 | 1 << 4);
}

#[test]
fn in_vixie_one_of_the_day_fields_is_enough_unless_one_starts_with_a_star() {
    // January 2026 begins on a Thursday.
    assert_eq!(days(&vixie("0 0 13 * 5"), 2026, 2), [6, 13, 20, 27]);
    assert_eq!(days(&vixie("0 0 13,14 * 5"), 2026, 2), [6, 13, 14, 20, 27]);
    assert_eq!(days(&vixie("0 0 */2 * 5"), 2026, 2), [13, 27]);
    assert_eq!(days(&vixie("0 0 *,13 * 5"), 2026, 2), [6, 13, 20, 27]);
    assert_eq!(days(&vixie("0 0 13 * */5"), 2026, 2), [13]);
    assert_eq!(days(&vixie("0 0 12 * */5"), 2026, 2), [] as [u32; 0]);
    assert_eq!(days(&vixie("0 0 13 * ?"), 2026, 2), [13]);
}

#[test]
fn quartz_counts_from_sunday_as_one_and_wraps_around() {
    assert_eq!(quartz("0 0 0 ? * 1").days.of_week.days, 1);
    assert_eq!(quartz("0 0 0 ? * SUN").days.of_week.days, 1);
    assert_eq!(quartz("0 0 0 ? * FRI-MON").days.of_week.days, 0b110_0011);
    assert_eq!(quartz("0 0 0 ? * L").days.of_week.days, 1 << 6);
    assert_eq!(quartz("0 0 22-1 * * ?").times.hours, 0b11 | 0b11 << 22);
    assert_eq!(quartz("0 0 22-3/2 * * ?").times.hours, 1 << 22 | 1 | 1 << 2);
    assert_eq!(days(&quartz("0 0 0 ? * 6#2"), 2026, 2), [13]);
    assert_eq!(days(&quartz("0 0 0 ? * 6L"), 2026, 2), [27]);
    assert_eq!(matches(&quartz("0 0 12 1 1 ? 2026"), date(1970, 1, 1), 2).len(), 1);
    assert_eq!(days(&quartz("@weekly"), 2026, 2), [1, 8, 15, 22]);
}

#[test]
fn quartz_needs_one_question_mark_and_its_seconds() {
    for (expression, part) in [
        ("0 0 0 * * *", "exactly one of them must be ?"),
        ("0 0 0 ? * ?", "exactly one of them must be ?"),
        ("0 0 * * ?", "has 5 fields; allowed are 6"),
        ("0 0 0 ? * 0", "allowed are 1-7 (1 is Sunday)"),
        ("0 0 0 ? * * 2030-2029", "ends before it begins"),
    ] {
        let problem = Cron::parse(expression, Dialect::Quartz, "seed").unwrap_err();
        assert!(problem.contains(part), "{expression}: {problem}");
    }
}

#[test]
fn the_last_day_is_that_of_each_month() {
    let last = vixie("0 0 L * *");
    assert_eq!(days(&last, 2024, 2), [29]);
    assert_eq!(days(&last, 2100, 2), [28]);
    assert_eq!(days(&last, 2026, 4), [30]);
    assert_eq!(days(&vixie("0 0 L-3,1 * *"), 2026, 4), [1, 27]);
    assert_eq!(days(&vixie("0 0 L-30 * *"), 2026, 4), [] as [u32; 0]);
    assert_eq!(days(&vixie("0 0 L-30 * *"), 2026, 5), [1]);
}

#[test]
fn a_workday_is_the_nearest_one_in_the_same_month() {
    // February 2026 begins on a Sunday and ends on a Saturday; so does August begin on a Saturday.
    assert_eq!(days(&vixie("0 0 LW * *"), 2026, 2), [27]);
    assert_eq!(days(&vixie("0 0 1W * *"), 2026, 2), [2]);
    assert_eq!(days(&vixie("0 0 1W * *"), 2026, 8), [3]);
    assert_eq!(days(&vixie("0 0 7W * *"), 2026, 2), [6]);
    assert_eq!(days(&vixie("0 0 10W * *"), 2026, 2), [10]);
    assert_eq!(days(&vixie("0 0 31W * *"), 2026, 5), [29]); // a Sunday
    assert_eq!(days(&vixie("0 0 31W * *"), 2026, 4), [] as [u32; 0]);
    assert_eq!(days(&vixie("0 0 LW * *"), 2026, 5), [29]);
}

#[test]
fn weekdays_are_counted_within_the_month() {
    assert_eq!(days(&vixie("0 0 * * 5L"), 2026, 2), [27]);
    assert_eq!(days(&vixie("0 0 * * friL,mon#1"), 2026, 2), [2, 27]);
    assert_eq!(days(&vixie("0 0 * * 5#5"), 2026, 2), [] as [u32; 0]);
    assert_eq!(days(&vixie("0 0 * * 5#5"), 2026, 1), [30]);
    assert_eq!(days(&vixie("0 0 * * 7L"), 2026, 2), [22]);
    assert_eq!(days(&vixie("0 0 * * 6L"), 2026, 2), [28]);
}

#[test]
fn nicknames_stand_for_their_expressions() {
    for (nickname, expression) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@Monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        (" @midnight ", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        let (short, long) = (vixie(nickname), vixie(expression));
        let from = date(2026, 1, 2);
        assert_eq!(matches(&short, from, 30), matches(&long, from, 30), "{nickname}");
        assert_eq!(short.is_wild, long.is_wild, "{nickname}");
    }
}

#[test]
fn an_expression_is_wild_if_a_field_of_the_time_starts_with_a_star() {
    for wild in ["*/15 2 * * *", "0 * * * *", "*,5 2 * * *", "* 0 2 * * *", "H/15 2 * * *"] {
        assert!(vixie(wild).is_wild, "{wild}");
    }
    for fixed in ["0,30 1-3 * * *", "0-59 2 * * *", "0/15 2 * * *", "H H * * *", "H(0-9)/3 2 * * *"]
    {
        assert!(!vixie(fixed).is_wild, "{fixed}");
    }
}

#[test]
fn what_the_hash_chooses_is_within_limits_differs_by_field_and_never_changes() {
    let cron =
        |expression: &str, seed: &str| Cron::parse(expression, Dialect::Vixie, seed).unwrap();
    for seed in 0..200 {
        let seed = format!("schedule {seed}");
        let all = cron("H H H H H H", &seed);
        assert_eq!(all.times.seconds.count_ones() + all.times.hours.count_ones(), 2);
        assert_eq!(all.days.of_month.days & !0x1fff_fffe, 0, "days that every month has");
        assert_eq!(all.days.of_week.days & !0x7f, 0);
        let some = cron("H(10-19) H(1-20)/5 * * *", &seed);
        assert_eq!(some.times.minutes & !(0x3ff << 10), 0);
        assert_eq!(some.times.hours.count_ones(), 4, "each fifth of twenty");
        let each = cron("H/15 * * * *", &seed).times.minutes;
        assert_eq!((each.count_ones(), each.trailing_zeros() / 15), (4, 0));
    }
    let at = cron("H H H * *", "nightly");
    assert_eq!(matches(&at, date(2026, 1, 1), 1), ["2026-01-06 16:24:00"]);
}

#[test]
fn schedules_with_the_same_hash_expression_are_spread() {
    let mut minutes = [0_u32; 60];
    for seed in 0..6000 {
        let cron = Cron::parse("H * * * *", Dialect::Vixie, &format!("schedule {seed}")).unwrap();
        minutes[cron.times.minutes.trailing_zeros() as usize] += 1;
    }
    assert!(minutes.iter().all(|count| (50..150).contains(count)), "{minutes:?}");
}

#[test]
fn a_problem_says_the_field_what_was_read_and_what_is_allowed() {
    for (expression, expected) in [
        ("60 * * * *", "minute \"60\": \"60\" is not allowed; allowed are 0-59"),
        ("* 24 * * *", "hour \"24\": \"24\" is not allowed; allowed are 0-23"),
        ("* * * 0 *", "month \"0\": \"0\" is not allowed; allowed are 1-12 or JAN-DEC"),
        ("1,x * * * *", "minute \"1,X\": \"X\" is not allowed; allowed are 0-59"),
        ("*/90 * * * *", "minute \"*/90\": the step is \"90\"; allowed is 1-60"),
        ("*/0 * * * *", "minute \"*/0\": the step is \"0\"; allowed is 1-60"),
        (
            "0 22-2 * * *",
            "hour \"22-2\": the range \"22-2\" ends before it begins; write it as two, with a comma",
        ),
        ("0 0 L-31 * *", "day of month \"L-31\": days before the last is \"31\"; allowed is 1-30"),
        ("0 0 * * 5#6", "day of week \"5#6\": the number after # is \"6\"; allowed is 1-5"),
        ("0 0 0 1 1 * 1969", "year \"1969\": \"1969\" is not allowed; allowed are 1970-2199"),
        ("0 0 0 1 1 * H", "year \"H\": H is not allowed here; allowed are 1970-2199"),
        ("H(5 * * * *", "minute \"H(5\": \"H(5\" cannot be read; write H or H(a-b)"),
        ("H(9-5) * * * *", "minute \"H(9-5)\": the range of \"H(9-5)\" ends before it begins"),
        ("CRON_TZ=UTC 0 0 * * *", "a time zone is not allowed here; set it in the field zone"),
        ("@every 5m", "@every is not cron; use an interval trigger"),
    ] {
        assert_eq!(problem(expression), expected);
    }
    assert!(
        problem("* * *").starts_with("has 3 fields; allowed are 5 (minute, hour, day of month")
    );
    assert!(problem("@reboot").ends_with("submit a task when your program starts"));
    assert!(problem("@noon").contains("\"@noon\"; allowed are @yearly"));
    assert_eq!(problem(&"1,".repeat(200)), "has 400 bytes; allowed are up to 256");
    assert_eq!(
        problem("60 24 * * *").matches(" is not allowed").count(),
        2,
        "all that is wrong is told at once"
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    for expression in [
        "",
        " ",
        ", * * * *",
        "1,,2 * * * *",
        "-5 * * * *",
        "5- * * * *",
        "5-6-7 * * * *",
        "*-5 * * * *",
        "/5 * * * *",
        "*/ * * * *",
        "*/5/5 * * * *",
        "+5 * * * *",
        "5.0 * * * *",
        "00005 * * * *",
        "? * * * *",
        "* ? * * *",
        "* * * ? *",
        "L * * * *",
        "5W * * * *",
        "* * W * *",
        "* * 32W * *",
        "* * L-0 * *",
        "* * L- * *",
        "* * L/2 * *",
        "* * LW-3 * *",
        "* * 1-5W * *",
        "* * * * L",
        "* * * * 8",
        "* * * * MO",
        "* * * * MON#",
        "* * * * #1",
        "* * * * 1#2L",
        "* * * * 1-2#1",
        "* * * JANUARY *",
        "H() * * * *",
        "H(1) * * * *",
        "HH * * * *",
        "H-5 * * * *",
        "H/61 * * * *",
        "٣ * * * *",
        "é * * * *",
    ] {
        let read = Cron::parse(expression, Dialect::Vixie, "seed");
        assert!(read.is_err(), "{expression} was read as {read:?}");
    }
}

#[test]
fn a_date_that_never_comes_is_found_out_in_few_steps() {
    for (expression, is_found) in [
        ("0 0 30 2 *", false),
        ("0 0 31 2,4,6,9,11 *", false),
        ("0 0 0 * * * 1970", false),
        ("0 0 0 29 2 * 2025-2027", false),
        ("0 0 29 2 */7", true), // a Sunday
        ("0 0 31W 2 *", false),
        ("59 59 23 29 2 */6 2048", true),
        ("0 0 L-30 2,4,6,9,11 *", false),
    ] {
        let cron = vixie(expression);
        let (taken, found) =
            month_steps::of(|| cron.first_at_or_after(Local::new(date(2026, 1, 1), 1)));
        assert_eq!(found.is_some(), is_found, "{expression}: {found:?}");
        assert!(taken <= 12 * 175, "{expression}: {taken} months");
    }
}

/// Texts from the characters of cron, which are read more often than any texts.
fn cron_like() -> impl Strategy<Value = String> {
    proptest::collection::vec("[0-9*/,LWH#?()a-c-]{1,6}|JAN|mon|@daily", 4..8)
        .prop_map(|fields| fields.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,300}", like in cron_like()) {
        for dialect in [Dialect::Vixie, Dialect::Quartz] {
            for text in [&text, &like] {
                if let Ok(cron) = Cron::parse(text, dialect, "seed") {
                    let _ = cron.first_at_or_after(Local::new(date(2026, 1, 1), 1));
                }
            }
        }
    }
}
