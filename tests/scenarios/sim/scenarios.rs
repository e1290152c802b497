//! The tests: worlds by name, worlds by seed, and that two runs of one seed are the same.

use super::driver::{run, Report};
use super::plan::{ChainFaults, Crash, EndpointFaults, PeerFaults, Plan, Where, OPERATORS};
use super::rng::Rng;

/// Random worlds that every run of the tests looks at; `CATENARY_SEEDS` asks for more.
const SEEDS: u64 = 60;
/// Seeds that have found something once, each named after it.
const REGRESSIONS: [(&str, u64); 3] = [
    // A member whose view of the source was older than the packet took its absence there for its end.
    ("absent before it was sent", 56),
    ("absent before it was sent", 114),
    // A nonce that an endpoint made up held up everything else of its key for ever, and a scan that went back below the
    // first block there is stood still.
    ("a made-up nonce, and blocks that never were", 448),
];

/// Fails with what was wrong, the last lines of the trace, and the command that replays the world.
fn expect_good(name: &str, plan: &Plan, report: &Report) {
    if report.violations.is_empty() {
        return;
    }
    let tail = report.tail.join("\n");
    let (seed, command) = (plan.seed, "cargo test -p catenary-scenarios replay -- --nocapture");
    panic!("{tail}\n{plan:#?}\n{name}: {:#?}\nreplay: CATENARY_SEED={seed} {command}", report.violations);
}

/// Runs a world in which something goes wrong, and expects that it ends well.
fn check(name: &str, change: impl Fn(&mut Plan)) {
    for seed in 1..=3 {
        let mut plan = Plan::calm(seed);
        plan.faults_ms = 30_000;
        change(&mut plan);
        let report = run(&plan, None);
        expect_good(name, &plan, &report);
        assert!(report.packets > 0, "{name}: nothing happened");
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
    check("peers", |plan| plan.peers = PeerFaults { loss: 250, slow: 250, twice: 250, lies: 150 });
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

/// A part of the random worlds; in parts, so that they run at the same time.
fn check_seeds(part: u64) {
    let seeds = std::env::var("CATENARY_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let first = std::env::var("CATENARY_FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    (first..first + seeds).filter(|seed| seed % 4 == part).for_each(|seed| check_seed("random", seed));
}

#[test]
fn random_worlds_1() {
    check_seeds(0);
}

#[test]
fn random_worlds_2() {
    check_seeds(1);
}

#[test]
fn random_worlds_3() {
    check_seeds(2);
}

#[test]
fn random_worlds_4() {
    check_seeds(3);
}

#[test]
fn seeds_that_have_found_something() {
    REGRESSIONS.iter().for_each(|(name, seed)| check_seed(name, *seed));
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
