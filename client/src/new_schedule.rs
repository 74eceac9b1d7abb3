//! Describing a schedule.

use std::time::Duration;

use bellringer_api::v1 as pb;

use crate::error::Error;
use crate::new_task::{NewTask, pb_duration};
use crate::times::Times;

/// A schedule to be made. Limits and defaults are those of `ScheduleSpec` in the `.proto`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    pub(crate) name: String,
    pub(crate) only_if_absent: bool,
    times: Times,
    task: NewTask,
    start_within: Option<Duration>,
    policies: pb::SchedulePolicies,
    on_failure: Option<NewTask>,
    on_recovery: Option<NewTask>,
    labels: Vec<(String, String)>,
    description: String,
}

impl NewSchedule {
    /// A schedule that submits `task` at `times`. Of the task leave out what the times say:
    /// `run_at`, `delay`, `expire_at`, the unique key and the idempotency key.
    pub fn new(name: impl Into<String>, times: Times, task: NewTask) -> Self {
        Self {
            name: name.into(),
            only_if_absent: false,
            times,
            task,
            start_within: None,
            policies: pb::SchedulePolicies::default(),
            on_failure: None,
            on_recovery: None,
            labels: Vec::new(),
            description: String::new(),
        }
    }

    /// Refuse if there is a schedule of that name. Default: replace it.
    #[must_use]
    pub fn only_if_absent(mut self) -> Self {
        self.only_if_absent = true;
        self
    }

    /// Each task must have been started this long after its time, else it ends as EXPIRED.
    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.start_within = Some(limit);
        self
    }

    /// What to do with times that passed while nothing could fire.
    #[must_use]
    pub fn misfire(mut self, policy: pb::MisfirePolicy) -> Self {
        self.policies.misfire = policy.into();
        self
    }

    /// A fire this late is a misfire.
    #[must_use]
    pub fn misfire_grace(mut self, grace: Duration) -> Self {
        self.policies.misfire_grace = Some(pb_duration(grace));
        self
    }

    /// Times older than `window` are never caught up, and no more than `limit` at once.
    #[must_use]
    pub fn catch_up(mut self, window: Duration, limit: u32) -> Self {
        self.policies.catch_up_window = Some(pb_duration(window));
        self.policies.catch_up_limit = limit;
        self
    }

    /// What to do when a time comes and earlier tasks are unfinished.
    #[must_use]
    pub fn overlap(mut self, policy: pb::OverlapPolicy) -> Self {
        self.policies.overlap = policy.into();
        self
    }

    /// Unfinished tasks that the overlap policy tolerates.
    #[must_use]
    pub fn max_running(mut self, tasks: u32) -> Self {
        self.policies.max_running = tasks;
        self
    }

    /// Ends after so many fires.
    #[must_use]
    pub fn max_fires(mut self, fires: u64) -> Self {
        self.policies.max_fires = fires;
        self
    }

    /// Pauses itself after so many tasks in a row have failed or expired.
    #[must_use]
    pub fn pause_after_failures(mut self, failures: u32) -> Self {
        self.policies.pause_after_failures = failures;
        self
    }

    /// Submitted when a task has failed or expired and the one before had not.
    #[must_use]
    pub fn on_failure(mut self, task: NewTask) -> Self {
        self.on_failure = Some(task);
        self
    }

    /// Submitted when a task has succeeded and the one before had not.
    #[must_use]
    pub fn on_recovery(mut self, task: NewTask) -> Self {
        self.on_recovery = Some(task);
        self
    }

    /// Adds a label to the schedule; its tasks have their own.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// For people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// As the protobuf has it.
    ///
    /// # Errors
    /// If a task has an idempotency key: every fire makes a task of its own.
    pub(crate) fn into_spec(self) -> Result<pb::ScheduleSpec, Error> {
        let mut policies = self.policies;
        policies.on_failure = self.on_failure.map(template).transpose()?;
        policies.on_recovery = self.on_recovery.map(template).transpose()?;
        let is_default = policies == pb::SchedulePolicies::default();
        Ok(pb::ScheduleSpec {
            times: Some(self.times.into_proto()),
            task: Some(template(self.task)?),
            start_within: self.start_within.map(pb_duration),
            policies: (!is_default).then_some(policies),
            labels: self.labels.into_iter().collect(),
            description: self.description,
        })
    }
}

/// A change of some parts of a schedule; the others stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleUpdate {
    pub(crate) spec: pb::ScheduleSpec,
    pub(crate) paths: Vec<String>,
    pub(crate) etag: String,
    pub(crate) dry_run: bool,
    pub(crate) horizon: Option<Duration>,
}

impl ScheduleUpdate {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the times, zone, start, end and exclusions included.
    #[must_use]
    pub fn times(self, times: Times) -> Self {
        self.field("times", |spec| spec.times = Some(times.into_proto()))
    }

    /// Replaces the task.
    ///
    /// # Errors
    /// If the task has an idempotency key.
    pub fn task(self, task: NewTask) -> Result<Self, Error> {
        let task = template(task)?;
        Ok(self.field("task", |spec| spec.task = Some(task)))
    }

    /// Changes one field by its path, as `policies.overlap`. `write` puts the new value into the
    /// spec; if it puts nothing there, the field goes back to its default.
    ///
    /// ```
    /// use bellringer_client::{ScheduleUpdate, api::OverlapPolicy};
    ///
    /// let update = ScheduleUpdate::new().field("policies.overlap", |spec| {
    ///     spec.policies.get_or_insert_default().overlap = OverlapPolicy::Allow.into();
    /// });
    /// ```
    #[must_use]
    pub fn field(
        mut self,
        path: impl Into<String>,
        write: impl FnOnce(&mut pb::ScheduleSpec),
    ) -> Self {
        self.paths.push(path.into());
        write(&mut self.spec);
        self
    }

    /// Refuse if the schedule has changed since this etag was read.
    #[must_use]
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = etag.into();
        self
    }

    /// Only tell what would change.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Compares the times from now to this far ahead. Default: 30 days.
    #[must_use]
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = Some(horizon);
        self
    }
}

/// A task that is made again and again.
fn template(task: NewTask) -> Result<pb::TaskSpec, Error> {
    if !task.idempotency_key.is_empty() {
        let kind = task.spec.kind;
        let why = format!("the task {kind} of a schedule has an idempotency key; leave it out");
        return Err(Error::Settings(why));
    }
    Ok(task.spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_says_what_it_was_told_and_leaves_the_rest_to_the_server() {
        let plain = NewSchedule::new("s", Times::cron("@daily"), NewTask::new("work"));
        let spec = plain.into_spec().unwrap();
        assert_eq!(spec.policies, None);
        assert_eq!(spec.task.unwrap().kind, "work");

        let full = NewSchedule::new("s", Times::cron("@daily"), NewTask::new("work"))
            .only_if_absent()
            .overlap(pb::OverlapPolicy::Allow)
            .catch_up(Duration::from_secs(7_200), 7)
            .start_within(Duration::from_secs(60))
            .on_failure(NewTask::new("alert"))
            .label("team", "billing");
        assert!(full.only_if_absent);
        let spec = full.into_spec().unwrap();
        let policies = spec.policies.unwrap();
        assert_eq!(policies.overlap(), pb::OverlapPolicy::Allow);
        assert_eq!(
            (policies.catch_up_window.unwrap().seconds, policies.catch_up_limit),
            (7_200, 7)
        );
        assert_eq!(policies.on_failure.unwrap().kind, "alert");
        assert_eq!(spec.start_within.unwrap().seconds, 60);
        assert_eq!(spec.labels["team"], "billing");
    }

    #[test]
    fn a_task_that_is_made_again_and_again_has_no_idempotency_key() {
        let task = NewTask::new("work").idempotency_key("once");
        let schedule = NewSchedule::new("s", Times::cron("@daily"), task.clone());
        assert!(matches!(schedule.into_spec(), Err(Error::Settings(_))));
        assert!(ScheduleUpdate::new().task(task).is_err());
    }

    #[test]
    fn an_update_names_the_fields_it_changes() {
        let update = ScheduleUpdate::new()
            .times(Times::cron("@hourly"))
            .field("policies.max_running", |spec| {
                spec.policies.get_or_insert_default().max_running = 3;
            })
            .field("description", |_| {})
            .etag("4")
            .dry_run();
        assert_eq!(update.paths, ["times", "policies.max_running", "description"]);
        assert_eq!(update.spec.policies.unwrap().max_running, 3);
        assert!(update.dry_run && update.etag == "4");
    }
}
