//! When a CronJob fires, and how it behaves.

use bellringer_api::v1::{
    GapPolicy, MisfirePolicy, OverlapPolicy, RepeatPolicy, SchedulePolicies, ScheduleTimes,
    Trigger, trigger::Trigger as When,
};
use jiff::Timestamp;
use prost_types::Duration;

use super::{
    super::plan::{Level, Note},
    schedule,
    yaml::Node,
};
use crate::time;

/// The longest window of catching up, in seconds: a CronJob without a deadline has none.
const LONGEST_WINDOW: u64 = 365 * 86_400;
/// A fire this late is a misfire, unless the deadline is sooner; in seconds.
const GRACE: u64 = 60;

/// Collects notes with the lines of what they are about.
pub(super) struct Notes<'a> {
    pub(super) node: &'a Node,
    pub(super) notes: Vec<Note>,
}

impl Notes<'_> {
    pub(super) fn add(&mut self, path: &[&str], level: Level, text: impl Into<String>) {
        self.notes.push(Note::new(self.node.line_of(path), level, text));
    }
}

/// The times of a CronJob.
///
/// # Errors
/// Why they cannot be read.
pub(super) fn times(node: &Node, notes: &mut Notes<'_>) -> Result<ScheduleTimes, String> {
    let text = node.text(&["spec", "schedule"]).ok_or("it has no spec.schedule")?;
    let path = ["spec", "schedule"];
    let read = schedule::read(text).map_err(|why| format!("the schedule {text:?}: {why}"))?;
    if let Some(rewritten) = read.rewritten {
        notes.add(&path, Level::Translated, rewritten);
    }
    let mut times = ScheduleTimes::default();
    let mut trigger = read.trigger;
    if let When::Interval(interval) = &mut trigger {
        let made = node.text(&["metadata", "creationTimestamp"]);
        let made = made.and_then(|made| made.parse::<Timestamp>().ok());
        interval.anchor = made.map(time::to_proto);
        let (level, text) = match made {
            Some(_) => {
                (Level::Translated, "@every counts from when the CronJob was made, as there")
            }
            None => (
                Level::Differs,
                "@every counts from 1970 here, and from when the CronJob was made there: give \
                 `bellctl schedule update --every --anchor` if it matters",
            ),
        };
        notes.add(&path, level, text);
    } else {
        times.gap = GapPolicy::Skip.into();
        times.repeat = RepeatPolicy::Both.into();
        notes.add(
            &path,
            Level::Translated,
            "as with Kubernetes times that a clock change skips do not fire, and those it repeats \
             fire twice: gap skip, repeat both",
        );
    }
    times.triggers = vec![Trigger { trigger: Some(trigger) }];
    times.zone = zone(node, read.zone, notes);
    Ok(times)
}

fn zone(node: &Node, prefix: Option<String>, notes: &mut Notes<'_>) -> String {
    if let Some(zone) = node.text(&["spec", "timeZone"]) {
        return zone.to_owned();
    }
    if let Some(zone) = prefix {
        let text = format!("the zone {zone} stood in the schedule");
        notes.add(&["spec", "schedule"], Level::Translated, text);
        return zone;
    }
    notes.add(
        &["spec", "timeZone"],
        Level::Differs,
        "no timeZone: Kubernetes takes the zone of its controller, which the file does not tell; UTC \
         is taken here",
    );
    "UTC".to_owned()
}

/// The policies of a CronJob.
pub(super) fn policies(node: &Node, notes: &mut Notes<'_>) -> SchedulePolicies {
    let path = ["spec", "concurrencyPolicy"];
    let overlap = match node.text(&path).unwrap_or("Allow") {
        "Forbid" => {
            notes.add(
                &path,
                Level::Differs,
                "Forbid becomes overlap skip; Kubernetes starts the latest missed time after all when \
                 the earlier Job ends within startingDeadlineSeconds: that is overlap buffer-one",
            );
            OverlapPolicy::Skip
        }
        "Replace" => {
            notes.add(
                &path,
                Level::Differs,
                "Replace becomes overlap cancel-running; what the worker started must end when its \
                 task is cancelled",
            );
            OverlapPolicy::CancelRunning
        }
        _ => OverlapPolicy::Allow,
    };
    let path = ["spec", "startingDeadlineSeconds"];
    let deadline = node.number(&path);
    match deadline {
        Some(_) => notes.add(
            &path,
            Level::Translated,
            "startingDeadlineSeconds becomes the catch-up window; of several missed times the latest \
             fires: misfire fire-once",
        ),
        None => notes.add(
            &path,
            Level::Translated,
            "without startingDeadlineSeconds the latest missed time fires however late; here up to a \
             year late: misfire fire-once",
        ),
    }
    let window = deadline.unwrap_or(LONGEST_WINDOW).clamp(1, LONGEST_WINDOW);
    SchedulePolicies {
        misfire: MisfirePolicy::FireOnce.into(),
        misfire_grace: Some(seconds(window.min(GRACE))),
        catch_up_window: Some(seconds(window)),
        overlap: overlap.into(),
        ..SchedulePolicies::default()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}
