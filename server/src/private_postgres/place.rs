//! Where a server's data and socket are.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::find::Binaries;
use super::keeper;
use super::owner::Owner;
use super::{Data, Error};

/// Temporary homes begin so; the process id of their maker follows.
const TEMPORARY: &str = "bellringer-tmp-";
/// Longest path of a Unix socket on macOS, with room for the name.
const LONGEST_SOCKET_DIR: usize = 80;

/// Folders of one server.
#[derive(Debug)]
pub(super) struct Place {
    home: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    is_temporary: bool,
}

impl Place {
    /// Makes the folders, and makes sure that nobody else uses them.
    pub(super) fn prepare(data: &Data, binaries: &Binaries, owner: &Owner) -> Result<Self, Error> {
        sweep();
        let (home, is_temporary) = match data {
            Data::Kept(folder) => (absolute(folder)?, false),
            Data::Default => (default_home(), false),
            Data::Temporary => {
                let name =
                    format!("{TEMPORARY}{}-{:08x}", std::process::id(), rand::random::<u32>());
                (std::env::temp_dir().join(name), true)
            }
        };
        fs::create_dir_all(&home).map_err(Error::file(&home))?;
        let mut socket = home.join("socket");
        if socket.as_os_str().len() > LONGEST_SOCKET_DIR {
            let name = format!("{TEMPORARY}{}-{:08x}", std::process::id(), rand::random::<u32>());
            socket = PathBuf::from("/tmp").join(name);
        }
        // A newer major version makes a new cluster instead of failing on the old one.
        let data = home.join(format!("pg{}", binaries.major));
        let place = Self { home, data, socket, is_temporary };
        place.end_leftover()?;
        for folder in [&place.home, &place.socket] {
            fs::create_dir_all(folder).map_err(Error::file(folder))?;
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(folder, mode).map_err(Error::file(folder))?;
            owner.give(folder)?;
        }
        Ok(place)
    }

    /// Makes the cluster, unless it is there.
    pub(super) fn initialise(&self, binaries: &Binaries, owner: &Owner) -> Result<(), Error> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        // Renamed when complete, so that an interrupted initdb is never taken for a cluster.
        let unfinished = self.data.with_extension("init");
        fs::remove_dir_all(&unfinished).ok();
        let password: String = (0..4).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
        let file = self.home.join("password");
        fs::write(&file, password).map_err(Error::file(&file))?;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file, mode).map_err(Error::file(&file))?;
        owner.give(&file)?;
        let output = owner
            .command(&binaries.dir.join("initdb"), &self.home)
            .args(["--username=bellringer", "--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pwfile")
            .arg(&file)
            .arg("--pgdata")
            .arg(&unfinished)
            .stdin(Stdio::null())
            .output()
            .map_err(Error::file(&binaries.dir.join("initdb")))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Step { step: "initdb", why });
        }
        fs::rename(&unfinished, &self.data).map_err(Error::file(&self.data))
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

    /// Who started the server that uses the place.
    pub(super) fn starter(&self) -> PathBuf {
        self.home.join("started-by")
    }

    /// Deletes what is temporary.
    pub(super) fn clean(&self) {
        fs::remove_file(self.starter()).ok();
        if !self.socket.starts_with(&self.home) {
            fs::remove_dir_all(&self.socket).ok();
        }
        if self.is_temporary {
            fs::remove_dir_all(&self.home).ok();
        }
    }

    /// Stops a server that was left behind by a starter that is gone; refuses if the starter lives.
    fn end_leftover(&self) -> Result<(), Error> {
        let starter =
            fs::read_to_string(self.starter()).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = starter
            && keeper::is_alive(pid)
            && keeper::is_server_of(&self.data).is_some()
        {
            return Err(Error::InUse { folder: self.home.clone(), pid });
        }
        if let Some(server) = keeper::is_server_of(&self.data) {
            keeper::interrupt(server, std::time::Duration::from_secs(20));
        }
        Ok(())
    }
}

/// Deletes the temporary homes of processes that are gone.
fn sweep() {
    for folder in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY));
            let pid = pid.and_then(|rest| rest.split('-').next()?.parse::<i32>().ok());
            let Some(pid) = pid else { continue };
            if keeper::is_alive(pid) {
                continue;
            }
            for data in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                if let Some(server) = keeper::is_server_of(&data.path()) {
                    keeper::interrupt(server, std::time::Duration::from_secs(5));
                }
            }
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(folder).map_err(Error::file(folder))
}

/// Root's own home is closed to the server's user, so root keeps data elsewhere.
fn default_home() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/bellringer/dev");
    }
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
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
