//! API keys.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::rows::{Corrupt, all, corrupt, get, maybe_time, time};
use super::submit::milliseconds;
use super::wall::{Tenant, Turn};
use super::{Error, Store, statements as sql};
use crate::domain::{KeyHash, QueueName, Role, Scope};

/// An API key, without its secret.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Finds it.
    pub id: String,
    /// Where it holds.
    pub scope: Scope,
    /// For people.
    pub name: String,
    /// What it may do; roles that this version does not know are left out.
    pub roles: Vec<Role>,
    /// With role worker: the only queues; empty: all.
    pub queues: Vec<QueueName>,
    /// Of its secret.
    pub hash: KeyHash,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, coarsely.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// An API key to be made.
#[derive(Debug, Clone)]
pub struct NewKeyRow<'a> {
    /// Finds it.
    pub id: &'a str,
    /// Where it holds.
    pub scope: &'a Scope,
    /// For people.
    pub name: &'a str,
    /// What it may do.
    pub roles: &'a [Role],
    /// With role worker: the only queues; empty: all.
    pub queues: &'a [QueueName],
    /// Of its secret.
    pub hash: KeyHash,
    /// Who makes it.
    pub created_by: &'a str,
    /// It ends by itself after this long.
    pub expires_after: Option<Duration>,
}

impl Store {
    /// API keys by id, in any order, also those that have ended.
    pub async fn keys(&self, ids: &[String]) -> Result<Vec<KeyRow>, Error> {
        all(&self.read_rows(query(sql::ACCESS_KEYS).bind(ids)).await?, key)
    }

    /// Makes an API key; `None` if its scope has `most` keys already.
    pub async fn create_key(
        &self,
        new: &NewKeyRow<'_>,
        most: usize,
    ) -> Result<Option<KeyRow>, Error> {
        let roles: Vec<&str> = new.roles.iter().map(|role| role.word()).collect();
        let queues: Vec<&str> = new.queues.iter().map(QueueName::as_str).collect();
        let statement = query(sql::ACCESS_CREATE_KEY)
            .bind(new.id)
            .bind(new.scope.as_str())
            .bind(new.name)
            .bind(roles)
            .bind(queues)
            .bind(new.hash.0.to_vec())
            .bind(new.created_by)
            .bind(new.expires_after.map(milliseconds))
            .bind(i64::try_from(most).unwrap_or(i64::MAX));
        let tenant = Some(Tenant::Scope(new.scope));
        let turn = Some(Turn::Keys(new.scope));
        let rows = self.audited_in_turn(tenant, turn, (statement, None), new.id, false).await?;
        Ok(all(&rows, key)?.into_iter().next())
    }

    /// API keys of a scope, newest first, before the one that `before` names by the microsecond of its
    /// making and its id.
    pub async fn list_keys(
        &self,
        scope: &Scope,
        before: Option<(Timestamp, &str)>,
        with_ended: bool,
        limit: usize,
    ) -> Result<Vec<KeyRow>, Error> {
        use jiff_sqlx::ToSqlx as _;
        let statement = query(sql::ACCESS_LIST_KEYS)
            .bind(scope.as_str())
            .bind(before.map(|(at, _)| at.to_sqlx()))
            .bind(before.map(|(_, id)| id.to_owned()))
            .bind(with_ended)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        all(&self.tenant_rows(Tenant::Scope(scope), statement).await?, key)
    }

    /// Revokes an API key of a scope; the key, or `None` if there is none.
    pub async fn revoke_key(&self, scope: &Scope, id: &str) -> Result<Option<KeyRow>, Error> {
        let statement = query(sql::ACCESS_REVOKE_KEY).bind(scope.as_str()).bind(id);
        let tenant = Some(Tenant::Scope(scope));
        Ok(all(&self.audited_rows(tenant, statement, id, false).await?, key)?.into_iter().next())
    }

    /// Writes down that API keys were used.
    pub async fn keys_used(&self, ids: &[String]) -> Result<(), Error> {
        self.hot_rows(query(sql::ACCESS_KEYS_USED).bind(ids)).await.map(drop)
    }
}

fn key(row: &PgRow) -> Result<KeyRow, Corrupt> {
    let scope: String = get(row, "namespace")?;
    let roles: Vec<String> = get(row, "roles")?;
    let queues: Vec<String> = get(row, "queues")?;
    let hash: Vec<u8> = get(row, "hash")?;
    let hash = <[u8; 32]>::try_from(hash).map_err(|_| corrupt("hash", "is not of 32 bytes"))?;
    let queues = queues.iter().map(|queue| QueueName::parse(queue)).collect::<Result<_, _>>();
    Ok(KeyRow {
        id: get(row, "id")?,
        scope: Scope::parse(&scope).map_err(|why| corrupt("namespace", why))?,
        name: get(row, "name")?,
        roles: roles.iter().filter_map(|role| Role::parse(role).ok()).collect(),
        queues: queues.map_err(|why| corrupt("queues", why))?,
        hash: KeyHash(hash),
        created_by: get(row, "created_by")?,
        created_at: time(row, "created_at")?,
        expires_at: maybe_time(row, "expires_at")?,
        last_used_at: maybe_time(row, "last_used_at")?,
        revoked_at: maybe_time(row, "revoked_at")?,
    })
}
