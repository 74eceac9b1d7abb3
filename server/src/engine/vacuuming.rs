//! Keeps the hot tables small where autovacuum is too slow for them: by default it looks once a minute,
//! in which tens of thousands of tasks leave as many dead rows behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::store::{Bloat, Store, TableBloat};

/// How often the tables are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// The same while rows die fast, and then less and less often: the tables grow to what dies between two vacuums, and
/// their indexes keep that size.
const SOON: Duration = Duration::from_secs(1);
/// With so many dead rows they die fast.
const SOME: u64 = 5_000;
/// Fewer dead rows than this are left to autovacuum.
const MANY: u64 = 20_000;
/// Least time between two vacuums of a table; twice as long after each that could not remove much, since something keeps
/// the rows that is not seen from here: a replication slot, a standby, another role's transaction.
const APART: Duration = Duration::from_secs(2);
const MOST_APART: Duration = Duration::from_secs(64);
/// A vacuum reads the whole index, so that a large table is worth it only for this share of it.
const SHARE: u64 = 20;
/// A snapshot that is held for longer is worth a warning.
const LONG: Duration = Duration::from_secs(300);

/// Looks at the hot tables and vacuums them.
#[derive(Debug)]
pub(super) struct Vacuuming {
    store: Store,
    metrics: Arc<Metrics>,
}

impl Vacuuming {
    /// Ready to run.
    pub(super) fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    /// Looks again and again, until stopped.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut has_warned = false;
        let mut pause = EVERY;
        let mut vacuums = HashMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(EVERY);
            match self.round(&mut vacuums).await {
                Ok(bloat) => {
                    if bloat.tables.iter().any(|table| table.dead >= SOME) {
                        pause = SOON;
                    }
                    let is_long = bloat.snapshot_age > LONG;
                    if is_long && !has_warned {
                        tracing::warn!(
                            age_seconds = bloat.snapshot_age.as_secs(),
                            "a transaction holds an old snapshot: dead rows cannot be removed"
                        );
                    }
                    has_warned = is_long;
                }
                Err(error) => tracing::debug!(%error, "failed to look after the hot tables"),
            }
        }
    }

    /// Looks once, and vacuums what needs it.
    async fn round(
        &self,
        vacuums: &mut HashMap<String, Vacuum>,
    ) -> Result<Bloat, crate::store::Error> {
        let bloat = self.store.bloat().await?;
        for table in &bloat.tables {
            let last = vacuums.entry(table.table.clone()).or_default();
            last.judge(table.dead);
            if needs_vacuum(table, bloat.snapshot_age, last.apart) {
                tracing::debug!(table = table.table, dead = table.dead, "vacuuming");
                self.store.vacuum(table).await?;
                last.of = Some(table.dead);
            }
        }
        self.tell(&bloat);
        Ok(bloat)
    }

    fn tell(&self, bloat: &Bloat) {
        let database = &self.metrics.database;
        database.oldest_snapshot.set(bloat.snapshot_age.as_secs_f64());
        database.oldest_xmin.set(i64::try_from(bloat.xmin_age).unwrap_or(i64::MAX));
        for table in &bloat.tables {
            database.set_dead_rows(&table.table, i64::try_from(table.dead).unwrap_or(i64::MAX));
        }
    }
}

/// What the last vacuum of a table has shown.
#[derive(Debug)]
struct Vacuum {
    /// Of how many dead rows it was, until the next look.
    of: Option<u64>,
    /// Least time until the next one.
    apart: Duration,
}

impl Default for Vacuum {
    fn default() -> Self {
        Self { of: None, apart: APART }
    }
}

impl Vacuum {
    /// The look after it sees so many dead rows.
    fn judge(&mut self, dead: u64) {
        match self.of.take() {
            Some(of) if dead > of / 2 => self.apart = (self.apart * 2).min(MOST_APART),
            Some(_) => self.apart = APART,
            None => {}
        }
    }
}

/// Whether a vacuum would remove much. What died after the oldest snapshot was taken has to stay, so if
/// that snapshot is older than the last vacuum, another one finds nothing new to remove.
fn needs_vacuum(table: &TableBloat, snapshot_age: Duration, apart: Duration) -> bool {
    table.may_vacuum
        && table.dead >= MANY
        && table.dead >= table.live / SHARE
        && table.vacuumed.is_none_or(|ago| ago >= apart && ago > snapshot_age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(dead: u64, live: u64, vacuumed: Option<u64>) -> TableBloat {
        let vacuumed = vacuumed.map(Duration::from_secs);
        TableBloat { table: "ready".to_owned(), dead, live, vacuumed, may_vacuum: true }
    }

    #[test]
    fn a_vacuum_comes_for_many_dead_rows_that_it_can_remove() {
        let brief = Duration::from_millis(5);
        for (table, snapshot_age, expected) in [
            (table(19_999, 0, None), brief, false),
            (table(20_000, 0, None), brief, true),
            (table(20_000, 0, Some(1)), brief, false),
            (table(20_000, 0, Some(2)), brief, true),
            (table(20_000, 0, Some(30)), brief, true),
            (table(20_000, 0, Some(30)), Duration::from_secs(60), false),
            (table(20_000, 0, Some(90)), Duration::from_secs(60), true),
            (table(20_000, 5_000_000, Some(90)), brief, false),
            (table(250_000, 5_000_000, Some(90)), brief, true),
        ] {
            assert_eq!(
                needs_vacuum(&table, snapshot_age, APART),
                expected,
                "{table:?} {snapshot_age:?}"
            );
        }
        let others = TableBloat { may_vacuum: false, ..table(20_000, 0, None) };
        assert!(!needs_vacuum(&others, brief, APART), "PostgreSQL would skip it with a warning");
    }

    #[test]
    fn vacuums_that_remove_nothing_come_less_and_less_often_until_one_does() {
        let mut vacuum = Vacuum::default();
        let mut apart = Vec::new();
        for dead in [30_000, 40_000, 16_000, 4_000] {
            vacuum.of = Some(30_000);
            vacuum.judge(dead);
            // A look without a vacuum before it says nothing.
            vacuum.judge(30_000);
            apart.push(vacuum.apart.as_secs());
        }
        assert_eq!(apart, [4, 8, 16, 2]);
        for _ in 0..20 {
            vacuum.of = Some(1);
            vacuum.judge(1);
        }
        assert_eq!(vacuum.apart, MOST_APART);
    }
}
