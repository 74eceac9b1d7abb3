//! Reading over many finished tasks: pages by keyset from the newest on and from anywhere, with and without
//! a filter, and single tasks.

use std::time::Duration;

use bellringer_api::v1 as pb;
use rand::RngExt as _;
use tokio::time::Instant;

use crate::commands::bench::database::Database;
use crate::commands::bench::numbers::Spread;
use crate::commands::bench::report::{Line, Report};
use crate::commands::bench::stand::Stand;
use crate::commands::bench::suites::history_rows::{self, LABEL, Span};
use crate::{app::App, failure::Failure, time};

/// Calls of each kind, and longest time for them.
const CALLS: u32 = 300;
const LONGEST: Duration = Duration::from_secs(20);
/// Tasks of a page.
const PAGE: u32 = 100;

/// A way of reading.
#[derive(Clone, Copy)]
struct Read {
    name: &'static str,
    /// Whether it begins at any time, or at the newest task.
    anywhere: bool,
    filter: fn(&Queues) -> pb::TaskFilter,
}

/// Nine tenths of the tasks, and one tenth.
struct Queues {
    few: String,
}

const READS: [Read; 6] = [
    Read { name: "newest page", anywhere: false, filter: |_| pb::TaskFilter::default() },
    Read { name: "page at any time", anywhere: true, filter: |_| pb::TaskFilter::default() },
    Read {
        name: "a queue with 10 % of the tasks",
        anywhere: true,
        filter: |queues| pb::TaskFilter { queue: queues.few.clone(), ..Default::default() },
    },
    Read {
        name: "failed tasks, 1 %",
        anywhere: true,
        filter: |_| pb::TaskFilter {
            states: vec![pb::TaskState::Failed.into()],
            ..Default::default()
        },
    },
    Read { name: "a label of 0.1 %, newest", anywhere: false, filter: labelled },
    Read { name: "a label of 0.1 %", anywhere: true, filter: labelled },
];

fn labelled(_: &Queues) -> pb::TaskFilter {
    let (key, value) = LABEL;
    pb::TaskFilter { labels: [(key.to_owned(), value.to_owned())].into(), ..Default::default() }
}

pub(super) async fn measure(stand: &Stand<'_>, report: &mut Report) -> Result<(), Failure> {
    let (many, few) = (stand.load()?, stand.load()?);
    // Makes the lanes of the queues.
    many.preload(1).await?;
    few.preload(1).await?;
    let database = stand.database()?;
    let count = stand.options.history_tasks;
    let begun = Instant::now();
    let span = history_rows::fill(stand, &many.queue, &few.queue, count).await?;
    report.add(sizes(database, count, begun.elapsed()).await?);

    let queues = Queues { few: few.queue.clone() };
    let mut ids = Vec::new();
    for read in READS {
        stand.out().remark(&format!("history, {} …", read.name));
        let micros = pages(&stand.app, read, &queues, span, &mut ids).await?;
        report.add(tell(read.name, micros));
    }
    stand.out().remark("history, one page after the other …");
    report.add(tell("next page, by its token", walk(&stand.app).await?));
    stand.out().remark("history, single tasks …");
    report.add(tell("Get by id", gets(&stand.app, &ids).await?));
    Ok(())
}

fn tell(name: &str, micros: Vec<u32>) -> Line {
    let calls = f64::from(u32::try_from(micros.len()).unwrap_or(u32::MAX));
    let spread = Spread::of(micros);
    Line::new(name)
        .with("calls", calls)
        .with("p50_ms", spread.p50)
        .with("p99_ms", spread.p99)
        .with("max_ms", spread.max)
}

async fn sizes(database: &Database, count: u32, took: Duration) -> Result<Line, Failure> {
    let sizes = database.sizes(&["task", "result"]).await?;
    let bytes: f64 = sizes.iter().map(|size| size.heap + size.indexes).sum();
    Ok(Line::new("finished tasks in the tables")
        .with("tasks", f64::from(count))
        .with("bytes_per_task", bytes / f64::from(count))
        .with("preload_s", took.as_secs_f64()))
}

async fn pages(
    app: &App,
    read: Read,
    queues: &Queues,
    span: Span,
    ids: &mut Vec<String>,
) -> Result<Vec<u32>, Failure> {
    let begun = Instant::now();
    let mut micros = Vec::new();
    for _ in 0..CALLS {
        let mut filter = (read.filter)(queues);
        if read.anywhere {
            let millis = rand::rng().random_range(span.from..=span.to);
            let at = jiff::Timestamp::from_millisecond(millis).map(time::to_proto);
            filter.created_before = at.ok();
        }
        let (answer, took) = list(app, filter, String::new()).await?;
        micros.push(took);
        ids.extend(answer.tasks.into_iter().take(1).map(|task| task.id));
        if begun.elapsed() > LONGEST {
            break;
        }
    }
    Ok(micros)
}

/// From the newest page on.
async fn walk(app: &App) -> Result<Vec<u32>, Failure> {
    let mut micros = Vec::new();
    let mut token = String::new();
    for _ in 0..CALLS {
        let (answer, took) = list(app, pb::TaskFilter::default(), token).await?;
        micros.push(took);
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    Ok(micros)
}

async fn list(
    app: &App,
    filter: pb::TaskFilter,
    page_token: String,
) -> Result<(pb::ListTasksResponse, u32), Failure> {
    let request = pb::ListTasksRequest {
        namespace: app.namespace.clone(),
        filter: Some(filter),
        page_size: PAGE,
        page_token,
        view: pb::TaskView::Basic.into(),
    };
    let begun = Instant::now();
    let answer = app.call(app.tasks().list(request)).await?;
    Ok((answer, micros(begun)))
}

async fn gets(app: &App, ids: &[String]) -> Result<Vec<u32>, Failure> {
    let mut all = Vec::new();
    for id in ids {
        let request = pb::GetTaskRequest {
            namespace: app.namespace.clone(),
            task_id: id.clone(),
            view: pb::TaskView::Full.into(),
        };
        let begun = Instant::now();
        app.call(app.tasks().get(request)).await?;
        all.push(micros(begun));
    }
    Ok(all)
}

fn micros(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX)
}
