//! What a worker owes the server: attempts that run, and reports that are not acknowledged yet.

use std::collections::HashMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use tokio::time::Instant;

use super::context::TaskContext;

/// Names one attempt.
pub(super) type Key = (String, u32);

/// Most reports in one message.
const REPORTS: usize = 500;
/// Bytes of reports in one message, unless a single one has more.
const BYTES: usize = 1 << 20;
/// Most progress in one message: with a checkpoint of 64 KiB each, 2 MiB.
const PROGRESS: usize = 32;
/// How long until a report is made again that the server could not write down.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a handler has to stop when its attempt has ended already.
const SHORT_GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Held {
    context: TaskContext,
    /// `None` while it runs.
    report: Option<pb::AttemptReport>,
    /// When to report; `None` while the answer is awaited.
    due: Option<Instant>,
}

/// The attempts of a session.
#[derive(Debug, Default)]
pub(super) struct Book {
    held: HashMap<Key, Held>,
}

impl Book {
    /// Takes an attempt up.
    pub(super) fn start(&mut self, context: TaskContext) {
        let key = (context.task_id().to_owned(), context.attempt());
        self.held.insert(key, Held { context, report: None, due: None });
    }

    /// Notes the end of an attempt; `None`: nothing to report.
    pub(super) fn ended(&mut self, key: &Key, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else {
            self.held.remove(key);
            return;
        };
        if let Some(held) = self.held.get_mut(key) {
            let (task_id, attempt) = key.clone();
            held.report = Some(pb::AttemptReport { task_id, attempt, outcome: Some(outcome) });
            held.due = Some(Instant::now());
        }
    }

    /// Tells the handler of an attempt to stop.
    pub(super) fn stop(&self, stop: &pb::Stop) {
        if let Some(held) = self.held.get(&(stop.task_id.clone(), stop.attempt)) {
            // A part of the grace is left for the report.
            let grace = stop.grace.as_ref().map(crate::new_task::std_duration);
            let grace = grace.map_or(SHORT_GRACE, |grace| grace.mul_f64(0.8));
            held.context.stop(stop.reason(), grace);
        }
    }

    /// These are no longer the session's.
    pub(super) fn lose(&mut self, lost: &[pb::AttemptRef]) {
        for attempt in lost {
            let key = (attempt.task_id.clone(), attempt.attempt);
            if let Some(held) = self.held.get(&key) {
                held.context.stop(pb::StopReason::LeaseLost, SHORT_GRACE);
                if held.report.is_some() {
                    self.held.remove(&key);
                }
            }
        }
    }

    /// What the server makes of a report.
    pub(super) fn acknowledged(&mut self, ack: &pb::Ack) {
        let key = (ack.task_id.clone(), ack.attempt);
        let Some(held) = self.held.get_mut(&key) else { return };
        let (task, attempt) = (&ack.task_id, ack.attempt);
        match ack.reason() {
            pb::ErrorReason::Unspecified => {
                self.held.remove(&key);
            }
            pb::ErrorReason::LeaseLost => {
                tracing::warn!(task, attempt, "the attempt had ended before it was reported");
                self.held.remove(&key);
            }
            pb::ErrorReason::InvalidArgument => {
                tracing::error!(task, attempt, why = ack.message, "the server refused the report");
                let is_refused_again = matches!(
                    held.report.as_ref().and_then(|report| report.outcome.as_ref()),
                    Some(Outcome::Failed(_))
                );
                if is_refused_again {
                    self.held.remove(&key);
                    return;
                }
                let why = ack.message.clone();
                let failure = super::failure::TaskFailure::permanent("REPORT_REFUSED", why);
                self.ended(&key, Some(failure.outcome()));
            }
            reason => {
                tracing::warn!(task, attempt, ?reason, "the report is made again");
                held.due = Some(Instant::now() + AGAIN);
            }
        }
    }

    /// The attempts that the session still has.
    pub(super) fn refs(&self) -> Vec<pb::AttemptRef> {
        self.held
            .iter()
            .filter(|(_, held)| {
                !matches!(
                    held.context.stop_reason(),
                    Some(pb::StopReason::LeaseLost | pb::StopReason::TimedOut)
                )
            })
            .map(|((task_id, attempt), _)| pb::AttemptRef {
                task_id: task_id.clone(),
                attempt: *attempt,
            })
            .collect()
    }

    /// There is a new connection: everything has to be told again.
    pub(super) fn tell_anew(&mut self) {
        for held in self.held.values_mut() {
            held.due = held.report.is_some().then(Instant::now);
            held.context.tell_anew();
        }
    }

    /// Reports that are due; no more than fit into a message.
    pub(super) fn take_reports(&mut self) -> Vec<pb::AttemptReport> {
        let now = Instant::now();
        let mut reports: Vec<pb::AttemptReport> = Vec::new();
        let mut bytes = 0;
        for held in self.held.values_mut().filter(|held| held.due.is_some_and(|due| due <= now)) {
            let Some(report) = &held.report else { continue };
            bytes += prost::Message::encoded_len(report);
            if reports.len() == REPORTS || (bytes > BYTES && !reports.is_empty()) {
                break;
            }
            reports.push(report.clone());
            held.due = None;
        }
        reports
    }

    /// Progress that was not told yet.
    pub(super) fn take_progress(&mut self) -> Vec<pb::AttemptProgress> {
        self.held.values().filter_map(|held| held.context.take_news()).take(PROGRESS).collect()
    }

    /// Whether nothing runs and nothing waits to be acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("task".to_owned(), 1)
    }

    fn book() -> Book {
        let mut book = Book::default();
        book.start(TaskContext::new(pb::Assignment {
            task_id: "task".to_owned(),
            attempt: 1,
            ..Default::default()
        }));
        book
    }

    fn ack(reason: pb::ErrorReason) -> pb::Ack {
        let (task_id, attempt) = key();
        pb::Ack { task_id, attempt, reason: reason.into(), message: String::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_is_kept_until_it_is_acknowledged_and_made_again_if_it_may_be_lost() {
        let mut book = book();
        book.ended(&key(), Some(Outcome::Released(pb::Released {})));
        assert_eq!(book.take_reports().len(), 1);
        assert!(book.take_reports().is_empty(), "the answer is awaited");

        book.acknowledged(&ack(pb::ErrorReason::StoreUnavailable));
        tokio::time::advance(AGAIN).await;
        assert_eq!(book.take_reports().len(), 1);
        book.tell_anew();
        assert_eq!(book.take_reports().len(), 1, "a new connection");
        assert_eq!(book.refs().len(), 1);

        book.acknowledged(&ack(pb::ErrorReason::Unspecified));
        assert!(book.is_empty());
    }

    #[tokio::test]
    async fn a_lost_attempt_is_stopped_and_not_claimed_again() {
        let mut book = book();
        let lost = book.refs();
        book.lose(&lost);
        assert!(book.refs().is_empty());
        assert!(!book.is_empty(), "its handler still runs");
        book.ended(&key(), None);
        assert!(book.is_empty());
    }

    #[tokio::test]
    async fn a_refused_result_fails_the_task_instead_of_being_sent_for_ever() {
        let mut book = book();
        book.ended(&key(), Some(Outcome::Succeeded(pb::Succeeded { result: None })));
        book.take_reports();
        book.acknowledged(&ack(pb::ErrorReason::InvalidArgument));
        let again = book.take_reports();
        assert!(matches!(again[0].outcome, Some(Outcome::Failed(_))));
        book.acknowledged(&ack(pb::ErrorReason::InvalidArgument));
        assert!(book.is_empty());
    }
}
