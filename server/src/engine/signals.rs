//! What the parts tell each other after a commit: only hints, since every loop also looks by itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::dispatcher::Dispatcher;
use super::hints::Hints;
use super::metering::Meter;
use super::traces::Traces;
use super::watch_hub::WatchHub;
use crate::domain::TaskId;
use crate::store::Ended;

/// Where hints go.
#[derive(Debug)]
pub struct Signals {
    pub(super) dispatcher: Arc<Dispatcher>,
    hub: Arc<WatchHub>,
    hints: Arc<Hints>,
    promoter: Notify,
    /// Counts what is told here of tasks that were moved; others tell it the rest.
    pub(super) meter: Arc<Meter>,
    /// Told what is to be traced.
    pub(super) traces: Arc<Traces>,
}

impl Signals {
    /// Connects the parts.
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        hub: Arc<WatchHub>,
        hints: Arc<Hints>,
        meter: Arc<Meter>,
        traces: Arc<Traces>,
    ) -> Self {
        Self { dispatcher, hub, hints, promoter: Notify::new(), meter, traces }
    }

    /// Tasks of these lanes became ready.
    pub fn ready(&self, lanes: HashSet<i32>) {
        self.dispatcher.wake(&lanes);
        self.hints.lanes(lanes);
    }

    /// API keys were changed.
    pub fn keys(&self) {
        self.hints.keys();
    }

    /// Something was put off: the promoter may have to rise earlier than it meant to.
    pub fn scheduled(&self) {
        self.promoter.notify_one();
    }

    /// Waits for [`scheduled`](Self::scheduled). Cancel safe.
    pub async fn next_scheduled(&self) {
        self.promoter.notified().await;
    }

    /// These tasks changed, to at least these revisions: task, lane, revision.
    pub fn changed(&self, tasks: impl Iterator<Item = (TaskId, i32, i64)> + Clone) {
        self.hints.tasks(tasks.clone().map(|(task, lane, _)| (task, lane)));
        self.hub.changed(tasks.map(|(task, lane, _)| (task, lane)));
    }

    /// These tasks were moved: counts them, wakes who waits for them, and shows them to who watches.
    pub fn moved(&self, tasks: &[Ended]) {
        self.meter.moved(tasks);
        use crate::domain::TaskState::{Ready, Retrying, Scheduled};
        let mut returned: HashMap<i32, Timestamp> = HashMap::new();
        for task in tasks.iter().filter(|task| task.state == Ready) {
            let run_at = task.run_at.unwrap_or(Timestamp::UNIX_EPOCH);
            let oldest = returned.entry(task.lane).or_insert(run_at);
            *oldest = run_at.min(*oldest);
        }
        if !returned.is_empty() {
            self.dispatcher.returned(&returned);
            self.hints.returned(returned);
        }
        if tasks.iter().any(|task| matches!(task.state, Scheduled | Retrying)) {
            self.scheduled();
        }
        self.changed(tasks.iter().map(|task| (task.id, task.lane, 0)));
    }
}
