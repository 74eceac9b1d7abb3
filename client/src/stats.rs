//! How tasks fare.

use bellringer_api::v1 as pb;

use crate::client::Client;
use crate::error::Error;
use crate::retry::repeated;
use crate::tasks::limited;

impl Client {
    /// Counts, waits and durations of what ended within a span of time, in all or by steps and dimensions.
    /// The namespace is the client's.
    ///
    /// # Errors
    /// If the question is wrong, there is no such schedule, or the answer would be too large.
    pub async fn stats(
        &self,
        mut request: pb::QueryStatsRequest,
    ) -> Result<pb::QueryStatsResponse, Error> {
        self.namespace().clone_into(&mut request.namespace);
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move { Ok(self.stats_service().query(call).await?.into_inner()) }
        })
        .await
    }

    /// Unfinished tasks by state, in one row or by dimensions. The namespace is the client's.
    ///
    /// # Errors
    /// If the question is wrong.
    pub async fn count_unfinished(
        &self,
        mut request: pb::CountUnfinishedRequest,
    ) -> Result<Vec<pb::UnfinishedRow>, Error> {
        self.namespace().clone_into(&mut request.namespace);
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move { Ok(self.stats_service().count_unfinished(call).await?.into_inner().rows) }
        })
        .await
    }
}
