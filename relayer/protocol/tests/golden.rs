//! Every encoding against the bytes of the real ibc-go and go-ethereum (`tests/vectors/ibc`), and every check
//! against the verdict of the real module.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use catenary_light_clients::Hash32;
use catenary_protocol::attestation::{
    normalise, path_key, recover, signing_digest, Address, PathCommitment, Statement,
};
use catenary_protocol::path::Kind;
use catenary_protocol::{
    ics20, limits, proto, Acknowledgement, AttestationProof, Error, Packet, PacketAttestation, Path, Payload,
    StateAttestation,
};
use prost::Message;
use serde_json::Value;
use sha3::{Digest, Keccak256};

/// The rows of a vector file.
fn rows(file: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/vectors/ibc/{file}", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = file["rows"].as_array().unwrap().clone();
    assert!(!rows.is_empty());
    rows
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn address(value: &Value) -> Address {
    hex::decode(&text(value)[2..]).unwrap().try_into().unwrap()
}

fn keccak(data: &[u8]) -> Vec<u8> {
    Keccak256::digest(data).to_vec()
}

fn packet(value: &Value) -> Packet {
    let payload = |value: &Value| Payload {
        source_port: text(&value["source_port"]),
        destination_port: text(&value["destination_port"]),
        version: text(&value["version"]),
        encoding: text(&value["encoding"]),
        value: bytes(&value["value_hex"]),
    };
    Packet {
        sequence: number(&value["sequence"]),
        source_client: text(&value["source_client"]),
        destination_client: text(&value["destination_client"]),
        timeout_timestamp_seconds: number(&value["timeout_seconds"]),
        payloads: value["payloads"].as_array().unwrap().iter().map(payload).collect(),
    }
}

#[test]
fn packets_and_their_commitments() {
    for row in rows("packets.json") {
        let name = &row["name"];
        let packet = packet(&row["packet"]);
        let accepted = row["accepted_by_ibc_go"] == true;
        assert_eq!(packet.validate().is_ok(), accepted, "{name}: {:?}", packet.validate());
        assert_eq!(packet.proto_encode(), bytes(&row["protobuf_hex"]), "{name}");
        assert_eq!(packet.commitment().0.to_vec(), bytes(&row["commitment_hex"]), "{name}");
        assert_eq!(packet.abi_encode(), bytes(&row["abi_hex"]), "{name}");
        assert_eq!(keccak(&packet.abi_encode()), bytes(&row["abi_keccak_hex"]), "{name}: the router's receipt");
        let decoded = [Packet::proto_decode(&packet.proto_encode()), Packet::abi_decode(&packet.abi_encode())];
        for decoded in decoded {
            if accepted {
                assert_eq!(decoded, Ok(packet.clone()), "{name}");
            } else {
                assert!(decoded.is_err(), "{name}");
            }
        }
    }
}

#[test]
fn acknowledgements_and_their_commitments() {
    for row in rows("acks.json") {
        let name = &row["name"];
        let ack = Acknowledgement { app_acknowledgements: list(&row["app_acks_hex"]) };
        let accepted = row["accepted_by_ibc_go"] == true;
        assert_eq!(ack.validate().is_ok(), accepted, "{name}: {:?}", ack.validate());
        assert_eq!(ack.proto_encode(), bytes(&row["protobuf_hex"]), "{name}");
        assert_eq!(ack.commitment().0.to_vec(), bytes(&row["commitment_hex"]), "{name}");
        assert_eq!(Acknowledgement::proto_decode(&bytes(&row["protobuf_hex"])).is_ok(), accepted, "{name}");
        if accepted {
            assert_eq!(ack.is_universal_error(), row["success"] == false, "{name}");
        }
        if row["name"] == "transfer success" {
            assert_eq!(ack.single(), Ok(ics20::SUCCESS_ACK));
        }
    }
}

#[test]
fn bytes_over_the_bound_are_not_decoded() {
    // Each is an endless list of what it may hold one of, so that a decoder without a bound says "count", not "length".
    let code = |result: Result<(), Error>| result.map_or_else(|error| error.code(), |()| "ok");
    let packet = |length: usize| code(Packet::proto_decode(&[0x2a, 0].repeat(length / 2)).map(drop));
    assert_eq!(packet(limits::PAYLOAD_BYTES_MAX + 8_192 + 2), "PR-PKT-001");
    assert_eq!(packet(limits::PAYLOAD_BYTES_MAX + 8_192), "PR-PKT-004");
    let ack = |length: usize| code(Acknowledgement::proto_decode(&[0x0a, 0].repeat(length / 2)).map(drop));
    assert_eq!(ack(limits::ACK_BYTES_MAX + 64 + 2), "PR-PKT-001");
    assert_eq!(ack(limits::ACK_BYTES_MAX + 64), "PR-PKT-002");
    let data = |length: usize, encoding: &str| {
        let (port, version) = (String::from(ics20::PORT), ics20::VERSION.into());
        let (value, encoding) = (vec![0xff; length], encoding.into());
        let payload = Payload { source_port: port.clone(), destination_port: port, version, encoding, value };
        code(ics20::Transfer::from_payload(&payload).map(drop))
    };
    for encoding in [ics20::ENCODING_ABI, ics20::ENCODING_PROTOBUF] {
        assert_eq!(data(limits::PAYLOAD_BYTES_MAX + 1, encoding), "PR-PKT-001");
        assert_eq!(data(limits::PAYLOAD_BYTES_MAX, encoding), "PR-ENC-001");
    }
    // The largest of each still comes back.
    let value = vec![7; limits::PAYLOAD_BYTES_MAX];
    let name = "x".repeat(limits::IDENTIFIER_BYTES_MAX);
    let client = format!("{}-1", "c".repeat(limits::CLIENT_ID_BYTES_MAX - 2));
    let names = [(); 4].map(|()| name.clone());
    let [source_port, destination_port, version, encoding] = names;
    let payloads = vec![Payload { source_port, destination_port, version, encoding, value }];
    let (source_client, destination_client) = (client.clone(), client);
    let (sequence, timeout_timestamp_seconds) = (u64::MAX, u64::MAX);
    let largest = Packet { sequence, source_client, destination_client, timeout_timestamp_seconds, payloads };
    assert_eq!(Packet::proto_decode(&largest.proto_encode()), Ok(largest.clone()));
    assert_eq!(Packet::abi_decode(&largest.abi_encode()), Ok(largest));
    let largest = Acknowledgement { app_acknowledgements: vec![vec![7; limits::ACK_BYTES_MAX]] };
    assert_eq!(Acknowledgement::proto_decode(&largest.proto_encode()), Ok(largest));
}

#[test]
fn amounts_are_decimals_from_one_to_below_two_to_the_256th() {
    let max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let longer = format!("{max}0");
    let nines = "9".repeat(77);
    for (amount, expect) in [
        ("1", "ok"),
        ("9", "ok"),
        ("10", "ok"),
        (nines.as_str(), "ok"),
        (max, "ok"),
        (above, "PR-TRF-001"),
        (longer.as_str(), "PR-TRF-001"),
        ("0", "PR-TRF-001"),
        ("01", "PR-TRF-001"),
        ("", "PR-TRF-001"),
        ("0x10", "PR-TRF-001"),
        ("1_000", "PR-TRF-001"),
        ("+1", "PR-TRF-001"),
        ("-1", "PR-TRF-001"),
        ("1.0", "PR-TRF-001"),
        ("1e3", "PR-TRF-001"),
        (" 1", "PR-TRF-001"),
    ] {
        let transfer = ics20::Transfer {
            denom: "stake".into(),
            amount: amount.into(),
            sender: "sender".into(),
            receiver: "receiver".into(),
            memo: String::new(),
        };
        let code = |error: Error| error.code();
        assert_eq!(transfer.abi_encode().map_or_else(code, |_| "ok"), expect, "{amount:?} encoded");
        let port = String::from(ics20::PORT);
        let payload = Payload {
            source_port: port.clone(),
            destination_port: port,
            version: ics20::VERSION.into(),
            encoding: ics20::ENCODING_PROTOBUF.into(),
            value: transfer.proto_encode(),
        };
        assert_eq!(ics20::Transfer::from_payload(&payload).map_or_else(code, |_| "ok"), expect, "{amount:?} decoded");
    }
}

#[test]
fn paths_and_their_attested_keys() {
    for row in rows("paths.json") {
        let (client_id, sequence) = (text(&row["client_id"]), number(&row["sequence"]));
        let kinds = [("commitment", Kind::Commitment), ("receipt", Kind::Receipt), ("ack", Kind::Acknowledgement)];
        for (field, kind) in kinds {
            let path = Path::new(kind, &client_id, sequence);
            assert_eq!(path.as_bytes(), bytes(&row[field]["path_hex"]), "{client_id} {sequence} {field}");
            assert_eq!(path_key(&path).0.to_vec(), bytes(&row[field]["keccak_hex"]), "{client_id} {sequence} {field}");
        }
    }
    // Attested paths have one element: the prefix that we register adds nothing to the path.
    let bare =
        rows("merkle_paths.json").into_iter().find(|row| list(&row["prefix_hex"]) == [Vec::<u8>::new()]).unwrap();
    assert_eq!(list(&bare["keys_hex"]), [bytes(&bare["path_hex"])]);
}

#[test]
fn transfer_data_in_every_encoding() {
    for row in rows("transfer_data.json") {
        let name = &row["name"];
        let transfer = ics20::Transfer {
            denom: text(&row["denom"]),
            amount: text(&row["amount"]),
            sender: text(&row["sender"]),
            receiver: text(&row["receiver"]),
            memo: text(&row["memo"]),
        };
        assert_eq!(transfer.proto_encode(), bytes(&row["protobuf_hex"]), "{name}");
        if row["accepted_by_ibc_go"] != true {
            // A receiver is the destination's to judge, blank or not.
            assert_eq!(transfer.abi_encode().is_ok(), row["name"] == "blank receiver is refused", "{name}");
            continue;
        }
        assert_eq!(transfer.abi_encode().unwrap(), bytes(&row["abi_hex"]), "{name}");
        let json = text(&row["json_text"]).into_bytes();
        let encodings = [
            (ics20::ENCODING_ABI, bytes(&row["abi_hex"])),
            (ics20::ENCODING_PROTOBUF, bytes(&row["protobuf_hex"])),
            (ics20::ENCODING_JSON, json),
        ];
        for (encoding, value) in encodings {
            let payload = Payload {
                source_port: ics20::PORT.into(),
                destination_port: ics20::PORT.into(),
                version: ics20::VERSION.into(),
                encoding: encoding.into(),
                value,
            };
            assert_eq!(transfer.to_payload(encoding).as_ref(), Ok(&payload), "{name} {encoding}");
            assert_eq!(ics20::Transfer::from_payload(&payload).as_ref(), Ok(&transfer), "{name} {encoding}");
            let mut longer = payload.clone();
            longer.value.push(0);
            assert!(ics20::Transfer::from_payload(&longer).is_err(), "{name} {encoding}: one byte more");
            for other in ["application/cbor", "", "application/JSON"] {
                let other = Payload { encoding: other.into(), ..payload.clone() };
                assert!(ics20::Transfer::from_payload(&other).is_err(), "{name}: an encoding that is not spoken");
            }
        }
    }
}

#[test]
fn denominations_as_ibc_go_shows_them() {
    for row in rows("denoms.json") {
        assert_eq!(ics20::ibc_denom(&text(&row["path"])), text(&row["ibc_denom"]));
    }
    let rows = [
        ("out", "0xaa", "client-0", "attestations-0", "transfer/attestations-0/0xaa"),
        ("home", "transfer/attestations-0/0xaa", "attestations-0", "client-0", "0xaa"),
        ("onwards", "transfer/client-7/x", "attestations-0", "client-0", "transfer/client-0/transfer/client-7/x"),
        ("other client", "transfer/client-1/x", "client-10", "client-2", "transfer/client-2/transfer/client-1/x"),
        ("home, one hop left", "transfer/client-1/transfer/c-2/x", "client-1", "client-3", "transfer/c-2/x"),
    ];
    for (name, denom, source, destination, expect) in rows {
        assert_eq!(ics20::received_denom(denom, source, destination), expect, "{name}");
    }
}

#[test]
fn client_and_consensus_states() {
    for row in rows("client_states.json") {
        let name = &row["name"];
        let state = proto::AttestationClientState {
            attestor_addresses: row["attestor_addresses"].as_array().into_iter().flatten().map(text).collect(),
            min_required_sigs: u32::try_from(number(&row["min_required_sigs"])).unwrap(),
            latest_height: number(&row["latest_height"]),
            is_frozen: row["is_frozen"] == true,
        };
        let consensus = proto::AttestationConsensusState { timestamp: number(&row["consensus_timestamp_nanos"]) };
        assert_eq!(state.encode_to_vec(), bytes(&row["client_state_hex"]), "{name}");
        assert_eq!(consensus.encode_to_vec(), bytes(&row["consensus_state_hex"]), "{name}");
        let any = |type_url: &str, value| proto::Any { type_url: type_url.into(), value }.encode_to_vec();
        let state_any = any(proto::ATTESTATION_CLIENT_STATE, state.encode_to_vec());
        assert_eq!(state_any, bytes(&row["client_state_any_hex"]), "{name}");
        let consensus_any = any(proto::ATTESTATION_CONSENSUS_STATE, consensus.encode_to_vec());
        assert_eq!(consensus_any, bytes(&row["consensus_state_any_hex"]), "{name}");
        assert_eq!(proto::decode_strict("state", &state.encode_to_vec()), Ok(state), "{name}");
    }
}

/// Data, digest, signatures and proof of an attestation row.
fn check_signed(row: &Value, statement: Statement, data: &[u8]) {
    assert_eq!(data, bytes(&row["attestation_data_hex"]), "{row}");
    let digest = signing_digest(statement, data);
    assert_eq!(digest.0.to_vec(), bytes(&row["tagged_digest_hex"]), "{row}");
    let signed = row["signatures"].as_array().unwrap();
    let mut signatures = Vec::new();
    for signed in signed {
        let signature = normalise(&bytes(&signed["signature_hex"])).unwrap();
        assert_eq!(signature.to_vec(), bytes(&signed["signature_hex"]), "emitted as it is");
        assert_eq!(recover(&digest, &signature), Ok(address(&signed["address"])));
        let mut plain = signature;
        plain[64] -= 27;
        assert_eq!(recover(&digest, &plain), Ok(address(&signed["address"])), "v may be 0 or 1");
        assert_eq!(normalise(&plain), Ok(signature));
        signatures.push(signature);
    }
    let proof = AttestationProof { data: data.to_vec(), signatures: vec![signatures[0], signatures[2]] };
    assert_eq!(proof.proto_encode(), bytes(&row["proof_hex"]), "{row}");
    let attestors: Vec<Address> = signed.iter().map(|signed| address(&signed["address"])).collect();
    assert_eq!(proof.check(statement, &attestors, 2), Ok(()));
    assert_eq!(proof.check(statement, &attestors, 3), Err(Error::Quorum { got: 2, required: 3 }));
    assert_eq!(proof.check(statement, &attestors, 0), Err(Error::Quorum { got: 2, required: 0 }));
    assert!(proof.check(statement, &attestors[1..], 1).is_err(), "an attestor that left the set");
    let mut plain = proof.clone();
    plain.signatures[1][64] -= 27;
    let refused = plain.check(statement, &attestors, 2).unwrap_err();
    assert_eq!(refused.code(), "PR-ATT-001", "v of 0 or 1, which the Solidity client does not take");
    let other = if statement == Statement::State { Statement::Packets } else { Statement::State };
    assert!(proof.check(other, &attestors, 2).is_err(), "one statement is not the other");
}

#[test]
fn state_attestations_and_their_signatures() {
    for row in rows("state_attestations.json") {
        let (height, timestamp_seconds) = (number(&row["height"]), number(&row["timestamp_seconds"]));
        let state = StateAttestation { height, timestamp_seconds };
        check_signed(&row, Statement::State, &state.encode());
        assert_eq!(StateAttestation::decode(&state.encode()), Ok(state));
        let any = proto::Any { type_url: proto::ATTESTATION_PROOF.into(), value: bytes(&row["proof_hex"]) };
        assert_eq!(any.encode_to_vec(), bytes(&row["proof_any_hex"]));
    }
}

#[test]
fn packet_attestations_and_their_signatures() {
    for row in rows("packet_attestations.json") {
        let entry = |value: &Value| PathCommitment {
            path: Hash32::from_slice(&keccak(&bytes(&value["path_hex"]))).unwrap(),
            commitment: Hash32::from_slice(&bytes(&value["commitment_hex"])).unwrap(),
        };
        let packets = row["packets"].as_array().into_iter().flatten();
        for packet in packets.clone() {
            assert_eq!(keccak(&bytes(&packet["path_hex"])), bytes(&packet["path_keccak_hex"]));
        }
        let entries = packets.map(entry).collect();
        let attestation = PacketAttestation { height: number(&row["height"]), entries };
        check_signed(&row, Statement::Packets, &attestation.encode());
        assert_eq!(PacketAttestation::decode(&attestation.encode()), Ok(attestation));
    }
}

/// What our check says of a proof, before any fee is spent.
fn own_verdict(row: &Value) -> &'static str {
    let proof: proto::AttestationProof = proto::decode_strict("proof", &bytes(&row["proof_hex"])).unwrap();
    let signatures: Result<Vec<[u8; 65]>, Error> =
        proof.signatures.iter().map(|signature| normalise(signature)).collect();
    let signatures = match signatures {
        Ok(signatures) => signatures,
        Err(error) => return error.code(),
    };
    let data = proof.attestation_data;
    let statement = if row["call"] == "update" { Statement::State } else { Statement::Packets };
    let key = |row: &Value| address(&row["address"]);
    let attestors: Vec<Address> =
        rows("state_attestations.json")[0]["signatures"].as_array().unwrap().iter().map(key).collect();
    match (AttestationProof { data, signatures }).check(statement, &attestors, 2) {
        Ok(()) => "ok",
        Err(error) => error.code(),
    }
}

#[test]
fn proofs_are_judged_as_the_on_chain_client_judges_them() {
    // Rows that a matter beyond signatures decides (height, path, value) are "ok" here.
    let expected = [
        ("state signed by 1 and 3", "ok"),
        ("state signed by all", "ok"),
        ("recovery id 0 or 1", "ok"),
        ("high s: the module takes it, the project refuses it", "PR-ATT-001"),
        ("one signature of two", "PR-ATT-004"),
        ("no signature", "PR-ATT-004"),
        ("same signer twice", "PR-ATT-003"),
        ("same signer twice, malleated", "PR-ATT-001"),
        ("unknown signer beside two good ones", "PR-ATT-002"),
        ("signed with the packet tag", "PR-ATT-002"),
        ("signature of 64 bytes", "PR-PKT-001"),
        ("recovery id 29", "PR-ATT-001"),
        ("membership", "ok"),
        ("membership among others", "ok"),
        ("no state at that height", "ok"),
        ("attested for another height", "ok"),
        ("another value", "ok"),
        ("another path", "ok"),
        ("value of 31 bytes", "ok"),
        ("signed with the state tag", "PR-ATT-002"),
        ("below the threshold", "PR-ATT-004"),
        ("empty list", "ok"),
        ("absence", "ok"),
        ("absence of a path that is present", "ok"),
        ("absence of a path that is not named", "ok"),
        ("path named once absent and once present", "ok"),
    ];
    let rows = rows("proof_verdicts.json");
    let names: Vec<String> = rows.iter().map(|row| text(&row["name"])).collect();
    assert_eq!(names, expected.map(|(name, _)| name), "each row has its verdict here");
    for (row, (name, expect)) in rows.iter().zip(expected) {
        assert_eq!(own_verdict(row), expect, "{name}");
        if expect == "ok" && row["call"] == "update" {
            assert_eq!(row["accepted_by_ibc_go"], true, "{name}: never more lenient than the chain");
        }
    }
}

#[test]
fn recovery_ids_are_normalised_or_refused() {
    for (v, expect) in [(0, Some(27)), (1, Some(28)), (27, Some(27)), (28, Some(28)), (2, None), (26, None), (29, None)]
    {
        let mut signature = [7; 65];
        signature[64] = v;
        assert_eq!(normalise(&signature).ok().map(|normal| normal[64]), expect, "v = {v}");
    }
    for length in [0, 64, 66] {
        assert!(normalise(&vec![0; length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_high_s_is_not_normalised() {
    let half = hex::decode("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0").unwrap();
    for (added, expect) in [(0, "ok"), (1, "PR-ATT-001"), (0x5f, "PR-ATT-001")] {
        let mut signature = [7; 65];
        signature[32..64].copy_from_slice(&half);
        signature[63] += added;
        signature[64] = 27;
        assert_eq!(
            normalise(&signature).map_or_else(|error| error.code(), |_| "ok"),
            expect,
            "half the order + {added}"
        );
    }
}

/// Decodes strictly and encodes again.
fn again<M: Message + Default>(row: &Value) -> M {
    let message: M = proto::decode_strict("message", &bytes(&row["protobuf_hex"])).unwrap();
    assert_eq!(message.encode_to_vec(), bytes(&row["protobuf_hex"]), "{}", row["name"]);
    message
}

#[test]
fn messages_keep_every_field() {
    let mut seen = 0;
    for row in rows("messages.json") {
        let fields = &row["fields"];
        let of_packet =
            |message: Option<proto::Packet>| assert_eq!(Packet::from(message.unwrap()), packet(&fields["packet"]));
        let of_height = |height: Option<proto::Height>| {
            let height = height.unwrap();
            assert_eq!(height.revision_height, number(&fields["proof_height"]["revision_height"]));
            assert_eq!(height.revision_number, number(&fields["proof_height"]["revision_number"]));
        };
        let signer = match row["type_url"].as_str().unwrap() {
            "/ibc.core.client.v1.MsgCreateClient" => {
                let message: proto::MsgCreateClient = again(&row);
                assert_eq!(message.client_state.unwrap().encode_to_vec(), bytes(&fields["client_state_any_hex"]));
                message.signer
            }
            "/ibc.core.client.v1.MsgUpdateClient" => again::<proto::MsgUpdateClient>(&row).signer,
            "/ibc.core.client.v2.MsgRegisterCounterparty" => {
                let message: proto::MsgRegisterCounterparty = again(&row);
                assert_eq!(message.counterparty_client_id, text(&fields["counterparty_client_id"]));
                message.signer
            }
            "/ibc.core.channel.v2.MsgSendPacket" => again::<proto::MsgSendPacket>(&row).signer,
            "/ibc.core.channel.v2.MsgRecvPacket" => {
                let message: proto::MsgRecvPacket = again(&row);
                of_packet(message.packet);
                of_height(message.proof_height);
                message.signer
            }
            "/ibc.core.channel.v2.MsgAcknowledgement" => {
                let message: proto::MsgAcknowledgement = again(&row);
                of_packet(message.packet);
                of_height(message.proof_height);
                assert_eq!(message.acknowledgement.unwrap().app_acknowledgements, list(&fields["app_acks_hex"]));
                message.signer
            }
            "/ibc.core.channel.v2.MsgTimeout" => {
                let message: proto::MsgTimeout = again(&row);
                of_packet(message.packet);
                of_height(message.proof_height);
                message.signer
            }
            "/ibc.applications.transfer.v1.MsgTransfer" => {
                let message: proto::MsgTransfer = again(&row);
                assert_eq!(message.timeout_timestamp, number(&fields["timeout_seconds"]));
                assert_eq!(message.encoding, text(&fields["encoding"]));
                assert_eq!(message.token.unwrap().amount, text(&fields["amount"]));
                message.sender
            }
            _ => continue,
        };
        let expect = fields.get("signer").or_else(|| fields.get("sender")).unwrap();
        assert_eq!(signer, text(expect), "{}", row["name"]);
        seen += 1;
    }
    assert!(seen >= 15, "messages of ours in the file: {seen}");
}
