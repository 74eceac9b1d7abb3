//! The database under the server, as far as a benchmark looks at it.

use std::path::PathBuf;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row, raw_sql};
use tokio::sync::Mutex;

use crate::failure::Failure;

const WAL: &str = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8";

/// Where the extension is there and may be read.
const STATEMENTS: &str = "
select sum(calls)::float8 from pg_stat_statements
where dbid = (select oid from pg_database where datname = current_database())";

const TRANSACTIONS: &str = "
select (xact_commit + xact_rollback)::float8 from pg_stat_database
where datname = current_database()";

const SETTINGS: &str = "
select name, current_setting(name) as setting from pg_settings
where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes',
    'wal_sync_method', 'shared_buffers', 'max_wal_size', 'autovacuum_naptime', 'wal_level')
order by name";

/// With the partitions of those that have some.
const SIZES: &str = "
select c.relname::text as name, sum(pg_table_size(p.relid))::float8 as heap,
       sum(pg_indexes_size(p.relid))::float8 as indexes
from pg_class c
cross join lateral (
    select c.oid as relid union all
    select inhrelid from pg_inherits where inhparent = c.oid
) p
where c.relname = any ($1::text[]) and c.relnamespace = current_schema()::regnamespace
group by c.relname order by c.relname";

/// Tables whose rows live for moments.
pub(super) const HOT: [&str; 4] = ["inflight", "ready", "scheduled", "worker_session"];

/// Where the socket is, if there is one: the way that `bellringer dev` takes.
const SOCKET: &str = "
select split_part(current_setting('unix_socket_directories'), ',', 1) as folder,
       current_setting('port') as port";

/// One connection, for questions between the measurements.
pub(super) struct Database {
    pub(super) url: String,
    /// Folder of the socket, if it can be reached from here.
    socket: Option<PathBuf>,
    connection: Mutex<PgConnection>,
}

/// Bytes of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) table: String,
    pub(super) heap: f64,
    pub(super) indexes: f64,
}

impl Database {
    /// # Errors
    /// The database cannot be reached.
    pub(super) async fn open(url: &str) -> Result<Self, Failure> {
        let mut connection = connect(url).await?;
        let row = sqlx::query(SOCKET).fetch_one(&mut connection).await.map_err(failed)?;
        let folder: String = row.try_get("folder").map_err(failed)?;
        let port: String = row.try_get("port").map_err(failed)?;
        let socket = Some(PathBuf::from(folder.trim()))
            .filter(|folder| folder.join(format!(".s.PGSQL.{port}")).exists());
        Ok(Self { url: url.to_owned(), socket, connection: Mutex::new(connection) })
    }

    /// Another connection; over the socket if there is one, as a server on this machine has it.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        if let Some(folder) = &self.socket {
            let options = options(&self.url)?.socket(folder);
            if let Ok(connection) = PgConnection::connect_with(&options).await {
                return Ok(connection);
            }
        }
        connect(&self.url).await
    }

    /// Bytes of write-ahead log that the whole PostgreSQL has written so far. Unknown if we may not ask.
    pub(super) async fn wal(&self) -> Option<f64> {
        sqlx::query_scalar(WAL).fetch_one(&mut *self.connection.lock().await).await.ok()
    }

    /// Has statements counted where PostgreSQL was started for that.
    pub(super) async fn count_statements(&self) {
        let make = "create extension if not exists pg_stat_statements";
        raw_sql(make).execute(&mut *self.connection.lock().await).await.ok();
    }

    /// Statements in the database so far; transactions where nobody counts statements, which is more: those
    /// of PostgreSQL's own, such as autovacuum's, are among them.
    pub(super) async fn statements(&self) -> Option<f64> {
        let mut connection = self.connection.lock().await;
        let counted = sqlx::query_scalar(STATEMENTS).fetch_one(&mut *connection).await;
        match counted {
            Ok(count) => count,
            Err(_) => sqlx::query_scalar(TRANSACTIONS).fetch_one(&mut *connection).await.ok(),
        }
    }

    /// Version and settings that matter.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn settings(&self) -> Result<Value, Failure> {
        let rows = sqlx::query(SETTINGS)
            .fetch_all(&mut *self.connection.lock().await)
            .await
            .map_err(failed)?;
        let mut settings = json!({});
        for row in rows {
            let name: String = row.try_get("name").map_err(failed)?;
            settings[name] = row.try_get::<String, _>("setting").map_err(failed)?.into();
        }
        Ok(settings)
    }

    /// How large tables are; those that do not exist are left out.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn sizes(&self, tables: &[&str]) -> Result<Vec<Size>, Failure> {
        let query = sqlx::query(SIZES).bind(tables);
        let rows = query.fetch_all(&mut *self.connection.lock().await).await.map_err(failed)?;
        let size = |row: &sqlx::postgres::PgRow| {
            Ok(Size {
                table: row.try_get("name")?,
                heap: row.try_get("heap")?,
                indexes: row.try_get("indexes")?,
            })
        };
        rows.iter().map(size).collect::<Result<_, _>>().map_err(failed)
    }

    /// Begins a transaction of its own whose snapshot stays until the answer is dropped.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn hold_snapshot(&self) -> Result<PgConnection, Failure> {
        let mut connection = self.connect().await?;
        let begin = "set idle_in_transaction_session_timeout = 0;
            begin isolation level repeatable read; select count(*) from pg_class";
        raw_sql(begin).execute(&mut connection).await.map_err(failed)?;
        Ok(connection)
    }
}

async fn connect(url: &str) -> Result<PgConnection, Failure> {
    PgConnection::connect_with(&options(url)?).await.map_err(failed)
}

fn options(url: &str) -> Result<PgConnectOptions, Failure> {
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    Ok(options.application_name("bellctl bench").disable_statement_logging())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failed(error: sqlx::Error) -> Failure {
    Failure::usage(format!("the database: {error}"))
        .next("check --database-url; its user must be allowed to create a schema")
}
