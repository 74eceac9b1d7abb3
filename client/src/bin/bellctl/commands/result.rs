//! `bellctl result`: what came out of a task, and nothing else.

use std::io::IsTerminal;

use bellringer_api::v1::{Payload, Task, TaskState, payload::Content};
use clap::Args;

use crate::{
    app::App,
    commands::get,
    exit::Exit,
    failure::Failure,
    paint::{one_line, state_word},
    payload,
    render::card::error_line,
};

/// Write the result of a succeeded task to standard output, as it is
#[derive(Debug, Args)]
#[command(after_help = "\
JSON is written as text with a line end, bytes are written as they are. A task without a result
writes nothing. The exit code is that of the final state; 4 means that the task is not finished.

Example:
  bellctl result \"$id\" | jq .
  bellctl result \"$id\" > report.pdf")]
pub(crate) struct TaskResult {
    /// Id of the task
    id: String,
}

impl TaskResult {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let task = get::fetch(app, &self.id).await?;
        if task.state() != TaskState::Succeeded {
            return Err(no_result(&task));
        }
        if let Some(result) = &task.result {
            write(app, &task.id, result)?;
        }
        Ok(Exit::Ok)
    }
}

fn write(app: &App, id: &str, result: &Payload) -> Result<(), Failure> {
    match &result.content {
        None => Ok(()),
        Some(Content::Json(value)) => app.out.line(&payload::from_proto(value).to_string()),
        Some(Content::Data(data))
            if std::io::stdout().is_terminal() && std::str::from_utf8(data).is_err() =>
        {
            let content_type = one_line(&result.content_type);
            Err(Failure::usage(format!(
                "the result is binary ({content_type}, {} bytes) and would garble the terminal",
                data.len()
            ))
            .next(format!("write it to a file: bellctl result {id} > FILE")))
        }
        Some(Content::Data(data)) => app.out.raw(data),
    }
}

fn no_result(task: &Task) -> Failure {
    let id = &task.id;
    let state = state_word(task.state());
    let Some(exit) = Exit::of_state(task.state()) else {
        return Failure::new(Exit::Conflict, format!("task {id} is {state} and has no result yet"))
            .next(format!("wait for it: bellctl wait {id}"));
    };
    let why = task.error.as_ref().map(|error| format!(": {}", error_line(error)));
    Failure::new(exit, format!("task {id} is {state}{}", why.unwrap_or_default()))
        .next(format!("see its attempts: bellctl get {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_result_says_why() {
        let task =
            |state: TaskState| Task { id: "1".to_owned(), state: state.into(), ..Task::default() };
        assert_eq!(no_result(&task(TaskState::Running)).exit, Exit::Conflict);
        assert_eq!(no_result(&task(TaskState::Failed)).exit, Exit::TaskFailed);
        let text = no_result(&task(TaskState::Cancelled)).to_string();
        assert_eq!(text, "error: task 1 is cancelled\nnext: see its attempts: bellctl get 1");
    }
}
