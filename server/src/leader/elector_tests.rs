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
    assert!((13..=22).contains(&tries), "{tries}");
    while now < 110_000 {
        if elector.step(at(now)) == Step::Connect {
            tries += 1;
            elector.dropped(at(now));
        }
        now += 10;
    }
    assert!((38..=72).contains(&tries), "{tries}");
}

#[test]
fn replicas_that_lost_the_database_together_come_back_apart() {
    let mut waits: Vec<_> = (0..50)
        .map(|seed| {
            let mut elector = Elector::new(Timings::default(), seed * 2, at(0));
            elector.dropped(at(0));
            let Step::Wait(until) = elector.step(at(0)) else { panic!("waits") };
            until.0
        })
        .collect();
    assert!(waits.iter().all(|wait| (50..=100).contains(&wait.as_millis())), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "they spread");
}

#[test]
fn a_session_that_always_fails_at_once_is_not_opened_ten_times_a_second() {
    let mut elector = Elector::new(Timings::default(), 1, at(0));
    let mut opened = 0;
    for now in (0..60_000).step_by(10) {
        match elector.step(at(now)) {
            Step::Connect => {
                opened += 1;
                elector.connected(at(now));
            }
            Step::TryLock => elector.lock_tried(at(now), at(now), true, None),
            Step::OpenTerm(_) => elector.failed(),
            Step::Drop => elector.dropped(at(now)),
            step => assert!(matches!(step, Step::Wait(_)), "{step:?}"),
        }
    }
    assert!((15..=45).contains(&opened), "{opened}");
}

#[test]
fn a_session_that_was_of_use_is_replaced_at_once() {
    let mut elector = Elector::new(Timings::default(), 1, at(0));
    for _ in 0..10 {
        elector.dropped(at(0));
    }
    elector.connected(at(20_000));
    elector.lock_tried(at(20_000), at(20_000), false, Some(holder(1)));
    elector.failed();
    elector.dropped(at(21_000));
    assert_eq!(elector.step(at(21_100)), Step::Connect);
}

#[test]
fn a_refused_replica_looks_again_after_half_a_minute() {
    let mut elector = Elector::new(Timings::default(), 1, at(0));
    elector.refused(at(0));
    assert_eq!(elector.step(at(29_999)), Step::Wait(at(30_000)));
    assert_eq!(elector.step(at(30_000)), Step::Connect);
}

#[test]
fn a_jump_of_the_databases_clock_holds_the_term_for_one_renewal() {
    let mut elector = leader(0);
    elector.hold(at(1_000));
    assert_eq!(elector.held_until(at(1_999)), Some(at(2_000)));
    assert!(elector.may_fire(at(1_999)).is_some(), "the term goes on");
    assert_eq!(elector.held_until(at(2_000)), None);
}
