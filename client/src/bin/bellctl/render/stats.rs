//! Statistics as JSON and as a table.

use bellringer_api::v1::{Distribution, QueryStatsResponse, StatsRow};
use comfy_table::Cell;
use serde_json::{Map, Value, json};

use crate::{
    commands::stats::By,
    paint::{cut, state_word},
    render::json::{duration, text, timestamp},
    time,
};

/// Statistics with the stable names of their fields.
pub(crate) fn json(answer: &QueryStatsResponse, by: &[By]) -> Value {
    let rows: Vec<_> = answer.rows.iter().map(|row| json_row(row, by)).collect();
    json!({
        "since": timestamp(answer.since.as_ref()),
        "until": timestamp(answer.until.as_ref()),
        "rows": rows,
    })
}

fn json_row(row: &StatsRow, by: &[By]) -> Value {
    let stats = row.stats.unwrap_or_default();
    let attempts = stats.attempts.unwrap_or_default();
    let mut value = Map::new();
    if row.start.is_some() {
        value.insert("start".to_owned(), timestamp(row.start.as_ref()));
    }
    for by in by {
        value.insert(name(*by).to_lowercase(), text(dimension(row, *by)));
    }
    let rest = json!({
        "succeeded": stats.succeeded,
        "failed": stats.failed,
        "cancelled": stats.cancelled,
        "expired": stats.expired,
        "success_rate": stats.success_rate,
        "attempts": {
            "failed": attempts.failed,
            "cancelled": attempts.cancelled,
            "snoozed": attempts.snoozed,
            "released": attempts.released,
            "lease_expired": attempts.lease_expired,
        },
        "wait": json_distribution(stats.wait.unwrap_or_default()),
        "run": json_distribution(stats.run.unwrap_or_default()),
        "last_finished_at": timestamp(stats.last_finished_at.as_ref()),
        "last_state": stats.last_finished_at.map(|_| state_word(stats.last_state())),
    });
    if let Value::Object(rest) = rest {
        value.extend(rest);
    }
    Value::Object(value)
}

fn json_distribution(times: Distribution) -> Value {
    json!({
        "count": times.count,
        "mean": duration(times.mean.as_ref()),
        "p50": duration(times.p50.as_ref()),
        "p95": duration(times.p95.as_ref()),
        "p99": duration(times.p99.as_ref()),
    })
}

fn name(by: By) -> &'static str {
    match by {
        By::Queue => "QUEUE",
        By::Kind => "KIND",
        By::Version => "VERSION",
        By::Schedule => "SCHEDULE",
    }
}

fn dimension(row: &StatsRow, by: By) -> &str {
    match by {
        By::Queue => &row.queue,
        By::Kind => &row.kind,
        By::Version => &row.version,
        By::Schedule => &row.schedule,
    }
}

/// The head of the table.
pub(crate) fn head(has_steps: bool, by: &[By]) -> Vec<&'static str> {
    let mut head = Vec::new();
    head.extend(has_steps.then_some("START"));
    head.extend(by.iter().map(|by| name(*by)));
    head.extend(["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "SUCCESS", "TRIES LOST"]);
    head.extend(["WAIT P50", "P95", "P99", "RUN MEAN", "P50", "P95", "P99", "LAST"]);
    head
}

/// A row of the table.
pub(crate) fn row(row: &StatsRow, has_steps: bool, by: &[By]) -> Vec<Cell> {
    let stats = row.stats.unwrap_or_default();
    let attempts = stats.attempts.unwrap_or_default();
    let at = |time: Option<&prost_types::Timestamp>| {
        let time = time.and_then(time::from_proto);
        time.map(|time| time.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    };
    let mut cells = Vec::new();
    cells.extend(has_steps.then(|| Cell::new(at(row.start.as_ref()))));
    cells.extend(by.iter().map(|by| match dimension(row, *by) {
        "" => Cell::new("-"),
        text => Cell::new(cut(text, 40)),
    }));
    let counts = [stats.succeeded, stats.failed, stats.cancelled, stats.expired];
    cells.extend(counts.map(Cell::new));
    cells.push(Cell::new(percent(stats.success_rate)));
    cells.push(Cell::new(attempts.lease_expired));
    let (wait, run) = (stats.wait.unwrap_or_default(), stats.run.unwrap_or_default());
    let times = [wait.p50, wait.p95, wait.p99, run.mean, run.p50, run.p95, run.p99];
    cells.extend(times.map(|time| Cell::new(length(time))));
    cells.push(Cell::new(at(stats.last_finished_at.as_ref())));
    cells
}

/// A rate for people: `99.95%`.
pub(crate) fn percent(rate: Option<f64>) -> String {
    match rate {
        None => String::new(),
        // What is not all is never shown as all.
        Some(rate) if rate < 1.0 => format!("{:.2}%", (rate * 100.0).min(99.99)),
        Some(_) => "100%".to_owned(),
    }
}

/// A time for a table.
pub(crate) fn length(time: Option<prost_types::Duration>) -> String {
    time.map(|time| time::brief(time::length(&time))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::Stats;

    use super::*;

    fn answer() -> QueryStatsResponse {
        let ms = |ms| Some(prost_types::Duration { seconds: 0, nanos: ms * 1_000_000 });
        let run = Distribution { count: 3, mean: ms(20), p50: ms(10), p95: ms(40), p99: ms(50) };
        let stats = Stats {
            succeeded: 19_999,
            failed: 1,
            success_rate: Some(0.999_999),
            run: Some(run),
            ..Stats::default()
        };
        let row = StatsRow { queue: "mail".to_owned(), stats: Some(stats), ..StatsRow::default() };
        QueryStatsResponse { rows: vec![row], ..QueryStatsResponse::default() }
    }

    #[test]
    fn json_has_the_dimensions_that_were_asked_for() {
        let value = json(&answer(), &[By::Queue]);
        assert_eq!(value["rows"][0]["queue"], "mail");
        assert!(value["rows"][0].get("kind").is_none());
        assert_eq!(value["rows"][0]["run"]["p95"], "0.04s");
        assert_eq!(value["rows"][0]["last_state"], Value::Null);
    }

    #[test]
    fn a_row_fits_its_head_and_a_loss_is_never_hidden() {
        let answer = answer();
        for (has_steps, by) in [(false, vec![]), (true, vec![By::Queue, By::Version])] {
            assert_eq!(
                row(&answer.rows[0], has_steps, &by).len(),
                head(has_steps, &by).len(),
                "{by:?}"
            );
        }
        assert_eq!(percent(Some(0.999_999)), "99.99%");
        assert_eq!(percent(Some(1.0)), "100%");
    }
}
