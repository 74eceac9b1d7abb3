//! API keys as this replica knows them: read when they are first used, and looked at again every few
//! seconds, so that a revoked key stops everywhere whatever becomes of hints.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Refusal;
use super::key;
use super::principal::Identity;
use crate::clock::{Clock as _, SystemClock, moment_in};
use crate::domain::{Grant, KeyHash, Role};
use crate::store::{Error, KeyRow, Store};

/// How often known keys are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A key that was not looked at for longer is read again before it is taken.
const TRUSTED: Duration = Duration::from_secs(20);
/// A key that nobody has used for longer is forgotten.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How often it is written down which keys were used.
const USES_EVERY: Duration = Duration::from_secs(60);

/// The keys of a database.
#[derive(Debug)]
pub struct Keys {
    store: Store,
    /// Notified when keys were changed somewhere.
    changed: Arc<Notify>,
    known: RwLock<HashMap<String, Arc<Known>>>,
    used: Mutex<HashSet<String>>,
}

#[derive(Debug)]
struct Known {
    hash: KeyHash,
    identity: Arc<Identity>,
    /// When it was last seen in the database, and when it was last used.
    seen: Mutex<(Instant, Instant)>,
}

impl Keys {
    /// Knows none yet.
    pub(super) fn new(store: Store, changed: Arc<Notify>) -> Self {
        Self { store, changed, known: RwLock::default(), used: Mutex::default() }
    }

    /// Who has this key.
    pub(super) async fn authenticate(&self, text: &str) -> Result<Arc<Identity>, Refusal> {
        let (id, hash) = key::read(text).ok_or(Refusal::Unauthenticated)?;
        let known = match self.known(id) {
            Some(known) => known,
            None => {
                self.look(&[id.to_owned()]).await.map_err(|_| Refusal::Unavailable)?;
                self.known(id).ok_or(Refusal::Unauthenticated)?
            }
        };
        let identity = &known.identity;
        let is_over = identity.revoked.is_cancelled()
            || identity.expires_at.is_some_and(|end| end <= SystemClock.now());
        if !known.hash.matches(&hash) || is_over {
            return Err(Refusal::Unauthenticated);
        }
        lock(&known.seen).1 = Instant::now();
        // Mostly it is there already; then nothing is allocated.
        let mut used = lock(&self.used);
        if !used.contains(id) {
            used.insert(id.to_owned());
        }
        Ok(identity.clone())
    }

    /// Looks at known keys, and writes down which were used, until stopped.
    pub(super) async fn follow(&self, stop: CancellationToken) {
        let mut write_uses_at = moment_in(USES_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.forget();
            if let Err(error) = self.look_at_all().await {
                tracing::warn!(%error, "failed to look at the API keys; trying again");
            }
            if Instant::now() >= write_uses_at {
                write_uses_at = moment_in(USES_EVERY);
                self.write_uses().await;
            }
        }
        self.write_uses().await;
    }

    /// Looks at all known keys.
    async fn look_at_all(&self) -> Result<(), Error> {
        let ids: Vec<String> = self.read(|known| known.keys().cloned().collect());
        if ids.is_empty() { Ok(()) } else { self.look(&ids).await }
    }

    /// Reads keys; those that have ended are over at once, here and in open streams.
    async fn look(&self, ids: &[String]) -> Result<(), Error> {
        let begun = Instant::now();
        let rows = self.store.keys(ids).await?;
        let mut found: HashMap<String, KeyRow> =
            rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            let row = found.remove(id).filter(|row| row.revoked_at.is_none());
            match (row, known.get(id)) {
                (None, _) => {
                    if let Some(over) = known.remove(id) {
                        over.identity.revoked.cancel();
                    }
                }
                // Nothing else of a key ever changes.
                (Some(_), Some(known)) => lock(&known.seen).0 = begun,
                (Some(row), None) => {
                    known.insert(id.clone(), Arc::new(Known::new(row, begun)));
                }
            }
        }
        Ok(())
    }

    /// Forgets keys that are not used any more, also by no open stream.
    fn forget(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| {
            let is_used = lock(&known.seen).1.elapsed() < REMEMBERED;
            is_used || Arc::strong_count(&known.identity) > 1
        });
    }

    /// A key that was seen in the database lately.
    fn known(&self, id: &str) -> Option<Arc<Known>> {
        self.read(|known| known.get(id).cloned())
            .filter(|known| lock(&known.seen).0.elapsed() < TRUSTED)
    }

    async fn write_uses(&self) {
        let used: Vec<String> = std::mem::take(&mut *lock(&self.used)).into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.keys_used(&used).await {
            tracing::debug!(%error, "failed to write down which API keys were used");
        }
    }

    fn read<T>(&self, look: impl FnOnce(&HashMap<String, Arc<Known>>) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn new(row: KeyRow, seen: Instant) -> Self {
        let roles = row.roles.iter();
        // A role that this version does not know allows nothing.
        let grants = roles.filter_map(|role| {
            let queues = if *role == Role::Worker { row.queues.clone() } else { vec![] };
            Grant::new(*role, row.scope.clone(), queues).ok()
        });
        let identity = Identity {
            name: format!("key:{}", row.id),
            grants: grants.collect(),
            expires_at: row.expires_at,
            revoked: CancellationToken::new(),
        };
        Self { hash: row.hash, identity: Arc::new(identity), seen: Mutex::new((seen, seen)) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
