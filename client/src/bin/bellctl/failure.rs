//! What goes wrong, told in two lines: what it is, and what to do next.

use std::{fmt, io, time::Duration};

use crate::exit::Exit;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// When the server wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
    message: String,
    details: Vec<String>,
    next: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, retry_after: None, message: message.into(), details: Vec::new(), next: None }
    }

    /// The input is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Says what to do next.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds an indented line below the message.
    #[must_use]
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Puts `what` before the message: what was being done, and with what.
    #[must_use]
    pub(crate) fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Rewrites the message and every line below it.
    #[must_use]
    pub(crate) fn map_text(mut self, change: impl Fn(&str) -> String) -> Self {
        self.message = change(&self.message);
        self.details = self.details.iter().map(|line| change(line)).collect();
        self
    }

    /// What went wrong, on one line and without what to do next.
    pub(crate) fn summary(&self) -> String {
        let lines = std::iter::once(&self.message).chain(&self.details);
        lines.map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// Whether the same call can succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        self.exit == Exit::Unavailable
    }

    /// Whether there is nobody left to tell: the reader of our output has gone.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\nnext: {next}")?;
        }
        Ok(())
    }
}

impl From<io::Error> for Failure {
    /// A closed pipe is no error: whoever read our output has seen enough, as with `| head`.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, "");
        }
        Self::new(Exit::Other, error.to_string())
    }
}
