//! The fields of a cron expression: their values and names.

use crate::spec::Dialect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// As it is called in problems. `H` depends on these names: they must not change.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
            Self::Year => "year",
        }
    }

    /// The least and the greatest number.
    pub(super) fn limits(self, dialect: Dialect) -> (u16, u16) {
        match (self, dialect) {
            (Self::Second | Self::Minute, _) => (0, 59),
            (Self::Hour, _) => (0, 23),
            (Self::DayOfMonth, _) => (1, 31),
            (Self::Month, _) => (1, 12),
            (Self::DayOfWeek, Dialect::Vixie) => (0, 7),
            (Self::DayOfWeek, Dialect::Quartz) => (1, 7),
            (Self::Year, _) => (1970, 2199),
        }
    }

    /// The limits within which `H` chooses, if it may stand here: days that every month has, and
    /// each weekday once.
    pub(super) fn hash_limits(self, dialect: Dialect) -> Option<(u16, u16)> {
        match (self, dialect) {
            (Self::Year, _) => None,
            (Self::DayOfMonth, _) => Some((1, 28)),
            (Self::DayOfWeek, Dialect::Vixie) => Some((0, 6)),
            _ => Some(self.limits(dialect)),
        }
    }

    /// The greatest step: as many as the field has values.
    pub(super) fn greatest_step(self) -> u16 {
        match self {
            Self::Second | Self::Minute => 60,
            Self::Hour => 24,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
            Self::Year => 230,
        }
    }

    /// The number that a name in upper case stands for.
    pub(super) fn named(self, name: &str, dialect: Dialect) -> Option<u16> {
        let (names, first): (&[_], _) = match self {
            Self::Month => (&MONTHS, 1),
            Self::DayOfWeek => (&WEEKDAYS, u16::from(dialect == Dialect::Quartz)),
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth | Self::Year => {
                return None;
            }
        };
        names.iter().zip(first..).find(|(known, _)| **known == name).map(|(_, number)| number)
    }

    /// The values that are allowed, for people.
    pub(super) fn allowed(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Second | Self::Minute, _) => "0-59",
            (Self::Hour, _) => "0-23",
            (Self::DayOfMonth, _) => "1-31, L, L-1 to L-30, LW or 1W to 31W",
            (Self::Month, _) => "1-12 or JAN-DEC",
            (Self::DayOfWeek, Dialect::Vixie) => {
                "0-7 (0 and 7 are Sunday) or SUN-SAT, with L for the last or #1 to #5 in the month"
            }
            (Self::DayOfWeek, Dialect::Quartz) => {
                "1-7 (1 is Sunday) or SUN-SAT, with L for the last or #1 to #5 in the month"
            }
            (Self::Year, _) => "1970-2199",
        }
    }
}
