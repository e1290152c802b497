//! Worlds by seed, on all cores: a fixed row of seeds, the same in every run, and seeds that nobody has seen before.

use std::collections::hash_map::RandomState;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Instant;

use super::driver::run;
use super::plan::Plan;
use super::scenarios::fault;
use super::world::lock;

/// Seeds from 1 that every run looks at.
const FIXED: u64 = 200;
/// Seeds that a run draws; `CATENARY_SEEDS` says otherwise, as `.ci/run` does, which draws thousands.
const DRAWN: u64 = 200;
/// What must have happened in the fixed worlds.
const EVERYTHING: [&str; 14] = [
    "a peer is busy",
    "a pool forgets",
    "a rival is faster",
    "blocks replaced",
    "clock jumps",
    "death After",
    "death Before",
    "death Torn",
    "disk fails",
    "endpoint left out",
    "endpoint serves again",
    "nonce used elsewhere",
    "refused by one",
    "replacement",
];
/// Faults after which a sweep looks no further.
const FAULTS_MAX: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Said whether or not the tests pass, which `println!` in a test is not.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A place to begin at that no other run begins at: standard hash maps are seeded by the operating system. Short enough
/// to be typed.
fn anywhere() -> u64 {
    1_000_000 + RandomState::new().build_hasher().finish() % 1_000_000_000_000
}

/// Runs the worlds of `count` seeds, as many at once as there are cores, and fails with what was wrong. Gives what has
/// happened in them.
fn sweep(name: &str, first: u64, count: u64) -> BTreeSet<&'static str> {
    let (next, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let (faults, seen) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let happened = Mutex::new(BTreeSet::new());
    let work = || {
        while seen.load(Ordering::Relaxed) < FAULTS_MAX {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let plan = Plan::random(first + at);
            let seed = plan.seed;
            // What the members' tasks throw is caught where they end; this is for the simulation itself.
            let report = catch_unwind(|| run(&plan, None));
            ended.fetch_add(1, Ordering::Relaxed);
            let fault = match report {
                Ok(report) => {
                    lock(&happened).extend(report.happened.keys());
                    fault(name, &plan, &report)
                }
                Err(_) => Some(format!("the simulation of seed {seed} panicked")),
            };
            if let Some(fault) = fault {
                seen.fetch_add(1, Ordering::Relaxed);
                lock(&faults).push(fault);
            }
        }
    };
    let started = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    say(&format!("{name} worlds: seeds {first} to {} on {cores} cores", first + count - 1));
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let (ended, seconds) = (ended.into_inner(), started.elapsed().as_secs_f64());
    say(&format!("{name} worlds: {ended} in {seconds:.0} s, {:.1} a second", ended as f64 / seconds));
    let faults = lock(&faults);
    assert!(faults.is_empty(), "{} bad worlds\n{}", faults.len(), faults.join("\n\n"));
    happened.into_inner().unwrap_or_default()
}

#[test]
fn fixed_worlds() {
    let happened = sweep("fixed", 1, FIXED);
    // A fault that never happens tests nothing.
    let missing: Vec<_> = EVERYTHING.iter().filter(|what| !happened.contains(*what)).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "these never happened");
}

/// `CATENARY_FIRST_SEED` begins there and not anywhere.
#[test]
fn drawn_worlds() {
    sweep("drawn", number("CATENARY_FIRST_SEED").unwrap_or_else(anywhere), number("CATENARY_SEEDS").unwrap_or(DRAWN));
}
