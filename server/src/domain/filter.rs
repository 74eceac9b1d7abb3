//! Which tasks somebody asks for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{Kind, Namespace, QueueName, TaskId};
use super::task::TaskState;

/// How much of a task to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// Without payload, result and attempts.
    Basic,
    /// Everything.
    Full,
}

/// Which tasks; what is empty matches all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Their queue.
    pub queue: Option<QueueName>,
    /// Their kind.
    pub kind: Option<Kind>,
    /// Labels that they have.
    pub labels: BTreeMap<String, String>,
    /// States that they may be in.
    pub states: Vec<TaskState>,
    /// Accepted at or after.
    pub created_after: Option<Timestamp>,
    /// Accepted before.
    pub created_before: Option<Timestamp>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Where to look.
    pub namespace: Namespace,
    /// Which tasks.
    pub filter: Filter,
    /// Only tasks before this one in the order of the list.
    pub before: Option<TaskId>,
    /// Largest page.
    pub limit: usize,
    /// How much of each.
    pub view: View,
}

/// The tasks of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// These.
    Ids(Vec<TaskId>),
    /// Those that match, now and later.
    Filter(Filter),
}
