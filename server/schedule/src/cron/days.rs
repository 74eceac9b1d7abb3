//! Which days of a month a cron expression means.

use jiff::civil::Date;

/// A month of a year, with what the day fields ask of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    first: Date,
    length: u32,
    /// Weekday of the first day, 0 is Sunday.
    first_weekday: u32,
}

/// The fields day of month and day of week together.
#[derive(Clone, Debug)]
pub(super) struct Days {
    pub(super) of_month: MonthDays,
    pub(super) of_week: WeekDays,
    pub(super) combination: Combination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combination {
    /// A day must match both fields.
    Both,
    /// A day must match one of them.
    Either,
}

/// The field day of month.
#[derive(Clone, Debug, Default)]
pub(super) struct MonthDays {
    /// Bit `n` is day `n`.
    pub(super) days: u32,
    /// Bit `n` is the day `n` days before the last: `L`, `L-n`.
    pub(super) before_last: u32,
    /// The last day from Monday to Friday: `LW`.
    pub(super) last_workday: bool,
    /// Bit `n` is the day from Monday to Friday that is nearest to day `n`: `nW`.
    pub(super) nearest_workday: u32,
}

/// The field day of week. Bit 0 is Sunday.
#[derive(Clone, Debug, Default)]
pub(super) struct WeekDays {
    pub(super) days: u32,
    /// The last one in the month: `5L`.
    pub(super) last: u32,
    /// The first to fifth one in the month: `5#2`.
    pub(super) nth: [u32; 5],
}

impl Month {
    pub(super) fn of(date: Date) -> Self {
        let first = date.first_of_month();
        Self {
            first,
            length: first.days_in_month().unsigned_abs().into(),
            first_weekday: first.weekday().to_sunday_zero_offset().unsigned_abs().into(),
        }
    }

    /// None if there is no such month.
    pub(super) fn new(year: i16, number: u32) -> Option<Self> {
        Date::new(year, i8::try_from(number).ok()?, 1).ok().map(Self::of)
    }

    pub(super) fn year(self) -> i16 {
        self.first.year()
    }

    pub(super) fn number(self) -> u8 {
        self.first.month().unsigned_abs()
    }

    /// None if the month has no such day.
    pub(super) fn date(self, day: u32) -> Option<Date> {
        Date::new(self.year(), self.first.month(), i8::try_from(day).ok()?).ok()
    }

    /// 0 is Sunday.
    fn weekday(self, day: u32) -> u32 {
        (self.first_weekday + day - 1) % 7
    }

    /// The day from Monday to Friday that is nearest to `day` in this month.
    fn nearest_workday(self, day: u32) -> u32 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }
}

impl Days {
    /// The days that match: bit `n` is day `n`.
    pub(super) fn in_month(&self, month: Month) -> u32 {
        let (of_month, of_week) = (self.of_month.in_month(month), self.of_week.in_month(month));
        match self.combination {
            Combination::Both => of_month & of_week,
            Combination::Either => of_month | of_week,
        }
    }
}

impl MonthDays {
    fn in_month(&self, month: Month) -> u32 {
        let existing = (1..=month.length).fold(0, |days, day| days | 1 << day);
        let mut days = self.days & existing;
        for day in 1..=month.length {
            let is_meant = self.before_last & (1 << (month.length - day)) != 0;
            days |= u32::from(is_meant) << day;
            // A month without that day has none that is nearest to it.
            if self.nearest_workday & (1 << day) != 0 {
                days |= 1 << month.nearest_workday(day);
            }
        }
        if self.last_workday {
            days |= 1 << month.nearest_workday(month.length);
        }
        days
    }
}

impl WeekDays {
    fn in_month(&self, month: Month) -> u32 {
        let mut days = 0;
        for (nth, day) in (1..=month.length).map(|day| ((day - 1) / 7, day)) {
            let weekday = 1 << month.weekday(day);
            let is_last = day + 7 > month.length;
            let is_meant = self.days & weekday != 0
                || is_last && self.last & weekday != 0
                || self.nth.iter().zip(0..).any(|(days, n)| n == nth && days & weekday != 0);
            days |= u32::from(is_meant) << day;
        }
        days
    }
}
