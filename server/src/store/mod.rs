//! The only place with SQL: one function for each file under `sql/`, in domain types. Decides
//! nothing; every statement carries its own condition.

mod access;
mod audit;
mod bloat;
mod claim;
mod cluster;
mod connections;
mod error;
mod finish;
mod firing;
mod history;
mod lanes;
mod listener;
mod observe;
mod pooler;
mod queues;
mod rows;
mod schedules;
mod sessions;
pub mod statements;
mod statistics;
mod stored_task;
mod submit;
mod tasks;
mod traces;
mod upkeep;
mod wall;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff_sqlx::ToSqlx as _;
use sqlx::migrate::Migrate as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Execute as _, Postgres, SqlStr};

pub use access::{KeyRow, NewKeyRow};
pub use audit::{AuditQuery, AuditRow, Decision};
pub use bloat::{Bloat, TableBloat};
pub use claim::{Claim, Claimed, Pair, Slot};
pub use cluster::{ClusterRow, ReplicaRow};
pub use error::Error;
pub use finish::{Ended, Lease, Past, Settlement, Success};
pub use firing::{DueRow, Fired, HealthRow, LeaderLook, Moved, Run, Settle, Term};
pub use history::{Keeper, Kept, RetentionRow};
pub use lanes::LaneRow;
pub use listener::{Listener, Notification};
pub use observe::{Audit, DepthRow};
pub use queues::QueueRow;
pub use schedules::{ByHand, ByHandAnswer, FiresBefore, FiresQuery, PutSchedule};
pub use sessions::{LeaseRow, Resumed, SessionRow};
pub use statistics::{RolledUp, StatKey, StatQuery};
pub use submit::{Keyed, KeyedAnswers, Leased, Row as SubmitRow};
pub use tasks::{CancelRow, ListRows, TaskRow};
pub use traces::EndedRow;
pub use upkeep::{Overdue, Since, UpkeepLook};
pub use watch::{Horizon, JournalRow, RevisionRow, Sight};

use connections::Connections;
use wall::{Beginning, Behalf};

use crate::clock::Clock;
use crate::metrics::{self, Statements};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Where the database is and how to use it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres://…`
    pub url: String,
    /// Connections for statements of the hot path.
    pub hot_connections: u32,
    /// Connections for reading.
    pub read_connections: u32,
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Longest run of a statement.
    pub statement_timeout: Duration,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    hot: Connections,
    read: Connections,
    statements: Statements,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    is_walled: bool,
    above: Option<Arc<str>>,
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// What the planner is told on every connection.
pub const PLANNER: [(&str, &str); 3] =
    [("jit", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off")];
/// And where tasks are moved: a queue's tables are empty when statistics are taken, so plans must not depend on them.
pub const PLANNER_HOT: [(&str, &str); 4] = [
    ("enable_nestloop", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_memoize", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];
/// And for reading, which goes by id and keyset: index look-ups from the inside out.
pub const PLANNER_READ: [(&str, &str); 1] = [("enable_hashjoin", "off")];

impl Store {
    /// Connects to a migrated database.
    ///
    /// # Errors
    /// If the database cannot be reached, is too old, stands behind a pooler in transaction mode, or
    /// has not the schema of this version.
    pub async fn connect(
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: &metrics::Database,
    ) -> anyhow::Result<Self> {
        let options: PgConnectOptions =
            settings.url.parse().context("the database URL is wrong")?;
        check_schema(&options).await?;
        let options = options.application_name("bellringer").options([
            ("statement_timeout", format!("{}ms", settings.statement_timeout.as_millis())),
            ("idle_in_transaction_session_timeout", "5s".to_owned()),
            ("timezone", "UTC".to_owned()),
        ]);
        let options = options.options(PLANNER);
        let hot = options.clone().options(PLANNER_HOT);
        pooler::refuse(&hot).await?;
        let footing = wall::look(&hot).await?;
        if let Some(what) = &footing.lacking {
            tracing::warn!(what, "namespaces are kept apart by the statements alone");
        }
        let read = options.options(PLANNER_READ);
        Ok(Self {
            hot: Connections::new(
                hot,
                settings.hot_connections,
                settings.acquire_timeout,
                &metrics.hot,
            ),
            read: Connections::new(
                read,
                settings.read_connections,
                settings.acquire_timeout,
                &metrics.read,
            ),
            statements: metrics.statements.clone(),
            settings: Arc::new(settings),
            clock,
            is_walled: footing.lacking.is_none(),
            above: footing.above.map(Into::into),
        })
    }

    /// Closes all connections, within two seconds.
    pub async fn close(&self) {
        let both = async { tokio::join!(self.hot.close(), self.read.close()) };
        if tokio::time::timeout(Duration::from_secs(2), both).await.is_err() {
            tracing::warn!("database connections did not close in time");
        }
    }

    /// The name of the database's role, if it is a superuser's or one that policies do not concern.
    pub fn above(&self) -> Option<&str> {
        self.above.as_deref()
    }

    /// The clock that the store's statements go by.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The time to put into a statement: `null` unless the clock is set by hand.
    fn now(&self) -> Option<jiff_sqlx::Timestamp> {
        self.clock.pinned().map(|now| now.to_sqlx())
    }

    async fn hot_rows(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        self.rows(&self.hot, Behalf::Service, statement).await
    }

    async fn read_rows(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        self.rows(&self.read, Behalf::Service, statement).await
    }

    /// Runs one statement of a transaction and measures it, the commit not included. `limit`: what the transaction has
    /// for its limit, if that is what was left of the time of its call.
    async fn in_transaction(
        &self,
        connection: &mut sqlx::PgConnection,
        limit: Option<Duration>,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        let (text, arguments) = parts(statement)?;
        let running = self.statements.start(text.as_str());
        let answer = sqlx::query_with(text, arguments).fetch_all(connection).await;
        running.end(answer.as_ref().err().and_then(|error| failure(error, limit)));
        answer.map_err(|error| Error::during(error).within(limit))
    }

    /// Does not wait for longer than the database works on a statement. A transaction with a limit of its own, as that
    /// of statistics, may take longer.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout(self.longest(), work).await.unwrap_or(Err(Error::Unknown(None)))
    }

    /// One statement of a transaction without a limit of its own, in time.
    async fn step(
        &self,
        connection: &mut sqlx::PgConnection,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        self.in_time(self.in_transaction(connection, None, statement)).await
    }

    /// Longest wait for what the database ends by itself before: past it the connection is dead.
    fn longest(&self) -> Duration {
        self.settings.statement_timeout + Duration::from_secs(1)
    }

    /// Runs one statement as its own transaction, which only reads if it is not the service's.
    async fn rows(
        &self,
        from: &Connections,
        behalf: Behalf<'_>,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        let (text, arguments) = parts(statement)?;
        let mut held = from.acquire().await?;
        let beginning = match behalf {
            Behalf::Service => Beginning::default(),
            Behalf::Caller => self.beginning(None),
            Behalf::Tenant(tenant) => self.beginning(Some(tenant)),
        };
        let begin = beginning.reading();
        let begins = begin.is_some();
        let running = self.statements.start(text.as_str());
        let statement = sqlx::query_with(text, arguments);
        let work = async {
            if let Some(text) = begin {
                wall::run(&mut held.connection, text).await?;
            }
            statement.fetch_all(&mut held.connection).await
        };
        let answer = tokio::time::timeout(self.longest(), work).await;
        let failed = match &answer {
            Ok(answer) => answer.as_ref().err().and_then(|error| failure(error, beginning.limit)),
            Err(_) => Some("unknown"),
        };
        running.end(failed);
        match answer {
            Ok(Ok(rows)) => {
                if begins {
                    wall::leave(&mut held.connection);
                }
                held.release();
                Ok(rows)
            }
            Ok(Err(error)) => {
                let error = Error::during(error).within(beginning.limit);
                match error {
                    Error::Collision(_) | Error::Refused(_) if !begins => held.release(),
                    // Closed, and with it the transaction.
                    Error::Collision(_) | Error::Refused(_) | Error::OutOfTime(_) => {}
                    Error::Unavailable(_) | Error::Busy | Error::Corrupt(_) => {}
                    Error::Unknown(_) => from.distrust(),
                }
                Err(error)
            }
            // The socket is dropped: nobody knows what it is doing.
            Err(_) => Err(Error::Unknown(None)),
        }
    }
}

/// The text of a statement, by which it is measured, and what is bound to it.
fn parts(mut statement: Statement<'_>) -> Result<(SqlStr, PgArguments), Error> {
    let arguments = statement.take_arguments().map_err(sqlx::Error::Encode);
    let arguments = arguments.map_err(Error::during)?.unwrap_or_default();
    Ok((statement.sql(), arguments))
}

/// The kind of an error that is to be counted.
fn failure(error: &sqlx::Error, limit: Option<Duration>) -> Option<&'static str> {
    // How long callers wait is up to them.
    let is_the_callers = limit.is_some() && error::is_cancelled(error);
    (!is_the_callers).then(|| Error::kind_of(error))
}

/// Brings the schema of a database up to this version, and answers with what was applied. Safe to run
/// on several replicas at once. A schema of a later version is left as it is: this version serves on it,
/// as it does in the middle of an upgrade, and after one that is taken back.
///
/// # Errors
/// If the database cannot be reached, or PostgreSQL is older than version 14.
pub async fn migrate(url: &str) -> anyhow::Result<Vec<String>> {
    let options: PgConnectOptions = url.parse().context("the database URL is wrong")?;
    let mut connection = connect(&options).await?;
    check_version(&mut connection).await?;
    let before = applied(&mut connection).await?;
    let mut migrations = sqlx::migrate!("./migrations");
    migrations
        .set_ignore_missing(true)
        .run_direct(None, &mut connection, false)
        .await
        .context("failed to migrate the database")?;
    let after = applied(&mut connection).await?;
    wall::build(&mut connection).await?;
    connection.close().await.ok();
    Ok(MIGRATIONS
        .iter()
        .filter(|known| after.contains(&known.version) && !before.contains(&known.version))
        .map(|known| format!("{:04} {}", known.version, known.description))
        .collect())
}

async fn connect(options: &PgConnectOptions) -> anyhow::Result<sqlx::PgConnection> {
    let attempt = sqlx::PgConnection::connect_with(options);
    tokio::time::timeout(Duration::from_secs(10), attempt)
        .await
        .context("the database did not answer within 10 s")?
        .context("cannot connect to the database")
}

async fn check_version(connection: &mut sqlx::PgConnection) -> anyhow::Result<()> {
    let version: String = sqlx::query_scalar("select current_setting('server_version_num')")
        .fetch_one(connection)
        .await?;
    let number: u32 = version.parse().context("the database's version is not a number")?;
    anyhow::ensure!(number >= 140_000, "PostgreSQL 14 or newer is needed, this is {number}");
    Ok(())
}

async fn applied(connection: &mut sqlx::PgConnection) -> anyhow::Result<Vec<i64>> {
    let table = "_sqlx_migrations";
    connection.ensure_migrations_table(table).await?;
    Ok(connection.list_applied_migrations(table).await?.into_iter().map(|m| m.version).collect())
}

/// Refuses a schema that this version does not know, so that nothing is written wrongly.
async fn check_schema(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = connect(options).await?;
    check_version(&mut connection).await?;
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut connection)
        .await?;
    anyhow::ensure!(exists, "the database has no schema yet: run `bellringer migrate`");
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success")
            .fetch_all(&mut connection)
            .await?;
    for known in MIGRATIONS.iter() {
        anyhow::ensure!(
            applied.contains(&known.version),
            "the database lacks migration {:04}: run `bellringer migrate`",
            known.version
        );
    }
    connection.close().await.ok();
    Ok(())
}
