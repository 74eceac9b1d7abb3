//! Waiting for room: tasks that are about to be written wait a moment for workers to make room, or for what is ready
//! to be leased, where workers take and end many tasks.
//!
//! A task that goes straight to a worker costs the database about two thirds of one that becomes ready first. But
//! what is ready comes first: one submission that found no room would make all that follow become ready too, for as
//! long as others keep coming, and what is submitted would run ahead of what is completed.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Longest wait.
const LONGEST: Duration = Duration::from_millis(250);
/// How often a wait asks whether anything moves.
const STEP: Duration = Duration::from_millis(5);
/// After the longest wait nobody waits for so long, so that what takes long to be leased costs submitters little.
const PAUSE: Duration = Duration::from_secs(1);
/// Workers are fast if they take and end so many tasks
const MANY: usize = 64;
/// in this time, which is longer than a task is on its way to a worker and back.
const SPAN: Duration = Duration::from_millis(20);

/// Where to wait.
#[derive(Debug, Default)]
pub(super) struct Room {
    moved: Notify,
    pace: Mutex<Pace>,
}

/// How fast workers are.
#[derive(Debug, Default)]
struct Pace {
    began_at: Option<Instant>,
    /// Tasks since then, and in the span before.
    tasks: (usize, usize),
    /// When somebody waited in vain.
    in_vain_at: Option<Instant>,
}

impl Pace {
    fn add(&mut self, tasks: usize, now: Instant) {
        let age = self.began_at.map(|at| now - at);
        match age {
            Some(age) if age < SPAN => self.tasks.0 += tasks,
            _ => {
                let before = if age.is_some_and(|age| age < 2 * SPAN) { self.tasks.0 } else { 0 };
                (self.began_at, self.tasks) = (Some(now), (tasks, before));
            }
        }
    }

    fn is_fast(&self, now: Instant) -> bool {
        match self.began_at.map(|at| now - at) {
            Some(age) if age < SPAN => self.tasks.0.max(self.tasks.1) >= MANY,
            Some(age) if age < 2 * SPAN => self.tasks.0 >= MANY,
            _ => false,
        }
    }
}

impl Room {
    /// Workers took so many tasks, or have room for so many more.
    pub(super) fn moved(&self, tasks: usize) {
        self.pace().add(tasks, Instant::now());
        self.moved.notify_waiters();
    }

    /// Whether workers take and end many tasks.
    pub(super) fn is_fast(&self) -> bool {
        self.pace().is_fast(Instant::now())
    }

    /// Waits until `is_enough`, as long as something `moves`.
    pub(super) async fn wait(&self, is_enough: impl Fn() -> bool, moves: impl Fn() -> bool) {
        let began = Instant::now();
        if self.pace().in_vain_at.is_some_and(|at| began - at < PAUSE) {
            return;
        }
        loop {
            // Register before asking, so that a move in between is not lost.
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            if is_enough() || !moves() {
                return;
            }
            let left = LONGEST.saturating_sub(began.elapsed());
            if left.is_zero() {
                self.pace().in_vain_at = Some(Instant::now());
                return;
            }
            timeout(left.min(STEP), moved).await.ok();
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::sleep;

    use super::*;

    /// How long a wait takes for what is there after `enough`, while things move for `moves`.
    async fn waited(room: &Room, enough: Duration, moves: Duration) -> Duration {
        let began = Instant::now();
        let told = Cell::new(false);
        let tell = async {
            sleep(enough).await;
            told.set(true);
            room.moved(1);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = room.wait(|| told.get(), || began.elapsed() < moves) => {}
            () = tell => {}
        }
        began.elapsed()
    }

    const MOMENT: Duration = Duration::from_millis(3);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn tasks_wait_for_room_as_long_as_something_moves() {
        let room = Room::default();
        assert_eq!(waited(&room, MOMENT, LONG).await, MOMENT);
        assert_eq!(waited(&room, 8 * MOMENT, LONG).await, 8 * MOMENT);
        assert_eq!(waited(&room, LONG, Duration::ZERO).await, Duration::ZERO);
        assert_eq!(waited(&room, LONG, MOMENT).await, STEP, "nothing moves any more");
        assert_eq!(waited(&room, MOMENT, LONG).await, MOMENT, "and the next ones too");
    }

    #[tokio::test(start_paused = true)]
    async fn workers_are_fast_while_they_take_and_end_many_tasks() {
        let room = Room::default();
        assert!(!room.is_fast());
        room.moved(MANY - 1);
        assert!(!room.is_fast());
        room.moved(1);
        assert!(room.is_fast());
        sleep(SPAN).await;
        assert!(room.is_fast());
        room.moved(1);
        assert!(room.is_fast(), "they were a moment ago");
        sleep(SPAN).await;
        assert!(!room.is_fast(), "but not since");
        room.moved(MANY);
        sleep(2 * SPAN).await;
        assert!(!room.is_fast());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_longest_wait_nobody_waits_for_a_second() {
        let room = Room::default();
        assert_eq!(waited(&room, LONG, LONG).await, LONGEST);
        assert_eq!(waited(&room, MOMENT, LONG).await, Duration::ZERO);
        sleep(PAUSE).await;
        assert_eq!(waited(&room, MOMENT, LONG).await, MOMENT);
    }
}
