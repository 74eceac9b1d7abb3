//! API keys, and the log of who did what.

use jiff::Timestamp;

use super::{Engine, Error};
use crate::domain::{Scope, limits};
use crate::store::{AuditQuery, AuditRow, KeyRow, NewKeyRow};

impl Engine {
    /// Makes an API key.
    ///
    /// # Errors
    /// If the namespace has as many as it may have.
    pub async fn create_key(&self, new: &NewKeyRow<'_>) -> Result<KeyRow, Error> {
        let limit = limits::API_KEYS;
        let made = self.reading.store().create_key(new, limit).await?;
        made.ok_or(Error::LimitReached { what: "API keys in a namespace", limit })
    }

    /// API keys of a namespace, or of all of them, newest first, before one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list_keys(
        &self,
        scope: &Scope,
        before: Option<(Timestamp, &str)>,
        with_ended: bool,
        limit: usize,
    ) -> Result<Vec<KeyRow>, Error> {
        Ok(self.reading.store().list_keys(scope, before, with_ended, limit).await?)
    }

    /// Ends an API key, and tells every replica; `None` if there is none.
    ///
    /// # Errors
    /// If it is not known whether it has ended.
    pub async fn revoke_key(&self, scope: &Scope, id: &str) -> Result<Option<KeyRow>, Error> {
        let key = self.reading.store().revoke_key(scope, id).await?;
        self.keys_changed.notify_one();
        self.signals.keys();
        Ok(key)
    }

    /// Events of the audit log, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list_audit(&self, which: &AuditQuery<'_>) -> Result<Vec<AuditRow>, Error> {
        Ok(self.reading.store().list_audit(which).await?)
    }
}
