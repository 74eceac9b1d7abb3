//! Whom the server runs as: PostgreSQL refuses to run as root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::Error;

/// A user and group; `None`: ourselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Ourselves, unless we are root: then `postgres`, else `nobody`.
    pub(super) fn choose() -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let passwd = Path::new("/etc/passwd");
        let text = std::fs::read_to_string(passwd).map_err(Error::file(passwd))?;
        let ids = |name: &str| {
            text.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                match fields[..] {
                    [user, _, uid, gid, ..] if user == name => {
                        Some((uid.parse().ok()?, gid.parse().ok()?))
                    }
                    _ => None,
                }
            })
        };
        Ok(Self(Some(ids("postgres").or_else(|| ids("nobody")).unwrap_or((65_534, 65_534)))))
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

    /// Gives a file or folder to the owner.
    pub(super) fn give(self, path: &Path) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some((uid, gid)) => {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(Error::file(path))
            }
        }
    }
}
