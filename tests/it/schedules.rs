//! Schedules, as a caller sees them.

mod firing;

use std::time::Duration;

use bellringer_api::v1 as pb;
use jiff::Timestamp;
use pb::FireOutcome;
use tonic::{Code, Status};

use crate::support::server::{TestServer, reason};

const MINUTE: Duration = Duration::from_secs(60);

fn at(text: &str) -> prost_types::Timestamp {
    let time: Timestamp = text.parse().unwrap();
    prost_types::Timestamp { seconds: time.as_second(), nanos: 0 }
}

fn cron(expression: &str) -> pb::Trigger {
    let cron = pb::CronTrigger { expression: expression.to_owned(), ..Default::default() };
    pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) }
}

fn times(expression: &str, zone: &str) -> pb::ScheduleTimes {
    let zone = zone.to_owned();
    pb::ScheduleTimes { triggers: vec![cron(expression)], zone, ..Default::default() }
}

/// A schedule in UTC that lets tasks overlap.
fn spec(expression: &str) -> pb::ScheduleSpec {
    pb::ScheduleSpec {
        times: Some(times(expression, "UTC")),
        task: Some(pb::TaskSpec { kind: "report".to_owned(), ..Default::default() }),
        policies: Some(policies(pb::OverlapPolicy::Allow)),
        ..Default::default()
    }
}

fn policies(overlap: pb::OverlapPolicy) -> pb::SchedulePolicies {
    pb::SchedulePolicies { overlap: overlap.into(), ..Default::default() }
}

async fn try_put(
    server: &TestServer,
    name: &str,
    spec: pb::ScheduleSpec,
) -> Result<pb::ScheduleResponse, Status> {
    let request =
        pb::ScheduleRequest { name: name.to_owned(), spec: Some(spec), ..Default::default() };
    Ok(server.schedules().schedule(request).await?.into_inner())
}

async fn put(server: &TestServer, name: &str, spec: pb::ScheduleSpec) -> pb::Schedule {
    try_put(server, name, spec).await.unwrap().schedule.unwrap()
}

async fn get(server: &TestServer, name: &str) -> pb::Schedule {
    let request = pb::GetScheduleRequest { name: name.to_owned(), ..Default::default() };
    server.schedules().get(request).await.unwrap().into_inner().schedule.unwrap()
}

/// The ledger, oldest first.
async fn fires(server: &TestServer, name: &str) -> Vec<pb::Fire> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListFiresRequest {
            name: name.to_owned(),
            page_size: 7,
            page_token,
            ..Default::default()
        };
        let page = server.schedules().list_fires(request).await.unwrap().into_inner();
        all.extend(page.fires);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            all.reverse();
            return all;
        }
    }
}

fn minute(time: &Option<prost_types::Timestamp>) -> String {
    let time = time.as_ref().unwrap();
    Timestamp::new(time.seconds, 0).unwrap().strftime("%H:%M").to_string()
}

/// Entries as `10:05 fired`, `10:06 overlap`, `10:07-10:20 paused 14`.
async fn told(server: &TestServer, name: &str) -> Vec<String> {
    fires(server, name)
        .await
        .iter()
        .map(|fire| {
            let what = match fire.outcome() {
                FireOutcome::Skipped => fire.reason().as_str_name().replace("SKIP_REASON_", ""),
                other => other.as_str_name().replace("FIRE_OUTCOME_", ""),
            };
            let what = what.to_lowercase();
            match &fire.last_time {
                Some(_) => {
                    let (first, last) = (minute(&fire.time), minute(&fire.last_time));
                    format!("{first}-{last} {what} {}", fire.count)
                }
                None => format!("{} {what}", minute(&fire.time)),
            }
        })
        .collect()
}

async fn server() -> TestServer {
    TestServer::start_at("2026-03-01T10:00:30Z".parse().unwrap()).await
}

/// Leases what is ready and ends it.
async fn work(server: &TestServer, succeeds: bool) -> usize {
    let leased = server.lease(50).await;
    for task in &leased.assignments {
        end(server, &leased.session_token, task, succeeds).await;
    }
    leased.assignments.len()
}

async fn end(server: &TestServer, token: &str, task: &pb::Assignment, succeeds: bool) {
    let (session_token, task_id, attempt) = (token.to_owned(), task.task_id.clone(), task.attempt);
    if succeeds {
        let request = pb::CompleteRequest { session_token, task_id, attempt, ..Default::default() };
        server.workers().complete(request).await.unwrap();
    } else {
        let error = Some(pb::TaskError { r#type: "Broken".to_owned(), ..Default::default() });
        let request =
            pb::FailRequest { session_token, task_id, attempt, error, ..Default::default() };
        server.workers().fail(request).await.unwrap();
    }
}

/// Waits for a fact.
async fn eventually(fact: impl AsyncFn() -> bool) {
    let begin = tokio::time::Instant::now();
    while !fact().await {
        assert!(begin.elapsed() < Duration::from_secs(30), "it does not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_schedule_is_made_once_and_replaced_by_name() {
    let server = server().await;
    let first = try_put(&server, "a", spec("0 * * * *")).await.unwrap();
    assert!(first.created && first.changed);
    let again = try_put(&server, "a", spec("0 * * * *")).await.unwrap();
    assert!(!again.created && !again.changed);
    assert_eq!(again.schedule.as_ref().unwrap().version, 1);
    let mut request = pb::ScheduleRequest {
        name: "a".to_owned(),
        spec: Some(spec("5 * * * *")),
        only_if_absent: true,
        ..Default::default()
    };
    let refused = server.schedules().schedule(request.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::AlreadyExists, "SCHEDULE_EXISTS")
    );
    request.only_if_absent = false;
    let replaced = server.schedules().schedule(request).await.unwrap().into_inner();
    assert!(!replaced.created && replaced.changed);
    let replaced = replaced.schedule.unwrap();
    assert_eq!((replaced.version, minute(&replaced.next_fire_at).as_str()), (2, "10:05"));
    assert_eq!(replaced.id, first.schedule.unwrap().id);
    let written = replaced.spec.unwrap().times.unwrap().triggers;
    let Some(pb::trigger::Trigger::Cron(written)) = &written[0].trigger else { panic!("cron") };
    assert_eq!(written.expression, "5 * * * *", "as it was written");
}

#[tokio::test]
async fn g15_an_update_tells_what_changes_and_old_times_are_gone() {
    let server = server().await;
    let made = put(&server, "a", spec("0 * * * *")).await;
    let request = pb::UpdateScheduleRequest {
        name: "a".to_owned(),
        spec: Some(pb::ScheduleSpec {
            times: Some(times("0,30 * * * *", "")),
            description: "not named, so not taken".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["times.triggers".to_owned()] }),
        etag: made.etag.clone(),
        dry_run: true,
        horizon: Some(prost_types::Duration { seconds: 7_200, nanos: 0 }),
        ..Default::default()
    };
    let update = |request: pb::UpdateScheduleRequest| async {
        server.schedules().update(request).await.map(tonic::Response::into_inner)
    };
    let told = update(request.clone()).await.unwrap();
    let added: Vec<String> = told.added.iter().map(|fire| minute(&fire.time)).collect();
    assert_eq!(added, ["10:30", "11:30"]);
    assert_eq!((told.added_count, told.removed_count), (2, 0));
    assert_eq!(get(&server, "a").await.version, 1, "only told");
    let request = pb::UpdateScheduleRequest { dry_run: false, ..request };
    let done = update(request.clone()).await.unwrap().schedule.unwrap();
    assert_eq!((minute(&done.next_fire_at).as_str(), done.version), ("10:30", 2));
    assert_eq!(done.spec.unwrap().description, "");
    let stale = update(request.clone()).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    let unnamed = pb::UpdateScheduleRequest { etag: String::new(), update_mask: None, ..request };
    assert_eq!(update(unnamed).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_pause_is_a_range_of_the_ledger_and_ends_by_itself_or_by_hand() {
    let server = server().await;
    put(&server, "a", spec("* * * * *")).await;
    let pause = |until: Option<prost_types::Timestamp>| pb::PauseScheduleRequest {
        name: "a".to_owned(),
        note: "move of the house".to_owned(),
        until,
        ..Default::default()
    };
    let past = server.schedules().pause(pause(Some(at("2026-03-01T10:00:00Z")))).await;
    assert_eq!(past.unwrap_err().code(), Code::InvalidArgument);
    let paused = server.schedules().pause(pause(Some(at("2026-03-01T10:20:00Z")))).await.unwrap();
    let paused = paused.into_inner().schedule.unwrap();
    assert_eq!(
        (paused.state(), paused.pause_note.as_str()),
        (pb::ScheduleState::Paused, "move of the house")
    );
    server.advance_through(21 * MINUTE).await;
    assert_eq!(told(&server, "a").await, ["10:01-10:19 paused 19", "10:20 fired", "10:21 fired"]);
    server.schedules().pause(pause(None)).await.unwrap();
    server.advance_through(5 * MINUTE).await;
    let request = pb::ResumeScheduleRequest { name: "a".to_owned(), ..Default::default() };
    let resumed = server.schedules().resume(request.clone()).await.unwrap().into_inner();
    assert_eq!(resumed.schedule.unwrap().state(), pb::ScheduleState::Active);
    server.schedules().resume(request).await.unwrap();
    server.advance_through(MINUTE).await;
    assert_eq!(
        told(&server, "a").await[3..],
        ["10:22-10:26 paused 5".to_owned(), "10:27 fired".to_owned()]
    );
}

#[tokio::test]
async fn a_trigger_fires_now_and_once_for_each_key() {
    let server = server().await;
    let policies = Some(policies(pb::OverlapPolicy::Skip));
    put(&server, "a", pb::ScheduleSpec { policies, ..spec("0 0 1 1 *") }).await;
    let trigger = async |key: &str, overlap: pb::OverlapPolicy| {
        let request = pb::TriggerScheduleRequest {
            name: "a".to_owned(),
            overlap: overlap.into(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        server.schedules().trigger(request).await.map(tonic::Response::into_inner)
    };
    let unset = pb::OverlapPolicy::Unspecified;
    let first = trigger("k", unset).await.unwrap();
    assert!(first.created);
    let again = trigger("k", unset).await.unwrap();
    assert_eq!((again.created, &again.task_id), (false, &first.task_id));
    let crowded = trigger("other", unset).await.unwrap_err();
    assert_eq!(
        (crowded.code(), reason(&crowded).as_str()),
        (Code::FailedPrecondition, "SCHEDULE_OVERLAP")
    );
    let buffer = trigger("", pb::OverlapPolicy::BufferOne).await.unwrap_err();
    assert_eq!(buffer.code(), Code::InvalidArgument);
    assert!(trigger("", pb::OverlapPolicy::Allow).await.unwrap().created);
    server.clock.advance(Duration::from_secs(1));
    let last = trigger("", pb::OverlapPolicy::CancelRunning).await.unwrap();
    assert_eq!(server.finished(&first.task_id).await.state(), pb::TaskState::Cancelled);
    assert_eq!(server.state(&last.task_id).await, pb::TaskState::Ready);
    let ledger = fires(&server, "a").await;
    assert_eq!(ledger.len(), 3);
    assert!(ledger.iter().all(|fire| fire.cause() == pb::FireCause::Trigger && fire.epoch == 0));
}

#[tokio::test]
async fn a_backfill_fires_what_did_not_fire_and_nothing_twice() {
    let server = server().await;
    let policies = Some(policies(pb::OverlapPolicy::Skip));
    put(&server, "a", pb::ScheduleSpec { policies, ..spec("*/10 * * * *") }).await;
    server.advance_through(30 * MINUTE).await;
    assert_eq!(told(&server, "a").await, ["10:10 fired", "10:20 overlap", "10:30 overlap"]);
    let request = pb::BackfillScheduleRequest {
        name: "a".to_owned(),
        from: Some(at("2026-03-01T09:30:00Z")),
        to: Some(at("2026-03-01T10:30:00Z")),
        limit: 3,
        dry_run: false,
        ..Default::default()
    };
    let backfill = async |request: pb::BackfillScheduleRequest| {
        server.schedules().backfill(request).await.map(tonic::Response::into_inner)
    };
    let few = backfill(request.clone()).await.unwrap_err();
    assert_eq!(few.code(), Code::InvalidArgument);
    let request = pb::BackfillScheduleRequest { limit: 0, dry_run: true, ..request };
    let told_only = backfill(request.clone()).await.unwrap();
    let request = pb::BackfillScheduleRequest { dry_run: false, ..request };
    let done = backfill(request.clone()).await.unwrap();
    let times = |fires: &[pb::Fire]| fires.iter().map(|f| minute(&f.time)).collect::<Vec<_>>();
    assert_eq!(times(&done.fires), ["09:30", "09:40", "09:50", "10:00", "10:20"]);
    assert_eq!(times(&told_only.fires), times(&done.fires));
    assert_eq!(done.already_fired, 1);
    let again = backfill(request.clone()).await.unwrap();
    assert_eq!((again.fires.len(), again.already_fired), (0, 6));
    let future = pb::BackfillScheduleRequest { to: Some(at("2027-01-01T00:00:00Z")), ..request };
    assert_eq!(backfill(future).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_preview_says_what_a_clock_change_does() {
    let server = server().await;
    let request = pb::PreviewScheduleRequest {
        times: Some(times("30 2 * * *", "Europe/Berlin")),
        from: Some(at("2026-03-28T00:00:00Z")),
        limit: 3,
        ..Default::default()
    };
    let preview = server.schedules().preview(request).await.unwrap().into_inner();
    let told: Vec<(&str, pb::FireRule)> =
        preview.fires.iter().map(|fire| (fire.local_time.as_str(), fire.rule())).collect();
    assert_eq!(
        told,
        [
            ("2026-03-28T02:30:00+01:00[Europe/Berlin]", pb::FireRule::Unspecified),
            ("2026-03-29T03:00:00+02:00[Europe/Berlin]", pb::FireRule::GapMoved),
            ("2026-03-30T02:30:00+02:00[Europe/Berlin]", pb::FireRule::Unspecified),
        ]
    );
    assert!(preview.summary.contains("02:30"), "{}", preview.summary);
    assert!(preview.tzdata_version.starts_with("20"));
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_said_by_field() {
    use tonic_types::StatusExt as _;
    let server = server().await;
    let task = |change: fn(&mut pb::TaskSpec)| {
        let mut spec = spec("* * * * *");
        change(spec.task.as_mut().unwrap());
        spec
    };
    let timed = |change: fn(&mut pb::ScheduleTimes)| {
        let mut spec = spec("* * * * *");
        change(spec.times.as_mut().unwrap());
        spec
    };
    for (wrong, field) in [
        (pb::ScheduleSpec { times: None, ..spec("") }, "spec.times"),
        (spec("* * * *"), "spec.times.triggers[0].cron.expression"),
        (spec("61 * * * *"), "spec.times.triggers[0].cron.expression"),
        (spec("0 0 30 2 *"), "spec.times.triggers"),
        (timed(|t| t.zone = "Europe/Berlni".to_owned()), "spec.times.zone"),
        (timed(|t| t.triggers.clear()), "spec.times.triggers"),
        (timed(|t| t.triggers.push(pb::Trigger { trigger: None })), "spec.times.triggers[1]"),
        (timed(|t| t.end = Some(at("2020-01-01T00:00:00Z"))), "spec.times.triggers"),
        (timed(|t| t.gap = 9), "spec.times.gap"),
        (task(|t| t.kind.clear()), "spec.task.kind"),
        (task(|t| t.unique_key = "k".to_owned()), "spec.task.unique_key"),
        (
            task(|t| t.delay = Some(prost_types::Duration { seconds: 1, nanos: 0 })),
            "spec.task.run_at",
        ),
        (
            pb::ScheduleSpec {
                policies: Some(pb::SchedulePolicies { overlap: 77, ..Default::default() }),
                ..spec("* * * * *")
            },
            "spec.policies.overlap",
        ),
    ] {
        let refused = try_put(&server, "a", wrong).await.unwrap_err();
        let details = refused.get_details_bad_request().unwrap_or_else(|| panic!("{refused:?}"));
        let fields: Vec<_> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
        assert!(fields.contains(&field), "{field}: {fields:?}");
    }
    let named = try_put(&server, "no spaces", spec("* * * * *")).await.unwrap_err();
    assert_eq!(named.code(), Code::InvalidArgument);
    let absent = pb::GetScheduleRequest { name: "a".to_owned(), ..Default::default() };
    let absent = server.schedules().get(absent).await.unwrap_err();
    assert_eq!((absent.code(), reason(&absent).as_str()), (Code::NotFound, "SCHEDULE_NOT_FOUND"));
}

#[tokio::test]
async fn schedules_are_listed_by_name_label_and_state_and_deleted_with_their_ledger() {
    let server = server().await;
    for name in ["a", "b", "c"] {
        let labels = [("team".to_owned(), name.to_owned())].into();
        put(&server, name, pb::ScheduleSpec { labels, ..spec("* * * * *") }).await;
    }
    let list = async |request: pb::ListSchedulesRequest| {
        let page = server.schedules().list(request).await.unwrap().into_inner();
        let names: Vec<String> = page.schedules.into_iter().map(|s| s.name).collect();
        (names, page.next_page_token)
    };
    let (first, token) =
        list(pb::ListSchedulesRequest { page_size: 2, ..Default::default() }).await;
    assert_eq!(first, ["a", "b"]);
    let next = pb::ListSchedulesRequest { page_size: 2, page_token: token, ..Default::default() };
    assert_eq!(list(next).await, (vec!["c".to_owned()], String::new()));
    let labels = [("team".to_owned(), "b".to_owned())].into();
    assert_eq!(list(pb::ListSchedulesRequest { labels, ..Default::default() }).await.0, ["b"]);
    server.advance_through(MINUTE).await;
    let etag = get(&server, "b").await.etag;
    let delete = |etag: &str| pb::DeleteScheduleRequest {
        name: "b".to_owned(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let stale = server.schedules().delete(delete("99")).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_MISMATCH");
    server.schedules().delete(delete(&etag)).await.unwrap();
    let gone = server.schedules().delete(delete("")).await.unwrap_err();
    assert_eq!(reason(&gone), "SCHEDULE_NOT_FOUND");
    let mut database = server.database().await;
    let left: i64 =
        sqlx::query_scalar("select count(*) from fire").fetch_one(&mut database).await.unwrap();
    assert_eq!(left, 2, "those of a and c");
}

#[tokio::test]
async fn a_schedule_of_another_namespace_does_not_exist() {
    let server = server().await;
    put(&server, "a", spec("* * * * *")).await;
    let request = pb::GetScheduleRequest { namespace: "other".to_owned(), name: "a".to_owned() };
    let foreign = server.schedules().get(request).await.unwrap_err();
    let request = pb::GetScheduleRequest { namespace: "other".to_owned(), name: "b".to_owned() };
    let absent = server.schedules().get(request).await.unwrap_err();
    assert_eq!(foreign.message().replace("\"a\"", "\"b\""), absent.message());
}

#[tokio::test]
async fn the_cluster_tells_its_leader_and_term() {
    let server = server().await;
    let other = server.another().await;
    let cluster = async || {
        let request = pb::GetClusterRequest {};
        other.admin().get_cluster(request).await.unwrap().into_inner()
    };
    eventually(async || {
        cluster().await.replicas.iter().filter(|r| r.role() == pb::ReplicaRole::Leader).count() == 1
    })
    .await;
    eventually(async || cluster().await.replicas.len() == 2).await;
    let found = cluster().await;
    assert!(!found.leader_id.is_empty() && found.epoch > 0);
    assert_eq!(found.overdue_schedules, 0);
}
