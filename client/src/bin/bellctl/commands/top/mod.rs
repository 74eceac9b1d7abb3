//! `bellctl top`: the queues as they are now, again and again.

mod screen;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use bellringer_api::v1::{
    CountUnfinishedRequest, GetClusterResponse, QueryStatsRequest, Stats, StatsDimension,
    UnfinishedRow,
};
use clap::Args;
use comfy_table::Cell;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    paint::{cut, one_line},
    render::{
        json::{duration, timestamp},
        stats::{length, percent},
    },
    time::{self, Length},
};
use screen::Screen;

/// What ended is counted over this time.
const SPAN: SignedDuration = SignedDuration::from_mins(5);

/// Show the queues as they are now, again and again; q ends it
#[derive(Debug, Args)]
#[command(after_help = "\
Where standard output is no terminal, or with -o json, it shows them once.

Example:
  bellctl top
  bellctl top --every 10s
  bellctl top -o json | jq '.queues[] | select(.ready > 1000) | .name'")]
pub(crate) struct Top {
    /// How often to look
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    every: Length,
}

/// One look.
struct Look {
    /// Unless the caller may not know.
    cluster: Option<GetClusterResponse>,
    now: Timestamp,
    /// What ended is counted from here on.
    since: Timestamp,
    queues: BTreeMap<String, (UnfinishedRow, Stats)>,
}

impl Top {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let is_live = app.out.terminal && std::io::stdin().is_terminal() && !app.out.is_json();
        if !is_live {
            let look = Look::take(app).await?;
            if app.out.is_json() {
                app.out.document(&look.json())?;
            } else {
                app.out.line(&look.title(&app.server))?;
                app.out.line("")?;
                app.out.table(&HEAD, look.rows())?;
            }
            return Ok(Exit::Ok);
        }
        // The first look before the screen is taken, so that a failure can be read afterwards.
        let mut look = Look::take(app).await?;
        let mut screen = Screen::open()?;
        let mut note = String::new();
        loop {
            let table = app.out.table_text(&HEAD, look.rows());
            let title = look.title(&app.server);
            let foot = if note.is_empty() { "q: quit" } else { note.as_str() };
            screen.show(&format!("{title}\n\n{table}"), foot)?;
            let next = Instant::now() + self.every.0.max(Duration::from_millis(200));
            let wait = sleep(next.saturating_duration_since(Instant::now()));
            if screen.quits_within(wait).await? {
                return Ok(Exit::Ok);
            }
            match Look::take(app).await {
                Ok(newer) => {
                    look = newer;
                    note.clear();
                }
                Err(failure) if failure.is_passing() => {
                    note = format!("the server does not answer since {}", look.now);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

const HEAD: [&str; 11] = [
    "QUEUE",
    "READY",
    "RUNNING",
    "RETRYING",
    "SCHEDULED",
    "OLDEST",
    "DONE/MIN",
    "FAILED/MIN",
    "SUCCESS",
    "WAIT P95",
    "RUN P95",
];

impl Look {
    async fn take(app: &App) -> Result<Self, Failure> {
        let cluster = super::cluster::ask_if_allowed(app).await?;
        let now = cluster.as_ref().and_then(|cluster| cluster.now.as_ref());
        let now = now.and_then(time::from_proto).unwrap_or_else(time::now);
        let group_by = vec![StatsDimension::Queue.into()];
        let unfinished = CountUnfinishedRequest {
            namespace: app.namespace.clone(),
            group_by: group_by.clone(),
            ..CountUnfinishedRequest::default()
        };
        let ended = QueryStatsRequest {
            namespace: app.namespace.clone(),
            since: now.checked_sub(SPAN).ok().map(time::to_proto),
            group_by,
            ..QueryStatsRequest::default()
        };
        let unfinished =
            app.repeat(|| async { app.stats().count_unfinished(unfinished.clone()).await }).await?;
        let ended = app.repeat(|| async { app.stats().query(ended.clone()).await }).await?;
        let since = ended.since.as_ref().and_then(time::from_proto).unwrap_or(now);
        let mut queues: BTreeMap<String, (UnfinishedRow, Stats)> = BTreeMap::new();
        for row in unfinished.rows {
            let queue = row.queue.clone();
            queues.entry(queue).or_default().0 = row;
        }
        for row in ended.rows {
            queues.entry(row.queue).or_default().1 = row.stats.unwrap_or_default();
        }
        Ok(Self { cluster, now, since, queues })
    }

    /// How many a minute.
    fn rate(&self, count: u64) -> f64 {
        let minutes = self.now.duration_since(self.since).as_secs_f64() / 60.0;
        count as f64 / minutes.max(1.0 / 60.0)
    }

    fn title(&self, server: &str) -> String {
        let now = self.now.strftime("%Y-%m-%d %H:%M:%SZ");
        let Some(cluster) = &self.cluster else { return format!("{}  {now}", one_line(server)) };
        let leader = cluster.replicas.iter().find(|replica| replica.id == cluster.leader_id);
        let leader = leader.map_or("none", |replica| replica.name.as_str());
        let replicas = cluster.replicas.len();
        format!(
            "{}  {now}  {replicas} replica{}  leader {}  overdue schedules {}",
            one_line(server),
            if replicas == 1 { "" } else { "s" },
            one_line(leader),
            cluster.overdue_schedules,
        )
    }

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |(name, (open, ended)): (&String, &(UnfinishedRow, Stats))| {
            let done = ended.succeeded + ended.failed + ended.cancelled + ended.expired;
            let failed = ended.failed + ended.expired;
            vec![
                Cell::new(cut(name, 40)),
                Cell::new(open.ready),
                Cell::new(open.running),
                Cell::new(open.retrying),
                Cell::new(open.scheduled),
                Cell::new(length(open.oldest_ready_age)),
                Cell::new(per_minute(self.rate(done))),
                Cell::new(per_minute(self.rate(failed))),
                Cell::new(percent(ended.success_rate)),
                Cell::new(length(ended.wait.and_then(|wait| wait.p95))),
                Cell::new(length(ended.run.and_then(|run| run.p95))),
            ]
        };
        self.queues.iter().map(row).collect()
    }

    fn json(&self) -> Value {
        let queue = |(name, (open, ended)): (&String, &(UnfinishedRow, Stats))| {
            json!({
                "name": name,
                "ready": open.ready,
                "running": open.running,
                "retrying": open.retrying,
                "scheduled": open.scheduled,
                "oldest_ready_age": duration(open.oldest_ready_age.as_ref()),
                "succeeded": ended.succeeded,
                "failed": ended.failed,
                "cancelled": ended.cancelled,
                "expired": ended.expired,
                "success_rate": ended.success_rate,
                "wait_p95": duration(ended.wait.and_then(|wait| wait.p95).as_ref()),
                "run_p95": duration(ended.run.and_then(|run| run.p95).as_ref()),
            })
        };
        json!({
            "now": timestamp(Some(&time::to_proto(self.now))),
            "since": timestamp(Some(&time::to_proto(self.since))),
            "queues": self.queues.iter().map(queue).collect::<Vec<_>>(),
        })
    }
}

/// A rate for a table: whole, unless it is small.
fn per_minute(rate: f64) -> String {
    if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_queues_that_stand_and_queues_that_have_worked() {
        let now: Timestamp = "2026-05-01T10:05:00Z".parse().unwrap();
        let open = UnfinishedRow { ready: 7, ..UnfinishedRow::default() };
        let ended =
            Stats { succeeded: 49, failed: 1, success_rate: Some(0.98), ..Stats::default() };
        let look = Look {
            cluster: Some(GetClusterResponse::default()),
            now,
            since: now.checked_sub(SPAN).unwrap(),
            queues: [
                ("mail".to_owned(), (open, Stats::default())),
                ("work".to_owned(), (UnfinishedRow::default(), ended)),
            ]
            .into(),
        };
        let text: Vec<String> = look
            .rows()
            .iter()
            .map(|row| row.iter().map(Cell::content).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(text, ["mail|7|0|0|0||0|0|||", "work|0|0|0|0||10|0.2|98.00%||"]);
        assert!(look.rows().iter().all(|row| row.len() == HEAD.len()));
        assert!(look.title("http://s").contains("leader none"));
        assert_eq!(look.json()["queues"][0]["ready"], 7);
    }
}
