//! Properties of the codecs: what is encoded decodes to the same, what decodes encodes to the same bytes, and no
//! bytes make a decoder panic.

use catenary_light_clients::Hash32;
use catenary_protocol::attestation::{normalise, recover, PathCommitment};
use catenary_protocol::packet::check_client_id;
use catenary_protocol::{ics20, Acknowledgement, Packet, PacketAttestation, Payload, StateAttestation};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/._-]{2,40}"
}

fn client_id() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{6,20}-[0-9]{1,8}"
}

prop_compose! {
    fn payload()(
        source_port in text(),
        destination_port in text(),
        version in text(),
        encoding in text(),
        value in prop::collection::vec(any::<u8>(), 1..200),
    ) -> Payload {
        Payload { source_port, destination_port, version, encoding, value }
    }
}

prop_compose! {
    fn packet()(
        sequence in 1..=u64::MAX,
        source_client in client_id(),
        destination_client in client_id(),
        timeout_timestamp_seconds in 1..=u64::MAX,
        payload in payload(),
    ) -> Packet {
        Packet { sequence, source_client, destination_client, timeout_timestamp_seconds, payloads: vec![payload] }
    }
}

prop_compose! {
    fn transfer()(
        denom in text(),
        amount in "[1-9][0-9]{0,76}",
        sender in text(),
        receiver in "\\PC{0,80}",
        memo in "\\PC{0,80}",
    ) -> ics20::Transfer {
        ics20::Transfer { denom, amount, sender, receiver, memo }
    }
}

/// Puts one byte of the encoding to another value, or cuts or prolongs it.
fn spoil(mut bytes: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    match at % (bytes.len() + 2) {
        0 => drop(bytes.pop()),
        1 => bytes.push(byte),
        at => {
            if let Some(old) = bytes.get_mut(at - 2) {
                *old = byte;
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn packets_come_back(packet in packet()) {
        prop_assert_eq!(packet.validate(), Ok(()));
        prop_assert_eq!(Packet::proto_decode(&packet.proto_encode()), Ok(packet.clone()));
        prop_assert_eq!(Packet::abi_decode(&packet.abi_encode()), Ok(packet));
    }

    #[test]
    fn a_spoilt_packet_is_refused_or_another_packet(packet in packet(), at in any::<usize>(), byte in any::<u8>()) {
        let proto = spoil(packet.proto_encode(), at, byte);
        if let Ok(other) = Packet::proto_decode(&proto) {
            prop_assert_eq!(other.proto_encode(), proto.clone());
            prop_assert_eq!(other == packet, proto == packet.proto_encode());
        }
        let abi = spoil(packet.abi_encode(), at, byte);
        if let Ok(other) = Packet::abi_decode(&abi) {
            prop_assert_eq!(other.abi_encode(), abi.clone());
            prop_assert_eq!(other == packet, abi == packet.abi_encode());
        }
    }

    #[test]
    fn different_packets_commit_to_different_values(first in packet(), second in packet()) {
        // Sequence and source are in the path, so they are not in the commitment.
        let same = (&first.destination_client, first.timeout_timestamp_seconds, &first.payloads)
            == (&second.destination_client, second.timeout_timestamp_seconds, &second.payloads);
        prop_assert_eq!(first.commitment() == second.commitment(), same);
    }

    #[test]
    fn transfers_come_back(transfer in transfer()) {
        let payload = |encoding: &str, value| Payload {
            source_port: ics20::PORT.into(),
            destination_port: ics20::PORT.into(),
            version: ics20::VERSION.into(),
            encoding: encoding.into(),
            value,
        };
        let abi = payload(ics20::ENCODING_ABI, transfer.abi_encode().unwrap_or_default());
        prop_assert_eq!(ics20::Transfer::from_payload(&abi), Ok(transfer.clone()));
        let proto = payload(ics20::ENCODING_PROTOBUF, transfer.proto_encode());
        prop_assert_eq!(ics20::Transfer::from_payload(&proto), Ok(transfer));
    }

    #[test]
    fn a_token_that_went_out_comes_home(denom in "[a-z]{3,20}", there in client_id(), here in client_id()) {
        let out = ics20::received_denom(&denom, &here, &there);
        prop_assert_eq!(ics20::received_denom(&out, &there, &here), denom);
    }

    #[test]
    fn attestations_come_back(height in any::<u64>(), timestamp_seconds in any::<u64>(), hashes in prop::collection::vec(any::<[u8; 32]>(), 0..20)) {
        let state = StateAttestation { height, timestamp_seconds };
        prop_assert_eq!(StateAttestation::decode(&state.encode()), Ok(state));
        let entry = |hash: &[u8; 32]| PathCommitment { path: Hash32(*hash), commitment: Hash32::sha256(&[hash]) };
        let packets = PacketAttestation { height, entries: hashes.iter().map(entry).collect() };
        prop_assert_eq!(PacketAttestation::decode(&packets.encode()), Ok(packets));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), id in "\\PC{0,80}") {
        if let Ok(packet) = Packet::proto_decode(&bytes) {
            prop_assert_eq!(packet.proto_encode(), bytes.clone());
        }
        if let Ok(packet) = Packet::abi_decode(&bytes) {
            prop_assert_eq!(packet.abi_encode(), bytes.clone());
        }
        if let Ok(ack) = Acknowledgement::proto_decode(&bytes) {
            prop_assert_eq!(ack.proto_encode(), bytes.clone());
        }
        if let Ok(state) = StateAttestation::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes.clone());
        }
        if let Ok(packets) = PacketAttestation::decode(&bytes) {
            prop_assert_eq!(packets.encode(), bytes.clone());
        }
        if let Ok(signature) = normalise(&bytes) {
            let _ = recover(&Hash32([1; 32]), &signature);
        }
        let _ = (check_client_id("id", &id), ics20::ibc_denom(&id), ics20::received_denom(&id, "a", "b"));
    }
}
