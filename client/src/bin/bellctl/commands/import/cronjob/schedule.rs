//! The schedule of a CronJob as a trigger. Kubernetes reads it with robfig/cron, which differs from
//! Vixie cron in when both day fields must match, and in what clock changes do.

use bellringer_api::v1::{CronDialect, CronTrigger, IntervalTrigger, trigger::Trigger as When};

/// What the text of a schedule means.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) trigger: When,
    /// From a prefix `TZ=` or `CRON_TZ=`.
    pub(super) zone: Option<String>,
    /// What was rewritten to say the same.
    pub(super) rewritten: Option<String>,
}

/// Reads it.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read(text: &str) -> Result<Read, String> {
    let text = text.trim();
    let prefix = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    let (zone, text) = match prefix.map(|rest| rest.split_once(char::is_whitespace)) {
        None => (None, text),
        Some(Some((zone, rest))) => (Some(zone.to_owned()), rest.trim()),
        Some(None) => return Err("there is nothing behind the time zone".to_owned()),
    };
    if let Some(every) = text.strip_prefix("@every ") {
        let seconds =
            go_seconds(every.trim()).ok_or_else(|| format!("{every:?} is no duration"))?;
        let every = Some(prost_types::Duration { seconds: seconds.max(1), nanos: 0 });
        let trigger = When::Interval(IntervalTrigger { every, anchor: None, phase: None });
        return Ok(Read { trigger, zone, rewritten: None });
    }
    if text.starts_with('@') {
        return Ok(Read { trigger: cron(text), zone, rewritten: None });
    }
    let fields: Vec<String> = text.split_whitespace().map(without_marks).collect();
    if fields.len() != 5 {
        return Err(format!("it has {} fields instead of 5", fields.len()));
    }
    let (expression, same_days) = days(fields);
    let rewritten = match (same_days, text.contains('?')) {
        (false, _) => Some(format!(
            "{text} is written as {expression}: robfig/cron fires if either day matches, where in a \
             crontab a day field that begins with * would make it both"
        )),
        (true, true) => Some(format!("{text} is written as {expression}")),
        (true, false) => None,
    };
    Ok(Read { trigger: cron(&expression), zone, rewritten })
}

fn cron(expression: &str) -> When {
    let dialect = CronDialect::Vixie.into();
    When::Cron(CronTrigger { expression: expression.to_owned(), dialect })
}

/// `?` is `*` there, and a list with a bare `*` is all of it.
fn without_marks(field: &str) -> String {
    let field = field.replace('?', "*");
    if field.split(',').any(|item| item == "*" || item == "*/1") { "*".to_owned() } else { field }
}

/// Makes the rule for two day fields the same: robfig/cron fires on either day if neither is a bare
/// `*`; a crontab if neither begins with `*`. True if they agreed.
fn days(mut fields: Vec<String>) -> (String, bool) {
    let [day, weekday] = [2, 4].map(|at| fields[at].as_str());
    let either = day != "*" && weekday != "*";
    let agrees = !either || !(day.starts_with('*') || weekday.starts_with('*'));
    if !agrees {
        for (at, all) in [(2, "1-31"), (4, "0-6")] {
            let items = fields[at].split(',').map(|item| match item.strip_prefix('*') {
                Some(step) => format!("{all}{step}"),
                None => item.to_owned(),
            });
            fields[at] = items.collect::<Vec<_>>().join(",");
        }
    }
    (fields.join(" "), agrees)
}

/// A duration of Go in whole seconds, as `1h30m` or `1.5h`; what is left of a second is dropped.
fn go_seconds(text: &str) -> Option<i64> {
    let mut nanos = 0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let units = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(units);
        let size = match unit {
            "h" => 3_600e9,
            "m" => 60e9,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        nanos += number.parse::<f64>().ok()? * size;
        rest = tail;
    }
    let seconds = std::time::Duration::try_from_secs_f64(nanos / 1e9).ok()?.as_secs();
    (!text.is_empty()).then(|| i64::try_from(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> String {
        match read(text).unwrap().trigger {
            When::Cron(cron) => cron.expression,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_schedules_stay_as_they_are() {
        for text in ["*/5 9-17 * * MON-FRI", "0 0 1,15 * 5", "0 0 */2 * *", "0 0 * * */2", "@daily"]
        {
            assert_eq!(expression(text), text);
            assert_eq!(read(text).unwrap().rewritten, None, "{text}");
        }
    }

    #[test]
    fn two_day_fields_match_as_they_do_there() {
        assert_eq!(expression("0 0 */2 * MON"), "0 0 1-31/2 * MON");
        assert_eq!(expression("0 0 1 * */2"), "0 0 1 * 0-6/2");
        assert_eq!(expression("0 0 */10,5 * */3"), "0 0 1-31/10,5 * 0-6/3");
        assert!(read("0 0 */2 * MON").unwrap().rewritten.unwrap().contains("either day"));
        assert_eq!(expression("0 0 1,* * MON"), "0 0 * * MON", "a list with * is all of it");
    }

    #[test]
    fn question_marks_are_stars() {
        assert_eq!(expression("0 0 ? * MON"), "0 0 * * MON");
        assert_eq!(expression("?/5 0 1 * ?"), "*/5 0 1 * *");
    }

    #[test]
    fn a_zone_may_stand_before_the_schedule() {
        let read = read("CRON_TZ=Asia/Tokyo 0 9 * * *").unwrap();
        assert_eq!(read.zone.as_deref(), Some("Asia/Tokyo"));
        assert_eq!(read.trigger, cron("0 9 * * *"));
        assert_eq!(super::read("TZ=UTC @daily").unwrap().zone.as_deref(), Some("UTC"));
        assert!(super::read("TZ=UTC").is_err());
    }

    #[test]
    fn every_becomes_an_interval() {
        let seconds = |text: &str| match read(text).map(|read| read.trigger) {
            Ok(When::Interval(interval)) => Some(interval.every.unwrap().seconds),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        assert_eq!(seconds("@every 1h30m"), Some(5_400));
        assert_eq!(seconds("@every 1.5h"), Some(5_400));
        assert_eq!(seconds("@every 90s500ms"), Some(90));
        assert_eq!(seconds("@every 10ms"), Some(1));
        for wrong in ["@every 5", "@every 5 days", "@every -5m", "@every h"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_wrong_number_of_fields_is_told() {
        assert!(read("0 0 * *").unwrap_err().contains("4 fields"));
        assert!(read("").unwrap_err().contains("0 fields"));
    }
}
