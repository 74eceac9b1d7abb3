//! Two and three replicas on one database beside one: submitters and workers are spread over them. No
//! task may be claimed twice.

use std::time::Duration;

use sqlx::Row as _;

use crate::commands::bench::bars::Goal;
use crate::commands::bench::database::{Database, failed};
use crate::commands::bench::numbers::{Spread, median, ratio};
use crate::commands::bench::pace::{Pace, offer};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::server::Server;
use crate::commands::bench::spent::Run;
use crate::commands::bench::stand::Stand;
use crate::commands::bench::within;
use crate::failure::Failure;

/// Most replicas, the first included.
const MOST: usize = 3;
/// Workers at least, with any number of replicas: one for each.
const WORKERS: u32 = 3;
/// Tasks per second, and seconds, of the look at latency.
const RATE: u32 = 1_000;
const SECONDS: u64 = 5;

/// Of the server's own tables: nothing else has written into this database.
const ATTEMPTS: &str = "
select (select count(*) from result) as tasks,
       (select count(*) from result where attempt <> 1) + (select count(*) from attempt) as more";

/// What was measured with some number of replicas.
#[derive(Default)]
struct Rounds {
    runs: Vec<Run>,
    start: Vec<Spread>,
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut all: [Rounds; MOST] = Default::default();
    let (mut submitted, mut assigned) = (0, 0);
    for round in 1..=stand.options.rounds {
        stand.out().remark(&format!("replicas, round {round} of {} …", stand.options.rounds));
        let mut more = Vec::new();
        for rounds in &mut all {
            let counts = one(&stand.with(&more)?, rounds).await?;
            submitted += counts.0;
            assigned += counts.1;
            if more.len() + 1 < MOST {
                more.push(stand.replica().await?);
            }
        }
        for replica in more {
            Server::stop(replica).await;
        }
        let one = *all[0].runs.last().expect("it was measured in this round");
        for rounds in &mut all[1..] {
            if let Some(run) = rounds.runs.last_mut() {
                *run = run.beside(Some(one));
            }
        }
    }
    tell(&all, report);
    let duplicates = duplicates(stand.database()?, submitted, assigned).await?;
    report.add(Line::new("attempts beyond the first of any task").with("attempts", duplicates));
    report.reached.set(Goal::DuplicateClaims, Some(duplicates));
    Ok(())
}

/// Answers with the tasks that were submitted, and the attempts that were assigned.
async fn one(stand: &Stand<'_>, rounds: &mut Rounds) -> Result<(u64, u64), Failure> {
    let load = stand.load()?;
    let mut fleet = stand.fleet_of(&load, stand.options.workers.max(WORKERS)).await?;
    let tasks = stand.options.tasks;
    let before = stand.read(&fleet).await;
    within(load.batches(&mut fleet, tasks)).await?;
    rounds.runs.push(stand.since(&before, &fleet, tasks).await);
    let length = Duration::from_secs(SECONDS);
    let pace = Pace { rate: RATE, per_call: 1, length };
    let measured = async { tokio::try_join!(offer(&load, pace), fleet.until(pace.tasks())) };
    let (_, heard) = within(measured).await?;
    rounds.start.push(Spread::of(heard.latencies));
    fleet.settle().await?;
    let assigned = fleet.assigned;
    fleet.stop().await;
    Ok((u64::from(tasks) + u64::from(pace.tasks()), assigned))
}

fn tell(all: &[Rounds; MOST], report: &mut Report) {
    let names = ["one replica", "two replicas", "three replicas"];
    for (name, rounds) in names.iter().zip(all) {
        report.add(Run::line(*name, "of_one", "best_of_one", &rounds.runs));
    }
    let starts = all.each_ref().map(|rounds| Spread::median(&rounds.start));
    let times_one = starts.map(|start| ratio(start.p50, starts[0].p50));
    for ((name, start), times_one) in names.iter().zip(starts).zip(times_one) {
        let line = Line::new(format!("{name}, submit to start at {RATE}/s"))
            .with("start_p50_ms", start.p50)
            .with("start_p99_ms", start.p99)
            .with("start_max_ms", start.max)
            .with("times_one", times_one);
        report.add(line);
    }
    let of_one = |n: usize| median(all[n].runs.iter().map(|run| run.of_other));
    report.reached.set(Goal::TwoReplicas, of_one(1));
    report.reached.set(Goal::ThreeReplicas, of_one(2));
    let worst = times_one[1].zip(times_one[2]).map(|(two, three)| two.max(three));
    report.reached.set(Goal::ReplicaLatency, worst);
}

/// Attempts beyond the first of any task, as the database and as the workers have counted.
async fn duplicates(database: &Database, submitted: u64, assigned: u64) -> Result<f64, Failure> {
    let mut connection = database.connect().await?;
    let row = sqlx::query(ATTEMPTS).fetch_one(&mut connection).await.map_err(failed)?;
    let tasks: i64 = row.try_get("tasks").map_err(failed)?;
    let more: i64 = row.try_get("more").map_err(failed)?;
    if u64::try_from(tasks) != Ok(submitted) {
        let text = format!("{submitted} tasks were submitted, but {tasks} have a result");
        return Err(Failure::new(crate::exit::Exit::Other, text));
    }
    let more = u64::try_from(more).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 tasks")]
    Ok(more.max(assigned.saturating_sub(submitted)) as f64)
}
