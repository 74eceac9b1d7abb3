//! `bellctl schedule list` and `next`: schedules by name, and by their next fire.

use std::cmp::Reverse;

use bellringer_api::v1::{ListSchedulesRequest, Schedule, ScheduleState};
use clap::Args;
use comfy_table::Cell;
use serde_json::json;

use super::{server_now, words::State};
use crate::{
    app::App,
    commands::label,
    failure::Failure,
    paint::cut,
    render::{
        schedule::{HEAD, row, state_cell},
        schedule_json::json as schedule_json,
    },
    time,
};

/// List schedules by name
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bellctl schedule list --label team=billing --state paused
  bellctl schedule list -o json | jq -r '.schedules[].name'")]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only schedules in this state; may be given several times
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<State>,
}

/// List schedules by their next fire, soonest first
#[derive(Debug, Args)]
#[command(after_help = "\
A paused schedule records its next time as skipped.

Example:
  bellctl schedule next --limit 10")]
pub(super) struct Next {
    #[command(flatten)]
    filter: Filter,
    /// Largest number of schedules [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only schedules with this label; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

impl List {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let states: Vec<_> = self.state.into_iter().map(ScheduleState::from).collect();
        let schedules = fetch(app, self.filter, &states).await?;
        if app.out.is_json() {
            return document(app, &schedules);
        }
        if schedules.is_empty() {
            app.out.remark("no schedules match");
            return Ok(());
        }
        let now = server_now(app).await;
        app.out.table(&HEAD, schedules.iter().map(|schedule| row(schedule, now)).collect())
    }
}

impl Next {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let states = [ScheduleState::Active, ScheduleState::Paused];
        let schedules = soonest(fetch(app, self.filter, &states).await?, self.limit);
        if app.out.is_json() {
            return document(app, &schedules);
        }
        if schedules.is_empty() {
            app.out.remark("no schedule has a time to come");
            return Ok(());
        }
        let now = server_now(app).await;
        let rows = schedules.iter().map(|schedule| {
            let next = schedule.next_fire_at.as_ref().and_then(time::from_proto);
            vec![
                Cell::new(next.map(|next| next.to_string()).unwrap_or_default()),
                Cell::new(next.map(|next| time::relative(next, now)).unwrap_or_default()),
                Cell::new(cut(&schedule.name, 60)),
                state_cell(schedule.state()),
                Cell::new(cut(&schedule.summary, 70)),
            ]
        });
        app.out.table(&["NEXT FIRE", "", "SCHEDULE", "STATE", "TIMES"], rows.collect())
    }
}

fn document(app: &App, schedules: &[Schedule]) -> Result<(), Failure> {
    let schedules: Vec<_> =
        schedules.iter().map(|schedule| schedule_json(schedule, false)).collect();
    app.out.document(&json!({"schedules": schedules}))
}

async fn fetch(
    app: &App,
    filter: Filter,
    states: &[ScheduleState],
) -> Result<Vec<Schedule>, Failure> {
    let mut request = ListSchedulesRequest {
        namespace: app.namespace.clone(),
        labels: filter.labels.into_iter().collect(),
        states: states.iter().map(|state| i32::from(*state)).collect(),
        page_size: 1000,
        page_token: String::new(),
    };
    let mut schedules = Vec::new();
    loop {
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().list(request).await }
            })
            .await?;
        schedules.extend(answer.schedules);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            return Ok(schedules);
        }
    }
}

/// Those that have a time to come, soonest first; those that fire before those that are paused.
fn soonest(mut schedules: Vec<Schedule>, limit: Option<usize>) -> Vec<Schedule> {
    schedules.retain(|schedule| schedule.next_fire_at.is_some());
    schedules.sort_by_cached_key(|schedule| {
        let next = schedule.next_fire_at.as_ref().map(|at| (at.seconds, at.nanos));
        (next, Reverse(schedule.state() == ScheduleState::Active), schedule.name.clone())
    });
    schedules.truncate(limit.unwrap_or(usize::MAX));
    schedules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_comes_first_and_what_never_fires_not_at_all() {
        let schedule = |name: &str, next: Option<i64>, state: ScheduleState| Schedule {
            name: name.to_owned(),
            next_fire_at: next.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            state: state.into(),
            ..Schedule::default()
        };
        let schedules = vec![
            schedule("later", Some(9), ScheduleState::Active),
            schedule("a-paused", Some(3), ScheduleState::Paused),
            schedule("never", None, ScheduleState::Active),
            schedule("soon", Some(3), ScheduleState::Active),
        ];
        let names = |limit| {
            let found = soonest(schedules.clone(), limit);
            found.into_iter().map(|schedule| schedule.name).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["soon", "a-paused", "later"]);
        assert_eq!(names(Some(1)), ["soon"]);
    }
}
