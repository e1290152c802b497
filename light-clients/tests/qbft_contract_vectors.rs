//! Updates of QBFT with validators in a contract that `make_vectors.py` built from the specification
//! (tests/vectors/qbft-contract).
#![cfg(feature = "qbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use catenary_light_clients::qbft::{contract_update_hash, Config, Qbft, ValidatorContract};
use catenary_light_clients::{Anchor, LightClient, Timestamp, TrustOptions, Verdict};
use serde_json::Value;

fn vectors() -> Value {
    let path = format!("{}/../tests/vectors/qbft-contract/updates.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

/// A client that has followed the chain up to a block, 2 at least.
fn client(vectors: &Value, block: u64) -> Qbft {
    let updates: Vec<Vec<u8>> =
        vectors["updates"].as_array().unwrap().iter().map(|update| unhex(&update["update_hex"])).collect();
    let config = Config {
        chain_id: "1337".into(),
        anchor: Anchor { height: 2, hash: contract_update_hash(&updates[0]).unwrap() },
        router: [0xc0; 20],
        commitment_slot: [1; 32],
        trust: TrustOptions {
            trusting_period_seconds: 14 * 24 * 3600,
            clock_drift_seconds: 10,
            churn_limit_permille: 1000,
            allow_no_fault_tolerance: false,
            retain_heights: 100,
        },
        skipping: false,
        validator_contract: Some(ValidatorContract {
            address: unhex(&vectors["contract"]).try_into().unwrap(),
            slot: unhex(&vectors["slot"]).try_into().unwrap(),
        }),
    };
    let mut client = Qbft::new(config, &updates[0]).unwrap();
    for update in updates.iter().take(usize::try_from(block).unwrap().saturating_sub(1)).skip(1) {
        let verdict = client.advance(update, NOW);
        assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
    }
    assert_eq!(client.status().trusted_height, block);
    client
}

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_100);

/// Expects one of the codes, and no trace.
fn refuses(client: &mut Qbft, wrong: &Value) {
    let before = client.save();
    let verdict = client.advance(&unhex(&wrong["update_hex"]), NOW);
    let Verdict::Rejected(reason) = verdict else { panic!("{}: {verdict:?}", wrong["name"]) };
    let codes = wrong["codes"].as_array().unwrap();
    assert!(codes.contains(&Value::from(reason.code)), "{}: {reason}", wrong["name"]);
    assert_eq!(client.save(), before, "{}: a refusal changes nothing", wrong["name"]);
}

#[test]
fn each_block_is_sealed_by_the_set_in_the_state_below() {
    let vectors = vectors();
    for update in vectors["updates"].as_array().unwrap() {
        let client = client(&vectors, update["number"].as_u64().unwrap());
        assert_eq!(client.status().trusted_hash.to_string(), update["hash"]);
        let validators: Vec<String> = client.validators().iter().map(ToString::to_string).collect();
        assert_eq!(serde_json::to_value(validators).unwrap(), update["validators"]);
    }
}

#[test]
fn each_wrong_update_is_refused_for_what_is_wrong_with_it() {
    let vectors = vectors();
    let refusals = vectors["refusals"].as_array().unwrap();
    assert!(refusals.len() > 15);
    for wrong in refusals {
        refuses(&mut client(&vectors, wrong["number"].as_u64().unwrap().saturating_sub(1)), wrong);
    }
}

#[test]
fn states_that_keep_no_usable_set_end_the_chain() {
    let vectors = vectors();
    for wrong in vectors["states"].as_array().unwrap() {
        let mut client = client(&vectors, 3);
        let verdict = client.advance(&unhex(&wrong["parent_hex"]), NOW);
        assert!(matches!(verdict, Verdict::Verified(Some(_))), "{}: {verdict:?}", wrong["name"]);
        refuses(&mut client, wrong);
    }
}
