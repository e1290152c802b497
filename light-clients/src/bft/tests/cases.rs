//! The numbered cases that are about seals, heights and networks.

use super::*;
use crate::testing::Key;
use crate::verdict::Coded;

/// n - s, with the recovery id flipped: the other form of the same signature.
fn malleate(seal: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let mut out = seal.to_vec();
    let mut borrow = 0;
    for i in (0..32).rev() {
        let digit = i16::from(ORDER[i]) - i16::from(seal[32 + i]) - borrow;
        borrow = i16::from(digit < 0);
        out[32 + i] = digit.rem_euclid(256) as u8;
    }
    out[64] ^= 1;
    out
}

#[test]
fn qb_01_a_quorum_is_ceil_two_thirds_of_any_set() {
    for (validators, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7), (30, 20), (100, 67)] {
        let network = network_of(validators);
        for seals in [quorum - 1, quorum, validators] {
            let mut header = network.next();
            header.seal(&network.keys[..seals]);
            check(&network, &header, if seals < quorum { "LC-QUO-003" } else { "ok" });
        }
    }
}

#[test]
fn qb_02_a_validator_counts_once() {
    let network = network_of(4);
    let mut header = network.next();
    header.seal(&network.keys[..2]);
    let again = header.seals[0].clone();
    let other_form = malleate(&again);
    let with = |seal: Vec<u8>| {
        let mut header = header.clone();
        header.seals.push(seal);
        header
    };
    check(&network, &with(again), "LC-QBFT-019");
    check(&network, &with(other_form.clone()), "LC-SIG-002");
    // The other form with the right recovery id for the wrong key, and alone.
    let mut flipped = other_form;
    flipped[64] ^= 1;
    check(&network, &with(flipped), "LC-SIG-002");
    // A repeated seal spoils a header that has a quorum without it.
    let mut full = network.next();
    full.seal(&network.keys[..3]);
    full.seals.push(full.seals[1].clone());
    check(&network, &full, "LC-QBFT-019");
}

#[test]
fn qb_03_a_seal_by_a_stranger_refuses_the_header() {
    let network = network_of(4);
    let stranger = Key::new(1000);
    for at in 0..4 {
        let mut header = network.next();
        header.seal(&network.keys[..3]);
        let seal = stranger.sign(&header.seal_hash().0).to_vec();
        header.seals.insert(at, seal);
        check(&network, &header, "LC-QBFT-018");
    }
}

#[test]
fn qb_04_seals_are_at_most_the_validators_and_at_least_a_quorum() {
    let network = network_of(4);
    let mut header = network.next();
    check(&network, &header, "LC-QUO-003");
    header.seal(&network.keys);
    check(&network, &header, "ok");
    header.seals.push(header.seals[0].clone());
    check(&network, &header, "LC-QBFT-007");
}

#[test]
fn qb_06_one_of_four_forges_nothing_and_small_sets_are_opted_into() {
    let network = network_of(4);
    // One validator lists itself alone, or in the place of others.
    let traitor = &network.keys[..1];
    let mut header = network.next();
    header.validators = std::vec![traitor[0].address()];
    header.coinbase = traitor[0].address();
    check(&network, &header.clone().sealed(traitor), "LC-QBFT-017");
    // Fewer than four validators are not even an anchor, unless the operator says so.
    for small in 1..=3 {
        let network = network_of(small);
        let mut config = network.config();
        config.trust.allow_no_fault_tolerance = false;
        let error = Tested::new(config, &network.headers[0].encode()).unwrap_err();
        assert_eq!(error, BftError::NoFaultTolerance { got: small });
    }
    // A set that shrinks below four is not followed without the option.
    let mut network = network_of(4);
    let leaving = network.keys[3].address();
    let mut header = network.next();
    header.vote = ENCODING.vote(leaving, false);
    network.push(header);
    let mut config = network.config();
    let mut client = follow(&network, config.clone());
    config.trust.allow_no_fault_tolerance = false;
    let mut strict = follow(&network, config);
    network.keys.pop();
    let shrunk = network.next();
    let shrunk = network.push(shrunk);
    assert_eq!(word(&strict.advance(&shrunk, network.now())), "LC-QBFT-014");
    assert_eq!(word(&client.advance(&shrunk, network.now())), "ok");
}

#[test]
fn qb_07_seals_are_for_one_round_and_the_block_hash_for_all() {
    let network = network_of(4);
    let mut header = network.next();
    header.round = ENCODING.round(5);
    let header = header.sealed(&network.keys);
    check(&network, &header, "ok");
    let mut other = header.clone();
    other.round = ENCODING.round(6);
    assert_eq!(header.hash(), other.hash());
    assert_ne!(header.seal_hash(), other.seal_hash());
    // Seals of round 5 say nothing in round 6: they recover to somebody else, or to nobody.
    let mut client = network.client_of::<TestedForm>(network.config());
    let verdict = client.advance(&other.encode(), network.now());
    assert!(["LC-QBFT-018", "LC-SIG-003"].contains(&word(&verdict).as_str()), "{verdict:?}");
    // Round 0 has no byte, which is another round than 5 as well.
    other.round = ENCODING.round(0);
    let verdict = client.advance(&other.encode(), network.now());
    assert!(["LC-QBFT-018", "LC-SIG-003"].contains(&word(&verdict).as_str()), "{verdict:?}");
    // Sealed in two rounds, it is one block all the same.
    assert_eq!(word(&client.advance(&header.encode(), network.now())), "ok");
    let again = other.sealed(&network.keys);
    assert_eq!(word(&client.advance(&again.encode(), network.now())), "ok");
}

#[test]
fn qb_11_heights_and_times_do_not_go_back_and_a_second_root_freezes() {
    let mut network = network_of(4);
    network.grow(3);
    let mut client = follow(&network, network.config());
    let now = network.now();
    // A time that is not later.
    for seconds in [0, 1] {
        let mut header = network.next();
        header.time_seconds = network.head().time_seconds - seconds;
        let verdict = client.advance(&header.sealed(&network.keys).encode(), now);
        assert_eq!(word(&verdict), "LC-QBFT-016");
    }
    // The same height with another root: without seals it is refused, sealed it is a conflict.
    let mut second = network.headers[2].clone();
    second.state_root = keccak256(&[b"other"]);
    second.seals.clear();
    assert_eq!(word(&client.advance(&second.encode(), now)), "LC-QUO-003");
    assert!(!client.status().frozen);
    let trusted = network.headers[2].hash();
    let second = second.sealed(&network.keys);
    match client.advance(&second.encode(), now) {
        Verdict::Conflict(found) => {
            let expect = Misbehaviour { height: 3, first: trusted, second: second.hash(), code: DOUBLE_SEAL };
            assert_eq!(*found, expect);
        }
        other => panic!("{other:?}"),
    }
    // Frozen: nothing is verified any more, not even what was.
    assert!(client.status().frozen);
    assert_eq!(word(&client.advance(&network.next().sealed(&network.keys).encode(), now)), "LC-TRUST-008");
    assert_eq!(word(&client.advance(&network.headers[2].encode(), now)), "LC-TRUST-008");
    assert_eq!(client.header(3), None);
    assert_eq!(client.membership(3, b"p", &[1; 32], &[]).unwrap_err().code, "LC-TRUST-008");
    assert_eq!(client.absence(3, b"p", &[]).unwrap_err().code, "LC-TRUST-008");
}

#[test]
fn qb_12_f_plus_one_and_two_f_plus_one_are_no_quorum() {
    // GoQuorum itself imports a block with F + 1 seals; 2F + 1 falls short of ceil(2n/3) at 5 and 6.
    for (validators, seals, expect) in [
        (4, 2, "LC-QUO-003"),
        (7, 3, "LC-QUO-003"),
        (5, 3, "LC-QUO-003"),
        (6, 3, "LC-QUO-003"),
        (5, 4, "ok"),
        (6, 4, "ok"),
    ] {
        let network = network_of(validators);
        let mut header = network.next();
        header.seal(&network.keys[..seals]);
        check(&network, &header, expect);
    }
}

#[test]
fn qb_13_block_0_is_neither_update_nor_anchor() {
    let network = network_of(4);
    let genesis = HeaderSpec::new(0, 0, &network.keys).encoded_as(ENCODING);
    check(&network, &genesis.clone().sealed(&network.keys), "LC-QBFT-008");
    let mut config = network.config();
    config.anchor = crate::Anchor { height: 0, hash: genesis.hash() };
    assert_eq!(Tested::new(config, &genesis.encode()).unwrap_err(), BftError::GenesisAnchor);
    // Its hash can be read all the same, though its validators are not in order.
    let mut unsorted = genesis;
    unsorted.validators.reverse();
    assert_eq!(block_hash::<TestedForm>(&unsorted.encode()), Ok(unsorted.hash()));
}

#[test]
fn the_anchor_was_sealed_by_its_own_validators() {
    let network = network_of(4);
    let with = |change: &dyn Fn(&mut HeaderSpec)| {
        let mut header = network.headers[0].clone();
        change(&mut header);
        let mut config = network.config();
        config.anchor.hash = header.hash();
        Tested::new(config, &header.encode()).map_or_else(|error| error.code(), |_| "ok")
    };
    let sealed_by = |keys: Vec<Key>| {
        with(&move |header| {
            header.seals.clear();
            header.seal(&keys);
        })
    };
    assert_eq!(with(&|_| ()), "ok");
    assert_eq!(sealed_by(network.keys.clone()), "ok");
    assert_eq!(sealed_by(Vec::new()), "LC-QUO-003", "no seals");
    assert_eq!(sealed_by(network.keys[..2].to_vec()), "LC-QUO-003", "one too few");
    assert_eq!(sealed_by([&network.keys[..2], &[Key::new(77)]].concat()), "LC-QBFT-018", "by a stranger");
    assert_eq!(sealed_by([&network.keys[..2], &network.keys[..1]].concat()), "LC-QBFT-019", "twice by one");
    assert_eq!(with(&|header| header.state_root.0[0] ^= 1), "LC-QBFT-018", "the seals of another block");
}

#[test]
fn qb_14_another_network_with_the_same_keys_is_refused_and_freezes_nothing() {
    let mut ours = network_of(4);
    let mut theirs = ours.clone();
    theirs.headers[0].state_root = keccak256(&[b"another genesis"]);
    theirs.headers[0] = theirs.headers[0].clone().sealed(&theirs.keys);
    ours.grow(4);
    theirs.grow(6);
    let mut client = follow(&ours, ours.config());
    let now = theirs.now();
    // (their block, what becomes of it): the next one, the ones that we have of our own chain, one further ahead.
    for (block, expect) in
        [(6, "LC-QBFT-015"), (5, "LC-QBFT-015"), (2, "LC-QBFT-015"), (1, "LC-QBFT-025"), (7, "between LC-QBFT-021")]
    {
        let verdict = client.advance(&theirs.headers[block - 1].encode(), now);
        assert_eq!(word(&verdict), expect, "their block {block}");
    }
    let two = |n: &Network, block: usize| n.headers[block - 1].encode();
    let evidence = client.misbehaviour(&two(&ours, 3), &two(&theirs, 3), now);
    assert_eq!(evidence.unwrap_err().code, "LC-QBFT-015");
    assert!(!client.status().frozen);
    ours.grow(1);
    assert_eq!(word(&client.advance(&ours.head().encode(), now)), "ok", "and our own chain goes on");
    // Neither chain is taken for the other by its instance.
    let other = theirs.client_of::<TestedForm>(theirs.config());
    assert_ne!(other.status().instance, client.status().instance);
}

#[test]
fn qb_15_fields_of_later_forks_are_kept_and_hashed() {
    let bytes = |payload: &[u8]| {
        let mut out = Vec::new();
        crate::rlp::put_bytes(&mut out, payload);
        out
    };
    // Base fee, withdrawals root, blob gas used, excess blob gas, parent beacon root, requests hash; then unknown.
    let fields = [&[7][..], &[1; 32], &[], &[], &[2; 32], &[3; 32], b"of a later fork"];
    for count in 1..=fields.len() {
        let mut network = network_of(4);
        let trailing: Vec<Vec<u8>> = fields[..count].iter().map(|f| bytes(f)).collect();
        let mut header = network.next();
        header.trailing.clone_from(&trailing);
        network.push(header);
        network.grow(2);
        let client = follow(&network, network.config());
        assert_eq!(client.status().trusted_hash, network.head().hash());
        // They are under the seals: one changed bit is another header.
        let mut changed = network.next().sealed(&network.keys);
        changed.trailing = std::vec![bytes(&[9])];
        let verdict = client.clone().advance(&changed.encode(), network.now());
        assert!(["LC-QBFT-018", "LC-SIG-003"].contains(&word(&verdict).as_str()), "{verdict:?}");
    }
    // A list among them has room for other encodings, and no fork has one.
    let network = network_of(4);
    let mut header = network.next();
    header.trailing = std::vec![std::vec![0xc0]];
    check(&network, &header.sealed(&network.keys), "LC-RLP-007");
}

#[test]
fn a_changed_field_is_another_header() {
    let network = network_of(4);
    let good = network.next().sealed(&network.keys);
    type Change = fn(&mut HeaderSpec, &[Key]);
    let changes: [(Change, &str); 7] = [
        (|h, _| h.state_root.0[0] ^= 1, "seals"),
        (|h, _| h.time_seconds += 1, "seals"),
        (|h, keys| h.coinbase = keys[1].address(), "seals"),
        (|h, keys| h.vote = ENCODING.vote(keys[0].address(), true), "seals"),
        (|h, _| h.vanity[0] = 1, "seals"),
        (|h, _| h.parent_hash.0[31] ^= 1, "LC-QBFT-015"),
        (|h, _| h.number += 1, "between LC-QBFT-021"),
    ];
    for (index, (change, expect)) in changes.iter().enumerate() {
        let mut header = good.clone();
        change(&mut header, &network.keys);
        let verdict = network.client_of::<TestedForm>(network.config()).advance(&header.encode(), network.now());
        let got = word(&verdict);
        match *expect {
            "seals" => assert!(["LC-QBFT-018", "LC-SIG-003"].contains(&got.as_str()), "change {index}: {got}"),
            other => assert_eq!(got, other, "change {index}"),
        }
    }
}
