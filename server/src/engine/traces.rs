//! The spans of tasks. One trace shows the whole life of a task, whoever had a part in it:
//!
//! ```text
//! the caller's span
//! ├─ bellringer.v1.TaskService/Submit
//! └─ task KIND              from its acceptance to its end
//!    ├─ wait                until an attempt begins
//!    ├─ attempt 1           until its end is reported; the worker's spans are below it
//!    │  └─ …
//!    ├─ report              until the end is durable
//!    └─ …
//! ```
//!
//! Ids of spans follow from the task's id, so that any replica can send any part. A task costs something
//! only if its trace is recorded: its attempts are noted in the session of their worker, and read from
//! the database in bulk, by a loop of its own, when they have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::outbox::Ack;
use super::registry::Registry;
use super::session::Session;
use crate::domain::{AttemptOutcome, AttemptRef, TaskId};
use crate::store::{EndedRow, Store};
use crate::telemetry::{Kind, Span, TraceContext, Tracer};

/// Ends that wait to be read, and most that are read at once.
const WAITING: usize = 8_192;
const BATCH: usize = 500;
/// How long ends are gathered.
const GATHERS_FOR: Duration = Duration::from_millis(100);

/// Makes spans of tasks.
#[derive(Debug)]
pub struct Traces {
    pub(super) tracer: Tracer,
    link_after: SignedDuration,
    store: Store,
    registry: Arc<Registry>,
    ends: mpsc::Sender<Ended>,
    ended: Mutex<mpsc::Receiver<Ended>>,
    dropped: AtomicU64,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    attempt: AttemptRef,
    /// When the worker's report came, and when it was durable.
    reported: Option<(Timestamp, Timestamp)>,
}

impl Traces {
    pub(super) fn new(
        tracer: Tracer,
        link_after: Duration,
        store: Store,
        registry: Arc<Registry>,
    ) -> Self {
        let (ends, ended) = mpsc::channel(WAITING);
        let link_after = SignedDuration::try_from(link_after).unwrap_or(SignedDuration::MAX);
        let (ended, dropped) = (Mutex::new(ended), AtomicU64::new(0));
        Self { tracer, link_after, store, registry, ends, ended, dropped }
    }

    /// An attempt was leased to a session; answers with the context for the worker: that of the attempt
    /// if the trace is recorded, else the submitter's.
    pub(super) fn leased(
        &self,
        session: &Session,
        attempt: AttemptRef,
        traceparent: Option<String>,
        created_at: Timestamp,
        run_at: Timestamp,
    ) -> Option<String> {
        if !self.tracer.is_on() {
            return traceparent;
        }
        let text = traceparent?;
        let Some(trace) = self.trace(attempt.task, &text, created_at, run_at) else {
            return Some(text);
        };
        session.trace([attempt]);
        Some(trace.at(attempt.attempt, Part::Attempt).to_string())
    }

    /// A session took up attempts of an earlier one; whether they are traced is not known here.
    pub(super) fn resumed(&self, session: &Session, attempts: impl Iterator<Item = AttemptRef>) {
        if self.tracer.is_on() {
            session.trace(attempts);
        }
    }

    /// When a report came, if that is of interest.
    pub(super) fn report_came(&self) -> Option<Timestamp> {
        self.tracer.is_on().then(|| self.store.clock().now())
    }

    /// Reports of a session were answered.
    pub(super) fn reported(&self, session: &Session, acks: &[Ack], came: Option<Timestamp>) {
        let Some(came) = came.filter(|_| session.traces_any()) else { return };
        let now = self.store.clock().now();
        for ack in acks {
            if ack.result.is_ok() && session.end_trace(ack.attempt) {
                self.end(Ended { attempt: ack.attempt, reported: Some((came, now)) });
            }
        }
    }

    /// An attempt ended that is noted in no session here: a report of a worker without a stream.
    pub(super) fn reported_alone(&self, attempt: AttemptRef, came: Option<Timestamp>) {
        if let Some(came) = came {
            let now = self.store.clock().now();
            self.end(Ended { attempt, reported: Some((came, now)) });
        }
    }

    /// The server itself ended attempts.
    pub(super) fn ended(&self, attempts: impl Iterator<Item = AttemptRef>) {
        if self.tracer.is_on() {
            attempts.for_each(|attempt| self.end(Ended { attempt, reported: None }));
        }
    }

    /// Tasks ended while they waited.
    pub(super) fn ended_waiting(&self, tasks: impl Iterator<Item = TaskId>) {
        self.ended(tasks.map(|task| AttemptRef { task, attempt: 0 }));
    }

    fn end(&self, ended: Ended) {
        if self.ends.try_send(ended).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends the spans of what has ended, until stopped, and then of what is left.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut ended = self.ended.lock().await;
        let mut batch = Vec::new();
        loop {
            let stops = tokio::select! {
                biased;
                _ = ended.recv_many(&mut batch, BATCH) => false,
                () = stop.cancelled() => true,
            };
            if !stops && batch.len() < BATCH && !stop.is_cancelled() {
                tokio::time::sleep(GATHERS_FOR).await;
            }
            while batch.len() < BATCH
                && let Ok(next) = ended.try_recv()
            {
                batch.push(next);
            }
            self.send_all(&batch).await;
            batch.clear();
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!(attempts = dropped, "too many ended at once to trace them all");
            }
            if stops && ended.is_empty() {
                return;
            }
        }
    }

    async fn send_all(&self, ended: &[Ended]) {
        if ended.is_empty() {
            return;
        }
        let attempts: Vec<AttemptRef> = ended.iter().map(|ended| ended.attempt).collect();
        let rows = match self.store.traces_ended(&attempts).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, attempts = attempts.len(), "failed to read what to trace");
                return;
            }
        };
        for row in rows {
            let reported = ended
                .iter()
                .find(|ended| ended.attempt == row.attempt)
                .and_then(|ended| ended.reported);
            self.send(&row, reported).await;
        }
    }

    async fn send(&self, row: &EndedRow, reported: Option<(Timestamp, Timestamp)>) {
        let AttemptRef { task, attempt } = row.attempt;
        let trace = self.trace(task, &row.traceparent, row.created_at, row.run_at);
        let Some(trace) = trace else { return };
        let parent = Some(trace.at(0, Part::Task).span);
        let span = |part, name: String, start, end| Span {
            name: name.into(),
            kind: Kind::Internal,
            context: trace.at(attempt, part),
            parent,
            link: None,
            start,
            end,
            attributes: vec![("bellringer.task.id", task.to_string().into())],
            error: None,
        };
        let waited_from = row.previous_end.unwrap_or(row.created_at.max(row.run_at));
        let waited_to = row.ran.map(|(start, _)| start).or(row.end.map(|end| end.at));
        if let Some(waited_to) = waited_to.filter(|&to| attempt > 0 || to > waited_from) {
            self.tracer.send(span(Part::Wait, "wait".to_owned(), waited_from, waited_to));
        }
        if let (Some((start, end)), Some(outcome)) = (row.ran, row.outcome) {
            let mut span = span(Part::Attempt, format!("attempt {attempt}"), start, end);
            span.kind = Kind::Producer;
            span.attributes.extend([
                ("bellringer.attempt", attempt.into()),
                ("bellringer.outcome", outcome.name().into()),
                ("bellringer.worker", row.worker.as_str().into()),
            ]);
            if !matches!(
                outcome,
                AttemptOutcome::Succeeded | AttemptOutcome::Snoozed | AttemptOutcome::Released
            ) {
                span.error = Some(reason(row, outcome.name()));
            }
            self.tracer.send(span);
        }
        if let Some((came, durable)) = reported {
            self.tracer.send(span(Part::Report, "report".to_owned(), came, durable));
        }
        let Some(end) = row.end else { return };
        let mut whole = span(Part::Task, "task".to_owned(), row.created_at, end.at);
        whole.context = trace.at(0, Part::Task);
        whole.parent = trace.parent;
        whole.link = trace.link;
        if let Ok(lane) = self.registry.lane_by_id(row.lane).await {
            whole.name = format!("task {}", lane.kind).into();
            whole.attributes.extend([
                ("bellringer.namespace", lane.namespace.to_string().into()),
                ("bellringer.queue", lane.queue.to_string().into()),
                ("bellringer.kind", lane.kind.to_string().into()),
            ]);
        }
        whole.attributes.extend([
            ("bellringer.state", end.state.name().into()),
            ("bellringer.tries", end.tries.into()),
        ]);
        if end.state != crate::domain::TaskState::Succeeded {
            whole.error = Some(reason(row, end.state.name()));
        }
        self.tracer.send(whole);
    }

    /// The trace of a task, if it is recorded. After a long delay it is one of the task's own, with a
    /// link to the submitter's: nobody looks for a trace that goes on for days.
    fn trace(
        &self,
        task: TaskId,
        traceparent: &str,
        created_at: Timestamp,
        run_at: Timestamp,
    ) -> Option<TaskTrace> {
        let submitter = TraceContext::parse(traceparent)?;
        if !self.tracer.samples(submitter.trace, Some(&submitter)) {
            return None;
        }
        let is_long = run_at.duration_since(created_at) >= self.link_after;
        Some(match is_long {
            false => {
                TaskTrace { task, trace: submitter.trace, parent: Some(submitter.span), link: None }
            }
            true => TaskTrace { task, trace: own_trace(task), parent: None, link: Some(submitter) },
        })
    }

    /// A schedule makes a task: answers with the context for it, a trace of its own, if that is recorded.
    pub(super) fn fires(&self, task: TaskId) -> Option<String> {
        let trace = own_trace(task);
        let is_sampled = self.tracer.samples(trace, None);
        is_sampled.then(|| fire(task).to_string())
    }

    /// A schedule made a task: its nominal time came at `due`.
    pub(super) fn fired(&self, task: TaskId, schedule: String, nominal: Timestamp, due: Timestamp) {
        if !self.tracer.samples(own_trace(task), None) {
            return;
        }
        self.tracer.send(Span {
            name: "fire".into(),
            kind: Kind::Internal,
            context: fire(task),
            parent: None,
            link: None,
            start: due,
            end: self.store.clock().now(),
            attributes: vec![
                ("bellringer.task.id", task.to_string().into()),
                ("bellringer.schedule.id", schedule.into()),
                ("bellringer.schedule.nominal_time", nominal.to_string().into()),
            ],
            error: None,
        });
    }
}

/// Why, as short as a status should be: messages of errors may say what is nobody's business.
fn reason(row: &EndedRow, otherwise: &str) -> String {
    row.error.as_ref().map_or(otherwise, |error| error.kind.as_str()).to_owned()
}

/// Where the spans of a task belong.
#[derive(Debug, Clone, Copy)]
struct TaskTrace {
    task: TaskId,
    trace: u128,
    parent: Option<u64>,
    link: Option<TraceContext>,
}

/// The spans of a task.
#[derive(Debug, Clone, Copy)]
enum Part {
    Task,
    Wait,
    Attempt,
    Report,
    Fire,
}

impl TaskTrace {
    fn at(&self, attempt: u32, part: Part) -> TraceContext {
        let span = span_id(self.task, attempt, part);
        TraceContext { trace: self.trace, span, is_sampled: true }
    }
}

/// The id of a task is as good as any number for a trace, and finds it.
fn own_trace(task: TaskId) -> u128 {
    task.0.as_u128().max(1)
}

fn fire(task: TaskId) -> TraceContext {
    let span = span_id(task, 0, Part::Fire);
    TraceContext { trace: own_trace(task), span, is_sampled: true }
}

/// Follows from what it is about: the finalizer of `splitmix64` over the parts.
fn span_id(task: TaskId, attempt: u32, part: Part) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (high, low) = task.0.as_u64_pair();
    let which = (u64::from(attempt) << 8) | part as u64;
    mix(mix(mix(which) ^ high) ^ low).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_spans_of_a_task_have_ids_of_their_own() {
        let task = TaskId(uuid::Uuid::from_u128(0x0193_6b2f_0000_7000_8000_0000_0000_0001));
        let parts = [Part::Task, Part::Wait, Part::Attempt, Part::Report, Part::Fire];
        let ids: HashSet<u64> =
            (0..1_000).flat_map(|n| parts.map(|part| span_id(task, n, part))).collect();
        assert_eq!(ids.len(), 5_000);
    }
}
