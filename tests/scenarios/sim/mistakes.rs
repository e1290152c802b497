//! That the simulation can fail: each deliberate bug is found within so many seeds, in worlds of a kind in which it
//! matters, and the world that finds it is good without the bug.

use catenary_core::bugs::Bug;

use super::driver::run;
use super::plan::{Crash, EndpointFaults, PeerFaults, Plan, Where};
use super::rng::Rng;

/// Expects that a bug is found by one of the first `seeds` worlds, as a violation of one of the invariants named.
fn finds(bug: Bug, seeds: u64, invariants: &[&str], world: impl Fn(u64) -> Plan) {
    for seed in 1..=seeds {
        let plan = world(seed);
        let report = run(&plan, Some(bug));
        let Some(first) = report.violations.first() else { continue };
        assert!(invariants.iter().any(|name| first.starts_with(name)), "{bug:?}, seed {seed}: {first}");
        let good = run(&plan, None);
        assert_eq!(good.violations, Vec::<String>::new(), "{bug:?}, seed {seed}: the world itself is bad");
        eprintln!("{bug:?}: found by seed {seed} of {seeds}: {first}");
        return;
    }
    panic!("{bug:?} is not found within {seeds} seeds");
}

fn calm(seed: u64) -> Plan {
    Plan { timeout_seconds: (60, 90), faults_ms: 25_000, ..Plan::calm(seed) }
}

/// One member dies at a commit that the seed draws.
fn deadly(seed: u64) -> Plan {
    let mut rng = Rng::of(seed, "deadly");
    let at = [Where::Before, Where::After][rng.below(2)];
    let crash = Crash { operator: rng.below(3), commit: rng.range(3, 40), at, down_ms: 1_000 };
    Plan { crashes: vec![crash], transfers: 8, ..calm(seed) }
}

fn lying(seed: u64) -> Plan {
    let endpoints = EndpointFaults { latency_ms: 80, lies: 150, ..EndpointFaults::default() };
    Plan { endpoints, ..calm(seed) }
}

#[test]
fn a_commit_that_is_not_flushed() {
    let invariants = ["two transactions for a nonce", "not at rest", "false release", "panic", "journal"];
    finds(Bug::SkipFsync, 10, &invariants, deadly);
}

#[test]
fn a_send_without_a_last_look() {
    let peers = PeerFaults { slow: 500, ..PeerFaults::default() };
    finds(Bug::DropRecheck, 10, &["wasted fee"], |seed| Plan { peers, transfers: 12, ..calm(seed) });
}

#[test]
fn a_signer_without_memory() {
    finds(Bug::ForgetNonceMemory, 60, &["two transactions for a nonce"], deadly);
}

#[test]
fn an_acknowledgement_without_proof() {
    finds(Bug::AcceptUnverifiedAck, 10, &["false stage"], lying);
}

#[test]
fn a_packet_without_proof() {
    finds(Bug::AcceptUnverifiedSend, 10, &["false stage"], lying);
}

#[test]
fn a_packet_that_is_too_late() {
    finds(Bug::DeliverExpired, 5, &["expired packet delivered", "not at rest"], |seed| Plan {
        timeout_seconds: (2, 10),
        ..calm(seed)
    });
}

#[test]
fn a_cursor_before_its_packets() {
    finds(Bug::ForgetCursorOrder, 60, &["not at rest"], deadly);
}

#[test]
fn an_end_by_hearsay() {
    finds(Bug::ReceiptIsEnd, 10, &["false end"], |seed| Plan { timeout_seconds: (2, 20), ..calm(seed) });
}

#[test]
fn a_refund_without_proof() {
    let endpoints = EndpointFaults { latency_ms: 80, stale_blocks: 6, lies: 100, ..EndpointFaults::default() };
    finds(Bug::RefundWithoutAbsence, 20, &["false end"], |seed| Plan { endpoints, transfers: 12, ..calm(seed) });
}

#[test]
fn a_transaction_that_nobody_wrote_down() {
    finds(Bug::DropIntent, 2, &["no intent"], calm);
}

#[test]
fn a_job_that_runs_twice() {
    finds(Bug::DoubleJob, 2, &["impossible transition"], calm);
}

#[test]
fn a_start_that_forgets_what_is_open() {
    finds(Bug::SkipReconcile, 60, &["false release"], deadly);
}
