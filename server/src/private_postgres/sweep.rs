//! Temporary folders: made so that none is ever half made, and deleted when their maker is gone.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::lock::{self, Lock};
use super::owner::Owner;
use super::process::{is_alive, stop_server_of};

/// Temporary folders begin so; the process id of their maker follows.
const PREFIX: &str = "bellringer-tmp-";

/// A name that nobody has.
pub(super) fn new_name() -> String {
    format!("{PREFIX}{}-{:016x}", std::process::id(), rand::random::<u64>())
}

/// Makes a temporary home and locks it.
pub(super) fn new_home(owner: Owner) -> Result<(PathBuf, Lock), Error> {
    let mut parent = std::env::temp_dir();
    if owner.check_reach(&parent.join("home"), "").is_err() {
        parent = PathBuf::from("/tmp");
    }
    let parent = fs::canonicalize(&parent).map_err(Error::file(&parent))?;
    let name = new_name();
    // Locked under a name that no sweep looks at.
    let unfinished = parent.join(format!(".new-{name}"));
    new_folder(&unfinished)?;
    let lock = Lock::take(&unfinished)?;
    let home = parent.join(name);
    fs::rename(&unfinished, &home).map_err(Error::file(&home))?;
    Ok((home, lock))
}

/// Makes a folder for us alone, that was not there.
pub(super) fn new_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().mode(0o700).create(path).map_err(Error::file(path))
}

/// Deletes the temporary folders whose makers are gone, and stops what still runs in them.
pub(super) fn sweep(owner: Owner) {
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let Ok(parent) = fs::canonicalize(parent) else { continue };
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let maker = rest.split('-').next().and_then(|pid| pid.parse().ok());
            if let Some(maker) = maker {
                sweep_one(&entry.path(), maker, owner);
            }
        }
    }
}

fn sweep_one(home: &Path, maker: i32, owner: Owner) {
    // Anybody may put things into the folder for temporary files.
    let is_ours = fs::symlink_metadata(home)
        .is_ok_and(|meta| meta.is_dir() && owner.is_ours_or_his(meta.uid()));
    if !is_ours {
        return;
    }
    let lock = if home.join(lock::NAME).exists() {
        let Ok(lock) = Lock::take(home) else { return };
        Some(lock)
    } else if is_alive(maker) {
        return;
    } else {
        None
    };
    for data in fs::read_dir(home).into_iter().flatten().flatten() {
        stop_server_of(&data.path(), Duration::from_secs(5));
    }
    fs::remove_dir_all(home).ok();
    drop(lock);
}
