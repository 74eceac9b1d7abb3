//! Names and identifiers. Text becomes one of these where it enters, and is valid from then on.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::limits;

/// Identifies a task for ever. Version 7, so that tasks sort by the time of their submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub Uuid);

/// Identifies a worker's session. Random and secret: whoever knows it may report for the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub Uuid);

impl TaskId {
    /// Reads the 36-character form.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is required".to_owned());
        }
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => Ok(Self(id)),
            _ => Err("must be a task id: a UUID of 36 characters".to_owned()),
        }
    }
}

impl SessionId {
    /// Reads a session token.
    ///
    /// # Errors
    /// What is allowed instead; the text is not repeated, since it may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => Ok(Self(id)),
            _ if text.is_empty() => Err("is required".to_owned()),
            _ => Err("must be a session token as the server gave it".to_owned()),
        }
    }

    /// The token for the worker.
    pub fn token(self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first group tells sessions apart in a log without giving the secret away.
        write!(f, "SessionId({:08x}…)", self.0.as_fields().0)
    }
}

/// Defines a checked text type.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $longest:expr, $more:literal, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// What is allowed instead.
            pub fn parse(text: &str) -> Result<Self, String> {
                check_name(text, $longest, $more, $allowed)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A world of its own: tasks, queues and workers of one namespace never meet another's.
    Namespace, limits::NAME, b"._-", "`.`, `_`, `-`"
);
name!(
    /// Name of a queue.
    QueueName, limits::NAME, b"._-", "`.`, `_`, `-`"
);
name!(
    /// Name of a handler.
    Kind, limits::KIND, b"._-:/", "`.`, `_`, `-`, `:`, `/`"
);
name!(
    /// Version of a handler.
    Version, limits::NAME, b"._-", "`.`, `_`, `-`"
);

name!(
    /// Name of a schedule.
    ScheduleName, limits::KIND, b"._-:/", "`.`, `_`, `-`, `:`, `/`"
);

impl Namespace {
    /// Where requests go that name none.
    pub const DEFAULT: &str = "default";
}

impl QueueName {
    /// Where tasks go that name none.
    pub const DEFAULT: &str = "default";
}

fn check_name(text: &str, longest: usize, more: &[u8], allowed: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is required".to_owned());
    }
    let bytes = text.as_bytes();
    let valid = bytes.len() <= longest
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || more.contains(byte));
    if valid {
        return Ok(());
    }
    Err(format!(
        "must be 1 to {longest} characters, the first an ASCII letter or digit, the rest letters, \
         digits, {allowed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_what_the_limit_allows_and_nothing_more() {
        assert!(QueueName::parse(&"q".repeat(63)).is_ok());
        assert!(QueueName::parse("high_priority.v2-eu").is_ok());
        assert!(Kind::parse("billing/Invoices:send").is_ok());
        for bad in ["", ".a", "-a", "a b", "a\0", "ä", "a/b", "a\n", &"q".repeat(64)] {
            assert!(QueueName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_session_id_does_not_show_its_secret() {
        let id = SessionId(Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0));
        assert_eq!(format!("{id:?}"), "SessionId(12345678…)");
    }
}
