//! Every limit on input that is not a setting, in one table. The `.proto` comments repeat them.

use std::time::Duration;

/// Longest namespace, queue and version name, in bytes.
pub const NAME: usize = 63;
/// Longest kind, in bytes.
pub const KIND: usize = 127;
/// Longest unique key and idempotency key, in bytes.
pub const KEY: usize = 255;
/// Longest worker name, in bytes.
pub const WORKER_NAME: usize = 255;
/// Longest content type, in bytes.
pub const CONTENT_TYPE: usize = 127;
/// Most labels of a task.
pub const LABELS: usize = 32;
/// Longest label key and value, in bytes.
pub const LABEL_KEY: usize = 63;
/// Longest label value, in bytes.
pub const LABEL_VALUE: usize = 255;
/// Priorities are 0 to this.
pub const PRIORITY: u32 = 9;
/// Priority of a task that names none.
pub const DEFAULT_PRIORITY: u8 = 5;
/// Deepest nesting of a JSON payload, in nested messages of its `google.protobuf.Value`. Decoders take 100, and around
/// the payload there are five.
pub const JSON_DEPTH: usize = 90;
/// Longest error type, in bytes.
pub const ERROR_TYPE: usize = 256;
/// Longest error message; the rest is cut.
pub const ERROR_MESSAGE: usize = 4 << 10;
/// Longest error detail; the rest is cut.
pub const ERROR_DETAIL: usize = 32 << 10;
/// Longest progress message; the rest is cut.
pub const PROGRESS_MESSAGE: usize = 1 << 10;
/// Largest checkpoint, in bytes.
pub const CHECKPOINT: usize = 64 << 10;
/// Longest note or reason, in bytes.
pub const NOTE: usize = 1 << 10;
/// Most error types of a retry policy that end a task at once.
pub const NON_RETRYABLE: usize = 32;
/// Most tries.
pub const MAX_ATTEMPTS: u32 = 1000;
/// Longest back-off.
pub const BACKOFF: Duration = Duration::from_secs(30 * 86_400);
/// Longest delay, timeout and retention.
pub const TEN_YEARS: Duration = Duration::from_secs(3_653 * 86_400);
/// Most tasks of one batch, one watch of ids, or one page.
pub const BATCH: usize = 1000;
/// Most queues of a worker.
pub const WORKER_QUEUES: usize = 64;
/// Most kinds of a worker.
pub const WORKER_KINDS: usize = 256;
/// Most versions of a worker.
pub const WORKER_VERSIONS: usize = 64;
/// Most tasks that a worker has asked for and not yet been given.
pub const CREDIT: u32 = 10_000;
/// Most attempts that a worker takes up again: what it runs, and what it has reported and was not answered, which may be
/// more than its credit.
pub const RUNNING: usize = 4 * CREDIT as usize;
/// Attempts shown with a task.
pub const ATTEMPTS_SHOWN: i64 = 100;
/// Longest description of a schedule, in bytes.
pub const DESCRIPTION: usize = 4 << 10;
/// Longest name of an API key, in bytes.
pub const KEY_NAME: usize = 127;
/// Most API keys of a namespace that have not ended.
pub const API_KEYS: usize = 100;
/// Most fires that a call answers with or makes.
pub const FIRES: u32 = 10_000;
