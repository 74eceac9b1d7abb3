//! What the worker owes the server: attempts that run, and reports that are not confirmed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellringer_api::v1::{
    Ack, Assignment, AttemptProgress, AttemptRef, AttemptReport, Cancelled, ErrorReason, Failed,
    Progress, Released, Snoozed, Stop, StopReason, Succeeded, TaskError, attempt_report::Outcome,
};
use bytes::Bytes;
use prost::Message;
use tokio::{sync::oneshot, time::Instant};

use super::{super::process::Listener, Key};
use crate::{commands::worker::verdict::Verdict, time::Length};

/// Longest time that a command has to end, however long the server would wait.
const LONGEST_GRACE: Duration = Duration::from_secs(5);

/// Bytes of reports in one message, unless a single one has more.
const MESSAGE: usize = 1 << 20;

/// How long until a report is made again that the server could not write down; doubles each time.
const AGAIN: Duration = Duration::from_secs(1);

/// Longest time until a report is made again.
const LONGEST_AGAIN: Duration = Duration::from_secs(30);

/// Why a command has been told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// A cancel was asked for.
    Cancelled,
    /// The attempt has ended on the server: a report will be late.
    Ended,
    /// The worker leaves.
    Leaving,
}

/// Attempts by their names.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    held: HashMap<Key, Held>,
    stopped_at: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    slot: Arc<Slot>,
    /// `None` once it was used.
    stop: Option<oneshot::Sender<Duration>>,
    why: Option<Why>,
    /// The end of the attempt; `None` while it runs.
    report: Option<AttemptReport>,
    /// When to report; `None` while the answer is awaited.
    due: Option<Instant>,
    /// How long until the report is made again if it is not written down.
    again: Duration,
    /// The report is of a refused report.
    is_substitute: bool,
    /// The report may be what the server could not read: it goes alone until it is answered.
    is_suspect: bool,
}

/// What a running command last told of itself.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    progress: Option<Progress>,
    checkpoint: Option<Bytes>,
    is_news: bool,
}

impl Slot {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Arc<Slot> {
    fn progress(&self, progress: Progress) {
        let mut told = self.told();
        told.progress = Some(progress);
        told.is_news = true;
    }

    fn checkpoint(&self, checkpoint: Bytes) {
        let mut told = self.told();
        told.checkpoint = Some(checkpoint);
        told.is_news = true;
    }
}

impl Ledger {
    /// Takes an attempt up; answers with what its command tells to, and what tells it to stop.
    pub(super) fn start(&mut self, task: &Assignment) -> (Arc<Slot>, oneshot::Receiver<Duration>) {
        let (stop, stopped) = oneshot::channel();
        let slot = Arc::new(Slot::default());
        let mut held = Held::new(slot.clone());
        held.stop = Some(stop);
        self.held.insert((task.task_id.clone(), task.attempt), held);
        (slot, stopped)
    }

    /// Gives an attempt back that was never started.
    pub(super) fn refuse(&mut self, task: &Assignment) {
        let key = (task.task_id.clone(), task.attempt);
        let mut held = Held::new(Arc::default());
        held.end(&key, Outcome::Released(Released {}));
        self.held.insert(key, held);
    }

    /// Notes the end of an attempt.
    pub(super) fn finished(&mut self, key: &Key, verdict: Verdict) {
        let Some(held) = self.held.get_mut(key) else { return };
        match (outcome(verdict), held.why) {
            // Nobody waits for it, but a result is kept as late.
            (outcome, Some(Why::Ended)) if !matches!(outcome, Outcome::Succeeded(_)) => {
                self.held.remove(key);
            }
            (Outcome::Cancelled(_), Some(Why::Leaving)) => {
                held.end(key, Outcome::Released(Released {}));
            }
            (outcome, _) => held.end(key, outcome),
        }
    }

    /// Does what the server says about an attempt.
    pub(super) fn stop(&mut self, stop: &Stop) {
        let key = (stop.task_id.clone(), stop.attempt);
        let Some(held) = self.held.get_mut(&key) else { return };
        let why = match stop.reason() {
            StopReason::Cancelled => Why::Cancelled,
            StopReason::TimedOut | StopReason::LeaseLost | StopReason::Unspecified => Why::Ended,
        };
        // Of the server's grace, a part is left for the report.
        let grace = stop.grace.as_ref().map(|grace| crate::time::length(grace).mul_f64(0.8));
        held.stop(why, grace.filter(|grace| !grace.is_zero()).unwrap_or(LONGEST_GRACE));
    }

    /// Stops everything, because the worker leaves.
    pub(super) fn leave(&mut self, grace: Duration) {
        self.stopped_at = Some(Instant::now());
        for held in self.held.values_mut() {
            held.stop(Why::Leaving, grace);
        }
    }

    /// When the worker began to leave.
    pub(super) fn stopped_at(&self) -> Option<Instant> {
        self.stopped_at
    }

    /// These are no longer ours; reports of them would come too late.
    pub(super) fn lose(&mut self, lost: &[AttemptRef]) {
        for attempt in lost {
            let key = (attempt.task_id.clone(), attempt.attempt);
            let Some(held) = self.held.get_mut(&key) else { continue };
            if held.report.is_some() {
                self.held.remove(&key);
            } else {
                held.stop(Why::Ended, LONGEST_GRACE);
            }
        }
    }

    /// Nothing is ours any more.
    pub(super) fn lose_all(&mut self) {
        self.lose(&self.refs());
    }

    /// Takes an answer to a report.
    pub(super) fn acknowledged(&mut self, ack: &Ack) {
        let key = (ack.task_id.clone(), ack.attempt);
        let Some(held) = self.held.get_mut(&key) else { return };
        held.is_suspect = false;
        match ack.reason() {
            ErrorReason::InvalidArgument => self.refused(&key, &ack.message),
            ErrorReason::LeaseLost => {
                tracing::warn!(
                    task = ack.task_id,
                    attempt = ack.attempt,
                    "the attempt had ended before it was reported; the report is kept as late"
                );
                self.held.remove(&key);
            }
            ErrorReason::Unspecified => {
                self.held.remove(&key);
            }
            // It may not be durable: the attempt is ours until somebody else has said otherwise.
            reason => {
                tracing::warn!(
                    task = ack.task_id,
                    ?reason,
                    "the report is made again: {}",
                    ack.message
                );
                held.due = Some(Instant::now() + held.again);
                held.again = (held.again * 2).min(LONGEST_AGAIN);
            }
        }
    }

    /// The server has ended the stream, since it could not read what it was sent. A report that was
    /// alone under way is what it was; of several, each is sent alone from now on.
    pub(super) fn stream_refused(&mut self, why: &str) {
        let mut keys = Vec::new();
        for (key, held) in self.held.iter_mut().filter(|(_, held)| held.is_under_way()) {
            held.is_suspect = true;
            keys.push(key.clone());
        }
        if let [culprit] = &keys[..] {
            self.refused(culprit, why);
        }
    }

    /// The server does not take a report: its task fails, once.
    fn refused(&mut self, key: &Key, why: &str) {
        let Some(held) = self.held.get_mut(key) else { return };
        tracing::warn!(task = key.0, "the server refused the report: {why}");
        if held.is_substitute {
            self.held.remove(key);
            return;
        }
        held.is_substitute = true;
        let error = TaskError {
            r#type: "REPORT_REFUSED".to_owned(),
            message: why.to_owned(),
            detail: String::new(),
        };
        let failed = Failed { error: Some(error), non_retryable: true, retry_after: None };
        held.end(key, Outcome::Failed(failed));
    }

    /// The attempts that the session still has.
    pub(super) fn refs(&self) -> Vec<AttemptRef> {
        let ours = self.held.iter().filter(|(_, held)| held.why != Some(Why::Ended));
        ours.map(|((task_id, attempt), _)| AttemptRef {
            task_id: task_id.clone(),
            attempt: *attempt,
        })
        .collect()
    }

    /// Everything has to be told anew: there is a new connection.
    pub(super) fn tell_anew(&mut self) {
        for held in self.held.values_mut() {
            if held.report.is_some() {
                held.due = Some(Instant::now());
            }
            let mut told = held.slot.told();
            told.is_news = told.progress.is_some() || told.checkpoint.is_some();
        }
    }

    /// What commands told since the last call.
    pub(super) fn take_progress(&mut self) -> Vec<AttemptProgress> {
        let mut news = Vec::new();
        for ((task_id, attempt), held) in &self.held {
            let mut told = held.slot.told();
            if std::mem::take(&mut told.is_news) {
                news.push(AttemptProgress {
                    task_id: task_id.clone(),
                    attempt: *attempt,
                    progress: told.progress.clone(),
                    checkpoint: told.checkpoint.clone(),
                });
            }
        }
        news
    }

    /// Up to `limit` reports that are due, and no more bytes than fit into a message.
    pub(super) fn take_reports(&mut self, limit: usize) -> Vec<AttemptReport> {
        if self.held.values().any(|held| held.is_suspect) {
            return self.take_suspect().into_iter().collect();
        }
        let now = Instant::now();
        let mut reports: Vec<AttemptReport> = Vec::new();
        let mut bytes = 0;
        for held in self.held.values_mut().filter(|held| held.due.is_some_and(|due| due <= now)) {
            let Some(report) = &held.report else { continue };
            bytes += report.encoded_len();
            if reports.len() == limit || (bytes > MESSAGE && !reports.is_empty()) {
                break;
            }
            reports.push(report.clone());
            held.due = None;
        }
        reports
    }

    /// The next report to send alone, once nothing else is under way.
    fn take_suspect(&mut self) -> Option<AttemptReport> {
        if self.held.values().any(Held::is_under_way) {
            return None;
        }
        let held = self.held.values_mut().find(|held| held.is_suspect)?;
        held.due = None;
        held.report.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl Held {
    fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            stop: None,
            why: None,
            report: None,
            due: None,
            again: AGAIN,
            is_substitute: false,
            is_suspect: false,
        }
    }

    /// Whether the report was sent and not answered.
    fn is_under_way(&self) -> bool {
        self.report.is_some() && self.due.is_none()
    }

    fn end(&mut self, (task_id, attempt): &Key, outcome: Outcome) {
        let (task_id, outcome) = (task_id.clone(), Some(outcome));
        self.report = Some(AttemptReport { task_id, attempt: *attempt, outcome });
        self.due = Some(Instant::now());
        self.is_suspect = false;
    }

    /// The first reason counts, but that the attempt has ended overrules all.
    fn stop(&mut self, why: Why, grace: Duration) {
        if self.why.is_none() || why == Why::Ended {
            self.why = Some(why);
        }
        if let Some(stop) = self.stop.take() {
            // The command may have ended meanwhile.
            let _ = stop.send(grace.min(LONGEST_GRACE));
        }
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Succeeded(result) => Outcome::Succeeded(Succeeded { result }),
        Verdict::Failed { error, permanent } => Outcome::Failed(Failed {
            error: Some(error),
            non_retryable: permanent,
            retry_after: None,
        }),
        Verdict::Snoozed(delay) => {
            Outcome::Snoozed(Snoozed { delay: Some(Length(delay).to_proto()) })
        }
        Verdict::Cancelled => Outcome::Cancelled(Cancelled {}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> Assignment {
        Assignment { task_id: id.to_owned(), attempt: 1, ..Assignment::default() }
    }

    fn key(id: &str) -> Key {
        (id.to_owned(), 1)
    }

    fn stop(id: &str, reason: StopReason) -> Stop {
        let grace = Some(prost_types::Duration { seconds: 30, nanos: 0 });
        Stop { task_id: id.to_owned(), attempt: 1, reason: reason.into(), grace }
    }

    fn ack(id: &str, reason: ErrorReason) -> Ack {
        Ack { task_id: id.to_owned(), attempt: 1, reason: reason.into(), message: "why".to_owned() }
    }

    fn outcomes(ledger: &mut Ledger) -> Vec<Outcome> {
        ledger.take_reports(10).into_iter().filter_map(|report| report.outcome).collect()
    }

    #[test]
    fn a_report_is_owed_until_it_is_confirmed() {
        let mut ledger = Ledger::default();
        ledger.start(&task("a"));
        assert!(outcomes(&mut ledger).is_empty());

        ledger.finished(&key("a"), Verdict::Succeeded(None));
        assert_eq!(outcomes(&mut ledger).len(), 1);
        assert!(outcomes(&mut ledger).is_empty());

        ledger.tell_anew();
        assert_eq!(outcomes(&mut ledger).len(), 1);
        ledger.acknowledged(&ack("a", ErrorReason::Unspecified));
        assert!(ledger.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_could_not_be_written_is_made_again() {
        let mut ledger = Ledger::default();
        ledger.refuse(&task("a"));
        assert_eq!(outcomes(&mut ledger), [Outcome::Released(Released {})]);
        ledger.acknowledged(&ack("a", ErrorReason::StoreUnavailable));
        assert!(outcomes(&mut ledger).is_empty());
        tokio::time::advance(AGAIN).await;
        assert_eq!(outcomes(&mut ledger).len(), 1);
    }

    #[test]
    fn a_refused_report_becomes_a_failure_once() {
        let mut ledger = Ledger::default();
        ledger.start(&task("a"));
        ledger.finished(&key("a"), Verdict::Succeeded(None));
        outcomes(&mut ledger);
        ledger.acknowledged(&ack("a", ErrorReason::InvalidArgument));
        match outcomes(&mut ledger).pop() {
            Some(Outcome::Failed(failed)) => assert!(failed.non_retryable),
            other => panic!("{other:?}"),
        }
        ledger.acknowledged(&ack("a", ErrorReason::InvalidArgument));
        assert!(ledger.is_empty());
    }

    #[test]
    fn of_reports_that_the_server_cannot_read_the_culprit_is_found_and_fails() {
        let mut ledger = Ledger::default();
        let ids = ["a", "b", "culprit", "c"];
        for id in ids {
            ledger.start(&task(id));
            ledger.finished(&key(id), Verdict::Succeeded(None));
        }
        assert_eq!(ledger.take_reports(10).len(), ids.len());
        ledger.stream_refused("must be protobuf");
        ledger.tell_anew();
        let mut failed = Vec::new();
        while let [report] = &ledger.take_reports(10)[..] {
            assert!(ledger.take_reports(10).is_empty(), "one at a time");
            let id = report.task_id.as_str();
            match &report.outcome {
                Some(Outcome::Succeeded(_)) if id == "culprit" => {
                    ledger.stream_refused("must be protobuf");
                    ledger.tell_anew();
                    continue;
                }
                Some(Outcome::Failed(_)) => failed.push(id.to_owned()),
                _ => {}
            }
            ledger.acknowledged(&ack(id, ErrorReason::Unspecified));
        }
        assert_eq!(failed, ["culprit"]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_cancelled_attempt_is_told_to_stop_and_reported_as_cancelled() {
        let mut ledger = Ledger::default();
        let (_, mut stopped) = ledger.start(&task("a"));
        ledger.stop(&stop("a", StopReason::Cancelled));
        assert_eq!(stopped.try_recv().unwrap(), LONGEST_GRACE);
        ledger.finished(&key("a"), Verdict::Cancelled);
        assert_eq!(outcomes(&mut ledger), [Outcome::Cancelled(Cancelled {})]);
    }

    #[test]
    fn an_attempt_that_has_ended_is_reported_only_if_there_is_a_result() {
        let mut ledger = Ledger::default();
        for id in ["a", "b"] {
            ledger.start(&task(id));
            ledger.stop(&stop(id, StopReason::TimedOut));
        }
        assert!(ledger.refs().is_empty());
        ledger.finished(&key("a"), Verdict::Cancelled);
        ledger.finished(&key("b"), Verdict::Succeeded(None));
        assert_eq!(outcomes(&mut ledger), [Outcome::Succeeded(Succeeded { result: None })]);
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn a_worker_that_leaves_gives_its_attempts_back() {
        let mut ledger = Ledger::default();
        let (_, mut stopped) = ledger.start(&task("a"));
        ledger.leave(Duration::from_secs(5));
        assert!(stopped.try_recv().is_ok());
        ledger.finished(&key("a"), Verdict::Cancelled);
        assert_eq!(outcomes(&mut ledger), [Outcome::Released(Released {})]);
    }

    #[test]
    fn what_is_lost_is_stopped_and_not_reported() {
        let mut ledger = Ledger::default();
        let (_, mut stopped) = ledger.start(&task("a"));
        ledger.start(&task("b"));
        ledger.finished(&key("b"), Verdict::Succeeded(None));
        ledger.lose_all();
        assert!(stopped.try_recv().is_ok());
        assert!(outcomes(&mut ledger).is_empty());
        ledger.finished(&key("a"), Verdict::Cancelled);
        assert!(ledger.is_empty());
    }

    #[test]
    fn progress_is_told_once_and_again_after_a_new_connection() {
        let mut ledger = Ledger::default();
        let (slot, _stopped) = ledger.start(&task("a"));
        slot.progress(Progress { current: 1.0, ..Progress::default() });
        slot.checkpoint(Bytes::from_static(b"x"));
        let news = ledger.take_progress();
        assert_eq!(news[0].checkpoint.as_deref(), Some(&b"x"[..]));
        assert!(ledger.take_progress().is_empty());
        ledger.tell_anew();
        assert_eq!(ledger.take_progress().len(), 1);
    }
}
