//! A queue as people see it.

use std::time::Duration;

use jiff::Timestamp;

use super::ids::{Namespace, QueueName};
use super::task::TaskState;

/// How long finished tasks are kept, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention<T = Duration> {
    /// Of those that succeeded.
    pub succeeded: T,
    /// Of those that failed.
    pub failed: T,
    /// Of those that were cancelled.
    pub cancelled: T,
    /// Of those that expired.
    pub expired: T,
}

impl Retention<Option<Duration>> {
    /// Nothing set: the defaults hold.
    pub const UNSET: Self = Self { succeeded: None, failed: None, cancelled: None, expired: None };

    /// With the defaults filled in.
    pub fn or(self, defaults: &Retention) -> Retention {
        Retention {
            succeeded: self.succeeded.unwrap_or(defaults.succeeded),
            failed: self.failed.unwrap_or(defaults.failed),
            cancelled: self.cancelled.unwrap_or(defaults.cancelled),
            expired: self.expired.unwrap_or(defaults.expired),
        }
    }
}

impl Retention {
    /// The shortest of the four.
    pub fn shortest(&self) -> Duration {
        self.succeeded.min(self.failed).min(self.cancelled).min(self.expired)
    }

    /// The time that a task which ended in `state` is kept; `None` if the state is not final.
    pub fn of(&self, state: TaskState) -> Option<Duration> {
        match state {
            TaskState::Succeeded => Some(self.succeeded),
            TaskState::Failed => Some(self.failed),
            TaskState::Cancelled => Some(self.cancelled),
            TaskState::Expired => Some(self.expired),
            TaskState::Scheduled | TaskState::Ready | TaskState::Running | TaskState::Retrying => {
                None
            }
        }
    }
}

/// A queue and what stands in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its name.
    pub name: QueueName,
    /// Whether leasing is stopped, since when, and why.
    pub paused: Option<(Timestamp, String)>,
    /// What was set for it.
    pub retention: Retention<Option<Duration>>,
    /// When its first task came.
    pub created_at: Timestamp,
    /// Ready tasks, counted up to a limit.
    pub ready: u64,
    /// Scheduled and retrying tasks, counted up to a limit.
    pub scheduled: u64,
    /// Running tasks, counted up to a limit.
    pub running: u64,
    /// Age of the oldest ready task.
    pub oldest_ready_age: Option<Duration>,
    /// Kinds ever submitted to it.
    pub kinds: Vec<String>,
}
