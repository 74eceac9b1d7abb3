//! What the leader reads and writes, on its own connection. Everything it writes is guarded by its
//! term, within the statement.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSqlOwned, Json};
use uuid::Uuid;

use super::Store;
use super::statements as sql;
use super::stored_task::StoredTask;
use crate::domain::schedule::accounting::Account;
use crate::domain::schedule::{Policies, ScheduleId, ScheduleState, Times};
use crate::domain::{Namespace, NewTask, ScheduleName, TaskId, TaskState};
use crate::leader::{Lead, LeadError};

/// A schedule that the leader has to look at.
#[derive(Debug, Clone)]
pub struct DueRow {
    /// Its id.
    pub id: ScheduleId,
    /// Its version.
    pub version: i64,
    /// Where it is in its life.
    pub state: ScheduleState,
    /// When it fires.
    pub times: Times,
    /// How it behaves.
    pub policies: Policies,
    /// The first time without a record.
    pub cursor: Option<Timestamp>,
    /// When its pause ends by itself.
    pub paused_until: Option<Timestamp>,
    /// Times that fired.
    pub fires: u64,
    /// Unfinished tasks.
    pub running: u32,
    /// Times held back.
    pub held_back: u32,
    /// The time of the database.
    pub now: Timestamp,
}

/// What became of a schedule's times, and the tasks of those that fired: one id for each.
#[derive(Debug, Clone)]
pub struct Fired {
    /// The schedule, as it was read.
    pub id: ScheduleId,
    /// Its version.
    pub version: i64,
    /// Its state.
    pub was: ScheduleState,
    /// Its cursor.
    pub cursor: Option<Timestamp>,
    /// What becomes of the times.
    pub account: Account,
    /// Ids of the tasks, one for each entry, whether or not it fires.
    pub tasks: Vec<TaskId>,
    /// Their trace contexts, instead of the schedule's.
    pub traceparents: Vec<Option<String>>,
}

/// The term in which the leader writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its number.
    pub epoch: i64,
    /// Who holds it.
    pub holder: Uuid,
}

/// What a guarded statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Whether the term still was the leader's. If not, nothing was done.
    pub led: bool,
    /// Rows that were moved.
    pub moved: u64,
    /// Of a fire: the schedules whose times got their outcome.
    pub schedules: HashSet<ScheduleId>,
    /// Tasks that were submitted, with their lanes.
    pub tasks: Vec<(TaskId, i32)>,
}

/// A task of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The task.
    pub task: TaskId,
    /// The time that made it.
    pub nominal: Timestamp,
    /// How it ended; `None`: it has not, or nobody knows any more.
    pub state: Option<TaskState>,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// What the judgement on the end of a task depends on.
#[derive(Debug, Clone)]
pub struct HealthRow {
    /// The schedule.
    pub id: ScheduleId,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ScheduleName,
    /// How it behaves.
    pub policies: Policies,
    /// Submitted when a task has failed.
    pub on_failure: Option<NewTask>,
    /// Submitted when a task has succeeded again.
    pub on_recovery: Option<NewTask>,
    /// Failures in a row.
    pub failures: u32,
}

/// What the leader has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaderLook {
    /// How long until the next schedule is due; `None`: none will be.
    pub wait: Option<Duration>,
    /// Whether there are tasks of schedules to look after.
    pub has_runs: bool,
    /// Whether times are held back.
    pub has_held: bool,
}

/// What the ends of tasks mean for a schedule.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The schedule.
    pub id: ScheduleId,
    /// Failures in a row before.
    pub before: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Why it is paused, if it is to be.
    pub pause_note: Option<String>,
}

impl Store {
    /// Schedules that have to be looked at, longest overdue first.
    pub async fn due_schedules(
        &self,
        lead: &Lead<'_>,
        limit: i64,
    ) -> Result<Vec<DueRow>, LeadError> {
        let rows = lead.query(sql::SCHEDULES_DUE, &[&self.clock.pinned(), &limit]).await?;
        // A schedule that a newer program has written is left to that program.
        Ok(rows.iter().filter_map(|row| readable(due_row(row))).collect())
    }

    /// What there is to do, at the price of one statement where there is nothing.
    pub async fn leader_look(&self, lead: &Lead<'_>) -> Result<LeaderLook, LeadError> {
        let rows = lead.query(sql::SCHEDULES_LOOK, &[&self.clock.pinned()]).await?;
        let read = |row: &Row| {
            let wait: Option<i64> = get(row, "wait_ms")?;
            let wait = wait.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
            Ok(LeaderLook {
                wait,
                has_runs: get(row, "has_runs")?,
                has_held: get(row, "has_held")?,
            })
        };
        Ok(rows.first().and_then(|row| readable(read(row))).unwrap_or_default())
    }

    /// Writes down what became of times, and submits the tasks of those that fired.
    pub async fn fire(
        &self,
        lead: &Lead<'_>,
        term: Term,
        fired: &[Fired],
    ) -> Result<Moved, LeadError> {
        fn each<T>(fired: &[Fired], value: impl Fn(&Fired) -> T) -> Vec<T> {
            fired.iter().map(value).collect()
        }
        let latest = |fired: &Fired| fired.account.entries.iter().map(|entry| entry.due).max();
        let entries = || {
            fired.iter().flat_map(|fired| {
                fired.account.entries.iter().zip(&fired.tasks).map(|(e, task)| (fired.id, e, task))
            })
        };
        let ranges =
            || fired.iter().flat_map(|fired| fired.account.ranges.iter().map(|r| (fired.id, r)));
        let fires = |outcome| matches!(outcome, crate::domain::schedule::FireOutcome::Fired);
        let rows = lead
            .query(
                sql::SCHEDULES_FIRE,
                &[
                    &self.clock.pinned(),
                    &term.epoch,
                    &term.holder,
                    &each(fired, |f| f.id.0),
                    &each(fired, |f| f.version),
                    &each(fired, |f| f.was.code()),
                    &each(fired, |f| f.cursor),
                    &each(fired, latest),
                    &each(fired, |f| f.account.next.map(|(nominal, _)| nominal)),
                    &each(fired, |f| f.account.next.map(|(_, due)| due)),
                    &each(fired, |f| f.account.state.code()),
                    &entries().map(|(id, _, _)| id.0).collect::<Vec<_>>(),
                    &entries().map(|(_, e, _)| e.nominal).collect::<Vec<_>>(),
                    &entries().map(|(_, e, _)| e.due).collect::<Vec<_>>(),
                    &entries().map(|(_, e, _)| e.outcome.code()).collect::<Vec<_>>(),
                    &entries().map(|(_, e, _)| e.reason.map(|r| r.code())).collect::<Vec<_>>(),
                    &entries().map(|(_, e, _)| e.rule.code()).collect::<Vec<_>>(),
                    &entries()
                        .map(|(_, e, task)| fires(e.outcome).then_some(task.0))
                        .collect::<Vec<_>>(),
                    &ranges().map(|(id, _)| id.0).collect::<Vec<_>>(),
                    &ranges().map(|(_, r)| r.first).collect::<Vec<_>>(),
                    &ranges().map(|(_, r)| r.last).collect::<Vec<_>>(),
                    &ranges()
                        .map(|(_, r)| i64::try_from(r.count).unwrap_or(i64::MAX))
                        .collect::<Vec<_>>(),
                    &ranges().map(|(_, r)| r.reason.code()).collect::<Vec<_>>(),
                    &fired.iter().flat_map(|f| f.traceparents.iter()).collect::<Vec<_>>(),
                ],
            )
            .await?;
        let schedules = rows.first().map(|row| get::<Vec<Uuid>>(row, "schedules"));
        let schedules = schedules.and_then(readable).unwrap_or_default();
        let schedules = schedules.into_iter().map(ScheduleId).collect();
        Ok(Moved { schedules, ..moved(&rows) })
    }

    /// Times that are held back and for which there is room, oldest first: schedule, version, time.
    pub async fn held_back(
        &self,
        lead: &Lead<'_>,
        limit: i64,
    ) -> Result<Vec<(ScheduleId, i64, Timestamp)>, LeadError> {
        let rows = lead.query(sql::SCHEDULES_HELD, &[&limit]).await?;
        let read = |row: &Row| {
            Ok((ScheduleId(get(row, "id")?), get(row, "version")?, get(row, "nominal")?))
        };
        Ok(rows.iter().filter_map(|row| readable(read(row))).collect())
    }

    /// Submits the tasks of times that were held back.
    pub async fn release(
        &self,
        lead: &Lead<'_>,
        term: Term,
        held: &[(ScheduleId, i64, Timestamp)],
        tasks: &[TaskId],
        traceparents: &[Option<String>],
    ) -> Result<Moved, LeadError> {
        let rows = lead
            .query(
                sql::SCHEDULES_RELEASE,
                &[
                    &self.clock.pinned(),
                    &term.epoch,
                    &term.holder,
                    &held.iter().map(|(id, _, _)| id.0).collect::<Vec<_>>(),
                    &held.iter().map(|(_, version, _)| *version).collect::<Vec<_>>(),
                    &held.iter().map(|(_, _, nominal)| *nominal).collect::<Vec<_>>(),
                    &tasks.iter().map(|task| task.0).collect::<Vec<_>>(),
                    &traceparents,
                ],
            )
            .await?;
        Ok(moved(&rows))
    }

    /// Up to `limit` tasks of schedules after one of them, ended or not.
    pub async fn schedule_runs(
        &self,
        lead: &Lead<'_>,
        (schedule, task): (Uuid, Uuid),
        limit: i64,
    ) -> Result<Vec<Run>, LeadError> {
        let rows = lead.query(sql::SCHEDULES_RUNS, &[&schedule, &task, &limit]).await?;
        let read = |row: &Row| {
            Ok(Run {
                schedule: ScheduleId(get(row, "schedule")?),
                task: TaskId(get(row, "task")?),
                nominal: get(row, "nominal")?,
                state: get::<Option<i16>>(row, "state")?.and_then(TaskState::from_code),
                has_ended: get(row, "has_ended")?,
            })
        };
        Ok(rows.iter().filter_map(|row| readable(read(row))).collect())
    }

    /// What is needed to judge the ends of tasks of these schedules.
    pub async fn schedule_health(
        &self,
        lead: &Lead<'_>,
        ids: &[ScheduleId],
    ) -> Result<Vec<HealthRow>, LeadError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = lead.query(sql::SCHEDULES_HEALTH, &[&ids]).await?;
        Ok(rows.iter().filter_map(|row| readable(health_row(row))).collect())
    }

    /// Forgets tasks that have ended, and keeps what it means for their schedules.
    pub async fn settle_schedules(
        &self,
        lead: &Lead<'_>,
        term: Term,
        settles: &[Settle],
        runs: &[(ScheduleId, TaskId)],
    ) -> Result<Moved, LeadError> {
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let rows = lead
            .query(
                sql::SCHEDULES_SETTLE,
                &[
                    &self.clock.pinned(),
                    &term.epoch,
                    &term.holder,
                    &settles.iter().map(|s| s.id.0).collect::<Vec<_>>(),
                    &settles.iter().map(|s| number(s.before)).collect::<Vec<_>>(),
                    &settles.iter().map(|s| number(s.failures)).collect::<Vec<_>>(),
                    &settles.iter().map(|s| s.pause_note.as_deref()).collect::<Vec<_>>(),
                    &runs.iter().map(|(schedule, _)| schedule.0).collect::<Vec<_>>(),
                    &runs.iter().map(|(_, task)| task.0).collect::<Vec<_>>(),
                ],
            )
            .await?;
        let led = rows.first().and_then(|row| readable(get::<i64>(row, "led")));
        Ok(Moved { led: led == Some(1), ..Moved::default() })
    }

    /// Unfinished tasks that the overlap policy has to cancel, with namespace and schedule.
    pub async fn crowded(
        &self,
        lead: &Lead<'_>,
        limit: i64,
    ) -> Result<Vec<(Namespace, String, TaskId)>, LeadError> {
        let rows = lead.query(sql::SCHEDULES_CROWDED, &[&limit]).await?;
        let read = |row: &Row| {
            let namespace = Namespace::parse(&get::<String>(row, "namespace")?)?;
            Ok((namespace, get(row, "name")?, TaskId(get(row, "task")?)))
        };
        Ok(rows.iter().filter_map(|row| readable(read(row))).collect())
    }
}

fn moved(rows: &[Row]) -> Moved {
    let read = |row: &Row| {
        let tasks: Vec<Uuid> = get(row, "tasks")?;
        let lanes: Vec<i32> = get(row, "lanes")?;
        Ok(Moved {
            led: get::<i64>(row, "led")? == 1,
            moved: u64::try_from(get::<i64>(row, "moved")?).unwrap_or_default(),
            tasks: tasks.into_iter().map(TaskId).zip(lanes).collect(),
            schedules: HashSet::new(),
        })
    };
    rows.first().and_then(|row| readable(read(row))).unwrap_or_default()
}

fn due_row(row: &Row) -> Result<DueRow, String> {
    let state: i16 = get(row, "state")?;
    let count = |column| -> Result<u32, String> {
        Ok(u32::try_from(get::<i64>(row, column)?).unwrap_or(u32::MAX))
    };
    Ok(DueRow {
        id: ScheduleId(get(row, "id")?),
        version: get(row, "version")?,
        state: ScheduleState::from_code(state).ok_or_else(|| format!("state {state} is none"))?,
        times: get::<Json<Times>>(row, "times")?.0,
        policies: get::<Json<Policies>>(row, "policies")?.0,
        cursor: get(row, "next_fire_at")?,
        paused_until: get(row, "paused_until")?,
        fires: u64::try_from(get::<i64>(row, "fires")?).unwrap_or_default(),
        running: count("running")?,
        held_back: count("held_back")?,
        now: get(row, "now")?,
    })
}

fn health_row(row: &Row) -> Result<HealthRow, String> {
    let namespace = Namespace::parse(&get::<String>(row, "namespace")?)?;
    let hook = |column| {
        get::<Option<Json<StoredTask>>>(row, column)?
            .map(|stored| stored.0.task(&namespace))
            .transpose()
    };
    Ok(HealthRow {
        id: ScheduleId(get(row, "id")?),
        name: ScheduleName::parse(&get::<String>(row, "name")?)?,
        policies: get::<Json<Policies>>(row, "policies")?.0,
        on_failure: hook("on_failure")?,
        on_recovery: hook("on_recovery")?,
        failures: u32::try_from(get::<i32>(row, "failures")?).unwrap_or_default(),
        namespace,
    })
}

fn get<T: FromSqlOwned>(row: &Row, column: &str) -> Result<T, String> {
    row.try_get(column).map_err(|error| format!("column {column}: {error}"))
}

/// One row that cannot be read must not keep all others from firing.
fn readable<T>(read: Result<T, String>) -> Option<T> {
    read.inspect_err(|why| tracing::error!(why, "a row of the schedules cannot be read")).ok()
}
