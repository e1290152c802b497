//! That the simulation can fail: each deliberate bug is found within so many seeds, in worlds of a kind in which it
//! matters, and the world that finds it is good without the bug.

use catenary_core::bugs::Bug;

use super::driver::run;
use super::plan::{BadDisk, ChainFaults, Crash, EndpointFaults, PeerFaults, Plan, Where, OPERATORS};
use super::rng::Rng;
use super::scenarios::fault;

/// Expects that a bug is found by one of the first `seeds` worlds, as a violation of one of the invariants named.
fn finds(bug: Bug, seeds: u64, invariants: &[&str], world: impl Fn(u64) -> Plan) {
    for seed in 1..=seeds {
        let plan = world(seed);
        let report = run(&plan, Some(bug));
        let Some(first) = report.violations.first() else { continue };
        assert!(invariants.iter().any(|name| first.starts_with(name)), "{bug:?}, seed {seed}: {first}");
        let good = run(&plan, None);
        assert_eq!(fault("the world itself", &plan, &good), None, "{bug:?}, seed {seed}");
        eprintln!("{bug:?}: found by seed {seed} of {seeds}: {first}");
        return;
    }
    panic!("{bug:?} is not found within {seeds} seeds");
}

fn calm(seed: u64) -> Plan {
    Plan { timeout_seconds: (60, 90), faults_ms: 25_000, ..Plan::calm(seed) }
}

/// Every member dies at four commits that the seed draws.
fn deadly(seed: u64) -> Plan {
    let mut rng = Rng::of(seed, "deadly");
    let mut crashes = Vec::new();
    for operator in 0..OPERATORS {
        for part in 0..4 {
            let (commit, at) = (part * 12 + rng.range(1, 12), [Where::Before, Where::After][rng.below(2)]);
            crashes.push(Crash { operator, commit, at, down_ms: 700 });
        }
    }
    Plan { crashes, transfers: 12, transfers_ms: 15_000, ..calm(seed) }
}

fn lying(seed: u64) -> Plan {
    let endpoints = EndpointFaults { latency_ms: 80, lies: 150, ..EndpointFaults::default() };
    Plan { endpoints, ..calm(seed) }
}

#[test]
fn a_commit_that_is_not_flushed() {
    finds(Bug::SkipFsync, 2, &["lost commit"], deadly);
}

#[test]
fn a_send_without_a_last_look() {
    let peers = PeerFaults { slow: 500, ..PeerFaults::default() };
    finds(Bug::DropRecheck, 10, &["wasted fee"], |seed| Plan { peers, transfers: 12, ..calm(seed) });
}

#[test]
fn a_signer_without_memory() {
    finds(Bug::ForgetNonceMemory, 30, &["two transactions for a nonce"], deadly);
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
    // Alone: what others deliver is seen all the same when its acknowledgement comes by.
    finds(Bug::ForgetCursorOrder, 30, &["not at rest"], |seed| Plan { running: 1, threshold: 1, ..deadly(seed) });
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
    // Transactions that wait for long, so that many deaths come while one is open.
    let chains = ChainFaults { late: 800, ..ChainFaults::default() };
    finds(Bug::SkipReconcile, 10, &["false release"], |seed| Plan { chains, ..deadly(seed) });
}

#[test]
fn one_endpoints_no() {
    let chains = ChainFaults { late: 800, ..ChainFaults::default() };
    // Asked first as soon as it is there, and what it refuses the other one holds by then.
    let first = EndpointFaults { latency_ms: 80, refuses: 800, down: 500, ..EndpointFaults::default() };
    finds(Bug::BelieveOneNo, 20, &["false release", "false outcome"], |seed| Plan {
        chains,
        endpoints: first,
        more_endpoints: vec![EndpointFaults { latency_ms: 80, ..EndpointFaults::default() }],
        ..deadly(seed)
    });
}

/// Blocks that ask for more now and then, and pools that keep what was replaced.
fn dear(seed: u64) -> Plan {
    let chains = ChainFaults { late: 500, dear: 500, kept: 700, ..ChainFaults::default() };
    Plan { chains, replace_after_ms: Some(2_000), transfers: 12, ..calm(seed) }
}

#[test]
fn a_replaced_transaction_that_nobody_watches() {
    finds(Bug::ForgetReplaced, 20, &["false outcome"], dear);
}

#[test]
fn a_stuck_transaction_that_is_given_up() {
    finds(Bug::ReleaseStuck, 10, &["false release"], dear);
}

#[test]
fn a_failed_flush_that_counts_as_done() {
    finds(Bug::IgnoreFailedFsync, 20, &["lost commit"], |seed| {
        let disk = |operator| BadDisk { operator, from_ms: 2_000, to_ms: 20_000, flush_fails: true };
        Plan { disks: (0..OPERATORS).map(disk).collect(), ..deadly(seed) }
    });
}
