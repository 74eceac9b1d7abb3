//! Knowing the other replicas and hearing their hints.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::dispatcher::Dispatcher;
use super::fullness::Fullness;
use super::hints::{Hints, Message};
use super::registry::Registry;
use super::watch_hub::WatchHub;
use super::workers::Workers;
use crate::domain::{AttemptRef, SessionId, TaskId};
use crate::leader;
use crate::store::{Notification, Store};

/// How often a replica says that it lives.
const BEATS_EVERY: Duration = Duration::from_secs(5);
/// How long it hears nothing before it makes sure that it still could.
const SILENCE: Duration = Duration::from_secs(30);

/// The part of a replica that listens to the others.
#[derive(Debug)]
pub(super) struct Replicas {
    /// Where it listens.
    pub store: Store,
    /// What it refreshes.
    pub registry: Arc<Registry>,
    /// What it wakes.
    pub dispatcher: Arc<Dispatcher>,
    /// Whom it tells of cancels.
    pub workers: Arc<Workers>,
    /// What it tells of changes.
    pub hub: Arc<WatchHub>,
    /// What it tells of others.
    pub hints: Arc<Hints>,
    /// How often it looks for new lanes while workers are connected.
    pub(super) poll_interval: Duration,
    /// Wakes the leader if it is here.
    pub leader: Arc<Notify>,
    /// Notified when API keys were changed.
    pub keys_changed: Arc<Notify>,
    /// Told which queues are full.
    pub(super) fullness: Arc<Fullness>,
    /// What this replica does about schedules.
    pub leadership: watch::Receiver<leader::Status>,
    /// Name of this replica, for people.
    pub name: String,
}

impl Replicas {
    /// Says that this replica lives, and looks for new lanes, until stopped.
    pub(super) async fn beat(&self, stop: CancellationToken) {
        let mut was_watched = false;
        let mut next_beat = Instant::now();
        let mut is_new = true;
        let mut leadership = self.leadership.clone();
        loop {
            let is_watched = self.hub.is_watched();
            let has_new_role = leadership.has_changed().unwrap_or_default();
            leadership.mark_unchanged();
            if Instant::now() >= next_beat || is_watched != was_watched || has_new_role {
                next_beat = Instant::now() + BEATS_EVERY;
                if let Err(error) = self.beat_once().await {
                    tracing::debug!(%error, "failed to say that this replica lives");
                } else if std::mem::take(&mut is_new) || is_watched && !was_watched {
                    // After the row is there to be seen: the others look at once.
                    self.hints.hello();
                }
                was_watched = is_watched;
            }
            if self.workers.connected() > 0
                && let Err(error) = self.registry.refresh(false).await
            {
                tracing::debug!(%error, "failed to look for new lanes");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.hub.began.notified() => {}
                () = tokio::time::sleep(self.poll_interval) => {}
            }
        }
        if let Err(error) = self.store.replica_leave(self.hints.replica()).await {
            tracing::debug!(%error, "failed to say that this replica stops");
        }
    }

    async fn beat_once(&self) -> Result<(), Error> {
        let is_watching = self.hub.is_watched();
        let role = match &self.leadership.borrow().role {
            leader::Role::Starting => (0, String::new()),
            leader::Role::Leader { .. } => (1, String::new()),
            leader::Role::Standby => (2, String::new()),
            leader::Role::Refused { reason } => (3, reason.clone()),
        };
        let role = (role.0, role.1.as_str());
        let me = self.hints.replica();
        let others = self.store.replica_beat(me, &self.name, is_watching, role).await?;
        let watching = others.iter().any(|(_, is_watching)| *is_watching);
        self.hints.set_others(!others.is_empty(), watching);
        Ok(())
    }

    /// Hears hints, until stopped.
    pub(super) async fn listen(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.listen_once() => heard,
            };
            if let Err(error) = heard {
                tracing::debug!(%error, "the listening connection was lost; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    async fn listen_once(&self) -> Result<(), crate::store::Error> {
        let mut listener = self.store.listen(SILENCE).await?;
        // Hints were lost while nobody listened.
        self.catch_up();
        loop {
            match listener.next().await? {
                Notification::Gap => self.catch_up(),
                Notification::Message(text) => match serde_json::from_str::<Message>(&text) {
                    Ok(message) if message.replica == self.hints.replica() => {}
                    Ok(message) => self.hear(message).await,
                    Err(error) => tracing::debug!(%error, "a hint cannot be read"),
                },
            }
        }
    }

    fn catch_up(&self) {
        self.leader.notify_one();
        self.keys_changed.notify_one();
        self.dispatcher.wake_all();
        self.hub.look();
    }

    async fn hear(&self, message: Message) {
        if message.hello
            && let Err(error) = self.beat_once().await
        {
            tracing::debug!(%error, "failed to look at the other replicas");
        }
        if message.more {
            self.hub.look();
        }
        if message.schedules {
            self.leader.notify_one();
        }
        if message.keys {
            self.keys_changed.notify_one();
        }
        let full = message.full.as_ref().map(|(lanes, _)| lanes.clone()).unwrap_or_default();
        let mut lanes: HashSet<i32> = message.lanes.into_iter().collect();
        let returned: HashMap<i32, Timestamp> = message
            .returned
            .into_iter()
            .map(|(lane, at)| (lane, Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH)))
            .collect();
        self.dispatcher.returned(&returned);
        lanes.extend(returned.into_keys());
        if lanes.iter().chain(&full).any(|lane| self.registry.peek(*lane).is_none())
            && let Err(error) = self.registry.refresh(false).await
        {
            tracing::debug!(%error, "failed to look for new lanes");
        }
        if let Some((_, seconds)) = message.full {
            let lanes = full.iter().filter_map(|lane| self.registry.peek(*lane));
            let queues = lanes.map(|lane| (lane.namespace_id, lane.queue.clone())).collect();
            self.fullness.set(queues, Duration::from_secs(seconds));
        }
        if !lanes.is_empty() {
            self.dispatcher.wake(&lanes);
        }
        self.hub.changed(message.tasks.into_iter().map(|(task, lane)| (TaskId(task), lane)));
        for (session, task, attempt) in message.cancels {
            let attempt = AttemptRef { task: TaskId(task), attempt };
            self.workers.tell_cancel(SessionId(session), attempt);
        }
    }
}
