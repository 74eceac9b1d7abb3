//! One item of a list in a field: what stands between commas.

use crate::{spec::Dialect, stable_hash};

use super::field::Field;

/// What an item means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Numbers of the field; weekdays count from Sunday, 0.
    Numbers(Vec<u16>),
    /// Days before the last day of the month.
    BeforeLast(u16),
    LastWorkday,
    NearestWorkday(u16),
    /// The last such weekday of the month.
    LastWeekday(u16),
    /// The nth such weekday of the month, 1 to 5.
    NthWeekday(u16, u16),
}

/// Reads the items of one field.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) field: Field,
    pub(super) dialect: Dialect,
    pub(super) seed: &'a str,
}

impl Reader<'_> {
    /// Reads an item in upper case.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub(super) fn read(self, text: &str) -> Result<Item, String> {
        if let Some(item) = self.special(text)? {
            return Ok(item);
        }
        let (what, step) = match text.split_once('/') {
            Some((what, step)) => (what, Some(self.step(step)?)),
            None => (text, None),
        };
        let numbers = match what.strip_prefix('H') {
            Some(limits) => self.hashed(limits, step)?,
            None => {
                let range = self.range(what, step.is_some())?;
                range.into_iter().step_by(step.unwrap_or(1).into()).collect()
            }
        };
        Ok(Item::Numbers(numbers.into_iter().map(|number| self.as_inside(number)).collect()))
    }

    /// The items that only the day fields have.
    fn special(self, text: &str) -> Result<Option<Item>, String> {
        Ok(Some(match self.field {
            Field::DayOfMonth => match text {
                "L" => Item::BeforeLast(0),
                "LW" | "WL" => Item::LastWorkday,
                _ => {
                    if let Some(days) = text.strip_prefix("L-") {
                        Item::BeforeLast(self.number_within(days, "days before the last", 1, 30)?)
                    } else if let Some(day) = text.strip_suffix('W') {
                        Item::NearestWorkday(self.value(day)?)
                    } else {
                        return Ok(None);
                    }
                }
            },
            Field::DayOfWeek => {
                if text == "L" && self.dialect == Dialect::Quartz {
                    Item::Numbers(vec![6]) // Saturday: the last day of the week
                } else if let Some(day) = text.strip_suffix('L') {
                    Item::LastWeekday(self.weekday(day)?)
                } else if let Some((day, nth)) = text.split_once('#') {
                    let nth = self.number_within(nth, "the number after #", 1, 5)?;
                    Item::NthWeekday(self.weekday(day)?, nth)
                } else {
                    return Ok(None);
                }
            }
            Field::Second | Field::Minute | Field::Hour | Field::Month | Field::Year => {
                return Ok(None);
            }
        }))
    }

    /// `*`, a value or a range, in the order in which a step goes through it.
    fn range(self, text: &str, has_step: bool) -> Result<Vec<u16>, String> {
        let (least, greatest) = self.field.limits(self.dialect);
        if text == "*" {
            return Ok((least..=greatest).collect());
        }
        let Some((from, to)) = text.split_once('-') else {
            let value = self.value(text)?;
            return Ok((value..=if has_step { greatest } else { value }).collect());
        };

        let from = self.value(from)?;
        let to = match self.value(to)? {
            // A week that ends with Sunday.
            0 if to == "SUN" && from > 0 => 7,
            to => to,
        };
        match self.dialect {
            _ if from <= to => Ok((from..=to).collect()),
            Dialect::Quartz if self.field != Field::Year => {
                Ok((from..=greatest).chain(least..=to).collect())
            }
            Dialect::Quartz | Dialect::Vixie => Err(format!(
                "the range {text:?} ends before it begins; write it as two, with a comma"
            )),
        }
    }

    /// What stands behind an `H`: nothing or `(a-b)`, then perhaps a step.
    fn hashed(self, limits: &str, step: Option<u16>) -> Result<Vec<u16>, String> {
        let all = self
            .field
            .hash_limits(self.dialect)
            .ok_or_else(|| format!("H is not allowed here; allowed are {}", self.allowed()))?;
        let (least, greatest) = if limits.is_empty() {
            all
        } else {
            let range = limits.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let (from, to) = range
                .and_then(|range| range.split_once('-'))
                .ok_or_else(|| format!("\"H{limits}\" cannot be read; write H or H(a-b)"))?;
            let (from, to) = (self.value(from)?, self.value(to)?);
            if from > to {
                return Err(format!("the range of \"H{limits}\" ends before it begins"));
            }
            (from, to)
        };

        let values = greatest - least + 1;
        let choices = step.unwrap_or(values).min(values);
        let chosen = stable_hash::below(choices.into(), self.seed, self.field.name(), 0);
        let first = least + u16::try_from(chosen).expect("less than the number of choices");
        let last = if step.is_some() { greatest } else { first };
        Ok((first..=last).step_by(step.unwrap_or(1).into()).collect())
    }

    fn step(self, text: &str) -> Result<u16, String> {
        self.number_within(text, "the step", 1, self.field.greatest_step())
    }

    /// A number of the field, or a name for one.
    fn value(self, text: &str) -> Result<u16, String> {
        if let Some(number) = self.field.named(text, self.dialect) {
            return Ok(number);
        }
        let (least, greatest) = self.field.limits(self.dialect);
        number(text)
            .filter(|number| (least..=greatest).contains(number))
            .ok_or_else(|| format!("{text:?} is not allowed; allowed are {}", self.allowed()))
    }

    /// A day of the week, counted from Sunday.
    fn weekday(self, text: &str) -> Result<u16, String> {
        self.value(text).map(|day| self.as_inside(day))
    }

    /// The number that the search uses: weekdays are 0 to 6 there, others what they are.
    fn as_inside(self, number: u16) -> u16 {
        match (self.field, self.dialect) {
            (Field::DayOfWeek, Dialect::Vixie) => number % 7,
            (Field::DayOfWeek, Dialect::Quartz) => number - 1,
            _ => number,
        }
    }

    fn number_within(
        self,
        text: &str,
        what: &str,
        least: u16,
        greatest: u16,
    ) -> Result<u16, String> {
        number(text)
            .filter(|number| (least..=greatest).contains(number))
            .ok_or_else(|| format!("{what} is {text:?}; allowed is {least}-{greatest}"))
    }

    fn allowed(self) -> &'static str {
        self.field.allowed(self.dialect)
    }
}

/// A number of one to four digits.
fn number(text: &str) -> Option<u16> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}
