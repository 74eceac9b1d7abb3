//! Moving a virtual clock forward, so that everything on the way happens at its own time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use super::{Engine, Error};

/// How often it is looked whether what has become due was done.
const LOOKS_EVERY: Duration = Duration::from_millis(2);
/// How long to wait for the leader: a term begins within seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long connected workers get at each step for what they have.
const WORK: Duration = Duration::from_secs(1);

impl Engine {
    /// Moves the clock forward; answers with the time then, and with how many times of schedules came
    /// on the way.
    ///
    /// # Errors
    /// If the clock of this server cannot be moved, or nobody fires schedules.
    pub async fn advance_clock(&self, by: Duration) -> Result<(Timestamp, u64), Error> {
        let _alone = self.clockwork.lock().await;
        let store = self.reading.store();
        let clock = store.clock();
        if !clock.advance(Duration::ZERO) {
            return Err(Error::ClockNotVirtual);
        }
        let begin = clock.now();
        let target = SignedDuration::try_from(by)
            .ok()
            .and_then(|by| begin.checked_add(by).ok())
            .unwrap_or(Timestamp::MAX);
        if let Some(ahead) = clock.advanced() {
            // Where the clock goes on after a crash on the way.
            store.set_clock(ahead.saturating_add(by)).await?;
        }
        loop {
            self.settle().await?;
            let (schedule, task) = tokio::try_join!(store.next_schedule_due(), store.next_due())?;
            let left = Duration::try_from(target.duration_since(clock.now())).unwrap_or_default();
            match schedule.into_iter().chain(task).min() {
                Some(wait) if wait <= left => clock.advance(wait),
                _ => {
                    clock.advance(left);
                    break;
                }
            };
            // A worker that is connected would have been heard of meanwhile.
            self.workers.beat_connected().await?;
        }
        self.settle().await?;
        Ok((clock.now(), store.came(begin).await?))
    }

    /// Waits until everything that is due was done, and gives workers a moment for it.
    async fn settle(&self) -> Result<(), Error> {
        let store = self.reading.store();
        let since = Instant::now();
        loop {
            let (schedule, task) = tokio::try_join!(store.next_schedule_due(), store.next_due())?;
            if schedule != Some(Duration::ZERO) && task != Some(Duration::ZERO) {
                break;
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::StoreUnavailable);
            }
            self.schedules.wake_leader();
            self.signals.scheduled();
            sleep(LOOKS_EVERY).await;
        }
        let since = Instant::now();
        while self.workers.connected() > 0 && since.elapsed() < WORK && store.is_busy().await? {
            sleep(LOOKS_EVERY).await;
        }
        Ok(())
    }
}
