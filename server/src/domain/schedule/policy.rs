//! How a schedule behaves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What to do with times that came up too late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// Skip them.
    Skip,
    /// Fire the latest one for all of them.
    #[default]
    FireOnce,
    /// Fire them all, oldest first, within window and limit.
    FireAll,
}

/// What to do when a time comes and earlier tasks are unfinished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Submit regardless.
    Allow,
    /// Skip the time.
    #[default]
    Skip,
    /// Hold one time back, skip the others.
    BufferOne,
    /// Hold times back.
    BufferAll,
    /// Cancel the oldest tasks.
    CancelRunning,
}

/// How a schedule behaves. Stored as it is: fields may be added with a default, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// What to do with times that came up too late.
    pub misfire: Misfire,
    /// So late is too late; in seconds.
    pub misfire_grace_s: u64,
    /// Times older than this are never caught up; in seconds.
    pub catch_up_window_s: u64,
    /// Most times to catch up at once.
    pub catch_up_limit: u32,
    /// What to do when earlier tasks are unfinished.
    pub overlap: Overlap,
    /// Unfinished tasks that are no overlap yet.
    pub max_running: u32,
    /// Ends the schedule after so many fires; 0: never.
    pub max_fires: u64,
    /// Pauses the schedule after so many failures in a row; 0: never.
    pub pause_after_failures: u32,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            misfire: Misfire::default(),
            misfire_grace_s: 60,
            catch_up_window_s: 3_600,
            catch_up_limit: 100,
            overlap: Overlap::default(),
            max_running: 1,
            max_fires: 0,
            pause_after_failures: 0,
        }
    }
}

impl Policies {
    /// So late is too late.
    pub const fn misfire_grace(&self) -> Duration {
        Duration::from_secs(self.misfire_grace_s)
    }

    /// Times older than this are never caught up.
    pub const fn catch_up_window(&self) -> Duration {
        Duration::from_secs(self.catch_up_window_s)
    }
}
