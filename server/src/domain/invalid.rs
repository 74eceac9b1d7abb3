//! What a caller wrote wrong: all of it, not just the first.

use std::fmt;

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field as in the protobuf, for example `task.labels`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub why: String,
}

/// At least one violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// A single violation.
    pub fn one(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self(vec![Violation { field: field.into(), why: why.into() }])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.field, violation.why)?;
        }
        Ok(())
    }
}

/// Collects violations while a request is read.
#[derive(Debug, Default)]
pub struct Checker {
    prefix: String,
    found: Vec<Violation>,
}

impl Checker {
    /// A checker whose fields are all below `prefix`.
    pub fn below(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), found: Vec::new() }
    }

    /// Notes that `field` is wrong.
    pub fn refuse(&mut self, field: &str, why: impl Into<String>) {
        let field = if self.prefix.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.prefix)
        };
        self.found.push(Violation { field, why: why.into() });
    }

    /// Unwraps a parsed field, or notes why it could not be parsed and yields `None`.
    pub fn field<T>(&mut self, field: &str, parsed: Result<T, String>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(why) => {
                self.refuse(field, why);
                None
            }
        }
    }

    /// Takes over the violations of a part of the request.
    pub fn part<T>(&mut self, parsed: Result<T, Violations>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(violations) => {
                self.found.extend(violations.0);
                None
            }
        }
    }

    /// `Ok` if nothing was noted.
    pub fn finish(self) -> Result<(), Violations> {
        if self.found.is_empty() { Ok(()) } else { Err(Violations(self.found)) }
    }
}
