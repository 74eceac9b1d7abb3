//! Statistics.

use std::collections::BTreeMap;

use bellringer_api::v1 as pb;

use super::task::state;
use super::time::{pb_duration, pb_timestamp, timestamp};
use crate::domain::statistics::{Spread, StatUnit, Tally};
use crate::domain::{Checker, Kind, QueueName, ScheduleName, TaskState, Version, Violations};
use crate::engine::{Group, GroupBy, StatAnswer, StatFilter, StatRequest, Unfinished};
use crate::rpc::caller::Claim;

/// Reads what is asked for.
pub(crate) fn query(
    namespace: Claim,
    request: pb::QueryStatsRequest,
) -> Result<StatRequest, Violations> {
    let mut check = Checker::default();
    let version = request.version.as_deref().map(|text| match text {
        "" => Ok(None),
        text => Version::parse(text).map(Some),
    });
    let version = check.field("version", version.transpose());
    let schedule = check.field("schedule", optional(&request.schedule, ScheduleName::parse));
    let filter = filter(&mut check, namespace, &request.queue, &request.kind);
    let since = check.field("since", request.since.map(timestamp).transpose()).flatten();
    let until = check.field("until", request.until.map(timestamp).transpose()).flatten();
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        check.refuse("until", "must be after `since`");
    }
    let step = check.field("step", step(request.step)).flatten();
    let group_by = check.field("group_by", group_by(&request.group_by));
    check.finish()?;
    let (Some(filter), Some(version), Some(schedule), Some(group_by)) =
        (filter, version, schedule, group_by)
    else {
        return Err(Violations::one("namespace", "cannot be read"));
    };
    let filter = StatFilter { version, schedule, ..filter };
    Ok(StatRequest { filter, since, until, step, group_by })
}

/// Reads which unfinished tasks are asked for.
pub(crate) fn unfinished(
    namespace: Claim,
    request: pb::CountUnfinishedRequest,
) -> Result<(StatFilter, GroupBy), Violations> {
    let mut check = Checker::default();
    let filter = filter(&mut check, namespace, &request.queue, &request.kind);
    let group_by = check.field("group_by", group_by(&request.group_by));
    if group_by.is_some_and(|by| by.schedule) {
        check.refuse("group_by", "cannot be SCHEDULE here: use QUEUE, KIND or VERSION");
    }
    check.finish()?;
    filter.zip(group_by).ok_or_else(|| Violations::one("namespace", "cannot be read"))
}

fn filter(check: &mut Checker, namespace: Claim, queue: &str, kind: &str) -> Option<StatFilter> {
    let namespace = check.field("namespace", namespace);
    let queue = check.field("queue", optional(queue, QueueName::parse));
    let kind = check.field("kind", optional(kind, Kind::parse));
    let (namespace, queue, kind) = (namespace?, queue?, kind?);
    Some(StatFilter { namespace, queue, kind, version: None, schedule: None })
}

fn optional<T>(text: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn step(step: i32) -> Result<Option<StatUnit>, String> {
    match pb::StatsStep::try_from(step) {
        Ok(pb::StatsStep::Unspecified) => Ok(None),
        Ok(pb::StatsStep::Minute) => Ok(Some(StatUnit::Minute)),
        Ok(pb::StatsStep::Hour) => Ok(Some(StatUnit::Hour)),
        Ok(pb::StatsStep::Day) => Ok(Some(StatUnit::Day)),
        Err(_) => Err("must be MINUTE, HOUR or DAY".to_owned()),
    }
}

fn group_by(dimensions: &[i32]) -> Result<GroupBy, String> {
    let mut by = GroupBy::default();
    for dimension in dimensions {
        let wanted = match pb::StatsDimension::try_from(*dimension) {
            Ok(pb::StatsDimension::Queue) => &mut by.queue,
            Ok(pb::StatsDimension::Kind) => &mut by.kind,
            Ok(pb::StatsDimension::Version) => &mut by.version,
            Ok(pb::StatsDimension::Schedule) => &mut by.schedule,
            Ok(pb::StatsDimension::Unspecified) | Err(_) => {
                return Err("must be of QUEUE, KIND, VERSION, SCHEDULE".to_owned());
            }
        };
        if std::mem::replace(wanted, true) {
            return Err("must not name a dimension twice".to_owned());
        }
    }
    Ok(by)
}

/// Writes statistics.
pub(crate) fn pb_answer(answer: StatAnswer) -> pb::QueryStatsResponse {
    let rows = answer.rows.into_iter().map(|(group, tally)| pb::StatsRow {
        start: group.start.map(pb_timestamp),
        queue: group.queue,
        kind: group.kind,
        version: group.version,
        schedule: group.schedule,
        stats: Some(pb_stats(&tally)),
    });
    let counted_in = match answer.unit {
        StatUnit::Minute => pb::StatsStep::Minute,
        StatUnit::Hour => pb::StatsStep::Hour,
        StatUnit::Day => pb::StatsStep::Day,
    };
    pb::QueryStatsResponse {
        rows: rows.collect(),
        since: Some(pb_timestamp(answer.since)),
        until: Some(pb_timestamp(answer.until)),
        counted_in: counted_in.into(),
    }
}

fn pb_stats(tally: &Tally) -> pb::Stats {
    let (last_finished_at, last_state) = tally.last.unzip();
    pb::Stats {
        succeeded: tally.succeeded,
        failed: tally.failed,
        cancelled: tally.cancelled,
        expired: tally.expired,
        success_rate: tally.success_rate(),
        attempts: Some(pb::UnsuccessfulAttempts {
            failed: tally.tries.failed,
            cancelled: tally.tries.cancelled,
            snoozed: tally.tries.snoozed,
            released: tally.tries.released,
            lease_expired: tally.tries.lease_expired,
        }),
        wait: Some(pb_distribution(&tally.wait)),
        run: Some(pb_distribution(&tally.run)),
        last_finished_at: last_finished_at.map(pb_timestamp),
        last_state: last_state.map(|last| state(last).into()).unwrap_or_default(),
    }
}

fn pb_distribution(spread: &Spread) -> pb::Distribution {
    pb::Distribution {
        count: spread.total(),
        mean: spread.mean().map(pb_duration),
        p50: spread.percentile(50).map(pb_duration),
        p95: spread.percentile(95).map(pb_duration),
        p99: spread.percentile(99).map(pb_duration),
    }
}

/// Writes unfinished tasks.
pub(crate) fn pb_unfinished(rows: BTreeMap<Group, Unfinished>) -> pb::CountUnfinishedResponse {
    let rows = rows.into_iter().map(|(group, row)| {
        let count = |state: TaskState| row.tasks.get(state.name()).copied().unwrap_or_default();
        pb::UnfinishedRow {
            queue: group.queue,
            kind: group.kind,
            version: group.version,
            scheduled: count(TaskState::Scheduled),
            ready: count(TaskState::Ready),
            running: count(TaskState::Running),
            retrying: count(TaskState::Retrying),
            oldest_ready_age: row.oldest_ready.map(pb_duration),
        }
    });
    pb::CountUnfinishedResponse { rows: rows.collect() }
}
