//! `bellctl retry`: runs finished tasks once more.

use bellringer_api::v1::{RetryTaskRequest, RetryTaskResponse};
use clap::Args;
use serde_json::json;

use crate::{app::App, commands::tell_and_go_on, exit::Exit, failure::Failure};

/// Submit the work of finished tasks once more, as new tasks; prints their ids
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl retry \"$id\"
  bellctl list --state failed --all -o json | jq -r '.tasks[].id' | xargs bellctl retry")]
pub(crate) struct Retry {
    /// Ids of the finished tasks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Retry {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let mut exit = Exit::Ok;
        for id in &self.ids {
            match retry(app, id).await {
                Ok(answer) if app.out.is_json() => app.out.object(&json!({
                    "task_id": answer.task_id,
                    "retry_of": id,
                    "created": answer.created,
                }))?,
                Ok(answer) => app.out.line(&answer.task_id)?,
                Err(failure) => exit = exit.worse(tell_and_go_on(failure)?),
            }
        }
        Ok(exit)
    }
}

async fn retry(app: &App, id: &str) -> Result<RetryTaskResponse, Failure> {
    // The key makes repeating the call safe when the answer is lost.
    let request = RetryTaskRequest {
        namespace: app.namespace.clone(),
        task_id: id.to_owned(),
        idempotency_key: uuid::Uuid::now_v7().to_string(),
    };
    app.repeat(|| {
        let request = request.clone();
        async move { app.tasks().retry(request).await }
    })
    .await
}
