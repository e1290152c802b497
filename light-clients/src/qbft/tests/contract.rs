//! QB-10: validators in a contract, proven from the state of the parent.

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::super::*;
use crate::crypto::{keccak256, Address};
use crate::testing::{
    contract_state, item_slot, keys, set_proof, validator_slots, ContractNetwork, EvmState, HeaderSpec, Key, Network,
    COMMITMENT_SLOT, VALIDATOR_CONTRACT,
};
use crate::verdict::{Coded, Hash32, LightClient, Misbehaviour, Timestamp, Verdict};
use crate::{Anchor, Class};

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified(_) => "ok".into(),
        Verdict::NeedsIntermediate { reason, .. } => std::format!("between {}", reason.code),
        Verdict::Rejected(reason) => reason.code.into(),
        Verdict::Expired { .. } => "expired".into(),
        Verdict::Held(reason) => std::format!("held {}", reason.code),
        Verdict::Conflict(found) => std::format!("conflict {}", found.code),
    }
}

/// Keys of no network, in the order of their addresses.
fn strangers(count: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = (500..500 + count).map(Key::new).collect();
    keys.sort_by_key(Key::address);
    keys
}

fn client(network: &ContractNetwork, config: Config) -> Qbft {
    Qbft::new(config, &network.update(2)).unwrap()
}

fn follow(network: &ContractNetwork, config: Config) -> Qbft {
    let mut client = client(network, config);
    for number in 3..=network.headers.len() as u64 {
        assert_eq!(word(&client.advance(&network.update(number), network.now())), "ok", "block {number}");
    }
    client
}

/// Hands bytes to a client that has followed the network, and expects a word. A refusal leaves no trace.
fn check(network: &ContractNetwork, update: &[u8], expect: &str) {
    let mut client = follow(network, network.config());
    let before = client.save();
    let now = Timestamp::from_seconds(network.head().time_seconds + 5);
    assert_eq!(word(&client.advance(update, now)), expect);
    if expect != "ok" && !expect.starts_with("conflict") {
        assert_eq!(client.save(), before, "a refusal changes nothing");
    }
}

/// The update of `header` with another state of the parent than the network's, for which the parent is made anew.
fn check_state(change: impl FnOnce(&mut EvmState), expect: &str) {
    check_proof(
        |state| {
            change(state);
            set_proof(state, &VALIDATOR_CONTRACT)
        },
        expect,
    );
}

/// A network whose newest state is changed by `prove`, which also gives the proof of the next header's validators.
fn check_proof(prove: impl FnOnce(&mut EvmState) -> (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>), expect: &str) {
    let mut network = ContractNetwork::new(4);
    network.grow(1);
    let at = network.headers.len() - 1;
    let (account, slots) = prove(&mut network.states[at]);
    network.headers[at].state_root = Hash32(*network.states[at].root().as_bytes());
    network.headers[at] = network.headers[at].clone().sealed(&network.keys);
    let next = network.next().sealed(&network.keys);
    check(&network, &encode_update(&next.encode(), &network.head().encode(), &account, &slots), expect);
}

#[test]
fn qb_10_the_set_is_the_one_in_the_parents_state() {
    let mut network = ContractNetwork::new(4);
    network.grow(2);
    // From one block to the next, the contract keeps other validators altogether: those seal from the next block on.
    let others = strangers(5);
    let next = network.next();
    let change = network.push(next, &others);
    network.grow(2);
    let mut client = client(&network, network.config());
    for number in 3..=7 {
        let verdict = client.advance(&network.update(number), network.now());
        assert_eq!(word(&verdict), "ok", "block {number}");
        let expect: Vec<Address> =
            if number <= 5 { keys(4) } else { others.clone() }.iter().map(Key::address).collect();
        assert_eq!(client.validators(), expect, "block {number}");
    }
    assert_eq!(client.status().trusted_hash, network.head().hash());
    assert_eq!(contract_update_hash(&change), Ok(network.headers[4].hash()));
}

#[test]
fn qb_10_former_validators_seal_nothing_after_the_change() {
    let mut network = ContractNetwork::new(4);
    let (four, others) = (network.keys.clone(), strangers(5));
    let next = network.next();
    network.push(next, &others);
    // Sealed by all of the former set, with the real proof: their seals are those of strangers, the proposer is one.
    let mut former = network.next();
    former.seal(&four);
    check(&network, &network.update_of(&former), "LC-QBFT-018");
    former.coinbase = four[0].address();
    check(&network, &network.update_of(&former.sealed(&four)), "LC-QBFT-011");
    // With the proof of the state below, where they were the set: it is not the state of the parent.
    let mut former = network.next();
    former.coinbase = four[0].address();
    let former = former.sealed(&four);
    let (account, slots) = set_proof(&network.states[1], &VALIDATOR_CONTRACT);
    let stale = |parent: &HeaderSpec| encode_update(&former.encode(), &parent.encode(), &account, &slots);
    check(&network, &stale(network.head()), "LC-MPT-006");
    check(&network, &stale(&network.headers[1]), "LC-QBFT-043");
    // A parent with the state that they would need is not the trusted one.
    let mut parent = network.head().clone();
    parent.state_root = network.headers[1].state_root;
    check(&network, &stale(&parent), "LC-QBFT-043");
    let mut child = former;
    child.parent_hash = parent.hash();
    let child = child.sealed(&four);
    check(&network, &encode_update(&child.encode(), &parent.encode(), &account, &slots), "LC-QBFT-015");
}

#[test]
fn qb_10_headers_list_neither_validators_nor_votes() {
    let network = ContractNetwork::new(4);
    let mut listing = network.next();
    listing.validators = network.keys.iter().map(Key::address).collect();
    check(&network, &network.update_of(&listing.sealed(&network.keys)), "LC-QBFT-041");
    let mut voting = network.next();
    voting.vote = crate::testing::vote(network.keys[0].address(), false);
    check(&network, &network.update_of(&voting.sealed(&network.keys)), "LC-QBFT-042");
    // Headers that do list them are another network's, and are no update here.
    let plain = Network::new(4);
    check(&network, &plain.next().sealed(&plain.keys).encode(), "LC-RLP-012");
    // And the other way round.
    let mut client = plain.client(plain.config());
    assert_eq!(word(&client.advance(&network.update(2), plain.now())), "LC-QBFT-002");
}

#[test]
fn qb_10_the_array_is_proven_whole() {
    let contract = Address(VALIDATOR_CONTRACT.address);
    let slot = VALIDATOR_CONTRACT.slot;
    let addresses = |count| keys(count).iter().map(Key::address).collect::<Vec<_>>();
    check_state(|_| (), "ok");
    // The order of the array means nothing.
    check_state(|state| *state = contract_state(&addresses(4).into_iter().rev().collect::<Vec<_>>()), "ok");
    // No contract, no code, nothing in it, nothing at the slot.
    check_state(
        |state| {
            *state = EvmState::default();
            state.insert_contract(Address([1; 20]));
            state.insert_contract(Address([2; 20]));
        },
        "LC-MPT-015",
    );
    check_state(|state| state.insert_codeless(contract), "LC-QBFT-044");
    check_state(|state| *state = contract_state(&[]), "LC-QBFT-045");
    check_state(
        |state| {
            *state = contract_state(&[]);
            state.insert_slot(contract, [9; 32], [1; 32]);
        },
        "LC-QBFT-045",
    );
    // An item twice, the zero address, and items that are no addresses.
    check_state(|state| *state = contract_state(&[addresses(4), addresses(1)].concat()), "LC-QBFT-049");
    check_state(|state| *state = contract_state(&[&[Address([0; 20])][..], &addresses(4)].concat()), "LC-QBFT-006");
    let mut wide = [0; 32];
    wide[11] = 1;
    check_state(|state| state.insert_slot(contract, item_slot(&slot, 2), wide), "LC-QBFT-048");
    check_state(|state| state.insert_slot(contract, item_slot(&slot, 2), [0xff; 32]), "LC-QBFT-048");
}

#[test]
fn qb_10_the_length_is_proven_and_bounded() {
    let contract = Address(VALIDATOR_CONTRACT.address);
    let slot = VALIDATOR_CONTRACT.slot;
    let length = |bytes: &[u8]| {
        let mut value = [0; 32];
        value[32 - bytes.len()..].copy_from_slice(bytes);
        move |state: &mut EvmState| state.insert_slot(contract, slot, value)
    };
    // More proofs or fewer than the length says: items cannot be left out, nor put in.
    let items = |count: usize| {
        move |state: &mut EvmState| {
            let (account, _) = set_proof(state, &VALIDATOR_CONTRACT);
            let slots = array_slots(&slot, 6).iter().map(|at| state.nodes(contract, at).1).take(count).collect();
            (account, slots)
        }
    };
    check_proof(items(5), "ok");
    for count in [0, 1, 4, 6] {
        check_proof(items(count), "LC-QBFT-047");
    }
    // Item 4 is beyond the four, so it is shown to hold nothing.
    check_state(length(&[5]), "LC-QBFT-006");
    // Lengths that are no lengths, whatever their low bytes say.
    for bytes in [&[1, 1][..], &[1, 0, 0, 0, 0, 0, 0, 0, 4], &[0xff; 32], &[0xff; 8]] {
        let set = length(bytes);
        check_proof(
            |state| {
                set(state);
                let slots = array_slots(&slot, 4).iter().map(|at| state.nodes(contract, at).1).collect();
                (state.nodes(contract, &slot).0, slots)
            },
            "LC-QBFT-046",
        );
    }
    // Proofs in another order: each is of its own slot.
    check_proof(
        |state| {
            let (account, mut slots) = set_proof(state, &VALIDATOR_CONTRACT);
            slots.swap(1, 2);
            (account, slots)
        },
        "LC-MPT-006",
    );
}

#[test]
fn qb_10_another_slot_or_contract_proves_nothing() {
    let mut network = ContractNetwork::new(4);
    network.grow(1);
    let code = |contract: ValidatorContract| {
        let config = Config { validator_contract: Some(contract), ..network.config() };
        Qbft::new(config, &network.update(2)).map_or_else(|error| error.code(), |_| "ok")
    };
    assert_eq!(code(VALIDATOR_CONTRACT), "ok");
    assert!(code(ValidatorContract { address: [0xc0; 20], ..VALIDATOR_CONTRACT }).starts_with("LC-MPT"));
    assert!(code(ValidatorContract { slot: [1; 32], ..VALIDATOR_CONTRACT }).starts_with("LC-MPT"));
    assert_eq!(code(ValidatorContract { address: [0; 20], ..VALIDATOR_CONTRACT }), "LC-QBFT-050");
    // They are part of what the client is.
    let base = network.config();
    let with = |validator_contract| Config { validator_contract, ..base.clone() }.instance(crate::Family::Qbft);
    let instances = [
        with(None),
        with(Some(VALIDATOR_CONTRACT)),
        with(Some(ValidatorContract { address: [0x89; 20], ..VALIDATOR_CONTRACT })),
        with(Some(ValidatorContract { slot: [1; 32], ..VALIDATOR_CONTRACT })),
    ];
    for (at, instance) in instances.iter().enumerate() {
        assert!(!instances[..at].contains(instance), "{at}");
    }
}

#[test]
fn qb_10_an_anchor_proves_its_set_as_well() {
    let network = ContractNetwork::new(4);
    let code = |update: &[u8]| Qbft::new(network.config(), update).map_or_else(|error| error.code(), |_| "ok");
    assert_eq!(code(&network.update(2)), "ok");
    assert_eq!(code(&network.headers[1].encode()), "LC-RLP-012", "a header alone");
    let mut bare = network.headers[1].clone();
    bare.seals.truncate(2);
    assert_eq!(code(&network.update_of(&bare)), "LC-QUO-003");
    bare.seals.clear();
    bare.seal(&strangers(3));
    assert_eq!(code(&network.update_of(&bare)), "LC-QBFT-018");
    bare.state_root.0[0] ^= 1;
    assert_eq!(code(&network.update_of(&bare)), "LC-TRUST-003");
    // Seals are counted against the proven set: half of it cannot pass for the whole.
    let (account, slots) = set_proof(&contract_state(&[network.keys[0].address()]), &VALIDATOR_CONTRACT);
    let (header, parent) = (network.headers[1].encode(), network.headers[0].encode());
    assert_eq!(code(&encode_update(&header, &parent, &account, &slots)), "LC-MPT-006");
    let mut config = network.config();
    config.anchor = Anchor { height: 3, hash: config.anchor.hash };
    assert_eq!(Qbft::new(config, &network.update(2)).unwrap_err().code(), "LC-TRUST-004");
}

#[test]
fn qb_10_updates_have_one_form() {
    let mut network = ContractNetwork::new(4);
    network.grow(1);
    let next = network.next().sealed(&network.keys);
    let good = network.update_of(&next);
    check(&network, &good, "ok");
    check(&network, &good[..good.len() - 1], "LC-RLP-001");
    check(&network, &[&good[..], &[0]].concat(), "LC-RLP-002");
    check(&network, &std::vec![0; MAX_CONTRACT_UPDATE_BYTES + 1], "LC-QBFT-051");
    check(&network, &std::vec![0; MAX_CONTRACT_UPDATE_BYTES], "LC-RLP-002");
    check(&network, &next.encode(), "LC-RLP-012");
    check(&network, &[0xc0], "LC-RLP-013");
    let (account, slots) = set_proof(&network.states[2], &VALIDATOR_CONTRACT);
    let (header, parent) = (next.encode(), network.head().encode());
    // One item more or fewer, and nodes that are lists.
    let list = |payload: &[&[u8]]| {
        let mut out = Vec::new();
        crate::rlp::put_list(&mut out, &payload.concat());
        out
    };
    check(&network, &list(&[&header, &parent, &[0xc0]]), "LC-RLP-013");
    check(&network, &list(&[&header, &parent, &[0xc0], &[0xc0], &[0xc0]]), "LC-RLP-012");
    check(&network, &list(&[&header, &parent, &[0xc1, 0xc0], &[0xc0]]), "LC-RLP-007");
    check(&network, &list(&[&header, &parent, &[0x80], &[0xc0]]), "LC-RLP-008");
    check(&network, &list(&[&header, &parent, &[0xc0], &[0xc1, 0x80]]), "LC-RLP-008");
    check(&network, &list(&[&header, &[0xc0], &[0xc0], &[0xc0]]), "LC-QBFT-002");
    check(&network, &list(&[&[0xc0], &parent, &[0xc0], &[0xc0]]), "LC-QBFT-002");
    // A node more, one fewer, one twice.
    let with = |account: &[Vec<u8>], slots: &[Vec<Vec<u8>>]| encode_update(&header, &parent, account, slots);
    check(&network, &with(&[account.clone(), std::vec![account[0].clone()]].concat(), &slots), "LC-MPT-007");
    check(&network, &with(&account[..account.len() - 1], &slots), "LC-MPT-005");
    let mut more = slots.clone();
    more[1].push(slots[0][0].clone());
    check(&network, &with(&account, &more), "LC-MPT-007");
    more[1] = Vec::new();
    check(&network, &with(&account, &more), "LC-MPT-005");
}

#[test]
fn a_quorum_is_one_of_the_proven_set() {
    for (validators, quorum) in [(1, 1), (2, 2), (4, 3), (5, 4), (7, 5)] {
        let network = ContractNetwork::new(validators);
        for seals in 0..=validators {
            let mut header = network.next();
            header.seal(&network.keys[..seals]);
            check(&network, &network.update_of(&header), if seals < quorum { "LC-QUO-003" } else { "ok" });
        }
        let mut header = network.next();
        header.seal(&network.keys);
        header.seals.push(header.seals[0].clone());
        check(&network, &network.update_of(&header), "LC-QBFT-007");
    }
    // Four are the fewest that tolerate a fault, wherever they are kept.
    let network = ContractNetwork::new(3);
    let mut config = network.config();
    config.trust.allow_no_fault_tolerance = false;
    assert_eq!(Qbft::new(config, &network.update(2)).unwrap_err().code(), "LC-QBFT-014");
}

#[test]
fn a_new_set_above_the_churn_limit_waits_for_a_person() {
    let mut network = ContractNetwork::new(4);
    let five = keys(5);
    let next = network.next();
    network.push(next, &five);
    let now = network.now();
    for (permille, expect) in [(250, "ok"), (249, "held LC-TRUST-007")] {
        let mut config = network.config();
        config.trust.churn_limit_permille = permille;
        let mut client = follow(&network, config);
        let next = network.next().sealed(&network.keys);
        assert_eq!(word(&client.advance(&network.update_of(&next), now)), expect);
    }
}

#[test]
fn skipping_trusts_the_parent_that_an_honest_validator_sealed_over() {
    let mut network = ContractNetwork::new(7);
    network.grow(3);
    // Of the seven, three stay (F + 1), or two.
    for (stay, expect) in [(3, "ok"), (2, "between LC-QBFT-020")] {
        let mut network = network.clone();
        let mut then = [&network.keys[..stay], &strangers(4)].concat();
        then.sort_by_key(Key::address);
        let next = network.next();
        network.push(next, &then);
        let next = network.next();
        let mut sealed = next.clone();
        sealed.seal(&then);
        let mut config = network.config();
        let mut client = client(&network, config.clone());
        assert_eq!(word(&client.advance(&network.update_of(&sealed), network.now())), "between LC-QBFT-021");
        config.skipping = true;
        let mut client = super::contract::client(&network, config);
        let verdict = client.advance(&network.update_of(&sealed), network.now());
        assert_eq!(word(&verdict), expect);
        if expect == "ok" {
            assert_eq!(client.validators().len(), then.len());
            // Older headers fill in, each with its own proof.
            for number in (3..=6).rev() {
                assert_eq!(word(&client.advance(&network.update(number), network.now())), "ok", "{number}");
            }
            // A proof of nothing is no proof for them either.
            let mut fresh = super::contract::client(&network, Config { skipping: true, ..network.config() });
            assert_eq!(word(&fresh.advance(&network.update_of(&sealed), network.now())), "ok");
            let (header, parent) = (network.headers[5].encode(), network.headers[4].encode());
            let bare = encode_update(&header, &parent, &[], &[Vec::new()]);
            assert_eq!(word(&fresh.advance(&bare, network.now())), "LC-MPT-005");
        }
    }
}

#[test]
fn two_sealed_children_freeze_and_evidence_carries_its_proofs() {
    let mut network = ContractNetwork::new(4);
    network.grow(2);
    let mut twin = network.headers[2].clone();
    twin.receipts_root.0[0] ^= 1;
    let sealed = twin.sealed(&network.keys);
    let mut client = follow(&network, network.config());
    let (first, second) = (network.headers[2].hash(), sealed.hash());
    let found = Misbehaviour { height: 3, first, second, code: DOUBLE_SEAL };
    let (good, other) = (network.update(3), network.update_of(&sealed));
    assert_eq!(client.misbehaviour(&good, &other, network.now()), Ok(found.clone()));
    let code = |first: &[u8], second: &[u8]| client.misbehaviour(first, second, network.now()).unwrap_err().code;
    let mut short = sealed.clone();
    short.seals.truncate(2);
    assert_eq!(code(&good, &network.update_of(&short)), "LC-QUO-003");
    let unproven = encode_update(&sealed.encode(), &network.headers[1].encode(), &[], &[Vec::new()]);
    for (first, second) in [(&good, &unproven), (&unproven, &good)] {
        assert_eq!(code(first, second), "LC-MPT-005");
    }
    assert_eq!(word(&client.advance(&unproven, network.now())), "LC-MPT-005");
    assert_eq!(client.advance(&other, network.now()), Verdict::Conflict(Box::new(found)));
    assert_eq!(word(&client.advance(&good, network.now())), "LC-TRUST-008");
}

#[test]
fn saved_state_comes_back_for_the_same_contract_only() {
    let mut network = ContractNetwork::new(4);
    let five = keys(5);
    let next = network.next();
    network.push(next, &five);
    network.grow(1);
    let client = follow(&network, network.config());
    let bytes = client.save();
    let digest = Hash32::sha256(&[&bytes]);
    let mut restored = Qbft::restore(network.config(), &bytes, &digest).unwrap();
    assert_eq!((restored.status(), restored.save()), (client.status(), bytes.clone()));
    let next = network.next().sealed(&network.keys);
    assert_eq!(word(&restored.advance(&network.update_of(&next), network.now())), "ok");
    let plain = Config { validator_contract: None, ..network.config() };
    assert_eq!(Qbft::restore(plain, &bytes, &digest).unwrap_err().code(), "LC-TRUST-010");
}

#[test]
fn commitments_are_proven_in_the_state_of_a_contract_mode_header() {
    let mut network = ContractNetwork::new(4);
    let (router, path) = (Address([0xc0; 20]), b"client-0\x01\0\0\0\0\0\0\0\x01".as_slice());
    let slot = keccak256(&[&keccak256(&[path]).0, &COMMITMENT_SLOT]).0;
    let at = network.headers.len() - 1;
    network.states[at].insert_slot(router, slot, [7; 32]);
    network.headers[at].state_root = Hash32(*network.states[at].root().as_bytes());
    network.headers[at] = network.headers[at].clone().sealed(&network.keys);
    let client = client(&network, network.config());
    let proof = network.states[at].proof(router, &slot);
    assert_eq!(client.membership(2, path, &[7; 32], &proof).unwrap().value, [7; 32]);
    assert_eq!(client.membership(2, path, &[8; 32], &proof).unwrap_err().code, "LC-QBFT-033");
    assert_eq!(client.absence(2, path, &proof).unwrap_err().code, "LC-QBFT-035");
}

#[test]
fn slots_are_laid_out_as_solidity_does() {
    // Known from the genesis files of such networks: the first item of an array at slot 0.
    let known = "290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563";
    assert_eq!(hex::encode(array_slots(&[0; 32], 1)[1]), known);
    // Both ways of counting agree, over carries too.
    for slot in 0..40u8 {
        let slots = array_slots(&[slot; 32], MAX_VALIDATORS);
        for (index, at) in slots[1..].iter().enumerate() {
            assert_eq!(*at, item_slot(&[slot; 32], index as u64), "{slot} {index}");
        }
    }
    let three = keys(3).iter().map(Key::address).collect::<Vec<_>>();
    let slots: Vec<_> = validator_slots(&[0; 32], &three).into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots, array_slots(&[0; 32], 3));
}

#[test]
fn what_a_person_must_look_at_is_a_matter_of_configuration() {
    let contract = Address([1; 20]);
    for error in [
        QbftError::ContractHeaderSet { got: 1 },
        QbftError::ContractCode { contract, height: 1 },
        QbftError::ContractEmpty { contract, height: 1 },
        QbftError::ZeroContract,
    ] {
        assert_eq!(error.class(), Class::Config, "{error}");
    }
}
