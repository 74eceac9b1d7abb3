//! `bellctl import`: schedules from where they live now.

mod carry_out;
mod cronjob;
mod crontab;
mod plan;
mod report;

use clap::{Args, Subcommand};

use crate::{app::App, exit::Exit, failure::Failure};

/// Make schedules of a crontab, or of CronJobs of Kubernetes
#[derive(Debug, Args)]
#[command(after_help = "\
Everything that means something else here than there is reported, with its line.

Example:
  crontab -l | bellctl import crontab - --dry-run
  kubectl get cronjobs -A -o yaml | bellctl import k8s-cronjob - --dry-run")]
pub(crate) struct Import {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    Crontab(crontab::Crontab),
    K8sCronjob(cronjob::CronJob),
}

/// What happens to the schedules.
#[derive(Debug, Args)]
struct Destination {
    /// Put before the names of the schedules
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    prefix: String,
    /// Queue of the tasks [default: default]
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    queue: String,
    /// Replace schedules that are there already
    #[arg(long)]
    replace: bool,
    /// Only tell what would be made; times are checked if the server can be reached
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            ImportCommand::Crontab(command) => command.run(app).await,
            ImportCommand::K8sCronjob(command) => command.run(app).await,
        }
    }
}
