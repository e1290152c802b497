//! What recorded answers to transactions mean (`tests/vectors/cosmos-rpc`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use serde_json::{json, Value};
use tendermint_rpc::error::ErrorDetail;
use tendermint_rpc::response::Response as _;

use super::*;

const IN_CACHE: &str = include_str!("../../../../tests/vectors/cosmos-rpc/broadcast_in_cache.json");
const IS_REDUNDANT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/broadcast_redundant.json");
const BAD_SEQUENCE: &str = include_str!("../../../../tests/vectors/cosmos-rpc/broadcast_wrong_sequence.json");
const BAD_SIGNATURE: &str = include_str!("../../../../tests/vectors/cosmos-rpc/broadcast_wrong_signature.json");
const TX_SENT: &str = include_str!("../../../../tests/vectors/cosmos-rpc/tx_send.json");
const TX_NOT_FOUND: &str = include_str!("../../../../tests/vectors/cosmos-rpc/tx_not_found.json");

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn broadcast(body: &Value) -> Broadcast {
    broadcast_outcome("sim", &tx_sync::Response::from_string(body.to_string()).unwrap())
}

fn node_error(text: &str) -> Error {
    let error = tx_sync::Response::from_string(text).unwrap_err();
    let ErrorDetail::Response(detail) = error.detail() else { unreachable!("{error}") };
    let reason = detail.source.data().unwrap().to_owned();
    Error::Node { endpoint: "sim[0]".into(), method: "broadcast_tx_sync".into(), code: -32603, reason }
}

fn code(outcome: &Broadcast) -> &'static str {
    match outcome {
        Broadcast::Accepted => "accepted",
        Broadcast::Redundant => "redundant",
        Broadcast::Refused(_) => "refused",
        Broadcast::NonceMismatch(_) => "nonce",
        Broadcast::Unknown(_) => "unknown",
    }
}

#[test]
fn each_answer_to_a_broadcast_has_one_meaning() {
    let with = |codespace: &str, code: u32| {
        let mut body = value(BAD_SIGNATURE);
        body["result"]["code"] = json!(code);
        body["result"]["codespace"] = json!(codespace);
        body
    };
    let rows = [
        ("taken", with("", 0), "accepted"),
        ("in the pool", with("sdk", 19), "accepted"),
        ("redundant", value(IS_REDUNDANT), "redundant"),
        ("same code, other space", with("channelv2", 22), "refused"),
        ("sequence", value(BAD_SEQUENCE), "nonce"),
        ("same code, other space", with("wasm", 32), "refused"),
        ("signature", value(BAD_SIGNATURE), "refused"),
        ("same code, other space", with("wasm", 20), "refused"),
        ("no money", with("sdk", 5), "refused"),
    ];
    for (name, body, expect) in rows {
        assert_eq!(code(&broadcast(&body)), expect, "{name}");
    }
    let Broadcast::NonceMismatch(error) = broadcast(&value(BAD_SEQUENCE)) else { unreachable!("see above") };
    assert!(error.message.contains("expected 0, got 5"), "both sequences are told: {error}");
}

#[test]
fn a_failed_broadcast_is_unknown_unless_the_node_says_more() {
    let node = |reason: &str| Error::Node {
        endpoint: "e".into(),
        method: "broadcast_tx_sync".into(),
        code: -32603,
        reason: reason.into(),
    };
    let timeout = Error::Deadline { endpoint: "e".into(), method: "m".into(), deadline_ms: 1 };
    let connect = Error::Connect { endpoint: "e".into(), reason: "refused".into() };
    let broken = Error::Broken { endpoint: "e".into(), method: "m".into(), reason: "reset".into() };
    let garbled = Error::Answer { endpoint: "e".into(), method: "m".into(), reason: "x".into() };
    let rows = [
        ("seen before", node_error(IN_CACHE), "accepted"),
        ("too large", node("tx too large. Max size is 1048576, but got 2000000"), "refused"),
        ("other words", node("timed out waiting for tx to be included in a block"), "unknown"),
        ("timeout", timeout, "unknown"),
        ("not reached", connect, "unknown"),
        ("connection broke", broken, "unknown"),
        ("garbled answer", garbled, "unknown"),
    ];
    for (name, error, expect) in rows {
        assert_eq!(code(&broadcast_failure(error)), expect, "{name}");
    }
}

#[test]
fn a_full_pool_says_nothing_of_the_transaction() {
    let mut body = value(BAD_SIGNATURE);
    body["result"]["code"] = json!(20);
    body["result"]["codespace"] = json!("sdk");
    let Broadcast::Unknown(error) = broadcast(&body) else { unreachable!("another pool may hold it") };
    assert_eq!(error.class, catenary_light_clients::Class::Transient);
    let reason = "mempool is full: number of txs 5000 (max: 5000)".to_owned();
    let error = Error::Node { endpoint: "e".into(), method: "broadcast_tx_sync".into(), code: -32603, reason };
    assert_eq!(code(&broadcast_failure(error)), "unknown");
}

#[test]
fn simulations_as_the_chain_encodes_them() {
    let file = value(include_str!("../../../../tests/vectors/ibc/queries.json"));
    let row = file["rows"].as_array().unwrap().iter().find(|row| row["name"] == "simulate").unwrap();
    assert_eq!(row["abci_query_path"], SIMULATE);
    let tx_bytes = hex::decode(row["fields"]["tx_hex"].as_str().unwrap()).unwrap();
    let request = SimulateRequest { tx_bytes }.encode_to_vec();
    assert_eq!(hex::encode(request), row["request_hex"].as_str().unwrap());
    let answer = hex::decode(row["response_hex"].as_str().unwrap()).unwrap();
    assert_eq!(gas_used("sim", &answer), Ok(row["fields"]["gas_used"].as_u64().unwrap()));
    for (name, bytes) in [("empty", &answer[..0]), ("cut", &answer[..4]), ("no gas", &answer[answer.len() - 5..])] {
        assert!(matches!(gas_used("sim", bytes), Err(Error::QueryDecode { .. })), "{name}");
    }
}

fn hash() -> TxHash {
    let text = value(TX_SENT)["result"]["hash"].as_str().unwrap().to_owned();
    TxHash(Hash32::from_slice(&hex::decode(text).unwrap()).unwrap())
}

fn read(body: &Value) -> Result<TxReceipt> {
    receipt("sim", "stake", &hash(), &tx_endpoint::Response::from_string(body.to_string()).unwrap())
}

#[test]
fn a_recorded_transaction_becomes_a_receipt() {
    let body = value(TX_SENT);
    let got = read(&body).unwrap();
    let result = &body["result"];
    assert_eq!(got.height.to_string(), result["height"].as_str().unwrap());
    assert_eq!(got.gas_used.to_string(), result["tx_result"]["gas_used"].as_str().unwrap());
    assert!(got.success && got.error.is_none() && got.created.is_none());
    assert_eq!(got.output.as_deref(), Some("1"), "the sequence of the sent packet");
    assert!(got.fee.parse::<u64>().unwrap() > 0);
}

#[test]
fn a_failed_transaction_says_why_and_produces_nothing() {
    let mut body = value(TX_SENT);
    let result = &mut body["result"]["tx_result"];
    result["code"] = json!(9);
    result["codespace"] = json!("channelv2");
    result["log"] = json!(format!("failed to execute message; timeout elapsed\n{}", "payload".repeat(100)));
    let got = read(&body).unwrap();
    assert!(!got.success && got.output.is_none());
    assert_eq!(got.error.as_deref(), Some("channelv2/9: failed to execute message; timeout elapsed"));
}

#[test]
fn a_created_client_is_the_output() {
    let mut body = value(TX_SENT);
    let event = json!({"type": "create_client", "attributes": [
        {"key": "client_id", "value": "attestations-7", "index": true},
        {"key": "client_type", "value": "attestations", "index": true},
    ]});
    body["result"]["tx_result"]["events"].as_array_mut().unwrap().push(event);
    assert_eq!(read(&body).unwrap().output.as_deref(), Some("attestations-7"));
    body["result"]["tx_result"]["events"] = json!([]);
    assert_eq!(read(&body).unwrap().output, None);
}

#[test]
fn another_transaction_is_refused() {
    let body = value(TX_SENT);
    let answer = tx_endpoint::Response::from_string(body.to_string()).unwrap();
    let got = receipt("sim", "stake", &TxHash(Hash32([0; 32])), &answer).map_err(|error| error.code());
    assert_eq!(got, Err("COS-RPC-007"));
    assert!(tx_endpoint::Response::from_string(TX_NOT_FOUND).is_err(), "not found is no receipt");
}

#[test]
fn the_sequence_that_a_node_expects_is_read_from_its_words() {
    let check = |reason: &str, expect: Option<u64>| assert_eq!(expected_sequence(reason), expect, "{reason}");
    check("account sequence mismatch, expected 2, got 1: incorrect account sequence", Some(2));
    check("rpc error: account sequence mismatch, expected 18446744073709551615, got 1", Some(u64::MAX));
    check("account sequence mismatch, expected 18446744073709551616, got 1", None);
    check("account sequence mismatch, expected , got 1", None);
    check("account sequence mismatch", None);
    check("expected 2, got 1", None);
}
