//! `bellctl schedule`: tasks that are made by the clock.

mod actions;
pub(crate) mod backfill;
mod calendar;
pub(crate) mod edit;
mod fires;
mod list;
mod policies;
mod preview;
mod set;
mod task;
mod times;
mod update;
mod words;

use bellringer_api::v1::{GetClusterRequest, Schedule as Found};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    render::{schedule::card, schedule_json::json},
    time,
};

/// Look after schedules: tasks that are made by the clock
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl schedule set nightly-report --cron '30 2 * * *' --zone Europe/Berlin --kind report
  bellctl schedule preview nightly-report
  bellctl schedule fires nightly-report")]
pub(crate) struct Schedule {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    Set(Box<set::Set>),
    Get(actions::Get),
    List(list::List),
    Next(list::Next),
    Update(Box<update::Update>),
    Pause(actions::Pause),
    Resume(actions::Resume),
    Delete(actions::Delete),
    Trigger(actions::Trigger),
    Backfill(backfill::Backfill),
    Preview(Box<preview::Preview>),
    Fires(fires::Fires),
}

/// The name of a schedule.
#[derive(Debug, Args)]
struct Name {
    /// Name of the schedule
    #[arg(value_name = "SCHEDULE")]
    name: String,
}

impl Schedule {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            ScheduleCommand::Set(command) => command.run(app).await?,
            ScheduleCommand::Get(command) => command.run(app).await?,
            ScheduleCommand::List(command) => command.run(app).await?,
            ScheduleCommand::Next(command) => command.run(app).await?,
            ScheduleCommand::Update(command) => command.run(app).await?,
            ScheduleCommand::Pause(command) => command.run(app).await?,
            ScheduleCommand::Resume(command) => command.run(app).await?,
            ScheduleCommand::Delete(command) => command.run(app).await?,
            ScheduleCommand::Trigger(command) => command.run(app).await?,
            ScheduleCommand::Backfill(command) => command.run(app).await?,
            ScheduleCommand::Preview(command) => command.run(app).await?,
            ScheduleCommand::Fires(command) => command.run(app).await?,
        }
        Ok(Exit::Ok)
    }
}

/// Writes a schedule, as a card or as JSON.
async fn show(app: &App, schedule: Option<Found>) -> Result<(), Failure> {
    let schedule = schedule.unwrap_or_default();
    if app.out.is_json() {
        return app.out.document(&json(&schedule, true));
    }
    app.out.line(&card(&schedule, app.out.paint, server_now(app).await))
}

/// The time that the server goes by, which on a development server may have been moved forward; that
/// of this machine if it does not tell.
async fn server_now(app: &App) -> Timestamp {
    let answer = app.call(app.admin().get_cluster(GetClusterRequest {})).await;
    let now = answer.ok().and_then(|cluster| cluster.now);
    now.as_ref().and_then(time::from_proto).unwrap_or_else(time::now)
}
