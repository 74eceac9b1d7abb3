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

/// Violations that are told: an answer has to fit into the headers of HTTP/2, 16 KiB with most clients.
const MOST: usize = 16;
/// Longest field and explanation that are told, in bytes.
const LONGEST: usize = 300;

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
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
        self.add(Violation { field: cut(field), why: cut(why.into()) });
    }

    fn add(&mut self, violation: Violation) {
        if self.found.len() < MOST && !self.found.contains(&violation) {
            self.found.push(violation);
        }
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
                for violation in violations.0 {
                    self.add(violation);
                }
                None
            }
        }
    }

    /// `Ok` if nothing was noted.
    pub fn finish(self) -> Result<(), Violations> {
        if self.found.is_empty() { Ok(()) } else { Err(Violations(self.found)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_bounded_whatever_a_caller_sends() {
        let mut check = Checker::default();
        for index in 0..20_000 {
            check.refuse(&format!("items[{index}]"), "ä".repeat(10_000));
        }
        let violations = check.finish().unwrap_err();
        assert_eq!(violations.iter().count(), MOST);
        assert!(violations.iter().all(|one| one.why.len() <= LONGEST + '…'.len_utf8()));
    }
}
