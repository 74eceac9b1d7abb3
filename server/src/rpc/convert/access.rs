//! Roles and API keys.

use bellringer_api::v1 as pb;

use super::time::pb_timestamp;
use crate::domain::{Grant, Role};
use crate::store::{AuditRow, Decision, KeyRow};

/// Reads roles: at least one, without repetitions.
pub(crate) fn roles(roles: &[i32]) -> Result<Vec<Role>, String> {
    let mut read = roles.iter().map(|role| self::role(*role)).collect::<Result<Vec<_>, _>>()?;
    read.sort();
    read.dedup();
    if read.is_empty() { Err("must have at least one role".to_owned()) } else { Ok(read) }
}

fn role(role: i32) -> Result<Role, String> {
    match pb::Role::try_from(role) {
        Ok(pb::Role::Viewer) => Ok(Role::Viewer),
        Ok(pb::Role::Submitter) => Ok(Role::Submitter),
        Ok(pb::Role::Worker) => Ok(Role::Worker),
        Ok(pb::Role::SchedulerEditor) => Ok(Role::SchedulerEditor),
        Ok(pb::Role::NsAdmin) => Ok(Role::NsAdmin),
        Ok(pb::Role::Operator) => Ok(Role::Operator),
        Ok(pb::Role::Unspecified) | Err(_) => {
            Err("must be VIEWER, SUBMITTER, WORKER, SCHEDULER_EDITOR, NS_ADMIN or OPERATOR".into())
        }
    }
}

fn pb_role(role: Role) -> pb::Role {
    match role {
        Role::Viewer => pb::Role::Viewer,
        Role::Submitter => pb::Role::Submitter,
        Role::Worker => pb::Role::Worker,
        Role::SchedulerEditor => pb::Role::SchedulerEditor,
        Role::NsAdmin => pb::Role::NsAdmin,
        Role::Operator => pb::Role::Operator,
    }
}

/// Writes a grant.
pub(crate) fn pb_grant(grant: &Grant) -> pb::Grant {
    pb::Grant {
        role: pb_role(grant.role).into(),
        namespace: grant.scope.as_str().to_owned(),
        queues: grant.queues.iter().map(ToString::to_string).collect(),
    }
}

/// Writes an API key, without its secret.
pub(crate) fn pb_key(key: KeyRow) -> pb::ApiKey {
    pb::ApiKey {
        id: key.id,
        name: key.name,
        namespace: key.scope.as_str().to_owned(),
        roles: key.roles.iter().map(|role| pb_role(*role).into()).collect(),
        queues: key.queues.iter().map(ToString::to_string).collect(),
        created_by: key.created_by,
        created_at: Some(pb_timestamp(key.created_at)),
        expires_at: key.expires_at.map(pb_timestamp),
        last_used_at: key.last_used_at.map(pb_timestamp),
        revoked_at: key.revoked_at.map(pb_timestamp),
    }
}

/// Writes an event of the audit log.
pub(crate) fn pb_event(event: AuditRow) -> pb::AuditEvent {
    let decision = match event.decision {
        Decision::Done => pb::AuditDecision::Done,
        Decision::Denied => pb::AuditDecision::Denied,
        Decision::Unauthenticated => pb::AuditDecision::Unauthenticated,
    };
    pb::AuditEvent {
        id: event.id,
        at: Some(pb_timestamp(event.at)),
        principal: event.principal,
        source: event.source,
        namespace: event.namespace,
        method: event.method,
        object: event.object,
        decision: decision.into(),
    }
}
