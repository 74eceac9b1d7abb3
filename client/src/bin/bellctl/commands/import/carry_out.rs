//! Makes the schedules of a plan, and reports what is to be known about them.

use bellringer_api::v1::{PauseScheduleRequest, PreviewScheduleRequest, Schedule, ScheduleRequest};
use serde_json::json;

use super::{
    Destination,
    plan::{Plan, Planned},
    report::{self, Done},
};
use crate::{app::App, exit::Exit, failure::Failure};

/// Makes what is planned, or only tells; `next` says what to do then.
///
/// # Errors
/// The server is away: then the rest would fail as well.
pub(super) async fn carry_out(
    app: &App,
    plan: Plan,
    destination: &Destination,
    next: &str,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    let mut done = Vec::new();
    let mut reachable = true;
    for planned in &plan.schedules {
        let result = if !destination.dry_run {
            make(app, planned, destination.replace).await
        } else if reachable {
            check(app, planned).await
        } else {
            Ok(Done::of("not checked"))
        };
        done.push(match result {
            Ok(result) => result,
            Err(failure) if failure.is_passing() && destination.dry_run => {
                reachable = false;
                app.out.remark("the server cannot be reached: times are not checked");
                Done::of("not checked")
            }
            Err(failure) if failure.is_passing() => {
                let made = done.iter().filter(|done: &&Done| done.error.is_none()).count();
                return Err(failure
                    .detail(format!("{made} schedules before line {} are made", planned.line))
                    .next("run it once more: what is there already stays as it is"));
            }
            Err(failure) => {
                exit = exit.worse(failure.exit);
                Done { error: Some(failure.summary()), ..Done::of("failed") }
            }
        });
    }
    if app.out.is_json() {
        let mut value = report::json(&plan, &done);
        value["dry_run"] = json!(destination.dry_run);
        app.out.document(&value)?;
        return Ok(exit);
    }
    if plan.schedules.is_empty() {
        app.out.remark("there is nothing to import");
    } else {
        app.out.table(&report::HEAD, report::rows(&plan, &done))?;
    }
    let notes = report::notes(&plan);
    if !notes.is_empty() {
        app.out.line(&notes)?;
    }
    if destination.dry_run {
        app.out.remark("\nnothing was made: --dry-run");
    } else if exit == Exit::Conflict {
        app.out.remark("\nnext: give --replace to replace what is there, or another --prefix");
    } else if exit == Exit::Ok && !plan.schedules.is_empty() {
        app.out.remark(&format!("\nnext: {next}"));
    }
    Ok(exit)
}

async fn make(app: &App, planned: &Planned, replace: bool) -> Result<Done, Failure> {
    let request = ScheduleRequest {
        namespace: app.namespace.clone(),
        name: planned.name.clone(),
        spec: Some(planned.spec.clone()),
        only_if_absent: !replace,
    };
    // On the heap: a spec makes the future large.
    let call = Box::pin(async move { app.schedules().schedule(request).await });
    let answer = match app.call(call).await {
        Err(failure) if failure.exit == Exit::Conflict => {
            return Err(Failure::new(Exit::Conflict, "there is a schedule of that name"));
        }
        answer => answer?,
    };
    let mut schedule = answer.schedule.unwrap_or_default();
    if let Some(note) = &planned.paused {
        schedule = pause(app, planned, note).await?.unwrap_or(schedule);
    }
    Ok(Done {
        next: schedule.next_fire_at,
        ..Done::of(match (answer.created, answer.changed) {
            (true, _) => "created",
            (false, true) => "replaced",
            (false, false) => "unchanged",
        })
    })
}

async fn pause(app: &App, planned: &Planned, note: &str) -> Result<Option<Schedule>, Failure> {
    let request = PauseScheduleRequest {
        namespace: app.namespace.clone(),
        name: planned.name.clone(),
        note: note.to_owned(),
        until: None,
    };
    let answer = app
        .repeat(|| {
            let request = request.clone();
            async move { app.schedules().pause(request).await }
        })
        .await?;
    Ok(answer.schedule)
}

/// Asks the server for the first time, which says whether it understands the times.
async fn check(app: &App, planned: &Planned) -> Result<Done, Failure> {
    let request = PreviewScheduleRequest {
        namespace: app.namespace.clone(),
        name: planned.name.clone(),
        times: planned.spec.times.clone(),
        limit: 1,
        ..PreviewScheduleRequest::default()
    };
    let answer = app.call(app.schedules().preview(request)).await?;
    let next = answer.fires.first().and_then(|fire| fire.time);
    Ok(Done { next, ..Done::of("would be made") })
}
