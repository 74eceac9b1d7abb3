//! The times of an entry, as a trigger.

use bellringer_api::v1::{CronDialect, CronTrigger, IntervalTrigger, trigger::Trigger as When};

/// What the times of an entry become.
#[derive(Debug, PartialEq)]
pub(super) enum Times {
    /// A trigger, and what was done to say the same.
    Trigger(When, Option<&'static str>),
    /// Nothing, and why.
    None(&'static str),
}

const RANDOM: &str = "a random time (~) becomes H: a time picked by a hash of the schedule's name, \
                      the same for ever, where cron picks anew when it reads the file";

/// Reads five fields, or a nickname.
pub(super) fn read(text: &str) -> Times {
    if text.starts_with('@') {
        return nickname(&text.to_ascii_lowercase());
    }
    if !text.contains('~') {
        return Times::Trigger(cron(text), None);
    }
    // Of the fields in their order; days are those that every month has, as with a bare H.
    let limits = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 6)];
    let fields: Option<Vec<_>> = text
        .split(' ')
        .zip(limits)
        .map(|(field, limits)| {
            let items: Option<Vec<_>> = field.split(',').map(|item| hashed(item, limits)).collect();
            items.map(|items| items.join(","))
        })
        .collect();
    match fields {
        Some(fields) => Times::Trigger(cron(&fields.join(" ")), Some(RANDOM)),
        None => Times::None("a random time (~) of it cannot be read; write it with H(a-b)"),
    }
}

/// `a~b` as `H(a-b)`; either end may be left out, and a step may follow.
fn hashed(item: &str, (least, greatest): (u8, u8)) -> Option<String> {
    let Some((from, to)) = item.split_once('~') else { return Some(item.to_owned()) };
    let (to, step) = match to.split_once('/') {
        Some((to, step)) => (to, format!("/{}", step.parse::<u8>().ok()?)),
        None => (to, String::new()),
    };
    if from.is_empty() && to.is_empty() {
        return Some(format!("H{step}"));
    }
    let from = if from.is_empty() { least } else { from.parse().ok()? };
    let to = if to.is_empty() { greatest } else { to.parse().ok()? };
    (from <= to).then(|| format!("H({from}-{to}){step}"))
}

fn nickname(name: &str) -> Times {
    match name {
        "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" => {
            Times::Trigger(cron(name), None)
        }
        "@every_minute" => Times::Trigger(cron("* * * * *"), None),
        "@every_second" => {
            let every = Some(prost_types::Duration { seconds: 1, nanos: 0 });
            Times::Trigger(When::Interval(IntervalTrigger { every, ..Default::default() }), None)
        }
        "@reboot" => Times::None(
            "@reboot is no time: a schedule does not start with a machine; have the machine's init \
             run it, or `bellctl submit`",
        ),
        _ if name[1..].parse::<u64>().is_ok() => Times::None(
            "seconds after the end of the last run are no time of a schedule; use `bellctl \
             schedule set --every`, which counts from start to start",
        ),
        _ => Times::None("there is no such nickname"),
    }
}

fn cron(expression: &str) -> When {
    let dialect = CronDialect::Vixie.into();
    When::Cron(CronTrigger { expression: expression.to_owned(), dialect })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> String {
        match read(text) {
            Times::Trigger(When::Cron(cron), _) => cron.expression,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn fields_and_nicknames_stay_as_they_are() {
        for text in ["*/5 9-17 * * MON-FRI", "0 0 1,15 * 7", "@daily", "@midnight"] {
            assert_eq!(expression(text), text);
        }
        assert_eq!(expression("@Daily"), "@daily");
        assert_eq!(expression("@every_minute"), "* * * * *");
    }

    #[test]
    fn random_times_become_hashed_ones() {
        assert_eq!(expression("0~29 3 * * *"), "H(0-29) 3 * * *");
        assert_eq!(expression("~ ~ * * *"), "H H * * *");
        assert_eq!(expression("30~ ~6 ~ * *"), "H(30-59) H(0-6) H * *");
        assert_eq!(expression("0~14/15,59 * * * *"), "H(0-14)/15,59 * * * *");
        assert!(matches!(read("30~10 * * * *"), Times::None(_)));
        assert!(matches!(read("a~b * * * *"), Times::None(_)));
        assert!(matches!(read("~ * * * *"), Times::Trigger(_, Some(_))));
    }

    #[test]
    fn what_is_no_time_says_why() {
        for (text, why) in [("@reboot", "init"), ("@900", "--every"), ("@fortnightly", "nickname")]
        {
            let Times::None(told) = read(text) else { panic!("{text}") };
            assert!(told.contains(why), "{told}");
        }
    }
}
