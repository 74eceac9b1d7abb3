//! Whom the server runs as: PostgreSQL refuses to run as root.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::Error;

/// Search permission of others; shifted by 3 and 6 of the group and the owner.
const SEARCH: u32 = 0o001;

/// A user and group; `None`: ourselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Ourselves, unless we are root: then `postgres`, else `nobody`.
    pub(super) fn choose() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        // Some images have no list of users.
        let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self(Some(
            ids(&text, "postgres").or_else(|| ids(&text, "nobody")).unwrap_or((65_534, 65_534)),
        ))
    }

    /// Lets a command run as the owner, with nothing of our environment.
    pub(super) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        command.env("PATH", "/usr/bin:/bin");
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a folder to the owner; a link itself, never what it leads to.
    pub(super) fn give(self, path: &Path) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some((uid, gid)) => lchown(path, Some(uid), Some(gid)).map_err(Error::file(path)),
        }
    }

    /// A new file that only the owner can read, in place of what was there. In a folder of the
    /// owner, root must not write through what the owner put there.
    pub(super) fn new_file(self, path: &Path, text: &str) -> Result<File, Error> {
        fs::remove_file(path).ok();
        let make = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            if let Some((uid, gid)) = self.0 {
                fchown(&file, Some(uid), Some(gid))?;
            }
            Ok(file)
        };
        make().map_err(Error::file(path))
    }

    /// Whether a user is the owner, or us.
    pub(super) fn is_ours_or_his(self, uid: u32) -> bool {
        uid == rustix::process::geteuid().as_raw() || self.0.is_some_and(|(his, _)| uid == his)
    }

    /// Makes sure that the owner can pass through all folders above `path`.
    ///
    /// # Errors
    /// Which folder is closed, and what to do: `remedy`.
    pub(super) fn check_reach(self, path: &Path, remedy: &str) -> Result<(), Error> {
        let Some((uid, gid)) = self.0 else { return Ok(()) };
        for folder in path.ancestors().skip(1) {
            let Ok(meta) = fs::metadata(folder) else { continue };
            let needed = match () {
                () if meta.uid() == uid => SEARCH << 6,
                () if meta.gid() == gid => SEARCH << 3,
                () => SEARCH,
            };
            if meta.mode() & needed == 0 {
                let why = format!(
                    "{} is closed to user {uid}, as whom PostgreSQL runs since it refuses root; \
                     {remedy}",
                    folder.display()
                );
                return Err(Error::Step { step: "reaching a folder", why });
            }
        }
        Ok(())
    }
}

/// User and group of a line of `/etc/passwd`.
fn ids(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [user, _, uid, gid, ..] if user == name => Some((uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let text = "root:x:0:0::/:/bin/sh\nxpostgres:x:1:1::\npostgres:x:105:112::/:/bin/sh\n\n";
        assert_eq!(ids(text, "postgres"), Some((105, 112)));
        assert_eq!(ids(text, "nobody"), None);
    }
}
