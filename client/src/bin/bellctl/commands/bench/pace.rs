//! Load at a fixed rate, open loop: calls are made when they are due, whether or not earlier ones have
//! been answered, and count from when they were due. A server that stalls is charged for all that it holds
//! up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{Load, all_taken, wait_for_room};
use crate::{exit::Exit, failure::Failure, time};

/// Longer than a machine takes to wake.
const MOST_AWAKE: Duration = Duration::from_millis(1);

/// How fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Tasks per second.
    pub(super) rate: u32,
    /// Tasks of one call: one by Submit, more by SubmitBatch.
    pub(super) per_call: u32,
    pub(super) length: Duration,
}

/// What the callers saw, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// From when a call was due to when it was made: the error of the measurement.
    pub(super) late: Vec<u32>,
    /// From when a call was due to its answer, which says that the tasks are durable.
    pub(super) accepted: Vec<u32>,
}

impl Pace {
    fn calls(self) -> u32 {
        let tasks = u64::from(self.rate) * self.length.as_secs();
        u32::try_from(tasks / u64::from(self.per_call)).unwrap_or(u32::MAX)
    }

    /// Tasks in all.
    pub(super) fn tasks(self) -> u32 {
        self.calls() * self.per_call
    }

    /// When a call is due, from the beginning.
    fn due(self, call: u32) -> Duration {
        let calls_per_second = f64::from(self.rate) / f64::from(self.per_call);
        Duration::from_secs(1).mul_f64(f64::from(call) / calls_per_second)
    }

    /// How long before a call is due the submitter wakes and waits for the moment awake, so that the waking of a
    /// machine that sleeps is not charged to the server: for a twentieth of the pause between calls, which costs a
    /// twentieth of a core at most.
    fn awake(self) -> Duration {
        (self.due(1) / 20).min(MOST_AWAKE)
    }
}

/// Submits until all is accepted.
///
/// # Errors
/// A call failed.
pub(super) async fn offer(load: &Load, pace: Pace) -> Result<Offered, Failure> {
    let (begun, wall) = (Instant::now(), time::now().as_nanosecond());
    let (sender, mut dues) = mpsc::channel(1_024);
    let mut pacer = JoinSet::new();
    pacer.spawn_blocking(move || {
        be_punctual();
        for call in 0..pace.calls() {
            let due = pace.due(call);
            sleep_until(begun + due.saturating_sub(pace.awake()));
            if sender.blocking_send(due).is_err() {
                return;
            }
        }
    });
    let mut calls = JoinSet::new();
    let mut offered = Offered::default();
    let mut clients = load.clients();
    while let Some(due) = dues.recv().await {
        let due_at = wall + i128::try_from((due + load.delay).as_nanos()).unwrap_or_default();
        let due_at = i64::try_from(due_at).unwrap_or_default();
        let Some(mut client) = clients.next() else { break };
        while Instant::now() < begun + due {
            // Answers are read meanwhile.
            tokio::task::yield_now().await;
        }
        offered.late.push(micros(begun + due));
        load.offered.fetch_add(pace.per_call.into(), Ordering::Relaxed);
        if pace.per_call == 1 {
            let request = load.request(due_at);
            calls.spawn(async move {
                while let Err(status) = client.submit(request.clone()).await {
                    wait_for_room(status).await?;
                }
                Ok::<_, Failure>(micros(begun + due))
            });
        } else {
            let item = load.item(due_at);
            let items = vec![item; usize::try_from(pace.per_call).unwrap_or(1)];
            let request = load.batch_of(items);
            calls.spawn(async move {
                loop {
                    match client.submit_batch(request.clone()).await {
                        Ok(answer) => all_taken(answer.get_ref())?,
                        Err(status) => {
                            wait_for_room(status).await?;
                            continue;
                        }
                    }
                    return Ok(micros(begun + due));
                }
            });
        }
        while let Some(ended) = calls.try_join_next() {
            offered.accepted.push(answered(ended)?);
        }
    }
    while let Some(ended) = calls.join_next().await {
        offered.accepted.push(answered(ended)?);
    }
    Ok(offered)
}

fn answered(ended: Result<Result<u32, Failure>, tokio::task::JoinError>) -> Result<u32, Failure> {
    ended.map_err(|error| Failure::new(Exit::Other, error.to_string()))?
}

/// The timer of the runtime has a grain of a millisecond, which would be charged to the server.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, which nothing else waits for")]
fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// Linux wakes a thread up to 50 µs late, so as to wake several at once, unless it asks for less.
fn be_punctual() {
    #[cfg(target_os = "linux")]
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).ok();
}

/// Since `due`.
fn micros(due: Instant) -> u32 {
    u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_evenly_and_make_the_rate() {
        let pace = Pace { rate: 5_000, per_call: 10, length: Duration::from_secs(2) };
        assert_eq!((pace.calls(), pace.tasks()), (1_000, 10_000));
        assert_eq!(pace.due(500), Duration::from_secs(1));
        let single = Pace { per_call: 1, ..pace };
        assert_eq!((single.tasks(), single.due(1)), (10_000, Duration::from_micros(200)));
        assert_eq!(single.awake(), Duration::from_micros(10));
        assert_eq!(Pace { rate: 10, ..single }.awake(), MOST_AWAKE);
    }
}
