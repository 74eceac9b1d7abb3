//! What became of a time: an entry of the ledger. The numbers stand in the database and in the
//! protobuf.

use bellringer_schedule::Rule;
use jiff::Timestamp;

use crate::domain::TaskId;

/// What became of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum FireOutcome {
    /// A task was submitted.
    Fired = 1,
    /// None was.
    Skipped = 2,
    /// Waits for earlier tasks to finish.
    HeldBack = 3,
}

/// Why a time was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum SkipReason {
    /// It came up too late.
    Misfire = 1,
    /// Earlier tasks were unfinished.
    Overlap = 2,
    /// The schedule was paused.
    Paused = 3,
    /// It came up too late even for catching up.
    CatchUpLimit = 4,
    /// An exclusion matches it.
    Excluded = 5,
    /// A later time fired for it.
    Coalesced = 6,
}

/// What made a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum FireCause {
    /// Its time came.
    Time = 0,
    /// A caller asked for it now.
    Trigger = 1,
    /// A caller asked for a time in the past.
    Backfill = 2,
}

impl SkipReason {
    /// The word for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Misfire => "misfire",
            Self::Overlap => "overlap",
            Self::Paused => "paused",
            Self::CatchUpLimit => "catch_up_limit",
            Self::Excluded => "excluded",
            Self::Coalesced => "coalesced",
        }
    }
}

macro_rules! codes {
    ($name:ident: $($variant:ident),*) => {
        impl $name {
            /// The number in the database.
            pub const fn code(self) -> i16 {
                self as i16
            }

            /// The one with a number in the database.
            pub fn from_code(code: i16) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|one| one.code() == code)
            }
        }
    };
}

codes!(FireOutcome: Fired, Skipped, HeldBack);
codes!(SkipReason: Misfire, Overlap, Paused, CatchUpLimit, Excluded, Coalesced);
codes!(FireCause: Time, Trigger, Backfill);

/// An entry of the ledger: one time, or a range of skipped ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Fire {
    /// The nominal time; of a range the first.
    pub nominal: Timestamp,
    /// Of a range: the last time, and how many there are.
    pub range: Option<(Timestamp, u64)>,
    /// The nominal time and jitter.
    pub due: Timestamp,
    /// What became of it; `None`: it has not come yet.
    pub outcome: Option<FireOutcome>,
    /// Why it was skipped.
    pub reason: Option<SkipReason>,
    /// What a clock change had to do with it.
    pub rule: Rule,
    /// What made it.
    pub cause: FireCause,
    /// What was submitted.
    pub task: Option<TaskId>,
    /// When it was recorded, and in which term of the leader (0: by a caller).
    pub recorded: Option<(Timestamp, i64)>,
}

impl Fire {
    /// A time that has not come yet.
    pub fn ahead(fire: &bellringer_schedule::Fire) -> Self {
        Self {
            nominal: fire.nominal,
            range: None,
            due: fire.due,
            outcome: fire.excluded.then_some(FireOutcome::Skipped),
            reason: fire.excluded.then_some(SkipReason::Excluded),
            rule: fire.rule,
            cause: FireCause::Time,
            task: None,
            recorded: None,
        }
    }
}
