//! Rules about clients, each with a message that breaks it and nothing else.

use catenary_light_clients::testing::Key as Attestor;
use catenary_protocol::attestation::Statement;
use catenary_protocol::handler::{Key, Store};
use catenary_protocol::{ics20, limits, proto, Packet, StateAttestation};
use prost::Message;

use super::rig::{
    any, client_state, code, consensus_state, result, sent, signed, Rig, CREATOR, RELAYER, START_SECONDS,
};

#[test]
fn creating_a_client() {
    type Change = fn(&mut proto::MsgCreateClient);
    let rows: [(&str, Change, &str); 12] = [
        ("as it should be", |_| {}, "ok"),
        ("another signer", |m| m.signer = RELAYER.into(), "PR-HND-003"),
        ("no signer", |m| m.signer.clear(), "PR-HND-003"),
        ("no state", |m| m.client_state = None, "PR-HND-002"),
        ("no consensus state", |m| m.consensus_state = None, "PR-HND-002"),
        ("unknown type", |m| m.client_state.as_mut().unwrap().type_url.push('x'), "PR-HND-010"),
        ("another consensus state", |m| m.consensus_state.as_mut().unwrap().type_url.push('x'), "PR-HND-015"),
        ("undecodable state", |m| m.client_state.as_mut().unwrap().value.push(7), "PR-ENC-001"),
        ("undecodable consensus state", |m| m.consensus_state.as_mut().unwrap().value.push(7), "PR-ENC-001"),
        ("a field that is not known", |m| m.client_state.as_mut().unwrap().value.extend([0x58, 1]), "PR-ENC-002"),
        ("no time", |m| m.consensus_state.as_mut().unwrap().value.clear(), "PR-HND-014"),
        ("too long", |m| m.client_state.as_mut().unwrap().value = vec![0; limits::CREATE_BYTES_MAX], "PR-PKT-001"),
    ];
    for (name, change, expect) in rows {
        let mut rig = Rig::unconnected();
        let mut message = proto::MsgCreateClient {
            client_state: Some(client_state(&rig.chains[1].attestors, 1)),
            consensus_state: Some(consensus_state(START_SECONDS)),
            signer: CREATOR.into(),
        };
        change(&mut message);
        assert_eq!(code(rig.run(0, CREATOR, proto::MSG_CREATE_CLIENT, &message)), expect, "{name}");
    }
}

#[test]
fn nobody_is_no_signer() {
    let mut rig = Rig::new();
    let message = proto::MsgRegisterCounterparty { signer: String::new(), ..rig.register_message(0) };
    for client_id in ["attestations-0", "attestations-9"] {
        let message = proto::MsgRegisterCounterparty { client_id: client_id.into(), ..message.clone() };
        assert_eq!(code(rig.run(0, "", proto::MSG_REGISTER_COUNTERPARTY, &message)), "PR-HND-003", "{client_id}");
    }
}

#[test]
fn client_ids_count_up() {
    let mut rig = Rig::unconnected();
    let message = proto::MsgCreateClient {
        client_state: Some(client_state(&rig.chains[1].attestors, 1)),
        consensus_state: Some(consensus_state(START_SECONDS)),
        signer: CREATOR.into(),
    };
    for number in 0..12 {
        let outcome = rig.run(0, CREATOR, proto::MSG_CREATE_CLIENT, &message).unwrap();
        let response = proto::MsgCreateClientResponse::decode(outcome.response.as_slice()).unwrap();
        assert_eq!(response.client_id, format!("attestations-{number}"));
    }
    rig.chains[0].host.set(&Key::next_client_sequence(), u64::MAX.to_be_bytes().to_vec());
    assert_eq!(code(rig.run(0, CREATOR, proto::MSG_CREATE_CLIENT, &message)), "PR-HND-023");
    rig.chains[0].host.set(&Key::next_client_sequence(), vec![1]);
    assert_eq!(code(rig.run(0, CREATOR, proto::MSG_CREATE_CLIENT, &message)), "PR-HND-030");
}

#[test]
fn registering_a_counterparty() {
    type Change = fn(&mut proto::MsgRegisterCounterparty);
    let rows: [(&str, &str, Change, &str); 12] = [
        ("as it should be", CREATOR, |_| {}, "ok"),
        ("the signer is another", RELAYER, |_| {}, "PR-HND-003"),
        ("by another than the creator", RELAYER, |m| m.signer = RELAYER.into(), "PR-HND-004"),
        ("a client that is not", CREATOR, |m| m.client_id = "attestations-9".into(), "PR-HND-004"),
        ("no prefix", CREATOR, |m| m.counterparty_merkle_prefix.clear(), "PR-PKT-001"),
        ("32 elements", CREATOR, |m| m.counterparty_merkle_prefix = vec![vec![]; 32], "ok"),
        ("33 elements", CREATOR, |m| m.counterparty_merkle_prefix = vec![vec![]; 33], "PR-PKT-001"),
        ("256 bytes", CREATOR, |m| m.counterparty_merkle_prefix = vec![vec![1; 256]], "ok"),
        ("257 bytes", CREATOR, |m| m.counterparty_merkle_prefix = vec![vec![1; 257]], "PR-PKT-001"),
        ("an id without number", CREATOR, |m| m.counterparty_client_id = "clientabc".into(), "PR-PKT-003"),
        ("a short id", CREATOR, |m| m.counterparty_client_id = "cli-0".into(), "PR-PKT-001"),
        ("an own id without number", CREATOR, |m| m.client_id = "attestations".into(), "PR-PKT-003"),
    ];
    for (name, signer, change, expect) in rows {
        let mut rig = Rig::unconnected();
        let create = proto::MsgCreateClient {
            client_state: Some(client_state(&rig.chains[1].attestors, 1)),
            consensus_state: Some(consensus_state(START_SECONDS)),
            signer: CREATOR.into(),
        };
        rig.run(0, CREATOR, proto::MSG_CREATE_CLIENT, &create).unwrap();
        let mut message = rig.register_message(0);
        change(&mut message);
        assert_eq!(code(rig.run(0, signer, proto::MSG_REGISTER_COUNTERPARTY, &message)), expect, "{name}");
    }
    let mut rig = Rig::new();
    let again = rig.register_message(0);
    assert_eq!(code(rig.run(0, CREATOR, proto::MSG_REGISTER_COUNTERPARTY, &again)), "PR-HND-006");
}

#[test]
fn relayers_may_be_limited() {
    let (mut rig, packet) = sent();
    let config = |relayers: &[String]| proto::MsgUpdateClientConfig {
        client_id: "attestations-1".into(),
        config: Some(proto::ClientConfig { allowed_relayers: relayers.to_vec() }),
        signer: CREATOR.into(),
    };
    let run = |rig: &mut Rig, signer: &str, message: &proto::MsgUpdateClientConfig| {
        code(rig.run(1, signer, proto::MSG_UPDATE_CLIENT_CONFIG, message))
    };
    let other: Vec<String> = vec!["other".into()];
    assert_eq!(run(&mut rig, CREATOR, &proto::MsgUpdateClientConfig { config: None, ..config(&other) }), "PR-HND-002");
    assert_eq!(run(&mut rig, RELAYER, &config(&other)), "PR-HND-003");
    let stranger = proto::MsgUpdateClientConfig { signer: RELAYER.into(), ..config(&other) };
    assert_eq!(run(&mut rig, RELAYER, &stranger), "PR-HND-004");
    assert_eq!(run(&mut rig, CREATOR, &config(&vec!["other".into(); 21])), "PR-PKT-001");
    assert_eq!(run(&mut rig, CREATOR, &config(&[String::new()])), "PR-PKT-001");
    assert_eq!(run(&mut rig, CREATOR, &config(&["x".repeat(129)])), "PR-PKT-001");

    let receive = rig.recv_message(1, &packet);
    let update = rig.update_message(1, START_SECONDS);
    assert_eq!(run(&mut rig, CREATOR, &config(&vec!["other".into(); 20])), "ok");
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &update)), "PR-HND-005");
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &receive)), "PR-HND-005");
    let app_acknowledgements = vec![ics20::SUCCESS_ACK.to_vec()];
    let back =
        Packet { source_client: packet.destination_client.clone(), destination_client: packet.source_client, ..packet };
    let acknowledge = proto::MsgAcknowledgement {
        packet: Some((&back).into()),
        acknowledgement: Some(proto::Acknowledgement { app_acknowledgements }),
        proof_acked: vec![1],
        proof_height: receive.proof_height,
        signer: RELAYER.into(),
    };
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_ACKNOWLEDGEMENT, &acknowledge)), "PR-HND-005");
    let time_out = proto::MsgTimeout {
        packet: Some((&back).into()),
        proof_unreceived: vec![1],
        proof_height: receive.proof_height,
        signer: RELAYER.into(),
    };
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_TIMEOUT, &time_out)), "PR-HND-005");
    let allowed = proto::MsgRecvPacket { signer: "other".into(), ..receive.clone() };
    assert_eq!(code(rig.run(1, "other", proto::MSG_RECV_PACKET, &allowed)), "ok");
    assert_eq!(run(&mut rig, CREATOR, &config(&[])), "ok");
    assert_eq!(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &receive).as_ref().map(result), Ok(1));
}

#[test]
fn updating_a_client() {
    let mut rig = Rig::new();
    let update = rig.update_message(0, START_SECONDS);
    let run = |rig: &mut Rig, message: &proto::MsgUpdateClient| {
        code(rig.run(0, &message.signer.clone(), proto::MSG_UPDATE_CLIENT, message))
    };
    let nobody = proto::MsgUpdateClient { client_id: "attestations-7".into(), ..update.clone() };
    assert_eq!(run(&mut rig, &nobody), "PR-HND-011");
    for unknown in ["client-0", "", "attestations", "x/attestations-0"] {
        let unknown = proto::MsgUpdateClient { client_id: unknown.into(), ..update.clone() };
        assert_eq!(run(&mut rig, &unknown), "PR-HND-010");
    }
    assert_eq!(run(&mut rig, &proto::MsgUpdateClient { client_message: None, ..update.clone() }), "PR-HND-002");
    let mut other = update.clone();
    other.client_message.as_mut().unwrap().type_url = proto::ATTESTATION_CLIENT_STATE.into();
    assert_eq!(run(&mut rig, &other), "PR-HND-015");
    assert_eq!(code(rig.run(0, "else", proto::MSG_UPDATE_CLIENT, &update)), "PR-HND-003");

    // What two attestors say about a state, and is no state.
    let signed_state = |rig: &Rig, height, timestamp_seconds| {
        let data = StateAttestation { height, timestamp_seconds }.encode();
        let attestors = &rig.chains[1].attestors;
        let proof = signed(Statement::State, data, &[&attestors[0], &attestors[1]]);
        proto::MsgUpdateClient { client_message: Some(any(proto::ATTESTATION_PROOF, &proof)), ..update.clone() }
    };
    let last_second = u64::MAX / 1_000_000_000;
    for (height, seconds, expect) in [
        (0, 1, "PR-HND-014"),
        (1_000, 0, "PR-HND-014"),
        (1_000, last_second + 1, "PR-HND-014"),
        (1_000, last_second, "ok"),
    ] {
        let message = signed_state(&rig, height, seconds);
        assert_eq!(run(&mut rig, &message), expect, "height {height} at {seconds} s");
    }
    // A height below the newest one is kept and does not lower it.
    assert_eq!(run(&mut rig, &update), "ok");
    assert_eq!(rig.chains[0].handler.latest_height(&rig.chains[0].host, "attestations-0").unwrap().height, 1_000);
}

#[test]
fn a_second_time_for_a_height_freezes_for_ever() {
    let (mut rig, packet) = sent();
    let receive = rig.recv_message(1, &packet);
    // The same state again changes nothing.
    let again = rig.update_message(1, START_SECONDS);
    rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &again).unwrap();
    let stored = rig.chains[1].host.clone();
    rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &again).unwrap();
    assert!(stored.entries().eq(rig.chains[1].host.entries()));
    // One attestor's word does not freeze.
    let attestor: &Attestor = &rig.chains[0].attestors[0];
    let state = StateAttestation { height: rig.chains[0].height, timestamp_seconds: START_SECONDS + 1 };
    let alone = signed(Statement::State, state.encode(), &[attestor]);
    let alone = proto::MsgUpdateClient { client_message: Some(any(proto::ATTESTATION_PROOF, &alone)), ..again.clone() };
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &alone)), "PR-ATT-004");
    // Two attestors' word does: nothing goes in or out through the client any more.
    let other = rig.update_message(1, START_SECONDS + 1);
    let frozen = rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &other).unwrap();
    assert_eq!(frozen.events[0].render()[0].kind, "client_misbehaviour");
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_UPDATE_CLIENT, &again)), "PR-HND-012");
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &receive)), "PR-HND-012");
    rig.fund(1, "bob", "coin", 5);
    let send = rig.transfer_message(1, ("coin", 5), ("bob", "alice"));
    assert_eq!(code(rig.transfer(1, &send)), "PR-HND-012");
    assert_eq!(rig.balance(1, "bob", "coin"), 5);
}
