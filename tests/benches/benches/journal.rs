//! The journal with its store, against the raw fdatasync of the same disk in the same run.
//!
//! The reference appends blocks of 512 bytes to a file and syncs each, in turn with lone commits. Measured is [`Ledger::record`]: a transition
//! is durable in the journal and folded into sled when it returns. With one thread each transition is a commit of its
//! own; with 64, as many as come together share one. Budgets: 5,000 transitions a second where the disk syncs a few
//! hundred times, stated as 10 transitions a raw sync; and a lone commit no slower than 3 syncs, since it writes the
//! journal and sled's own log.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured and fails by panicking")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use catenary_benches::timed;
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{PacketStep, Record, Stage};
use catenary_node::store::Ledger;

const THREADS: u64 = 64;
const ALONE: u64 = 200;
const TOGETHER: u64 = 200;
const TRANSITIONS_PER_SYNC_MIN: f64 = 10.0;
/// Transitions a second that many threads make durable where the disk does not bound them (architecture, budgets).
const TRANSITIONS_PER_SECOND_MIN: f64 = 5_000.0;
const LONE_COMMITS_PER_SYNC_MIN: f64 = 1.0 / 3.0;

fn transition(sequence: u64) -> Vec<Record> {
    let key = PacketKey { source_chain: "quorum".into(), source_client: "client-0".into(), sequence };
    vec![Record::Packet(PacketStep {
        path: "bench".into(),
        key,
        stage: Stage::Sent,
        packet: Some(vec![7; 600]),
        ack: None,
        height: sequence,
        reason: None,
        at_seconds: 1,
    })]
}

/// What one turn measured, each in times a second.
struct Rates {
    syncs: f64,
    alone: f64,
    together: f64,
}

/// Raw syncs and lone commits take turns one by one, since the time of a sync depends on what the disk did before.
fn turn(dir: &Path, turn: u64) -> Rates {
    let (ledger, _) = Ledger::open(&dir.join(format!("ledger-{turn}"))).unwrap();
    let mut file = File::create(dir.join("raw")).unwrap();
    let (mut raw, mut lone) = (Duration::ZERO, Duration::ZERO);
    for sequence in 1..=ALONE {
        raw += timed(|| {
            file.write_all(&[7; 512]).unwrap();
            file.sync_data().unwrap();
        });
        let records = transition(sequence);
        lone += timed(|| ledger.record(records).unwrap());
    }
    let together = timed(|| {
        std::thread::scope(|scope| {
            for thread in 1..=THREADS {
                let ledger = &ledger;
                scope.spawn(move || {
                    for at in 0..TOGETHER {
                        ledger.record(transition(thread * 1_000_000 + at)).unwrap();
                    }
                });
            }
        });
    });
    let rate = |count: u64, taken: Duration| count as f64 / taken.as_secs_f64();
    Rates { syncs: rate(ALONE, raw), alone: rate(ALONE, lone), together: rate(THREADS * TOGETHER, together) }
}

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut best = Rates { syncs: 0.0, alone: 0.0, together: 0.0 };
    for number in 0..3 {
        let rates = turn(dir.path(), number);
        best.syncs = best.syncs.max(rates.syncs);
        best.alone = best.alone.max(rates.alone);
        best.together = best.together.max(rates.together);
    }
    let Rates { syncs, alone, together } = best;
    println!("raw fdatasync:      {syncs:>8.0} a second");
    println!("one thread:         {alone:>8.0} transitions a second, {:.2} a raw sync", alone / syncs);
    println!("{THREADS} threads:         {together:>8.0} transitions a second, {:.1} a raw sync", together / syncs);
    // A slow disk bounds both, so the ratio shows the grouping; a quick one leaves the work of the processor to be seen.
    assert!(
        together / syncs >= TRANSITIONS_PER_SYNC_MIN || together >= TRANSITIONS_PER_SECOND_MIN,
        "budget {TRANSITIONS_PER_SECOND_MIN} transitions a second, or {TRANSITIONS_PER_SYNC_MIN} a sync of a slow disk"
    );
    assert!(alone / syncs >= LONE_COMMITS_PER_SYNC_MIN, "budget {LONE_COMMITS_PER_SYNC_MIN} lone commits a sync");
}
