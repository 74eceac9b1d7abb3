//! How a handler says that it did not succeed.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;

use crate::new_task::pb_duration;
use crate::text::cut;

/// What the server takes, in bytes.
const TYPE: usize = 256;
const MESSAGE: usize = 4 << 10;
const DETAIL: usize = 32 << 10;
/// Longest wait before a retry, and longest snooze: 30 days and 3650 days.
const RETRY_AFTER: Duration = Duration::from_secs(30 * 86_400);
const SNOOZE: Duration = Duration::from_secs(3_650 * 86_400);

/// Why an attempt did not succeed, and what should become of its task.
///
/// Any error converts into a failure that is tried again, so `?` works in handlers: errors of the
/// standard library's kind, boxed errors, `anyhow::Error`, and text. Its error type is the last part of
/// the Rust type's name, or `Error`.
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

    /// The type of the error, if it is one.
    pub(super) fn error_type(&self) -> Option<&str> {
        match &self.0 {
            Kind::Failed { error, .. } => Some(&error.r#type),
            Kind::Snoozed(_) | Kind::Released => None,
        }
    }

    /// What is reported: cut to what the server takes, so that it is never refused.
    pub(super) fn outcome(self) -> Outcome {
        match self.0 {
            Kind::Failed { error, non_retryable, retry_after } => Outcome::Failed(pb::Failed {
                error: Some(pb::TaskError {
                    r#type: cut(error.r#type.replace('\0', ""), TYPE),
                    message: cut(error.message, MESSAGE),
                    detail: cut(error.detail, DETAIL),
                }),
                non_retryable,
                retry_after: retry_after.map(|wait| pb_duration(wait.min(RETRY_AFTER))),
            }),
            Kind::Snoozed(delay) => {
                Outcome::Snoozed(pb::Snoozed { delay: Some(pb_duration(delay.min(SNOOZE))) })
            }
            Kind::Released => Outcome::Released(pb::Released {}),
        }
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        let error = error.into();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::retryable(type_name::<E>(), message)
    }
}

/// The last part of a type's name; `Error` for those that only carry a text or another error.
fn type_name<E>() -> &'static str {
    let full = std::any::type_name::<E>();
    let plain = full.split('<').next().unwrap_or(full);
    match plain.rsplit("::").next().unwrap_or(plain) {
        "&str" | "String" | "Box" | "Cow" | "" => "Error",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(failure: TaskFailure) -> pb::Failed {
        match failure.outcome() {
            Outcome::Failed(failed) => failed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_of_every_kind_become_failures_with_a_type() {
        let typed = || -> Result<i32, TaskFailure> { Ok("x".parse::<i32>()?) };
        let boxed = || -> Result<(), TaskFailure> {
            Err(Box::<dyn std::error::Error + Send + Sync>::from("no"))?
        };
        let text = || -> Result<(), TaskFailure> { Err("no")? };
        let type_of = |failure| failed(failure).error.unwrap().r#type;
        assert_eq!(type_of(typed().unwrap_err()), "ParseIntError");
        assert_eq!(type_of(boxed().unwrap_err()), "Error");
        assert_eq!(type_of(text().unwrap_err()), "Error");
        let outer = crate::Error::Settings("inner".to_owned());
        assert_eq!(failed(outer.into()).error.unwrap().message, "wrong settings: inner");
    }

    #[test]
    fn a_failure_is_cut_to_what_the_server_takes() {
        let failure = TaskFailure::permanent("T\0".repeat(400), "m".repeat(9_000))
            .detail("d".repeat(99_000))
            .retry_after(Duration::MAX);
        let failed = failed(failure);
        let error = failed.error.unwrap();
        assert_eq!(
            (error.r#type.len(), error.message.len(), error.detail.len()),
            (256, 4096, 32768)
        );
        assert_eq!(failed.retry_after.unwrap().seconds, 30 * 86_400);
        let Outcome::Snoozed(snoozed) = TaskFailure::snooze(Duration::MAX).outcome() else {
            panic!("not snoozed")
        };
        assert_eq!(snoozed.delay.unwrap().seconds, 3_650 * 86_400);
    }
}
