//! What is about the bytes of IBFT 2.0 alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::vec::Vec;

use super::*;
use crate::crypto::keccak256;
use crate::rlp::{put_bytes, put_list};
use crate::testing::{HeaderSpec, Network};
use crate::verdict::{LightClient, Timestamp, Verdict};

fn network() -> Network {
    Network::encoded_as(ENCODING, 4)
}

/// The code of what becomes of a header, or "ok".
fn code(network: &Network, header: &HeaderSpec) -> &'static str {
    let now = Timestamp::from_seconds(network.head().time_seconds + 5);
    match network.client_of::<Ibft2Form>(network.config()).advance(&header.encode(), now) {
        Verdict::Verified(_) => "ok",
        Verdict::Rejected(reason) => reason.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn qb_08_rounds_have_one_form() {
    let network = network();
    let check = |round: &[u8], expect: &str| {
        let mut header = network.next();
        header.round = round.to_vec();
        assert_eq!(code(&network, &header.sealed(&network.keys)), expect, "{round:?}");
    };
    // Four bytes, whatever the number: no number without leading zeros, no more bytes, no list.
    check(&[0x80], "LC-RLP-009");
    check(&[0x05], "LC-RLP-009");
    check(&[0x83, 0xfe, 0xdc, 0xba], "LC-RLP-009");
    check(&[0x85, 0, 0, 0, 0, 1], "LC-RLP-009");
    check(&[0xc0], "LC-RLP-007");
    check(&[0x84, 0, 0, 0, 0], "ok");
    check(&[0x84, 0, 0xfe, 0xdc, 0xba], "ok");
    check(&[0x84, 0xff, 0xff, 0xff, 0xff], "ok");
}

#[test]
fn qb_08_votes_have_one_form() {
    let network = network();
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
    check(vote(&[0x80]), "LC-QBFT-003");
    check(vote(&[0x01]), "LC-QBFT-003");
    check(vote(&[0x82, 0xff, 0xff]), "LC-QBFT-003");
    check(vote(&[0x82, 0x00, 0x00]), "LC-QBFT-003");
    check(vote(&[]), "LC-RLP-013");
    check(vote(&[0x00, 0x00]), "LC-RLP-012");
    check(std::vec![0xc2, 0x80, 0x80], "LC-RLP-009");
    // No vote is the empty string: another string is none, and neither is an empty list.
    check(std::vec![0x00], "LC-RLP-009");
    check(std::vec![0x82, 0xff, 0xff], "LC-RLP-009");
    check(std::vec![0xc0], "LC-RLP-013");
    check(vote(&[0x00]), "ok");
    check(vote(&[0x81, 0xff]), "ok");
}

#[test]
fn qb_09_bytes_of_qbft_are_refused() {
    let network = network();
    let mut header = network.next();
    header.vote = Encoding::Qbft.no_vote();
    assert_eq!(code(&network, &header.clone().sealed(&network.keys)), "LC-RLP-013");
    header.vote = ENCODING.no_vote();
    header.round = Encoding::Qbft.round(0);
    assert_eq!(code(&network, &header.sealed(&network.keys)), "LC-RLP-009");
    // And so is a whole chain of it.
    let mut other = Network::encoded_as(Encoding::Qbft, 4);
    other.grow(1);
    assert_eq!(code(&network, other.head()), "LC-RLP-013");
    // Seals over the other family's digest are those of somebody else, or of nobody.
    let mut header = network.next();
    let mut as_qbft = header.clone();
    as_qbft.encoding = Encoding::Qbft;
    as_qbft.seal(&network.keys[..3]);
    header.seals = as_qbft.seals;
    assert!(["LC-QBFT-018", "LC-SIG-003"].contains(&code(&network, &header)));
}

#[test]
fn qb_10_there_is_no_contract_mode() {
    let network = network();
    let header = network.next().without_validators();
    assert_eq!(code(&network, &header), "LC-QBFT-004");
    assert_eq!(code(&network, &header.sealed(&network.keys)), "LC-QBFT-004");
    let mut config = network.config();
    config.validator_contract = Some(bft::ValidatorContract { address: [7; 20], slot: [0; 32] });
    let error = Ibft2::new(config, &network.headers[0].encode()).unwrap_err();
    assert_eq!(error, Ibft2Error::NoContractMode { family: crate::Family::Ibft2 });
    assert_eq!(crate::Coded::code(&error), "LC-IBFT2-003");
}

#[test]
fn a_nonce_of_zero_and_no_ommers_are_demanded() {
    let network = network();
    let check = |change: fn(&mut HeaderSpec), expect: &str| {
        let mut header = network.next();
        change(&mut header);
        assert_eq!(code(&network, &header.sealed(&network.keys)), expect);
    };
    check(|_| (), "ok");
    check(|h| h.nonce[7] = 1, "LC-IBFT2-001");
    check(|h| h.nonce = [0xff; 8], "LC-IBFT2-001");
    check(|h| h.ommers_hash.0[31] ^= 1, "LC-IBFT2-002");
    check(|h| h.ommers_hash.0 = [0; 32], "LC-IBFT2-002");
}

#[test]
fn hashes_leave_out_what_qbft_empties() {
    let network = network();
    let mut header = network.next();
    header.round = ENCODING.round(0x00fe_dcba);
    let header = header.sealed(&network.keys);
    let encoded = header.encode();
    let decoded = RawHeader::decode(&encoded).unwrap();
    assert_eq!(decoded.extra.round, 0x00fe_dcba);
    assert_eq!((decoded.block_hash(), decoded.seal_hash()), (header.hash(), header.seal_hash()));
    // With the same fields, QBFT makes other hashes of them.
    let mut other = header.clone();
    other.encoding = Encoding::Qbft;
    assert!(other.hash() != header.hash() && other.seal_hash() != header.seal_hash());
    // Block 0 is hashed as it stands.
    let genesis = HeaderSpec::new(0, 0, &network.keys).encoded_as(ENCODING);
    let encoded = genesis.encode();
    assert_eq!(block_hash(&encoded), Ok(keccak256(&[&encoded])));
}

#[test]
fn a_client_of_qbft_is_another_instance() {
    let config = network().config();
    assert_ne!(config.instance(crate::Family::Qbft), config.instance(crate::Family::Ibft2));
}
