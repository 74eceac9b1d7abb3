//! Cancelling a task, wherever it is.

use std::sync::Arc;

use super::Error;
use super::hints::Hints;
use super::reading::Reading;
use super::signals::Signals;
use super::workers::Workers;
use crate::domain::{AttemptRef, Namespace, Task, TaskId, View};

/// How often a cancel looks again at a task that is just being moved by somebody else.
const LOOKS: usize = 10;

/// Cancels tasks.
#[derive(Debug)]
pub(super) struct Cancelling {
    pub(super) reading: Arc<Reading>,
    pub(super) workers: Arc<Workers>,
    pub(super) signals: Arc<Signals>,
    pub(super) hints: Arc<Hints>,
}

impl Cancelling {
    /// Cancels a task: at once if it waits, by asking its worker if it runs. Answers with the task as
    /// it is afterwards.
    pub(super) async fn cancel(
        &self,
        namespace: &Namespace,
        id: TaskId,
        reason: &str,
    ) -> Result<Task, Error> {
        let number = self.reading.registry().find_namespace(namespace).await?;
        let number = number.ok_or(Error::TaskNotFound(id))?;
        for _ in 0..LOOKS {
            let changed = self.reading.store().cancel(number, &[id], reason).await?;
            for row in &changed {
                if let Some(session) = row.session {
                    let attempt = AttemptRef { task: row.id, attempt: row.attempt };
                    self.workers.tell_cancel(session, attempt);
                    self.hints.cancel(session, attempt);
                }
            }
            let ended = changed.iter().filter(|row| row.state.is_final()).map(|row| row.lane);
            self.signals.meter.cancelled(ended);
            let waiting = changed.iter().filter(|row| row.session.is_none());
            self.signals.traces.ended_waiting(waiting.map(|row| row.id));
            self.signals.changed(changed.iter().map(|row| (row.id, row.lane, 0)));
            let task = self.reading.task(namespace, id, View::Basic).await?;
            if task.state.is_final() || task.cancel_requested {
                return Ok(task);
            }
            // It was moved between two tables while the statement looked: look again.
        }
        Err(Error::StoreUnavailable)
    }
}
