//! What is about the bytes of QBFT alone, and about validators in a contract.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::vec::Vec;

use crate::rlp::{put_bytes, put_list};
use crate::testing::{Encoding, HeaderSpec, Network};
use crate::verdict::{LightClient, Timestamp, Verdict};

mod contract;

/// The code of what becomes of a header, or "ok".
fn code(network: &Network, header: &HeaderSpec) -> &'static str {
    let now = Timestamp::from_seconds(network.head().time_seconds + 5);
    match network.client(network.config()).advance(&header.encode(), now) {
        Verdict::Verified(_) => "ok",
        Verdict::Rejected(reason) => reason.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn qb_08_rounds_have_one_form() {
    let network = Network::new(4);
    let check = |round: &[u8], expect: &str| {
        let mut header = network.next();
        header.round = round.to_vec();
        assert_eq!(code(&network, &header.sealed(&network.keys)), expect, "{round:?}");
    };
    // Leading zeros (Besu's incorrectlyEncodedRound), five bytes, a list.
    check(&[0x83, 0x00, 0xdc, 0xba], "LC-RLP-010");
    check(&[0x00], "LC-RLP-010");
    check(&[0x81, 0x05], "LC-RLP-003");
    check(&[0x85, 1, 0, 0, 0, 0], "LC-RLP-011");
    check(&[0xc0], "LC-RLP-007");
    check(&[0x05], "ok");
    check(&[0x84, 0xff, 0xff, 0xff, 0xff], "ok");
}

#[test]
fn qb_08_votes_have_one_form() {
    let network = Network::new(4);
    let candidate = network.keys[0].address();
    let check = |vote: Vec<u8>, expect: &str| {
        let mut header = network.next();
        header.vote = vote;
        assert_eq!(code(&network, &header.sealed(&network.keys)), expect);
    };
    let vote = |ballot: &[u8]| {
        let mut payload = Vec::new();
        put_bytes(&mut payload, &candidate.0);
        payload.extend_from_slice(ballot);
        let mut out = Vec::new();
        put_list(&mut out, &payload);
        out
    };
    check(vote(&[0x00]), "LC-QBFT-003");
    check(vote(&[0x01]), "LC-QBFT-003");
    check(vote(&[0x82, 0xff, 0xff]), "LC-QBFT-003");
    check(vote(&[]), "LC-RLP-013");
    check(vote(&[0x80, 0x80]), "LC-RLP-012");
    check(std::vec![0xc2, 0x80, 0x80], "LC-RLP-009");
    check(vote(&[0x80]), "ok");
    check(vote(&[0x81, 0xff]), "ok");
}

#[test]
fn qb_09_bytes_of_ibft2_are_refused() {
    // IBFT 2.0 writes the missing vote as the empty string and the round in four bytes, always.
    let network = Network::new(4);
    let mut header = network.next();
    header.vote = Encoding::Ibft2.no_vote();
    assert_eq!(code(&network, &header.clone().sealed(&network.keys)), "LC-RLP-008");
    header.vote = Encoding::Qbft.no_vote();
    header.round = Encoding::Ibft2.round(0);
    assert_eq!(code(&network, &header.sealed(&network.keys)), "LC-RLP-010");
    // And so is a whole chain of it.
    let mut other = Network::encoded_as(Encoding::Ibft2, 4);
    other.grow(1);
    assert_eq!(code(&network, other.head()), "LC-RLP-008");
}

#[test]
fn qb_10_a_header_without_validators_needs_a_contract() {
    let network = Network::new(4);
    let header = network.next().without_validators();
    assert_eq!(code(&network, &header), "LC-QBFT-004");
    assert_eq!(code(&network, &header.sealed(&network.keys)), "LC-QBFT-004");
}

#[test]
fn nonce_and_ommers_are_not_judged() {
    let network = Network::new(4);
    let mut header = network.next();
    header.nonce = [7; 8];
    header.ommers_hash.0[0] ^= 1;
    assert_eq!(code(&network, &header.sealed(&network.keys)), "ok");
}
