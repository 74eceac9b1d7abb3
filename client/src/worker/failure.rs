//! How a handler says that it did not succeed.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;

use crate::new_task::pb_duration;

/// Why an attempt did not succeed, and what should become of its task.
///
/// Any error converts into a failure that is tried again, so `?` works in handlers; its type is the
/// last part of the Rust type's name.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFailure(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Failed { error: pb::TaskError, non_retryable: bool, retry_after: Option<Duration> },
    Snoozed(Duration),
    Released,
}

impl TaskFailure {
    /// Failed; tried again as the task's retry policy says. `error_type` is what policies match on.
    pub fn retryable(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self::failed(error_type.into(), message.into(), false)
    }

    /// Failed for good: not tried again.
    pub fn permanent(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self::failed(error_type.into(), message.into(), true)
    }

    /// Not now: run again after `delay`. Does not count as a try.
    pub fn snooze(delay: Duration) -> Self {
        Self(Kind::Snoozed(delay))
    }

    /// Not here: to be run again at once, by whoever is free. Does not count as a try.
    pub fn release() -> Self {
        Self(Kind::Released)
    }

    /// Wait exactly this long before the next try, whatever the policy says.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        if let Kind::Failed { retry_after, .. } = &mut self.0 {
            *retry_after = Some(wait);
        }
        self
    }

    /// Adds a stack trace or the like.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Kind::Failed { error, .. } = &mut self.0 {
            error.detail = detail.into();
        }
        self
    }

    fn failed(kind: String, message: String, non_retryable: bool) -> Self {
        let error = pb::TaskError { r#type: kind, message, detail: String::new() };
        Self(Kind::Failed { error, non_retryable, retry_after: None })
    }

    /// What is reported.
    pub(super) fn outcome(self) -> Outcome {
        match self.0 {
            Kind::Failed { error, non_retryable, retry_after } => Outcome::Failed(pb::Failed {
                error: Some(error),
                non_retryable,
                retry_after: retry_after.map(pb_duration),
            }),
            Kind::Snoozed(delay) => {
                Outcome::Snoozed(pb::Snoozed { delay: Some(pb_duration(delay)) })
            }
            Kind::Released => Outcome::Released(pb::Released {}),
        }
    }
}

impl<E: std::error::Error> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        let full = std::any::type_name::<E>();
        let plain = full.split('<').next().unwrap_or(full);
        let kind = plain.rsplit("::").next().unwrap_or(plain);
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::retryable(kind, message)
    }
}
