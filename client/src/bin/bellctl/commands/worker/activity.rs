//! Knows whether anything runs, and since when not.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How many attempts run, and since when that is so.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    running: usize,
    /// `None` until the worker is connected.
    since: Option<Instant>,
}

/// One attempt that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    state: watch::Sender<State>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let state = State { running: 0, since: None };
        Self { state: watch::Sender::new(state) }
    }

    /// Starts the clock: from now on there could be something to run.
    pub(crate) fn touch(&self) {
        change(&self.state, |running| running);
    }

    /// Notes an attempt that runs.
    pub(crate) fn begin(&self) -> Running {
        change(&self.state, |running| running + 1);
        Running { state: self.state.clone() }
    }

    /// How many attempts run.
    pub(crate) fn running(&self) -> usize {
        self.state.borrow().running
    }

    /// Answers when nothing has run for `length`. Cancel safe.
    pub(crate) async fn idle_for(&self, length: Duration) {
        let mut states = self.state.subscribe();
        loop {
            let State { running, since } = *states.borrow_and_update();
            let changed = states.changed();
            let Some(since) = since.filter(|_| running == 0) else {
                // Never fails: `self` holds the sender.
                let _ = changed.await;
                continue;
            };
            tokio::select! {
                () = sleep_until(since + length) => return,
                _ = changed => {}
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        change(&self.state, |running| running - 1);
    }
}

fn change(state: &watch::Sender<State>, count: impl FnOnce(usize) -> usize) {
    state.send_modify(|state| {
        state.running = count(state.running);
        state.since = Some(Instant::now());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{sleep, timeout};

    #[tokio::test(start_paused = true)]
    async fn idle_counts_from_the_end_of_the_last_attempt() {
        let activity = Activity::new();
        let begun = Instant::now();
        let running = activity.begin();
        assert_eq!(activity.running(), 1);
        let work = async {
            sleep(Duration::from_secs(60)).await;
            drop(running);
        };
        tokio::join!(work, activity.idle_for(Duration::from_secs(10)));
        assert_eq!(begun.elapsed(), Duration::from_secs(70));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_connected_is_not_idle() {
        let activity = Activity::new();
        let idle = timeout(Duration::from_secs(3600), activity.idle_for(Duration::from_secs(1)));
        assert!(idle.await.is_err());
        activity.touch();
        activity.idle_for(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_attempt_is_not_idle() {
        let activity = Activity::new();
        let _running = activity.begin();
        let idle = timeout(Duration::from_secs(3600), activity.idle_for(Duration::from_secs(1)));
        assert!(idle.await.is_err());
    }
}
