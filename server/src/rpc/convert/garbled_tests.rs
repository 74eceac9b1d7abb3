//! Bytes that anybody may send as a message: what they say is taken, or refused by the name of a field, and nothing
//! breaks. `PROPTEST_CASES` asks for more cases than usual; `tests/it/garbled.rs` does the same to every method
//! of a server.

use bellringer_api::v1 as pb;
use proptest::prelude::*;
use prost::Message;

use super::mask;
use super::schedule::{outcomes, schedule_spec, states};
use super::task::{filter, new_task, pb_spec};
use super::worker::{hello, progress, report};
use crate::domain::task::Start;
use crate::domain::{Namespace, NewTask, UniqueConflict, Violations};

const LARGEST: usize = 1 << 10;

/// What is done to a byte: it is changed, taken out, put in once more, or all behind it is cut off.
type Change = (prop::sample::Index, u8, u8);

/// Bytes of any kind, or those of a message with some changes.
fn garbled(message: impl Message) -> impl Strategy<Value = Vec<u8>> {
    let good = message.encode_to_vec();
    let changed = prop::collection::vec(any::<Change>(), 1..8).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (place, what, value) in changes {
            let place = place.index(bytes.len().max(1));
            match (bytes.get_mut(place), what % 16) {
                (None, _) => {}
                (Some(_), 0) => bytes.truncate(place),
                (Some(_), 1..=3) => drop(bytes.remove(place)),
                (Some(_), 4..=6) => bytes.insert(place, value),
                (Some(byte), 7..=10) => *byte ^= 1 << (value % 8),
                (Some(byte), _) => *byte = value,
            }
        }
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..100), 9 => changed]
}

/// Reads bytes as a message and takes it in; `None` if they are no such message, or it is refused as it should.
fn taken<M: Message + Default, T>(
    bytes: &[u8],
    take: impl FnOnce(M) -> Result<T, Violations>,
) -> Option<T> {
    match take(M::decode(bytes).ok()?) {
        Ok(taken) => Some(taken),
        Err(violations) => {
            assert!(violations.iter().next().is_some(), "refused for nothing");
            for violation in violations.iter() {
                assert!(!violation.field.is_empty() && !violation.why.is_empty(), "{violation:?}");
            }
            None
        }
    }
}

/// What is wrong with a part of a message, of which the caller says where it stood.
fn part<T>(read: Result<T, String>) -> Result<T, Violations> {
    read.map_err(|why| Violations::one("part", why))
}

fn namespace() -> Namespace {
    Namespace::parse(Namespace::DEFAULT).unwrap()
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn time(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn task() -> pb::TaskSpec {
    let data = pb::payload::Content::Data(vec![1, 2, 3].into());
    pb::TaskSpec {
        queue: "mail".to_owned(),
        kind: "send".to_owned(),
        version: "1".to_owned(),
        payload: Some(pb::Payload { content: Some(data), content_type: "a/b".to_owned() }),
        labels: [("team".to_owned(), "ä".to_owned())].into(),
        priority: Some(3),
        run_at: time(1_800_000_000),
        expire_at: time(1_900_000_000),
        attempt_timeout: seconds(30),
        total_timeout: seconds(300),
        retry: Some(pb::RetryPolicy {
            max_attempts: 5,
            initial_backoff: seconds(1),
            max_backoff: seconds(60),
            non_retryable_errors: vec!["Broken".to_owned()],
            ..Default::default()
        }),
        unique_key: "one".to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        ..Default::default()
    }
}

fn schedule() -> pb::ScheduleSpec {
    use pb::trigger::Trigger;
    let cron = pb::CronTrigger { expression: "*/5 2 29 2 MON".to_owned(), ..Default::default() };
    let interval = pb::IntervalTrigger { every: seconds(90), anchor: time(5), phase: seconds(1) };
    let calendar = pb::CalendarTrigger {
        every: 2,
        unit: pb::CalendarUnit::Month.into(),
        from_date: "2027-01-31".to_owned(),
        local_time: "02:30".to_owned(),
    };
    let once = pb::OnceTrigger { at: time(2_000_000_000) };
    let triggers = [
        Trigger::Cron(cron),
        Trigger::Interval(interval),
        Trigger::Once(once),
        Trigger::Calendar(calendar),
    ];
    let days = pb::DateRange { from_date: "2027-12-24".to_owned(), ..Default::default() };
    let dates = pb::Exclusion { exclusion: Some(pb::exclusion::Exclusion::Dates(days)) };
    pb::ScheduleSpec {
        times: Some(pb::ScheduleTimes {
            triggers: triggers.map(|trigger| pb::Trigger { trigger: Some(trigger) }).into(),
            exclusions: vec![dates],
            zone: "Europe/Berlin".to_owned(),
            start: time(1_800_000_000),
            jitter: seconds(3),
            ..Default::default()
        }),
        task: Some(pb::TaskSpec { kind: "send".to_owned(), ..Default::default() }),
        policies: Some(pb::SchedulePolicies {
            misfire_grace: seconds(5),
            max_running: 2,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn failed() -> pb::AttemptReport {
    let error = pb::TaskError {
        r#type: "Broken".to_owned(),
        message: "ä".repeat(10),
        detail: "more".to_owned(),
    };
    let failed = pb::Failed { error: Some(error), retry_after: seconds(5), ..Default::default() };
    pb::AttemptReport {
        task_id: uuid::Uuid::nil().to_string(),
        attempt: 1,
        outcome: Some(pb::attempt_report::Outcome::Failed(failed)),
    }
}

fn snoozed() -> pb::AttemptReport {
    let snoozed = pb::Snoozed { delay: seconds(5) };
    pb::AttemptReport { outcome: Some(pb::attempt_report::Outcome::Snoozed(snoozed)), ..failed() }
}

fn running() -> pb::AttemptProgress {
    let message = "half".to_owned();
    pb::AttemptProgress {
        task_id: uuid::Uuid::nil().to_string(),
        attempt: 1,
        progress: Some(pb::Progress { current: 1.0, total: 2.0, message, reported_at: None }),
        checkpoint: Some(vec![1].into()),
    }
}

fn greeting() -> pb::Hello {
    let running = pb::AttemptRef { task_id: uuid::Uuid::nil().to_string(), attempt: 1 };
    pb::Hello {
        worker_name: "one".to_owned(),
        queues: vec!["mail".to_owned()],
        kinds: vec!["send".to_owned()],
        versions: vec!["1".to_owned()],
        session_token: uuid::Uuid::nil().to_string(),
        running: vec![running],
        credit: 5,
        ..Default::default()
    }
}

fn wanted() -> pb::TaskFilter {
    pb::TaskFilter {
        queue: "mail".to_owned(),
        kind: "send".to_owned(),
        labels: [("team".to_owned(), "ä".to_owned())].into(),
        created_after: time(5),
        created_before: time(1_800_000_000),
        ..Default::default()
    }
}

proptest! {
    #[test]
    fn a_task_is_taken_or_refused_by_field_and_what_was_taken_is_told_as_it_was(
        bytes in garbled(task()),
    ) {
        let take = |task| new_task(&namespace(), Some(task), String::new(), "task", LARGEST);
        if let Some(task) = taken(&bytes, take) {
            // Not told: what counted only as it was submitted. Told: what was left out.
            let task = NewTask {
                start: Start::Now,
                unique_conflict: UniqueConflict::ReturnExisting,
                retry: Some(task.retry.unwrap_or_default()),
                ..task
            };
            let told = pb_spec(task.clone(), true).encode_to_vec();
            prop_assert_eq!(taken(&told, take), Some(task));
        }
    }

    #[test]
    fn a_schedule_is_taken_or_refused_by_field(bytes in garbled(schedule())) {
        taken(&bytes, |spec| schedule_spec(&namespace(), Some(spec), LARGEST));
    }

    #[test]
    fn a_mask_is_taken_or_refused(bytes in garbled(schedule()), path in "[a-z_.]{0,30}") {
        taken(&bytes, |spec| mask::apply(schedule(), &spec, &["times".to_owned(), path]));
    }

    #[test]
    fn a_report_is_taken_or_refused(
        bytes in prop_oneof![garbled(failed()), garbled(snoozed())],
    ) {
        taken(&bytes, |one| part(report(one, LARGEST)));
    }

    #[test]
    fn progress_is_taken_or_refused(bytes in garbled(running())) {
        taken(&bytes, |one| part(progress(one)));
    }

    #[test]
    fn a_hello_is_taken_or_refused_by_field(bytes in garbled(greeting())) {
        taken(&bytes, |one: pb::Hello| hello(Ok(namespace()), &one, "hello"));
    }

    #[test]
    fn a_filter_is_taken_or_refused_by_field(bytes in garbled(wanted())) {
        taken(&bytes, |one| filter(Some(one)));
    }

    #[test]
    fn numbers_of_states_and_outcomes_are_taken_or_refused(
        numbers in prop::collection::vec(prop_oneof![-2..12, any::<i32>()], 0..5),
    ) {
        part(states(&numbers)).ok();
        part(outcomes(&numbers)).ok();
    }
}

#[test]
fn what_is_garbled_here_was_good() {
    new_task(&namespace(), Some(task()), String::new(), "task", LARGEST).unwrap();
    schedule_spec(&namespace(), Some(schedule()), LARGEST).unwrap();
    for good in [failed(), snoozed()] {
        report(good, LARGEST).unwrap();
    }
    progress(running()).unwrap();
    hello(Ok(namespace()), &greeting(), "hello").unwrap();
    filter(Some(wanted())).unwrap();
}
