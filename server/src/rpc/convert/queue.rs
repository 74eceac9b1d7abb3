//! Queues.

use std::time::Duration;

use bellringer_api::v1 as pb;

use super::time::{duration, pb_duration, pb_timestamp};
use crate::domain::{Checker, Namespace, Queue, QueueName, Retention, Violations, limits};
use crate::rpc::caller::Claim;

const MINUTE: Duration = Duration::from_secs(60);

/// Reads the name of a queue, with the namespace that every request has.
pub(crate) fn queue_ref(
    namespace: Claim,
    queue: &str,
) -> Result<(Namespace, QueueName), Violations> {
    let mut check = Checker::default();
    let namespace = check.field("namespace", namespace);
    let queue = check.field("queue", QueueName::parse(queue));
    check.finish()?;
    namespace.zip(queue).ok_or_else(|| Violations::one("queue", "cannot be read"))
}

/// Reads retention.
pub(crate) fn retention(
    retention: Option<pb::Retention>,
) -> Result<Retention<Option<Duration>>, Violations> {
    let Some(retention) = retention else {
        return Err(Violations::one("retention", "is required"));
    };
    let mut check = Checker::below("retention");
    let mut field = |name, given: Option<prost_types::Duration>| {
        let read = given.map(|given| duration(given, MINUTE, limits::TEN_YEARS)).transpose();
        check.field(name, read).flatten()
    };
    let read = Retention {
        succeeded: field("succeeded", retention.succeeded),
        failed: field("failed", retention.failed),
        cancelled: field("cancelled", retention.cancelled),
        expired: field("expired", retention.expired),
    };
    check.finish()?;
    Ok(read)
}

/// Writes a queue, with `defaults` where nothing was set for it.
pub(crate) fn pb_queue(queue: Queue, defaults: &Retention) -> pb::Queue {
    let retention = queue.retention.or(defaults);
    let (paused_at, pause_note) = queue.paused.unzip();
    pb::Queue {
        namespace: queue.namespace.to_string(),
        name: queue.name.to_string(),
        paused: paused_at.is_some(),
        pause_note: pause_note.unwrap_or_default(),
        paused_at: paused_at.map(pb_timestamp),
        retention: Some(pb::Retention {
            succeeded: Some(pb_duration(retention.succeeded)),
            failed: Some(pb_duration(retention.failed)),
            cancelled: Some(pb_duration(retention.cancelled)),
            expired: Some(pb_duration(retention.expired)),
        }),
        created_at: Some(pb_timestamp(queue.created_at)),
        ready: queue.ready,
        scheduled: queue.scheduled,
        running: queue.running,
        oldest_ready_age: queue.oldest_ready_age.map(pb_duration),
        kinds: queue.kinds,
    }
}
