//! Hints to the other replicas, coalesced and sent after the commit on a statement of their own:
//! NOTIFY inside the hot statements would serialise every commit of the cluster.
//!
//! A hint may be lost: every receiver also looks by itself.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::{AttemptRef, SessionId, TaskId};
use crate::store::Store;

/// Shortest time between two messages.
const SPACING: Duration = Duration::from_millis(5);
/// Ids of tasks in one message; PostgreSQL allows 8,000 bytes.
const TASKS: usize = 120;
/// Lanes in one message.
pub(super) const LANES: usize = 200;
/// More changes than this are not named: whoever watches looks by itself.
const MOST_TASKS: usize = 5_000;

/// What one replica tells the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Who says it.
    #[serde(rename = "r")]
    pub replica: Uuid,
    /// Lanes in which tasks became ready.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<i32>,
    /// Lanes to which tasks came back, with the place in line of the oldest, in seconds since 1970.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<(i32, i64)>,
    /// Tasks that changed, with their lanes.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<(Uuid, i32)>,
    /// Attempts whose worker is to be told of a cancel: session, task, attempt.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub cancels: Vec<(Uuid, Uuid, u32)>,
    /// More changed than could be named.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether the replica is new, or has just begun to watch.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub hello: bool,
    /// Whether schedules were changed, so that the leader looks.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub schedules: bool,
    /// Whether API keys were changed.
    #[serde(rename = "k", default, skip_serializing_if = "std::ops::Not::not")]
    pub keys: bool,
    /// A lane of each queue that is full, and for how many seconds that is believed; nothing: as before.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub full: Option<(Vec<i32>, u64)>,
}

#[derive(Debug, Default)]
struct Waiting {
    lanes: HashSet<i32>,
    returned: HashMap<i32, Timestamp>,
    tasks: HashSet<(TaskId, i32)>,
    cancels: Vec<(SessionId, AttemptRef)>,
    more: bool,
    hello: bool,
    schedules: bool,
    keys: bool,
    full: Option<(Vec<i32>, u64)>,
}

/// Collects and sends hints.
#[derive(Debug)]
pub struct Hints {
    store: Store,
    replica: Uuid,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    has_others: AtomicBool,
    is_watched: AtomicBool,
    /// Whether the others may believe that queues are full.
    told_full: AtomicBool,
}

impl Hints {
    /// Nothing is sent until others are known.
    pub fn new(store: Store, replica: Uuid) -> Self {
        Self {
            store,
            replica,
            waiting: Mutex::default(),
            arrived: Notify::new(),
            has_others: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
            // By the leader before this one, perhaps.
            told_full: AtomicBool::new(true),
        }
    }

    /// Who sends.
    pub fn replica(&self) -> Uuid {
        self.replica
    }

    /// Whether there are other replicas, and whether somebody watches tasks there.
    pub fn set_others(&self, any: bool, watching: bool) {
        self.has_others.store(any, Ordering::Relaxed);
        self.is_watched.store(watching, Ordering::Relaxed);
    }

    /// Tasks became ready in these lanes.
    pub fn lanes(&self, lanes: HashSet<i32>) {
        if self.has_others.load(Ordering::Relaxed) {
            self.add(|waiting| waiting.lanes.extend(lanes));
        }
    }

    /// Tasks came back to these lanes; the oldest of each has this place in line.
    pub fn returned(&self, lanes: HashMap<i32, Timestamp>) {
        if self.has_others.load(Ordering::Relaxed) {
            self.add(|waiting| {
                for (lane, place) in lanes {
                    let oldest = waiting.returned.entry(lane).or_insert(place);
                    *oldest = place.min(*oldest);
                }
            });
        }
    }

    /// These tasks changed.
    pub fn tasks(&self, tasks: impl Iterator<Item = (TaskId, i32)>) {
        if self.is_watched.load(Ordering::Relaxed) {
            self.add(|waiting| {
                for task in tasks {
                    if waiting.tasks.len() >= MOST_TASKS {
                        waiting.more = true;
                        break;
                    }
                    waiting.tasks.insert(task);
                }
            });
        }
    }

    /// Schedules were changed.
    pub fn schedules(&self) {
        if self.has_others.load(Ordering::Relaxed) {
            self.add(|waiting| waiting.schedules = true);
        }
    }

    /// API keys were changed. Sent also if no others are known yet: a revoked key should not wait.
    pub fn keys(&self) {
        self.add(|waiting| waiting.keys = true);
    }

    /// These queues are full, of each a lane, and no others; believed for so long.
    pub fn full(&self, lanes: Vec<i32>, lasts: Duration) {
        let told = self.told_full.swap(!lanes.is_empty(), Ordering::Relaxed);
        if self.has_others.load(Ordering::Relaxed) && (told || !lanes.is_empty()) {
            self.add(|waiting| waiting.full = Some((lanes, lasts.as_secs())));
        }
    }

    /// The worker of this attempt is to be told of a cancel.
    pub fn cancel(&self, session: SessionId, attempt: AttemptRef) {
        if self.has_others.load(Ordering::Relaxed) {
            self.add(|waiting| waiting.cancels.push((session, attempt)));
        }
    }

    /// This replica is new, or has begun to watch.
    pub fn hello(&self) {
        self.add(|waiting| waiting.hello = true);
    }

    fn add(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.arrived.notify_one();
    }

    /// Sends until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.arrived.notified() => {}
            }
            let waiting =
                std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            for message in self.messages(waiting) {
                let Ok(text) = serde_json::to_string(&message) else { continue };
                if let Err(error) = self.store.notify(&text).await {
                    tracing::debug!(%error, "a hint was not sent");
                }
            }
            tokio::time::sleep(SPACING).await;
        }
    }

    fn messages(&self, waiting: Waiting) -> Vec<Message> {
        let empty = Message { replica: self.replica, ..Message::default() };
        let lanes: Vec<i32> = waiting.lanes.into_iter().collect();
        let tasks: Vec<(Uuid, i32)> =
            waiting.tasks.into_iter().map(|(task, lane)| (task.0, lane)).collect();
        let cancels: Vec<(Uuid, Uuid, u32)> = waiting
            .cancels
            .into_iter()
            .map(|(session, attempt)| (session.0, attempt.task.0, attempt.attempt))
            .collect();
        let mut messages = Vec::new();
        let mut add = |message: Message| messages.push(message);
        for lanes in lanes.chunks(LANES) {
            add(Message { lanes: lanes.to_vec(), ..empty.clone() });
        }
        let returned: Vec<(i32, i64)> =
            waiting.returned.into_iter().map(|(lane, place)| (lane, place.as_second())).collect();
        for returned in returned.chunks(LANES) {
            add(Message { returned: returned.to_vec(), ..empty.clone() });
        }
        for tasks in tasks.chunks(TASKS) {
            add(Message { tasks: tasks.to_vec(), ..empty.clone() });
        }
        for cancels in cancels.chunks(TASKS / 2) {
            add(Message { cancels: cancels.to_vec(), ..empty.clone() });
        }
        if waiting.full.is_some() {
            add(Message { full: waiting.full, ..empty.clone() });
        }
        if waiting.more || waiting.hello || waiting.schedules || waiting.keys {
            let Waiting { more, hello, schedules, keys, .. } = waiting;
            add(Message { more, hello, schedules, keys, ..empty });
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_message_fits_into_a_notification() {
        let message = Message {
            replica: Uuid::max(),
            tasks: vec![(Uuid::max(), i32::MIN); TASKS],
            ..Message::default()
        };
        assert!(serde_json::to_string(&message).unwrap().len() < 8_000);
        let message = Message {
            replica: Uuid::max(),
            returned: vec![(i32::MIN, i64::from(i32::MIN)); LANES],
            ..Message::default()
        };
        assert!(serde_json::to_string(&message).unwrap().len() < 8_000);
        let message = Message {
            replica: Uuid::max(),
            full: Some((vec![i32::MIN; LANES], u64::MAX)),
            ..Message::default()
        };
        assert!(serde_json::to_string(&message).unwrap().len() < 8_000);
        let message = Message {
            replica: Uuid::max(),
            cancels: vec![(Uuid::max(), Uuid::max(), u32::MAX); TASKS / 2],
            lanes: vec![],
            ..Message::default()
        };
        assert!(serde_json::to_string(&message).unwrap().len() < 8_000);
    }
}
