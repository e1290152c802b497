//! The attestation client: what it believes, and everything it does not.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{keccak256, Address, Bytes, B256};
use alloy_sol_types::{SolConstructor, SolError, SolValue};
use catenary_contract_tests::abi::{
    ClientState, Height, LightClient, MsgVerifyMembership, MsgVerifyNonMembership, Router,
};
use catenary_contract_tests::attest::{
    envelope, malleate, packets_data, state_data, Attestor, Quorum, TAG_PACKETS, TAG_STATE,
};
use catenary_contract_tests::chain::{Chain, Outcome};
use catenary_contract_tests::packet;
use catenary_contract_tests::world::{On, World, ADMIN, ALICE, RELAYER};

const HEIGHT: u64 = 100;
const TIME_SECONDS: u64 = 1_795_000_000;
const PATH: &[u8] = b"client-0\x01\0\0\0\0\0\0\0\x07";
/// Starts with a zero byte, as one commitment in 256 does.
const COMMITMENT: B256 = B256::new([
    0, 0x11, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32,
]);

/// One client of a chain whose attestors are at hand.
struct Rig {
    chain: Chain,
    client: Address,
    quorum: Quorum,
}

impl Rig {
    fn new() -> Self {
        Self::with_manager(Address::ZERO)
    }

    fn with_manager(manager: Address) -> Self {
        let quorum = Quorum::new(1, 4, 3);
        let mut chain = Chain::default();
        let arguments = arguments(quorum.addresses(), 3, HEIGHT, TIME_SECONDS, manager);
        let client = chain.deploy("AttestationLightClient", &arguments, ADMIN);
        Self { chain, client, quorum }
    }

    fn update(&mut self, message: Bytes) -> Outcome {
        self.chain.send(RELAYER, self.client, &LightClient::updateClientCall { updateMsg: message })
    }

    /// Signed by the attestors at these places, in this order.
    fn signed(&self, tag: u8, data: &[u8], places: &[usize]) -> Bytes {
        envelope(data, places.iter().map(|i| self.quorum.attestors[*i].sign(tag, data)).collect())
    }

    fn member(&mut self, proof: Bytes) -> Outcome {
        self.member_with(proof, |_| {})
    }

    fn member_with(&mut self, proof: Bytes, change: impl FnOnce(&mut MsgVerifyMembership)) -> Outcome {
        let mut m = MsgVerifyMembership {
            proof,
            proofHeight: Height { revisionNumber: 0, revisionHeight: HEIGHT },
            path: vec![PATH.to_vec().into()],
            value: COMMITMENT.to_vec().into(),
        };
        change(&mut m);
        self.chain.send(RELAYER, self.client, &LightClient::verifyMembershipCall { m })
    }

    fn absent(&mut self, proof: Bytes) -> Outcome {
        self.absent_with(proof, |_| {})
    }

    fn absent_with(&mut self, proof: Bytes, change: impl FnOnce(&mut MsgVerifyNonMembership)) -> Outcome {
        let mut m = MsgVerifyNonMembership {
            proof,
            proofHeight: Height { revisionNumber: 0, revisionHeight: HEIGHT },
            path: vec![PATH.to_vec().into()],
        };
        change(&mut m);
        self.chain.send(RELAYER, self.client, &LightClient::verifyNonMembershipCall { m })
    }

    fn timestamp(&self, height: u64) -> u64 {
        self.chain.view(self.client, &LightClient::getConsensusTimestampCall { revisionHeight: height })
    }

    fn state(&self) -> ClientState {
        let encoded = self.chain.view(self.client, &LightClient::getClientStateCall {});
        ClientState::abi_decode(&encoded).expect("the declared state")
    }
}

fn arguments(attestors: Vec<Address>, threshold: u8, height: u64, seconds: u64, manager: Address) -> Vec<u8> {
    LightClient::constructorCall {
        attestors,
        minRequiredSigs: threshold,
        initialHeight: height,
        initialTimestampSeconds: seconds,
        roleManager: manager,
    }
    .abi_encode()
}

fn word(outcome: Outcome) -> u64 {
    u64::abi_decode(&outcome.ok().result.expect("checked")).expect("a number")
}

fn path_hash() -> B256 {
    keccak256(PATH)
}

fn entry(path: &[u8], commitment: B256) -> (Vec<u8>, B256) {
    (path.to_vec(), commitment)
}

fn membership_data() -> Vec<u8> {
    packets_data(HEIGHT, &[entry(b"other", B256::repeat_byte(9)), entry(PATH, COMMITMENT)])
}

fn absence_data() -> Vec<u8> {
    packets_data(HEIGHT, &[entry(b"other", B256::repeat_byte(9)), entry(PATH, B256::ZERO)])
}

#[test]
fn a_new_client_shows_what_it_was_given() {
    let rig = Rig::new();
    let state = rig.state();
    assert_eq!(state.attestorAddresses, rig.quorum.addresses());
    assert_eq!((state.minRequiredSigs, state.latestHeight, state.isFrozen), (3, HEIGHT, false));
    assert_eq!(rig.timestamp(HEIGHT), TIME_SECONDS);
    assert_eq!(rig.timestamp(HEIGHT + 1), 0);
    let set = rig.chain.view(rig.client, &LightClient::getAttestationSetCall {});
    assert_eq!((set.attestorAddresses, set.minRequiredSigs), (rig.quorum.addresses(), 3));
}

#[test]
fn a_client_that_could_not_be_safe_is_not_created() {
    let check = |attestors: Vec<Address>, threshold, height, seconds, expected: Vec<u8>| {
        let code = arguments(attestors, threshold, height, seconds, Address::ZERO);
        let (_, outcome) = Chain::default().try_deploy("AttestationLightClient", &code, ADMIN);
        outcome.reverts_with(expected, "constructor");
    };
    let some = |n: u8| Quorum::new(1, n, 1).addresses();
    let maximum = alloy_primitives::U256::from(64);
    let big = |n: u64| alloy_primitives::U256::from(n);
    check(vec![], 1, 1, 1, LightClient::BadAttestorCount { count: big(0), maximum }.abi_encode());
    check(some(65), 1, 1, 1, LightClient::BadAttestorCount { count: big(65), maximum }.abi_encode());
    check(some(3), 0, 1, 1, LightClient::BadQuorum { minRequiredSigs: 0, attestors: big(3) }.abi_encode());
    check(some(3), 4, 1, 1, LightClient::BadQuorum { minRequiredSigs: 4, attestors: big(3) }.abi_encode());
    check(some(3), 2, 0, 1, LightClient::InvalidState { height: 0, timestampSeconds: 1 }.abi_encode());
    check(some(3), 2, 1, 0, LightClient::InvalidState { height: 1, timestampSeconds: 0 }.abi_encode());
    let mut zero = some(3);
    zero[2] = Address::ZERO;
    check(zero, 2, 1, 1, LightClient::ZeroAttestor { index: big(2) }.abi_encode());
    let mut twice = some(3);
    twice[2] = twice[0];
    let attestor = twice[0];
    check(twice, 2, 1, 1, LightClient::DuplicateAttestor { attestor }.abi_encode());
}

#[test]
fn the_largest_set_works() {
    let quorum = Quorum::new(1, 64, 64);
    let mut chain = Chain::default();
    let arguments = arguments(quorum.addresses(), 64, HEIGHT, TIME_SECONDS, Address::ZERO);
    let client = chain.deploy("AttestationLightClient", &arguments, ADMIN);
    let update_msg = quorum.sign_state(101, TIME_SECONDS + 1);
    let _ = chain.send(RELAYER, client, &LightClient::updateClientCall { updateMsg: update_msg }).ok();
    assert_eq!(chain.view(client, &LightClient::getConsensusTimestampCall { revisionHeight: 101 }), TIME_SECONDS + 1);
}

#[test]
fn updates_are_stored_repeated_and_taken_out_of_order() {
    let mut rig = Rig::new();
    let newer = rig.signed(TAG_STATE, &state_data(120, TIME_SECONDS + 20), &[0, 1, 2]);
    assert_eq!(word(rig.update(newer.clone())), 0);
    assert_eq!((rig.timestamp(120), rig.state().latestHeight), (TIME_SECONDS + 20, 120));
    assert_eq!(word(rig.update(newer)), 2);
    let older = rig.signed(TAG_STATE, &state_data(110, TIME_SECONDS + 10), &[3, 0, 2, 1]);
    let outcome = rig.update(older);
    let event = outcome.event::<LightClient::ConsensusStateAdded>();
    assert_eq!((event.height, event.timestampSeconds), (110, TIME_SECONDS + 10));
    assert_eq!(word(outcome), 0);
    assert_eq!((rig.timestamp(110), rig.state().latestHeight), (TIME_SECONDS + 10, 120));
    assert!(!rig.state().isFrozen);
}

#[test]
fn a_second_time_for_a_height_freezes() {
    // The height of creation is no exception.
    for height in [HEIGHT, 120] {
        let mut rig = Rig::new();
        let stored = rig.signed(TAG_STATE, &state_data(120, TIME_SECONDS), &[0, 1, 2]);
        assert_eq!(word(rig.update(stored)), 0);
        let second = rig.signed(TAG_STATE, &state_data(height, TIME_SECONDS + 1), &[1, 2, 3]);
        let outcome = rig.update(second);
        let event = outcome.event::<LightClient::ClientFrozen>();
        assert_eq!(
            (event.height, event.storedSeconds, event.conflictingSeconds),
            (height, TIME_SECONDS, TIME_SECONDS + 1)
        );
        assert_eq!(word(outcome), 1);
        assert!(rig.state().isFrozen);
        assert_frozen(&mut rig);
    }
}

fn assert_frozen(rig: &mut Rig) {
    let state = rig.signed(TAG_STATE, &state_data(130, TIME_SECONDS + 30), &[0, 1, 2]);
    rig.update(state.clone()).reverts(&LightClient::FrozenClientState {});
    let proof = rig.signed(TAG_PACKETS, &membership_data(), &[0, 1, 2]);
    rig.member(proof).reverts(&LightClient::FrozenClientState {});
    let proof = rig.signed(TAG_PACKETS, &absence_data(), &[0, 1, 2]);
    rig.absent(proof).reverts(&LightClient::FrozenClientState {});
    let call = LightClient::misbehaviourCall { misbehaviourMsg: state };
    rig.chain.send(RELAYER, rig.client, &call).reverts(&LightClient::FrozenClientState {});
}

#[test]
fn evidence_of_two_times_freezes_and_nothing_else_does() {
    let evidence = |rig: &Rig, first: (u64, u64), second: (u64, u64), places: &[usize]| -> Bytes {
        let one = rig.signed(TAG_STATE, &state_data(first.0, first.1), &[0, 1, 2]);
        let two = rig.signed(TAG_STATE, &state_data(second.0, second.1), places);
        let decode =
            |bytes: &Bytes| catenary_contract_tests::abi::AttestationProof::abi_decode(bytes).expect("an envelope");
        (decode(&one), decode(&two)).abi_encode_params().into()
    };
    let submit = |rig: &mut Rig, message: Bytes| {
        rig.chain.send(ALICE, rig.client, &LightClient::misbehaviourCall { misbehaviourMsg: message })
    };
    let mut rig = Rig::new();
    let same = evidence(&rig, (7, 9), (7, 9), &[1, 2, 3]);
    submit(&mut rig, same).reverts(&LightClient::NotMisbehaviour { firstHeight: 7, secondHeight: 7 });
    let apart = evidence(&rig, (7, 9), (8, 10), &[1, 2, 3]);
    submit(&mut rig, apart).reverts(&LightClient::NotMisbehaviour { firstHeight: 7, secondHeight: 8 });
    let unsigned = evidence(&rig, (7, 9), (7, 10), &[1, 2]);
    submit(&mut rig, unsigned).reverts_as::<LightClient::ThresholdNotMet>();
    let real = evidence(&rig, (7, 9), (7, 10), &[1, 2, 3]);
    let outcome = submit(&mut rig, real).ok();
    assert_eq!(outcome.event::<LightClient::ClientFrozen>().height, 7);
    assert_frozen(&mut rig);
}

/// What is done to three good signatures, of four attestors, and what the proof then reverts with.
type SignatureRow = (&'static str, Box<dyn Fn(u8, &[u8], &mut Vec<Vec<u8>>)>, Vec<u8>);

fn bad_signers() -> Vec<SignatureRow> {
    let stranger = Attestor::new(77);
    let big = alloy_primitives::U256::from::<u64>;
    vec![
        (
            "none",
            Box::new(|_, _, s| s.clear()),
            LightClient::ThresholdNotMet { provided: big(0), required: big(3) }.abi_encode(),
        ),
        (
            "one too few",
            Box::new(|_, _, s| s.truncate(2)),
            LightClient::ThresholdNotMet { provided: big(2), required: big(3) }.abi_encode(),
        ),
        (
            "repeated instead of a third",
            Box::new(|_, _, s| s[2] = s[0].clone()),
            LightClient::DuplicateSigner { signer: Attestor::new(1).address }.abi_encode(),
        ),
        (
            "repeated on top of enough",
            Box::new(|_, _, s| s.push(s[1].clone())),
            LightClient::DuplicateSigner { signer: Attestor::new(2).address }.abi_encode(),
        ),
        (
            "repeated with the other spelling of v",
            Box::new(|_, _, s| {
                s.push(s[0].clone());
                s[3][64] -= 27;
            }),
            LightClient::DuplicateSigner { signer: Attestor::new(1).address }.abi_encode(),
        ),
        (
            "unknown on top of enough",
            Box::new({
                let stranger = stranger.clone();
                move |tag, data, s| s.push(stranger.sign(tag, data))
            }),
            LightClient::UnknownSigner { signer: stranger.address }.abi_encode(),
        ),
        (
            "more than there are attestors",
            Box::new(|_, _, s| {
                s.push(s[0].clone());
                s.push(s[0].clone());
            }),
            LightClient::TooManySignatures { provided: big(5), attestors: big(4) }.abi_encode(),
        ),
    ]
}

fn bad_signatures() -> Vec<SignatureRow> {
    let big = alloy_primitives::U256::from::<u64>;
    vec![
        (
            "high s and flipped v",
            Box::new(|_, _, s| s[1] = malleate(&s[1])),
            LightClient::SignatureInvalid { index: big(1) }.abi_encode(),
        ),
        ("v of 29", Box::new(|_, _, s| s[1][64] = 29), LightClient::SignatureInvalid { index: big(1) }.abi_encode()),
        ("v of 2", Box::new(|_, _, s| s[1][64] = 2), LightClient::SignatureInvalid { index: big(1) }.abi_encode()),
        (
            "r of zero",
            Box::new(|_, _, s| s[2][..32].fill(0)),
            LightClient::SignatureInvalid { index: big(2) }.abi_encode(),
        ),
        (
            "64 bytes",
            Box::new(|_, _, s| s[0].truncate(64)),
            LightClient::InvalidSignatureLength { index: big(0), length: big(64) }.abi_encode(),
        ),
        (
            "66 bytes",
            Box::new(|_, _, s| s[0].push(0)),
            LightClient::InvalidSignatureLength { index: big(0), length: big(66) }.abi_encode(),
        ),
    ]
}

#[test]
fn signatures_that_must_not_count() {
    let (state, packets) = (state_data(101, TIME_SECONDS + 1), membership_data());
    for (name, change, expected) in bad_signers().into_iter().chain(bad_signatures()) {
        for (tag, data) in [(TAG_STATE, &state), (TAG_PACKETS, &packets)] {
            let mut rig = Rig::new();
            let mut signatures: Vec<_> = (0..3).map(|i| rig.quorum.attestors[i].sign(tag, data)).collect();
            change(tag, data, &mut signatures);
            let message = envelope(data, signatures);
            let outcome = if tag == TAG_STATE { rig.update(message) } else { rig.member(message) };
            outcome.reverts_with(expected.clone(), &format!("{name}, tag {tag}"));
            assert_eq!(rig.timestamp(101), 0, "{name}");
        }
    }
}

#[test]
fn a_signature_with_flipped_v_is_somebody_elses() {
    let mut rig = Rig::new();
    let data = state_data(101, TIME_SECONDS);
    let mut signatures: Vec<_> = (0..3).map(|i| rig.quorum.attestors[i].sign(TAG_STATE, &data)).collect();
    signatures[1][64] = if signatures[1][64] == 27 { 28 } else { 27 };
    rig.update(envelope(&data, signatures)).reverts_as::<LightClient::UnknownSigner>();
}

#[test]
fn recovery_ids_of_0_and_1_are_taken() {
    let mut rig = Rig::new();
    let data = state_data(101, TIME_SECONDS);
    let mut signatures: Vec<_> = (0..3).map(|i| rig.quorum.attestors[i].sign(TAG_STATE, &data)).collect();
    for signature in &mut signatures {
        signature[64] -= 27;
    }
    assert_eq!(word(rig.update(envelope(&data, signatures))), 0);
}

#[test]
fn a_signature_of_one_kind_does_not_serve_for_the_other() {
    let mut rig = Rig::new();
    let state = rig.signed(TAG_PACKETS, &state_data(101, TIME_SECONDS), &[0, 1, 2]);
    rig.update(state).reverts_as::<LightClient::UnknownSigner>();
    let packets = rig.signed(TAG_STATE, &membership_data(), &[0, 1, 2]);
    rig.member(packets).reverts_as::<LightClient::UnknownSigner>();
}

#[test]
fn only_the_canonical_attested_bytes_are_read() {
    let mut long = state_data(101, TIME_SECONDS);
    long.push(0);
    let mut wide = state_data(101, TIME_SECONDS);
    wide[0] = 1;
    let states = [vec![], state_data(101, 1)[..63].to_vec(), long];
    for data in states {
        let mut rig = Rig::new();
        let message = rig.signed(TAG_STATE, &data, &[0, 1, 2]);
        rig.update(message).reverts_as::<LightClient::InvalidAttestationData>();
    }
    for data in [state_data(0, TIME_SECONDS), state_data(101, 0)] {
        let mut rig = Rig::new();
        let message = rig.signed(TAG_STATE, &data, &[0, 1, 2]);
        rig.update(message).reverts_as::<LightClient::InvalidState>();
    }
    let mut rig = Rig::new();
    let message = rig.signed(TAG_STATE, &wide, &[0, 1, 2]);
    assert!(rig.update(message).result.is_err(), "a height of more than 64 bits");

    let good = membership_data();
    let with = |at: usize, byte: u8| {
        let mut data = good.clone();
        data[at] = byte;
        data
    };
    let mut longer = good.clone();
    longer.extend_from_slice(&[0; 32]);
    let count_of_two_to_the_250 = with(96, 4);
    let rows = [
        vec![],
        good[..127].to_vec(),
        good[..good.len() - 1].to_vec(),
        good[..good.len() - 64].to_vec(),
        longer,
        with(31, 0x40),
        with(95, 0x60),
        with(127, 1),
        with(127, 3),
        count_of_two_to_the_250,
    ];
    for data in rows {
        let mut rig = Rig::new();
        let proof = rig.signed(TAG_PACKETS, &data, &[0, 1, 2]);
        rig.member(proof)
            .reverts(&LightClient::InvalidAttestationData { length: alloy_primitives::U256::from(data.len()) });
    }
}

#[test]
fn garbage_is_never_a_proof() {
    for length in [0usize, 1, 31, 32, 64, 96, 160, 512] {
        for fill in [0u8, 1, 0x20, 0x40, 0xff] {
            let mut rig = Rig::new();
            let garbage = Bytes::from(vec![fill; length]);
            assert!(rig.update(garbage.clone()).result.is_err(), "{length} bytes of {fill}");
            assert!(rig.member(garbage.clone()).result.is_err(), "{length} bytes of {fill}");
            assert!(rig.absent(garbage).result.is_err(), "{length} bytes of {fill}");
        }
    }
}

#[test]
fn membership_and_absence_give_the_time_of_the_height() {
    let mut rig = Rig::new();
    let proof = rig.signed(TAG_PACKETS, &membership_data(), &[0, 1, 2]);
    assert_eq!(word(rig.member(proof)), TIME_SECONDS);
    let proof = rig.signed(TAG_PACKETS, &absence_data(), &[0, 1, 2]);
    assert_eq!(word(rig.absent(proof)), TIME_SECONDS);
}

#[test]
fn claims_that_the_attestation_does_not_cover() {
    let path = path_hash();
    let other = B256::repeat_byte(7);
    let data = membership_data();
    type Change = fn(&mut MsgVerifyMembership);
    let big = alloy_primitives::U256::from::<u64>;
    let rows: Vec<(&str, Change, Vec<u8>)> = vec![
        (
            "no path",
            |m| m.path.clear(),
            LightClient::InvalidPathLength { expected: big(1), actual: big(0) }.abi_encode(),
        ),
        (
            "two path elements",
            |m| m.path.insert(0, b"ibc".to_vec().into()),
            LightClient::InvalidPathLength { expected: big(1), actual: big(2) }.abi_encode(),
        ),
        (
            "31 bytes of value",
            |m| m.value = m.value[1..].to_vec().into(),
            LightClient::InvalidValueLength { expected: big(32), actual: big(31) }.abi_encode(),
        ),
        (
            "33 bytes of value",
            |m| m.value = [&m.value[..], &[0]].concat().into(),
            LightClient::InvalidValueLength { expected: big(32), actual: big(33) }.abi_encode(),
        ),
        ("zero as a value", |m| m.value = vec![0; 32].into(), LightClient::ZeroCommitment {}.abi_encode()),
        (
            "another value",
            |m| m.value = vec![7; 32].into(),
            LightClient::CommitmentMismatch { path, expected: other, attested: COMMITMENT }.abi_encode(),
        ),
        (
            "another path",
            |m| m.path[0] = b"nowhere".to_vec().into(),
            LightClient::NotMember { path: keccak256(b"nowhere") }.abi_encode(),
        ),
        (
            "a revision",
            |m| m.proofHeight.revisionNumber = 1,
            LightClient::RevisionNotZero { revisionNumber: 1 }.abi_encode(),
        ),
        (
            "a height without a state",
            |m| m.proofHeight.revisionHeight = 99,
            LightClient::ConsensusTimestampNotFound { height: 99 }.abi_encode(),
        ),
        (
            "another accepted height",
            |m| m.proofHeight.revisionHeight = 120,
            LightClient::HeightMismatch { expected: 120, attested: HEIGHT }.abi_encode(),
        ),
    ];
    for (name, change, expected) in rows {
        let mut rig = Rig::new();
        let state = rig.signed(TAG_STATE, &state_data(120, TIME_SECONDS + 20), &[0, 1, 2]);
        let _ = rig.update(state).ok();
        let proof = rig.signed(TAG_PACKETS, &data, &[0, 1, 2]);
        let outcome = rig.member_with(proof, change);
        outcome.reverts_with(expected, name);
    }
    let mut rig = Rig::new();
    let proof = rig.signed(TAG_PACKETS, &absence_data(), &[0, 1, 2]);
    rig.member(proof).reverts(&LightClient::CommitmentMismatch { path, expected: COMMITMENT, attested: B256::ZERO });
    let twice = packets_data(HEIGHT, &[entry(PATH, COMMITMENT), entry(PATH, COMMITMENT)]);
    let proof = rig.signed(TAG_PACKETS, &twice, &[0, 1, 2]);
    rig.member(proof).reverts(&LightClient::DuplicatePath { path });
}

#[test]
fn absences_that_are_none() {
    let path = path_hash();
    let mut rig = Rig::new();
    let proof = rig.signed(TAG_PACKETS, &membership_data(), &[0, 1, 2]);
    rig.absent(proof).reverts(&LightClient::NotNonMember { path, attested: COMMITMENT });
    let silent = packets_data(HEIGHT, &[entry(b"other", B256::ZERO)]);
    let proof = rig.signed(TAG_PACKETS, &silent, &[0, 1, 2]);
    rig.absent(proof).reverts(&LightClient::NotMember { path });
    let empty = packets_data(HEIGHT, &[]);
    let proof = rig.signed(TAG_PACKETS, &empty, &[0, 1, 2]);
    rig.absent(proof).reverts(&LightClient::NotMember { path });
    let both = packets_data(HEIGHT, &[entry(PATH, B256::ZERO), entry(PATH, COMMITMENT)]);
    let proof = rig.signed(TAG_PACKETS, &both, &[0, 1, 2]);
    rig.absent(proof).reverts(&LightClient::DuplicatePath { path });
    let proof = rig.signed(TAG_PACKETS, &absence_data(), &[0, 1, 2]);
    rig.absent_with(proof.clone(), |m| m.path.clear()).reverts_as::<LightClient::InvalidPathLength>();
    rig.absent_with(proof.clone(), |m| m.proofHeight.revisionNumber = 3)
        .reverts(&LightClient::RevisionNotZero { revisionNumber: 3 });
    rig.absent_with(proof, |m| m.proofHeight.revisionHeight = 101)
        .reverts(&LightClient::ConsensusTimestampNotFound { height: 101 });
}

#[test]
fn a_role_manager_closes_the_client_to_everyone_else() {
    let mut rig = Rig::with_manager(ADMIN);
    let role = rig.chain.view(rig.client, &LightClient::PROOF_SUBMITTER_ROLECall {});
    let unauthorized = LightClient::AccessControlUnauthorizedAccount { account: RELAYER, neededRole: role };
    let state = rig.signed(TAG_STATE, &state_data(101, TIME_SECONDS), &[0, 1, 2]);
    let proof = rig.signed(TAG_PACKETS, &membership_data(), &[0, 1, 2]);
    let absence = rig.signed(TAG_PACKETS, &absence_data(), &[0, 1, 2]);
    rig.update(state.clone()).reverts(&unauthorized);
    rig.member(proof.clone()).reverts(&unauthorized);
    rig.absent(absence.clone()).reverts(&unauthorized);
    let grant = LightClient::grantRoleCall { role, account: RELAYER };
    rig.chain.send(ALICE, rig.client, &grant).reverts_as::<LightClient::AccessControlUnauthorizedAccount>();
    let _ = rig.chain.send(ADMIN, rig.client, &grant).ok();
    let _ = rig.update(state).ok();
    let _ = rig.member(proof).ok();
    let _ = rig.absent(absence).ok();
}

#[test]
fn an_attestation_of_another_chain_proves_nothing() {
    // Chain C has the same heights, times, client ids and paths as A; only its attestors are others.
    let mut world = World::new();
    let packet = world.send(On::A, 100);
    let height = world.update(On::A);
    let chain_c = Quorum::new(101, 3, 2);
    let path = packet::commitment_path(&packet);
    let entries = [(path.clone(), world.side(On::A).stored(&path))];
    let proof = chain_c.sign_packets(height.revisionHeight, &entries);
    let m = catenary_contract_tests::abi::MsgRecvPacket {
        packet: packet.clone(),
        proofCommitment: proof,
        proofHeight: height,
    };
    let dest = world.side_mut(On::B);
    let signer = chain_c.attestors[0].address;
    dest.route(RELAYER, &Router::recvPacketCall { m }).reverts(&LightClient::UnknownSigner { signer });
    let update = chain_c.sign_state(9_999, TIME_SECONDS);
    let call = Router::updateClientCall { clientId: dest.client_id.clone(), updateMsg: update };
    dest.route(RELAYER, &call).reverts(&LightClient::UnknownSigner { signer });
    assert_eq!(dest.stored(&packet::receipt_path(&packet)), B256::ZERO);
}
