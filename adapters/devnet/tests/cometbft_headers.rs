//! Headers of the CometBFT devnet before the light client: honest ones over changes of validators, and forged ones,
//! each refused with its code while the honest chain goes on.
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use catenary_adapter_cosmos::CosmosAdapter;
use catenary_api::ChainSource;
use catenary_devnet::cometbft::{Clock, CometConfig, CometDevnet, CometFault, DevnetError, FORKED_KEY};
use catenary_light_clients::{LightClient, Timestamp, Verdict};

#[path = "cometbft/support.rs"]
mod support;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_validators_are_followed() {
    let mut rig = Rig::start(config()).await;
    rig.devnet.set_power(7, 25).unwrap();
    rig.devnet.set_power(0, 0).unwrap();
    let height = rig.devnet.mine(3).unwrap();
    rig.devnet.set_power(8, 5).unwrap();
    rig.devnet.mine(4).unwrap();
    rig.follow(height + 3).await;
    let status = rig.client.status();
    assert_eq!((status.validators, status.trusted_height), (5, height + 4));
    let error = [1, 2, 3, 7, 8].map(|number| rig.devnet.set_power(number, 0)).into_iter().find_map(Result::err);
    assert!(matches!(error, Some(DevnetError::Config { field: "validators", .. })), "somebody has to be left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_the_results_then_announced_then_in_force() {
    let rig = Rig::start(config()).await;
    rig.devnet.set_power(9, 40).unwrap();
    rig.devnet.mine(3).unwrap();
    let mut sets = Vec::new();
    for height in 2..=4 {
        let url = format!("{}/header?height={height}", rig.devnet.url());
        let answer: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let header = &answer["result"]["header"];
        sets.push([header["validators_hash"].clone(), header["next_validators_hash"].clone()]);
    }
    let [[before, same], [still, announced], [in_force, _]] = &sets[..] else { panic!("three headers: {sets:?}") };
    assert!(before == same && before == still && announced == in_force && before != announced, "{sets:?}");
    for (height, expect) in [(2, 1), (3, 0)] {
        let url = format!("{}/block_results?height={height}", rig.devnet.url());
        let answer: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let updates = answer["result"]["validator_updates"].as_array().map_or(0, Vec::len);
        assert_eq!(updates, expect, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_validators_come_in_pages() {
    let mut rig = Rig::start(CometConfig { validators: 102, ..config() }).await;
    rig.follow(2).await;
    assert_eq!(rig.client.status().validators, 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_seeds_make_equal_chains() {
    let clock = Clock::Stepped { start_seconds: 1_795_000_000, step: std::time::Duration::from_secs(1) };
    let mut hashes = Vec::new();
    for seed in [1, 1, 2] {
        let devnet = CometDevnet::start(CometConfig { seed, clock, ..config() }).await.unwrap();
        devnet.mine(3).unwrap();
        hashes.push(devnet.block_hash(4).unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
}

/// What the light client, or the adapter before it, says to the first forged block; and to the one after it, where
/// that is the one that gives the fault away.
fn expected(fault: CometFault) -> &'static [&'static str] {
    match fault {
        // Signed by all: right, until the honest chain goes on without it.
        CometFault::Equivocate => &["verified", "LC-CMT-021"],
        CometFault::ServedFork => &["verified", "verified"],
        CometFault::BelowQuorum | CometFault::NilVotesCounted => &["LC-CMT-023"],
        CometFault::ForgedValidatorSet | CometFault::SkippedHandover => &["LC-CMT-020"],
        CometFault::StrangersSignatures | CometFault::WrongAppHash => &["LC-CMT-026"],
        CometFault::ReplayedHeader => &["COS-RPC-007"],
        CometFault::RelabelledHeader => &["LC-CMT-021"],
        CometFault::ChangedResultsHash => &["LC-CMT-014"],
        CometFault::TimeBack => &["LC-CMT-022"],
        CometFault::TimeAhead => &["LC-TRUST-005"],
        CometFault::StopThird => &["verified", "verified"],
        CometFault::StopHalf => &[],
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified(_) => "verified",
        Verdict::NeedsIntermediate { .. } => "needs intermediate",
        Verdict::Held(rejection) | Verdict::Rejected(rejection) => rejection.code,
        Verdict::Expired { .. } => "expired",
        Verdict::Conflict(_) => "conflict",
    }
}

/// Follows the chain that an adapter reads, and says how far it came.
async fn verdicts(
    adapter: &CosmosAdapter,
    client: &mut impl LightClient,
    heights: std::ops::Range<u64>,
) -> Vec<String> {
    let mut words = Vec::new();
    for height in heights {
        let update = match adapter.updates(height, height).await {
            Ok(mut updates) => updates.remove(0),
            Err(error) => {
                words.push(error.code.to_owned());
                break;
            }
        };
        let now = Timestamp::from_nanos(u64::try_from(catenary_devnet::platform::now().as_nanos()).unwrap());
        let verdict = client.advance(&update, now);
        words.push(word(&verdict).to_owned());
        if !matches!(verdict, Verdict::Verified(_)) {
            break;
        }
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_refused_with_its_code_and_the_honest_chain_goes_on() {
    for fault in CometFault::ALL {
        let mut rig = Rig::start(config()).await;
        rig.devnet.mine(2).unwrap();
        rig.follow(2).await;
        let view = rig.devnet.fault(fault).await.unwrap();
        assert_eq!(view.height, 4);
        let mined = rig.devnet.mine(2);
        if fault == CometFault::StopHalf {
            assert!(matches!(mined, Err(DevnetError::Halted { height: 3 })), "{mined:?}");
            rig.devnet.heal();
            assert_eq!(rig.devnet.mine(2).unwrap(), 5);
        } else {
            assert_eq!(mined.unwrap(), 5);
        }
        let url = view.url().unwrap_or_else(|| rig.devnet.url());
        let adapter = CosmosAdapter::new(adapter_config(vec![url])).unwrap();
        let mut deceived = rig.client.clone();
        let until = 4 + expected(fault).len() as u64;
        let words = verdicts(&adapter, &mut deceived, 4..until).await;
        assert_eq!(words, expected(fault), "{fault:?}");
        // What was refused has changed nothing: the honest chain is followed on.
        if !words.contains(&"verified".to_owned()) {
            assert_eq!(deceived.status().trusted_height, 3, "{fault:?}");
        }
        rig.follow(4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_two_chains_is_caught_by_whoever_sees_both() {
    for fault in [CometFault::Equivocate, CometFault::ServedFork] {
        let mut rig = Rig::start(config()).await;
        let view = rig.devnet.fault(fault).await.unwrap();
        rig.devnet.mine(3).unwrap();
        rig.follow(2).await;
        let adapter = CosmosAdapter::new(adapter_config(vec![view.url().unwrap()])).unwrap();
        let words = verdicts(&adapter, &mut rig.client, 2..3).await;
        assert_eq!(words, ["conflict"], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_fork_proves_its_own_state_and_not_the_honest_one() {
    let mut rig = Rig::start(config()).await;
    let view = rig.devnet.fault(CometFault::ServedFork).await.unwrap();
    rig.devnet.mine(3).unwrap();
    let adapter = CosmosAdapter::new(adapter_config(vec![view.url().unwrap()])).unwrap();
    let mut deceived = rig.client.clone();
    assert_eq!(verdicts(&adapter, &mut deceived, 2..5).await, ["verified"; 3]);
    let claim = adapter.proofs(3, &[FORKED_KEY.to_vec()]).await.unwrap().remove(0);
    let value = claim.value.unwrap();
    deceived.membership(3, FORKED_KEY, &value, &claim.proof).unwrap();
    rig.follow(3).await;
    rig.client.membership(3, FORKED_KEY, &value, &claim.proof).unwrap_err();
    let honest = rig.adapter.proofs(3, &[FORKED_KEY.to_vec()]).await.unwrap().remove(0);
    rig.client.absence(3, FORKED_KEY, &honest.proof).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_that_stops_is_absent_in_the_commits() {
    let mut rig = Rig::start(CometConfig { validators: 7, ..config() }).await;
    rig.devnet.fault(CometFault::StopThird).await.unwrap();
    let height = rig.devnet.mine(2).unwrap();
    rig.follow(height - 1).await;
    let url = format!("{}/commit?height={height}", rig.devnet.url());
    let answer: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let slots = answer["result"]["signed_header"]["commit"]["signatures"].as_array().unwrap();
    let absent = slots.iter().filter(|slot| slot["block_id_flag"] == 1).count();
    assert_eq!((slots.len(), absent), (7, 2));
}
