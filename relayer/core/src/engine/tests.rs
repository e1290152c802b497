//! The transition table as rows, and the rules of turns, deadlines and back-offs.

use catenary_api::PacketEvent;
use catenary_light_clients::{Class, Timestamp};
use catenary_protocol::{Acknowledgement, Packet, Payload};

use super::*;

mod blocked;
mod lanes;
mod table;
mod walk;

const TIMEOUT_SECONDS: u64 = 1_000;

fn packet(sequence: u64) -> Packet {
    Packet {
        sequence,
        source_client: "client-0".into(),
        destination_client: "attestations-0".into(),
        timeout_timestamp_seconds: TIMEOUT_SECONDS,
        payloads: vec![Payload {
            source_port: "transfer".into(),
            destination_port: "transfer".into(),
            version: "ics20-1".into(),
            encoding: "application/x-solidity-abi".into(),
            value: vec![1],
        }],
    }
}

fn ack() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![b"ok".to_vec()] }
}

fn engine(own: &str) -> Engine {
    let options = Options {
        path: "p".into(),
        operators: ["alpha", "beta", "gamma"].map(String::from).to_vec(),
        own: own.into(),
        turn_delay_blocks: 3,
        bucket: 8,
        job_items_max: 64,
        recv_margin_seconds: 5,
    };
    let mut engine = Engine::new(options);
    for side in [Side::A, Side::B] {
        assert_eq!(engine.step(head(side, 100, 100)), vec![]);
    }
    engine
}

/// The operator whose rank is `wanted` for the first bucket of packets from A.
fn operator(wanted: u64, kind: JobKind) -> &'static str {
    let operators = ["alpha", "beta", "gamma"];
    let all = operators.map(String::from).to_vec();
    let direction = kind as u8;
    operators.iter().find(|own| turn("p", direction, 0, &all, own).rank == wanted).expect("one has the rank")
}

fn head(side: Side, height: u64, seconds: u64) -> Event {
    Event::Head { side, height, timestamp: Timestamp::from_seconds(seconds) }
}

fn claim(side: Side, height: u64, event: PacketEvent) -> Event {
    Event::Claim { side, height, event, at: Timestamp::from_seconds(1) }
}

fn sent(sequence: u64) -> Event {
    claim(Side::A, 90, PacketEvent::Sent(packet(sequence)))
}

fn wrote_ack(sequence: u64) -> Event {
    claim(Side::B, 95, PacketEvent::WroteAck { packet: packet(sequence), acknowledgement: ack() })
}

fn acknowledged(sequence: u64) -> Event {
    claim(Side::A, 96, PacketEvent::Acknowledged(packet(sequence)))
}

const KEY: Key = Key { source: Side::A, sequence: 1 };

fn one_job(engine: &mut Engine) -> Job {
    let jobs = engine.due();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.into_iter().next().expect("one")
}

fn finish(engine: &mut Engine, job: &Job, outcome: &ItemOutcome) -> Vec<Effect> {
    let items = job.items.iter().map(|key| (*key, outcome.clone())).collect();
    engine.step(Event::JobDone { job: job.id, items })
}

fn failure(class: Class) -> ItemOutcome {
    ItemOutcome::Failed { code: "X-1", class, message: "refused".into() }
}

fn blocked() -> ItemOutcome {
    ItemOutcome::Blocked { code: "X-2", message: "client_frozen".into() }
}

#[test]
fn claims_move_a_packet_as_the_table_says() {
    let check = |events: Vec<Event>, expect: Option<State>, recorded: usize| {
        let mut engine = engine("alpha");
        let count = events.iter().map(|event| engine.step(event.clone()).len()).sum::<usize>();
        assert_eq!(engine.packet(&KEY).map(|entry| entry.state.clone()), expect, "{events:?}");
        assert_eq!(count, recorded, "{events:?}");
    };
    check(vec![sent(1)], Some(State::Sent), 1);
    check(vec![sent(1), sent(1)], Some(State::Sent), 1);
    check(vec![wrote_ack(1)], Some(State::Received), 1);
    check(vec![sent(1), wrote_ack(1)], Some(State::Received), 2);
    check(vec![wrote_ack(1), sent(1)], Some(State::Received), 2);
    check(vec![wrote_ack(1), sent(1), sent(1)], Some(State::Received), 2);
    check(vec![sent(1), wrote_ack(1), wrote_ack(1)], Some(State::Received), 2);
    check(vec![acknowledged(1)], None, 0);
    check(vec![sent(1), acknowledged(1)], Some(State::Closing), 2);
    check(vec![sent(1), acknowledged(1), acknowledged(1)], Some(State::Closing), 2);
    check(vec![sent(1), acknowledged(1), wrote_ack(1)], Some(State::Closing), 3);
}

#[test]
fn a_full_engine_takes_only_claims_of_what_it_holds() {
    let mut engine = engine("alpha").holding_at_most(2);
    for sequence in [1, 2] {
        assert_eq!(engine.step(sent(sequence)).len(), 1);
    }
    assert_eq!((engine.room(), engine.has_much_room()), (0, false));
    // Others are left out, by whichever claim they come, and told with where they are scanned again.
    assert_eq!(engine.step(sent(3)), [Effect::NoRoom { side: Side::A, height: 90 }]);
    assert_eq!(engine.step(wrote_ack(3)), [Effect::NoRoom { side: Side::B, height: 95 }]);
    assert!(engine.packet(&Key { sequence: 3, ..KEY }).is_none());
    // What is held moves on and ends.
    assert_eq!(engine.step(sent(1)), []);
    assert_eq!(engine.step(wrote_ack(2)), [Effect::Entered { key: Key { sequence: 2, ..KEY } }]);
    assert_eq!(engine.step(acknowledged(1)), [Effect::Entered { key: KEY }]);
    let job = engine.due().into_iter().find(|job| job.kind == JobKind::Confirm).expect("it is confirmed");
    let ended = finish(&mut engine, &job, &ItemOutcome::Closed(Outcome::Acknowledged));
    assert!(matches!(ended.as_slice(), [Effect::Ended { .. }]), "{ended:?}");
    assert_eq!((engine.room(), engine.has_much_room()), (1, true));
    assert_eq!(engine.step(wrote_ack(3)).len(), 1, "there is room again");
    assert_eq!(engine.step(sent(1)), [], "what has ended needs no room");
}

#[test]
fn a_packet_goes_from_sent_to_ended() {
    let mut engine = engine(operator(0, JobKind::Recv));
    let _ = engine.step(sent(1));
    let job = one_job(&mut engine);
    assert_eq!((job.kind, job.to, job.min_proof_height), (JobKind::Recv, Side::B, 90));
    assert_eq!(engine.due(), vec![], "one sending job a side");
    assert_eq!(finish(&mut engine, &job, &ItemOutcome::Delivered { height: 101 }), vec![]);
    let _ = engine.step(wrote_ack(1));
    // The leader of the ack may be another operator: wait out all turns.
    let _ = engine.step(head(Side::A, 120, 120));
    let _ = engine.due();
    let _ = engine.step(head(Side::A, 140, 140));
    let running = engine.jobs().next().cloned();
    let job = running.unwrap_or_else(|| one_job(&mut engine));
    assert_eq!((job.kind, job.to), (JobKind::Ack, Side::A));
    assert_eq!(finish(&mut engine, &job, &ItemOutcome::Delivered { height: 141 }), vec![Effect::Entered { key: KEY }]);
    assert_eq!(engine.due(), vec![], "the closing height is not provable yet");
    let _ = engine.step(head(Side::A, 141, 141));
    let job = one_job(&mut engine);
    assert_eq!((job.kind, job.to, job.min_proof_height), (JobKind::Confirm, Side::A, 141));
    let effects = finish(&mut engine, &job, &ItemOutcome::Closed(Outcome::Acknowledged));
    assert!(matches!(effects.as_slice(), [Effect::Ended { outcome: Outcome::Acknowledged, .. }]), "{effects:?}");
    // Nothing brings it back.
    for event in [sent(1), wrote_ack(1), acknowledged(1)] {
        assert_eq!(engine.step(event), vec![]);
    }
    assert_eq!(engine.packets().count(), 0);
}

#[test]
fn nothing_is_due_above_the_verified_head() {
    let mut engine = engine(operator(0, JobKind::Recv));
    let _ = engine.step(claim(Side::A, 101, PacketEvent::Sent(packet(1))));
    assert_eq!(engine.due(), vec![]);
    let _ = engine.step(head(Side::A, 101, 101));
    assert_eq!(one_job(&mut engine).kind, JobKind::Recv);
}

#[test]
fn ranks_wait_their_turns() {
    for wanted in 0..3 {
        let mut engine = engine(operator(wanted, JobKind::Recv));
        let _ = engine.step(sent(1));
        let due_at = (100..120).find(|height| {
            let _ = engine.step(head(Side::B, *height, *height));
            !engine.due().is_empty()
        });
        assert_eq!(due_at, Some(100 + wanted * 3), "rank {wanted}");
    }
}

#[test]
fn a_short_deadline_skips_the_turns() {
    let mut engine = engine(operator(2, JobKind::Recv));
    let _ = engine.step(head(Side::B, 101, TIMEOUT_SECONDS - 12));
    let _ = engine.step(sent(1));
    assert_eq!(one_job(&mut engine).kind, JobKind::Recv);
}

#[test]
fn deadlines_decide_between_receiving_waiting_and_timing_out() {
    let check = |destination_seconds: u64, expect: Option<(JobKind, Side)>| {
        let mut engine = engine(operator(0, JobKind::Recv));
        let _ = engine.step(head(Side::B, 101, destination_seconds));
        let _ = engine.step(sent(1));
        let mut jobs = engine.due();
        // A timeout has another leader: let its turns pass.
        let _ = engine.step(head(Side::A, 150, 150));
        jobs.extend(engine.due());
        assert_eq!(jobs.first().map(|job| (job.kind, job.to)), expect, "at {destination_seconds} s");
    };
    check(TIMEOUT_SECONDS - 100, Some((JobKind::Recv, Side::B)));
    check(TIMEOUT_SECONDS - 6, Some((JobKind::Recv, Side::B)));
    check(TIMEOUT_SECONDS - 5, None);
    check(TIMEOUT_SECONDS - 1, None);
    check(TIMEOUT_SECONDS, Some((JobKind::Timeout, Side::A)));
    check(TIMEOUT_SECONDS + 1, Some((JobKind::Timeout, Side::A)));
}

#[test]
fn refusals_back_off_and_park_and_transient_failures_never_park() {
    let check = |class: Class, rounds: u32, parked: bool| {
        let mut engine = engine(operator(0, JobKind::Recv));
        let _ = engine.step(sent(1));
        let mut height = 100;
        let mut failed = 0;
        while failed < rounds && height < 5_000 {
            for job in engine.due() {
                let _ = finish(&mut engine, &job, &failure(class));
                failed += 1;
            }
            height += 1;
            let _ = engine.step(head(Side::B, height, 200));
        }
        let state = engine.packet(&KEY).map(|entry| entry.state.clone());
        assert_eq!(matches!(state, Some(State::Parked(_))), parked, "{class:?} {rounds}");
    };
    check(Class::Permanent, limits::REFUSALS_MAX - 1, false);
    check(Class::Permanent, limits::REFUSALS_MAX, true);
    check(Class::Misbehaviour, limits::REFUSALS_MAX, true);
    check(Class::Transient, 100, false);
}

#[test]
fn what_the_source_committed_wins_over_the_body_of_an_acknowledgement() {
    let mut engine = engine("alpha");
    let mut forged = packet(1);
    forged.timeout_timestamp_seconds += 1;
    let _ = engine.step(claim(Side::B, 95, PacketEvent::WroteAck { packet: forged, acknowledgement: ack() }));
    assert_eq!(engine.step(sent(1)), vec![Effect::Entered { key: KEY }]);
    let entry = engine.packet(&KEY).expect("open");
    assert_eq!((&entry.packet, &entry.state, entry.sent_height), (&packet(1), &State::Received, 90));
}

#[test]
fn an_acknowledgement_that_is_proven_absent_gives_the_packet_back() {
    let mut engine = engine(operator(0, JobKind::Ack));
    let _ = engine.step(sent(1));
    let _ = engine.step(wrote_ack(1));
    let _ = engine.step(head(Side::A, 200, 200));
    let job = one_job(&mut engine);
    assert_eq!(job.kind, JobKind::Ack);
    let effects = finish(&mut engine, &job, &ItemOutcome::NotAcked);
    assert_eq!(effects, vec![Effect::Entered { key: KEY }, Effect::Rescan { side: Side::B, height: 95 }]);
    assert_eq!(engine.packet(&KEY).map(|entry| entry.state.clone()), Some(State::Sent));
}

/// Found in review: heights of the two sides were compared with one another.
#[test]
fn heights_of_the_two_sides_are_never_mixed() {
    let check = |a: u64, b: u64| {
        let options = engine(operator(0, JobKind::Recv)).options;
        let mut engine = Engine::new(options);
        let _ = engine.step(head(Side::A, a, 100));
        let _ = engine.step(head(Side::B, b, 100));
        let _ = engine.step(claim(Side::A, a, PacketEvent::Sent(packet(1))));
        // Deliveries fail until the deadline has passed.
        for height in b..b + 20 {
            for job in engine.due() {
                assert_eq!(job.kind, JobKind::Recv);
                let _ = finish(&mut engine, &job, &failure(Class::Transient));
            }
            let _ = engine.step(head(Side::B, height, 200));
        }
        let _ = engine.step(head(Side::B, b + 21, TIMEOUT_SECONDS));
        let due = (a..a + 30).find_map(|height| {
            let _ = engine.step(head(Side::A, height, 300));
            engine.due().into_iter().find(|job| job.kind == JobKind::Timeout)
        });
        let due = due.unwrap_or_else(|| panic!("no refund with A at {a} and B at {b}"));
        // Somebody says that it has ended, which is not so: it is refunded all the same.
        let _ = finish(&mut engine, &due, &ItemOutcome::AlreadyDone);
        let confirm = (a + 30..a + 60).find_map(|height| {
            let _ = engine.step(head(Side::A, height, 400));
            engine.due().into_iter().find(|job| job.kind == JobKind::Confirm)
        });
        let _ = finish(&mut engine, &confirm.expect("looked at"), &ItemOutcome::StillOpen);
        let _ = engine.step(head(Side::B, b + 100, TIMEOUT_SECONDS + 100));
        let again = (a + 60..a + 120).find_map(|height| {
            let _ = engine.step(head(Side::A, height, 500));
            engine.due().into_iter().find(|job| job.kind == JobKind::Timeout)
        });
        assert!(again.is_some(), "no second refund with A at {a} and B at {b}");
    };
    check(1_000, 1_000_000);
    check(1_000_000, 1_000);
}

#[test]
fn a_parked_packet_is_refunded_when_its_time_has_come() {
    let mut engine = engine(operator(0, JobKind::Timeout));
    let _ = engine.step(sent(1));
    let mut entry = engine.packet(&KEY).expect("open").clone();
    entry.state = State::Parked(ParkReason { code: "X-1", message: String::new(), client: None });
    engine.restore(KEY, entry);
    assert_eq!(engine.due(), vec![]);
    let _ = engine.step(head(Side::B, 101, TIMEOUT_SECONDS));
    assert_eq!(one_job(&mut engine).kind, JobKind::Timeout);
}

#[test]
fn a_receipt_that_the_scan_does_not_show_is_looked_for() {
    let mut engine = engine(operator(0, JobKind::Recv));
    let _ = engine.step(head(Side::B, 5_000, 200));
    let _ = engine.step(sent(1));
    let mut effects = Vec::new();
    for height in [5_001, 5_020, 5_040] {
        let _ = engine.step(head(Side::B, height, 200));
        for job in engine.due() {
            effects.extend(finish(&mut engine, &job, &ItemOutcome::AlreadyDone));
        }
    }
    assert_eq!(effects, vec![Effect::Rescan { side: Side::B, height: 4_020 }]);
}

#[test]
fn a_parked_packet_goes_on_when_released() {
    let mut engine = engine("alpha");
    let _ = engine.step(sent(1));
    let mut entry = engine.packet(&KEY).expect("open").clone();
    entry.state = State::Parked(ParkReason { code: "X-1", message: String::new(), client: None });
    engine.restore(KEY, entry);
    assert_eq!(engine.step(Event::Release { key: KEY }), vec![Effect::Entered { key: KEY }]);
    assert_eq!(engine.packet(&KEY).map(|entry| entry.state.clone()), Some(State::Sent));
    assert_eq!(engine.step(Event::Release { key: KEY }), vec![]);
}

#[test]
fn an_unknown_job_is_counted_as_impossible() {
    let mut engine = engine("alpha");
    assert_eq!(engine.step(Event::JobDone { job: JobId(9), items: vec![] }), vec![]);
    assert_eq!(engine.impossible(), 1);
}

#[test]
fn a_job_takes_no_more_than_its_bound() {
    let mut engine = engine(operator(0, JobKind::Recv));
    (1..=200).for_each(|sequence| drop(engine.step(sent(sequence))));
    let first = one_job(&mut engine);
    let _ = finish(&mut engine, &first, &ItemOutcome::Expired);
    let _ = engine.step(head(Side::B, 110, 110));
    assert_eq!(one_job(&mut engine).items.len(), limits::JOB_ITEMS_MAX);
}

#[test]
fn those_after_a_leader_wait_while_it_works_through_its_backlog() {
    // Sequences 1 to 8 are one bucket; sequence 8 is seen to be received at `progress`, sequence 1 is still open.
    let received = |_: &Engine| PacketEvent::WroteAck { packet: packet(8), acknowledgement: ack() };
    // The leader brings an acknowledgement home to the same side; or to a packet that somebody else leads.
    let acknowledged = |engine: &Engine, same: bool| {
        let leader = engine.turn_of(JobKind::Recv, Key { source: Side::A, sequence: 1 }).leader;
        let led = |sequence| engine.turn_of(JobKind::Ack, Key { source: Side::B, sequence }).leader == leader;
        PacketEvent::Acknowledged(packet((1..100).find(|sequence| led(*sequence) == same).unwrap()))
    };
    let check_with = |event: &dyn Fn(&Engine) -> PacketEvent, progress: Option<u64>, expect: u64| {
        let mut engine = engine(operator(1, JobKind::Recv));
        let _ = engine.step(sent(1));
        assert_eq!(engine.due(), vec![], "the leader comes first");
        if let Some(height) = progress {
            let event = event(&engine);
            let _ = engine.step(claim(Side::B, height, event));
        }
        let due_at = (100..400).find(|height| {
            let _ = engine.step(head(Side::B, *height, 200));
            engine.due().iter().any(|job| job.kind == JobKind::Recv)
        });
        assert_eq!(due_at, Some(expect), "progress at {progress:?}");
    };
    let check = |progress, expect| check_with(&received, progress, expect);
    check(None, 103);
    check(Some(99), 103);
    check(Some(110), 113);
    // One that leaves packets out is not waited for without end.
    check(Some(390), 100 + 3 * limits::TURN_WAITS_MAX);
    check_with(&|engine| acknowledged(engine, true), Some(110), 113);
    check_with(&|engine| acknowledged(engine, false), Some(110), 103);
}

#[test]
fn a_delivery_under_way_does_not_delay_a_refund() {
    let mut engine = engine("alpha");
    let _ = engine.step(wrote_ack(2));
    // All turns have passed.
    let _ = engine.step(head(Side::A, 200, 200));
    let delivery = one_job(&mut engine);
    assert_eq!((delivery.kind, delivery.to), (JobKind::Ack, Side::A));
    let _ = engine.step(head(Side::B, 101, TIMEOUT_SECONDS));
    let _ = engine.step(sent(1));
    let _ = engine.step(head(Side::A, 250, 250));
    let refund = one_job(&mut engine);
    assert_eq!((refund.kind, refund.to, refund.items.as_slice()), (JobKind::Timeout, Side::A, [KEY].as_slice()));
    // Each has one place: what comes later waits for it.
    let _ = engine.step(sent(3));
    let _ = engine.step(wrote_ack(4));
    let _ = engine.step(head(Side::A, 300, 300));
    assert_eq!(engine.due(), vec![]);
    let _ = finish(&mut engine, &refund, &ItemOutcome::Delivered { height: 251 });
    assert!(engine.due().iter().any(|job| job.kind == JobKind::Timeout));
}
