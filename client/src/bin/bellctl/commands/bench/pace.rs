//! Latency at a fixed rate, open loop: calls are made when they are due, whether or not earlier ones have
//! been answered, and count from when they were due. A server that stalls is charged for all that it holds
//! up.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Status;

use super::fleet::Fleet;
use super::load::Load;
use crate::{exit::Exit, failure::Failure, time};

/// What was measured at one rate, in microseconds, sorted.
pub(super) struct Latencies {
    /// Tasks per second.
    pub(super) rate: u32,
    /// From when a call was due to when it was made: the error of the measurement.
    pub(super) late: Vec<u32>,
    /// From when a call was due to its answer, which says that the task is durable.
    pub(super) accepted: Vec<u32>,
    /// From when a call was due to when a worker process had the task.
    pub(super) started: Vec<u32>,
}

/// Submits at `rate` for `length`, and waits until everything is complete.
///
/// # Errors
/// A call failed, or the workers do not get on.
pub(super) async fn measure(
    load: &Load<'_>,
    fleet: &mut Fleet,
    rate: u32,
    length: Duration,
) -> Result<Latencies, Failure> {
    let count = rate * u32::try_from(length.as_secs()).unwrap_or(1);
    let submitting = submit(load, rate, count);
    let ((mut late, mut accepted), mut started) = tokio::try_join!(submitting, fleet.until(count))?;
    for values in [&mut late, &mut accepted, &mut started] {
        values.sort_unstable();
    }
    Ok(Latencies { rate, late, accepted, started })
}

async fn submit(load: &Load<'_>, rate: u32, count: u32) -> Result<(Vec<u32>, Vec<u32>), Failure> {
    let (begun, wall) = (Instant::now(), time::now().as_nanosecond());
    let (sender, mut dues) = mpsc::channel(1_024);
    let mut pacer = JoinSet::new();
    pacer.spawn_blocking(move || {
        for n in 0..count {
            let due = Duration::from_secs(1).mul_f64(f64::from(n) / f64::from(rate));
            sleep_until(begun + due);
            if sender.blocking_send(due).is_err() {
                return;
            }
        }
    });
    let client = load.app.tasks();
    let mut calls = JoinSet::new();
    let (mut late, mut accepted) = (Vec::new(), Vec::new());
    while let Some(due) = dues.recv().await {
        let due_at = wall + i128::try_from(due.as_nanos()).unwrap_or_default();
        let request = load.request(i64::try_from(due_at).unwrap_or_default());
        let mut client = client.clone();
        late.push(micros(begun + due));
        calls.spawn(async move {
            client.submit(request).await?;
            Ok::<_, Status>(micros(begun + due))
        });
    }
    while let Some(ended) = calls.join_next().await {
        let ended = ended.map_err(|error| Failure::new(Exit::Other, error.to_string()))?;
        accepted.push(ended?);
    }
    Ok((late, accepted))
}

/// The timer of the runtime has a grain of a millisecond, which would be charged to the server.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, which nothing else waits for")]
fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// Since `due`.
fn micros(due: Instant) -> u32 {
    u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX)
}
