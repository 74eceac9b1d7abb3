//! `bellctl schedule backfill`: fires times in the past that did not fire.

use bellringer_api::v1::{BackfillScheduleRequest, BackfillScheduleResponse};
use clap::Args;
use comfy_table::Cell;
use jiff::Timestamp;
use serde_json::json;

use super::Name;
use crate::{app::App, failure::Failure, paint::one_line, render::fire, time};

/// Fire the times of a range in the past that did not fire
#[derive(Debug, Args)]
#[command(after_help = "\
These are the times without an entry in the ledger, and those that were skipped; excluded ones stay
so. The overlap policy is not asked.

Example:
  bellctl schedule backfill nightly-report --from 2026-05-01T00:00:00Z --to 2026-05-08T00:00:00Z \\
    --dry-run")]
pub(crate) struct Backfill {
    #[command(flatten)]
    name: Name,
    /// From here on
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    from: Timestamp,
    /// Until before this
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    to: Timestamp,
    /// Most fires; if there are more, nothing is fired [default: 1000]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Only tell what would fire
    #[arg(long)]
    dry_run: bool,
}

impl Backfill {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        if self.to <= self.from {
            return Err(Failure::usage("--to must be after --from"));
        }
        let request = BackfillScheduleRequest {
            namespace: app.namespace.clone(),
            name: self.name.name,
            from: Some(time::to_proto(self.from)),
            to: Some(time::to_proto(self.to)),
            limit: self.limit.unwrap_or_default(),
            dry_run: self.dry_run,
        };
        let answer = app.call(app.schedules().backfill(request)).await?;
        tell(app, &answer, self.dry_run)
    }
}

fn tell(app: &App, answer: &BackfillScheduleResponse, dry_run: bool) -> Result<(), Failure> {
    if app.out.is_json() {
        return app.out.document(&json!({
            "dry_run": dry_run,
            "fires": answer.fires.iter().map(fire::json).collect::<Vec<_>>(),
            "already_fired": answer.already_fired,
        }));
    }
    if !answer.fires.is_empty() {
        let rows = answer.fires.iter().map(|fired| {
            let time = fired.time.as_ref().and_then(time::from_proto);
            let time = time.map(|time| time.to_string()).unwrap_or_default();
            vec![Cell::new(time), Cell::new(one_line(&fired.task_id))]
        });
        app.out.table(&["TIME", "TASK"], rows.collect())?;
    }
    let (count, before) = (answer.fires.len(), answer.already_fired);
    let verb = if dry_run { "would fire" } else { "fired" };
    let times = if count == 1 { "time" } else { "times" };
    app.out.remark(&format!("{count} {times} {verb}; {before} had fired before"));
    Ok(())
}
