//! Where a server's data and socket are.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::find::Binaries;
use super::lock::{self, Lock};
use super::owner::Owner;
use super::process::{stop_server_of, tie};
use super::sweep::{new_folder, new_home, new_name, sweep};
use super::{Data, Error, Speed};

/// Longest path of a Unix socket on macOS, with room for the name.
const LONGEST_SOCKET_DIR: usize = 80;

/// Folders of one server.
#[derive(Debug)]
pub(super) struct Place {
    home: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    is_temporary: bool,
    /// Held for as long as the place is used.
    lock: Lock,
}

impl Place {
    /// Makes the folders, and makes sure that nobody else uses them.
    pub(super) fn prepare(data: &Data, binaries: &Binaries, owner: Owner) -> Result<Self, Error> {
        sweep(owner);
        let (home, lock, is_temporary) = match data {
            Data::Kept(folder) => kept_home(folder, owner)?,
            Data::Default => kept_home(&default_home(), owner)?,
            Data::Temporary => {
                let (home, lock) = new_home(owner)?;
                (home, lock, true)
            }
        };
        let mut socket = home.join("socket");
        if !is_fit_for_a_socket(&socket) {
            socket = PathBuf::from("/tmp").join(new_name());
        }
        // A newer major version makes a new cluster instead of failing on the old one.
        let data = home.join(format!("pg{}", binaries.major));
        let place = Self { home, data, socket, is_temporary, lock };
        // Its starter is gone, since we have the lock.
        stop_server_of(&place.data, Duration::from_secs(20));
        fs::remove_dir_all(&place.socket).ok();
        new_folder(&place.socket)?;
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&place.home, mode).map_err(Error::file(&place.home))?;
        owner.give(&place.home)?;
        owner.give(&place.socket)?;
        Ok(place)
    }

    /// Makes the cluster, unless it is there.
    pub(super) fn initialise(
        &self,
        binaries: &Binaries,
        owner: Owner,
        speed: Speed,
    ) -> Result<(), Error> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        // Renamed when complete, so that an interrupted initdb is never taken for a cluster.
        let unfinished = self.data.with_extension("init");
        fs::remove_dir_all(&unfinished).ok();
        let password: String = (0..4).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
        let file = self.home.join("password");
        owner.new_file(&file, &password)?;
        let is_careful = speed == Speed::Durable && !self.is_temporary;
        let mut command = owner.command(&binaries.dir.join("initdb"), &self.home);
        command
            .args(["--username=bellringer", "--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C"])
            .args((!is_careful).then_some("--no-sync"))
            .arg("--pwfile")
            .arg(&file)
            .arg("--pgdata")
            .arg(&unfinished)
            .stdin(Stdio::null());
        tie(&mut command, Signal::TERM);
        let output = command.output().map_err(Error::file(&binaries.dir.join("initdb")))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Step { step: "initdb", why });
        }
        fs::rename(&unfinished, &self.data).map_err(Error::file(&self.data))?;
        if is_careful {
            let home = fs::File::open(&self.home).map_err(Error::file(&self.home))?;
            home.sync_all().map_err(Error::file(&self.home))?;
        }
        Ok(())
    }

    /// Lets others in, as our end does.
    #[cfg(test)]
    pub(super) fn abandon(&self) {
        self.lock.release();
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    pub(super) fn password(&self) -> Option<String> {
        fs::read_to_string(self.home.join("password")).ok()
    }
}

impl Drop for Place {
    /// Deletes what is temporary, and lets others in.
    fn drop(&mut self) {
        if !self.socket.starts_with(&self.home) {
            fs::remove_dir_all(&self.socket).ok();
        }
        if self.is_temporary {
            fs::remove_dir_all(&self.home).ok();
        }
        self.lock.release();
    }
}

/// Makes or finds a home that is kept, and locks it. Only a folder of ours is used: its owner and
/// permissions change.
pub(super) fn kept_home(folder: &Path, owner: Owner) -> Result<(PathBuf, Lock, bool), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    // PostgreSQL, too, names its folder without links and dots.
    let home = fs::canonicalize(folder).map_err(Error::file(folder))?;
    owner.check_reach(&home, "choose a folder elsewhere with --data-dir, or --temporary")?;
    let mut entries = fs::read_dir(&home).map_err(Error::file(&home))?;
    // An empty disk has this one.
    let is_empty = entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "lost+found"));
    // Asked last: who makes a folder ours at this moment begins with the lock, so that whatever of
    // theirs was seen above, the lock is seen now.
    let is_ours = || [lock::NAME, "password"].iter().any(|name| home.join(name).exists());
    if !is_empty && !is_ours() {
        return Err(Error::Foreign(home));
    }
    let lock = Lock::take(&home)?;
    Ok((home, lock, false))
}

/// Short enough, and with nothing that means something in PostgreSQL's list of folders.
fn is_fit_for_a_socket(folder: &Path) -> bool {
    folder
        .to_str()
        .is_some_and(|text| text.len() <= LONGEST_SOCKET_DIR && !text.contains([',', '"']))
}

/// Root's own home is closed to the server's user, so root keeps data elsewhere.
fn default_home() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/bellringer/dev");
    }
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    base.unwrap_or_else(std::env::temp_dir).join("bellringer/dev")
}

pub(super) fn free_port() -> Result<u16, Error> {
    let step =
        |error: std::io::Error| Error::Step { step: "finding a port", why: error.to_string() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(step)?;
    listener.local_addr().map(|address| address.port()).map_err(step)
}

/// Makes the database `bellringer`, unless it is there. Without psql: some packages have no client.
pub(super) fn create_database(place: &Place, port: u16) -> Result<(), Error> {
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .socket(place.socket_dir())
        .port(port)
        .username("bellringer")
        .database("postgres");
    let work = async {
        use sqlx::Connection as _;
        let mut connection = sqlx::PgConnection::connect_with(&options).await?;
        let exists: bool = sqlx::query_scalar(
            "select exists (select from pg_database where datname = 'bellringer')",
        )
        .fetch_one(&mut connection)
        .await?;
        if !exists {
            sqlx::query("create database bellringer").execute(&mut connection).await?;
        }
        connection.close().await
    };
    let failed = |why: String| Error::Step { step: "creating the database", why };
    // A thread of its own: the caller may already be inside a runtime.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| failed(error.to_string()))?
                .block_on(work)
                .map_err(|error| failed(error.to_string()))
        });
        thread.join().unwrap_or_else(|_| Err(failed("a thread panicked".to_owned())))
    })
}
