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
    use super::*;

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
