//! Repeating calls that may be repeated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Waits between repetitions: exponential with full jitter.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

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
}

/// Repeats a call that changes nothing, or nothing twice, while the server is away.
pub(crate) async fn repeated<T, F>(limit: Duration, mut call: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = Instant::now() + limit;
    let mut backoff = Backoff::new();
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !(error.is_retryable() || error.outcome_unknown()) {
            return Err(error);
        }
        let wait = error.retry_after().unwrap_or_default().max(backoff.next(rand::random()));
        if Instant::now() + wait >= end {
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
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_while_the_server_is_away_and_not_when_it_refuses() {
        let mut answers = vec![
            Ok(7),
            Err(Error::from(Status::unavailable("away"))),
            Err(Error::from(Status::unavailable("away"))),
        ];
        let answer = repeated(Duration::from_secs(9), || {
            let answer = answers.pop().unwrap();
            async move { answer }
        });
        assert_eq!(answer.await.unwrap(), 7);
        let mut calls = 0;
        let refused: Result<(), Error> = repeated(Duration::from_secs(9), || {
            calls += 1;
            async { Err(Error::from(Status::invalid_argument("no"))) }
        })
        .await;
        assert!(refused.is_err());
        assert_eq!(calls, 1);
    }
}
