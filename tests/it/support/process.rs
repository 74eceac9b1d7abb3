//! The real programs, as processes that can be killed and frozen.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::watched;

/// Long enough for a loaded machine; tests that pass never wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of this workspace, built if need be.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo tells this test of its package is not so for the build before: build scripts that ask for it
        // would run anew, and most of it be built once more.
        for (name, _) in std::env::vars() {
            let is_ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
            if is_ours.iter().any(|begin| name.starts_with(begin)) {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            // As `cargo test --workspace` has built them, or most of it would be built once more.
            .args(["build", "--quiet", "--locked", "--workspace", "--bins", "--tests"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "the programs do not build");
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().to_owned()
    });
    folder.join(name)
}

/// Those that run.
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends every child, for who ends this process in the middle of its tests.
pub(crate) fn end_all() {
    for id in CHILDREN.lock().unwrap().drain(..) {
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// A child that does not outlive the test, and the end of what it wrote.
pub(crate) struct Process(pub(crate) Child, Option<Receiver<()>>);

impl Process {
    /// Starts it; what it writes as its log is watched.
    pub(crate) fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut started = Self::spawn(command.stderr(Stdio::piped()));
        started.1 = started.0.stderr.take().map(|log| watched::follow(name, log));
        started
    }

    /// Starts it with a log that the test looks through by itself.
    pub(crate) fn start_with_log(command: &mut Command, log: File) -> Self {
        Self::spawn(command.stderr(log))
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        CHILDREN.lock().unwrap().push(child.id());
        Self(child, None)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end and answers with the exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let mut code = None;
        eventually("the process ends", || {
            code = self.0.try_wait().unwrap();
            std::future::ready(code.is_some())
        })
        .await;
        code.and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
        CHILDREN.lock().unwrap().retain(|id| *id != self.0.id());
        if let Some(log) = &self.1 {
            // Somebody whom it has started may have its log open still.
            log.recv_timeout(Duration::from_secs(2)).ok();
        }
        watched::tally();
    }
}

/// A port that nobody else gets: each only once, and below those that systems give to who asks for any.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const MANY: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    (0..MANY)
        .map(|_| FIRST + begin.wrapping_add(NEXT.fetch_add(1, Relaxed)) % MANY)
        .map(|port| u16::try_from(port).unwrap())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// `bellringer serve` on a database, ready.
pub(crate) async fn serve(database: &str, port: u16, settings: &[(&str, &str)]) -> Process {
    serve_with(&program("bellringer"), database, port, settings).await
}

/// The same, with another build of the server.
pub(crate) async fn serve_with(
    program: &Path,
    database: &str,
    port: u16,
    settings: &[(&str, &str)],
) -> Process {
    let server = Process::start(
        Command::new(program)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("BELLRINGER_DATABASE_URL", database)
            .envs(settings.iter().copied()),
    );
    let url = address(port);
    eventually("the server is ready", || async {
        health(&url, "").await == Some(ServingStatus::Serving)
    })
    .await;
    server
}

/// The address of a port.
pub(crate) fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The health of a service of a server, if it answers.
pub(crate) async fn health(url: &str, service: &str) -> Option<ServingStatus> {
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect().await.ok()?;
    let service = service.to_owned();
    let request = tonic_health::pb::HealthCheckRequest { service };
    Some(HealthClient::new(channel).check(request).await.ok()?.into_inner().status())
}

/// The whole answer to a request.
pub(crate) async fn http_get(address: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    watched::look_through(path, &answer);
    answer
}

/// Polls until something holds: for what happens in other processes.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let polled = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, polled).await.is_ok(), "never came true: {what}");
}
