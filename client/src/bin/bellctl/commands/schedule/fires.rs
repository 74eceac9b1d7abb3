//! `bellctl schedule fires`: the ledger of a schedule.

use bellringer_api::v1::{Fire, FireOutcome, ListFiresRequest};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{Name, words::Outcome};
use crate::{app::App, failure::Failure, render::fire, time};

/// Most entries in one page of the server.
const PAGE: u32 = 1000;

/// Show what became of the times of a schedule, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Times in a row with the same fate are one entry. TERM is the term of the leader that recorded it,
empty if a caller did.

Example:
  bellctl schedule fires nightly-report --outcome skipped --from 2026-05-01T00:00:00Z")]
pub(super) struct Fires {
    #[command(flatten)]
    name: Name,
    /// Only times from here on
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    from: Option<Timestamp>,
    /// Only times before this
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    to: Option<Timestamp>,
    /// Only times with this outcome; may be given several times
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Vec<Outcome>,
    /// Largest number of entries
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with = "all")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// The whole ledger
    #[arg(long)]
    all: bool,
}

impl Fires {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let (fires, more) = self.fetch(app).await?;
        if app.out.is_json() {
            let fires: Vec<_> = fires.iter().map(fire::json).collect();
            return app.out.document(&json!({"fires": fires, "more": more}));
        }
        if fires.is_empty() {
            app.out.remark("no times match");
            return Ok(());
        }
        app.out.table(&fire::HEAD, fires.iter().map(fire::row).collect())?;
        if more {
            let count = fires.len();
            app.out.remark(&format!(
                "the newest {count}; there are more: raise --limit or give --all"
            ));
        }
        Ok(())
    }

    /// The entries, and whether there are more.
    async fn fetch(self, app: &App) -> Result<(Vec<Fire>, bool), Failure> {
        let limit = if self.all { usize::MAX } else { usize::try_from(self.limit).unwrap_or(1) };
        let outcomes = self.outcome.into_iter();
        let mut request = ListFiresRequest {
            namespace: app.namespace.clone(),
            name: self.name.name,
            from: self.from.map(time::to_proto),
            to: self.to.map(time::to_proto),
            outcomes: outcomes.map(|outcome| FireOutcome::from(outcome).into()).collect(),
            ..ListFiresRequest::default()
        };
        let mut fires = Vec::new();
        loop {
            request.page_size = u32::try_from(limit - fires.len()).unwrap_or(PAGE).min(PAGE);
            let answer = app
                .repeat(|| {
                    let request = request.clone();
                    async move { app.schedules().list_fires(request).await }
                })
                .await?;
            fires.extend(answer.fires);
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() || fires.len() >= limit {
                return Ok((fires, !request.page_token.is_empty()));
            }
        }
    }
}
