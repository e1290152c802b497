//! The packet engine on one core with 100,000 open packets, against a plain map of the same packets.
//!
//! A step is one event or one look for due jobs. Each packet goes its whole way while 100,000 others stay open: in
//! *idle* those wait for a height that does not come; in *backlog* all of them are due and every look finds work. The
//! reference puts each packet into a `BTreeMap` among as many others, reads it four times and takes it out, which is
//! what the way of a packet costs when nothing is decided. Budgets: 50,000 steps a second, and 2 KiB an open packet,
//! measured as what the process has resident more than before.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use catenary_api::PacketEvent;
use catenary_benches::{resident_bytes, timed, Ratio};
use catenary_core::engine::{Engine, Entry, Event, ItemOutcome, Job, JobKind, Key, Options, Outcome, Side, State};
use catenary_light_clients::Timestamp;
use catenary_protocol::{Acknowledgement, Packet, Payload};

const OPEN: u64 = 100_000;
const MOVED: u64 = 2_000;
const STEPS_PER_SECOND_MIN: f64 = 50_000.0;
const BYTES_PER_PACKET_MAX: f64 = 2_048.0;
/// Height that never comes, under which idle packets wait.
const NEVER: u64 = 1_000_000;

/// A transfer as it crosses: ABI packet data of an ERC-20 with a payment reference.
fn packet(sequence: u64) -> Packet {
    Packet {
        sequence,
        source_client: "client-0".into(),
        destination_client: "attestations-0".into(),
        timeout_timestamp_seconds: 86_400,
        payloads: vec![Payload {
            source_port: "transfer".into(),
            destination_port: "transfer".into(),
            version: "ics20-1".into(),
            encoding: "application/x-solidity-abi".into(),
            value: vec![7; 544],
        }],
    }
}

fn ack() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![br#"{"result":"AQ=="}"#.to_vec()] }
}

fn engine() -> Engine {
    let mut engine = Engine::new(Options {
        path: "bench".into(),
        operators: vec!["alpha".into()],
        own: "alpha".into(),
        turn_delay_blocks: 6,
        bucket: 20,
        job_items_max: 20,
        recv_margin_seconds: 30,
    });
    for side in [Side::A, Side::B] {
        let _ = engine.step(Event::Head { side, height: 100, timestamp: Timestamp::from_seconds(100) });
    }
    engine
}

fn claim(side: Side, height: u64, event: PacketEvent) -> Event {
    Event::Claim { side, height, event, at: Timestamp::from_seconds(1) }
}

/// An engine with the open packets, sent at this height.
fn filled(height: u64) -> Engine {
    let mut engine = engine();
    for sequence in 1..=OPEN {
        let _ = engine.step(claim(Side::A, height, PacketEvent::Sent(packet(sequence))));
    }
    engine
}

/// Steps taken by an engine.
struct Steps {
    engine: Engine,
    count: u64,
}

impl Steps {
    fn step(&mut self, event: Event) {
        self.count += 1;
        let _ = self.engine.step(event);
    }

    /// Looks for jobs and answers them; what is delivered is claimed by the chain, as a scan would.
    fn work(&mut self, height: u64) {
        self.count += 1;
        for job in self.engine.due() {
            self.answer(&job, height);
        }
    }

    fn answer(&mut self, job: &Job, height: u64) {
        let outcome = match job.kind {
            JobKind::Confirm => ItemOutcome::Closed(Outcome::Acknowledged),
            _ => ItemOutcome::Delivered { height },
        };
        let items = job.items.iter().map(|key| (*key, outcome.clone())).collect();
        // One event that moves as many packets as it has items.
        self.count += job.items.len() as u64 - 1;
        self.step(Event::JobDone { job: job.id, items });
        for key in &job.items {
            let packet = packet(key.sequence);
            let event = match job.kind {
                JobKind::Recv => claim(Side::B, height, PacketEvent::WroteAck { packet, acknowledgement: ack() }),
                JobKind::Ack => claim(Side::A, height, PacketEvent::Acknowledged(packet)),
                JobKind::Timeout | JobKind::Confirm => continue,
            };
            self.step(event);
        }
    }
}

/// Moves packets from sent to ended while the others stay open; in a backlog those that end are the oldest.
fn moved(engine: &Engine) -> (Duration, u64) {
    let mut steps = Steps { engine: engine.clone(), count: 0 };
    let open = steps.engine.packets().count();
    let mut height = 100;
    let taken = timed(|| {
        for sequence in OPEN + 1..=OPEN + MOVED {
            steps.step(claim(Side::A, height, PacketEvent::Sent(packet(sequence))));
            if sequence % 20 == 0 {
                // A block on both sides: recv, ack and confirm of a batch are looked for after each.
                height += 1;
                for side in [Side::A, Side::B] {
                    steps.step(Event::Head { side, height, timestamp: Timestamp::from_seconds(height) });
                }
                (0..3).for_each(|_| steps.work(height));
            }
        }
        while steps.engine.packets().count() > open {
            height += 1;
            for side in [Side::A, Side::B] {
                steps.step(Event::Head { side, height, timestamp: Timestamp::from_seconds(height) });
            }
            (0..3).for_each(|_| steps.work(height));
        }
    });
    assert_eq!(steps.engine.impossible(), 0);
    (taken, steps.count)
}

fn plain_map(map: &mut BTreeMap<Key, Entry>) -> Duration {
    timed(|| {
        for sequence in OPEN + 1..=OPEN + MOVED {
            let key = Key { source: Side::A, sequence };
            map.insert(key, Entry::new(packet(sequence), State::Sent, Timestamp::from_seconds(1)));
            for state in [State::Received, State::Closing, State::Received, State::Closing] {
                map.get_mut(&key).unwrap().state = state;
            }
            map.remove(&key);
        }
    })
}

fn main() {
    let before = resident_bytes();
    let idle = filled(NEVER);
    let bytes = (resident_bytes().saturating_sub(before)) as f64 / OPEN as f64;
    println!("an open packet: {bytes:.0} B resident, of which {} B are its payload", packet(1).payloads[0].value.len());
    let mut map: BTreeMap<Key, Entry> = idle.packets().map(|(key, entry)| (*key, entry.clone())).collect();
    let backlog = filled(90);
    let mut slowest = f64::MAX;
    for (name, engine) in [("idle", &idle), ("backlog", &backlog)] {
        let mut steps = 0;
        let measured = || {
            let (taken, count) = moved(engine);
            steps = count;
            taken
        };
        let ratio = Ratio::of(3, measured, || plain_map(&mut map));
        let rate = steps as f64 / ratio.measured.as_secs_f64();
        slowest = slowest.min(rate);
        println!("{name:>8}: {rate:>9.0} steps/s, {:.1} times a plain map", ratio.value());
    }
    println!("slowest: {slowest:.0} steps/s, budget {STEPS_PER_SECOND_MIN:.0}");
    assert!(slowest >= STEPS_PER_SECOND_MIN, "{slowest:.0} steps/s, budget {STEPS_PER_SECOND_MIN:.0}");
    assert!(bytes <= BYTES_PER_PACKET_MAX, "{bytes:.0} B an open packet, budget {BYTES_PER_PACKET_MAX:.0}");
}
