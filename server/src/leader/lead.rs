//! A term, as the duty uses it.

use std::sync::Mutex;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::boottime::BootTime;
use super::elector::Elector;
use super::error::LeadError;
use super::session::Session;

/// A term that is being used.
#[derive(Debug, Clone, Copy)]
pub struct Lead<'a> {
    pub(super) session: &'a Session,
    pub(super) elector: &'a Mutex<Elector>,
    pub(super) epoch: i64,
    pub(super) holder: Uuid,
}

impl Lead<'_> {
    /// Number of the term.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Who holds it; fresh for each term.
    pub fn holder(&self) -> Uuid {
        self.holder
    }

    /// Whether this replica may write in its term now.
    pub fn may_fire(&self) -> bool {
        self.check().is_ok()
    }

    fn check(&self) -> Result<(), LeadError> {
        let now = BootTime::now();
        let elector = super::lock(self.elector);
        match (elector.may_fire(now), elector.held_until(now)) {
            (None, _) => Err(LeadError::Fenced),
            (Some(_), Some(_)) => Err(LeadError::OnHold),
            (Some(_), None) => Ok(()),
        }
    }

    /// Runs a statement in the term, unless the term is over. It is prepared once a session.
    ///
    /// # Errors
    /// If the term is over or on hold, the session is lost, or the statement was refused.
    pub async fn query(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LeadError> {
        self.check()?;
        let statement = self.session.prepare(sql).await?;
        // Preparing takes a while, the first time.
        self.check()?;
        self.session.execute(sql, &statement, params).await
    }

    /// The guard of a statement says that another term has begun.
    pub fn fenced(&self) -> LeadError {
        tracing::warn!(epoch = self.epoch, "fenced: another term has begun");
        LeadError::Fenced
    }
}
