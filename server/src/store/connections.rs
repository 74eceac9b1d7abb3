//! Connections to the database, the one used last handed out first: so at a low rate one warm
//! connection does everything, and the others do not have to be woken.
//!
//! sqlx's own pool hands out the one that was idle longest, and pings each one when it comes back:
//! together a quarter of the time from a submit to its start.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::Error;
use crate::metrics::Pool;

/// Longest time to open a connection, if the patience is not longer.
const OPENING: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is asked whether it lives before it is used.
const TRUSTED: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is closed.
const IDLE: Duration = Duration::from_secs(600);
/// An older connection is closed when it comes back: what a session caches only grows.
const LIFE: Duration = Duration::from_secs(1800);

/// A bounded number of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    metrics: Pool,
    patience: Duration,
    places: Arc<Semaphore>,
    /// Connections that are being opened, or asked whether they live.
    opening: AtomicUsize,
    /// The one used last stands last.
    idle: Mutex<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

/// A connection in use. It is closed when it is dropped, since a statement may still be under way on
/// it; [`release`](Self::release) it if none is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) connection: PgConnection,
    opened: Instant,
    shared: Arc<Shared>,
    _place: Place,
}

/// One of the pool's places, counted while it is taken.
#[derive(Debug)]
struct Place(Pool, #[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_use.dec();
    }
}

impl Connections {
    /// Opens up to `size` connections, when they are needed, and waits for one up to `patience`.
    pub(super) fn new(
        options: PgConnectOptions,
        size: u32,
        patience: Duration,
        metrics: &Pool,
    ) -> Self {
        metrics.limit.set(i64::from(size.max(1)));
        let metrics = metrics.clone();
        let places = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1).max(1)));
        let opening = AtomicUsize::new(0);
        let idle = Mutex::default();
        Self(Arc::new(Shared { options, metrics, patience, places, opening, idle }))
    }

    /// A connection, within the patience, and what it takes to open one.
    pub(super) async fn acquire(&self) -> Result<Held, Error> {
        let shared = &self.0;
        let began = Instant::now();
        let place = timeout(shared.patience, shared.places.clone().acquire_owned())
            .await
            .map_err(|_| shared.nothing_free())?
            .map_err(|_| Error::before(sqlx::Error::PoolClosed))?;
        shared.metrics.wait.observe(began.elapsed());
        shared.metrics.in_use.inc();
        let place = Place(shared.metrics.clone(), place);
        let deadline = Instant::now() + shared.patience.max(OPENING);
        let _opening = Opening::count(&shared.opening);
        while let Some(mut idle) = shared.take() {
            let lives = idle.used.elapsed() <= TRUSTED
                || matches!(timeout_at(deadline, idle.connection.ping()).await, Ok(Ok(())));
            if lives {
                return Ok(Held::new(idle, shared, place));
            }
        }
        let connecting = PgConnection::connect_with(&shared.options);
        let connection = timeout_at(deadline, connecting)
            .await
            .map_err(|_| Error::before(sqlx::Error::PoolTimedOut))?
            .map_err(Error::before)?;
        let now = Instant::now();
        Ok(Held::new(Idle { connection, opened: now, used: now }, shared, place))
    }

    /// A connection was lost: those that are idle have probably been lost with it.
    pub(super) fn distrust(&self) {
        self.0.lock().clear();
    }

    /// Closes what is idle; nothing is handed out any more, and what is in use is closed when it comes
    /// back.
    pub(super) async fn close(&self) {
        self.0.places.close();
        while let Some(idle) = self.0.take() {
            idle.connection.close().await.ok();
        }
    }
}

impl Shared {
    /// Why there is no place: the database does not answer those who have one, or they are many.
    fn nothing_free(&self) -> Error {
        match self.opening.load(Ordering::Relaxed) {
            0 => Error::Busy,
            _ => Error::before(sqlx::Error::PoolTimedOut),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Idle> {
        self.lock().pop_back()
    }

    fn put(&self, idle: Idle) {
        let mut all = self.lock();
        if !self.places.is_closed() && idle.opened.elapsed() < LIFE {
            all.push_back(idle);
        }
        // The first one is the one that has not been needed for the longest time.
        if all.front().is_some_and(|idle| idle.used.elapsed() > IDLE) {
            all.pop_front();
        }
    }
}

/// Counts as one that opens until it is dropped.
struct Opening<'a>(&'a AtomicUsize);

impl<'a> Opening<'a> {
    fn count(opening: &'a AtomicUsize) -> Self {
        opening.fetch_add(1, Ordering::Relaxed);
        Self(opening)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Held {
    fn new(idle: Idle, shared: &Arc<Shared>, place: Place) -> Self {
        let Idle { connection, opened, .. } = idle;
        Self { connection, opened, shared: shared.clone(), _place: place }
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, Error> {
        self.connection.begin().await.map_err(Error::before)
    }

    /// Begins a transaction with statements of [`wall`](super::wall).
    pub(super) async fn begin_with(
        &mut self,
        text: String,
    ) -> Result<Transaction<'_, Postgres>, Error> {
        self.connection.begin_with(AssertSqlSafe(text)).await.map_err(Error::before)
    }

    /// Gives it back to be used again.
    pub(super) fn release(self) {
        let Self { connection, opened, shared, _place } = self;
        shared.put(Idle { connection, opened, used: Instant::now() });
    }
}
