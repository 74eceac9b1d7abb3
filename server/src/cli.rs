//! The command line of the server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::{Config, Flags, Problems};
use crate::domain::{QueueName, Role};

/// Background and scheduled tasks for programs in any language, on one PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "bellringer", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve on a private PostgreSQL that is started for it: for trying out and developing
    Dev(Dev),
    /// Serve on your PostgreSQL
    Serve(Source),
    /// Bring the schema of your PostgreSQL up to date
    Migrate(Source),
    /// Print the settings in force, secrets redacted, or everything that is wrong with them
    CheckConfig(Source),
    /// Make, list and revoke API keys by way of the database: for the first key of all
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Print which role may call which method, as a table in Markdown
    Permissions,
    /// Write a completion script for a shell to standard output
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page for every command into a folder
    Man {
        /// The folder; made if it is not there
        folder: PathBuf,
    },
    /// Print the version
    Version,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it; it cannot be shown again
    Create(CreateKey),
    /// List the keys of a namespace that have not ended
    List {
        /// Where the database is.
        #[command(flatten)]
        source: Source,
        /// Namespace that the keys are for; *: every one
        #[arg(long, default_value = "*", value_name = "NAME")]
        namespace: String,
    },
    /// End a key for ever
    Revoke {
        /// Where the database is.
        #[command(flatten)]
        source: Source,
        /// Namespace that the key is for; *: every one
        #[arg(long, default_value = "*", value_name = "NAME")]
        namespace: String,
        /// Id of the key: between `brk_` and the next `_`
        id: String,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub struct CreateKey {
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
    /// What or who uses it
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Namespace it is for; *: every one
    #[arg(long, default_value = "*", value_name = "NAME")]
    pub namespace: String,
    /// What it may do: viewer, submitter, worker, scheduler-editor, ns-admin or operator; may be repeated
    #[arg(long, value_name = "ROLE", value_parser = Role::parse, default_value = "operator")]
    pub role: Vec<Role>,
    /// With role worker: the only queues; may be repeated [default: all]
    #[arg(long, value_name = "QUEUE", value_parser = QueueName::parse)]
    pub queue: Vec<QueueName>,
    /// It ends by itself after this long, for example 90d [default: never]
    #[arg(long, value_name = "DURATION", value_parser = crate::config::units::duration)]
    pub expires_after: Option<Duration>,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    /// The GNU shell.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly one.
    Fish,
}

impl Shell {
    /// The script with which it completes what is typed after `bellringer`.
    pub fn completion(self) -> Vec<u8> {
        let shell = match self {
            Self::Bash => clap_complete::Shell::Bash,
            Self::Zsh => clap_complete::Shell::Zsh,
            Self::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "bellringer", &mut script);
        script
    }
}

/// Writes a manual page for every command into a folder, which is made if it is not there.
///
/// # Errors
/// If the folder or a file cannot be written.
pub fn write_manual(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

/// Where settings come from.
#[derive(Debug, Clone, Default, Args)]
pub struct Source {
    /// File with settings; the defaults are documented in config.default.toml
    #[arg(long, env = "BELLRINGER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// postgres://user:password@host:port/database; better in BELLRINGER_DATABASE_URL or a file
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Address and port for gRPC
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Serve on other addresses than loopback although nobody is asked who they are
    #[arg(long)]
    pub insecure: bool,
}

/// How to serve for developing.
#[derive(Debug, Args)]
pub struct Dev {
    /// Folder for the private PostgreSQL's data, kept [default: a folder of this user]
    #[arg(long, value_name = "FOLDER", conflicts_with = "temporary")]
    pub data_dir: Option<PathBuf>,
    /// Throw the data away at the end
    #[arg(long)]
    pub temporary: bool,
    /// Folder with the programs initdb and postgres [default: looked for in the usual places]
    #[arg(long, value_name = "FOLDER")]
    pub pg_bin: Option<PathBuf>,
    /// Setting of the private PostgreSQL, such as work_mem=64MB; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pg_setting)]
    pub pg_setting: Vec<String>,
    /// Never install PostgreSQL
    #[arg(long)]
    pub no_install: bool,
    /// Write {"grpc_url", "database_url", "pid"} as JSON to this file once serving
    #[arg(long, value_name = "FILE")]
    pub handshake_file: Option<PathBuf>,
    /// Stop when standard input ends: for programs that start a server of their own
    #[arg(long)]
    pub exit_when_stdin_closes: bool,
    /// Where settings come from; with --database-url, no private PostgreSQL is started
    #[command(flatten)]
    pub source: Source,
}

fn pg_setting(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
    };
    match text.split_once('=') {
        Some((name, _)) if is_name(name) => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE, the name of letters, digits, _ and .".to_owned()),
    }
}

impl Source {
    /// Reads the settings from here and from the environment.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(&self) -> Result<Config, Problems> {
        let flags = Flags {
            listen: self.listen,
            database_url: self.database_url.clone(),
            insecure: self.insecure,
        };
        Config::load(self.config.as_deref(), environment()?.into_iter(), &flags)
    }
}

/// Our variables; what others have set is none of our business.
fn environment() -> Result<Vec<(String, String)>, Problems> {
    let mut variables = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in std::env::vars_os() {
        match (name.to_str(), value.into_string()) {
            (Some(name), Ok(value)) => variables.push((name.to_owned(), value)),
            (Some(name), Err(_)) if name.starts_with("BELLRINGER_") => {
                problems.push(format!("{name}: must be UTF-8"));
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(variables) } else { Err(Problems(problems)) }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::Shell;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_shell_and_the_manual_know_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(shell.completion()).unwrap();
            assert!(script.contains("check-config"), "{shell:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        super::write_manual(&folder.path().join("man")).unwrap();
        for command in super::Cli::command().get_subcommands() {
            let page = folder.path().join(format!("man/bellringer-{}.1", command.get_name()));
            assert!(page.exists(), "{} has no page", command.get_name());
        }
    }
}
