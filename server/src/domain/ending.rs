//! What becomes of a task when one of its attempts ends.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::payload::Payload;
use super::retry::RetryPolicy;
use super::task::{AttemptOutcome, TaskError, TaskState};

/// How an attempt ended, as its worker reported or as the server found.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The handler succeeded.
    Succeeded(Payload),
    /// The handler failed.
    Failed {
        /// Why.
        error: TaskError,
        /// Whatever the policy says.
        non_retryable: bool,
        /// Instead of the policy's back-off.
        retry_after: Option<Duration>,
    },
    /// The handler wants to be run again after a while.
    Snoozed(Duration),
    /// The worker gave it back.
    Released,
    /// The handler stopped because it was told to, or the grace of a cancel is over.
    Cancelled,
    /// The worker was not heard of any more.
    LeaseExpired,
    /// The attempt, or the task as a whole, ran out of time.
    TimedOut,
}

impl Ending {
    /// What the attempt's record says.
    pub fn outcome(&self) -> AttemptOutcome {
        match self {
            Self::Succeeded(_) => AttemptOutcome::Succeeded,
            Self::Failed { .. } | Self::TimedOut => AttemptOutcome::Failed,
            Self::Snoozed(_) => AttemptOutcome::Snoozed,
            Self::Released => AttemptOutcome::Released,
            Self::Cancelled => AttemptOutcome::Cancelled,
            Self::LeaseExpired => AttemptOutcome::LeaseExpired,
        }
    }
}

/// What is known of the attempt that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Tries that count, this one included.
    pub tries: u32,
    /// The task's policy.
    pub policy: RetryPolicy,
    /// When the task as a whole runs out of time.
    pub give_up_at: Option<Timestamp>,
    /// Whether a cancel was asked for.
    pub cancel_requested: bool,
}

/// What becomes of the task.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It ends in this final state.
    Final {
        /// Which one.
        state: TaskState,
        /// Why, if it failed; of a cancelled task what the attempt failed with, if it did.
        error: Option<TaskError>,
    },
    /// It is to be run again.
    Again {
        /// Not before.
        due_at: Timestamp,
        /// What it is until then: `Scheduled` or `Retrying`.
        state: TaskState,
        /// Whether the attempt that ended counts as a try.
        counts: bool,
        /// Why it failed, if it did.
        error: Option<TaskError>,
    },
}

/// Decides what becomes of a task whose attempt ended at `now`, given `random` in [0, 1).
pub fn decide(ending: &Ending, tried: &Tried, now: Timestamp, random: f64) -> Verdict {
    let error = match ending {
        Ending::Succeeded(_) => {
            return Verdict::Final { state: TaskState::Succeeded, error: None };
        }
        Ending::Cancelled | Ending::Snoozed(_) | Ending::Released if tried.cancel_requested => {
            return Verdict::Final { state: TaskState::Cancelled, error: None };
        }
        Ending::Snoozed(delay) => {
            return again(tried, later(now, *delay), TaskState::Scheduled, false, None);
        }
        Ending::Released => return again(tried, now, TaskState::Scheduled, false, None),
        Ending::Cancelled => TaskError::new(TaskError::CANCELLED, "the worker stopped unasked"),
        Ending::Failed { error, .. } => error.clone(),
        Ending::LeaseExpired => {
            TaskError::new(TaskError::LEASE_EXPIRED, "the worker was not heard of any more")
        }
        Ending::TimedOut if tried.give_up_at.is_some_and(|end| end <= now) => {
            return Verdict::Final { state: TaskState::Failed, error: Some(out_of_time()) };
        }
        Ending::TimedOut => {
            TaskError::new(TaskError::TIMEOUT, "the attempt ran longer than its timeout")
        }
    };
    if tried.cancel_requested {
        return Verdict::Final { state: TaskState::Cancelled, error: Some(error) };
    }
    let refused = matches!(ending, Ending::Failed { non_retryable: true, .. });
    let listed = tried.policy.ends_at_once(&error.kind);
    if refused || listed || tried.tries >= tried.policy.max_attempts {
        return Verdict::Final { state: TaskState::Failed, error: Some(error) };
    }
    let wait = match ending {
        Ending::Failed { retry_after: Some(wait), .. } => *wait,
        _ => tried.policy.backoff(tried.tries, random),
    };
    again(tried, later(now, wait), TaskState::Retrying, true, Some(error))
}

fn again(
    tried: &Tried,
    due_at: Timestamp,
    state: TaskState,
    counts: bool,
    error: Option<TaskError>,
) -> Verdict {
    // Waiting for a time at which the task has been given up would only delay the answer.
    if tried.give_up_at.is_some_and(|end| due_at >= end) {
        let error = error.unwrap_or_else(out_of_time);
        return Verdict::Final { state: TaskState::Failed, error: Some(error) };
    }
    Verdict::Again { due_at, state, counts, error }
}

fn out_of_time() -> TaskError {
    TaskError::new(TaskError::TOTAL_TIMEOUT, "the task ran out of its total time")
}

/// `wait` after `now`, at the end of time at most.
fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tried(tries: u32) -> Tried {
        Tried { tries, policy: RetryPolicy::default(), give_up_at: None, cancel_requested: false }
    }

    fn failure() -> Ending {
        Ending::Failed {
            error: TaskError::new("boom", ""),
            non_retryable: false,
            retry_after: None,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_failure_is_tried_again_until_the_tries_are_used_up() {
        assert!(matches!(
            decide(&failure(), &tried(4), now(), 0.5),
            Verdict::Again { state: TaskState::Retrying, counts: true, .. }
        ));
        assert!(matches!(
            decide(&failure(), &tried(5), now(), 0.5),
            Verdict::Final { state: TaskState::Failed, .. }
        ));
    }

    #[test]
    fn a_listed_error_ends_the_task_at_once() {
        let mut tried = tried(1);
        tried.policy.non_retryable.push("boom".to_owned());
        assert!(matches!(
            decide(&failure(), &tried, now(), 0.5),
            Verdict::Final { state: TaskState::Failed, .. }
        ));
    }

    #[test]
    fn snoozed_and_released_attempts_are_not_tries() {
        for ending in [Ending::Released, Ending::Snoozed(Duration::from_secs(9))] {
            let verdict = decide(&ending, &tried(5), now(), 0.5);
            assert!(matches!(verdict, Verdict::Again { counts: false, .. }), "{verdict:?}");
        }
    }

    #[test]
    fn a_task_is_failed_rather_than_retried_past_its_total_time() {
        let end = now() + SignedDuration::from_secs(5);
        let tried = Tried { give_up_at: Some(end), ..tried(1) };
        let late = Ending::Failed {
            error: TaskError::new("boom", ""),
            non_retryable: false,
            retry_after: Some(Duration::from_secs(6)),
        };
        let Verdict::Final { state, error } = decide(&late, &tried, now(), 0.5) else {
            panic!("retried after its end")
        };
        assert_eq!((state, error.unwrap().kind.as_str()), (TaskState::Failed, "boom"));
    }

    fn any_ending() -> impl Strategy<Value = Ending> {
        prop_oneof![
            Just(Ending::Succeeded(Payload::none())),
            (any::<bool>(), proptest::option::of(any::<u64>())).prop_map(
                |(non_retryable, after)| {
                    Ending::Failed {
                        error: TaskError::new("boom", ""),
                        non_retryable,
                        retry_after: after.map(Duration::from_millis),
                    }
                }
            ),
            any::<u64>().prop_map(|ms| Ending::Snoozed(Duration::from_millis(ms))),
            Just(Ending::Released),
            Just(Ending::Cancelled),
            Just(Ending::LeaseExpired),
            Just(Ending::TimedOut),
        ]
    }

    proptest! {
        /// Walks random lives: every step is an arrow of the state machine, tries never pass the
        /// limit, and a life ends in one final state (G-4 and G-8 as well).
        #[test]
        fn g_3_every_life_follows_the_state_machine(
            endings in prop::collection::vec((any_ending(), any::<bool>(), 0.0..1.0_f64), 1..60),
            max_attempts in 1..10_u32,
            total in proptest::option::of(0..100_000_i64),
        ) {
            let policy = RetryPolicy { max_attempts, ..RetryPolicy::default() };
            let give_up_at = total.map(|ms| now() + SignedDuration::from_millis(ms));
            let mut clock = now();
            let mut tries = 0;
            for (ending, cancel_requested, random) in endings {
                prop_assert!(TaskState::Ready.may_become(TaskState::Running));
                tries += 1;
                prop_assert!(tries <= max_attempts);
                let tried = Tried { tries, policy: policy.clone(), give_up_at, cancel_requested };
                match decide(&ending, &tried, clock, random) {
                    Verdict::Final { state, error } => {
                        prop_assert!(state.is_final() && TaskState::Running.may_become(state));
                        let fits = match state {
                            TaskState::Failed => error.is_some(),
                            TaskState::Cancelled => cancel_requested,
                            _ => error.is_none(),
                        };
                        prop_assert!(fits);
                        prop_assert_eq!(
                            state == TaskState::Succeeded,
                            matches!(ending, Ending::Succeeded(_))
                        );
                        break;
                    }
                    Verdict::Again { due_at, state, counts, .. } => {
                        prop_assert!(!cancel_requested);
                        prop_assert!(TaskState::Running.may_become(state));
                        prop_assert!(state.may_become(TaskState::Ready));
                        prop_assert!(due_at >= clock);
                        if !counts { tries -= 1; }
                        clock = due_at;
                    }
                }
            }
        }

        #[test]
        fn g_3_nothing_follows_a_final_state(next in 0..8_usize, from in 0..8_usize) {
            let (from, next) = (TaskState::ALL[from], TaskState::ALL[next]);
            prop_assert!(!(from.is_final() && from.may_become(next)));
        }
    }
}
