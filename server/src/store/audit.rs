//! The audit log: written in the transaction of the change that it tells of.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::rows::{Corrupt, all, corrupt, get, time};
use super::submit::milliseconds;
use super::wall::{Behalf, Tenant, Turn};
use super::{Error, Statement, Store, statements as sql};
use crate::act::{self, Act};
use crate::domain::Scope;

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It was allowed, and changed something.
    Done,
    /// The caller may not do this.
    Denied,
    /// The caller had no credential that is taken.
    Unauthenticated,
}

impl Decision {
    fn code(self) -> i16 {
        match self {
            Self::Done => 1,
            Self::Denied => 2,
            Self::Unauthenticated => 3,
        }
    }

    fn from_code(code: i16) -> Option<Self> {
        [Self::Done, Self::Denied, Self::Unauthenticated].into_iter().find(|d| d.code() == code)
    }
}

/// An event of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Rises with time.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who; empty: not known.
    pub principal: String,
    /// From where; empty: not known.
    pub source: String,
    /// In which namespace; empty: none.
    pub namespace: String,
    /// `package.Service/Method`.
    pub method: String,
    /// What it was about.
    pub object: String,
    /// What came of it.
    pub decision: Decision,
}

/// Which events.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditQuery<'a> {
    /// Of this namespace; `None`: of all, and those about the service.
    pub namespace: Option<&'a Scope>,
    /// Before this one.
    pub before: Option<i64>,
    /// By this caller.
    pub principal: Option<&'a str>,
    /// By this method.
    pub method: Option<&'a str>,
    /// Most events.
    pub limit: usize,
}

fn events<'q>(all: &[(&Act, String, Decision)]) -> Statement<'q> {
    let texts = |text: fn(&Act) -> &str| all.iter().map(|one| text(one.0).to_owned()).collect();
    let (principals, sources): (Vec<String>, Vec<String>) =
        (texts(|act| &act.principal), texts(|act| &act.source));
    let (namespaces, methods): (Vec<String>, Vec<String>) =
        (texts(Act::namespace), texts(|act| &act.method));
    query(sql::ACCESS_AUDIT)
        .bind(principals)
        .bind(sources)
        .bind(namespaces)
        .bind(methods)
        .bind(all.iter().map(|(_, object, _)| object.clone()).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, _, decision)| decision.code()).collect::<Vec<_>>())
}

impl Store {
    /// Writes down an act on something, on the connection of the transaction that it is a part of.
    pub(super) async fn write_act(
        &self,
        connection: &mut PgConnection,
        act: &Act,
        object: &str,
    ) -> Result<(), Error> {
        let statement = events(&[(act, object.to_owned(), Decision::Done)]);
        self.in_transaction(connection, None, statement).await.map(drop)
    }

    /// Runs one statement that changes `object` for a caller, together with its event in the audit log if
    /// it changed anything, that is: returned a row, or is `always` taken for a change. Of a tenant: behind the
    /// second wall.
    pub(super) async fn audited_rows(
        &self,
        tenant: Option<Tenant<'_>>,
        statement: Statement<'_>,
        object: &str,
        always: bool,
    ) -> Result<Vec<PgRow>, Error> {
        if act::current().is_none() && (tenant.is_none() || !self.is_walled()) {
            return self.hot_rows(statement).await;
        }
        self.audited_in_turn(tenant, None, (statement, None), object, always).await
    }

    /// The same, when it is its turn, and with another statement that follows in the same transaction.
    pub(super) async fn audited_in_turn(
        &self,
        tenant: Option<Tenant<'_>>,
        turn: Option<Turn<'_>>,
        (statement, then): (Statement<'_>, Option<Statement<'_>>),
        object: &str,
        always: bool,
    ) -> Result<Vec<PgRow>, Error> {
        let act = act::current();
        let (text, arguments) = super::parts(statement)?;
        let mut held = self.hot.acquire().await?;
        let beginning = self.beginning(tenant).in_turn(turn);
        let running = self.statements.start(text.as_str());
        let work = async {
            let mut tx = held.begin_with(beginning.writing()).await?;
            let rows = sqlx::query_with(text, arguments)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::during)?;
            if let Some(then) = then {
                self.in_transaction(&mut tx, beginning.limit, then).await?;
            }
            if let Some(act) = &act
                && (always || !rows.is_empty())
            {
                self.write_act(&mut tx, act, object).await?;
            }
            tx.commit().await.map_err(Error::during)?;
            Ok(rows)
        };
        let answer = self.in_time(work).await.map_err(|error| error.within(beginning.limit));
        let failed = answer.as_ref().err().filter(|error| !matches!(error, Error::OutOfTime(_)));
        running.end(failed.map(Error::kind));
        // After an error the connection is closed, and with it the transaction.
        if answer.is_ok() {
            held.release();
        }
        answer
    }

    /// Writes down calls that were refused.
    pub async fn audit_refused(
        &self,
        refused: &[(std::sync::Arc<Act>, Decision)],
    ) -> Result<(), Error> {
        let all: Vec<(&Act, String, Decision)> =
            refused.iter().map(|(act, decision)| (&**act, String::new(), *decision)).collect();
        self.hot_rows(events(&all)).await.map(drop)
    }

    /// Events of the audit log, newest first.
    pub async fn list_audit(&self, which: &AuditQuery<'_>) -> Result<Vec<AuditRow>, Error> {
        let statement = query(sql::ACCESS_LIST_AUDIT)
            .bind(which.namespace.map(|scope| scope.as_str().to_owned()))
            .bind(which.before)
            .bind(which.principal.map(ToOwned::to_owned))
            .bind(which.method.map(ToOwned::to_owned))
            .bind(i64::try_from(which.limit).unwrap_or(i64::MAX));
        let rows = match which.namespace {
            Some(scope) => self.tenant_rows(Tenant::Scope(scope), statement).await?,
            None => self.rows(&self.read, Behalf::Caller, statement).await?,
        };
        all(&rows, event)
    }

    /// Deletes some of what was written down longer than `kept` ago; how many events.
    pub async fn prune_audit(&self, kept: Duration, limit: i64) -> Result<usize, Error> {
        let statement = query(sql::ACCESS_PRUNE_AUDIT).bind(milliseconds(kept)).bind(limit);
        Ok(self.hot_rows(statement).await?.len())
    }
}

fn event(row: &PgRow) -> Result<AuditRow, Corrupt> {
    let decision: i16 = get(row, "decision")?;
    let decision = Decision::from_code(decision)
        .ok_or_else(|| corrupt("decision", format!("{decision} is no decision")))?;
    Ok(AuditRow {
        id: get(row, "id")?,
        at: time(row, "at")?,
        principal: get(row, "principal")?,
        source: get(row, "source")?,
        namespace: get(row, "namespace")?,
        method: get(row, "method")?,
        object: get(row, "object")?,
        decision,
    })
}
