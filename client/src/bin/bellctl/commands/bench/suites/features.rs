//! What each thing that a task can have costs: life cycles with it, beside plain ones of the same round.

use bellringer_api::v1 as pb;

use crate::commands::bench::fleet::Fleet;
use crate::commands::bench::load::{Load, Shape};
use crate::commands::bench::report::Report;
use crate::commands::bench::runner::{FAILS, RETRIED, WITH_PROGRESS};
use crate::commands::bench::spent::Run;
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;
use crate::time;

/// Something that a task has.
struct Feature {
    name: &'static str,
    shape: Shape,
    /// Attempts of a task.
    attempts: u32,
}

const FEATURES: [Feature; 9] = [
    Feature { name: "three labels", shape: labels, attempts: 1 },
    Feature { name: "unique key", shape: unique_key, attempts: 1 },
    Feature { name: "idempotency key", shape: idempotency_key, attempts: 1 },
    Feature { name: "delay of 100 ms", shape: delay, attempts: 1 },
    Feature { name: "expires in an hour", shape: expiry, attempts: 1 },
    Feature { name: "timeout of an attempt", shape: attempt_timeout, attempts: 1 },
    Feature { name: "progress once", shape: |item, _| kind(item, WITH_PROGRESS), attempts: 1 },
    Feature { name: "fails for good", shape: |item, _| kind(item, FAILS), attempts: 1 },
    Feature { name: "retried once", shape: |item, _| kind(item, RETRIED), attempts: 2 },
];

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet(&load).await?;
    let plain = Feature { name: "plain", shape: |_, _| (), attempts: 1 };
    let mut plain_rounds = Vec::new();
    let mut rounds: Vec<Vec<Run>> = FEATURES.iter().map(|_| Vec::new()).collect();
    // Each lane is made by its first task; that is not what is measured.
    for feature in FEATURES.iter().chain([&plain]) {
        one(stand, &load, &mut fleet, feature, 100).await?;
    }
    let tasks = (stand.options.tasks / 2).max(1_000);
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("features, round {round} of {} …", stand.options.rounds));
        let beside = one(stand, &load, &mut fleet, &plain, tasks).await?;
        plain_rounds.push(beside);
        for (feature, rounds) in FEATURES.iter().zip(&mut rounds) {
            let run = one(stand, &load, &mut fleet, feature, tasks).await?;
            rounds.push(run.beside(Some(beside)));
        }
    }
    fleet.stop().await;
    report.add(Run::line(plain.name, "of_plain", "best_of_plain", &plain_rounds));
    for (feature, rounds) in FEATURES.iter().zip(&rounds) {
        report.add(Run::line(feature.name, "of_plain", "best_of_plain", rounds));
    }
    Ok(())
}

async fn one(
    stand: &Stand<'_>,
    load: &Load,
    fleet: &mut Fleet,
    feature: &Feature,
    tasks: u32,
) -> Result<Run, Failure> {
    let before = stand.read(fleet).await;
    let submitting = load.submit(tasks, feature.shape);
    let work = async { tokio::try_join!(submitting, fleet.until(tasks * feature.attempts)) };
    within(work).await.map_err(|failure| failure.context(feature.name))?;
    Ok(stand.since(&before, fleet, tasks).await)
}

fn change(item: &mut pb::SubmitBatchItem, change: impl FnOnce(&mut pb::TaskSpec)) {
    item.task.as_mut().map(change);
}

fn kind(item: &mut pb::SubmitBatchItem, kind: &str) {
    change(item, |task| kind.clone_into(&mut task.kind));
}

fn labels(item: &mut pb::SubmitBatchItem, number: u64) {
    change(item, |task| {
        let labels = [
            ("customer", format!("c{}", number % 1_000)),
            ("region", format!("r{}", number % 10)),
            ("order", format!("{number}")),
        ];
        task.labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    });
}

fn unique_key(item: &mut pb::SubmitBatchItem, number: u64) {
    change(item, |task| task.unique_key = format!("bench-{number}"));
}

fn idempotency_key(item: &mut pb::SubmitBatchItem, number: u64) {
    item.idempotency_key = format!("bench-{number}");
}

fn delay(item: &mut pb::SubmitBatchItem, _: u64) {
    change(item, |task| {
        task.delay = Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 });
    });
}

fn expiry(item: &mut pb::SubmitBatchItem, _: u64) {
    change(item, |task| {
        let mut at = time::to_proto(time::now());
        at.seconds += 3_600;
        task.expire_at = Some(at);
    });
}

fn attempt_timeout(item: &mut pb::SubmitBatchItem, _: u64) {
    change(item, |task| {
        task.attempt_timeout = Some(prost_types::Duration { seconds: 600, nanos: 0 });
    });
}
