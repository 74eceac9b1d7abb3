//! What workers say and hear.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;

use super::fields::{cut, queue_or_default, text};
use super::payload::{payload, pb_payload};
use super::task::{error, pb_progress};
use super::time::{duration, pb_duration, pb_timestamp};
use crate::domain::{
    Assignment, AttemptRef, Checker, Ending, Hello, Kind, Progress, ProgressReport, QueueName,
    Report, SessionId, Stop, StopReason, TaskId, Version, Violations, limits,
};
use crate::engine::Ack;
use crate::rpc::caller::Claim;
use crate::rpc::status::classify;

/// Reads a hello; its credit is checked apart.
pub(crate) fn hello(namespace: Claim, hello: &pb::Hello, field: &str) -> Result<Hello, Violations> {
    let mut check = Checker::below(field);
    let namespace = check.field("namespace", namespace);
    let worker_name =
        check.field("worker_name", text(hello.worker_name.clone(), limits::WORKER_NAME));
    let queues = if hello.queues.is_empty() {
        queue_or_default("").map(|queue| vec![queue])
    } else {
        queues(&hello.queues)
    };
    let queues = check.field("queues", queues);
    let kinds = check.field("kinds", names(&hello.kinds, limits::WORKER_KINDS, Kind::parse));
    let versions =
        check.field("versions", names(&hello.versions, limits::WORKER_VERSIONS, Version::parse));
    let token = hello.session_token.as_str();
    let session = if token.is_empty() {
        Some(None)
    } else {
        check.field("session_token", SessionId::parse(token).map(Some))
    };
    if hello.credit > limits::CREDIT {
        check.refuse("credit", format!("must be up to {}", limits::CREDIT));
    }
    if hello.running.len() > limits::RUNNING {
        check.refuse("running", format!("must be up to {} attempts", limits::RUNNING));
    }
    let running = hello
        .running
        .iter()
        .map(|attempt| attempt_ref(&attempt.task_id, attempt.attempt))
        .collect::<Result<Vec<_>, _>>();
    let running = check.field("running", running);
    check.finish()?;
    let all = || {
        Some(Hello {
            namespace: namespace?,
            worker_name: worker_name?,
            queues: queues?,
            kinds: kinds?,
            versions: versions?,
            resume: session?.zip(running),
        })
    };
    all().ok_or_else(|| Violations::one(field, "cannot be read"))
}

/// Reads the queues of a worker.
pub(crate) fn queues(queues: &[String]) -> Result<Vec<QueueName>, String> {
    names(queues, limits::WORKER_QUEUES, QueueName::parse)
}

/// Reads a list of names; sorted and without repetitions, so that equal means equal.
fn names<T: Ord>(
    texts: &[String],
    most: usize,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    if texts.len() > most {
        return Err(format!("must be up to {most} names"));
    }
    let mut names = texts.iter().map(|text| parse(text)).collect::<Result<Vec<T>, String>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Reads what names an attempt.
pub(crate) fn attempt_ref(task_id: &str, attempt: u32) -> Result<AttemptRef, String> {
    let task = TaskId::parse(task_id).map_err(|why| format!("task_id: {why}"))?;
    const MOST: u32 = i32::MAX.unsigned_abs();
    if !(1..=MOST).contains(&attempt) {
        return Err(format!("attempt: must be 1 to {MOST}"));
    }
    Ok(AttemptRef { task, attempt })
}

/// Reads a report.
pub(crate) fn report(report: pb::AttemptReport, largest_result: usize) -> Result<Report, String> {
    let attempt = attempt_ref(&report.task_id, report.attempt)?;
    let ending = match report.outcome {
        None => return Err("outcome: is required".to_owned()),
        Some(Outcome::Succeeded(succeeded)) => Ending::Succeeded(
            payload(succeeded.result, largest_result).map_err(|why| format!("result: {why}"))?,
        ),
        Some(Outcome::Failed(failed)) => ending_failed(failed)?,
        Some(Outcome::Snoozed(snoozed)) => {
            let delay = snoozed.delay.unwrap_or_default();
            Ending::Snoozed(
                duration(delay, Duration::ZERO, limits::TEN_YEARS)
                    .map_err(|why| format!("delay: {why}"))?,
            )
        }
        Some(Outcome::Released(_)) => Ending::Released,
        Some(Outcome::Cancelled(_)) => Ending::Cancelled,
    };
    Ok(Report { attempt, ending })
}

/// Reads a failure.
pub(crate) fn ending_failed(failed: pb::Failed) -> Result<Ending, String> {
    Ok(Ending::Failed {
        error: error(failed.error).map_err(|why| format!("error: {why}"))?,
        non_retryable: failed.non_retryable,
        retry_after: failed
            .retry_after
            .map(|wait| duration(wait, Duration::ZERO, limits::BACKOFF))
            .transpose()
            .map_err(|why| format!("retry_after: {why}"))?,
    })
}

/// Reads progress.
pub(crate) fn progress(report: pb::AttemptProgress) -> Result<ProgressReport, String> {
    let attempt = attempt_ref(&report.task_id, report.attempt)?;
    let progress = match report.progress {
        None => None,
        Some(progress) => {
            let (current, total) = (progress.current, progress.total);
            let valid = current.is_finite()
                && total.is_finite()
                && current >= 0.0
                && total >= 0.0
                && (total == 0.0 || current <= total);
            if !valid {
                return Err("progress: current must be 0 to total, both finite".to_owned());
            }
            let message = cut(progress.message, limits::PROGRESS_MESSAGE);
            Some(Progress { current, total, message, reported_at: None })
        }
    };
    if report.checkpoint.as_ref().is_some_and(|bytes| bytes.len() > limits::CHECKPOINT) {
        return Err(format!("checkpoint: must be up to {} bytes", limits::CHECKPOINT));
    }
    Ok(ProgressReport { attempt, progress, checkpoint: report.checkpoint })
}

/// Writes a task to run.
pub(crate) fn pb_assignment(task: Assignment) -> pb::Assignment {
    pb::Assignment {
        task_id: task.task.to_string(),
        attempt: task.attempt,
        tries: task.tries,
        max_attempts: task.max_attempts,
        queue: task.queue.to_string(),
        kind: task.kind.to_string(),
        version: task.version.map(|version| version.to_string()).unwrap_or_default(),
        payload: pb_payload(task.payload),
        deadline: task.deadline.map(pb_timestamp),
        created_at: Some(pb_timestamp(task.created_at)),
        labels: task.labels.into_iter().collect(),
        traceparent: task.traceparent.unwrap_or_default(),
        progress: task.progress.map(pb_progress),
        checkpoint: task.checkpoint,
    }
}

/// Writes what names an attempt.
pub(crate) fn pb_attempt_ref(attempt: AttemptRef) -> pb::AttemptRef {
    pb::AttemptRef { task_id: attempt.task.to_string(), attempt: attempt.attempt }
}

/// Writes what became of a report.
pub(crate) fn pb_ack(ack: Ack) -> pb::Ack {
    let (reason, message) = match &ack.result {
        Ok(()) => (pb::ErrorReason::Unspecified, String::new()),
        Err(error) => (classify(error).1, error.to_string()),
    };
    pb::Ack {
        task_id: ack.attempt.task.to_string(),
        attempt: ack.attempt.attempt,
        reason: reason.into(),
        message,
    }
}

/// Writes an order to stop.
pub(crate) fn pb_stop(stop: Stop) -> pb::Stop {
    let reason = match stop.reason {
        StopReason::Cancelled => pb::StopReason::Cancelled,
        StopReason::TimedOut => pb::StopReason::TimedOut,
        StopReason::LeaseLost => pb::StopReason::LeaseLost,
    };
    pb::Stop {
        task_id: stop.attempt.task.to_string(),
        attempt: stop.attempt.attempt,
        reason: reason.into(),
        grace: (stop.reason == StopReason::Cancelled).then(|| pb_duration(stop.grace)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Namespace;

    #[test]
    fn a_worker_takes_up_more_attempts_than_its_credit_but_not_any_number() {
        let task_id = "0197f2a4-7a4c-7cc2-b4b5-0c1f5e2f3a4b".to_owned();
        let read = |attempts: usize| {
            let running = vec![pb::AttemptRef { task_id: task_id.clone(), attempt: 1 }; attempts];
            let wanted = pb::Hello { running, ..Default::default() };
            hello(Namespace::parse("default"), &wanted, "hello")
        };
        assert!(read(limits::RUNNING).is_ok());
        let refused = read(limits::RUNNING + 1).unwrap_err();
        assert!(format!("{refused:?}").contains("hello.running"), "{refused:?}");
    }
}
