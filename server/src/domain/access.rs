//! Who may do what, as far as it needs no I/O: roles, and where they hold.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::{Namespace, QueueName};

/// What a caller may do in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Sees tasks, queues and schedules, without payloads and results.
    Viewer,
    /// Submits, cancels and retries tasks.
    Submitter,
    /// Runs tasks.
    Worker,
    /// Makes, changes and fires schedules.
    SchedulerEditor,
    /// Does everything in a namespace.
    NsAdmin,
    /// Does everything in every namespace, and runs the service.
    Operator,
}

impl Role {
    /// All roles, from the one that may do least.
    pub const ALL: [Self; 6] = [
        Self::Viewer,
        Self::Submitter,
        Self::Worker,
        Self::SchedulerEditor,
        Self::NsAdmin,
        Self::Operator,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Submitter => "submitter",
            Self::Worker => "worker",
            Self::SchedulerEditor => "scheduler-editor",
            Self::NsAdmin => "ns-admin",
            Self::Operator => "operator",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("\"{word}\" is no role: write one of {words}")
        })
    }
}

/// In which namespaces something holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In every one.
    Every,
    /// In this one.
    One(Namespace),
}

impl Scope {
    /// How [`Scope::Every`] is written. No namespace can have this name.
    pub const EVERY: &str = "*";

    /// Reads a namespace or `*`.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == Self::EVERY {
            return Ok(Self::Every);
        }
        Namespace::parse(text).map(Self::One)
    }

    /// The text for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Every => Self::EVERY,
            Self::One(namespace) => namespace.as_str(),
        }
    }

    /// Whether it holds in a namespace.
    pub fn covers(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Every => true,
            Self::One(one) => one == namespace,
        }
    }

    /// Whether it holds wherever `other` does.
    pub fn includes(&self, other: &Self) -> bool {
        *self == Self::Every || self == other
    }
}

/// A role and where it holds. Written `ROLE@NAMESPACE`, `worker@NAMESPACE/QUEUE,QUEUE`, or
/// `operator`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where it holds; always everywhere with [`Role::Operator`].
    pub scope: Scope,
    /// With [`Role::Worker`]: the only queues; empty: all.
    pub queues: Vec<QueueName>,
}

impl Grant {
    /// A grant, if its parts fit together.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn new(role: Role, scope: Scope, queues: Vec<QueueName>) -> Result<Self, String> {
        if role == Role::Operator && scope != Scope::Every {
            return Err("role operator holds in every namespace: use namespace *".to_owned());
        }
        if role != Role::Worker && !queues.is_empty() {
            return Err(format!("only role worker has queues, not {}", role.word()));
        }
        Ok(Self { role, scope, queues })
    }

    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (role, place) = match text.split_once('@') {
            Some((role, place)) => (role, Some(place)),
            None => (text, None),
        };
        let role = Role::parse(role)?;
        let Some(place) = place else {
            if role == Role::Operator {
                return Self::new(role, Scope::Every, Vec::new());
            }
            return Err(format!(
                "\"{text}\": write {}@NAMESPACE, or {}@*",
                role.word(),
                role.word()
            ));
        };
        let (namespace, queues) = place.split_once('/').unwrap_or((place, ""));
        let wrong = |why: String| format!("\"{text}\": {why}");
        let scope = Scope::parse(namespace).map_err(|why| wrong(format!("the namespace {why}")))?;
        let queues = queues.split(',').filter(|queue| !queue.is_empty());
        let queues = queues
            .map(QueueName::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| wrong(format!("a queue {why}")))?;
        Self::new(role, scope, queues).map_err(wrong)
    }

    /// Whether whoever has this grant could do everything that `other` allows.
    pub fn includes(&self, other: &Self) -> bool {
        let has_queues = self.queues.is_empty()
            || !other.queues.is_empty() && other.queues.iter().all(|q| self.queues.contains(q));
        let has_role = match self.role {
            Role::Operator => true,
            Role::NsAdmin => other.role != Role::Operator,
            role => role == other.role && has_queues,
        };
        has_role && self.scope.includes(&other.scope)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.role.word())?;
        if self.role != Role::Operator {
            write!(f, "@{}", self.scope.as_str())?;
        }
        for (index, queue) in self.queues.iter().enumerate() {
            write!(f, "{}{queue}", if index == 0 { "/" } else { "," })?;
        }
        Ok(())
    }
}

/// What is kept of the secret of an API key. It has 256 bits of chance, so that a slow hash would add nothing.
#[derive(Clone, Copy)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Whether both are of the same secret; takes as long if they are not.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_they_are_written() {
        for text in ["viewer@acme", "worker@acme/mail,reports", "ns-admin@*", "operator"] {
            assert_eq!(Grant::parse(text).unwrap().to_string(), text);
        }
        for (text, why) in [
            ("viewer", "viewer@NAMESPACE"),
            ("king@acme", "is no role"),
            ("operator@acme", "every namespace"),
            ("viewer@acme/mail", "only role worker"),
            ("viewer@%", "the namespace must be"),
            ("worker@acme/a b", "a queue must be"),
        ] {
            let error = Grant::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn nobody_can_give_more_than_they_have() {
        let includes = |held: &str, given: &str| {
            Grant::parse(held).unwrap().includes(&Grant::parse(given).unwrap())
        };
        assert!(includes("operator", "ns-admin@*"));
        assert!(includes("ns-admin@acme", "worker@acme/mail"));
        assert!(includes("worker@acme", "worker@acme/mail"));
        for (held, given) in [
            ("ns-admin@*", "operator"),
            ("ns-admin@acme", "viewer@*"),
            ("ns-admin@acme", "viewer@ACME"),
            ("submitter@acme", "viewer@acme"),
            ("worker@acme/mail", "worker@acme"),
            ("worker@acme/mail", "worker@acme/mail,reports"),
        ] {
            assert!(!includes(held, given), "{held} gives {given}");
        }
    }
}
