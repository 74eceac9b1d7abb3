//! Instants and local times as whole seconds.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::Offset,
};

/// The first nominal time, 1970-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 0;
/// The end of all nominal times, 2200-01-01T00:00:00Z, exclusive.
pub(crate) const END: i64 = 7_258_118_400;
/// Years that a local time can lie in: in some zones the horizon begins and ends in another year.
pub(crate) const LAST_YEAR: i16 = 2200;

pub(crate) const DAY: i64 = 86_400;

/// What the clocks on the wall show: seconds since they showed 1970-01-01T00:00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Local(pub(crate) i64);

impl Local {
    /// The local time `second` seconds after the start of `date`.
    pub(crate) fn new(date: Date, second: u32) -> Self {
        let midnight = Offset::UTC
            .to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
            .expect("dates are in years that both types have");
        Self(midnight.as_second() + i64::from(second))
    }

    pub(crate) fn date(self) -> Date {
        self.datetime().date()
    }

    /// Seconds since midnight.
    pub(crate) fn second_of_day(self) -> u32 {
        u32::try_from(self.0.rem_euclid(DAY)).expect("a day has 86400 seconds")
    }

    fn datetime(self) -> DateTime {
        let shown = Timestamp::from_second(self.0).expect("local times are near 1970..2200");
        Offset::UTC.to_datetime(shown)
    }
}

/// The timestamp of a whole second of the horizon.
pub(crate) fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("nominal times are in 1970..2200")
}

/// The first whole second of the horizon at or after `at`; [`END`] if there is none.
pub(crate) fn first_second(at: Timestamp) -> i64 {
    let whole = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    whole.clamp(BEGIN, END)
}

/// The first whole second of the horizon after `at`; [`END`] if there is none.
pub(crate) fn second_after(at: Timestamp) -> i64 {
    if at < Timestamp::UNIX_EPOCH { BEGIN } else { (at.as_second() + 1).min(END) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_horizon_ends_with_2199() {
        assert_eq!(timestamp(END).to_string(), "2200-01-01T00:00:00Z");
    }

    #[test]
    fn a_local_time_is_a_date_and_a_second_also_before_1970() {
        for (day, second) in [(date(1969, 12, 31), 86_399), (date(2024, 2, 29), 0)] {
            let local = Local::new(day, second);
            assert_eq!((local.date(), local.second_of_day()), (day, second));
        }
    }

    #[test]
    fn fractions_count_as_the_second_that_comes() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(first_second(at("1970-01-01T00:00:10Z")), 10);
        assert_eq!(first_second(at("1970-01-01T00:00:10.1Z")), 11);
        assert_eq!(first_second(at("1969-12-31T23:59:58.5Z")), 0);
        assert_eq!(second_after(at("1970-01-01T00:00:10Z")), 11);
        assert_eq!(second_after(at("1970-01-01T00:00:10.1Z")), 11);
        assert_eq!(second_after(at("1969-12-31T23:59:59.5Z")), 0);
        assert_eq!(second_after(Timestamp::MAX), END);
    }
}
