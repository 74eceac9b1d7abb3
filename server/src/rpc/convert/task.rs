//! Tasks.

use std::time::Duration;

use bellringer_api::v1 as pb;
use jiff::Timestamp;

use super::fields::{self, cut, key, labels};
use super::payload::{payload, pb_payload};
use super::time::{duration, pb_duration, pb_timestamp, timestamp};
use crate::domain::task::Start;
use crate::domain::{
    Attempt, AttemptOutcome, Checker, Filter, Kind, Late, Namespace, NewTask, Progress, QueueName,
    RetryPolicy, Task, TaskError, TaskState, UniqueConflict, Version, View, Violations, limits,
};
use crate::rpc::caller::Claim;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Reads a task to submit; `field` is where it stands in the request.
pub(crate) fn new_task(
    namespace: &Namespace,
    spec: Option<pb::TaskSpec>,
    idempotency_key: String,
    field: &str,
    largest_payload: usize,
) -> Result<NewTask, Violations> {
    let parent = field.rsplit_once('.').map_or("", |(parent, _)| parent);
    let mut outer = Checker::below(parent);
    let idempotency_key = outer.field("idempotency_key", key(idempotency_key));
    let Some(spec) = spec else {
        outer.part::<()>(Err(Violations::one(field, "is required")));
        outer.finish()?;
        return Err(Violations::one(field, "is required"));
    };
    let mut check = Checker::below(field);
    let queue = check.field("queue", fields::queue_or_default(&spec.queue));
    let kind = check.field("kind", Kind::parse(&spec.kind));
    let version = check.field("version", optional(&spec.version, Version::parse));
    let payload = check.field("payload", payload(spec.payload, largest_payload));
    let labels = check.field("labels", labels(spec.labels));
    let priority = check.field("priority", priority(spec.priority));
    let start = check.field("run_at", start(spec.run_at, spec.delay));
    let expire_at = check.field("expire_at", spec.expire_at.map(timestamp).transpose());
    if let (Some(Some(end)), Some(Start::At(begin))) = (expire_at, start)
        && end <= begin
    {
        check.refuse("expire_at", "must be after run_at");
    }
    let timeout = |limit: Option<prost_types::Duration>| {
        limit.map(|limit| duration(limit, MILLISECOND, limits::TEN_YEARS)).transpose()
    };
    let attempt_timeout = check.field("attempt_timeout", timeout(spec.attempt_timeout));
    let total_timeout = check.field("total_timeout", timeout(spec.total_timeout));
    let retry = check.part(retry_policy(spec.retry, &format!("{field}.retry")));
    let unique_key = check.field("unique_key", key(spec.unique_key));
    let unique_conflict = check.field("unique_conflict", unique_conflict(spec.unique_conflict));
    let traceparent = check.field("traceparent", fields::traceparent(spec.traceparent));
    check.part(outer.finish());
    check.finish()?;
    let all = || {
        Some(NewTask {
            namespace: namespace.clone(),
            queue: queue?,
            kind: kind?,
            version: version?,
            payload: payload?,
            labels: labels?,
            priority: priority?,
            start: start?,
            expire_at: expire_at?,
            attempt_timeout: attempt_timeout?,
            total_timeout: total_timeout?,
            retry: retry?,
            unique_key: unique_key?,
            unique_conflict: unique_conflict?,
            idempotency_key: idempotency_key?,
            traceparent: traceparent?,
            retry_of: None,
        })
    };
    all().ok_or_else(|| Violations::one(field, "cannot be read"))
}

fn optional<T>(text: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn priority(priority: Option<u32>) -> Result<u8, String> {
    let priority = priority.unwrap_or(limits::DEFAULT_PRIORITY.into());
    match u8::try_from(priority) {
        Ok(valid) if priority <= limits::PRIORITY => Ok(valid),
        _ => Err(format!("must be 0 to {}", limits::PRIORITY)),
    }
}

fn start(
    run_at: Option<prost_types::Timestamp>,
    delay: Option<prost_types::Duration>,
) -> Result<Start, String> {
    match (run_at, delay) {
        (Some(_), Some(_)) => Err("must not be given together with delay".to_owned()),
        (Some(time), None) => timestamp(time).map(Start::At),
        (None, Some(delay)) => duration(delay, Duration::ZERO, limits::TEN_YEARS)
            .map(|delay| if delay.is_zero() { Start::Now } else { Start::After(delay) })
            .map_err(|why| format!("delay {why}")),
        (None, None) => Ok(Start::Now),
    }
}

fn unique_conflict(policy: i32) -> Result<UniqueConflict, String> {
    use pb::UniqueConflictPolicy as Policy;
    match Policy::try_from(policy) {
        Ok(Policy::Unspecified | Policy::ReturnExisting) => Ok(UniqueConflict::ReturnExisting),
        Ok(Policy::Refuse) => Ok(UniqueConflict::Refuse),
        Ok(Policy::ReplaceWaiting) => Ok(UniqueConflict::ReplaceWaiting),
        Err(_) => Err("must be RETURN_EXISTING, REFUSE or REPLACE_WAITING".to_owned()),
    }
}

fn retry_policy(
    policy: Option<pb::RetryPolicy>,
    field: &str,
) -> Result<Option<RetryPolicy>, Violations> {
    let Some(policy) = policy else { return Ok(None) };
    let default = RetryPolicy::default();
    let mut check = Checker::below(field);
    let max_attempts = match policy.max_attempts {
        0 => default.max_attempts,
        n => n,
    };
    if max_attempts > limits::MAX_ATTEMPTS {
        check.refuse("max_attempts", format!("must be 1 to {}", limits::MAX_ATTEMPTS));
    }
    let backoff = |given: Option<prost_types::Duration>| {
        given.map(|given| duration(given, Duration::ZERO, limits::BACKOFF)).transpose()
    };
    let initial = check.field("initial_backoff", backoff(policy.initial_backoff)).flatten();
    let most = check.field("max_backoff", backoff(policy.max_backoff)).flatten();
    let initial_backoff_ms = initial.map_or(default.initial_backoff_ms, milliseconds);
    // A larger first wait than the default limit is meant as it is written.
    let max_backoff_ms = most.map_or(default.max_backoff_ms.max(initial_backoff_ms), milliseconds);
    if max_backoff_ms < initial_backoff_ms {
        check.refuse("max_backoff", "must not be below initial_backoff");
    }
    let multiplier = match policy.multiplier {
        0.0 => default.multiplier,
        given => given,
    };
    if !(1.0..=100.0).contains(&multiplier) {
        check.refuse("multiplier", "must be 1 to 100");
    }
    let listed = &policy.non_retryable_errors;
    if listed.len() > limits::NON_RETRYABLE
        || listed
            .iter()
            .any(|kind| kind.is_empty() || kind.len() > limits::ERROR_TYPE || kind.contains('\0'))
    {
        let (most, longest) = (limits::NON_RETRYABLE, limits::ERROR_TYPE);
        let why = format!("must be up to {most} error types of 1 to {longest} bytes, without NUL");
        check.refuse("non_retryable_errors", why);
    }
    check.finish()?;
    Ok(Some(RetryPolicy {
        max_attempts,
        initial_backoff_ms,
        max_backoff_ms,
        multiplier,
        jitter: !policy.no_jitter,
        non_retryable: policy.non_retryable_errors,
    }))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads an error that a worker reports.
pub(crate) fn error(error: Option<pb::TaskError>) -> Result<TaskError, String> {
    let Some(error) = error else { return Err("is required".to_owned()) };
    if error.r#type.len() > limits::ERROR_TYPE || error.r#type.contains('\0') {
        let longest = limits::ERROR_TYPE;
        return Err(format!("type: must be up to {longest} bytes, without NUL"));
    }
    let kind = if error.r#type.is_empty() { "ERROR".to_owned() } else { error.r#type };
    Ok(TaskError {
        kind,
        message: cut(error.message, limits::ERROR_MESSAGE),
        detail: cut(error.detail, limits::ERROR_DETAIL),
    })
}

/// Reads a filter.
pub(crate) fn filter(filter: Option<pb::TaskFilter>) -> Result<Filter, Violations> {
    let filter = filter.unwrap_or_default();
    let mut check = Checker::below("filter");
    let queue = check.field("queue", optional(&filter.queue, QueueName::parse)).flatten();
    let kind = check.field("kind", optional(&filter.kind, Kind::parse)).flatten();
    let labels = check.field("labels", labels(filter.labels)).unwrap_or_default();
    let states = filter.states.iter().map(|state| state_in(*state)).collect::<Result<Vec<_>, _>>();
    let states = check.field("states", states).unwrap_or_default();
    let mut time = |field, time: Option<prost_types::Timestamp>| {
        check.field(field, time.map(timestamp).transpose()).flatten()
    };
    let created_after = time("created_after", filter.created_after);
    let created_before = time("created_before", filter.created_before);
    check.finish()?;
    Ok(Filter { queue, kind, labels, states, created_after, created_before })
}

fn state_in(state: i32) -> Result<TaskState, String> {
    i16::try_from(state)
        .ok()
        .and_then(TaskState::from_code)
        .ok_or_else(|| "must be states from SCHEDULED to EXPIRED".to_owned())
}

/// Reads the id of a task, with the namespace that every request has.
pub(crate) fn task_ref(
    namespace: Claim,
    task_id: &str,
) -> Result<(Namespace, crate::domain::TaskId), Violations> {
    let mut check = Checker::default();
    let namespace = check.field("namespace", namespace);
    let task = check.field("task_id", crate::domain::TaskId::parse(task_id));
    check.finish()?;
    namespace.zip(task).ok_or_else(|| Violations::one("task_id", "cannot be read"))
}

/// Writes a state. The numbers are the same in the protobuf and in the domain.
pub(crate) fn state(state: TaskState) -> pb::TaskState {
    match state {
        TaskState::Scheduled => pb::TaskState::Scheduled,
        TaskState::Ready => pb::TaskState::Ready,
        TaskState::Running => pb::TaskState::Running,
        TaskState::Retrying => pb::TaskState::Retrying,
        TaskState::Succeeded => pb::TaskState::Succeeded,
        TaskState::Failed => pb::TaskState::Failed,
        TaskState::Cancelled => pb::TaskState::Cancelled,
        TaskState::Expired => pb::TaskState::Expired,
    }
}

/// Whether the reader of an answer may see payloads and results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payloads {
    /// They are in it.
    Shown,
    /// They are left out.
    Hidden,
}

/// Writes a task; one that was read with more than `view` is cut down to it.
pub(crate) fn pb_task(mut task: Task, view: View, payloads: Payloads) -> pb::Task {
    let is_full = view == View::Full;
    let is_shown = is_full && payloads == Payloads::Shown;
    if !is_shown {
        task.result = None;
        for late in task.attempts.iter_mut().filter_map(|attempt| attempt.late.as_mut()) {
            late.result = None;
        }
    }
    let spec = task.spec;
    pb::Task {
        id: task.id.to_string(),
        namespace: spec.namespace.to_string(),
        state: state(task.state).into(),
        revision: task.revision,
        created_at: Some(pb_timestamp(task.created_at)),
        started_at: task.started_at.map(pb_timestamp),
        finished_at: task.finished_at.map(pb_timestamp),
        due_at: task.due_at.map(pb_timestamp),
        attempt: task.attempt,
        tries: task.tries,
        cancel_requested: task.cancel_requested,
        progress: task.progress.map(pb_progress),
        result: task.result.and_then(pb_payload),
        error: task.error.map(pb_error),
        attempts: if is_full {
            task.attempts.into_iter().map(pb_attempt).collect()
        } else {
            Vec::new()
        },
        worker: task.worker,
        retry_of: spec.retry_of.map(|id| id.to_string()).unwrap_or_default(),
        spec: Some(pb::TaskSpec {
            run_at: Some(pb_timestamp(task.run_at)),
            ..pb_spec(spec, is_shown)
        }),
        payloads_hidden: is_full && !is_shown,
    }
}

/// Writes what was submitted, with defaults filled in, but for the start.
pub(crate) fn pb_spec(spec: NewTask, with_payload: bool) -> pb::TaskSpec {
    pb::TaskSpec {
        queue: spec.queue.to_string(),
        kind: spec.kind.to_string(),
        version: spec.version.map(|version| version.to_string()).unwrap_or_default(),
        payload: if with_payload { pb_payload(spec.payload) } else { None },
        labels: spec.labels.into_iter().collect(),
        priority: Some(u32::from(spec.priority)),
        run_at: None,
        delay: None,
        expire_at: spec.expire_at.map(pb_timestamp),
        attempt_timeout: spec.attempt_timeout.map(pb_duration),
        total_timeout: spec.total_timeout.map(pb_duration),
        retry: Some(pb_retry(spec.retry.unwrap_or_default())),
        unique_key: spec.unique_key.unwrap_or_default(),
        unique_conflict: pb::UniqueConflictPolicy::Unspecified.into(),
        traceparent: spec.traceparent.unwrap_or_default(),
    }
}

fn pb_retry(policy: RetryPolicy) -> pb::RetryPolicy {
    pb::RetryPolicy {
        max_attempts: policy.max_attempts,
        initial_backoff: Some(pb_duration(Duration::from_millis(policy.initial_backoff_ms))),
        max_backoff: Some(pb_duration(Duration::from_millis(policy.max_backoff_ms))),
        multiplier: policy.multiplier,
        no_jitter: !policy.jitter,
        non_retryable_errors: policy.non_retryable,
    }
}

/// Writes progress.
pub(crate) fn pb_progress(progress: Progress) -> pb::Progress {
    pb::Progress {
        current: progress.current,
        total: progress.total,
        message: progress.message,
        reported_at: progress.reported_at.map(pb_timestamp),
    }
}

fn pb_error(error: TaskError) -> pb::TaskError {
    pb::TaskError { r#type: error.kind, message: error.message, detail: error.detail }
}

fn pb_attempt(attempt: Attempt) -> pb::Attempt {
    let time = |time: Option<Timestamp>| time.map(pb_timestamp);
    pb::Attempt {
        number: attempt.number,
        outcome: attempt.outcome.map_or(pb::AttemptOutcome::Unspecified, outcome).into(),
        worker: attempt.worker,
        started_at: time(attempt.started_at),
        finished_at: time(attempt.finished_at),
        error: attempt.error.map(pb_error),
        late: attempt.late.map(pb_late),
    }
}

fn pb_late(late: Late) -> pb::LateReport {
    pb::LateReport {
        outcome: outcome(late.outcome).into(),
        reported_at: Some(pb_timestamp(late.reported_at)),
        result: late.result.and_then(pb_payload),
        error: late.error.map(pb_error),
    }
}

fn outcome(outcome: AttemptOutcome) -> pb::AttemptOutcome {
    match outcome {
        AttemptOutcome::Succeeded => pb::AttemptOutcome::Succeeded,
        AttemptOutcome::Failed => pb::AttemptOutcome::Failed,
        AttemptOutcome::Cancelled => pb::AttemptOutcome::Cancelled,
        AttemptOutcome::Snoozed => pb::AttemptOutcome::Snoozed,
        AttemptOutcome::Released => pb::AttemptOutcome::Released,
        AttemptOutcome::LeaseExpired => pb::AttemptOutcome::LeaseExpired,
    }
}
