//! The express path: a task that meets a worker with nothing else to do is written already leased to
//! it, by the one statement and commit that submits it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::dispatcher::{Dispatcher, start_over};
use super::pool::{Place, give_back};
use super::session::Session;
use super::signals::Signals;
use crate::domain::task::Start;
use crate::domain::{Assignment, AttemptRef, SessionId, TaskId};
use crate::store::{Leased, Slot, SubmitRow};

/// Places for tasks that are about to be written: one for each row, or none. Dropped while nobody knows what was
/// written, their workers start over.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Option<Place>>);

impl Seats {
    /// Reserves what can be had; the highest priorities sit first.
    pub(super) fn reserve(dispatcher: &Dispatcher, rows: &[&SubmitRow]) -> Self {
        let mut seats = vec![None; rows.len()];
        let mut by_lane: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (n, row) in rows.iter().enumerate() {
            if row.task.start == Start::Now {
                by_lane.entry(row.lane).or_default().push(n);
            }
        }
        for (lane, mut waiting) in by_lane {
            let places = dispatcher.reserve_free(lane, waiting.len());
            if places.len() < waiting.len() {
                dispatcher.made_ready(lane, waiting.len() - places.len());
                waiting.sort_by_key(|&n| std::cmp::Reverse(rows[n].task.priority));
            }
            for (n, place) in waiting.into_iter().zip(places) {
                seats[n] = Some(place);
            }
        }
        Self(seats)
    }

    /// As the store wants them.
    pub(super) fn slots(&self) -> Vec<Option<Slot<'_>>> {
        self.0.iter().map(|seat| seat.as_ref().map(Place::slot)).collect()
    }

    /// Hands out what was leased, and gives back the places that were not used.
    pub(super) fn hand_out(
        mut self,
        rows: &[&SubmitRow],
        leased: &[Leased],
        dispatcher: &Arc<Dispatcher>,
        signals: &Arc<Signals>,
    ) {
        let mut seated: HashMap<TaskId, (&SubmitRow, Place)> = rows
            .iter()
            .zip(std::mem::take(&mut self.0))
            .filter_map(|(row, seat)| Some((row.id, (*row, seat?))))
            .collect();
        let lanes = leased.iter().filter_map(|task| Some(seated.get(&task.id)?.0.lane));
        signals.meter.started_at_once(lanes);
        let mut by_session: HashMap<SessionId, (Arc<Session>, Vec<Assignment>)> = HashMap::new();
        for task in leased {
            let Some((row, place)) = seated.remove(&task.id) else { continue };
            let assignment = assignment(row, task, &place.session, signals);
            by_session
                .entry(place.session.id)
                .or_insert_with(|| (place.session, Vec::new()))
                .1
                .push(assignment);
        }
        for (session, mut tasks) in by_session.into_values() {
            tasks.sort_by_key(|task| task.task);
            dispatcher.hand_over(&session, tasks, signals);
        }
        vacate(&seated.into_values().map(|(_, place)| place).collect::<Vec<_>>(), dispatcher);
    }

    /// Nothing was written, or nobody knows whether it was.
    pub(super) fn abandon(mut self, dispatcher: &Dispatcher, may_have_committed: bool) {
        let places: Vec<Place> = std::mem::take(&mut self.0).into_iter().flatten().collect();
        if may_have_committed {
            start_over(&places);
        }
        vacate(&places, dispatcher);
    }
}

/// Gives places back, and tells the loops that had none of them: there is room now for what waits.
fn vacate(places: &[Place], dispatcher: &Dispatcher) {
    give_back(places);
    for session in places.iter().map(|place| place.session.id).collect::<HashSet<_>>() {
        dispatcher.has_room(session);
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            let places: Vec<Place> = std::mem::take(&mut self.0).into_iter().flatten().collect();
            start_over(&places);
            give_back(&places);
        }
    }
}

fn assignment(
    row: &SubmitRow,
    leased: &Leased,
    session: &Session,
    signals: &Signals,
) -> Assignment {
    let task = &row.task;
    let attempt = AttemptRef { task: row.id, attempt: 1 };
    let (traceparent, now) = (task.traceparent.clone(), leased.started_at);
    let traceparent = signals.traces.leased(session, attempt, traceparent, now, now);
    Assignment {
        task: row.id,
        attempt: 1,
        tries: 1,
        max_attempts: task.retry.clone().unwrap_or_default().max_attempts,
        queue: task.queue.clone(),
        kind: task.kind.clone(),
        version: task.version.clone(),
        payload: task.payload.clone(),
        deadline: leased.deadline_at,
        created_at: leased.started_at,
        labels: task.labels.clone(),
        traceparent,
        progress: None,
        checkpoint: bytes::Bytes::new(),
    }
}
