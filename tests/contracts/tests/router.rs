//! The router: every refusal, the two kinds of failing application, and many packets in one transaction.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{Address, Bytes, B256, U256};
use alloy_sol_types::{SolCall, SolError};
use catenary_contract_tests::abi::{
    CounterpartyInfo, Fixture, LightClient, MsgAckPacket, MsgRecvPacket, MsgSendPacket, MsgTimeoutPacket, Packet,
    Router,
};
use catenary_contract_tests::chain::Outcome;
use catenary_contract_tests::packet::{self, error_ack, SUCCESS_ACK};
use catenary_contract_tests::world::{
    check_gas_limits, counterparty, is_noop, mock_payload, written, On, Side, World, ADMIN, ALICE, RELAYER,
    TIMEOUT_SECONDS,
};

/// Modes of `MockApp`.
const EMPTY_ACK: u8 = 1;
const ERROR_ACK: u8 = 2;
const REVERT_WITH_DATA: u8 = 3;
const REVERT_WITHOUT_DATA: u8 = 4;
const BURN_GAS: u8 = 5;
const REVERT_HUGE: u8 = 6;
const REPLY: u8 = 7;

fn big(n: u64) -> U256 {
    U256::from(n)
}

fn set_mode(side: &mut Side, mode: u8) {
    let _ = side.chain.send(ADMIN, side.mock, &Fixture::setModeCall { mode }).ok();
}

fn count(side: &Side, call: &impl SolCall<Return = U256>) -> u64 {
    side.chain.view(side.mock, call).to()
}

fn received(side: &Side) -> u64 {
    count(side, &Fixture::receivedCall {})
}

/// A changed send and what it reverts with.
type SendRow = (&'static str, fn(&mut MsgSendPacket, u64), Vec<u8>);

fn bad_timeouts(now: u64) -> Vec<SendRow> {
    vec![
        (
            "a timeout of now",
            |m, now| m.timeoutTimestamp = now,
            Router::IBCInvalidTimeoutTimestamp { timeoutTimestamp: big(now), comparedTimestamp: big(now) }.abi_encode(),
        ),
        (
            "a timeout of zero",
            |m, _| m.timeoutTimestamp = 0,
            Router::IBCInvalidTimeoutTimestamp { timeoutTimestamp: big(0), comparedTimestamp: big(now) }.abi_encode(),
        ),
        (
            "a timeout a second too far",
            |m, now| m.timeoutTimestamp = now + 86_401,
            Router::IBCInvalidTimeoutDuration { maximumSeconds: big(86_400), actualSeconds: big(86_401) }.abi_encode(),
        ),
        (
            "a timeout in nanoseconds",
            |m, now| m.timeoutTimestamp = (now + 60) * 1_000_000_000,
            Router::IBCInvalidTimeoutDuration {
                maximumSeconds: big(86_400),
                actualSeconds: big((now + 60) * 1_000_000_000 - now),
            }
            .abi_encode(),
        ),
    ]
}

fn bad_payloads() -> Vec<SendRow> {
    vec![
        (
            "a destination port of one byte",
            |m, _| m.payload.destPort = "m".into(),
            Router::IBCInvalidPortIdentifier { portId: "m".into() }.abi_encode(),
        ),
        (
            "no version",
            |m, _| m.payload.version = String::new(),
            Router::IBCEmptyPayloadField { field: "version".into() }.abi_encode(),
        ),
        (
            "no encoding",
            |m, _| m.payload.encoding = String::new(),
            Router::IBCEmptyPayloadField { field: "encoding".into() }.abi_encode(),
        ),
        (
            "no value",
            |m, _| m.payload.value = Bytes::new(),
            Router::IBCEmptyPayloadField { field: "value".into() }.abi_encode(),
        ),
        (
            "a payload a byte too long",
            |m, _| m.payload.value = vec![0; 40_960 - 13 + 1].into(),
            Router::IBCPayloadTooLarge { maximumBytes: big(40_960), actualBytes: big(40_961) }.abi_encode(),
        ),
    ]
}

fn bad_ends() -> Vec<SendRow> {
    vec![
        (
            "an unknown client",
            |m, _| m.sourceClient = "client-9".into(),
            Router::IBCClientNotFound { clientId: "client-9".into() }.abi_encode(),
        ),
        (
            "a port nobody has",
            |m, _| m.payload.sourcePort = "nobody".into(),
            Router::IBCAppNotFound { portId: "nobody".into() }.abi_encode(),
        ),
        (
            "a port of another application",
            |m, _| m.payload.sourcePort = "transfer".into(),
            Router::IBCUnauthorizedSender { caller: World::new().side(On::A).mock }.abi_encode(),
        ),
    ]
}

#[test]
fn sends_that_are_refused() {
    let now = World::new().side(On::A).chain.time_seconds;
    for (name, change, expected) in [bad_timeouts(now), bad_payloads(), bad_ends()].concat() {
        let mut world = World::new();
        let side = world.side_mut(On::A);
        let mut m = MsgSendPacket {
            sourceClient: side.client_id.clone(),
            timeoutTimestamp: side.timeout_in(60),
            payload: mock_payload(b"x"),
        };
        change(&mut m, side.chain.time_seconds);
        let call = Fixture::sendCall { router: side.router, m };
        side.chain.send(ADMIN, side.mock, &call).reverts_with(expected, name);
    }
}

#[test]
fn sends_at_the_edges_are_taken_and_numbered_without_gaps() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    for (sequence, (seconds, bytes)) in [(1, 1), (86_400, 1), (60, 40_960 - 13)].into_iter().enumerate() {
        let m = MsgSendPacket {
            sourceClient: side.client_id.clone(),
            timeoutTimestamp: side.timeout_in(seconds),
            payload: mock_payload(&vec![7; bytes]),
        };
        let call = Fixture::sendCall { router: side.router, m };
        let sent = side.chain.send(ADMIN, side.mock, &call).ok().event::<Router::SendPacket>();
        let sequence = sequence as u64 + 1;
        assert_eq!(sent.sequence, big(sequence));
        assert_eq!(sent.packet.sequence, sequence);
        assert_eq!(sent.packet.destClient, "client-1");
        assert_eq!(side.stored(&packet::commitment_path(&sent.packet)), packet::commitment(&sent.packet));
        let last = Router::getLastSequenceSentCall { clientId: side.client_id.clone() };
        assert_eq!(side.chain.view(side.router, &last), sequence);
    }
}

#[test]
fn receives_that_are_refused() {
    type Change = fn(&mut MsgRecvPacket);
    let rows: Vec<(&str, Change, Vec<u8>)> = vec![
        (
            "no payload",
            |m| m.packet.payloads.clear(),
            Router::IBCInvalidPayloadCount { expected: big(1), actual: big(0) }.abi_encode(),
        ),
        (
            "two payloads",
            |m| m.packet.payloads.push(mock_payload(b"y")),
            Router::IBCInvalidPayloadCount { expected: big(1), actual: big(2) }.abi_encode(),
        ),
        (
            "an unknown client",
            |m| m.packet.destClient = "client-9".into(),
            Router::IBCClientNotFound { clientId: "client-9".into() }.abi_encode(),
        ),
        (
            "another client of ours",
            |m| m.packet.destClient = "client-0".into(),
            Router::IBCInvalidCounterparty { expected: "elsewhere-0".into(), actual: "client-0".into() }.abi_encode(),
        ),
        (
            "another client of theirs",
            |m| m.packet.sourceClient = "client-7".into(),
            Router::IBCInvalidCounterparty { expected: "client-0".into(), actual: "client-7".into() }.abi_encode(),
        ),
        (
            "a height without a state",
            |m| m.proofHeight.revisionHeight += 1,
            Router::IBCClientNotFound { clientId: String::new() }.abi_encode(),
        ),
    ];
    for (name, change, expected) in rows {
        let mut world = World::new();
        let packet = world.side_mut(On::A).send_mock(b"x");
        let mut m = world.recv_msg(On::A, &packet);
        change(&mut m);
        let height = m.proofHeight.revisionHeight;
        let side = world.side_mut(On::B);
        let outcome = side.route(RELAYER, &Router::recvPacketCall { m });
        if name == "a height without a state" {
            outcome.reverts(&LightClient::ConsensusTimestampNotFound { height });
        } else {
            outcome.reverts_with(expected, name);
        }
        assert_eq!(received(side), 0);
    }
}

/// Every field of a packet is under the commitment: a changed one is not what was proven.
#[test]
fn a_changed_packet_is_not_proven() {
    type Change = fn(&mut Packet);
    let rows: Vec<(&str, Change)> = vec![
        ("timeout", |p| p.timeoutTimestamp += 1),
        ("value", |p| p.payloads[0].value = b"y".to_vec().into()),
        ("longer value", |p| p.payloads[0].value = b"xx".to_vec().into()),
        ("source port", |p| p.payloads[0].sourcePort = "mocc".into()),
        ("destination port", |p| p.payloads[0].destPort = "transfer".into()),
        ("version", |p| p.payloads[0].version = "v2".into()),
        ("encoding", |p| p.payloads[0].encoding = "json".into()),
    ];
    for (name, change) in rows {
        let mut world = World::new();
        let packet = world.side_mut(On::A).send_mock(b"x");
        let mut m = world.recv_msg(On::A, &packet);
        change(&mut m.packet);
        let error = LightClient::CommitmentMismatch {
            path: alloy_primitives::keccak256(packet::commitment_path(&packet)),
            expected: packet::commitment(&m.packet),
            attested: packet::commitment(&packet),
        };
        let side = world.side_mut(On::B);
        side.route(RELAYER, &Router::recvPacketCall { m }).reverts_with(error.abi_encode(), name);
    }
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let mut m = world.recv_msg(On::A, &packet);
    m.packet.sequence = 2;
    let path = alloy_primitives::keccak256(packet::commitment_path(&m.packet));
    world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m }).reverts(&LightClient::NotMember { path });
}

#[test]
fn the_timeout_of_a_receive_is_the_first_second_that_is_too_late() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let m = world.recv_msg(On::A, &packet);
    for (late, side) in [(false, &mut world.side(On::B).clone()), (true, &mut world.side(On::B).clone())] {
        side.chain.time_seconds = packet.timeoutTimestamp - u64::from(!late);
        let outcome = side.route(RELAYER, &Router::recvPacketCall { m: m.clone() });
        if late {
            let timeout = big(packet.timeoutTimestamp);
            outcome
                .reverts(&Router::IBCInvalidTimeoutTimestamp { timeoutTimestamp: timeout, comparedTimestamp: timeout });
        } else {
            let _ = outcome.ok();
        }
    }
}

#[test]
fn a_second_receive_changes_nothing_but_only_with_proof_and_in_time() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let _ = world.recv(On::A, &packet).ok();
    assert!(is_noop(&world.recv(On::A, &packet).ok()));
    assert_eq!(received(world.side(On::B)), 1);
    let mut unproven = world.recv_msg(On::A, &packet);
    unproven.proofCommitment = Bytes::new();
    assert!(world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m: unproven }).result.is_err());
    // The same number with other contents, proven: only a source that lies can do this, and it gets nowhere.
    let mut other = packet.clone();
    other.payloads[0].value = b"other".to_vec().into();
    let height = world.update(On::A);
    let entry = (packet::commitment_path(&other), packet::commitment(&other));
    let proof = world.side(On::A).quorum.sign_packets(height.revisionHeight, &[entry]);
    let m = MsgRecvPacket { packet: other.clone(), proofCommitment: proof, proofHeight: height };
    world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m }).reverts(&Router::IBCPacketReceiptMismatch {
        stored: packet::receipt(&packet),
        given: packet::receipt(&other),
    });
    world.advance(TIMEOUT_SECONDS);
    world.recv(On::A, &packet).reverts_as::<Router::IBCInvalidTimeoutTimestamp>();
}

/// Nothing leads here, as the receipt is written once; the second lock is looked at all the same.
#[test]
fn an_acknowledgement_is_never_overwritten() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let path = packet::ack_path(&packet);
    let side = world.side_mut(On::B);
    side.chain.set_storage(side.router, packet::slot(&path), B256::repeat_byte(1));
    let error = Router::IBCPacketAcknowledgementAlreadyExists { hashedPath: alloy_primitives::keccak256(&path) };
    world.recv(On::A, &packet).reverts(&error);
}

#[test]
fn an_application_that_refuses_answers_the_universal_error() {
    let mut world = World::new();
    set_mode(world.side_mut(On::B), REVERT_WITH_DATA);
    let packet = world.side_mut(On::A).send_mock(b"x");
    let outcome = world.recv(On::A, &packet).ok();
    assert_eq!(written(&outcome), error_ack());
    let reason = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
    assert_eq!(reason, Fixture::MockRefused { sequence: 1 }.abi_encode());
    let there = world.side(On::B);
    assert_eq!(there.stored(&packet::ack_path(&packet)), packet::ack_commitment(&[error_ack()]));
    assert_eq!(there.stored(&packet::receipt_path(&packet)), packet::receipt(&packet));
    assert_eq!(received(there), 0, "what the application did was undone");
    let _ = world.ack(On::A, &packet, &error_ack()).ok();
    let here = world.side(On::A);
    assert_eq!(here.chain.view(here.mock, &Fixture::lastAcknowledgementCall {}), error_ack());
}

/// An application cannot send from within a receive.
#[test]
fn nothing_is_sent_from_within_a_receive() {
    let mut world = World::new();
    set_mode(world.side_mut(On::B), REPLY);
    let packet = world.side_mut(On::A).send_mock(b"x");
    let outcome = world.recv(On::A, &packet).ok();
    assert_eq!(written(&outcome), error_ack());
    let reason = outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason;
    assert_eq!(reason, Router::ReentrancyGuardReentrantCall {}.abi_encode());
}

#[test]
fn a_long_reason_is_cut() {
    let mut world = World::new();
    set_mode(world.side_mut(On::B), REVERT_HUGE);
    let packet = world.side_mut(On::A).send_mock(b"x");
    let outcome = world.recv(On::A, &packet).ok();
    assert_eq!(outcome.event::<Router::IBCAppRecvPacketCallbackError>().reason.len(), 1024);
    assert_eq!(written(&outcome), error_ack());
}

#[test]
fn an_application_that_fails_without_a_reason_has_not_answered() {
    for (mode, error) in [
        (REVERT_WITHOUT_DATA, Router::IBCFailedCallback {}.abi_encode()),
        (BURN_GAS, Router::IBCFailedCallback {}.abi_encode()),
        (EMPTY_ACK, Router::IBCAsyncAcknowledgementNotSupported {}.abi_encode()),
        (ERROR_ACK, Router::IBCErrorUniversalAcknowledgement {}.abi_encode()),
    ] {
        let mut world = World::new();
        set_mode(world.side_mut(On::B), mode);
        let packet = world.side_mut(On::A).send_mock(b"x");
        world.recv(On::A, &packet).reverts_with(error, "no answer");
        let there = world.side_mut(On::B);
        assert_eq!(there.stored(&packet::receipt_path(&packet)), B256::ZERO);
        assert_eq!(there.stored(&packet::ack_path(&packet)), B256::ZERO);
        // Put right, the same packet arrives; not put right, it times out.
        let mut mended = world.clone();
        set_mode(mended.side_mut(On::B), 0);
        assert_eq!(written(&mended.recv(On::A, &packet).ok()), b"mock ack");
        world.advance(TIMEOUT_SECONDS);
        let _ = world.timeout(On::A, &packet).ok();
        assert_eq!(count(world.side(On::A), &Fixture::timedOutCall {}), 1);
    }
}

#[test]
fn too_little_gas_never_makes_an_answer() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let m = world.recv_msg(On::A, &packet);
    check_gas_limits(world.side(On::B), &Router::recvPacketCall { m }, b"mock ack");
}

#[test]
fn a_packet_for_a_port_nobody_has_times_out() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let mut payload = mock_payload(b"x");
    payload.destPort = "nobody".into();
    let m = MsgSendPacket {
        sourceClient: side.client_id.clone(),
        timeoutTimestamp: side.timeout_in(TIMEOUT_SECONDS),
        payload,
    };
    let call = Fixture::sendCall { router: side.router, m };
    let packet = side.chain.send(ADMIN, side.mock, &call).ok().event::<Router::SendPacket>().packet;
    world.recv(On::A, &packet).reverts(&Router::IBCAppNotFound { portId: "nobody".into() });
    world.advance(TIMEOUT_SECONDS);
    let _ = world.timeout(On::A, &packet).ok();
}

#[test]
fn acknowledgements_that_are_refused() {
    type Change = fn(&mut MsgAckPacket);
    let rows: Vec<(&str, Change, Vec<u8>)> = vec![
        (
            "no payload",
            |m| m.packet.payloads.clear(),
            Router::IBCInvalidPayloadCount { expected: big(1), actual: big(0) }.abi_encode(),
        ),
        (
            "two payloads",
            |m| m.packet.payloads.push(mock_payload(b"y")),
            Router::IBCInvalidPayloadCount { expected: big(1), actual: big(2) }.abi_encode(),
        ),
        (
            "an unknown client",
            |m| m.packet.sourceClient = "client-9".into(),
            Router::IBCClientNotFound { clientId: "client-9".into() }.abi_encode(),
        ),
        (
            "another client of theirs",
            |m| m.packet.destClient = "client-7".into(),
            Router::IBCInvalidCounterparty { expected: "client-1".into(), actual: "client-7".into() }.abi_encode(),
        ),
    ];
    for (name, change, expected) in rows {
        let (mut world, packet) = received_packet();
        let mut m = world.ack_msg(On::A, &packet, b"mock ack");
        change(&mut m);
        acked(&mut world, m).reverts_with(expected, name);
    }
    let (mut world, packet) = received_packet();
    let m = world.ack_msg(On::A, &packet, SUCCESS_ACK);
    acked(&mut world, m).reverts_as::<LightClient::CommitmentMismatch>();
    let m = world.ack_msg(On::A, &packet, &error_ack());
    acked(&mut world, m).reverts_as::<LightClient::CommitmentMismatch>();
    let mut changed = world.ack_msg(On::A, &packet, b"mock ack");
    changed.packet.payloads[0].value = b"y".to_vec().into();
    let error = Router::IBCPacketCommitmentMismatch {
        stored: packet::commitment(&packet),
        given: packet::commitment(&changed.packet),
    };
    acked(&mut world, changed).reverts(&error);
    let mut changed = world.ack_msg(On::A, &packet, b"mock ack");
    changed.packet.timeoutTimestamp += 1;
    acked(&mut world, changed).reverts_as::<Router::IBCPacketCommitmentMismatch>();
    assert_eq!(count(world.side(On::A), &Fixture::acknowledgedCall {}), 0);
}

fn received_packet() -> (World, Packet) {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let _ = world.recv(On::A, &packet).ok();
    (world, packet)
}

fn acked(world: &mut World, m: MsgAckPacket) -> Outcome {
    world.side_mut(On::A).route(RELAYER, &Router::ackPacketCall { m })
}

#[test]
fn a_second_acknowledgement_changes_nothing_but_only_with_proof() {
    let (mut world, packet) = received_packet();
    let event = world.ack(On::A, &packet, b"mock ack").ok().event::<Router::AckPacket>();
    assert_eq!((event.packet, event.acknowledgement.to_vec()), (packet.clone(), b"mock ack".to_vec()));
    assert!(is_noop(&world.ack(On::A, &packet, b"mock ack").ok()));
    assert_eq!(count(world.side(On::A), &Fixture::acknowledgedCall {}), 1);
    world.ack(On::A, &packet, b"other").reverts_as::<LightClient::CommitmentMismatch>();
}

#[test]
fn timeouts_that_are_refused() {
    type Change = fn(&mut MsgTimeoutPacket);
    let rows: Vec<(&str, Change, Vec<u8>)> = vec![
        (
            "no payload",
            |m| m.packet.payloads.clear(),
            Router::IBCInvalidPayloadCount { expected: big(1), actual: big(0) }.abi_encode(),
        ),
        (
            "an unknown client",
            |m| m.packet.sourceClient = "client-9".into(),
            Router::IBCClientNotFound { clientId: "client-9".into() }.abi_encode(),
        ),
        (
            "another client of theirs",
            |m| m.packet.destClient = "client-7".into(),
            Router::IBCInvalidCounterparty { expected: "client-1".into(), actual: "client-7".into() }.abi_encode(),
        ),
    ];
    for (name, change, expected) in rows {
        let mut world = World::new();
        let packet = world.side_mut(On::A).send_mock(b"x");
        world.advance(TIMEOUT_SECONDS);
        let mut m = world.timeout_msg(On::A, &packet);
        change(&mut m);
        timed_out(&mut world, m).reverts_with(expected, name);
    }
    let (mut world, packet) = received_packet();
    world.advance(TIMEOUT_SECONDS);
    let m = world.timeout_msg(On::A, &packet);
    timed_out(&mut world, m).reverts_as::<LightClient::NotNonMember>();
}

fn timed_out(world: &mut World, m: MsgTimeoutPacket) -> Outcome {
    world.side_mut(On::A).route(RELAYER, &Router::timeoutPacketCall { m })
}

/// The destination's clock decides, at the height of the proof: neither the source's clock nor a later height.
#[test]
fn a_timeout_counts_from_the_destinations_clock() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    world.side_mut(On::A).chain.advance(10 * TIMEOUT_SECONDS);
    let there = &mut world.side_mut(On::B).chain;
    there.time_seconds = packet.timeoutTimestamp - 1;
    let early = world.timeout_msg(On::A, &packet);
    world.side_mut(On::B).chain.advance(1);
    let _ = world.update(On::B);
    timed_out(&mut world, early).reverts(&Router::IBCInvalidTimeoutTimestamp {
        timeoutTimestamp: big(packet.timeoutTimestamp),
        comparedTimestamp: big(packet.timeoutTimestamp - 1),
    });
    let _ = world.timeout(On::A, &packet).ok();
    assert!(is_noop(&world.timeout(On::A, &packet).ok()));
    assert_eq!(count(world.side(On::A), &Fixture::timedOutCall {}), 1);
    world.recv(On::A, &packet).reverts_as::<Router::IBCInvalidTimeoutTimestamp>();
    let mut other = world.timeout_msg(On::A, &packet);
    other.packet.payloads[0].value = b"y".to_vec().into();
    assert!(is_noop(&timed_out(&mut world, other).ok()), "nothing is committed under the number any more");
}

#[test]
fn a_timeout_of_another_packet_of_the_number_is_refused() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    world.advance(TIMEOUT_SECONDS);
    let mut m = world.timeout_msg(On::A, &packet);
    m.packet.timeoutTimestamp -= 1;
    let error = Router::IBCPacketCommitmentMismatch {
        stored: packet::commitment(&packet),
        given: packet::commitment(&m.packet),
    };
    timed_out(&mut world, m).reverts(&error);
}

#[test]
fn packets_of_one_transaction_stand_or_fall_together() {
    let mut world = World::new();
    let one = world.side_mut(On::A).send_mock(b"one");
    let two = world.side_mut(On::A).send_mock(b"two");
    let height = world.update(On::A);
    // One attestation serves both.
    let paths = [packet::commitment_path(&one), packet::commitment_path(&two)];
    let proof = world.prove(On::A, &height, &paths);
    let call = |packet: &Packet, proof: &Bytes| -> Bytes {
        let m = MsgRecvPacket { packet: packet.clone(), proofCommitment: proof.clone(), proofHeight: height.clone() };
        Router::recvPacketCall { m }.abi_encode().into()
    };
    let mut broken = two.clone();
    broken.timeoutTimestamp -= 1;
    let there = world.side_mut(On::B);
    let batch = Router::multicallCall { data: vec![call(&one, &proof), call(&broken, &proof)] };
    there.route(RELAYER, &batch).reverts_as::<LightClient::CommitmentMismatch>();
    assert_eq!(there.stored(&packet::receipt_path(&one)), B256::ZERO);
    assert_eq!(received(there), 0);
    let batch = Router::multicallCall { data: vec![call(&one, &proof), call(&two, &proof), call(&one, &proof)] };
    let outcome = there.route(RELAYER, &batch).ok();
    assert_eq!(outcome.events::<Router::WriteAcknowledgement>().len(), 2);
    assert_eq!(outcome.events::<Router::Noop>().len(), 1);
    assert_eq!(received(there), 2);
}

#[test]
fn an_update_and_its_packets_fit_one_transaction() {
    let mut world = World::new();
    let packet = world.side_mut(On::A).send_mock(b"x");
    let here = world.side(On::A);
    let (height, time) = (here.chain.height, here.chain.time_seconds);
    let path = packet::commitment_path(&packet);
    let proof = here.quorum.sign_packets(height, &[(path.clone(), here.stored(&path))]);
    let update_msg = here.quorum.sign_state(height, time);
    let proof_height = catenary_contract_tests::abi::Height { revisionNumber: 0, revisionHeight: height };
    let m = MsgRecvPacket { packet, proofCommitment: proof, proofHeight: proof_height };
    let there = world.side_mut(On::B);
    let client_id = there.client_id.clone();
    let batch = Router::multicallCall {
        data: vec![
            Router::updateClientCall { clientId: client_id, updateMsg: update_msg }.abi_encode().into(),
            Router::recvPacketCall { m }.abi_encode().into(),
        ],
    };
    assert_eq!(written(&there.route(RELAYER, &batch).ok()), b"mock ack");
}

#[test]
fn clients_that_are_refused() {
    let with =
        |client_id: &str, prefix: Vec<Bytes>| CounterpartyInfo { clientId: client_id.into(), merklePrefix: prefix };
    let empty = vec![Bytes::new()];
    let invalid = |id: &str| Router::IBCInvalidClientId { clientId: id.into() }.abi_encode();
    let prefix = |elements: u64| {
        Router::IBCInvalidMerklePrefix {
            elements: big(elements),
            maximumElements: big(4),
            maximumElementBytes: big(64),
        }
        .abi_encode()
    };
    let long = "a".repeat(65);
    let rows = vec![
        (with("", empty.clone()), invalid("")),
        (with("short-1", empty.clone()), invalid("short-1")),
        (with(&long, empty.clone()), invalid(&long)),
        (with("client/0", empty.clone()), invalid("client/0")),
        (with("client 0", empty.clone()), invalid("client 0")),
        (with("client-0\u{1}", empty.clone()), invalid("client-0\u{1}")),
        (with("cli\u{e9}nt-0", empty), invalid("cli\u{e9}nt-0")),
        (with("client-0", vec![]), prefix(0)),
        (with("client-0", vec![Bytes::new(); 5]), prefix(5)),
        (with("client-0", vec![Bytes::new(), vec![1; 65].into()]), prefix(2)),
    ];
    let mut world = World::new();
    let side = world.side_mut(On::A);
    for (info, expected) in rows {
        let name = info.clientId.clone();
        let call = Router::addClientCall { counterparty: info, client: side.client };
        side.route(ALICE, &call).reverts_with(expected, &name);
    }
    let call = Router::addClientCall { counterparty: counterparty("client-0"), client: BOB_WITHOUT_CODE };
    side.route(ALICE, &call).reverts(&Router::IBCInvalidClient { client: BOB_WITHOUT_CODE });
    assert_eq!(side.chain.view(side.router, &Router::getNextClientSeqCall {}), big(1));
}

#[test]
fn the_longest_and_shortest_names_are_taken() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let allowed = "azAZ09._+-#[]<>";
    for id in ["a".repeat(8), "a".repeat(64), allowed.to_owned()] {
        let info = CounterpartyInfo { clientId: id, merklePrefix: vec![vec![1; 64].into(); 4] };
        let _ = side.route(ALICE, &Router::addClientCall { counterparty: info, client: side.client }).ok();
    }
    for port in ["ab".to_owned(), "p".repeat(128), allowed.to_owned()] {
        let _ = side.route(ADMIN, &Router::addIBCAppCall { portId: port, app: side.mock }).ok();
    }
}

const BOB_WITHOUT_CODE: Address = catenary_contract_tests::world::BOB;

#[test]
fn anyone_may_add_a_client_and_it_shows_what_it_was_given() {
    let mut world = World::new();
    let side = world.side_mut(On::A);
    let info = CounterpartyInfo {
        clientId: "07-tendermint-3".into(),
        merklePrefix: vec![b"ibc".to_vec().into(), Bytes::new()],
    };
    let call = Router::addClientCall { counterparty: info.clone(), client: side.client };
    let event = side.route(ALICE, &call).ok().event::<Router::ICS02ClientAdded>();
    assert_eq!((event.clientId.as_str(), event.client), ("client-1", side.client));
    assert_eq!(event.counterpartyInfo, info);
    let id = || "client-1".to_owned();
    assert_eq!(side.chain.view(side.router, &Router::getClientCall { clientId: id() }), side.client);
    assert_eq!(side.chain.view(side.router, &Router::getCounterpartyCall { clientId: id() }), info);
    for data in [
        Router::getClientCall { clientId: "client-2".into() }.abi_encode(),
        Router::getCounterpartyCall { clientId: "client-2".into() }.abi_encode(),
        Router::updateClientCall { clientId: "client-2".into(), updateMsg: Bytes::new() }.abi_encode(),
        Router::submitMisbehaviourCall { clientId: "client-2".into(), misbehaviourMsg: Bytes::new() }.abi_encode(),
    ] {
        let outcome = side.chain.send_raw(ALICE, side.router, data);
        outcome.reverts(&Router::IBCClientNotFound { clientId: "client-2".into() });
    }
    // The path is appended to the last element, and the attestation client takes exactly one.
    let mut m = MsgSendPacket {
        sourceClient: "client-1".into(),
        timeoutTimestamp: side.timeout_in(60),
        payload: mock_payload(b"x"),
    };
    m.payload.destPort = "mock".into();
    let call = Fixture::sendCall { router: side.router, m };
    let packet = side.chain.send(ADMIN, side.mock, &call).ok().event::<Router::SendPacket>().packet;
    assert_eq!(packet.destClient, "07-tendermint-3");
    let m = MsgAckPacket {
        packet,
        acknowledgement: b"x".to_vec().into(),
        proofAcked: Bytes::new(),
        proofHeight: catenary_contract_tests::abi::Height { revisionNumber: 0, revisionHeight: 1 },
    };
    side.route(RELAYER, &Router::ackPacketCall { m })
        .reverts(&LightClient::InvalidPathLength { expected: big(1), actual: big(2) });
}

#[test]
fn misbehaviour_freezes_through_the_router() {
    let mut world = World::new();
    let packet = world.send(On::A, 5);
    let m = world.recv_msg(On::A, &packet);
    let height = m.proofHeight.revisionHeight;
    let lie = world.side(On::A).quorum.sign_state(height, 1);
    let there = world.side_mut(On::B);
    let call = Router::updateClientCall { clientId: there.client_id.clone(), updateMsg: lie.clone() };
    let outcome = there.route(RELAYER, &call).ok();
    let event = outcome.event::<Router::ICS02ClientUpdated>();
    assert_eq!((event.clientId, event.result), (there.client_id.clone(), 1));
    there.route(RELAYER, &call).reverts(&LightClient::FrozenClientState {});
    there.route(RELAYER, &Router::recvPacketCall { m }).reverts(&LightClient::FrozenClientState {});

    let mut world = World::new();
    let evidence = {
        let quorum = &world.side(On::A).quorum;
        let decode = |bytes: Bytes| {
            use alloy_sol_types::SolValue;
            catenary_contract_tests::abi::AttestationProof::abi_decode(&bytes).expect("an envelope")
        };
        use alloy_sol_types::SolValue;
        (decode(quorum.sign_state(7, 1)), decode(quorum.sign_state(7, 2))).abi_encode_params()
    };
    let there = world.side_mut(On::B);
    let client_id = there.client_id.clone();
    let call = Router::submitMisbehaviourCall { clientId: client_id.clone(), misbehaviourMsg: evidence.into() };
    let event = there.route(ALICE, &call).ok().event::<Router::ICS02MisbehaviourSubmitted>();
    assert_eq!(event.clientId, client_id);
    there.route(ALICE, &call).reverts(&LightClient::FrozenClientState {});
}
