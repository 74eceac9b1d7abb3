//! What is to be known about the schedule of an entry.

use super::{
    super::plan::{Level, Note},
    line::Entry,
    translate::Surroundings,
};

/// In what a schedule differs from its entry, and what was done so that it does not.
pub(super) fn notes(
    line: usize,
    entry: &Entry<'_>,
    around: &Surroundings,
    remark: Option<&str>,
    has_input: bool,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut add = |level, text: &str| notes.push(Note::new(line, level, text));
    if let Some(remark) = remark {
        add(Level::Differs, remark);
    }
    if has_input {
        add(Level::Translated, "what stands behind % is given to the command as its input");
    }
    match around.mails_to.as_deref() {
        Some("") => {}
        to => add(
            Level::Differs,
            &format!(
                "no mail is sent (cron mails output to {}): output becomes the task's result, errors \
                 its error; see `bellctl result` and --on-failure-kind",
                to.unwrap_or("the user")
            ),
        ),
    }
    if let Some(user) = entry.user {
        let text = format!(
            "it runs as the user of the worker, not as {user}: the label cron-user={user} says so; \
             import entries of other users into a --queue of their own"
        );
        add(Level::Differs, &text);
    }
    let home = if around.environment.contains_key("HOME") { "" } else { "in its directory, " };
    add(
        Level::Differs,
        &format!(
            "it runs on the worker's machine, {home}with the worker's environment beside the \
             variables of the crontab"
        ),
    );
    let mut names = around.environment.keys().filter(|name| !is_common(name)).peekable();
    if names.peek().is_some() {
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        add(
            Level::Differs,
            &format!("variables stand in the payload, for all who may read it: {names}"),
        );
    }
    if entry.flags.contains('n') || entry.flags.contains('q') || entry.is_quiet {
        add(
            Level::NotImported,
            "flags for mail and log (-n, -q, a dash before the line) say nothing here",
        );
    }
    if entry.flags.contains('s') {
        add(Level::Translated, "flag -s (one at a time) becomes overlap skip");
    } else {
        add(
            Level::Translated,
            "as with cron it starts while an earlier run goes on: overlap allow",
        );
    }
    add(Level::Translated, "as with cron times missed while nothing runs are lost: misfire skip");
    add(Level::Translated, "clock changes do to it what Debian's cron does: see crontab(5)");
    add(Level::Translated, "as with cron a failure is not tried again: one attempt");
    notes
}

/// Variables that tell nothing.
fn is_common(name: &str) -> bool {
    matches!(name, "PATH" | "HOME" | "LANG" | "LC_ALL" | "TZ" | "LOGNAME" | "USER")
}
