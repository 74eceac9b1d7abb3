//! Metrics of the process and of its runtime, read when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::database::FloatGauge;

type Seconds = Counter<f64, AtomicU64>;

/// Metrics of the process.
#[derive(Debug)]
pub(super) struct Process {
    cpu: Seconds,
    busy: Seconds,
    tasks: Gauge,
    queued: Gauge,
    memory: Gauge,
    threads: Gauge,
    open_files: Gauge,
    panics: Counter,
}

impl Process {
    /// With the names that they have for every program.
    pub(super) fn register(to: &mut Registry) -> Self {
        let one = Self {
            cpu: Seconds::default(),
            busy: Seconds::default(),
            tasks: Gauge::default(),
            queued: Gauge::default(),
            memory: Gauge::default(),
            threads: Gauge::default(),
            open_files: Gauge::default(),
            panics: Counter::default(),
        };
        to.register("process_cpu_seconds", "CPU time that was used.", one.cpu.clone());
        // What only Linux tells is left out elsewhere.
        if std::fs::exists("/proc/self/status").unwrap_or_default() {
            to.register("process_resident_memory_bytes", "Memory in use.", one.memory.clone());
            to.register("process_threads", "Threads.", one.threads.clone());
            to.register("process_open_fds", "Open files and sockets.", one.open_files.clone());
        }
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        if let Some(most) = most.and_then(|most| i64::try_from(most).ok()) {
            let limit = Gauge::<i64>::default();
            limit.set(most);
            to.register("process_max_fds", "Most open files and sockets.", limit);
        }
        let started = FloatGauge::default();
        let now = crate::clock::Clock::now(&crate::clock::SystemClock);
        started.set(now.as_duration().as_secs_f64());
        to.register("process_start_time_seconds", "When it began, since 1970.", started);
        one
    }

    /// Those of this program alone.
    pub(super) fn register_ours(&self, to: &mut Registry) {
        let build = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("tzdata", bellringer_schedule::tzdata_version().to_owned()),
        ];
        to.register("build", "What runs here.", Info::new(build));
        to.register("panics", "Panics: faults of this program.", self.panics.clone());
        to.register("runtime_tasks", "Tasks of the async runtime.", self.tasks.clone());
        to.register("runtime_queued_tasks", "Tasks that wait for a thread.", self.queued.clone());
        to.register(
            "runtime_busy_seconds",
            "Time that the runtime's threads were busy, all together.",
            self.busy.clone(),
        );
        let workers = Gauge::<i64>::default();
        workers.set(gauge(tokio::runtime::Handle::current().metrics().num_workers()));
        to.register("runtime_threads", "Threads of the async runtime.", workers);
    }

    /// Reads it all.
    pub(super) fn read(&self) {
        self.panics.inner().store(crate::panics::count(), Ordering::Relaxed);
        let runtime = tokio::runtime::Handle::current().metrics();
        self.tasks.set(gauge(runtime.num_alive_tasks()));
        self.queued.set(gauge(runtime.global_queue_depth()));
        let busy = (0..runtime.num_workers())
            .map(|worker| runtime.worker_total_busy_duration(worker).as_secs_f64())
            .sum::<f64>();
        self.busy.inner().store(busy.to_bits(), Ordering::Relaxed);
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        self.cpu.inner().store(cpu.to_bits(), Ordering::Relaxed);
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let field = |name: &str| -> i64 {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
            };
            self.memory.set(field("VmRSS:") * 1024);
            self.threads.set(field("Threads:"));
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(gauge(files.count()));
        }
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
