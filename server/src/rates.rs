//! Rates of calls, each key with a bucket of its own. The number of keys is bounded, so that whoever
//! makes them up uses no memory: beyond the bound, new ones share one bucket.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

/// Most keys with a bucket of their own.
pub const MOST_KEYS: usize = 100_000;

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// A second, in the long run.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// A bucket for every key.
#[derive(Debug)]
pub struct Rates<K: Hash + Eq + Clone, C: Clock = MonotonicClock> {
    limiter: RateLimiter<K, Buckets<K>, C, NoOpMiddleware<C::Instant>>,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// Full buckets for every key.
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, MOST_KEYS, MonotonicClock)
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Rates<K, C> {
    fn with(rate: Rate, most_keys: usize, clock: C) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let buckets = Buckets { most_keys, of: Mutex::default() };
        Self { limiter: RateLimiter::new(quota, buckets, clock) }
    }

    /// Takes one from the bucket of a key.
    ///
    /// # Errors
    /// How long until there is one again.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        self.limiter
            .check_key(key)
            .map_err(|not_until| not_until.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets full buckets: they are as good as new ones. To be called now and then.
    pub fn forget(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    /// Keys with a bucket that is not full, as of the last [`forget`](Self::forget), and new ones.
    pub fn keys(&self) -> usize {
        self.limiter.len()
    }
}

/// Where the buckets are kept; `None` is the one that is shared.
#[derive(Debug)]
struct Buckets<K> {
    most_keys: usize,
    of: Mutex<HashMap<Option<K>, Nanos>>,
}

impl<K> Buckets<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<K>, Nanos>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.lock();
        let mut key = Some(key.clone());
        if buckets.len() >= self.most_keys && !buckets.contains_key(&key) {
            key = None;
        }
        let (taken, after) = measure(buckets.get(&key).copied())?;
        buckets.insert(key, after);
        Ok(taken)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|_, state| *state > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.lock().shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rates(most_keys: usize) -> (Rates<u32, FakeRelativeClock>, FakeRelativeClock) {
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate = Rate { per_second: number(2), burst: number(3) };
        let clock = FakeRelativeClock::default();
        (Rates::with(rate, most_keys, clock.clone()), clock)
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_rate_and_others_do_not_notice() {
        let (rates, clock) = rates(10);
        for _ in 0..3 {
            rates.take(&1).unwrap();
        }
        let wait = rates.take(&1).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
        rates.take(&2).unwrap();
        clock.advance(wait);
        rates.take(&1).unwrap();
        assert!(rates.take(&1).is_err(), "waiting for one gives one");
    }

    #[test]
    fn however_many_keys_are_made_up_the_number_of_buckets_is_bounded() {
        let (rates, clock) = rates(100);
        rates.take(&0).unwrap();
        let passed = (1..10_000).filter(|key| rates.take(key).is_ok()).count();
        assert_eq!(passed, 99 + 3, "those with a bucket, and a burst for all others together");
        assert_eq!(rates.keys(), 101);
        rates.take(&0).unwrap();
        clock.advance(Duration::from_secs(5));
        rates.forget();
        assert_eq!(rates.keys(), 0);
        rates.take(&20_000).unwrap();
    }
}
