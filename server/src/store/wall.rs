//! The second wall between namespaces. The first one are the conditions of the statements. Behind the second, a
//! statement runs as a role that policies of the tables let see one namespace only (`migrations/0008_wall.sql`), so
//! that a condition that was forgotten shows nothing and changes nothing of others.
//!
//! Role and namespace are set for one transaction, together with its beginning: one more round trip. It works
//! whoever connects, also as the owner of the tables or as a superuser, and nothing of it outlives the transaction.
//! The batched statements, and those for the service as a whole, serve several namespaces at once and stay outside.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::{Error, Statement, Store, connect, statements as sql};
use crate::deadline;
use crate::domain::Scope;

/// Of whom a transaction may read and change something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tenant<'a> {
    /// Of the namespace with this number.
    Namespace(i32),
    /// Of API keys and the audit log: what stands there under this name.
    Scope(&'a Scope),
}

/// On whose behalf a statement runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Behalf<'a> {
    /// The service's, which has several callers at once, or none.
    Service,
    /// A caller's who may ask about all namespaces.
    Caller,
    /// A caller's who asks about one.
    Tenant(Tenant<'a>),
}

/// What is done for one namespace one after the other, so that what is counted is still so when it is changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn<'a> {
    /// API keys are made.
    Keys(&'a Scope),
    /// Schedules are made, in the namespace with this number.
    Schedules(i32),
}

/// How a transaction for a caller begins: what is said there is said in one message, and holds until its end. It is
/// made of digits only, since parameters would be a round trip of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beginning<'a> {
    /// Whose it is; `None`: there is no wall, or nobody's.
    tenant: Option<Tenant<'a>>,
    /// Longest run of each statement, if the call has less time left than statements have.
    pub(super) limit: Option<Duration>,
    /// What it waits its turn for.
    turn: Option<Turn<'a>>,
}

/// Ends a transaction.
const COMMIT: &str = "commit";

impl Tenant<'_> {
    fn settings(self) -> [String; 2] {
        let own = match self {
            Self::Namespace(number) => {
                format!("set_config('bellringer.namespace', '{number}', true)")
            }
            Self::Scope(scope) => {
                format!("set_config('bellringer.scope', {}, true)", quoted(scope))
            }
        };
        ["set_config('role', 'bellringer_tenant', true)".to_owned(), own]
    }
}

/// A name as an expression.
fn quoted(scope: &Scope) -> String {
    let mut hex = String::new();
    for byte in scope.as_str().bytes() {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    format!("convert_from(decode('{hex}', 'hex'), 'utf8')")
}

impl Turn<'_> {
    /// Waits for the turn, and keeps it until the end of the transaction. Not a part of the statement that counts:
    /// that would not see what was committed while it waited.
    fn take(self) -> String {
        let (what, whose) = match self {
            Self::Keys(scope) => ("keys", format!("hashtext({})", quoted(scope))),
            Self::Schedules(namespace) => ("schedules", namespace.to_string()),
        };
        format!("select pg_advisory_xact_lock(hashtext('bellringer {what}'), {whose})")
    }
}

impl<'a> Beginning<'a> {
    /// The same, when it is its turn.
    pub(super) fn in_turn(self, turn: Option<Turn<'a>>) -> Self {
        Self { turn, ..self }
    }

    /// What is set for the transaction, as one statement; `None`: nothing.
    pub(super) fn settings(self) -> Option<String> {
        let mut all: Vec<String> = self.tenant.into_iter().flat_map(Tenant::settings).collect();
        if let Some(limit) = self.limit {
            // 0 would be no limit at all.
            let limit = limit.as_millis().max(1);
            all.push(format!("set_config('statement_timeout', '{limit}', true)"));
        }
        (!all.is_empty()).then(|| format!("select {}", all.join(", ")))
    }

    /// Begins a transaction for reading; `None`: a statement may as well do without.
    pub(super) fn reading(self) -> Option<String> {
        self.settings().map(|settings| format!("begin read only; {settings}"))
    }

    /// Begins a transaction.
    pub(super) fn writing(self) -> String {
        let parts = [Some("begin".to_owned()), self.settings(), self.turn.map(Turn::take)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
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
        self.rows(&self.read, Behalf::Tenant(tenant), statement).await
    }

    /// How a transaction for a caller begins, now: of a tenant, behind the wall, if there is one.
    pub(super) fn beginning<'a>(&self, tenant: Option<Tenant<'a>>) -> Beginning<'a> {
        self.beginning_with(tenant, self.settings.statement_timeout)
    }

    /// The same, where statements may run for `longest`.
    pub(super) fn beginning_with<'a>(
        &self,
        tenant: Option<Tenant<'a>>,
        longest: Duration,
    ) -> Beginning<'a> {
        Beginning {
            tenant: tenant.filter(|_| self.is_walled),
            limit: deadline::left().filter(|left| *left < longest),
            turn: None,
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
        let nobody = Beginning { tenant: Some(Tenant::Namespace(0)), ..Beginning::default() };
        let trial = async {
            run(&mut connection, nobody.writing()).await?;
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
        let text = Beginning { tenant: Some(Tenant::Scope(&scope)), ..Beginning::default() };
        let text = text.in_turn(Some(Turn::Keys(&scope))).writing();
        assert!(text.contains("decode('69742d73', 'hex')"), "{text}");
        assert!(!text.contains("it-s"), "{text}");
    }

    #[test]
    fn reading_is_reading_only() {
        let beginning = Beginning { tenant: Some(Tenant::Namespace(7)), ..Beginning::default() };
        let text = beginning.reading().unwrap();
        assert!(text.starts_with("begin read only; select"), "{text}");
        assert!(text.ends_with("set_config('bellringer.namespace', '7', true)"), "{text}");
    }

    #[test]
    fn what_is_left_of_a_call_is_a_limit_however_little_it_is() {
        let text = |limit| Beginning { limit: Some(limit), ..Beginning::default() }.writing();
        let set = |limit| format!("begin; select set_config('statement_timeout', '{limit}', true)");
        assert_eq!(text(Duration::from_micros(700_900)), set(700));
        assert_eq!(text(Duration::ZERO), set(1), "0 would be no limit");
        assert_eq!(Beginning::default().reading(), None);
    }
}
