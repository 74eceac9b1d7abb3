//! Metrics of the database: connections, statements, and what its tables hold.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::histogram::{Histogram, SHORT};

/// A gauge of seconds or the like.
pub(super) type FloatGauge = Gauge<f64, AtomicU64>;

/// Metrics of the database.
#[derive(Debug)]
pub struct Database {
    /// Connections for the hot path.
    pub hot: Pool,
    /// Connections for reading.
    pub read: Pool,
    /// How long statements took.
    pub statements: Statements,
    /// Age of the oldest snapshot, in seconds.
    pub oldest_snapshot: Gauge<f64, AtomicU64>,
    /// Age of the oldest xmin, in transactions.
    pub oldest_xmin: Gauge,
    dead_rows: Family<[(&'static str, String); 1], Gauge>,
    violations: Family<[(&'static str, &'static str); 1], Counter>,
}

/// Metrics of a pool of connections.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Connections in use.
    pub in_use: Gauge,
    /// The most that there can be.
    pub limit: Gauge,
    /// How long one was waited for.
    pub wait: Histogram,
}

/// How long statements took, and how they failed, by the names of their files. Only those that were
/// run are told.
#[derive(Debug, Clone, Default)]
pub struct Statements {
    by_name: Arc<HashMap<&'static str, Histogram>>,
    errors: Family<[(&'static str, &'static str); 2], Counter>,
}

/// What is looked for again and again, and never to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// An active schedule whose time came more than 30 s ago, and nobody has looked at it.
    OverdueSchedule,
    /// An attempt that runs, although its lease ended more than 60 s ago.
    ExpiredLease,
    /// A finished task that somebody has leased.
    FinishedButLeased,
    /// A term that two replicas have begun.
    TwoLeaders,
}

impl Invariant {
    const ALL: [Self; 4] =
        [Self::OverdueSchedule, Self::ExpiredLease, Self::FinishedButLeased, Self::TwoLeaders];

    /// As a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OverdueSchedule => "overdue_schedule",
            Self::ExpiredLease => "expired_lease",
            Self::FinishedButLeased => "finished_but_leased",
            Self::TwoLeaders => "two_leaders",
        }
    }
}

impl Database {
    pub(super) fn register(to: &mut Registry, names: &[&'static str]) -> Self {
        type ByPool<M, C = fn() -> M> = Family<[(&'static str, &'static str); 1], M, C>;
        let in_use = ByPool::<Gauge>::default();
        let limit = ByPool::<Gauge>::default();
        let wait: ByPool<Histogram> = Family::new_with_constructor(|| Histogram::new(SHORT));
        let pool = |name: &'static str| Pool {
            in_use: in_use.get_or_create_owned(&[("pool", name)]),
            limit: limit.get_or_create_owned(&[("pool", name)]),
            wait: wait.get_or_create_owned(&[("pool", name)]),
        };
        let (hot, read) = (pool("hot"), pool("read"));
        to.register("database_connections", "Database connections in use.", in_use);
        to.register("database_connections_limit", "Most database connections.", limit);
        to.register(
            "database_connection_wait_seconds",
            "How long a statement waited for its connection.",
            wait,
        );
        let histograms = names.iter().map(|name| (*name, Histogram::new(SHORT)));
        let by_name = Arc::new(histograms.collect());
        let statements = Statements { by_name, errors: Family::default() };
        to.register(
            "statement_seconds",
            "How long statements took, by the names of their files.",
            statements.clone(),
        );
        to.register(
            "statement_errors",
            "Statements that failed, by name and kind of error.",
            statements.errors.clone(),
        );
        let oldest_snapshot = FloatGauge::default();
        to.register(
            "database_oldest_snapshot_seconds",
            "Age of the oldest transaction that holds a snapshot in this database.",
            oldest_snapshot.clone(),
        );
        let oldest_xmin = Gauge::default();
        to.register(
            "database_oldest_xmin_transactions",
            "How many transactions ago the oldest one began whose dead rows are kept.",
            oldest_xmin.clone(),
        );
        let dead_rows = Family::default();
        to.register(
            "database_dead_rows",
            "Rows of a hot table that are dead and still there, roughly.",
            dead_rows.clone(),
        );
        let violations = Family::<[(&'static str, &'static str); 1], Counter>::default();
        to.register(
            "invariant_violations",
            "What must never be, found by the leader's look at the database.",
            violations.clone(),
        );
        for invariant in Invariant::ALL {
            drop(violations.get_or_create(&[("invariant", invariant.name())]));
        }
        Self { hot, read, statements, oldest_snapshot, oldest_xmin, dead_rows, violations }
    }

    /// Tells how many rows of a hot table are dead.
    pub fn set_dead_rows(&self, table: &str, rows: i64) {
        self.dead_rows.get_or_create(&[("table", table.to_owned())]).set(rows);
    }

    /// Something was found that must never be.
    pub fn violated(&self, invariant: Invariant, times: u64) {
        self.violations.get_or_create(&[("invariant", invariant.name())]).inc_by(times);
    }
}

impl Statements {
    /// Measures a statement from now on. Its text begins with its name, as the files do; what has no
    /// name, or one that is not known, is not told.
    pub fn start(&self, text: &str) -> Running<'_> {
        let name = text.strip_prefix("-- ").and_then(|rest| rest.split_once(':'));
        let known = name.and_then(|(name, _)| self.by_name.get_key_value(name));
        Running { known, errors: &self.errors, began: Instant::now() }
    }
}

/// A statement that runs.
#[derive(Debug)]
pub struct Running<'a> {
    known: Option<(&'a &'static str, &'a Histogram)>,
    errors: &'a Family<[(&'static str, &'static str); 2], Counter>,
    began: Instant,
}

impl Running<'_> {
    /// It has ended, with this kind of error if it failed.
    pub fn end(self, error: Option<&'static str>) {
        let Some((name, histogram)) = self.known else { return };
        histogram.observe(self.began.elapsed());
        if let Some(kind) = error {
            self.errors.get_or_create(&[("statement", *name), ("kind", kind)]).inc();
        }
    }
}

impl EncodeMetric for Statements {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut used: Vec<_> =
            self.by_name.iter().filter(|(_, histogram)| histogram.count() > 0).collect();
        used.sort_by_key(|(name, _)| **name);
        for (name, histogram) in used {
            histogram.encode(encoder.encode_family(&[("statement", *name)])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
