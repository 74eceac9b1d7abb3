//! What a handler knows of its attempt, and what it can tell about it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

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
    is_news: bool,
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

    /// Labels of the task.
    pub fn labels(&self) -> &HashMap<String, String> {
        &self.task.labels
    }

    /// W3C trace context of the submitter; empty if there is none.
    pub fn traceparent(&self) -> &str {
        &self.task.traceparent
    }

    /// When the attempt is taken away.
    pub fn deadline(&self) -> Option<&prost_types::Timestamp> {
        self.task.deadline.as_ref()
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

    /// Tells how far the work is: at most once a second goes to the server, the last one always.
    pub fn progress(&self, current: f64, total: f64, message: impl Into<String>) {
        let mut shared = self.shared();
        shared.progress =
            Some(pb::Progress { current, total, message: message.into(), reported_at: None });
        shared.is_news = true;
    }

    /// Keeps where to go on, for the next attempt. Up to 64 KiB; sent like progress.
    pub fn checkpoint(&self, checkpoint: impl Into<Bytes>) {
        let mut shared = self.shared();
        shared.checkpoint = Some(checkpoint.into());
        shared.is_news = true;
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
        std::mem::take(&mut shared.is_news).then(|| pb::AttemptProgress {
            task_id: self.task.task_id.clone(),
            attempt: self.task.attempt,
            progress: shared.progress.clone(),
            checkpoint: shared.checkpoint.clone(),
        })
    }

    /// Lets everything be told once more, over a new connection.
    pub(super) fn tell_anew(&self) {
        let mut shared = self.shared();
        shared.is_news = shared.progress.is_some() || shared.checkpoint.is_some();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
