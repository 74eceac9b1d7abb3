//! Running the server as a direct child. The thread that starts it lives as long as it does: on Linux
//! the kernel's parent-death signal is sent when that *thread* ends.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;

use super::find::Binaries;
use super::owner::Owner;
use super::place::Place;
use super::process::{signal, tie, wait_for};
use super::{Error, Speed};

/// How long a server may take to be ready, recovery after a crash included.
const READY: Duration = Duration::from_secs(60);
/// The step that another port may help.
pub(super) const STARTING: &str = "starting postgres";

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
        owner: Owner,
        place: &Place,
        port: u16,
        settings: &[String],
    ) -> Result<Self, Error> {
        let log_path = place.log();
        let log = owner.new_file(&log_path, "")?;
        let mut command = owner.command(&binaries.dir.join("postgres"), place.data_dir());
        command.arg("-D").arg(place.data_dir()).arg("-k").arg(place.socket_dir());
        command.arg("-p").arg(port.to_string());
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let second = log.try_clone().map_err(Error::file(&log_path))?;
        command.stdin(Stdio::null()).stdout(log).stderr(second);
        tie(&mut command, Signal::INT);

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
        let failed = |why: String| Error::Step { step: STARTING, why };
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
    fn wait_until_ready(&self, place: &Place) -> Result<(), Error> {
        let file = place.data_dir().join("postmaster.pid");
        let mut is_ready = false;
        let has_answered = wait_for(READY, || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_ours = lines.first().and_then(|pid| pid.parse().ok()) == Some(self.pid);
            is_ready = is_ours && lines.get(7) == Some(&"ready");
            is_ready || self.thread.is_finished()
        });
        if is_ready {
            return Ok(());
        }
        let step = if has_answered { STARTING } else { "waiting until postgres is ready" };
        let log = fs::read_to_string(place.log()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(10).collect();
        let why = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Err(Error::Step { step, why })
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
    for (name, grace) in [(Signal::INT, grace), (Signal::QUIT, Duration::from_secs(5))] {
        // Until it was waited for, its id is nobody else's.
        if matches!(child.try_wait(), Ok(None)) {
            signal(pid, name);
        }
        if wait_for(grace, || !matches!(child.try_wait(), Ok(None))) {
            return;
        }
    }
    child.kill().ok();
    child.wait().ok();
}

/// What a server of this speed is given.
pub(super) fn settings(speed: Speed) -> Vec<&'static str> {
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
