//! The tests: worlds by name, worlds by seed, and that two runs of one seed are the same.

use std::collections::BTreeSet;

use super::driver::{run, Report};
use super::plan::{BadDisk, ChainFaults, Crash, EndpointFaults, PeerFaults, Plan, Where, OPERATORS};
use super::rng::Rng;

/// Seeds that have found something once, each named after it.
const REGRESSIONS: [(&str, u64); 3] = [
    // A member whose view of the source was older than the packet took its absence there for its end.
    ("absent before it was sent", 56),
    ("absent before it was sent", 114),
    // A nonce that an endpoint made up held up everything else of its key for ever, and a scan that went back below the
    // first block there is stood still.
    ("a made-up nonce, and blocks that never were", 448),
];

/// What was wrong, with the last lines of the trace and the command that replays the world; `None` when all was well.
pub(crate) fn fault(name: &str, plan: &Plan, report: &Report) -> Option<String> {
    if report.violations.is_empty() {
        return None;
    }
    let tail = report.tail.join("\n");
    let (seed, command) = (plan.seed, "cargo test -p catenary-scenarios replay -- --nocapture");
    Some(format!("{tail}\n{plan:#?}\n{name}: {:#?}\nreplay: CATENARY_SEED={seed} {command}", report.violations))
}

fn expect_good(name: &str, plan: &Plan, report: &Report) {
    if let Some(fault) = fault(name, plan, report) {
        panic!("{fault}");
    }
}

/// Runs a world in which something goes wrong, and expects that it ends well.
fn check(name: &str, change: impl Fn(&mut Plan)) {
    check_that(name, &[], change);
}

/// The same, and that these things happened.
fn check_that(name: &str, happens: &[&str], change: impl Fn(&mut Plan)) {
    let mut happened = BTreeSet::new();
    for seed in 1..=3 {
        let mut plan = Plan::calm(seed);
        plan.faults_ms = 30_000;
        change(&mut plan);
        let report = run(&plan, None);
        expect_good(name, &plan, &report);
        assert!(report.packets > 0, "{name}: nothing happened");
        happened.extend(report.happened.into_keys());
    }
    for what in happens {
        assert!(happened.contains(what), "{name}: no {what}, only {happened:?}");
    }
}

#[test]
fn a_calm_world_comes_to_rest() {
    check("calm", |_| {});
}

#[test]
fn one_member_is_enough_where_one_signature_is() {
    check("alone", |plan| (plan.running, plan.threshold) = (1, 1));
}

#[test]
fn two_members_of_three_are_enough_for_two_signatures() {
    check("two of three", |plan| plan.running = 2);
}

#[test]
fn large_validator_sets_are_verified() {
    check("large sets", |plan| plan.large_sets = true);
}

#[test]
fn packets_time_out_and_are_refunded() {
    check("timeouts", |plan| plan.timeout_seconds = (2, 14));
}

#[test]
fn many_packets_through_small_jobs() {
    check("burst", |plan| {
        (plan.transfers, plan.transfers_ms, plan.chunk, plan.job_items) = (40, 1_500, 1, 3);
    });
}

/// Found in review: a full engine took no claims, so that nothing told it that its packets had ended, and it stayed full.
#[test]
fn a_full_engine_empties_and_takes_what_it_left_out() {
    check("full", |plan| (plan.transfers, plan.transfers_ms, plan.open_max) = (40, 3_000, 3));
}

#[test]
fn peers_that_lose_delay_double_and_lie() {
    check("peers", |plan| plan.peers = PeerFaults { loss: 250, slow: 250, twice: 250, lies: 150, busy: 100 });
}

#[test]
fn endpoints_that_are_slow_and_lossy() {
    check("loss", |plan| {
        plan.endpoints = EndpointFaults { latency_ms: 1_500, loss: 150, ..EndpointFaults::default() };
    });
}

#[test]
fn endpoints_that_are_behind() {
    check("stale", |plan| {
        plan.endpoints = EndpointFaults { latency_ms: 80, stale_blocks: 6, ..EndpointFaults::default() };
    });
}

#[test]
fn endpoints_that_lie() {
    check("lies", |plan| {
        plan.endpoints = EndpointFaults { latency_ms: 80, lies: 120, ..EndpointFaults::default() };
    });
}

#[test]
fn transactions_that_are_dropped_or_late() {
    check("pool", |plan| plan.chains = ChainFaults { dropped: 300, late: 400, ..ChainFaults::default() });
}

#[test]
fn nonces_that_somebody_else_uses() {
    check("nonces", |plan| plan.chains = ChainFaults { foreign: 250, ..ChainFaults::default() });
}

#[test]
fn relayers_that_are_faster() {
    check("rivals", |plan| plan.chains = ChainFaults { rival: 600, ..ChainFaults::default() });
}

#[test]
fn blocks_that_are_replaced_before_they_are_final() {
    check("reorganised", |plan| {
        plan.confirmations = [3, 2];
        plan.chains = ChainFaults { reorganised: 300, ..ChainFaults::default() };
    });
}

/// Nothing is sent to a client that is said to be frozen, neither packets nor acknowledgements nor refunds; once it is
/// said to be active all of it goes on, without a person.
#[test]
fn a_client_that_is_frozen_for_a_while() {
    for seed in 1..=3 {
        let mut plan = Plan::calm(seed);
        (plan.frozen, plan.faults_ms) = (true, 90_000);
        let report = run(&plan, None);
        expect_good("frozen", &plan, &report);
        assert!(report.packets > 0 && report.waits > 0, "seed {seed}: nothing waited");
    }
}

#[test]
fn clocks_that_jump() {
    check("clock", |plan| {
        plan.clock = vec![(3_000, 8_000), (6_000, -9_000), (10_000, 3_600_000), (14_000, -60_000), (20_000, 0)];
    });
}

#[test]
fn endpoints_that_lie_beside_honest_ones() {
    check_that("one lies", &["endpoint left out"], |plan| {
        plan.endpoints.lies = 300;
        let stale = EndpointFaults { latency_ms: 80, stale_blocks: 12, ..EndpointFaults::default() };
        plan.more_endpoints = vec![stale, EndpointFaults { latency_ms: 200, ..EndpointFaults::default() }];
    });
}

#[test]
fn endpoints_that_come_and_go() {
    check_that("down", &["endpoint left out", "endpoint serves again"], |plan| {
        plan.endpoints.down = 400;
        plan.more_endpoints = vec![plan.endpoints, EndpointFaults { latency_ms: 1_500, ..plan.endpoints }];
    });
}

#[test]
fn endpoints_whose_pools_refuse_what_others_hold() {
    check_that("refusing", &["refused by one"], |plan| {
        plan.endpoints.refuses = 500;
        plan.more_endpoints = vec![plan.endpoints, EndpointFaults { down: 300, ..plan.endpoints }];
        plan.chains = ChainFaults { dropped: 150, late: 500, ..ChainFaults::default() };
    });
}

#[test]
fn blocks_that_ask_for_more_than_was_offered() {
    check_that("dear", &["replacement"], |plan| {
        plan.replace_after_ms = Some(2_500);
        plan.chains = ChainFaults { dear: 500, kept: 500, late: 200, ..ChainFaults::default() };
    });
}

#[test]
fn a_key_for_each_life() {
    check("keys", |plan| {
        (plan.keys, plan.transfers) = (2, 12);
        plan.chains.late = 500;
        for (operator, commit) in [(0, 9), (1, 14), (2, 20), (0, 31), (1, 38)] {
            plan.crashes.push(Crash { operator, commit, at: Where::After, down_ms: 900 });
        }
    });
}

#[test]
fn several_transactions_of_one_key_on_their_way() {
    check("several", |plan| {
        (plan.in_flight, plan.transfers, plan.transfers_ms, plan.job_items) = (4, 30, 4_000, 3);
        plan.chains = ChainFaults { dropped: 200, late: 300, foreign: 100, ..ChainFaults::default() };
    });
}

#[test]
fn packets_that_no_endpoint_told_of() {
    check_that("sweeps", &["a gap is found"], |plan| {
        plan.sweep_seconds = Some(6);
        plan.endpoints.lies = 400;
        plan.more_endpoints = vec![EndpointFaults { stale_blocks: 6, ..plan.endpoints }];
        plan.crashes = vec![Crash { operator: 1, commit: 12, at: Where::After, down_ms: 9_000 }];
    });
}

#[test]
fn disks_that_are_full_or_do_not_flush() {
    check_that("disks", &["disk fails"], |plan| {
        (plan.transfers, plan.transfers_ms) = (12, 20_000);
        for (operator, from_ms) in [(0, 500), (1, 3_000), (2, 6_000), (0, 11_000), (1, 15_000)] {
            plan.disks.push(BadDisk {
                operator,
                from_ms,
                to_ms: from_ms + 4_000,
                flush_fails: from_ms % 2_000 == 1_000,
            });
        }
        plan.crashes = vec![Crash { operator: 0, commit: 8, at: Where::Before, down_ms: 500 }];
    });
}

/// One member dies at a commit of its journal: at each of them, before it, after it and in its middle, in the worlds of
/// `CATENARY_CRASHES=all`; at every fifth otherwise.
#[test]
fn a_member_dies_at_every_commit_of_its_journal() {
    let mut plan = Plan::calm(5);
    (plan.transfers, plan.transfers_ms, plan.faults_ms) = (3, 2_000, 25_000);
    let undisturbed = run(&plan, None);
    expect_good("undisturbed", &plan, &undisturbed);
    let all = std::env::var("CATENARY_CRASHES").is_ok_and(|value| value == "all");
    let member = (0..OPERATORS).max_by_key(|member| undisturbed.commits[*member]).unwrap_or_default();
    let mut rng = Rng::of(5, "crashes");
    for commit in 1..=undisturbed.commits[member] {
        for at in [Where::Before, Where::After, Where::Torn] {
            if !all && !rng.chance(170) {
                continue;
            }
            plan.crashes = vec![Crash { operator: member, commit, at, down_ms: 2_000 }];
            let report = run(&plan, None);
            expect_good(&format!("death {at:?} commit {commit}"), &plan, &report);
        }
    }
}

/// What the chains hold is found again, nothing happens twice, and the keys of the member attest nothing. What it signed
/// for a nonce and had not broadcast is forgotten, so the chain's own nonce is signed for anew: that is the one rule that
/// cannot hold.
#[test]
fn a_member_that_lost_journal_and_store_finds_what_the_chains_hold() {
    for seed in 1..=3 {
        let mut plan = Plan::calm(seed);
        plan.faults_ms = 30_000;
        plan.crashes = vec![Crash { operator: 1, commit: 20, at: Where::Lost, down_ms: 2_000 }];
        let mut report = run(&plan, None);
        assert!(report.commits[1] > 20, "it lives again");
        report.violations.retain(|line| !line.starts_with("two transactions for a nonce"));
        expect_good("lost", &plan, &report);
    }
}

fn check_seed(name: &str, seed: u64) {
    let plan = Plan::random(seed);
    let report = run(&plan, None);
    expect_good(name, &plan, &report);
}

#[test]
fn seeds_that_have_found_something() {
    for (name, seed) in REGRESSIONS {
        let plan = Plan::drawn(seed);
        let report = run(&plan, None);
        expect_good(name, &plan, &report);
    }
}

/// Replays the world of `CATENARY_SEED`; without it, the first one.
#[test]
fn replay() {
    let seed = std::env::var("CATENARY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    check_seed("replay", seed);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut digests = Vec::new();
    for seed in [3, 4, 11, 12] {
        let plan = Plan::random(seed);
        let [first, second] = [run(&plan, None), run(&plan, None)];
        assert_eq!(first, second, "seed {seed}");
        digests.push(first.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 4, "different seeds give different worlds");
}
