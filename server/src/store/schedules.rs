//! Schedules and their ledger, as callers see and change them. What the leader does is in `firing`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::PgRow;
use sqlx::query;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::{self, all, corrupt, count, get, maybe_time, time};
use super::stored_task::StoredTask;
use super::submit::milliseconds;
use super::wall::{Tenant, Turn};
use super::{Error, Store, statements as sql};
use crate::domain::schedule::accounting::Range;
use crate::domain::schedule::{
    Fire, FireCause, FireOutcome, Pause, Policies, ScheduleId, ScheduleSpec, ScheduleState,
    SkipReason, Times,
};
use crate::domain::task::{NewTask, Start};
use crate::domain::{Kind, Namespace, QueueName, Schedule, ScheduleName, TaskId, Version};

/// What is written of a schedule when a caller makes or changes it.
#[derive(Debug, Clone)]
pub struct PutSchedule<'a> {
    /// Its id.
    pub id: ScheduleId,
    /// Number of its namespace.
    pub namespace: i32,
    /// Its name.
    pub name: &'a ScheduleName,
    /// Number of the lane of its tasks.
    pub lane: i32,
    /// What it is meant to do.
    pub spec: &'a ScheduleSpec,
    /// Where it is in its life.
    pub state: ScheduleState,
    /// The first time without a record.
    pub next_fire_at: Option<Timestamp>,
    /// When the leader has to look.
    pub due_at: Option<Timestamp>,
    /// The version that it replaces, with the cursor that was read; `None`: it is new.
    pub before: Option<(i64, Option<Timestamp>)>,
    /// Times that will never fire.
    pub lost: &'a [Range],
    /// Of a new one: most schedules of the namespace, with this one.
    pub most: usize,
}

/// Where a page of the ledger begins.
#[derive(Debug, Clone, Copy)]
pub struct FiresBefore {
    /// At or before this time.
    pub nominal: Timestamp,
    /// Only a range was told of this time, a single fire was not.
    pub is_range: bool,
}

/// A part of the ledger.
#[derive(Debug, Clone, Default)]
pub struct FiresQuery {
    /// From here on.
    pub from: Option<Timestamp>,
    /// Until before this.
    pub to: Option<Timestamp>,
    /// Outcomes; empty: any.
    pub outcomes: Vec<FireOutcome>,
    /// Where the page begins.
    pub before: Option<FiresBefore>,
    /// Its length.
    pub limit: usize,
}

/// A fire that a caller asks for.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// The time.
    pub nominal: Timestamp,
    /// The time with jitter.
    pub due: Timestamp,
    /// What a clock change had to do with it.
    pub rule: bellringer_schedule::Rule,
    /// The task to submit.
    pub task: TaskId,
    /// Its trace context, instead of the schedule's.
    pub traceparent: Option<String>,
}

fn is_some(rows: &[PgRow]) -> bool {
    !rows.is_empty()
}

impl Store {
    /// How many schedules a namespace has, counted up to `limit`.
    pub async fn count_schedules(&self, namespace: i32, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = query(sql::SCHEDULES_COUNT).bind(namespace).bind(limit);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let count = rows.first().map(|row| get::<i64>(row, "count")).transpose()?;
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
    }

    /// Makes or changes a schedule; false if somebody else was faster.
    pub async fn put_schedule(&self, put: &PutSchedule<'_>) -> Result<bool, Error> {
        let PutSchedule { spec, .. } = *put;
        let task = &spec.task;
        let lost = |time: fn(&Range) -> Timestamp| {
            put.lost.iter().map(|range| time(range).to_sqlx()).collect::<Vec<_>>()
        };
        let hook = |task: &Option<NewTask>| task.as_ref().map(|task| Json(StoredTask::of(task)));
        let statement = query(sql::SCHEDULES_PUT)
            .bind(self.now())
            .bind(put.id.0)
            .bind(put.namespace)
            .bind(put.name.as_str())
            .bind(put.before.map_or(0, |(version, _)| version))
            .bind(put.state.code())
            .bind(Json(&spec.times))
            .bind(Json(&spec.policies))
            .bind(hook(&spec.on_failure))
            .bind(hook(&spec.on_recovery))
            .bind(Json(&spec.labels))
            .bind(spec.description.as_str())
            .bind(spec.start_within.map(milliseconds))
            .bind(put.lane)
            .bind(i16::from(task.priority))
            .bind(task.payload.data.as_ref())
            .bind(task.payload.content_type.as_deref())
            .bind(task.attempt_timeout.map(milliseconds))
            .bind(task.total_timeout.map(milliseconds))
            .bind(task.retry.as_ref().map(Json))
            .bind(Json(&task.labels))
            .bind(task.traceparent.as_deref())
            .bind(put.next_fire_at.map(|time| time.to_sqlx()))
            .bind(put.due_at.map(|time| time.to_sqlx()))
            .bind(put.before.and_then(|(_, cursor)| cursor).map(|time| time.to_sqlx()))
            .bind(lost(|range| range.first))
            .bind(lost(|range| range.last))
            .bind(
                put.lost
                    .iter()
                    .map(|range| i64::try_from(range.count).unwrap_or(i64::MAX))
                    .collect::<Vec<_>>(),
            )
            .bind(put.lost.iter().map(|range| range.reason.code()).collect::<Vec<_>>())
            .bind(i64::try_from(put.most).unwrap_or(i64::MAX));
        let (tenant, name) = (Some(Tenant::Namespace(put.namespace)), put.name.as_str());
        let turn = put.before.is_none().then_some(Turn::Schedules(put.namespace));
        Ok(is_some(&self.audited_in_turn(tenant, turn, (statement, None), name, false).await?))
    }

    /// One schedule.
    pub async fn schedule(&self, namespace: i32, name: &str) -> Result<Option<Schedule>, Error> {
        let statement = query(sql::SCHEDULES_GET).bind(namespace).bind(name);
        Ok(all(&self.tenant_rows(Tenant::Namespace(namespace), statement).await?, schedule)?.pop())
    }

    /// Schedules by name, after `after`.
    pub async fn schedules(
        &self,
        namespace: i32,
        after: &str,
        labels: &BTreeMap<String, String>,
        states: &[ScheduleState],
        limit: usize,
    ) -> Result<Vec<Schedule>, Error> {
        let states: Vec<i16> = states.iter().map(|state| state.code()).collect();
        let statement = query(sql::SCHEDULES_LIST)
            .bind(namespace)
            .bind(after)
            .bind((!labels.is_empty()).then_some(Json(labels)))
            .bind((!states.is_empty()).then_some(states))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        all(&self.tenant_rows(Tenant::Namespace(namespace), statement).await?, schedule)
    }

    /// Stops firing; false if there is no such schedule, or it has no further time.
    pub async fn pause_schedule(
        &self,
        namespace: i32,
        name: &str,
        note: &str,
        until: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let statement = query(sql::SCHEDULES_PAUSE)
            .bind(self.now())
            .bind(namespace)
            .bind(name)
            .bind(note)
            .bind(until.map(|time| time.to_sqlx()));
        let tenant = Some(Tenant::Namespace(namespace));
        Ok(is_some(&self.audited_rows(tenant, statement, name, false).await?))
    }

    /// Ends a pause; false if the schedule has changed since it was read.
    pub async fn resume_schedule(
        &self,
        namespace: i32,
        (id, name): (ScheduleId, &str),
        version: i64,
        state: ScheduleState,
        next: Option<(Timestamp, Timestamp)>,
        ranges: &[Range],
    ) -> Result<bool, Error> {
        let statement = query(sql::SCHEDULES_RESUME)
            .bind(self.now())
            .bind(id.0)
            .bind(version)
            .bind(state.code())
            .bind(next.map(|(nominal, _)| nominal.to_sqlx()))
            .bind(next.map(|(_, due)| due.to_sqlx()))
            .bind(ranges.iter().map(|range| range.first.to_sqlx()).collect::<Vec<_>>())
            .bind(ranges.iter().map(|range| range.last.to_sqlx()).collect::<Vec<_>>())
            .bind(
                ranges
                    .iter()
                    .map(|range| i64::try_from(range.count).unwrap_or(i64::MAX))
                    .collect::<Vec<_>>(),
            )
            .bind(ranges.iter().map(|range| range.reason.code()).collect::<Vec<_>>());
        let tenant = Some(Tenant::Namespace(namespace));
        Ok(is_some(&self.audited_rows(tenant, statement, name, false).await?))
    }

    /// Removes a schedule and its ledger; false if there is none of this version.
    pub async fn delete_schedule(
        &self,
        namespace: i32,
        name: &str,
        version: Option<i64>,
    ) -> Result<bool, Error> {
        let statement = query(sql::SCHEDULES_DELETE).bind(namespace).bind(name).bind(version);
        let tenant = Some(Tenant::Namespace(namespace));
        Ok(is_some(&self.audited_rows(tenant, statement, name, false).await?))
    }

    /// The ledger, newest first.
    pub async fn fires(
        &self,
        namespace: i32,
        id: ScheduleId,
        page: &FiresQuery,
    ) -> Result<Vec<Fire>, Error> {
        let outcomes: Vec<i16> = page.outcomes.iter().map(|outcome| outcome.code()).collect();
        let statement = query(sql::SCHEDULES_FIRES)
            .bind(id.0)
            .bind(page.from.map(|time| time.to_sqlx()))
            .bind(page.to.map(|time| time.to_sqlx()))
            .bind((!outcomes.is_empty()).then_some(outcomes))
            .bind(page.before.map(|before| before.nominal.to_sqlx()))
            .bind(page.before.is_some_and(|before| before.is_range))
            .bind(i64::try_from(page.limit).unwrap_or(i64::MAX));
        all(&self.tenant_rows(Tenant::Namespace(namespace), statement).await?, fire)
    }

    /// What the ledger says of the times in `from..to` by themselves.
    pub async fn recorded(
        &self,
        namespace: i32,
        id: ScheduleId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeMap<Timestamp, (FireOutcome, Option<SkipReason>)>, Error> {
        let statement =
            query(sql::SCHEDULES_RECORDED).bind(id.0).bind(from.to_sqlx()).bind(to.to_sqlx());
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        let found = all(&rows, |row| Ok((time(row, "nominal")?, (outcome(row)?, reason(row)?))))?;
        Ok(found.into_iter().collect())
    }

    /// Writes down fires that a caller asked for and submits their tasks; answers with those that
    /// were, and when. `None`: the schedule has changed. With a key: a single fire.
    pub async fn fire_by_hand(
        &self,
        (namespace, id, name): (i32, ScheduleId, &str),
        version: i64,
        cause: FireCause,
        fires: &[ByHand],
        key: Option<&super::submit::Row>,
        hash: &[u8],
    ) -> Result<Option<ByHandAnswer>, Error> {
        let mut held = self.hot.acquire().await?;
        let beginning = self.beginning(Some(Tenant::Namespace(namespace)));
        let mut tx = held.begin_with(beginning.writing()).await?;
        let mut existing = None;
        if let Some(row) = key {
            let answers = self
                .claim_idempotency(&mut tx, std::slice::from_ref(row), &[hash.to_vec()])
                .await?;
            existing = answers.into_iter().find(|answer| *answer != super::Keyed::Submitted);
        }
        if let Some(keyed) = existing {
            tx.rollback().await.map_err(Error::during)?;
            held.release();
            return Ok(Some(ByHandAnswer::Earlier(keyed)));
        }
        let statement = query(sql::SCHEDULES_BY_HAND)
            .bind(self.now())
            .bind(id.0)
            .bind(version)
            .bind(cause.code())
            .bind(key.and_then(|row| row.task.idempotency_key.as_deref()))
            .bind(fires.iter().map(|fire| fire.nominal.to_sqlx()).collect::<Vec<_>>())
            .bind(fires.iter().map(|fire| fire.due.to_sqlx()).collect::<Vec<_>>())
            .bind(fires.iter().map(|fire| fire.rule.code()).collect::<Vec<_>>())
            .bind(fires.iter().map(|fire| fire.task.0).collect::<Vec<_>>())
            .bind(fires.iter().map(|fire| fire.traceparent.as_deref()).collect::<Vec<_>>());
        let found = self.in_transaction(&mut tx, beginning.limit, statement).await?;
        if found.is_empty() {
            tx.rollback().await.map_err(Error::during)?;
            held.release();
            return Ok(None);
        }
        let fired = all(&found, |row| {
            let now = time(row, "now")?;
            let task = get::<Option<Uuid>>(row, "task")?.map(TaskId);
            Ok(maybe_time(row, "nominal")?.zip(task).map(|(nominal, task)| (nominal, task, now)))
        })?;
        if let Some(act) = crate::act::current() {
            self.write_act(&mut tx, &act, name).await?;
        }
        tx.commit().await.map_err(Error::during)?;
        held.release();
        Ok(Some(ByHandAnswer::Fired(fired.into_iter().flatten().collect())))
    }

    /// The unfinished tasks of a schedule, oldest first.
    pub async fn unfinished(
        &self,
        namespace: i32,
        id: ScheduleId,
        limit: usize,
    ) -> Result<Vec<TaskId>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = query(sql::SCHEDULES_UNFINISHED).bind(id.0).bind(limit);
        let rows = self.tenant_rows(Tenant::Namespace(namespace), statement).await?;
        all(&rows, |row| Ok(TaskId(get(row, "task")?)))
    }

    /// How long until the leader has to look at a schedule; `None` if there is none.
    pub async fn next_schedule_due(&self) -> Result<Option<Duration>, Error> {
        let rows = self.hot_rows(query(sql::SCHEDULES_NEXT_DUE).bind(self.now())).await?;
        let waits = all(&rows, |row| get::<i64>(row, "wait_ms"))?;
        Ok(waits.first().map(|ms| Duration::from_millis(u64::try_from(*ms).unwrap_or_default())))
    }

    /// How many times of schedules were recorded since `since`.
    pub async fn came(&self, since: Timestamp) -> Result<u64, Error> {
        let statement = query(sql::SCHEDULES_CAME).bind(since.to_sqlx());
        let came = all(&self.read_rows(statement).await?, |row| get::<i64>(row, "came"))?;
        Ok(came.first().map_or(0, |came| u64::try_from(*came).unwrap_or_default()))
    }

    /// Deletes entries of the ledger that are older than `before`; whether there may be more.
    pub async fn prune_fires(&self, before: Timestamp, limit: i64) -> Result<bool, Error> {
        let statement = query(sql::SCHEDULES_PRUNE).bind(before.to_sqlx()).bind(limit);
        let gone = all(&self.read_rows(statement).await?, |row| get::<i64>(row, "gone"))?;
        Ok(gone.first().is_some_and(|gone| *gone >= limit))
    }
}

/// What became of a call to fire by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHandAnswer {
    /// An earlier request had the same idempotency key.
    Earlier(super::Keyed),
    /// These fired: nominal time, task, and when.
    Fired(Vec<(Timestamp, TaskId, Timestamp)>),
}

fn outcome(row: &PgRow) -> Result<FireOutcome, rows::Corrupt> {
    let code: i16 = get(row, "outcome")?;
    FireOutcome::from_code(code).ok_or_else(|| corrupt("outcome", format!("{code} is none")))
}

fn reason(row: &PgRow) -> Result<Option<SkipReason>, rows::Corrupt> {
    Ok(get::<Option<i16>>(row, "reason")?.and_then(SkipReason::from_code))
}

fn fire(row: &PgRow) -> Result<Fire, rows::Corrupt> {
    let cause: i16 = get(row, "cause")?;
    let rule: i16 = get(row, "rule")?;
    let count = u64::try_from(get::<i64>(row, "count")?).unwrap_or_default();
    Ok(Fire {
        nominal: time(row, "nominal")?,
        range: maybe_time(row, "last")?.map(|last| (last, count)),
        due: time(row, "due_at")?,
        outcome: Some(outcome(row)?),
        reason: reason(row)?,
        rule: bellringer_schedule::Rule::from_code(rule)
            .ok_or_else(|| corrupt("rule", format!("{rule} is none")))?,
        cause: FireCause::from_code(cause)
            .ok_or_else(|| corrupt("cause", format!("{cause} is none")))?,
        task: get::<Option<Uuid>>(row, "task")?.map(TaskId),
        recorded: Some((time(row, "recorded_at")?, get(row, "epoch")?)),
    })
}

fn schedule(row: &PgRow) -> Result<Schedule, rows::Corrupt> {
    let name = |column, text: &str| corrupt(column, format!("{text} is no name"));
    let namespace: &str = get(row, "namespace")?;
    let namespace = Namespace::parse(namespace).map_err(|_| name("namespace", namespace))?;
    let own: &str = get(row, "name")?;
    let queue: &str = get(row, "queue")?;
    let kind: &str = get(row, "kind")?;
    let version: &str = get(row, "handler_version")?;
    let state: i16 = get(row, "state")?;
    let hook = |column| -> Result<Option<NewTask>, rows::Corrupt> {
        get::<Option<Json<StoredTask>>>(row, column)?
            .map(|stored| stored.0.task(&namespace).map_err(|why| corrupt(column, why)))
            .transpose()
    };
    let limit = |column| -> Result<Option<Duration>, rows::Corrupt> {
        let limit: Option<i64> = get(row, column)?;
        Ok(limit.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default())))
    };
    let task = NewTask {
        namespace: namespace.clone(),
        queue: QueueName::parse(queue).map_err(|_| name("queue", queue))?,
        kind: Kind::parse(kind).map_err(|_| name("kind", kind))?,
        version: Version::parse(version).ok(),
        payload: rows::payload(row, "payload", "content_type")?.unwrap_or_default(),
        labels: get::<Json<BTreeMap<String, String>>>(row, "task_labels")?.0,
        priority: u8::try_from(get::<i16>(row, "priority")?).unwrap_or_default(),
        start: Start::Now,
        expire_at: None,
        attempt_timeout: limit("attempt_timeout_ms")?,
        total_timeout: limit("total_timeout_ms")?,
        retry: rows::retry(row)?,
        unique_key: None,
        unique_conflict: crate::domain::UniqueConflict::default(),
        idempotency_key: None,
        traceparent: get(row, "traceparent")?,
        retry_of: None,
    };
    let spec = ScheduleSpec {
        times: get::<Json<Times>>(row, "times")?.0,
        task,
        start_within: limit("start_within_ms")?,
        policies: get::<Json<Policies>>(row, "policies")?.0,
        on_failure: hook("on_failure")?,
        on_recovery: hook("on_recovery")?,
        labels: get::<Json<BTreeMap<String, String>>>(row, "labels")?.0,
        description: get(row, "description")?,
    };
    let pause = maybe_time(row, "paused_at")?;
    let number = |column| -> Result<u32, rows::Corrupt> {
        Ok(u32::try_from(get::<i64>(row, column)?).unwrap_or(u32::MAX))
    };
    Ok(Schedule {
        id: ScheduleId(get(row, "id")?),
        name: ScheduleName::parse(own).map_err(|_| name("name", own))?,
        state: ScheduleState::from_code(state)
            .ok_or_else(|| corrupt("state", format!("{state} is no state")))?,
        version: get(row, "version")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        next_fire_at: maybe_time(row, "next_fire_at")?,
        last_fire_at: maybe_time(row, "last_fire_at")?,
        last_task: get::<Option<Uuid>>(row, "last_task")?.map(TaskId),
        fires: u64::try_from(get::<i64>(row, "fires")?).unwrap_or_default(),
        running: number("running")?,
        held_back: number("held_back")?,
        failures: count(row, "failures")?,
        pause: match pause {
            Some(at) => Some(Pause {
                at,
                until: maybe_time(row, "paused_until")?,
                note: get(row, "pause_note")?,
            }),
            None => None,
        },
        namespace,
        spec,
    })
}
