//! What becomes of the times that have come: each gets exactly one outcome.

use std::time::Duration;

use bellringer_schedule::{Plan, Rule};
use jiff::{SignedDuration, Timestamp};

use super::{FireOutcome, Misfire, Overlap, Policies, ScheduleState, SkipReason};

/// Times that are looked at one by one in a round; more come in the next one.
pub const ROUND: usize = 500;
/// Times held back by `BufferAll`.
pub const MOST_HELD_BACK: u32 = 1_000;
/// Skipped times in a row, for the same reason, from which on they are recorded as a range.
const RANGE_FROM: usize = 10;
/// Times that are counted for a range; beyond them the next round goes on.
const COUNTED: u32 = 200_000;

/// What a verdict depends on.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// When it fires.
    pub plan: &'a Plan,
    /// How it behaves.
    pub policies: &'a Policies,
    /// The first time without a record.
    pub cursor: Timestamp,
    /// Times that fired so far.
    pub fires: u64,
    /// Unfinished tasks.
    pub running: u32,
    /// Times held back.
    pub held_back: u32,
}

/// A time and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The nominal time.
    pub nominal: Timestamp,
    /// When it was due.
    pub due: Timestamp,
    /// What a clock change had to do with it.
    pub rule: Rule,
    /// What becomes of it.
    pub outcome: FireOutcome,
    /// Why it is skipped.
    pub reason: Option<SkipReason>,
}

/// Times that are skipped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first one.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many there are.
    pub count: u64,
    /// Why they are skipped.
    pub reason: SkipReason,
}

/// What becomes of the times that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Times, in order.
    pub entries: Vec<Entry>,
    /// Ranges of times, in order.
    pub ranges: Vec<Range>,
    /// What the schedule is afterwards.
    pub state: ScheduleState,
    /// The first time without a record, and when it is due; `None` at the end.
    pub next: Option<(Timestamp, Timestamp)>,
}

/// Gives every time that is due at `now` its outcome; of very many times those of a round.
pub fn account(standing: &Standing<'_>, now: Timestamp) -> Account {
    let mut account = Account {
        entries: Vec::new(),
        ranges: Vec::new(),
        state: ScheduleState::Active,
        next: None,
    };
    let Standing { plan, policies, .. } = *standing;
    let mut cursor = standing.cursor;
    let window = before(now, policies.catch_up_window());
    if cursor < window
        && let Some(range) = range(plan, cursor, window, too_old(policies))
    {
        cursor = second_after(range.last);
        account.ranges.push(range);
    }
    let mut fires = plan.fires(just_before(cursor)).peekable();
    let mut due = Vec::new();
    while due.len() < ROUND
        && let Some(fire) = fires.next_if(|fire| fire.due <= now)
    {
        due.push(fire);
    }
    let next = fires.next();
    let is_more = next.is_some_and(|next| next.due <= now);
    let grace = before(now, policies.misfire_grace());
    let punctual_from = due.iter().position(|fire| fire.due >= grace).unwrap_or(due.len());
    let last_wanted = due.iter().rposition(|fire| !fire.excluded);
    // Of late times the newest may fire, as many as the limit says.
    let newest = usize::try_from(policies.catch_up_limit).unwrap_or(usize::MAX);
    let later =
        next.filter(|_| is_more && policies.misfire == Misfire::FireAll).map_or(0, |next| {
            let count = plan.count(next.nominal, grace, policies.catch_up_limit);
            usize::try_from(count.wanted).unwrap_or(usize::MAX)
        });
    let mut late_left =
        due.iter().take(punctual_from).filter(|fire| !fire.excluded).count().saturating_add(later);
    let (mut fired, mut running, mut held_back) =
        (standing.fires, standing.running, standing.held_back);
    let mut ended = false;
    for (index, fire) in due.iter().enumerate() {
        let is_late = index < punctual_from;
        let skip = if fire.excluded {
            Some(SkipReason::Excluded)
        } else if !is_late {
            None
        } else {
            let rank = late_left;
            late_left = late_left.saturating_sub(1);
            match policies.misfire {
                _ if fire.due < window => Some(too_old(policies)),
                Misfire::Skip => Some(SkipReason::Misfire),
                Misfire::FireOnce if is_more || last_wanted != Some(index) => {
                    Some(SkipReason::Coalesced)
                }
                Misfire::FireAll if rank > newest => Some(SkipReason::CatchUpLimit),
                Misfire::FireOnce | Misfire::FireAll => None,
            }
        };
        let (outcome, reason) = match skip {
            Some(reason) => (FireOutcome::Skipped, Some(reason)),
            None => match overlap(policies, running, held_back) {
                FireOutcome::Fired => {
                    running = running.saturating_add(1);
                    fired = fired.saturating_add(1);
                    (FireOutcome::Fired, None)
                }
                FireOutcome::HeldBack => {
                    held_back = held_back.saturating_add(1);
                    fired = fired.saturating_add(1);
                    (FireOutcome::HeldBack, None)
                }
                FireOutcome::Skipped => (FireOutcome::Skipped, Some(SkipReason::Overlap)),
            },
        };
        let entry =
            Entry { nominal: fire.nominal, due: fire.due, rule: fire.rule, outcome, reason };
        account.entries.push(entry);
        if policies.max_fires > 0 && fired >= policies.max_fires {
            ended = true;
            break;
        }
    }
    compress(&mut account);
    match next.filter(|_| !ended) {
        Some(next) => account.next = Some((next.nominal, next.due)),
        None => account.state = ScheduleState::Finished,
    }
    account
}

/// Accounts for a pause: all times up to its end are skipped, and the schedule fires again. Of very many
/// times those of a round; then it stays paused, and the next round goes on.
pub fn account_for_pause(plan: &Plan, cursor: Option<Timestamp>, end: Timestamp) -> Account {
    let skipped = cursor.and_then(|cursor| range(plan, cursor, end, SkipReason::Paused));
    let from = skipped.map_or(cursor, |range| Some(second_after(range.last)));
    let next = from.and_then(|from| plan.next(just_before(from)));
    let (state, next) = match next {
        Some(next) if next.nominal < end => (ScheduleState::Paused, Some((next.nominal, end))),
        Some(next) => (ScheduleState::Active, Some((next.nominal, next.due))),
        None => (ScheduleState::Finished, None),
    };
    Account { entries: Vec::new(), ranges: skipped.into_iter().collect(), state, next }
}

/// All times in `from..to` as ranges: a step for each time, so not for the threads that serve.
pub fn ranges(plan: &Plan, from: Timestamp, to: Timestamp, reason: SkipReason) -> Vec<Range> {
    let mut all = Vec::new();
    let mut from = from;
    while let Some(range) = range(plan, from, to, reason) {
        from = second_after(range.last);
        all.push(range);
    }
    all
}

/// The times in `from..to`, or the first of very many, as a range.
fn range(plan: &Plan, from: Timestamp, to: Timestamp, reason: SkipReason) -> Option<Range> {
    let mut found: Option<Range> = None;
    for fire in plan.fires(just_before(from)).take_while(|fire| fire.nominal < to) {
        let range = found.get_or_insert(Range {
            first: fire.nominal,
            last: fire.nominal,
            count: 0,
            reason,
        });
        range.last = fire.nominal;
        range.count = range.count.saturating_add(1);
        if range.count >= u64::from(COUNTED) {
            break;
        }
    }
    found
}

/// What overlap makes of a time.
fn overlap(policies: &Policies, running: u32, held_back: u32) -> FireOutcome {
    let has_room = running < policies.max_running && held_back == 0;
    match policies.overlap {
        Overlap::Allow | Overlap::CancelRunning => FireOutcome::Fired,
        _ if has_room => FireOutcome::Fired,
        Overlap::BufferOne if held_back < 1 => FireOutcome::HeldBack,
        Overlap::BufferAll if held_back < MOST_HELD_BACK => FireOutcome::HeldBack,
        Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll => FireOutcome::Skipped,
    }
}

fn too_old(policies: &Policies) -> SkipReason {
    match policies.misfire {
        Misfire::Skip => SkipReason::Misfire,
        Misfire::FireOnce | Misfire::FireAll => SkipReason::CatchUpLimit,
    }
}

/// Makes ranges of long runs of skipped times.
fn compress(account: &mut Account) {
    let entries = std::mem::take(&mut account.entries);
    for run in entries.chunk_by(|a, b| a.reason == b.reason && a.outcome == b.outcome) {
        match (run.first(), run.last()) {
            (Some(first), Some(last)) if run.len() >= RANGE_FROM => match first.reason {
                Some(reason) => account.ranges.push(Range {
                    first: first.nominal,
                    last: last.nominal,
                    count: u64::try_from(run.len()).unwrap_or(u64::MAX),
                    reason,
                }),
                None => account.entries.extend(run),
            },
            _ => account.entries.extend(run),
        }
    }
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| now.checked_sub(by).ok())
        .unwrap_or(Timestamp::MIN)
}

/// The last instant before a whole second.
pub fn just_before(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN)
}

fn second_after(time: Timestamp) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "accounting_tests.rs"]
mod tests;
