//! The commands on one schedule that are one call.

use bellringer_api::v1::{
    DeleteScheduleRequest, GetScheduleRequest, OverlapPolicy, PauseScheduleRequest,
    ResumeScheduleRequest, TriggerScheduleRequest,
};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{Name, show, words::TriggerOverlap};
use crate::{app::App, failure::Failure, time};

/// Show one schedule
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bellctl schedule get nightly-report -o json | jq .times")]
pub(super) struct Get {
    #[command(flatten)]
    name: Name,
}

impl Get {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let request = GetScheduleRequest { namespace: app.namespace.clone(), name: self.name.name };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().get(request).await }
            })
            .await?;
        show(app, answer.schedule).await
    }
}

/// Stop firing: times are recorded as skipped
#[derive(Debug, Args)]
#[command(after_help = "\
Pausing again changes the note and the end.

Example:
  bellctl schedule pause nightly-report --note 'board is away' --until 2026-08-17T00:00+02:00")]
pub(super) struct Pause {
    #[command(flatten)]
    name: Name,
    /// Why, for people
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    note: String,
    /// Fire again by itself from then on [default: never]
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    until: Option<Timestamp>,
}

impl Pause {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let request = PauseScheduleRequest {
            namespace: app.namespace.clone(),
            name: self.name.name,
            note: self.note,
            until: self.until.map(time::to_proto),
        };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().pause(request).await }
            })
            .await?;
        show(app, answer.schedule).await
    }
}

/// Fire again, from now on
#[derive(Debug, Args)]
#[command(after_help = "\
Times that were skipped meanwhile are not made up: see `bellctl schedule backfill`.

Example:
  bellctl schedule resume nightly-report")]
pub(super) struct Resume {
    #[command(flatten)]
    name: Name,
}

impl Resume {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let (namespace, name) = (app.namespace.clone(), self.name.name);
        let request = ResumeScheduleRequest { namespace, name };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().resume(request).await }
            })
            .await?;
        show(app, answer.schedule).await
    }
}

/// Remove a schedule and its ledger; its tasks stay
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bellctl schedule delete nightly-report")]
pub(super) struct Delete {
    #[command(flatten)]
    name: Name,
    /// Refuse if the schedule has changed since this etag was read; exit code 4
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ETAG")]
    etag: String,
}

impl Delete {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let namespace = app.namespace.clone();
        let request =
            DeleteScheduleRequest { namespace, name: self.name.name.clone(), etag: self.etag };
        app.call(app.schedules().delete(request)).await?;
        if app.out.is_json() {
            return app.out.document(&json!({"name": self.name.name, "deleted": true}));
        }
        app.out.remark("deleted; its tasks stay");
        Ok(())
    }
}

/// Fire now, beside the times of the schedule; prints the id of the task
#[derive(Debug, Args)]
#[command(after_help = "\
Fires also while the schedule is paused.

Example:
  bellctl wait \"$(bellctl schedule trigger nightly-report)\"")]
pub(super) struct Trigger {
    #[command(flatten)]
    name: Name,
    /// What to do if earlier tasks are unfinished [default: what the schedule says]
    #[arg(long, value_enum, value_name = "POLICY")]
    overlap: Option<TriggerOverlap>,
    /// Triggering again with the same key answers the same task
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Trigger {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        // With a key of its own a lost answer can be asked for again.
        let key = self.idempotency_key.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let request = TriggerScheduleRequest {
            namespace: app.namespace.clone(),
            name: self.name.name,
            overlap: self.overlap.map(OverlapPolicy::from).unwrap_or_default().into(),
            idempotency_key: key,
        };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.schedules().trigger(request).await }
            })
            .await?;
        if app.out.is_json() {
            let value = json!({"task_id": answer.task_id, "created": answer.created});
            return app.out.object(&value);
        }
        app.out.line(&answer.task_id)?;
        if !answer.created {
            app.out.remark("not new: the task was there already, by its idempotency key");
        }
        Ok(())
    }
}
