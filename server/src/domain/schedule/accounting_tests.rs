use bellringer_schedule::{Exclusion, Spec, Trigger};

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn every_minute() -> Plan {
    plan(Spec::new(vec![Trigger::cron("* * * * *")]))
}

fn plan(spec: Spec) -> Plan {
    Plan::compile(&spec, "seed").unwrap()
}

fn standing<'a>(plan: &'a Plan, policies: &'a Policies, cursor: &str) -> Standing<'a> {
    Standing { plan, policies, cursor: time(cursor), fires: 0, running: 0, held_back: 0 }
}

fn allow(misfire: Misfire) -> Policies {
    Policies { misfire, overlap: Overlap::Allow, ..Policies::default() }
}

/// Times with one letter for each outcome, as `00:05 fired`.
fn told(account: &Account) -> Vec<String> {
    let minute = |time: Timestamp| time.strftime("%H:%M").to_string();
    let entries = account.entries.iter().map(|entry| {
        let why = entry.reason.map_or(format!("{:?}", entry.outcome), |why| format!("{why:?}"));
        (entry.nominal, format!("{} {why}", minute(entry.nominal)))
    });
    let ranges = account.ranges.iter().map(|range| {
        let (first, last) = (minute(range.first), minute(range.last));
        (range.first, format!("{first}-{last} {}x {:?}", range.count, range.reason))
    });
    let mut all: Vec<_> = entries.chain(ranges).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_time_that_has_come_fires_and_the_cursor_moves_on() {
    let (plan, policies) = (every_minute(), Policies::default());
    let account = account(
        &standing(&plan, &policies, "2026-01-01T00:05:00Z"),
        time("2026-01-01T00:05:00.02Z"),
    );
    assert_eq!(told(&account), ["00:05 Fired"]);
    assert_eq!(account.next.unwrap().0, time("2026-01-01T00:06:00Z"));
    assert_eq!(account.state, ScheduleState::Active);
}

#[test]
fn nothing_fires_early() {
    let (plan, policies) = (every_minute(), Policies::default());
    let account = account(
        &standing(&plan, &policies, "2026-01-01T00:05:00Z"),
        time("2026-01-01T00:04:59.999Z"),
    );
    assert_eq!(told(&account), Vec::<String>::new());
    assert_eq!(account.next.unwrap().0, time("2026-01-01T00:05:00Z"));
}

#[test]
fn fire_once_fires_the_latest_of_late_times_and_accounts_for_all() {
    let (plan, policies) = (every_minute(), allow(Misfire::FireOnce));
    let late =
        account(&standing(&plan, &policies, "2026-01-01T00:05:00Z"), time("2026-01-01T00:09:30Z"));
    let all = ["00:05 Coalesced", "00:06 Coalesced", "00:07 Coalesced", "00:08 Coalesced"];
    assert_eq!(told(&late)[..4], all);
    assert_eq!(told(&late)[4], "00:09 Fired", "on time: stands for the late ones");
    let hourly = plan_of("0 * * * *");
    let late = account(
        &standing(&hourly, &policies, "2026-01-01T03:00:00Z"),
        time("2026-01-01T03:30:00Z"),
    );
    assert_eq!(told(&late), ["03:00 Fired"], "late, and the only one");
}

fn plan_of(cron: &str) -> Plan {
    plan(Spec::new(vec![Trigger::cron(cron)]))
}

#[test]
fn skip_records_late_times_and_fires_punctual_ones() {
    let (plan, policies) = (every_minute(), allow(Misfire::Skip));
    let late =
        account(&standing(&plan, &policies, "2026-01-01T00:05:00Z"), time("2026-01-01T00:08:30Z"));
    assert_eq!(told(&late), ["00:05 Misfire", "00:06 Misfire", "00:07 Misfire", "00:08 Fired"]);
}

#[test]
fn fire_all_fires_the_newest_within_its_limit_oldest_first() {
    let plan = every_minute();
    let policies = Policies { catch_up_limit: 2, ..allow(Misfire::FireAll) };
    let late =
        account(&standing(&plan, &policies, "2026-01-01T00:05:00Z"), time("2026-01-01T00:09:30Z"));
    let all =
        ["00:05 CatchUpLimit", "00:06 CatchUpLimit", "00:07 Fired", "00:08 Fired", "00:09 Fired"];
    assert_eq!(told(&late), all);
}

#[test]
fn times_beyond_the_window_are_never_caught_up() {
    let plan = every_minute();
    for (misfire, why) in [
        (Misfire::FireAll, SkipReason::CatchUpLimit),
        (Misfire::FireOnce, SkipReason::CatchUpLimit),
        (Misfire::Skip, SkipReason::Misfire),
    ] {
        let policies = Policies { catch_up_window_s: 300, ..allow(misfire) };
        let late = account(
            &standing(&plan, &policies, "2026-01-01T00:00:00Z"),
            time("2026-01-01T02:00:00Z"),
        );
        let first = late.ranges[0];
        assert_eq!((first.first, first.reason), (time("2026-01-01T00:00:00Z"), why));
        assert_eq!(first.last, time("2026-01-01T01:54:00Z"));
        assert_eq!(first.count, 115);
    }
}

#[test]
fn a_long_outage_is_accounted_for_in_rounds_without_a_hole() {
    let plan = plan_of("* * * * * *");
    for misfire in [Misfire::Skip, Misfire::FireOnce, Misfire::FireAll] {
        let policies = Policies { catch_up_window_s: 3_600, catch_up_limit: 700, ..allow(misfire) };
        let (begin, now) = (time("2026-01-01T00:00:00Z"), time("2026-01-03T00:00:00.5Z"));
        let mut cursor = begin;
        let (mut fired, mut accounted, mut rounds) = (0, 0, 0);
        while cursor <= now {
            let part = account(
                &Standing {
                    plan: &plan,
                    policies: &policies,
                    cursor,
                    fires: 0,
                    running: 0,
                    held_back: 0,
                },
                now,
            );
            fired += part.entries.iter().filter(|e| e.outcome == FireOutcome::Fired).count();
            let ranges: u64 = part.ranges.iter().map(|range| range.count).sum();
            accounted += part.entries.len() + usize::try_from(ranges).unwrap();
            cursor = part.next.unwrap().0;
            rounds += 1;
        }
        assert_eq!(accounted, 2 * 86_400 + 1, "each exactly once");
        let punctual = 61;
        let wanted = match misfire {
            Misfire::Skip | Misfire::FireOnce => punctual,
            Misfire::FireAll => 700 + punctual,
        };
        assert!(fired.abs_diff(wanted) <= 1, "{misfire:?}: {fired}");
        assert!(rounds < 15, "{rounds} rounds");
    }
}

#[test]
fn overlap_decides_on_times_that_come_while_tasks_are_unfinished() {
    let plan = every_minute();
    let at = |overlap, running, held_back| {
        let policies = Policies { overlap, max_running: 2, ..Policies::default() };
        let standing =
            Standing { running, held_back, ..standing(&plan, &policies, "2026-01-01T00:05:00Z") };
        told(&account(&standing, time("2026-01-01T00:05:00Z")))[0].clone()
    };
    assert_eq!(at(Overlap::Skip, 1, 0), "00:05 Fired");
    assert_eq!(at(Overlap::Skip, 2, 0), "00:05 Overlap");
    assert_eq!(at(Overlap::Allow, 9, 0), "00:05 Fired");
    assert_eq!(at(Overlap::CancelRunning, 9, 0), "00:05 Fired");
    assert_eq!(at(Overlap::BufferOne, 2, 0), "00:05 HeldBack");
    assert_eq!(at(Overlap::BufferOne, 2, 1), "00:05 Overlap");
    assert_eq!(at(Overlap::BufferAll, 2, 999), "00:05 HeldBack");
    assert_eq!(at(Overlap::BufferAll, 2, 1_000), "00:05 Overlap");
    assert_eq!(at(Overlap::BufferAll, 0, 1), "00:05 HeldBack", "not before the one that waits");
}

#[test]
fn several_times_of_one_round_see_each_other_as_overlap() {
    let plan = every_minute();
    let policies = Policies { misfire: Misfire::FireAll, ..Policies::default() };
    let late =
        account(&standing(&plan, &policies, "2026-01-01T00:05:00Z"), time("2026-01-01T00:07:30Z"));
    assert_eq!(told(&late), ["00:05 Fired", "00:06 Overlap", "00:07 Overlap"]);
}

#[test]
fn a_schedule_ends_with_its_last_fire_or_its_last_time() {
    let plan = every_minute();
    let policies = Policies { max_fires: 3, ..allow(Misfire::FireAll) };
    let standing = Standing { fires: 2, ..standing(&plan, &policies, "2026-01-01T00:05:00Z") };
    let last = account(&standing, time("2026-01-01T00:06:30Z"));
    assert_eq!(told(&last), ["00:05 Fired"]);
    assert_eq!((last.state, last.next), (ScheduleState::Finished, None));
    let once = self::plan(Spec::new(vec![Trigger::Once { at: time("2026-01-01T00:05:00Z") }]));
    let policies = Policies::default();
    let last = account(
        &self::standing(&once, &policies, "2026-01-01T00:05:00Z"),
        time("2026-01-01T00:05:01Z"),
    );
    assert_eq!((last.state, last.next), (ScheduleState::Finished, None));
}

#[test]
fn excluded_times_are_recorded_and_are_nobody_s_latest() {
    let range =
        Exclusion::Range { from: time("2026-01-01T00:06:00Z"), to: time("2026-01-01T00:20:00Z") };
    let spec = Spec { exclusions: vec![range], ..Spec::new(vec![Trigger::cron("*/5 * * * *")]) };
    let (plan, policies) = (plan(spec), allow(Misfire::FireOnce));
    let late =
        account(&standing(&plan, &policies, "2026-01-01T00:05:00Z"), time("2026-01-01T00:17:00Z"));
    assert_eq!(told(&late), ["00:05 Fired", "00:10 Excluded", "00:15 Excluded"]);
}

#[test]
fn a_pause_becomes_a_range() {
    let plan = every_minute();
    let (cursor, end) = (time("2026-01-01T00:05:00Z"), time("2026-01-01T00:30:00Z"));
    let pause = account_for_pause(&plan, Some(cursor), end);
    assert_eq!(told(&pause), ["00:05-00:29 25x Paused"]);
    assert_eq!(pause.next.unwrap().0, end, "the end of the pause is not part of it");
}
