//! `bellringer.v1.StatsService`.

use bellringer_api::v1 as pb;
use bellringer_api::v1::stats_service_server::StatsService;
use tonic::{Request, Response, Status};

use super::Context;
use super::caller::enter;
use super::convert::stats::{pb_answer, pb_unfinished, query, unfinished};
use super::status::invalid;

#[derive(Debug)]
pub(super) struct Stats(pub(super) Context);

#[tonic::async_trait]
impl StatsService for Stats {
    async fn query(
        &self,
        request: Request<pb::QueryStatsRequest>,
    ) -> Result<Response<pb::QueryStatsResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let request = query(namespace, request).map_err(invalid)?;
        let answer = self.0.engine.statistics.query(&request).await?;
        Ok(Response::new(pb_answer(answer)))
    }

    async fn count_unfinished(
        &self,
        request: Request<pb::CountUnfinishedRequest>,
    ) -> Result<Response<pb::CountUnfinishedResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (filter, group_by) = unfinished(namespace, request).map_err(invalid)?;
        let rows = self.0.engine.statistics.unfinished(&filter, group_by).await?;
        Ok(Response::new(pb_unfinished(rows)))
    }
}
