//! Finds out whether a pooler stands before the database that lends one session of it to several clients
//! in turn. The pools do not work behind one: prepared statements get mixed up, and what a session was set
//! to is lost.

use anyhow::Context as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::connect;

/// A pooler may lend another session by chance; so it is asked more than once.
const LOOKS: usize = 3;

/// # Errors
/// If two connections share a session of the database, or one does not keep its own.
pub(super) async fn refuse(options: &PgConnectOptions) -> anyhow::Result<()> {
    let (mut one, mut other) = (connect(options).await?, connect(options).await?);
    let (first, mode) = session(&mut one).await?;
    for _ in 0..LOOKS {
        let (foreign, _) = session(&mut other).await?;
        let (again, _) = session(&mut one).await?;
        anyhow::ensure!(
            first == again && first != foreign,
            "the database URL leads to a pooler that lends sessions for single transactions, which the \
             server does not work behind: let store.url lead to the database itself, or to a pooler in \
             session mode"
        );
    }
    if mode != "force_generic_plan" {
        tracing::warn!(
            "settings of sessions do not reach the database, most likely because of a pooler: statements \
             may get plans that are slow"
        );
    }
    for connection in [one, other] {
        connection.close().await.ok();
    }
    Ok(())
}

/// Which session of the database this is, and one of the settings that it was opened with.
async fn session(connection: &mut PgConnection) -> anyhow::Result<(i32, String)> {
    // Not prepared: that alone could fail behind a pooler.
    let row = sqlx::raw_sql("select pg_backend_pid(), current_setting('plan_cache_mode')")
        .fetch_one(connection)
        .await
        .context("cannot ask the database for its session")?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
