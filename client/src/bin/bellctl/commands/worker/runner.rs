//! Runs the command that belongs to a task, and tells how it went.

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use bellringer_api::v1::Assignment;
use serde_json::json;
use tokio::time::Instant;

use super::{
    activity::Activity,
    group::Guard,
    process::{self, Job, Listener},
    verdict::Verdict,
};
use crate::{
    failure::Failure,
    output::Output,
    paint::{cut, one_line},
    payload, time,
};

/// The kind that stands for every kind without a command of its own.
pub(crate) const ANY: &str = "*";

/// Runs commands for tasks.
#[derive(Debug)]
pub(crate) struct Runner {
    commands: BTreeMap<String, String>,
    guard: Guard,
    pub(crate) activity: Activity,
    out: Output,
}

impl Runner {
    /// # Errors
    /// A kind has two commands, or there is no shell.
    pub(crate) fn new(commands: Vec<(String, String)>, out: Output) -> Result<Self, Failure> {
        let mut by_kind = BTreeMap::new();
        for (kind, command) in commands {
            if by_kind.insert(kind.clone(), command).is_some() {
                return Err(Failure::usage(format!("kind {kind:?} has two commands")));
            }
        }
        let guard = Guard::start().map_err(|error| Failure::from(error).context("starting sh"))?;
        Ok(Self { commands: by_kind, guard, activity: Activity::new(), out })
    }

    /// The kinds to take tasks of; empty for every kind.
    pub(crate) fn kinds(&self) -> Vec<String> {
        if self.commands.contains_key(ANY) {
            return Vec::new();
        }
        self.commands.keys().cloned().collect()
    }

    /// Runs one attempt. `stop` answers when it has to stop, with the time it has for that.
    pub(crate) async fn run(
        &self,
        task: &Assignment,
        listener: &impl Listener,
        stop: impl Future<Output = Duration>,
    ) -> Verdict {
        let _running = self.activity.begin();
        let begun = Instant::now();
        let command = self.commands.get(&task.kind).or_else(|| self.commands.get(ANY));
        let verdict = match command {
            None => Verdict::no_command(&task.kind),
            Some(command) => {
                match process::run(job(task, command), &self.guard, listener, stop).await {
                    Ok(finished) => Verdict::of(finished),
                    Err(error) => Verdict::not_started(&error),
                }
            }
        };
        self.tell(task, &verdict, begun.elapsed());
        verdict
    }

    /// One line for each attempt: to standard error for people, to standard output as JSON.
    fn tell(&self, task: &Assignment, verdict: &Verdict, took: Duration) {
        if self.out.is_json() {
            let (outcome, error) = verdict.words();
            // Whoever read the output has gone; the work goes on.
            let _ = self.out.object(&json!({
                "task_id": task.task_id,
                "kind": task.kind,
                "queue": task.queue,
                "attempt": task.attempt,
                "outcome": outcome,
                "error": error.map(|error| json!({"type": error.r#type, "message": error.message})),
                "seconds": took.as_secs_f64(),
            }));
            return;
        }
        self.out.remark(&format!(
            "{} {} {} attempt {} {} in {}",
            time::whole_second(time::now()),
            one_line(&task.task_id),
            cut(&task.kind, 40),
            task.attempt,
            verdict.summary(),
            time::brief(took),
        ));
    }
}

fn job<'a>(task: &Assignment, command: &'a str) -> Job<'a> {
    Job {
        command,
        environment: environment(task),
        stdin: task.payload.as_ref().and_then(payload::to_bytes).unwrap_or_default(),
        checkpoint: task.checkpoint.clone(),
    }
}

fn environment(task: &Assignment) -> Vec<(&'static str, OsString)> {
    let labels: BTreeMap<_, _> = task.labels.iter().collect();
    let mut environment = vec![
        ("BELLRINGER_TASK_ID", task.task_id.clone()),
        ("BELLRINGER_KIND", task.kind.clone()),
        ("BELLRINGER_QUEUE", task.queue.clone()),
        ("BELLRINGER_ATTEMPT", task.attempt.to_string()),
        ("BELLRINGER_TRIES", task.tries.to_string()),
        ("BELLRINGER_MAX_ATTEMPTS", task.max_attempts.to_string()),
        ("BELLRINGER_LABELS", json!(labels).to_string()),
    ];
    if let Some(deadline) = task.deadline.as_ref().and_then(time::from_proto) {
        environment.push(("BELLRINGER_DEADLINE", deadline.to_string()));
    }
    if !task.traceparent.is_empty() {
        environment.push(("TRACEPARENT", task.traceparent.clone()));
    }
    let content_type = task.payload.as_ref().map(|payload| payload.content_type.as_str());
    if let Some(content_type) = content_type.filter(|content_type| !content_type.is_empty()) {
        environment.push(("BELLRINGER_CONTENT_TYPE", content_type.to_owned()));
    }
    // The environment ends a value at a zero byte, and refuses to be given one.
    environment.into_iter().map(|(name, value)| (name, value.replace('\0', " ").into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::Format, paint::Paint};
    use bellringer_api::v1::Progress;
    use bytes::Bytes;
    use std::future::pending;

    struct Nobody;

    impl Listener for Nobody {
        fn progress(&self, _: Progress) {}
        fn checkpoint(&self, _: Bytes) {}
    }

    fn runner(commands: &[(&str, &str)]) -> Runner {
        let commands = commands.iter().map(|(k, c)| ((*k).to_owned(), (*c).to_owned())).collect();
        let paint = Paint { on: false };
        let out = Output { format: Format::Table, quiet: true, paint, terminal: false };
        Runner::new(commands, out).unwrap()
    }

    async fn result(runner: &Runner, task: &Assignment) -> String {
        match runner.run(task, &Nobody, pending()).await {
            Verdict::Succeeded(Some(payload)) => {
                String::from_utf8(payload::to_bytes(&payload).unwrap()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_command_knows_its_task() {
        let runner = runner(&[(
            "k",
            "echo $BELLRINGER_TASK_ID $BELLRINGER_KIND $BELLRINGER_QUEUE $BELLRINGER_ATTEMPT \
             $BELLRINGER_TRIES $BELLRINGER_LABELS ${BELLRINGER_DEADLINE-none}; cat",
        )]);
        let task = Assignment {
            task_id: "id".to_owned(),
            kind: "k".to_owned(),
            queue: "q".to_owned(),
            attempt: 3,
            tries: 2,
            labels: [("a".to_owned(), "b".to_owned())].into(),
            payload: Some(payload::from_json(&json!([1])).unwrap()),
            ..Assignment::default()
        };
        assert_eq!(result(&runner, &task).await, "id k q 3 2 {\"a\":\"b\"} none\n[1]");
    }

    #[tokio::test]
    async fn a_star_takes_what_has_no_command_of_its_own() {
        let runner = runner(&[("k", "echo own"), ("*", "echo any")]);
        let task = |kind: &str| Assignment { kind: kind.to_owned(), ..Assignment::default() };
        assert!(runner.kinds().is_empty());
        assert_eq!(result(&runner, &task("k")).await, "own\n");
        assert_eq!(result(&runner, &task("other")).await, "any\n");
    }

    #[tokio::test]
    async fn a_kind_has_one_command() {
        let commands = [("k", "a"), ("k", "b")].map(|(k, c)| (k.to_owned(), c.to_owned()));
        let out = Output::new(Format::Table, true, true);
        assert!(Runner::new(commands.to_vec(), out).is_err());
    }
}
