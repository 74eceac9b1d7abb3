//! Who calls: one or more identities that were proved, and what all of them allow.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::permission::{Permission, Rule};
use crate::clock::{Clock as _, SystemClock};
use crate::domain::{Grant, Namespace, QueueName, Role, Scope};

/// Who calls. Cheap to clone; the layer of the edge puts it into the extensions of every request.
#[derive(Debug, Clone)]
pub struct Principal(Arc<[Arc<Identity>]>);

/// Somebody who was proved by one credential.
#[derive(Debug)]
pub struct Identity {
    /// `key:ID`, `jwt:SUBJECT`, `cert:URI`, or `anyone`.
    pub name: String,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Cancelled when the credential is revoked.
    pub revoked: CancellationToken,
}

/// Which queues a caller may take tasks from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queues {
    /// Every one.
    All,
    /// These.
    Only(Vec<QueueName>),
}

impl Queues {
    /// Whether it is one of them.
    pub fn contains(&self, queue: &QueueName) -> bool {
        match self {
            Self::All => true,
            Self::Only(queues) => queues.contains(queue),
        }
    }
}

impl Principal {
    /// Name of whoever calls a service that asks nobody who they are.
    pub const ANYONE: &str = "anyone";

    /// Somebody with these identities, at least one: what all of them allow is allowed.
    pub(super) fn new(identities: Vec<Arc<Identity>>) -> Self {
        Self(identities.into())
    }

    /// Whoever calls a service that asks nobody who they are: everything is allowed.
    pub fn anyone() -> Self {
        let grants = vec![Grant { role: Role::Operator, scope: Scope::Every, queues: Vec::new() }];
        Self::new(vec![Arc::new(Identity {
            name: Self::ANYONE.to_owned(),
            grants,
            expires_at: None,
            revoked: CancellationToken::new(),
        })])
    }

    /// Who it is, for the audit log and for counting: the same for the same credential.
    pub fn name(&self) -> String {
        self.0.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join("+")
    }

    /// What was proved.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.0.iter().map(|one| &**one)
    }

    /// When the first of the credentials ends by itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.identities().filter_map(|one| one.expires_at).min()
    }

    /// Whether it may call a method anywhere at all.
    pub fn may_call(&self, permission: &Permission) -> bool {
        match permission.rule {
            Rule::Namespace { .. } => self.all(|grant| permission.allows(grant.role)),
            Rule::Service => self.may(permission, &Scope::Every),
            Rule::Authenticated | Rule::Public | Rule::Reflection => true,
        }
    }

    /// Whether it may call a method for a namespace, or for all of them.
    pub fn may(&self, permission: &Permission, scope: &Scope) -> bool {
        self.all(|grant| permission.allows(grant.role) && grant.scope.includes(scope))
    }

    /// Whether a method shows it the payloads and results of a namespace.
    pub fn sees_payloads(&self, permission: &Permission, namespace: &Namespace) -> bool {
        self.all(|grant| permission.shows_payloads(grant.role) && grant.scope.covers(namespace))
    }

    /// Queues of a namespace that a method may take tasks from.
    pub fn queues(&self, permission: &Permission, namespace: &Namespace) -> Queues {
        let mut allowed = Queues::All;
        for identity in self.identities() {
            let grants = || {
                let holds =
                    |grant: &&Grant| permission.allows(grant.role) && grant.scope.covers(namespace);
                identity.grants.iter().filter(holds)
            };
            if grants().any(|grant| grant.queues.is_empty()) {
                continue;
            }
            let queues = grants().flat_map(|grant| grant.queues.iter().cloned());
            allowed = Queues::Only(queues.filter(|queue| allowed.contains(queue)).collect());
        }
        allowed
    }

    /// Whether it could do everything that a grant allows.
    pub fn could_give(&self, given: &Grant) -> bool {
        self.all(|grant| grant.includes(given))
    }

    /// Waits until one of the credentials has ended: was revoked, or has expired. Cancel safe.
    pub async fn ended(&self) {
        let all = self.0.iter().map(|one| Box::pin(one.ended()));
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(all).await;
    }

    /// Whether each identity has a grant like this.
    fn all(&self, is_good: impl Fn(&Grant) -> bool) -> bool {
        !self.0.is_empty() && self.identities().all(|one| one.grants.iter().any(&is_good))
    }
}

impl Identity {
    async fn ended(&self) {
        /// Looked at again at least this often, since the clock may be set.
        const LONGEST_SLEEP: Duration = Duration::from_secs(10);
        loop {
            let left = match self.expires_at {
                None => LONGEST_SLEEP,
                Some(end) => {
                    let left = Duration::try_from(end.duration_since(SystemClock.now()));
                    match left {
                        Ok(left) if !left.is_zero() => left.min(LONGEST_SLEEP),
                        _ => return,
                    }
                }
            };
            tokio::select! {
                () = self.revoked.cancelled() => return,
                () = tokio::time::sleep(left) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(identities: &[&[&str]]) -> Principal {
        let identity = |grants: &&[&str]| {
            Arc::new(Identity {
                name: "somebody".to_owned(),
                grants: grants.iter().map(|text| Grant::parse(text).unwrap()).collect(),
                expires_at: None,
                revoked: CancellationToken::new(),
            })
        };
        Principal::new(identities.iter().map(identity).collect())
    }

    fn queue(name: &str) -> QueueName {
        QueueName::parse(name).unwrap()
    }

    #[test]
    fn with_two_credentials_only_what_both_allow_is_allowed() {
        let submit = Permission::of("bellringer.v1.TaskService/Submit").unwrap();
        let get = Permission::of("bellringer.v1.TaskService/Get").unwrap();
        let acme = Namespace::parse("acme").unwrap();
        let both = principal(&[&["submitter@acme"], &["viewer@*"]]);
        assert!(!both.may(submit, &Scope::One(acme.clone())));
        assert!(both.may(get, &Scope::One(acme.clone())) && !both.sees_payloads(get, &acme));
        let one = principal(&[&["submitter@acme", "viewer@*"]]);
        assert!(one.may(submit, &Scope::One(acme.clone())) && one.sees_payloads(get, &acme));
        assert!(!one.may(submit, &Scope::Every));
        assert!(!Principal::new(Vec::new()).may(get, &Scope::One(acme)));
    }

    #[test]
    fn a_worker_is_kept_to_its_queues() {
        let work = Permission::of("bellringer.v1.WorkerService/Work").unwrap();
        let acme = Namespace::parse("acme").unwrap();
        let one = principal(&[&["worker@acme/mail", "worker@acme/reports"]]);
        assert!(one.queues(work, &acme).contains(&queue("reports")));
        assert!(!one.queues(work, &acme).contains(&queue("other")));
        let both = principal(&[&["worker@acme/mail,reports"], &["worker@acme/mail"]]);
        assert_eq!(both.queues(work, &acme), Queues::Only(vec![queue("mail")]));
        let admin = principal(&[&["worker@acme/mail", "ns-admin@acme"]]);
        assert_eq!(admin.queues(work, &acme), Queues::All);
    }
}
