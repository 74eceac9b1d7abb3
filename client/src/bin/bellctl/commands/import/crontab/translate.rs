//! A crontab as schedules.

use std::collections::BTreeMap;

use bellringer_api::v1::{
    MisfirePolicy, OverlapPolicy, RetryPolicy, SchedulePolicies, ScheduleSpec, ScheduleTimes,
    TaskSpec, Trigger,
};
use prost_types::Duration;
use serde_json::{Map, Value, json};

use super::{
    super::plan::{Level, Names, Note, Plan, Planned},
    command,
    line::{self, Entry, Line},
    notes::notes,
    times::{self, Times},
};
use crate::payload;

/// What cron gives its commands if the crontab does not say.
const PATH: &str = "/usr/bin:/bin";

/// How a crontab is read, and what becomes of it.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) user_field: bool,
    pub(super) zone: &'a str,
    pub(super) kind: &'a str,
    pub(super) queue: &'a str,
    pub(super) prefix: &'a str,
}

/// What the lines so far have said about those below them.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    zone: String,
    shell: String,
    jitter: Option<u32>,
    pub(super) mails_to: Option<String>,
    pub(super) environment: BTreeMap<String, String>,
}

/// Plans a schedule for every entry.
pub(super) fn translate(text: &str, settings: &Settings<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut names = Names::default();
    let mut around = Surroundings {
        zone: settings.zone.to_owned(),
        shell: "/bin/sh".to_owned(),
        jitter: None,
        mails_to: None,
        environment: BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]),
    };
    for (number, text) in (1..).zip(text.lines()) {
        match line::read(text, settings.user_field) {
            Line::Nothing => {}
            Line::Wrong(why) => {
                plan.notes.push(Note::new(number, Level::NotImported, format!("{why}: {text}")));
            }
            Line::Variable(name, value) => {
                plan.notes.extend(around.set(number, &name, value));
            }
            Line::Entry(entry) => {
                match schedule(number, text, &entry, &around, settings, &mut names) {
                    Ok(planned) => plan.schedules.push(planned),
                    Err(why) => {
                        let text = format!("{why}: {}", text.trim());
                        plan.notes.push(Note::new(number, Level::NotImported, text));
                    }
                }
            }
        }
    }
    plan
}

impl Surroundings {
    fn set(&mut self, line: usize, name: &str, value: String) -> Option<Note> {
        let note = |level, text: String| Some(Note::new(line, level, text));
        match name {
            "CRON_TZ" => {
                self.zone = value;
                let zone = &self.zone;
                note(
                    Level::Translated,
                    format!("CRON_TZ: the times below are in {zone}; Debian's cron ignores it"),
                )
            }
            "SHELL" => {
                self.shell = value;
                None
            }
            "MAILTO" => {
                self.mails_to = Some(value);
                None
            }
            "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                note(Level::NotImported, format!("{name} is for mails, which are not sent"))
            }
            "RANDOM_DELAY" => {
                let Ok(minutes) = value.parse() else {
                    return note(Level::NotImported, format!("RANDOM_DELAY={value} is no number"));
                };
                self.jitter = Some(minutes);
                note(
                    Level::Differs,
                    "RANDOM_DELAY becomes jitter: picked for each time and schedule, where cron \
                     picks one part for all until it restarts"
                        .to_owned(),
                )
            }
            _ => {
                let is_zone = name == "TZ";
                self.environment.insert(name.to_owned(), value);
                if !is_zone {
                    return None;
                }
                note(
                    Level::Differs,
                    "TZ is given to the commands and does not move the times, as with Debian's cron \
                     and cronie; if your cron reads it as the zone, import with --zone"
                        .to_owned(),
                )
            }
        }
    }
}

fn schedule(
    number: usize,
    text: &str,
    entry: &Entry<'_>,
    around: &Surroundings,
    settings: &Settings<'_>,
    names: &mut Names,
) -> Result<Planned, String> {
    let (trigger, remark) = match times::read(&entry.times) {
        Times::Trigger(trigger, remark) => (trigger, remark),
        Times::None(why) => return Err(why.to_owned()),
    };
    let command = command::resolve(entry.command);
    let payload = payload::from_json(&payload_of(&command, around))?;
    let name = names.take(&format!("{}{}", settings.prefix, command::name(&command.script)));
    let mut labels = vec![("imported-from".to_owned(), "crontab".to_owned())];
    labels.extend(entry.user.map(|user| ("cron-user".to_owned(), user.to_owned())));
    let overlap =
        if entry.flags.contains('s') { OverlapPolicy::Skip } else { OverlapPolicy::Allow };
    let spec = ScheduleSpec {
        times: Some(ScheduleTimes {
            triggers: vec![Trigger { trigger: Some(trigger) }],
            zone: around.zone.clone(),
            jitter: around.jitter.map(|minutes| seconds(60 * u64::from(minutes))),
            ..ScheduleTimes::default()
        }),
        task: Some(TaskSpec {
            kind: settings.kind.to_owned(),
            queue: settings.queue.to_owned(),
            payload: Some(payload),
            labels: labels.iter().cloned().collect(),
            retry: Some(RetryPolicy { max_attempts: 1, ..RetryPolicy::default() }),
            ..TaskSpec::default()
        }),
        policies: Some(SchedulePolicies {
            misfire: MisfirePolicy::Skip.into(),
            overlap: overlap.into(),
            ..SchedulePolicies::default()
        }),
        labels: labels.into_iter().collect(),
        description: text.trim().to_owned(),
        ..ScheduleSpec::default()
    };
    let notes = notes(number, entry, around, remark, command.stdin.is_some());
    Ok(Planned { line: number, name, spec, paused: None, notes })
}

fn seconds(seconds: u64) -> Duration {
    Duration { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}

fn payload_of(command: &command::Command, around: &Surroundings) -> Value {
    let mut payload = Map::new();
    payload.insert("command".to_owned(), json!([around.shell, "-c", command.script]));
    payload.insert("environment".to_owned(), json!(around.environment));
    if let Some(stdin) = &command.stdin {
        payload.insert("stdin".to_owned(), json!(stdin));
    }
    if let Some(home) = around.environment.get("HOME") {
        payload.insert("directory".to_owned(), json!(home));
    }
    Value::Object(payload)
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::trigger::Trigger as When;

    use super::*;

    const SETTINGS: Settings<'_> =
        Settings { user_field: false, zone: "UTC", kind: "run-command", queue: "", prefix: "w/" };

    fn payload_json(planned: &Planned) -> Value {
        let payload = planned.spec.task.as_ref().unwrap().payload.as_ref().unwrap();
        serde_json::from_slice(&payload::to_bytes(payload).unwrap()).unwrap()
    }

    fn told(notes: &[Note], text: &str) -> bool {
        notes.iter().any(|note| note.text.contains(text))
    }

    #[test]
    fn every_entry_becomes_a_schedule_that_means_the_same() {
        let plan = translate("# nightly\n30 2 * * * /opt/backup --full\n", &SETTINGS);
        let [planned] = &plan.schedules[..] else { panic!("{plan:?}") };
        assert_eq!((planned.line, planned.name.as_str()), (2, "w/backup"));
        let times = planned.spec.times.as_ref().unwrap();
        let Some(When::Cron(cron)) = &times.triggers[0].trigger else { panic!() };
        assert_eq!(cron.expression, "30 2 * * *");
        assert_eq!((times.gap, times.repeat), (0, 0), "the server's default is crontab(5)");
        let policies = planned.spec.policies.as_ref().unwrap();
        assert_eq!(policies.overlap(), OverlapPolicy::Allow);
        assert_eq!(policies.misfire(), MisfirePolicy::Skip);
        let task = planned.spec.task.as_ref().unwrap();
        assert_eq!(task.retry.as_ref().unwrap().max_attempts, 1);
        let payload = payload_json(planned);
        assert_eq!(payload["command"], json!(["/bin/sh", "-c", "/opt/backup --full"]));
        assert_eq!(payload["environment"], json!({"PATH": "/usr/bin:/bin"}));
        assert_eq!(planned.spec.description, "30 2 * * * /opt/backup --full");
    }

    #[test]
    fn variables_hold_for_the_lines_below_them() {
        let text = "@daily first\nSHELL=/bin/bash\nCRON_TZ=Europe/Berlin\nTOKEN=x\nHOME=/srv\n\
                    MAILTO=\"\"\n@daily second\n";
        let plan = translate(text, &SETTINGS);
        let [first, second] = &plan.schedules[..] else { panic!("{plan:?}") };
        assert_eq!(first.spec.times.as_ref().unwrap().zone, "UTC");
        assert_eq!(second.spec.times.as_ref().unwrap().zone, "Europe/Berlin");
        let payload = payload_json(second);
        assert_eq!(payload["command"][0], "/bin/bash");
        assert_eq!(
            (&payload["environment"]["TOKEN"], &payload["directory"]),
            (&json!("x"), &json!("/srv"))
        );
        assert!(told(&plan.notes, "CRON_TZ"));
        assert!(told(&first.notes, "no mail is sent") && !told(&second.notes, "no mail is sent"));
        assert!(told(&second.notes, "TOKEN") && !told(&first.notes, "TOKEN"));
    }

    #[test]
    fn what_differs_is_told_with_its_line() {
        let text = "TZ=Asia/Tokyo\nRANDOM_DELAY=10\n@reboot start\n1 2 3\n~ 4 * * * -s poll %in\n";
        let plan = translate(text, &SETTINGS);
        let lines: Vec<_> = plan.notes.iter().map(|note| (note.line, note.level)).collect();
        assert_eq!(
            lines,
            [
                (1, Level::Differs),
                (2, Level::Differs),
                (3, Level::NotImported),
                (4, Level::NotImported)
            ]
        );
        let [planned] = &plan.schedules[..] else { panic!("{plan:?}") };
        assert_eq!(planned.line, 5);
        assert!(planned.notes.iter().all(|note| note.line == 5));
        assert!(told(&planned.notes, "becomes H") && told(&planned.notes, "overlap skip"));
        assert!(told(&planned.notes, "behind %"));
        let times = planned.spec.times.as_ref().unwrap();
        assert_eq!((times.zone.as_str(), times.jitter.unwrap().seconds), ("UTC", 600));
        assert_eq!(payload_json(planned)["stdin"], "in\n");
        assert_eq!(payload_json(planned)["environment"]["TZ"], "Asia/Tokyo");
    }

    #[test]
    fn the_user_of_a_system_crontab_is_told_and_labelled() {
        let settings = Settings { user_field: true, ..SETTINGS };
        let plan = translate("17 * * * * www-data /opt/clean\n", &settings);
        let planned = &plan.schedules[0];
        assert_eq!(planned.spec.labels["cron-user"], "www-data");
        assert!(told(&planned.notes, "not as www-data"));
    }
}
