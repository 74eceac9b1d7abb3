//! `bellctl submit`: puts a task into its queue and prints its id.

use std::{path::PathBuf, time::Duration};

use bellringer_api::v1::{SubmitBatchItem, SubmitRequest, SubmitResponse};
use clap::{ArgAction, Args};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    app::App,
    commands::{batch, input::Input, label, wait, watch},
    draft::{Draft, OnConflict, RetryDraft},
    exit::Exit,
    failure::Failure,
    time::{self, Length},
};

/// Submit a task, or many; prints the id once the task is durable
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Submit {
    /// Name of the handler that runs it
    #[arg(required_unless_present = "batch_file", conflicts_with = "batch_file")]
    kind: Option<String>,
    /// `-`: read the JSON payload from standard input
    #[arg(value_name = "-", value_parser = ["-"], group = "input")]
    stdin: Option<String>,
    #[command(flatten)]
    input: Input,
    /// Queue to put it in [default: default]
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Label to find it by; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// 0 to 9, higher runs first [default: 5]
    #[arg(long, value_name = "N")]
    priority: Option<u32>,
    /// Version that the handler must have [default: any]
    #[arg(long = "handler-version", value_name = "VERSION")]
    version: Option<String>,
    /// At most one unfinished task holds this key
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// What to do when the unique key is held
    #[arg(long, value_enum, requires = "unique_key", value_name = "POLICY")]
    on_conflict: Option<OnConflict>,
    /// Submitting again with the same key answers the same task
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait until the task is finished; the exit code is that of its final state
    #[arg(long, conflicts_with = "batch_file")]
    wait: bool,
    /// Longest time to wait for the task [default: no limit]
    #[arg(long, value_name = "DURATION")]
    wait_timeout: Option<Length>,
    /// Watch the task until it is finished
    #[arg(long, conflicts_with_all = ["batch_file", "wait"])]
    watch: bool,
    /// Submit the tasks of a file of JSON lines; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "input"])]
    #[arg(conflicts_with_all = ["queue", "labels", "priority", "version", "unique_key"])]
    #[arg(conflicts_with_all = ["idempotency_key", "wait_timeout", "When", "Retry"])]
    batch_file: Option<PathBuf>,
    /// With --batch-file: all tasks or none; at most 1000
    #[arg(long, requires = "batch_file", conflicts_with = "kind")]
    atomic: bool,
    /// With --batch-file: print the ids
    #[arg(short, long, action = ArgAction::SetTrue)]
    verbose: bool,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    retry: Retry,
}

const HELP: &str = "\
A line of a batch file is an object with kind, and if wanted queue, version, payload (or
payload_data in base64 and payload_content_type), labels, priority, run_at or delay, expire_at or
expire_in, attempt_timeout, total_timeout, retry {max_attempts, initial_backoff, max_backoff,
multiplier, no_jitter, non_retryable_errors}, unique_key, on_conflict, idempotency_key, traceparent.
These are the names of `bellctl get -o json`.

Example:
  id=$(bellctl submit send-mail --payload '{\"to\": \"ada@example.org\"}' --queue mail)
  bellctl submit resize --data-file photo.jpg --content-type image/jpeg --wait --wait-timeout 5m
  date | jq -R '{at: .}' | bellctl submit note - --delay 1h --label source=cron
  bellctl submit --batch-file tasks.jsonl";

/// When the task runs, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Time")]
struct When {
    /// Wait before the earliest start, for example 5m
    #[arg(long, value_name = "DURATION", conflicts_with = "run_at")]
    delay: Option<Length>,
    /// Earliest start, for example 2026-05-01T10:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    run_at: Option<Timestamp>,
    /// Give up if it was not started this long after its earliest start
    #[arg(long, value_name = "DURATION", conflicts_with = "expire_at")]
    expire_in: Option<Length>,
    /// Give up if it was not started by then
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    expire_at: Option<Timestamp>,
    /// Longest running time of one attempt
    #[arg(long, value_name = "DURATION")]
    attempt_timeout: Option<Length>,
    /// Longest time from the earliest start to the end, over all attempts
    #[arg(long, value_name = "DURATION")]
    total_timeout: Option<Length>,
}

/// What happens after a failure.
#[derive(Debug, Args)]
#[command(next_help_heading = "Retry")]
pub(crate) struct Retry {
    /// Largest number of tries, the first included [default: 5]
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Longest wait after the first failure [default: 1s]
    #[arg(long, value_name = "DURATION")]
    initial_backoff: Option<Length>,
    /// Longest wait after any failure [default: 10m]
    #[arg(long, value_name = "DURATION")]
    max_backoff: Option<Length>,
    /// Growth of the wait from try to try [default: 2]
    #[arg(long, value_name = "FACTOR")]
    backoff_multiplier: Option<f64>,
    /// Wait exactly the longest wait, not a random part of it
    #[arg(long)]
    no_jitter: bool,
    /// Error type after which there is no further try; may be given several times
    #[arg(long = "non-retryable", value_name = "TYPE")]
    non_retryable: Vec<String>,
}

impl Retry {
    /// Whether any of the flags was given.
    pub(crate) fn is_given(&self) -> bool {
        self.max_attempts.is_some()
            || self.initial_backoff.is_some()
            || self.max_backoff.is_some()
            || self.backoff_multiplier.is_some()
            || self.no_jitter
            || !self.non_retryable.is_empty()
    }

    pub(crate) fn into_draft(self) -> RetryDraft {
        RetryDraft {
            max_attempts: self.max_attempts,
            initial_backoff: self.initial_backoff,
            max_backoff: self.max_backoff,
            multiplier: self.backoff_multiplier,
            no_jitter: self.no_jitter,
            non_retryable_errors: self.non_retryable,
        }
    }
}

impl Submit {
    pub(crate) async fn run(self: Box<Self>, app: &App) -> Result<Exit, Failure> {
        if let Some(file) = &self.batch_file {
            return batch::submit(app, file, self.atomic, self.verbose).await;
        }
        let (wait, watch) = (self.wait || self.wait_timeout.is_some(), self.watch);
        let wait_timeout = self.wait_timeout.map(|length| length.0);
        let item = self.into_item()?;
        let answer = submit(app, item).await?;
        tell(app, &answer)?;
        if watch {
            return watch::ids(app, vec![answer.task_id], wait_timeout).await;
        }
        if wait { wait_for(app, answer.task_id, wait_timeout).await } else { Ok(Exit::Ok) }
    }

    fn into_item(self) -> Result<SubmitBatchItem, Failure> {
        let payload = self.input.read(self.stdin.is_some())?;
        let draft = Draft {
            kind: self.kind.unwrap_or_default(),
            queue: self.queue,
            version: self.version,
            labels: self.labels.into_iter().collect(),
            priority: self.priority,
            run_at: self.when.run_at,
            delay: self.when.delay,
            expire_at: self.when.expire_at,
            expire_in: self.when.expire_in,
            attempt_timeout: self.when.attempt_timeout,
            total_timeout: self.when.total_timeout,
            retry: self.retry.into_draft(),
            unique_key: self.unique_key,
            on_conflict: self.on_conflict,
            idempotency_key: self.idempotency_key,
            ..Draft::default()
        };
        let mut item = draft.into_item(time::now()).map_err(Failure::usage)?;
        if let Some(task) = &mut item.task {
            task.payload = payload;
        }
        Ok(item)
    }
}

async fn submit(app: &App, mut item: SubmitBatchItem) -> Result<SubmitResponse, Failure> {
    ensure_key(&mut item);
    let request = SubmitRequest {
        namespace: app.namespace.clone(),
        task: item.task,
        idempotency_key: item.idempotency_key,
    };
    app.repeat(|| {
        let request = request.clone();
        async move { app.tasks().submit(request).await }
    })
    .await
}

/// Gives the item a key of its own if it has none, so that a lost answer can be asked for again
/// without submitting twice.
pub(crate) fn ensure_key(item: &mut SubmitBatchItem) {
    if item.idempotency_key.is_empty() {
        item.idempotency_key = uuid::Uuid::now_v7().to_string();
    }
}

fn tell(app: &App, answer: &SubmitResponse) -> Result<(), Failure> {
    if app.out.is_json() {
        let value = json!({"task_id": answer.task_id, "created": answer.created});
        return app.out.object(&value);
    }
    app.out.line(&answer.task_id)?;
    if !answer.created {
        app.out.remark("not new: the task was there already, by its unique or idempotency key");
    }
    Ok(())
}

/// Waits; the state is a remark, because only the id belongs on standard output.
async fn wait_for(app: &App, id: String, timeout: Option<Duration>) -> Result<Exit, Failure> {
    let task = wait::one(app, &id, timeout).await?;
    if app.out.is_json() {
        app.out.object(&crate::render::json::task(&task, true))?;
    } else {
        app.out.remark(&wait::summary(&task));
    }
    Ok(Exit::of_state(task.state()).unwrap_or(Exit::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Cli, Command},
        payload,
    };
    use clap::Parser;

    fn parse(line: &str) -> Result<Box<Submit>, clap::Error> {
        match Cli::try_parse_from(line.split(' '))?.command {
            Command::Submit(submit) => Ok(submit),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_a_task() {
        let submit = parse(
            "bellctl submit send --payload {\"a\":1} --queue mail --label t=x --label u=y \
             --delay 5m --max-attempts 3 --no-jitter --non-retryable A --non-retryable B \
             --unique-key k --on-conflict refuse --attempt-timeout 90s",
        );
        let task = submit.unwrap().into_item().unwrap().task.unwrap();
        assert_eq!((task.kind.as_str(), task.queue.as_str()), ("send", "mail"));
        assert_eq!(task.labels.len(), 2);
        assert_eq!(task.delay.unwrap().seconds, 300);
        assert_eq!(task.attempt_timeout.unwrap().seconds, 90);
        let retry = task.retry.unwrap();
        assert_eq!(retry.max_attempts, 3);
        assert!(retry.no_jitter);
        assert_eq!(retry.non_retryable_errors, ["A", "B"]);
        assert_eq!(payload::to_bytes(&task.payload.unwrap()).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "bellctl submit",
            "bellctl submit k --payload 1 --data-file f",
            "bellctl submit k - --payload 1",
            "bellctl submit k --delay 5m --run-at 2026-05-01T10:00:00Z",
            "bellctl submit k --expire-in 5m --expire-at 2026-05-01T10:00:00Z",
            "bellctl submit k --content-type a/b",
            "bellctl submit k --on-conflict refuse",
            "bellctl submit k --label novalue",
            "bellctl submit k --batch-file f",
            "bellctl submit --batch-file f --wait",
            "bellctl submit --batch-file f --delay 5m",
            "bellctl submit --batch-file f --no-jitter",
            "bellctl submit --atomic k",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_payload_that_is_not_json_says_what_to_do() {
        let failure = parse("bellctl submit k --payload hello").unwrap().into_item().unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.to_string().contains("--data-file"), "{failure}");
    }
}
