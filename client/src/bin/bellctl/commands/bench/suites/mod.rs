//! What can be measured: one file for each suite.

mod backlog;
mod features;
mod guarded;
mod history;
mod history_rows;
mod idle;
mod latency;
mod replicas;
mod snapshot;
mod steady;
mod throughput;
mod watch;
mod watch_driver;

use clap::ValueEnum;

use super::report::Report;
use super::stand::Stand;
use crate::failure::Failure;

/// What can be measured, in the order of a full run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Suite {
    /// Life cycles and drain beside raw SQL
    Throughput,
    /// Submit to start at fixed rates
    Latency,
    /// Life cycles with millions of tasks waiting
    Backlog,
    /// Submit to start while a long transaction keeps old rows alive
    Snapshot,
    /// Ten minutes at one rate: sizes of tables and indexes
    Steady,
    /// Many Watch streams on changing tasks
    Watch,
    /// What a server costs that has nothing to do, and how soon it serves
    Idle,
    /// What labels, keys, delays, retries … cost beside plain tasks
    Features,
    /// What TLS, API keys and rates cost beside a server without
    Guarded,
    /// List and Get over millions of finished tasks
    History,
    /// Two and three replicas beside one
    Replicas,
}

impl Suite {
    pub(super) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// As on the command line and in the JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Backlog => "backlog",
            Self::Snapshot => "snapshot",
            Self::Steady => "steady",
            Self::Watch => "watch",
            Self::Idle => "idle",
            Self::Features => "features",
            Self::Guarded => "guarded",
            Self::History => "history",
            Self::Replicas => "replicas",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Throughput => {
                "tasks per second; CPU seconds per 10,000 tasks; bytes of a task in log and on wire"
            }
            Self::Latency => "submit to start of the handler's process, and to acknowledgement, ms",
            Self::Backlog => "life cycles with tasks waiting, beside an empty queue",
            Self::Snapshot => "submit to start while a REPEATABLE READ snapshot is held",
            Self::Steady => {
                "one rate for a long time: latency, tasks behind, MB of tables and indexes"
            }
            Self::Watch => "change of a task to its watcher, ms",
            Self::Idle => "a server with nothing to do",
            Self::Features => "what each costs beside plain tasks",
            Self::Guarded => "TLS, API keys and rates, beside an open server",
            Self::History => "reading over many finished tasks, ms",
            Self::Replicas => "replicas on one database, beside one",
        }
    }

    /// What its server is started with where it can be.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Idle => idle::COUNTING,
            _ => &[],
        }
    }

    /// Why it cannot be measured here.
    pub(super) fn cannot(self, stand: &Stand<'_>) -> Option<&'static str> {
        match self {
            Self::Idle | Self::Guarded | Self::History | Self::Replicas if !stand.is_own() => {
                Some("only with a server of its own: leave --server and --handshake-file away")
            }
            Self::Snapshot | Self::Steady if stand.database().is_err() => {
                Some("the database is not known: give --database-url or --handshake-file")
            }
            _ => None,
        }
    }

    pub(super) async fn measure(
        self,
        stand: &Stand<'_>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        match self {
            Self::Throughput => throughput::measure(stand, report).await,
            Self::Latency => latency::measure(stand, report).await,
            Self::Backlog => backlog::measure(stand, report).await,
            Self::Snapshot => snapshot::measure(stand, report).await,
            Self::Steady => steady::measure(stand, report).await,
            Self::Watch => watch::measure(stand, report).await,
            Self::Idle => idle::measure(stand, report).await,
            Self::Features => features::measure(stand, report).await,
            Self::Guarded => guarded::measure(stand, report).await,
            Self::History => history::measure(stand, report).await,
            Self::Replicas => replicas::measure(stand, report).await,
        }
    }
}
