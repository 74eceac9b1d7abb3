//! The command line as a whole: global options and the list of commands.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::Styles, builder::styling::AnsiColor};

use crate::{commands, exit, output::Format, time::Length, tls::Tls};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// The command line of Bellringer: submits tasks, watches them, looks after queues and
/// schedules, runs work.
#[derive(Debug, Parser)]
#[command(name = "bellctl", version, styles = STYLES, after_help = AFTER_HELP.as_str())]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

static AFTER_HELP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!(
        "\
Example:
  id=$(bellctl submit send-mail --payload '{{\"to\": \"ada@example.org\"}}')
  bellctl watch \"$id\"

{}",
        exit::TABLE
    )
});

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Address of the server; https:// for TLS
    #[arg(short, long, global = true, env = "BELLRINGER_SERVER", value_name = "URL")]
    #[arg(default_value = "http://127.0.0.1:7117", hide_env_values = true)]
    pub(crate) server: String,
    /// API key, or another bearer token; better in BELLRINGER_API_KEY or a file
    #[arg(long, global = true, env = "BELLRINGER_API_KEY", value_name = "KEY")]
    #[arg(hide_env_values = true)]
    pub(crate) api_key: Option<Secret>,
    /// A file that holds the API key
    #[arg(long, global = true, env = "BELLRINGER_API_KEY_FILE", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub(crate) api_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Namespace of tasks, queues and schedules
    #[arg(short, long, global = true, env = "BELLRINGER_NAMESPACE", value_name = "NAME")]
    #[arg(default_value = "default", hide_env_values = true)]
    pub(crate) namespace: String,
    /// How to write results; of several tasks, JSON has one object a line
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Write results only, no remarks
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Longest time for a call [default: 30s]; of wait and watch: for the tasks to finish
    /// [default: none]
    #[arg(long, global = true, value_name = "DURATION")]
    pub(crate) timeout: Option<Length>,
    /// No colours; so does a NO_COLOR that is not empty
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// Text that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Submit(Box<commands::submit::Submit>),
    Get(commands::get::Get),
    List(commands::list::List),
    Watch(commands::watch::Watch),
    Wait(commands::wait::Wait),
    Result(commands::result::TaskResult),
    Cancel(commands::cancel::Cancel),
    Retry(commands::retry::Retry),
    Queues(commands::queues::Queues),
    Schedule(commands::schedule::Schedule),
    Stats(commands::stats::Stats),
    Top(commands::top::Top),
    Cluster(commands::cluster::Cluster),
    Keys(commands::keys::Keys),
    Whoami(commands::whoami::WhoAmI),
    Audit(commands::audit::Audit),
    Clock(commands::clock::Clock),
    Import(commands::import::Import),
    Worker(commands::worker::Worker),
    RunPayload(commands::run_payload::RunPayload),
    Bench(commands::bench::Bench),
    #[command(hide = true)]
    BenchWorker(commands::bench::runner::BenchWorker),
    Completion(commands::completion::Completion),
    Man(commands::man::Man),
    Version(commands::version::Version),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
            assert!(help.contains("bellctl"), "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn global_options_may_stand_after_the_command() {
        let cli = Cli::parse_from(["bellctl", "get", "id", "-o", "json", "-n", "staging"]);
        assert_eq!(cli.global.output, Format::Json);
        assert_eq!(cli.global.namespace, "staging");
    }
}
