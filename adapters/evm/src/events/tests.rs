//! Recorded and changed logs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde_json::json;

use super::*;
use crate::testing::{logs, with};

fn router() -> Address {
    json::fixed(logs()[0].get("address")).unwrap()
}

fn read(logs: &[Value]) -> Result<Scan> {
    from_json(&router(), (1, 1_000), &json!(logs))
}

fn data(log: &Value) -> Vec<u8> {
    json::data(log.get("data")).unwrap()
}

#[test]
fn recorded_logs_become_events_in_order() {
    let scan = read(&logs()).unwrap();
    assert_eq!(scan.undeliverable, 0);
    let kinds: Vec<(&str, u64, &str)> = scan
        .events
        .iter()
        .map(|claim| match &claim.event {
            PacketEvent::Sent(packet) => ("sent", packet.sequence, packet.source_client.as_str()),
            PacketEvent::WroteAck { packet, acknowledgement } => {
                assert_eq!(acknowledgement.single().unwrap(), catenary_protocol::ics20::SUCCESS_ACK);
                ("wrote", packet.sequence, packet.destination_client.as_str())
            }
            PacketEvent::Acknowledged(packet) => ("acknowledged", packet.sequence, packet.source_client.as_str()),
            PacketEvent::TimedOut(packet) => ("timed out", packet.sequence, packet.source_client.as_str()),
        })
        .collect();
    let expected = [
        ("sent", 1, "client-0"),
        ("wrote", 1, "client-0"),
        ("acknowledged", 1, "client-0"),
        ("sent", 2, "client-0"),
        ("timed out", 2, "client-0"),
    ];
    assert_eq!(kinds, expected);
    for (claim, log) in scan.events.iter().zip(logs()) {
        claim.event.packet().validate().unwrap();
        assert_eq!(claim.height, json::quantity(log.get("blockNumber")).unwrap());
        assert_eq!(json!(claim.tx.to_string()), log["transactionHash"]);
    }
}

/// Changes one field of the log at an index and expects a refusal.
fn check(index: usize, pointer: &str, new: Value, code: &str) {
    let mut logs = logs();
    logs[index] = with(&logs[index], pointer, new.clone());
    let error = read(&logs).unwrap_err();
    assert_eq!(error.code(), code, "{pointer} = {new}: {error}");
}

#[test]
fn logs_that_were_not_asked_for_are_refused() {
    let word = json!(format!("0x{}", "ab".repeat(32)));
    check(0, "/removed", json!(true), "EVM-LOG-002");
    check(0, "/removed", json!("false"), "EVM-LOG-001");
    check(0, "/address", json!(format!("0x{}", "ab".repeat(20))), "EVM-LOG-003");
    check(0, "/blockNumber", json!("0x0"), "EVM-LOG-003");
    check(4, "/blockNumber", json!("0x3e9"), "EVM-LOG-003");
    check(0, "/topics/0", word.clone(), "EVM-LOG-003");
    check(0, "/topics/1", word.clone(), "EVM-LOG-006");
    check(0, "/topics/2", word, "EVM-LOG-006");
    check(0, "/topics", json!([]), "EVM-LOG-001");
    for field in ["address", "blockNumber", "logIndex", "transactionHash", "topics", "data"] {
        check(0, &format!("/{field}"), Value::Null, "EVM-LOG-001");
        check(0, &format!("/{field}"), json!(7), "EVM-LOG-001");
    }
    assert_eq!(from_json(&router(), (1, 2), &Value::Null).unwrap_err().code(), "EVM-LOG-001");
    let many = vec![json!({}); EVENTS_MAX + 1];
    assert_eq!(read(&many).unwrap_err().code(), "EVM-RPC-006");
}

#[test]
fn logs_must_ascend() {
    let mut swapped = logs();
    swapped.swap(0, 1);
    assert_eq!(read(&swapped).unwrap_err().code(), "EVM-LOG-004");
    let mut repeated = logs();
    repeated.insert(1, repeated[0].clone());
    assert_eq!(read(&repeated).unwrap_err().code(), "EVM-LOG-004");
    let mut same_block = logs();
    same_block.truncate(1);
    same_block.push(with(&same_block[0], "/logIndex", json!("0x7fffffff")));
    assert_eq!(read(&same_block).unwrap().events.len(), 2);
}

#[test]
fn a_packet_of_one_event_is_not_taken_for_another() {
    let recorded = logs();
    // The data of SendPacket is also that of TimeoutPacket; the topic alone tells them apart. The others differ.
    for (index, topic) in [(0, 1), (0, 2), (1, 0), (1, 2), (1, 4), (2, 0), (2, 1)] {
        check(index, "/topics/0", recorded[topic]["topics"][0].clone(), "EVM-LOG-005");
    }
}

#[test]
fn no_changed_byte_goes_through_unseen() {
    for (index, log) in logs().iter().enumerate() {
        let bytes = data(log);
        let original = read(std::slice::from_ref(log)).unwrap();
        let changed = |bytes: &[u8]| read(&[with(log, "/data", json!(hex0x(bytes)))]);
        // That a packet was acknowledged is claimed, not with what: the acknowledgement was proven before.
        let unclaimed = if index == 2 { word(&bytes, Some(32)).unwrap() + 32 } else { bytes.len() };
        for place in 0..unclaimed {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x80;
            match changed(&bytes) {
                // A changed value is another claim, which the light client refuses; never the same one.
                Ok(scan) => assert!(scan.undeliverable > 0 || scan.events != original.events, "{index}: byte {place}"),
                Err(error) => assert!(matches!(error.code(), "EVM-LOG-005" | "EVM-LOG-006"), "{error}"),
            }
        }
        for length in (0..bytes.len()).step_by(31) {
            assert_eq!(changed(&bytes[..length]).unwrap_err().code(), "EVM-LOG-005", "{index}: {length} bytes");
        }
        let longer = changed(&[&bytes[..], &[0; 32]].concat());
        assert_eq!(longer.unwrap_err().code(), "EVM-LOG-005");
    }
}

/// A SendPacket log of a packet with these strings and payload count.
fn packet_log(version: &[u8], payloads: usize) -> Value {
    let bytes = |text: &[u8]| Token::Bytes(text.to_vec());
    let payload = Token::Tuple(vec![bytes(b"a"), bytes(b"b"), bytes(version), bytes(b"d"), bytes(b"")]);
    let packet = Token::Tuple(vec![
        Token::Uint(1.into()),
        bytes(b"client-0"),
        bytes(b"attestations-0"),
        Token::Uint(0.into()),
        Token::Array(vec![payload; payloads]),
    ]);
    with(&logs()[0], "/data", json!(hex0x(&abi::encode(&[packet]))))
}

#[test]
fn strange_packets_do_not_stop_the_scan() {
    // It breaks rules of the protocol (no timeout, no value): a claim like any other, for the engine to refuse.
    let scan = read(&[packet_log(b"ics20-1", 1)]).unwrap();
    assert!(scan.events[0].event.packet().validate().is_err());
    // No chain can be told of this one.
    let scan = read(&[packet_log(b"\xff\xfe", 1)]).unwrap();
    assert_eq!((scan.events.len(), scan.undeliverable), (0, 1));
    // The router cannot have written these.
    for payloads in [0, 2, 3] {
        assert_eq!(read(&[packet_log(b"ics20-1", payloads)]).unwrap_err().code(), "EVM-LOG-005", "{payloads}");
    }
}

#[test]
fn many_entries_that_point_at_the_same_bytes_are_refused_before_decoding() {
    // A list of 100,000 acknowledgements that all are one blob of a megabyte would decode to 100 GB.
    let mut bytes = data(&logs()[1]);
    let acks = word(&bytes, Some(32)).unwrap();
    bytes.truncate(acks);
    let count = 100_000usize;
    let push = |bytes: &mut Vec<u8>, number: usize| {
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&(number as u64).to_be_bytes());
    };
    push(&mut bytes, count);
    for _ in 0..count {
        push(&mut bytes, 32 * count);
    }
    push(&mut bytes, 1_000_000);
    bytes.resize(bytes.len() + 1_000_000, 7);
    check(1, "/data", json!(hex0x(&bytes)), "EVM-LOG-005");
    let huge = hex0x(&[[0xff; 32], [0xff; 32]].concat());
    check(1, "/data", json!(huge), "EVM-LOG-005");
}
