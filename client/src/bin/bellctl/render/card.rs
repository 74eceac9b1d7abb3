//! A task for people: everything about it on one screen.

use std::fmt::Write;

use bellringer_api::v1::{Attempt, Payload, Progress, Task, TaskError, TaskSpec, payload::Content};
use jiff::Timestamp;

use crate::{
    paint::{Paint, cut, lines, one_line},
    payload,
    render::json::outcome_word,
    time,
};

/// Longest payload or result that a card shows, in characters; `bellctl result` shows all.
const SHOWN: usize = 4000;

/// The card of a task, without a line end at its end.
pub(crate) fn card(task: &Task, paint: Paint, now: Timestamp) -> String {
    let spec = task.spec.clone().unwrap_or_default();
    let mut card = Card { text: String::new(), paint, now };
    card.head(task);
    card.row("kind", &with_version(&spec));
    card.row("queue", &spec.queue);
    card.row("namespace", &task.namespace);
    card.row("priority", &spec.priority.map(|priority| priority.to_string()).unwrap_or_default());
    card.row("labels", &labels(&spec));
    card.row("unique key", &spec.unique_key);
    card.row("retry of", &task.retry_of);
    card.time("created", task.created_at.as_ref());
    card.time("run at", spec.run_at.as_ref().filter(|at| Some(*at) != task.created_at.as_ref()));
    card.time("due", task.due_at.as_ref());
    card.time("started", task.started_at.as_ref());
    card.time("finished", task.finished_at.as_ref());
    card.time("expires", spec.expire_at.as_ref().filter(|_| task.started_at.is_none()));
    card.row("tries", &tries(task, &spec));
    card.row("backoff", &backoff(&spec));
    card.row("timeouts", &timeouts(&spec));
    card.row("worker", &task.worker);
    card.row("progress", &task.progress.as_ref().map(progress).unwrap_or_default());
    card.error(task.error.as_ref());
    card.payload("Payload", spec.payload.as_ref());
    card.payload("Result", task.result.as_ref());
    card.attempts(&task.attempts);
    card.text.truncate(card.text.trim_end().len());
    card.text
}

/// Progress on one line: `3/10 (30%) resizing`.
pub(crate) fn progress(progress: &Progress) -> String {
    let current = payload::number_value(progress.current);
    let amount = if progress.total > 0.0 {
        let percent = 100.0 * progress.current / progress.total;
        format!("{current}/{} ({percent:.0}%)", payload::number_value(progress.total))
    } else {
        current.to_string()
    };
    one_line(&format!("{amount} {}", progress.message))
}

/// An error on one line: `smtp.Refused: no such mailbox`.
pub(crate) fn error_line(error: &TaskError) -> String {
    match (error.r#type.as_str(), error.message.as_str()) {
        ("", message) => one_line(message),
        (name, "") => one_line(name),
        (name, message) => one_line(&format!("{name}: {message}")),
    }
}

struct Card {
    text: String,
    paint: Paint,
    now: Timestamp,
}

impl Card {
    fn head(&mut self, task: &Task) {
        let id = self.paint.bold(&task.id);
        let state = self.paint.state(task.state());
        let note = if task.cancel_requested { " (cancel requested)" } else { "" };
        self.push(&format!("Task {id}  {state}{note}"));
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A named value; nothing if it is empty.
    fn row(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let name = self.paint.dim(&format!("{name:<11}"));
            self.push(&format!("  {name} {}", one_line(value)));
        }
    }

    fn time(&mut self, name: &str, time: Option<&prost_types::Timestamp>) {
        if let Some(time) = time.and_then(time::from_proto) {
            self.row(name, &time::long(time, self.now));
        }
    }

    fn error(&mut self, error: Option<&TaskError>) {
        let Some(error) = error else { return };
        let name = self.paint.dim(&format!("{:<11}", "error"));
        let line = self.paint.red(&error_line(error));
        self.push(&format!("  {name} {line}"));
        self.indented(&error.detail, 14);
    }

    fn indented(&mut self, text: &str, columns: usize) {
        for line in lines(text).lines() {
            self.push(&format!("{:columns$}{line}", ""));
        }
    }

    fn payload(&mut self, title: &str, payload: Option<&Payload>) {
        let Some(payload) = payload else { return };
        let (kind, text) = match &payload.content {
            None => return,
            Some(Content::Json(value)) => {
                ("JSON".to_owned(), format!("{:#}", payload::from_proto(value)))
            }
            Some(Content::Data(data)) => {
                let kind = format!("{}, {} bytes", one_line(&payload.content_type), data.len());
                (kind, std::str::from_utf8(data).unwrap_or_default().to_owned())
            }
        };
        let title = self.paint.bold(title);
        self.push(&format!("\n{title} ({kind})"));
        let shown: String = text.chars().take(SHOWN).collect();
        let rest = text.chars().count() - shown.chars().count();
        self.indented(&shown, 2);
        if rest > 0 {
            self.push(&format!("  … and {rest} characters more; --output json shows them all"));
        }
    }

    fn attempts(&mut self, attempts: &[Attempt]) {
        if attempts.is_empty() {
            return;
        }
        let title = self.paint.bold("Attempts");
        self.push(&format!("\n{title}"));
        for attempt in attempts {
            self.attempt(attempt);
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let started = attempt.started_at.as_ref().and_then(time::from_proto);
        let finished = attempt.finished_at.as_ref().and_then(time::from_proto);
        let mut line = format!("  {:>3}  {:<13}", attempt.number, outcome_word(attempt.outcome()));
        if let Some(started) = started {
            let took = finished.unwrap_or(self.now).duration_since(started).unsigned_abs();
            let at = time::whole_second(started);
            let _ = write!(line, "  {at}  {:>7}", time::brief(took));
        }
        let _ = write!(line, "  {}", cut(&attempt.worker, 60));
        self.push(&line);
        if let Some(error) = &attempt.error {
            let text = self.paint.red(&error_line(error));
            self.push(&format!("       {text}"));
        }
        let Some(late) = &attempt.late else { return };
        let mut line = format!("late report, without effect: {}", outcome_word(late.outcome()));
        if let Some(at) = late.reported_at.as_ref().and_then(time::from_proto) {
            let _ = write!(line, " {}", time::relative(at, self.now));
        }
        if let Some(error) = &late.error {
            let _ = write!(line, ", {}", error_line(error));
        }
        let line = self.paint.dim(&line);
        self.push(&format!("       {line}"));
    }
}

fn with_version(spec: &TaskSpec) -> String {
    if spec.version.is_empty() {
        spec.kind.clone()
    } else {
        format!("{} (version {})", spec.kind, spec.version)
    }
}

fn labels(spec: &TaskSpec) -> String {
    let mut pairs: Vec<_> =
        spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    pairs.join(", ")
}

fn tries(task: &Task, spec: &TaskSpec) -> String {
    let allowed = spec.retry.as_ref().map_or(0, |retry| retry.max_attempts);
    match (task.attempt, allowed) {
        (0, 0) => String::new(),
        (attempt, 0) => format!("{} (attempt {attempt})", task.tries),
        (0, allowed) => format!("0 of {allowed}"),
        (attempt, allowed) => format!("{} of {allowed} (attempt {attempt})", task.tries),
    }
}

fn backoff(spec: &TaskSpec) -> String {
    let Some(retry) = &spec.retry else { return String::new() };
    let length = |duration: &Option<prost_types::Duration>| {
        duration.as_ref().map(|duration| time::friendly(time::length(duration)))
    };
    let (Some(first), Some(last)) = (length(&retry.initial_backoff), length(&retry.max_backoff))
    else {
        return String::new();
    };
    let jitter = if retry.no_jitter { "without jitter" } else { "with full jitter" };
    let mut text = format!("{first} to {last}, growing {}-fold, {jitter}", retry.multiplier);
    if !retry.non_retryable_errors.is_empty() {
        let _ = write!(text, "; never after {}", retry.non_retryable_errors.join(", "));
    }
    text
}

fn timeouts(spec: &TaskSpec) -> String {
    let named = |name: &str, limit: &Option<prost_types::Duration>| {
        limit.as_ref().map(|limit| format!("{name} {}", time::friendly(time::length(limit))))
    };
    let parts = [named("attempt", &spec.attempt_timeout), named("total", &spec.total_timeout)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellringer_api::v1::{AttemptOutcome, LateReport, RetryPolicy, TaskState};

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds: 1_777_629_600 + seconds, nanos: 0 })
    }

    fn failed_once() -> Task {
        let error = TaskError {
            r#type: "EXIT_1".to_owned(),
            message: "no such\nmailbox".to_owned(),
            detail: "line 1\nline 2\x1b[2J".to_owned(),
        };
        Task {
            id: "0198f0a0-0000-7000-8000-000000000001".to_owned(),
            namespace: "default".to_owned(),
            state: TaskState::Retrying.into(),
            spec: Some(TaskSpec {
                kind: "send-mail".to_owned(),
                queue: "mail".to_owned(),
                priority: Some(5),
                labels: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
                retry: Some(RetryPolicy {
                    max_attempts: 5,
                    multiplier: 2.0,
                    initial_backoff: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
                    max_backoff: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
                    ..RetryPolicy::default()
                }),
                payload: Some(payload::from_json(&serde_json::json!({"to": "a@b.c"})).unwrap()),
                ..TaskSpec::default()
            }),
            created_at: at(0),
            started_at: at(10),
            due_at: at(75),
            attempt: 1,
            tries: 1,
            worker: "host-1".to_owned(),
            progress: Some(Progress { current: 3.0, total: 10.0, ..Progress::default() }),
            error: Some(error.clone()),
            attempts: vec![Attempt {
                number: 1,
                outcome: AttemptOutcome::LeaseExpired.into(),
                worker: "host-1".to_owned(),
                started_at: at(10),
                finished_at: at(40),
                error: Some(error),
                late: Some(LateReport {
                    outcome: AttemptOutcome::Succeeded.into(),
                    reported_at: at(50),
                    ..LateReport::default()
                }),
            }],
            ..Task::default()
        }
    }

    #[test]
    fn a_card_tells_everything_about_a_task() {
        let now = "2026-05-01T10:01:00Z".parse().unwrap();
        let expected = "\
Task 0198f0a0-0000-7000-8000-000000000001  retrying
  kind        send-mail
  queue       mail
  namespace   default
  priority    5
  labels      a=1, b=2
  created     2026-05-01T10:00:00Z (60s ago)
  due         2026-05-01T10:01:15Z (in 15s)
  started     2026-05-01T10:00:10Z (50s ago)
  tries       1 of 5 (attempt 1)
  backoff     1s to 10m, growing 2-fold, with full jitter
  worker      host-1
  progress    3/10 (30%)
  error       EXIT_1: no such mailbox
              line 1
              line 2[2J

Payload (JSON)
  {
    \"to\": \"a@b.c\"
  }

Attempts
    1  lease_expired  2026-05-01T10:00:10Z      30s  host-1
       EXIT_1: no such mailbox
       late report, without effect: succeeded 10s ago";
        assert_eq!(card(&failed_once(), Paint { on: false }, now), expected);
    }
}
