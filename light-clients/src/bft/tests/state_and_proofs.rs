//! Saved state, configuration, membership and absence.

use super::*;
use crate::testing::{EvmState, Key, COMMITMENT_SLOT};
use crate::{Anchor, TrustOptions};

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let network = network_of(4);
    let check = |change: fn(&mut Config), expect: &str| {
        let mut config = network.config();
        change(&mut config);
        let error = Tested::new(config, &network.headers[0].encode()).unwrap_err();
        assert_eq!(Rejection::from(error).code, expect);
    };
    check(|c| c.chain_id.clear(), "LC-QBFT-037");
    check(|c| c.chain_id = "1".repeat(MAX_CHAIN_ID_BYTES + 1), "LC-QBFT-037");
    let mut longest = network.config();
    longest.chain_id = "1".repeat(MAX_CHAIN_ID_BYTES);
    assert!(Tested::new(longest, &network.headers[0].encode()).is_ok());
    check(|c| c.router = [0; 20], "LC-QBFT-038");
    check(|c| c.anchor.height = 0, "LC-QBFT-039");
    check(|c| c.anchor.height = 2, "LC-TRUST-004");
    check(|c| c.anchor.hash.0[0] ^= 1, "LC-TRUST-003");
    check(|c| c.trust.trusting_period_seconds = 0, "LC-TRUST-001");
    check(|c| c.trust.retain_heights = 0, "LC-TRUST-002");
    let mut unformed = network.headers[0].clone();
    unformed.difficulty = 3;
    let mut config = network.config();
    config.anchor.hash = unformed.hash();
    assert_eq!(Tested::new(config, &unformed.encode()).unwrap_err(), BftError::Difficulty { got: 3 });
}

#[test]
fn the_status_says_where_the_client_stands() {
    let mut network = network_of(4);
    network.grow(2);
    let client = follow(&network, network.config());
    let status = client.status();
    let time = Timestamp::from_seconds(network.head().time_seconds);
    assert_eq!((status.family, status.chain_id.as_str(), status.validators), (TestedForm::FAMILY, "1337", 4));
    assert_eq!((status.trusted_height, status.provable_height, status.frozen), (3, 3, false));
    assert_eq!((status.trusted_hash, status.trusted_timestamp), (network.head().hash(), time));
    assert_eq!(status.expires_at, time.checked_add_seconds(14 * 24 * 3600).unwrap());
    let header = client.header(2).unwrap();
    assert_eq!(header.instance(), status.instance);
    assert_eq!((header.height, header.hash), (2, network.headers[1].hash()));
    assert_eq!(header.root.as_bytes(), network.headers[1].state_root.as_bytes());
    assert_eq!(client.header(4), None);
    assert_eq!(client.validators()[0], network.keys[0].address());
}

#[test]
fn instances_differ_by_chain_anchor_router_and_slot() {
    let network = network_of(4);
    let base = network.config().instance(TestedForm::FAMILY);
    let changes: [fn(&mut Config); 5] = [
        |c| c.chain_id = "1338".into(),
        |c| c.anchor = Anchor { height: 2, hash: c.anchor.hash },
        |c| c.anchor.hash.0[0] ^= 1,
        |c| c.router[19] ^= 1,
        |c| c.commitment_slot[0] ^= 1,
    ];
    for change in changes {
        let mut config = network.config();
        change(&mut config);
        assert_ne!(config.instance(TestedForm::FAMILY), base);
    }
    let mut config = network.config();
    config.trust = TrustOptions { retain_heights: 7, ..config.trust };
    assert_eq!(config.instance(TestedForm::FAMILY), base, "limits of trust are not identity");
}

#[test]
fn saved_state_comes_back_against_its_digest_only() {
    let mut network = network_of(4);
    network.grow(3);
    let leaving = network.keys[3].address();
    let mut header = network.next();
    header.vote = ENCODING.vote(leaving, false);
    network.push(header);
    let dropped = network.keys.pop().unwrap();
    network.grow(2);
    let mut header = network.next();
    header.vote = ENCODING.vote(dropped.address(), true);
    network.push(header);
    let client = follow_all(&network);
    let bytes = client.save();
    let digest = Hash32::sha256(&[&bytes]);
    let mut restored = Tested::restore(client.config.clone(), &bytes, &digest).unwrap();
    assert_eq!(restored.save(), bytes);
    assert_eq!(restored.status(), client.status());
    // It goes on as the client would have, the vote in its newest header included.
    network.keys.push(dropped);
    network.keys.sort_by_key(Key::address);
    let next = network.next();
    let next = network.push(next);
    assert_eq!(word(&restored.advance(&next, network.now())), "ok");

    let code = |config: Config, bytes: &[u8], digest: &Hash32| {
        Rejection::from(Tested::restore(config, bytes, digest).unwrap_err()).code
    };
    for at in [0, 5, 40, bytes.len() - 1] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert_eq!(code(client.config.clone(), &other, &digest), "LC-TRUST-009");
    }
    let mut config = client.config.clone();
    config.router[0] ^= 1;
    assert_eq!(code(config, &bytes, &digest), "LC-TRUST-010");
    let mut config = client.config.clone();
    config.trust.allow_no_fault_tolerance = false;
    assert_eq!(code(config, &bytes, &digest), "LC-QBFT-014", "three validators, now that fewer are refused");
    let mut config = client.config.clone();
    config.trust.retain_heights = 0;
    assert_eq!(code(config, &bytes, &digest), "LC-TRUST-002");
    for form in [&[][..], &[0xc0], b"state", &[&bytes[..], &[0]].concat()] {
        assert_eq!(code(client.config.clone(), form, &Hash32::sha256(&[form])), "LC-TRUST-011");
    }
    // Another version, which only its own code reads.
    let mut other = bytes;
    let at = other.iter().position(|byte| *byte == 1).unwrap();
    other[at] = 2;
    assert_eq!(code(client.config.clone(), &other, &Hash32::sha256(&[&other])), "LC-TRUST-011");
}

/// Follows a network whose keys changed on the way.
fn follow_all(network: &Network) -> Tested {
    let mut client = network.client_of::<TestedForm>(network.config());
    for header in &network.headers[1..] {
        assert_eq!(word(&client.advance(&header.encode(), network.now())), "ok");
    }
    client
}

#[test]
fn a_frozen_client_stays_frozen_over_a_restart() {
    let mut network = network_of(4);
    network.grow(2);
    let mut client = follow(&network, network.config());
    let mut other = network.head().clone();
    other.state_root.0[0] ^= 1;
    let verdict = client.advance(&other.sealed(&network.keys).encode(), network.now());
    assert_eq!(word(&verdict), "conflict LC-QBFT-100");
    let bytes = client.save();
    let restored = Tested::restore(client.config.clone(), &bytes, &Hash32::sha256(&[&bytes])).unwrap();
    assert!(restored.status().frozen);
}

#[test]
fn the_newest_headers_are_saved_and_older_ones_fill_in() {
    let mut network = network_of(1);
    network.grow(SAVED_HEADERS + 20);
    let mut config = network.config();
    config.trust.retain_heights = 1000;
    let client = follow(&network, config.clone());
    assert!(client.header(2).is_some());
    let bytes = client.save();
    assert!(bytes.len() < SAVED_HEADERS * 125 + 100, "{} bytes", bytes.len());
    let mut restored = Tested::restore(config, &bytes, &Hash32::sha256(&[&bytes])).unwrap();
    assert_eq!(restored.status(), client.status());
    let lowest = network.headers.len() - SAVED_HEADERS;
    assert_eq!(restored.header(lowest as u64), None);
    assert_eq!(word(&restored.advance(&network.headers[lowest - 1].encode(), network.now())), "ok");
}

/// A state with commitments, a network whose head has its root, and a client of it.
fn with_state(state: &EvmState) -> (Network, Tested) {
    let mut network = network_of(4);
    let mut header = network.next();
    header.state_root = Hash32(*state.root().as_bytes());
    network.push(header);
    let client = follow(&network, network.config());
    (network, client)
}

fn slot(path: &[u8]) -> [u8; 32] {
    keccak256(&[&keccak256(&[path]).0, &COMMITMENT_SLOT]).0
}

fn path(sequence: u64) -> Vec<u8> {
    [b"client-0\x01".as_slice(), &sequence.to_be_bytes()].concat()
}

#[test]
fn a_commitment_is_proven_and_bound_to_height_path_and_value() {
    let router = Address([0xc0; 20]);
    let mut state = EvmState::default();
    let mut low = [0; 32];
    low[31] = 9; // a commitment that starts with zero bytes
    for sequence in 1..30 {
        state.insert_slot(router, slot(&path(sequence)), if sequence == 7 { low } else { [sequence as u8; 32] });
    }
    state.insert_slot(Address([1; 20]), slot(&path(1)), [1; 32]);
    let (_, client) = with_state(&state);
    let proof = |sequence| state.proof(router, &slot(&path(sequence)));
    for (sequence, value) in [(1, [1; 32]), (29, [29; 32]), (7, low)] {
        let fact = client.membership(2, &path(sequence), &value, &proof(sequence)).unwrap();
        assert_eq!((fact.height, &fact.path, &fact.value), (2, &path(sequence), &value.to_vec()));
        assert_eq!((fact.instance(), fact.timestamp), (client.status().instance, client.status().trusted_timestamp));
        let absent = client.absence(2, &path(sequence), &proof(sequence)).unwrap_err();
        assert_eq!(absent.code, "LC-QBFT-035");
    }
    let fact = client.absence(2, &path(99), &proof(99)).unwrap();
    assert_eq!((fact.height, &fact.path, fact.timestamp), (2, &path(99), client.status().trusted_timestamp));
    let code = |height, sequence, value: &[u8], proof: &[u8]| {
        client.membership(height, &path(sequence), value, proof).unwrap_err().code
    };
    assert_eq!(code(2, 1, &[2; 32], &proof(1)), "LC-QBFT-033");
    assert_eq!(code(2, 99, &[2; 32], &proof(99)), "LC-QBFT-034");
    assert_eq!(code(2, 1, &[0; 32], &proof(1)), "LC-QBFT-032");
    assert_eq!(code(2, 7, &[9], &proof(7)), "LC-QBFT-031");
    assert_eq!(code(2, 1, &[1; 31], &proof(1)), "LC-QBFT-031");
    assert_eq!(code(3, 1, &[1; 32], &proof(1)), "LC-QBFT-029");
    assert_eq!(code(1, 1, &[1; 32], &proof(1)), "LC-MPT-006", "the state of another height");
    assert!(code(2, 1, &[2; 32], &proof(2)).starts_with("LC-MPT"), "the proof of another path");
    assert_eq!(code(2, 1, &[1; 32], &[]), "LC-RLP-001");
    assert_eq!(client.absence(2, &path(99), &proof(1)).unwrap_err().class, crate::Class::Permanent);
    let stranger = state.proof(Address([1; 20]), &slot(&path(1)));
    assert!(code(2, 1, &[1; 32], &stranger).starts_with("LC-MPT"), "another contract's storage");
    for bytes in [0, MAX_PATH_BYTES + 1] {
        let error = client.absence(2, &std::vec![7; bytes], &proof(1)).unwrap_err();
        assert_eq!(error.code, "LC-QBFT-030");
    }
    let longest = [7; MAX_PATH_BYTES];
    assert!(client.absence(2, &longest, &state.proof(router, &slot(&longest))).is_ok());
}

#[test]
fn absence_needs_the_router_to_be_there_with_code_and_storage() {
    let router = Address([0xc0; 20]);
    let proof_and_verdict = |state: &EvmState| {
        let (_, client) = with_state(state);
        client.absence(2, &path(1), &state.proof(router, &slot(&path(1)))).map(|_| ()).map_err(|e| e.code)
    };
    let mut state = EvmState::default();
    state.insert_contract(Address([1; 20]));
    state.insert_contract(Address([2; 20]));
    assert_eq!(proof_and_verdict(&state), Err("LC-MPT-015"), "no account");
    let mut empty = state.clone();
    empty.insert_contract(router);
    assert_eq!(proof_and_verdict(&empty), Err("LC-QBFT-040"), "a contract that stores nothing");
    let (_, client) = with_state(&empty);
    let member = client.membership(2, &path(1), &[1; 32], &empty.proof(router, &slot(&path(1)))).unwrap_err();
    assert_eq!(member.code, "LC-QBFT-034", "a membership is refused for what it is");
    empty.insert_slot(router, slot(&path(2)), [1; 32]);
    assert_eq!(proof_and_verdict(&empty), Ok(()), "one that stores something else");
    state.insert_codeless(router);
    assert_eq!(proof_and_verdict(&state), Err("LC-QBFT-036"), "an account without code");
}
