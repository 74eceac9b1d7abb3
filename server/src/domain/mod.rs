//! What a task is and what may happen to it: pure values and rules. Nothing here reads a clock,
//! does I/O, or knows protobuf or SQL; time and chance are passed in.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

pub mod access;
pub mod claims;
pub mod ending;
pub mod filter;
pub mod history;
pub mod ids;
pub mod invalid;
pub mod limits;
pub mod payload;
pub mod queue;
pub mod retry;
pub mod revision;
pub mod schedule;
pub mod statistics;
pub mod task;
pub mod uris;
pub mod worker;

pub use access::{Grant, KeyHash, Role, Scope};
pub use claims::ClaimRule;
pub use ending::{Ending, Tried, Verdict, decide};
pub use filter::{Filter, ListQuery, Selection, View};
pub use history::{Fate, Partition};
pub use ids::{Kind, Namespace, QueueName, ScheduleName, SessionId, TaskId, Version};
pub use invalid::{Checker, Violation, Violations};
pub use payload::Payload;
pub use queue::{Queue, Retention};
pub use retry::RetryPolicy;
pub use revision::revision;
pub use schedule::{Schedule, ScheduleId, ScheduleSpec, ScheduleState};
pub use task::{
    Attempt, AttemptOutcome, AttemptRef, Late, NewTask, Progress, Task, TaskError, TaskState,
    UniqueConflict,
};
pub use uris::{UriPrefix, UriRule};
pub use worker::{Assignment, Hello, ProgressReport, Report, Stop, StopReason};
