//! The flags that say what a schedule submits.

use clap::Args;

use super::edit::{Edit, given};
use crate::{
    commands::{input::Input, label, submit::Retry},
    failure::Failure,
    time::Length,
};

/// What to submit; --kind is required for a new schedule.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to submit")]
pub(crate) struct TaskFlags {
    /// Name of the handler that runs it
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Queue to put it in [default: default]
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    #[command(flatten)]
    input: Input,
    /// Label of each task; may be given several times
    #[arg(long = "task-label", value_name = "KEY=VALUE", value_parser = label)]
    task_labels: Vec<(String, String)>,
    /// 0 to 9, higher runs first [default: 5]
    #[arg(long, value_name = "N")]
    priority: Option<u32>,
    /// Version that the handler must have [default: any]
    #[arg(long = "handler-version", value_name = "VERSION")]
    version: Option<String>,
    /// Longest running time of one attempt
    #[arg(long, value_name = "DURATION")]
    attempt_timeout: Option<Length>,
    /// Longest time from the fire to the end, over all attempts
    #[arg(long, value_name = "DURATION")]
    total_timeout: Option<Length>,
    /// Give a task up that was not started this long after its time
    #[arg(long, value_name = "DURATION")]
    start_within: Option<Length>,
    #[command(flatten)]
    retry: Retry,
}

impl TaskFlags {
    /// Whether the retry policy is changed in part, so that the rest of it must be known.
    pub(crate) fn changes_retry(&self) -> bool {
        self.retry.is_given()
    }

    /// Writes what was given; of the retry policy the rest stays as it is in `edit`.
    ///
    /// # Errors
    /// The payload cannot be read.
    pub(crate) fn write(self, edit: &mut Edit) -> Result<(), Failure> {
        let payload = self.input.read(false)?;
        let labels = given(self.task_labels).map(|labels| labels.into_iter().collect());
        edit.task("kind", self.kind, |task, kind| task.kind = kind);
        edit.task("queue", self.queue, |task, queue| task.queue = queue);
        edit.task("payload", payload, |task, payload| task.payload = Some(payload));
        edit.task("labels", labels, |task, labels| task.labels = labels);
        edit.task("priority", self.priority, |task, value| task.priority = Some(value));
        edit.task("version", self.version, |task, version| task.version = version);
        edit.task("attempt_timeout", self.attempt_timeout, |task, limit| {
            task.attempt_timeout = Some(limit.to_proto());
        });
        edit.task("total_timeout", self.total_timeout, |task, limit| {
            task.total_timeout = Some(limit.to_proto());
        });
        let retry = self.retry.is_given().then(|| self.retry.into_draft());
        edit.task("retry", retry, |task, draft| draft.write(task.retry.get_or_insert_default()));
        edit.top("start_within", self.start_within, |spec, limit| {
            spec.start_within = Some(limit.to_proto());
        });
        Ok(())
    }
}
