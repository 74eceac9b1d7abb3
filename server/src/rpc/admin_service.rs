//! `bellringer.v1.AdminService`.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_server::AdminService;
use jiff::{SignedDuration, Timestamp};
use tonic::{Request, Response, Status};

use super::Context;
use super::caller::enter;
use super::convert::time::{duration, pb_duration, pb_timestamp};
use super::status::invalid;
use crate::domain::{Violations, limits};
use crate::store::ReplicaRow;

const MILLISECOND: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Admin(pub(super) Context);

#[tonic::async_trait]
impl AdminService for Admin {
    async fn get_cluster(
        &self,
        request: Request<pb::GetClusterRequest>,
    ) -> Result<Response<pb::GetClusterResponse>, Status> {
        let (caller, _) = enter(request)?;
        caller.service()?;
        let (cluster, replicas) = self.0.engine.cluster().await?;
        // Replicas live by the real time, and are shown by the one that the service goes by.
        let ahead = SignedDuration::try_from(self.0.engine.clock_advanced().unwrap_or_default());
        let ahead = ahead.unwrap_or_default();
        let leader_id = replicas
            .iter()
            .find(|replica| replica.role == 1 && Some(&replica.name) == cluster.leader.as_ref())
            .map(|replica| replica.id.to_string())
            .unwrap_or_default();
        Ok(Response::new(pb::GetClusterResponse {
            cluster_id: cluster.id.to_string(),
            replicas: replicas.into_iter().map(|one| pb_replica(one, ahead)).collect(),
            leader_id,
            epoch: cluster.epoch,
            term_started_at: cluster.term_started_at.map(pb_timestamp),
            now: Some(pb_timestamp(cluster.now)),
            clock_advanced: self.0.engine.clock_advanced().map(pb_duration),
            overdue_schedules: cluster.overdue,
            tzdata_version: bellringer_schedule::tzdata_version().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn advance_clock(
        &self,
        request: Request<pb::AdvanceClockRequest>,
    ) -> Result<Response<pb::AdvanceClockResponse>, Status> {
        let (caller, request) = enter(request)?;
        caller.service()?;
        let by = match request.by {
            Some(by) => duration(by, MILLISECOND, limits::TEN_YEARS),
            None => Err("is required".to_owned()),
        };
        let by = by.map_err(|why| invalid(Violations::one("by", why)))?;
        let (now, fires) = self.0.engine.advance_clock(by).await?;
        Ok(Response::new(pb::AdvanceClockResponse { now: Some(pb_timestamp(now)), fires }))
    }
}

fn pb_replica(replica: ReplicaRow, ahead: SignedDuration) -> pb::Replica {
    let shown = |time: Timestamp| pb_timestamp(time.checked_add(ahead).unwrap_or(time));
    pb::Replica {
        id: replica.id.to_string(),
        name: replica.name,
        version: replica.version,
        started_at: Some(shown(replica.started_at)),
        seen_at: Some(shown(replica.seen_at)),
        role: replica.role.into(),
        role_note: replica.role_note,
    }
}
