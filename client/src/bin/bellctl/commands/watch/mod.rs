//! `bellctl watch`: tasks as they change.

mod events;
mod view;

use std::{collections::HashMap, time::Duration};

use bellringer_api::v1::{Task, TaskState, WatchTasksRequest};
use clap::Args;
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep_until},
};

use self::{events::Events, view::View};
use crate::{app::App, commands::list::Filter, exit::Exit, failure::Failure};

/// Longest time of a watch without --timeout: as good as none.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Watch tasks change: some tasks until they are finished, or all that match until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
A task that reports its progress has a bar when standard output is a terminal; else every change is
a line. When the server restarts, the watch goes on by itself; no final state is left out. With ids,
the exit code is that of the worst final state.

Example:
  bellctl watch \"$id\"
  bellctl watch --queue mail --label tenant=acme
  bellctl watch --kind resize -o json | jq -r '.task | [.id, .state] | @tsv'")]
pub(crate) struct Watch {
    /// Ids of the tasks
    #[arg(value_name = "ID", conflicts_with_all = ["queue", "kind", "labels"])]
    #[arg(required_unless_present_any = ["queue", "kind", "labels"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
}

impl Watch {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        if !self.filter.is_empty() {
            let filter = Some(self.filter.to_proto());
            let namespace = app.namespace.clone();
            let request = WatchTasksRequest { namespace, filter, ..WatchTasksRequest::default() };
            return watch(app, request, app.timeout).await;
        }
        ids(app, self.ids, app.timeout).await
    }
}

/// Watches tasks until they are finished, for up to `timeout`.
pub(crate) async fn ids(
    app: &App,
    mut task_ids: Vec<String>,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    task_ids.sort();
    task_ids.dedup();
    let namespace = app.namespace.clone();
    let request = WatchTasksRequest { namespace, task_ids, ..WatchTasksRequest::default() };
    watch(app, request, timeout).await
}

async fn watch(
    app: &App,
    request: WatchTasksRequest,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    let end = Instant::now() + timeout.unwrap_or(FOR_EVER);
    let mut followed = Followed::new(&request.task_ids);
    let mut events = Events::new(app, request);
    let mut view = View::new(app.out);
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            () = sleep_until(end) => return Ok(followed.exit_at_end()),
            _ = ctrl_c() => {
                app.out.remark("stopped watching; the tasks go on");
                return Ok(followed.exit_at_end());
            }
        };
        let Some((event, task)) = event else {
            return Ok(followed.exit_at_end());
        };
        if followed.is_news(&task) {
            view.show(event, &task)?;
        }
        if followed.all_finished() {
            return Ok(followed.exit_at_end());
        }
    }
}

/// What is known of the tasks that are watched.
#[derive(Debug, Default)]
struct Followed {
    /// Ids that were asked for; empty for a filter.
    ids: Vec<String>,
    /// Last revision of unfinished tasks, and of all that were asked for by id.
    tasks: HashMap<String, (i64, TaskState)>,
}

impl Followed {
    fn new(ids: &[String]) -> Self {
        Self { ids: ids.to_vec(), tasks: HashMap::new() }
    }

    /// Whether the task has changed since it was last seen.
    fn is_news(&mut self, task: &Task) -> bool {
        if self.tasks.get(&task.id).is_some_and(|(revision, _)| *revision >= task.revision) {
            return false;
        }
        let finished = Exit::of_state(task.state()).is_some();
        if finished && self.ids.is_empty() {
            self.tasks.remove(&task.id);
        } else {
            self.tasks.insert(task.id.clone(), (task.revision, task.state()));
        }
        true
    }

    fn states(&self) -> impl Iterator<Item = Option<Exit>> {
        self.ids.iter().map(|id| self.tasks.get(id).and_then(|(_, state)| Exit::of_state(*state)))
    }

    fn all_finished(&self) -> bool {
        !self.ids.is_empty() && self.states().all(|exit| exit.is_some())
    }

    /// Tasks that are not finished by now have taken too long.
    fn exit_at_end(&self) -> Exit {
        self.states().map(|exit| exit.unwrap_or(Exit::TimedOut)).fold(Exit::Ok, Exit::worse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, revision: i64, state: TaskState) -> Task {
        Task { id: id.to_owned(), revision, state: state.into(), ..Task::default() }
    }

    #[test]
    fn a_watch_of_ids_ends_with_the_worst_final_state() {
        let mut followed = Followed::new(&["a".to_owned(), "b".to_owned()]);
        assert!(followed.is_news(&task("a", 1, TaskState::Running)));
        assert!(followed.is_news(&task("a", 2, TaskState::Succeeded)));
        assert!(!followed.is_news(&task("a", 2, TaskState::Succeeded)));
        assert!(!followed.all_finished());
        assert_eq!(followed.exit_at_end(), Exit::TimedOut);

        assert!(followed.is_news(&task("b", 7, TaskState::Failed)));
        assert!(followed.all_finished());
        assert_eq!(followed.exit_at_end(), Exit::TaskFailed);
    }

    #[test]
    fn a_watch_of_a_filter_forgets_what_is_finished_and_never_ends() {
        let mut followed = Followed::new(&[]);
        followed.is_news(&task("a", 1, TaskState::Running));
        followed.is_news(&task("a", 2, TaskState::Failed));
        assert!(followed.tasks.is_empty() && !followed.all_finished());
        assert_eq!(followed.exit_at_end(), Exit::Ok);
    }
}
