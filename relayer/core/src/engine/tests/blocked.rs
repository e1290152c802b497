//! Packets that wait for an on-chain client, and go on by themselves.

use super::*;

fn parked(engine: &Engine) -> Option<(&'static str, Option<Side>)> {
    match engine.packet(&KEY).map(|entry| &entry.state) {
        Some(State::Parked(reason)) => Some((reason.code, reason.client)),
        _ => None,
    }
}

/// Lets all turns of a side pass, and gives the job that is due then.
fn later(engine: &mut Engine, side: Side, height: u64, seconds: u64) -> Vec<Job> {
    let _ = engine.step(head(side, height, seconds));
    engine.due()
}

#[test]
fn a_blocked_packet_costs_nothing_until_its_client_is_active_and_then_goes_on() {
    // A delivery waits for the destination's client, an acknowledgement for the source's.
    let check = |events: Vec<Event>, kind: JobKind, client: Side, after: State| {
        let mut engine = engine(operator(0, kind));
        for event in events {
            let _ = engine.step(event);
        }
        let mut jobs = engine.due();
        jobs.extend(later(&mut engine, client, 200, 150));
        let job = jobs.into_iter().find(|job| job.kind == kind).expect("it is due");
        assert_eq!(finish(&mut engine, &job, &blocked()), vec![Effect::Entered { key: KEY }]);
        assert_eq!((parked(&engine), engine.waits_for_client(client)), (Some(("X-2", Some(client))), true));
        for height in 201..400 {
            assert_eq!(later(&mut engine, Side::A, height, 160), vec![], "{kind:?}: nothing is tried");
            assert_eq!(later(&mut engine, Side::B, height, 160), vec![], "{kind:?}: nothing is tried");
        }
        assert_eq!(engine.step(Event::ClientActive { side: client.other() }), vec![], "another client");
        assert_eq!(engine.step(Event::ClientActive { side: client }), vec![Effect::Entered { key: KEY }]);
        assert_eq!(engine.packet(&KEY).map(|entry| entry.state.clone()), Some(after), "{kind:?}");
        assert!(!engine.waits_for_client(client));
        let again = (400..440).find_map(|height| {
            let jobs = [later(&mut engine, Side::A, height, 170), later(&mut engine, Side::B, height, 170)];
            jobs.into_iter().flatten().find(|job| job.kind == kind)
        });
        assert!(again.is_some(), "{kind:?}: it is tried again");
    };
    check(vec![sent(1)], JobKind::Recv, Side::B, State::Sent);
    check(vec![sent(1), wrote_ack(1)], JobKind::Ack, Side::A, State::Received);
}

#[test]
fn a_refund_goes_through_the_source_s_client_and_waits_for_that_one_alone() {
    let mut engine = engine(operator(0, JobKind::Recv));
    let _ = engine.step(sent(1));
    let job = one_job(&mut engine);
    let _ = finish(&mut engine, &job, &blocked());
    assert_eq!(parked(&engine), Some(("X-2", Some(Side::B))), "the destination's client is frozen");
    // Its time has come: the source's client is another one.
    let _ = engine.step(head(Side::B, 101, TIMEOUT_SECONDS));
    let refund = (101..140).find_map(|height| later(&mut engine, Side::A, height, 200).pop()).expect("a refund");
    assert_eq!((refund.kind, refund.to), (JobKind::Timeout, Side::A));
    assert_eq!(finish(&mut engine, &refund, &blocked()), vec![Effect::Entered { key: KEY }], "for another client now");
    assert_eq!(parked(&engine), Some(("X-2", Some(Side::A))));
    for height in 140..340 {
        assert_eq!(later(&mut engine, Side::A, height, height), vec![], "nothing is tried");
        let _ = engine.step(head(Side::B, height, TIMEOUT_SECONDS + height));
    }
    assert_eq!(engine.step(Event::ClientActive { side: Side::B }), vec![], "the other one's recovery does not help");
    assert_eq!(engine.step(Event::ClientActive { side: Side::A }), vec![Effect::Entered { key: KEY }]);
    let refund = (340..400).find_map(|height| later(&mut engine, Side::A, height, height).pop()).expect("a refund");
    assert_eq!(refund.kind, JobKind::Timeout);
}

#[test]
fn what_moves_on_elsewhere_leaves_the_wait() {
    let check = |event: Event, expect: State| {
        let mut engine = engine(operator(0, JobKind::Recv));
        let _ = engine.step(sent(1));
        let job = one_job(&mut engine);
        let _ = finish(&mut engine, &job, &blocked());
        let _ = engine.step(event.clone());
        assert_eq!(engine.packet(&KEY).map(|entry| entry.state.clone()), Some(expect), "{event:?}");
        assert!(!engine.waits_for_client(Side::B), "{event:?}");
    };
    check(wrote_ack(1), State::Received);
    check(acknowledged(1), State::Closing);
    check(Event::Release { key: KEY }, State::Sent);
}

#[test]
fn one_that_waits_for_a_person_does_not_go_on_with_a_client() {
    let mut engine = engine("alpha");
    let _ = engine.step(sent(1));
    let mut entry = engine.packet(&KEY).expect("open").clone();
    entry.state = State::Parked(ParkReason { code: "X-1", message: String::new(), client: None });
    engine.restore(KEY, entry);
    for side in [Side::A, Side::B] {
        assert!(!engine.waits_for_client(side));
        assert_eq!(engine.step(Event::ClientActive { side }), vec![]);
    }
    assert_eq!(parked(&engine), Some(("X-1", None)));
}
