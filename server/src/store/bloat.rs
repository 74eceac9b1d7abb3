//! Dead rows of the hot tables, and getting rid of them.

use std::time::Duration;

use sqlx::query;

use super::rows::{Corrupt, all, get};
use super::{Error, Store, statements as sql};

/// A hot table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableBloat {
    /// Its name.
    pub table: String,
    /// Rows that are dead and still there, roughly.
    pub dead: u64,
    /// Rows that live, roughly.
    pub live: u64,
    /// How long ago it was vacuumed, by whomever; `None`: never.
    pub vacuumed: Option<Duration>,
    /// Whether the role of this server may vacuum it.
    pub may_vacuum: bool,
}

/// What of the hot tables is dead, and what keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bloat {
    /// The hot tables.
    pub tables: Vec<TableBloat>,
    /// Age of the oldest transaction of this database that holds a snapshot. Roles other than
    /// superusers see those of their own alone.
    pub snapshot_age: Duration,
    /// How many transactions ago the oldest one began whose dead rows must be kept: of any database,
    /// replication slot or prepared transaction that can be seen.
    pub xmin_age: u64,
}

impl Store {
    /// Looks at the hot tables.
    pub async fn bloat(&self) -> Result<Bloat, Error> {
        let rows = self.read_rows(query(sql::UPKEEP_BLOAT)).await?;
        let mut bloat = Bloat::default();
        for (table, snapshot_age, xmin_age) in all(&rows, |row| {
            let table = TableBloat {
                table: get(row, "name")?,
                dead: natural(get(row, "dead")?),
                live: natural(get(row, "live")?),
                vacuumed: get::<Option<f64>>(row, "vacuumed")?.map(seconds),
                may_vacuum: get(row, "may_vacuum")?,
            };
            Ok::<_, Corrupt>((
                table,
                get::<f64>(row, "snapshot_age")?,
                get::<i64>(row, "xmin_age")?,
            ))
        })? {
            bloat.tables.push(table);
            (bloat.snapshot_age, bloat.xmin_age) = (seconds(snapshot_age), natural(xmin_age));
        }
        Ok(bloat)
    }

    /// Vacuums a hot table, unless somebody is at it. Its file is not made smaller: that would need a
    /// lock that stops everybody.
    pub async fn vacuum(&self, table: &TableBloat) -> Result<(), Error> {
        let statement = match table.table.as_str() {
            "ready" => "vacuum (skip_locked, truncate off, index_cleanup on) ready",
            "scheduled" => "vacuum (skip_locked, truncate off, index_cleanup on) scheduled",
            "inflight" => "vacuum (skip_locked, truncate off, index_cleanup on) inflight",
            "worker_session" => {
                "vacuum (skip_locked, truncate off, index_cleanup on) worker_session"
            }
            _ => return Ok(()),
        };
        self.read_rows(query(statement)).await.map(drop)
    }
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}
