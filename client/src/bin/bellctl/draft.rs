//! A task as it is written on the command line or in a line of a batch file.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bellringer_api::v1::{Payload, RetryPolicy, SubmitBatchItem, TaskSpec, UniqueConflictPolicy};
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    payload,
    time::{self, Length},
};

/// What to do when the unique key is held by another unfinished task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnConflict {
    /// Answer with the task that holds the key.
    Existing,
    /// Refuse; exit code 4.
    Refuse,
    /// Take the place of the holder if no attempt of it was started, else refuse.
    Replace,
}

/// A task to submit. The names are those of `bellctl get --output json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) queue: Option<String>,
    #[serde(default)]
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) payload: Option<Value>,
    /// Bytes in base64, instead of `payload`.
    #[serde(default)]
    pub(crate) payload_data: Option<String>,
    #[serde(default)]
    pub(crate) payload_content_type: Option<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) priority: Option<u32>,
    #[serde(default)]
    pub(crate) run_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) delay: Option<Length>,
    #[serde(default)]
    pub(crate) expire_at: Option<Timestamp>,
    /// Counted from the earliest start.
    #[serde(default)]
    pub(crate) expire_in: Option<Length>,
    #[serde(default)]
    pub(crate) attempt_timeout: Option<Length>,
    #[serde(default)]
    pub(crate) total_timeout: Option<Length>,
    #[serde(default)]
    pub(crate) retry: RetryDraft,
    #[serde(default)]
    pub(crate) unique_key: Option<String>,
    #[serde(default)]
    pub(crate) on_conflict: Option<OnConflict>,
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
}

/// The retry policy; what is left out takes the server's default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryDraft {
    #[serde(default)]
    pub(crate) max_attempts: Option<u32>,
    #[serde(default)]
    pub(crate) initial_backoff: Option<Length>,
    #[serde(default)]
    pub(crate) max_backoff: Option<Length>,
    #[serde(default)]
    pub(crate) multiplier: Option<f64>,
    #[serde(default)]
    pub(crate) no_jitter: bool,
    #[serde(default)]
    pub(crate) non_retryable_errors: Vec<String>,
}

impl Draft {
    /// Turns the draft into a request item. Relative times count from `now`.
    ///
    /// # Errors
    /// Says which part cannot be sent as it is; limits are left to the server.
    pub(crate) fn into_item(self, now: Timestamp) -> Result<SubmitBatchItem, String> {
        let payload = self.payload()?;
        let expire_at = self.expire_at(now)?;
        let idempotency_key = self.idempotency_key.unwrap_or_default();
        let task = TaskSpec {
            queue: self.queue.unwrap_or_default(),
            kind: self.kind,
            version: self.version.unwrap_or_default(),
            payload,
            labels: self.labels.into_iter().collect(),
            priority: self.priority,
            run_at: self.run_at.map(time::to_proto),
            delay: self.delay.map(Length::to_proto),
            expire_at: expire_at.map(time::to_proto),
            attempt_timeout: self.attempt_timeout.map(Length::to_proto),
            total_timeout: self.total_timeout.map(Length::to_proto),
            retry: self.retry.into_policy(),
            unique_key: self.unique_key.unwrap_or_default(),
            unique_conflict: conflict(self.on_conflict).into(),
            traceparent: self.traceparent.or_else(of_environment).unwrap_or_default(),
        };
        Ok(SubmitBatchItem { task: Some(task), idempotency_key })
    }

    fn payload(&self) -> Result<Option<Payload>, String> {
        match (&self.payload, &self.payload_data) {
            (Some(_), Some(_)) => Err("payload and payload_data exclude each other".to_owned()),
            (None, None) if self.payload_content_type.is_some() => {
                Err("payload_content_type needs payload_data".to_owned())
            }
            (Some(_), None) if self.payload_content_type.is_some() => {
                Err("payload_content_type goes with payload_data, not with payload".to_owned())
            }
            (None, None) => Ok(None),
            (Some(value), None) => payload::from_json(value).map(Some),
            (None, Some(text)) => {
                let data = STANDARD
                    .decode(text)
                    .map_err(|error| format!("payload_data is not base64: {error}"))?;
                let content_type = self.payload_content_type.as_deref().unwrap_or_default();
                Ok(Some(payload::from_bytes(data, content_type)))
            }
        }
    }

    fn expire_at(&self, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let Some(Length(expire_in)) = self.expire_in else {
            return Ok(self.expire_at);
        };
        if self.expire_at.is_some() {
            return Err("expire_at and expire_in exclude each other".to_owned());
        }
        let delay = self.delay.map_or_else(Default::default, |Length(delay)| delay);
        let start = self.run_at.map_or(now, |run_at| run_at.max(now));
        let wait = SignedDuration::try_from(delay.saturating_add(expire_in));
        let end = wait.ok().and_then(|wait| start.checked_add(wait).ok());
        end.map(Some).ok_or_else(|| "expire_in is too far away".to_owned())
    }
}

impl RetryDraft {
    /// `None` leaves the whole policy to the server.
    fn into_policy(self) -> Option<RetryPolicy> {
        if self == Self::default() {
            return None;
        }
        let mut policy = RetryPolicy::default();
        self.write(&mut policy);
        Some(policy)
    }

    /// Writes what was given; the rest stays.
    pub(crate) fn write(self, policy: &mut RetryPolicy) {
        if let Some(most) = self.max_attempts {
            policy.max_attempts = most;
        }
        if let Some(wait) = self.initial_backoff {
            policy.initial_backoff = Some(wait.to_proto());
        }
        if let Some(wait) = self.max_backoff {
            policy.max_backoff = Some(wait.to_proto());
        }
        if let Some(growth) = self.multiplier {
            policy.multiplier = growth;
        }
        policy.no_jitter |= self.no_jitter;
        if !self.non_retryable_errors.is_empty() {
            policy.non_retryable_errors = self.non_retryable_errors;
        }
    }
}

fn conflict(policy: Option<OnConflict>) -> UniqueConflictPolicy {
    match policy {
        None => UniqueConflictPolicy::Unspecified,
        Some(OnConflict::Existing) => UniqueConflictPolicy::ReturnExisting,
        Some(OnConflict::Refuse) => UniqueConflictPolicy::Refuse,
        Some(OnConflict::Replace) => UniqueConflictPolicy::ReplaceWaiting,
    }
}

/// The context of the program that calls: a variable that is no context is nobody's mistake here.
fn of_environment() -> Option<String> {
    const LENGTH: usize = 55;
    std::env::var("TRACEPARENT").ok().filter(|context| context.len() == LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-05-01T10:00:00Z".parse().unwrap()
    }

    fn spec(line: &str) -> TaskSpec {
        let draft: Draft = serde_json::from_str(line).unwrap();
        draft.into_item(now()).unwrap().task.unwrap()
    }

    #[test]
    fn a_line_of_a_batch_says_everything_a_task_can_be_told() {
        let spec = spec(
            r#"{"kind": "send-mail", "queue": "mail", "payload": {"to": 1}, "delay": "5m",
                "labels": {"tenant": "acme"}, "priority": 0, "unique_key": "k",
                "on_conflict": "replace", "retry": {"max_attempts": 3, "max_backoff": "1h"}}"#,
        );
        assert_eq!((spec.kind.as_str(), spec.queue.as_str()), ("send-mail", "mail"));
        assert_eq!(spec.delay.unwrap().seconds, 300);
        assert_eq!(spec.priority, Some(0));
        assert_eq!(spec.unique_conflict(), UniqueConflictPolicy::ReplaceWaiting);
        let retry = spec.retry.unwrap();
        assert_eq!((retry.max_attempts, retry.max_backoff.unwrap().seconds), (3, 3600));
    }

    #[test]
    fn what_is_left_out_is_left_to_the_server() {
        let expected = TaskSpec { kind: "k".to_owned(), ..TaskSpec::default() };
        assert_eq!(spec(r#"{"kind": "k"}"#), expected);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let error = serde_json::from_str::<Draft>(r#"{"kind": "k", "que": "x"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `que`"), "{error}");
    }

    #[test]
    fn expiry_counts_from_the_earliest_start() {
        let spec = spec(r#"{"kind": "k", "delay": "1h", "expire_in": "10m"}"#);
        assert_eq!(spec.expire_at.unwrap(), time::to_proto(now() + SignedDuration::from_mins(70)));
    }

    #[test]
    fn contradictions_are_named() {
        for line in [
            r#"{"kind": "k", "payload": 1, "payload_data": "AA=="}"#,
            r#"{"kind": "k", "payload_data": "?"}"#,
            r#"{"kind": "k", "payload": 1, "payload_content_type": "a/b"}"#,
            r#"{"kind": "k", "expire_in": "1m", "expire_at": "2026-05-01T10:00:00Z"}"#,
        ] {
            let draft: Draft = serde_json::from_str(line).unwrap();
            assert!(draft.into_item(now()).is_err(), "{line}");
        }
    }
}
