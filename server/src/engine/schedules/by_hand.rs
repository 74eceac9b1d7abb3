//! Fires that a caller asks for: now, or of times in the past.

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};

use super::{LOOKS, Schedules, unreadable};
use crate::domain::schedule::accounting::just_before;
use crate::domain::schedule::{Fire, FireCause, FireOutcome, Overlap, Schedule, SkipReason};
use crate::domain::{Namespace, NewTask, ScheduleName, TaskId, Violations};
use crate::engine::request_hash::request_hash;
use crate::engine::{Error, Submitted};
use crate::store::{ByHand, ByHandAnswer, Keyed, SubmitRow};

/// Fires that are written in one statement.
const BATCH: usize = 200;
/// Unfinished tasks that a trigger cancels at most.
const CANCELLED: usize = 1_000;

/// A wish to fire times in the past.
#[derive(Debug, Clone, Copy)]
pub struct Backfill {
    /// From here on.
    pub from: Timestamp,
    /// Until before this.
    pub to: Timestamp,
    /// Most fires.
    pub limit: usize,
    /// Only tell what would fire.
    pub dry_run: bool,
}

/// What was, or would be, fired.
#[derive(Debug, Clone)]
pub struct Backfilled {
    /// Oldest first.
    pub fires: Vec<Fire>,
    /// Times that had fired before.
    pub already_fired: u32,
    /// The zone of the schedule.
    pub zone: String,
}

impl Schedules {
    /// Fires now, beside the times of the schedule, in the trace of the caller if there is one.
    ///
    /// # Errors
    /// If there is no such schedule, or no room by the overlap policy.
    pub async fn trigger(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        overlap: Option<Overlap>,
        idempotency_key: Option<String>,
        caller: Option<String>,
    ) -> Result<Submitted, Error> {
        for look in 0..LOOKS {
            let found = self.get(namespace, name).await?;
            let now = self.store.clock().now();
            // Another trigger may have taken the same microsecond.
            let later = SignedDuration::from_micros(i64::try_from(look).unwrap_or_default());
            let round = TimestampRound::new().smallest(Unit::Microsecond);
            let nominal = (now + later).round(round).unwrap_or(now);
            let task = self.new_task(now);
            let traces = &self.signals.traces;
            let fire = ByHand {
                nominal,
                due: nominal,
                rule: bellringer_schedule::Rule::Plain,
                task,
                traceparent: caller.clone().or_else(|| traces.fires(task)),
            };
            // Before the fire: once that is durable, nothing may fail.
            let (number, lane) = self.lane(&found.namespace, &found.spec).await?;
            let key = idempotency_key.as_ref().map(|key| keyed(&found, (number, lane), task, key));
            let hash = key.as_ref().map(|row| request_hash(&row.task)).unwrap_or_default();
            let overlap = overlap.unwrap_or(found.spec.policies.overlap);
            let is_crowded = found.running >= found.spec.policies.max_running;
            if is_crowded && overlap == Overlap::Skip && !self.is_repeated(key.as_ref()).await? {
                return Err(Error::ScheduleOverlap { name: name.clone(), running: found.running });
            }
            let before = match is_crowded && overlap == Overlap::CancelRunning {
                true => self.store.unfinished(number, found.id, CANCELLED).await?,
                false => Vec::new(),
            };
            let cause = FireCause::Trigger;
            let answer = self
                .store
                .fire_by_hand(
                    (number, found.id, name.as_str()),
                    found.version,
                    cause,
                    &[fire],
                    key.as_ref(),
                    &hash,
                )
                .await?;
            match answer {
                Some(ByHandAnswer::Earlier(Keyed::IdempotencyConflict(task))) => {
                    return Err(Error::IdempotencyConflict(task));
                }
                Some(ByHandAnswer::Earlier(
                    Keyed::Existing(task) | Keyed::UniqueConflict(task),
                )) => {
                    return Ok(Submitted { task, created: false });
                }
                Some(ByHandAnswer::Fired(fired)) if !fired.is_empty() => {
                    if caller.is_none() {
                        self.signals.traces.fired(task, found.id.to_string(), nominal, nominal);
                    }
                    self.announce(lane, fired.iter().map(|(_, task, _)| *task));
                    self.cancel(&found, &before).await;
                    return Ok(Submitted { task, created: true });
                }
                // Changed meanwhile, or the microsecond was taken.
                Some(ByHandAnswer::Fired(_) | ByHandAnswer::Earlier(Keyed::Submitted)) | None => {}
            }
        }
        Err(Error::StoreUnavailable)
    }

    /// Fires times in the past that have not.
    ///
    /// # Errors
    /// If there is no such schedule, or there are more such times than the limit.
    pub async fn backfill(
        &self,
        namespace: &Namespace,
        name: &ScheduleName,
        wish: Backfill,
    ) -> Result<Backfilled, Error> {
        let now = self.store.clock().now();
        if wish.to > now {
            return Err(Violations::one("to", format!("must not be after now, {now}")).into());
        }
        let found = self.get(namespace, name).await?;
        let plan = found.plan().map_err(unreadable)?;
        let number = self.number(&found).await?;
        let recorded = self.store.recorded(number, found.id, wish.from, wish.to).await?;
        let mut fires = Vec::new();
        let mut already_fired = 0_u32;
        let all = plan.fires(just_before(wish.from)).take_while(|fire| fire.nominal < wish.to);
        for fire in all.filter(|fire| !fire.excluded) {
            match recorded.get(&fire.nominal) {
                Some((FireOutcome::Fired | FireOutcome::HeldBack, _)) => {
                    already_fired = already_fired.saturating_add(1);
                }
                Some((FireOutcome::Skipped, Some(SkipReason::Excluded))) => {}
                Some((FireOutcome::Skipped, _)) | None => fires.push(fire),
            }
            if fires.len() > wish.limit {
                let why = format!(
                    "more than {} times of that range have not fired; ask for a shorter range, or \
                     raise the limit",
                    wish.limit
                );
                return Err(Violations::one("limit", why).into());
            }
        }
        let zone = plan.zone_name().to_owned();
        let mut told: Vec<Fire> = fires
            .iter()
            .map(|fire| Fire { cause: FireCause::Backfill, ..Fire::ahead(fire) })
            .collect();
        if wish.dry_run {
            return Ok(Backfilled { fires: told, already_fired, zone });
        }
        told.clear();
        let (_, lane) = self.lane(&found.namespace, &found.spec).await?;
        for batch in fires.chunks(BATCH) {
            let by_hand: Vec<ByHand> = batch
                .iter()
                .map(|fire| {
                    let task = self.new_task(now);
                    ByHand {
                        nominal: fire.nominal,
                        due: fire.due,
                        rule: fire.rule,
                        task,
                        traceparent: self.signals.traces.fires(task),
                    }
                })
                .collect();
            let answer = self
                .store
                .fire_by_hand(
                    (number, found.id, name.as_str()),
                    found.version,
                    FireCause::Backfill,
                    &by_hand,
                    None,
                    &[],
                )
                .await?;
            let Some(ByHandAnswer::Fired(fired)) = answer else {
                return Err(Error::EtagMismatch(found.version));
            };
            self.announce(lane, fired.iter().map(|(_, task, _)| *task));
            for (nominal, task, at) in fired {
                let Some(fire) = batch.iter().find(|fire| fire.nominal == nominal) else {
                    continue;
                };
                self.signals.traces.fired(task, found.id.to_string(), nominal, now);
                told.push(Fire {
                    outcome: Some(FireOutcome::Fired),
                    cause: FireCause::Backfill,
                    task: Some(task),
                    recorded: Some((at, 0)),
                    ..Fire::ahead(fire)
                });
            }
        }
        told.sort_by_key(|fire| fire.nominal);
        Ok(Backfilled { fires: told, already_fired, zone })
    }

    /// Whether an idempotency key was used before: then there is nothing to make room for.
    async fn is_repeated(&self, key: Option<&SubmitRow>) -> Result<bool, Error> {
        match key {
            Some(row) => Ok(self.store.is_key_used(row).await?),
            None => Ok(false),
        }
    }

    /// Tells everybody of tasks that are there.
    fn announce(&self, lane: i32, tasks: impl Iterator<Item = TaskId> + Clone) {
        self.signals.meter.fired_by_hand(tasks.clone().count());
        self.signals.meter.submitted(tasks.clone().map(|_| lane));
        self.signals.ready([lane].into());
        self.signals.changed(tasks.map(|task| (task, lane, 0)));
    }

    /// Makes room.
    async fn cancel(&self, found: &Schedule, tasks: &[TaskId]) {
        let room = usize::try_from(found.spec.policies.max_running.saturating_sub(1));
        let keep = room.unwrap_or_default();
        let reason = format!("schedule {}: it was triggered", found.name);
        for task in &tasks[..tasks.len().saturating_sub(keep)] {
            if let Err(error) = self.cancelling.cancel(&found.namespace, *task, &reason).await {
                tracing::warn!(%task, %error, "failed to make room for a trigger");
            }
        }
    }
}

/// The row by which an idempotency key is claimed.
fn keyed(found: &Schedule, (namespace, lane): (i32, i32), id: TaskId, key: &str) -> SubmitRow {
    let mut task = NewTask { idempotency_key: Some(key.to_owned()), ..found.spec.task.clone() };
    // So that the key of a trigger is not taken for that of a submit, or of another schedule.
    task.unique_key = Some(format!("bellringer.trigger/{}", found.id));
    SubmitRow { id, namespace, lane, task }
}
