//! Taking new tasks in: concurrent submits share one statement and one commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::dispatcher::Dispatcher;
use super::express::Seats;
use super::fullness::Fullness;
use super::ids::Ids;
use super::registry::{Lane, Registry};
use super::reporter::Reporter;
use super::request_hash::request_hash;
use super::signals::Signals;
use super::{Error, Settings};
use crate::batch::{self, Batcher, Weight};
use crate::domain::task::Start;
use crate::domain::{NewTask, TaskId, TaskState, Violations, limits, revision};
use crate::store::{self, Keyed, KeyedAnswers, Leased, Slot, Store, SubmitRow};

/// A task that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The task.
    pub task: TaskId,
    /// False if it is an earlier one.
    pub created: bool,
}

type Answers = Vec<Result<Submitted, Error>>;

/// Takes tasks in.
#[derive(Debug)]
pub(super) struct Submitter {
    batcher: Batcher<Vec<SubmitRow>, Answers>,
    /// Writes one item at a time, and each to its end: also if its caller waits no longer, since workers may have
    /// been given what it writes.
    atomic: Batcher<Vec<SubmitRow>, Answers>,
    writer: Writer,
    registry: Arc<Registry>,
    fullness: Arc<Fullness>,
    ids: Ids,
}

/// Writes what was taken in.
#[derive(Debug, Clone)]
struct Writer {
    store: Store,
    dispatcher: Arc<Dispatcher>,
    reporter: Arc<Reporter>,
    signals: Arc<Signals>,
    /// Held by those that go one by one.
    turn: Arc<Semaphore>,
}

impl Submitter {
    /// The submitter, and the loop that writes for it.
    pub(super) fn new(
        store: &Store,
        registry: Arc<Registry>,
        dispatcher: Arc<Dispatcher>,
        reporter: Arc<Reporter>,
        signals: Arc<Signals>,
        fullness: Arc<Fullness>,
        settings: &Settings,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let turn = Arc::new(Semaphore::new(1));
        let writer = Writer { store: store.clone(), dispatcher, reporter, signals, turn };
        let limits = settings.batches(settings.submit_batch);
        let (batcher, writing) = batch::batcher(limits, weigh, {
            let writer = writer.clone();
            move |items| {
                let writer = writer.clone();
                async move { writer.write(items).await }
            }
        });
        let (atomic, writing_atomic) = batch::batcher(settings.batches(1), weigh, {
            let writer = writer.clone();
            move |items| {
                let writer = writer.clone();
                async move { writer.write_atomically(items).await }
            }
        });
        let submitter = Self { batcher, atomic, writer, registry, fullness, ids: Ids::default() };
        let writing = async {
            tokio::join!(writing.run(), writing_atomic.run());
        };
        (submitter, writing)
    }

    /// Submits tasks; each gets its own answer, in order. With `atomic`, one refusal refuses all.
    ///
    /// # Errors
    /// If nothing was submitted at all.
    pub(super) async fn submit(&self, tasks: Vec<NewTask>, atomic: bool) -> Result<Answers, Error> {
        self.take_in(tasks, atomic, |lane| self.fullness.check(lane)).await
    }

    /// Submits a task that somebody was promised, also to a queue that is full.
    ///
    /// # Errors
    /// If it was refused, or may not be durable.
    pub(super) async fn submit_promised(&self, task: NewTask) -> Result<Submitted, Error> {
        let answers = self.take_in(vec![task], false, |_| Ok(())).await?;
        answers.into_iter().next().unwrap_or(Err(Error::OutcomeUnknown))
    }

    async fn take_in(
        &self,
        tasks: Vec<NewTask>,
        atomic: bool,
        check: impl Fn(&Lane) -> Result<(), Error>,
    ) -> Result<Answers, Error> {
        let now = self.writer.store.clock().now();
        let mut rows = Vec::with_capacity(tasks.len());
        let mut refused = Vec::new();
        for (index, task) in tasks.into_iter().enumerate() {
            let lane = self
                .registry
                .lane(&task.namespace, &task.queue, &task.kind, task.version.as_ref())
                .await
                .and_then(|lane| check(&lane).map(|()| lane));
            match lane {
                Ok(lane) => rows.push(SubmitRow {
                    id: self.ids.task(now),
                    namespace: lane.namespace_id,
                    lane: lane.id,
                    task,
                }),
                Err(error) if atomic => return Err(of_item(index, error)),
                Err(error) => refused.push((index, error)),
            }
        }
        if rows.is_empty() && refused.len() == 1 {
            return Ok(refused.into_iter().map(|(_, error)| Err(error)).collect());
        }
        let mut answers = if atomic {
            self.submit_atomically(rows).await?
        } else {
            self.batcher.submit(rows).await?
        };
        for (index, error) in refused {
            answers.insert(index, Err(error));
        }
        Ok(answers)
    }

    async fn submit_atomically(&self, rows: Vec<SubmitRow>) -> Result<Answers, Error> {
        let mut keys = Keys::default();
        if let Some(index) = rows.iter().position(|row| !keys.add(row)) {
            let why = "repeats the idempotency key or the unique key of another item";
            return Err(Violations::one(format!("items[{index}]"), why).into());
        }
        let answers = self.atomic.submit(rows).await?;
        let refused = answers.iter().enumerate().find_map(|(index, answer)| {
            answer.as_ref().err().map(|error| match error {
                Error::UniqueKeyConflict(_) | Error::IdempotencyConflict(_) => {
                    of_item(index, error.clone())
                }
                // What befell all of them.
                error => error.clone(),
            })
        });
        refused.map_or(Ok(answers), Err)
    }
}

fn of_item(index: usize, error: Error) -> Error {
    Error::Item { index, error: Box::new(error) }
}

impl Writer {
    /// Writes a flush: the plain tasks in one statement, those with keys in rounds in which no key
    /// occurs twice.
    async fn write(&self, items: Vec<Vec<SubmitRow>>) -> Vec<Answers> {
        // What drains the queues goes first: while it is behind, submits leave half of the machine to it, and
        // fill larger statements meanwhile.
        let is_pressed = self.reporter.is_behind() || self.dispatcher.has_backlog();
        let _turn = if is_pressed { self.turn.acquire().await.ok() } else { None };
        self.wait_for_room(items.iter().flatten()).await;
        let mut answers: Vec<Vec<Option<Result<Submitted, Error>>>> =
            items.iter().map(|rows| vec![None; rows.len()]).collect();
        let mut plain = Vec::new();
        let mut plain_at = Vec::new();
        let mut keyed = Vec::new();
        for (i, rows) in items.into_iter().enumerate() {
            for (j, row) in rows.into_iter().enumerate() {
                if row.task.idempotency_key.is_none() && row.task.unique_key.is_none() {
                    plain.push(row);
                    plain_at.push((i, j));
                } else {
                    keyed.push(((i, j), row));
                }
            }
        }
        if !plain.is_empty() {
            let written = self.write_plain(&plain).await.map_err(Error::from);
            for ((i, j), row) in plain_at.into_iter().zip(&plain) {
                answers[i][j] =
                    Some(written.clone().map(|()| Submitted { task: row.id, created: true }));
            }
        }
        while !keyed.is_empty() {
            let mut keys = Keys::default();
            let (round, rest): (Vec<_>, Vec<_>) =
                keyed.into_iter().partition(|(_, row)| keys.add(row));
            keyed = rest;
            let (at, rows): (Vec<_>, Vec<_>) = round.into_iter().unzip();
            for ((i, j), answer) in at.into_iter().zip(self.write_keyed(&rows, false).await) {
                answers[i][j] = Some(answer);
            }
        }
        answers
            .into_iter()
            .map(|rows| {
                rows.into_iter()
                    .map(|answer| answer.unwrap_or(Err(Error::OutcomeUnknown)))
                    .collect()
            })
            .collect()
    }

    /// Writes tasks without keys; those that meet a free worker go straight to it.
    async fn write_plain(&self, rows: &[SubmitRow]) -> Result<(), store::Error> {
        let rows: Vec<&SubmitRow> = rows.iter().collect();
        let seats = Seats::reserve(&self.dispatcher, &rows);
        let slots = seats.slots();
        match self.store.submit(&rows, &slots).await {
            Ok(leased) => {
                drop(slots);
                let meter = &self.signals.meter;
                meter.metrics.tasks.submit_batch.observe_size(rows.len());
                meter.submitted(rows.iter().map(|row| row.lane));
                seats.hand_out(&rows, &leased, &self.dispatcher, &self.signals);
                self.announce(&rows, &leased);
                Ok(())
            }
            Err(error) => {
                drop(slots);
                seats.abandon(&self.dispatcher, error.may_have_committed());
                Err(error)
            }
        }
    }

    /// Writes batches one after the other, each as a whole.
    async fn write_atomically(&self, batches: Vec<Vec<SubmitRow>>) -> Vec<Answers> {
        let mut answers = Vec::with_capacity(batches.len());
        for rows in batches {
            self.wait_for_room(&rows).await;
            answers.push(self.write_keyed(&rows, true).await);
        }
        answers
    }

    /// Waits for room, so that what is submitted does not run ahead of what is completed. What is urgent does not
    /// wait: it would be the first to be leased.
    async fn wait_for_room(&self, rows: impl IntoIterator<Item = &SubmitRow>) {
        let mut wanted: HashMap<i32, usize> = HashMap::new();
        for row in rows {
            if row.task.priority > limits::DEFAULT_PRIORITY {
                return;
            }
            if row.task.start == Start::Now {
                *wanted.entry(row.lane).or_default() += 1;
            }
        }
        if let Some((lane, wanted)) = wanted.into_iter().max_by_key(|(_, wanted)| *wanted) {
            self.dispatcher.wait_for_room(lane, wanted).await;
        }
    }

    /// Writes tasks that may have keys; those that meet a free worker go straight to it as well.
    async fn write_keyed(&self, rows: &[SubmitRow], atomic: bool) -> Answers {
        let hashes: Vec<Vec<u8>> = rows.iter().map(|row| request_hash(&row.task)).collect();
        let mut seats = Seats::default();
        let reserve = |rows: &[&SubmitRow]| {
            // Those of an attempt that came to nothing.
            std::mem::take(&mut seats).abandon(&self.dispatcher, false);
            seats = Seats::reserve(&self.dispatcher, rows);
            seats.slots().into_iter().map(|slot| slot.map(Slot::into_owned)).collect()
        };
        let written = self.store.submit_keyed(rows, &hashes, atomic, reserve).await;
        let KeyedAnswers { answers: keyed, is_refused, leased, replaced } = match written {
            Ok(answers) => answers,
            Err(error) => {
                seats.abandon(&self.dispatcher, error.may_have_committed());
                let error = Error::from(error);
                return rows.iter().map(|_| Err(error.clone())).collect();
            }
        };
        let submitted: Vec<&SubmitRow> = rows
            .iter()
            .zip(&keyed)
            .filter(|(_, answer)| **answer == Keyed::Submitted && !is_refused)
            .map(|(row, _)| row)
            .collect();
        if !submitted.is_empty() {
            self.signals.meter.metrics.tasks.submit_batch.observe_size(submitted.len());
        }
        self.signals.meter.submitted(submitted.iter().map(|row| row.lane));
        self.signals.meter.cancelled(replaced.iter().map(|(_, lane)| *lane));
        seats.hand_out(&submitted, &leased, &self.dispatcher, &self.signals);
        self.announce(&submitted, &leased);
        self.signals.traces.ended_waiting(replaced.iter().map(|(task, _)| *task));
        self.signals.changed(replaced.iter().map(|(task, lane)| (*task, *lane, 0)));
        rows.iter()
            .zip(keyed)
            .map(|(row, answer)| match answer {
                Keyed::Submitted => Ok(Submitted { task: row.id, created: true }),
                Keyed::Existing(task) => Ok(Submitted { task, created: false }),
                Keyed::UniqueConflict(task) => Err(Error::UniqueKeyConflict(task)),
                Keyed::IdempotencyConflict(task) => Err(Error::IdempotencyConflict(task)),
            })
            .collect()
    }

    fn announce(&self, rows: &[&SubmitRow], leased: &[Leased]) {
        let leased: HashSet<TaskId> = leased.iter().map(|task| task.id).collect();
        let waiting = rows.iter().filter(|row| !leased.contains(&row.id));
        let lanes: HashSet<i32> = waiting.map(|row| row.lane).collect();
        if !lanes.is_empty() {
            self.signals.ready(lanes);
        }
        // Delayed tasks may be due before what the promoter sleeps for.
        if rows.iter().any(|row| row.task.start != Start::Now) {
            self.signals.scheduled();
        }
        self.signals.changed(rows.iter().map(|row| {
            let revision = match leased.contains(&row.id) {
                true => revision(1, TaskState::Running, false, 0),
                false => revision(0, TaskState::Scheduled, false, 0),
            };
            (row.id, row.lane, revision)
        }));
    }
}

/// The keys of a round.
#[derive(Default)]
struct Keys {
    idempotency: HashSet<(i32, String)>,
    unique: HashSet<(i32, String)>,
}

impl Keys {
    /// Adds the keys of a task, unless one of them is there already.
    fn add(&mut self, row: &SubmitRow) -> bool {
        let idempotency = row.task.idempotency_key.clone().map(|key| (row.namespace, key));
        let unique = row.task.unique_key.clone().map(|key| (row.namespace, key));
        let is_new = !idempotency.as_ref().is_some_and(|key| self.idempotency.contains(key))
            && !unique.as_ref().is_some_and(|key| self.unique.contains(key));
        if is_new {
            self.idempotency.extend(idempotency);
            self.unique.extend(unique);
        }
        is_new
    }
}

/// Bytes of a task beside its payload, roughly.
const OVERHEAD: usize = 256;

#[expect(clippy::ptr_arg, reason = "the batcher hands out references to its items")]
fn weigh(rows: &Vec<SubmitRow>) -> Weight {
    let bytes = rows.iter().map(|row| row.task.payload.data.len() + OVERHEAD).sum();
    Weight { units: rows.len(), bytes }
}
