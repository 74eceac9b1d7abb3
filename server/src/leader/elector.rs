//! Who may lead, and until when: a state machine without I/O. It is told what happened and at what
//! time, and says what to do next.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::boottime::BootTime;

/// How long things take. The server ends a silent session after 6 s; everything here is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// A leader shows that it lives so often. 1 s.
    pub renew_every: Duration,
    /// A leader stops by itself so long after the *start* of its last good renewal. 4 s, below the
    /// 6 s of the server by a third: clocks may run apart by half.
    pub trust: Duration,
    /// A candidate tries so often, 20 % more or less. 1 s.
    pub poll_every: Duration,
    /// A holder of the lock that gives no sign of life for so long is ended. 15 s.
    pub break_after: Duration,
    /// A replica that may not lead looks again so often. 30 s.
    pub refused_for: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            renew_every: Duration::from_secs(1),
            trust: Duration::from_secs(4),
            poll_every: Duration::from_secs(1),
            break_after: Duration::from_secs(15),
            refused_for: Duration::from_secs(30),
        }
    }
}

/// Waits between attempts to connect: short at first, since a restart takes seconds.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Below the 5 s within which somebody has to fire again.
const LATER_RETRY: Duration = Duration::from_secs(4);
/// Retries stay at 1 s or below for so long.
const HOPEFUL: Duration = Duration::from_secs(10);
/// Least time between two attempts to end somebody else's session.
const BREAKS_EVERY: Duration = Duration::from_secs(60);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing until then.
    Wait(BootTime),
    /// Open a session and verify it.
    Connect,
    /// Try to take the lock.
    TryLock,
    /// The lock is taken: open a term for this holder.
    OpenTerm(Uuid),
    /// Show that this replica still leads.
    Renew,
    /// End this session, which holds the lock and gives no sign of life.
    Break(Holder),
    /// Destroy the socket; nothing more may be sent on it.
    Drop,
}

/// The database session that holds the lock, as a candidate sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: i32,
    /// When it began: a pid is used again.
    pub started_at: Timestamp,
    /// Rises with each of its renewals.
    pub tick: i64,
}

/// A term that this replica holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub epoch: i64,
    /// Fresh for this term.
    pub holder: Uuid,
    /// Not to be trusted from then on.
    pub deadline: BootTime,
    renew_at: BootTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No session.
    Away { retry_at: BootTime },
    /// A session that must not be used any more.
    Broken,
    /// Somebody else leads, or nobody.
    Standby { poll_at: BootTime },
    /// The lock is held, the term is not open yet.
    Locked { holder: Uuid, since: BootTime },
    /// This replica leads.
    Leader(Held),
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Elector {
    timings: Timings,
    random: u64,
    phase: Phase,
    /// Since when there is no usable session.
    away_since: Option<BootTime>,
    retry: Duration,
    silent: Option<(Holder, BootTime)>,
    broke_at: Option<BootTime>,
    hold_until: Option<BootTime>,
}

impl Elector {
    /// Without a session. The seed decides on the jitter of polls, and makes holders unique.
    pub fn new(timings: Timings, seed: u64, now: BootTime) -> Self {
        Self {
            timings,
            random: seed | 1,
            phase: Phase::Away { retry_at: now },
            away_since: None,
            retry: FIRST_RETRY,
            silent: None,
            broke_at: None,
            hold_until: None,
        }
    }

    /// What to do next.
    pub fn step(&mut self, now: BootTime) -> Step {
        match self.phase {
            Phase::Broken => Step::Drop,
            Phase::Away { retry_at } if now < retry_at => Step::Wait(retry_at),
            Phase::Away { .. } => Step::Connect,
            Phase::Standby { poll_at } => match self.silent {
                Some((holder, since))
                    if now.since(since) >= self.timings.break_after
                        && self.broke_at.is_none_or(|at| now.since(at) >= BREAKS_EVERY) =>
                {
                    self.broke_at = Some(now);
                    Step::Break(holder)
                }
                _ if now < poll_at => Step::Wait(poll_at),
                _ => Step::TryLock,
            },
            Phase::Locked { holder, .. } => Step::OpenTerm(holder),
            Phase::Leader(held) if now >= held.deadline => {
                self.phase = Phase::Broken;
                Step::Drop
            }
            Phase::Leader(held) if now >= held.renew_at => Step::Renew,
            Phase::Leader(held) => Step::Wait(held.renew_at),
        }
    }

    /// The term, if this replica may write in it now.
    pub fn may_fire(&self, now: BootTime) -> Option<Held> {
        match self.phase {
            Phase::Leader(held) if now < held.deadline => Some(held),
            _ => None,
        }
    }

    /// A session is open and verified. Waits between attempts grow on until it has been of use, so that
    /// a session that always fails at once is not opened ten times a second.
    pub fn connected(&mut self, now: BootTime) {
        self.silent = None;
        self.phase = Phase::Standby { poll_at: now };
    }

    /// The lock was tried, at `started`. If it was not granted: who holds it, as far as is known.
    pub fn lock_tried(
        &mut self,
        started: BootTime,
        now: BootTime,
        granted: bool,
        holder: Option<Holder>,
    ) {
        if granted {
            self.silent = None;
            self.hold_until = None;
            self.phase = Phase::Locked { holder: self.fresh_holder(), since: started };
            return;
        }
        self.is_of_use();
        self.silent = match (self.silent, holder) {
            (Some((before, since)), Some(holder)) if before == holder => Some((holder, since)),
            (_, holder) => holder.map(|holder| (holder, now)),
        };
        let percent = 80 + u32::try_from(self.next_random() % 41).unwrap_or_default();
        self.phase = Phase::Standby { poll_at: now.plus(self.timings.poll_every * percent / 100) };
    }

    /// The term was opened.
    pub fn term_opened(&mut self, epoch: i64) {
        if let Phase::Locked { holder, since } = self.phase {
            let deadline = since.plus(self.timings.trust);
            let renew_at = since.plus(self.timings.renew_every);
            self.phase = Phase::Leader(Held { epoch, holder, deadline, renew_at });
        }
    }

    /// A renewal that was begun at `started` says whether this session still leads. Trust is counted
    /// from its begin: a slow answer gives no more of it.
    pub fn renewed(&mut self, started: BootTime, is_mine: bool) {
        match &mut self.phase {
            Phase::Leader(held) if is_mine => {
                held.deadline = held.deadline.max(started.plus(self.timings.trust));
                held.renew_at = started.plus(self.timings.renew_every);
                self.is_of_use();
            }
            Phase::Leader(_) => self.phase = Phase::Broken,
            _ => {}
        }
    }

    /// The session failed, timed out or was fenced: it is not to be used again.
    pub fn failed(&mut self) {
        if !matches!(self.phase, Phase::Away { .. }) {
            self.phase = Phase::Broken;
        }
    }

    /// The socket is gone, or could not be opened.
    pub fn dropped(&mut self, now: BootTime) {
        let since = *self.away_since.get_or_insert(now);
        // Half of the wait is chance: replicas that lost the database together come back apart.
        let percent = 50 + u32::try_from(self.next_random() % 51).unwrap_or_default();
        self.phase = Phase::Away { retry_at: now.plus(self.retry * percent / 100) };
        let most = if now.since(since) < HOPEFUL { Duration::from_secs(1) } else { LATER_RETRY };
        self.retry = (self.retry * 2).min(most);
        self.silent = None;
    }

    /// The session is such that this replica may not lead.
    pub fn refused(&mut self, now: BootTime) {
        self.phase = Phase::Away { retry_at: now.plus(self.timings.refused_for) };
    }

    /// The leader says that it has resigned: try at once.
    pub fn freed(&mut self, now: BootTime) {
        if let Phase::Standby { poll_at } = &mut self.phase {
            *poll_at = (*poll_at).min(now);
        }
    }

    /// The database's clock has jumped: nothing is written until one more renewal was due.
    pub fn hold(&mut self, now: BootTime) {
        self.hold_until = Some(now.plus(self.timings.renew_every));
    }

    /// Until when nothing may be written, in a term that goes on.
    pub fn held_until(&self, now: BootTime) -> Option<BootTime> {
        self.hold_until.filter(|until| now < *until)
    }

    fn is_of_use(&mut self) {
        self.away_since = None;
        self.retry = FIRST_RETRY;
    }

    fn fresh_holder(&mut self) -> Uuid {
        let (high, low) = (self.next_random(), self.next_random());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
    }

    /// SplitMix64 (S. Vigna, public domain reference; constants from "Fast splittable pseudorandom
    /// number generators", Steele, Lea, Flood, 2014).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
#[path = "elector_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
