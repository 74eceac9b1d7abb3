//! Namespaces and lanes: the small tables that every replica keeps in memory.

use sqlx::query;

use super::rows::{all, get};
use super::{Error, Store, statements as sql};

/// A lane and the names that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Its number.
    pub id: i32,
    /// Number of the namespace.
    pub namespace: i32,
    /// Name of the queue.
    pub queue: String,
    /// Name of the handler.
    pub kind: String,
    /// Version of the handler; empty: any.
    pub version: String,
}

impl Store {
    /// Makes a namespace known.
    pub async fn add_namespace(&self, name: &str) -> Result<(), Error> {
        self.hot_rows(query(sql::LANES_NAMESPACE).bind(name)).await.map(drop)
    }

    /// Namespaces with a number above `after`, in order.
    pub async fn namespaces(&self, after: i32) -> Result<Vec<(i32, String)>, Error> {
        let rows = self.hot_rows(query(sql::LANES_NAMESPACES).bind(after)).await?;
        all(&rows, |row| Ok((get(row, "id")?, get(row, "name")?)))
    }

    /// Makes a lane known, and its queue; the lane is paused if the queue is.
    pub async fn add_lane(
        &self,
        namespace: i32,
        queue: &str,
        kind: &str,
        version: &str,
    ) -> Result<(), Error> {
        let statement = query(sql::LANES_ADD).bind(namespace).bind(queue).bind(kind).bind(version);
        self.hot_rows(statement).await.map(drop)
    }

    /// Lanes with a number above `after`, in order.
    pub async fn lanes(&self, after: i32) -> Result<Vec<LaneRow>, Error> {
        let rows = self.hot_rows(query(sql::LANES_LIST).bind(after)).await?;
        all(&rows, |row| {
            Ok(LaneRow {
                id: get(row, "id")?,
                namespace: get(row, "namespace")?,
                queue: get(row, "queue")?,
                kind: get(row, "kind")?,
                version: get(row, "version")?,
            })
        })
    }
}
