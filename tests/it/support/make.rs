//! Test data: only what a test is about has to be said.

use bellringer_api::v1 as pb;
use prost_types::value::Kind;

use super::watched::MARK;

/// A task of kind `work` in the default queue, with a payload that must not be seen in any log.
pub(crate) fn task() -> pb::TaskSpec {
    let payload = text(&format!("{MARK} in a payload"));
    pb::TaskSpec { kind: "work".to_owned(), payload, ..Default::default() }
}

/// Seconds as the protobuf has them.
pub(crate) fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// Text as a JSON payload.
pub(crate) fn text(text: &str) -> Option<pb::Payload> {
    let value = prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) };
    Some(pb::Payload {
        content: Some(pb::payload::Content::Json(value)),
        content_type: String::new(),
    })
}

/// A policy of `max_attempts` tries that waits exactly `wait` seconds between them.
pub(crate) fn retry(max_attempts: u32, wait: i64) -> Option<pb::RetryPolicy> {
    Some(pb::RetryPolicy {
        max_attempts,
        initial_backoff: seconds(wait),
        max_backoff: seconds(wait),
        no_jitter: true,
        ..Default::default()
    })
}

/// The report that the first of the tasks that were just leased has failed.
pub(crate) fn failure(leased: pb::LeaseResponse, error: Option<pb::TaskError>) -> pb::FailRequest {
    let first = leased.assignments.into_iter().next().unwrap();
    pb::FailRequest {
        session_token: leased.session_token,
        task_id: first.task_id,
        attempt: first.attempt,
        error,
        ..Default::default()
    }
}

/// An error of a type.
pub(crate) fn error(kind: &str) -> Option<pb::TaskError> {
    Some(pb::TaskError {
        r#type: kind.to_owned(),
        message: format!("it went wrong: {MARK} in an error"),
        detail: String::new(),
    })
}
