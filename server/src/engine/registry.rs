//! Namespaces and lanes by name and by number, in memory. Rows are only ever added, so the copy can
//! be behind but never wrong.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::Error;
use crate::domain::{Kind, Namespace, QueueName, Version};
use crate::store::{LaneRow, Store};

/// Tasks of one namespace, queue, kind and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its number.
    pub id: i32,
    /// Number of its namespace.
    pub namespace_id: i32,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its queue.
    pub queue: QueueName,
    /// Its kind.
    pub kind: Kind,
    /// Its version; `None`: tasks without one.
    pub version: Option<Version>,
}

/// How far back a refresh reads: rows may come into sight out of the order of their numbers.
const OVERLAP: i32 = 64;

type Name = (i32, QueueName, Kind, Option<Version>);

#[derive(Debug, Default)]
struct Known {
    namespaces: HashMap<Namespace, i32>,
    names: HashMap<i32, Namespace>,
    lanes: HashMap<i32, Arc<Lane>>,
    by_name: HashMap<Name, Arc<Lane>>,
    last_lane: i32,
}

/// The copy in memory.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    known: RwLock<Known>,
    generation: watch::Sender<u64>,
    lanes_per_namespace: usize,
}

impl Registry {
    /// An empty copy.
    pub fn new(store: Store, lanes_per_namespace: usize) -> Self {
        let generation = watch::Sender::new(0);
        Self { store, known: RwLock::default(), generation, lanes_per_namespace }
    }

    /// Changes whenever lanes became known.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Reads what was added, or everything.
    pub(super) async fn refresh(&self, everything: bool) -> Result<(), Error> {
        let last = if everything { 0 } else { self.read(|known| known.last_lane - OVERLAP) };
        let lanes = self.store.lanes(last.max(0)).await?;
        let is_stranger =
            |known: &Known| lanes.iter().any(|lane| !known.names.contains_key(&lane.namespace));
        let namespaces = if everything || self.read(is_stranger) {
            self.store.namespaces(0).await?
        } else {
            Vec::new()
        };
        let is_new = self.write(|known| {
            for (id, name) in namespaces {
                if let Ok(name) = Namespace::parse(&name) {
                    known.namespaces.insert(name.clone(), id);
                    known.names.insert(id, name);
                }
            }
            let before = known.lanes.len();
            for row in lanes {
                known.last_lane = known.last_lane.max(row.id);
                if known.lanes.contains_key(&row.id) {
                    continue;
                }
                match lane_of(&row, known) {
                    Some(lane) => {
                        let name = (
                            lane.namespace_id,
                            lane.queue.clone(),
                            lane.kind.clone(),
                            lane.version.clone(),
                        );
                        let lane = Arc::new(lane);
                        known.by_name.insert(name, lane.clone());
                        known.lanes.insert(row.id, lane);
                    }
                    None => tracing::error!(lane = row.id, "a lane cannot be read and is left out"),
                }
            }
            known.lanes.len() > before
        });
        if is_new {
            self.generation.send_modify(|generation| *generation += 1);
        }
        Ok(())
    }

    /// The number of a namespace, if it exists.
    pub async fn find_namespace(&self, name: &Namespace) -> Result<Option<i32>, Error> {
        if let Some(id) = self.read(|known| known.namespaces.get(name).copied()) {
            return Ok(Some(id));
        }
        for (id, found) in self.store.namespaces(0).await? {
            if found == name.as_str() {
                self.write(|known| {
                    known.namespaces.insert(name.clone(), id);
                    known.names.insert(id, name.clone());
                });
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The number of a namespace, which is made if need be.
    pub async fn namespace(&self, name: &Namespace) -> Result<i32, Error> {
        if let Some(id) = self.find_namespace(name).await? {
            return Ok(id);
        }
        self.store.add_namespace(name.as_str()).await?;
        self.find_namespace(name).await?.ok_or(Error::StoreUnavailable)
    }

    /// A lane, which is made if need be, with its queue and namespace.
    pub async fn lane(
        &self,
        namespace: &Namespace,
        queue: &QueueName,
        kind: &Kind,
        version: Option<&Version>,
    ) -> Result<Arc<Lane>, Error> {
        let namespace_id = self.namespace(namespace).await?;
        let name = (namespace_id, queue.clone(), kind.clone(), version.cloned());
        if let Some(lane) = self.read(|known| known.by_name.get(&name).cloned()) {
            return Ok(lane);
        }
        self.refresh(false).await?;
        if let Some(lane) = self.read(|known| known.by_name.get(&name).cloned()) {
            return Ok(lane);
        }
        let count = self.select(|lane| lane.namespace_id == namespace_id).len();
        if count >= self.lanes_per_namespace {
            let limit = self.lanes_per_namespace;
            return Err(Error::LimitReached { what: "kinds in a namespace", limit });
        }
        let text = version.map_or("", Version::as_str);
        self.store.add_lane(namespace_id, queue.as_str(), kind.as_str(), text).await?;
        self.refresh(true).await?;
        self.read(|known| known.by_name.get(&name).cloned()).ok_or(Error::StoreUnavailable)
    }

    /// The lane of a number that came from the database.
    pub async fn lane_by_id(&self, id: i32) -> Result<Arc<Lane>, Error> {
        if let Some(lane) = self.read(|known| known.lanes.get(&id).cloned()) {
            return Ok(lane);
        }
        self.refresh(true).await?;
        self.read(|known| known.lanes.get(&id).cloned()).ok_or_else(|| {
            let log_id = uuid::Uuid::new_v4().simple().to_string();
            tracing::error!(log_id, lane = id, "a task names a lane that does not exist");
            Error::Internal { log_id }
        })
    }

    /// A lane, if it is known here.
    pub fn peek(&self, id: i32) -> Option<Arc<Lane>> {
        self.read(|known| known.lanes.get(&id).cloned())
    }

    /// The known lanes that match, in no order.
    pub fn select(&self, matches: impl Fn(&Lane) -> bool) -> Vec<Arc<Lane>> {
        self.read(|known| known.lanes.values().filter(|lane| matches(lane)).cloned().collect())
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lane_of(row: &LaneRow, known: &Known) -> Option<Lane> {
    let version = match row.version.as_str() {
        "" => None,
        version => Some(Version::parse(version).ok()?),
    };
    Some(Lane {
        id: row.id,
        namespace_id: row.namespace,
        namespace: known.names.get(&row.namespace)?.clone(),
        queue: QueueName::parse(&row.queue).ok()?,
        kind: Kind::parse(&row.kind).ok()?,
        version,
    })
}
