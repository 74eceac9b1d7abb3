use super::*;

fn at(ms: u64) -> BootTime {
    BootTime(Duration::from_millis(ms))
}

fn standby() -> Elector {
    let mut elector = Elector::new(Timings::default(), 7, at(0));
    assert_eq!(elector.step(at(0)), Step::Connect);
    elector.connected(at(0));
    elector
}

fn leader(started: u64) -> Elector {
    let mut elector = standby();
    assert_eq!(elector.step(at(started)), Step::TryLock);
    elector.lock_tried(at(started), at(started + 10), true, None);
    let Step::OpenTerm(_) = elector.step(at(started + 10)) else { panic!("opens a term") };
    elector.term_opened(1);
    elector
}

fn holder(tick: i64) -> Holder {
    Holder { pid: 5, started_at: Timestamp::UNIX_EPOCH, tick }
}

#[test]
fn trust_is_counted_from_the_begin_of_a_renewal_however_slow_it_was() {
    let mut elector = leader(0);
    assert_eq!(elector.step(at(1_000)), Step::Renew);
    elector.renewed(at(1_000), true);
    assert!(elector.may_fire(at(4_999)).is_some());
    assert_eq!(elector.may_fire(at(5_000)), None, "exactly at the deadline it is over");
    assert_eq!(elector.step(at(5_000)), Step::Drop);
    elector.renewed(at(4_900), true);
    assert_eq!(elector.may_fire(at(5_001)), None, "an answer that comes later revives nothing");
}

#[test]
fn a_renewal_that_says_no_destroys_the_session() {
    let mut elector = leader(0);
    elector.renewed(at(1_000), false);
    assert_eq!(elector.may_fire(at(1_001)), None);
    assert_eq!(elector.step(at(1_001)), Step::Drop);
    elector.dropped(at(1_001));
    assert!(matches!(elector.step(at(1_001)), Step::Wait(_)));
    assert_eq!(elector.step(at(1_101)), Step::Connect);
}

#[test]
fn each_term_has_a_holder_of_its_own() {
    let mut elector = leader(0);
    let first = elector.may_fire(at(1)).unwrap().holder;
    elector.failed();
    elector.dropped(at(10));
    elector.connected(at(200));
    elector.lock_tried(at(200), at(201), true, None);
    elector.term_opened(2);
    assert_ne!(elector.may_fire(at(202)).unwrap().holder, first);
}

#[test]
fn a_lock_without_a_term_is_given_up_with_the_session() {
    let mut elector = standby();
    elector.lock_tried(at(0), at(1), true, None);
    assert_eq!(elector.may_fire(at(2)), None, "the term is not open");
    elector.failed();
    assert_eq!(elector.step(at(2)), Step::Drop);
    elector.term_opened(3);
    assert_eq!(elector.may_fire(at(3)), None, "too late");
}

#[test]
fn polls_come_after_a_second_more_or_less() {
    let mut elector = standby();
    let mut waits = Vec::new();
    for _ in 0..200 {
        elector.lock_tried(at(0), at(0), false, None);
        let Step::Wait(until) = elector.step(at(0)) else { panic!("waits") };
        waits.push(until.0.as_millis());
    }
    assert!(waits.iter().all(|ms| (800..=1_200).contains(ms)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 20, "they spread");
}

#[test]
fn a_leader_that_resigns_is_followed_at_once() {
    let mut elector = standby();
    elector.lock_tried(at(0), at(0), false, Some(holder(1)));
    for _ in 0..100 {
        elector.freed(at(5));
    }
    assert_eq!(elector.step(at(5)), Step::TryLock);
    elector.lock_tried(at(5), at(6), false, Some(holder(1)));
    assert!(matches!(elector.step(at(6)), Step::Wait(_)), "many notices are one");
}

#[test]
fn a_holder_without_a_sign_of_life_is_ended_once_a_minute() {
    let mut elector = standby();
    for second in 0..15 {
        elector.lock_tried(at(second * 1_000), at(second * 1_000), false, Some(holder(1)));
        assert!(!matches!(elector.step(at(second * 1_000)), Step::Break(_)), "{second} s");
    }
    elector.lock_tried(at(15_000), at(15_000), false, Some(holder(1)));
    assert_eq!(elector.step(at(15_000)), Step::Break(holder(1)));
    for second in 16..74 {
        elector.lock_tried(at(second * 1_000), at(second * 1_000), false, Some(holder(1)));
        assert!(!matches!(elector.step(at(second * 1_000)), Step::Break(_)), "{second} s");
    }
    assert_eq!(elector.step(at(75_000)), Step::Break(holder(1)));
}

#[test]
fn a_holder_that_gives_signs_of_life_is_left_alone() {
    let mut elector = standby();
    for second in 0..100 {
        let tick = i64::try_from(second / 10).unwrap();
        elector.lock_tried(at(second * 1_000), at(second * 1_000), false, Some(holder(tick)));
        assert!(!matches!(elector.step(at(second * 1_000)), Step::Break(_)), "{second} s");
    }
}

#[test]
fn connecting_is_tried_often_at_first_and_patiently_later() {
    let mut elector = Elector::new(Timings::default(), 1, at(0));
    let (mut now, mut tries) = (0, 0);
    while now < 10_000 {
        if elector.step(at(now)) == Step::Connect {
            tries += 1;
            elector.dropped(at(now));
        }
        now += 10;
    }
    assert!((10..=16).contains(&tries), "{tries}");
    while now < 110_000 {
        if elector.step(at(now)) == Step::Connect {
            tries += 1;
            elector.dropped(at(now));
        }
        now += 10;
    }
    assert!((28..=40).contains(&tries), "{tries}");
}

/// The database as far as leadership goes: a lock that belongs to a session, and the fenced row.
#[derive(Default)]
struct Model {
    lock: Option<u64>,
    epoch: i64,
    holder: Option<Uuid>,
    tick: i64,
}

/// A replica: its elector, its session, and what is on its way to it.
struct Candidate {
    elector: Elector,
    session: Option<u64>,
    frozen_until: u64,
    /// Its clock runs by this many percent of the true one.
    pace: u64,
}

/// Three replicas, a thousand scripts of faults: freezes, lost sessions, slow answers, clocks that run
/// apart. Whoever may fire and passes the guard is alone.
#[test]
fn never_two_may_fire_and_pass_the_guard() {
    let mut terms = 0;
    for seed in 0..1_000_u64 {
        let mut random = Elector::new(Timings::default(), seed.wrapping_mul(77), at(0));
        let mut pick = |below: u64| random.next_random() % below;
        let mut model = Model::default();
        let mut sessions = 0_u64;
        let mut last_heard: std::collections::HashMap<u64, u64> = std::collections::HashMap::new();
        let mut replicas: Vec<Candidate> = (0..3)
            .map(|n| Candidate {
                elector: Elector::new(Timings::default(), seed * 3 + n, at(0)),
                session: None,
                frozen_until: 0,
                pace: 90 + pick(21),
            })
            .collect();
        for now in (0..60_000_u64).step_by(50) {
            // The server ends sessions that were silent for 6 s.
            if let Some(owner) = model.lock
                && now - last_heard.get(&owner).copied().unwrap_or_default() > 6_000
            {
                model.lock = None;
            }
            for replica in &mut replicas {
                if now < replica.frozen_until {
                    continue;
                }
                match pick(400) {
                    0 => replica.frozen_until = now + 1_000 + pick(15_000),
                    1 => {
                        if model.lock == replica.session {
                            model.lock = None;
                        }
                        replica.session = None;
                        replica.elector.failed();
                    }
                    _ => {}
                }
                let local = at(now * replica.pace / 100);
                // An answer may be slow, and the process may be frozen before it reads it.
                let delay = pick(20) * 50;
                let later = at((now + delay) * replica.pace / 100);
                match replica.elector.step(local) {
                    Step::Wait(_) | Step::Break(_) => {}
                    Step::Connect => {
                        sessions += 1;
                        replica.session = Some(sessions);
                        last_heard.insert(sessions, now);
                        replica.elector.connected(local);
                    }
                    Step::TryLock => {
                        let me = replica.session.unwrap();
                        last_heard.insert(me, now);
                        let granted = model.lock.is_none();
                        if granted {
                            model.lock = Some(me);
                        }
                        replica.elector.lock_tried(local, later, granted, None);
                    }
                    Step::OpenTerm(holder) => {
                        let me = replica.session.unwrap();
                        if model.lock == Some(me) {
                            last_heard.insert(me, now);
                            (model.epoch, model.holder) = (model.epoch + 1, Some(holder));
                            replica.elector.term_opened(model.epoch);
                            terms += 1;
                        } else {
                            replica.elector.failed();
                        }
                    }
                    Step::Renew => {
                        let me = replica.session.unwrap();
                        let held = replica.elector.may_fire(local);
                        let is_mine = model.lock == Some(me)
                            && held.is_some_and(|held| Some(held.holder) == model.holder);
                        if model.lock == Some(me) {
                            last_heard.insert(me, now);
                            model.tick += 1;
                        }
                        replica.elector.renewed(local, is_mine);
                    }
                    Step::Drop => {
                        if replica.session.is_some() && model.lock == replica.session {
                            model.lock = None;
                        }
                        replica.session = None;
                        replica.elector.dropped(local);
                    }
                }
            }
            let passing = replicas
                .iter()
                .filter(|replica| now >= replica.frozen_until)
                .filter_map(|replica| replica.elector.may_fire(at(now * replica.pace / 100)))
                .filter(|held| held.epoch == model.epoch && Some(held.holder) == model.holder)
                .count();
            assert!(passing <= 1, "seed {seed}, {now} ms: {passing} leaders");
        }
    }
    assert!(terms > 3_000, "terms changed: {terms}");
}
