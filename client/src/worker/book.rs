//! What a worker owes the server: attempts that run, and reports that are not acknowledged yet.

use std::collections::HashMap;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use prost::Message as _;
use tokio::time::Instant;

use super::context::TaskContext;
use super::failure::TaskFailure;

/// Names one attempt.
pub(super) type Key = (String, u32);

/// Most reports in one message.
const REPORTS: usize = 500;
/// Bytes of reports in one message, unless a single one has more.
const BYTES: usize = 1 << 20;
/// Most bytes in one report: below the largest message that the server takes.
const REPORT: usize = 3 << 20;
/// Most progress in one message.
const PROGRESS: usize = 1_000;
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
    /// The report may be what the server could not read: it goes alone until it is answered.
    is_suspect: bool,
}

impl Held {
    /// Whether the report was sent and not answered.
    fn is_under_way(&self) -> bool {
        self.report.is_some() && self.due.is_none()
    }
}

/// Type of the error of a task whose report was refused.
const REFUSED: &str = "REPORT_REFUSED";

/// The attempts of a session.
#[derive(Debug, Default)]
pub(super) struct Book {
    held: HashMap<Key, Held>,
}

impl Book {
    /// Whether an attempt is known already.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.held.contains_key(key)
    }

    /// Takes an attempt up.
    pub(super) fn start(&mut self, context: TaskContext) {
        let key = (context.task_id().to_owned(), context.attempt());
        self.held.insert(key, Held { context, report: None, due: None, is_suspect: false });
    }

    /// Notes the end of an attempt; `None`: nothing to report.
    pub(super) fn ended(&mut self, key: &Key, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else {
            self.held.remove(key);
            return;
        };
        if let Some(held) = self.held.get_mut(key) {
            held.report = Some(report(key, outcome));
            held.due = Some(Instant::now());
            held.is_suspect = false;
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

    /// These are no longer the session's: their handlers have to stop. What was reported is reported
    /// again, for the server alone knows whether it was in time.
    pub(super) fn lose(&self, lost: &[pb::AttemptRef]) {
        for attempt in lost {
            let key = (attempt.task_id.clone(), attempt.attempt);
            if let Some(held) = self.held.get(&key) {
                held.context.stop(pb::StopReason::LeaseLost, SHORT_GRACE);
            }
        }
    }

    /// What the server makes of a report.
    pub(super) fn acknowledged(&mut self, ack: &pb::Ack) {
        let key = (ack.task_id.clone(), ack.attempt);
        let Some(held) = self.held.get_mut(&key) else { return };
        held.is_suspect = false;
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
                self.refused(&key, &ack.message);
            }
            reason => {
                tracing::warn!(task, attempt, ?reason, "the report is made again");
                held.due = Some(Instant::now() + AGAIN);
            }
        }
    }

    /// The server has ended the stream, since it could not take what it was sent. A report that was
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

    /// The server does not take the report of an attempt.
    fn refused(&mut self, key: &Key, why: &str) {
        let (task, attempt) = key;
        tracing::error!(task, attempt, why, "the server refused the report");
        let report = self.held.get(key).and_then(|held| held.report.as_ref());
        match instead(report.and_then(|report| report.outcome.as_ref()), why) {
            Some(outcome) => self.ended(key, Some(outcome)),
            None => {
                self.held.remove(key);
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
        if self.held.values().any(|held| held.is_suspect) {
            return self.take_suspect().into_iter().collect();
        }
        let now = Instant::now();
        let mut reports: Vec<pb::AttemptReport> = Vec::new();
        let mut bytes = 0;
        for held in self.held.values_mut().filter(|held| held.due.is_some_and(|due| due <= now)) {
            let Some(report) = &held.report else { continue };
            bytes += report.encoded_len();
            if reports.len() == REPORTS || (bytes > BYTES && !reports.is_empty()) {
                break;
            }
            reports.push(report.clone());
            held.due = None;
        }
        reports
    }

    /// The next report to send alone, once nothing else is under way.
    fn take_suspect(&mut self) -> Option<pb::AttemptReport> {
        if self.held.values().any(Held::is_under_way) {
            return None;
        }
        let held = self.held.values_mut().find(|held| held.is_suspect)?;
        held.due = None;
        held.report.clone()
    }

    /// Progress that was not told yet, in messages that are not too large.
    pub(super) fn take_progress(&self) -> Vec<pb::Beat> {
        beats(self.held.values())
    }

    /// The same, of these attempts alone.
    pub(super) fn take_progress_of(&self, reports: &[pb::AttemptReport]) -> Vec<pb::Beat> {
        let held = reports
            .iter()
            .filter_map(|report| self.held.get(&(report.task_id.clone(), report.attempt)));
        beats(held)
    }

    /// How many attempts run or wait to be acknowledged.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing runs and nothing waits to be acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn beats<'a>(held: impl Iterator<Item = &'a Held>) -> Vec<pb::Beat> {
    let mut beats: Vec<pb::Beat> = Vec::new();
    let mut bytes = 0;
    for news in held.filter_map(|held| held.context.take_news()) {
        let size = news.encoded_len();
        match beats.last_mut() {
            Some(last) if last.progress.len() < PROGRESS && bytes + size <= BYTES => {
                last.progress.push(news);
                bytes += size;
            }
            _ => {
                beats.push(pb::Beat { progress: vec![news] });
                bytes = size;
            }
        }
    }
    beats
}

/// A report that the server can be sent: one that is too large would break every connection.
fn report(key: &Key, outcome: Outcome) -> pb::AttemptReport {
    let (task_id, attempt) = key.clone();
    let mut report = pb::AttemptReport { task_id, attempt, outcome: Some(outcome) };
    let size = report.encoded_len();
    if size > REPORT {
        let why = format!("the result has {size} bytes, more than a message may have");
        report.outcome = Some(TaskFailure::permanent("RESULT_TOO_LARGE", why).outcome());
    }
    report
}

/// What is reported instead of a report that the server refused, so that the attempt ends: the
/// refusal, as a failure; if that is refused too, the attempt is given back.
fn instead(refused: Option<&Outcome>, why: &str) -> Option<Outcome> {
    match refused? {
        Outcome::Released(_) => None,
        Outcome::Failed(failed)
            if failed.error.as_ref().is_some_and(|error| error.r#type == REFUSED) =>
        {
            Some(Outcome::Released(pb::Released {}))
        }
        Outcome::Succeeded(_)
        | Outcome::Failed(_)
        | Outcome::Snoozed(_)
        | Outcome::Cancelled(_) => Some(TaskFailure::permanent(REFUSED, why).outcome()),
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
        book.lose(&book.refs());
        assert!(book.refs().is_empty());
        assert!(!book.is_empty(), "its handler still runs");
        book.ended(&key(), None);
        assert!(book.is_empty());
    }

    #[tokio::test]
    async fn a_result_that_may_have_come_in_time_is_reported_although_the_attempt_is_lost() {
        let mut book = book();
        book.ended(&key(), Some(Outcome::Succeeded(pb::Succeeded { result: None })));
        book.take_reports();
        book.lose(&book.refs());
        assert!(book.refs().is_empty(), "not claimed");
        book.tell_anew();
        assert_eq!(book.take_reports().len(), 1);
        book.acknowledged(&ack(pb::ErrorReason::LeaseLost));
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
        let given_back = book.take_reports();
        assert!(matches!(given_back[0].outcome, Some(Outcome::Released(_))));
        book.acknowledged(&ack(pb::ErrorReason::InvalidArgument));
        assert!(book.is_empty());
    }

    #[tokio::test]
    async fn of_reports_that_the_server_cannot_read_the_culprit_is_found_and_fails() {
        let mut book = Book::default();
        for attempt in 1..=50 {
            book.start(TaskContext::new(pb::Assignment { attempt, ..Default::default() }));
            let done = Some(Outcome::Succeeded(pb::Succeeded { result: None }));
            book.ended(&(String::new(), attempt), done);
        }
        assert_eq!(book.take_reports().len(), 50);
        book.stream_refused("must be protobuf");
        book.tell_anew();
        let mut refused = 0;
        while let [report] = &book.take_reports()[..] {
            assert!(book.take_reports().is_empty(), "one at a time");
            let attempt = report.attempt;
            match &report.outcome {
                Some(Outcome::Succeeded(_)) if attempt == 7 => {
                    book.stream_refused("must be protobuf");
                    book.tell_anew();
                    refused += 1;
                    continue;
                }
                Some(Outcome::Failed(failed)) => {
                    assert_eq!(attempt, 7);
                    let error = failed.error.clone().unwrap();
                    assert_eq!((&*error.r#type, &*error.message), (REFUSED, "must be protobuf"));
                }
                _ => {}
            }
            book.acknowledged(&pb::Ack { attempt, ..Default::default() });
        }
        assert_eq!(refused, 1);
        assert!(book.is_empty());
    }

    #[tokio::test]
    async fn a_result_that_fits_into_no_message_fails_the_task() {
        let mut book = book();
        let content = Some(pb::payload::Content::Data(vec![0; 4 << 20].into()));
        let result = Some(pb::Payload { content, content_type: String::new() });
        book.ended(&key(), Some(Outcome::Succeeded(pb::Succeeded { result })));
        let Some(Outcome::Failed(failed)) = book.take_reports().remove(0).outcome else {
            panic!("not failed")
        };
        assert_eq!(failed.error.unwrap().r#type, "RESULT_TOO_LARGE");
        assert!(failed.non_retryable);
    }

    #[tokio::test]
    async fn progress_of_many_attempts_goes_in_messages_that_the_server_takes() {
        let mut book = Book::default();
        let contexts: Vec<TaskContext> = (0..100)
            .map(|n| TaskContext::new(pb::Assignment { attempt: n + 1, ..Default::default() }))
            .collect();
        for context in &contexts {
            book.start(context.clone());
            context.progress(1.0, 2.0, "");
            context.checkpoint(vec![0; 64 << 10]).unwrap();
        }
        let ended = report(&(String::new(), 7), Outcome::Released(pb::Released {}));
        let first = book.take_progress_of(&[ended]);
        assert_eq!((first.len(), first[0].progress[0].attempt), (1, 7));
        let rest = book.take_progress();
        assert_eq!(rest.iter().map(|beat| beat.progress.len()).sum::<usize>(), 99, "all, once");
        assert!(rest.iter().all(|beat| beat.encoded_len() < REPORT));
        assert!(book.take_progress().is_empty());
    }

    #[tokio::test]
    async fn a_stopped_handler_keeps_a_part_of_the_grace_for_its_report() {
        let book = book();
        let (task_id, attempt) = key();
        let grace = Some(prost_types::Duration { seconds: 10, nanos: 0 });
        let reason = pb::StopReason::Cancelled.into();
        book.stop(&pb::Stop { task_id, attempt, reason, grace });
        let held = book.held.get(&key()).unwrap();
        assert_eq!(held.context.stop_reason(), Some(pb::StopReason::Cancelled));
        assert!(held.context.cancelled().is_cancelled());
        assert_eq!(book.refs().len(), 1, "it still runs");
    }
}
