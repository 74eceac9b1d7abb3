//! The cluster as a whole: who leads, which replicas live, the moved clock, the key that seals tokens.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::query;
use uuid::Uuid;

use super::rows::{all, get, maybe_time, time};
use super::submit::milliseconds;
use super::wall::Behalf;
use super::{Error, Store, statements as sql};

/// What stands about the cluster.
#[derive(Debug, Clone)]
pub struct ClusterRow {
    /// Identifies the database.
    pub id: Uuid,
    /// How far the clock was moved forward.
    pub clock_advanced: Duration,
    /// Number of the current or last term.
    pub epoch: i64,
    /// Name of the replica that leads, if one does.
    pub leader: Option<String>,
    /// When the term began.
    pub term_started_at: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
    /// Active schedules that are overdue.
    pub overdue: u64,
}

/// A replica that lives.
#[derive(Debug, Clone)]
pub struct ReplicaRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Version of its program.
    pub version: String,
    /// 0 not known, 1 leader, 2 standby, 3 cannot lead.
    pub role: i16,
    /// Why it cannot lead.
    pub role_note: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
}

impl Store {
    /// The key that seals tokens.
    pub async fn token_key(&self) -> Result<[u8; 32], Error> {
        let rows = self.read_rows(query(sql::CLUSTER_TOKEN_KEY)).await?;
        let key = rows.first().map(|row| get::<Vec<u8>>(row, "token_key")).transpose()?;
        let key = key.and_then(|key| key.try_into().ok());
        key.ok_or_else(|| Error::Corrupt("cluster.token_key is not 32 bytes".to_owned()))
    }

    /// What stands about the cluster.
    pub async fn cluster(&self) -> Result<Option<ClusterRow>, Error> {
        let statement = query(sql::CLUSTER_GET).bind(self.now());
        let rows = self.rows(&self.read, Behalf::Caller, statement).await?;
        let rows = all(&rows, |row| {
            let leader: Option<String> = get(row, "leader")?;
            let advanced: i64 = get(row, "clock_advanced_ms")?;
            Ok(ClusterRow {
                id: get(row, "id")?,
                clock_advanced: Duration::from_millis(u64::try_from(advanced).unwrap_or_default()),
                epoch: get(row, "epoch")?,
                leader: leader.filter(|_| get(row, "is_led").unwrap_or_default()),
                term_started_at: maybe_time(row, "acquired_at")?,
                now: time(row, "now")?,
                overdue: u64::try_from(get::<i64>(row, "overdue")?).unwrap_or_default(),
            })
        })?;
        Ok(rows.into_iter().next())
    }

    /// The replicas that live.
    pub async fn replicas(&self) -> Result<Vec<ReplicaRow>, Error> {
        let statement = query(sql::CLUSTER_REPLICAS);
        all(&self.rows(&self.read, Behalf::Caller, statement).await?, |row| {
            Ok(ReplicaRow {
                id: get(row, "id")?,
                name: get(row, "name")?,
                version: get(row, "version")?,
                role: get(row, "role")?,
                role_note: get(row, "role_note")?,
                started_at: time(row, "started_at")?,
                seen_at: time(row, "seen_at")?,
            })
        })
    }

    /// Keeps how far the clock was moved forward.
    pub async fn set_clock(&self, advanced: Duration) -> Result<(), Error> {
        let statement = query(sql::CLUSTER_SET_CLOCK).bind(milliseconds(advanced));
        self.audited_rows(None, statement, "clock", true).await.map(drop)
    }
}
