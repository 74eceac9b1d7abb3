//! The revision of a task: a number that rises with every change, derived from where the task is,
//! so that nothing has to be counted in the database.

use super::task::TaskState;

/// The revision of a task in `state` after `attempt` leases, `cancelling` or not, with
/// `progress` reports written so far.
///
/// Layout, high to low: attempt (31 bits), phase (4 bits), progress (28 bits). The phases within one
/// attempt number are passed in this order: running, cancel requested, waiting for its time, ready,
/// finished. Before the first attempt, the number is 0 and the phase waiting or ready.
pub const fn revision(attempt: u32, state: TaskState, cancelling: bool, progress: u32) -> i64 {
    let phase: i64 = match (state, cancelling) {
        (TaskState::Running, false) => 1,
        (TaskState::Running, true) => 2,
        (TaskState::Scheduled | TaskState::Retrying, _) => 3,
        (TaskState::Ready, _) => 4,
        (
            TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Expired,
            _,
        ) => 5,
    };
    let attempt = (attempt & 0x7fff_ffff) as i64;
    // Progress is written while running only and survives into later phases; there it must not
    // tell apart what is the same state.
    let progress = if phase <= 2 { (progress & 0x0fff_ffff) as i64 } else { 0 };
    attempt << 32 | phase << 28 | progress
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_rise_along_every_life() {
        use TaskState::{Ready, Retrying, Running, Scheduled, Succeeded};
        let life = [
            revision(0, Scheduled, false, 0),
            revision(0, Ready, false, 0),
            revision(1, Running, false, 0),
            revision(1, Running, false, 1),
            revision(1, Running, false, 9),
            revision(1, Running, true, 9),
            revision(1, Retrying, false, 9),
            revision(1, Ready, false, 9),
            revision(2, Running, false, 9),
            revision(2, Running, true, 10),
            revision(2, Succeeded, false, 10),
        ];
        assert!(life.is_sorted_by(|a, b| a < b), "{life:?}");
    }
}
