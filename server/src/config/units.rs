//! Durations and sizes as people write them.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer};

/// Reads `250ms`, `30s`, `5m`, `2h`, `7d`, or a sum such as `1h 30m`.
///
/// # Errors
/// What is allowed instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "\"{text}\" is not a duration: write 250ms, 30s, 5m, 2h, 7d or a sum such as 1h 30m"
        )
    };
    let mut sum = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let milliseconds: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)?;
        sum = sum.checked_add(part).ok_or_else(wrong)?;
        rest = rest[letters..].trim_start();
    }
    Ok(sum)
}

/// Reads an address with a port; empty: none.
///
/// # Errors
/// What is allowed instead.
pub fn read_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<std::net::SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!("\"{text}\" is no address with a port, as 127.0.0.1:9464"))
    })
}

/// Reads a number of bytes, or `64KiB`, `1MiB`, `1GiB`.
///
/// # Errors
/// What is allowed instead.
pub fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("\"{text}\" is not a size: write bytes, or 64KiB, 1MiB, 1GiB");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

/// Writes a duration as [`duration`] reads it.
pub fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= length && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

pub(super) fn read_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).map_err(serde::de::Error::custom)
}

pub(super) fn read_size<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Given {
        Bytes(usize),
        Text(String),
    }
    match Given::deserialize(from)? {
        Given::Bytes(bytes) => Ok(bytes),
        Given::Text(text) => size(&text).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration_text(Duration::from_secs(604_800)), "7d");
        assert_eq!(size("64KiB"), Ok(65_536));
        for bad in
            ["", "5", "s", "5x", "-5s", "1.5s", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1MB", "-1", "99999999999999999999999"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
