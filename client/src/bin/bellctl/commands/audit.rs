//! `bellctl audit`: who has changed what, and who was refused.

use bellringer_api::v1::{AuditDecision, AuditEvent, ListAuditEventsRequest};
use clap::Args;
use comfy_table::Cell;
use serde_json::{Value, json};

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    paint::{cut, one_line},
    render::json::{text, timestamp},
    time,
};

/// Show who has changed what in the namespace, and who was refused, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
With -n '*': of every namespace, and of the service.

Example:
  bellctl audit -n acme --limit 20
  bellctl audit -n '*' --method bellringer.v1.QueueService/Purge -o json")]
pub(crate) struct Audit {
    /// Most events
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    limit: usize,
    /// Only of this caller, as `bellctl whoami` names them
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    principal: String,
    /// Only of this method
    #[arg(long, default_value = "", hide_default_value = true, value_name = "METHOD")]
    method: String,
}

impl Audit {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let events = self.events(app).await?;
        if app.out.is_json() {
            for event in &events {
                app.out.object(&event_json(event))?;
            }
            return Ok(Exit::Ok);
        }
        if events.is_empty() {
            app.out.remark(&format!("nothing was written down of namespace {}", app.namespace));
            return Ok(Exit::Ok);
        }
        app.out.table(
            &["AT", "WHO", "FROM", "NAMESPACE", "METHOD", "OBJECT", "DECISION"],
            events.iter().map(row).collect(),
        )?;
        Ok(Exit::Ok)
    }

    async fn events(&self, app: &App) -> Result<Vec<AuditEvent>, Failure> {
        let mut events: Vec<AuditEvent> = Vec::new();
        let mut page_token = String::new();
        loop {
            let left = self.limit.saturating_sub(events.len()).clamp(1, 1000);
            let request = ListAuditEventsRequest {
                namespace: app.namespace.clone(),
                page_size: u32::try_from(left).unwrap_or(1000),
                page_token,
                principal: self.principal.clone(),
                method: self.method.clone(),
            };
            let answer = app
                .repeat(|| async { app.access().list_audit_events(request.clone()).await })
                .await?;
            events.extend(answer.events);
            page_token = answer.next_page_token;
            if page_token.is_empty() || events.len() >= self.limit {
                events.truncate(self.limit);
                return Ok(events);
            }
        }
    }
}

fn decision_word(decision: AuditDecision) -> &'static str {
    match decision {
        AuditDecision::Unspecified => "unknown",
        AuditDecision::Done => "done",
        AuditDecision::Denied => "denied",
        AuditDecision::Unauthenticated => "unauthenticated",
    }
}

fn row(event: &AuditEvent) -> Vec<Cell> {
    let at = event.at.as_ref().and_then(time::from_proto);
    let method = event.method.trim_start_matches("bellringer.v1.");
    vec![
        Cell::new(at.map(|at| time::whole_second(at).to_string()).unwrap_or_default()),
        Cell::new(cut(&one_line(&event.principal), 40)),
        Cell::new(one_line(&event.source)),
        Cell::new(one_line(&event.namespace)),
        Cell::new(one_line(method)),
        Cell::new(cut(&one_line(&event.object), 60)),
        Cell::new(decision_word(event.decision())),
    ]
}

fn event_json(event: &AuditEvent) -> Value {
    json!({
        "id": event.id,
        "at": timestamp(event.at.as_ref()),
        "principal": text(&event.principal),
        "source": text(&event.source),
        "namespace": text(&event.namespace),
        "method": event.method,
        "object": text(&event.object),
        "decision": decision_word(event.decision()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_null() {
        let event = AuditEvent {
            method: "bellringer.v1.QueueService/Pause".to_owned(),
            decision: AuditDecision::Denied.into(),
            ..AuditEvent::default()
        };
        let value = event_json(&event);
        assert_eq!((&value["principal"], &value["decision"]), (&Value::Null, &json!("denied")));
    }
}
