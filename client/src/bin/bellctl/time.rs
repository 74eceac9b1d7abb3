//! Durations and times as people write and read them, and as protobuf carries them.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{RoundMode, SignedDuration, Span, SpanRelativeTo, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Deserializer, de};

/// A length of time that is not negative, such as `5m`, `1h 30m`, `7d` or `PT5M`. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Length(pub(crate) Duration);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXAMPLES: &str = "write for example 30s, 5m, \"1h 30m\" or 7d";
        let span =
            Span::from_str(text.trim()).map_err(|_| format!("not a duration; {EXAMPLES}"))?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| {
            "months and years have no fixed length; count in weeks or days".to_owned()
        })?;
        let length = Duration::try_from(length)
            .map_err(|_| format!("a duration cannot be negative; {EXAMPLES}"))?;
        Ok(Self(length))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&friendly(self.0))
    }
}

impl Length {
    /// As protobuf carries it.
    pub(crate) fn to_proto(self) -> prost_types::Duration {
        // A protobuf duration ends at 10,000 years; the server refuses anything near.
        let seconds = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(self.0.subsec_nanos()).unwrap_or(999_999_999);
        prost_types::Duration { seconds, nanos }
    }
}

/// Reads a time of the command line.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.trim().parse().map_err(|_| {
        "not a time; write for example 2026-05-01T10:00:00Z or 2026-05-01T12:00+02:00".to_owned()
    })
}

/// The time of the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the clock of the person who types the command")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A time as protobuf carries it.
pub(crate) fn to_proto(time: Timestamp) -> prost_types::Timestamp {
    // Protobuf counts nanoseconds upwards from the second before, also before 1970.
    let nanos = time.as_nanosecond();
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    let nanos = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0);
    prost_types::Timestamp { seconds, nanos }
}

/// A time from protobuf; `None` if it is outside the years 1 to 9999.
pub(crate) fn from_proto(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A duration from protobuf; negative ones count as none.
pub(crate) fn length(duration: &prost_types::Duration) -> Duration {
    Duration::try_from(*duration).unwrap_or_default()
}

/// A duration for people, exact to the three largest units: `1h 30m`, `250ms`, `7d`.
pub(crate) fn friendly(duration: Duration) -> String {
    let units: [(u128, &str); 6] = [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
        (1_000, "ms"),
        (1, "us"),
    ];
    let mut rest = duration.as_micros();
    let mut parts = Vec::new();
    for (size, unit) in units {
        if parts.len() < 3 && rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// A duration for a table: its largest unit, with the next one where that tells something.
pub(crate) fn brief(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        10..120 => format!("{seconds}s"),
        120..7200 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        7200..172_800 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago `time` was, or how soon it will be: `3m12s ago`, `in 5.2s`.
pub(crate) fn relative(time: Timestamp, now: Timestamp) -> String {
    let distance = now.duration_since(time);
    let text = brief(distance.unsigned_abs());
    if distance < SignedDuration::ZERO { format!("in {text}") } else { format!("{text} ago") }
}

/// A time for people: UTC to the second, and how far away it is.
pub(crate) fn long(time: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", whole_second(time), relative(time, now))
}

/// A time without its fraction of a second.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    let rounding = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
    time.round(rounding).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text: &str| text.parse::<Length>().unwrap().0.as_secs_f64();
        assert!((seconds("5m") - 300.0).abs() < 1e-9);
        assert!((seconds("1h 30m") - 5400.0).abs() < 1e-9);
        assert!((seconds("250ms") - 0.25).abs() < 1e-9);
        assert!((seconds("7d") - 604_800.0).abs() < 1e-9);
        assert!((seconds("2 weeks") - 1_209_600.0).abs() < 1e-9);
        assert!((seconds("PT5M") - 300.0).abs() < 1e-9);
        assert!((seconds("1.5s") - 1.5).abs() < 1e-9);
        assert!(seconds("0s").abs() < 1e-9);
    }

    #[test]
    fn wrong_durations_say_what_to_write() {
        for text in ["5", "five", "", "-5m", "1y"] {
            let error = text.parse::<Length>().unwrap_err();
            assert!(error.contains("5m") || error.contains("days"), "{text}: {error}");
        }
    }

    #[test]
    fn friendly_durations_can_be_read_again() {
        for text in ["1h 30m", "7d", "250ms", "0s", "5m", "1d 2h 3m"] {
            let length: Length = text.parse().unwrap();
            assert_eq!(length.to_string(), text);
        }
    }

    #[test]
    fn times_survive_protobuf_also_before_1970() {
        for text in ["2026-05-01T10:00:00.5Z", "1969-12-31T23:59:59.25Z"] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(from_proto(&to_proto(time)), Some(time));
            assert!(to_proto(time).nanos >= 0);
        }
    }

    #[test]
    fn times_are_read_with_their_offset() {
        assert_eq!(moment("2026-05-01T12:00+02:00").unwrap().as_second(), 1_777_629_600);
        assert!(moment("tomorrow").unwrap_err().contains("2026-05-01T10:00:00Z"));
    }

    #[test]
    fn distances_say_their_direction() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        assert_eq!(relative(now - SignedDuration::from_secs(190), now), "3m10s ago");
        assert_eq!(relative(now + SignedDuration::from_millis(5250), now), "in 5.2s");
        assert_eq!(long(now, now), "2026-05-01T10:00:00Z (0ms ago)");
    }
}
