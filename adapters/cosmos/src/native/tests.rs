//! Native clients, made from a recorded commit of a real chain.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use catenary_light_clients::cometbft::encode_update;
use catenary_protocol::proto::decode_strict;
use tendermint_rpc::endpoint::{commit, validators};
use tendermint_rpc::response::Response as _;

use super::*;

const SIGNER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";

/// A recorded header with its set; `edit` changes the header.
fn update(edit: impl FnOnce(&mut raw::Header)) -> Vec<u8> {
    let signed = include_str!("../../../../tests/vectors/cosmos-rpc/commit_of_three.json");
    let set = include_str!("../../../../tests/vectors/cosmos-rpc/validators_of_four.json");
    let signed = commit::Response::from_string(signed).unwrap().signed_header;
    let mut signed = raw::SignedHeader::from(signed);
    edit(signed.header.as_mut().unwrap());
    let infos = validators::Response::from_string(set).unwrap().validators;
    let set: raw::ValidatorSet = tendermint::validator::Set::without_proposer(infos).into();
    encode_update(&signed.encode_to_vec(), Some(&set.encode_to_vec()), None)
}

fn terms() -> Terms {
    let (_, header) = parts(&update(|_| {})).unwrap();
    Terms { chain_id: header.chain_id, trusting_period_seconds: 1_209_600, clock_drift_seconds: 10 }
}

#[test]
fn a_client_starts_from_the_header_and_its_next_validators() {
    let update = update(|_| {});
    let (_, header) = parts(&update).unwrap();
    let created = create_client(SIGNER, &update, &terms()).unwrap();
    let message: MsgCreateClient = decode_strict("message", &created.data).unwrap();
    let claim = client_claim("c", &message.client_state.unwrap()).unwrap();
    let native = claim.native.clone().unwrap();
    assert_eq!(claim.latest_height, u64::try_from(header.height).unwrap());
    assert_eq!((native.chain_id, native.revision), (terms().chain_id, revision(&terms().chain_id)));
    assert_eq!((native.trust_level, native.trusting_period_seconds), (TRUST_LEVEL, 1_209_600));
    assert_eq!((claim.frozen, claim.location.as_str()), (false, "07-tendermint"));
    let consensus = consensus_claim("c", &message.consensus_state.unwrap()).unwrap();
    assert_eq!(consensus, state_of(&update).unwrap());
    assert_eq!(consensus.next_validators_hash.as_bytes().as_slice(), header.next_validators_hash);
}

#[test]
fn what_cannot_be_created_is_refused() {
    type Spoil = fn(&mut Terms);
    let rows: [(&str, Spoil); 3] = [
        ("chain_id", |terms| terms.chain_id.push('0')),
        ("trusting_period_seconds", |terms| terms.trusting_period_seconds = 0),
        ("clock_drift_seconds", |terms| terms.clock_drift_seconds = 0),
    ];
    for (field, spoil) in rows {
        let mut terms = terms();
        spoil(&mut terms);
        let got = create_client(SIGNER, &update(|_| {}), &terms);
        assert!(matches!(&got, Err(Error::Argument { field: at, .. }) if *at == field), "{field}: {got:?}");
    }
    let later = update(|header| header.app_hash = vec![1; 20]);
    assert!(create_client(SIGNER, &later, &terms()).is_err(), "a root of 20 bytes");
    assert!(create_client(SIGNER, b"\xff", &terms()).is_err(), "no update");
    for (ours, theirs) in [("x", "07-tendermint-0"), ("07-tendermint-0", "x")] {
        assert!(register_counterparty(SIGNER, ours, theirs, &[]).is_err());
    }
}

#[test]
fn a_header_names_the_height_that_it_is_judged_from() {
    let (new, trusted) = (update(|_| {}), update(|header| header.height = 5));
    let (parts, recorded) = parts(&new).unwrap();
    let message = update_message(&new, &trusted).unwrap();
    assert_eq!(message.type_url, HEADER);
    let header: Header = decode_strict("header", &message.value).unwrap();
    let at = header.trusted_height.unwrap();
    assert_eq!((at.revision_number, at.revision_height), (revision(&recorded.chain_id), 5));
    assert_eq!(header.signed_header, Some(parts.signed_header));
    for set in [header.validator_set, header.trusted_validators] {
        let set = raw::ValidatorSet::decode(set.unwrap().as_slice()).unwrap();
        let proposer = set.proposer.unwrap();
        assert_eq!(proposer.address, recorded.proposer_address, "ibc-go takes no set without a proposer");
        assert!(set.validators.contains(&proposer));
    }
}

#[test]
fn the_announced_set_is_the_trusted_one() {
    let own = split_update(&update(|_| {})).unwrap();
    let joined = |parts: &UpdateParts| {
        let UpdateParts { signed_header, validators, next_validators } = parts;
        encode_update(signed_header, validators.as_deref(), next_validators.as_deref())
    };
    let set = raw::ValidatorSet::decode(own.validators.clone().unwrap().as_slice()).unwrap();
    let next = raw::ValidatorSet { validators: set.validators[..2].to_vec(), ..set };
    let trusted = UpdateParts { next_validators: Some(next.encode_to_vec()), ..own.clone() };
    let message = update_message(&update(|_| {}), &joined(&trusted)).unwrap();
    let header: Header = decode_strict("header", &message.value).unwrap();
    let got = raw::ValidatorSet::decode(header.trusted_validators.unwrap().as_slice()).unwrap();
    assert_eq!(got.validators, next.validators, "what the trusted header announced, where it is another set");

    let bare = UpdateParts { validators: None, next_validators: None, ..own };
    for (update, trusted) in [(joined(&bare), update(|_| {})), (update(|_| {}), joined(&bare))] {
        let got = update_message(&update, &trusted).map(|message| message.value);
        assert!(matches!(got, Err(Error::Argument { .. })), "no set came along: {got:?}");
    }
}

#[test]
fn misbehaviour_has_the_higher_header_first() {
    let (low, high, trusted) =
        (update(|header| header.height = 6), update(|header| header.height = 7), update(|header| header.height = 5));
    let one = misbehaviour_message(&low, &high, &trusted).unwrap();
    assert_eq!(one, misbehaviour_message(&high, &low, &trusted).unwrap());
    let found: Misbehaviour = decode_strict("misbehaviour", &one.value).unwrap();
    let height = |header: Option<Header>| {
        let signed = header.unwrap().signed_header.unwrap();
        raw::SignedHeader::decode(signed.as_slice()).unwrap().header.unwrap().height
    };
    assert_eq!((height(found.header_1), height(found.header_2)), (7, 6));
}

#[test]
fn states_that_are_none_are_refused() {
    let good = ConsensusState {
        timestamp: Some(Seconds { seconds: 7, nanos: 9 }),
        root: Some(MerkleRoot { hash: vec![1; 32] }),
        next_validators_hash: vec![2; 32],
    };
    let any = |state: &ConsensusState| Any { type_url: CONSENSUS_STATE.to_owned(), value: state.encode_to_vec() };
    let got = consensus_claim("c", &any(&good)).unwrap();
    assert_eq!((got.timestamp, got.root), (Timestamp::from_nanos(7_000_000_009), Hash32([1; 32])));
    let rows = [
        ConsensusState { timestamp: None, ..good.clone() },
        ConsensusState { timestamp: Some(Seconds { seconds: -1, nanos: 0 }), ..good.clone() },
        ConsensusState { timestamp: Some(Seconds { seconds: 1, nanos: 1_000_000_000 }), ..good.clone() },
        ConsensusState { root: None, ..good.clone() },
        ConsensusState { next_validators_hash: vec![2; 20], ..good.clone() },
    ];
    for state in rows {
        assert!(matches!(consensus_claim("c", &any(&state)), Err(Error::QueryDecode { .. })), "{state:?}");
    }
    let other = Any { type_url: CLIENT_STATE.to_owned(), ..any(&good) };
    assert!(consensus_claim("c", &other).is_err(), "another type");
    assert!(client_claim("c", &Any { type_url: CLIENT_STATE.to_owned(), value: vec![0xff] }).is_err());
}
