//! What the end of a task means for its schedule.

use super::Policies;
use crate::domain::TaskState;

/// What is to be done about the end of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consequence {
    /// Submit the task for a failure.
    pub has_failed: bool,
    /// Submit the task for a recovery.
    pub has_recovered: bool,
    /// Pause the schedule.
    pub pauses: bool,
}

/// Counts the end of a task; `failures` are those in a row before and after. `None`: the task is
/// gone, so that nobody knows how it ended.
pub fn count(policies: &Policies, failures: &mut u32, end: Option<TaskState>) -> Consequence {
    match end {
        Some(TaskState::Failed | TaskState::Expired) => {
            *failures = failures.saturating_add(1);
            let most = policies.pause_after_failures;
            Consequence {
                has_failed: *failures == 1,
                has_recovered: false,
                pauses: most > 0 && *failures >= most,
            }
        }
        Some(TaskState::Succeeded) => {
            let had_failed = std::mem::take(failures) > 0;
            Consequence { has_recovered: had_failed, ..Consequence::default() }
        }
        _ => Consequence::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_and_the_first_success_after_it_are_told_once() {
        let policies = Policies { pause_after_failures: 3, ..Policies::default() };
        let mut failures = 0;
        let mut tell = |end| count(&policies, &mut failures, Some(end));
        let nothing = Consequence::default();
        assert_eq!(tell(TaskState::Succeeded), nothing);
        assert_eq!(tell(TaskState::Failed), Consequence { has_failed: true, ..nothing });
        assert_eq!(tell(TaskState::Cancelled), nothing, "says nothing about the work");
        assert_eq!(tell(TaskState::Expired), nothing, "told before");
        assert_eq!(tell(TaskState::Failed), Consequence { pauses: true, ..nothing });
        assert_eq!(tell(TaskState::Succeeded), Consequence { has_recovered: true, ..nothing });
        assert_eq!(failures, 0);
    }
}
