//! `bellctl completion`: scripts for shells.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::{app::App, cli::Cli, exit::Exit, failure::Failure};

/// Write a completion script for a shell to standard output
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl completion bash > ~/.local/share/bash-completion/completions/bellctl
  bellctl completion zsh > \"${fpath[1]}/_bellctl\"
  bellctl completion fish > ~/.config/fish/completions/bellctl.fish")]
pub(crate) struct Completion {
    /// The shell
    shell: KnownShell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KnownShell {
    Bash,
    Zsh,
    Fish,
}

impl Completion {
    pub(crate) fn run(self, app: &App) -> Result<Exit, Failure> {
        let shell = match self.shell {
            KnownShell::Bash => Shell::Bash,
            KnownShell::Zsh => Shell::Zsh,
            KnownShell::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "bellctl", &mut script);
        app.out.raw(&script)?;
        Ok(Exit::Ok)
    }
}
