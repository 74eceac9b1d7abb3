//! CPU seconds by process, as Linux tells them; zero elsewhere.

use std::fs;
use std::ops::Sub;

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    pub(super) postgres: f64,
    pub(super) server: f64,
    pub(super) workers: f64,
    pub(super) client: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            postgres: self.postgres - before.postgres,
            server: self.server - before.server,
            workers: self.workers - before.workers,
            client: self.client - before.client,
        }
    }
}

/// One process of `/proc`.
struct Process {
    pid: u64,
    parent: u64,
    is_postgres: bool,
    /// Own time, and that of children that have ended.
    seconds: f64,
}

/// What has been spent so far by the server, by the PostgreSQL that is its child, by the workers, and by
/// this process.
pub(super) fn read(server: Option<u64>, workers: &[u64]) -> Cpu {
    let all = processes();
    let of = |pid: u64| all.iter().filter(|p| p.pid == pid).map(|p| p.seconds).sum::<f64>();
    let is_child = |process: &&Process, parent: u64| process.parent == parent;
    let mut cpu = Cpu { client: of(u64::from(std::process::id())), ..Cpu::default() };
    cpu.workers = workers.iter().map(|pid| of(*pid)).sum();
    if let Some(server) = server {
        // Its own time only: what it waited for is PostgreSQL's.
        cpu.server = of(server);
        for postmaster in all.iter().filter(|p| p.is_postgres && is_child(p, server)) {
            let backends = all.iter().filter(|p| is_child(p, postmaster.pid));
            cpu.postgres += postmaster.seconds + backends.map(|p| p.seconds).sum::<f64>();
        }
    }
    cpu
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// proc(5): pid (comm) state ppid …, with utime, stime, cutime and cstime as fields 14 to 17, in ticks of
/// 1/100 s on every Linux that there is.
fn process(pid: u64) -> Option<Process> {
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        is_postgres: name.ends_with("(postgres"),
        seconds: (ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?) / TICKS,
    })
}

/// What machine this is.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    format!("{cores} cores, {model}")
}
