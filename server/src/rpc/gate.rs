//! The gate: every call passes it, once, before anything of its body is read. It finds out who calls
//! and whether they may call this method at all. In which namespace they may is decided where the
//! request is read, by the [`Caller`] that the gate leaves in the request.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::request::Parts;
use tonic::codegen::http::{Extensions, Request, Response};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::caller::Caller;
use crate::access::{Access, Permission, Principal, Refusal, Rule};
use crate::act::Act;
use crate::engine::Error;
use crate::store::Decision;

/// Puts the gate before services.
#[derive(Debug, Clone)]
pub(super) struct Gate(pub(super) Arc<Access>);

/// Services behind the gate.
#[derive(Debug, Clone)]
pub(super) struct Gated<S> {
    access: Arc<Access>,
    inner: S,
}

impl<S> tower::Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { access: self.0.clone(), inner }
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
        let access = self.access.clone();
        // The one that was polled is the one that is ready.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            match enter(&access, &head).await {
                Ok(None) => {}
                Ok(Some(caller)) => {
                    let act = caller.act();
                    head.extensions.insert(caller.principal().clone());
                    head.extensions.insert(caller);
                    let call = inner.call(Request::from_parts(head, body));
                    return match act {
                        Some(act) => crate::act::of(act, call).await,
                        None => call.await,
                    };
                }
                Err(status) => return Ok(status.into_http()),
            }
            inner.call(Request::from_parts(head, body)).await
        })
    }
}

/// Who calls; `None` for methods that ask nobody.
async fn enter(access: &Access, head: &Parts) -> Result<Option<Caller>, Status> {
    let permission = Permission::of(head.uri.path().trim_start_matches('/'));
    let is_public = match permission.map(|permission| permission.rule) {
        Some(Rule::Public) => true,
        Some(Rule::Reflection) => access.has_reflection(),
        _ => false,
    };
    if is_public {
        return Ok(None);
    }
    let authorization: Vec<&[u8]> =
        head.headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes()).collect();
    let act = |principal: String| Act {
        principal,
        source: source(&head.extensions).map(|source| source.to_string()).unwrap_or_default(),
        method: permission.map(|permission| permission.method).unwrap_or_default().to_owned(),
        namespace: OnceLock::new(),
    };
    let principal = match access.authenticate(&authorization).await {
        Ok(principal) => principal,
        Err(Refusal::Unavailable) => return Err(Error::StoreUnavailable.into()),
        Err(Refusal::Unauthenticated) => {
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
    Ok(Some(Caller::new(principal, permission, act, access.refused().clone())))
}

fn is_allowed(principal: &Principal, permission: &Permission) -> bool {
    // What is public was let through above, unless a setting says that nobody may.
    !matches!(permission.rule, Rule::Public | Rule::Reflection) && principal.may_call(permission)
}

/// Where a call comes from.
fn source(extensions: &Extensions) -> Option<SocketAddr> {
    let plain = || extensions.get::<TcpConnectInfo>()?.remote_addr();
    let tls = || extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?.get_ref().remote_addr();
    plain().or_else(tls)
}
