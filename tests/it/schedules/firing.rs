//! What a schedule fires, and what its ledger says of each time.

use std::time::Duration;

use bellringer_api::v1 as pb;

use super::{
    MINUTE, at, end, eventually, fires, get, minute, policies, put, server, spec, times, told, work,
};
use crate::support::server::TestServer;

#[tokio::test]
async fn g10_each_time_fires_once_and_the_ledger_says_so() {
    let server = server().await;
    let made = put(&server, "minutely", spec("* * * * *")).await;
    assert_eq!(made.state(), pb::ScheduleState::Active);
    assert_eq!(minute(&made.next_fire_at), "10:01");
    assert_eq!(server.advance_through(3 * MINUTE).await, 3);
    assert_eq!(told(&server, "minutely").await, ["10:01 fired", "10:02 fired", "10:03 fired"]);
    let fire = fires(&server, "minutely").await.pop().unwrap();
    assert!(fire.epoch > 0, "in a term of the leader");
    assert_eq!(fire.lateness.unwrap().seconds, 0);
    assert_eq!(fire.local_time, "2026-03-01T10:03:00+00:00[UTC]");
    let task = server.get(&fire.task_id).await;
    assert_eq!(task.state(), pb::TaskState::Ready);
    let labels = task.spec.unwrap().labels;
    assert_eq!(labels["bellringer.schedule"], "minutely");
    assert_eq!(labels["bellringer.fire"], "2026-03-01T10:03:00Z");
    let now = get(&server, "minutely").await;
    assert_eq!((now.fires, now.running), (3, 3));
    assert_eq!(now.last_task_id, fire.task_id);
    assert_eq!(minute(&now.next_fire_at), "10:04");
}

#[tokio::test]
async fn overlap_skip_waits_for_the_earlier_task() {
    let server = server().await;
    let policies = Some(policies(pb::OverlapPolicy::Skip));
    put(&server, "a", pb::ScheduleSpec { policies, ..spec("* * * * *") }).await;
    server.advance_through(2 * MINUTE).await;
    assert_eq!(work(&server, true).await, 1);
    server.advance_through(MINUTE).await;
    assert_eq!(told(&server, "a").await, ["10:01 fired", "10:02 overlap", "10:03 fired"]);
}

#[tokio::test]
async fn a_time_that_is_held_back_fires_when_there_is_room() {
    let server = server().await;
    for (name, overlap) in
        [("one", pb::OverlapPolicy::BufferOne), ("all", pb::OverlapPolicy::BufferAll)]
    {
        let policies = Some(policies(overlap));
        put(&server, name, pb::ScheduleSpec { policies, ..spec("* * * * *") }).await;
    }
    server.advance_through(3 * MINUTE).await;
    assert_eq!(told(&server, "one").await, ["10:01 fired", "10:02 held_back", "10:03 overlap"]);
    assert_eq!(told(&server, "all").await, ["10:01 fired", "10:02 held_back", "10:03 held_back"]);
    assert_eq!(get(&server, "all").await.held_back, 2);
    assert_eq!(work(&server, true).await, 2);
    for name in ["one", "all"] {
        eventually(async || told(&server, name).await[1] == "10:02 fired").await;
    }
    assert_eq!(told(&server, "all").await[2], "10:03 held_back", "one at a time");
}

#[tokio::test]
async fn cancel_running_makes_room() {
    let server = server().await;
    let policies = Some(policies(pb::OverlapPolicy::CancelRunning));
    put(&server, "a", pb::ScheduleSpec { policies, ..spec("* * * * *") }).await;
    server.advance_through(2 * MINUTE).await;
    let both = fires(&server, "a").await;
    let first = server.finished(&both[0].task_id).await;
    assert_eq!(first.state(), pb::TaskState::Cancelled);
    assert!(first.error.unwrap().message.contains("schedule a"), "says why");
    assert_eq!(server.state(&both[1].task_id).await, pb::TaskState::Ready);
}

#[tokio::test]
async fn failures_in_a_row_pause_the_schedule_and_hooks_are_submitted_once() {
    let server = server().await;
    let hook = |kind: &str| Some(pb::TaskSpec { kind: kind.to_owned(), ..Default::default() });
    let policies = Some(pb::SchedulePolicies {
        pause_after_failures: 2,
        on_failure: hook("alarm"),
        on_recovery: hook("all-clear"),
        ..policies(pb::OverlapPolicy::Skip)
    });
    let mut spec = pb::ScheduleSpec { policies, ..spec("* * * * *") };
    let retry = pb::RetryPolicy { max_attempts: 1, ..Default::default() };
    spec.task.as_mut().unwrap().retry = Some(retry);
    spec.task.as_mut().unwrap().queue = "reports".to_owned();
    put(&server, "a", spec).await;
    let lease = async |succeeds: bool| {
        server.advance_through(MINUTE).await;
        let request = pb::LeaseRequest {
            queues: vec!["reports".to_owned()],
            max_tasks: 1,
            ..Default::default()
        };
        let leased = server.workers().lease(request).await.unwrap().into_inner();
        end(&server, &leased.session_token, &leased.assignments[0], succeeds).await;
    };
    let hooks = async |kind: &str| {
        let filter = Some(pb::TaskFilter { kind: kind.to_owned(), ..Default::default() });
        let request = pb::ListTasksRequest { filter, ..Default::default() };
        server.tasks().list(request).await.unwrap().into_inner().tasks
    };
    lease(false).await;
    eventually(async || hooks("alarm").await.len() == 1).await;
    let alarm = hooks("alarm").await.remove(0);
    let failed = fires(&server, "a").await[0].task_id.clone();
    assert_eq!(alarm.spec.unwrap().labels["bellringer.task"], failed);
    lease(true).await;
    eventually(async || hooks("all-clear").await.len() == 1).await;
    assert_eq!(get(&server, "a").await.failures_in_a_row, 0);
    lease(false).await;
    eventually(async || get(&server, "a").await.failures_in_a_row == 1).await;
    lease(false).await;
    eventually(async || get(&server, "a").await.state() == pb::ScheduleState::Paused).await;
    let paused = get(&server, "a").await;
    assert!(paused.pause_note.contains("2 tasks in a row"), "{}", paused.pause_note);
    assert_eq!((hooks("alarm").await.len(), hooks("all-clear").await.len()), (2, 1));
}

#[tokio::test]
async fn times_that_passed_while_nobody_led_follow_the_misfire_policy() {
    let server = server().await;
    for (name, misfire) in [
        ("skip", pb::MisfirePolicy::Skip),
        ("once", pb::MisfirePolicy::FireOnce),
        ("all", pb::MisfirePolicy::FireAll),
    ] {
        let policies = Some(pb::SchedulePolicies {
            misfire: misfire.into(),
            ..policies(pb::OverlapPolicy::Allow)
        });
        put(&server, name, pb::ScheduleSpec { policies, ..spec("*/10 * * * *") }).await;
    }
    // The clock jumps, as if the leader had been away for half an hour.
    server.clock.advance(35 * MINUTE);
    server.advance_through(Duration::from_millis(1)).await;
    let [skip, once, all] = [
        ["misfire", "misfire", "misfire"],
        ["coalesced", "coalesced", "fired"],
        ["fired", "fired", "fired"],
    ]
    .map(|what| {
        let times = ["10:10", "10:20", "10:30"];
        times.iter().zip(what).map(|(time, what)| format!("{time} {what}")).collect::<Vec<_>>()
    });
    assert_eq!(told(&server, "skip").await, skip);
    assert_eq!(told(&server, "once").await, once);
    assert_eq!(told(&server, "all").await, all);
}

#[tokio::test]
async fn a_schedule_with_a_last_fire_is_finished_then() {
    let server = server().await;
    let policies =
        Some(pb::SchedulePolicies { max_fires: 2, ..policies(pb::OverlapPolicy::Allow) });
    put(&server, "a", pb::ScheduleSpec { policies, ..spec("* * * * *") }).await;
    server.advance_through(5 * MINUTE).await;
    assert_eq!(told(&server, "a").await, ["10:01 fired", "10:02 fired"]);
    let done = get(&server, "a").await;
    assert_eq!((done.state(), done.next_fire_at), (pb::ScheduleState::Finished, None));
}

/// A year of a thousand schedules in many zones, each time at its own time: what the ledger says in the
/// end is what the previews said at the beginning.
#[tokio::test]
async fn g14_the_ledger_of_a_year_is_what_the_preview_said() {
    const ZONES: [&str; 10] = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Africa/Casablanca",
        "America/Santiago",
        "Asia/Kolkata",
        "Africa/Cairo",
        "UTC",
        "Antarctica/Troll",
    ];
    let server = TestServer::start_at("2026-01-01T00:00:30Z".parse().unwrap()).await;
    let mut database = server.database().await;
    let mut previews = Vec::new();
    let end = at("2027-01-01T00:00:31Z");
    for n in 0..1_000_usize {
        let zone = ZONES[n % ZONES.len()];
        let hour = 1 + (n / 10) % 2;
        let expression = match (n / 50) % 4 {
            0 => format!("30 {hour} * * {}", n % 7),
            1 => format!("0,30 {hour} {} * *", 1 + n % 28),
            2 => format!("30 {hour} 1,15 * *"),
            _ => format!("*/30 {hour} * */3 {}", n % 7),
        };
        let name = format!("s{n:04}");
        let spec = pb::ScheduleSpec { times: Some(times(&expression, zone)), ..spec("") };
        put(&server, &name, spec).await;
        let request = pb::PreviewScheduleRequest {
            name: name.clone(),
            to: Some(end),
            limit: 10_000,
            ..Default::default()
        };
        let preview = server.schedules().preview(request).await.unwrap().into_inner();
        previews.push((name, preview.fires));
    }
    let expected: usize = previews.iter().map(|(_, fires)| fires.len()).sum();
    let by = Duration::from_secs(365 * 86_400);
    assert_eq!(server.advance_through(by).await, u64::try_from(expected).unwrap());
    let rows: Vec<(String, i64, i16, i16)> = sqlx::query_as(
        "select s.name, extract(epoch from f.nominal)::int8, f.rule, f.outcome
         from fire f join schedule s on s.id = f.schedule order by s.name, f.nominal",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let mut rows = rows.into_iter().peekable();
    let mut moved = 0;
    for (name, fires) in previews {
        for fire in fires {
            let (of, time, rule, outcome) = rows.next().unwrap();
            assert_eq!((of.as_str(), time), (name.as_str(), fire.time.unwrap().seconds));
            assert_eq!(outcome, 1, "{name} {time}");
            let is_moved = fire.rule() != pb::FireRule::Unspecified;
            assert_eq!(rule != 1, is_moved, "{name} {time}");
            moved += usize::from(is_moved);
        }
        assert!(rows.peek().is_none_or(|(of, ..)| *of != name), "{name} has more");
    }
    assert!(moved > 20, "clock changes were met: {moved}");
}

#[tokio::test]
async fn g10_a_pause_of_very_many_times_is_accounted_for_without_a_hole() {
    let server = server().await;
    for name in ["changed", "resumed", "by itself"].map(|name| name.replace(' ', "-")) {
        put(&server, &name, spec("* * * * * *")).await;
        let until = (name == "by-itself").then(|| at("2026-03-04T10:00:00Z"));
        let request = pb::PauseScheduleRequest { name, until, ..Default::default() };
        server.schedules().pause(request).await.unwrap();
    }
    let three_days = Duration::from_secs(3 * 86_400);
    server.advance_through(three_days).await;
    put(&server, "changed", spec("0 0 1 1 *")).await;
    let request = pb::ResumeScheduleRequest { name: "resumed".to_owned(), ..Default::default() };
    server.schedules().resume(request).await.unwrap();
    eventually(async || get(&server, "resumed").await.state() == pb::ScheduleState::Active).await;
    let until_now = 3 * 86_400;
    for (name, least) in [("changed", until_now), ("resumed", until_now), ("by-itself", until_now)]
    {
        let ledger = fires(&server, name).await;
        let count: u64 = ledger.iter().map(|fire| fire.count).sum();
        assert!((least - 1..=least + 1).contains(&count), "{name}: {count} of {least}");
        let ranges: Vec<&pb::Fire> = ledger.iter().filter(|f| f.last_time.is_some()).collect();
        assert!(ranges.len() >= 2, "{name}: a range is bounded");
        for pair in ranges.windows(2) {
            let (last, next) = (pair[0].last_time.unwrap(), pair[1].time.unwrap());
            assert_eq!(next.seconds, last.seconds + 1, "{name}: nothing between two ranges");
        }
    }
}
