//! `bellctl wait`: answers when tasks are finished.

use std::time::Duration;

use bellringer_api::v1::{Task, WaitTaskRequest};
use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    commands::tell_and_go_on,
    exit::Exit,
    failure::Failure,
    paint::state_word,
    render::{card::error_line, json},
    time::Length,
};

/// Longest wait in one call: short enough for proxies that cut silent connections.
const ONE_CALL: Duration = Duration::from_secs(45);

/// How long the server may be away before waiting is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to look while the server is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Most tasks that are asked for at the same time.
const AT_ONCE: usize = 100;

/// Wait until tasks are finished; the exit code is that of the worst final state
#[derive(Debug, Args)]
#[command(after_help = "\
A server that restarts is waited for, up to a minute. When --timeout is over, the states as they
are then are printed, and the exit code is 6.

Example:
  bellctl wait \"$id\" --timeout 10m && echo done")]
pub(crate) struct Wait {
    /// Ids of the tasks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Wait {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let end = app.timeout.map(|timeout| Instant::now() + timeout);
        let mut waits = stream::iter(&self.ids)
            .map(async |id| (id, until(app, id, end).await))
            .buffer_unordered(AT_ONCE);
        let mut exit = Exit::Ok;
        while let Some((id, result)) = waits.next().await {
            match result {
                Ok(task) => {
                    show(app, &task)?;
                    exit = exit.worse(Exit::of_state(task.state()).unwrap_or(Exit::TimedOut));
                }
                Err(failure) => exit = exit.worse(tell_and_go_on(failure.context(id))?),
            }
        }
        Ok(exit)
    }
}

/// Waits for one task, up to `timeout`; the task is answered finished or not.
pub(crate) async fn one(app: &App, id: &str, timeout: Option<Duration>) -> Result<Task, Failure> {
    until(app, id, timeout.map(|timeout| Instant::now() + timeout)).await
}

async fn until(app: &App, id: &str, end: Option<Instant>) -> Result<Task, Failure> {
    let mut heard = Instant::now();
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let wait = left.map_or(ONE_CALL, |left| left.min(ONE_CALL));
        match ask(app, id, wait).await {
            Ok((task, finished)) => {
                heard = Instant::now();
                if finished || left.is_some_and(|left| left <= wait) {
                    return Ok(task);
                }
            }
            Err(failure) if !is_passing(&failure) => return Err(failure),
            Err(failure) => {
                let over = end.is_some_and(|end| Instant::now() >= end);
                if over || heard.elapsed() >= PATIENCE {
                    return Err(failure);
                }
                sleep(failure.retry_after.unwrap_or(PAUSE)).await;
            }
        }
    }
}

/// Also a call without an answer is made again: its connection may have died silently.
fn is_passing(failure: &Failure) -> bool {
    failure.is_passing() || failure.exit == Exit::TimedOut
}

async fn ask(app: &App, id: &str, wait: Duration) -> Result<(Task, bool), Failure> {
    let request = WaitTaskRequest {
        namespace: app.namespace.clone(),
        task_id: id.to_owned(),
        timeout: Some(Length(wait).to_proto()),
    };
    let limit = wait + Duration::from_secs(10);
    let mut tasks = app.tasks();
    let answer = app.call_within(limit, tasks.wait(request)).await?;
    Ok((answer.task.unwrap_or_default(), answer.finished))
}

fn show(app: &App, task: &Task) -> Result<(), Failure> {
    if app.out.is_json() {
        return app.out.object(&json::task(task, true));
    }
    app.out.line(&format!("{} {}", task.id, app.out.paint.state(task.state())))
}

/// The state on one line, with the error if there is one.
pub(crate) fn summary(task: &Task) -> String {
    let error = task.error.as_ref().map(|error| format!(": {}", error_line(error)));
    format!("{}{}", state_word(task.state()), error.unwrap_or_default())
}
