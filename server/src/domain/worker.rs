//! What a worker and the server tell each other.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::ending::Ending;
use super::ids::{Kind, Namespace, QueueName, SessionId, TaskId, Version};
use super::payload::Payload;
use super::task::{AttemptRef, Progress};

/// Who a worker is and what it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    /// Where it works.
    pub namespace: Namespace,
    /// For people.
    pub worker_name: String,
    /// Queues to take tasks from; not empty; sorted.
    pub queues: Vec<QueueName>,
    /// Handlers that it has; empty: all; sorted.
    pub kinds: Vec<Kind>,
    /// Versions that it has; empty: all; sorted.
    pub versions: Vec<Version>,
    /// The session to take up again, and what it is still running.
    pub resume: Option<(SessionId, Vec<AttemptRef>)>,
}

/// A task to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The task.
    pub task: TaskId,
    /// Number of this attempt.
    pub attempt: u32,
    /// Tries that count, this one included.
    pub tries: u32,
    /// Tries allowed.
    pub max_attempts: u32,
    /// Its queue.
    pub queue: QueueName,
    /// Its handler.
    pub kind: Kind,
    /// Version of its handler.
    pub version: Option<Version>,
    /// Input of the handler.
    pub payload: Payload,
    /// When the attempt is taken away.
    pub deadline: Option<Timestamp>,
    /// When the task was accepted.
    pub created_at: Timestamp,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Last progress of an earlier attempt.
    pub progress: Option<Progress>,
    /// Last checkpoint of an earlier attempt.
    pub checkpoint: Bytes,
}

impl Assignment {
    /// Bytes of data that come with it.
    pub fn bytes(&self) -> usize {
        self.payload.data.len().saturating_add(self.checkpoint.len())
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// How.
    pub ending: Ending,
}

/// How far an attempt is.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressReport {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// `None`: leave it.
    pub progress: Option<Progress>,
    /// `None`: leave it.
    pub checkpoint: Option<Bytes>,
}

/// Why an attempt has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A cancel was asked for.
    Cancelled,
    /// It ran out of time.
    TimedOut,
    /// It is not the session's any more.
    LeaseLost,
}

/// Tells a worker to stop an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Why.
    pub reason: StopReason,
    /// How long it has, for a cancel.
    pub grace: Duration,
}
