//! Colour on the terminal, and protection from what tasks may write there.

use bellringer_api::v1::TaskState;

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    /// Whether to colour.
    pub(crate) on: bool,
}

impl Paint {
    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.code("31", text)
    }

    /// The word for a state in the state's colour.
    pub(crate) fn state(self, state: TaskState) -> String {
        self.code(state_code(state), state_word(state))
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn state_code(state: TaskState) -> &'static str {
    match state {
        TaskState::Succeeded => "32",
        TaskState::Failed => "31",
        TaskState::Running => "36",
        TaskState::Retrying | TaskState::Expired => "33",
        TaskState::Cancelled => "35",
        TaskState::Unspecified | TaskState::Scheduled | TaskState::Ready => "0",
    }
}

/// The word for a state.
pub(crate) fn state_word(state: TaskState) -> &'static str {
    match state {
        TaskState::Unspecified => "unknown",
        TaskState::Scheduled => "scheduled",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Retrying => "retrying",
        TaskState::Succeeded => "succeeded",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
        TaskState::Expired => "expired",
    }
}

/// Foreign text on one line: control characters, which could move the cursor or retitle the
/// terminal, become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect()
}

/// Foreign text that may have several lines: line ends and tabs stay, other control characters go.
pub(crate) fn lines(text: &str) -> String {
    text.chars().filter(|&c| c == '\n' || c == '\t' || !is_unsafe(c)).collect()
}

/// At most `limit` characters of `text` on one line, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= limit {
        return text;
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Control characters, and those that turn the direction of writing around.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_can_be_off() {
        assert_eq!(Paint { on: false }.state(TaskState::Failed), "failed");
        assert_eq!(Paint { on: true }.state(TaskState::Failed), "\x1b[31mfailed\x1b[0m");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\x1b[2Jb\r\nc"), "a [2Jb  c");
        assert_eq!(lines("a\x1b[2J\n\tb\u{202e}"), "a[2J\n\tb");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
