//! New ids: ordered by time within a process, so that inserts stay at the right edge of the indexes.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

use crate::domain::{SessionId, TaskId};

/// Makes ids.
#[derive(Debug)]
pub(super) struct Ids(Mutex<ContextV7>);

impl Default for Ids {
    fn default() -> Self {
        Self(Mutex::new(ContextV7::new()))
    }
}

impl Ids {
    /// A task id (UUID version 7) for a task accepted at `now`.
    pub(super) fn task(&self, now: Timestamp) -> TaskId {
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        TaskId(Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanoseconds)))
    }

    /// A session id: 122 random bits.
    pub(super) fn session() -> SessionId {
        SessionId(Uuid::new_v4())
    }
}
