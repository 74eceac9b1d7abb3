//! A line of a crontab, taken apart. The rules are those of crontab(5); where crons differ, the
//! words of all of them are understood.

/// What a line of a crontab is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Empty, or a comment.
    Nothing,
    /// `NAME=value`.
    Variable(String, String),
    /// Times, and what to run at them.
    Entry(Entry<'a>),
    /// None of these, and why.
    Wrong(&'static str),
}

/// Times, and what to run at them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Five fields with one space between them, or a nickname.
    pub(super) times: String,
    /// Of a system crontab.
    pub(super) user: Option<&'a str>,
    /// Flags of BSD's crons before the command, without the dash.
    pub(super) flags: &'a str,
    /// As it was written.
    pub(super) command: &'a str,
    /// A dash before the line, by which some crons leave it out of the log.
    pub(super) is_quiet: bool,
}

/// Reads a line; system crontabs have a user before the command.
pub(super) fn read(line: &str, user_field: bool) -> Line<'_> {
    let text = line.trim_matches([' ', '\t', '\r']);
    if text.is_empty() || text.starts_with('#') {
        return Line::Nothing;
    }
    if let Some((name, value)) = variable(text) {
        return Line::Variable(name, value);
    }
    let (is_quiet, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let fields = if text.starts_with('@') { 1 } else { 5 };
    let mut rest = text;
    let mut times = Vec::with_capacity(fields);
    for _ in 0..fields {
        match word(rest) {
            Some((field, after)) => {
                times.push(field);
                rest = after;
            }
            None => return Line::Wrong("five fields of times are expected before a command"),
        }
    }
    let user = if user_field {
        let Some((user, after)) = word(rest) else {
            return Line::Wrong("a user is expected before the command: is this a system crontab?");
        };
        rest = after;
        Some(user)
    } else {
        None
    };
    let mut flags = "";
    while let Some((word, after)) = word(rest)
        && let Some(letters) = word.strip_prefix('-')
        && !letters.is_empty()
        && letters.bytes().all(|letter| b"nqs".contains(&letter))
    {
        flags = letters;
        rest = after;
    }
    if rest.is_empty() {
        return Line::Wrong("there is no command behind the times");
    }
    Line::Entry(Entry { times: times.join(" "), user, flags, command: rest, is_quiet })
}

/// The first word, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() {
        return None;
    }
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    Some((&text[..end], text[end..].trim_start_matches([' ', '\t'])))
}

/// `NAME=value`, either of them perhaps in quotes; what a value means is left as it is, for cron
/// replaces nothing in it.
fn variable(text: &str) -> Option<(String, String)> {
    let (name, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].split_once(quote)?,
        _ => {
            let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
            text.split_at(end)
        }
    };
    let value = rest.trim_start().strip_prefix('=')?.trim();
    if name.is_empty() {
        return None;
    }
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (value.len() >= 2).then_some(inner)
    });
    Some((name.to_owned(), quoted.unwrap_or(value).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str, user_field: bool) -> Entry<'_> {
        match read(line, user_field) {
            Line::Entry(entry) => entry,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_entry_has_times_and_a_command() {
        let found = entry("\t*/5  9-17 * *\tMON-FRI   /opt/sync --all  # not a comment", false);
        assert_eq!(found.times, "*/5 9-17 * * MON-FRI");
        assert_eq!(found.command, "/opt/sync --all  # not a comment");
        assert_eq!((found.user, found.flags, found.is_quiet), (None, "", false));
        assert_eq!(entry("@daily  run it", false).times, "@daily");
    }

    #[test]
    fn a_system_crontab_has_a_user_before_the_command() {
        let found = entry("17 * * * * root cd / && run-parts /etc/cron.hourly", true);
        assert_eq!(found.user, Some("root"));
        assert_eq!(found.command, "cd / && run-parts /etc/cron.hourly");
        assert!(matches!(read("17 * * * *", true), Line::Wrong(_)));
        assert!(matches!(read("17 * * * * root", true), Line::Wrong(_)));
    }

    #[test]
    fn variables_may_have_spaces_and_quotes_around_them() {
        let variable = |line| match read(line, false) {
            Line::Variable(name, value) => (name, value),
            other => panic!("{line}: {other:?}"),
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variable("MAILTO=ops@example.org"), pair("MAILTO", "ops@example.org"));
        assert_eq!(variable("PATH = /bin:/usr/bin  "), pair("PATH", "/bin:/usr/bin"));
        assert_eq!(variable("GREETING=\" hello  \""), pair("GREETING", " hello  "));
        assert_eq!(variable("'A B'='it''s'"), pair("A B", "it''s"));
        assert_eq!(variable("EMPTY="), pair("EMPTY", ""));
        assert_eq!(variable("X=\""), pair("X", "\""));
    }

    #[test]
    fn an_assignment_in_a_command_is_no_variable() {
        assert_eq!(entry("0 5 * * * LANG=C /opt/report", false).command, "LANG=C /opt/report");
        assert_eq!(entry("@hourly A=b run", false).command, "A=b run");
    }

    #[test]
    fn flags_of_other_crons_are_understood() {
        let found = entry("* * * * * -ns /opt/poll -v", false);
        assert_eq!((found.flags, found.command), ("ns", "/opt/poll -v"));
        let quiet = entry("-*/15 * * * * /opt/poll", false);
        assert!(quiet.is_quiet && quiet.times == "*/15 * * * *");
        assert_eq!(entry("* * * * * -x", false).command, "-x");
    }

    #[test]
    fn what_is_nothing_is_passed_over_and_what_is_wrong_is_told() {
        for nothing in ["", "   ", "# m h dom mon dow", "\t# x"] {
            assert_eq!(read(nothing, false), Line::Nothing, "{nothing:?}");
        }
        for wrong in ["1 2 3", "* * * * *", "@daily", "hello"] {
            assert!(matches!(read(wrong, false), Line::Wrong(_)), "{wrong:?}");
        }
    }
}
