//! Calls that were refused, on their way into the audit log: bounded, so that whoever knocks all day fills
//! neither memory nor disk. What does not fit is counted and told in the server's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::Act;
use crate::clock::moment_in;
use crate::store::{Decision, Store};

/// Refusals that wait to be written, and that are written at once.
const MOST: usize = 100;
/// How often they are written: with [`MOST`], the bound of what is written down.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for events that were kept long enough.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// Events deleted at once.
const PRUNED: i64 = 10_000;

/// Where refusals go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Refused {
    sender: mpsc::Sender<(Arc<Act>, Decision)>,
    dropped: Arc<AtomicU64>,
}

/// Writes them down.
#[derive(Debug)]
pub(super) struct Log {
    receiver: mpsc::Receiver<(Arc<Act>, Decision)>,
    dropped: Arc<AtomicU64>,
    store: Store,
    kept: Duration,
}

/// Both ends. Events are kept for `kept`.
pub(super) fn channel(store: Store, kept: Duration) -> (Refused, Log) {
    let (sender, receiver) = mpsc::channel(MOST);
    let dropped = Arc::new(AtomicU64::new(0));
    (Refused { sender, dropped: dropped.clone() }, Log { receiver, dropped, store, kept })
}

impl Refused {
    /// Has a refusal written down soon.
    pub fn note(&self, act: Arc<Act>, decision: Decision) {
        if self.sender.try_send((act, decision)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Log {
    /// Writes refusals, and deletes old events, until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut prune_at = moment_in(PRUNE_EVERY);
        while !stop.is_cancelled() {
            let mut refused = Vec::new();
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(prune_at) => {}
                count = self.receiver.recv_many(&mut refused, MOST) => if count == 0 { break },
            }
            self.write(refused).await;
            if Instant::now() >= prune_at {
                prune_at = moment_in(PRUNE_EVERY);
                self.prune().await;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        let mut last = Vec::new();
        while let Ok(refused) = self.receiver.try_recv() {
            last.push(refused);
        }
        self.write(last).await;
    }

    async fn write(&self, refused: Vec<(Arc<Act>, Decision)>) {
        if !refused.is_empty()
            && let Err(error) = self.store.audit_refused(&refused).await
        {
            tracing::warn!(%error, calls = refused.len(), "refused calls are not in the audit log");
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                calls = dropped,
                "too many calls were refused to write all of them down"
            );
        }
    }

    async fn prune(&self) {
        loop {
            match self.store.prune_audit(self.kept, PRUNED).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to delete old events of the audit log");
                    return;
                }
            }
        }
    }
}
