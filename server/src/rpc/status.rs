//! Errors on the wire: one exhaustive match, so that a new error does not compile until it has a
//! status. No handler makes a `Status` of its own.

use std::collections::HashMap;

use bellringer_api::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::domain::Violations;
use crate::engine::Error;

/// `google.rpc.ErrorInfo.domain` of every error.
pub(super) const DOMAIN: &str = "bellringer.v1";

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = classify(&error);
        let mut details = ErrorDetails::new();
        let mut metadata = HashMap::new();
        let mut tell = |key: &str, value: String| metadata.insert(key.to_owned(), value);
        let mut cause = &error;
        while let Error::Item { index, error } = cause {
            tell("item", index.to_string());
            cause = error;
        }
        match cause {
            Error::Invalid(violations) => {
                for violation in violations.iter() {
                    details.add_bad_request_violation(&violation.field, &violation.why);
                }
            }
            Error::TaskNotFound(id) => {
                details.set_resource_info("bellringer.v1.Task", id.to_string(), "", "");
            }
            Error::QueueNotFound(name) => {
                details.set_resource_info("bellringer.v1.Queue", name.to_string(), "", "");
            }
            Error::ScheduleNotFound(name) | Error::ScheduleExists(name) => {
                details.set_resource_info("bellringer.v1.Schedule", name.to_string(), "", "");
            }
            Error::EtagMismatch(etag) => {
                tell("etag", etag.to_string());
            }
            Error::ScheduleOverlap { name, running } => {
                tell("running", running.to_string());
                details.add_precondition_failure_violation(
                    "SCHEDULE_OVERLAP",
                    name.to_string(),
                    error.to_string(),
                );
            }
            Error::IdempotencyConflict(task) | Error::UniqueKeyConflict(task) => {
                tell("task_id", task.to_string());
            }
            Error::TaskNotFinished { task, state } => {
                let state = super::convert::task::state(*state).as_str_name();
                tell("state", state.trim_start_matches("TASK_STATE_").to_owned());
                details.add_precondition_failure_violation(
                    "TASK_NOT_FINISHED",
                    task.to_string(),
                    error.to_string(),
                );
            }
            Error::LeaseLost(attempt) => {
                tell("task_id", attempt.task.to_string());
                tell("attempt", attempt.attempt.to_string());
            }
            Error::RateLimited { of, .. } => {
                details.add_quota_failure_violation(*of, error.to_string());
            }
            Error::LimitReached { what, limit } => {
                tell("limit", limit.to_string());
                details.add_quota_failure_violation(*what, error.to_string());
            }
            Error::QueueFull { queue, limit } => {
                tell("limit", limit.to_string());
                tell("queue", queue.to_string());
                details.add_quota_failure_violation(queue.to_string(), error.to_string());
            }
            Error::Internal { log_id } => {
                // The cause was logged where it came up, perhaps for many calls at once; this line says
                // which calls it was.
                tracing::error!(log_id, "a call was answered INTERNAL");
                tell("log_id", log_id.clone());
            }
            Error::KeyNotFound(id) => {
                details.set_resource_info("bellringer.v1.ApiKey", id, "", "");
            }
            Error::Item { .. }
            | Error::Unauthenticated
            | Error::PermissionDenied
            | Error::SessionLost
            | Error::ClockNotVirtual
            | Error::SlowConsumer
            | Error::Resync(_)
            | Error::Overloaded
            | Error::DeadlineExceeded
            | Error::Draining
            | Error::StreamEnded
            | Error::StoreUnavailable
            | Error::OutcomeUnknown => {}
        }
        if let Some(wait) = error.retry_after() {
            details.set_retry_info(Some(wait));
        }
        details.set_error_info(name(reason), DOMAIN, metadata);
        Self::with_error_details(code, error.to_string(), details)
    }
}

/// The code and the reason of an error.
pub(super) fn classify(error: &Error) -> (Code, ErrorReason) {
    match error {
        Error::Invalid(_) => (Code::InvalidArgument, ErrorReason::InvalidArgument),
        Error::Unauthenticated => (Code::Unauthenticated, ErrorReason::Unauthenticated),
        Error::PermissionDenied => (Code::PermissionDenied, ErrorReason::PermissionDenied),
        Error::KeyNotFound(_) => (Code::NotFound, ErrorReason::ApiKeyNotFound),
        Error::TaskNotFound(_) => (Code::NotFound, ErrorReason::TaskNotFound),
        Error::QueueNotFound(_) => (Code::NotFound, ErrorReason::QueueNotFound),
        Error::ScheduleNotFound(_) => (Code::NotFound, ErrorReason::ScheduleNotFound),
        Error::ScheduleExists(_) => (Code::AlreadyExists, ErrorReason::ScheduleExists),
        Error::EtagMismatch(_) => (Code::Aborted, ErrorReason::EtagMismatch),
        Error::ScheduleOverlap { .. } => (Code::FailedPrecondition, ErrorReason::ScheduleOverlap),
        Error::ClockNotVirtual => (Code::FailedPrecondition, ErrorReason::ClockNotVirtual),
        Error::IdempotencyConflict(_) => (Code::AlreadyExists, ErrorReason::IdempotencyConflict),
        Error::UniqueKeyConflict(_) => (Code::AlreadyExists, ErrorReason::UniqueKeyConflict),
        Error::TaskNotFinished { .. } => (Code::FailedPrecondition, ErrorReason::TaskNotFinished),
        Error::LeaseLost(_) => (Code::Aborted, ErrorReason::LeaseLost),
        Error::SessionLost => (Code::Aborted, ErrorReason::SessionLost),
        Error::SlowConsumer => (Code::ResourceExhausted, ErrorReason::SlowConsumer),
        Error::Resync(_) => (Code::OutOfRange, ErrorReason::Resync),
        Error::Overloaded => (Code::ResourceExhausted, ErrorReason::Overloaded),
        Error::RateLimited { .. } => (Code::ResourceExhausted, ErrorReason::RateLimited),
        Error::DeadlineExceeded => (Code::DeadlineExceeded, ErrorReason::DeadlineExceeded),
        Error::LimitReached { .. } | Error::QueueFull { .. } => {
            (Code::ResourceExhausted, ErrorReason::LimitReached)
        }
        Error::Item { error, .. } => classify(error),
        Error::Draining | Error::StreamEnded => (Code::Unavailable, ErrorReason::Draining),
        Error::StoreUnavailable => (Code::Unavailable, ErrorReason::StoreUnavailable),
        Error::OutcomeUnknown => (Code::Unavailable, ErrorReason::OutcomeUnknown),
        Error::Internal { .. } => (Code::Internal, ErrorReason::Internal),
    }
}

/// The status of a request that is wrong in itself.
pub(super) fn invalid(violations: Violations) -> Status {
    Error::Invalid(violations).into()
}

fn name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::domain::{AttemptRef, QueueName, ScheduleName, TaskId, TaskState};

    const REASONS: &str = include_str!("../../../proto/bellringer/v1/error_reason.proto");

    /// The code of each reason, as the interface says it.
    fn promised() -> BTreeMap<&'static str, &'static str> {
        let mut code = "";
        let mut all = BTreeMap::new();
        for line in REASONS.lines().map(str::trim) {
            if let Some((found, _)) =
                line.strip_prefix("// [").and_then(|comment| comment.split_once(']'))
            {
                code = found;
            } else if let Some((reason, _)) =
                line.strip_prefix("ERROR_REASON_").and_then(|value| value.split_once(" = "))
                && reason != "UNSPECIFIED"
            {
                all.insert(reason, code);
            }
        }
        all
    }

    /// Every error.
    fn every() -> Vec<Error> {
        let task = TaskId(uuid::Uuid::nil());
        let (queue, schedule) = (QueueName::parse("q").unwrap(), ScheduleName::parse("s").unwrap());
        let all = vec![
            Error::Invalid(Violations::one("field", "why")),
            Error::Unauthenticated,
            Error::PermissionDenied,
            Error::KeyNotFound(String::new()),
            Error::TaskNotFound(task),
            Error::QueueNotFound(queue.clone()),
            Error::ScheduleNotFound(schedule.clone()),
            Error::ScheduleExists(schedule.clone()),
            Error::EtagMismatch(1),
            Error::ScheduleOverlap { name: schedule, running: 1 },
            Error::ClockNotVirtual,
            Error::IdempotencyConflict(task),
            Error::UniqueKeyConflict(task),
            Error::TaskNotFinished { task, state: TaskState::Ready },
            Error::LeaseLost(AttemptRef { task, attempt: 1 }),
            Error::SessionLost,
            Error::SlowConsumer,
            Error::Resync("why"),
            Error::Overloaded,
            Error::RateLimited { of: "caller", after: Duration::from_millis(20) },
            Error::DeadlineExceeded,
            Error::LimitReached { what: "things", limit: 1 },
            Error::QueueFull { queue, limit: 1 },
            Error::Item { index: 1, error: Box::new(Error::Overloaded) },
            Error::Draining,
            Error::StreamEnded,
            Error::StoreUnavailable,
            Error::OutcomeUnknown,
            Error::Internal { log_id: String::new() },
        ];
        // A new error does not compile here until it is one of them.
        for error in &all {
            match error {
                Error::Invalid(_)
                | Error::Unauthenticated
                | Error::PermissionDenied
                | Error::KeyNotFound(_)
                | Error::TaskNotFound(_)
                | Error::QueueNotFound(_)
                | Error::ScheduleNotFound(_)
                | Error::ScheduleExists(_)
                | Error::EtagMismatch(_)
                | Error::ScheduleOverlap { .. }
                | Error::ClockNotVirtual
                | Error::IdempotencyConflict(_)
                | Error::UniqueKeyConflict(_)
                | Error::TaskNotFinished { .. }
                | Error::LeaseLost(_)
                | Error::SessionLost
                | Error::SlowConsumer
                | Error::Resync(_)
                | Error::Overloaded
                | Error::RateLimited { .. }
                | Error::DeadlineExceeded
                | Error::LimitReached { .. }
                | Error::QueueFull { .. }
                | Error::Item { .. }
                | Error::Draining
                | Error::StreamEnded
                | Error::StoreUnavailable
                | Error::OutcomeUnknown
                | Error::Internal { .. } => {}
            }
        }
        all
    }

    fn word(code: Code) -> String {
        let mut word = String::new();
        for (at, letter) in format!("{code:?}").chars().enumerate() {
            if at > 0 && letter.is_uppercase() {
                word.push('_');
            }
            word.push(letter.to_ascii_uppercase());
        }
        word
    }

    #[test]
    fn g_21_every_reason_to_come_back_says_when_and_has_the_code_that_the_interface_says() {
        let promised = promised();
        assert!(promised.len() >= 26, "{promised:?}");
        let mut told: BTreeMap<String, u32> = BTreeMap::new();
        for error in every() {
            let status = Status::from(error);
            let details = status.get_error_details();
            let reason = details.error_info().unwrap().reason.clone();
            assert_eq!(word(status.code()), promised[reason.as_str()], "{reason}");
            let says_when = details.retry_info().is_some_and(|info| info.retry_delay.is_some());
            let is_temporary = matches!(status.code(), Code::ResourceExhausted | Code::Unavailable);
            assert_eq!(says_when, is_temporary, "{reason}");
            *told.entry(reason).or_default() += 1;
        }
        for reason in promised.keys() {
            assert!(told.contains_key(*reason), "no error has the reason {reason}");
        }
    }
}
