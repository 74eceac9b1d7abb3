//! Making and changing schedules.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::times::compile;
use super::{LOOKS, Schedules, unreadable};
use crate::domain::schedule::accounting::{just_before, ranges};
use crate::domain::schedule::{
    Fire, Plan, Policies, Schedule, ScheduleSpec, ScheduleState, SkipReason,
};
use crate::domain::{Namespace, ScheduleName, Violations, limits};
use crate::engine::Error;
use crate::store::PutSchedule;

/// Fires that an update tells of.
const TOLD: usize = 100;

/// What became of a call to make a schedule.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The schedule.
    pub schedule: Schedule,
    /// Whether it is new.
    pub created: bool,
    /// Whether anything was changed.
    pub changed: bool,
}

/// What an update does, or would do.
#[derive(Debug, Clone)]
pub struct Update {
    /// The schedule after it.
    pub schedule: Schedule,
    /// Times that are new, the first of them, and how many there are.
    pub added: (Vec<Fire>, usize),
    /// Times that are gone.
    pub removed: (Vec<Fire>, usize),
}

/// A wish to change a schedule.
#[derive(Debug)]
pub struct Change<F> {
    /// Makes the new spec of the old one.
    pub apply: F,
    /// Only this version.
    pub etag: Option<i64>,
    /// Only tell what would be.
    pub dry_run: bool,
    /// How far ahead times are compared.
    pub horizon: Duration,
}

/// Whether the limit on fires lets it go on.
pub(super) fn has_fires_left(policies: &Policies, fires: u64) -> bool {
    policies.max_fires == 0 || fires < policies.max_fires
}

impl Schedules {
    /// Makes a schedule, or replaces the one of that name.
    ///
    /// # Errors
    /// If the spec is wrong in itself, or there is one and it must not be replaced.
    pub async fn put(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        spec: ScheduleSpec,
        only_if_absent: bool,
    ) -> Result<Changed, Error> {
        for _ in 0..LOOKS {
            let found = self.find(namespace, name).await?;
            let done = match &found {
                Some(_) if only_if_absent => return Err(Error::ScheduleExists(name.clone())),
                Some(found) => self.replace(found, &spec).await?,
                None => self.create(namespace, name, &spec).await?,
            };
            if let Some(changed) = done {
                let schedule = self.get(namespace, name).await?;
                return Ok(Changed { schedule, created: found.is_none(), changed });
            }
        }
        Err(Error::StoreUnavailable)
    }

    /// Changes parts of a schedule.
    ///
    /// # Errors
    /// If there is no such schedule, it has changed, or what it would become is wrong in itself.
    pub async fn update<F>(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        change: Change<F>,
    ) -> Result<Update, Error>
    where
        F: Fn(&ScheduleSpec) -> Result<ScheduleSpec, Violations>,
    {
        for _ in 0..LOOKS {
            let found = self.get(namespace, name).await?;
            if change.etag.is_some_and(|etag| etag != found.version) {
                return Err(Error::EtagMismatch(found.version));
            }
            let spec = (change.apply)(&found.spec)?;
            let now = self.store.clock().now();
            let (old, new) = (
                found.plan().map_err(unreadable)?,
                compile(&spec.times, found.id, "spec.times", now)?,
            );
            let (added, removed) = difference(&old, &new, now, change.horizon);
            if change.dry_run {
                let next = match found.spec.times == spec.times {
                    true => found.next_fire_at,
                    false => new.next(now).map(|next| next.nominal),
                };
                let schedule = Schedule { spec, next_fire_at: next, ..found };
                return Ok(Update { schedule, added, removed });
            }
            if self.replace(&found, &spec).await?.is_some() {
                let schedule = self.get(namespace, name).await?;
                return Ok(Update { schedule, added, removed });
            }
        }
        Err(Error::StoreUnavailable)
    }

    /// Makes a schedule; `None`: somebody else was faster.
    async fn create(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        spec: &ScheduleSpec,
    ) -> Result<Option<bool>, Error> {
        let now = self.store.clock().now();
        let id = self.new_id(now);
        let plan = compile(&spec.times, id, "spec.times", now)?;
        let (namespace, lane) = self.lane(namespace, spec).await?;
        let limit = self.most;
        // Looked at again when it is written; here, to be told apart from somebody who was faster.
        if self.store.count_schedules(namespace, limit).await? >= limit {
            return Err(Error::LimitReached { what: "schedules of a namespace", limit });
        }
        let next = plan.next(now);
        let put = PutSchedule {
            id,
            namespace,
            name,
            lane,
            spec,
            state: ScheduleState::Active,
            next_fire_at: next.map(|next| next.nominal),
            due_at: next.map(|next| next.due),
            before: None,
            lost: &[],
            most: limit,
        };
        Ok(self.write(&put).await?.then_some(true))
    }

    /// Gives a schedule a new spec; whether that changed anything. `None`: somebody else was faster.
    async fn replace(&self, found: &Schedule, spec: &ScheduleSpec) -> Result<Option<bool>, Error> {
        if found.spec == *spec {
            return Ok(Some(false));
        }
        let now = self.store.clock().now();
        let is_timed_anew =
            found.spec.times != spec.times || found.state == ScheduleState::Finished;
        let (namespace, lane) = self.lane(&found.namespace, spec).await?;
        let plan = match is_timed_anew {
            true => compile(&spec.times, found.id, "spec.times", now)?,
            false => found.plan().map_err(unreadable)?,
        };
        let mut lost = Vec::new();
        let next = if is_timed_anew {
            // What came by the old times and nobody has looked at will not be looked at any more.
            let old = found.plan().map_err(unreadable)?;
            let reason = match found.state {
                ScheduleState::Paused => SkipReason::Paused,
                ScheduleState::Active | ScheduleState::Finished => SkipReason::Misfire,
            };
            if let Some(cursor) = found.next_fire_at {
                let counting = move || ranges(&old, cursor, now, reason);
                let counted = tokio::task::spawn_blocking(counting).await;
                lost = counted.map_err(|error| unreadable(error.to_string()))?;
            }
            plan.next(now)
        } else {
            found.next_fire_at.and_then(|cursor| plan.next(just_before(cursor)))
        };
        let next = next.filter(|_| has_fires_left(&spec.policies, found.fires));
        let (state, due_at) = match (&found.pause, next) {
            (Some(pause), _) => (ScheduleState::Paused, pause.until),
            (None, Some(next)) => (ScheduleState::Active, Some(next.due)),
            (None, None) => (ScheduleState::Finished, None),
        };
        let put = PutSchedule {
            id: found.id,
            namespace,
            name: &found.name,
            lane,
            spec,
            state,
            next_fire_at: next.map(|next| next.nominal),
            due_at,
            before: Some((found.version, found.next_fire_at)),
            lost: &lost,
            most: self.most,
        };
        Ok(self.write(&put).await?.then_some(true))
    }

    async fn write(&self, put: &PutSchedule<'_>) -> Result<bool, Error> {
        let is_written = self.store.put_schedule(put).await?;
        if is_written {
            self.wake_leader();
        }
        Ok(is_written)
    }

    /// Numbers of namespace and lane of its tasks.
    pub(super) async fn lane(
        &self,
        namespace: &Namespace,
        spec: &ScheduleSpec,
    ) -> Result<(i32, i32), Error> {
        for hook in spec.on_failure.iter().chain(&spec.on_recovery) {
            self.registry.lane(namespace, &hook.queue, &hook.kind, hook.version.as_ref()).await?;
        }
        let task = &spec.task;
        let lane =
            self.registry.lane(namespace, &task.queue, &task.kind, task.version.as_ref()).await?;
        Ok((lane.namespace_id, lane.id))
    }
}

type Told = (Vec<Fire>, usize);

/// The times that are new, and those that are gone.
fn difference(old: &Plan, new: &Plan, now: Timestamp, horizon: Duration) -> (Told, Told) {
    let end = SignedDuration::try_from(horizon)
        .ok()
        .and_then(|horizon| now.checked_add(horizon).ok())
        .unwrap_or(Timestamp::MAX);
    let most = usize::try_from(limits::FIRES).unwrap_or(usize::MAX);
    let times = |plan: &Plan| {
        plan.fires(now)
            .take_while(|fire| fire.nominal < end)
            .take(most)
            .filter(|fire| !fire.excluded)
            .collect::<Vec<_>>()
    };
    let (old, new) = (times(old), times(new));
    // Where one of them was cut off, nothing can be said of what is after that.
    let cut = |fires: &[bellringer_schedule::Fire]| {
        fires.last().filter(|_| fires.len() >= most).map_or(end, |last| last.nominal)
    };
    let end = cut(&old).min(cut(&new));
    let only = |these: &[bellringer_schedule::Fire], others: &[bellringer_schedule::Fire]| {
        let others: BTreeSet<Timestamp> = others.iter().map(|fire| fire.nominal).collect();
        let only: Vec<_> = these
            .iter()
            .filter(|fire| fire.nominal <= end && !others.contains(&fire.nominal))
            .collect();
        (only.iter().take(TOLD).map(|fire| Fire::ahead(fire)).collect(), only.len())
    };
    (only(&new, &old), only(&old, &new))
}
