//! Puts finished tasks straight into the server's tables, with ids of times that lie in the past and for
//! which there are partitions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{PgConnection, Row, raw_sql};
use tokio::time::{Instant, timeout};

use crate::commands::bench::database::failed;
use crate::commands::bench::stand::Stand;
use crate::{exit::Exit, failure::Failure, time};

/// One task in a thousand has it.
pub(super) const LABEL: (&str, &str) = ("bench", "rare");

/// Connections that write.
const WRITERS: u32 = 2;
/// Tasks of one statement.
const PORTION: u64 = 20_000;
/// Longest time for all of it.
const LONGEST: Duration = Duration::from_secs(1_800);
/// Nothing older, or the server would delete it: it keeps finished tasks for a week.
const OLDEST: Duration = Duration::from_secs(6 * 86_400);
/// Nothing younger.
const YOUNGEST: Duration = Duration::from_secs(60);

const LANE: &str = "select id, namespace from lane where queue = $1";

/// Makes a partition for each of the days that have gone by: a new database has none of them.
const MAKE: &str = "select history_make($1::text::timestamptz, now())";

/// No row: the table is not partitioned.
const PARTITIONS: &str = "
select pg_get_expr(c.relpartbound, c.oid) as bounds
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = $1::regclass order by 1";

/// What must be written, as far as the database knows.
const NEEDED: &str = "
select attname::text as name, attnotnull and not atthasdef as is_needed
from pg_attribute
where attrelid = $1::regclass and attnum > 0 and not attisdropped";

/// Columns that we know how to write, with the expressions over `made`.
const TASK: [(&str, &str); 8] = [
    ("id", "id"),
    ("namespace", "namespace"),
    ("lane", "lane"),
    ("priority", "5"),
    ("created_at", "at"),
    ("run_at", "at"),
    ("payload", "'\\x7b7d'::bytea"),
    ("labels", "case when number % 1000 = 2 then '{\"bench\": \"rare\"}'::jsonb end"),
];
const RESULT: [(&str, &str); 11] = [
    ("id", "id"),
    ("namespace", "namespace"),
    ("lane", "lane"),
    ("run_at", "at"),
    ("priority", "5"),
    ("state", "case when number % 100 = 1 then 6 else 5 end"),
    ("attempt", "1"),
    ("tries", "1"),
    ("started_at", "at"),
    ("finished_at", "at + interval '1 s'"),
    (
        "error",
        "case when number % 100 = 1 then '{\"type\": \"bench\", \"message\": \"failed\"}'::jsonb end",
    ),
];

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Writes `count` tasks, a tenth of them into the queue `few`, and answers with when they were created.
///
/// # Errors
/// Of the database, or it has columns that are new to us.
pub(super) async fn fill(
    stand: &Stand<'_>,
    many: &str,
    few: &str,
    count: u32,
) -> Result<Span, Failure> {
    let database = stand.database()?;
    let mut connection = database.connect().await?;
    let spans = spans(&mut connection).await?;
    let (first, last) = (spans.first(), spans.last());
    let whole = first.zip(last).map(|(first, last)| Span { from: first.from, to: last.to });
    let whole = whole.ok_or_else(|| {
        Failure::new(Exit::Other, "the tables have no partition for the days that have gone by")
    })?;
    let statement = statement(&mut connection, many, few).await?;
    let (written, begun) = (AtomicU64::new(0), Instant::now());
    let portions = portions(&spans, count.into());
    let next = AtomicU64::new(0);
    let writer = || async {
        let mut connection = database.connect().await?;
        while let Some(portion) =
            usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok().and_then(|n| portions.get(n))
        {
            portion.write(&mut connection, &statement).await?;
            let before = written.fetch_add(portion.count, Ordering::Relaxed);
            let million = |tasks: u64| tasks / 1_000_000;
            if million(before) != million(before + portion.count) {
                let seconds = begun.elapsed().as_secs();
                let done = million(before + portion.count);
                stand.out().remark(&format!("history, {done} million tasks after {seconds} s …"));
            }
        }
        Ok::<_, Failure>(())
    };
    let all = async { tokio::try_join!(writer(), writer()) };
    debug_assert_eq!(WRITERS, 2, "as many as are joined");
    timeout(LONGEST, all).await.map_err(|_| {
        Failure::new(Exit::TimedOut, "the tasks were not written in time")
            .next("take fewer --history-tasks")
    })??;
    stand.out().remark("history, vacuum …");
    raw_sql("vacuum (analyze) task").execute(&mut connection).await.map_err(failed)?;
    raw_sql("vacuum (analyze) result").execute(&mut connection).await.map_err(failed)?;
    Ok(whole)
}

/// Tasks of one statement, spread evenly over some time.
#[derive(Debug, PartialEq)]
struct Portion {
    /// Number of the first.
    number: u64,
    count: u64,
    from_ms: f64,
    step_ms: f64,
}

impl Portion {
    async fn write(&self, connection: &mut PgConnection, statement: &str) -> Result<(), Failure> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let query = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
            .bind(whole(self.number))
            .bind(whole(self.count))
            .bind(self.from_ms)
            .bind(self.step_ms);
        query.execute(connection).await.map_err(failed)?;
        Ok(())
    }
}

/// Even over all spans, in the order of time.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 tasks and milliseconds")]
fn portions(spans: &[Span], count: u64) -> Vec<Portion> {
    let length = |span: &Span| (span.to - span.from) as f64;
    let whole: f64 = spans.iter().map(length).sum();
    let mut portions = Vec::new();
    let (mut number, mut so_far) = (0, 0.0);
    for span in spans {
        so_far += length(span);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most count"
        )]
        let end = (count as f64 * so_far / whole).round() as u64;
        let step_ms = length(span) / (end - number).max(1) as f64;
        let first = number;
        while number < end {
            let portion = PORTION.min(end - number);
            let from_ms = span.from as f64 + (number - first) as f64 * step_ms;
            portions.push(Portion { number, count: portion, from_ms, step_ms });
            number += portion;
        }
    }
    portions
}

/// The times for which both tables have a place.
async fn spans(connection: &mut PgConnection) -> Result<Vec<Span>, Failure> {
    let now = time::now().as_millisecond();
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or_default();
    let whole = Span { from: now - millis(OLDEST), to: now - millis(YOUNGEST) };
    let oldest = time::now() - OLDEST;
    let make = sqlx::query(MAKE).bind(oldest.to_string());
    make.execute(&mut *connection).await.map_err(failed)?;
    let mut spans = vec![whole];
    for table in ["task", "result"] {
        let rows = sqlx::query(PARTITIONS).bind(table).fetch_all(&mut *connection).await;
        let rows = rows.map_err(failed)?;
        if rows.is_empty() {
            continue;
        }
        let bounds = rows.iter().map(|row| row.try_get::<String, _>("bounds").map_err(failed));
        let places = bounds.collect::<Result<Vec<_>, _>>()?;
        let places: Vec<Span> = places.iter().filter_map(|bounds| span(bounds)).collect();
        spans = spans.iter().flat_map(|span| places.iter().filter_map(|p| p.meet(*span))).collect();
        spans.sort_unstable_by_key(|span| span.from);
    }
    Ok(spans)
}

impl Span {
    /// What both have, if it is anything.
    fn meet(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

/// Of `FOR VALUES FROM ('…') TO ('…')`, where each value is an id or has no limit. None for any other
/// partition, as the default one.
fn span(bounds: &str) -> Option<Span> {
    let (from, to) = bounds.strip_prefix("FOR VALUES FROM (")?.split_once(") TO (")?;
    let millis = |bound: &str, open: &str, limit: i64| {
        let bound = bound.trim_end_matches(')');
        if bound == open {
            return Some(limit);
        }
        let id: uuid::Uuid = bound.trim_matches('\'').parse().ok()?;
        i64::try_from(id.as_u128() >> 80).ok()
    };
    let to = millis(to, "MAXVALUE", i64::MAX)?;
    Some(Span { from: millis(from, "MINVALUE", 0)?, to })
}

/// $1 number of the first task, $2 how many, $3 $4 when the first was created and what lies between two,
/// in milliseconds.
async fn statement(
    connection: &mut PgConnection,
    many: &str,
    few: &str,
) -> Result<String, Failure> {
    let (many, namespace) = lane(connection, many).await?;
    let (few, _) = lane(connection, few).await?;
    let (task, task_values) = columns(connection, "task", &TASK).await?;
    let (result, result_values) = columns(connection, "result", &RESULT).await?;
    Ok(format!(
        "with numbers as (
             select $1::int8 + n as number, floor($3::float8 + n * $4::float8)::int8 as ms
             from generate_series(0, $2::int8 - 1) n
         ),
         made as materialized (
             select number, {namespace} as namespace, to_timestamp(ms / 1000.0) as at,
                    case when number % 10 = 0 then {few} else {many} end as lane,
                    (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(number % 4096), 3, '0') || 'a'
                     || lpad(to_hex(number), 15, '0'))::uuid as id
             from numbers
         ),
         tasks as (insert into task ({task}) select {task_values} from made)
         insert into result ({result}) select {result_values} from made"
    ))
}

async fn lane(connection: &mut PgConnection, queue: &str) -> Result<(i32, i32), Failure> {
    let row = sqlx::query(LANE).bind(queue).fetch_one(connection).await.map_err(failed)?;
    Ok((row.try_get("id").map_err(failed)?, row.try_get("namespace").map_err(failed)?))
}

/// Names and expressions of the columns that exist.
async fn columns(
    connection: &mut PgConnection,
    table: &str,
    known: &[(&'static str, &'static str)],
) -> Result<(String, String), Failure> {
    let rows = sqlx::query(NEEDED).bind(table).fetch_all(connection).await.map_err(failed)?;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for row in rows {
        let name: String = row.try_get("name").map_err(failed)?;
        match known.iter().find(|(other, _)| *other == name) {
            Some((name, value)) => {
                names.push(*name);
                values.push(*value);
            }
            None if row.try_get("is_needed").map_err(failed)? => {
                let text = format!("{table}.{name} is a column that this bellctl cannot fill");
                return Err(
                    Failure::new(Exit::Other, text).next("take a bellctl of the server's version")
                );
            }
            None => {}
        }
    }
    Ok((names.join(", "), values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_tell_the_times_of_their_ids() {
        let bounds = "FOR VALUES FROM ('01930000-0000-7000-8000-000000000000') TO \
            ('01930000-1000-0000-0000-000000000000')";
        let from = 0x0193_0000_0000;
        assert_eq!(span(bounds), Some(Span { from, to: from + 0x1000 }));
        let open = "FOR VALUES FROM (MINVALUE) TO ('01930000-0000-0000-0000-000000000000')";
        assert_eq!(span(open), Some(Span { from: 0, to: from }));
        assert_eq!(span("DEFAULT"), None);
    }

    #[test]
    fn tasks_are_spread_evenly_over_all_spans() {
        let spans = [Span { from: 0, to: 3_000 }, Span { from: 9_000, to: 10_000 }];
        let portions = portions(&spans, 60_000);
        let of = |n: usize| (portions[n].number, portions[n].count, portions[n].from_ms.round());
        assert_eq!(of(0), (0, 20_000, 0.0));
        assert_eq!(of(2), (40_000, 5_000, 2_667.0));
        assert_eq!(of(3), (45_000, 15_000, 9_000.0));
        assert_eq!(portions.iter().map(|portion| portion.count).sum::<u64>(), 60_000);
        let last = &portions[3];
        assert!(last.from_ms + last.step_ms * 14_999.0 < 10_000.0);
    }

    #[test]
    fn spans_meet_where_both_are() {
        let span = |from, to| Span { from, to };
        assert_eq!(span(0, 10).meet(span(5, 20)), Some(span(5, 10)));
        assert_eq!(span(0, 5).meet(span(5, 20)), None);
    }
}
