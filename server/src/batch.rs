//! Group commit: what comes in while one flush is written goes out together with the next.
//!
//! There is no linger to tune and no delay when idle. The caller is answered after the flush, never
//! before. The queue is bounded in items and in bytes; beyond that a caller is refused at once.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

/// How much is taken on and written at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most units in a flush.
    pub flush_units: usize,
    /// Most bytes in a flush, unless a single item is larger.
    pub flush_bytes: usize,
    /// Flushes under way at once.
    pub flushes: usize,
    /// Most units waiting.
    pub waiting_units: usize,
    /// Most bytes waiting.
    pub waiting_bytes: usize,
}

/// How much an item weighs.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// Units, for example tasks.
    pub units: usize,
    /// Bytes.
    pub bytes: usize,
}

/// Why an item was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much is waiting; nothing was done.
    #[error("too much is waiting to be written")]
    Full,
    /// The loop has ended; nothing was done.
    #[error("no more is written")]
    Closed,
    /// The flush ended without an answer: it may have been done.
    #[error("the write ended without an answer")]
    Lost,
}

/// Takes items. Cheap to clone; when the last handle is dropped, the loop ends.
#[derive(Debug)]
pub struct Batcher<T, R> {
    queue: mpsc::Sender<Entry<T, R>>,
    units: Arc<Semaphore>,
    kibibytes: Arc<Semaphore>,
    /// Items that no flush has taken yet.
    queued: Arc<AtomicUsize>,
    limits: Limits,
    weigh: fn(&T) -> Weight,
}

#[derive(Debug)]
struct Entry<T, R> {
    item: T,
    weight: Weight,
    reply: oneshot::Sender<R>,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// Writes what its [`Batcher`] takes.
#[derive(Debug)]
pub struct BatchLoop<T, R, F> {
    limits: Limits,
    flush: F,
    queue: mpsc::Receiver<Entry<T, R>>,
    queued: Arc<AtomicUsize>,
}

/// A batcher and its loop. `flush` answers every item, in order.
pub fn batcher<T, R, F, Fut>(
    limits: Limits,
    weigh: fn(&T) -> Weight,
    flush: F,
) -> (Batcher<T, R>, BatchLoop<T, R, F>)
where
    F: FnMut(Vec<T>) -> Fut,
    Fut: Future<Output = Vec<R>> + Send + 'static,
{
    // Every item weighs at least one unit, so this many can never be exceeded.
    let (sender, receiver) = mpsc::channel(limits.waiting_units.max(1));
    let queued = Arc::new(AtomicUsize::new(0));
    let handle = Batcher {
        queue: sender,
        queued: queued.clone(),
        units: Arc::new(Semaphore::new(limits.waiting_units.max(1))),
        kibibytes: Arc::new(Semaphore::new(kibibytes(limits.waiting_bytes) as usize)),
        limits,
        weigh,
    };
    (handle, BatchLoop { limits, flush, queue: receiver, queued })
}

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            units: self.units.clone(),
            kibibytes: self.kibibytes.clone(),
            queued: self.queued.clone(),
            limits: self.limits,
            weigh: self.weigh,
        }
    }
}

impl<T, R> Batcher<T, R> {
    /// Hands in an item and waits until it is written. If the caller gives up waiting, the item is
    /// written all the same.
    ///
    /// # Errors
    /// If it was not taken, or its answer got lost.
    pub async fn submit(&self, item: T) -> Result<R, Refused> {
        let weight = (self.weigh)(&item);
        // An item heavier than all room must still be able to pass, alone.
        let units = weight.units.clamp(1, self.limits.waiting_units.max(1));
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let bytes = kibibytes(weight.bytes).min(kibibytes(self.limits.waiting_bytes));
        let room = self
            .units
            .clone()
            .try_acquire_many_owned(units)
            .and_then(|u| Ok((u, self.kibibytes.clone().try_acquire_many_owned(bytes)?)))
            .map_err(|_| Refused::Full)?;
        self.queued.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let entry = Entry { item, weight, reply, _room: room };
        self.queue.try_send(entry).map_err(|error| {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(_) => Refused::Full,
                mpsc::error::TrySendError::Closed(_) => Refused::Closed,
            }
        })?;
        answer.await.map_err(|_| Refused::Lost)
    }

    /// Whether items wait for a flush, since all that may be under way are.
    pub fn is_behind(&self) -> bool {
        self.queued.load(Ordering::Relaxed) > 0
    }
}

impl<T, R, F, Fut> BatchLoop<T, R, F>
where
    T: Send + 'static,
    R: Send + 'static,
    F: FnMut(Vec<T>) -> Fut,
    Fut: Future<Output = Vec<R>> + Send + 'static,
{
    /// Writes until every handle is dropped and everything taken is answered.
    pub async fn run(self) {
        let Self { limits, mut flush, mut queue, queued } = self;
        let mut flushes = JoinSet::new();
        let mut carried = None;
        loop {
            if flushes.len() >= limits.flushes.max(1) {
                flushes.join_next().await;
            }
            let first = match carried.take() {
                Some(entry) => Some(entry),
                None => queue.recv().await,
            };
            let Some(first) = first else { break };
            let mut weight = first.weight;
            let mut batch = vec![first];
            while let Ok(entry) = queue.try_recv() {
                weight.units = weight.units.saturating_add(entry.weight.units);
                weight.bytes = weight.bytes.saturating_add(entry.weight.bytes);
                if weight.units > limits.flush_units || weight.bytes > limits.flush_bytes {
                    carried = Some(entry);
                    break;
                }
                batch.push(entry);
            }
            queued.fetch_sub(batch.len(), Ordering::Relaxed);
            let mut items = Vec::with_capacity(batch.len());
            let mut replies = Vec::with_capacity(batch.len());
            for entry in batch {
                items.push(entry.item);
                replies.push((entry.reply, entry._room));
            }
            let written = flush(items);
            flushes.spawn(async move {
                for (answer, (reply, _room)) in written.await.into_iter().zip(replies) {
                    // A caller that is gone needs no answer.
                    reply.send(answer).ok();
                }
            });
        }
        while flushes.join_next().await.is_some() {}
    }
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LIMITS: Limits = Limits {
        flush_units: 3,
        flush_bytes: 1 << 20,
        flushes: 1,
        waiting_units: 8,
        waiting_bytes: 1 << 20,
    };

    fn unit<T>(_: &T) -> Weight {
        Weight { units: 1, bytes: 1 }
    }

    #[tokio::test]
    async fn what_comes_in_during_a_flush_is_written_together_and_answered_after_it() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(Semaphore::new(0));
        let (handle, writer) = batcher(LIMITS, unit, {
            let (sizes, open) = (sizes.clone(), open.clone());
            move |items: Vec<u32>| {
                sizes.lock().unwrap().push(items.len());
                let open = open.clone();
                async move {
                    open.acquire().await.unwrap().forget();
                    items.into_iter().map(|item| item * 10).collect()
                }
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(writer.run());
        let mut answers = JoinSet::new();
        for item in 0..5 {
            let handle = handle.clone();
            answers.spawn(async move { handle.submit(item).await.unwrap() });
            tokio::task::yield_now().await;
        }
        assert!(answers.try_join_next().is_none(), "nobody is answered before the flush has ended");
        assert!(handle.is_behind());
        open.add_permits(3);
        let queued = handle.queued.clone();
        drop(handle);
        let mut all = answers.join_all().await;
        assert_eq!(queued.load(Ordering::Relaxed), 0);
        all.sort_unstable();
        assert_eq!(all, [0, 10, 20, 30, 40]);
        assert_eq!(*sizes.lock().unwrap(), [1, 3, 1]);
        assert!(tasks.join_next().await.unwrap().is_ok(), "the loop ends with its last handle");
    }

    #[tokio::test]
    async fn beyond_its_room_an_item_is_refused_at_once() {
        let (handle, _writer) = batcher(LIMITS, unit, |items: Vec<u32>| async move { items });
        let mut waiting = JoinSet::new();
        for item in 0..8 {
            let handle = handle.clone();
            waiting.spawn(async move { handle.submit(item).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(handle.submit(9).await, Err(Refused::Full));
    }
}
