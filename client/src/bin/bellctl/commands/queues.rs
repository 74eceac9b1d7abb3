//! `bellctl queues`: looks after queues.

use bellringer_api::v1::{
    GetQueueRequest, ListQueuesRequest, PauseQueueRequest, PurgeQueueRequest, Queue,
    ResumeQueueRequest, Retention, SetRetentionRequest,
};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    render::queue::{HEAD, card, json as queue_json, row},
    time::{self, Length},
};

/// Look after queues
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl queues list
  bellctl queues pause mail --note 'provider is down'")]
pub(crate) struct Queues {
    #[command(subcommand)]
    command: QueuesCommand,
}

#[derive(Debug, Subcommand)]
enum QueuesCommand {
    /// List all queues with their counts
    #[command(after_help = "Example:\n  bellctl queues list -o json | jq -r '.queues[].name'")]
    List,
    /// Show one queue
    #[command(after_help = "Example:\n  bellctl queues get mail")]
    Get(Name),
    /// Stop leasing from a queue; what runs goes on, and tasks can still be submitted
    #[command(after_help = "Example:\n  bellctl queues pause mail --note 'provider is down'")]
    Pause {
        #[command(flatten)]
        name: Name,
        /// Why, for people
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        note: String,
    },
    /// Lease from a queue again
    #[command(after_help = "Example:\n  bellctl queues resume mail")]
    Resume(Name),
    /// Cancel the waiting tasks of a queue; without --yes only count them
    #[command(
        after_help = "Example:\n  bellctl queues purge mail\n  bellctl queues purge mail --yes"
    )]
    Purge {
        #[command(flatten)]
        name: Name,
        /// Really cancel them
        #[arg(long)]
        yes: bool,
    },
    /// Show or set how long finished tasks of a queue are kept
    #[command(after_help = "\
What is not given stays as it is.

Example:
  bellctl queues retention mail --succeeded 1d --failed 90d
  bellctl queues retention mail --reset")]
    Retention(SetRetention),
}

#[derive(Debug, Args)]
struct Name {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
}

#[derive(Debug, Args)]
struct SetRetention {
    #[command(flatten)]
    name: Name,
    /// Of succeeded tasks
    #[arg(long, value_name = "DURATION")]
    succeeded: Option<Length>,
    /// Of failed tasks
    #[arg(long, value_name = "DURATION")]
    failed: Option<Length>,
    /// Of cancelled tasks
    #[arg(long, value_name = "DURATION")]
    cancelled: Option<Length>,
    /// Of expired tasks
    #[arg(long, value_name = "DURATION")]
    expired: Option<Length>,
    /// Go back to the defaults first
    #[arg(long)]
    reset: bool,
}

impl Queues {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            QueuesCommand::List => list(app).await?,
            QueuesCommand::Get(name) => show(app, get(app, name.queue).await?)?,
            QueuesCommand::Pause { name, note } => {
                let namespace = app.namespace.clone();
                let request = PauseQueueRequest { namespace, queue: name.queue, note };
                let answer = app.call(app.queues().pause(request)).await?;
                show(app, answer.queue)?;
            }
            QueuesCommand::Resume(name) => {
                let namespace = app.namespace.clone();
                let request = ResumeQueueRequest { namespace, queue: name.queue };
                let answer = app.call(app.queues().resume(request)).await?;
                show(app, answer.queue)?;
            }
            QueuesCommand::Purge { name, yes } => purge(app, name.queue, yes).await?,
            QueuesCommand::Retention(command) => command.run(app).await?,
        }
        Ok(Exit::Ok)
    }
}

async fn list(app: &App) -> Result<(), Failure> {
    let mut queues = Vec::new();
    let mut page_token = String::new();
    loop {
        let namespace = app.namespace.clone();
        let request = ListQueuesRequest { namespace, page_size: 1000, page_token };
        let answer = app.call(app.queues().list(request)).await?;
        queues.extend(answer.queues);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if app.out.is_json() {
        let queues: Vec<_> = queues.iter().map(queue_json).collect();
        return app.out.document(&json!({"queues": queues}));
    }
    if queues.is_empty() {
        let namespace = &app.namespace;
        app.out.remark(&format!("no queues in namespace {namespace}: the first task makes one"));
        return Ok(());
    }
    app.out.table(&HEAD, queues.iter().map(row).collect())
}

async fn get(app: &App, queue: String) -> Result<Option<Queue>, Failure> {
    let request = GetQueueRequest { namespace: app.namespace.clone(), queue };
    Ok(app.call(app.queues().get(request)).await?.queue)
}

async fn purge(app: &App, queue: String, confirm: bool) -> Result<(), Failure> {
    let namespace = app.namespace.clone();
    let request = PurgeQueueRequest { namespace, queue: queue.clone(), confirm };
    let answer = app.call(app.queues().purge(request)).await?;
    if app.out.is_json() {
        let value = json!({"queue": queue, "tasks": answer.tasks, "purged": answer.purged});
        return app.out.document(&value);
    }
    let tasks = if answer.tasks == 1 { "task" } else { "tasks" };
    if answer.purged {
        return app.out.line(&format!("{} waiting {tasks} cancelled", answer.tasks));
    }
    app.out.line(&format!("{} waiting {tasks} would be cancelled", answer.tasks))?;
    app.out.remark(&format!("next: to cancel them, run: bellctl queues purge {queue} --yes"));
    Ok(())
}

impl SetRetention {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let given = [self.succeeded, self.failed, self.cancelled, self.expired];
        if !self.reset && given.iter().all(Option::is_none) {
            return show(app, get(app, self.name.queue).await?);
        }
        let now = if self.reset { Retention::default() } else { self.current(app).await? };
        let retention = Retention {
            succeeded: self.succeeded.map(Length::to_proto).or(now.succeeded),
            failed: self.failed.map(Length::to_proto).or(now.failed),
            cancelled: self.cancelled.map(Length::to_proto).or(now.cancelled),
            expired: self.expired.map(Length::to_proto).or(now.expired),
        };
        let request = SetRetentionRequest {
            namespace: app.namespace.clone(),
            queue: self.name.queue,
            retention: Some(retention),
        };
        let answer = app.call(app.queues().set_retention(request)).await?;
        show(app, answer.queue)
    }

    /// What is in force; the defaults where there is no such queue yet.
    async fn current(&self, app: &App) -> Result<Retention, Failure> {
        match get(app, self.name.queue.clone()).await {
            Ok(queue) => Ok(queue.and_then(|queue| queue.retention).unwrap_or_default()),
            Err(failure) if failure.exit == Exit::NotFound => Ok(Retention::default()),
            Err(failure) => Err(failure),
        }
    }
}

fn show(app: &App, queue: Option<Queue>) -> Result<(), Failure> {
    let queue = queue.unwrap_or_default();
    if app.out.is_json() {
        return app.out.document(&queue_json(&queue));
    }
    app.out.line(&card(&queue, app.out.paint, time::now()))
}
