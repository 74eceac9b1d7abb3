//! Reading columns. A row that cannot be read is an error, never a panic.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::types::Json;
use sqlx::{Decode, Postgres, Row as _, Type};

use crate::domain::{Payload, Progress, RetryPolicy, TaskError, TaskState};

/// A column that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("column {column}: {why}")]
pub(super) struct Corrupt {
    column: String,
    why: String,
}

pub(super) fn corrupt(column: &str, why: impl Into<String>) -> Corrupt {
    Corrupt { column: column.to_owned(), why: why.into() }
}

pub(super) fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, Corrupt>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| corrupt(column, error.to_string()))
}

pub(super) fn time(row: &PgRow, column: &str) -> Result<Timestamp, Corrupt> {
    Ok(get::<jiff_sqlx::Timestamp>(row, column)?.to_jiff())
}

pub(super) fn maybe_time(row: &PgRow, column: &str) -> Result<Option<Timestamp>, Corrupt> {
    Ok(get::<Option<jiff_sqlx::Timestamp>>(row, column)?.map(jiff_sqlx::Timestamp::to_jiff))
}

/// The time between two times.
pub(super) fn interval(row: &PgRow, column: &str) -> Result<Duration, Corrupt> {
    // The difference of two times has days and less, no months.
    const DAY: i64 = 86_400_000_000;
    let between: PgInterval = get(row, column)?;
    let micros = i64::from(between.days).saturating_mul(DAY).saturating_add(between.microseconds);
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

/// A large number that is never negative.
pub(super) fn count_of(row: &PgRow, column: &str) -> Result<u64, Corrupt> {
    let value: i64 = get(row, column)?;
    u64::try_from(value).map_err(|_| corrupt(column, format!("{value} is negative")))
}

/// A number that is never negative.
pub(super) fn count(row: &PgRow, column: &str) -> Result<u32, Corrupt> {
    let value: i32 = get(row, column)?;
    u32::try_from(value).map_err(|_| corrupt(column, format!("{value} is negative")))
}

pub(super) fn state(row: &PgRow) -> Result<TaskState, Corrupt> {
    let code: i16 = get(row, "state")?;
    TaskState::from_code(code).ok_or_else(|| corrupt("state", format!("{code} is no state")))
}

pub(super) fn error(row: &PgRow, column: &str) -> Result<Option<TaskError>, Corrupt> {
    Ok(get::<Option<Json<TaskError>>>(row, column)?.map(|json| json.0))
}

pub(super) fn labels(row: &PgRow) -> Result<BTreeMap<String, String>, Corrupt> {
    Ok(get::<Option<Json<BTreeMap<String, String>>>>(row, "labels")?
        .map(|json| json.0)
        .unwrap_or_default())
}

pub(super) fn retry(row: &PgRow) -> Result<Option<RetryPolicy>, Corrupt> {
    Ok(get::<Option<Json<RetryPolicy>>>(row, "retry")?.map(|json| json.0))
}

/// A payload; `None` if the column with the data is null.
pub(super) fn payload(row: &PgRow, data: &str, kind: &str) -> Result<Option<Payload>, Corrupt> {
    let Some(data) = get::<Option<Vec<u8>>>(row, data)? else { return Ok(None) };
    Ok(Some(Payload { data: Bytes::from(data), content_type: get(row, kind)? }))
}

/// Last progress; `None` if there was none (a checkpoint alone is not progress).
pub(super) fn progress(row: &PgRow) -> Result<Option<Progress>, Corrupt> {
    let Some(reported_at) = maybe_time(row, "progress_reported_at")? else { return Ok(None) };
    Ok(Some(Progress {
        current: get::<Option<f64>>(row, "progress_current")?.unwrap_or_default(),
        total: get::<Option<f64>>(row, "progress_total")?.unwrap_or_default(),
        message: get::<Option<String>>(row, "progress_message")?.unwrap_or_default(),
        reported_at: Some(reported_at),
    }))
}

/// Reads every row.
pub(super) fn all<T>(
    rows: &[PgRow],
    read: impl Fn(&PgRow) -> Result<T, Corrupt>,
) -> Result<Vec<T>, super::Error> {
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
