//! The report of an import.

use std::fmt::Write;

use comfy_table::{Cell, Color};
use serde_json::{Value, json};

use super::plan::{Level, Note, Plan};
use crate::{
    paint::{cut, one_line},
    render::{
        json::{task_spec, timestamp},
        schedule_json::{policies, times},
    },
    time,
};

/// What became of a planned schedule.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: &'static str,
    pub(super) error: Option<String>,
    pub(super) next: Option<prost_types::Timestamp>,
}

impl Done {
    pub(super) fn of(result: &'static str) -> Self {
        Self { result, error: None, next: None }
    }
}

/// The head of the table of schedules.
pub(super) const HEAD: [&str; 4] = ["LINE", "SCHEDULE", "RESULT", "NEXT FIRE"];

/// The rows of the table of schedules.
pub(super) fn rows(plan: &Plan, done: &[Done]) -> Vec<Vec<Cell>> {
    let pairs = plan.schedules.iter().zip(done);
    pairs
        .map(|(planned, done)| {
            let result = match &done.error {
                Some(error) => {
                    Cell::new(cut(&format!("{}: {error}", done.result), 90)).fg(Color::Red)
                }
                None if planned.paused.is_some() => Cell::new(format!("{}, paused", done.result)),
                None => Cell::new(done.result),
            };
            let next = done.next.as_ref().and_then(time::from_proto);
            vec![
                Cell::new(planned.line),
                Cell::new(cut(&planned.name, 60)),
                result,
                Cell::new(next.map(|next| next.to_string()).unwrap_or_default()),
            ]
        })
        .collect()
}

/// All notes for people: what matters most first, the same text once.
pub(super) fn notes(plan: &Plan) -> String {
    let of_schedules = plan
        .schedules
        .iter()
        .flat_map(|planned| planned.notes.iter().map(|note| (Some(planned.name.as_str()), note)));
    let all: Vec<_> = plan.notes.iter().map(|note| (None, note)).chain(of_schedules).collect();
    let mut text = String::new();
    for (level, title) in [
        (Level::NotImported, "Not imported"),
        (Level::Differs, "Differs"),
        (Level::Translated, "Kept, in other words"),
    ] {
        let here: Vec<_> = all.iter().filter(|(_, note)| note.level == level).collect();
        if here.is_empty() {
            continue;
        }
        let _ = write!(text, "\n{title}");
        let mut told: Vec<&str> = Vec::new();
        for (_, note) in &here {
            if told.contains(&note.text.as_str()) {
                continue;
            }
            told.push(&note.text);
            let same: Vec<_> = here.iter().filter(|(_, other)| other.text == note.text).collect();
            let places = same.iter().map(|(name, note)| place(*name, note));
            let places = places.collect::<Vec<_>>().join(", ");
            let word = if same.len() == 1 { "line" } else { "lines" };
            let _ = write!(text, "\n  {word} {places}:\n    {}", one_line(&note.text));
        }
    }
    text
}

fn place(name: Option<&str>, note: &Note) -> String {
    match name {
        Some(name) => format!("{} ({})", note.line, one_line(name)),
        None => note.line.to_string(),
    }
}

/// The plan and what became of it.
pub(super) fn json(plan: &Plan, done: &[Done]) -> Value {
    let note =
        |note: &Note| json!({"line": note.line, "level": note.level.word(), "text": note.text});
    let schedules: Vec<_> = plan
        .schedules
        .iter()
        .zip(done)
        .map(|(planned, done)| {
            json!({
                "line": planned.line,
                "name": planned.name,
                "result": done.result.replace(' ', "_"),
                "error": done.error,
                "next_fire_at": timestamp(done.next.as_ref()),
                "paused": planned.paused.is_some(),
                "times": planned.spec.times.as_ref().map(times),
                "task": planned.spec.task.as_ref().map(task_spec),
                "policies": planned.spec.policies.as_ref().map(policies),
                "notes": planned.notes.iter().map(note).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({"schedules": schedules, "notes": plan.notes.iter().map(note).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::ScheduleSpec;

    use super::{super::plan::Planned, *};

    fn plan() -> Plan {
        let planned = |line, name: &str| Planned {
            line,
            name: name.to_owned(),
            spec: ScheduleSpec::default(),
            paused: None,
            notes: vec![
                Note::new(line, Level::Translated, "overlap allow"),
                Note::new(line, Level::Differs, "no mail"),
            ],
        };
        Plan {
            schedules: vec![planned(3, "backup"), planned(5, "sync")],
            notes: vec![Note::new(4, Level::NotImported, "@reboot is no time")],
        }
    }

    #[test]
    fn the_same_note_is_told_once_with_all_its_places() {
        let expected = "
Not imported
  line 4:
    @reboot is no time
Differs
  lines 3 (backup), 5 (sync):
    no mail
Kept, in other words
  lines 3 (backup), 5 (sync):
    overlap allow";
        assert_eq!(notes(&plan()), expected);
        assert_eq!(notes(&Plan::default()), "");
    }

    #[test]
    fn json_has_every_note_at_its_schedule() {
        let failed = Done { error: Some("no".to_owned()), ..Done::of("failed") };
        let value = json(&plan(), &[Done::of("would be made"), failed]);
        assert_eq!(value["schedules"][0]["result"], "would_be_made");
        assert_eq!(value["schedules"][1]["error"], "no");
        assert_eq!(value["schedules"][1]["notes"][1]["level"], "differs");
        assert_eq!(value["notes"][0]["line"], 4);
    }
}
