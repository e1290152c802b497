//! The contracts against golden bytes of the real ibc-go.
#![allow(missing_docs, reason = "tests name themselves")]

use alloy_primitives::{Address, Bytes, B256};
use alloy_sol_types::{SolConstructor, SolError, SolValue};
use catenary_contract_tests::abi::{
    CounterpartyInfo, Fixture, FungibleTokenPacketData, Height, LightClient, MsgAckPacket, MsgRecvPacket,
    MsgSendPacket, MsgVerifyMembership, MsgVerifyNonMembership, Packet, PacketAttestation, Payload, Router,
    StateAttestation, Transfer,
};
use catenary_contract_tests::attest::{envelope, tagged_digest, Attestor, TAG_PACKETS, TAG_STATE};
use catenary_contract_tests::chain::Chain;
use catenary_contract_tests::packet;
use catenary_contract_tests::vectors::{bytes, number, rows, text};
use catenary_contract_tests::world::{On, World, ADMIN, RELAYER};
use serde_json::Value;

fn payload(row: &Value) -> Payload {
    Payload {
        sourcePort: text(row, "source_port").into(),
        destPort: text(row, "destination_port").into(),
        version: text(row, "version").into(),
        encoding: text(row, "encoding").into(),
        value: bytes(row, "value_hex").into(),
    }
}

fn golden_packet(row: &Value) -> Packet {
    let packet = &row["packet"];
    let payloads = packet["payloads"].as_array().expect("a list of payloads");
    Packet {
        sequence: number(packet, "sequence"),
        sourceClient: text(packet, "source_client").into(),
        destClient: text(packet, "destination_client").into(),
        timeoutTimestamp: number(packet, "timeout_seconds"),
        payloads: payloads.iter().map(payload).collect(),
    }
}

fn word(row: &Value, field: &str) -> B256 {
    B256::from_slice(&bytes(row, field))
}

#[test]
fn packets_hash_as_ibc_go_hashes_them() {
    for row in rows("packets") {
        let packet = golden_packet(&row);
        assert_eq!(packet::commitment(&packet), word(&row, "commitment_hex"), "{}", text(&row, "name"));
        assert_eq!(packet.abi_encode(), bytes(&row, "abi_hex"), "{}", text(&row, "name"));
        assert_eq!(packet::receipt(&packet), word(&row, "abi_keccak_hex"), "{}", text(&row, "name"));
    }
}

/// A router whose first client faces `their_id`, with a mock application on the port of transfers.
fn router_facing(their_id: &str, prefix: Vec<Bytes>) -> (Chain, Address, Address, Address) {
    let mut chain = Chain::default();
    let router = chain.deploy("ICS26Router", &ADMIN.abi_encode(), ADMIN);
    let app = chain.deploy("fixtures/MockApp", &[], ADMIN);
    let client = chain.deploy("fixtures/RecordingClient", &[], ADMIN);
    let add = Router::addIBCAppCall { portId: "transfer".into(), app };
    let _ = chain.send(ADMIN, router, &add).ok();
    let info = CounterpartyInfo { clientId: their_id.into(), merklePrefix: prefix };
    let _ = chain.send(ADMIN, router, &Router::addClientCall { counterparty: info, client }).ok();
    (chain, router, app, client)
}

/// A commitment does not name the sequence, so every golden packet can be sent as a first one.
#[test]
fn a_sent_packet_is_committed_to_with_the_golden_bytes() {
    let mut sent = 0;
    for row in rows("packets") {
        let packet = golden_packet(&row);
        let sendable = packet.sourceClient == "client-0" && packet.payloads.len() == 1 && packet.sequence != 0;
        if !sendable || packet.timeoutTimestamp == 0 {
            continue;
        }
        let (mut chain, router, app, _) = router_facing(&packet.destClient, vec![Bytes::new()]);
        chain.time_seconds = packet.timeoutTimestamp - 1;
        let m = MsgSendPacket {
            sourceClient: packet.sourceClient,
            timeoutTimestamp: packet.timeoutTimestamp,
            payload: packet.payloads[0].clone(),
        };
        let outcome = chain.send(ADMIN, app, &Fixture::sendCall { router, m });
        let accepted = row["accepted_by_ibc_go"].as_bool().expect("a verdict");
        assert_eq!(outcome.result.is_ok(), accepted, "what ibc-go refuses is not sent: {}", text(&row, "name"));
        if accepted {
            let path = packet::commitment_path(&outcome.event::<Router::SendPacket>().packet);
            let stored = chain.storage(router, packet::slot(&path));
            assert_eq!(stored, word(&row, "commitment_hex"), "{}", text(&row, "name"));
            sent += 1;
        }
    }
    assert!(sent >= 7, "{sent} golden packets were sent");
}

#[test]
fn a_received_packet_is_proven_and_kept_with_the_golden_bytes() {
    let mut received = 0;
    for row in rows("packets").iter().filter(|row| row["accepted_by_ibc_go"] == true) {
        let packet = golden_packet(row);
        if packet.destClient != "client-0" {
            continue;
        }
        let (mut chain, router, _, client) = router_facing(&packet.sourceClient, vec![Bytes::new()]);
        chain.time_seconds = packet.timeoutTimestamp - 1;
        let m = MsgRecvPacket { packet: packet.clone(), proofCommitment: Bytes::new(), proofHeight: HEIGHT_ONE };
        let _ = chain.send(RELAYER, router, &Router::recvPacketCall { m }).ok();
        let stored = |path: &[u8]| chain.storage(router, packet::slot(path));
        assert_eq!(stored(&packet::receipt_path(&packet)), word(row, "abi_keccak_hex"));
        assert_eq!(chain.view(client, &Fixture::valueCall {}), bytes(row, "commitment_hex"));
        assert_eq!(chain.view(client, &Fixture::pathCall {}), vec![packet::commitment_path(&packet)]);
        received += 1;
    }
    assert!(received > 0, "a golden packet was received");
}

const HEIGHT_ONE: Height = Height { revisionNumber: 0, revisionHeight: 1 };

#[test]
fn acknowledgements_are_proven_with_the_golden_bytes() {
    for row in rows("acks") {
        let acks: Vec<Vec<u8>> = row["app_acks_hex"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|ack| hex::decode(ack.as_str().expect("text")).expect("hex"))
            .collect();
        assert_eq!(packet::ack_commitment(&acks), word(&row, "commitment_hex"), "{}", text(&row, "name"));
        let [ack] = acks.as_slice() else { continue };
        let (mut chain, router, _, client) = router_facing("attestations-0", vec![Bytes::new()]);
        let m = MsgAckPacket {
            packet: Packet {
                sequence: 1,
                sourceClient: "client-0".into(),
                destClient: "attestations-0".into(),
                timeoutTimestamp: 1,
                payloads: vec![Payload::default()],
            },
            acknowledgement: ack.clone().into(),
            proofAcked: Bytes::new(),
            proofHeight: HEIGHT_ONE,
        };
        let _ = chain.send(RELAYER, router, &Router::ackPacketCall { m }).ok();
        assert_eq!(chain.view(client, &Fixture::valueCall {}), bytes(&row, "commitment_hex"));
    }
}

#[test]
fn key_paths_are_built_as_ibc_go_builds_them() {
    for row in rows("merkle_paths") {
        let list = |field: &str| -> Vec<Bytes> {
            let items = row[field].as_array().expect("a list").iter();
            items.map(|item| hex::decode(item.as_str().expect("text")).expect("hex").into()).collect()
        };
        let (mut chain, router, _, client) = router_facing("client-0", list("prefix_hex"));
        // The golden path is the commitment of the first packet of client-0.
        assert_eq!(bytes(&row, "path_hex"), b"client-0\x01\0\0\0\0\0\0\0\x01");
        chain.time_seconds = 1;
        let packet = Packet {
            sequence: 1,
            sourceClient: "client-0".into(),
            destClient: "client-0".into(),
            timeoutTimestamp: 2,
            payloads: vec![Payload { destPort: "transfer".into(), ..Payload::default() }],
        };
        let m = MsgRecvPacket { packet, proofCommitment: Bytes::new(), proofHeight: HEIGHT_ONE };
        let _ = chain.send(RELAYER, router, &Router::recvPacketCall { m }).ok();
        assert_eq!(chain.view(client, &Fixture::pathCall {}), list("keys_hex"));
    }
}

#[test]
fn paths_and_slots_are_ibc_gos_and_the_public_routers() {
    for row in rows("paths") {
        let packet = Packet {
            sequence: number(&row, "sequence"),
            sourceClient: text(&row, "client_id").into(),
            destClient: text(&row, "client_id").into(),
            timeoutTimestamp: 0,
            payloads: vec![],
        };
        for (kind, path) in [
            ("commitment", packet::commitment_path(&packet)),
            ("receipt", packet::receipt_path(&packet)),
            ("ack", packet::ack_path(&packet)),
        ] {
            let golden = &row[kind];
            assert_eq!(path, bytes(golden, "path_hex"));
            assert_eq!(alloy_primitives::keccak256(&path), word(golden, "keccak_hex"));
            assert_eq!(packet::slot(&path), word(golden, "evm_slot_hex"));
        }
    }
}

#[test]
fn transfers_are_encoded_and_read_as_ibc_go_encodes_them() {
    for row in rows("transfer_data") {
        let data = FungibleTokenPacketData {
            denom: text(&row, "denom").into(),
            sender: text(&row, "sender").into(),
            receiver: text(&row, "receiver").into(),
            amount: text(&row, "amount").parse().expect("a number"),
            memo: text(&row, "memo").into(),
        };
        let golden = bytes(&row, "abi_hex");
        assert_eq!(data.abi_encode(), golden, "{}", text(&row, "name"));
        let mut world = World::new();
        let height = world.update(On::A);
        let mut payload = packet::transfer_payload(&data);
        payload.value = golden.into();
        let packet = Packet {
            sequence: 1,
            sourceClient: "client-0".into(),
            destClient: "client-1".into(),
            timeoutTimestamp: world.side(On::B).timeout_in(60),
            payloads: vec![payload],
        };
        let entry = (packet::commitment_path(&packet), packet::commitment(&packet));
        let proof = world.side(On::A).quorum.sign_packets(height.revisionHeight, &[entry]);
        let m = MsgRecvPacket { packet, proofCommitment: proof, proofHeight: height };
        let outcome = world.side_mut(On::B).route(RELAYER, &Router::recvPacketCall { m }).ok();
        for reason in outcome.events::<Router::IBCAppRecvPacketCallbackError>() {
            let unread = reason.reason.starts_with(&Transfer::ICS20InvalidPacketData::SELECTOR);
            assert!(!unread, "read, then refused for what it says: {}", text(&row, "name"));
        }
    }
}

fn signatures(row: &Value) -> impl Iterator<Item = (u8, Address, Vec<u8>)> + '_ {
    row["signatures"].as_array().expect("a list").iter().map(|signature| {
        let key = bytes(signature, "private_key_hex");
        let address = text(signature, "address").parse().expect("an address");
        (key[31], address, bytes(signature, "signature_hex"))
    })
}

fn check_signatures(row: &Value, tag: u8) {
    let data = bytes(row, "attestation_data_hex");
    assert_eq!(tagged_digest(tag, &data), word(row, "tagged_digest_hex"));
    for (seed, address, signature) in signatures(row) {
        let attestor = Attestor::new(seed);
        assert_eq!((attestor.address, attestor.sign(tag, &data)), (address, signature));
    }
}

/// A client of attestors 1, 2 and 3, two of whom must sign, that knows height 100.
fn golden_client() -> (Chain, Address) {
    let arguments = LightClient::constructorCall {
        attestors: (1..=3).map(|seed| Attestor::new(seed).address).collect(),
        minRequiredSigs: 2,
        initialHeight: 100,
        initialTimestampSeconds: 1_795_000_000,
        roleManager: Address::ZERO,
    };
    let mut chain = Chain::default();
    let client = chain.deploy("AttestationLightClient", &arguments.abi_encode(), ADMIN);
    (chain, client)
}

#[test]
fn golden_states_are_accepted() {
    for row in rows("state_attestations") {
        check_signatures(&row, TAG_STATE);
        let data = bytes(&row, "attestation_data_hex");
        let (height, seconds) = (number(&row, "height"), number(&row, "timestamp_seconds"));
        assert_eq!(StateAttestation { height, timestamp: seconds }.abi_encode(), data);
        let (mut chain, client) = golden_client();
        let update_msg = envelope(&data, signatures(&row).map(|(_, _, signature)| signature).collect());
        let _ = chain.send(RELAYER, client, &LightClient::updateClientCall { updateMsg: update_msg }).ok();
        let stored = chain.view(client, &LightClient::getConsensusTimestampCall { revisionHeight: height });
        assert_eq!(stored, seconds);
    }
}

#[test]
fn golden_packet_attestations_prove_each_of_their_entries() {
    for row in rows("packet_attestations") {
        check_signatures(&row, TAG_PACKETS);
        let data = bytes(&row, "attestation_data_hex");
        let decoded = PacketAttestation::abi_decode(&data).expect("attested packets");
        assert_eq!(decoded.abi_encode(), data);
        let (mut chain, client) = golden_client();
        let height = number(&row, "height");
        let quorum = catenary_contract_tests::attest::Quorum::new(1, 3, 2);
        let state = LightClient::updateClientCall { updateMsg: quorum.sign_state(height, 1_795_000_001) };
        let _ = chain.send(RELAYER, client, &state).ok();
        let proof = envelope(&data, signatures(&row).map(|(_, _, signature)| signature).collect());
        let proof_height = Height { revisionNumber: 0, revisionHeight: height };
        for packet in row["packets"].as_array().expect("a list") {
            let path = vec![bytes(packet, "path_hex").into()];
            let commitment = word(packet, "commitment_hex");
            let member = MsgVerifyMembership {
                proof: proof.clone(),
                proofHeight: proof_height.clone(),
                path: path.clone(),
                value: commitment.to_vec().into(),
            };
            let absent = MsgVerifyNonMembership { proof: proof.clone(), proofHeight: proof_height.clone(), path };
            let member = chain.send(RELAYER, client, &LightClient::verifyMembershipCall { m: member });
            let absent = chain.send(RELAYER, client, &LightClient::verifyNonMembershipCall { m: absent });
            assert_eq!(member.result.is_ok(), commitment != B256::ZERO, "{}", text(&row, "name"));
            assert_eq!(absent.result.is_ok(), commitment == B256::ZERO, "{}", text(&row, "name"));
        }
    }
}

/// Fields 1 and 2 of `AttestationProof`, both of type bytes.
fn read_proof(mut proto: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut data, mut signatures) = (Vec::new(), Vec::new());
    while let [tag, rest @ ..] = proto {
        let (mut length, mut shift, mut rest) = (0usize, 0, rest);
        loop {
            length |= usize::from(rest[0] & 0x7f) << shift;
            shift += 7;
            let last = rest[0] < 0x80;
            rest = &rest[1..];
            if last {
                break;
            }
        }
        let (field, tail) = rest.split_at(length);
        match tag {
            0x0a => data = field.to_vec(),
            0x12 => signatures.push(field.to_vec()),
            other => panic!("field tag {other}"),
        }
        proto = tail;
    }
    (data, signatures)
}

/// The contract decides as the real light client does, and refuses the one thing that this project refuses besides.
#[test]
fn verdicts_are_those_of_the_real_light_client() {
    for row in rows("proof_verdicts") {
        let (mut chain, client) = golden_client();
        let (data, signatures) = read_proof(&bytes(&row, "proof_hex"));
        let proof = envelope(&data, signatures);
        let proof_height = Height { revisionNumber: 0, revisionHeight: number(&row, "height") };
        let path = || vec![Bytes::from(bytes(&row, "path_hex"))];
        let outcome = match text(&row, "call") {
            "update" => chain.send(RELAYER, client, &LightClient::updateClientCall { updateMsg: proof }),
            "membership" => {
                let value = bytes(&row, "value_hex").into();
                let m = MsgVerifyMembership { proof, proofHeight: proof_height, path: path(), value };
                chain.send(RELAYER, client, &LightClient::verifyMembershipCall { m })
            }
            "non_membership" => {
                let m = MsgVerifyNonMembership { proof, proofHeight: proof_height, path: path() };
                chain.send(RELAYER, client, &LightClient::verifyNonMembershipCall { m })
            }
            other => panic!("an unknown call {other}"),
        };
        let name = text(&row, "name");
        let golden = row["accepted_by_ibc_go"].as_bool().expect("a verdict");
        assert_eq!(outcome.result.is_ok(), golden && !name.starts_with("high s"), "{name}");
    }
}
