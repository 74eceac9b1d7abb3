//! A schedule: a rule that makes tasks. When it fires is the business of `bellringer_schedule`.

pub mod accounting;
pub mod fire;
pub mod health;
pub mod policy;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

pub use bellringer_schedule::{Plan, Spec as Times};
pub use fire::{Fire, FireCause, FireOutcome, SkipReason};
pub use policy::{Misfire, Overlap, Policies};

use super::ids::{Namespace, ScheduleName, TaskId};
use super::invalid::{Checker, Violations};
use super::task::NewTask;

/// Identifies a schedule for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleId(pub Uuid);

impl std::fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Label of a task with the name of the schedule that made it.
pub const SCHEDULE_LABEL: &str = "bellringer.schedule";
/// Label of a task with the time that made it, in UTC: `2026-03-29T01:00:00Z`.
pub const FIRE_LABEL: &str = "bellringer.fire";
/// Label of a hook's task with the id of the task that failed, or that succeeded again.
pub const CAUSE_LABEL: &str = "bellringer.task";
/// Labels that the server adds to a task of a schedule.
pub const ADDED_LABELS: usize = 2;

/// Where a schedule is in its life. The numbers stand in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ScheduleState {
    /// Fires.
    Active = 1,
    /// Records its times as skipped.
    Paused = 2,
    /// Has no further time.
    Finished = 3,
}

impl ScheduleState {
    /// The number in the database.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The state of a number in the database.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Finished].into_iter().find(|state| state.code() == code)
    }
}

/// What a schedule is meant to do: checked, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleSpec {
    /// When.
    pub times: Times,
    /// What to submit, without the labels that are added.
    pub task: NewTask,
    /// How long after its time a task may still be started.
    pub start_within: Option<Duration>,
    /// How it behaves.
    pub policies: Policies,
    /// Submitted when a task has failed and the one before had not.
    pub on_failure: Option<NewTask>,
    /// Submitted when a task has succeeded and the one before had not.
    pub on_recovery: Option<NewTask>,
    /// For finding it.
    pub labels: BTreeMap<String, String>,
    /// For people.
    pub description: String,
}

/// A pause that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Ends by itself then.
    pub until: Option<Timestamp>,
    /// Why, for people.
    pub note: String,
}

/// A schedule as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Unique there.
    pub name: ScheduleName,
    /// What it is meant to do.
    pub spec: ScheduleSpec,
    /// Where it is in its life.
    pub state: ScheduleState,
    /// Rises with every change by a caller.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a caller changed it last.
    pub updated_at: Timestamp,
    /// The next time without a record.
    pub next_fire_at: Option<Timestamp>,
    /// The last time that fired.
    pub last_fire_at: Option<Timestamp>,
    /// The task of it.
    pub last_task: Option<TaskId>,
    /// Times that fired.
    pub fires: u64,
    /// Unfinished tasks.
    pub running: u32,
    /// Times held back.
    pub held_back: u32,
    /// Tasks in a row that failed or expired.
    pub failures: u32,
    /// If it is paused.
    pub pause: Option<Pause>,
}

impl Schedule {
    /// Compiles its times.
    ///
    /// # Errors
    /// If the times were written by a program that knows more than this one.
    pub fn plan(&self) -> Result<Plan, String> {
        plan(&self.spec.times, self.id)
    }
}

/// Compiles times that were checked when they were saved.
///
/// # Errors
/// What is wrong with them.
pub fn plan(times: &Times, id: ScheduleId) -> Result<Plan, String> {
    Plan::compile(times, &seed(id))
        .map_err(|invalid| invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Compiles times that a caller gave at `field` of a request.
///
/// # Errors
/// All that is wrong with them, by the names that the protobuf has for their fields.
pub fn checked(times: &Times, id: ScheduleId, field: &str) -> Result<Plan, Violations> {
    Plan::compile(times, &seed(id)).map_err(|invalid| {
        let mut check = Checker::below(field);
        for one in invalid {
            let name = one
                .field
                .replace("calendar.start", "calendar.from_date")
                .replace("calendar.at", "calendar.local_time")
                .replace("dates.from", "dates.from_date")
                .replace("dates.to", "dates.to_date");
            check.refuse(&name, one.problem);
        }
        check.finish().err().unwrap_or_else(|| Violations::one(field, "cannot be read"))
    })
}

/// What decides on the place of `H` and on jitter: it must never change in a schedule's life.
pub fn seed(id: ScheduleId) -> String {
    id.0.to_string()
}
