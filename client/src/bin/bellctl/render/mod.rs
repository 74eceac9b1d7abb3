//! Tasks and queues as JSON for programs, and as cards and tables for people.

pub(crate) mod card;
pub(crate) mod json;
pub(crate) mod queue;
