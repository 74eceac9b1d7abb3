//! `bellctl schedule set`: makes a schedule, or replaces it.

use bellringer_api::v1::ScheduleRequest;
use clap::Args;
use serde_json::json;

use super::{
    Name, edit::Edit, policies::PolicyFlags, server_now, task::TaskFlags, times::TimeFlags,
};
use crate::{
    app::App,
    failure::Failure,
    render::{schedule::card, schedule_json::json as schedule_json},
};

/// Make a schedule, or replace the one of that name
#[derive(Debug, Args)]
#[command(after_help = "\
A schedule is replaced as a whole: what is not given goes back to its default. To change a part of
it, use `bellctl schedule update`.

Example:
  bellctl schedule set nightly-report --cron '30 2 * * *' --zone Europe/Berlin --kind report
  bellctl schedule set poll --every 15m --kind poll --overlap skip --start-within 5m
  bellctl schedule set invoices --calendar '1 month from 2026-01-31 at 09:00' --kind invoice \\
    --payload '{\"month\": \"last\"}' --queue billing --max-attempts 10")]
pub(crate) struct Set {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    task: TaskFlags,
    #[command(flatten)]
    policies: PolicyFlags,
    /// Refuse if there is a schedule of that name; exit code 4
    #[arg(long)]
    if_absent: bool,
}

impl Set {
    pub(crate) async fn run(self: Box<Self>, app: &App) -> Result<(), Failure> {
        let request = self.into_request(&app.namespace)?;
        let only_if_absent = request.only_if_absent;
        let call = || {
            let request = request.clone();
            // On the heap: a spec makes the future large.
            Box::pin(async move { app.schedules().schedule(request).await })
        };
        // Asked again, a schedule that must be absent would stand in its own way.
        let answer =
            if only_if_absent { app.call(call()).await? } else { app.repeat(call).await? };
        let schedule = answer.schedule.unwrap_or_default();
        if app.out.is_json() {
            return app.out.document(&json!({
                "created": answer.created,
                "changed": answer.changed,
                "schedule": schedule_json(&schedule, true),
            }));
        }
        app.out.line(&card(&schedule, app.out.paint, server_now(app).await))?;
        app.out.remark(match (answer.created, answer.changed) {
            (true, _) => "created",
            (false, true) => "replaced",
            (false, false) => "nothing to change: it was like this already",
        });
        Ok(())
    }

    fn into_request(self: Box<Self>, namespace: &str) -> Result<ScheduleRequest, Failure> {
        if !self.times.has_trigger() {
            return Err(Failure::usage("when shall it fire?")
                .next("give --cron, --every, --at or --calendar"));
        }
        if self.task.kind.is_none() {
            return Err(Failure::usage("what shall it submit?").next("give --kind"));
        }
        let mut edit = Edit::default();
        self.times.write(&mut edit).map_err(Failure::usage)?;
        self.task.write(&mut edit)?;
        self.policies.write(&mut edit)?;
        Ok(ScheduleRequest {
            namespace: namespace.to_owned(),
            name: self.name.name,
            spec: Some(edit.spec),
            only_if_absent: self.if_absent,
        })
    }
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::{
        CronDialect, GapPolicy, MisfirePolicy, OverlapPolicy, RepeatPolicy, ScheduleSpec,
        trigger::Trigger as When,
    };
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        set: Set,
    }

    fn spec(flags: &[&str]) -> Result<ScheduleSpec, String> {
        let line = ["set", "s"].iter().chain(flags);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let request = Box::new(line.set).into_request("default");
        request.map(|request| request.spec.unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_a_schedule() {
        let spec = spec(&[
            "--cron=0 9 * * 2",
            "--cron=0 17 * * 2",
            "--dialect=quartz",
            "--every=15m",
            "--phase=1m",
            "--at=2026-05-01T10:00:00Z",
            "--calendar=2 weeks from 2026-03-02 at 09:00",
            "--zone=Europe/Berlin",
            "--start=2026-01-01T00:00:00Z",
            "--end=2027-01-01T00:00:00Z",
            "--jitter=30s",
            "--gap=skip",
            "--repeat=both",
            "--exclude-dates=2026-12-24..2026-12-26",
            "--exclude-cron=* * * * 1",
            "--kind=report",
            "--queue=nightly",
            "--payload={\"a\":1}",
            "--task-label=t=x",
            "--label=team=billing",
            "--priority=0",
            "--attempt-timeout=90s",
            "--max-attempts=3",
            "--misfire=fire-all",
            "--misfire-grace=5m",
            "--catch-up-window=1d",
            "--catch-up-limit=7",
            "--overlap=cancel-running",
            "--max-running=2",
            "--max-fires=9",
            "--pause-after-failures=4",
            "--on-failure-kind=alert",
            "--on-failure-payload=\"x\"",
            "--start-within=10m",
            "--description=for the board",
        ])
        .unwrap();
        let times = spec.times.unwrap();
        assert_eq!((times.triggers.len(), times.exclusions.len()), (5, 2));
        let Some(When::Cron(cron)) = &times.triggers[1].trigger else { panic!() };
        assert_eq!((cron.expression.as_str(), cron.dialect()), ("0 17 * * 2", CronDialect::Quartz));
        assert_eq!((times.gap(), times.repeat()), (GapPolicy::Skip, RepeatPolicy::Both));
        let task = spec.task.unwrap();
        assert_eq!((task.kind.as_str(), task.priority), ("report", Some(0)));
        assert_eq!((task.labels["t"].as_str(), task.retry.unwrap().max_attempts), ("x", 3));
        let policies = spec.policies.unwrap();
        assert_eq!(policies.misfire(), MisfirePolicy::FireAll);
        assert_eq!(policies.overlap(), OverlapPolicy::CancelRunning);
        assert_eq!(policies.catch_up_window.unwrap().seconds, 86_400);
        assert_eq!(policies.on_failure.unwrap().kind, "alert");
        assert_eq!(
            (spec.labels["team"].as_str(), spec.description.as_str()),
            ("billing", "for the board")
        );
        assert_eq!(spec.start_within.unwrap().seconds, 600);
    }

    #[test]
    fn what_is_left_out_is_left_to_the_server() {
        let spec = spec(&["--cron=@daily", "--kind=report"]).unwrap();
        assert_eq!(spec.policies, None);
        assert_eq!(spec.task.unwrap().retry, None);
        assert_eq!(spec.times.unwrap().zone, "");
    }

    #[test]
    fn a_schedule_needs_times_and_a_task() {
        assert!(spec(&["--kind=report"]).unwrap_err().contains("--cron"));
        assert!(spec(&["--cron=@daily"]).unwrap_err().contains("--kind"));
        for wrong in [
            &["--phase=1m", "--cron=@daily", "--kind=k"][..],
            &["--dialect=quartz", "--every=1m", "--kind=k"],
            &["--on-failure-queue=q", "--cron=@daily", "--kind=k"],
            &["--payload=hello", "--cron=@daily", "--kind=k"],
            &["--calendar=tomorrow", "--kind=k"],
        ] {
            assert!(spec(wrong).is_err(), "{wrong:?}");
        }
    }
}
