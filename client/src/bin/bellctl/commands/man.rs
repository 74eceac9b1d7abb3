//! `bellctl man`: manual pages.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory};

use crate::{cli::Cli, exit::Exit, failure::Failure};

/// Write a manual page for every command into a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl man ~/.local/share/man/man1
  man bellctl-submit")]
pub(crate) struct Man {
    /// The folder; made if it is not there
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        written.map_err(|error| Failure::from(error).context(self.folder.display()))?;
        Ok(Exit::Ok)
    }
}
