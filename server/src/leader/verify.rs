//! Whether a session can lead: a lock in a session that is shared, or that nobody ends when its client
//! is gone, is worse than none.

use std::sync::Once;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::connect::{self, Target};
use super::session::{LOCK_CLASS, Session};

pub(super) const VERIFY: &str = include_str!("../../sql/leader/verify.sql");
pub(super) const PROBE_SET: &str = include_str!("../../sql/leader/probe_set.sql");
pub(super) const PROBE_GET: &str = include_str!("../../sql/leader/probe_get.sql");
pub(super) const PROBE_END: &str = include_str!("../../sql/leader/probe_end.sql");

/// Longest wait for a session, and again for its verification.
const OPEN: Duration = Duration::from_secs(5);
const SILENT: &str = "the database did not answer within 5 s";
/// What to do about a pooler.
const POOLED: &str = "the connection goes through a pooler that shares database sessions, so that \
                      advisory locks mean nothing";
const REMEDY: &str = "give the leader a direct connection with store.direct_url";

/// What came of opening a session.
pub(super) enum Opened {
    /// It can lead.
    Usable(Box<Session>),
    /// It must not be used, and why. People have to change something.
    Refused(String),
    /// It cannot be used yet, and why. May pass by itself: a standby is promoted.
    NotYet(String),
}

/// Opens and verifies a session.
///
/// # Errors
/// If the database cannot be reached.
pub(super) async fn open(target: &Target) -> anyhow::Result<Opened> {
    let opened = async {
        let session = timeout(OPEN, Session::connect(target)).await.context(SILENT)??;
        let objection = timeout(OPEN, verify(&session, target)).await.context(SILENT)??;
        Ok(objection.unwrap_or_else(|| Opened::Usable(Box::new(session))))
    };
    opened.await.or_else(|error| refusal(&error).ok_or(error))
}

/// What an error at the start says about this database, if it is not just out of reach.
fn refusal(error: &anyhow::Error) -> Option<Opened> {
    let text = format!("{error:#}");
    if text.contains("startup parameter") {
        return Some(Opened::Refused(format!(
            "the connection goes through a pooler that drops settings ({text}); {REMEDY}"
        )));
    }
    if text.contains("does not allow writes") {
        return Some(Opened::NotYet("the database is a standby, or read only".to_owned()));
    }
    let code = error.downcast_ref::<tokio_postgres::Error>()?.code()?;
    // A statement was prepared on one session and run on another.
    if [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code) {
        return Some(Opened::Refused(format!("{POOLED} ({text}); {REMEDY}")));
    }
    // PostgreSQL below 14, a setting that is fixed, or one that this role may not change.
    let is_about_settings = [
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_PARAMETER_VALUE,
        SqlState::CANT_CHANGE_RUNTIME_PARAM,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ]
    .contains(code);
    is_about_settings.then(|| {
        Opened::Refused(format!("the database does not take the leader's session ({text})"))
    })
}

/// Why this session cannot lead, if it cannot. If it can, it listens for leaders that resign.
async fn verify(session: &Session, target: &Target) -> anyhow::Result<Option<Opened>> {
    let client = &session.client;
    let row = client.query_one(VERIFY, &[]).await?;
    let setting = |name: &str| -> anyhow::Result<String> { Ok(row.try_get(name)?) };
    if row.try_get("is_standby")? || row.try_get("is_read_only")? {
        let reason = "the database is a standby, or read only".to_owned();
        return Ok(Some(Opened::NotYet(reason)));
    }
    for (name, wanted) in [
        ("idle_session_timeout", connect::SESSION_LIFE),
        ("statement_timeout", connect::STATEMENT_LIMIT),
        ("lock_timeout", connect::STATEMENT_LIMIT),
        ("idle_in_transaction_session_timeout", connect::STATEMENT_LIMIT),
    ] {
        let found = setting(name)?;
        if found != wanted {
            return Ok(Some(Opened::Refused(format!(
                "the session has {name} = {found} instead of {wanted}: a pooler, or an option of \
                 the database URL, has changed it; {REMEDY}"
            ))));
        }
    }
    if is_pooled(session, target).await? {
        return Ok(Some(Opened::Refused(format!("{POOLED}; {REMEDY}"))));
    }
    if setting("fsync")? == "off" {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!("the database runs with fsync off: a crash of its machine loses work");
        });
    }
    if setting("synchronous_commit")? == "off" {
        client.batch_execute("set synchronous_commit = on").await?;
    }
    if let Err(error) = client.batch_execute(connect::CHECK_CLIENT).await {
        // A lost session shows at the next statement.
        tracing::debug!(%error, "this server cannot watch its clients");
    }
    client.batch_execute("listen bellringer_leader").await?;
    Ok(None)
}

/// Whether a second connection can see what belongs to this session alone. A pooler may hide
/// itself from this; each renewal looks again.
async fn is_pooled(session: &Session, target: &Target) -> anyhow::Result<bool> {
    let other = Session::connect(target).await?;
    let mark = Uuid::new_v4().to_string();
    // One object for all replicas and all times: behind a pooler the lock may stay.
    let object = session.probe_object;
    let client = &session.client;
    let set = client.query_one(PROBE_SET, &[&mark, &LOCK_CLASS, &object]).await?;
    let got = other.client.query_one(PROBE_GET, &[&LOCK_CLASS, &object]).await?;
    client.query_one(PROBE_END, &[&LOCK_CLASS, &object]).await?;
    // Without the lock, another replica probes at this moment, or a pooler keeps it from before.
    let is_lock_shared = set.try_get("locked")? && got.try_get("locked")?;
    Ok(is_lock_shared || got.try_get::<_, String>("mark")? == mark)
}
