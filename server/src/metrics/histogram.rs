//! A histogram of atomics: to observe takes two additions and no lock, so that a hot path can afford it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Millionths of a second, or of whatever else is observed.
const MILLION: u64 = 1_000_000;

/// Upper bounds of buckets, in millionths.
pub(super) type Bounds = &'static [u64];

/// From a database's answer to a call that takes too long.
pub(super) const SHORT: Bounds = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// From a task that starts at once to one that waits or runs for a day.
pub(super) const LONG: Bounds = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    1_800_000_000,
    7_200_000_000,
    43_200_000_000,
    86_400_000_000,
];
/// Rows of a batch.
pub(super) const SIZES: Bounds = &[
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

/// Counts values by size. Cheap to clone: clones count together.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    /// One more than there are bounds: what is beyond the last one.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Empty.
    pub(super) fn new(bounds: Bounds) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { bounds, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts a time.
    pub fn observe(&self, time: Duration) {
        self.observe_millionths(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a number of things.
    pub fn observe_size(&self, size: usize) {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        self.observe_millionths(size.saturating_mul(MILLION));
    }

    fn observe_millionths(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values were counted.
    pub(super) fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let bounds = self.0.bounds.iter().map(|bound| units(*bound)).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = units(self.0.sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Exact up to 2^53 millionths: 285 years of seconds.
fn units(millionths: u64) -> f64 {
    millionths as f64 / MILLION as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(SIZES);
        for size in [0, 1, 2, 3, 1_000, 1_001] {
            histogram.observe_size(size);
        }
        let counts: Vec<u64> =
            histogram.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [2, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(histogram.count(), 6);
        assert_eq!(histogram.0.sum.load(Ordering::Relaxed), 2_007 * MILLION);
    }
}
