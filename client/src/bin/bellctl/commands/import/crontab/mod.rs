//! `bellctl import crontab`.

mod command;
mod line;
mod notes;
mod times;
mod translate;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Destination, carry_out::carry_out};
use crate::{app::App, commands::input, exit::Exit, failure::Failure};

/// Make a schedule of every entry of a crontab
#[derive(Debug, Args)]
#[command(after_help = "\
Each task has the payload {\"command\": [SHELL, \"-c\", LINE], \"stdin\", \"environment\",
\"directory\"}. `bellctl run-payload` runs that:

  bellctl worker --exec 'run-command=bellctl run-payload' --concurrency 8

Example:
  crontab -l | bellctl import crontab - --dry-run
  bellctl import crontab /etc/crontab --user-field --zone Europe/Berlin --prefix web1/ --queue web1")]
pub(super) struct Crontab {
    /// The crontab; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// There is a user before each command, as in /etc/crontab and /etc/cron.d
    #[arg(long)]
    user_field: bool,
    /// Time zone of its times [default: that of this machine]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Kind of the tasks
    #[arg(long, value_name = "KIND", default_value = "run-command")]
    kind: String,
    #[command(flatten)]
    destination: Destination,
}

impl Crontab {
    pub(super) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let text = input::read(&self.file)?;
        let text = String::from_utf8(text)
            .map_err(|_| Failure::usage(format!("{} is not UTF-8", self.file.display())))?;
        let is_system =
            self.file == Path::new("/etc/crontab") || self.file.starts_with("/etc/cron.d");
        if is_system && !self.user_field {
            app.out.remark("this looks like a system crontab: give --user-field");
        }
        let given = self.zone.is_some();
        let zone = self.zone.or_else(machine_zone).unwrap_or_else(|| "UTC".to_owned());
        if !given {
            app.out.remark(&format!(
                "times are read in {zone}, the zone of this machine; --zone sets another"
            ));
        }
        let settings = translate::Settings {
            user_field: self.user_field,
            zone: &zone,
            kind: &self.kind,
            queue: &self.destination.queue,
            prefix: &self.destination.prefix,
        };
        let plan = translate::translate(&text, &settings);
        let queue = match self.destination.queue.as_str() {
            "" => String::new(),
            queue => format!(" --queue {queue}"),
        };
        let next =
            format!("run them: bellctl worker --exec '{}=bellctl run-payload'{queue}", self.kind);
        carry_out(app, plan, &self.destination, &next).await
    }
}

/// The time zone of this machine, if it tells.
fn machine_zone() -> Option<String> {
    let variable = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    let file = || std::fs::read_to_string("/etc/timezone").ok();
    let link = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        let (_, zone) = target.to_str()?.split_once("zoneinfo/")?;
        Some(zone.to_owned())
    };
    let is_name = |zone: &String| !zone.is_empty() && !zone.starts_with('/');
    variable
        .filter(is_name)
        .or_else(|| file().map(|zone| zone.trim().to_owned()).filter(is_name))
        .or_else(|| link().filter(is_name))
}
