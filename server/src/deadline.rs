//! By when a call has to be answered: goes with the call like a trace context does, so that a statement of the
//! call can be given what is left of its time, and no function on the way has to pass it on. What is done for
//! several callers at once, in a task of its own, has none.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Does `work` as a part of a call that has to be answered by then. Ends nothing by itself.
pub async fn by<T>(deadline: Instant, work: impl Future<Output = T>) -> T {
    DEADLINE.scope(deadline, work).await
}

/// What is left of the time of the call that this is a part of; `None`: it is a part of none, or of one that may
/// last.
pub fn left() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}
