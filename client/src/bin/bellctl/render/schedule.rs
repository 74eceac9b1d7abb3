//! Schedules as a table and as a card.

use std::fmt::Write;

use bellringer_api::v1::{Schedule, SchedulePolicies, ScheduleState, ScheduleTimes, TaskSpec};
use comfy_table::{Cell, Color};
use jiff::Timestamp;

use crate::{
    paint::{Paint, cut, one_line},
    render::{schedule_json::word, trigger},
    time,
};

/// The word for a state.
pub(crate) fn state_word(state: ScheduleState) -> &'static str {
    match state {
        ScheduleState::Unspecified => "unknown",
        ScheduleState::Active => "active",
        ScheduleState::Paused => "paused",
        ScheduleState::Finished => "finished",
    }
}

/// The head of the table of schedules.
pub(crate) const HEAD: [&str; 6] =
    ["SCHEDULE", "STATE", "NEXT FIRE", "LAST FIRE", "FIRES", "TIMES"];

/// A row of the table of schedules.
pub(crate) fn row(schedule: &Schedule, now: Timestamp) -> Vec<Cell> {
    let near = |time: &Option<prost_types::Timestamp>| {
        let time = time.as_ref().and_then(time::from_proto);
        time.map(|time| time::relative(time, now)).unwrap_or_default()
    };
    vec![
        Cell::new(cut(&schedule.name, 60)),
        state_cell(schedule.state()),
        Cell::new(near(&schedule.next_fire_at)),
        Cell::new(near(&schedule.last_fire_at)),
        Cell::new(schedule.fires),
        Cell::new(cut(&schedule.summary, 70)),
    ]
}

/// A cell that holds a state, in its colour.
pub(crate) fn state_cell(state: ScheduleState) -> Cell {
    let cell = Cell::new(state_word(state));
    match state {
        ScheduleState::Active => cell.fg(Color::Green),
        ScheduleState::Paused => cell.fg(Color::Yellow),
        ScheduleState::Unspecified | ScheduleState::Finished => cell,
    }
}

/// The card of a schedule.
pub(crate) fn card(schedule: &Schedule, paint: Paint, now: Timestamp) -> String {
    let spec = schedule.spec.clone().unwrap_or_default();
    let times = spec.times.clone().unwrap_or_default();
    let state = state_word(schedule.state());
    let mut text = format!("Schedule {}  {state}", paint.bold(&one_line(&schedule.name)));
    let mut row = |name: &str, value: &str| {
        if !value.trim().is_empty() {
            let name = paint.dim(&format!("{name:<12}"));
            let _ = write!(text, "\n  {name} {}", one_line(value));
        }
    };
    let at = |time: &Option<prost_types::Timestamp>| {
        let time = time.as_ref().and_then(time::from_proto);
        time.map(|time| time::long(time, now)).unwrap_or_default()
    };
    row("times", &schedule.summary);
    for trigger in &times.triggers {
        row("trigger", &trigger::words(trigger));
    }
    for exclusion in &times.exclusions {
        row("but not", &trigger::exclusion_words(exclusion));
    }
    row("zone", &times.zone);
    row("clocks", &clock_changes(&times));
    row("start", &at(&times.start));
    row("end", &at(&times.end));
    row("jitter", &length(times.jitter.filter(|jitter| *jitter != no_time())));
    if schedule.state() == ScheduleState::Paused {
        row("paused", &format!("{} {}", at(&schedule.paused_at), schedule.pause_note));
        row("resumes", &at(&schedule.paused_until));
    }
    row("next fire", &at(&schedule.next_fire_at));
    row("last fire", &at(&schedule.last_fire_at));
    row("last task", &schedule.last_task_id);
    row("fires", &counts(schedule));
    row("submits", &task_words(spec.task.as_ref()));
    row("start within", &length(spec.start_within));
    if let Some(policies) = &spec.policies {
        row("misfire", &misfire(policies));
        row("overlap", &overlap(policies));
        row("ends after", &number(policies.max_fires, "fires"));
        row("pauses after", &number(policies.pause_after_failures.into(), "failures in a row"));
        row("on failure", &task_words(policies.on_failure.as_ref()));
        row("on recovery", &task_words(policies.on_recovery.as_ref()));
    }
    row("labels", &pairs(&spec.labels));
    row("description", &spec.description);
    row("namespace", &schedule.namespace);
    row("created", &at(&schedule.created_at));
    row("updated", &at(&schedule.updated_at));
    row("etag", &schedule.etag);
    text
}

fn no_time() -> prost_types::Duration {
    prost_types::Duration::default()
}

fn length(length: Option<prost_types::Duration>) -> String {
    length.map(|length| time::friendly(time::length(&length))).unwrap_or_default()
}

fn number(number: u64, what: &str) -> String {
    if number == 0 { String::new() } else { format!("{number} {what}") }
}

fn spoken(name: &str, prefix: &str) -> Option<String> {
    word(name, prefix).map(|word| word.replace('_', " "))
}

fn clock_changes(times: &ScheduleTimes) -> String {
    let gap = spoken(times.gap().as_str_name(), "GAP_POLICY_");
    let repeat = spoken(times.repeat().as_str_name(), "REPEAT_POLICY_");
    let parts =
        [gap.map(|word| format!("gap {word}")), repeat.map(|word| format!("repeat {word}"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn counts(schedule: &Schedule) -> String {
    let mut text = format!("{} so far, {} unfinished", schedule.fires, schedule.running);
    if schedule.held_back > 0 {
        let _ = write!(text, ", {} held back", schedule.held_back);
    }
    if schedule.failures_in_a_row > 0 {
        let _ = write!(text, ", {} failed in a row", schedule.failures_in_a_row);
    }
    text
}

fn misfire(policies: &SchedulePolicies) -> String {
    let word = spoken(policies.misfire().as_str_name(), "MISFIRE_POLICY_").unwrap_or_default();
    let after = length(policies.misfire_grace);
    let window = length(policies.catch_up_window);
    format!(
        "{word}, if later than {after}; catches up {window}, {} at most",
        policies.catch_up_limit
    )
}

fn overlap(policies: &SchedulePolicies) -> String {
    let word = spoken(policies.overlap().as_str_name(), "OVERLAP_POLICY_").unwrap_or_default();
    if policies.max_running > 1 {
        return format!("{word}, of more than {}", policies.max_running);
    }
    word
}

fn task_words(task: Option<&TaskSpec>) -> String {
    let Some(task) = task else { return String::new() };
    let queue = if task.queue.is_empty() { "default" } else { &task.queue };
    format!("{} to queue {queue}", task.kind)
}

fn pairs(labels: &std::collections::HashMap<String, String>) -> String {
    let mut pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    pairs.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use bellringer_api::v1::{
        CronTrigger, MisfirePolicy, OverlapPolicy, ScheduleSpec, Trigger, trigger::Trigger as When,
    };

    use super::*;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    pub(in crate::render) fn example() -> Schedule {
        let cron = CronTrigger { expression: "30 2 * * *".to_owned(), dialect: 1 };
        Schedule {
            name: "report".to_owned(),
            namespace: "default".to_owned(),
            state: ScheduleState::Paused.into(),
            version: 4,
            etag: "4".to_owned(),
            summary: "at 02:30 every day".to_owned(),
            next_fire_at: Some(time::to_proto("2026-05-02T00:30:00Z".parse().unwrap())),
            paused_at: Some(time::to_proto("2026-05-01T09:59:00Z".parse().unwrap())),
            pause_note: "holiday".to_owned(),
            fires: 12,
            spec: Some(ScheduleSpec {
                times: Some(ScheduleTimes {
                    triggers: vec![Trigger { trigger: Some(When::Cron(cron)) }],
                    zone: "Europe/Berlin".to_owned(),
                    ..ScheduleTimes::default()
                }),
                task: Some(TaskSpec { kind: "report".to_owned(), ..TaskSpec::default() }),
                policies: Some(SchedulePolicies {
                    misfire: MisfirePolicy::FireOnce.into(),
                    misfire_grace: seconds(60),
                    catch_up_window: seconds(3_600),
                    catch_up_limit: 100,
                    overlap: OverlapPolicy::CancelRunning.into(),
                    max_running: 1,
                    ..SchedulePolicies::default()
                }),
                ..ScheduleSpec::default()
            }),
            ..Schedule::default()
        }
    }

    #[test]
    fn a_card_tells_everything_about_a_schedule() {
        let now = "2026-05-01T10:00:00Z".parse().unwrap();
        let expected = "\
Schedule report  paused
  times        at 02:30 every day
  trigger      cron 30 2 * * *
  zone         Europe/Berlin
  paused       2026-05-01T09:59:00Z (60s ago) holiday
  next fire    2026-05-02T00:30:00Z (in 14h30m)
  fires        12 so far, 0 unfinished
  submits      report to queue default
  misfire      fire once, if later than 1m; catches up 1h, 100 at most
  overlap      cancel running
  namespace    default
  etag         4";
        assert_eq!(card(&example(), Paint { on: false }, now), expected);
    }
}
