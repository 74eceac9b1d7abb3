//! A PostgreSQL of our own, for `bellringer dev` and the tests: found, initialised, started as a
//! direct child, and stopped; never left behind.
//!
//! Works as root (PostgreSQL refuses root, so its processes run as `postgres` or `nobody`) and as any
//! user. On Linux the kernel stops the server when we are killed; elsewhere the next start does.

mod find;
mod keeper;
mod owner;
mod place;

use std::path::{Path, PathBuf};
use std::time::Duration;

use keeper::Keeper;
use owner::Owner;
use place::Place;

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder with `initdb` and `postgres`; `None`: look in the usual places.
    pub bin_dir: Option<PathBuf>,
    /// Where the data is.
    pub data: Data,
    /// How careful the server is.
    pub speed: Speed,
    /// Port on loopback; `None`: any free one.
    pub port: Option<u16>,
    /// Whether PostgreSQL may be installed if there is none.
    pub install: bool,
}

/// Where the data is.
#[derive(Debug, Clone)]
pub enum Data {
    /// In this folder, kept.
    Kept(PathBuf),
    /// In the usual folder of this user, kept.
    Default,
    /// In a new folder that is deleted at the end.
    Temporary,
}

/// How careful the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// What is committed is on disk.
    Durable,
    /// A crash of the machine may lose everything: for tests only.
    Throwaway,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable binaries.
    #[error("{0}")]
    NoBinaries(String),
    /// The data folder is in use.
    #[error(
        "the data folder {folder} is in use by process {pid}: stop that one, or choose another \
         folder with --data-dir, or --temporary"
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who uses it.
        pid: i32,
    },
    /// A step failed.
    #[error("{step} failed: {why}")]
    Step {
        /// Which one.
        step: &'static str,
        /// What it said.
        why: String,
    },
    /// A file could not be made or read.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    keeper: Option<Keeper>,
    place: Place,
    port: u16,
    version: String,
}

/// Tries to find a port that nobody takes in between.
const PORT_TRIES: usize = 5;

impl PrivatePostgres {
    /// Starts a server. Blocks for about a second the first time, a tenth after that.
    ///
    /// # Errors
    /// What is wrong and what to do about it.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let binaries = find::binaries(options.bin_dir.as_deref(), options.install)?;
        let owner = Owner::choose()?;
        let place = Place::prepare(&options.data, &binaries, &owner)?;
        place.initialise(&binaries, &owner)?;
        let mut last = None;
        for _ in 0..PORT_TRIES {
            let port = options.port.map_or_else(place::free_port, Ok)?;
            match Keeper::start(&binaries, &owner, &place, port, options.speed) {
                Ok(keeper) => {
                    let version = binaries.version.clone();
                    let server = Self { keeper: Some(keeper), place, port, version };
                    place::create_database(&server.place, port)?;
                    return Ok(server);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(Error::Step { step: "start", why: "no port is free".to_owned() }))
    }

    /// URL of a database of the server, over its Unix socket.
    pub fn url(&self, database: &str) -> String {
        let socket = self.place.socket_dir().display().to_string().replace('/', "%2F");
        format!("postgres://bellringer@localhost:{}/{database}?host={socket}", self.port)
    }

    /// URL for psql and the like, over loopback, with the password that is kept beside the data.
    pub fn loopback_url(&self) -> String {
        let password = self.place.password().unwrap_or_default();
        format!("postgres://bellringer:{password}@127.0.0.1:{}/bellringer", self.port)
    }

    /// Where the data is.
    pub fn data_dir(&self) -> &Path {
        self.place.data_dir()
    }

    /// Version of PostgreSQL.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Process id of the server.
    pub fn pid(&self) -> i32 {
        self.keeper.as_ref().map_or(0, Keeper::pid)
    }

    /// Stops the server, and deletes temporary data.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop(Duration::from_secs(20));
            self.place.clean();
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(data: Data) -> Options {
        Options { bin_dir: None, data, speed: Speed::Throwaway, port: None, install: false }
    }

    #[test]
    fn a_temporary_server_starts_and_leaves_nothing_behind() {
        let server = PrivatePostgres::start(&options(Data::Temporary)).unwrap();
        let folder = server.data_dir().to_owned();
        let pid = server.pid();
        assert!(folder.join("PG_VERSION").exists());
        server.stop();
        assert!(!folder.exists());
        assert!(!keeper::is_alive(pid));
    }

    #[test]
    fn kept_data_is_found_again_and_not_shared() {
        let home = tempfile::Builder::new().prefix("bellringer-kept").tempdir().unwrap();
        let data = Data::Kept(home.path().join("data"));
        let first = PrivatePostgres::start(&options(data.clone())).unwrap();
        let error = PrivatePostgres::start(&options(data.clone())).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        first.stop();
        let again = PrivatePostgres::start(&options(data)).unwrap();
        again.stop();
    }
}
