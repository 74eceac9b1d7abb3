//! Why a fire is at the instant where it is.

use serde::{Deserialize, Serialize};

/// What made the nominal time of a fire.
///
/// Where several entries, or several times of one entry, fall on one instant, the first in this order
/// is the one that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The time that the schedule names; no change of the zone touches it.
    Plain,
    /// The first pass of a local time that is repeated.
    First,
    /// The last pass of a local time that is repeated.
    Last,
    /// The time was skipped; this is the first instant after the gap.
    GapMoved,
    /// The time was skipped; it is moved on by the length of the gap.
    GapShifted,
}

impl Rule {
    /// All rules, in order.
    pub const ALL: [Self; 5] =
        [Self::Plain, Self::First, Self::Last, Self::GapMoved, Self::GapShifted];

    /// The number under which the rule is stored, 1 to 5. It never changes.
    pub const fn code(self) -> i16 {
        match self {
            Self::Plain => 1,
            Self::First => 2,
            Self::Last => 3,
            Self::GapMoved => 4,
            Self::GapShifted => 5,
        }
    }

    /// The rule that is stored under `code`; none if there is no such rule.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }

    /// The rule's name, as serde writes it as well.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::First => "first",
            Self::Last => "last",
            Self::GapMoved => "gap_moved",
            Self::GapShifted => "gap_shifted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_by_its_code_and_serialized_by_its_name() {
        for rule in Rule::ALL {
            assert_eq!(Rule::from_code(rule.code()), Some(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
        assert_eq!(Rule::from_code(0), None);
        assert_eq!(Rule::from_code(6), None);
    }
}
