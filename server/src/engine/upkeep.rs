//! What is done again and again, on every replica: rows that another one has locked are left to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::footing::Footing;
use super::reporter::{End, Reporter};
use super::signals::Signals;
use super::upkeep_marks::UpkeepMarks;
use super::workers::Workers;
use super::{Error, Settings};
use crate::domain::{Ending, StopReason};
use crate::store::{Lease, Store, UpkeepLook};

/// Rows moved in one statement.
const BATCH: i64 = 1_000;
/// What ran out of time is ended at most as often.
const REAPS_EVERY: Duration = Duration::from_secs(1);
/// How often attempts without a session are looked for even if no session has ended.
const ORPHANS_EVERY: Duration = Duration::from_secs(10);

/// Keeps the tables in order.
#[derive(Debug)]
pub struct Upkeep {
    store: Store,
    reporter: Arc<Reporter>,
    workers: Arc<Workers>,
    signals: Arc<Signals>,
    cancel_grace: Duration,
    poll_interval: Duration,
    found: watch::Sender<UpkeepLook>,
    footing: Footing,
    marks: UpkeepMarks,
}

impl Upkeep {
    /// Ready to run.
    pub fn new(
        store: Store,
        reporter: Arc<Reporter>,
        workers: Arc<Workers>,
        signals: Arc<Signals>,
        settings: &Settings,
    ) -> Self {
        Self {
            store,
            reporter,
            workers,
            signals,
            cancel_grace: settings.cancel_grace,
            poll_interval: settings.poll_interval,
            found: watch::Sender::default(),
            footing: Footing::new(settings.poll_interval),
            marks: UpkeepMarks::new(),
        }
    }

    /// Moves tasks that are due to ready, until stopped: at the very time, not at the next poll.
    pub async fn promote(&self, stop: CancellationToken) {
        loop {
            let wait = match self.promote_once().await {
                Ok(wait) => wait.map_or(self.poll_interval, |wait| wait.min(self.poll_interval)),
                Err(error) => {
                    self.footing.failed();
                    tracing::warn!(%error, "failed to move due tasks; trying again");
                    self.poll_interval
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.signals.next_scheduled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Moves everything that is due; answers with how long until the next.
    pub async fn promote_once(&self) -> Result<Option<Duration>, Error> {
        loop {
            let since = self.marks.since(Instant::now());
            let found = self.store.upkeep_look(self.cancel_grace, since).await?;
            self.marks.looked(since, &found);
            self.footing.looked(Instant::now());
            self.found.send_replace(found);
            if found.wait != Some(Duration::ZERO) {
                return Ok(found.wait);
            }
            let moved = self.store.promote(BATCH, since).await?;
            self.signals.moved(&moved);
            if moved.is_empty() {
                // Another replica is at it.
                return Ok(Some(Duration::from_millis(20)));
            }
        }
    }

    /// Ends what ran out of time, until stopped: as soon as a look has found it.
    pub async fn reap(&self, stop: CancellationToken) {
        let mut found = self.found.subscribe();
        let mut next_orphans = Instant::now() + ORPHANS_EVERY;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = found.wait_for(|found| found.is_overdue) => {}
                () = tokio::time::sleep_until(next_orphans) => {}
            }
            let now = Instant::now();
            let may_judge = self.footing.is_firm(now);
            let look_for_orphans = may_judge && now >= next_orphans;
            if look_for_orphans {
                next_orphans = now + ORPHANS_EVERY;
            }
            let reaped = async {
                if may_judge {
                    self.end_lost(look_for_orphans).await?;
                }
                self.end_overdue().await
            };
            if let Err(error) = reaped.await {
                tracing::warn!(%error, "failed to look for lost leases; trying again");
            }
            // Until the next look says so again.
            if may_judge {
                self.found.send_modify(|found| found.is_overdue = false);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REAPS_EVERY) => {}
            }
        }
    }

    /// Ends what ran out of time, once and whatever happened to the database before: for a clock that jumps.
    pub async fn reap_once(&self, look_for_orphans: bool) -> Result<(), Error> {
        self.end_lost(look_for_orphans).await?;
        self.end_overdue().await
    }

    /// Ends sessions that were not heard of, and attempts that lost their session.
    async fn end_lost(&self, look_for_orphans: bool) -> Result<(), Error> {
        let ended = self.store.end_sessions().await?;
        if ended > 0 {
            tracing::info!(sessions = ended, "workers were not heard of any more");
        }
        if ended > 0 || look_for_orphans {
            loop {
                let orphans = self.store.orphans(BATCH).await?;
                let ends = orphans.iter().map(|lease| end(lease, Ending::LeaseExpired));
                if self.end(ends.collect()).await? == 0 || !is_full(orphans.len()) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Ends attempts that ran too long, and waiting tasks whose time is over.
    async fn end_overdue(&self) -> Result<(), Error> {
        let since = self.marks.since(Instant::now());
        loop {
            let overdue = self.store.overdue_running(self.cancel_grace, BATCH, since).await?;
            let ends = overdue.iter().map(|over| {
                end(
                    &over.lease,
                    if over.is_cancelled { Ending::Cancelled } else { Ending::TimedOut },
                )
            });
            let ended = self.end(ends.collect()).await?;
            // None, although there were some: another replica is at them.
            if ended == 0 || !is_full(overdue.len()) {
                break;
            }
        }
        loop {
            let waiting = self.store.end_overdue_waiting(BATCH, since).await?;
            self.signals.traces.ended_waiting(waiting.iter().map(|task| task.id));
            self.signals.moved(&waiting);
            if !is_full(waiting.len()) {
                return Ok(());
            }
        }
    }

    /// Answers with how many were held.
    async fn end(&self, ends: Vec<End>) -> Result<usize, Error> {
        if ends.is_empty() {
            return Ok(0);
        }
        let ended = self.reporter.end(&ends).await?.len();
        for end in &ends {
            let reason = match end.ending {
                Ending::TimedOut => StopReason::TimedOut,
                _ => StopReason::LeaseLost,
            };
            self.workers.tell_ended(&end.lease, reason);
        }
        Ok(ended)
    }
}

/// Whether there may be more than a statement has taken.
fn is_full(rows: usize) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows >= BATCH)
}

fn end(lease: &Lease, ending: Ending) -> End {
    End { lease: *lease, ending }
}
