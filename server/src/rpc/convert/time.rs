//! Times and durations.

use std::time::Duration;

use jiff::Timestamp;
use prost_types::{Duration as PbDuration, Timestamp as PbTimestamp};

/// 1970-01-01 and 2200-01-01, in seconds since 1970: what is allowed as a time.
const YEARS: std::ops::Range<i64> = 0..7_258_118_400;

/// Reads a time.
pub(crate) fn timestamp(time: PbTimestamp) -> Result<Timestamp, String> {
    let wrong = || "must be a time from 1970 to 2199, with nanos from 0 to 999,999,999".to_owned();
    if !YEARS.contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return Err(wrong());
    }
    Timestamp::new(time.seconds, time.nanos).map_err(|_| wrong())
}

/// Reads a duration of `least` to `most`.
pub(crate) fn duration(
    duration: PbDuration,
    least: Duration,
    most: Duration,
) -> Result<Duration, String> {
    let wrong = || format!("must be a duration of {} to {}", text(least), text(most));
    let seconds = u64::try_from(duration.seconds).map_err(|_| wrong())?;
    let nanos = u32::try_from(duration.nanos).map_err(|_| wrong())?;
    if nanos >= 1_000_000_000 {
        return Err(wrong());
    }
    let duration = Duration::new(seconds, nanos);
    if (least..=most).contains(&duration) { Ok(duration) } else { Err(wrong()) }
}

/// Writes a time.
pub(crate) fn pb_timestamp(time: Timestamp) -> PbTimestamp {
    PbTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// Writes a duration.
pub(crate) fn pb_duration(duration: Duration) -> PbDuration {
    PbDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

fn text(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    match (duration.as_secs(), duration.subsec_millis()) {
        (0, 0) => "0".to_owned(),
        (0, ms) => format!("{ms} ms"),
        (seconds, _) if seconds % (365 * DAY) < 4 * DAY && seconds > 365 * DAY => {
            format!("{} years", seconds / (365 * DAY))
        }
        (seconds, _) if seconds % DAY == 0 => format!("{} days", seconds / DAY),
        (seconds, _) => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers at every end, and any.
    fn seconds() -> impl Strategy<Value = i64> {
        let ends = [i64::MIN, -1, 0, 1, YEARS.end - 1, YEARS.end, 315_576_000_000, i64::MAX];
        prop_oneof![prop::sample::select(ends.to_vec()), -10..10_000_000_000_i64, any::<i64>()]
    }

    fn nanos() -> impl Strategy<Value = i32> {
        let ends = [i32::MIN, -1, 0, 1, 999_999_999, 1_000_000_000, i32::MAX];
        prop_oneof![prop::sample::select(ends.to_vec()), 0..1_000_000_000, any::<i32>()]
    }

    proptest! {
        #[test]
        fn a_time_is_taken_to_the_nanosecond_or_refused(seconds in seconds(), nanos in nanos()) {
            let given = PbTimestamp { seconds, nanos };
            let is_good = YEARS.contains(&seconds) && (0..1_000_000_000).contains(&nanos);
            let read = timestamp(given);
            prop_assert_eq!(read.is_ok(), is_good, "{:?}", read);
            prop_assert!(read.ok().is_none_or(|time| pb_timestamp(time) == given));
        }

        #[test]
        fn a_duration_is_taken_to_the_nanosecond_or_refused(
            seconds in seconds(),
            nanos in nanos(),
            least in 0..10_u64,
            most in prop_oneof![Just(u64::MAX), 10..10_000_000_000_u64],
        ) {
            let given = PbDuration { seconds, nanos };
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
            match duration(given, least, most) {
                Ok(read) => {
                    prop_assert!((least..=most).contains(&read));
                    prop_assert_eq!(pb_duration(read), given);
                }
                Err(why) => {
                    prop_assert!(why.starts_with("must be a duration of "), "{}", why);
                    let whole = u64::try_from(seconds).ok().map(Duration::from_secs);
                    let is_good = whole.is_some_and(|whole| (least..most).contains(&whole))
                        && (0..1_000_000_000).contains(&nanos);
                    prop_assert!(!is_good, "refused {:?}", given);
                }
            }
        }

        #[test]
        fn whatever_is_told_as_a_time_or_a_duration_can_be_told(
            second in -377_705_023_201..=253_402_207_200_i64,
            nanos in 0..1_000_000_000_u32,
            long in any::<u64>(),
        ) {
            let time = Timestamp::new(second, i32::try_from(nanos).unwrap()).unwrap_or_default();
            let told = pb_timestamp(time);
            prop_assert_eq!(Timestamp::new(told.seconds, told.nanos).unwrap(), time);
            prop_assert!(pb_duration(Duration::new(long, nanos)).seconds >= 0);
        }
    }

    #[test]
    fn hostile_times_and_durations_are_refused() {
        for (seconds, nanos) in
            [(-1, 0), (7_258_118_400, 0), (i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000)]
        {
            assert!(timestamp(PbTimestamp { seconds, nanos }).is_err(), "{seconds}.{nanos}");
        }
        let most = Duration::from_secs(10);
        for (seconds, nanos) in [(-1, 0), (0, -1), (10, 1), (i64::MAX, 0), (1, 1_000_000_000)] {
            assert!(duration(PbDuration { seconds, nanos }, Duration::ZERO, most).is_err());
        }
        assert_eq!(duration(PbDuration { seconds: 10, nanos: 0 }, Duration::ZERO, most), Ok(most));
    }
}
