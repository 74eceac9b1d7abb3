//! A task that may be submitted one day, as a JSON column: fields may be added, never renamed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::submit::milliseconds;
use crate::domain::task::Start;
use crate::domain::{
    Kind, Namespace, NewTask, Payload, QueueName, RetryPolicy, UniqueConflict, Version,
};

/// A task without anything that belongs to a single submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredTask {
    queue: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// In Base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    priority: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt_timeout_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_timeout_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<RetryPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl StoredTask {
    /// What is stored of a task.
    pub(super) fn of(task: &NewTask) -> Self {
        Self {
            queue: task.queue.to_string(),
            kind: task.kind.to_string(),
            version: task.version.as_ref().map(ToString::to_string),
            data: STANDARD.encode(&task.payload.data),
            content_type: task.payload.content_type.clone(),
            labels: task.labels.clone(),
            priority: task.priority,
            attempt_timeout_ms: task.attempt_timeout.map(milliseconds),
            total_timeout_ms: task.total_timeout.map(milliseconds),
            retry: task.retry.clone(),
            traceparent: task.traceparent.clone(),
        }
    }

    /// The task.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn task(self, namespace: &Namespace) -> Result<NewTask, String> {
        let limit = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        Ok(NewTask {
            namespace: namespace.clone(),
            queue: QueueName::parse(&self.queue)?,
            kind: Kind::parse(&self.kind)?,
            version: self.version.as_deref().map(Version::parse).transpose()?,
            payload: Payload {
                data: STANDARD.decode(&self.data).map_err(|error| error.to_string())?.into(),
                content_type: self.content_type,
            },
            labels: self.labels,
            priority: self.priority,
            start: Start::Now,
            expire_at: None,
            attempt_timeout: self.attempt_timeout_ms.map(limit),
            total_timeout: self.total_timeout_ms.map(limit),
            retry: self.retry,
            unique_key: None,
            unique_conflict: UniqueConflict::default(),
            idempotency_key: None,
            traceparent: self.traceparent,
            retry_of: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_comes_back_as_it_was_stored() {
        let namespace = Namespace::parse("n").unwrap();
        let stored = StoredTask {
            queue: "q".to_owned(),
            kind: "k".to_owned(),
            version: Some("2".to_owned()),
            data: STANDARD.encode([0, 255, 7]),
            content_type: Some("x/y".to_owned()),
            labels: [("a".to_owned(), "b".to_owned())].into(),
            priority: 9,
            attempt_timeout_ms: Some(1_500),
            total_timeout_ms: None,
            retry: Some(RetryPolicy::default()),
            traceparent: None,
        };
        let task = stored.clone().task(&namespace).unwrap();
        assert_eq!(&task.payload.data[..], [0, 255, 7]);
        let text = serde_json::to_string(&StoredTask::of(&task)).unwrap();
        assert_eq!(serde_json::from_str::<StoredTask>(&text).unwrap(), stored);
    }
}
