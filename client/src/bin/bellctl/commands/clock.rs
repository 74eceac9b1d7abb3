//! `bellctl clock`: the time that the server goes by, and moving it.

use bellringer_api::v1::AdvanceClockRequest;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    app::App,
    commands::cluster,
    exit::Exit,
    failure::Failure,
    render::json::{duration, timestamp},
    time::{self, Length},
};

/// Show the time that the server goes by; move it forward on a development server
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Example:
  bellctl clock
  bellctl clock advance 90d"
)]
pub(crate) struct Clock {
    #[command(subcommand)]
    command: Option<ClockCommand>,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Move the clock of a `bellringer dev` forward: everything that is due on the way comes, each
    /// schedule at its own times
    #[command(after_help = "\
There is no way back. A long way with many schedules takes its time: see --timeout.

Example:
  bellctl clock advance 90d --timeout 5m")]
    Advance {
        /// How far
        #[arg(value_name = "DURATION")]
        by: Length,
    },
}

impl Clock {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            None => show(app).await?,
            Some(ClockCommand::Advance { by }) => advance(app, by).await?,
        }
        Ok(Exit::Ok)
    }
}

async fn show(app: &App) -> Result<(), Failure> {
    let cluster = cluster::ask(app).await?;
    if app.out.is_json() {
        return app.out.document(&json!({
            "now": timestamp(cluster.now.as_ref()),
            "clock_advanced": duration(cluster.clock_advanced.as_ref()),
        }));
    }
    let now = cluster.now.as_ref().and_then(time::from_proto).unwrap_or_else(time::now);
    app.out.line(&now.to_string())?;
    let advanced = cluster.clock_advanced.as_ref().map(time::length);
    if let Some(advanced) = advanced.filter(|advanced| !advanced.is_zero()) {
        let advanced = time::friendly(advanced);
        app.out.remark(&format!("moved forward by {advanced} so far"));
    }
    Ok(())
}

async fn advance(app: &App, by: Length) -> Result<(), Failure> {
    let request = AdvanceClockRequest { by: Some(by.to_proto()) };
    let answer = app.call(app.admin().advance_clock(request)).await?;
    if app.out.is_json() {
        let now = timestamp(answer.now.as_ref());
        return app.out.document(&json!({"now": now, "fires": answer.fires}));
    }
    let now = answer.now.as_ref().and_then(time::from_proto).unwrap_or_else(time::now);
    app.out.line(&now.to_string())?;
    let times = if answer.fires == 1 { "time" } else { "times" };
    app.out.remark(&format!("{} {times} of schedules came on the way", answer.fires));
    Ok(())
}
