//! Why the engine did not do what it was asked, in the words of what the caller can do about it.

use std::time::Duration;

use crate::batch::Refused;
use crate::domain::{AttemptRef, QueueName, ScheduleName, TaskId, TaskState, Violations};
use crate::store;

/// Cheap to clone: a failed batch has many callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The request is wrong in itself.
    #[error("{0}")]
    Invalid(Violations),
    /// No credential that is taken. Why is not told.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The caller may not do this, or not there.
    #[error("permission denied")]
    PermissionDenied,
    /// No such API key in the namespace.
    #[error("there is no API key \"{0}\"")]
    KeyNotFound(String),
    /// No such task in the namespace.
    #[error("there is no task {0}")]
    TaskNotFound(TaskId),
    /// No such queue in the namespace.
    #[error("there is no queue \"{0}\"")]
    QueueNotFound(QueueName),
    /// No such schedule in the namespace.
    #[error("there is no schedule \"{0}\"")]
    ScheduleNotFound(ScheduleName),
    /// There is a schedule of that name.
    #[error("there is a schedule \"{0}\" already")]
    ScheduleExists(ScheduleName),
    /// The schedule has changed since it was read.
    #[error("the schedule has changed since it was read: its etag is \"{0}\" now")]
    EtagMismatch(i64),
    /// Earlier tasks of the schedule are unfinished.
    #[error("schedule \"{name}\" has {running} unfinished tasks, and its overlap policy is SKIP")]
    ScheduleOverlap {
        /// Its name.
        name: ScheduleName,
        /// Unfinished tasks.
        running: u32,
    },
    /// The clock of this server cannot be moved.
    #[error("the clock of this server is not virtual: only that of `bellringer dev` is")]
    ClockNotVirtual,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for a different request, which made task {0}")]
    IdempotencyConflict(TaskId),
    /// The unique key is held.
    #[error("the unique key is held by task {0}")]
    UniqueKeyConflict(TaskId),
    /// Only finished tasks can be retried.
    #[error("task {task} is not finished, it is {}; only finished tasks can be retried", .state.name())]
    TaskNotFinished {
        /// The task.
        task: TaskId,
        /// Where it is.
        state: TaskState,
    },
    /// The attempt has ended, or is another session's.
    #[error("attempt {} of task {} has ended or is leased to somebody else", .0.attempt, .0.task)]
    LeaseLost(AttemptRef),
    /// The session has ended.
    #[error("the session has ended")]
    SessionLost,
    /// The watcher does not read fast enough.
    #[error("the watcher does not read fast enough")]
    SlowConsumer,
    /// The resume token cannot be honoured.
    #[error("the watch cannot be resumed from this token: {0}")]
    Resync(&'static str),
    /// Too much is under way, or waiting to be written.
    #[error("the server has too much to do")]
    Overloaded,
    /// Somebody makes too many calls.
    #[error("the {of} makes too many calls: come back in {} ms", .after.as_millis())]
    RateLimited {
        /// Who: caller, namespace or address.
        of: &'static str,
        /// When there is room again.
        after: Duration,
    },
    /// The answer was not there in time.
    #[error("there was no answer before the deadline: the change may have happened")]
    DeadlineExceeded,
    /// A limit is reached.
    #[error("the limit of {limit} {what} is reached")]
    LimitReached {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// So many tasks wait in the queue that it takes nothing more in.
    #[error("queue \"{queue}\" is full: the limit of {limit} waiting tasks is reached")]
    QueueFull {
        /// Its name.
        queue: QueueName,
        /// How many.
        limit: usize,
    },
    /// An item of a batch that is refused as a whole.
    #[error("items[{index}]: {error}")]
    Item {
        /// Which one, from 0.
        index: usize,
        /// Why.
        error: Box<Error>,
    },
    /// This replica is stopping.
    #[error("this replica is stopping")]
    Draining,
    /// The stream, or its connection, has lived long enough.
    #[error("the stream has lived long enough: begin it again")]
    StreamEnded,
    /// The database cannot be reached; nothing was changed.
    #[error("the database cannot be reached")]
    StoreUnavailable,
    /// The database was lost while it was writing.
    #[error("the database was lost while it was writing: the change may have happened")]
    OutcomeUnknown,
    /// A fault of the server; the cause was logged under this id.
    #[error("internal error, see the server's log for {log_id}")]
    Internal {
        /// Finds the cause in the log.
        log_id: String,
    },
}

impl Error {
    /// When to come back, where that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded | Self::Draining => Some(Duration::from_millis(500)),
            Self::RateLimited { after, .. } => Some(*after),
            Self::StreamEnded => Some(Duration::ZERO),
            Self::StoreUnavailable | Self::OutcomeUnknown => Some(Duration::from_secs(1)),
            // Its limit may be that of a long time.
            Self::LimitReached { .. } | Self::QueueFull { .. } => Some(Duration::from_secs(10)),
            Self::Item { error, .. } => error.retry_after(),
            Self::SlowConsumer => Some(Duration::from_millis(100)),
            _ => None,
        }
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<store::Error> for Error {
    /// Logs what callers are not told.
    fn from(error: store::Error) -> Self {
        match &error {
            store::Error::Unavailable(_) | store::Error::Collision(_) => {
                tracing::warn!(error = chain(&error), "the database is unavailable");
                Self::StoreUnavailable
            }
            store::Error::Busy => {
                tracing::debug!("every connection to the database is in use");
                Self::Overloaded
            }
            store::Error::OutOfTime(_) => Self::DeadlineExceeded,
            store::Error::Unknown(_) => {
                tracing::warn!(error = chain(&error), "the database was lost during a statement");
                Self::OutcomeUnknown
            }
            store::Error::Refused(_) | store::Error::Corrupt(_) => {
                let log_id = uuid::Uuid::new_v4().simple().to_string();
                tracing::error!(log_id, error = chain(&error), "a statement failed");
                Self::Internal { log_id }
            }
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Overloaded,
            Refused::Closed => Self::Draining,
            Refused::Lost => Self::OutcomeUnknown,
        }
    }
}

/// Longest text of an error in the log, in bytes: the database may quote what it was sent.
const LONGEST: usize = 1_000;

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}
