//! `bellctl cancel`: ends tasks.

use bellringer_api::v1::{CancelTaskRequest, Task};
use clap::Args;

use crate::{
    app::App, commands::tell_and_go_on, exit::Exit, failure::Failure, paint::state_word,
    render::json,
};

/// Cancel tasks: waiting ones at once, running ones by telling their worker
#[derive(Debug, Args)]
#[command(after_help = "\
A task that is finished already stays as it is; that is no error.

Example:
  bellctl cancel \"$id\" --reason 'customer withdrew the order'
  bellctl cancel \"$id\" && bellctl wait \"$id\"")]
pub(crate) struct Cancel {
    /// Ids of the tasks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why, for people; kept with the task
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

impl Cancel {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let mut exit = Exit::Ok;
        for id in &self.ids {
            match self.cancel(app, id).await {
                Ok(task) => show(app, &task)?,
                Err(failure) => exit = exit.worse(tell_and_go_on(failure)?),
            }
        }
        Ok(exit)
    }

    async fn cancel(&self, app: &App, id: &str) -> Result<Task, Failure> {
        let request = CancelTaskRequest {
            namespace: app.namespace.clone(),
            task_id: id.to_owned(),
            reason: self.reason.clone(),
        };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.tasks().cancel(request).await }
            })
            .await?;
        Ok(answer.task.unwrap_or_default())
    }
}

fn show(app: &App, task: &Task) -> Result<(), Failure> {
    if app.out.is_json() {
        return app.out.object(&json::task(task, false));
    }
    let state = app.out.paint.state(task.state());
    let note = if task.cancel_requested {
        " (cancel requested; its worker has been told)"
    } else if state_word(task.state()) == "cancelled" {
        ""
    } else {
        " (was finished already)"
    };
    app.out.line(&format!("{} {state}{note}", task.id))
}
