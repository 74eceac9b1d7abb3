//! `bellctl cluster`: replicas, the leader and its term, the clock.

use std::fmt::Write;

use bellringer_api::v1::{GetClusterRequest, GetClusterResponse, Replica, ReplicaRole};
use clap::Args;
use comfy_table::{Cell, Color};
use jiff::Timestamp;
use serde_json::{Value, json};
use tonic::{Code, Response};

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    paint::{Paint, cut, one_line},
    render::json::{duration, text, timestamp},
    time,
};

/// Show the replicas, the leader that fires schedules, its term, and the clock
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl cluster
  bellctl cluster -o json | jq -e '.leader_id != null and .overdue_schedules == 0'")]
pub(crate) struct Cluster {}

impl Cluster {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let cluster = ask(app).await?;
        if app.out.is_json() {
            app.out.document(&json(&cluster))?;
            return Ok(Exit::Ok);
        }
        let now = cluster.now.as_ref().and_then(time::from_proto).unwrap_or_else(time::now);
        app.out.line(&card(&cluster, app.out.paint, now))?;
        if !cluster.replicas.is_empty() {
            app.out.line("")?;
            let rows = cluster.replicas.iter().map(|replica| row(replica, now)).collect();
            app.out.table(&["REPLICA", "ROLE", "VERSION", "STARTED", "SEEN", "NOTE"], rows)?;
        }
        Ok(Exit::Ok)
    }
}

/// The state of the service.
///
/// # Errors
/// If the server cannot be asked.
pub(crate) async fn ask(app: &App) -> Result<GetClusterResponse, Failure> {
    app.repeat(|| async { app.admin().get_cluster(GetClusterRequest {}).await }).await
}

/// The same, for whom the rest matters more: nothing for callers who may not know.
///
/// # Errors
/// If the server does not answer.
pub(crate) async fn ask_if_allowed(app: &App) -> Result<Option<GetClusterResponse>, Failure> {
    app.repeat(|| async {
        match app.admin().get_cluster(GetClusterRequest {}).await {
            Err(status) if status.code() == Code::PermissionDenied => Ok(Response::new(None)),
            answer => answer.map(|answer| answer.map(Some)),
        }
    })
    .await
}

fn json(cluster: &GetClusterResponse) -> Value {
    let replicas: Vec<_> = cluster
        .replicas
        .iter()
        .map(|replica| {
            json!({
                "id": replica.id,
                "name": replica.name,
                "version": replica.version,
                "started_at": timestamp(replica.started_at.as_ref()),
                "seen_at": timestamp(replica.seen_at.as_ref()),
                "role": role_word(replica.role()),
                "role_note": text(&replica.role_note),
            })
        })
        .collect();
    json!({
        "cluster_id": cluster.cluster_id,
        "replicas": replicas,
        "leader_id": text(&cluster.leader_id),
        "epoch": cluster.epoch,
        "term_started_at": timestamp(cluster.term_started_at.as_ref()),
        "now": timestamp(cluster.now.as_ref()),
        "clock_advanced": duration(cluster.clock_advanced.as_ref()),
        "overdue_schedules": cluster.overdue_schedules,
        "tzdata_version": text(&cluster.tzdata_version),
        "version": cluster.version,
    })
}

fn card(cluster: &GetClusterResponse, paint: Paint, now: Timestamp) -> String {
    let mut card = format!("Cluster {}", paint.bold(&one_line(&cluster.cluster_id)));
    let mut row = |name: &str, value: &str| {
        let name = paint.dim(&format!("{name:<13}"));
        let _ = write!(card, "\n  {name} {value}");
    };
    let mut clock = now.to_string();
    if let Some(advanced) = &cluster.clock_advanced {
        match time::length(advanced) {
            length if length.is_zero() => clock.push_str(", can be moved forward"),
            length => {
                let _ = write!(clock, ", moved forward by {}", time::friendly(length));
            }
        }
    }
    row("clock", &clock);
    let since = cluster.term_started_at.as_ref().and_then(time::from_proto);
    let since = since.map(|since| time::long(since, now)).unwrap_or_default();
    let term = format!("term {} since {since}", cluster.epoch);
    if cluster.leader_id.is_empty() {
        row("leader", &paint.red(&format!("none, so no schedule fires; last was {term}")));
    } else {
        let id = cluster.leader_id.as_str();
        let leader = cluster.replicas.iter().find(|replica| replica.id == id);
        let leader = leader.map_or(id, |replica| replica.name.as_str());
        row("leader", &format!("{}, {term}", one_line(leader)));
    }
    let overdue = match cluster.overdue_schedules {
        0 => "no schedule".to_owned(),
        1 => paint.red("1 schedule"),
        count => paint.red(&format!("{count} schedules")),
    };
    row("overdue", &overdue);
    row("version", &one_line(&cluster.version));
    if !cluster.tzdata_version.is_empty() {
        row("time zones", &one_line(&cluster.tzdata_version));
    }
    card
}

fn row(replica: &Replica, now: Timestamp) -> Vec<Cell> {
    let at = |time: &Option<prost_types::Timestamp>| {
        let time = time.as_ref().and_then(time::from_proto);
        time.map(|time| time::relative(time, now)).unwrap_or_default()
    };
    let role = Cell::new(role_word(replica.role()));
    let role = match replica.role() {
        ReplicaRole::Leader => role.fg(Color::Green),
        ReplicaRole::Refused => role.fg(Color::Yellow),
        ReplicaRole::Unspecified | ReplicaRole::Standby => role,
    };
    vec![
        Cell::new(cut(&replica.name, 40)),
        role,
        Cell::new(one_line(&replica.version)),
        Cell::new(at(&replica.started_at)),
        Cell::new(at(&replica.seen_at)),
        Cell::new(cut(&replica.role_note, 60)),
    ]
}

fn role_word(role: ReplicaRole) -> &'static str {
    match role {
        ReplicaRole::Unspecified => "unknown",
        ReplicaRole::Leader => "leader",
        ReplicaRole::Standby => "standby",
        ReplicaRole::Refused => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> GetClusterResponse {
        GetClusterResponse {
            cluster_id: "c-1".to_owned(),
            replicas: vec![Replica {
                id: "r-1".to_owned(),
                name: "host-a:7117".to_owned(),
                role: ReplicaRole::Leader.into(),
                ..Replica::default()
            }],
            leader_id: "r-1".to_owned(),
            epoch: 7,
            term_started_at: Some(time::to_proto("2026-05-01T09:00:00Z".parse().unwrap())),
            clock_advanced: Some(prost_types::Duration { seconds: 86_400 * 90, nanos: 0 }),
            version: "0.1.0".to_owned(),
            tzdata_version: "2026a".to_owned(),
            ..GetClusterResponse::default()
        }
    }

    #[test]
    fn a_card_tells_who_leads() {
        let now = "2026-05-01T10:00:00Z".parse().unwrap();
        let expected = "\
Cluster c-1
  clock         2026-05-01T10:00:00Z, moved forward by 90d
  leader        host-a:7117, term 7 since 2026-05-01T09:00:00Z (60m00s ago)
  overdue       no schedule
  version       0.1.0
  time zones    2026a";
        assert_eq!(card(&example(), Paint { on: false }, now), expected);
        let leaderless = GetClusterResponse { leader_id: String::new(), ..example() };
        assert!(card(&leaderless, Paint { on: false }, now).contains("none, so no schedule fires"));
    }

    #[test]
    fn json_has_nulls_for_what_is_not() {
        let value = json(&GetClusterResponse { leader_id: String::new(), ..example() });
        assert_eq!(value["leader_id"], Value::Null);
        assert_eq!(value["clock_advanced"], "7776000s");
        assert_eq!(value["replicas"][0]["role"], "leader");
    }
}
