//! What can go wrong with a call.

use std::time::Duration;

use bellringer_api::v1::ErrorReason;
use tonic::{Code, ConnectError, Status};
use tonic_types::StatusExt as _;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error, or could not be reached.
    #[error("{}", describe(.0))]
    Status(Box<Status>),
    /// The address is not one.
    #[error("not an address of a server: {0}")]
    Address(String),
    /// The client or the worker was set up wrongly.
    #[error("wrong settings: {0}")]
    Settings(String),
    /// A value is larger than the server takes.
    #[error("{0}")]
    TooLarge(String),
    /// A value cannot be written as JSON, or the JSON is not what was expected.
    #[error("JSON: {0}")]
    Json(String),
    /// The task did not end in time.
    #[error("task {0} is not finished yet")]
    NotFinished(String),
    /// The task ended otherwise than with success.
    #[error("task {task_id} ended as {state}: {message}")]
    Unsuccessful {
        /// The task.
        task_id: String,
        /// Its final state, for example `FAILED`.
        state: String,
        /// Its error, if it has one.
        message: String,
    },
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<tonic::transport::Error> for Error {
    fn from(error: tonic::transport::Error) -> Self {
        Status::from_error(Box::new(error)).into()
    }
}

impl Error {
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The gRPC code; `None` if the error is not the server's.
    pub fn code(&self) -> Option<Code> {
        self.status().map(Status::code)
    }

    /// The reason, which programs match on.
    pub fn reason(&self) -> Option<ErrorReason> {
        reason(self.status()?)
    }

    /// Every bad field of the request, with what is allowed.
    pub fn violations(&self) -> Vec<(String, String)> {
        let request = self.status().and_then(|status| status.get_details_bad_request());
        let violations = request.map(|request| request.field_violations).unwrap_or_default();
        violations.into_iter().map(|v| (v.field, v.description)).collect()
    }

    /// A value that goes with the reason, for example `task_id`.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.status()?.get_details_error_info()?.metadata.remove(key)
    }

    /// When to come back, if the server says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.status()?.get_details_retry_info()?.retry_delay
    }

    /// Whether the same call may succeed later, and has certainly not been carried out: the server
    /// could not be reached, is stopping, has lost its database, or has too much to do.
    pub fn is_retryable(&self) -> bool {
        match self.code() {
            Some(Code::Unavailable) => !self.outcome_unknown(),
            Some(Code::ResourceExhausted) => {
                matches!(self.reason(), Some(ErrorReason::Overloaded | ErrorReason::RateLimited))
            }
            _ => false,
        }
    }

    /// Whether the call may have been carried out although it failed.
    pub fn outcome_unknown(&self) -> bool {
        match (self.code(), self.reason()) {
            (_, Some(reason)) => {
                matches!(reason, ErrorReason::OutcomeUnknown | ErrorReason::DeadlineExceeded)
            }
            // No word from the server: the connection or the deadline ended it.
            (
                Some(Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown),
                None,
            ) => !self.status().is_some_and(was_never_sent),
            // tonic's word for a connection that broke while a call was on it, as when a replica stops.
            (Some(Code::Internal), None) => {
                self.status().is_some_and(|status| causes(status).next().is_some())
            }
            _ => false,
        }
    }

    /// The limit of a call is over without an answer.
    pub(crate) fn no_answer() -> Self {
        Status::deadline_exceeded("the server did not answer in time").into()
    }
}

/// Whether there was no connection to send the call over.
fn was_never_sent(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<ConnectError>())
}

/// What a status came from, outermost first.
fn causes(status: &Status) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first = std::error::Error::source(status);
    std::iter::successors(first, |cause| cause.source())
}

/// The reason in a status.
pub(crate) fn reason(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason))
}

fn describe(status: &Status) -> String {
    match reason(status) {
        Some(reason) => {
            let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
            format!("{name}: {}", status.message())
        }
        None => {
            let mut text = format!("{:?}: {}", status.code(), status.message());
            // The last cause says most: `Connection refused`, not `transport error`.
            if let Some(cause) = causes(status).last().map(ToString::to_string)
                && !text.contains(&cause)
            {
                text = format!("{text}: {cause}");
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn details_are_read_from_the_status() {
        let mut details = ErrorDetails::new();
        let metadata = HashMap::from([("task_id".to_owned(), "7".to_owned())]);
        details.set_error_info("UNIQUE_KEY_CONFLICT", "bellringer.v1", metadata);
        details.add_bad_request_violation("task.kind", "is required");
        details.set_retry_info(Some(Duration::from_secs(2)));
        let error = Error::from(Status::with_error_details(Code::AlreadyExists, "held", details));

        assert_eq!(error.reason(), Some(ErrorReason::UniqueKeyConflict));
        assert_eq!(error.metadata("task_id").as_deref(), Some("7"));
        assert_eq!(error.violations()[0].0, "task.kind");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
        assert!(!error.is_retryable() && !error.outcome_unknown());
        assert_eq!(error.to_string(), "UNIQUE_KEY_CONFLICT: held");
    }

    #[test]
    fn a_lost_connection_leaves_the_outcome_unknown() {
        assert!(Error::from(Status::unavailable("broken pipe")).outcome_unknown());
        assert!(!Error::from(Status::invalid_argument("no")).outcome_unknown());
        let mut broken = Status::internal("h2 protocol error");
        assert!(!Error::from(broken.clone()).outcome_unknown(), "somebody has answered");
        broken.set_source(std::sync::Arc::new(std::io::Error::other("broken pipe")));
        assert!(Error::from(broken).outcome_unknown());
    }
}
