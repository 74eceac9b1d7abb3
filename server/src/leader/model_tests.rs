//! Electors against a model of the database, a thousand scripts of faults each: freezes, lost
//! sessions, slow answers, answers that never come, clocks that run apart. The lock and the guard of
//! the leader's writes are tested with the other one switched off.

use std::collections::HashMap;

use super::*;

const STEP: u64 = 50;
/// The server ends a session that was silent for so long.
const SESSION_LIFE: u64 = 6_000;
/// An answer is waited for so long.
const ANSWER: u64 = 3_000;

fn at(ms: u64) -> BootTime {
    BootTime(Duration::from_millis(ms))
}

/// What holds in a script.
#[derive(Clone, Copy)]
struct Rules {
    timings: Timings,
    /// Off: everybody gets the lock at any time.
    has_lock: bool,
    /// The database forgets the last term now and then, as an asynchronous standby does that takes over.
    forgets: bool,
}

/// The database as far as leadership goes: a lock that belongs to a session, and the fenced row.
#[derive(Default)]
struct Database {
    lock: Option<u64>,
    heard: HashMap<u64, u64>,
    epoch: i64,
    holder: Option<Uuid>,
    before: (i64, Option<Uuid>),
}

impl Database {
    fn is_alive(&self, session: u64, now: u64) -> bool {
        self.heard.get(&session).is_some_and(|heard| now - heard <= SESSION_LIFE)
    }

    /// Ends a session; its lock is free.
    fn end(&mut self, session: u64) {
        self.heard.remove(&session);
        self.lock = self.lock.filter(|owner| *owner != session);
    }
}

/// A statement on its way: when it is run, when its answer is read, and what that will be.
struct Sent {
    step: Step,
    started: BootTime,
    runs_at: u64,
    read_at: u64,
    answer: Option<(bool, i64)>,
}

struct Replica {
    elector: Elector,
    session: u64,
    sent: Option<Sent>,
    frozen_until: u64,
    /// Its clock runs by this many percent of the true one.
    pace: u64,
}

/// What a script showed.
#[derive(Default)]
struct Seen {
    terms: u64,
    /// Moments at which two replicas thought that they may write.
    together: u64,
    /// Writes that the guard let through after those of a later term.
    stale: u64,
}

fn run(rules: Rules, seed: u64) -> Seen {
    let mut source = Elector::new(rules.timings, seed.wrapping_mul(0x5851_f42d), at(0));
    let mut pick = |below: u64| source.next_random() % below;
    let mut database = Database::default();
    let mut sessions = 0;
    let mut seen = Seen::default();
    let mut written: Vec<Uuid> = Vec::new();
    let mut writes: Vec<(u64, u64, Held)> = Vec::new();
    let mut replicas: Vec<Replica> = (0..3)
        .map(|n| Replica {
            elector: Elector::new(rules.timings, (seed * 3 + n) * 2, at(0)),
            session: 0,
            sent: None,
            frozen_until: 0,
            pace: 80 + pick(41),
        })
        .collect();
    for now in (0..60_000).step_by(50) {
        if database.lock.is_some_and(|owner| !database.is_alive(owner, now)) {
            database.lock = None;
        }
        if rules.forgets && pick(200) == 0 {
            (database.epoch, database.holder) = database.before;
            (database.lock, database.heard) = (None, HashMap::new());
        }
        writes.retain(|(runs_at, session, held)| {
            // A write dies with its session, as after a fail-over.
            let has_session = database.heard.contains_key(session);
            let is_guarded = held.epoch == database.epoch && Some(held.holder) == database.holder;
            if now >= *runs_at && has_session && is_guarded && written.last() != Some(&held.holder)
            {
                seen.stale += u64::from(written.contains(&held.holder));
                written.push(held.holder);
            }
            now < *runs_at
        });
        for replica in &mut replicas {
            let local = at(now * replica.pace / 100);
            if let Some(sent) = replica.sent.as_mut().filter(|sent| now >= sent.runs_at)
                && sent.answer.is_none()
                && database.is_alive(replica.session, now)
            {
                database.heard.insert(replica.session, now);
                sent.answer = Some(answer(
                    rules,
                    &mut database,
                    replica.session,
                    sent.step,
                    &replica.elector,
                ));
                seen.terms += u64::from(matches!(sent.step, Step::OpenTerm(_)));
            }
            if now < replica.frozen_until {
                continue;
            }
            match pick(500) {
                0 => replica.frozen_until = now + 1_000 + pick(15_000),
                1 => {
                    database.end(replica.session);
                    replica.elector.failed();
                }
                _ => {}
            }
            if let Some(sent) = &replica.sent {
                let is_late = local.since(sent.started) >= at(ANSWER).0;
                if now < sent.read_at && !is_late {
                    continue;
                }
                let elector = &mut replica.elector;
                match (sent.step, sent.answer.filter(|_| now >= sent.read_at)) {
                    (_, None) => elector.failed(),
                    (Step::TryLock, Some((granted, _))) => {
                        elector.lock_tried(sent.started, local, granted, None);
                    }
                    (Step::OpenTerm(_), Some((_, epoch))) => elector.term_opened(epoch),
                    (_, Some((is_mine, _))) => elector.renewed(sent.started, is_mine),
                }
                replica.sent = None;
            }
            match replica.elector.step(local) {
                Step::Wait(_) | Step::Break(_) => {}
                Step::Connect => {
                    sessions += 1;
                    replica.session = sessions;
                    database.heard.insert(sessions, now);
                    replica.elector.connected(local);
                }
                Step::Drop => {
                    database.end(replica.session);
                    replica.elector.dropped(local);
                }
                step => {
                    let runs_at = now + pick(8) * STEP + pick(20) / 19 * pick(4_000);
                    let read_at = runs_at + pick(8) * STEP;
                    let answer = None;
                    replica.sent = Some(Sent { step, started: local, runs_at, read_at, answer });
                }
            }
            if let Some(held) = replica.elector.may_fire(local) {
                writes.push((now + pick(40) * STEP, replica.session, held));
            }
        }
        let leaders = replicas
            .iter()
            .filter(|replica| replica.elector.may_fire(at(now * replica.pace / 100)).is_some())
            .count();
        seen.together += u64::from(leaders > 1);
    }
    seen
}

/// What the database does with a statement: whether it was granted, and the number of the term.
fn answer(
    rules: Rules,
    database: &mut Database,
    session: u64,
    step: Step,
    elector: &Elector,
) -> (bool, i64) {
    let has_lock = !rules.has_lock || database.lock == Some(session);
    match step {
        Step::TryLock => {
            let is_granted = !rules.has_lock || database.lock.is_none();
            if is_granted {
                database.lock = Some(session);
            }
            (is_granted, 0)
        }
        Step::OpenTerm(holder) => {
            database.before = (database.epoch, database.holder);
            (database.epoch, database.holder) = (database.epoch + 1, Some(holder));
            (true, database.epoch)
        }
        _ => {
            let Phase::Leader(held) = elector.phase else { return (false, 0) };
            let is_term = held.epoch == database.epoch && Some(held.holder) == database.holder;
            (has_lock && is_term, 0)
        }
    }
}

fn all(rules: Rules, seeds: u64) -> Seen {
    let mut sum = Seen::default();
    for seed in 0..seeds {
        let seen = run(rules, seed);
        sum.terms += seen.terms;
        sum.together += seen.together;
        sum.stale += seen.stale;
    }
    sum
}

#[test]
fn with_the_lock_alone_never_two_think_that_they_lead() {
    let seen = all(Rules { timings: Timings::default(), has_lock: true, forgets: false }, 1_000);
    assert_eq!(seen.together, 0);
    assert!(seen.terms > 3_000, "terms change: {}", seen.terms);
}

#[test]
fn with_the_guard_alone_no_term_writes_after_a_later_one() {
    let seen = all(Rules { timings: Timings::default(), has_lock: false, forgets: true }, 1_000);
    assert_eq!(seen.stale, 0);
    assert!(seen.together > 1_000, "there was something to guard: {}", seen.together);
}

#[test]
fn trust_beyond_the_life_of_the_session_would_be_caught() {
    let timings = Timings { trust: Duration::from_secs(9), ..Timings::default() };
    let seen = all(Rules { timings, has_lock: true, forgets: false }, 100);
    assert!(seen.together > 0);
    assert_eq!(seen.stale, 0, "the guard holds also then");
}
