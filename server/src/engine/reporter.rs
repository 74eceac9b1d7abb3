//! Ends of attempts: concurrent reports share one statement and one commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::outbox::Ack;
use super::signals::Signals;
use super::{Error, Settings};
use crate::batch::{self, Batcher, Weight};
use crate::domain::{
    AttemptOutcome, AttemptRef, Ending, SessionId, TaskError, TaskState, Verdict, decide,
};
use crate::store::{Ended, Lease, Past, Settlement, Store, Success};

/// An end to write.
#[derive(Debug, Clone)]
pub struct End {
    /// The fence.
    pub lease: Lease,
    /// How it ended.
    pub ending: Ending,
}

/// Takes reports in.
#[derive(Debug)]
pub struct Reporter {
    batcher: Batcher<Vec<End>, Vec<Ack>>,
    writer: Writer,
}

#[derive(Debug, Clone)]
struct Writer {
    store: Store,
    signals: Arc<Signals>,
}

impl Reporter {
    /// The reporter, and the loop that writes for it.
    pub fn new(
        store: &Store,
        signals: Arc<Signals>,
        settings: &Settings,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let writer = Writer { store: store.clone(), signals };
        let flush = {
            let writer = writer.clone();
            move |items: Vec<Vec<End>>| {
                let writer = writer.clone();
                async move { writer.write(items).await }
            }
        };
        let limits = settings.batches(settings.report_batch);
        let (batcher, writing) = batch::batcher(limits, weigh, flush);
        (Self { batcher, writer }, writing.run())
    }

    /// Writes ends of attempts; answers for each, once it is durable.
    pub async fn report(&self, ends: Vec<End>) -> Vec<Ack> {
        let attempts: Vec<AttemptRef> = ends.iter().map(|end| end.lease.attempt).collect();
        let session = ends.first().map(|end| end.lease.session);
        match self.batcher.submit(ends).await {
            Ok(acks) => acks,
            Err(refused) => {
                if let Some(session) = session {
                    self.writer.signals.dispatcher.has_room(session);
                }
                let error = Error::from(refused);
                attempts
                    .into_iter()
                    .map(|attempt| Ack { attempt, result: Err(error.clone()) })
                    .collect()
            }
        }
    }

    /// Whether reports wait to be written.
    pub(super) fn is_behind(&self) -> bool {
        self.batcher.is_behind()
    }

    /// Ends attempts that the server itself found to be over; answers with those that were held.
    pub async fn end(&self, ends: &[End]) -> Result<Vec<Ended>, Error> {
        let moved = self.writer.settle(ends).await?;
        let attempts = moved.iter().map(|m| AttemptRef { task: m.id, attempt: m.attempt });
        self.writer.signals.traces.ended(attempts);
        Ok(moved)
    }
}

impl Writer {
    async fn write(&self, items: Vec<Vec<End>>) -> Vec<Vec<Ack>> {
        let lengths: Vec<usize> = items.iter().map(Vec::len).collect();
        let ends: Vec<End> = items.into_iter().flatten().collect();
        let mut results = self.write_in_turn(&ends).await.into_iter();
        let mut attempts = ends.iter().map(|end| end.lease.attempt);
        lengths
            .into_iter()
            .map(|length| {
                attempts
                    .by_ref()
                    .zip(results.by_ref())
                    .take(length)
                    .map(|(attempt, result)| Ack { attempt, result })
                    .collect()
            })
            .collect()
    }

    /// What is said of one attempt by different sessions is written one after the other: statements answer by attempt,
    /// and one who does not hold it must not stand in for the one who does.
    async fn write_in_turn(&self, ends: &[End]) -> Vec<Result<(), Error>> {
        let Some(turns) = turns(ends) else { return self.write_all(ends).await };
        let mut results = vec![Err(Error::OutcomeUnknown); ends.len()];
        for turn in 0..=turns.iter().copied().max().unwrap_or_default() {
            let at = || turns.iter().enumerate().filter(|(_, of)| **of == turn).map(|(n, _)| n);
            let now: Vec<End> = at().map(|n| ends[n].clone()).collect();
            for (n, result) in at().zip(self.write_all(&now).await) {
                results[n] = result;
            }
        }
        results
    }

    async fn write_all(&self, ends: &[End]) -> Vec<Result<(), Error>> {
        self.signals.meter.metrics.tasks.report_batch.observe_size(ends.len());
        let successes: Vec<Success> = ends
            .iter()
            .filter_map(|end| match &end.ending {
                Ending::Succeeded(result) => {
                    Some(Success { lease: end.lease, result: result.clone() })
                }
                _ => None,
            })
            .collect();
        let others: Vec<End> = ends
            .iter()
            .filter(|end| !matches!(end.ending, Ending::Succeeded(_)))
            .cloned()
            .collect();
        for session in distinct(others.iter().map(|end| end.lease.session)) {
            self.signals.dispatcher.has_room(session);
        }
        let completed = self.complete(&successes).await;
        let settled = self.settle(&others).await;
        let (completed, settled) = (completed.map(held), settled.map(held));
        let mut results: Vec<Result<(), Error>> = ends
            .iter()
            .map(|end| {
                let done = match end.ending {
                    Ending::Succeeded(_) => &completed,
                    _ => &settled,
                };
                match done {
                    Ok(held) if held.contains(&end.lease.attempt) => Ok(()),
                    Ok(_) => Err(Error::LeaseLost(end.lease.attempt)),
                    Err(error) => Err(error.clone()),
                }
            })
            .collect();
        self.second_look(ends, &mut results).await;
        results
    }

    /// Ends attempts that succeeded; and since that makes room, leases what is ready by the same statement.
    async fn complete(&self, successes: &[Success]) -> Result<Vec<Ended>, Error> {
        if successes.is_empty() {
            return Ok(Vec::new());
        }
        let dispatcher = &self.signals.dispatcher;
        let sessions = successes.iter().map(|success| success.lease.session);
        let done = match dispatcher.begin_along(distinct(sessions)) {
            None => self.store.complete(successes).await?,
            Some(claiming) => {
                let both = {
                    let slots = claiming.slots();
                    self.store.complete_and_claim(successes, claiming.claim(&slots)).await
                };
                let (done, claimed) = match both {
                    Ok((done, claimed)) => (Ok(done), Ok(claimed)),
                    Err(error) => (Err(error.clone()), Err(error)),
                };
                dispatcher.finish_along(claiming, claimed, &self.signals).await;
                done?
            }
        };
        self.signals.moved(&done);
        Ok(done)
    }

    async fn settle(&self, ends: &[End]) -> Result<Vec<Ended>, Error> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = ends.iter().map(|end| end.lease.attempt.task).collect();
        let (now, tried) = self.store.tried(&ids).await?;
        let mut seen = HashSet::new();
        let settlements: Vec<Settlement> = ends
            .iter()
            .filter(|end| seen.insert(end.lease.attempt))
            .filter_map(|end| {
                let verdict =
                    decide(&end.ending, tried.get(&end.lease.attempt)?, now, rand::random());
                let result = match &end.ending {
                    Ending::Succeeded(result) => Some(result.clone()),
                    _ => None,
                };
                let outcome = match (&verdict, end.ending.outcome()) {
                    // What the worker called a failure was the answer to a cancel.
                    (
                        Verdict::Final { state: TaskState::Cancelled, .. },
                        AttemptOutcome::Failed | AttemptOutcome::LeaseExpired,
                    ) => AttemptOutcome::Cancelled,
                    (_, outcome) => outcome,
                };
                Some(Settlement { lease: end.lease, outcome, verdict, result })
            })
            .collect();
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let moved = self.store.settle(&settlements, now).await?;
        self.signals.moved(&moved);
        Ok(moved)
    }

    /// Looks again at reports of attempts that were not held: a repetition of what is on record is
    /// accepted (G-7), anything else is kept as late.
    async fn second_look(&self, ends: &[End], results: &mut [Result<(), Error>]) {
        let lost: Vec<Lease> = ends
            .iter()
            .zip(results.iter())
            .filter(|(_, result)| matches!(result, Err(Error::LeaseLost(_))))
            .map(|(end, _)| end.lease)
            .collect();
        if lost.is_empty() {
            return;
        }
        let past = match self.store.ended(&lost).await {
            Ok(past) => past,
            Err(error) => {
                // Not known to be lost: the worker is to report again.
                let error = Error::from(error);
                for result in results.iter_mut().filter(|r| matches!(r, Err(Error::LeaseLost(_)))) {
                    *result = Err(error.clone());
                }
                return;
            }
        };
        for (end, result) in ends.iter().zip(results) {
            if !matches!(result, Err(Error::LeaseLost(_))) {
                continue;
            }
            if past.get(&end.lease.attempt).is_some_and(|past| is_on_record(&end.ending, past)) {
                *result = Ok(());
            } else if let Err(error) = self.keep_late(end).await {
                tracing::warn!(%error, "failed to keep a late report");
            }
        }
    }

    async fn keep_late(&self, end: &End) -> Result<(), crate::store::Error> {
        self.signals.meter.metrics.tasks.late_results.inc();
        let (result, error) = match &end.ending {
            Ending::Succeeded(result) => (Some(result), None),
            Ending::Failed { error, .. } => (None, Some(error)),
            _ => (None, None),
        };
        self.store.keep_late(&end.lease, end.ending.outcome(), result, error).await
    }
}

/// Whether a report says just what is on record for its attempt.
fn is_on_record(ending: &Ending, past: &Past) -> bool {
    match ending {
        Ending::Succeeded(result) => past
            .last
            .as_ref()
            .is_some_and(|(state, kept)| *state == TaskState::Succeeded && kept == result),
        Ending::Failed { error, .. } => past.record.as_ref().is_some_and(|(outcome, kept)| {
            matches!(outcome, AttemptOutcome::Failed | AttemptOutcome::Cancelled)
                && kept.as_ref().map(same) == Some(same(error))
        }),
        _ => past.record.as_ref().is_some_and(|(outcome, _)| *outcome == ending.outcome()),
    }
}

fn same(error: &TaskError) -> (&str, &str) {
    (&error.kind, &error.message)
}

/// Whose turn each is, where an attempt is ended by several sessions; `None`: nowhere.
fn turns(ends: &[End]) -> Option<Vec<usize>> {
    let mut holders = HashMap::with_capacity(ends.len());
    let is_held_twice = ends.iter().any(|end| {
        let other = holders.insert(end.lease.attempt, end.lease);
        other.is_some_and(|other| other != end.lease)
    });
    is_held_twice.then(|| {
        let mut holders: HashMap<AttemptRef, Vec<Lease>> = HashMap::new();
        ends.iter()
            .map(|end| {
                let of = holders.entry(end.lease.attempt).or_default();
                of.iter().position(|other| *other == end.lease).unwrap_or_else(|| {
                    of.push(end.lease);
                    of.len() - 1
                })
            })
            .collect()
    })
}

/// Of sessions that come in runs, each once.
fn distinct(sessions: impl Iterator<Item = SessionId>) -> impl Iterator<Item = SessionId> {
    let mut seen = Vec::new();
    sessions.filter(move |session| {
        let is_new = !seen.contains(session);
        if is_new {
            seen.push(*session);
        }
        is_new
    })
}

fn held(ended: Vec<Ended>) -> HashSet<AttemptRef> {
    ended.into_iter().map(|e| AttemptRef { task: e.id, attempt: e.attempt }).collect()
}

/// Bytes of a report beside its result, roughly.
const OVERHEAD: usize = 128;

#[expect(clippy::ptr_arg, reason = "the batcher hands out references to its items")]
fn weigh(ends: &Vec<End>) -> Weight {
    let bytes = ends
        .iter()
        .map(|end| match &end.ending {
            Ending::Succeeded(result) => result.data.len() + OVERHEAD,
            Ending::Failed { error, .. } => error.detail.len() + error.message.len() + OVERHEAD,
            _ => OVERHEAD,
        })
        .sum();
    Weight { units: ends.len(), bytes }
}

/// The fence of an attempt that a session holds.
pub(super) fn lease(attempt: AttemptRef, namespace: i32, session: SessionId) -> Lease {
    Lease { attempt, namespace, session }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TaskId;

    #[test]
    fn who_holds_an_attempt_and_who_does_not_take_turns() {
        let end = |session: u128, task: u128| End {
            lease: lease(
                AttemptRef { task: TaskId(uuid::Uuid::from_u128(task)), attempt: 1 },
                1,
                SessionId(uuid::Uuid::from_u128(session)),
            ),
            ending: Ending::Released,
        };
        assert_eq!(turns(&[end(1, 1), end(1, 2), end(2, 3), end(1, 1)]), None);
        let mixed = [end(1, 1), end(2, 1), end(2, 2), end(1, 1), end(3, 1), end(2, 1)];
        assert_eq!(turns(&mixed), Some(vec![0, 1, 0, 0, 2, 1]));
    }
}
