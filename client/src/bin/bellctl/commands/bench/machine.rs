//! What machine this is, and what else keeps it busy.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::cpu;
use super::numbers::Spread;

/// Writes that are timed.
const WRITES: u32 = 100;
/// How long is looked at what others do.
const LOOK: Duration = Duration::from_secs(1);

/// Facts about the machine, taken before anything is measured; takes a second.
pub(super) async fn facts() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_gib = memory.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?;
        Some(kibibytes.parse::<u64>().ok()?.div_ceil(1 << 20))
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let before = cpu::machine();
    sleep(LOOK).await;
    let foreign = cpu::machine().zip(before).map(|(after, before)| after - before);
    json!({
        "cores": cores,
        "cpu": model.map_or(std::env::consts::ARCH, |(_, model)| model.trim()),
        "memory_gib": memory_gib,
        "kernel": kernel.trim(),
        "load_average": load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()),
        "foreign_cores": foreign.map(|seconds| seconds / LOOK.as_secs_f64()),
        "fdatasync_p50_ms": tokio::task::spawn_blocking(fdatasync).await.ok().flatten(),
    })
}

/// What it costs to make 8 KiB durable in the folder for temporary files, in milliseconds.
fn fdatasync() -> Option<f64> {
    let mut file = tempfile::tempfile().ok()?;
    let mut micros = Vec::new();
    for _ in 0..WRITES {
        let begun = Instant::now();
        file.write_all(&[7; 8 << 10]).ok()?;
        file.sync_data().ok()?;
        micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Spread::of(micros).p50
}

/// Memory of a process that is resident now, and at most so far, in MB.
pub(super) fn memory(pid: u64) -> Option<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1_024.0 / 1_000_000.0)
    };
    Some((of("VmRSS:")?, of("VmHWM:")?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_memory_of_this_process_is_known() {
        let (now, most) = super::memory(u64::from(std::process::id())).unwrap();
        assert!(now > 1.0 && most >= now);
    }
}
