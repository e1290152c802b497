//! Encodings against the bytes of the real cosmos-sdk and ibc-go (`tests/vectors/ibc`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use catenary_api::Call;
use catenary_protocol::Payload;
use serde_json::Value;

use super::*;
use crate::address::account_address;

fn rows(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["rows"].as_array().unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
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
        sequence: value["sequence"].as_u64().unwrap(),
        source_client: text(&value["source_client"]),
        destination_client: text(&value["destination_client"]),
        timeout_timestamp_seconds: value["timeout_seconds"].as_u64().unwrap(),
        payloads: value["payloads"].as_array().unwrap().iter().map(payload).collect(),
    }
}

fn proof(encoded: &[u8]) -> AttestationProof {
    let proof: proto::AttestationProof = proto::decode_strict("proof", encoded).unwrap();
    let signatures = proof.signatures.iter().map(|signature| signature.as_slice().try_into().unwrap()).collect();
    AttestationProof { data: proof.attestation_data, signatures }
}

/// The message of a row, by the function that deliveries go through; `None` when the row is of another kind.
fn encode(row: &Value) -> Option<Any> {
    let fields = &row["fields"];
    let signer = fields["signer"].as_str()?;
    let height = fields["proof_height"]["revision_height"].as_u64();
    let revision = fields["proof_height"]["revision_number"].as_u64();
    let attested = || Some(proof(&bytes(&fields["proof_hex"]))).filter(|_| revision == Some(0));
    Some(match row["type_url"].as_str()? {
        UPDATE_CLIENT => {
            let message = proto::decode_strict::<proto::Any>("any", &bytes(&fields["client_message_any_hex"])).unwrap();
            update_client(&text(&fields["client_id"]), &proof(&message.value), signer)
        }
        RECV_PACKET => recv_packet(&packet(&fields["packet"]), &attested()?, height?, signer),
        ACKNOWLEDGEMENT => {
            let app_acknowledgements = fields["app_acks_hex"].as_array().unwrap().iter().map(bytes).collect();
            let ack = Acknowledgement { app_acknowledgements };
            acknowledge(&packet(&fields["packet"]), &ack, &attested()?, height?, signer)
        }
        TIMEOUT => timeout(&packet(&fields["packet"]), &attested()?, height?, signer),
        _ => return None,
    })
}

#[test]
fn deliveries_are_encoded_as_ibc_go_does() {
    let mut seen = Vec::new();
    for row in rows(include_str!("../../../../tests/vectors/ibc/messages.json")) {
        if row["accepted_by_ibc_go"] != true {
            continue;
        }
        let Some(message) = encode(&row) else { continue };
        assert_eq!(hex::encode(message.encode_to_vec()), text(&row["any_hex"]), "{}", row["name"]);
        seen.push(message.type_url);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [ACKNOWLEDGEMENT, RECV_PACKET, TIMEOUT, UPDATE_CLIENT], "each kind of delivery has a row");
}

fn config(row: &Value) -> CosmosConfig {
    let (chain_id, fee_denom) = (text(&row["chain_id"]), text(&row["fee_denom"]));
    CosmosConfig { chain_id, fee_denom, gas_max: u64::MAX, ..crate::config::testing::config() }
}

fn calls(row: &Value) -> TxBody {
    let call = |value: &Value| {
        let any = Any::decode(bytes(value).as_slice()).unwrap();
        Call { to: None, type_url: any.type_url, data: any.value, summary: String::new() }
    };
    TxBody::Call(row["messages_any_hex"].as_array().unwrap().iter().map(call).collect())
}

#[test]
fn transactions_are_encoded_as_the_sdk_does() {
    let mut checked = 0;
    for row in rows(include_str!("../../../../tests/vectors/ibc/txs.json")) {
        // This adapter sets neither a memo nor a timeout height.
        if row["memo"] != "" || row["timeout_height"] != 0 {
            continue;
        }
        let name = text(&row["name"]);
        let key = PublicKey(bytes(&row["public_key_hex"]).try_into().unwrap());
        assert_eq!(account_address("cosmos", &key).unwrap(), text(&row["bech32"]), "{name}");
        let body = body_bytes(messages(&calls(&row), "ignored"));
        assert_eq!(body, bytes(&row["body_hex"]), "{name}");
        let (account_number, sequence) = (row["account_number"].as_u64().unwrap(), row["sequence"].as_u64().unwrap());
        let signing = Signing { public_key: &key, account_number, sequence };
        let gas = row["gas_limit"].as_u64().unwrap();
        let amount = text(&row["fee_amount"]);
        let coins = if amount.is_empty() { vec![] } else { vec![Coin { denom: text(&row["fee_denom"]), amount }] };
        assert_eq!(auth_info_bytes(signing, gas, coins.clone()), bytes(&row["auth_info_hex"]), "{name}");
        if !coins.is_empty() {
            continue;
        }
        let unsigned = unsigned(&config(&row), body, signing, gas).unwrap();
        assert_eq!(unsigned.payload, bytes(&row["sign_doc_hex"]), "{name}");
        assert_eq!(unsigned.digest.0.to_vec(), bytes(&row["sign_doc_sha256_hex"]), "{name}");
        let mut signature = bytes(&row["signature_hex"]);
        signature.push(1);
        let signed = finish(&config(&row), &unsigned, &signature.try_into().unwrap()).unwrap();
        assert_eq!(signed.bytes, bytes(&row["tx_raw_hex"]), "{name}");
        assert_eq!(signed.hash.0 .0.to_vec(), bytes(&row["tx_hash_hex"]), "{name}");
        assert_eq!(signed.bytes.len(), unsigned.size_bytes, "{name}");
        checked += 1;
    }
    assert!(checked >= 2, "rows without a fee went the whole way: {checked}");
}

#[test]
fn fees_are_read_back_from_transactions() {
    for row in rows(include_str!("../../../../tests/vectors/ibc/txs.json")) {
        let raw = bytes(&row["tx_raw_hex"]);
        let amount = text(&row["fee_amount"]);
        let expect = if amount.is_empty() { "0".to_owned() } else { amount };
        let denom = if row["fee_denom"] == "" { "stake".to_owned() } else { text(&row["fee_denom"]) };
        assert_eq!(fee_paid("c", &raw, &denom), Ok(expect), "{}", row["name"]);
        assert_eq!(fee_paid("c", &raw, "other"), Ok("0".to_owned()), "{}", row["name"]);
        assert!(matches!(fee_paid("c", &raw[..raw.len() - 1], &denom), Err(Error::QueryDecode { .. })));
    }
}

fn first_row() -> Value {
    rows(include_str!("../../../../tests/vectors/ibc/txs.json")).remove(0)
}

fn made(spoil: impl Fn(&mut CosmosConfig)) -> (CosmosConfig, Result<UnsignedTx>) {
    let row = first_row();
    let mut config = config(&row);
    spoil(&mut config);
    let key = PublicKey(bytes(&row["public_key_hex"]).try_into().unwrap());
    let signing = Signing { public_key: &key, account_number: 1, sequence: 2 };
    let unsigned = unsigned(&config, body_bytes(messages(&calls(&row), "ignored")), signing, 1_000);
    (config, unsigned)
}

#[test]
fn a_payload_that_is_not_ours_is_not_finished() {
    let (config, good) = made(|_| {});
    let good = good.unwrap();
    assert!(finish(&config, &good, &[7; 65]).is_ok());
    let with = |payload: Vec<u8>| UnsignedTx { digest: Hash32::sha256(&[&payload]), payload, ..good.clone() };
    let other_chain = CosmosConfig { chain_id: "sim-2".into(), ..config.clone() };
    let rows = [
        ("another digest", finish(&config, &UnsignedTx { digest: Hash32([1; 32]), ..good.clone() }, &[7; 65])),
        ("no document", finish(&config, &with(vec![0xff]), &[7; 65])),
        ("cut", finish(&config, &with(good.payload[..good.payload.len() - 3].to_vec()), &[7; 65])),
        ("unknown field", finish(&config, &with([good.payload.clone(), vec![0x50, 1]].concat()), &[7; 65])),
        ("another chain", finish(&other_chain, &good, &[7; 65])),
    ];
    for (name, got) in rows {
        assert!(matches!(got, Err(Error::Payload { .. })), "{name}: {got:?}");
    }
}

#[test]
fn limits_hold_before_anything_is_signed() {
    let (config, good) = made(|_| {});
    let size = good.unwrap().size_bytes;
    let at = |max| made(|config| config.tx_bytes_max = max).1.map(|unsigned| unsigned.size_bytes);
    assert_eq!(at(size), Ok(size));
    assert_eq!(at(size - 1), Err(Error::TxBytes { chain: "sim".into(), got: size, max: size - 1 }));

    let limit = |simulated, percent, gas_max| {
        let config = CosmosConfig { gas_multiplier_percent: percent, gas_max, ..config.clone() };
        gas_limit(&config, simulated).map_err(|error| error.code())
    };
    let rows = [
        ("multiplied", limit(100_000, 150, 1_000_000), Ok(150_000)),
        ("rounded down", limit(3, 150, 1_000_000), Ok(4)),
        ("cut to the bound", limit(900_000, 150, 1_000_000), Ok(1_000_000)),
        ("at the bound", limit(1_000_000, 150, 1_000_000), Ok(1_000_000)),
        ("above it", limit(1_000_001, 150, 1_000_000), Err("COS-TX-004")),
        ("no overflow", limit(u64::MAX, u64::MAX, u64::MAX), Ok(u64::MAX)),
    ];
    for (name, got, expect) in rows {
        assert_eq!(got, expect, "{name}");
    }
}

#[test]
fn the_fee_is_price_times_limit() {
    let priced = |price: &str, gas| {
        let config = CosmosConfig { gas_price: price.into(), fee_denom: "stake".into(), ..config(&first_row()) };
        fee(&config, gas).map(|coins| coins.into_iter().map(|coin| coin.amount + &coin.denom).collect::<Vec<_>>())
    };
    assert_eq!(priced("0", 1_000), Ok(vec![]), "free gas carries no coin");
    assert_eq!(priced("0.025", 200_001), Ok(vec!["5001stake".to_owned()]));
    assert!(matches!(priced("x", 1), Err(Error::Config { field: "gas_price", .. })));
}

#[test]
fn a_message_takes_the_bytes_that_were_said() {
    let config = config(&first_row());
    let signer = text(&first_row()["bech32"]);
    let proof = AttestationProof { data: vec![7; 192], signatures: vec![[9; 65]; 2] };
    let update = Message::UpdateClient { client_id: "attestations-0".into(), proof };
    let one = body_bytes(vec![message(&update, &signer)]).len();
    let three = body_bytes(vec![message(&update, &signer); 3]).len();
    assert_eq!(message_bytes(&config, &update), one);
    assert_eq!(three, 3 * one, "sizes of messages add up");
}
