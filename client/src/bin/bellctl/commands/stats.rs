//! `bellctl stats`: how tasks have fared.

use bellringer_api::v1::{QueryStatsRequest, StatsDimension, StatsStep};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use crate::{
    app::App,
    exit::Exit,
    failure::Failure,
    render::stats::{head, json, row},
    time::{self, Length},
};

/// Show how tasks have fared: counts, success rate, waits and durations
#[derive(Debug, Args)]
#[command(after_help = "\
Waits are from when a task could have started to its first start; runs are those of single attempts.
Percentiles are within 5 %, everything else is exact, up to this moment.

Example:
  bellctl stats --by queue
  bellctl stats --queue mail --by kind --since 7d
  bellctl stats --step hour --since 2d -o json | jq '.rows[] | [.start, .failed]'")]
pub(crate) struct Stats {
    /// Rows by these, separated by commas or one by one
    #[arg(long, value_enum, value_delimiter = ',', value_name = "DIMENSION")]
    by: Vec<By>,
    /// From when on: a length of time back from the end, or a time
    #[arg(long, default_value = "24h", value_name = "DURATION|TIME", value_parser = When::parse)]
    since: When,
    /// Until when: a time, or a length of time back from now [default: now]
    #[arg(long, value_name = "DURATION|TIME", value_parser = When::parse)]
    until: Option<When>,
    /// A row for each step of time, by UTC
    #[arg(long, value_enum)]
    step: Option<Step>,
    /// Only tasks of this queue
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    queue: String,
    /// Only tasks of this kind
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    kind: String,
    /// Only tasks that ask for this version; empty: those that ask for none
    #[arg(long, value_name = "NAME")]
    version: Option<String>,
    /// Only tasks that this schedule has made
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    schedule: String,
}

/// What rows are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The queue
    Queue,
    /// The kind of task
    Kind,
    /// The version that the task asks for
    Version,
    /// The schedule that made the task
    Schedule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    Minute,
    Hour,
    Day,
}

/// A time, or how long before another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(Timestamp),
    Before(Length),
}

impl When {
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(length) => Ok(Self::Before(length)),
            Err(_) => time::moment(text).map(Self::At).map_err(|_| {
                "write a length of time such as 24h or 7d, or a time such as 2026-05-01T10:00:00Z"
                    .to_owned()
            }),
        }
    }

    fn counted_from(self, end: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Before(length) => {
                let length = SignedDuration::try_from(length.0).unwrap_or(SignedDuration::MAX);
                end.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }
}

impl Stats {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let cluster = super::cluster::ask_if_allowed(app).await?;
        let now = cluster.as_ref().and_then(|cluster| cluster.now.as_ref());
        let now = now.and_then(time::from_proto).unwrap_or_else(time::now);
        let until = self.until.map(|until| until.counted_from(now));
        let since = self.since.counted_from(until.unwrap_or(now));
        let request = QueryStatsRequest {
            namespace: app.namespace.clone(),
            queue: self.queue,
            kind: self.kind,
            version: self.version,
            schedule: self.schedule,
            since: Some(time::to_proto(since)),
            until: until.map(time::to_proto),
            step: self.step.map_or(StatsStep::Unspecified, Step::proto).into(),
            group_by: self.by.iter().map(|by| by.proto().into()).collect(),
        };
        let answer = app.repeat(|| async { app.stats().query(request.clone()).await }).await?;
        if app.out.is_json() {
            app.out.document(&json(&answer, &self.by))?;
            return Ok(Exit::Ok);
        }
        if answer.rows.is_empty() {
            let from = answer.since.as_ref().and_then(time::from_proto).unwrap_or(since);
            app.out.remark(&format!("nothing has ended since {from}"));
            return Ok(Exit::Ok);
        }
        let has_steps = self.step.is_some();
        let rows = answer.rows.iter().map(|one| row(one, has_steps, &self.by)).collect();
        app.out.table(&head(has_steps, &self.by), rows)?;
        Ok(Exit::Ok)
    }
}

impl By {
    fn proto(self) -> StatsDimension {
        match self {
            Self::Queue => StatsDimension::Queue,
            Self::Kind => StatsDimension::Kind,
            Self::Version => StatsDimension::Version,
            Self::Schedule => StatsDimension::Schedule,
        }
    }
}

impl Step {
    fn proto(self) -> StatsStep {
        match self {
            Self::Minute => StatsStep::Minute,
            Self::Hour => StatsStep::Hour,
            Self::Day => StatsStep::Day,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_counted_back() {
        let end: Timestamp = "2026-05-02T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("24h", "2026-05-01T10:00:00Z"),
            ("7d", "2026-04-25T10:00:00Z"),
            ("2026-05-01T12:00+02:00", "2026-05-01T10:00:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(When::parse(text).unwrap().counted_from(end), expected, "{text}");
        }
        assert!(When::parse("yesterday").is_err());
    }
}
