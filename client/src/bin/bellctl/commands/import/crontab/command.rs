//! The command of an entry: what runs, what it reads, and what to call it.

/// A command as cron hands it to the shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// What the shell is given.
    pub(super) script: String,
    /// What stands behind the first `%`, with a line end at its end.
    pub(super) stdin: Option<String>,
}

/// Resolves `%`: the first one ends the command and begins its input, in which every further one is
/// a line end; `\%` is a plain one.
pub(super) fn resolve(text: &str) -> Command {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&'%').is_some() => push(&mut parts, '%'),
            '%' if parts.len() == 1 => parts.push(String::new()),
            '%' => push(&mut parts, '\n'),
            _ => push(&mut parts, c),
        }
    }
    let stdin = (parts.len() > 1).then(|| parts.pop()).flatten().map(|mut stdin| {
        if !stdin.ends_with('\n') {
            stdin.push('\n');
        }
        stdin
    });
    let script = parts.pop().unwrap_or_default();
    Command { script: script.trim_end().to_owned(), stdin }
}

fn push(parts: &mut [String], c: char) {
    if let Some(part) = parts.last_mut() {
        part.push(c);
    }
}

/// Programs that run another one, whose name says more.
const WRAPPERS: [&str; 17] = [
    "sudo", "env", "nice", "ionice", "chronic", "exec", "timeout", "flock", "sh", "bash", "nohup",
    "time", "command", "then", "if", "setsid", "python3",
];

/// Programs that only prepare what comes next.
const PREPARERS: [&str; 6] = ["cd", "test", "[", ".", "source", "export"];

/// What people would call a command: the name of the program that does the work.
pub(super) fn name(script: &str) -> String {
    let parts = script.split(['&', ';', '|', '\n']).filter(|part| !part.trim().is_empty());
    let mut fallback = None;
    for part in parts {
        let words =
            part.split_whitespace().map(|word| word.trim_matches(['(', ')', '{', '}', '"', '\'']));
        let mut words = words.filter(|word| !word.is_empty() && !is_assignment(word)).peekable();
        let Some(first) = words.peek().map(|word| base(word)) else { continue };
        if PREPARERS.contains(&first) {
            continue;
        }
        let is_aside = |word: &str| {
            word.starts_with('-')
                || word.ends_with(".lock")
                || word.starts_with(|c: char| c.is_ascii_digit())
        };
        let found = words.find(|word| !WRAPPERS.contains(&base(word)) && !is_aside(word));
        if let Some(found) = found {
            return base(found).to_owned();
        }
        fallback.get_or_insert_with(|| first.to_owned());
    }
    fallback.unwrap_or_else(|| "job".to_owned())
}

fn is_assignment(word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_name))
}

fn base(word: &str) -> &str {
    word.trim_end_matches('/').rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_begins_the_input() {
        let mail = resolve("mail -s report ops%Dear all,%%see you%");
        assert_eq!(mail.script, "mail -s report ops");
        assert_eq!(mail.stdin.as_deref(), Some("Dear all,\n\nsee you\n"));
        assert_eq!(resolve("cat%").stdin.as_deref(), Some("\n"));
        assert_eq!(resolve("cat%x").stdin.as_deref(), Some("x\n"));
    }

    #[test]
    fn an_escaped_percent_sign_is_a_plain_one() {
        let date = resolve(r"echo $(date +\%F) \\ \n > /tmp/x");
        assert_eq!(date.script, r"echo $(date +%F) \\ \n > /tmp/x");
        assert_eq!(date.stdin, None);
        assert_eq!(resolve(r"cat%100\%").stdin.as_deref(), Some("100%\n"));
    }

    #[test]
    fn a_command_is_called_by_the_program_that_does_the_work() {
        for (script, expected) in [
            ("/usr/local/bin/backup.sh --full", "backup.sh"),
            ("cd /srv/app && ./bin/report daily > /dev/null 2>&1", "report"),
            (
                "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
                "run-parts",
            ),
            ("LANG=C sudo -n /opt/sync", "sync"),
            ("/usr/bin/flock -n /run/poll.lock nice -n 10 /opt/poll", "poll"),
            ("timeout 300 curl -s http://localhost/x", "curl"),
            ("bash -c 'do-it now'", "do-it"),
            ("cd /srv", "job"),
            ("bash", "bash"),
            ("", "job"),
        ] {
            assert_eq!(name(script), expected, "{script}");
        }
    }
}
