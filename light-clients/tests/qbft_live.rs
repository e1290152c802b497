//! Headers and proofs of a real GoQuorum network (tests/vectors/qbft): rounds above 0, a validator voted out and in
//! again, slots present and absent.
#![cfg(feature = "qbft")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use catenary_light_clients::proof::mpt::{encode_proof, verify_account, MptError, StorageProof};
use catenary_light_clients::qbft::{block_hash, Ballot, Config, Qbft, RawHeader};
use catenary_light_clients::{Address, Anchor, Class, Hash32, LightClient, Root, Timestamp, TrustOptions, Verdict};
use serde_json::Value;

/// ERC-7201 base slot of `ibc.storage.IBCStore`.
const COMMITMENT_SLOT: &str = "1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600";

fn vectors(name: &str) -> Value {
    let path = format!("{}/../tests/vectors/qbft/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

/// A quantity or a word of the RPC as 32 bytes.
fn word(value: &Value) -> [u8; 32] {
    hex::decode(format!("{:0>64}", value.as_str().unwrap().trim_start_matches("0x"))).unwrap().try_into().unwrap()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The encoded headers, block 0 first.
fn headers() -> Vec<Vec<u8>> {
    array(&vectors("headers.json")["headers"]).iter().map(|header| unhex(&header["rlp_hex"])).collect()
}

fn config(anchor: &[u8]) -> Config {
    Config {
        chain_id: "1337".into(),
        anchor: Anchor { height: 1, hash: block_hash(anchor).unwrap() },
        router: unhex(&vectors("proofs.json")["rows"][0]["address"]).try_into().unwrap(),
        commitment_slot: hex::decode(COMMITMENT_SLOT).unwrap().try_into().unwrap(),
        trust: TrustOptions {
            trusting_period_seconds: 14 * 24 * 3600,
            clock_drift_seconds: 10,
            churn_limit_permille: 334,
            allow_no_fault_tolerance: true,
            retain_heights: 10_000,
        },
        skipping: false,
        validator_contract: None,
    }
}

/// A time just after the newest header.
fn now(headers: &[Vec<u8>]) -> Timestamp {
    Timestamp::from_seconds(RawHeader::decode(headers.last().unwrap()).unwrap().time_seconds + 1)
}

fn follow(headers: &[Vec<u8>]) -> Qbft {
    let mut client = Qbft::new(config(&headers[1]), &headers[1]).unwrap();
    for header in &headers[2..] {
        let verdict = client.advance(header, now(headers));
        assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
    }
    client
}

#[test]
fn block_hashes_are_those_of_the_node() {
    let vectors = vectors("headers.json");
    for header in array(&vectors["headers"]) {
        let hash = block_hash(&unhex(&header["rlp_hex"])).unwrap();
        assert_eq!(hash.to_string(), header["hash"].as_str().unwrap(), "block {}", header["number"]);
    }
    assert_eq!(block_hash(&headers()[0]).unwrap().to_string(), vectors["genesis_hash"].as_str().unwrap());
}

#[test]
fn every_live_header_is_followed_through_rounds_and_votes() {
    let headers = headers();
    let client = follow(&headers);
    assert_eq!(client.status().trusted_height, headers.len() as u64 - 1);
    for (height, bytes) in headers.iter().enumerate().skip(1) {
        let (header, verified) = (RawHeader::decode(bytes).unwrap(), client.header(height as u64).unwrap());
        assert_eq!((verified.height, verified.hash), (header.number, header.block_hash()));
        assert_eq!(verified.root.as_bytes(), header.state_root.as_bytes());
    }
    // The recording has what it is said to have, so that this test keeps seeing it.
    let decoded: Vec<_> = headers.iter().map(|bytes| RawHeader::decode(bytes).unwrap().extra).collect();
    let sizes: BTreeSet<usize> = decoded.iter().map(|extra| extra.validators.len()).collect();
    assert!(sizes.contains(&3) && sizes.contains(&4), "{sizes:?}");
    assert!(decoded.iter().any(|extra| extra.round > 0));
    for ballot in [Ballot::Add, Ballot::Drop] {
        assert!(decoded.iter().any(|extra| extra.vote.is_some_and(|vote| vote.ballot == ballot)));
    }
    let bytes = client.save();
    let restored = Qbft::restore(config(&headers[1]), &bytes, &Hash32::sha256(&[&bytes])).unwrap();
    assert_eq!(restored.status(), client.status());
}

#[test]
fn live_headers_can_be_skipped_to_when_asked_for() {
    let headers = headers();
    for target in &headers[3..] {
        let mut config = config(&headers[1]);
        config.skipping = true;
        let mut client = Qbft::new(config, &headers[1]).unwrap();
        let verdict = client.advance(target, now(&headers));
        assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
    }
}

#[test]
fn block_0_is_refused_as_an_update() {
    let headers = headers();
    let verdict = follow(&headers).advance(&headers[0], now(&headers));
    assert!(matches!(&verdict, Verdict::Rejected(reason) if reason.code == "LC-QBFT-008"), "{verdict:?}");
}

#[test]
fn a_live_header_with_one_bit_changed_is_never_trusted() {
    let headers = headers();
    let client = Qbft::new(config(&headers[1]), &headers[1]).unwrap();
    for at in 0..headers[2].len() {
        let mut changed = headers[2].clone();
        changed[at] ^= 1 << (at % 8);
        let verdict = client.clone().advance(&changed, now(&headers));
        let refused = matches!(verdict, Verdict::Rejected(_) | Verdict::NeedsIntermediate { .. });
        assert!(refused, "byte {at}: {verdict:?}");
    }
}

fn nodes(list: &Value) -> Vec<Vec<u8>> {
    array(list).iter().map(unhex).collect()
}

#[test]
fn live_proofs_show_what_the_node_says() {
    let (mut present, mut absent, mut no_account) = (0, 0, 0);
    for row in array(&vectors("proofs.json")["rows"]) {
        let (answer, root) = (&row["answer"], Root::new(&unhex(&row["state_root"])).unwrap());
        let address = Address(unhex(&row["address"]).try_into().unwrap());
        let account_nodes = nodes(&answer["accountProof"]);
        let listed: Vec<&[u8]> = account_nodes.iter().map(Vec::as_slice).collect();
        match verify_account(&root, &address, &listed) {
            Ok(account) => {
                assert_eq!(account.storage_root.as_bytes()[..], unhex(&answer["storageHash"]));
                assert_eq!(account.code_hash.as_bytes()[..], unhex(&answer["codeHash"]));
                assert_eq!(account.balance_wei, word(&answer["balance"]));
            }
            Err(MptError::AccountAbsent { .. }) => {
                // The node prints an absent account like an empty one; only the nodes tell them apart.
                no_account += 1;
                continue;
            }
            Err(error) => panic!("{}: {error}", row["name"]),
        }
        for slot in array(&answer["storageProof"]) {
            let proof = encode_proof(&account_nodes, &nodes(&slot["proof"]));
            let decoded = StorageProof::decode(&proof).unwrap();
            let (_, got) = decoded.verify(&root, &address, &word(&slot["key"])).unwrap();
            assert_eq!(got.unwrap_or_default(), word(&slot["value"]), "{} {}", row["name"], slot["key"]);
            match got {
                Some(_) => present += 1,
                None => absent += 1,
            }
        }
    }
    assert!(present > 80 && absent > 12 && no_account > 0, "{present} {absent} {no_account}");
}

#[test]
fn live_commitments_are_proven_through_the_client() {
    let (headers, vectors) = (headers(), vectors("proofs.json"));
    let client = follow(&headers);
    let row = &vectors["rows"][0];
    let (height, answer) = (row["height"].as_u64().unwrap(), &row["answer"]);
    let mut proven = 0;
    for sequence in 1..=60u64 {
        let path = [b"client-0\x01".as_slice(), &sequence.to_be_bytes()].concat();
        let base: [u8; 32] = hex::decode(COMMITMENT_SLOT).unwrap().try_into().unwrap();
        let slot = catenary_light_clients::qbft::commitment_slot(&path, &base);
        let Some(entry) = array(&answer["storageProof"]).iter().find(|entry| word(&entry["key"]) == slot) else {
            continue;
        };
        let proof = encode_proof(&nodes(&answer["accountProof"]), &nodes(&entry["proof"]));
        let value = word(&entry["value"]);
        if value == [0; 32] {
            assert_eq!(client.absence(height, &path, &proof).unwrap().path, path);
            continue;
        }
        let fact = client.membership(height, &path, &value, &proof).unwrap();
        assert_eq!((fact.height, &fact.path, &fact.value[..]), (height, &path, &value[..]));
        assert_eq!(client.absence(height, &path, &proof).unwrap_err().class, Class::Permanent);
        proven += 1;
    }
    assert_eq!(proven, 40, "the recording has forty commitments");
}
