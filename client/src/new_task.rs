//! Describing a task.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::payload::to_payload;

/// A task to submit. Limits and defaults are those of `TaskSpec` in the `.proto`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    pub(crate) spec: pb::TaskSpec,
    pub(crate) idempotency_key: String,
}

/// When and how often a failed attempt is tried again. Defaults are those of the `.proto`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RetryPolicy(pb::RetryPolicy);

impl NewTask {
    /// A task for the handler `kind`.
    pub fn new(kind: impl Into<String>) -> Self {
        let spec = pb::TaskSpec { kind: kind.into(), ..Default::default() };
        Self { spec, idempotency_key: String::new() }
    }

    /// Puts it into this queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.spec.queue = queue.into();
        self
    }

    /// Only handlers of this version may run it.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.spec.version = version.into();
        self
    }

    /// Its input, as JSON.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, input: &T) -> Result<Self, Error> {
        self.spec.payload = Some(to_payload(input)?);
        Ok(self)
    }

    /// Its input, as bytes of a media type.
    #[must_use]
    pub fn data(mut self, data: impl Into<Bytes>, content_type: impl Into<String>) -> Self {
        self.spec.payload = Some(pb::Payload {
            content: Some(pb::payload::Content::Data(data.into())),
            content_type: content_type.into(),
        });
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.labels.insert(key.into(), value.into());
        self
    }

    /// 0 to 9, higher first.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.spec.priority = Some(priority);
        self
    }

    /// Earliest start.
    #[must_use]
    pub fn run_at(mut self, time: Timestamp) -> Self {
        self.spec.run_at = Some(pb_time(time));
        self
    }

    /// Wait before the earliest start.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.spec.delay = Some(pb_duration(delay));
        self
    }

    /// Not to be started after this.
    #[must_use]
    pub fn expire_at(mut self, time: Timestamp) -> Self {
        self.spec.expire_at = Some(pb_time(time));
        self
    }

    /// Limit on one attempt.
    #[must_use]
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.spec.attempt_timeout = Some(pb_duration(limit));
        self
    }

    /// Limit on all attempts together.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.spec.total_timeout = Some(pb_duration(limit));
        self
    }

    /// How to try again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.spec.retry = Some(policy.0);
        self
    }

    /// At most one unfinished task holds this key.
    #[must_use]
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.spec.unique_key = key.into();
        self
    }

    /// What to do when the unique key is held. Default: submitting answers with its holder.
    #[must_use]
    pub fn unique_conflict(mut self, policy: pb::UniqueConflictPolicy) -> Self {
        self.spec.unique_conflict = policy.into();
        self
    }

    /// W3C trace context for the worker.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.spec.traceparent = traceparent.into();
        self
    }

    /// Makes submitting safe to repeat.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = key.into();
        self
    }
}

impl RetryPolicy {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tries, the first one included.
    #[must_use]
    pub fn max_attempts(mut self, most: u32) -> Self {
        self.0.max_attempts = most;
        self
    }

    /// Upper ends of the first wait and of any wait.
    #[must_use]
    pub fn backoff(mut self, initial: Duration, most: Duration) -> Self {
        self.0.initial_backoff = Some(pb_duration(initial));
        self.0.max_backoff = Some(pb_duration(most));
        self
    }

    /// Growth of the wait from try to try.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.0.multiplier = multiplier;
        self
    }

    /// Wait exactly the upper end, not a random part of it.
    #[must_use]
    pub fn no_jitter(mut self) -> Self {
        self.0.no_jitter = true;
        self
    }

    /// Ends the task at once on an error of this type.
    #[must_use]
    pub fn non_retryable(mut self, error_type: impl Into<String>) -> Self {
        self.0.non_retryable_errors.push(error_type.into());
        self
    }
}

/// A time as the protobuf has it.
pub(crate) fn pb_time(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// A time of the protobuf; `None` if it is out of range.
pub(crate) fn jiff_time(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A duration as the protobuf has it; what is too long becomes the longest, which the server refuses.
pub(crate) fn pb_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// A duration of the protobuf; a negative one becomes zero.
pub(crate) fn std_duration(duration: &prost_types::Duration) -> Duration {
    let seconds = u64::try_from(duration.seconds).unwrap_or_default();
    Duration::new(seconds, u32::try_from(duration.nanos).unwrap_or_default().min(999_999_999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_what_it_was_told_and_leaves_the_rest_to_the_server() {
        assert_eq!(
            NewTask::new("work").spec,
            pb::TaskSpec { kind: "work".to_owned(), ..Default::default() }
        );
        let time = Timestamp::from_millisecond(1_700_000_000_250).unwrap();
        let task = NewTask::new("send")
            .queue("mail")
            .label("k", "v")
            .priority(0)
            .run_at(time)
            .attempt_timeout(Duration::from_millis(1_500))
            .retry(RetryPolicy::new().max_attempts(3).no_jitter().non_retryable("Gone"))
            .unique_key("u")
            .unique_conflict(pb::UniqueConflictPolicy::Refuse)
            .idempotency_key("i");
        assert_eq!((task.spec.queue.as_str(), task.idempotency_key.as_str()), ("mail", "i"));
        assert_eq!(task.spec.priority, Some(0), "lowest, not the default");
        assert_eq!(jiff_time(task.spec.run_at.as_ref().unwrap()), Some(time));
        let timeout = task.spec.attempt_timeout.as_ref().unwrap();
        assert_eq!(std_duration(timeout), Duration::from_millis(1_500));
        assert_eq!(task.spec.unique_conflict(), pb::UniqueConflictPolicy::Refuse);
        let retry = task.spec.retry.unwrap();
        assert_eq!((retry.max_attempts, retry.no_jitter, retry.multiplier), (3, true, 0.0));
    }

    #[test]
    fn times_before_1970_and_durations_of_any_length_survive() {
        let before = Timestamp::from_millisecond(-1_250).unwrap();
        let sent = pb_time(before);
        assert!(sent.nanos <= 0 || sent.seconds < 0);
        assert_eq!(jiff_time(&sent), Some(before));
        assert_eq!(pb_duration(Duration::MAX).seconds, i64::MAX);
        let negative = prost_types::Duration { seconds: -1, nanos: -5 };
        assert_eq!(std_duration(&negative), Duration::ZERO);
    }
}
