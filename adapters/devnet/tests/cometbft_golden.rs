//! The verdicts of the real ibc-go attestation client (`tests/vectors/ibc`), given again by this chain: each proof goes
//! in as a signed transaction.
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use catenary_api::{Account, BuildRequest, Call, ChainSink, TxBody};
use catenary_devnet::cometbft::{Clock, CometConfig};
use catenary_protocol::proto::{self, Any, MsgCreateClient, MsgRecvPacket, MsgUpdateClient};
use catenary_protocol::Packet;
use prost::Message;
use serde_json::Value;

#[path = "cometbft/support.rs"]
mod support;
use support::*;

fn rows(name: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/vectors/ibc/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["rows"].as_array().unwrap().clone()
}

fn row(name: &str, row: &str) -> Value {
    rows(name).into_iter().find(|found| found["name"] == row).unwrap()
}

fn bytes(row: &Value, field: &str) -> Vec<u8> {
    hex::decode(row[field].as_str().unwrap()).unwrap()
}

fn call(type_url: &str, message: &impl Message) -> Call {
    Call { to: None, type_url: type_url.to_owned(), data: message.encode_to_vec(), summary: String::new() }
}

/// A chain with the client that the verdicts are about, in a time before the packet's deadline.
async fn chain() -> Rig {
    let clock = Clock::Stepped { start_seconds: 1_794_990_000, step: Duration::from_secs(1) };
    let rig = Rig::start(CometConfig { clock, ..config() }).await;
    let golden = row("client_states", "two of three");
    let signer = rig.relayer.address.clone();
    let message = MsgCreateClient {
        client_state: Some(Any::decode(bytes(&golden, "client_state_any_hex").as_slice()).unwrap()),
        consensus_state: Some(Any::decode(bytes(&golden, "consensus_state_any_hex").as_slice()).unwrap()),
        signer: signer.clone(),
    };
    let created = rig.call(call(proto::MSG_CREATE_CLIENT, &message)).await;
    assert_eq!(created.output.as_deref(), Some(OURS));
    rig.call(catenary_adapter_cosmos::setup::register_counterparty(&signer, OURS, THEIRS).unwrap()).await;
    rig
}

/// Sends a message, and tells whether it took effect.
async fn taken(rig: &Rig, account: &Account, call: Call) -> bool {
    let body = TxBody::Call(vec![call]);
    let request = BuildRequest { body: &body, public_key: &rig.relayer.key, account, nonce: account.nonce };
    match rig.adapter.build(request).await {
        Ok(_) => rig.send(body).await.success,
        Err(error) => {
            assert_eq!(error.code, "COS-TX-001", "refused in the estimate: {error}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_clients_verdicts_are_given_again() {
    let packet = Packet::proto_decode(&bytes(&row("packets", "transfer from evm to ibc-go"), "protobuf_hex")).unwrap();
    let (mut agreed, mut accepted) = (0, 0);
    for golden in rows("proof_verdicts") {
        let message = match golden["call"].as_str().unwrap() {
            "update" => Some(update(&golden)),
            "membership" if is_about(&golden, &packet) => Some(receive(&golden, &packet)),
            _ => None,
        };
        let Some((type_url, encode)) = message else { continue };
        let rig = chain().await;
        let account = rig.adapter.account(&rig.relayer.key).await.unwrap();
        let data = encode(&rig.relayer.address);
        let call = Call { to: None, type_url: type_url.to_owned(), data, summary: String::new() };
        let name = golden["name"].as_str().unwrap();
        // The one that this project refuses though the module takes it.
        let stricter = name.starts_with("high s");
        let expect = golden["accepted_by_ibc_go"].as_bool().unwrap() && !stricter;
        assert_eq!(taken(&rig, &account, call).await, expect, "{name}");
        agreed += 1;
        accepted += u32::from(expect);
    }
    assert_eq!((agreed, accepted), (19, 5), "verdicts that were looked at, and those that were good");
}

type Encode = Box<dyn Fn(&str) -> Vec<u8>>;

fn update(golden: &Value) -> (&'static str, Encode) {
    let proof = Any { type_url: proto::ATTESTATION_PROOF.to_owned(), value: bytes(golden, "proof_hex") };
    let encode = move |signer: &str| {
        let (client_id, client_message) = (OURS.to_owned(), Some(proof.clone()));
        MsgUpdateClient { client_id, client_message, signer: signer.to_owned() }.encode_to_vec()
    };
    (proto::MSG_UPDATE_CLIENT, Box::new(encode))
}

fn is_about(golden: &Value, packet: &Packet) -> bool {
    bytes(golden, "path_hex") == packet.commitment_path().as_bytes()
        && bytes(golden, "value_hex") == packet.commitment().as_bytes()
}

fn receive(golden: &Value, packet: &Packet) -> (&'static str, Encode) {
    let (packet, proof_commitment) = (packet.clone(), bytes(golden, "proof_hex"));
    let height = proto::Height { revision_number: 0, revision_height: golden["height"].as_u64().unwrap() };
    let encode = move |signer: &str| {
        let (packet, signer) = (Some((&packet).into()), signer.to_owned());
        let (proof_commitment, proof_height) = (proof_commitment.clone(), Some(height));
        MsgRecvPacket { packet, proof_commitment, proof_height, signer }.encode_to_vec()
    };
    (proto::MSG_RECV_PACKET, Box::new(encode))
}
