//! Looking after schedules.

mod calls;
mod fires;
mod pages;

use std::collections::HashMap;

use bellringer_api::v1 as pb;
use futures_util::Stream;
use jiff::Timestamp;
use pages::{next, pages};

use calls::{call, repeat};

use crate::client::Client;
use crate::error::Error;
use crate::new_schedule::{NewSchedule, ScheduleUpdate};
use crate::new_task::{pb_duration, pb_time};

/// The schedules of the client's namespace.
///
/// ```no_run
/// use bellringer_client::{Client, NewSchedule, NewTask, Times};
///
/// # async fn example(client: Client) -> Result<(), bellringer_client::Error> {
/// let times = Times::cron("30 2 * * *").zone("Europe/Berlin");
/// let task = NewTask::new("report").queue("nightly").json(&"daily")?;
/// client.schedules().set(NewSchedule::new("daily-report", times, task)).await?;
/// for fire in client.schedules().preview("daily-report", 5).await?.fires {
///     println!("{}", fire.local_time);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
}

/// A schedule that is durable.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScheduleSet {
    /// The schedule.
    pub schedule: pb::Schedule,
    /// Whether there was none of that name; false also if this call was repeated.
    pub created: bool,
    /// Whether anything was changed; false also if this call was repeated.
    pub changed: bool,
}

/// Which schedules to list. Default: all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleFilter {
    /// Labels that the schedule must have, with these values.
    pub labels: HashMap<String, String>,
    /// States that it may be in; empty: any.
    pub states: Vec<pb::ScheduleState>,
}

impl Client {
    /// The schedules of the namespace.
    pub fn schedules(&self) -> Schedules {
        Schedules { client: self.clone() }
    }
}

impl Schedules {
    /// Makes a schedule, or replaces the one of that name. Repeated while the server is away, unless
    /// it must be absent.
    ///
    /// # Errors
    /// What is wrong with it; `SCHEDULE_EXISTS` if it must be absent.
    pub async fn set(&self, schedule: NewSchedule) -> Result<ScheduleSet, Error> {
        let only_if_absent = schedule.only_if_absent;
        let request = pb::ScheduleRequest {
            namespace: self.namespace(),
            name: schedule.name.clone(),
            spec: Some(schedule.into_spec()?),
            only_if_absent,
        };
        let answer: pb::ScheduleResponse = match only_if_absent {
            true => call!(self.client, schedule, request)?,
            false => repeat!(self.client, schedule, request)?,
        };
        Ok(ScheduleSet {
            schedule: answer.schedule.unwrap_or_default(),
            created: answer.created,
            changed: answer.changed,
        })
    }

    /// One schedule.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn get(&self, name: &str) -> Result<pb::Schedule, Error> {
        let request = pb::GetScheduleRequest { namespace: self.namespace(), name: name.to_owned() };
        let answer: pb::GetScheduleResponse = repeat!(self.client, get, request)?;
        Ok(answer.schedule.unwrap_or_default())
    }

    /// One page of the schedules that match, by name, and the token of the next page.
    ///
    /// # Errors
    /// If the filter or the token is wrong.
    pub async fn list(
        &self,
        filter: ScheduleFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<pb::Schedule>, Option<String>), Error> {
        let request = pb::ListSchedulesRequest {
            namespace: self.namespace(),
            labels: filter.labels,
            states: filter.states.into_iter().map(i32::from).collect(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let answer: pb::ListSchedulesResponse = repeat!(self.client, list, request)?;
        Ok((answer.schedules, next(answer.next_page_token)))
    }

    /// All schedules that match, by name, page after page as they are read.
    pub fn list_all(
        &self,
        filter: ScheduleFilter,
    ) -> impl Stream<Item = Result<pb::Schedule, Error>> + Send + '_ {
        pages(move |token| {
            let filter = filter.clone();
            async move { self.list(filter, 0, &token).await }
        })
    }

    /// Changes parts of a schedule, and tells which times that adds and removes. Not repeated.
    ///
    /// # Errors
    /// If there is no such schedule; `ETAG_MISMATCH` if it has changed since the etag was read.
    pub async fn update(
        &self,
        name: &str,
        update: ScheduleUpdate,
    ) -> Result<pb::UpdateScheduleResponse, Error> {
        let request = pb::UpdateScheduleRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            spec: Some(update.spec),
            update_mask: Some(prost_types::FieldMask { paths: update.paths }),
            etag: update.etag,
            dry_run: update.dry_run,
            horizon: update.horizon.map(pb_duration),
        };
        call!(self.client, update, request)
    }

    /// Stops firing, with a note for people; `until`: fires again by itself from then on.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn pause(
        &self,
        name: &str,
        note: &str,
        until: Option<Timestamp>,
    ) -> Result<pb::Schedule, Error> {
        let request = pb::PauseScheduleRequest {
            namespace: self.namespace(),
            name: name.to_owned(),
            note: note.to_owned(),
            until: until.map(pb_time),
        };
        let answer: pb::PauseScheduleResponse = repeat!(self.client, pause, request)?;
        Ok(answer.schedule.unwrap_or_default())
    }

    /// Fires again, from now on.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn resume(&self, name: &str) -> Result<pb::Schedule, Error> {
        let request =
            pb::ResumeScheduleRequest { namespace: self.namespace(), name: name.to_owned() };
        let answer: pb::ResumeScheduleResponse = repeat!(self.client, resume, request)?;
        Ok(answer.schedule.unwrap_or_default())
    }

    /// Removes a schedule and its ledger; its tasks stay. Not repeated.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let namespace = self.namespace();
        let request =
            pb::DeleteScheduleRequest { namespace, name: name.to_owned(), etag: String::new() };
        let _: pb::DeleteScheduleResponse = call!(self.client, delete, request)?;
        Ok(())
    }

    pub(super) fn namespace(&self) -> String {
        self.client.namespace().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::Times;

    #[tokio::test]
    async fn a_schedule_that_is_wrong_in_itself_is_not_sent() {
        let client = Client::builder("http://127.0.0.1:1").connect_lazy().unwrap();
        let task = crate::NewTask::new("work").idempotency_key("k");
        let schedule = NewSchedule::new("s", Times::cron("@daily"), task);
        assert!(matches!(client.schedules().set(schedule).await, Err(Error::Settings(_))));
    }
}
