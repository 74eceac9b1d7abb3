//! The leader's own database session: direct, never from a pool. Locks and terms live and die with it.
//! A statement that did not answer in time is never tried again on it: the socket is destroyed.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::connect::{self, Target};
use super::elector::{Held, Holder};
use super::tls;

const VERIFY: &str = include_str!("../../sql/leader/verify.sql");
const PROBE_SET: &str = include_str!("../../sql/leader/probe_set.sql");
const PROBE_GET: &str = include_str!("../../sql/leader/probe_get.sql");
const PROBE_END: &str = include_str!("../../sql/leader/probe_end.sql");
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
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A statement that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// This replica leads no more: a new term has begun, or its trust has run out.
    #[error("this replica leads no more")]
    Fenced,
    /// The session is lost.
    #[error("the leader's database session was lost: {0}")]
    Lost(String),
    /// The statement was refused; the session is fine.
    #[error("the database refused a statement: {0}")]
    Refused(#[from] Box<tokio_postgres::Error>),
}

/// What came of opening a session.
pub(super) enum Opened {
    /// It can lead.
    Usable(Box<Session>),
    /// It must not be used, and why.
    Refused(String),
}

/// Answer to an attempt to take the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) granted: bool,
    pub(super) holder: Option<Holder>,
    /// Who leads, and the number of the last term.
    pub(super) leader: Option<String>,
    pub(super) epoch: i64,
}

/// An open session.
pub(super) struct Session {
    client: Client,
    /// Drives the socket; aborted when the session is dropped.
    _driver: JoinSet<()>,
    statements: Mutex<HashMap<&'static str, Statement>>,
    /// The socket is closed, or a commit is in doubt.
    closed: CancellationToken,
    /// A leader has resigned.
    pub(super) freed: Arc<Notify>,
    pid: i32,
    object: i32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens and verifies a session.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub(super) async fn open(target: &Target) -> anyhow::Result<Opened> {
        let session = match timeout(CONNECT, Self::connect(target)).await {
            Err(_) => anyhow::bail!("the database did not answer within 5 s"),
            Ok(Ok(session)) => session,
            Ok(Err(error)) if format!("{error:#}").contains("startup parameter") => {
                return Ok(Opened::Refused(format!(
                    "the connection goes through a pooler that drops settings ({error:#}); give \
                     the leader a direct connection with store.direct_url"
                )));
            }
            Ok(Err(error)) => return Err(error),
        };
        match timeout(CONNECT, session.verify(target)).await {
            Err(_) => anyhow::bail!("the database did not answer within 5 s"),
            Ok(Ok(None)) => {}
            Ok(Ok(Some(reason))) => return Ok(Opened::Refused(reason)),
            Ok(Err(error)) => return Err(error),
        }
        let listening = timeout(ANSWER, session.client.batch_execute("listen bellringer_leader"));
        listening.await.context("the database did not answer")??;
        Ok(Opened::Usable(Box::new(session)))
    }

    async fn connect(target: &Target) -> anyhow::Result<Self> {
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
        let session = Self {
            client,
            _driver: driver,
            statements: Mutex::default(),
            closed,
            freed,
            pid: 0,
            object: 0,
        };
        session.with_identity().await
    }

    async fn with_identity(mut self) -> anyhow::Result<Self> {
        let row = self.client.query_one(VERIFY, &[]).await?;
        self.pid = row.try_get("pid")?;
        let name: String = row.try_get("lock_name")?;
        self.object = i32::from_ne_bytes(crc32(name.as_bytes()).to_ne_bytes());
        Ok(self)
    }

    /// Why this session cannot lead, if it cannot.
    async fn verify(&self, target: &Target) -> anyhow::Result<Option<String>> {
        let row = self.client.query_one(VERIFY, &[]).await?;
        let setting = |name: &str| -> anyhow::Result<String> { Ok(row.try_get(name)?) };
        if row.try_get("is_standby")? || row.try_get("is_read_only")? {
            return Ok(Some("the database is a standby, or read only".to_owned()));
        }
        for (name, wanted) in [
            ("idle_session_timeout", connect::SESSION_LIFE),
            ("statement_timeout", connect::STATEMENT_LIMIT),
            ("lock_timeout", connect::STATEMENT_LIMIT),
            ("idle_in_transaction", connect::STATEMENT_LIMIT),
        ] {
            let found = setting(name)?;
            if found != wanted {
                return Ok(Some(format!(
                    "the session has {name} = {found} instead of {wanted}: a pooler, or an option \
                     of the database URL, has changed it; give the leader a direct connection \
                     with store.direct_url"
                )));
            }
        }
        if setting("fsync")? == "off" {
            tracing::debug!("the database runs with fsync off: a crash of the machine loses work");
        }
        if setting("synchronous_commit")? == "off" {
            self.client.batch_execute("set synchronous_commit = on").await?;
        }
        if self.is_pooled(target).await? {
            return Ok(Some(
                "the connection goes through a pooler that shares database sessions, so that \
                 advisory locks mean nothing; give the leader a direct connection with \
                 store.direct_url"
                    .to_owned(),
            ));
        }
        Ok(None)
    }

    /// Whether a second connection can see what belongs to this session alone. A pooler may hide
    /// itself from this; each renewal looks again.
    async fn is_pooled(&self, target: &Target) -> anyhow::Result<bool> {
        let other = Box::pin(Self::connect(target)).await?;
        let mark = Uuid::new_v4().to_string();
        let object = i32::from_ne_bytes(crc32(mark.as_bytes()).to_ne_bytes());
        self.client.query_one(PROBE_SET, &[&mark, &LOCK_CLASS, &object]).await?;
        let row = other.client.query_one(PROBE_GET, &[&LOCK_CLASS, &object]).await?;
        let is_pooled =
            row.try_get::<_, String>("mark")? == mark || row.try_get::<_, bool>("locked")?;
        self.client.query_one(PROBE_END, &[&LOCK_CLASS, &object]).await?;
        Ok(is_pooled)
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
        let run = async {
            let statement = self.statement(sql).await?;
            self.client.query(&statement, params).await
        };
        match timeout(ANSWER, run).await {
            _ if self.closed.is_cancelled() => Err(LeadError::Lost("it was closed".to_owned())),
            Err(_) => {
                self.closed.cancel();
                Err(LeadError::Lost("no answer within 3 s".to_owned()))
            }
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) if error.is_closed() || error.as_db_error().is_none() => {
                self.closed.cancel();
                Err(LeadError::Lost(error.to_string()))
            }
            Ok(Err(error)) => Err(LeadError::Refused(Box::new(error))),
        }
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let mut statements = self.statements.lock().await;
        if let Some(statement) = statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) async fn try_lock(&self) -> Result<Tried, LeadError> {
        let rows = self.query(TRY_LOCK, &[&LOCK_CLASS, &self.object]).await?;
        let row = rows.first().ok_or_else(|| LeadError::Lost("no leadership row".to_owned()))?;
        let pid: Option<i32> = get(row, "backend_pid")?;
        let started_at: Option<Timestamp> = get(row, "backend_start")?;
        let tick: i64 = get(row, "tick")?;
        let is_held: bool = get(row, "is_held")?;
        let leader: Option<String> = get(row, "replica")?;
        Ok(Tried {
            granted: get(row, "granted")?,
            holder: pid.zip(started_at).map(|(pid, started_at)| Holder { pid, started_at, tick }),
            leader: leader.filter(|_| is_held),
            epoch: get(row, "epoch")?,
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
        Ok(!rows.is_empty())
    }
}

fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    column: &str,
) -> Result<T, LeadError> {
    row.try_get(column).map_err(|error| LeadError::Lost(error.to_string()))
}

/// CRC-32 of ISO 3309, the one of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
