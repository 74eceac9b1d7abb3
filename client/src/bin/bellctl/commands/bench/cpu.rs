//! CPU seconds by process, as Linux tells them; unknown elsewhere.

use std::fs;

/// Ticks of `/proc` in a second: 100 on every Linux that there is.
const TICKS: f64 = 100.0;

/// CPU seconds. What is unknown is `None`, and never taken for zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    /// PostgreSQL: the postmaster that is a child of the server, with everything below it.
    pub(super) postgres: Option<f64>,
    pub(super) server: Option<f64>,
    pub(super) workers: Option<f64>,
    /// This process.
    pub(super) client: Option<f64>,
    /// Everything else on the machine: what disturbed the measurement.
    pub(super) other: Option<f64>,
}

impl Cpu {
    /// Combines two, part by part.
    pub(super) fn with(self, rhs: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let both = |left: Option<f64>, right: Option<f64>| Some(f(left?, right?));
        Self {
            postgres: both(self.postgres, rhs.postgres),
            server: both(self.server, rhs.server),
            workers: both(self.workers, rhs.workers),
            client: both(self.client, rhs.client),
            other: both(self.other, rhs.other),
        }
    }
}

/// Whose time is told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    /// The replicas that run on this machine, if their processes are known.
    pub(super) servers: Vec<u64>,
    pub(super) workers: Vec<u64>,
}

impl Meter {
    /// What has been spent so far.
    pub(super) fn read(&self) -> Cpu {
        let all = processes();
        let of = |pid: u64| all.iter().find(|p| p.pid == pid).map(|p| p.own);
        let mut cpu = Cpu {
            client: of(u64::from(std::process::id())),
            workers: self.workers.iter().map(|pid| of(*pid)).sum(),
            server: self.servers.iter().map(|pid| of(*pid)).sum(),
            ..Cpu::default()
        };
        if self.servers.is_empty() {
            cpu.server = None;
        }
        let is_root = |p: &&Process| p.is_postgres && self.servers.contains(&p.parent);
        cpu.postgres = all.iter().find(is_root).map(|root| tree(&all, root));
        let known = || Some(cpu.client? + cpu.workers? + cpu.server? + cpu.postgres?);
        cpu.other = known().and_then(|known| Some(machine()? - known));
        cpu
    }
}

/// One process of `/proc`.
struct Process {
    pid: u64,
    parent: u64,
    is_postgres: bool,
    /// Seconds of its own.
    own: f64,
    /// Seconds of its children that have ended.
    ended: f64,
}

fn tree(all: &[Process], root: &Process) -> f64 {
    let children = all.iter().filter(|p| p.parent == root.pid && p.pid != root.pid);
    root.own + root.ended + children.map(|child| tree(all, child)).sum::<f64>()
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// proc(5): pid (comm) state ppid …, with utime, stime, cutime and cstime as fields 14 to 17.
fn process(pid: u64) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        is_postgres: name.ends_with("(postgres"),
        own: (ticks(11)? + ticks(12)?) / TICKS,
        ended: (ticks(13)? + ticks(14)?) / TICKS,
    })
}

/// What the whole machine has worked: user, nice, system, irq and softirq of all cores.
pub(super) fn machine() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    Some([0, 1, 2, 5, 6].iter().map(|n| ticks.get(*n)).sum::<Option<f64>>()? / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_a_process_with_everything_below_it() {
        let process =
            |pid, parent, own| Process { pid, parent, is_postgres: true, own, ended: 0.5 };
        let all = [process(1, 0, 8.0), process(2, 1, 1.0), process(3, 2, 2.0), process(4, 3, 4.0)];
        assert!((tree(&all, &all[1]) - 8.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let known = Cpu { client: Some(3.0), server: Some(5.0), ..Cpu::default() };
        let unknown = Cpu { client: Some(1.0), ..Cpu::default() };
        let difference = known.with(unknown, |left, right| left - right);
        assert_eq!(difference.client, Some(2.0));
        assert_eq!(difference.server, None);
    }
}
