//! What operators see of refusals: the class by which the engine retries, pages a person or stops, and names, hashes
//! and codes as they stand in logs, metrics and configuration.
#![allow(clippy::unwrap_used, reason = "a test")]

use catenary_light_clients::bft::{self, BftError};
use catenary_light_clients::cometbft::{self, CometBftError};
use catenary_light_clients::crypto::secp256k1::SignatureError;
use catenary_light_clients::proof::ics23::{self, Ics23Error, Layer};
use catenary_light_clients::proof::mpt::{self, MptError};
use catenary_light_clients::quorum::QuorumError;
use catenary_light_clients::rlp::RlpError;
use catenary_light_clients::{Address, Class, Coded, Family, Hash32, InstanceId, Rejection, Timestamp, TrustError};

fn check(error: impl Coded + core::fmt::Display, code: &str, class: Class) {
    let text = error.to_string();
    assert_eq!((error.code(), error.class()), (code, class), "{text}");
    let rejection = Rejection::from(error);
    assert_eq!(rejection.to_string(), format!("{code}: {text}"));
    assert!(text.len() > 10, "{code} says something: {text:?}");
}

#[test]
fn refusals_of_the_bft_families_have_classes() {
    let (hash, signer) = (Hash32([1; 32]), Address([2; 20]));
    let error = RlpError::ListFound;
    check(BftError::Rlp { field: bft::Field::Vote, error }, "LC-RLP-007", Class::Permanent);
    let few = QuorumError::TooFewVotes { got: 1, needed: 2, members: 3 };
    check(BftError::Quorum(few.clone()), "LC-QUO-003", Class::Misbehaviour);
    check(few, "LC-QUO-003", Class::Misbehaviour);
    check(QuorumError::Empty, "LC-QUO-001", Class::Permanent);
    check(QuorumError::Unordered { position: 1 }, "LC-QUO-002", Class::Permanent);
    check(QuorumError::PowerOverflow { position: 1, total: 2, power: 3 }, "LC-QUO-004", Class::Permanent);
    let absent = MptError::AccountAbsent { address: signer };
    check(BftError::Proof(absent.clone()), "LC-MPT-015", Class::Config);
    check(absent, "LC-MPT-015", Class::Config);
    check(MptError::Rlp(RlpError::ListFound), "LC-RLP-007", Class::Permanent);
    check(MptError::ZeroValue, "LC-MPT-016", Class::Permanent);
    check(BftError::Trust(TrustError::Frozen), "LC-TRUST-008", Class::Misbehaviour);
    check(BftError::NoFaultTolerance { got: 3 }, "LC-QBFT-014", Class::Config);
    check(BftError::Parent { height: 1, got: hash, expected: hash }, "LC-QBFT-015", Class::Misbehaviour);
    check(BftError::SealRepeated { position: 1, signer }, "LC-QBFT-019", Class::Misbehaviour);
    let seal = BftError::Seal { position: 1, error: SignatureError::HighS };
    check(seal, "LC-SIG-002", Class::Misbehaviour);
    check(SignatureError::NoKey, "LC-SIG-003", Class::Permanent);
    check(BftError::NotAdjacent { trusted: 1, target: 3 }, "LC-QBFT-021", Class::Transient);
    check(BftError::Overlap { got: 1, needed: 2, trusted: 4 }, "LC-QBFT-020", Class::Transient);
    check(BftError::HeightUnknown { height: 1 }, "LC-QBFT-029", Class::Transient);
    check(BftError::Genesis, "LC-QBFT-008", Class::Permanent);
}

#[test]
fn refusals_of_cometbft_have_classes() {
    let hash = Hash32([1; 32]);
    check(CometBftError::Trust(TrustError::Frozen), "LC-TRUST-008", Class::Misbehaviour);
    check(CometBftError::Power13 { got: 1, total: 9 }, "LC-CMT-024", Class::Transient);
    check(CometBftError::UnknownValidators { hash }, "LC-CMT-028", Class::Transient);
    check(CometBftError::Power23 { got: 1, total: 9 }, "LC-CMT-023", Class::Misbehaviour);
    check(CometBftError::Link { height: 1, got: hash, expected: hash }, "LC-CMT-030", Class::Misbehaviour);
    check(CometBftError::KeyType { position: 0, got: "secp256k1" }, "LC-CMT-006", Class::Config);
    check(CometBftError::Library { height: 1, detail: "x".into() }, "LC-CMT-027", Class::Bug);
    check(CometBftError::Malformed { what: "header.time" }, "LC-CMT-004", Class::Permanent);
    check(Ics23Error::Disagreement { layer: Layer::Iavl }, "LC-ICS23-017", Class::Bug);
    check(Ics23Error::Empty { layer: Layer::Multistore }, "LC-ICS23-009", Class::Permanent);
    assert_eq!((Layer::Iavl.to_string(), Layer::Multistore.to_string()), ("iavl".into(), "multistore".into()));
}

#[test]
fn refusals_of_trust_have_classes() {
    let hash = Hash32([1; 32]);
    let now = Timestamp::from_seconds(1);
    for (error, code, class) in [
        (TrustError::FromFuture { timestamp: now, now, drift_seconds: 1 }, "LC-TRUST-005", Class::Transient),
        (TrustError::Frozen, "LC-TRUST-008", Class::Misbehaviour),
        (TrustError::ZeroTrustingPeriod, "LC-TRUST-001", Class::Config),
        (TrustError::Expired { expired_at: now, now }, "LC-TRUST-006", Class::Config),
        (TrustError::Churn { changed: 2, trusted: 4 }, "LC-TRUST-007", Class::Config),
        (TrustError::StateDigest { got: hash, expected: hash }, "LC-TRUST-009", Class::Permanent),
        (TrustError::StateForm, "LC-TRUST-011", Class::Permanent),
    ] {
        check(error, code, class);
    }
}

#[test]
fn names_and_hashes_are_shown_as_everywhere_else() {
    let hash = Hash32([0xab; 32]);
    let hex = format!("0x{}", "ab".repeat(32));
    assert_eq!((hash.to_string(), format!("{hash:?}")), (hex.clone(), hex));
    let address = Address([0xcd; 20]);
    let hex = format!("0x{}", "cd".repeat(20));
    assert_eq!((address.to_string(), format!("{address:?}")), (hex.clone(), hex));
    let instance = InstanceId::new(Family::Qbft, "1", (1, hash), &[]);
    let digest = instance.digest().to_string();
    assert_eq!((instance.to_string(), format!("{instance:?}")), (digest.clone(), format!("InstanceId({digest})")));
    for (family, name) in [(Family::Qbft, "qbft"), (Family::Ibft2, "ibft2"), (Family::CometBft, "cometbft")] {
        assert_eq!((family.name(), family.to_string().as_str()), (name, name));
    }
    for (class, name) in [
        (Class::Transient, "transient"),
        (Class::Permanent, "permanent"),
        (Class::Misbehaviour, "misbehaviour"),
        (Class::Config, "config"),
        (Class::Bug, "bug"),
    ] {
        assert_eq!(class.name(), name);
    }
    assert_eq!(Timestamp::from_nanos(1_500_000_007).to_string(), "1.500000007s");
}

#[test]
fn addresses_have_twenty_bytes() {
    assert_eq!(Address::from_slice(&[7; 20]), Some(Address([7; 20])));
    for length in [0, 19, 21, 32] {
        assert_eq!(Address::from_slice(&vec![7; length]), None, "{length}");
    }
}

/// Bounds that are sums, written out: one that moves is seen here.
#[test]
fn bounds_are_the_documented_sums() {
    for (bound, bytes) in [
        (bft::MAX_HEADER_BYTES, 32_768),
        (bft::MAX_CONTRACT_UPDATE_BYTES, 720_896),
        (cometbft::MAX_UPDATE_BYTES, 524_288),
        (ics23::MAX_PROOF_BYTES, 131_072),
        (mpt::MAX_NODES, 65),
        (mpt::MAX_PROOF_BYTES, 69_562),
    ] {
        assert_eq!(bound, bytes);
    }
}
