//! Partitions of what is kept, and deleting what was kept long enough. On a connection of its own, since these
//! statements run for as long as they need.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, Postgres, query};
use uuid::Uuid;

use super::rows::{all, get, maybe_time};
use super::submit::milliseconds;
use super::{Error, Store, statements as sql, wall};
use crate::domain::{Partition, Retention};

/// Longest wait for the connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for a statement: past it the connection is taken for dead.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Ends a statement whose client is gone. Some systems and some hosted databases refuse it, hence not at start-up.
const CHECK_CLIENT: &str = "set client_connection_check_interval = '10s'";

/// How long the finished tasks of a lane are kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionRow {
    /// Number of the lane.
    pub lane: i32,
    /// How long.
    pub retention: Retention,
}

/// How long tasks are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// By lane.
    pub lanes: Vec<RetentionRow>,
    /// As long as their idempotency keys, at least for this.
    pub idempotency: Duration,
}

/// Who looks after the partitions.
#[derive(Debug)]
pub struct Keeper {
    connection: PgConnection,
    store: Store,
    /// What statements go by instead of their own time.
    now: Option<jiff_sqlx::Timestamp>,
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl Store {
    /// Opens the connection.
    pub async fn keeper(&self) -> Result<Keeper, Error> {
        let options: PgConnectOptions = self.settings.url.parse().map_err(Error::before)?;
        let options = options.application_name("bellringer history").options([
            ("timezone", "UTC"),
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "5s"),
        ]);
        let connecting = PgConnection::connect_with(&options);
        let mut connection = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| Error::before(sqlx::Error::PoolTimedOut))?
            .map_err(Error::before)?;
        let watching = wall::run(&mut connection, CHECK_CLIENT.to_owned());
        if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, watching).await {
            // A lost connection shows at the next statement.
            tracing::debug!(%error, "this server cannot watch its clients");
        }
        Ok(Keeper { connection, store: self.clone(), now: self.now() })
    }
}

impl Kept {
    fn bind<'q>(&self, statement: Statement<'q>) -> Statement<'q> {
        let column = |value: fn(&Retention) -> Duration| {
            self.lanes.iter().map(|row| milliseconds(value(&row.retention))).collect::<Vec<_>>()
        };
        statement
            .bind(self.lanes.iter().map(|row| row.lane).collect::<Vec<_>>())
            .bind(column(|r| r.succeeded))
            .bind(column(|r| r.failed))
            .bind(column(|r| r.cancelled))
            .bind(column(|r| r.expired))
            .bind(milliseconds(self.idempotency))
    }
}

impl Keeper {
    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let rows = self.store.in_transaction(&mut self.connection, None, statement);
        tokio::time::timeout(LONGEST, rows).await.unwrap_or(Err(Error::Unknown(None)))
    }

    /// The time that everything goes by from here on. It is the database's, since clocks of replicas differ: what one
    /// of them takes for over, others may still write to.
    pub async fn set_time(&mut self) -> Result<Timestamp, Error> {
        let rows = self.rows(query(sql::HISTORY_NOW).bind(self.now)).await?;
        let now: jiff_sqlx::Timestamp = one(&rows, "now")?;
        self.now = Some(now);
        Ok(now.to_jiff())
    }

    /// Whether nobody else looks after the partitions, from now on until this one ends: by a lock of the session,
    /// which lasts as long as its statements, whatever is known here of them.
    pub async fn is_alone(&mut self) -> Result<bool, Error> {
        one(&self.rows(query(sql::HISTORY_LOCK)).await?, "is_alone")
    }

    /// Takes or keeps the turn; false if another replica has it.
    pub async fn turn(&mut self, replica: Uuid, keep: Duration) -> Result<bool, Error> {
        let statement = query(sql::HISTORY_TURN).bind(replica).bind(milliseconds(keep));
        Ok(!self.rows(statement).await?.is_empty())
    }

    /// Drops what a round that was broken off has left behind; how many partitions.
    pub async fn clean(&mut self) -> Result<i32, Error> {
        one(&self.rows(query(sql::HISTORY_CLEAN)).await?, "dropped")
    }

    /// Makes the partitions from the day of so long ago to so many days ahead; how many.
    pub async fn make(&mut self, ago: Duration, days: i32) -> Result<i32, Error> {
        let statement = query(sql::HISTORY_MAKE).bind(self.now).bind(milliseconds(ago)).bind(days);
        one(&self.rows(statement).await?, "made")
    }

    /// The partitions, oldest first.
    pub async fn partitions(&mut self) -> Result<Vec<Partition>, Error> {
        all(&self.rows(query(sql::HISTORY_LIST)).await?, |row| {
            Ok(Partition {
                suffix: get(row, "suffix")?,
                first: get(row, "first")?,
                last: get(row, "last")?,
                examined_at: maybe_time(row, "examined_at")?,
                tasks: get::<Option<i64>>(row, "tasks")?.map(natural),
            })
        })
    }

    /// Lets no more tasks into a partition, and counts those in it that were kept long enough and those that
    /// are to stay.
    pub async fn close(&mut self, suffix: &str, kept: &Kept) -> Result<(u64, u64), Error> {
        self.shut(suffix).await?;
        let statement = query(sql::HISTORY_COUNT).bind(suffix).bind(self.now);
        let rows = self.rows(kept.bind(statement)).await?;
        Ok((natural(one(&rows, "gone")?), natural(one(&rows, "kept")?)))
    }

    async fn shut(&mut self, suffix: &str) -> Result<(), Error> {
        self.rows(query(sql::HISTORY_CLOSE).bind(suffix)).await.map(drop)
    }

    /// Notes that a partition was looked at, and how many tasks it keeps.
    pub async fn examined(&mut self, suffix: &str, tasks: u64) -> Result<(), Error> {
        let statement = query(sql::HISTORY_EXAMINED)
            .bind(suffix)
            .bind(self.now)
            .bind(i64::try_from(tasks).unwrap_or(i64::MAX));
        self.rows(statement).await.map(drop)
    }

    /// Puts a partition `name` with what has to be kept in the place of others, which must follow each other and
    /// take no more tasks. They are closed, since one that was put in the place of others is not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the tables are too busy to be locked; nothing was changed then.
    pub async fn replace(
        &mut self,
        suffixes: &[String],
        name: &str,
        kept: &Kept,
    ) -> Result<(), Error> {
        for suffix in suffixes {
            self.shut(suffix).await?;
        }
        let statement = query(sql::HISTORY_KEEP).bind(name).bind(suffixes).bind(self.now);
        let horizon: i64 = one(&self.rows(kept.bind(statement)).await?, "horizon")?;
        self.put(suffixes, Some(name), horizon).await
    }

    /// Drops a closed partition, in which nothing has to be kept.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub async fn drop(&mut self, suffix: &str) -> Result<(), Error> {
        self.put(&[suffix.to_owned()], None, 0).await
    }

    async fn put(
        &mut self,
        suffixes: &[String],
        name: Option<&str>,
        horizon: i64,
    ) -> Result<(), Error> {
        /// How often a busy lock is tried for.
        const TRIES: u32 = 20;
        let mut tries = 0;
        loop {
            tries += 1;
            let statement = query(sql::HISTORY_REPLACE).bind(suffixes).bind(name).bind(horizon);
            match self.rows(statement).await {
                Err(Error::Unavailable(_) | Error::Collision(_)) if tries < TRIES => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                done => return done.map(drop),
            }
        }
    }

    /// Looks at up to `limit` finished tasks with ids in [`from`, `before`) and deletes those that were kept
    /// long enough; answers with how many, and the last id that it looked at.
    pub async fn delete(
        &mut self,
        (from, before): (Uuid, Uuid),
        kept: &Kept,
        limit: i64,
    ) -> Result<(u64, Option<Uuid>), Error> {
        let statement =
            query(sql::HISTORY_DELETE).bind(self.now).bind(from).bind(before).bind(limit);
        let rows = self.rows(kept.bind(statement)).await?;
        Ok((natural(one(&rows, "gone")?), one(&rows, "last_id")?))
    }

    /// Deletes up to `limit` tasks with ids from `from` on that came to their end in these transactions and
    /// were kept long enough; how many.
    pub async fn delete_brief(
        &mut self,
        from: Uuid,
        (since, until): (i64, i64),
        kept: &Kept,
        limit: i64,
    ) -> Result<u64, Error> {
        let statement = query(sql::HISTORY_DELETE_BRIEF)
            .bind(self.now)
            .bind(from)
            .bind(Uuid::max())
            .bind(since)
            .bind(until)
            .bind(limit);
        Ok(natural(one(&self.rows(kept.bind(statement)).await?, "gone")?))
    }

    /// Notes which transactions have ended by now; answers with the number before which all had ended by each
    /// of these times, as far as is known (else 0).
    pub async fn tick(&mut self, times: &[Timestamp]) -> Result<Vec<i64>, Error> {
        let times: Vec<_> = times.iter().map(|time| time.to_sqlx()).collect();
        let statement = query(sql::HISTORY_TICK).bind(self.now).bind(times);
        all(&self.rows(statement).await?, |row| get(row, "xid"))
    }

    /// Deletes idempotency keys and progress of tasks in [`from`, `before`) that are gone; how many, up to
    /// `limit` of each.
    pub async fn sweep(&mut self, (from, before): (Uuid, Uuid), limit: i64) -> Result<u64, Error> {
        let statement = query(sql::HISTORY_SWEEP).bind(from).bind(before).bind(limit);
        Ok(natural(one(&self.rows(statement).await?, "swept")?))
    }

    /// Gives the lock back and closes the connection, whose session would hold it for a moment more.
    pub async fn close_connection(mut self) {
        let closing = async {
            self.rows(query(sql::HISTORY_UNLOCK)).await.ok();
            self.connection.close().await.ok();
        };
        tokio::time::timeout(PATIENCE, closing).await.ok();
    }
}

/// The only row's column.
fn one<'r, T>(rows: &'r [PgRow], column: &str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    let row = rows.first().ok_or_else(|| Error::Corrupt(format!("no row with {column}")))?;
    Ok(get(row, column)?)
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
