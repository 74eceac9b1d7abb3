//! Schedules and their fires.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_schedule::Rule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::fields::{labels, text};
use super::task::{Payloads, new_task, pb_spec};
use super::time::{duration, pb_duration, pb_timestamp};
use super::times::{pb_times, times};
use crate::domain::schedule::{
    ADDED_LABELS, Fire, FireCause, FireOutcome, Misfire, Overlap, Policies, ScheduleId,
    ScheduleState, SkipReason, checked,
};
use crate::domain::task::Start;
use crate::domain::{
    Checker, Namespace, NewTask, Schedule, ScheduleName, ScheduleSpec, Violations, limits,
};
use crate::rpc::caller::Claim;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Reads the name of a schedule, with the namespace that every request has.
pub(crate) fn schedule_ref(
    namespace: Claim,
    name: &str,
) -> Result<(Namespace, ScheduleName), Violations> {
    let mut check = Checker::default();
    let namespace = check.field("namespace", namespace);
    let name = check.field("name", ScheduleName::parse(name));
    check.finish()?;
    namespace.zip(name).ok_or_else(|| Violations::one("name", "cannot be read"))
}

/// Reads a spec.
pub(crate) fn schedule_spec(
    namespace: &Namespace,
    spec: Option<pb::ScheduleSpec>,
    largest_payload: usize,
) -> Result<ScheduleSpec, Violations> {
    let Some(spec) = spec else { return Err(Violations::one("spec", "is required")) };
    let mut check = Checker::below("spec");
    let times = check.part(times(spec.times, "spec.times"));
    if let Some(times) = &times {
        // Of any schedule: so that all that is wrong is told at once.
        check.part(checked(times, ScheduleId(uuid::Uuid::nil()), "spec.times"));
    }
    let task = check.part(template(namespace, spec.task, "spec.task", largest_payload));
    let start_within =
        spec.start_within.map(|within| duration(within, SECOND, limits::TEN_YEARS)).transpose();
    let start_within = check.field("start_within", start_within);
    let mut given = spec.policies.unwrap_or_default();
    let mut hook = |task: Option<pb::TaskSpec>, field: &str| {
        let read = task.map(|task| template(namespace, Some(task), field, largest_payload));
        check.part(read.transpose())
    };
    let on_failure = hook(given.on_failure.take(), "spec.policies.on_failure");
    let on_recovery = hook(given.on_recovery.take(), "spec.policies.on_recovery");
    let policies = check.part(policies(&given));
    let labels = check.field("labels", labels(spec.labels));
    let description = check.field("description", text(spec.description, limits::DESCRIPTION));
    check.finish()?;
    let all = || {
        Some(ScheduleSpec {
            times: times?,
            task: task?,
            start_within: start_within?,
            policies: policies?,
            on_failure: on_failure?,
            on_recovery: on_recovery?,
            labels: labels?,
            description: description?,
        })
    };
    all().ok_or_else(|| Violations::one("spec", "cannot be read"))
}

/// Reads a task that is to be submitted one day.
fn template(
    namespace: &Namespace,
    task: Option<pb::TaskSpec>,
    field: &str,
    largest_payload: usize,
) -> Result<NewTask, Violations> {
    let task = new_task(namespace, task, String::new(), field, largest_payload)?;
    let mut check = Checker::below(field);
    if task.start != Start::Now {
        check.refuse("run_at", "must be left out, and delay too: the times of the schedule say it");
    }
    if task.expire_at.is_some() {
        check.refuse("expire_at", "must be left out: see start_within of the schedule");
    }
    if task.unique_key.is_some() {
        check.refuse("unique_key", "must be left out: see overlap in the schedule's policies");
    }
    let most = limits::LABELS - ADDED_LABELS;
    if task.labels.len() > most {
        check.refuse("labels", format!("must be up to {most} pairs: {ADDED_LABELS} are added"));
    }
    check.finish()?;
    Ok(task)
}

fn policies(given: &pb::SchedulePolicies) -> Result<Policies, Violations> {
    let default = Policies::default();
    let mut check = Checker::below("spec.policies");
    let misfire = check.field("misfire", misfire(given.misfire));
    let overlap = check.field("overlap", overlap(given.overlap));
    let mut seconds = |field, given: Option<prost_types::Duration>, most, default: u64| {
        let read = given.map(|given| duration(given, SECOND, most)).transpose();
        check.field(field, read).flatten().map_or(default, |read| read.as_secs())
    };
    let misfire_grace_s =
        seconds("misfire_grace", given.misfire_grace, DAY, default.misfire_grace_s);
    let catch_up_window_s =
        seconds("catch_up_window", given.catch_up_window, YEAR, default.catch_up_window_s);
    let mut number = |field, given: u32, most: u32, default: u32| {
        if given > most {
            check.refuse(field, format!("must be up to {most}"));
        }
        if given == 0 { default } else { given }
    };
    let catch_up_limit =
        number("catch_up_limit", given.catch_up_limit, 10_000, default.catch_up_limit);
    let max_running = number("max_running", given.max_running, 1_000, default.max_running);
    let pause_after_failures = number("pause_after_failures", given.pause_after_failures, 1_000, 0);
    check.finish()?;
    Ok(Policies {
        misfire: misfire.unwrap_or_default(),
        misfire_grace_s,
        catch_up_window_s,
        catch_up_limit,
        overlap: overlap.flatten().unwrap_or_default(),
        max_running,
        max_fires: given.max_fires,
        pause_after_failures,
    })
}

fn misfire(policy: i32) -> Result<Misfire, String> {
    match pb::MisfirePolicy::try_from(policy) {
        Ok(pb::MisfirePolicy::Skip) => Ok(Misfire::Skip),
        Ok(pb::MisfirePolicy::Unspecified | pb::MisfirePolicy::FireOnce) => Ok(Misfire::FireOnce),
        Ok(pb::MisfirePolicy::FireAll) => Ok(Misfire::FireAll),
        Err(_) => Err("must be SKIP, FIRE_ONCE or FIRE_ALL".to_owned()),
    }
}

/// Reads an overlap policy; `None`: the default.
pub(crate) fn overlap(policy: i32) -> Result<Option<Overlap>, String> {
    match pb::OverlapPolicy::try_from(policy) {
        Ok(pb::OverlapPolicy::Unspecified) => Ok(None),
        Ok(pb::OverlapPolicy::Allow) => Ok(Some(Overlap::Allow)),
        Ok(pb::OverlapPolicy::Skip) => Ok(Some(Overlap::Skip)),
        Ok(pb::OverlapPolicy::BufferOne) => Ok(Some(Overlap::BufferOne)),
        Ok(pb::OverlapPolicy::BufferAll) => Ok(Some(Overlap::BufferAll)),
        Ok(pb::OverlapPolicy::CancelRunning) => Ok(Some(Overlap::CancelRunning)),
        Err(_) => Err("must be ALLOW, SKIP, BUFFER_ONE, BUFFER_ALL or CANCEL_RUNNING".to_owned()),
    }
}

/// Reads the states of a filter.
pub(crate) fn states(states: &[i32]) -> Result<Vec<ScheduleState>, String> {
    states
        .iter()
        .map(|state| i16::try_from(*state).ok().and_then(ScheduleState::from_code))
        .collect::<Option<_>>()
        .ok_or_else(|| "must be ACTIVE, PAUSED or FINISHED".to_owned())
}

/// Reads the outcomes of a filter.
pub(crate) fn outcomes(outcomes: &[i32]) -> Result<Vec<FireOutcome>, String> {
    outcomes
        .iter()
        .map(|outcome| i16::try_from(*outcome).ok().and_then(FireOutcome::from_code))
        .collect::<Option<_>>()
        .ok_or_else(|| "must be FIRED, SKIPPED or HELD_BACK".to_owned())
}

/// Writes a spec, with defaults filled in.
pub(crate) fn pb_schedule_spec(spec: ScheduleSpec, payloads: Payloads) -> pb::ScheduleSpec {
    let is_shown = payloads == Payloads::Shown;
    let policies = &spec.policies;
    let seconds = |seconds| Some(pb_duration(Duration::from_secs(seconds)));
    let policies = pb::SchedulePolicies {
        misfire: match policies.misfire {
            Misfire::Skip => pb::MisfirePolicy::Skip,
            Misfire::FireOnce => pb::MisfirePolicy::FireOnce,
            Misfire::FireAll => pb::MisfirePolicy::FireAll,
        }
        .into(),
        misfire_grace: seconds(policies.misfire_grace_s),
        catch_up_window: seconds(policies.catch_up_window_s),
        catch_up_limit: policies.catch_up_limit,
        overlap: match policies.overlap {
            Overlap::Allow => pb::OverlapPolicy::Allow,
            Overlap::Skip => pb::OverlapPolicy::Skip,
            Overlap::BufferOne => pb::OverlapPolicy::BufferOne,
            Overlap::BufferAll => pb::OverlapPolicy::BufferAll,
            Overlap::CancelRunning => pb::OverlapPolicy::CancelRunning,
        }
        .into(),
        max_running: policies.max_running,
        max_fires: policies.max_fires,
        pause_after_failures: policies.pause_after_failures,
        on_failure: spec.on_failure.map(|task| pb_spec(task, is_shown)),
        on_recovery: spec.on_recovery.map(|task| pb_spec(task, is_shown)),
    };
    pb::ScheduleSpec {
        times: Some(pb_times(spec.times)),
        task: Some(pb_spec(spec.task, is_shown)),
        start_within: spec.start_within.map(pb_duration),
        policies: Some(policies),
        labels: spec.labels.into_iter().collect(),
        description: spec.description,
    }
}

/// Writes a schedule.
pub(crate) fn pb_schedule(schedule: Schedule, payloads: Payloads) -> pb::Schedule {
    let summary = schedule.plan().map(|plan| plan.describe()).unwrap_or_default();
    let (paused_at, paused_until, pause_note) = match schedule.pause {
        Some(pause) => (Some(pause.at), pause.until, pause.note),
        None => (None, None, String::new()),
    };
    let is_over = schedule.state == ScheduleState::Finished;
    pb::Schedule {
        id: schedule.id.to_string(),
        namespace: schedule.namespace.to_string(),
        name: schedule.name.to_string(),
        spec: Some(pb_schedule_spec(schedule.spec, payloads)),
        state: i32::from(schedule.state.code()),
        version: schedule.version,
        etag: schedule.version.to_string(),
        summary,
        created_at: Some(pb_timestamp(schedule.created_at)),
        updated_at: Some(pb_timestamp(schedule.updated_at)),
        next_fire_at: schedule.next_fire_at.filter(|_| !is_over).map(pb_timestamp),
        last_fire_at: schedule.last_fire_at.map(pb_timestamp),
        last_task_id: schedule.last_task.map(|task| task.to_string()).unwrap_or_default(),
        fires: schedule.fires,
        running: schedule.running,
        held_back: schedule.held_back,
        failures_in_a_row: schedule.failures,
        paused_at: paused_at.map(pb_timestamp),
        paused_until: paused_until.map(pb_timestamp),
        pause_note,
        payloads_hidden: payloads == Payloads::Hidden,
    }
}

/// The zone in which local times are told.
pub(crate) fn zone(name: &str) -> TimeZone {
    bellringer_schedule::time_zone(name).unwrap_or(TimeZone::UTC)
}

/// Writes a fire, with its local time in `zone`.
pub(crate) fn pb_fire(fire: &Fire, zone: &TimeZone) -> pb::Fire {
    let local = |time: Timestamp| time.to_zoned(zone.clone()).to_string();
    let lateness = fire.recorded.map(|(at, _)| at.duration_since(fire.due));
    let is_told = fire.range.is_none();
    pb::Fire {
        time: Some(pb_timestamp(fire.nominal)),
        local_time: local(fire.nominal),
        outcome: fire.outcome.map_or(0, |outcome| i32::from(outcome.code())),
        reason: fire.reason.map_or(0, reason),
        rule: match fire.rule {
            Rule::Plain => pb::FireRule::Unspecified,
            Rule::GapMoved => pb::FireRule::GapMoved,
            Rule::GapShifted => pb::FireRule::GapShifted,
            Rule::First => pb::FireRule::FirstPass,
            Rule::Last => pb::FireRule::SecondPass,
        }
        .into(),
        cause: match fire.cause {
            FireCause::Time => pb::FireCause::Unspecified,
            FireCause::Trigger => pb::FireCause::Trigger,
            FireCause::Backfill => pb::FireCause::Backfill,
        }
        .into(),
        task_id: fire.task.map(|task| task.to_string()).unwrap_or_default(),
        recorded_at: fire.recorded.map(|(at, _)| pb_timestamp(at)),
        lateness: lateness
            .filter(|_| is_told)
            .map(|late| Duration::try_from(late.max(SignedDuration::ZERO)).unwrap_or_default())
            .map(pb_duration),
        epoch: fire.recorded.map(|(_, epoch)| epoch).unwrap_or_default(),
        last_time: fire.range.map(|(last, _)| pb_timestamp(last)),
        count: fire.range.map_or(1, |(_, count)| count),
        due_at: Some(pb_timestamp(fire.due)),
    }
}

fn reason(reason: SkipReason) -> i32 {
    i32::from(reason.code())
}
