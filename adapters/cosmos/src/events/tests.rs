//! The scan of recorded blocks, and of the same blocks spoilt one field at a time (`tests/vectors/cosmos-rpc`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use serde_json::{json, Value};
use tendermint_rpc::response::Response as _;

use super::*;

/// Index of the transaction, what happened, sequence.
type Seen = (Option<usize>, &'static str, u64);
/// What is wrong, and the change that makes it so.
type Spoilt<T> = (&'static str, fn(&mut T));

const EMPTY: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_results_empty.json");
const RECV: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_results_recv.json");
const SENT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_results_send.json");
const ACKED: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_results_ack.json");
const TIMED_OUT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_results_timeout.json");
const BLOCK_SENT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_send.json");
const BLOCK_RECV: &str = include_str!("../../../../tests/vectors/cosmos-rpc/block_recv.json");
const TX_SENT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/tx_send.json");

fn parse(body: &Value) -> core::result::Result<BlockResults, tendermint_rpc::Error> {
    BlockResults::from_string(body.to_string())
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn height(body: &Value) -> Height {
    body["result"]["height"].as_str().unwrap().parse().unwrap()
}

fn scan(body: &Value) -> Result<Vec<Found>> {
    find("sim", height(body), &parse(body).unwrap())
}

fn kinds(body: &Value) -> Vec<Seen> {
    let kind = |found: Found| {
        let name = match &found.event {
            PacketEvent::Sent(_) => "sent",
            PacketEvent::WroteAck { .. } => "wrote ack",
            PacketEvent::Acknowledged(_) => "acknowledged",
            PacketEvent::TimedOut(_) => "timed out",
        };
        (found.tx, name, found.event.packet().sequence)
    };
    scan(body).unwrap().into_iter().map(kind).collect()
}

#[test]
fn recorded_blocks_give_their_packets() {
    let rows: [(&str, &[Seen]); 5] = [
        (EMPTY, &[]),
        (RECV, &[(Some(0), "wrote ack", 1)]),
        (SENT, &[(Some(0), "sent", 1)]),
        (ACKED, &[(Some(0), "acknowledged", 1)]),
        (TIMED_OUT, &[(Some(0), "timed out", 2)]),
    ];
    for (text, expect) in rows {
        assert_eq!(kinds(&value(text)), expect);
    }
}

/// The events of the transaction in a recorded block.
fn events(body: &mut Value) -> &mut Vec<Value> {
    body["result"]["txs_results"][0]["events"].as_array_mut().unwrap()
}

fn of_kind<'a>(body: &'a mut Value, kind: &str) -> &'a mut Value {
    events(body).iter_mut().find(|event| event["type"] == kind).unwrap()
}

fn attribute<'a>(event: &'a mut Value, key: &str) -> &'a mut Value {
    let attributes = event["attributes"].as_array_mut().unwrap();
    attributes.iter_mut().find(|attribute| attribute["key"] == key).unwrap()
}

#[test]
fn events_that_are_not_ours_are_passed_over() {
    let rows: &[Spoilt<Value>] = &[
        ("a failed transaction", |body| body["result"]["txs_results"][0]["code"] = json!(5)),
        ("undone by a failed callback", |body| of_kind(body, SEND)["type"] = json!("ibccallbackerror-send_packet")),
        ("the classic protocol", |body| attribute(of_kind(body, SEND), PACKET_HEX)["key"] = json!("packet_data_hex")),
        ("another event", |body| of_kind(body, SEND)["type"] = json!("recv_packet")),
        ("no attributes", |body| of_kind(body, SEND)["attributes"] = Value::Null),
        ("no events", |body| body["result"]["txs_results"][0]["events"] = Value::Null),
    ];
    for (name, spoil) in rows {
        let mut body = value(SENT);
        spoil(&mut body);
        assert_eq!(kinds(&body), [], "{name}");
    }
}

#[test]
fn events_of_the_block_itself_count() {
    let mut body = value(SENT);
    let event = of_kind(&mut body, SEND).clone();
    body["result"]["finalize_block_events"].as_array_mut().unwrap().push(event);
    assert_eq!(kinds(&body), [(Some(0), "sent", 1), (None, "sent", 1)]);
}

#[test]
fn a_spoilt_event_stops_the_scan() {
    let hex_of = |body: &mut Value| attribute(of_kind(body, SEND), PACKET_HEX)["value"].as_str().unwrap().to_owned();
    let good = hex_of(&mut value(SENT));
    let rows = [
        ("empty", String::new()),
        ("half a byte", good[..good.len() - 1].to_owned()),
        ("cut", good[..good.len() - 2].to_owned()),
        ("not hex", format!("zz{}", &good[2..])),
        ("upper case", good.to_uppercase()),
        ("a field twice", format!("{good}0801")),
        ("an unknown field", format!("{good}5001")),
    ];
    for (name, text) in rows {
        let mut body = value(SENT);
        attribute(of_kind(&mut body, SEND), PACKET_HEX)["value"] = json!(text);
        assert_eq!(scan(&body).map_err(|error| error.code()), Err("COS-EVT-001"), "{name}");
    }

    let mut body = value(SENT);
    let again = attribute(of_kind(&mut body, SEND), PACKET_HEX).clone();
    of_kind(&mut body, SEND)["attributes"].as_array_mut().unwrap().push(again);
    assert_eq!(scan(&body).map_err(|error| error.code()), Err("COS-EVT-001"), "the packet twice");

    let mut body = value(RECV);
    attribute(of_kind(&mut body, WRITE_ACK), ACK_HEX)["key"] = json!("other");
    assert_eq!(scan(&body).map_err(|error| error.code()), Err("COS-EVT-001"), "no acknowledgement");
    let mut body = value(RECV);
    attribute(of_kind(&mut body, WRITE_ACK), ACK_HEX)["value"] = json!("0a");
    assert_eq!(scan(&body).map_err(|error| error.code()), Err("COS-EVT-001"), "half an acknowledgement");
}

#[test]
fn a_packet_outside_of_bounds_does_not_stop_the_scan() {
    let mut body = value(SENT);
    let mut events_twice = events(&mut body).clone();
    events(&mut body).append(&mut events_twice);
    let [Found { event: PacketEvent::Sent(packet), .. }, _] = &scan(&body).unwrap()[..] else {
        unreachable!("the event is there twice")
    };
    let with = |spoil: fn(&mut Packet)| {
        let mut packet = packet.clone();
        spoil(&mut packet);
        let mut body = body.clone();
        attribute(of_kind(&mut body, SEND), PACKET_HEX)["value"] = json!(hex::encode(packet.proto_encode()));
        scan(&body).map(|found| found.len()).map_err(|error| error.code())
    };
    let rows: &[(Spoilt<Packet>, core::result::Result<usize, &str>)] = &[
        (("nothing", |_| {}), Ok(2)),
        // An application may take longer texts than any that this project carries.
        (("long version", |packet| packet.payloads[0].version = "v".repeat(200)), Ok(1)),
        // Anyone may register a counterparty of any name.
        (("name that is no id", |packet| packet.destination_client = "somewhere else".into()), Ok(1)),
        (("short name", |packet| packet.destination_client = "a-1".into()), Ok(1)),
        // ibc-go commits none of these: the answer is garbled.
        (("sequence 0", |packet| packet.sequence = 0), Err("COS-EVT-001")),
        (("no timeout", |packet| packet.timeout_timestamp_seconds = 0), Err("COS-EVT-001")),
        (("no payload", |packet| packet.payloads.clear()), Err("COS-EVT-001")),
    ];
    for ((name, spoil), expect) in rows {
        assert_eq!(with(*spoil), *expect, "{name}");
    }
}

#[test]
fn results_of_another_block_are_refused() {
    let body = value(SENT);
    let other = height(&body).increment();
    let got = find("sim", other, &parse(&body).unwrap()).map_err(|error| error.code());
    assert_eq!(got, Err("COS-RPC-007"));
}

#[test]
fn answers_that_lack_what_is_read_do_not_decode() {
    let rows: &[Spoilt<Value>] = &[
        ("no height", |body| drop(body["result"].as_object_mut().unwrap().remove("height"))),
        ("negative height", |body| body["result"]["height"] = json!("-1")),
        ("height beyond 63 bits", |body| body["result"]["height"] = json!("9223372036854775808")),
        ("no code", |body| {
            drop(body["result"]["txs_results"][0].as_object_mut().unwrap().remove("code"));
        }),
        ("negative code", |body| body["result"]["txs_results"][0]["code"] = json!(-1)),
        ("code as text", |body| body["result"]["txs_results"][0]["code"] = json!("0")),
        ("results as object", |body| body["result"]["txs_results"] = json!({})),
        ("event without type", |body| {
            drop(events(body)[0].as_object_mut().unwrap().remove("type"));
        }),
        ("attribute without key", |body| {
            drop(events(body)[0]["attributes"][0].as_object_mut().unwrap().remove("key"));
        }),
        ("no result", |body| drop(body.as_object_mut().unwrap().remove("result"))),
    ];
    for (name, spoil) in rows {
        let mut body = value(SENT);
        spoil(&mut body);
        assert!(parse(&body).is_err(), "{name}");
    }
    let mut newer = value(SENT);
    newer["result"]["field_of_a_newer_release"] = json!({"a": 1});
    newer["result"]["consensus_param_updates"] = json!({"unheard": "of"});
    assert!(parse(&newer).is_ok(), "what is not read may change");
}

#[test]
fn transactions_are_named_by_the_hash_of_their_bytes() {
    for (text, results) in [(BLOCK_SENT, SENT), (BLOCK_RECV, RECV)] {
        let block = BlockAnswer::from_string(text).unwrap();
        let count = parse(&value(results)).unwrap().txs_results.unwrap().len();
        let hashes = tx_hashes("sim", height(&value(results)), count, &block).unwrap();
        assert_eq!(hashes.len(), count);
        if text == BLOCK_SENT {
            let expect = value(TX_SENT)["result"]["hash"].as_str().unwrap().to_lowercase();
            assert_eq!(hex::encode(hashes[0].0 .0), expect, "as the node names it");
        }
        let too_many = tx_hashes("sim", height(&value(results)), count + 1, &block);
        assert_eq!(too_many.map_err(|error| error.code()), Err("COS-RPC-007"));
        let elsewhere = tx_hashes("sim", Height::from(1_u32), count, &block);
        assert_eq!(elsewhere.map_err(|error| error.code()), Err("COS-RPC-007"));
        let named = value(text)["result"]["block_id"]["hash"].as_str().unwrap().to_lowercase();
        assert_eq!(hex::encode(block_hash("sim", &block).unwrap().0), named);
    }
}
