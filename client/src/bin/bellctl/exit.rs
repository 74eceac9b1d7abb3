//! The exit codes of `bellctl`, which scripts may rely on.

use std::process::ExitCode;

use bellringer_api::v1::TaskState;

/// How a command ended, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; of tasks that were waited for: all succeeded.
    Ok = 0,
    /// A task failed or expired.
    TaskFailed = 1,
    /// The command line or the request is wrong.
    Usage = 2,
    /// There is no such task, queue or schedule.
    NotFound = 3,
    /// Something stands in the way: a key that is held, a state that does not allow it.
    Conflict = 4,
    /// The server cannot be reached or cannot take the call now.
    Unavailable = 5,
    /// Waiting took longer than allowed.
    TimedOut = 6,
    /// A task was cancelled.
    TaskCancelled = 7,
    /// Anything else.
    Other = 10,
    /// A payload holds no command that could be run.
    BadPayload = 65,
}

/// The table of `bellctl --help`.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done; tasks that were waited for have succeeded
   1  a task failed or expired
   2  wrong usage or invalid argument
   3  no such task, queue or schedule
   4  conflict: already exists, unique key held, or not allowed in this state
   5  the server is unavailable
   6  timed out waiting
   7  a task was cancelled
  10  any other error
  65  run-payload: the payload holds no command";

impl Exit {
    /// The code for the final state of a task; `None` while it is unfinished.
    pub(crate) fn of_state(state: TaskState) -> Option<Self> {
        match state {
            TaskState::Succeeded => Some(Self::Ok),
            TaskState::Failed | TaskState::Expired => Some(Self::TaskFailed),
            TaskState::Cancelled => Some(Self::TaskCancelled),
            TaskState::Unspecified
            | TaskState::Scheduled
            | TaskState::Ready
            | TaskState::Running
            | TaskState::Retrying => None,
        }
    }

    /// The code that tells more about a command over several tasks.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TaskCancelled => 1,
            Self::TaskFailed => 2,
            Self::TimedOut => 3,
            Self::Conflict => 4,
            Self::NotFound => 5,
            Self::Usage => 6,
            Self::Unavailable => 7,
            Self::Other | Self::BadPayload => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_have_codes_and_others_have_none() {
        assert_eq!(Exit::of_state(TaskState::Succeeded), Some(Exit::Ok));
        assert_eq!(Exit::of_state(TaskState::Failed), Some(Exit::TaskFailed));
        assert_eq!(Exit::of_state(TaskState::Expired), Some(Exit::TaskFailed));
        assert_eq!(Exit::of_state(TaskState::Cancelled), Some(Exit::TaskCancelled));
        assert_eq!(Exit::of_state(TaskState::Retrying), None);
    }

    #[test]
    fn of_several_tasks_the_worst_counts() {
        let codes = [Exit::Ok, Exit::TaskFailed, Exit::TaskCancelled];
        assert_eq!(codes.into_iter().fold(Exit::Ok, Exit::worse), Exit::TaskFailed);
        assert_eq!(Exit::TimedOut.worse(Exit::Ok), Exit::TimedOut);
    }

    #[test]
    fn every_code_stands_in_the_table() {
        for code in [0_u8, 1, 2, 3, 4, 5, 6, 7, 10, 65] {
            assert!(TABLE.lines().any(|line| line.starts_with(&format!("{code:>4}  "))), "{code}");
        }
    }
}
