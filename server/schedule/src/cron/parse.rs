//! Reads cron expressions.
//!
//! Fields are separated by blanks. A field is a list of items, separated by commas: `*`, a value, a
//! range `a-b`, each with a step `/n` (a step after a single value goes on to the end), and:
//!
//! - names of months and weekdays, in any case;
//! - day of month `L` (last), `L-3`, `LW` (last from Monday to Friday), `15W` (the day from Monday to
//!   Friday that is nearest, in the same month; none in a month without that day);
//! - day of week `5L` (the last one in the month), `5#2` (the second one);
//! - `H`, `H(a-b)`, `H/n`, `H(a-b)/n`: values that depend on the seed, so that schedules with equal
//!   expressions do not all fire at once. `H` alone chooses a day of the month from 1 to 28;
//! - `?` in one of the day fields: any. Vixie has it as another `*`, Quartz needs it exactly once.
//!
//! A step may be as large as the number of values of its field, no larger: `*/90` would not mean what
//! it says. Ranges wrap around (`FRI-MON`, `22-2`) in Quartz only, and not for years.

use crate::spec::{Dialect, Trigger};

use super::{
    Cron, Times, Years,
    days::{Combination, Days, MonthDays, WeekDays},
    field::Field,
    item::{Item, Reader},
};

impl Cron {
    /// Reads an expression; `seed` decides what `H` stands for.
    ///
    /// # Errors
    /// What is wrong with it and what is allowed; if several fields are wrong, all of them.
    pub(crate) fn parse(expression: &str, dialect: Dialect, seed: &str) -> Result<Self, String> {
        let upper = expand(expression)?;
        // Nicknames stand for expressions of Vixie, whoever uses them.
        let is_nickname = expression.trim_ascii_start().starts_with('@');
        let dialect = if is_nickname { Dialect::Vixie } else { dialect };
        let texts: Vec<&str> = upper.split_ascii_whitespace().collect();
        let texts = in_order(&texts, dialect)?;
        check_question_marks(&texts, dialect)?;

        let mut problems = Vec::new();
        let mut read = |field: Field, text: &str| {
            read_field(Reader { field, dialect, seed }, text).unwrap_or_else(|problem| {
                problems.push(format!("{} {text:?}: {problem}", field.name()));
                Vec::new()
            })
        };
        let seconds = bits(&read(Field::Second, texts.second));
        let minutes = bits(&read(Field::Minute, texts.minute));
        let hours = bits(&read(Field::Hour, texts.hour));
        let of_month = month_days(&read(Field::DayOfMonth, texts.day_of_month));
        let months = bits(&read(Field::Month, texts.month));
        let of_week = week_days(&read(Field::DayOfWeek, texts.day_of_week));
        let years = match texts.year {
            "*" => Years::Any,
            text => years(&read(Field::Year, text)),
        };
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }

        let is_either = dialect == Dialect::Vixie
            && !is_star(texts.day_of_month)
            && !is_star(texts.day_of_week);
        let combination = if is_either { Combination::Either } else { Combination::Both };
        Ok(Self {
            times: Times { seconds, minutes, hours },
            days: Days { of_month, of_week, combination },
            months,
            years,
            is_wild: [texts.second, texts.minute, texts.hour].into_iter().any(is_star),
        })
    }
}

/// The text of each field.
struct Texts<'a> {
    second: &'a str,
    minute: &'a str,
    hour: &'a str,
    day_of_month: &'a str,
    month: &'a str,
    day_of_week: &'a str,
    year: &'a str,
}

/// The expression in upper case, with a nickname replaced by what it stands for.
fn expand(expression: &str) -> Result<String, String> {
    if expression.len() > Trigger::MAX_EXPRESSION {
        let (length, most) = (expression.len(), Trigger::MAX_EXPRESSION);
        return Err(format!("has {length} bytes; allowed are up to {most}"));
    }
    let upper = expression.trim_ascii().to_ascii_uppercase();
    if upper.starts_with("TZ=") || upper.starts_with("CRON_TZ=") {
        return Err("a time zone is not allowed here; set it in the field zone".into());
    }
    if !upper.starts_with('@') {
        return Ok(upper);
    }
    let fields = match upper.as_str() {
        "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *",
        "@MONTHLY" => "0 0 1 * *",
        "@WEEKLY" => "0 0 * * 0",
        "@DAILY" | "@MIDNIGHT" => "0 0 * * *",
        "@HOURLY" => "0 * * * *",
        "@REBOOT" => {
            return Err(
                "@reboot is not a time: a schedule does not stop and start with a machine; \
                        submit a task when your program starts"
                    .into(),
            );
        }
        _ if upper.starts_with("@EVERY") => {
            return Err("@every is not cron; use an interval trigger".into());
        }
        _ => {
            return Err(format!(
                "unknown nickname {expression:?}; allowed are @yearly, @annually, @monthly, \
                 @weekly, @daily, @midnight and @hourly"
            ));
        }
    };
    Ok(fields.into())
}

/// Finds out which field is which, from their number.
fn in_order<'a>(texts: &[&'a str], dialect: Dialect) -> Result<Texts<'a>, String> {
    let (second, [minute, hour, day_of_month, month, day_of_week], year) = match *texts {
        [a, b, c, d, e] if dialect == Dialect::Vixie => ("0", [a, b, c, d, e], "*"),
        [second, a, b, c, d, e] => (second, [a, b, c, d, e], "*"),
        [second, a, b, c, d, e, year] => (second, [a, b, c, d, e], year),
        _ => return Err(wrong_number(texts.len(), dialect)),
    };
    Ok(Texts { second, minute, hour, day_of_month, month, day_of_week, year })
}

fn wrong_number(fields: usize, dialect: Dialect) -> String {
    let allowed = match dialect {
        Dialect::Vixie => {
            "5 (minute, hour, day of month, month, day of week), \
             6 with the second first, 7 with the second first and the year last"
        }
        Dialect::Quartz => {
            "6 (second, minute, hour, day of month, month, day of week), 7 with the year last"
        }
    };
    format!("has {fields} fields; allowed are {allowed}")
}

/// Quartz has `?` in exactly one of the day fields.
fn check_question_marks(texts: &Texts<'_>, dialect: Dialect) -> Result<(), String> {
    let are_any = (texts.day_of_month == "?", texts.day_of_week == "?");
    match (dialect, are_any) {
        (Dialect::Vixie, _) | (Dialect::Quartz, (true, false) | (false, true)) => Ok(()),
        (Dialect::Quartz, (false, false) | (true, true)) => Err(format!(
            "day of month is {:?} and day of week is {:?}; exactly one of them must be ? in this \
             dialect",
            texts.day_of_month, texts.day_of_week
        )),
    }
}

fn read_field(reader: Reader<'_>, text: &str) -> Result<Vec<Item>, String> {
    if text == "?" && matches!(reader.field, Field::DayOfMonth | Field::DayOfWeek) {
        return Ok(vec![reader.read("*")?]);
    }
    text.split(',').map(|item| reader.read(item)).collect()
}

/// Whether a field counts as a star: in Vixie that is the first character alone, so `*/2` and `*,5` do.
fn is_star(text: &str) -> bool {
    text.starts_with('*') || text.starts_with("H/") || text == "?"
}

fn bits(items: &[Item]) -> u64 {
    numbers(items).fold(0, |bits, number| bits | 1 << number)
}

fn years(items: &[Item]) -> Years {
    let mut years: Vec<i16> = numbers(items)
        .map(|year| i16::try_from(year).expect("the field's limits were checked"))
        .collect();
    years.sort_unstable();
    years.dedup();
    Years::Only(years)
}

fn numbers(items: &[Item]) -> impl Iterator<Item = u16> {
    let lists = items.iter().filter_map(|item| match item {
        Item::Numbers(numbers) => Some(numbers),
        Item::BeforeLast(_)
        | Item::LastWorkday
        | Item::NearestWorkday(_)
        | Item::LastWeekday(_)
        | Item::NthWeekday(..) => None,
    });
    lists.flatten().copied()
}

fn month_days(items: &[Item]) -> MonthDays {
    let mut days = MonthDays::default();
    for item in items {
        match item {
            Item::Numbers(numbers) => days.days |= set(numbers),
            Item::BeforeLast(back) => days.before_last |= 1 << back,
            Item::LastWorkday => days.last_workday = true,
            Item::NearestWorkday(day) => days.nearest_workday |= 1 << day,
            Item::LastWeekday(_) | Item::NthWeekday(..) => {}
        }
    }
    days
}

fn week_days(items: &[Item]) -> WeekDays {
    let mut days = WeekDays::default();
    for item in items {
        match item {
            Item::Numbers(numbers) => days.days |= set(numbers),
            Item::LastWeekday(day) => days.last |= 1 << day,
            Item::NthWeekday(day, nth) => days.nth[usize::from(nth - 1)] |= 1 << day,
            Item::BeforeLast(_) | Item::LastWorkday | Item::NearestWorkday(_) => {}
        }
    }
    days
}

fn set(numbers: &[u16]) -> u32 {
    numbers.iter().fold(0, |bits, number| bits | 1 << number)
}
