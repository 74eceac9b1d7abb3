//! Running the server as a direct child. The thread that starts it lives as long as it does: on Linux
//! the kernel's parent-death signal is sent when that *thread* ends.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::find::Binaries;
use super::owner::Owner;
use super::place::Place;
use super::{Error, Speed};

/// How long a server may take to be ready, recovery after a crash included.
const READY: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server.
#[derive(Debug)]
pub(super) struct Keeper {
    pid: i32,
    stop: mpsc::Sender<Duration>,
    thread: std::thread::JoinHandle<()>,
}

impl Keeper {
    /// Starts the server and waits until it is ready.
    pub(super) fn start(
        binaries: &Binaries,
        owner: &Owner,
        place: &Place,
        port: u16,
        speed: Speed,
    ) -> Result<Self, Error> {
        let log_path = place.log();
        let log = fs::File::create(&log_path).map_err(Error::file(&log_path))?;
        let mut command = owner.command(&binaries.dir.join("postgres"), place.data_dir());
        command.arg("-D").arg(place.data_dir()).arg("-k").arg(place.socket_dir());
        command.arg("-p").arg(port.to_string());
        for setting in settings(speed) {
            command.arg("-c").arg(setting);
        }
        let second = log.try_clone().map_err(Error::file(&log_path))?;
        command.stdin(Stdio::null()).stdout(log).stderr(second);
        prepare_child(&mut command);

        let (started, has_started) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || match command.spawn() {
                Err(error) => drop(started.send(Err(error.to_string()))),
                Ok(child) => {
                    started.send(Ok(child.id())).ok();
                    keep(child, &stopped);
                }
            })
            .map_err(Error::file(place.data_dir()))?;
        let failed = |why: String| Error::Step { step: "starting postgres", why };
        let pid = has_started
            .recv()
            .unwrap_or_else(|_| Err("the keeper's thread ended".to_owned()))
            .map_err(failed)?;
        let pid = i32::try_from(pid).map_err(|error| failed(error.to_string()))?;
        let keeper = Self { pid, stop, thread };
        if let Err(error) = keeper.wait_until_ready(place) {
            keeper.stop(Duration::from_secs(5));
            return Err(error);
        }
        let file = place.starter();
        fs::write(&file, std::process::id().to_string()).map_err(Error::file(&file))?;
        Ok(keeper)
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Stops the server: fast, and if that takes longer than `grace`, at once.
    pub(super) fn stop(self, grace: Duration) {
        self.stop.send(grace).ok();
        self.thread.join().ok();
    }

    /// PostgreSQL says in `postmaster.pid` when it is ready: line 1 is its pid, line 8 the status.
    #[expect(clippy::disallowed_methods, reason = "blocking code, outside of any runtime")]
    fn wait_until_ready(&self, place: &Place) -> Result<(), Error> {
        let file = place.data_dir().join("postmaster.pid");
        let end = std::time::Instant::now() + READY;
        while std::time::Instant::now() < end {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_ours = lines.first().and_then(|pid| pid.parse().ok()) == Some(self.pid);
            if is_ours && lines.get(7) == Some(&"ready") {
                return Ok(());
            }
            if self.thread.is_finished() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let log = fs::read_to_string(place.log()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(10).collect();
        let why = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Err(Error::Step { step: "starting postgres", why })
    }
}

/// Waits for the child, or for the order to stop it.
fn keep(mut child: Child, stopped: &mpsc::Receiver<Duration>) {
    loop {
        match stopped.recv_timeout(Duration::from_millis(200)) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    return;
                }
            }
            Ok(grace) => return end(&mut child, grace),
            Err(mpsc::RecvTimeoutError::Disconnected) => return end(&mut child, READY),
        }
    }
}

/// SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
fn end(child: &mut Child, grace: Duration) {
    let pid = i32::try_from(child.id()).unwrap_or_default();
    for (signal, grace) in [(Signal::INT, grace), (Signal::QUIT, Duration::from_secs(5))] {
        if let Some(pid) = Pid::from_raw(pid) {
            kill_process(pid, signal).ok();
        }
        if wait_for(grace, || !matches!(child.try_wait(), Ok(None))) {
            return;
        }
    }
    child.kill().ok();
    child.wait().ok();
}

/// Stops a server that is not our child.
pub(super) fn interrupt(pid: i32, grace: Duration) {
    for signal in [Signal::INT, Signal::QUIT] {
        if let Some(pid) = Pid::from_raw(pid) {
            kill_process(pid, signal).ok();
        }
        if wait_for(grace, || !is_alive(pid)) {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "blocking code, outside of any runtime")]
fn wait_for(grace: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + grace;
    loop {
        if is_done() {
            return true;
        }
        if std::time::Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether a process exists.
pub(super) fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| match test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    })
}

/// The process of the server that uses a data folder, if it lives and is really one.
pub(super) fn is_server_of(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid: i32 = lines.next()?.trim().parse().ok()?;
    let named = Path::new(lines.next()?.trim());
    if named != data || !is_alive(pid) {
        return None;
    }
    // Process ids are used again: where the system tells, look at what the process is.
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) if !name.starts_with("postgres") => None,
        _ => Some(pid),
    }
}

fn settings(speed: Speed) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_permissions=0700",
        // Small containers have little /dev/shm.
        "dynamic_shared_memory_type=mmap",
        "max_connections=300",
        "shared_buffers=256MB",
        "max_wal_size=2GB",
        "autovacuum_naptime=10s",
        "timezone=UTC",
        "log_timezone=UTC",
    ];
    if speed == Speed::Throwaway {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
        settings.retain(|setting| !setting.starts_with("shared_buffers"));
        settings.push("shared_buffers=64MB");
    }
    settings
}

/// Its own process group, so that Ctrl-C in a terminal reaches only us; and on Linux a SIGINT from the
/// kernel when we die.
fn prepare_child(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
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
                rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
                // The parent may have died before the line above.
                if rustix::process::getppid() != Some(parent) {
                    return Err(std::io::Error::from(rustix::io::Errno::SRCH));
                }
                Ok(())
            });
        }
    }
}
