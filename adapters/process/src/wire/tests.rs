//! Messages cross the border as they are, and what is refused on the guest's side. What the host refuses is tested
//! with plugins that lie (`tests/host.rs`).
#![allow(clippy::unwrap_used, reason = "tests")]

use catenary_api::{Broadcast, MessageView, PacketEvent, TxReceipt};
use catenary_light_clients::Hash32;
use catenary_protocol::{Acknowledgement, AttestationProof, Packet, Payload};
use prost::Message as _;

use super::*;
use crate::codec;

fn packet() -> Packet {
    let payload = Payload {
        source_port: "transfer".into(),
        destination_port: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/x-solidity-abi".into(),
        value: vec![1, 2, 3],
    };
    Packet {
        sequence: 7,
        source_client: "client-00".into(),
        destination_client: "client-11".into(),
        timeout_timestamp_seconds: 99,
        payloads: vec![payload],
    }
}

fn proof() -> AttestationProof {
    AttestationProof { data: vec![5; 96], signatures: vec![[6; 65]; 2] }
}

fn ack() -> Acknowledgement {
    Acknowledgement { app_acknowledgements: vec![vec![1]] }
}

/// Every kind of message, over the bytes and back.
#[test]
fn messages_cross_as_they_are() {
    let (packet, proof, ack) = (packet(), proof(), ack());
    let views = [
        MessageView::UpdateClient { client_id: "client-0", proof: &proof },
        MessageView::Recv { packet: &packet, proof: &proof, proof_height: 4 },
        MessageView::Ack { packet: &packet, acknowledgement: &ack, proof: &proof, proof_height: 5 },
        MessageView::Timeout { packet: &packet, proof: &proof, proof_height: 6 },
    ];
    for view in views {
        let bytes = message_to(view).encode_to_vec();
        let there = message_from(codec::decode(&bytes).unwrap()).unwrap();
        assert_eq!(there.view(), view);
    }
}

#[test]
fn messages_for_native_clients_do_not_cross() {
    let message = catenary_api::ClientMessage { type_url: "/header".into(), value: vec![1] };
    let view = catenary_api::NativeView::UpdateClient { client_id: "07-tendermint-0", message: &message };
    let bytes = message_to(MessageView::Native(view)).encode_to_vec();
    assert!(message_from(codec::decode(&bytes).unwrap()).is_err(), "the adapter refuses what has no kind");
}

#[test]
fn messages_with_the_wrong_fields_are_refused() {
    let (packet, proof, ack) = (packet(), proof(), ack());
    let recv = message_to(MessageView::Recv { packet: &packet, proof: &proof, proof_height: 4 });
    let update = message_to(MessageView::UpdateClient { client_id: "client-0", proof: &proof });
    let acknowledged =
        message_to(MessageView::Ack { packet: &packet, acknowledgement: &ack, proof: &proof, proof_height: 5 });
    let check = |message: &crate::proto::Message, change: &dyn Fn(&mut crate::proto::Message), words: &str| {
        let mut message = message.clone();
        change(&mut message);
        let reason = message_from(message).unwrap_err();
        assert!(reason.contains(words), "{reason:?}, expected {words:?}");
    };
    check(&recv, &|m| m.packet = None, "without its fields");
    check(&recv, &|m| m.client_id = "client-0".into(), "or with others");
    check(&recv, &|m| m.acknowledgements = vec![vec![1]], "or with others");
    check(&recv, &|m| m.proof = None, "proof of a message is missing");
    check(&recv, &|m| m.kind = 0, "kind 0");
    check(&recv, &|m| m.proof.as_mut().unwrap().signatures[0].truncate(64), "64 bytes, expected 65");
    check(&update, &|m| m.client_id.clear(), "without its fields");
    check(&update, &|m| m.proof_height = 1, "or with others");
    check(&acknowledged, &|m| m.acknowledgements.clear(), "without its fields");
}

#[test]
fn claims_cross_as_they_are() {
    let packet = packet();
    let events = [
        PacketEvent::Sent(packet.clone()),
        PacketEvent::WroteAck { packet: packet.clone(), acknowledgement: ack() },
        PacketEvent::Acknowledged(packet.clone()),
        PacketEvent::TimedOut(packet),
    ];
    for event in events {
        let claim = catenary_api::EventClaim { height: 3, tx: catenary_api::TxHash(Hash32([4; 32])), event };
        assert_eq!(event_from(event_to(&claim)).unwrap(), claim);
    }
    for value in [None, Some(Vec::new()), Some(vec![1])] {
        let claim = catenary_api::ProofClaim { value, proof: vec![2] };
        assert_eq!(proof_from(proof_to(claim.clone())).unwrap(), claim);
    }
    let receipt = TxReceipt {
        height: 1,
        success: false,
        gas_used: 2,
        fee: "3".into(),
        error: Some("why".into()),
        created: Some([4; 20]),
        output: Some("5".into()),
    };
    assert_eq!(receipt_from(receipt_to(&receipt)).unwrap(), receipt);
    let error = || catenary_api::Error { code: "EVM-RPC-001", class: Class::Config, message: "words".into() };
    let outcomes = [
        Broadcast::Accepted,
        Broadcast::Redundant,
        Broadcast::Refused(error()),
        Broadcast::NonceMismatch(error()),
        Broadcast::Unknown(error()),
    ];
    for outcome in outcomes {
        let say = |said: Said| {
            assert_eq!(
                (said.code.as_str(), said.class, said.message.as_str()),
                ("EVM-RPC-001", Class::Config, "words")
            );
            error()
        };
        assert_eq!(broadcast_from(broadcast_to(&outcome), say).unwrap(), outcome);
    }
}
