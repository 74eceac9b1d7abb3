//! When a failed attempt is followed by another one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When and how often a task is tried again. Defaults as in `RetryPolicy` of the `.proto`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Largest number of tries, the first one included.
    pub max_attempts: u32,
    /// Upper end of the wait after the first failed try, in milliseconds.
    pub initial_backoff_ms: u64,
    /// Upper end of any wait, in milliseconds.
    pub max_backoff_ms: u64,
    /// Growth of the wait from try to try; at least 1.
    pub multiplier: f64,
    /// Whether the wait is a random part of the upper end, or all of it.
    pub jitter: bool,
    /// Error types that end the task at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_retryable: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            initial_backoff_ms: 1_000,
            max_backoff_ms: 600_000,
            multiplier: 2.0,
            jitter: true,
            non_retryable: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// The wait after `tries` failed tries, given `random` in [0, 1).
    ///
    /// Full jitter: uniform in [0, min(max, initial * multiplier^(tries-1))] (M. Brooker,
    /// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Never panics and never
    /// exceeds `max_backoff_ms`, whatever the policy says.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds need no more than 53 bits, and the value was clamped to 0..=max"
    )]
    pub fn backoff(&self, tries: u32, random: f64) -> Duration {
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        let growth = self.multiplier.max(1.0).powi(exponent);
        let most = self.max_backoff_ms as f64;
        // A product of 0 and infinity is NaN, which `min` turns into the other operand.
        let ceiling = (self.initial_backoff_ms as f64 * growth).min(most);
        let part = if self.jitter { random.clamp(0.0, 1.0) } else { 1.0 };
        Duration::from_millis((ceiling * part).clamp(0.0, most) as u64)
    }

    /// Whether an error of this type ends the task at once.
    pub fn ends_at_once(&self, error_type: &str) -> bool {
        self.non_retryable.iter().any(|listed| listed == error_type)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let policy = RetryPolicy { jitter: false, max_backoff_ms: 5_000, ..RetryPolicy::default() };
        let waits: Vec<_> = (1..=5).map(|tries| policy.backoff(tries, 0.0).as_millis()).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
    }

    #[test]
    fn full_jitter_takes_the_random_part_of_the_whole_range() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.backoff(3, 0.0), Duration::ZERO);
        assert_eq!(policy.backoff(3, 0.5), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn backoff_never_passes_its_limit_nor_panics(
            initial in any::<u64>(), most in 0..=2_592_000_000_u64, multiplier in any::<f64>(),
            jitter in any::<bool>(), tries in any::<u32>(), random in any::<f64>(),
        ) {
            let policy = RetryPolicy {
                max_attempts: 5, initial_backoff_ms: initial, max_backoff_ms: most, multiplier,
                jitter, non_retryable: vec![],
            };
            prop_assert!(policy.backoff(tries, random) <= Duration::from_millis(most));
        }

        #[test]
        fn without_jitter_a_later_try_never_waits_less(
            initial in 0..100_000_u64, multiplier in 1.0..100.0_f64, tries in 1..999_u32,
        ) {
            let policy = RetryPolicy {
                initial_backoff_ms: initial, multiplier, jitter: false, ..RetryPolicy::default()
            };
            prop_assert!(policy.backoff(tries, 0.0) <= policy.backoff(tries + 1, 0.0));
        }
    }
}
