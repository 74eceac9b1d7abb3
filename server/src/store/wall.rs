//! The second wall between namespaces. The first one are the conditions of the statements. Behind the second, a
//! statement runs as a role that policies of the tables let see one namespace only (`migrations/0008_wall.sql`), so
//! that a condition that was forgotten shows nothing and changes nothing of others.
//!
//! Role and namespace are set for one transaction, together with its beginning: one more round trip. It works
//! whoever connects, also as the owner of the tables or as a superuser, and nothing of it outlives the transaction.
//! The batched statements, and those for the service as a whole, serve several namespaces at once and stay outside.

use std::fmt::Write as _;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::{Error, Statement, Store, connect, statements as sql};
use crate::domain::Scope;

/// Of whom a transaction may read and change something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tenant<'a> {
    /// Of the namespace with this number.
    Namespace(i32),
    /// Of API keys and the audit log: what stands there under this name.
    Scope(&'a Scope),
}

/// Begins a transaction for reading only.
const READ: &str = "begin read only";
/// Begins a transaction.
const WRITE: &str = "begin";
/// Ends one.
const COMMIT: &str = "commit";

impl Tenant<'_> {
    /// What puts the rest of a transaction behind the wall, as one statement. Takes the place of a statement with
    /// parameters, which would be a round trip of its own: so it is made of digits only.
    pub(super) fn enter(self) -> String {
        let role = "select set_config('role', 'bellringer_tenant', true)";
        match self {
            Self::Namespace(number) => {
                format!("{role}, set_config('bellringer.namespace', '{number}', true)")
            }
            Self::Scope(scope) => {
                let mut hex = String::new();
                for byte in scope.as_str().bytes() {
                    write!(hex, "{byte:02x}").expect("a string takes everything");
                }
                let name = format!("convert_from(decode('{hex}', 'hex'), 'utf8')");
                format!("{role}, set_config('bellringer.scope', {name}, true)")
            }
        }
    }

    /// Begins a transaction for reading behind the wall.
    pub(super) fn begin_reading(self) -> String {
        format!("{READ}; {}", self.enter())
    }

    /// Begins a transaction behind the wall.
    pub(super) fn begin(self) -> String {
        format!("{WRITE}; {}", self.enter())
    }
}

/// Runs what has no parameters, in one round trip.
pub(super) async fn run(connection: &mut PgConnection, text: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(drop)
}

/// Ends a transaction that has only read. Its answer says nothing that anybody waits for: it is sent, and the next
/// one to use the connection reads the answer first.
pub(super) fn leave(connection: &mut PgConnection) {
    run(connection, COMMIT.to_owned()).now_or_never();
}

impl Store {
    /// Reads behind the wall, if there is one.
    pub(super) async fn tenant_rows(
        &self,
        tenant: Tenant<'_>,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        self.rows(&self.read, self.is_walled.then(|| tenant.begin_reading()), statement).await
    }

    /// How a transaction begins that changes something: behind the wall, if there is one.
    pub(super) fn beginning(&self, tenant: Option<Tenant<'_>>) -> String {
        match tenant.filter(|_| self.is_walled) {
            Some(tenant) => tenant.begin(),
            None => WRITE.to_owned(),
        }
    }

    /// Whether there is a second wall.
    pub fn is_walled(&self) -> bool {
        self.is_walled
    }
}

/// Builds the wall unless it stands. What is lacking is told by the server when it starts.
pub(super) async fn build(connection: &mut PgConnection) -> anyhow::Result<()> {
    let exists: bool = sqlx::query_scalar("select to_regproc('wall_build') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if exists {
        sqlx::raw_sql(sql::WALL_BUILD)
            .execute(connection)
            .await
            .context("failed to build the second wall between namespaces")?;
    }
    Ok(())
}

/// What the server's role is to the wall.
#[derive(Debug, Clone, Default)]
pub(super) struct Footing {
    /// Why there is no wall, and what to do about it; `None`: it stands.
    pub(super) lacking: Option<String>,
    /// The role, if it is one that policies do not concern anywhere.
    pub(super) above: Option<String>,
}

/// Looks whether statements can run behind the wall, by doing so.
///
/// # Errors
/// If the database cannot be asked, or its role would be walled in for good.
pub(super) async fn look(options: &PgConnectOptions) -> anyhow::Result<Footing> {
    let mut connection = connect(options).await?;
    let row = sqlx::raw_sql(sql::WALL_STATE).fetch_one(&mut connection).await?;
    let name: String = row.try_get("name")?;
    let is_above: bool = row.try_get("is_above")?;
    let is_owner: bool = row.try_get("is_owner")?;
    let has_tenant: bool = row.try_get("has_tenant")?;
    let is_tenant: bool = row.try_get("is_tenant")?;
    let is_built: bool = row.try_get("is_built")?;
    anyhow::ensure!(
        !is_built || !is_tenant || is_above || is_owner,
        "the role {name} has the rights of bellringer_tenant without taking that role, so that it would see \
         nothing: run `alter role {name} noinherit`, then `revoke bellringer_tenant from {name}` and `grant \
         bellringer_tenant to {name}`"
    );
    let lacking = if is_built {
        let enter = Tenant::Namespace(0).begin_reading();
        let trial = async {
            run(&mut connection, enter).await?;
            sqlx::raw_sql("select from task limit 0").execute(&mut connection).await
        };
        trial.await.err().map(|_| format!("run `grant bellringer_tenant to {name}` as a superuser"))
    } else if connection.server_version_num().is_some_and(|version| version < 150_000) {
        Some("it needs PostgreSQL 15 or newer".to_owned())
    } else if has_tenant {
        Some("run `bellringer migrate`".to_owned())
    } else {
        Some(format!(
            "run `create role bellringer_tenant nologin; grant bellringer_tenant to {name}` as a superuser, then \
             `bellringer migrate`"
        ))
    };
    connection.close().await.ok();
    Ok(Footing { lacking, above: is_above.then_some(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_gets_into_the_text_as_it_is() {
        let scope = Scope::parse("it-s").unwrap();
        let text = Tenant::Scope(&scope).begin();
        assert!(text.contains("decode('69742d73', 'hex')"), "{text}");
        assert!(!text.contains("it-s"), "{text}");
    }

    #[test]
    fn reading_is_reading_only() {
        let text = Tenant::Namespace(7).begin_reading();
        assert!(text.starts_with("begin read only; select"), "{text}");
        assert!(text.ends_with("set_config('bellringer.namespace', '7', true)"), "{text}");
    }
}
