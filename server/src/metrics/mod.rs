//! What this replica counts and measures, and tells a Prometheus that asks.
//!
//! A counter is looked up once, where its owner is made; to count is an atomic addition. Labels come
//! from closed lists, and from namespaces and queues up to a number of them.

mod calls;
mod connections;
mod database;
mod histogram;
mod parts;
mod process;
mod serve;
mod tasks;
mod text;

use std::fmt;
use std::sync::Arc;

use prometheus_client::registry::Registry;

pub use calls::{Calls, Method};
pub use connections::Connections;
pub use database::{Database, Invariant, Pool, Running, Statements};
pub use histogram::Histogram;
pub use parts::{Leader, Schedules, Watches, Workers};
pub use serve::serve;
pub use tasks::{Depth, Queue, Tasks};

/// Everything that is counted and measured.
pub struct Metrics {
    registry: Registry,
    process: process::Process,
    /// Of tasks and queues.
    pub tasks: Tasks,
    /// Of schedules.
    pub schedules: Schedules,
    /// Of watches.
    pub watches: Watches,
    /// Of workers.
    pub workers: Workers,
    /// Of leadership.
    pub leader: Leader,
    /// Of the database.
    pub database: Database,
    /// Of gRPC.
    pub calls: Calls,
    /// Of connections, and of the certificate that they are served with.
    pub connections: Arc<Connections>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All of them at zero. `statements`: the names of the statements that may be run; `methods`: the
    /// paths of gRPC's methods, and whether they stream.
    pub fn new(statements: &[&'static str], methods: &[(String, bool)]) -> Self {
        let mut registry = Registry::default();
        let process = process::Process::register(&mut registry);
        let to = registry.sub_registry_with_prefix("bellringer");
        process.register_ours(to);
        let tasks = Tasks::register(to);
        let schedules = Schedules::register(to);
        let watches = Watches::register(to);
        let workers = Workers::register(to);
        let leader = Leader::register(to);
        let database = Database::register(to, statements);
        let calls = Calls::register(to, methods);
        let connections = Arc::new(Connections::register(to));
        Self {
            registry,
            process,
            tasks,
            schedules,
            watches,
            workers,
            leader,
            database,
            calls,
            connections,
        }
    }

    /// As Prometheus reads it. What is asked of others, such as leadership, is as it was last set.
    pub fn text(&self) -> String {
        self.process.read();
        let mut open = String::new();
        // A string takes whatever is written to it.
        prometheus_client::encoding::text::encode(&mut open, &self.registry).ok();
        text::classic(&open)
    }
}
