//! Bytes that are no messages, or almost: no panic, and nothing changes unless the message is right.

use catenary_protocol::proto;
use proptest::prelude::*;

use super::rig::{sent, Rig, CREATOR, RELAYER};
use prost::Message;

const TYPES: [&str; 9] = [
    proto::MSG_CREATE_CLIENT,
    proto::MSG_UPDATE_CLIENT,
    proto::MSG_REGISTER_COUNTERPARTY,
    proto::MSG_UPDATE_CLIENT_CONFIG,
    proto::MSG_SEND_PACKET,
    proto::MSG_RECV_PACKET,
    proto::MSG_ACKNOWLEDGEMENT,
    proto::MSG_TIMEOUT,
    proto::MSG_TRANSFER,
];

/// Side, signer, type and bytes of a message.
type Sent = (usize, &'static str, &'static str, Vec<u8>);

/// A rig with an open packet and a good message of each kind for one of its sides.
fn good() -> (Rig, Vec<Sent>) {
    let (mut rig, packet) = sent();
    let receive = rig.recv_message(1, &packet).encode_to_vec();
    let ack = catenary_protocol::Acknowledgement::universal_error();
    let acknowledge = rig.ack_message(0, &packet, &ack).encode_to_vec();
    let time_out = rig.timeout_message(0, &packet).encode_to_vec();
    let update = rig.update_message(0, rig.now_seconds).encode_to_vec();
    let transfer = rig.transfer_message(0, ("stake", 1), ("alice", "bob")).encode_to_vec();
    let register = rig.register_message(0).encode_to_vec();
    let messages = vec![
        (1, RELAYER, proto::MSG_RECV_PACKET, receive),
        (0, RELAYER, proto::MSG_ACKNOWLEDGEMENT, acknowledge),
        (0, RELAYER, proto::MSG_TIMEOUT, time_out),
        (0, RELAYER, proto::MSG_UPDATE_CLIENT, update),
        (0, "alice", proto::MSG_TRANSFER, transfer),
        (0, CREATOR, proto::MSG_REGISTER_COUNTERPARTY, register),
    ];
    (rig, messages)
}

/// One way to spoil bytes.
fn spoil(bytes: &mut Vec<u8>, (place, how, byte): (usize, u8, u8)) {
    if bytes.is_empty() {
        bytes.push(byte);
        return;
    }
    let place = place % bytes.len();
    match how % 4 {
        0 => bytes[place] ^= byte | 1,
        1 => bytes.truncate(place),
        2 => bytes.insert(place, byte),
        _ => {
            bytes.remove(place);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_handler_panic(which in 0..TYPES.len(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut rig = Rig::new();
        for signer in [RELAYER, CREATOR, ""] {
            // The rig compares the store before and after a refusal.
            prop_assert!(rig.run_bytes(0, signer, TYPES[which], &bytes).is_err());
        }
    }

    #[test]
    fn a_spoilt_message_takes_nothing(
        which in 0..6_usize,
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        let (mut rig, messages) = good();
        let (side, signer, type_url, mut bytes) = messages[which].clone();
        let right = bytes.clone();
        for change in changes {
            spoil(&mut bytes, change);
        }
        let outcome = rig.run_bytes(side, signer, type_url, &bytes);
        let supply: u64 = rig.chains[1].host.supply(&rig.voucher(1, "stake")).to();
        if bytes != right && type_url != proto::MSG_TRANSFER {
            // Nothing of a packet is left unproven, so no other message than the right one brings value.
            prop_assert_eq!(supply, 0);
            prop_assert_eq!(rig.escrowed(0, "stake"), 60);
        }
        let total = rig.balance(0, "alice", "stake") + rig.escrowed(0, "stake");
        prop_assert_eq!(total, 100, "{:?}", outcome);
    }
}
