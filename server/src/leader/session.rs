//! The leader's own database session: direct, never from a pool. Locks and terms live and die with it.
//! A statement that did not answer in time is never tried again on it: the socket is destroyed.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::connect::Target;
use super::crc32;
use super::elector::{Held, Holder};
use super::error::LeadError;
use super::tls;
use super::verify::{PROBE_END, PROBE_GET, PROBE_SET, VERIFY};
use crate::metrics::Statements;

const TRY_LOCK: &str = include_str!("../../sql/leader/try_lock.sql");
const OPEN_TERM: &str = include_str!("../../sql/leader/open_term.sql");
const RENEW: &str = include_str!("../../sql/leader/renew.sql");
const RESIGN: &str = include_str!("../../sql/leader/resign.sql");
const UNLOCK: &str = include_str!("../../sql/leader/unlock.sql");
const BREAK: &str = include_str!("../../sql/leader/break.sql");

/// Every statement with the name of its file, for the tests that prepare them.
pub const ALL: &[(&str, &str)] = &[
    ("leader/verify", VERIFY),
    ("leader/probe_set", PROBE_SET),
    ("leader/probe_get", PROBE_GET),
    ("leader/probe_end", PROBE_END),
    ("leader/try_lock", TRY_LOCK),
    ("leader/open_term", OPEN_TERM),
    ("leader/renew", RENEW),
    ("leader/resign", RESIGN),
    ("leader/unlock", UNLOCK),
    ("leader/break", BREAK),
];

/// "BELL": class of the advisory lock.
pub(super) const LOCK_CLASS: i32 = 0x4245_4c4c;
/// Longest wait for an answer. Above the server's own limit, below the life of a term.
const ANSWER: Duration = Duration::from_secs(3);
/// Answer to an attempt to take the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) granted: bool,
    pub(super) holder: Option<Holder>,
}

/// An open session.
pub(super) struct Session {
    pub(super) client: Client,
    /// Drives the socket; aborted when the session is dropped.
    _driver: JoinSet<()>,
    statements: Mutex<HashMap<&'static str, Statement>>,
    /// The socket is closed, or a commit is in doubt.
    closed: CancellationToken,
    /// A leader has resigned.
    pub(super) freed: Arc<Notify>,
    measured: Statements,
    pid: i32,
    object: i32,
    /// Object of the lock that looks for poolers.
    pub(super) probe_object: i32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens a session; whether it can lead is another matter.
    ///
    /// # Errors
    /// If the database cannot be reached, or does not take the settings.
    pub(super) async fn connect(target: &Target) -> anyhow::Result<Self> {
        let connector = tls::connector(&target.trust)?;
        let (client, mut connection) = target.config.connect(connector).await?;
        let closed = CancellationToken::new();
        let freed = Arc::new(Notify::new());
        let (closing, freeing) = (closed.clone(), freed.clone());
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _guard = closing.clone().drop_guard();
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(_)) => freeing.notify_one(),
                    // "canceling wait for synchronous replication": the commit is in doubt.
                    Ok(AsyncMessage::Notice(notice)) if notice.code().code() == "01000" => {
                        tracing::warn!(notice = notice.message(), "a commit is in doubt");
                        closing.cancel();
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "the leader's session has ended");
                        break;
                    }
                }
            }
        });
        let row = client.query_one(VERIFY, &[]).await?;
        let lock_name: String = row.try_get("lock_name")?;
        Ok(Self {
            client,
            _driver: driver,
            statements: Mutex::default(),
            closed,
            freed,
            measured: target.statements.clone(),
            pid: row.try_get("pid")?,
            object: crc32::object(&lock_name),
            probe_object: crc32::object(&format!("{lock_name}/probe")),
        })
    }

    /// Ends when the session must not be used any more.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Runs a statement. It is prepared once.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LeadError> {
        let statement = self.prepare(sql).await?;
        self.execute(sql, &statement, params).await
    }

    /// Prepares a statement, unless it was prepared on this session before.
    pub(super) async fn prepare(&self, sql: &'static str) -> Result<Statement, LeadError> {
        let prepared = async {
            let mut statements = self.statements.lock().await;
            if let Some(statement) = statements.get(sql) {
                return Ok(statement.clone());
            }
            #[cfg(not(feature = "test-util"))]
            let statement = self.client.prepare(sql).await?;
            #[cfg(feature = "test-util")]
            let statement = self.client.prepare(&super::seam::text(sql)).await?;
            statements.insert(sql, statement.clone());
            Ok(statement)
        };
        self.answer(prepared).await
    }

    /// Runs a prepared statement.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LeadError> {
        let running = self.measured.start(sql);
        let answer = self.answer(self.client.query(statement, params)).await;
        running.end(match &answer {
            Ok(_) => None,
            Err(LeadError::Refused(_)) => Some("refused"),
            Err(_) => Some("unknown"),
        });
        if let Err(LeadError::Refused(error)) = &answer
            && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
        {
            // "cached plan must not change result type": a migration has altered a table.
            self.statements.lock().await.remove(sql);
        }
        answer
    }

    /// Waits for an answer, but not for long: an answer that did not come destroys the session.
    async fn answer<T>(
        &self,
        run: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, LeadError> {
        match timeout(ANSWER, run).await {
            _ if self.closed.is_cancelled() => Err(LeadError::Lost("it was closed".to_owned())),
            Err(_) => {
                self.closed.cancel();
                Err(LeadError::Lost("no answer within 3 s".to_owned()))
            }
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_closed() || error.as_db_error().is_none() => {
                self.closed.cancel();
                Err(LeadError::Lost(error.to_string()))
            }
            Ok(Err(error)) => Err(LeadError::Refused(Box::new(error))),
        }
    }

    pub(super) async fn try_lock(&self) -> Result<Tried, LeadError> {
        let rows = self.query(TRY_LOCK, &[&LOCK_CLASS, &self.object]).await?;
        let row = rows.first().ok_or_else(|| LeadError::Lost("no leadership row".to_owned()))?;
        let pid: Option<i32> = get(row, "pid")?;
        let started_at: Option<Timestamp> = get(row, "backend_start")?;
        let tick: i64 = get(row, "tick")?;
        Ok(Tried {
            granted: get(row, "granted")?,
            holder: pid.zip(started_at).map(|(pid, started_at)| Holder { pid, started_at, tick }),
        })
    }

    /// Opens a term; its number.
    pub(super) async fn open_term(&self, holder: Uuid, replica: &str) -> Result<i64, LeadError> {
        let rows = self.query(OPEN_TERM, &[&holder, &replica]).await?;
        let row = rows.first().ok_or_else(|| LeadError::Lost("no leadership row".to_owned()))?;
        get(row, "epoch")
    }

    /// Whether this session still leads in the term, and the database's time.
    pub(super) async fn renew(&self, held: &Held) -> Result<(bool, Timestamp), LeadError> {
        let (class, object) = (i64::from(LOCK_CLASS), i64::from(self.object));
        let rows =
            self.query(RENEW, &[&self.pid, &class, &object, &held.epoch, &held.holder]).await?;
        let row = rows.first().ok_or_else(|| LeadError::Lost("no answer".to_owned()))?;
        Ok((get(row, "mine")?, get(row, "now")?))
    }

    /// Ends the own term and gives the lock back.
    pub(super) async fn resign(&self, held: &Held) -> Result<(), LeadError> {
        self.query(RESIGN, &[&held.epoch, &held.holder]).await?;
        self.query(UNLOCK, &[&LOCK_CLASS, &self.object]).await.map(drop)
    }

    /// Ends a session that gives no sign of life; whether there was one.
    pub(super) async fn break_lock(&self, holder: &Holder) -> Result<bool, LeadError> {
        let rows = self.query(BREAK, &[&holder.pid, &holder.started_at]).await?;
        rows.first().map_or(Ok(false), |row| get(row, "ended"))
    }
}

fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    column: &str,
) -> Result<T, LeadError> {
    row.try_get(column).map_err(|error| LeadError::Lost(error.to_string()))
}
