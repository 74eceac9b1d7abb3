//! How often who may call, and how many streams they may have: refused before anything is read or
//! written. Calls are counted, not tasks: a SubmitBatch is one, since what it may cost is bounded by what
//! may wait to be written. Messages of a worker's stream are not counted: each waits for its write, so that
//! a worker that says too much is slowed down; to refuse its reports would do the work twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::moment_in;
use crate::domain::Namespace;
use crate::edge::Source;
use crate::engine::Error;
use crate::places::{Place, Places};
use crate::rates::{MOST_KEYS, Rate, Rates};

/// How often full buckets are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// What callers may.
#[derive(Debug, Clone)]
pub struct QuotaSettings {
    /// Rates of a caller, of a namespace, and of an address; `None`: calls are not counted.
    pub rates: Option<[Rate; 3]>,
    /// Most streams and waiting calls of a caller.
    pub streams: usize,
}

/// What callers have used of it.
#[derive(Debug)]
pub(super) struct Quotas {
    counted: Option<Counted>,
    streams: Places<Who>,
    most_streams: usize,
}

#[derive(Debug)]
struct Counted {
    callers: Rates<Who>,
    namespaces: Rates<Namespace>,
    /// Calls without a credential.
    strangers: Rates<Source>,
    /// Calls with one that is wrong.
    failures: Rates<Source>,
    /// Who made too many of these, and until when it is not listened to.
    barred: Mutex<HashMap<Source, Instant>>,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Those with a credential.
    Caller(Arc<str>),
    /// Those from somewhere, where nobody is asked who they are.
    From(Source),
}

/// A place for a stream.
pub(super) type StreamPlace = Arc<Place<Who>>;

impl Quotas {
    pub(super) fn new(settings: &QuotaSettings) -> Self {
        let counted = settings.rates.map(|[caller, namespace, source]| Counted {
            callers: Rates::new(caller),
            namespaces: Rates::new(namespace),
            strangers: Rates::new(source),
            failures: Rates::new(source),
            barred: Mutex::default(),
        });
        let most_streams = settings.streams;
        Self { counted, streams: Places::new(usize::MAX, most_streams), most_streams }
    }

    /// A call that asks nobody who they are.
    pub(super) fn stranger(&self, source: Source) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        counted.strangers.take(&source).map_err(|after| limited("address", after))
    }

    /// Before a credential is looked at.
    pub(super) fn knock(&self, source: Source) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let mut barred = counted.barred();
        let Some(until) = barred.get(&source) else { return Ok(()) };
        let after = until.saturating_duration_since(Instant::now());
        if after.is_zero() {
            barred.remove(&source);
            return Ok(());
        }
        Err(limited("address", after))
    }

    /// A credential was wrong.
    pub(super) fn failed(&self, source: Source) {
        let Some(counted) = &self.counted else { return };
        if let Err(after) = counted.failures.take(&source) {
            let mut barred = counted.barred();
            if barred.len() < MOST_KEYS {
                barred.insert(source, moment_in(after));
            }
        }
    }

    /// A call of somebody.
    pub(super) fn call(&self, who: &Who) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        counted.callers.take(who).map_err(|after| limited("caller", after))
    }

    /// A call to a namespace, which the caller may enter.
    pub(super) fn namespace(&self, namespace: &Namespace) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        counted.namespaces.take(namespace).map_err(|after| limited("namespace", after))
    }

    /// A stream, or a call that waits; it counts until the place is dropped.
    pub(super) fn stream(&self, who: Who) -> Result<StreamPlace, Error> {
        let limit = self.most_streams;
        let full = |_| Error::LimitReached { what: "streams of a caller", limit };
        self.streams.take(who).map(Arc::new).map_err(full)
    }

    /// Forgets, each minute, who has not called for a while; until stopped.
    pub(super) async fn forget(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FORGET_EVERY) => {}
            }
            if let Some(counted) = &self.counted {
                counted.callers.forget();
                counted.namespaces.forget();
                counted.strangers.forget();
                counted.failures.forget();
                counted.barred().retain(|_, until| *until > Instant::now());
            }
        }
    }
}

impl Counted {
    fn barred(&self) -> MutexGuard<'_, HashMap<Source, Instant>> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limited(of: &'static str, after: Duration) -> Error {
    Error::RateLimited { of, after }
}
