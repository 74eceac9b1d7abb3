//! What a handler knows of its attempt, and what it can tell about it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::new_task::jiff_time;
use crate::text::cut;

/// Largest checkpoint, in bytes.
const CHECKPOINT: usize = 64 << 10;
/// Longest message of progress, in bytes.
const MESSAGE: usize = 1 << 10;

/// An attempt, from inside. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TaskContext {
    task: Arc<pb::Assignment>,
    cancelled: CancellationToken,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: Option<(pb::StopReason, Duration)>,
    progress: Option<pb::Progress>,
    checkpoint: Option<Bytes>,
    /// Whether each was not sent yet.
    is_new_progress: bool,
    is_new_checkpoint: bool,
}

impl TaskContext {
    /// Of an assignment; its payload goes to the handler.
    pub(super) fn new(mut task: pb::Assignment) -> Self {
        task.payload = None;
        Self { task: Arc::new(task), cancelled: CancellationToken::new(), shared: Arc::default() }
    }

    /// Id of the task.
    pub fn task_id(&self) -> &str {
        &self.task.task_id
    }

    /// Number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.task.attempt
    }

    /// Tries so far, this one included.
    pub fn tries(&self) -> u32 {
        self.task.tries
    }

    /// Tries allowed.
    pub fn max_attempts(&self) -> u32 {
        self.task.max_attempts
    }

    /// Name of the handler.
    pub fn kind(&self) -> &str {
        &self.task.kind
    }

    /// Queue that the task came from.
    pub fn queue(&self) -> &str {
        &self.task.queue
    }

    /// Version of the handler that the task asked for; empty: any.
    pub fn version(&self) -> &str {
        &self.task.version
    }

    /// When the task was accepted.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.task.created_at.as_ref().and_then(jiff_time)
    }

    /// Labels of the task.
    pub fn labels(&self) -> &HashMap<String, String> {
        &self.task.labels
    }

    /// W3C trace context of the submitter; empty if there is none.
    pub fn traceparent(&self) -> &str {
        &self.task.traceparent
    }

    /// When the attempt is taken away, by the clock of the server; `None`: never.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.task.deadline.as_ref().and_then(jiff_time)
    }

    /// The last checkpoint of an earlier attempt; empty: none.
    pub fn last_checkpoint(&self) -> &Bytes {
        &self.task.checkpoint
    }

    /// The last progress of an earlier attempt.
    pub fn last_progress(&self) -> Option<&pb::Progress> {
        self.task.progress.as_ref()
    }

    /// Cancelled when the handler has to stop. It then has the grace of the server to end; what it
    /// returns as an error counts as the answer to the cancel.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Why the handler has to stop.
    pub fn stop_reason(&self) -> Option<pb::StopReason> {
        self.shared().stop.map(|(reason, _)| reason)
    }

    /// Tells how far the work is: `current` of `total`, in any unit; total 0: unknown. At most once a
    /// second goes to the server, the last one always. Numbers that make no sense are put right, and
    /// messages over 1 KiB cut.
    pub fn progress(&self, current: f64, total: f64, message: impl Into<String>) {
        let sensible = |number: f64| if number.is_finite() { number.max(0.0) } else { 0.0 };
        let (mut current, total) = (sensible(current), sensible(total));
        if total > 0.0 {
            current = current.min(total);
        }
        let message = cut(message.into(), MESSAGE);
        let mut shared = self.shared();
        shared.progress = Some(pb::Progress { current, total, message, reported_at: None });
        shared.is_new_progress = true;
    }

    /// Keeps where to go on, for the next attempt; sent like progress.
    ///
    /// # Errors
    /// If it has more than 64 KiB; the checkpoint before stays in force.
    pub fn checkpoint(&self, checkpoint: impl Into<Bytes>) -> Result<(), Error> {
        let checkpoint = checkpoint.into();
        if checkpoint.len() > CHECKPOINT {
            let length = checkpoint.len();
            return Err(Error::TooLarge(format!(
                "a checkpoint may have {CHECKPOINT} bytes, this one has {length}"
            )));
        }
        let mut shared = self.shared();
        shared.checkpoint = Some(checkpoint);
        shared.is_new_checkpoint = true;
        Ok(())
    }

    /// Tells the handler to stop.
    pub(super) fn stop(&self, reason: pb::StopReason, grace: Duration) {
        self.shared().stop.get_or_insert((reason, grace));
        self.cancelled.cancel();
    }

    /// Returns when the handler was told to stop and its grace is over.
    pub(super) async fn grace_is_over(&self) {
        self.cancelled.cancelled().await;
        let grace = self.shared().stop.map(|(_, grace)| grace).unwrap_or_default();
        tokio::time::sleep(grace).await;
    }

    /// What was told and not taken yet.
    pub(super) fn take_news(&self) -> Option<pb::AttemptProgress> {
        let mut shared = self.shared();
        let is_new_progress = std::mem::take(&mut shared.is_new_progress);
        let is_new_checkpoint = std::mem::take(&mut shared.is_new_checkpoint);
        (is_new_progress || is_new_checkpoint).then(|| pb::AttemptProgress {
            task_id: self.task.task_id.clone(),
            attempt: self.task.attempt,
            progress: shared.progress.clone().filter(|_| is_new_progress),
            checkpoint: shared.checkpoint.clone().filter(|_| is_new_checkpoint),
        })
    }

    /// Lets everything be told once more, over a new connection.
    pub(super) fn tell_anew(&self) {
        let mut shared = self.shared();
        shared.is_new_progress = shared.progress.is_some();
        shared.is_new_checkpoint = shared.checkpoint.is_some();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(context: &TaskContext) -> (f64, f64) {
        let progress = context.take_news().unwrap().progress.unwrap();
        (progress.current, progress.total)
    }

    #[test]
    fn progress_always_makes_sense_to_the_server() {
        let context = TaskContext::new(pb::Assignment::default());
        for ((current, total), sent) in [
            ((1.0, 2.0), (1.0, 2.0)),
            ((5.0, 3.0), (3.0, 3.0)),
            ((5.0, 0.0), (5.0, 0.0)),
            ((-1.0, 3.0), (0.0, 3.0)),
            ((f64::NAN, f64::INFINITY), (0.0, 0.0)),
        ] {
            context.progress(current, total, "x".repeat(5_000));
            assert_eq!(told(&context), sent);
        }
        assert!(context.take_news().is_none());
    }

    #[test]
    fn a_checkpoint_is_sent_when_it_is_new_and_refused_when_it_is_too_large() {
        let context = TaskContext::new(pb::Assignment::default());
        context.checkpoint("here").unwrap();
        assert!(context.checkpoint(vec![0; CHECKPOINT + 1]).is_err());
        assert_eq!(context.take_news().unwrap().checkpoint.unwrap(), "here");
        context.progress(1.0, 2.0, "");
        assert_eq!(context.take_news().unwrap().checkpoint, None);
        context.tell_anew();
        let again = context.take_news().unwrap();
        assert!(again.checkpoint.is_some() && again.progress.is_some());
    }
}
