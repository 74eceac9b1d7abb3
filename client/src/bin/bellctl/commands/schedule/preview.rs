//! `bellctl schedule preview`: the times that are to come.

use bellringer_api::v1::{PreviewScheduleRequest, PreviewScheduleResponse, SkipReason};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{edit::Edit, times::TimeFlags};
use crate::{app::App, failure::Failure, paint::one_line, render::fire, time};

/// Show the times that are to come, and what clock changes do to them
#[derive(Debug, Args)]
#[command(after_help = "\
Of a schedule by its name, or of times that are not saved. With both: of those times as if they were
saved under that name, which decides H and jitter.

Example:
  bellctl schedule preview nightly-report --limit 30
  bellctl schedule preview --cron '30 2 * * *' --zone Europe/Berlin --from 2026-03-27T00:00:00Z")]
pub(super) struct Preview {
    /// Name of the schedule
    #[arg(value_name = "SCHEDULE")]
    name: Option<String>,
    #[command(flatten)]
    times: TimeFlags,
    /// From here on [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::moment, help_heading = "What to show")]
    from: Option<Timestamp>,
    /// Until before this [default: no end]
    #[arg(long, value_name = "TIME", value_parser = time::moment, help_heading = "What to show")]
    to: Option<Timestamp>,
    /// Largest number of times [default: 10]
    #[arg(long, value_name = "N", help_heading = "What to show")]
    limit: Option<u32>,
}

impl Preview {
    pub(super) async fn run(self: Box<Self>, app: &App) -> Result<(), Failure> {
        let request = self.into_request(&app.namespace)?;
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().preview(request).await }
            })
            .await?;
        tell(app, &answer)
    }

    fn into_request(self: Box<Self>, namespace: &str) -> Result<PreviewScheduleRequest, Failure> {
        let mut times = None;
        if self.times.is_given() {
            if !self.times.has_trigger() {
                return Err(Failure::usage("when shall it fire?")
                    .next("give --cron, --every, --at or --calendar with the other flags"));
            }
            let mut edit = Edit::default();
            self.times.write(&mut edit).map_err(Failure::usage)?;
            times = edit.spec.times;
        } else if self.name.is_none() {
            return Err(Failure::usage("the times of what?")
                .next("give the name of a schedule, or --cron, --every, --at or --calendar"));
        }
        Ok(PreviewScheduleRequest {
            namespace: namespace.to_owned(),
            name: self.name.unwrap_or_default(),
            times,
            from: self.from.map(time::to_proto),
            to: self.to.map(time::to_proto),
            limit: self.limit.unwrap_or_default(),
        })
    }
}

fn tell(app: &App, answer: &PreviewScheduleResponse) -> Result<(), Failure> {
    if app.out.is_json() {
        return app.out.document(&json!({
            "summary": answer.summary,
            "tzdata_version": answer.tzdata_version,
            "fires": answer.fires.iter().map(fire::json).collect::<Vec<_>>(),
        }));
    }
    if !answer.summary.is_empty() {
        app.out.line(&app.out.paint.bold(&one_line(&answer.summary)))?;
    }
    for coming in &answer.fires {
        let line = fire::line(coming);
        let line = line.trim_end();
        let is_excluded = coming.reason() == SkipReason::Excluded;
        let line = if is_excluded { app.out.paint.dim(line) } else { line.to_owned() };
        app.out.line(&line)?;
    }
    if answer.fires.is_empty() {
        app.out.remark("no times to come");
    }
    if !answer.tzdata_version.is_empty() {
        app.out.remark(&format!("by time zone database {}", one_line(&answer.tzdata_version)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        preview: Preview,
    }

    fn request(flags: &[&str]) -> Result<PreviewScheduleRequest, Failure> {
        let line = Line::try_parse_from(["preview"].iter().chain(flags)).unwrap();
        Box::new(line.preview).into_request("default")
    }

    #[test]
    fn a_preview_is_of_a_name_of_times_or_of_both() {
        let saved = request(&["report", "--limit=3"]).unwrap();
        assert_eq!((saved.name.as_str(), saved.times, saved.limit), ("report", None, 3));
        let unsaved = request(&["--cron=@daily", "--zone=Europe/Berlin"]).unwrap();
        assert_eq!(
            (unsaved.name.as_str(), unsaved.times.unwrap().zone.as_str()),
            ("", "Europe/Berlin")
        );
        let both = request(&["report", "--cron=H H * * *"]).unwrap();
        assert!(both.name == "report" && both.times.is_some());
    }

    #[test]
    fn a_preview_of_nothing_is_refused() {
        for wrong in [&[][..], &["--zone=UTC"], &["report", "--zone=UTC"], &["--dialect=quartz"]] {
            assert!(request(wrong).is_err(), "{wrong:?}");
        }
    }
}
