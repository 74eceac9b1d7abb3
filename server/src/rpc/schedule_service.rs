//! `bellringer.v1.ScheduleService`.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::schedule_service_server::ScheduleService;
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::Context;
use super::call::context_of;
use super::caller::enter;
use super::convert::fields::{key, labels, one_more, page_size, text};
use super::convert::mask;
use super::convert::schedule::{
    outcomes, overlap, pb_fire, pb_schedule, pb_schedule_spec, schedule_ref, schedule_spec, states,
    zone,
};
use super::convert::task::Payloads;
use super::convert::time::{duration, timestamp};
use super::convert::times::times;
use super::page_token;
use super::status::invalid;
use crate::domain::{Checker, ScheduleName, Violations, limits};
use crate::engine::{Backfill, Change};
use crate::store::{FiresBefore, FiresQuery};

/// How far ahead an update compares times, unless it is told.
const HORIZON: Duration = Duration::from_secs(30 * 86_400);
const LONGEST_HORIZON: Duration = Duration::from_secs(731 * 86_400);

#[derive(Debug)]
pub(super) struct Schedules(pub(super) Context);

fn maybe_time(
    check: &mut Checker,
    field: &str,
    time: Option<prost_types::Timestamp>,
) -> Option<Timestamp> {
    check.field(field, time.map(timestamp).transpose()).flatten()
}

fn etag(text: &str) -> Result<Option<i64>, String> {
    match text {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| "must be the etag of a schedule as the server gave it".to_owned()),
    }
}

fn limit(given: u32, default: usize) -> Result<usize, String> {
    match usize::try_from(given) {
        Ok(0) => Ok(default),
        Ok(limit) if given <= limits::FIRES => Ok(limit),
        _ => Err(format!("must be 1 to {}", limits::FIRES)),
    }
}

/// What cannot be: every field was checked.
fn unread(field: &'static str) -> Status {
    invalid(Violations::one(field, "cannot be read"))
}

#[tonic::async_trait]
impl ScheduleService for Schedules {
    async fn schedule(
        &self,
        request: Request<pb::ScheduleRequest>,
    ) -> Result<Response<pb::ScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let spec = named.as_ref().and_then(|(namespace, _)| {
            check.part(schedule_spec(namespace, request.spec, self.0.settings.largest_payload))
        });
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(spec)) = (named, spec) else {
            return Err(unread("spec"));
        };
        let schedules = &self.0.engine.schedules;
        let done = schedules.put(&namespace, &name, spec, request.only_if_absent).await?;
        Ok(Response::new(pb::ScheduleResponse {
            schedule: Some(pb_schedule(done.schedule, caller.payloads(&namespace))),
            created: done.created,
            changed: done.changed,
        }))
    }

    async fn get(
        &self,
        request: Request<pb::GetScheduleRequest>,
    ) -> Result<Response<pb::GetScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (namespace, name) = schedule_ref(namespace, &request.name).map_err(invalid)?;
        let found = self.0.engine.schedules.get(&namespace, &name).await?;
        Ok(Response::new(pb::GetScheduleResponse {
            schedule: Some(pb_schedule(found, caller.payloads(&namespace))),
        }))
    }

    async fn list(
        &self,
        request: Request<pb::ListSchedulesRequest>,
    ) -> Result<Response<pb::ListSchedulesResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let size = check.field("page_size", page_size(request.page_size));
        let labels = check.field("labels", labels(request.labels));
        let states = check.field("states", states(&request.states));
        let query = format!("schedules {} {labels:?} {states:?}", request.namespace);
        let after = match request.page_token.as_str() {
            "" => Some(String::new()),
            token => check.field("page_token", page_token::decode(self.0.seal(), &query, token)),
        };
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(size), Some(labels), Some(states), Some(after)) =
            (namespace, size, labels, states, after)
        else {
            return Err(unread("namespace"));
        };
        let payloads = caller.payloads(&namespace);
        let schedules = &self.0.engine.schedules;
        let mut found =
            schedules.list(&namespace, &after, &labels, &states, one_more(size)).await?;
        let has_more = found.len() > size;
        found.truncate(size);
        let next_page_token = match found.last() {
            Some(last) if has_more => page_token::encode(self.0.seal(), &query, last.name.as_str()),
            _ => String::new(),
        };
        let schedules = found.into_iter().map(|one| pb_schedule(one, payloads)).collect();
        Ok(Response::new(pb::ListSchedulesResponse { schedules, next_page_token }))
    }

    async fn update(
        &self,
        request: Request<pb::UpdateScheduleRequest>,
    ) -> Result<Response<pb::UpdateScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let etag = check.field("etag", etag(&request.etag));
        let horizon = request
            .horizon
            .map(|horizon| duration(horizon, Duration::ZERO, LONGEST_HORIZON))
            .transpose();
        let horizon = check.field("horizon", horizon);
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(etag), Some(horizon)) = (named, etag, horizon) else {
            return Err(unread("name"));
        };
        let new = request.spec.unwrap_or_default();
        let paths = request.update_mask.unwrap_or_default().paths;
        let largest = self.0.settings.largest_payload;
        let apply = |old: &crate::domain::ScheduleSpec| {
            let merged = mask::apply(pb_schedule_spec(old.clone(), Payloads::Shown), &new, &paths)?;
            schedule_spec(&namespace, Some(merged), largest)
        };
        let horizon = horizon.unwrap_or(HORIZON);
        let change = Change { apply, etag, dry_run: request.dry_run, horizon };
        let done = self.0.engine.schedules.update(&namespace, &name, change).await?;
        let zone = zone(&done.schedule.spec.times.zone);
        let fires = |fires: &[crate::domain::schedule::Fire]| {
            fires.iter().map(|fire| pb_fire(fire, &zone)).collect()
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(pb::UpdateScheduleResponse {
            added: fires(&done.added.0),
            removed: fires(&done.removed.0),
            added_count: count(done.added.1),
            removed_count: count(done.removed.1),
            schedule: Some(pb_schedule(done.schedule, caller.payloads(&namespace))),
        }))
    }

    async fn pause(
        &self,
        request: Request<pb::PauseScheduleRequest>,
    ) -> Result<Response<pb::PauseScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let note = check.field("note", text(request.note, limits::NOTE));
        let until = maybe_time(&mut check, "until", request.until);
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(note)) = (named, note) else {
            return Err(unread("name"));
        };
        let found = self.0.engine.schedules.pause(&namespace, &name, &note, until).await?;
        Ok(Response::new(pb::PauseScheduleResponse {
            schedule: Some(pb_schedule(found, caller.payloads(&namespace))),
        }))
    }

    async fn resume(
        &self,
        request: Request<pb::ResumeScheduleRequest>,
    ) -> Result<Response<pb::ResumeScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (namespace, name) = schedule_ref(namespace, &request.name).map_err(invalid)?;
        let found = self.0.engine.schedules.resume(&namespace, &name).await?;
        Ok(Response::new(pb::ResumeScheduleResponse {
            schedule: Some(pb_schedule(found, caller.payloads(&namespace))),
        }))
    }

    async fn delete(
        &self,
        request: Request<pb::DeleteScheduleRequest>,
    ) -> Result<Response<pb::DeleteScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let etag = check.field("etag", etag(&request.etag));
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(etag)) = (named, etag) else {
            return Err(unread("name"));
        };
        self.0.engine.schedules.delete(&namespace, &name, etag).await?;
        Ok(Response::new(pb::DeleteScheduleResponse {}))
    }

    async fn trigger(
        &self,
        request: Request<pb::TriggerScheduleRequest>,
    ) -> Result<Response<pb::TriggerScheduleResponse>, Status> {
        use crate::domain::schedule::Overlap::{BufferAll, BufferOne};
        let context = context_of(&request);
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let overlap = check.field("overlap", overlap(request.overlap));
        if let Some(Some(BufferOne | BufferAll)) = overlap {
            check.refuse("overlap", "must be ALLOW, SKIP or CANCEL_RUNNING");
        }
        let key = check.field("idempotency_key", key(request.idempotency_key));
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(overlap), Some(key)) = (named, overlap, key) else {
            return Err(unread("name"));
        };
        let done =
            self.0.engine.schedules.trigger(&namespace, &name, overlap, key, context).await?;
        let (task_id, created) = (done.task.to_string(), done.created);
        Ok(Response::new(pb::TriggerScheduleResponse { task_id, created }))
    }

    async fn backfill(
        &self,
        request: Request<pb::BackfillScheduleRequest>,
    ) -> Result<Response<pb::BackfillScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let required = |time: Option<prost_types::Timestamp>| {
            time.map_or_else(|| Err("is required".to_owned()), timestamp)
        };
        let from = check.field("from", required(request.from));
        let to = check.field("to", required(request.to));
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            check.refuse("to", "must be after from");
        }
        let limit = check.field("limit", limit(request.limit, 1_000));
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(from), Some(to), Some(limit)) = (named, from, to, limit)
        else {
            return Err(unread("name"));
        };
        let wish = Backfill { from, to, limit, dry_run: request.dry_run };
        let done = self.0.engine.schedules.backfill(&namespace, &name, wish).await?;
        let zone = zone(&done.zone);
        let fires = done.fires.iter().map(|fire| pb_fire(fire, &zone)).collect();
        let already_fired = done.already_fired;
        Ok(Response::new(pb::BackfillScheduleResponse { fires, already_fired }))
    }

    async fn preview(
        &self,
        request: Request<pb::PreviewScheduleRequest>,
    ) -> Result<Response<pb::PreviewScheduleResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let name = match request.name.as_str() {
            "" => None,
            name => check.field("name", ScheduleName::parse(name)),
        };
        let times = request.times.map(|given| check.part(times(Some(given), "times")));
        let from = maybe_time(&mut check, "from", request.from);
        let to = maybe_time(&mut check, "to", request.to);
        let limit = check.field("limit", limit(request.limit, 10));
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(limit)) = (namespace, limit) else {
            return Err(unread("namespace"));
        };
        let times = times.flatten();
        let preview = self
            .0
            .engine
            .schedules
            .preview(&namespace, name.as_ref(), times.as_ref(), from, to, limit)
            .await?;
        let zone = zone(&preview.zone);
        Ok(Response::new(pb::PreviewScheduleResponse {
            fires: preview.fires.iter().map(|fire| pb_fire(fire, &zone)).collect(),
            summary: preview.summary,
            tzdata_version: bellringer_schedule::tzdata_version().to_owned(),
        }))
    }

    async fn list_fires(
        &self,
        request: Request<pb::ListFiresRequest>,
    ) -> Result<Response<pb::ListFiresResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(schedule_ref(namespace, &request.name));
        let from = maybe_time(&mut check, "from", request.from);
        let to = maybe_time(&mut check, "to", request.to);
        let outcomes = check.field("outcomes", outcomes(&request.outcomes));
        let size = check.field("page_size", page_size(request.page_size));
        let query =
            format!("fires {} {} {from:?} {to:?} {outcomes:?}", request.namespace, request.name);
        let before = match request.page_token.as_str() {
            "" => None,
            token => {
                let read = page_token::decode(self.0.seal(), &query, token)
                    .and_then(|last| fires_before(&last));
                check.field("page_token", read)
            }
        };
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(outcomes), Some(size)) = (named, outcomes, size) else {
            return Err(unread("name"));
        };
        let page = FiresQuery { from, to, outcomes, before, limit: one_more(size) };
        let (found, mut fires) = self.0.engine.schedules.fires(&namespace, &name, &page).await?;
        let has_more = fires.len() > size;
        fires.truncate(size);
        let next_page_token = match fires.last() {
            Some(last) if has_more => {
                let kind = if last.range.is_some() { "range" } else { "fire" };
                page_token::encode(self.0.seal(), &query, &format!("{kind} {}", last.nominal))
            }
            _ => String::new(),
        };
        let zone = zone(&found.spec.times.zone);
        let fires = fires.iter().map(|fire| pb_fire(fire, &zone)).collect();
        Ok(Response::new(pb::ListFiresResponse { fires, next_page_token }))
    }
}

fn fires_before(last: &str) -> Result<FiresBefore, String> {
    let wrong = || "must be a next_page_token as the server gave it".to_owned();
    let (kind, time) = last.split_once(' ').ok_or_else(wrong)?;
    let nominal = time.parse().map_err(|_| wrong())?;
    Ok(FiresBefore { nominal, is_range: kind == "range" })
}
