//! Every so many days, weeks, months or years, on the clock on the wall.

use jiff::civil::{Date, date};

use crate::{
    local::{DAY, LAST_YEAR, Local},
    spec::CalendarUnit,
};

/// A calendar trigger, checked. Its numbers are small: see the limits in [`crate::Trigger`].
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    start: Date,
    step: Step,
    /// Seconds since midnight.
    second_of_day: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Days(i64),
    Months(i64),
}

impl Calendar {
    pub(crate) fn new(every: u32, unit: CalendarUnit, start: Date, second_of_day: u32) -> Self {
        let every = i64::from(every);
        let step = match unit {
            CalendarUnit::Days => Step::Days(every),
            CalendarUnit::Weeks => Step::Days(7 * every),
            CalendarUnit::Months => Step::Months(every),
            CalendarUnit::Years => Step::Months(12 * every),
        };
        Self { start, step, second_of_day }
    }

    /// The first time at or after `from`; none after the end of the horizon.
    pub(crate) fn first_at_or_after(&self, from: Local) -> Option<Local> {
        match self.step {
            Step::Days(days) => {
                let first = Local::new(self.start, self.second_of_day);
                let steps = div_up((from.0 - first.0).max(0), days * DAY);
                Some(Local(first.0 + steps * days * DAY))
            }
            Step::Months(months) => {
                let to = from.date();
                let steps = ((month_number(to) - month_number(self.start)) / months).max(0);
                // The month of the last step may be over, or its day may have passed.
                (steps..=steps + 1)
                    .filter_map(|step| self.after_months(step * months))
                    .find(|local| *local >= from)
            }
        }
    }

    /// The time in the month that is `months` after the first.
    fn after_months(&self, months: i64) -> Option<Local> {
        let number = month_number(self.start) + months;
        let year = i16::try_from(number.div_euclid(12)).ok().filter(|year| *year <= LAST_YEAR)?;
        let month = i8::try_from(number.rem_euclid(12) + 1).ok()?;
        let first = date(year, month, 1);
        let day = self.start.day().min(first.days_in_month());
        Some(Local::new(date(year, month, day), self.second_of_day))
    }
}

/// Months since the year 0.
fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// `a / b`, rounded up.
fn div_up(a: i64, b: i64) -> i64 {
    (a + b - 1).div_euclid(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(every: u32, unit: CalendarUnit, start: Date, count: usize) -> Vec<Date> {
        let calendar = Calendar::new(every, unit, start, 3600);
        let mut from = Local::new(start, 0);
        let mut dates = Vec::new();
        while dates.len() < count {
            let local = calendar.first_at_or_after(from).unwrap();
            assert_eq!(local.second_of_day(), 3600);
            dates.push(local.date());
            from = Local(local.0 + 1);
        }
        dates
    }

    #[test]
    fn a_month_without_the_day_uses_its_last_day_and_the_next_is_not_affected() {
        assert_eq!(
            dates(1, CalendarUnit::Months, date(2024, 1, 31), 4),
            [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
        );
        assert_eq!(
            dates(1, CalendarUnit::Years, date(2096, 2, 29), 9)[3..],
            [2099, 2100, 2101, 2102, 2103, 2104].map(|year| date(
                year,
                2,
                if year == 2104 { 29 } else { 28 }
            ))
        );
    }

    #[test]
    fn days_and_weeks_are_counted_from_the_start() {
        assert_eq!(
            dates(10, CalendarUnit::Days, date(2024, 2, 25), 3),
            [date(2024, 2, 25), date(2024, 3, 6), date(2024, 3, 16)]
        );
        assert_eq!(
            dates(2, CalendarUnit::Weeks, date(2025, 12, 29), 2),
            [date(2025, 12, 29), date(2026, 1, 12)]
        );
    }

    #[test]
    fn nothing_is_before_the_start_or_after_the_horizon() {
        for unit in [CalendarUnit::Days, CalendarUnit::Months] {
            let calendar = Calendar::new(7, unit, date(2024, 5, 31), 0);
            let first = calendar.first_at_or_after(Local(0)).unwrap();
            assert_eq!(first.date(), date(2024, 5, 31));
        }
        let calendar = Calendar::new(1000, CalendarUnit::Years, date(2024, 5, 31), 0);
        assert_eq!(calendar.first_at_or_after(Local::new(date(2024, 6, 1), 0)), None);
    }
}
