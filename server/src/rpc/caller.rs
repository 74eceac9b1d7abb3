//! Who calls, as handlers see it. There is no other way from the text of a request to a namespace than
//! through [`Caller`], so that no handler can forget to ask whether the caller may go there.

use std::sync::Arc;

use tonic::{Request, Status};

use super::convert::task::Payloads;
use super::quotas::Quotas;
use crate::access::{Permission, Principal, Refused, Rule};
use crate::act::Act;
use crate::domain::{Grant, Namespace, QueueName, Scope};
use crate::engine::Error;
use crate::store::Decision;

/// A namespace that the caller may go to, or what is wrong with the text of it.
pub(crate) type Claim = Result<Namespace, String>;

/// Who calls which method. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    principal: Principal,
    permission: &'static Permission,
    act: Arc<Act>,
    refused: Refused,
    quotas: Arc<Quotas>,
}

/// Takes a request apart.
///
/// # Errors
/// If it has not come through the gate.
pub(super) fn enter<T>(request: Request<T>) -> Result<(Caller, T), Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| Status::from(Error::Unauthenticated))?;
    Ok((caller, request.into_inner()))
}

impl Caller {
    pub(super) fn new(
        principal: Principal,
        permission: &'static Permission,
        act: Arc<Act>,
        refused: Refused,
        quotas: Arc<Quotas>,
    ) -> Self {
        Self { principal, permission, act, refused, quotas }
    }

    /// What is written down with what this call changes; `None`: nothing is.
    pub(super) fn act(&self) -> Option<Arc<Act>> {
        self.permission.is_audited().then(|| self.act.clone())
    }

    /// Who it is.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The namespace of a request; empty means the default.
    ///
    /// # Errors
    /// If the caller may not call this method there, whether it exists or not; or too many calls go there.
    pub(crate) fn namespace(&self, text: &str) -> Result<Claim, Error> {
        let text = if text.is_empty() { Namespace::DEFAULT } else { text };
        let Ok(namespace) = Namespace::parse(text) else {
            return Ok(Err(Namespace::parse(text).err().unwrap_or_default()));
        };
        self.may(&Scope::One(namespace.clone()))?;
        self.quotas.namespace(&namespace)?;
        Ok(Ok(namespace))
    }

    /// The namespace of a request, or all of them; empty means the default.
    ///
    /// # Errors
    /// As [`namespace`](Self::namespace).
    pub(super) fn scope(&self, text: &str) -> Result<Result<Scope, String>, Error> {
        if text == Scope::EVERY {
            self.may(&Scope::Every)?;
            return Ok(Ok(Scope::Every));
        }
        Ok(self.namespace(text)?.map(Scope::One))
    }

    /// Whether this is a method about the service as a whole; the gate has asked for an operator.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn service(&self) -> Result<(), Error> {
        match self.permission.rule {
            Rule::Service | Rule::Authenticated => Ok(()),
            _ => Err(Error::PermissionDenied),
        }
    }

    /// Whether a worker may take tasks from these queues of a namespace.
    ///
    /// # Errors
    /// If not from all of them.
    pub(super) fn check_queues(
        &self,
        namespace: &Namespace,
        queues: &[QueueName],
    ) -> Result<(), Error> {
        let allowed = self.principal.queues(self.permission, namespace);
        let all = queues.iter().all(|queue| allowed.contains(queue));
        if all { Ok(()) } else { Err(self.denied()) }
    }

    /// Whether it is shown payloads and results of a namespace.
    pub(super) fn payloads(&self, namespace: &Namespace) -> Payloads {
        if self.principal.sees_payloads(self.permission, namespace) {
            Payloads::Shown
        } else {
            Payloads::Hidden
        }
    }

    /// Whether it may give somebody else these grants.
    ///
    /// # Errors
    /// If it could not do all of that itself.
    pub(super) fn check_gift(&self, grants: &[Grant]) -> Result<(), Error> {
        let all = grants.iter().all(|grant| self.principal.could_give(grant));
        if all { Ok(()) } else { Err(self.denied()) }
    }

    /// Waits until the caller is nobody any more: the credential was revoked, or has expired.
    pub(super) async fn ended(&self) -> Error {
        self.principal.ended().await;
        Error::Unauthenticated
    }

    fn may(&self, scope: &Scope) -> Result<(), Error> {
        // A stream may name one only once, and so may any other call.
        self.act.namespace.set(scope.as_str().to_owned()).ok();
        if self.principal.may(self.permission, scope) { Ok(()) } else { Err(self.denied()) }
    }

    fn denied(&self) -> Error {
        self.refused.note(self.act.clone(), Decision::Denied);
        Error::PermissionDenied
    }
}
