//! Validator sets: CM-01 to CM-03, CM-09, CM-12, CM-13, churn.

use alloc::{vec, vec::Vec};

use tendermint_proto::v0_38::crypto::{public_key::Sum, PublicKey as RawPublicKey};
use tendermint_proto::v0_38::types::Validator as RawValidator;

use super::*;
use crate::cometbft::testing::{ordered, raw_set, set_hash, Signer};
use crate::verdict::Hash32;

/// The outcome of block 2 with its set after a change of the set.
fn with_set(change: impl FnOnce(&mut RawValidatorSet)) -> &'static str {
    let chain = chain();
    let mut set = raw_set(&chain.block(2).validators);
    change(&mut set);
    second(&chain, &encode(&chain.block(2).signed, Some(&set)))
}

fn validators(change: impl FnOnce(&mut Vec<RawValidator>)) -> &'static str {
    with_set(|set| change(&mut set.validators))
}

#[test]
fn an_unchanged_set_holds() {
    assert_eq!(with_set(|_| ()), "verified");
}

#[test]
fn cm_01_addresses_follow_from_keys() {
    assert_eq!(validators(|set| set[1].address[0] ^= 1), "LC-CMT-007");
    assert_eq!(validators(|set| set[1].address.truncate(19)), "LC-CMT-007");
    assert_eq!(validators(|set| set[1].address.clear()), "LC-CMT-007");
    // The address of another validator, so that its vote would count twice.
    assert_eq!(validators(|set| set[1].address = set[0].address.clone()), "LC-CMT-007");
    assert_eq!(validators(|set| set[1].pub_key = set[0].pub_key.clone()), "LC-CMT-007");
}

#[test]
fn cm_02_no_validator_is_twice_in_a_set() {
    assert_eq!(validators(|set| set[1] = set[0].clone()), "LC-CMT-008");
    assert_eq!(validators(|set| set.push(set[0].clone())), "LC-CMT-008");
    let other_power = |set: &mut Vec<RawValidator>| {
        let mut again = set[0].clone();
        again.voting_power = 1;
        set.push(again);
    };
    assert_eq!(validators(other_power), "LC-CMT-008");
}

#[test]
fn cm_02_no_vote_is_counted_twice() {
    let chain = chain();
    let doubled = changed(&chain, |signed| {
        let commit = signed.commit.as_mut().unwrap();
        commit.signatures[1] = commit.signatures[0].clone();
    });
    assert_eq!(second(&chain, &doubled), "LC-CMT-017");
    let more = changed(&chain, |signed| {
        let commit = signed.commit.as_mut().unwrap();
        commit.signatures.push(commit.signatures[0].clone());
    });
    assert_eq!(second(&chain, &more), "LC-CMT-015");
}

#[test]
fn cm_03_powers_are_positive_and_their_sum_is_bounded() {
    assert_eq!(validators(|set| set[3].voting_power = 0), "LC-CMT-010");
    assert_eq!(validators(|set| set[3].voting_power = -1), "LC-CMT-010");
    assert_eq!(validators(|set| set[0].voting_power = i64::MIN), "LC-CMT-010");
    let most = MAX_TOTAL_POWER as i64;
    assert_eq!(validators(|set| set[0].voting_power = most - 30), "LC-CMT-019", "in bounds, another set");
    assert_eq!(validators(|set| set[0].voting_power = most - 29), "LC-CMT-011");
    assert_eq!(validators(|set| set[0].voting_power = i64::MAX), "LC-CMT-011");
    // Three powers whose sum wraps 64 bits.
    assert_eq!(validators(|set| set[..3].iter_mut().for_each(|v| v.voting_power = i64::MAX)), "LC-CMT-011");
    assert_eq!(with_set(|set| set.total_voting_power = 40), "verified", "the true sum may be stated");
    for stated in [39, 41, -40, i64::MAX] {
        assert_eq!(with_set(|set| set.total_voting_power = stated), "LC-CMT-012", "{stated}");
    }
}

#[test]
fn sets_are_in_the_chains_order_and_of_a_looked_at_size() {
    assert_eq!(validators(|set| set.swap(0, 1)), "LC-CMT-009");
    assert_eq!(validators(|set| set[3].voting_power = 11), "LC-CMT-009");
    assert_eq!(validators(Vec::clear), "LC-CMT-005");
    let chain = chain();
    let many = signers(9, &vec![1; MAX_VALIDATORS + 1]);
    assert_eq!(second(&chain, &encode(&chain.block(2).signed, Some(&raw_set(&many)))), "LC-CMT-005");
}

#[test]
fn the_largest_set_is_verified() {
    let chain = Chain::of(CHAIN, signers(9, &vec![3; 300]), 2);
    assert!(chain.full_update(2).len() < MAX_UPDATE_BYTES);
    assert_eq!(second(&chain, &chain.full_update(2)), "verified");
    let largest = encode(&chain.block(2).signed, Some(&raw_set(&signers(9, &vec![1; MAX_VALIDATORS]))));
    assert!(2 * largest.len() < MAX_UPDATE_BYTES, "{}", largest.len());
    // As many as are looked at: it is another set, and not too large a one.
    assert_eq!(second(&chain, &largest), "LC-CMT-019");
}

#[test]
fn cm_09_the_validators_are_those_that_the_trusted_header_announced() {
    let chain = chain();
    let strangers = Chain::of(CHAIN, signers(2, &[10, 10, 10, 10]), 2);
    // A header of strangers' own making, which follows block 1.
    let mut forged = strangers.clone();
    forged.blocks[0] = chain.block(1).clone();
    forged.blocks.truncate(1);
    forged.push(Hash32([5; 32]));
    assert_eq!(second(&chain, &forged.update(2)), "LC-CMT-020");
    // The true header with strangers as its validators, or with strangers announced.
    let set = raw_set(&strangers.block(1).validators);
    assert_eq!(second(&chain, &encode(&chain.block(2).signed, Some(&set))), "LC-CMT-019");
    let block = chain.block(2);
    let own = raw_set(&block.validators);
    let swapped = encode_update(&block.signed.encode_to_vec(), Some(&own.encode_to_vec()), Some(&set.encode_to_vec()));
    assert_eq!(second(&chain, &swapped), "LC-CMT-019");
    // An anchor with strangers as its validators.
    let anchor = encode(&chain.block(1).signed, Some(&set));
    assert_eq!(CometBft::new(chain.config(1), &anchor).unwrap_err().code(), "LC-CMT-019");
    // A saved set that is not the one its headers name.
    let saved = chain.client(1).save();
    let (ours, theirs) = (chain.block(1).validators[0].public_key(), strangers.block(1).validators[0].public_key());
    let at = saved.windows(32).position(|window| window == ours).unwrap();
    let swapped = [&saved[..at], &theirs, &saved[at + 32..]].concat();
    let digest = Hash32::sha256(&[&swapped]);
    assert_eq!(CometBft::restore(chain.config(1), &swapped, &digest).unwrap_err().code(), "LC-TRUST-011");
}

#[test]
fn cm_12_proposer_and_priorities_are_ignored() {
    assert_eq!(validators(|set| set.iter_mut().for_each(|v| v.proposer_priority = 0)), "verified");
    assert_eq!(validators(|set| set.iter_mut().for_each(|v| v.proposer_priority = i64::MIN)), "verified");
    assert_eq!(with_set(|set| set.proposer = None), "verified");
    assert_eq!(with_set(|set| set.proposer = Some(set.validators[3].clone())), "verified");
    assert_eq!(with_set(|set| set.proposer = Some(RawValidator::default())), "verified");
}

#[test]
fn cm_13_only_ed25519_keys_are_verified() {
    let key = |key| validators(|set| set[2].pub_key = Some(RawPublicKey { sum: key }));
    assert_eq!(key(Some(Sum::Secp256k1(vec![2; 33]))), "LC-CMT-006");
    assert_eq!(key(Some(Sum::Ed25519(vec![2; 31]))), "LC-CMT-006");
    assert_eq!(key(Some(Sum::Ed25519(vec![2; 48]))), "LC-CMT-006");
    assert_eq!(key(None), "LC-CMT-006", "as a bls12381 key decodes, whose field is not known");
    assert_eq!(validators(|set| set[2].pub_key = None), "LC-CMT-006");
}

/// Encodings of the eight points of small order, then the non-canonical encodings that decode to such points.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The order of the base point, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// A chain in which a weak key holds a third of the power, so that its signature decides.
fn weak_chain(key: &str, commitment: &str, scalar: [u8; 32]) -> Chain {
    let signature = [bytes::<32>(commitment), scalar].concat().try_into().unwrap();
    let weak = Signer::weak(bytes(key), signature, 10);
    Chain::of(CHAIN, ordered([signers(1, &[10, 10]), vec![weak]].concat()), 2)
}

#[test]
fn cm_13_signatures_are_judged_as_zip_215_says() {
    // Cofactored: with key and commitment of small order and scalar 0 every message verifies, in every encoding. A
    // cofactorless or strict verifier refuses some or all of them, and so would leave the chain's own consensus.
    for key in SMALL_ORDER {
        for commitment in SMALL_ORDER {
            let chain = weak_chain(key, commitment, [0; 32]);
            let client = CometBft::new(chain.config(1), &chain.update(1));
            assert!(client.is_ok(), "{key} {commitment}: {client:?}");
        }
    }
    let refused = |key: &str, commitment: &str, scalar| {
        let chain = weak_chain(key, commitment, scalar);
        CometBft::new(chain.config(1), &chain.update(1)).unwrap_err().code()
    };
    // The scalar must be reduced, and must be the right one.
    assert_eq!(refused(SMALL_ORDER[0], SMALL_ORDER[0], bytes(ORDER)), "LC-CMT-026");
    assert_eq!(refused(SMALL_ORDER[0], SMALL_ORDER[0], [1; 32]), "LC-CMT-026");
    // y = 2 is on no point of the curve.
    let off_curve = "0200000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(refused(off_curve, SMALL_ORDER[0], [0; 32]), "LC-CMT-026");
    assert_eq!(refused(SMALL_ORDER[0], off_curve, [0; 32]), "LC-CMT-026");
}

#[test]
fn cm_13_a_scalar_raised_by_the_order_is_refused() {
    let chain = chain();
    let malleated = changed(&chain, |signed| {
        for slot in &mut signed.commit.as_mut().unwrap().signatures {
            let order: [u8; 32] = bytes(ORDER);
            let mut carry = 0u16;
            for (byte, add) in slot.signature[32..].iter_mut().zip(order) {
                carry += u16::from(*byte) + u16::from(add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    });
    assert_eq!(second(&chain, &malleated), "LC-CMT-026");
}

/// A chain whose set changes from block 3 on.
fn changing(from: &[Signer], to: &[Signer]) -> Chain {
    let mut chain = Chain::of(CHAIN, from.to_vec(), 1);
    chain.push_announcing(Hash32([1; 32]), to.to_vec());
    (3..=5).for_each(|_| chain.push(Hash32([1; 32])));
    chain
}

#[test]
fn a_change_of_validators_is_followed_header_by_header() {
    let (old, new) = (signers(1, &[10, 10, 10, 10]), signers(1, &[12, 10, 10, 10, 9]));
    let chain = changing(&old, &new);
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &chain.bare_update(2)), "verified", "the old set is known");
    assert_eq!(advance(&mut client, &chain.bare_update(3)), "LC-CMT-028", "the new one is not");
    assert_eq!(advance(&mut client, &chain.update(3)), "verified");
    assert_eq!(client.status().validators, 5);
    assert_eq!(advance(&mut client, &chain.bare_update(4)), "verified");
    assert_eq!(advance(&mut client, &chain.bare_update(2)), "verified", "a no-op, though the old set is forgotten");
    // Announced along with the header before it, the new set is known as well.
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &chain.full_update(2)), "verified");
    assert_eq!(client.sets.len(), 2);
    assert_eq!(advance(&mut client, &chain.bare_update(3)), "verified");
    assert_eq!(client.sets.len(), 1);
    // Or with a repetition of the newest header.
    let mut client = chain.client(1);
    assert_eq!(advance(&mut client, &chain.bare_update(2)), "verified");
    let strangers = raw_set(&signers(3, &[1])).encode_to_vec();
    let wrong = encode_update(&chain.block(2).signed.encode_to_vec(), None, Some(&strangers));
    assert_eq!(advance(&mut client, &wrong), "LC-CMT-019");
    assert_eq!(advance(&mut client, &chain.full_update(2)), "verified");
    assert_eq!(advance(&mut client, &chain.bare_update(3)), "verified");
    assert_eq!(set_hash(&new), client.head().validators_hash);
}

#[test]
fn too_many_joined_and_left_are_held_for_a_person() {
    let old = signers(1, &[10, 10, 10, 10]);
    let joined = ordered([old.clone(), signers(2, &[10])].concat());
    let replaced = ordered([old[1..].to_vec(), signers(2, &[10])].concat());
    for (new, permille, expect) in [
        (&joined, 250, "verified"),
        (&joined, 249, "held"),
        (&replaced, 500, "verified"),
        (&replaced, 499, "held"),
        (&replaced, 0, "held"),
        (&old, 0, "verified"),
        (&signers(2, &[10, 10]), 1000, "verified"),
    ] {
        let chain = changing(&old, new);
        let mut config = chain.config(1);
        config.trust.churn_limit_permille = permille;
        let mut client = CometBft::new(config, &chain.full_update(1)).unwrap();
        assert_eq!(advance(&mut client, &chain.full_update(2)), "verified", "only the old set has signed");
        assert_eq!(advance(&mut client, &chain.update(3)), expect, "{permille} permille");
        // What is held is not passed by skipping it: the announced set has signed nothing yet.
        let mut config = chain.config(1);
        (config.trust.churn_limit_permille, config.skipping) = (permille, true);
        let mut client = CometBft::new(config, &chain.full_update(1)).unwrap();
        assert_eq!(advance(&mut client, &chain.full_update(2)), "verified");
        assert_eq!(advance(&mut client, &chain.update(4)), expect, "{permille} permille, skipping");
    }
}
