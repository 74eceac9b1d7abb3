//! Fires: those that are asked for, those to come, those that were.

use bellringer_api::v1 as pb;
use futures_util::Stream;
use jiff::Timestamp;

use super::Schedules;
use super::calls::{call, repeat};
use super::pages::{next, pages};
use crate::error::Error;
use crate::new_task::pb_time;
use crate::tasks::Submitted;
use crate::times::Times;

impl Schedules {
    /// Fires now, beside the times of the schedule. `Unspecified`: by its overlap policy.
    ///
    /// # Errors
    /// If there is no such schedule; `SCHEDULE_OVERLAP` if there is no room.
    pub async fn trigger(
        &self,
        name: &str,
        overlap: pb::OverlapPolicy,
    ) -> Result<Submitted, Error> {
        let request = pb::TriggerScheduleRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            overlap: overlap.into(),
            idempotency_key: uuid::Uuid::new_v4().to_string(),
        };
        let answer: pb::TriggerScheduleResponse = repeat!(self.client, trigger, request)?;
        Ok(Submitted { task_id: answer.task_id, created: answer.created })
    }

    /// Fires the times in the past from `from` until before `to` that did not fire, `limit` at most
    /// (0: the default); with `dry_run` it only tells. Not repeated.
    ///
    /// # Errors
    /// If there is no such schedule, or there are more times than `limit`.
    pub async fn backfill(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
        dry_run: bool,
    ) -> Result<pb::BackfillScheduleResponse, Error> {
        let request = pb::BackfillScheduleRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            from: Some(pb_time(from)),
            to: Some(pb_time(to)),
            limit,
            dry_run,
        };
        call!(self.client, backfill, request)
    }

    /// The next times of a schedule.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn preview(
        &self,
        name: &str,
        limit: u32,
    ) -> Result<pb::PreviewScheduleResponse, Error> {
        let request = pb::PreviewScheduleRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            limit,
            ..Default::default()
        };
        repeat!(self.client, preview, request)
    }

    /// The next of times that were not saved.
    ///
    /// # Errors
    /// What is wrong with the times.
    pub async fn preview_times(
        &self,
        times: Times,
        limit: u32,
    ) -> Result<pb::PreviewScheduleResponse, Error> {
        let request = pb::PreviewScheduleRequest {
            namespace: self.namespace(),
            times: Some(times.into_proto()),
            limit,
            ..Default::default()
        };
        repeat!(self.client, preview, request)
    }

    /// One page of the ledger, newest first, and the token of the next page.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn fires(
        &self,
        name: &str,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<pb::Fire>, Option<String>), Error> {
        let request = pb::ListFiresRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        let answer: pb::ListFiresResponse = repeat!(self.client, list_fires, request)?;
        Ok((answer.fires, next(answer.next_page_token)))
    }

    /// The whole ledger, newest first, page after page as it is read.
    pub fn fires_all<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Stream<Item = Result<pb::Fire, Error>> + Send + 'a {
        pages(move |token| async move { self.fires(name, 0, &token).await })
    }
}
