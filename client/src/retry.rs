//! Limits of calls, and repeating those that may be repeated.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// Longer than any program waits: what stands for times that cannot be counted.
const FOREVER: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Waits between repetitions: exponential with full jitter.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// The next wait, given `random` in [0, 1).
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let wait = self.ceiling.mul_f64(random.clamp(0.0, 1.0));
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        wait
    }

    /// How long to wait after an error; not less than the server asks for.
    pub(crate) fn after(&mut self, error: &Error) -> Duration {
        error.retry_after().unwrap_or_default().max(self.next(rand::random()))
    }
}

/// The time after `limit`, however long that is.
pub(crate) fn later(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit.min(FOREVER)).unwrap_or(now)
}

/// What is left of a limit.
pub(crate) fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

/// Makes a call once, for `limit` at most.
pub(crate) async fn once<T, F>(
    limit: Duration,
    call: impl FnOnce(Duration) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = later(limit);
    timeout_at(end, call(left(end))).await.unwrap_or_else(|_| Err(Error::no_answer()))
}

/// Repeats a call that changes nothing, or nothing twice, while the server is away; for `limit` at
/// most in all. The call is told how much of that is left.
pub(crate) async fn repeated<T, F>(
    limit: Duration,
    mut call: impl FnMut(Duration) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = later(limit);
    let mut backoff = Backoff::new();
    loop {
        let error = match timeout_at(end, call(left(end))).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(Error::no_answer()),
        };
        if !(error.is_retryable() || error.outcome_unknown()) {
            return Err(error);
        }
        let wait = backoff.after(&error);
        if wait >= left(end) {
            return Err(error);
        }
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn waits_grow_to_their_limit() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        assert_eq!(backoff.next(0.5), LONGEST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_while_the_server_is_away_and_not_when_it_refuses() {
        let mut answers = vec![
            Ok(7),
            Err(Error::from(Status::unavailable("away"))),
            Err(Error::from(Status::unavailable("away"))),
        ];
        let answer = repeated(Duration::from_secs(9), |_| {
            let answer = answers.pop().unwrap();
            async move { answer }
        });
        assert_eq!(answer.await.unwrap(), 7);
        let mut calls = 0;
        let refused: Result<(), Error> = repeated(Duration::from_secs(9), |_| {
            calls += 1;
            async { Err(Error::from(Status::invalid_argument("no"))) }
        })
        .await;
        assert!(refused.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_holds_for_all_repetitions_together() {
        let began = Instant::now();
        let mut calls = 0;
        let limit = Duration::from_secs(30);
        let answer: Result<(), Error> = repeated(limit, |left| {
            calls += 1;
            assert!(left <= limit);
            async move {
                // The first one takes most of the time, the second one would take for ever.
                sleep(if left > Duration::from_secs(20) {
                    Duration::from_secs(25)
                } else {
                    FOREVER
                })
                .await;
                Err(Error::from(Status::unavailable("away")))
            }
        })
        .await;
        assert!(answer.unwrap_err().outcome_unknown());
        assert_eq!(began.elapsed().as_secs(), limit.as_secs());
        assert_eq!(calls, 2);

        let silent = once(limit, |_| std::future::pending::<Result<(), Error>>()).await;
        assert!(silent.unwrap_err().outcome_unknown());
        assert!(later(Duration::MAX) > later(limit));
    }
}
