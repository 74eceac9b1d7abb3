//! The time that a server has for stopping, shared out among its steps. Together they stay within it,
//! also when a client never hangs up: what was accepted must still be written.

use std::process;
use std::time::Duration;

use tokio::time::Instant;

/// A stretch of time that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Grace {
    begun: Instant,
    whole: Duration,
}

impl Grace {
    /// Begins now.
    pub fn begin(whole: Duration) -> Self {
        Self { begun: Instant::now(), whole }
    }

    /// What is left until `percent` of it are over; nothing if they are.
    pub fn until(&self, percent: u32) -> Duration {
        (self.whole * percent / 100).saturating_sub(self.begun.elapsed())
    }
}

/// Ends the process once `grace` is over. A thread of its own does so, which no hanging task, lock or
/// database can hold up; nobody waits for it.
#[expect(clippy::disallowed_methods, reason = "this thread is not the runtime's")]
#[expect(clippy::print_stderr, reason = "the log may hang as well")]
pub fn end_process_after(grace: Duration) {
    let ends = move || {
        std::thread::sleep(grace);
        eprintln!("error: not stopped within server.shutdown_grace; ending all the same");
        process::exit(1);
    };
    // Without the thread, whatever runs the server has to do it.
    if let Err(error) = std::thread::Builder::new().name("grace".to_owned()).spawn(ends) {
        tracing::warn!(%error, "cannot watch over server.shutdown_grace");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_share_one_time_and_late_ones_get_nothing() {
        let grace = Grace::begin(Duration::from_secs(20));
        assert_eq!(grace.until(50), Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(grace.until(50), Duration::from_secs(6));
        assert_eq!(grace.until(100), Duration::from_secs(16));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(grace.until(100), Duration::ZERO);
    }
}
