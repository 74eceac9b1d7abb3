//! Panics: each is an event of the log, and counted. What becomes of it is said by whoever catches it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;

/// Of the process, as the hook is.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Tells the log of every panic of this process from now on, and counts it.
pub fn watch() {
    std::panic::set_hook(Box::new(tell));
}

/// How many there were.
pub fn count() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Waits for what may panic; `None` if it did. Then everything that it held is dropped, and nobody sees what it
/// left half done, but for what it shares behind locks: whoever takes those expects it.
pub async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// Where and why; by which calls and stack, if that is known.
fn tell(panic: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string);
    let why = panic.payload_as_str().unwrap_or("not a text");
    let stack = Backtrace::capture();
    let stack = (stack.status() == BacktraceStatus::Captured).then(|| stack.to_string());
    tracing::error!(place, panic = why, stack, "the program panicked");
}
