//! Tasks as JSON. The field names are stable: fields may come, none goes or changes its meaning.
//!
//! Times are RFC 3339 in UTC, durations are seconds with an `s` (`"90s"`), states are the lower-case
//! words, and what does not apply is null.

use bellringer_api::v1::{
    Attempt, AttemptOutcome, Progress, RetryPolicy, Task, TaskError, TaskSpec,
};
use serde_json::{Map, Value, json};

use crate::{paint::state_word, payload, time};

/// A task with everything the server told: payload, result and attempts only if `full`.
pub(crate) fn task(task: &Task, full: bool) -> Value {
    let spec = task.spec.clone().unwrap_or_default();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("id", json!(task.id));
    put("namespace", json!(task.namespace));
    put("queue", json!(spec.queue));
    put("kind", json!(spec.kind));
    put("version", text(&spec.version));
    put("state", json!(state_word(task.state())));
    put("revision", json!(task.revision));
    put("attempt", json!(task.attempt));
    put("tries", json!(task.tries));
    put("worker", text(&task.worker));
    put("cancel_requested", json!(task.cancel_requested));
    put("created_at", timestamp(task.created_at.as_ref()));
    put("started_at", timestamp(task.started_at.as_ref()));
    put("finished_at", timestamp(task.finished_at.as_ref()));
    put("due_at", timestamp(task.due_at.as_ref()));
    put("progress", progress(task.progress.as_ref()));
    put("error", error(task.error.as_ref()));
    put("retry_of", text(&task.retry_of));
    put("labels", labels(&spec.labels));
    put("priority", json!(spec.priority));
    put("run_at", timestamp(spec.run_at.as_ref()));
    put("expire_at", timestamp(spec.expire_at.as_ref()));
    put("attempt_timeout", duration(spec.attempt_timeout.as_ref()));
    put("total_timeout", duration(spec.total_timeout.as_ref()));
    put("retry", spec.retry.as_ref().map_or(Value::Null, retry));
    put("unique_key", text(&spec.unique_key));
    put("traceparent", text(&spec.traceparent));
    if full {
        put("attempts", task.attempts.iter().map(attempt).collect());
        payload::write_json(&mut object, "payload", spec.payload.as_ref());
        payload::write_json(&mut object, "result", task.result.as_ref());
    }
    Value::Object(object)
}

/// What a schedule submits, with the names of a task.
pub(crate) fn task_spec(spec: &TaskSpec) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("queue", text(&spec.queue));
    put("kind", json!(spec.kind));
    put("version", text(&spec.version));
    put("labels", labels(&spec.labels));
    put("priority", json!(spec.priority));
    put("attempt_timeout", duration(spec.attempt_timeout.as_ref()));
    put("total_timeout", duration(spec.total_timeout.as_ref()));
    put("retry", spec.retry.as_ref().map_or(Value::Null, retry));
    put("traceparent", text(&spec.traceparent));
    payload::write_json(&mut object, "payload", spec.payload.as_ref());
    Value::Object(object)
}

fn attempt(attempt: &Attempt) -> Value {
    let late = attempt.late.as_ref().map(|late| {
        let mut object = Map::new();
        object.insert("outcome".to_owned(), outcome_value(late.outcome()));
        object.insert("reported_at".to_owned(), timestamp(late.reported_at.as_ref()));
        object.insert("error".to_owned(), error(late.error.as_ref()));
        payload::write_json(&mut object, "result", late.result.as_ref());
        Value::Object(object)
    });
    json!({
        "number": attempt.number,
        "outcome": outcome_value(attempt.outcome()),
        "worker": text(&attempt.worker),
        "started_at": timestamp(attempt.started_at.as_ref()),
        "finished_at": timestamp(attempt.finished_at.as_ref()),
        "error": error(attempt.error.as_ref()),
        "late": late,
    })
}

fn outcome_value(outcome: AttemptOutcome) -> Value {
    if outcome == AttemptOutcome::Unspecified { Value::Null } else { outcome_word(outcome).into() }
}

/// The word for how an attempt ended.
pub(crate) fn outcome_word(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Unspecified => "running",
        AttemptOutcome::Succeeded => "succeeded",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::Cancelled => "cancelled",
        AttemptOutcome::Snoozed => "snoozed",
        AttemptOutcome::Released => "released",
        AttemptOutcome::LeaseExpired => "lease_expired",
    }
}

fn progress(progress: Option<&Progress>) -> Value {
    progress.map_or(Value::Null, |progress| {
        json!({
            "current": payload::number_value(progress.current),
            "total": payload::number_value(progress.total),
            "message": text(&progress.message),
            "reported_at": timestamp(progress.reported_at.as_ref()),
        })
    })
}

fn error(error: Option<&TaskError>) -> Value {
    error.map_or(Value::Null, |error| {
        json!({
            "type": error.r#type,
            "message": error.message,
            "detail": text(&error.detail),
        })
    })
}

fn retry(policy: &RetryPolicy) -> Value {
    json!({
        "max_attempts": policy.max_attempts,
        "initial_backoff": duration(policy.initial_backoff.as_ref()),
        "max_backoff": duration(policy.max_backoff.as_ref()),
        "multiplier": payload::number_value(policy.multiplier),
        "no_jitter": policy.no_jitter,
        "non_retryable_errors": policy.non_retryable_errors,
    })
}

/// Labels sorted by key, so that equal tasks look equal.
pub(crate) fn labels(labels: &std::collections::HashMap<String, String>) -> Value {
    let mut pairs: Vec<_> = labels.iter().collect();
    pairs.sort();
    pairs.into_iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>().into()
}

/// Text; null if it is empty.
pub(crate) fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// A time as RFC 3339; null if it is absent.
pub(crate) fn timestamp(time: Option<&prost_types::Timestamp>) -> Value {
    time.and_then(time::from_proto).map_or(Value::Null, |time| time.to_string().into())
}

/// A duration as protobuf's JSON writes it; null if it is absent.
pub(crate) fn duration(duration: Option<&prost_types::Duration>) -> Value {
    duration.map_or(Value::Null, |duration| {
        let length = time::length(duration);
        let fraction = format!("{:09}", length.subsec_nanos());
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}s", length.as_secs()).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Draft;
    use bellringer_api::v1::TaskState;

    fn example() -> Task {
        Task {
            id: "0198f0a0-0000-7000-8000-000000000001".to_owned(),
            state: TaskState::Retrying.into(),
            spec: Some(TaskSpec {
                kind: "send-mail".to_owned(),
                queue: "mail".to_owned(),
                attempt_timeout: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
                retry: Some(RetryPolicy { max_attempts: 5, multiplier: 2.0, ..Default::default() }),
                payload: Some(payload::from_json(&json!({"to": "a@b.c"})).unwrap()),
                ..TaskSpec::default()
            }),
            created_at: Some(prost_types::Timestamp { seconds: 1_777_629_600, nanos: 0 }),
            attempts: vec![Attempt { number: 1, ..Attempt::default() }],
            ..Task::default()
        }
    }

    #[test]
    fn a_task_has_the_names_that_programs_rely_on() {
        let value = task(&example(), true);
        assert_eq!(value["state"], "retrying");
        assert_eq!(value["created_at"], "2026-05-01T10:00:00Z");
        assert_eq!(value["started_at"], Value::Null);
        assert_eq!(value["attempt_timeout"], "1.5s");
        assert_eq!(value["retry"]["multiplier"], 2);
        assert_eq!(value["payload"]["to"], "a@b.c");
        assert_eq!(value["attempts"][0]["outcome"], Value::Null);
        assert!(task(&example(), false).get("payload").is_none());
    }

    #[test]
    fn what_is_written_can_be_submitted_again() {
        let value = task(&example(), true);
        let names = ["kind", "queue", "payload", "labels", "priority", "attempt_timeout"];
        let line: Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), value[name].clone())).collect();
        let draft: Draft = serde_json::from_value(line.into()).unwrap();
        let spec = draft.into_item(time::now()).unwrap().task.unwrap();
        assert_eq!(spec.payload, example().spec.unwrap().payload);
        assert_eq!(spec.attempt_timeout, example().spec.unwrap().attempt_timeout);
    }
}
