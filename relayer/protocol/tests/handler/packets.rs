//! Rules about packets, each with a message that breaks it and nothing else.

use catenary_light_clients::testing::Key as Attestor;
use catenary_light_clients::Timestamp;
use catenary_protocol::attestation::{path_key, PathCommitment, Statement};
use catenary_protocol::handler::{AttestationClient, Context, Key, MemoryHost, SendRequest, Store};
use catenary_protocol::{limits, proto, Acknowledgement, Packet, PacketAttestation, Payload};
use prost::Message;

use super::rig::{code, result, send_message, sent, signed, written, Rig, CREATOR, RELAYER, START_SECONDS};

#[test]
fn sending_a_packet() {
    type Change = fn(&mut proto::MsgSendPacket);
    let rows: [(&str, Change, &str); 18] = [
        ("as it should be", |_| {}, "ok"),
        ("no counterparty", |m| m.source_client = "attestations-7".into(), "PR-HND-007"),
        ("another signer", |m| m.signer = "mallory".into(), "PR-HND-003"),
        ("a deadline that is now", |m| m.timeout_timestamp = START_SECONDS, "PR-HND-020"),
        ("a deadline of zero", |m| m.timeout_timestamp = 0, "PR-HND-020"),
        ("a deadline in a second", |m| m.timeout_timestamp = START_SECONDS + 1, "ok"),
        ("a deadline in a day", |m| m.timeout_timestamp = START_SECONDS + 86_400, "ok"),
        ("a deadline in more than a day", |m| m.timeout_timestamp = START_SECONDS + 86_401, "PR-HND-021"),
        ("a deadline after all time", |m| m.timeout_timestamp = u64::MAX, "PR-HND-021"),
        ("no payload", |m| m.payloads.clear(), "PR-PKT-002"),
        ("two payloads", |m| m.payloads = vec![m.payloads[0].clone(); 2], "PR-PKT-002"),
        ("an empty value", |m| m.payloads[0].value.clear(), "PR-PKT-001"),
        ("a value over the bound", |m| m.payloads[0].value = vec![0; limits::PAYLOAD_BYTES_MAX + 1], "PR-PKT-001"),
        ("an unknown port", |m| m.payloads[0].source_port = "oracle".into(), "PR-HND-028"),
        ("another port there", |m| m.payloads[0].destination_port = "oracle".into(), "PR-TRF-002"),
        ("another version", |m| m.payloads[0].version = "ics20-2".into(), "PR-TRF-001"),
        ("another encoding", |m| m.payloads[0].encoding = "application/cbor".into(), "PR-TRF-001"),
        ("data that is none", |m| m.payloads[0].value = vec![0xff], "PR-ENC-001"),
    ];
    for (name, change, expect) in rows {
        let mut rig = Rig::new();
        rig.fund(0, "alice", "stake", 100);
        let mut message = send_message(&rig, "stake", "10");
        change(&mut message);
        let outcome = rig.run(0, "alice", proto::MSG_SEND_PACKET, &message);
        if expect == "ok" {
            let response = outcome.as_ref().map(|o| proto::MsgSendPacketResponse::decode(o.response.as_slice()));
            assert_eq!(response, Ok(Ok(proto::MsgSendPacketResponse { sequence: 1 })), "{name}");
        } else {
            assert_eq!(rig.balance(0, "alice", "stake"), 100);
        }
        assert_eq!(code(outcome), expect, "{name}");
    }
}

#[test]
fn deadlines_are_compared_with_what_is_known_of_the_destination() {
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    // The destination's clock is ahead: at its known time the packet is late already.
    rig.wait(100);
    rig.update(0);
    rig.now_seconds -= 50;
    for (ahead, expect) in [(50, "PR-HND-020"), (51, "ok")] {
        let message = proto::MsgTransfer {
            timeout_timestamp: rig.now_seconds + ahead,
            ..rig.transfer_message(0, ("stake", 1), ("alice", "bob"))
        };
        assert_eq!(code(rig.transfer(0, &message)), expect, "{ahead} s");
    }
    // A fraction of a second counts for the block's own time.
    let chain = &mut rig.chains[0];
    let message = |timeout_timestamp| proto::MsgSendPacket { timeout_timestamp, ..Default::default() };
    let at = |host: &mut MemoryHost, nanos: u64, timeout_seconds: u64| {
        let context = Context { time: Timestamp::from_nanos(nanos), signer: "alice" };
        let request = SendRequest {
            source_client: "attestations-0".into(),
            timeout_timestamp_seconds: message(timeout_seconds).timeout_timestamp,
            payload: Payload {
                source_port: "nobody".into(),
                destination_port: "nobody".into(),
                version: "v".into(),
                encoding: "e".into(),
                value: vec![1],
            },
        };
        code(chain.handler.send(host, context, request))
    };
    let second = 1_000_000_000;
    let now = (START_SECONDS + 1_000) * second;
    let host = &mut chain.host;
    assert_eq!(at(host, now + 1, START_SECONDS + 1_000), "PR-HND-020");
    assert_eq!(at(host, now, START_SECONDS + 1_000), "PR-HND-020", "a deadline that is now has passed");
    assert_eq!(at(host, now - 1, START_SECONDS + 1_000), "PR-HND-028", "in time; no app has the port");
    assert_eq!(at(host, now - 1, START_SECONDS + 1_000 + 86_400), "PR-HND-021");
    assert_eq!(at(host, now, START_SECONDS + 1_000 + 86_400), "PR-HND-028");
    assert_eq!(at(host, u64::MAX - 1, u64::MAX), "PR-HND-021");
}

#[test]
fn sequences_end() {
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    rig.chains[0].host.set(&Key::next_sequence_send("attestations-0"), u64::MAX.to_be_bytes().to_vec());
    let message = rig.transfer_message(0, ("stake", 1), ("alice", "bob"));
    assert_eq!(code(rig.transfer(0, &message)), "PR-HND-023");
    rig.chains[0].host.set(&Key::next_sequence_send("attestations-0"), vec![0; 7]);
    assert_eq!(code(rig.transfer(0, &message)), "PR-HND-030");
}

#[test]
fn receiving_a_packet() {
    type Change = fn(&mut proto::MsgRecvPacket);
    let rows: [(&str, Change, &str); 19] = [
        ("as it should be", |_| {}, "ok"),
        ("another signer", |m| m.signer = "mallory".into(), "PR-HND-003"),
        ("no packet", |m| m.packet = None, "PR-HND-002"),
        ("no proof", |m| m.proof_commitment.clear(), "PR-HND-002"),
        ("a proof as long as the bound", |m| m.proof_commitment = vec![1; limits::PROOF_BYTES_MAX], "PR-ENC-001"),
        ("no height", |m| m.proof_height = None, "PR-HND-002"),
        ("a proof over the bound", |m| m.proof_commitment = vec![1; limits::PROOF_BYTES_MAX + 1], "PR-PKT-001"),
        ("a proof that is none", |m| m.proof_commitment = vec![1], "PR-ENC-001"),
        ("sequence zero", |m| m.packet.as_mut().unwrap().sequence = 0, "PR-PKT-004"),
        ("no payload", |m| m.packet.as_mut().unwrap().payloads.clear(), "PR-PKT-002"),
        ("another sequence", |m| m.packet.as_mut().unwrap().sequence = 2, "PR-HND-018"),
        ("another value", |m| m.packet.as_mut().unwrap().payloads[0].value[40] ^= 1, "PR-HND-018"),
        ("another deadline", |m| m.packet.as_mut().unwrap().timeout_timestamp += 1, "PR-HND-018"),
        ("another source", |m| m.packet.as_mut().unwrap().source_client = "attestations-5".into(), "PR-HND-008"),
        (
            "a destination without counterparty",
            |m| m.packet.as_mut().unwrap().destination_client = "attestations-0".into(),
            "PR-HND-007",
        ),
        ("an unknown height", |m| m.proof_height.as_mut().unwrap().revision_height += 1, "PR-HND-013"),
        ("another revision", |m| m.proof_height.as_mut().unwrap().revision_number = 1, "PR-HND-013"),
        ("a deadline that has passed", |m| m.packet.as_mut().unwrap().timeout_timestamp = START_SECONDS, "PR-HND-020"),
        ("a proof of another height", |m| m.proof_height.as_mut().unwrap().revision_height = 3, "PR-HND-017"),
    ];
    for (name, change, expect) in rows {
        let (mut rig, packet) = sent();
        let mut message = rig.recv_message(1, &packet);
        change(&mut message);
        let outcome = rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &message);
        assert_eq!(code(outcome), expect, "{name}");
        assert_eq!(rig.balance(1, "bob", &rig.voucher(1, "stake")), if expect == "ok" { 60 } else { 0 }, "{name}");
    }
}

/// A client may take longer proofs than a message may carry: the handler's bound comes first.
#[test]
fn proofs_are_bounded_before_a_client_sees_them() {
    let (mut rig, packet) = sent();
    let mut message = rig.recv_message(1, &packet);
    for got in [limits::PROOF_BYTES_MAX + 1, limits::PROOF_BYTES_MAX + 2] {
        message.proof_commitment = vec![1; got];
        let (field, max) = ("proof_commitment", limits::PROOF_BYTES_MAX);
        let refused = catenary_protocol::Error::Length { field, got, min: 1, max };
        assert_eq!(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &message), Err(refused.into()));
    }
}

/// The deadline is checked before the receipt, and the receipt before the proof.
#[test]
fn a_packet_received_twice_is_a_noop_until_its_deadline() {
    let (mut rig, packet) = sent();
    let message = rig.recv_message(1, &packet);
    assert_eq!(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &message).as_ref().map(result), Ok(2));
    let spoilt = proto::MsgRecvPacket { proof_commitment: vec![1], ..message.clone() };
    for again in [&message, &spoilt] {
        let outcome = rig.run(1, RELAYER, proto::MSG_RECV_PACKET, again).unwrap();
        assert_eq!((result(&outcome), outcome.events.len()), (1, 0));
    }
    assert_eq!(rig.balance(1, "bob", &rig.voucher(1, "stake")), 60);
    rig.wait(60);
    assert_eq!(code(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &message)), "PR-HND-020");
}

#[test]
fn acknowledging_a_packet() {
    type Change = fn(&mut proto::MsgAcknowledgement);
    fn acks(m: &mut proto::MsgAcknowledgement) -> &mut Vec<Vec<u8>> {
        &mut m.acknowledgement.as_mut().unwrap().app_acknowledgements
    }
    let rows: [(&str, Change, &str); 15] = [
        ("as it should be", |_| {}, "ok"),
        ("another signer", |m| m.signer = "mallory".into(), "PR-HND-003"),
        ("no packet", |m| m.packet = None, "PR-HND-002"),
        ("no acknowledgement", |m| m.acknowledgement = None, "PR-HND-002"),
        ("no proof", |m| m.proof_acked.clear(), "PR-HND-002"),
        ("no height", |m| m.proof_height = None, "PR-HND-002"),
        ("no app acknowledgement", |m| acks(m).clear(), "PR-PKT-002"),
        ("an empty one", |m| acks(m)[0].clear(), "PR-PKT-001"),
        ("two of them", |m| acks(m).push(vec![1]), "PR-PKT-002"),
        ("another one", |m| acks(m)[0][0] ^= 1, "PR-HND-018"),
        (
            "the universal error instead",
            |m| *acks(m) = Acknowledgement::universal_error().app_acknowledgements,
            "PR-HND-018",
        ),
        ("another packet", |m| m.packet.as_mut().unwrap().timeout_timestamp += 1, "PR-HND-024"),
        ("another destination", |m| m.packet.as_mut().unwrap().destination_client = "client-77".into(), "PR-HND-008"),
        ("an unknown height", |m| m.proof_height.as_mut().unwrap().revision_height += 1, "PR-HND-013"),
        ("a packet never sent", |m| m.packet.as_mut().unwrap().sequence = 9, "noop"),
    ];
    for (name, change, expect) in rows {
        let (mut rig, packet) = sent();
        let ack = written(&rig.recv(1, &packet).unwrap());
        let mut message = rig.ack_message(0, &packet, &ack);
        change(&mut message);
        let outcome = rig.run(0, RELAYER, proto::MSG_ACKNOWLEDGEMENT, &message);
        let noop = outcome.as_ref().is_ok_and(|outcome| result(outcome) == 1 && outcome.events.is_empty());
        assert_eq!(if noop { "noop" } else { code(outcome) }, expect, "{name}");
        let open = rig.chains[0].host.get(&Key::of_path(packet.commitment_path())).is_some();
        assert_eq!(open, expect != "ok", "{name}");
    }
}

#[test]
fn timing_a_packet_out() {
    type Change = fn(&mut proto::MsgTimeout);
    let rows: [(&str, Change, &str); 11] = [
        ("as it should be", |_| {}, "ok"),
        ("another signer", |m| m.signer = "mallory".into(), "PR-HND-003"),
        ("no packet", |m| m.packet = None, "PR-HND-002"),
        ("no proof", |m| m.proof_unreceived.clear(), "PR-HND-002"),
        ("no height", |m| m.proof_height = None, "PR-HND-002"),
        ("another packet", |m| m.packet.as_mut().unwrap().payloads[0].value[40] ^= 1, "PR-HND-024"),
        ("another destination", |m| m.packet.as_mut().unwrap().destination_client = "client-77".into(), "PR-HND-008"),
        ("an unknown height", |m| m.proof_height.as_mut().unwrap().revision_height += 1, "PR-HND-013"),
        ("a proof that is none", |m| m.proof_unreceived = vec![1], "PR-ENC-001"),
        ("a packet never sent", |m| m.packet.as_mut().unwrap().sequence = 9, "noop"),
        ("a deadline that has not passed", |m| m.packet.as_mut().unwrap().timeout_timestamp += 1, "PR-HND-022"),
    ];
    for (name, change, expect) in rows {
        let (mut rig, packet) = sent();
        rig.wait(60);
        let mut message = rig.timeout_message(0, &packet);
        change(&mut message);
        let outcome = rig.run(0, RELAYER, proto::MSG_TIMEOUT, &message);
        let noop = outcome.as_ref().is_ok_and(|outcome| result(outcome) == 1 && outcome.events.is_empty());
        assert_eq!(if noop { "noop" } else { code(outcome) }, expect, "{name}");
        assert_eq!(rig.balance(0, "alice", "stake"), if expect == "ok" { 100 } else { 40 }, "{name}");
    }
    // A received packet is not timed out, whenever that is tried.
    let (mut rig, packet) = sent();
    let ack = written(&rig.recv(1, &packet).unwrap());
    rig.wait(60);
    assert_eq!(code(rig.timeout(0, &packet)), "PR-HND-019");
    rig.ack(0, &packet, &ack).unwrap();
    assert_eq!(rig.timeout(0, &packet).as_ref().map(result), Ok(1), "acknowledged before");
    // Neither is one whose proof is about another path.
    let (mut rig, packet) = sent();
    rig.wait(60);
    let other = Packet { sequence: 2, ..packet.clone() };
    let message = rig.timeout_message(0, &packet);
    let message = proto::MsgTimeout { proof_unreceived: rig.proof(1, &[other.receipt_path()]), ..message };
    assert_eq!(code(rig.run(0, RELAYER, proto::MSG_TIMEOUT, &message)), "PR-HND-018");
    assert_eq!(rig.timeout(0, &packet).as_ref().map(result), Ok(2));
    assert_eq!(rig.timeout(0, &packet).as_ref().map(result), Ok(1), "timed out before");
    let ack = Acknowledgement::universal_error();
    assert_eq!(rig.ack(0, &packet, &ack).as_ref().map(result), Ok(1), "timed out before");
    assert_eq!(rig.balance(0, "alice", "stake"), 100);
}

/// A prefix with more than one element is another chain's, and one with bytes is another key.
#[test]
fn the_merkle_prefix_counts() {
    for (prefix, expect) in [
        (vec![Vec::new()], "ok"),
        (vec![b"ibc".to_vec(), Vec::new()], "PR-HND-016"),
        (vec![b"x".to_vec()], "PR-HND-018"),
    ] {
        let (mut rig, packet) = sent();
        let info = proto::CounterpartyInfo { merkle_prefix: prefix.clone(), client_id: "attestations-0".into() };
        rig.chains[1].host.set(&Key::counterparty("attestations-1"), info.encode_to_vec());
        assert_eq!(code(rig.recv(1, &packet)), expect, "{prefix:?}");
    }
}

/// What attestors signed for one statement, height or client is nothing for another.
#[test]
fn attestations_are_not_moved() {
    let (mut rig, packet) = sent();
    let message = rig.recv_message(1, &packet);
    let path = packet.commitment_path();
    let attested =
        PacketAttestation { height: rig.chains[0].height, entries: rig.entries(0, core::slice::from_ref(&path)) };
    let with = |statement, signers: &[&Attestor]| proto::MsgRecvPacket {
        proof_commitment: signed(statement, attested.encode(), signers).encode_to_vec(),
        ..message.clone()
    };
    let ours = &rig.chains[0].attestors;
    let theirs = &rig.chains[1].attestors;
    let rows = [
        ("with the tag of states", with(Statement::State, &[&ours[0], &ours[1]]), "PR-ATT-002"),
        ("by the other chain's attestors", with(Statement::Packets, &[&theirs[0], &theirs[1]]), "PR-ATT-002"),
        (
            "by one of them beside two of ours",
            with(Statement::Packets, &[&ours[0], &ours[1], &theirs[0]]),
            "PR-ATT-002",
        ),
        ("by one twice", with(Statement::Packets, &[&ours[0], &ours[0]]), "PR-ATT-003"),
        ("by four", with(Statement::Packets, &[&ours[0], &ours[1], &ours[2], &ours[0]]), "PR-PKT-001"),
        ("by one", with(Statement::Packets, &[&ours[0]]), "PR-ATT-004"),
        ("by all three", with(Statement::Packets, &[&ours[2], &ours[0], &ours[1]]), "ok"),
    ];
    for (name, message, expect) in rows {
        assert_eq!(code(rig.run(1, RELAYER, proto::MSG_RECV_PACKET, &message)), expect, "{name}");
    }
    // A zero commitment says "absent", and nothing else.
    let zero = PathCommitment { path: path_key(&path), commitment: catenary_light_clients::Hash32([0; 32]) };
    let attested = PacketAttestation { height: rig.chains[0].height, entries: vec![zero] };
    let ours = &rig.chains[0].attestors;
    let proof = signed(Statement::Packets, attested.encode(), &[&ours[0], &ours[1]]).encode_to_vec();
    let claim = catenary_protocol::handler::Claim { path: &[path.into_bytes()], value: Some(&[0; 32]) };
    let height = message.proof_height.unwrap().into();
    let proof = catenary_protocol::handler::Proof { height, bytes: &proof };
    let client: &dyn catenary_protocol::handler::ClientType = &AttestationClient;
    assert_eq!(code(client.verify(&rig.chains[1].host, "attestations-1", &proof, &claim)), "PR-HND-018");
}

#[test]
fn messages_of_no_known_type() {
    let mut rig = Rig::new();
    let long = "x".repeat(100_000);
    for type_url in ["", "/ibc.core.channel.v2.MsgRecvPacketX", "ibc.core.channel.v2.MsgRecvPacket", &long] {
        let refused = rig.run_bytes(0, RELAYER, type_url, &[]).unwrap_err();
        assert_eq!(refused.code(), "PR-HND-001");
        assert!(refused.to_string().len() < 300);
    }
    // Bytes after the message, a field twice, a field in another order: each is another encoding.
    let update = rig.update_message(0, START_SECONDS).encode_to_vec();
    for (name, bytes) in [
        ("unknown field", [update.as_slice(), &[0x58, 1]].concat()),
        ("signer again", [update.as_slice(), b"\x1a\x07relayer"].concat()),
        ("signer first", [b"\x1a\x07relayer".as_slice(), &update[..update.len() - 9]].concat()),
    ] {
        assert_eq!(code(rig.run_bytes(0, RELAYER, proto::MSG_UPDATE_CLIENT, &bytes)), "PR-ENC-002", "{name}");
    }
    assert_eq!(code(rig.run_bytes(0, RELAYER, proto::MSG_UPDATE_CLIENT, &update)), "ok");
    let longest = vec![0; limits::UPDATE_BYTES_MAX + 1];
    assert_eq!(code(rig.run_bytes(0, RELAYER, proto::MSG_UPDATE_CLIENT, &longest)), "PR-PKT-001");
}

/// What the handler wrote itself and no longer reads is said to be so.
#[test]
fn a_spoilt_store_is_a_bug_and_no_panic() {
    let keys = [
        Key::counterparty("attestations-0"),
        Key::client_state("attestations-0"),
        Key::config("attestations-0"),
        Key::next_sequence_send("attestations-0"),
    ];
    for key in keys {
        let mut rig = Rig::new();
        rig.fund(0, "alice", "stake", 100);
        rig.chains[0].host.set(&key, vec![0xff, 0xff]);
        let message = rig.transfer_message(0, ("stake", 1), ("alice", "bob"));
        let update = rig.update_message(0, START_SECONDS);
        let outcomes = [code(rig.transfer(0, &message)), code(rig.run(0, RELAYER, proto::MSG_UPDATE_CLIENT, &update))];
        assert!(outcomes.contains(&"PR-HND-030"), "{key:?}: {outcomes:?}");
    }
    let mut rig = Rig::new();
    rig.chains[0].host.set(&Key::creator("attestations-0"), vec![0xff]);
    let message = rig.register_message(0);
    assert_eq!(code(rig.run(0, CREATOR, proto::MSG_REGISTER_COUNTERPARTY, &message)), "PR-HND-030");
}
