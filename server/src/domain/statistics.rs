//! Counting what has ended: how times are distributed, and units of time. Arithmetic alone.

use std::time::Duration;

use jiff::Timestamp;

use super::{AttemptOutcome, TaskState};

/// A size is a power of this, in microseconds. A time is told as the middle of its size: within 5 %.
const GROWTH: f64 = 1.1;

/// Counts never run over: at the end of the numbers they stand still.
fn grow(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

/// How times are distributed: how many there are of each size. Adding keeps everything that is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    /// Sum of the times, in microseconds.
    pub sum_us: u64,
    /// How many times by size.
    pub sizes: Vec<u64>,
}

impl Spread {
    /// Adds `count` times of one size that sum up to `sum_us` microseconds.
    pub fn count(&mut self, size: usize, count: u64, sum_us: u64) {
        if self.sizes.len() <= size {
            self.sizes.resize(size.saturating_add(1), 0);
        }
        if let Some(counted) = self.sizes.get_mut(size) {
            grow(counted, count);
        }
        grow(&mut self.sum_us, sum_us);
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        if self.sizes.len() < other.sizes.len() {
            self.sizes.resize(other.sizes.len(), 0);
        }
        for (size, more) in self.sizes.iter_mut().zip(&other.sizes) {
            grow(size, *more);
        }
        grow(&mut self.sum_us, other.sum_us);
    }

    /// How many times there are.
    pub fn total(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Their exact mean.
    pub fn mean(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.sum_us.checked_div(self.total())?))
    }

    /// The time that `percent` of them do not exceed, within 5 %. Below 1.1 microseconds it is 0.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let total = self.total();
        let rank = total.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0_u64;
        let size = self.sizes.iter().position(|count| {
            grow(&mut seen, *count);
            seen >= rank
        })?;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        if size == 0 {
            return Some(Duration::ZERO);
        }
        let middle = GROWTH.powf(f64::from(size) + 0.5) / 1e6;
        Some(Duration::try_from_secs_f64(middle).unwrap_or(Duration::MAX))
    }
}

/// Counts of what has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tasks.
    pub succeeded: u64,
    /// Tasks.
    pub failed: u64,
    /// Tasks.
    pub cancelled: u64,
    /// Tasks.
    pub expired: u64,
    /// Attempts that ended otherwise than by the success of the task.
    pub tries: Tries,
    /// Waits for the first start.
    pub wait: Spread,
    /// How long attempts ran.
    pub run: Spread,
    /// When the last task ended, and how.
    pub last: Option<(Timestamp, TaskState)>,
}

/// Attempts that ended otherwise than by the success of the task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// The handler failed, or ran into a timeout.
    pub failed: u64,
    /// The task was cancelled meanwhile.
    pub cancelled: u64,
    /// To be run again later.
    pub snoozed: u64,
    /// Given back.
    pub released: u64,
    /// The worker was not heard of any more.
    pub lease_expired: u64,
}

impl Tally {
    /// Counts tasks that came to this end.
    pub fn count_tasks(&mut self, state: TaskState, count: u64, last_at: Timestamp) {
        match state {
            TaskState::Succeeded => grow(&mut self.succeeded, count),
            TaskState::Failed => grow(&mut self.failed, count),
            TaskState::Cancelled => grow(&mut self.cancelled, count),
            TaskState::Expired => grow(&mut self.expired, count),
            TaskState::Scheduled | TaskState::Ready | TaskState::Running | TaskState::Retrying => {
                return;
            }
        }
        if self.last.is_none_or(|(at, _)| at <= last_at) {
            self.last = Some((last_at, state));
        }
    }

    /// Counts attempts that ended so.
    pub fn count_tries(&mut self, outcome: AttemptOutcome, count: u64) {
        match outcome {
            // Counted with its task.
            AttemptOutcome::Succeeded => {}
            AttemptOutcome::Failed => grow(&mut self.tries.failed, count),
            AttemptOutcome::Cancelled => grow(&mut self.tries.cancelled, count),
            AttemptOutcome::Snoozed => grow(&mut self.tries.snoozed, count),
            AttemptOutcome::Released => grow(&mut self.tries.released, count),
            AttemptOutcome::LeaseExpired => grow(&mut self.tries.lease_expired, count),
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        grow(&mut self.succeeded, other.succeeded);
        grow(&mut self.failed, other.failed);
        grow(&mut self.cancelled, other.cancelled);
        grow(&mut self.expired, other.expired);
        grow(&mut self.tries.failed, other.tries.failed);
        grow(&mut self.tries.cancelled, other.tries.cancelled);
        grow(&mut self.tries.snoozed, other.tries.snoozed);
        grow(&mut self.tries.released, other.tries.released);
        grow(&mut self.tries.lease_expired, other.tries.lease_expired);
        self.wait.add(&other.wait);
        self.run.add(&other.run);
        if let Some(last) = other.last
            && self.last.is_none_or(|(at, _)| at <= last.0)
        {
            self.last = Some(last);
        }
    }

    /// Succeeded tasks of those that were to run to their end: 0 to 1. Cancelled ones say nothing.
    pub fn success_rate(&self) -> Option<f64> {
        let all = self.succeeded.saturating_add(self.failed).saturating_add(self.expired);
        (all > 0).then(|| self.succeeded as f64 / all as f64)
    }
}

/// A unit of time that is counted in, by UTC. The numbers stand in the database and in the protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum StatUnit {
    /// 60 s.
    Minute = 1,
    /// 3,600 s.
    Hour = 2,
    /// 86,400 s.
    Day = 3,
}

impl StatUnit {
    /// From the finest to the coarsest.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The number in the database.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// How long it is.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }

    /// The start of the unit that holds a time.
    pub fn floor(self, time: Timestamp) -> Timestamp {
        let length = i64::try_from(self.length().as_secs()).unwrap_or(1);
        let second = time.as_second().saturating_sub(i64::from(time.subsec_nanosecond() < 0));
        Timestamp::from_second(second.div_euclid(length).saturating_mul(length)).unwrap_or(time)
    }

    /// The end of the unit that holds a time, or the time itself if a unit starts then.
    pub fn ceil(self, time: Timestamp) -> Timestamp {
        let start = self.floor(time);
        if start == time { time } else { start.checked_add(self.length()).unwrap_or(time) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the statement does it.
    fn size(us: u64) -> usize {
        let power = ((us.max(1) as f64).ln() / GROWTH.ln()).floor();
        usize::from((0..1_000_u16).find(|n| f64::from(*n) >= power).unwrap())
    }

    fn spread(times: &[u64]) -> Spread {
        let mut spread = Spread::default();
        for time in times {
            spread.count(size(*time), 1, *time);
        }
        spread
    }

    proptest! {
        #[test]
        fn percentiles_are_within_five_percent_and_the_mean_is_exact(
            mut times in prop::collection::vec(1_u64..100_000_000_000_000, 1..200),
            percent in 1_u64..=100,
        ) {
            let spread = spread(&times);
            times.sort_unstable();
            let rank = (times.len() as u64 * percent).div_ceil(100).max(1);
            let exact = times[usize::try_from(rank).unwrap() - 1] as f64;
            let told = spread.percentile(percent).unwrap().as_secs_f64() * 1e6;
            prop_assert!(exact < 2.0 || (told - exact).abs() / exact <= 0.05, "{told} for {exact}");
            let sum: u64 = times.iter().sum();
            let mean = u128::from(sum / times.len() as u64);
            prop_assert_eq!(spread.mean().unwrap().as_micros(), mean);
        }

        #[test]
        fn parts_add_up_to_the_whole(
            a in prop::collection::vec(0_u64..1_000_000, 0..50),
            b in prop::collection::vec(0_u64..1_000_000_000, 0..50),
        ) {
            let mut sum = spread(&a);
            sum.add(&spread(&b));
            prop_assert_eq!(sum, spread(&[a, b].concat()));
        }
    }

    #[test]
    fn nothing_has_no_percentiles_and_times_of_zero_are_zero() {
        assert_eq!(Spread::default().percentile(50), None);
        assert_eq!(Spread::default().mean(), None);
        assert_eq!(spread(&[0, 0, 0]).percentile(99), Some(Duration::ZERO));
    }

    #[test]
    fn units_begin_where_the_calendar_says() {
        let time: Timestamp = "2026-11-27T13:45:59.5Z".parse().unwrap();
        for (unit, start, end) in [
            (StatUnit::Minute, "2026-11-27T13:45:00Z", "2026-11-27T13:46:00Z"),
            (StatUnit::Hour, "2026-11-27T13:00:00Z", "2026-11-27T14:00:00Z"),
            (StatUnit::Day, "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"),
        ] {
            let (start, end): (Timestamp, Timestamp) =
                (start.parse().unwrap(), end.parse().unwrap());
            assert_eq!((unit.floor(time), unit.ceil(time)), (start, end), "{unit:?}");
            assert_eq!((unit.floor(start), unit.ceil(start)), (start, start), "{unit:?}");
        }
        let before: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!(StatUnit::Minute.ceil(before), Timestamp::UNIX_EPOCH);
    }
}
