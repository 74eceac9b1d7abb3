//! The gate: every call passes it, once, before anything of its body is read. It finds out who calls
//! and whether they may call this method at all. In which namespace they may is decided where the
//! request is read, by the [`Caller`] that the gate leaves in the request. And it counts.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::request::Parts;
use tonic::codegen::http::{Request, Response};

use super::caller::Caller;
use super::quotas::{Quotas, StreamPlace, Who};
use super::shapes::{Shape, shape};
use crate::access::{Access, Permission, Principal, Refusal, Rule};
use crate::act::Act;
use crate::edge::{Peer, Source};
use crate::engine::Error;
use crate::store::Decision;

/// Puts the gate before services.
#[derive(Debug, Clone)]
pub(super) struct Gate(pub(super) Arc<Access>, pub(super) Arc<Quotas>);

/// Services behind the gate.
#[derive(Debug, Clone)]
pub(super) struct Gated<S> {
    access: Arc<Access>,
    quotas: Arc<Quotas>,
    inner: S,
}

impl<S> tower::Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { access: self.0.clone(), quotas: self.1.clone(), inner }
    }
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (access, quotas) = (self.access.clone(), self.quotas.clone());
        // The one that was polled is the one that is ready.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            // Of a call that waits; a stream takes its own along.
            let mut _place = None;
            match enter(&access, &quotas, &head).await {
                Ok(None) => {}
                Ok(Some((caller, place))) => {
                    let act = caller.act();
                    head.extensions.insert(caller.principal().clone());
                    head.extensions.insert(caller);
                    if let Some(place) = &place {
                        head.extensions.insert(place.clone());
                    }
                    _place = place;
                    if let Some(act) = act {
                        return crate::act::of(act, inner.call(Request::from_parts(head, body)))
                            .await;
                    }
                }
                Err(status) => return Ok(status.into_http()),
            }
            inner.call(Request::from_parts(head, body)).await
        })
    }
}

/// Who calls, with a place for what lasts; `None` for methods that ask nobody.
async fn enter(
    access: &Access,
    quotas: &Arc<Quotas>,
    head: &Parts,
) -> Result<Option<(Caller, Option<StreamPlace>)>, Status> {
    let peer = head.extensions.get::<Peer>();
    let address = peer.map(|peer| peer.address.ip());
    let source = Source::from(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let permission = Permission::of(head.uri.path().trim_start_matches('/'));
    let is_public = match permission.map(|permission| permission.rule) {
        Some(Rule::Public) => true,
        Some(Rule::Reflection) => access.has_reflection(),
        _ => false,
    };
    if is_public {
        quotas.stranger(source)?;
        return Ok(None);
    }
    quotas.knock(source)?;
    let authorization: Vec<&[u8]> =
        head.headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes()).collect();
    let act = |principal: String| Act {
        principal,
        source: peer.map(|peer| peer.address.to_string()).unwrap_or_default(),
        method: permission.map(|permission| permission.method).unwrap_or_default().to_owned(),
        namespace: OnceLock::new(),
    };
    let certificate = peer.and_then(|peer| peer.certificate.as_deref());
    let principal = match access.authenticate(&authorization, certificate).await {
        Ok(principal) => principal,
        Err(Refusal::Unavailable) => return Err(Error::StoreUnavailable.into()),
        Err(Refusal::Unauthenticated) => {
            quotas.failed(source);
            access.refused().note(Arc::new(act(String::new())), Decision::Unauthenticated);
            return Err(Error::Unauthenticated.into());
        }
    };
    // Also one that is served: nobody comes to a method without an entry in the table.
    let permission = permission.ok_or_else(|| Status::unimplemented("there is no such method"))?;
    let act = Arc::new(act(principal.name()));
    if !is_allowed(&principal, permission) {
        access.refused().note(act, Decision::Denied);
        return Err(Error::PermissionDenied.into());
    }
    let who = match principal.name() {
        name if name == Principal::ANYONE => Who::From(source),
        name => Who::Caller(name.into()),
    };
    quotas.call(&who)?;
    let place = match (shape(head.uri.path()), who) {
        (Shape::Long(_) | Shape::Stream, who @ Who::Caller(_)) => Some(quotas.stream(who)?),
        // An address may be that of somebody who connects for everybody.
        (Shape::Unary, _) | (_, Who::From(_)) => None,
    };
    let refused = access.refused().clone();
    Ok(Some((Caller::new(principal, permission, act, refused, quotas.clone()), place)))
}

fn is_allowed(principal: &Principal, permission: &Permission) -> bool {
    // What is public was let through above, unless a setting says that nobody may.
    !matches!(permission.rule, Rule::Public | Rule::Reflection) && principal.may_call(permission)
}
