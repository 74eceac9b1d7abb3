//! `bellringer.v1.AccessService`.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::access_service_server::AccessService;
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::caller::enter;
use super::convert::access::{pb_event, pb_grant, pb_key, roles};
use super::convert::fields::{one_more, page_size, text};
use super::convert::time::{duration, pb_timestamp};
use super::convert::worker::queues;
use super::status::invalid;
use super::{Context, page_token};
use crate::access::NewKey;
use crate::domain::{Checker, Grant, Role, Scope, Violations, limits};
use crate::engine::Error;
use crate::store::{AuditQuery, NewKeyRow};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct AccessKeys(pub(super) Context);

#[tonic::async_trait]
impl AccessService for AccessKeys {
    async fn who_am_i(
        &self,
        request: Request<pb::WhoAmIRequest>,
    ) -> Result<Response<pb::WhoAmIResponse>, Status> {
        let (caller, _) = enter(request)?;
        caller.service()?;
        let principal = caller.principal();
        let grants = principal.identities().flat_map(|identity| &identity.grants);
        // With several credentials: those that the others allow as well.
        let grants = grants.filter(|grant| principal.could_give(grant)).map(pb_grant).collect();
        let expires_at = principal.expires_at().map(pb_timestamp);
        Ok(Response::new(pb::WhoAmIResponse { principal: principal.name(), grants, expires_at }))
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
        let (caller, request) = enter(request)?;
        let scope = caller.scope(&request.namespace)?;
        let mut check = Checker::default();
        let scope = check.field("namespace", scope);
        let name = match request.name.as_str() {
            "" => Err("is required".to_owned()),
            _ => text(request.name, limits::KEY_NAME),
        };
        let name = check.field("name", name);
        let roles = check.field("roles", roles(&request.roles));
        let queues = check.field("queues", queues(&request.queues));
        let expires = request.expires_after.map(|after| duration(after, MINUTE, limits::TEN_YEARS));
        let expires = check.field("expires_after", expires.transpose());
        check.finish().map_err(invalid)?;
        let (Some(scope), Some(name), Some(roles), Some(queues), Some(expires_after)) =
            (scope, name, roles, queues, expires)
        else {
            return Err(unread("name"));
        };
        if !queues.is_empty() && !roles.contains(&Role::Worker) {
            return Err(invalid(Violations::one("queues", "must be empty without role WORKER")));
        }
        let grant = |role: Role| {
            let queues = if role == Role::Worker { queues.clone() } else { Vec::new() };
            Grant::new(role, scope.clone(), queues)
        };
        let grants = roles.iter().map(|role| grant(*role)).collect::<Result<Vec<_>, _>>();
        let grants = grants.map_err(|why| invalid(Violations::one("roles", why)))?;
        caller.check_gift(&grants)?;
        let new = NewKey::random();
        let row = NewKeyRow {
            id: &new.id,
            scope: &scope,
            name: &name,
            roles: &roles,
            queues: &queues,
            hash: new.hash,
            created_by: &caller.principal().name(),
            expires_after,
        };
        let made = self.0.engine.create_key(&row).await?;
        Ok(Response::new(pb::CreateApiKeyResponse { key: Some(pb_key(made)), secret: new.text }))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>, Status> {
        let (caller, request) = enter(request)?;
        let scope = caller.scope(&request.namespace)?;
        let query = format!("keys {} {}", request.namespace, request.include_ended);
        let mut check = Checker::default();
        let scope = check.field("namespace", scope);
        let size = check.field("page_size", page_size(request.page_size));
        let before = match request.page_token.as_str() {
            "" => Some(None),
            token => {
                let read =
                    page_token::decode(self.0.seal(), &query, token).and_then(|last| before(&last));
                check.field("page_token", read.map(Some))
            }
        };
        check.finish().map_err(invalid)?;
        let (Some(scope), Some(size), Some(before)) = (scope, size, before) else {
            return Err(unread("namespace"));
        };
        let before = before.as_ref().map(|(at, id)| (*at, id.as_str()));
        let engine = &self.0.engine;
        let mut keys =
            engine.list_keys(&scope, before, request.include_ended, one_more(size)).await?;
        let has_more = keys.len() > size;
        keys.truncate(size);
        let next_page_token = match keys.last() {
            Some(last) if has_more => page_token::encode(
                self.0.seal(),
                &query,
                &format!("{} {}", last.created_at, last.id),
            ),
            _ => String::new(),
        };
        let keys = keys.into_iter().map(pb_key).collect();
        Ok(Response::new(pb::ListApiKeysResponse { keys, next_page_token }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Result<Response<pb::RevokeApiKeyResponse>, Status> {
        let (caller, request) = enter(request)?;
        let scope = caller.scope(&request.namespace)?;
        let mut check = Checker::default();
        let scope: Option<Scope> = check.field("namespace", scope);
        let id = match request.id.as_str() {
            "" => Err("is required".to_owned()),
            _ => text(request.id, limits::KEY_NAME),
        };
        let id = check.field("id", id);
        check.finish().map_err(invalid)?;
        let (Some(scope), Some(id)) = (scope, id) else { return Err(unread("id")) };
        let key = self.0.engine.revoke_key(&scope, &id).await?;
        let key = key.ok_or(Error::KeyNotFound(id))?;
        Ok(Response::new(pb::RevokeApiKeyResponse { key: Some(pb_key(key)) }))
    }

    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        let (caller, request) = enter(request)?;
        let scope = caller.scope(&request.namespace)?;
        let pb::ListAuditEventsRequest { namespace, principal, method, .. } = &request;
        let query = format!("audit {namespace} {principal:?} {method:?}");
        let mut check = Checker::default();
        let scope = check.field("namespace", scope);
        let size = check.field("page_size", page_size(request.page_size));
        let principal = check.field("principal", text(principal.clone(), limits::KEY));
        let method = check.field("method", text(method.clone(), limits::KEY));
        let before = match request.page_token.as_str() {
            "" => Some(None),
            token => {
                let last = page_token::decode(self.0.seal(), &query, token);
                let wrong = |_| "must be a next_page_token as the server gave it".to_owned();
                let last = last.and_then(|last| last.parse().map_err(wrong));
                check.field("page_token", last.map(Some))
            }
        };
        check.finish().map_err(invalid)?;
        let (Some(scope), Some(size), Some(principal), Some(method), Some(before)) =
            (scope, size, principal, method, before)
        else {
            return Err(unread("namespace"));
        };
        let which = AuditQuery {
            namespace: Some(&scope).filter(|scope| **scope != Scope::Every),
            before,
            principal: maybe(&principal),
            method: maybe(&method),
            limit: one_more(size),
        };
        let mut events = self.0.engine.list_audit(&which).await?;
        let has_more = events.len() > size;
        events.truncate(size);
        let next_page_token = match events.last() {
            Some(last) if has_more => {
                page_token::encode(self.0.seal(), &query, &last.id.to_string())
            }
            _ => String::new(),
        };
        let events = events.into_iter().map(pb_event).collect();
        Ok(Response::new(pb::ListAuditEventsResponse { events, next_page_token }))
    }
}

fn maybe(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn before(last: &str) -> Result<(Timestamp, String), String> {
    let read = last.split_once(' ').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    read.ok_or_else(|| "must be a next_page_token as the server gave it".to_owned())
}

/// What cannot be: every field was checked.
fn unread(field: &'static str) -> Status {
    invalid(Violations::one(field, "cannot be read"))
}
