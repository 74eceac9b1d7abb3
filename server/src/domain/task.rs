//! A task, its states, and the record of its attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{Kind, Namespace, QueueName, TaskId, Version};
use super::payload::Payload;
use super::retry::RetryPolicy;

/// Where a task is in its life. The numbers stand in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum TaskState {
    /// Waits for its time.
    Scheduled = 1,
    /// May be leased.
    Ready = 2,
    /// Is leased.
    Running = 3,
    /// Waits for its next try.
    Retrying = 4,
    /// Final.
    Succeeded = 5,
    /// Final: out of tries, or not to be tried again.
    Failed = 6,
    /// Final.
    Cancelled = 7,
    /// Final: not started in time.
    Expired = 8,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Ready,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether the task is at its end.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The number in the database.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The state of a number in the database.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The arrows of the state machine: whether a task in this state may come to be in `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use TaskState::{
            Cancelled, Expired, Failed, Ready, Retrying, Running, Scheduled, Succeeded,
        };
        match self {
            Scheduled => matches!(next, Ready | Cancelled | Expired | Failed),
            Ready => matches!(next, Running | Cancelled | Expired | Failed),
            // To Ready: released, or due again at once.
            Running => {
                matches!(next, Scheduled | Ready | Retrying | Succeeded | Failed | Cancelled)
            }
            Retrying => matches!(next, Ready | Cancelled | Failed),
            Succeeded | Failed | Cancelled | Expired => false,
        }
    }
}

/// What to do when the unique key is held by another unfinished task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UniqueConflict {
    /// Answer with the holder.
    #[default]
    ReturnExisting,
    /// Refuse.
    Refuse,
    /// Cancel the holder if it was never started, else refuse.
    ReplaceWaiting,
}

/// A task to submit: checked, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Where it lives.
    pub namespace: Namespace,
    /// Which line it stands in.
    pub queue: QueueName,
    /// Which handler runs it.
    pub kind: Kind,
    /// Which version of the handler; `None`: any.
    pub version: Option<Version>,
    /// Input of the handler.
    pub payload: Payload,
    /// For finding it again.
    pub labels: BTreeMap<String, String>,
    /// 0 to 9, higher first.
    pub priority: u8,
    /// Earliest start.
    pub start: Start,
    /// Not to be started after this.
    pub expire_at: Option<Timestamp>,
    /// Limit on one attempt.
    pub attempt_timeout: Option<Duration>,
    /// Limit on everything from the earliest start.
    pub total_timeout: Option<Duration>,
    /// `None`: the default policy.
    pub retry: Option<RetryPolicy>,
    /// At most one unfinished task of the namespace holds it.
    pub unique_key: Option<String>,
    /// When it is held.
    pub unique_conflict: UniqueConflict,
    /// Makes repeating safe.
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The finished task of which this is another run.
    pub retry_of: Option<TaskId>,
}

/// The earliest start of a new task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// At once.
    #[default]
    Now,
    /// At a time.
    At(Timestamp),
    /// After a while.
    After(Duration),
}

/// Why an attempt failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// Stable name.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Stack trace or the like.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl TaskError {
    /// An attempt ran longer than it may.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The task as a whole took longer than it may.
    pub const TOTAL_TIMEOUT: &str = "TOTAL_TIMEOUT";
    /// The worker was not heard of any more.
    pub const LEASE_EXPIRED: &str = "LEASE_EXPIRED";
    /// The task was cancelled.
    pub const CANCELLED: &str = "CANCELLED";
    /// The time to start had passed.
    pub const EXPIRED: &str = "EXPIRED";

    /// An error without detail.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), detail: String::new() }
    }
}

/// How an attempt ended. The numbers stand in the database and in the protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum AttemptOutcome {
    /// The handler succeeded.
    Succeeded = 1,
    /// The handler failed, or ran into a timeout.
    Failed = 2,
    /// The task was cancelled meanwhile.
    Cancelled = 3,
    /// To be run again later.
    Snoozed = 4,
    /// Given back.
    Released = 5,
    /// The worker was not heard of any more.
    LeaseExpired = 6,
}

impl AttemptOutcome {
    /// The number in the database.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Snoozed => "snoozed",
            Self::Released => "released",
            Self::LeaseExpired => "lease_expired",
        }
    }

    /// The outcome of a number in the database.
    pub fn from_code(code: i16) -> Option<Self> {
        use AttemptOutcome::{Cancelled, Failed, LeaseExpired, Released, Snoozed, Succeeded};
        [Succeeded, Failed, Cancelled, Snoozed, Released, LeaseExpired]
            .into_iter()
            .find(|outcome| outcome.code() == code)
    }
}

/// Names one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptRef {
    /// The task.
    pub task: TaskId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

/// How far an attempt is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Done so far.
    pub current: f64,
    /// All there is to do; 0: unknown.
    pub total: f64,
    /// For a person.
    pub message: String,
    /// When it was reported.
    pub reported_at: Option<Timestamp>,
}

/// A report that came after its attempt had ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Late {
    /// What the worker said the outcome was.
    pub outcome: AttemptOutcome,
    /// When the report came.
    pub reported_at: Timestamp,
    /// Its result.
    pub result: Option<Payload>,
    /// Its error.
    pub error: Option<TaskError>,
}

/// One try at a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// `None` while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// Name of the worker.
    pub worker: String,
    /// When it was leased.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<TaskError>,
    /// What came too late.
    pub late: Option<Late>,
}

/// A task as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What was submitted, with times made absolute. Payload empty unless asked for.
    pub spec: NewTask,
    /// Where it is.
    pub state: TaskState,
    /// See [`revision`](super::revision()).
    pub revision: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Earliest start as a time.
    pub run_at: Timestamp,
    /// Start of the current or last attempt.
    pub started_at: Option<Timestamp>,
    /// When it reached its final state.
    pub finished_at: Option<Timestamp>,
    /// When a waiting task is due.
    pub due_at: Option<Timestamp>,
    /// Number of the current or last attempt.
    pub attempt: u32,
    /// Tries that count.
    pub tries: u32,
    /// Whether a cancel was asked for.
    pub cancel_requested: bool,
    /// Last progress.
    pub progress: Option<Progress>,
    /// Result of a succeeded task, if asked for.
    pub result: Option<Payload>,
    /// Last error, or reason of the cancel.
    pub error: Option<TaskError>,
    /// Attempts, oldest first, if asked for.
    pub attempts: Vec<Attempt>,
    /// Name of the worker of the current or last attempt.
    pub worker: String,
}

impl Task {
    /// What it takes in memory, roughly.
    pub fn bytes(&self) -> usize {
        const REST: usize = 1_024;
        let payload = |payload: Option<&Payload>| payload.map_or(0, |payload| payload.data.len());
        let error = |error: Option<&TaskError>| {
            error.map_or(0, |error| error.message.len().saturating_add(error.detail.len()))
        };
        let labels =
            self.spec.labels.iter().map(|(key, value)| key.len().saturating_add(value.len()));
        let attempts = self.attempts.iter().flat_map(|attempt| {
            let late = attempt.late.as_ref();
            let late_result = payload(late.and_then(|late| late.result.as_ref()));
            let late_error = error(late.and_then(|late| late.error.as_ref()));
            [REST, error(attempt.error.as_ref()), late_result, late_error]
        });
        let own = [
            REST,
            self.spec.payload.data.len(),
            payload(self.result.as_ref()),
            error(self.error.as_ref()),
        ];
        own.into_iter().chain(labels).chain(attempts).fold(0, usize::saturating_add)
    }
}
