//! What the attestor signs, and what it does not.

use std::sync::atomic::Ordering;

use catenary_protocol::attestation::{path_key, recover, signing_digest, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};

use super::rig::{packet, received, sent, verified_time, Operator, World, HEAD, OTHER_CLIENT, OWN_CLIENT};
use crate::attestor::{AttestError, CommitmentKind, Facts, SignedPackets};
use catenary_light_clients::Hash32;
use catenary_protocol::Packet;

const PACKET: CommitmentKind = CommitmentKind::Packet;
const ACK: CommitmentKind = CommitmentKind::Ack;
const RECEIPT: CommitmentKind = CommitmentKind::Receipt;

fn signer_of(signed: &SignedPackets) -> [u8; 20] {
    recover(&signing_digest(Statement::Packets, &signed.data), &signed.signature).unwrap()
}

#[tokio::test]
async fn a_state_is_the_verified_header_in_whole_seconds() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    let signed = operator.attestor.attest_state(4).await.unwrap();
    let expect = StateAttestation { height: 4, timestamp_seconds: verified_time(&world, 4).seconds() };
    assert_eq!((signed.attestation, StateAttestation::decode(&signed.data)), (expect, Ok(expect)));
    assert_eq!(signed.header.height, 4);
    let signer = recover(&signing_digest(Statement::State, &signed.data), &signed.signature);
    assert_eq!(signer, Ok(operator.attestor.address()));
    assert!(matches!(signed.signature[64], 27 | 28));
}

#[tokio::test]
async fn each_kind_signs_what_is_proven_in_the_order_of_the_request() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    let zero = Hash32([0; 32]);
    let ack = |sequence| match sequence {
        8 => 0x00,
        _ => 0xff,
    };
    let rows: [(CommitmentKind, Vec<Packet>); 5] = [
        (PACKET, vec![sent(3), sent(1), sent(9)]),
        (ACK, vec![received(4), received(1)]),
        // A commitment that starts with a zero byte keeps it.
        (ACK, vec![received(8)]),
        (RECEIPT, vec![received(70), received(5)]),
        (PACKET, vec![sent(2)]),
    ];
    for (kind, packets) in rows {
        let signed = operator.attestor.attest_packets(5, kind, &packets).await.unwrap();
        assert_eq!(signer_of(&signed), operator.attestor.address());
        assert_eq!(PacketAttestation::decode(&signed.data).as_ref(), Ok(&signed.attestation));
        assert_eq!((signed.attestation.height, signed.attestation.entries.len()), (5, packets.len()));
        for (entry, packet) in signed.attestation.entries.iter().zip(&packets) {
            let (path, commitment) = match kind {
                PACKET => (packet.commitment_path(), Some(packet.commitment())),
                ACK => (packet.ack_path(), None),
                RECEIPT => (packet.receipt_path(), Some(zero)),
            };
            assert_eq!(entry.path, path_key(&path));
            match commitment {
                Some(commitment) => assert_eq!(entry.commitment, commitment),
                None => assert_eq!(entry.commitment.0[0] == 0, ack(packet.sequence) == 0),
            }
        }
        let facts = match &signed.facts {
            Facts::Packets(facts) => facts.len(),
            Facts::Acks(facts) => facts.len(),
            Facts::Absences(facts) => facts.len(),
        };
        assert_eq!(facts, packets.len());
    }
}

/// Asks and expects a code, with the reason of each refused packet; nothing may have been signed.
async fn check(operator: &Operator, height: u64, kind: CommitmentKind, packets: &[Packet], expect: &str) {
    let before = operator.signer.signatures.load(Ordering::SeqCst);
    let error = operator.attestor.attest_packets(height, kind, packets).await.unwrap_err();
    let got = match &error {
        AttestError::Unproven { refusals, .. } => {
            let items: Vec<String> = refusals.iter().map(|r| format!("{}={}", r.index, r.code)).collect();
            format!("{} {}", error.code(), items.join(" "))
        }
        _ => error.code().to_owned(),
    };
    assert_eq!(got, expect, "{error}");
    assert_eq!(operator.signer.signatures.load(Ordering::SeqCst), before, "nothing is signed");
}

#[tokio::test]
async fn what_is_not_proven_is_not_signed_and_each_refused_packet_is_named() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    let mut altered = sent(2);
    altered.timeout_timestamp_seconds += 1;
    // Never sent; sent otherwise than given; not acknowledged; received, so no absence.
    check(&operator, 5, PACKET, &[sent(1), sent(77)], "ATT-007 1=NODE-PRV-003").await;
    check(&operator, 5, PACKET, &[altered], "ATT-007 0=PR-VER-002").await;
    check(&operator, 5, ACK, &[received(9), received(1), received(10)], "ATT-007 0=NODE-PRV-003 2=NODE-PRV-003").await;
    check(&operator, 5, RECEIPT, &[received(5), received(1)], "ATT-007 1=LC-QBFT-035").await;
    // Heights that have no verified state.
    check(&operator, HEAD + 1, PACKET, &[sent(1)], "ATT-008").await;
    check(&operator, u64::MAX, RECEIPT, &[received(5)], "ATT-008").await;
    check(&operator, 0, RECEIPT, &[received(5)], "ATT-008").await;
}

#[tokio::test]
async fn requests_over_a_bound_or_of_unknown_clients_ask_no_endpoint() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    let many: Vec<Packet> = (1..=65).map(sent).collect();
    let mut big: Vec<Packet> = (1..=3).map(sent).collect();
    big.iter_mut().for_each(|packet| packet.payloads[0].value = vec![7; 200_000]);
    let mut broken = sent(1);
    broken.payloads.clear();
    check(&operator, 5, PACKET, &[], "ATT-001").await;
    check(&operator, 5, PACKET, &many, "ATT-001").await;
    check(&operator, 5, PACKET, &big, "ATT-002").await;
    check(&operator, 5, PACKET, &[sent(1), broken], "ATT-004").await;
    check(&operator, 5, PACKET, &[sent(1), sent(2), sent(1)], "ATT-006").await;
    // Clients of another path, the right clients in the wrong direction, and one right client.
    check(&operator, 5, PACKET, &[sent(1), packet(1, "client-7", OTHER_CLIENT)], "ATT-005").await;
    check(&operator, 5, PACKET, &[received(1)], "ATT-005").await;
    check(&operator, 5, ACK, &[sent(1)], "ATT-005").await;
    check(&operator, 5, RECEIPT, &[sent(70)], "ATT-005").await;
    check(&operator, 5, PACKET, &[packet(1, OWN_CLIENT, "attestations-1")], "ATT-005").await;
    assert_eq!(operator.prover.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn facts_about_something_else_are_never_signed() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    operator.prover.mixes_up.store(true, Ordering::SeqCst);
    check(&operator, 5, PACKET, &[sent(1), sent(2)], "ATT-009").await;
    check(&operator, 5, ACK, &[received(1), received(2)], "ATT-009").await;
    check(&operator, 5, RECEIPT, &[received(11), received(12)], "ATT-009").await;
    operator.prover.mixes_up.store(false, Ordering::SeqCst);
    operator.prover.other_height.store(4, Ordering::SeqCst);
    check(&operator, 5, PACKET, &[sent(1)], "ATT-009").await;
    check(&operator, 5, ACK, &[received(1)], "ATT-009").await;
    check(&operator, 5, RECEIPT, &[received(11)], "ATT-009").await;
    operator.prover.other_height.store(0, Ordering::SeqCst);
    operator.prover.foreign.store(true, Ordering::SeqCst);
    check(&operator, 5, PACKET, &[sent(1)], "ATT-009").await;
    check(&operator, 5, ACK, &[received(1)], "ATT-009").await;
    check(&operator, 5, RECEIPT, &[received(11)], "ATT-009").await;
}

#[tokio::test]
async fn a_second_time_for_a_height_is_refused_by_the_memory_of_the_signer() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    operator.signer.remember(StateAttestation { height: 4, timestamp_seconds: 1 });
    let error = operator.attestor.attest_state(4).await.unwrap_err();
    assert!(matches!(&error, AttestError::Signer(error) if error.code == "TEST-SIG-001"), "{error}");
    operator.attestor.attest_state(5).await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_is_answered_from_what_was_signed_and_another_one_is_not() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    let asks = |height, kind, packets: Vec<Packet>| {
        let operator = operator.clone();
        async move {
            operator.attestor.attest_packets(height, kind, &packets).await.unwrap();
            let (calls, signatures) = (&operator.prover.calls, &operator.signer.signatures);
            (calls.load(Ordering::SeqCst), signatures.load(Ordering::SeqCst))
        }
    };
    assert_eq!(asks(5, PACKET, vec![sent(1), sent(2)]).await, (1, 1));
    assert_eq!(asks(5, PACKET, vec![sent(1), sent(2)]).await, (1, 1));
    assert_eq!(asks(5, PACKET, vec![sent(2), sent(1)]).await, (2, 2));
    assert_eq!(asks(4, PACKET, vec![sent(1), sent(2)]).await, (3, 3));
    assert_eq!(asks(5, ACK, vec![received(1)]).await, (4, 4));
    // Of packet 8 an acknowledgement is there and no receipt: the same packet, another kind.
    assert_eq!(asks(5, ACK, vec![received(8)]).await, (5, 5));
    assert_eq!(asks(5, RECEIPT, vec![received(8)]).await, (6, 6));
    operator.attestor.attest_state(5).await.unwrap();
    operator.attestor.attest_state(5).await.unwrap();
    assert_eq!(operator.signer.signatures.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn a_stopped_chain_gives_out_nothing_not_even_what_was_signed_before() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    operator.attestor.attest_state(5).await.unwrap();
    operator.attestor.attest_packets(5, PACKET, &[sent(1)]).await.unwrap();
    operator.prover.stopped.store(true, Ordering::SeqCst);
    check(&operator, 5, PACKET, &[sent(1)], "ATT-008").await;
    let error = operator.attestor.attest_state(5).await.unwrap_err();
    assert!(error.to_string().contains("NODE-PRV-004"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_ends_in_a_deadline() {
    let world = World::new();
    let operator = Operator::new(&world, 1);
    operator.prover.close_gate();
    check(&operator, 5, PACKET, &[sent(1)], "ATT-012").await;
}
