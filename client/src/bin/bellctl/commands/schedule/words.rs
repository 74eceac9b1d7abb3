//! The words of schedules as they are typed and written.

use bellringer_api::v1 as pb;
use clap::ValueEnum;

/// How a cron expression is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// As crontab(5) of Debian.
    Vixie,
    /// As Quartz: seconds first, 1 is Sunday.
    Quartz,
}

/// What becomes of local times that a clock change skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Gap {
    /// Fire once, right after the gap.
    RunAfter,
    /// Do not fire.
    Skip,
    /// Fire later by the length of the gap.
    Shift,
}

/// In which pass of local times that a clock change repeats to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Repeat {
    /// Before the change.
    First,
    /// After the change.
    Last,
    /// In both.
    Both,
}

/// What to do with times that passed while nothing could fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Misfire {
    /// Record them as skipped.
    Skip,
    /// Fire the latest one.
    FireOnce,
    /// Fire them all, oldest first, as far as they can be caught up.
    FireAll,
}

/// What to do when a time comes and earlier tasks are unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Overlap {
    /// Submit regardless.
    Allow,
    /// Record the time as skipped.
    Skip,
    /// Hold one time back until there is room.
    BufferOne,
    /// Hold all times back until there is room.
    BufferAll,
    /// Cancel the oldest tasks to make room.
    CancelRunning,
}

/// Overlap policies that make sense for one fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TriggerOverlap {
    /// Submit regardless.
    Allow,
    /// Refuse if earlier tasks are unfinished; exit code 4.
    Skip,
    /// Cancel the oldest tasks to make room.
    CancelRunning,
}

/// Where a schedule is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Fires.
    Active,
    /// Records its times as skipped.
    Paused,
    /// Has no further time.
    Finished,
}

/// What became of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// A task was submitted.
    Fired,
    /// No task was submitted.
    Skipped,
    /// Held back until there is room.
    HeldBack,
}

/// The word of the command line for a value of the protobuf: `CANCEL_RUNNING` is `cancel-running`.
macro_rules! to_proto {
    ($($name:ident => $proto:ident { $($variant:ident),+ $(,)? })+) => {$(
        impl From<$name> for pb::$proto {
            fn from(word: $name) -> Self {
                match word {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }
    )+};
}

to_proto! {
    Dialect => CronDialect { Vixie, Quartz }
    Gap => GapPolicy { RunAfter, Skip, Shift }
    Repeat => RepeatPolicy { First, Last, Both }
    Misfire => MisfirePolicy { Skip, FireOnce, FireAll }
    Overlap => OverlapPolicy { Allow, Skip, BufferOne, BufferAll, CancelRunning }
    TriggerOverlap => OverlapPolicy { Allow, Skip, CancelRunning }
    State => ScheduleState { Active, Paused, Finished }
    Outcome => FireOutcome { Fired, Skipped, HeldBack }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_protobuf_has_a_word() {
        let words: Vec<_> = Overlap::value_variants()
            .iter()
            .map(|word| {
                let typed = word.to_possible_value().unwrap().get_name().to_owned();
                let proto = pb::OverlapPolicy::from(*word).as_str_name();
                (typed.replace('-', "_").to_uppercase(), proto)
            })
            .collect();
        assert!(pb::OverlapPolicy::try_from(6).is_err(), "a new policy needs a word");
        assert_eq!(words.len(), 5);
        for (typed, proto) in words {
            assert_eq!(proto, format!("OVERLAP_POLICY_{typed}"));
        }
    }
}
