//! Metrics of tasks, by namespace and queue: never by anything else that a caller can choose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::histogram::{Histogram, LONG, SIZES};

/// Different (namespace, queue) that have labels of their own; the rest is told together.
const MOST_QUEUES: usize = 200;
/// The label of the rest. No namespace or queue begins with an underscore.
const OTHER: &str = "_other";

type Of<const N: usize> = [(&'static str, String); N];

/// Metrics of tasks.
#[derive(Debug)]
pub struct Tasks {
    families: Families,
    queues: Mutex<HashMap<(String, String), Arc<Queue>>>,
    /// Reports for attempts that had ended: kept, and of no effect.
    pub late_results: Counter,
    /// Tasks in one statement of submits.
    pub submit_batch: Histogram,
    /// Tasks that one claim leased, claims that found none included.
    pub claim_batch: Histogram,
    /// Ends of attempts in one statement.
    pub report_batch: Histogram,
}

#[derive(Debug, Clone)]
struct Families {
    submitted: Family<Of<2>, Counter>,
    started: Family<Of<2>, Counter>,
    finished: Family<Of<3>, Counter>,
    retried: Family<Of<2>, Counter>,
    attempts: Family<Of<3>, Counter>,
    leases_lost: Family<Of<2>, Counter>,
    wait: Family<Of<2>, Histogram, fn() -> Histogram>,
    run: Family<Of<2>, Histogram, fn() -> Histogram>,
    waiting: Family<Of<3>, Gauge>,
    oldest: Family<Of<2>, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

/// Metrics of the tasks of one queue: counters that are looked up once.
#[derive(Debug)]
pub struct Queue {
    /// Its labels: namespace and queue.
    name: (String, String),
    /// Tasks that were taken in.
    pub submitted: Counter,
    /// Attempts that were handed to workers.
    pub started: Counter,
    /// Tasks that reached their end.
    pub finished: Finished,
    /// Tries that failed and are followed by another one.
    pub retried: Counter,
    /// Attempts that ended.
    pub attempts: Attempts,
    /// Attempts whose worker was not heard of any more.
    pub leases_lost: Counter,
    /// How long tasks waited for their first start.
    pub wait: Histogram,
    /// How long attempts ran.
    pub run: Histogram,
}

/// Tasks that reached their end, by how.
#[derive(Debug)]
pub struct Finished {
    pub succeeded: Counter,
    pub failed: Counter,
    pub cancelled: Counter,
    pub expired: Counter,
}

/// Attempts that ended, by how.
#[derive(Debug)]
pub struct Attempts {
    pub succeeded: Counter,
    pub failed: Counter,
    pub cancelled: Counter,
    pub snoozed: Counter,
    pub released: Counter,
    pub lease_expired: Counter,
}

/// What stands in a queue, as the leader sees it.
#[derive(Debug, Clone, Default)]
pub struct Depth {
    /// Tasks by state.
    pub tasks: HashMap<&'static str, i64>,
    /// How long the oldest ready task has been ready, in seconds.
    pub oldest_ready: f64,
}

impl Tasks {
    pub(super) fn register(to: &mut Registry) -> Self {
        let families = Families {
            submitted: Family::default(),
            started: Family::default(),
            finished: Family::default(),
            retried: Family::default(),
            attempts: Family::default(),
            leases_lost: Family::default(),
            wait: Family::new_with_constructor(|| Histogram::new(LONG)),
            run: Family::new_with_constructor(|| Histogram::new(LONG)),
            waiting: Family::default(),
            oldest: Family::default(),
        };
        let all = families.clone();
        to.register("tasks_submitted", "Tasks that this replica has taken in.", all.submitted);
        to.register("tasks_started", "Attempts that were handed to workers here.", all.started);
        to.register("tasks_finished", "Tasks that reached their end here.", all.finished);
        to.register("tasks_retried", "Failed tries that another try follows.", all.retried);
        to.register("attempts_ended", "Attempts that ended here, by outcome.", all.attempts);
        to.register(
            "leases_lost",
            "Attempts taken from workers that were not heard of any more.",
            all.leases_lost,
        );
        to.register(
            "task_wait_seconds",
            "Time from when a task could have started to its first start.",
            all.wait,
        );
        to.register("task_run_seconds", "Time from an attempt's start to its end.", all.run);
        to.register(
            "queue_tasks",
            "Unfinished tasks by state, counted up to 5 million a state; told by the leader alone.",
            all.waiting,
        );
        to.register(
            "queue_oldest_ready_seconds",
            "Time since the oldest ready task became ready; told by the leader alone.",
            all.oldest,
        );
        let late_results = Counter::default();
        to.register(
            "late_results",
            "Reports of attempts that had ended: kept, and without effect.",
            late_results.clone(),
        );
        let mut sizes = |name: &str, help: &str| {
            let histogram = Histogram::new(SIZES);
            to.register(name, help, histogram.clone());
            histogram
        };
        Self {
            families,
            queues: Mutex::default(),
            late_results,
            submit_batch: sizes("submit_batch_tasks", "Tasks written by one statement."),
            claim_batch: sizes("claim_batch_tasks", "Tasks leased by one claim, or none."),
            report_batch: sizes("report_batch_attempts", "Ends of attempts written together."),
        }
    }

    /// The metrics of a queue; the same ones for all queues beyond the largest number that is told
    /// apart.
    pub fn queue(&self, namespace: &str, queue: &str) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (namespace.to_owned(), queue.to_owned());
        if let Some(known) = queues.get(&name) {
            return known.clone();
        }
        let name = if queues.len() < MOST_QUEUES { name } else { (OTHER.into(), OTHER.into()) };
        queues.entry(name.clone()).or_insert_with(|| Arc::new(self.families.of(name))).clone()
    }

    /// Tells what stands in the queues. What is not named any more is not told any more.
    pub fn set_depths(&self, depths: HashMap<(String, String), Depth>) {
        let mut merged: HashMap<(String, String), Depth> = HashMap::new();
        for ((namespace, queue), depth) in depths {
            let sum = merged.entry(self.queue(&namespace, &queue).name.clone()).or_default();
            for (state, count) in depth.tasks {
                *sum.tasks.entry(state).or_default() += count;
            }
            sum.oldest_ready = sum.oldest_ready.max(depth.oldest_ready);
        }
        self.families.waiting.clear();
        self.families.oldest.clear();
        for ((namespace, queue), depth) in merged {
            let labels = [("task_namespace", namespace), ("queue", queue)];
            self.families.oldest.get_or_create(&labels).set(depth.oldest_ready);
            for (state, count) in depth.tasks {
                self.families.waiting.get_or_create(&with(&labels, "state", state)).set(count);
            }
        }
    }
}

impl Families {
    fn of(&self, name: (String, String)) -> Queue {
        let (namespace, queue) = name.clone();
        let labels = [("task_namespace", namespace), ("queue", queue)];
        let finished = |how| self.finished.get_or_create_owned(&with(&labels, "outcome", how));
        let attempts = |how| self.attempts.get_or_create_owned(&with(&labels, "outcome", how));
        Queue {
            name,
            submitted: self.submitted.get_or_create_owned(&labels),
            started: self.started.get_or_create_owned(&labels),
            finished: Finished {
                succeeded: finished("succeeded"),
                failed: finished("failed"),
                cancelled: finished("cancelled"),
                expired: finished("expired"),
            },
            retried: self.retried.get_or_create_owned(&labels),
            attempts: Attempts {
                succeeded: attempts("succeeded"),
                failed: attempts("failed"),
                cancelled: attempts("cancelled"),
                snoozed: attempts("snoozed"),
                released: attempts("released"),
                lease_expired: attempts("lease_expired"),
            },
            leases_lost: self.leases_lost.get_or_create_owned(&labels),
            wait: self.wait.get_or_create_owned(&labels),
            run: self.run.get_or_create_owned(&labels),
        }
    }
}

fn with(labels: &Of<2>, name: &'static str, value: &str) -> Of<3> {
    let [namespace, queue] = labels.clone();
    [namespace, queue, (name, value.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_beyond_the_limit_are_told_together() {
        let mut registry = Registry::default();
        let tasks = Tasks::register(&mut registry);
        for n in 0..MOST_QUEUES + 20 {
            tasks.queue("n", &format!("q{n}")).submitted.inc();
        }
        tasks.queue("n", "q0").submitted.inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let lines: Vec<_> =
            text.lines().filter(|l| l.starts_with("tasks_submitted_total")).collect();
        assert_eq!(lines.len(), MOST_QUEUES + 1);
        let told = |line: &str| lines.contains(&line);
        assert!(told("tasks_submitted_total{task_namespace=\"n\",queue=\"q0\"} 2"));
        assert!(told("tasks_submitted_total{task_namespace=\"_other\",queue=\"_other\"} 20"));
    }
}
