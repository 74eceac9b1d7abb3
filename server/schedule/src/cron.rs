//! Cron expressions: what they match on the clock on the wall. No zones here.

mod days;
mod field;
mod item;
mod parse;

use jiff::civil::Date;

use crate::local::{LAST_YEAR, Local};

use self::days::{Days, Month};

/// A cron expression, read.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    times: Times,
    days: Days,
    /// Bit `n` is month `n`.
    months: u64,
    years: Years,
    /// Whether it repeats within the day, see the crate's documentation.
    pub(crate) is_wild: bool,
}

/// The times of day: every combination of these; bit `n` is second, minute or hour `n`.
#[derive(Clone, Copy, Debug)]
struct Times {
    seconds: u64,
    minutes: u64,
    hours: u64,
}

#[derive(Clone, Debug)]
enum Years {
    Any,
    /// In order.
    Only(Vec<i16>),
}

impl Cron {
    /// The first match at or after `from`; none if no date matches until the end of the horizon.
    ///
    /// Looks at each month of the horizon at most once, whatever the expression.
    pub(crate) fn first_at_or_after(&self, from: Local) -> Option<Local> {
        let date = from.date();
        if self.matches_date(date)
            && let Some(second) = self.times.first_at_or_after(from.second_of_day())
        {
            return Some(Local::new(date, second));
        }
        let date = self.first_date(date.tomorrow().ok()?)?;
        Some(Local::new(date, self.times.first_at_or_after(0)?))
    }

    pub(crate) fn matches(&self, local: Local) -> bool {
        self.matches_date(local.date())
            && self.times.first_at_or_after(local.second_of_day()) == Some(local.second_of_day())
    }

    /// The first date at or after `from` that matches.
    fn first_date(&self, from: Date) -> Option<Date> {
        let mut month = Month::of(from);
        let mut days = self.days_of(month) & (u32::MAX << from.day());
        while days == 0 {
            month = self.month_after(month)?;
            days = month_steps::count(|| self.days.in_month(month));
        }
        month.date(days.trailing_zeros())
    }

    fn matches_date(&self, date: Date) -> bool {
        self.days_of(Month::of(date)) & (1 << date.day()) != 0
    }

    /// The days of `month` that match: bit `n` is day `n`.
    fn days_of(&self, month: Month) -> u32 {
        let is_meant = self.months & (1 << month.number()) != 0
            && self.years.first(month.year()) == Some(month.year());
        if is_meant { self.days.in_month(month) } else { 0 }
    }

    /// The next month whose number and year match.
    fn month_after(&self, month: Month) -> Option<Month> {
        if self.years.first(month.year()) == Some(month.year())
            && let Some(number) = lowest(self.months, u32::from(month.number()) + 1)
        {
            return Month::new(month.year(), number);
        }
        let year = self.years.first(month.year() + 1)?;
        Month::new(year, lowest(self.months, 0)?)
    }
}

impl Times {
    /// The first time at or after `second` of the day.
    fn first_at_or_after(self, second: u32) -> Option<u32> {
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let same_minute = || {
            let second = lowest(self.seconds, second % 60)?;
            (lowest(self.hours, hour)? == hour && lowest(self.minutes, minute)? == minute)
                .then_some((hour, minute, second))
        };
        let same_hour = || {
            let minute = lowest(self.minutes, minute + 1)?;
            (lowest(self.hours, hour)? == hour).then_some((hour, minute, lowest(self.seconds, 0)?))
        };
        let later = || {
            let hour = lowest(self.hours, hour + 1)?;
            Some((hour, lowest(self.minutes, 0)?, lowest(self.seconds, 0)?))
        };

        let (hour, minute, second) = same_minute().or_else(same_hour).or_else(later)?;
        Some(hour * 3600 + minute * 60 + second)
    }
}

impl Years {
    /// The first year at or after `from`, up to the end of the horizon.
    fn first(&self, from: i16) -> Option<i16> {
        match self {
            Self::Any => (from <= LAST_YEAR).then_some(from),
            Self::Only(years) => years.get(years.partition_point(|year| *year < from)).copied(),
        }
    }
}

/// The lowest bit of `set` that is `from` or higher.
fn lowest(set: u64, from: u32) -> Option<u32> {
    let rest = set & u64::MAX.checked_shl(from)?;
    (rest != 0).then(|| rest.trailing_zeros())
}

/// Counts the months that a search looks at, so that a test can bound them.
pub(crate) mod month_steps {
    #[cfg(test)]
    thread_local! {
        static TAKEN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }

    pub(super) fn count<T>(step: impl FnOnce() -> T) -> T {
        #[cfg(test)]
        TAKEN.set(TAKEN.get() + 1);
        step()
    }

    /// How many months `work` looks at.
    #[cfg(test)]
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (u32, T) {
        let before = TAKEN.get();
        let done = work();
        (TAKEN.get() - before, done)
    }
}

#[cfg(test)]
mod tests;
