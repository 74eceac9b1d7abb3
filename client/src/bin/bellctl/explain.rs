//! Errors of the server in words that say what to do next.

use std::{collections::HashMap, error::Error};

use bellringer_api::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{exit::Exit, failure::Failure, paint::one_line};

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason = info.and_then(|info| reason(&info.reason)).unwrap_or_default();
        let metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
        let mut mistakes = Vec::new();
        for violation in details.bad_request().map(|bad| &bad.field_violations[..]).unwrap_or(&[]) {
            let field = one_line(&violation.field);
            mistakes.push(format!("{field}: {}", one_line(&violation.description)));
        }
        let message = message(status);
        let is_told = mistakes.iter().all(|mistake| message.contains(mistake));
        // However it broke, the connection is away for now.
        let code = if is_transport(status) { Code::Unavailable } else { status.code() };
        let message = match mistakes.len() {
            1 if is_told => mistakes.remove(0),
            count if count > 1 && is_told => format!("the request has {count} mistakes"),
            _ => message,
        };
        let mut failure = Self::new(exit(code, reason), message);
        for mistake in mistakes {
            failure = failure.detail(mistake);
        }
        failure.retry_after = details.retry_info().and_then(|info| info.retry_delay);
        match next(code, reason, &metadata) {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

fn reason(name: &str) -> Option<ErrorReason> {
    ErrorReason::from_str_name(&format!("ERROR_REASON_{name}"))
}

fn message(status: &Status) -> String {
    let message = one_line(status.message());
    let message = message.trim_end_matches('.');
    match status.code() {
        _ if is_transport(status) => {
            let cause = one_line(&cause(status).unwrap_or_else(|| message.to_owned()));
            format!("cannot reach the server: {cause}")
        }
        _ if message.is_empty() => status.code().description().to_lowercase(),
        _ => message.to_owned(),
    }
}

/// The first cause, which is nearer to the matter than "tcp connect error".
fn cause(status: &Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// Whether no server answered, or the connection broke, as opposed to a server that answered with an
/// error. Such a status is made on this side: it has a cause, or is UNAVAILABLE without details.
fn is_transport(status: &Status) -> bool {
    let is_bare = status.details().is_empty();
    match status.code() {
        Code::Unavailable => is_bare,
        Code::Unknown | Code::Internal | Code::Cancelled => is_bare && status.source().is_some(),
        _ => false,
    }
}

fn exit(code: Code, reason: ErrorReason) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::InvalidArgument => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => Exit::Conflict,
        Code::Unavailable => Exit::Unavailable,
        Code::ResourceExhausted
            if matches!(reason, ErrorReason::Overloaded | ErrorReason::RateLimited) =>
        {
            Exit::Unavailable
        }
        Code::DeadlineExceeded => Exit::TimedOut,
        Code::Cancelled
        | Code::Unknown
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => Exit::Other,
    }
}

fn next(code: Code, reason: ErrorReason, metadata: &HashMap<String, String>) -> Option<String> {
    let get = |name: &str| metadata.get(name).map_or_else(String::new, |value| one_line(value));
    let next = match reason {
        ErrorReason::TaskNotFound => {
            "check the id and the namespace (--namespace); finished tasks are kept for their \
             queue's retention only"
                .to_owned()
        }
        ErrorReason::QueueNotFound => {
            "see which there are: bellctl queues list; check --namespace".to_owned()
        }
        ErrorReason::IdempotencyConflict => {
            format!("the key belongs to another request: bellctl get {}", get("task_id"))
        }
        ErrorReason::UniqueKeyConflict => {
            format!("see the task that holds the key: bellctl get {}", get("task_id"))
        }
        ErrorReason::TaskNotFinished => {
            "only finished tasks can be run once more; cancel it first, or wait for it".to_owned()
        }
        ErrorReason::Overloaded => "the server has too much to do; try again soon".to_owned(),
        ErrorReason::RateLimited => "you call too often; try again soon, or slower".to_owned(),
        ErrorReason::DeadlineExceeded => {
            "the change may have happened; look, or allow more time with --timeout".to_owned()
        }
        ErrorReason::Draining => "this server is stopping; try again".to_owned(),
        ErrorReason::StoreUnavailable => {
            "nothing was changed; see that the server's database is up, then try again".to_owned()
        }
        ErrorReason::OutcomeUnknown => {
            "the change may have happened: look with bellctl list before you try again".to_owned()
        }
        ErrorReason::Internal => {
            format!("a fault of the server; look for {} in its log", get("log_id"))
        }
        ErrorReason::LimitReached => {
            format!("the limit {} of the namespace is reached", get("limit"))
        }
        ErrorReason::SlowConsumer | ErrorReason::Resync => "watch again".to_owned(),
        ErrorReason::ScheduleNotFound => {
            "see which there are: bellctl schedule list; check --namespace".to_owned()
        }
        ErrorReason::ScheduleExists => {
            "change it with bellctl schedule update, or replace it: leave --if-absent out"
                .to_owned()
        }
        ErrorReason::EtagMismatch => format!(
            "somebody has changed it: look with bellctl schedule get, then give --etag {}",
            get("etag")
        ),
        ErrorReason::ScheduleOverlap => {
            "wait for the earlier task, or trigger with --overlap allow".to_owned()
        }
        ErrorReason::ClockNotVirtual => {
            "only the clock of a server that runs as `bellringer dev` can be moved".to_owned()
        }
        ErrorReason::Unauthenticated => {
            "give an API key: --api-key-file, or BELLRINGER_API_KEY; is it expired or revoked?"
                .to_owned()
        }
        ErrorReason::PermissionDenied => {
            "see what you may do: bellctl whoami; check --namespace, or ask whoever runs the server"
                .to_owned()
        }
        ErrorReason::ApiKeyNotFound => {
            "see which there are: bellctl keys list; check --namespace".to_owned()
        }
        ErrorReason::InvalidArgument => return None,
        ErrorReason::Unspecified | ErrorReason::LeaseLost | ErrorReason::SessionLost => {
            return next_by_code(code).map(ToOwned::to_owned);
        }
    };
    Some(next)
}

fn next_by_code(code: Code) -> Option<&'static str> {
    match code {
        Code::Unavailable => {
            Some("is the server running? start one with `bellringer dev` or set --server")
        }
        Code::NotFound => Some("check --namespace"),
        Code::DeadlineExceeded => Some("try again, or allow more time with --timeout"),
        Code::Unauthenticated | Code::PermissionDenied => {
            Some("give an API key, or ask whoever runs the server for access")
        }
        Code::Unimplemented => {
            Some("is this a Bellringer server, and as new as bellctl? see bellctl version")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::{ErrorDetails, FieldViolation};

    fn status(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
        let metadata: HashMap<String, String> =
            metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let details = ErrorDetails::with_error_info(reason, "bellringer.v1", metadata);
        Status::with_error_details(code, "it failed", details)
    }

    #[test]
    fn a_server_that_is_away_says_how_to_start_one() {
        let failure = Failure::from(Status::unavailable("connection refused"));
        assert_eq!(failure.exit, Exit::Unavailable);
        assert_eq!(
            failure.to_string(),
            "error: cannot reach the server: connection refused\n\
             next: is the server running? start one with `bellringer dev` or set --server"
        );
    }

    #[test]
    fn a_connection_that_breaks_is_a_server_that_is_away() {
        let mut status = Status::unknown("transport error");
        status.set_source(std::sync::Arc::new(std::io::Error::other("connection reset")));
        let failure = Failure::from(status);
        assert!(failure.is_passing());
        assert!(failure.to_string().contains("connection reset"), "{failure}");
        assert!(!Failure::from(Status::internal("a fault of the server")).is_passing());
    }

    #[test]
    fn every_bad_field_is_listed() {
        let details = ErrorDetails::with_bad_request(vec![
            FieldViolation::new("task.kind", "must not be empty"),
            FieldViolation::new("task.priority", "must be at most 9"),
        ]);
        let status =
            Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        let failure = Failure::from(status);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.to_string(),
            "error: 2 fields are wrong\n  task.kind: must not be empty\n  \
             task.priority: must be at most 9"
        );
    }

    #[test]
    fn mistakes_are_told_once() {
        let told = |fields: &[&str]| {
            let violations: Vec<_> =
                fields.iter().map(|field| FieldViolation::new(*field, "is wrong")).collect();
            let texts: Vec<_> = fields.iter().map(|field| format!("{field}: is wrong")).collect();
            let details = ErrorDetails::with_bad_request(violations);
            let code = Code::InvalidArgument;
            Failure::from(Status::with_error_details(code, texts.join("; "), details)).to_string()
        };
        assert_eq!(told(&["a"]), "error: a: is wrong");
        let two = "error: the request has 2 mistakes\n  a: is wrong\n  b: is wrong";
        assert_eq!(told(&["a", "b"]), two);
    }

    #[test]
    fn reasons_choose_the_exit_code_and_the_next_step() {
        let cases = [
            (Code::NotFound, "TASK_NOT_FOUND", Exit::NotFound, "--namespace"),
            (Code::NotFound, "QUEUE_NOT_FOUND", Exit::NotFound, "queues list"),
            (Code::AlreadyExists, "UNIQUE_KEY_CONFLICT", Exit::Conflict, "bellctl get t-1"),
            (Code::FailedPrecondition, "TASK_NOT_FINISHED", Exit::Conflict, "wait"),
            (Code::ResourceExhausted, "OVERLOADED", Exit::Unavailable, "try again"),
            (Code::ResourceExhausted, "LIMIT_REACHED", Exit::Other, "limit"),
            (Code::Unavailable, "STORE_UNAVAILABLE", Exit::Unavailable, "database"),
            (Code::Internal, "INTERNAL", Exit::Other, "log"),
            (Code::NotFound, "SCHEDULE_NOT_FOUND", Exit::NotFound, "schedule list"),
            (Code::AlreadyExists, "SCHEDULE_EXISTS", Exit::Conflict, "--if-absent"),
            (Code::Aborted, "ETAG_MISMATCH", Exit::Conflict, "schedule get"),
            (Code::FailedPrecondition, "SCHEDULE_OVERLAP", Exit::Conflict, "--overlap allow"),
            (Code::FailedPrecondition, "CLOCK_NOT_VIRTUAL", Exit::Conflict, "bellringer dev"),
        ];
        for (code, reason, exit, next) in cases {
            let failure = Failure::from(status(code, reason, &[("task_id", "t-1")]));
            assert_eq!(failure.exit, exit, "{reason}");
            assert!(failure.to_string().contains(next), "{failure}");
        }
    }
}
