//! Every state × every event: a transition, an ignored duplicate, or a counted impossibility. Nothing else.

use super::*;

/// What an event does to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// It is in this state afterwards, and was not before.
    To(&'static str),
    /// It stays where it is, and something is remembered.
    Stays,
    /// Nothing changes.
    Nothing,
    /// Nothing changes, and it is counted.
    Impossible,
}
use Does::{Impossible, Nothing, Stays, To};

const STATES: [&str; 6] = ["unknown", "sent", "received", "closing", "parked", "ended"];

fn state(engine: &Engine) -> &'static str {
    match engine.packet(&KEY).map(|entry| &entry.state) {
        Some(State::Sent) => "sent",
        Some(State::Received) => "received",
        Some(State::Closing) => "closing",
        Some(State::Parked(_)) => "parked",
        None if engine.is_closed(&KEY) => "ended",
        None => "unknown",
    }
}

/// An engine whose packet is in a state.
fn engine_in(wanted: &str) -> Engine {
    let mut engine = engine("alpha");
    let events = match wanted {
        "unknown" => vec![],
        "sent" | "parked" => vec![sent(1)],
        "received" => vec![sent(1), wrote_ack(1)],
        _ => vec![sent(1), acknowledged(1)],
    };
    for event in events {
        let _ = engine.step(event);
    }
    if wanted == "parked" {
        let entry = engine.packets.get_mut(&KEY).expect("it was sent");
        entry.state = State::Parked(ParkReason { code: "X-1", message: "refused".into(), client: None });
    }
    if wanted == "ended" {
        let event = job(&mut engine, JobKind::Confirm, ItemOutcome::Closed(Outcome::Acknowledged));
        let _ = engine.step(event);
    }
    assert_eq!(state(&engine), wanted);
    engine
}

/// The end of a job of this kind that has the packet, which is in flight from now on.
fn job(engine: &mut Engine, kind: JobKind, outcome: ItemOutcome) -> Event {
    let id = JobId(77);
    let job = Job { id, kind, to: Side::A, items: vec![KEY], min_proof_height: 0 };
    engine.jobs.insert(id, job);
    if let Some(entry) = engine.packets.get_mut(&KEY) {
        entry.job = Some(id);
    }
    engine.settle(KEY);
    Event::JobDone { job: id, items: vec![(KEY, outcome)] }
}

/// What the engine remembers of the packet, but for the job that has it and its place in the schedule.
fn remembered(engine: &Engine) -> Option<Entry> {
    engine.packet(&KEY).cloned().map(|mut entry| {
        (entry.job, entry.ready) = (None, None);
        entry.place = Default::default();
        entry
    })
}

fn check(name: &str, event: impl Fn(&mut Engine) -> Event, expect: [Does; 6]) {
    for (before, expect) in STATES.into_iter().zip(expect) {
        let mut engine = engine_in(before);
        let event = event(&mut engine);
        let (known, counted) = (remembered(&engine), engine.impossible());
        let effects = engine.step(event);
        let is_same = remembered(&engine) == known && effects.is_empty();
        let got = match (engine.impossible() - counted, state(&engine)) {
            (0, after) if after != before => To(after),
            (0, _) if is_same => Nothing,
            (0, _) => Stays,
            (_, after) => {
                assert!(is_same && after == before, "{name} of {before}: an impossibility changes something");
                Impossible
            }
        };
        assert_eq!(got, expect, "{name} of a packet that is {before}");
        assert!(engine.packet(&KEY).is_none_or(|entry| entry.job.is_none()), "{name} of {before} leaks the job");
        assert_eq!(engine.schedule.len(), engine.schedule_of_packets(), "{name} of {before} leaks a place");
    }
}

#[test]
fn every_claim_of_every_state() {
    let timed_out = || claim(Side::A, 96, PacketEvent::TimedOut(packet(1)));
    check("Sent", |_| sent(1), [To("sent"), Nothing, Nothing, Nothing, Nothing, Nothing]);
    check("WroteAck", |_| wrote_ack(1), [To("received"), To("received"), Nothing, Stays, To("received"), Nothing]);
    check(
        "Acknowledged",
        |_| acknowledged(1),
        [Nothing, To("closing"), To("closing"), Nothing, To("closing"), Nothing],
    );
    check("TimedOut", |_| timed_out(), [Nothing, To("closing"), To("closing"), Nothing, To("closing"), Nothing]);
    check("Release", |_| Event::Release { key: KEY }, [Nothing, Nothing, Nothing, Nothing, To("sent"), Nothing]);
    check("ClientActive", |_| Event::ClientActive { side: Side::A }, [Nothing; 6]);
    check("Head", |_| head(Side::B, 101, 101), [Nothing; 6]);
}

#[test]
fn every_outcome_of_every_job_of_every_state() {
    use JobKind::{Ack, Confirm, Recv, Timeout};
    let check = |kind: JobKind, outcome: &ItemOutcome, expect: [Does; 6]| {
        check(&format!("{kind:?} {outcome:?}"), |engine| job(engine, kind, outcome.clone()), expect);
    };
    /// What happens where the job serves the packet's state; elsewhere its result is old news.
    fn only(states: &[&str], does: Does) -> [Does; 6] {
        STATES.map(|state| if states.contains(&state) { does } else { Nothing })
    }
    let closed = ItemOutcome::Closed(Outcome::TimedOut);
    let open = [Nothing, To("ended"), To("ended"), To("ended"), To("ended"), Nothing];
    let delivered = ItemOutcome::Delivered { height: 101 };
    for (kind, serves) in
        [(Recv, &["sent"] as &[&str]), (Ack, &["received"]), (Timeout, &["sent", "parked"]), (Confirm, &["closing"])]
    {
        check(kind, &closed, open);
        check(kind, &failure(Class::Transient), only(serves, Stays));
        check(kind, &failure(Class::Permanent), only(serves, Stays));
    }
    for outcome in [&delivered, &ItemOutcome::AlreadyDone] {
        check(Recv, outcome, only(&["sent"], Stays));
        check(Ack, outcome, only(&["received"], To("closing")));
        check(Timeout, outcome, only(&["sent", "parked"], To("closing")));
        check(Confirm, outcome, [Impossible; 6]);
    }
    check(Recv, &blocked(), only(&["sent"], To("parked")));
    check(Ack, &blocked(), only(&["received"], To("parked")));
    let mut refund = only(&["sent"], To("parked"));
    refund[4] = Stays;
    check(Timeout, &blocked(), refund);
    check(Confirm, &blocked(), [Impossible; 6]);
    check(Recv, &ItemOutcome::Expired, only(&["sent"], Stays));
    check(Ack, &ItemOutcome::NotAcked, only(&["received"], To("sent")));
    check(Confirm, &ItemOutcome::StillOpen, only(&["closing"], To("sent")));
    for kind in [Ack, Timeout, Confirm] {
        check(kind, &ItemOutcome::Expired, [Impossible; 6]);
    }
    for kind in [Recv, Timeout, Confirm] {
        check(kind, &ItemOutcome::NotAcked, [Impossible; 6]);
    }
    for kind in [Recv, Ack, Timeout] {
        check(kind, &ItemOutcome::StillOpen, [Impossible; 6]);
    }
}

#[test]
fn jobs_and_items_that_are_not_known_are_counted() {
    let unknown = |_: &mut Engine| Event::JobDone { job: JobId(9), items: vec![(KEY, ItemOutcome::AlreadyDone)] };
    check("unknown job", unknown, [Impossible; 6]);
    let foreign = |engine: &mut Engine| {
        let job = Job { id: JobId(9), kind: JobKind::Recv, to: Side::B, items: Vec::new(), min_proof_height: 0 };
        engine.jobs.insert(JobId(9), job);
        Event::JobDone { job: JobId(9), items: vec![(KEY, ItemOutcome::AlreadyDone)] }
    };
    check("item of another job", foreign, [Impossible; 6]);
}
