//! Splits a list of packets into attestations, by count and by bytes.

use catenary_protocol::Packet;

use crate::attestor::limits;

/// Places of the packets of each attestation: at most `chunk` packets, and as many bytes as one request may have.
pub(super) fn split(packets: &[Packet], chunk: usize) -> Vec<Vec<usize>> {
    let count_max = chunk.clamp(1, limits::REQUEST_PACKETS_MAX);
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let (mut list, mut bytes) = (Vec::new(), 0);
    for (index, packet) in packets.iter().enumerate() {
        let size = packet.abi_encode().len() + limits::REQUEST_FRAMING_BYTES;
        if list.len() == count_max || (!list.is_empty() && bytes + size > limits::REQUEST_PACKET_BYTES_MAX) {
            lists.push(std::mem::take(&mut list));
            bytes = 0;
        }
        list.push(index);
        bytes += size;
    }
    if !list.is_empty() {
        lists.push(list);
    }
    lists
}

/// The packets at the given places.
pub(super) fn pick<'a>(packets: &'a [Packet], indexes: &'a [usize]) -> impl Iterator<Item = &'a Packet> {
    indexes.iter().filter_map(|index| packets.get(*index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use catenary_protocol::Payload;

    fn packet(bytes: usize) -> Packet {
        let text = |value: &str| value.to_owned();
        Packet {
            sequence: 1,
            source_client: text("client-0"),
            destination_client: text("client-1"),
            timeout_timestamp_seconds: 1,
            payloads: vec![Payload {
                source_port: text("transfer"),
                destination_port: text("transfer"),
                version: text("ics20-1"),
                encoding: text("application/x-solidity-abi"),
                value: vec![7; bytes],
            }],
        }
    }

    fn check(payload_bytes: &[usize], chunk: usize, expect: &[usize]) {
        let packets: Vec<Packet> = payload_bytes.iter().map(|bytes| packet(*bytes)).collect();
        let lists = split(&packets, chunk);
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), expect, "{payload_bytes:?} by {chunk}");
        assert_eq!(lists.concat(), (0..packets.len()).collect::<Vec<_>>());
        for list in lists {
            let packets = pick(&packets, &list).map(Packet::abi_encode).collect();
            let request =
                crate::attestor::wire::PacketAttestationRequest { packets, height: u64::MAX, commitment_type: 2 };
            assert!(prost::Message::encoded_len(&request) <= limits::REQUEST_BYTES_MAX);
        }
    }

    #[test]
    fn lists_are_bounded_by_count_and_by_bytes_and_lose_nothing() {
        check(&[], 8, &[]);
        check(&[10; 17], 8, &[8, 8, 1]);
        check(&[10; 3], 0, &[1, 1, 1]);
        check(&[10; 130], 1_000, &[64, 64, 2]);
        check(&[262_144; 3], 8, &[1, 1, 1]);
        check(&[250_000, 250_000, 100_000], 8, &[2, 1]);
        check(&[10, 262_144, 262_144, 10], 8, &[2, 2]);
    }
}
