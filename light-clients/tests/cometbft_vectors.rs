//! Recorded answers of real CometBFT chains, verified from the first header to the last proof.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use catenary_light_clients::cometbft::{encode_update, CometBft, Config};
use catenary_light_clients::proof::ics23::encode_proof;
use catenary_light_clients::{Anchor, Hash32, LightClient, Timestamp, TrustOptions, Verdict};
use prost_tendermint::Message;
use serde_json::Value;
use tendermint_proto::v0_38::types::{SignedHeader as RawSignedHeader, ValidatorSet as RawValidatorSet};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/cometbft")
}

fn recording(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(directory().join(name)).unwrap()).unwrap()
}

/// A recorded height in the form that the light client takes.
struct Block {
    height: u64,
    hash: Hash32,
    time: Timestamp,
    /// Flags of the commit's slots.
    flags: Vec<i32>,
    round: i32,
    signed_header: RawSignedHeader,
    validators: RawValidatorSet,
}

impl Block {
    fn of(recorded: &Value) -> Self {
        let signed: tendermint::block::signed_header::SignedHeader =
            serde_json::from_value(recorded["commit"]["signed_header"].clone()).unwrap();
        let infos: Vec<tendermint::validator::Info> =
            serde_json::from_value(recorded["validators"]["validators"].clone()).unwrap();
        let hash = Hash32::from_slice(signed.header.hash().as_bytes()).unwrap();
        let time = Timestamp::from_nanos(signed.header.time.unix_timestamp_nanos() as u64);
        let signed_header = RawSignedHeader::from(signed);
        let commit = signed_header.commit.as_ref().unwrap();
        Self {
            height: commit.height as u64,
            hash,
            time,
            flags: commit.signatures.iter().map(|slot| slot.block_id_flag).collect(),
            round: commit.round,
            validators: tendermint::validator::Set::without_proposer(infos).into(),
            signed_header,
        }
    }

    fn update(&self) -> Vec<u8> {
        encode_update(&self.signed_header.encode_to_vec(), Some(&self.validators.encode_to_vec()), None)
    }

    fn bare_update(&self) -> Vec<u8> {
        encode_update(&self.signed_header.encode_to_vec(), None, None)
    }

    /// The update with one bit of the header's application hash changed.
    fn with_other_app_hash(&self) -> Vec<u8> {
        let mut signed_header = self.signed_header.clone();
        signed_header.header.as_mut().unwrap().app_hash[0] ^= 1;
        encode_update(&signed_header.encode_to_vec(), Some(&self.validators.encode_to_vec()), None)
    }
}

fn blocks(recording: &Value) -> Vec<Block> {
    recording["blocks"].as_array().unwrap().iter().map(Block::of).collect()
}

fn client(recording: &Value, anchor: &Block) -> CometBft {
    let config = Config {
        chain_id: recording["chain_id"].as_str().unwrap().to_owned(),
        anchor: Anchor { height: anchor.height, hash: anchor.hash },
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: TrustOptions {
            trusting_period_seconds: 24 * 3600,
            clock_drift_seconds: 1,
            churn_limit_permille: 0,
            allow_no_fault_tolerance: false,
            retain_heights: 100,
        },
        skipping: false,
    };
    CometBft::new(config, &anchor.update()).unwrap()
}

/// Follows a recording from its first height and checks every recorded proof; returns what it held.
fn verify(name: &str) -> (Vec<Block>, usize, usize) {
    let recording = recording(name);
    let blocks = blocks(&recording);
    let mut client = client(&recording, &blocks[0]);
    for pair in blocks.windows(2) {
        let [below, block] = pair else { unreachable!("windows of two") };
        let refused = client.advance(&block.with_other_app_hash(), block.time);
        assert!(matches!(&refused, Verdict::Rejected(why) if why.code == "LC-CMT-014"), "{name}: {refused:?}");
        // The set is sent only where it changed.
        let same_set = below.signed_header.header.as_ref().unwrap().validators_hash
            == block.signed_header.header.as_ref().unwrap().validators_hash;
        let update = if same_set { block.bare_update() } else { block.update() };
        let Verdict::Verified(Some(state)) = client.advance(&update, block.time) else {
            panic!("{name}: height {} is not verified", block.height);
        };
        assert_eq!((state.height, state.hash, state.timestamp), (below.height, below.hash, below.time));
    }
    let (mut members, mut absent) = (0, 0);
    for query in recording["abci_queries"].as_array().unwrap() {
        match check_query(&client, query) {
            true => members += 1,
            false => absent += 1,
        }
    }
    (blocks, members, absent)
}

/// Checks one recorded proof: it holds at its height, and neither at another height nor for another claim.
fn check_query(client: &CometBft, query: &Value) -> bool {
    let answer = &query["answer"]["response"];
    let operations = answer["proofOps"]["ops"].as_array().unwrap();
    let kinds: Vec<&str> = operations.iter().map(|op| op["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ics23:iavl", "ics23:simple"]);
    let operations: Vec<Vec<u8>> = operations.iter().map(|op| base64(op["data"].as_str().unwrap())).collect();
    let proof = encode_proof(&operations);
    let key = hex::decode(query["key_hex"].as_str().unwrap()).unwrap();
    let height: u64 = answer["height"].as_str().unwrap().parse().unwrap();
    let name = format!("{} at {height}", query["name"]);
    let value = answer["value"].as_str().map(base64).filter(|value| !value.is_empty());
    match value {
        Some(value) => {
            let fact = client.membership(height, &key, &value, &proof);
            assert_eq!(fact.map(|fact| fact.value.clone()), Ok(value.clone()), "{name}");
            assert_eq!(client.absence(height, &key, &proof).unwrap_err().code, "LC-ICS23-005", "{name}");
            let other = client.membership(height - 1, &key, &value, &proof).unwrap_err();
            assert_eq!(other.code, "LC-ICS23-013", "{name}");
            true
        }
        None => {
            assert_eq!(client.absence(height, &key, &proof).map(|fact| fact.path.clone()), Ok(key.clone()), "{name}");
            let claimed = client.membership(height, &key, b"value", &proof).unwrap_err();
            assert_eq!(claimed.code, "LC-ICS23-005", "{name}");
            assert_eq!(client.absence(height - 1, &key, &proof).unwrap_err().code, "LC-ICS23-013", "{name}");
            false
        }
    }
}

/// Standard base64 with padding, as the node writes it.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is not a base64 digit"),
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

#[test]
fn every_recording_is_used() {
    let recorded: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(recorded, BTreeSet::from(["four_validators.json".to_owned(), "one_validator.json".to_owned()]));
}

#[test]
fn one_validator_with_transfers() {
    let (blocks, members, absent) = verify("one_validator.json");
    assert!(blocks.len() > 10 && members > 4 && absent > 4, "{} {members} {absent}", blocks.len());
}

#[test]
fn four_validators_with_one_down_and_a_change_of_power() {
    let (blocks, _, absent) = verify("four_validators.json");
    assert!(absent > 4);
    assert!(blocks.iter().any(|block| block.flags.contains(&1)), "a validator was absent");
    assert!(blocks.iter().any(|block| block.round > 0), "a round failed");
    let hashes: BTreeSet<Vec<u8>> =
        blocks.iter().map(|block| block.signed_header.header.as_ref().unwrap().validators_hash.clone()).collect();
    assert_eq!(hashes.len(), 2, "the set changed once");
}

#[test]
fn two_real_networks_of_one_chain_id_are_told_apart() {
    // Both recordings say `sim-1`; the second is what an endpoint of another network would serve.
    let (ours, other) = (recording("one_validator.json"), recording("four_validators.json"));
    assert_eq!(ours["chain_id"], other["chain_id"]);
    let (our_blocks, other_blocks) = (blocks(&ours), blocks(&other));
    let mut client = client(&ours, &our_blocks[0]);
    let served = other_blocks.iter().find(|block| block.height == 2).unwrap();
    let verdict = client.advance(&served.update(), served.time.max(our_blocks[1].time));
    assert!(matches!(&verdict, Verdict::Rejected(why) if why.code == "LC-CMT-021"), "{verdict:?}");
    assert!(matches!(client.advance(&our_blocks[1].update(), our_blocks[1].time), Verdict::Verified(Some(_))));
}
