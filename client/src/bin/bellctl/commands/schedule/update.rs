//! `bellctl schedule update`: changes parts of a schedule.

use bellringer_api::v1::{
    GetScheduleRequest, RetryPolicy, UpdateScheduleRequest, UpdateScheduleResponse,
};
use clap::Args;
use prost_types::FieldMask;
use serde_json::json;

use super::{
    Name, edit::Edit, policies::PolicyFlags, server_now, task::TaskFlags, times::TimeFlags,
};
use crate::{
    app::App,
    failure::Failure,
    render::{fire, schedule::card, schedule_json::json as schedule_json},
    time::Length,
};

/// Times that are shown of those that are new or gone; JSON has more.
const SHOWN: usize = 20;

/// Change parts of a schedule; tells which times that adds and removes
#[derive(Debug, Args)]
#[command(after_help = "\
Only what is given changes. Triggers are replaced together, and so are exclusions and labels.

Example:
  bellctl schedule update nightly-report --cron '0 3 * * *' --dry-run
  bellctl schedule update nightly-report --overlap allow --reset times.end")]
pub(crate) struct Update {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    task: TaskFlags,
    #[command(flatten)]
    policies: PolicyFlags,
    /// Field that goes back to its default, by the names of the JSON output, such as times.end or
    /// policies.on_failure; may be given several times
    #[arg(long, value_name = "FIELD", help_heading = "How to change it")]
    reset: Vec<String>,
    /// Refuse if the schedule has changed since this etag was read; exit code 4
    #[arg(long, value_name = "ETAG", help_heading = "How to change it")]
    etag: Option<String>,
    /// Only tell what would change
    #[arg(long, help_heading = "How to change it")]
    dry_run: bool,
    /// Compare times from now to this far ahead [default: 30d]
    #[arg(long, value_name = "DURATION", help_heading = "How to change it")]
    horizon: Option<Length>,
}

impl Update {
    pub(crate) async fn run(self: Box<Self>, app: &App) -> Result<(), Failure> {
        let current = if self.task.changes_retry() { Some(self.current(app).await?) } else { None };
        let request = self.into_request(&app.namespace, current)?;
        let dry_run = request.dry_run;
        // On the heap: a spec makes the future large.
        let call = Box::pin(async move { app.schedules().update(request).await });
        let answer = app.call(call).await?;
        tell(app, &answer, dry_run).await
    }

    /// The retry policy and the etag: a policy goes to the server as a whole, so that the parts of
    /// it that stay must be known.
    async fn current(&self, app: &App) -> Result<(RetryPolicy, String), Failure> {
        let (namespace, name) = (app.namespace.clone(), self.name.name.clone());
        let answer = app.call(app.schedules().get(GetScheduleRequest { namespace, name })).await?;
        let schedule = answer.schedule.unwrap_or_default();
        let retry = schedule.spec.and_then(|spec| spec.task).and_then(|task| task.retry);
        Ok((retry.unwrap_or_default(), schedule.etag))
    }

    fn into_request(
        self: Box<Self>,
        namespace: &str,
        current: Option<(RetryPolicy, String)>,
    ) -> Result<UpdateScheduleRequest, Failure> {
        let mut edit = Edit::default();
        let mut etag = self.etag.unwrap_or_default();
        if let Some((retry, read)) = current {
            edit.spec.task.get_or_insert_default().retry = Some(retry);
            if etag.is_empty() {
                etag = read;
            }
        }
        self.times.write(&mut edit).map_err(Failure::usage)?;
        self.task.write(&mut edit)?;
        self.policies.write(&mut edit)?;
        if let Some(field) = self.reset.iter().find(|field| edit.paths.contains(field)) {
            return Err(Failure::usage(format!("{field} is both given and reset")));
        }
        let Edit { spec, mut paths } = edit;
        paths.extend(self.reset);
        if paths.is_empty() {
            return Err(Failure::usage("what shall change?")
                .next("give flags of `bellctl schedule set`, or --reset FIELD"));
        }
        Ok(UpdateScheduleRequest {
            namespace: namespace.to_owned(),
            name: self.name.name,
            spec: Some(spec),
            update_mask: Some(FieldMask { paths }),
            etag,
            dry_run: self.dry_run,
            horizon: self.horizon.map(Length::to_proto),
        })
    }
}

async fn tell(app: &App, answer: &UpdateScheduleResponse, dry_run: bool) -> Result<(), Failure> {
    let schedule = answer.schedule.clone().unwrap_or_default();
    if app.out.is_json() {
        return app.out.document(&json!({
            "dry_run": dry_run,
            "schedule": schedule_json(&schedule, true),
            "added": answer.added.iter().map(fire::json).collect::<Vec<_>>(),
            "added_count": answer.added_count,
            "removed": answer.removed.iter().map(fire::json).collect::<Vec<_>>(),
            "removed_count": answer.removed_count,
        }));
    }
    app.out.line(&card(&schedule, app.out.paint, server_now(app).await))?;
    let verb = if dry_run { "would be" } else { "are" };
    let groups = [
        ('+', "new", &answer.added, answer.added_count),
        ('-', "gone", &answer.removed, answer.removed_count),
    ];
    for (sign, word, fires, count) in groups {
        if count == 0 {
            continue;
        }
        let times = if count == 1 { "time" } else { "times" };
        app.out.line(&format!("\n{count} {times} {verb} {word}"))?;
        for fire in fires.iter().take(SHOWN) {
            app.out.line(format!("{sign} {}", fire::line(fire)).trim_end())?;
        }
        let shown = u32::try_from(fires.len().min(SHOWN)).unwrap_or(u32::MAX);
        if count > shown {
            app.out.line(&format!("  … and {} more", count - shown))?;
        }
    }
    if dry_run {
        app.out.remark("\nnothing was changed: --dry-run");
    } else if answer.added_count == 0 && answer.removed_count == 0 {
        app.out.remark("no time is new or gone");
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
        update: Update,
    }

    fn request(
        flags: &[&str],
        current: Option<(RetryPolicy, String)>,
    ) -> Result<UpdateScheduleRequest, Failure> {
        let line = Line::try_parse_from(["update", "s"].iter().chain(flags)).unwrap();
        Box::new(line.update).into_request("default", current)
    }

    fn paths(flags: &[&str]) -> Vec<String> {
        request(flags, None).unwrap().update_mask.unwrap().paths
    }

    #[test]
    fn only_what_is_given_changes() {
        assert_eq!(paths(&["--overlap=allow"]), ["policies.overlap"]);
        assert_eq!(paths(&["--every=5m", "--zone=UTC"]), ["times.triggers", "times.zone"]);
        assert_eq!(
            paths(&["--queue=q", "--start-within=1m", "--label=a=b", "--description="]),
            ["task.queue", "start_within", "labels", "description"]
        );
        assert_eq!(paths(&["--cron=@daily", "--at=2026-05-01T10:00:00Z"]), ["times.triggers"]);
        assert!(request(&["--dry-run"], None).is_err());
    }

    #[test]
    fn a_field_that_is_reset_is_named_and_not_given() {
        let request_of = |flags: &[&str]| request(flags, None);
        let reset = request_of(&["--overlap=skip", "--reset=times.end"]).unwrap();
        assert_eq!(reset.update_mask.unwrap().paths, ["policies.overlap", "times.end"]);
        assert_eq!(reset.spec.unwrap().times, None);
        assert!(request_of(&["--end=2027-01-01T00:00:00Z", "--reset=times.end"]).is_err());
    }

    #[test]
    fn what_stays_of_the_retry_policy_is_sent_with_what_changes() {
        let current = RetryPolicy { max_attempts: 9, no_jitter: true, ..RetryPolicy::default() };
        let read = Some((current, "4".to_owned()));
        let changed = request(&["--max-backoff=1h"], read.clone()).unwrap();
        assert_eq!(changed.etag, "4", "nobody may change it in between");
        assert_eq!(changed.update_mask.unwrap().paths, ["task.retry"]);
        let retry = changed.spec.unwrap().task.unwrap().retry.unwrap();
        assert_eq!((retry.max_attempts, retry.no_jitter), (9, true));
        assert_eq!(retry.max_backoff.unwrap().seconds, 3_600);
        assert_eq!(request(&["--max-attempts=1", "--etag=3"], read).unwrap().etag, "3");
    }
}
