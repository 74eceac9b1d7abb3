//! Tells whether two requests with the same idempotency key ask for the same thing.

use sha2::{Digest as _, Sha256};

use crate::domain::NewTask;
use crate::domain::task::Start;

/// SHA-256 over every field of the request but the key itself, each with its length before it. The
/// order of the fields is part of the stored data: it must never change.
pub(super) fn request_hash(task: &NewTask) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    add(b"1");
    add(task.namespace.as_str().as_bytes());
    add(task.queue.as_str().as_bytes());
    add(task.kind.as_str().as_bytes());
    add(task.version.as_ref().map_or("", |version| version.as_str()).as_bytes());
    add(&task.payload.data);
    add(task.payload.content_type.as_deref().unwrap_or_default().as_bytes());
    for (key, value) in &task.labels {
        add(key.as_bytes());
        add(value.as_bytes());
    }
    add(&[task.priority]);
    match task.start {
        Start::Now => add(b"now"),
        Start::At(time) => add(&time.as_nanosecond().to_be_bytes()),
        Start::After(delay) => add(&delay.as_nanos().to_be_bytes()),
    }
    add(&task.expire_at.map_or(i128::MIN, |time| time.as_nanosecond()).to_be_bytes());
    add(&task.attempt_timeout.map_or(u128::MAX, |limit| limit.as_nanos()).to_be_bytes());
    add(&task.total_timeout.map_or(u128::MAX, |limit| limit.as_nanos()).to_be_bytes());
    if let Some(retry) = &task.retry {
        add(&retry.max_attempts.to_be_bytes());
        add(&retry.initial_backoff_ms.to_be_bytes());
        add(&retry.max_backoff_ms.to_be_bytes());
        add(&retry.multiplier.to_be_bytes());
        add(&[u8::from(retry.jitter)]);
        for kind in &retry.non_retryable {
            add(kind.as_bytes());
        }
    }
    add(task.unique_key.as_deref().unwrap_or_default().as_bytes());
    add(&[task.unique_conflict as u8]);
    add(task.retry_of.map_or([0; 16], |id| id.0.into_bytes()).as_slice());
    hash.finalize().to_vec()
}
