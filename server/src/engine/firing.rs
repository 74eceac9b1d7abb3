//! What the leader does: gives every time that has come its outcome, lets go what was held back, and
//! looks at how the tasks of schedules ended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::cancelling::Cancelling;
use super::ids::Ids;
use super::signals::Signals;
use super::submitter::Submitter;
use crate::domain::schedule::accounting::{Account, Standing, account, account_for_pause};
use crate::domain::schedule::{
    CAUSE_LABEL, Plan, SCHEDULE_LABEL, ScheduleId, ScheduleState, health, plan,
};
use crate::domain::{NewTask, TaskId};
use crate::leader::{Duty, Lead, LeadError};
use crate::store::{DueRow, Fired, HealthRow, LeaderLook, Moved, Run, Settle, Store, Term};

/// Schedules, and about as many tasks, that a statement moves.
const BATCH: usize = 500;
/// Tasks of schedules that are looked at in a round.
const RUNS: i64 = 2_000;
/// How often the ends of tasks are looked at.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// How long rows that somebody else has locked are left alone.
const LEFT_ALONE: Duration = Duration::from_millis(50);
/// Plans that are kept in memory.
const PLANS: usize = 20_000;

/// The leader's work.
#[derive(Debug)]
pub(super) struct Firing {
    store: Store,
    submitter: Arc<Submitter>,
    signals: Arc<Signals>,
    cancelling: Arc<Cancelling>,
    ids: Ids,
    plans: Mutex<HashMap<(ScheduleId, i64), Plan>>,
    rounds: Mutex<Rounds>,
}

/// Where the rounds over the tasks of schedules are.
#[derive(Debug)]
struct Rounds {
    next_look: Instant,
    after: (Uuid, Uuid),
}

impl Duty for Firing {
    async fn run(&self, lead: &Lead<'_>) -> Result<Option<Duration>, LeadError> {
        let found = self.fire_due(lead).await?;
        let look = self.lock_rounds().next_look;
        if Instant::now() >= look {
            self.lock_rounds().next_look = Instant::now() + LOOKS_EVERY;
            if found.has_runs {
                self.look_at_runs(lead).await?;
            }
            if found.has_held {
                self.release(lead).await?;
            }
            if found.has_runs {
                self.make_room(lead).await?;
            }
        }
        let look = self.lock_rounds().next_look.saturating_duration_since(Instant::now());
        Ok(Some(found.wait.map_or(look, |wait| wait.min(look))))
    }
}

impl Firing {
    pub(super) fn new(
        store: Store,
        submitter: Arc<Submitter>,
        signals: Arc<Signals>,
        cancelling: Arc<Cancelling>,
    ) -> Self {
        let rounds = Rounds { next_look: Instant::now(), after: (Uuid::nil(), Uuid::nil()) };
        Self {
            store,
            submitter,
            signals,
            cancelling,
            ids: Ids::default(),
            plans: Mutex::default(),
            rounds: Mutex::new(rounds),
        }
    }

    fn lock_rounds(&self) -> std::sync::MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fires everything that is due; answers with what there is to do then.
    async fn fire_due(&self, lead: &Lead<'_>) -> Result<LeaderLook, LeadError> {
        loop {
            let found = self.store.leader_look(lead).await?;
            if found.wait != Some(Duration::ZERO) {
                return Ok(found);
            }
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let rows = self.store.due_schedules(lead, limit).await?;
            let is_all = rows.len() < BATCH;
            let mut fired = rows.into_iter().filter_map(|row| self.decide(row)).peekable();
            let mut progress = 0;
            while fired.peek().is_some() {
                let mut batch = Vec::new();
                let mut entries = 0;
                while entries < BATCH
                    && let Some(next) = fired.next()
                {
                    entries += next.account.entries.len();
                    batch.push(next);
                }
                let moved = self.store.fire(lead, term(lead), &batch).await?;
                progress += moved.moved;
                self.trace(&batch, &moved);
                batch.retain(|fired| moved.schedules.contains(&fired.id));
                self.announce(lead, moved)?;
                self.signals.meter.fired(&batch, self.store.clock().now());
            }
            if progress == 0 && is_all {
                // Somebody is just changing them.
                return Ok(LeaderLook { wait: Some(LEFT_ALONE), ..found });
            }
        }
    }

    /// What becomes of the times of a schedule.
    fn decide(&self, row: DueRow) -> Option<Fired> {
        let plan = match self.plan(&row) {
            Ok(plan) => plan,
            Err(why) => {
                tracing::error!(schedule = %row.id, why, "the times of a schedule cannot be read");
                return None;
            }
        };
        let account: Account = match (row.state, row.cursor, row.paused_until) {
            (ScheduleState::Active, Some(cursor), _) => {
                let standing = Standing {
                    plan: &plan,
                    policies: &row.policies,
                    cursor,
                    fires: row.fires,
                    running: row.running,
                    held_back: row.held_back,
                };
                account(&standing, row.now)
            }
            (ScheduleState::Paused, cursor, Some(until)) => account_for_pause(&plan, cursor, until),
            (ScheduleState::Active | ScheduleState::Paused | ScheduleState::Finished, ..) => {
                Account {
                    entries: Vec::new(),
                    ranges: Vec::new(),
                    state: ScheduleState::Finished,
                    next: None,
                }
            }
        };
        let now = self.store.clock().now();
        let tasks: Vec<TaskId> = account.entries.iter().map(|_| self.ids.task(now)).collect();
        let traceparents = self.contexts(&tasks);
        let DueRow { id, version, state: was, cursor, .. } = row;
        Some(Fired { id, version, was, cursor, account, tasks, traceparents })
    }

    fn contexts(&self, tasks: &[TaskId]) -> Vec<Option<String>> {
        tasks.iter().map(|task| self.signals.traces.fires(*task)).collect()
    }

    /// The spans of fires that are durable.
    fn trace(&self, fired: &[Fired], moved: &Moved) {
        if !self.signals.traces.tracer.is_on() {
            return;
        }
        let made: HashSet<TaskId> = moved.tasks.iter().map(|(task, _)| *task).collect();
        for fired in fired {
            for (entry, task) in fired.account.entries.iter().zip(&fired.tasks) {
                if made.contains(task) {
                    let schedule = fired.id.to_string();
                    self.signals.traces.fired(*task, schedule, entry.nominal, entry.due);
                }
            }
        }
    }

    fn plan(&self, row: &DueRow) -> Result<Plan, String> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&(row.id, row.version)) {
            return Ok(plan.clone());
        }
        let plan = plan(&row.times, row.id)?;
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert((row.id, row.version), plan.clone());
        Ok(plan)
    }

    /// Tells who waits for the tasks that were submitted.
    fn announce(&self, lead: &Lead<'_>, moved: Moved) -> Result<(), LeadError> {
        if !moved.led {
            return Err(lead.fenced());
        }
        if !moved.tasks.is_empty() {
            self.signals.meter.submitted(moved.tasks.iter().map(|(_, lane)| *lane));
            self.signals.ready(moved.tasks.iter().map(|(_, lane)| *lane).collect());
            self.signals.changed(moved.tasks.iter().map(|(task, lane)| (*task, *lane, 0)));
        }
        Ok(())
    }

    /// Submits what was held back and now has room.
    async fn release(&self, lead: &Lead<'_>) -> Result<(), LeadError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let held = self.store.held_back(lead, limit).await?;
        if held.is_empty() {
            return Ok(());
        }
        let now = self.store.clock().now();
        let tasks: Vec<TaskId> = held.iter().map(|_| self.ids.task(now)).collect();
        let contexts = self.contexts(&tasks);
        let moved = self.store.release(lead, term(lead), &held, &tasks, &contexts).await?;
        for ((schedule, _, nominal), task) in held.iter().zip(&tasks) {
            if moved.tasks.iter().any(|(made, _)| made == task) {
                self.signals.traces.fired(*task, schedule.to_string(), *nominal, now);
            }
        }
        let released = u64::try_from(moved.tasks.len()).unwrap_or_default();
        self.announce(lead, moved)?;
        self.signals.meter.metrics.schedules.fired("fired", "held_back", released);
        Ok(())
    }

    /// Cancels the oldest tasks of schedules that want it so.
    async fn make_room(&self, lead: &Lead<'_>) -> Result<(), LeadError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        for (namespace, schedule, task) in self.store.crowded(lead, limit).await? {
            let reason = format!("schedule {schedule}: a later time has come");
            if let Err(error) = self.cancelling.cancel(&namespace, task, &reason).await {
                tracing::warn!(%task, %error, "failed to make room for a later time");
            }
        }
        Ok(())
    }

    /// Looks at how tasks ended, a part of them in each round.
    async fn look_at_runs(&self, lead: &Lead<'_>) -> Result<(), LeadError> {
        let after = self.lock_rounds().after;
        let runs = self.store.schedule_runs(lead, after, RUNS).await?;
        let is_last = i64::try_from(runs.len()).unwrap_or_default() < RUNS;
        self.lock_rounds().after = match runs.last() {
            Some(run) if !is_last => (run.schedule.0, run.task.0),
            _ => (Uuid::nil(), Uuid::nil()),
        };
        let mut ended: BTreeMap<ScheduleId, Vec<Run>> = BTreeMap::new();
        for run in runs.into_iter().filter(|run| run.has_ended) {
            ended.entry(run.schedule).or_default().push(run);
        }
        if ended.is_empty() {
            return Ok(());
        }
        let ids: Vec<ScheduleId> = ended.keys().copied().collect();
        let rows = self.store.schedule_health(lead, &ids).await?;
        let mut settles = Vec::new();
        let mut told = HashSet::new();
        for row in rows {
            let Some(runs) = ended.get_mut(&row.id) else { continue };
            runs.sort_by_key(|run| (run.nominal, run.task));
            match self.judge(&row, runs).await {
                Ok(settle) => {
                    told.insert(row.id);
                    settles.push(settle);
                }
                // The hook is submitted again in the next round, by the same key.
                Err(error) => {
                    tracing::warn!(schedule = %row.name, %error, "failed to submit a hook");
                }
            }
        }
        let gone: Vec<(ScheduleId, TaskId)> = ended
            .values()
            .flatten()
            .filter(|run| told.contains(&run.schedule))
            .map(|run| (run.schedule, run.task))
            .collect();
        let moved = self.store.settle_schedules(lead, term(lead), &settles, &gone).await?;
        if moved.led { Ok(()) } else { Err(lead.fenced()) }
    }

    /// Counts the ends of tasks of a schedule, in the order of their times, and submits its hooks.
    async fn judge(&self, row: &HealthRow, runs: &[Run]) -> Result<Settle, super::Error> {
        let mut failures = row.failures;
        let mut pauses = false;
        for run in runs {
            let told = health::count(&row.policies, &mut failures, run.state);
            pauses |= told.pauses;
            if let Some(hook) = row.on_failure.as_ref().filter(|_| told.has_failed) {
                self.submit_hook(row, hook, run, "failure").await?;
            }
            if let Some(hook) = row.on_recovery.as_ref().filter(|_| told.has_recovered) {
                self.submit_hook(row, hook, run, "recovery").await?;
            }
        }
        let pause_note =
            pauses.then(|| format!("paused by itself: {failures} tasks in a row have failed"));
        if pauses {
            tracing::warn!(namespace = %row.namespace, schedule = %row.name, failures, "paused a schedule");
        }
        Ok(Settle { id: row.id, before: row.failures, failures, pause_note })
    }

    async fn submit_hook(
        &self,
        row: &HealthRow,
        hook: &NewTask,
        run: &Run,
        why: &str,
    ) -> Result<(), super::Error> {
        let mut task = hook.clone();
        task.labels.insert(SCHEDULE_LABEL.to_owned(), row.name.to_string());
        task.labels.insert(CAUSE_LABEL.to_owned(), run.task.to_string());
        task.idempotency_key = Some(format!("bellringer.{why}/{}/{}", row.id, run.task));
        self.submitter.submit_promised(task).await.map(drop)
    }
}

fn term(lead: &Lead<'_>) -> Term {
    Term { epoch: lead.epoch(), holder: lead.holder() }
}
