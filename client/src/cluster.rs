//! The state of the service, for those who run it.

use std::time::Duration;

use bellringer_api::v1 as pb;
use jiff::Timestamp;

use crate::client::Client;
use crate::error::Error;
use crate::new_task::{jiff_time, pb_duration};
use crate::retry::{once, repeated};
use crate::tasks::limited;

impl Client {
    /// The replicas, the leader and its term.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn cluster(&self) -> Result<pb::GetClusterResponse, Error> {
        repeated(self.request_timeout, |left| {
            let call = limited(pb::GetClusterRequest {}, left);
            async move { Ok(self.admin_service().get_cluster(call).await?.into_inner()) }
        })
        .await
    }

    /// Moves the clock of a development server forward; answers with its time then, and with the
    /// number of times of schedules that came on the way. Not repeated.
    ///
    /// # Errors
    /// `CLOCK_NOT_VIRTUAL` on any server but `bellringer dev`.
    pub async fn advance_clock(&self, by: Duration) -> Result<(Timestamp, u64), Error> {
        let request = pb::AdvanceClockRequest { by: Some(pb_duration(by)) };
        let answer = once(self.request_timeout, |left| async move {
            let call = limited(request, left);
            Ok(self.admin_service().advance_clock(call).await?.into_inner())
        })
        .await?;
        let now = answer.now.as_ref().and_then(jiff_time);
        Ok((now.unwrap_or(Timestamp::UNIX_EPOCH), answer.fires))
    }
}
