//! Who uses a folder: the holder of a lock that the kernel lets go when its process ends, however
//! it ends. A process id alone would not do: ids are used again, and every container has a 1.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::Error;
use super::process::wait_for;

/// Its presence also tells that a folder is one of ours.
pub(super) const NAME: &str = "bellringer.lock";

/// A folder that is ours alone until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// [`Error::InUse`] if somebody has it.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let no_links = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_links)
            .open(&path)
            .map_err(Error::file(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse { folder: folder.to_owned(), pid: holder(&path) });
            }
            Err(TryLockError::Error(error)) => return Err(Error::file(&path)(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(Error::file(&path))?;
        Ok(Self(file))
    }

    /// Lets go, as the end of the process does.
    pub(super) fn release(&self) {
        // Not left to closing: a child that another thread forks just now has the file open too.
        self.0.unlock().ok();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.release();
    }
}

/// The process that holds a lock, as it wrote itself; 0 if it has not yet done so.
fn holder(path: &Path) -> i32 {
    let mut pid = 0;
    wait_for(Duration::from_millis(200), || {
        let mut text = String::new();
        File::open(path).and_then(|mut file| file.read_to_string(&mut text)).ok();
        pid = text.trim().parse().unwrap_or_default();
        pid != 0
    });
    pid
}
