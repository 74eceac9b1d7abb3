//! A PostgreSQL of our own, for `bellringer dev` and the tests: found, initialised, started as a
//! direct child, and stopped; never left behind.
//!
//! Works as root (PostgreSQL refuses root, so its processes run as `postgres` or `nobody`) and as any
//! user. On Linux the kernel stops the server when we are killed; elsewhere the next start does.

mod find;
mod keeper;
mod lock;
mod owner;
mod place;
mod process;
mod sweep;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
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
    /// Settings of PostgreSQL, `NAME=VALUE`, instead of ours.
    pub settings: Vec<String>,
    /// Whether PostgreSQL may be installed if there is none.
    pub install: bool,
}

impl Options {
    /// For tests: careless, on any free port, and nothing is installed.
    pub fn throwaway(data: Data) -> Self {
        Self {
            bin_dir: None,
            data,
            speed: Speed::Throwaway,
            port: None,
            settings: Vec::new(),
            install: false,
        }
    }
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
    /// The data folder holds something else.
    #[error(
        "the folder {0} is not empty, and not one of ours: nothing in it was touched; choose a new \
         or empty folder with --data-dir, or --temporary"
    )]
    Foreign(PathBuf),
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
        let owner = Owner::choose();
        let remedy = "name programs elsewhere with --pg-bin, or open the folder";
        owner.check_reach(&binaries.dir.join("postgres"), remedy)?;
        let place = Place::prepare(&options.data, &binaries, owner)?;
        place.initialise(&binaries, owner, options.speed)?;
        let tries = if options.port.is_some() { 1 } else { PORT_TRIES };
        // Of settings with the same name the last one counts.
        let ours = keeper::settings(options.speed).into_iter().map(str::to_owned);
        let settings: Vec<String> = ours.chain(options.settings.iter().cloned()).collect();
        let mut tried = 0;
        let (keeper, port) = loop {
            let port = options.port.map_or_else(place::free_port, Ok)?;
            tried += 1;
            match Keeper::start(&binaries, owner, &place, port, &settings) {
                Ok(keeper) => break (keeper, port),
                Err(Error::Step { step: keeper::STARTING, .. }) if tried < tries => {}
                Err(error) => return Err(error),
            }
        };
        let server = Self { keeper: Some(keeper), place, port, version: binaries.version };
        place::create_database(&server.place, port)?;
        Ok(server)
    }

    /// URL of a database of the server, over its Unix socket.
    pub fn url(&self, database: &str) -> String {
        let socket = percent_encoded(self.place.socket_dir());
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

    /// Stops the server, within half a minute at most, and deletes temporary data.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop(Duration::from_secs(20));
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.end();
    }
}

/// A path as a value in a URL.
fn percent_encoded(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").ok();
        }
        text
    })
}
