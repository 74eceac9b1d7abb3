//! `bellctl get`: everything about one task.

use bellringer_api::v1::{GetTaskRequest, Task, TaskView};
use clap::Args;

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    render::{card::card, json},
    time,
};

/// Show everything about a task: state, times, attempts, errors, result
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl get 0198f0a0-2f6e-7c3a-9a51-0d3c5a7e9b10
  bellctl get \"$id\" -o json | jq .attempts")]
pub(crate) struct Get {
    /// Id of the task
    id: String,
}

impl Get {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let task = fetch(app, &self.id).await?;
        if app.out.is_json() {
            app.out.document(&json::task(&task, true))?;
        } else {
            app.out.line(&card(&task, app.out.paint, time::now()))?;
        }
        Ok(Exit::Ok)
    }
}

/// Gets a task with all its parts.
pub(crate) async fn fetch(app: &App, id: &str) -> Result<Task, Failure> {
    let request = GetTaskRequest {
        namespace: app.namespace.clone(),
        task_id: id.to_owned(),
        view: TaskView::Full.into(),
    };
    let answer = app
        .repeat(|| {
            let request = request.clone();
            async move { app.tasks().get(request).await }
        })
        .await?;
    answer.task.ok_or_else(|| Failure::new(Exit::Other, "the server answered without a task"))
}
