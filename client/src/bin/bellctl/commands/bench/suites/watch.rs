//! Many Watch streams, each on a task of its own, while a thousand tasks change each second: first all of
//! them report progress in turn, then all finish.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Streaming;

use crate::commands::bench::bars::Goal;
use crate::commands::bench::cpu::Meter;
use crate::commands::bench::load::{Load, all_done, all_taken};
use crate::commands::bench::machine;
use crate::commands::bench::numbers::{Spread, shares};
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::commands::bench::suites::watch_driver::Driver;
use crate::commands::bench::within;
use crate::{exit::Exit, failure::Failure, time};

/// Tasks that change each second, some at each tick.
const RATE: u32 = 1_000;
const TICK: Duration = Duration::from_millis(10);
const PER_TICK: u32 = 10;
/// Streams of one connection; a server allows 200 unless it is told otherwise.
const PER_CONNECTION: u32 = 200;
/// Silence after which nothing more comes.
const LAST: Duration = Duration::from_secs(3);

/// What a watcher saw, and how long after it had happened, in microseconds.
enum Seen {
    Progress(u32),
    Final(u32),
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let load = stand.load()?;
    let streams = stand.options.watch_streams;
    stand.out().remark(&format!("watch, {streams} tasks begin …"));
    within(submit(&load, streams)).await?;
    let mut driver = within(Driver::start(&stand.app, &load.queue, streams)).await?;
    let pid = stand.server_pid().ok();
    let memory = || pid.and_then(machine::memory);
    let before = memory();

    stand.out().remark(&format!("watch, {streams} streams open …"));
    let (sender, mut seen) = mpsc::channel(10_000);
    let ids: Vec<String> = driver.running.iter().map(|running| running.task_id.clone()).collect();
    let mut watching = within(open(stand, ids, sender)).await?;
    let open = memory();

    stand.out().remark(&format!("watch, {RATE} tasks report progress each second …"));
    let meter = Meter { servers: pid.into_iter().collect(), workers: Vec::new() };
    let (begun, cpu) = (Instant::now(), meter.read());
    let changes = RATE * stand.options.watch_seconds;
    let progress = drive(&mut driver, &mut seen, changes, false).await?;
    let spent = meter.read().with(cpu, |after, before| after - before);
    let seconds = begun.elapsed().as_secs_f64();

    stand.out().remark(&format!("watch, {RATE} tasks finish each second …"));
    let finals = drive(&mut driver, &mut seen, streams, true).await?;
    let most = memory();
    drop(seen);
    let missed = u64::from(streams).saturating_sub(finals.len() as u64);
    watching.shutdown().await;
    driver.stop().await;

    let all = Spread::of(progress.iter().chain(&finals).copied().collect());
    report.add(tell("progress, from when it was due", changes, progress));
    report.add(tell("final state, from when it was written", streams, finals));
    report.add(
        Line::new("the server")
            .with("memory_before_mb", before.map(|(now, _)| now))
            .with("memory_open_mb", open.map(|(now, _)| now))
            .with("memory_most_mb", most.map(|(_, most)| most))
            .with("server_cpu_cores", spent.server.map(|spent| spent / seconds))
            .with("postgres_cpu_cores", spent.postgres.map(|spent| spent / seconds)),
    );
    report.reached.set(Goal::WatchP99, all.p99);
    report.reached.set(Goal::WatchMemory, most.map(|(_, most)| most));
    if missed > 0 {
        let text = format!("{missed} of {streams} watchers did not see the final state");
        return Err(Failure::new(Exit::Other, text));
    }
    Ok(())
}

fn tell(name: &str, changes: u32, seen: Vec<u32>) -> Line {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let delivered = seen.len() as f64;
    let spread = Spread::of(seen);
    Line::new(name)
        .with("changes", f64::from(changes))
        .with("delivered", delivered)
        .with("p50_ms", spread.p50)
        .with("p99_ms", spread.p99)
        .with("max_ms", spread.max)
}

async fn submit(load: &Load, tasks: u32) -> Result<(), Failure> {
    let mut client = load.clients().next().expect("a load has connections");
    for share in shares(tasks, tasks.div_ceil(PER_CONNECTION)) {
        let items = vec![load.item(0); usize::try_from(share).unwrap_or_default()];
        all_taken(client.submit_batch(load.batch_of(items)).await?.get_ref())?;
    }
    Ok(())
}

/// Opens one stream for each id, and waits until each has shown its task.
async fn open(
    stand: &Stand<'_>,
    ids: Vec<String>,
    sender: mpsc::Sender<Seen>,
) -> Result<JoinSet<Result<(), Failure>>, Failure> {
    let mut opening = JoinSet::new();
    let (opened, mut streams) = mpsc::channel(ids.len());
    let per_connection = usize::try_from(PER_CONNECTION).unwrap_or(1);
    for (ids, url) in ids.chunks(per_connection).zip(stand.urls.iter().cycle()) {
        let (ids, app) = (ids.to_vec(), stand.app.at(url)?);
        let opened = opened.clone();
        opening.spawn(async move {
            let mut client = app.tasks();
            for id in ids {
                let request = pb::WatchTasksRequest {
                    namespace: app.namespace.clone(),
                    task_ids: vec![id],
                    ..Default::default()
                };
                let mut stream = client.watch(request).await?.into_inner();
                while let Some(event) = stream.message().await? {
                    if event.event() == pb::WatchEvent::SnapshotEnd {
                        break;
                    }
                }
                opened.send(stream).await.ok();
            }
            Ok(())
        });
    }
    drop(opened);
    all_done(opening).await?;
    let mut watching = JoinSet::new();
    while let Some(stream) = streams.recv().await {
        watching.spawn(watch(stream, sender.clone()));
    }
    Ok(watching)
}

async fn watch(
    mut stream: Streaming<pb::WatchTasksResponse>,
    sender: mpsc::Sender<Seen>,
) -> Result<(), Failure> {
    while let Some(event) = stream.message().await? {
        let Some(task) = event.task else { continue };
        let now = time::now().as_nanosecond();
        let since = |then: i128| u32::try_from((now - then).max(0) / 1_000).unwrap_or(u32::MAX);
        let seen = if let Some(finished) = &task.finished_at {
            let finished = time::from_proto(finished).map_or(now, |time| time.as_nanosecond());
            Seen::Final(since(finished))
        } else {
            let due = task.progress.and_then(|progress| progress.message.parse().ok());
            let Some(due) = due else { continue };
            Seen::Progress(since(due))
        };
        let is_final = matches!(seen, Seen::Final(_));
        if sender.send(seen).await.is_err() || is_final {
            break;
        }
    }
    Ok(())
}

/// Changes one task after the other, open loop, and answers with how late each was seen.
async fn drive(
    driver: &mut Driver,
    seen: &mut mpsc::Receiver<Seen>,
    changes: u32,
    finish: bool,
) -> Result<Vec<u32>, Failure> {
    let (begun, wall) = (Instant::now(), time::now().as_nanosecond());
    let mut delays = Vec::new();
    let mut listen = |seen: Seen| match seen {
        Seen::Progress(delay) if !finish => delays.push(delay),
        Seen::Final(delay) if finish => delays.push(delay),
        Seen::Progress(_) | Seen::Final(_) => {}
    };
    let (mut sent, mut tick) = (0, 0);
    while sent < changes {
        let due = TICK * tick;
        tokio::select! {
            () = sleep_until(begun + due) => {
                let count = PER_TICK.min(changes - sent);
                let due_at = wall + i128::try_from(due.as_nanos()).unwrap_or_default();
                driver.change(count, due_at, finish.then(success)).await?;
                sent += count;
                tick += 1;
            }
            Some(seen) = seen.recv() => listen(seen),
        }
    }
    // The last ones are still on their way.
    while let Ok(Some(event)) = timeout(LAST, seen.recv()).await {
        listen(event);
    }
    Ok(delays)
}

fn success() -> Outcome {
    Outcome::Succeeded(pb::Succeeded { result: None })
}
