//! `bellctl whoami`: who the caller is to the server, and what they may do.

use bellringer_api::v1::{Grant, Role, WhoAmIRequest};
use clap::Args;
use serde_json::json;

use crate::{app::App, exit::Exit, failure::Failure, render::json::timestamp, time};

/// Show who you are to the server, and what you may do
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl whoami
  bellctl whoami -o json | jq -r '.grants[].role'")]
pub(crate) struct WhoAmI {}

impl WhoAmI {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let me = app.repeat(|| async { app.access().who_am_i(WhoAmIRequest {}).await }).await?;
        if app.out.is_json() {
            let grants: Vec<_> = me.grants.iter().map(grant_json).collect();
            app.out.document(&json!({
                "principal": me.principal,
                "grants": grants,
                "expires_at": timestamp(me.expires_at.as_ref()),
            }))?;
            return Ok(Exit::Ok);
        }
        app.out.line(&me.principal)?;
        for grant in &me.grants {
            app.out.line(&format!("  {}", grant_text(grant)))?;
        }
        if let Some(end) = me.expires_at.as_ref().and_then(time::from_proto) {
            app.out.line(&format!("until {}", time::long(end, time::now())))?;
        }
        Ok(Exit::Ok)
    }
}

fn grant_json(grant: &Grant) -> serde_json::Value {
    json!({
        "role": role_word(grant.role()),
        "namespace": grant.namespace,
        "queues": grant.queues,
    })
}

fn grant_text(grant: &Grant) -> String {
    let role = role_word(grant.role());
    let place = match grant.namespace.as_str() {
        "*" => "every namespace".to_owned(),
        namespace => format!("namespace {namespace}"),
    };
    match grant.queues.as_slice() {
        [] => format!("{role} in {place}"),
        queues => format!("{role} in {place}, queues {}", queues.join(", ")),
    }
}

/// The word for a role.
pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "unknown",
        Role::Viewer => "viewer",
        Role::Submitter => "submitter",
        Role::Worker => "worker",
        Role::SchedulerEditor => "scheduler-editor",
        Role::NsAdmin => "ns-admin",
        Role::Operator => "operator",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_told_in_words() {
        let grant = |role: Role, namespace: &str, queues: &[&str]| Grant {
            role: role.into(),
            namespace: namespace.to_owned(),
            queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        };
        assert_eq!(
            grant_text(&grant(Role::Worker, "acme", &["mail", "reports"])),
            "worker in namespace acme, queues mail, reports"
        );
        assert_eq!(grant_text(&grant(Role::Operator, "*", &[])), "operator in every namespace");
    }
}
