//! Between the protobuf and the domain. Inwards everything wrong is collected, not just the first;
//! past this line there is no raw text, no unset enum, no negative duration. Outwards nothing fails.

pub(super) mod access;
pub(super) mod fields;
pub(super) mod mask;
pub(super) mod payload;
pub(super) mod queue;
pub(super) mod schedule;
pub(super) mod stats;
pub(super) mod task;
pub(super) mod time;
pub(super) mod times;
pub(super) mod worker;

#[cfg(test)]
mod garbled_tests;
