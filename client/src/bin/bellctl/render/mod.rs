//! Tasks, queues and schedules as JSON for programs, and as cards and tables for people.

pub(crate) mod card;
pub(crate) mod fire;
pub(crate) mod json;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod schedule_json;
pub(crate) mod stats;
pub(crate) mod trigger;
