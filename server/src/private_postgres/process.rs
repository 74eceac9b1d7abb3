//! Processes: whether they live, what they are, and how a child is tied to us.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process; never a group of them, which 0 and negative numbers mean.
fn process(pid: i32) -> Option<Pid> {
    if pid > 0 { Pid::from_raw(pid) } else { None }
}

/// Whether a process exists.
pub(super) fn is_alive(pid: i32) -> bool {
    process(pid).is_some_and(|pid| match test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    })
}

/// The process of the server that uses a data folder, if it lives and is really one.
pub(super) fn server_of(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid: i32 = lines.next()?.trim().parse().ok()?;
    let named = Path::new(lines.next()?.trim());
    // The pid is negative while initdb works. Process ids are used again: this one must have been started as postgres on this folder.
    let is_it = named == data && is_alive(pid) && {
        let command = command_line(pid)?;
        let has = |part: &[u8]| command.windows(part.len()).any(|bytes| bytes == part);
        has(b"postgres") && has(data.as_os_str().as_bytes())
    };
    is_it.then_some(pid)
}

/// Empty for a process that ended and waits for its parent.
fn command_line(pid: i32) -> Option<Vec<u8>> {
    if cfg!(target_os = "linux") {
        return fs::read(format!("/proc/{pid}/cmdline")).ok();
    }
    let mut ps = Command::new("ps");
    ps.args(["-ww", "-o", "command=", "-p", &pid.to_string()]).stdin(Stdio::null());
    ps.output().ok().map(|output| output.stdout)
}

/// Stops the server of a data folder, if there is one; not for children of ours. SIGINT is
/// PostgreSQL's fast shutdown, SIGQUIT its immediate one.
pub(super) fn stop_server_of(data: &Path, grace: Duration) {
    for name in [Signal::INT, Signal::QUIT] {
        let Some(server) = server_of(data) else { return };
        signal(server, name);
        if wait_for(grace, || server_of(data) != Some(server)) {
            return;
        }
    }
}

/// Sends a signal to a process, if it is there.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = process(pid) {
        kill_process(pid, signal).ok();
    }
}

/// Blocks until something is so, for `longest` at most; whether it is.
#[expect(clippy::disallowed_methods, reason = "blocking code, outside of any runtime")]
pub(super) fn wait_for(longest: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + longest;
    loop {
        if is_so() {
            return true;
        }
        if std::time::Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A process group of its own, so that Ctrl-C in a terminal reaches only us; and on Linux a signal
/// from the kernel when the thread that starts the child ends.
pub(super) fn tie(command: &mut Command, at_our_end: Signal) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let parent = rustix::process::getpid();
        #[expect(
            unsafe_code,
            reason = "pre_exec; only two system calls are made between fork and exec"
        )]
        // SAFETY: prctl and getppid are async-signal-safe; nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(at_our_end))?;
                // The parent may have died before the line above.
                if rustix::process::getppid() != Some(parent) {
                    return Err(std::io::Error::from(rustix::io::Errno::SRCH));
                }
                Ok(())
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = at_our_end;
}
