//! The flags that say how a schedule behaves.

use bellringer_api::v1::{MisfirePolicy, OverlapPolicy, TaskSpec};
use clap::Args;
use serde_json::Value;

use super::{
    edit::{Edit, given},
    words::{Misfire, Overlap},
};
use crate::{commands::label, failure::Failure, payload, time::Length};

/// How it behaves.
#[derive(Debug, Args)]
#[command(next_help_heading = "How to behave")]
pub(crate) struct PolicyFlags {
    /// What to do with times that passed while nothing could fire [default: fire-once]
    #[arg(long, value_enum, value_name = "POLICY")]
    misfire: Option<Misfire>,
    /// A fire this late is a misfire [default: 60s]
    #[arg(long, value_name = "DURATION")]
    misfire_grace: Option<Length>,
    /// Times older than this are never caught up [default: 1h]
    #[arg(long, value_name = "DURATION")]
    catch_up_window: Option<Length>,
    /// Most times to catch up at once [default: 100]
    #[arg(long, value_name = "N")]
    catch_up_limit: Option<u32>,
    /// What to do when a time comes and earlier tasks are unfinished [default: skip]
    #[arg(long, value_enum, value_name = "POLICY")]
    overlap: Option<Overlap>,
    /// Unfinished tasks that --overlap tolerates [default: 1]
    #[arg(long, value_name = "N")]
    max_running: Option<u32>,
    /// End after so many fires [default: no limit]
    #[arg(long, value_name = "N")]
    max_fires: Option<u64>,
    /// Pause after so many tasks in a row have failed or expired [default: never]
    #[arg(long, value_name = "N")]
    pause_after_failures: Option<u32>,
    /// Submit a task of this kind when a task has failed and the one before had not
    #[arg(long, value_name = "KIND")]
    on_failure_kind: Option<String>,
    /// Queue of that task [default: default]
    #[arg(long, value_name = "NAME", requires = "on_failure_kind")]
    on_failure_queue: Option<String>,
    /// Payload of that task
    #[arg(long, value_name = "JSON", requires = "on_failure_kind")]
    on_failure_payload: Option<String>,
    /// Submit a task of this kind when a task has succeeded and the one before had not
    #[arg(long, value_name = "KIND")]
    on_recovery_kind: Option<String>,
    /// Queue of that task [default: default]
    #[arg(long, value_name = "NAME", requires = "on_recovery_kind")]
    on_recovery_queue: Option<String>,
    /// Payload of that task
    #[arg(long, value_name = "JSON", requires = "on_recovery_kind")]
    on_recovery_payload: Option<String>,
    /// Label of the schedule; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl PolicyFlags {
    /// Writes what was given.
    ///
    /// # Errors
    /// A payload is not JSON.
    pub(crate) fn write(self, edit: &mut Edit) -> Result<(), Failure> {
        let failed =
            task(self.on_failure_kind, self.on_failure_queue, self.on_failure_payload.as_deref())?;
        let recovered = task(
            self.on_recovery_kind,
            self.on_recovery_queue,
            self.on_recovery_payload.as_deref(),
        )?;
        edit.policies("misfire", self.misfire, |policies, value| {
            policies.misfire = MisfirePolicy::from(value).into();
        });
        edit.policies("misfire_grace", self.misfire_grace, |policies, length| {
            policies.misfire_grace = Some(length.to_proto());
        });
        edit.policies("catch_up_window", self.catch_up_window, |policies, length| {
            policies.catch_up_window = Some(length.to_proto());
        });
        edit.policies("catch_up_limit", self.catch_up_limit, |policies, limit| {
            policies.catch_up_limit = limit;
        });
        edit.policies("overlap", self.overlap, |policies, value| {
            policies.overlap = OverlapPolicy::from(value).into();
        });
        edit.policies("max_running", self.max_running, |policies, tasks| {
            policies.max_running = tasks;
        });
        edit.policies("max_fires", self.max_fires, |policies, fires| policies.max_fires = fires);
        edit.policies("pause_after_failures", self.pause_after_failures, |policies, failures| {
            policies.pause_after_failures = failures;
        });
        edit.policies("on_failure", failed, |policies, task| policies.on_failure = Some(task));
        edit.policies("on_recovery", recovered, |policies, task| policies.on_recovery = Some(task));
        let labels = given(self.labels).map(|labels| labels.into_iter().collect());
        edit.top("labels", labels, |spec, labels| spec.labels = labels);
        edit.top("description", self.description, |spec, text| spec.description = text);
        Ok(())
    }
}

fn task(
    kind: Option<String>,
    queue: Option<String>,
    payload: Option<&str>,
) -> Result<Option<TaskSpec>, Failure> {
    let Some(kind) = kind else { return Ok(None) };
    let payload = payload
        .map(|text| {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| format!("the payload for {kind} is not JSON: {error}"))?;
            payload::from_json(&value)
        })
        .transpose()
        .map_err(Failure::usage)?;
    let queue = queue.unwrap_or_default();
    Ok(Some(TaskSpec { kind, queue, payload, ..TaskSpec::default() }))
}
