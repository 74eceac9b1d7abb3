//! `bellctl list`: the tasks that match, newest first.

use bellringer_api::v1::{ListTasksRequest, Task, TaskFilter, TaskState};
use clap::{Args, ValueEnum};
use comfy_table::Cell;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    app::App,
    commands::label,
    exit::Exit,
    failure::Failure,
    output::state_cell,
    paint::cut,
    render::{card, json},
    time::{self, Length},
};

/// Most tasks in one page of the server.
const PAGE: u32 = 1000;

/// List tasks, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl list --queue mail --state failed --since 1h
  bellctl list --label tenant=acme --all -o json | jq -r '.tasks[].id'")]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only tasks in this state; may be given several times
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<State>,
    /// Only tasks accepted since then: a duration before now, or a time in RFC 3339
    #[arg(long, value_name = "DURATION|TIME", value_parser = since)]
    since: Option<Since>,
    /// Largest number of tasks
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with = "all")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All tasks that match
    #[arg(long)]
    all: bool,
}

/// Which tasks.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only tasks of this queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Only tasks of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only tasks with this label; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
}

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_none() && self.kind.is_none() && self.labels.is_empty()
    }

    pub(crate) fn to_proto(&self) -> TaskFilter {
        TaskFilter {
            queue: self.queue.clone().unwrap_or_default(),
            kind: self.kind.clone().unwrap_or_default(),
            labels: self.labels.iter().cloned().collect(),
            ..TaskFilter::default()
        }
    }
}

/// A state as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Scheduled,
    Ready,
    Running,
    Retrying,
    Succeeded,
    Failed,
    Cancelled,
    Expired,
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Scheduled => Self::Scheduled,
            State::Ready => Self::Ready,
            State::Running => Self::Running,
            State::Retrying => Self::Retrying,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
            State::Expired => Self::Expired,
        }
    }
}

/// A start in the past.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Since {
    Ago(Length),
    At(Timestamp),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse() {
        return Ok(Since::At(time));
    }
    let length = text.parse().map_err(|error| format!("{error}, or 2026-05-01T10:00:00Z"))?;
    Ok(Since::Ago(length))
}

impl Since {
    fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(Length(length)) => SignedDuration::try_from(length)
                .ok()
                .and_then(|length| now.checked_sub(length).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

impl List {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let (tasks, more) = self.fetch(app).await?;
        if app.out.is_json() {
            let tasks: Vec<_> = tasks.iter().map(|task| json::task(task, false)).collect();
            app.out.document(&json!({"tasks": tasks, "more": more}))?;
            return Ok(Exit::Ok);
        }
        if tasks.is_empty() {
            app.out.remark("no tasks match");
            return Ok(Exit::Ok);
        }
        let now = time::now();
        let rows = tasks.iter().map(|task| row(task, now)).collect();
        app.out.table(&["ID", "KIND", "QUEUE", "STATE", "TRIES", "CREATED", "NOTE"], rows)?;
        if more {
            app.out.remark(&format!(
                "the newest {}; there are more: raise --limit or give --all",
                tasks.len()
            ));
        }
        Ok(Exit::Ok)
    }

    /// The tasks, and whether there are more.
    async fn fetch(&self, app: &App) -> Result<(Vec<Task>, bool), Failure> {
        let limit = if self.all { usize::MAX } else { usize::try_from(self.limit).unwrap_or(1) };
        let mut filter = self.filter.to_proto();
        filter.states = self.state.iter().map(|state| TaskState::from(*state).into()).collect();
        filter.created_after = self.since.map(|since| time::to_proto(since.resolve(time::now())));
        let mut tasks = Vec::new();
        let mut page_token = String::new();
        loop {
            let page_size = u32::try_from(limit - tasks.len()).unwrap_or(PAGE).min(PAGE);
            let request = ListTasksRequest {
                namespace: app.namespace.clone(),
                filter: Some(filter.clone()),
                page_size,
                page_token,
                ..ListTasksRequest::default()
            };
            let answer = app
                .repeat(|| {
                    let request = request.clone();
                    async move { app.tasks().list(request).await }
                })
                .await?;
            tasks.extend(answer.tasks);
            page_token = answer.next_page_token;
            if page_token.is_empty() || tasks.len() >= limit {
                return Ok((tasks, !page_token.is_empty()));
            }
        }
    }
}

fn row(task: &Task, now: Timestamp) -> Vec<Cell> {
    let (kind, queue, allowed) = task.spec.as_ref().map_or_else(Default::default, |spec| {
        let allowed = spec.retry.as_ref().map_or(0, |retry| retry.max_attempts);
        (spec.kind.as_str(), spec.queue.as_str(), allowed)
    });
    let created = task.created_at.as_ref().and_then(time::from_proto);
    vec![
        Cell::new(&task.id),
        Cell::new(cut(kind, 40)),
        Cell::new(queue),
        state_cell(task.state()),
        Cell::new(format!("{}/{allowed}", task.tries)),
        Cell::new(created.map(|time| time::relative(time, now)).unwrap_or_default()),
        Cell::new(cut(&note(task, now), 60)),
    ]
}

/// What matters most in the state that the task is in.
pub(crate) fn note(task: &Task, now: Timestamp) -> String {
    if task.cancel_requested {
        return "cancel requested".to_owned();
    }
    let due = task.due_at.as_ref().and_then(time::from_proto);
    let due = due.map(|due| time::relative(due, now));
    match task.state() {
        TaskState::Running => task.progress.as_ref().map(card::progress).unwrap_or_default(),
        TaskState::Scheduled => due.unwrap_or_default(),
        TaskState::Retrying => {
            let error = task.error.as_ref().map(card::error_line).unwrap_or_default();
            format!("{}; {error}", due.unwrap_or_default())
        }
        TaskState::Failed | TaskState::Cancelled | TaskState::Expired => {
            task.error.as_ref().map(card::error_line).unwrap_or_default()
        }
        TaskState::Unspecified | TaskState::Ready | TaskState::Succeeded => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let resolve = |text: &str| since(text).unwrap().resolve(now).to_string();
        assert_eq!(resolve("1h"), "2026-05-01T09:00:00Z");
        assert_eq!(resolve("2026-04-30T12:00:00+02:00"), "2026-04-30T10:00:00Z");
        assert!(since("yesterday").unwrap_err().contains("2026-05-01T10:00:00Z"));
    }
}
