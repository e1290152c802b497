//! Who delivered what, counted from the transactions in the blocks of both chains.
#![allow(missing_docs, reason = "the sol! macro expands to items without documentation")]

use std::collections::BTreeMap;

use alloy_sol_types::{sol, SolCall, SolValue};
use base64::Engine as _;
use catenary_protocol::attestation::{recover, signing_digest, Statement};
use catenary_protocol::proto;
use cosmos_sdk_proto::cosmos::tx::v1beta1::{TxBody, TxRaw};
use prost::Message;
use serde_json::{json, Value};
use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

use super::{chain_error, Consortium, CHAINS};
use crate::localnet::LocalnetError;

sol! {
    struct Payload { string sourcePort; string destPort; string version; string encoding; bytes value; }
    struct Packet { uint64 sequence; string sourceClient; string destClient; uint64 timeoutTimestamp; Payload[] payloads; }
    struct Height { uint64 revisionNumber; uint64 revisionHeight; }
    struct Recv { Packet packet; bytes proofCommitment; Height proofHeight; }
    struct Ack { Packet packet; bytes acknowledgement; bytes proofAcked; Height proofHeight; }
    struct Timeout { Packet packet; bytes proofTimeout; Height proofHeight; }
    struct Proof { bytes attestationData; bytes[] signatures; }
    function recvPacket(Recv msg_);
    function ackPacket(Ack msg_);
    function timeoutPacket(Timeout msg_);
    function multicall(bytes[] data);
}

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Delivers a packet.
    Recv,
    /// Brings an acknowledgement home.
    Ack,
    /// Times a packet out.
    Timeout,
}

/// One transaction in a block that carries packet messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Chain.
    pub chain: &'static str,
    /// Height of its block.
    pub height: u64,
    /// Hash, lower-case hex without prefix.
    pub tx: String,
    /// Who signed it, as the chain writes it.
    pub signer: String,
    /// Its messages: kind and sequence.
    pub messages: Vec<(Kind, u64)>,
    /// How many of them changed something, as its events say.
    pub effective: usize,
    /// Gas used.
    pub gas_used: u64,
    /// Bytes of its call data or of the whole transaction.
    pub bytes: usize,
    /// EVM addresses of the attestors whose signatures it carries.
    pub attestors: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(pub Vec<Delivery>);

impl Deliveries {
    /// Messages in blocks.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.0.iter().map(|delivery| delivery.messages.len()).sum()
    }

    /// Messages that changed nothing, since others had been faster or the transaction failed.
    #[must_use]
    pub fn redundant(&self) -> usize {
        self.0.iter().map(|delivery| delivery.messages.len().saturating_sub(delivery.effective)).sum()
    }

    /// Messages that changed something, by signer.
    #[must_use]
    pub fn by_signer(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for delivery in &self.0 {
            *counts.entry(delivery.signer.clone()).or_default() += delivery.effective;
        }
        counts
    }

    /// The transaction with that hash.
    #[must_use]
    pub fn of(&self, tx: &str) -> Option<&Delivery> {
        self.0.iter().find(|delivery| delivery.tx == tx.trim_start_matches("0x").to_lowercase())
    }
}

impl Consortium {
    /// Reads every block of both chains since the members began.
    ///
    /// # Errors
    /// When a chain cannot be read.
    pub fn deliveries(&self) -> Result<Deliveries, LocalnetError> {
        let heads = self.heads()?;
        let mut found = Vec::new();
        for height in self.started_at[0] + 1..=heads[0] {
            self.evm_block(height, &mut found)?;
        }
        for height in self.started_at[1] + 1..=heads[1] {
            self.cosmos_block(height, &mut found)?;
        }
        Ok(Deliveries(found))
    }

    fn evm_block(&self, height: u64, found: &mut Vec<Delivery>) -> Result<(), LocalnetError> {
        let rpc = self.networks.rpc(0);
        let block = rpc.call("eth_getBlockByNumber", json!([format!("0x{height:x}"), true]))?;
        let router = format!("0x{}", hex::encode(self.router));
        let transactions = block["transactions"].as_array().cloned().unwrap_or_default();
        for tx in transactions.iter().filter(|tx| tx["to"].as_str().is_some_and(|to| to.eq_ignore_ascii_case(&router)))
        {
            let data = hex_of(&tx["input"])?;
            let mut carried = Carried::default();
            carried.evm_call(&data);
            if carried.messages.is_empty() {
                continue;
            }
            let receipt = rpc.call("eth_getTransactionReceipt", json!([tx["hash"]]))?;
            let logs = receipt["logs"].as_array().cloned().unwrap_or_default();
            let noop = format!("0x{}", hex::encode(Keccak256::digest("Noop()")));
            let noops = logs.iter().filter(|log| log["topics"][0] == noop.as_str()).count();
            let succeeded = receipt["status"] == "0x1";
            found.push(Delivery {
                chain: CHAINS[0],
                height,
                tx: text(&tx["hash"]),
                signer: tx["from"].as_str().unwrap_or_default().to_lowercase(),
                effective: if succeeded { carried.messages.len().saturating_sub(noops) } else { 0 },
                messages: carried.messages,
                gas_used: u64::from_str_radix(&text(&receipt["gasUsed"]), 16).unwrap_or_default(),
                bytes: data.len(),
                attestors: carried.attestors,
            });
        }
        Ok(())
    }

    fn cosmos_block(&self, height: u64, found: &mut Vec<Delivery>) -> Result<(), LocalnetError> {
        let rpc = self.networks.rpc(1);
        let block = rpc.call("block", json!({ "height": height.to_string() }))?;
        let txs = block["block"]["data"]["txs"].as_array().cloned().unwrap_or_default();
        if txs.is_empty() {
            return Ok(());
        }
        let results = rpc.call("block_results", json!({ "height": height.to_string() }))?;
        for (index, tx) in txs.iter().enumerate() {
            let raw = base64::engine::general_purpose::STANDARD.decode(tx.as_str().unwrap_or_default());
            let raw = raw.map_err(chain_error)?;
            let body = TxRaw::decode(raw.as_slice()).map_err(chain_error)?.body_bytes;
            let body = TxBody::decode(body.as_slice()).map_err(chain_error)?;
            let mut carried = Carried::default();
            for message in &body.messages {
                carried.cosmos_message(&message.type_url, &message.value)?;
            }
            if carried.messages.is_empty() {
                continue;
            }
            let result = &results["txs_results"][index];
            let succeeded = result["code"].as_u64().unwrap_or_default() == 0;
            let events = result["events"].as_array().cloned().unwrap_or_default();
            let kinds = ["recv_packet", "acknowledge_packet", "timeout_packet"];
            let done =
                events.iter().filter(|event| kinds.contains(&event["type"].as_str().unwrap_or_default())).count();
            found.push(Delivery {
                chain: CHAINS[1],
                height,
                tx: hex::encode(Sha256::digest(&raw)),
                signer: carried.signer,
                effective: if succeeded { done } else { 0 },
                messages: carried.messages,
                gas_used: result["gas_used"].as_str().and_then(|gas| gas.parse().ok()).unwrap_or_default(),
                bytes: raw.len(),
                attestors: carried.attestors,
            });
        }
        Ok(())
    }
}

/// What a transaction carries.
#[derive(Default)]
struct Carried {
    messages: Vec<(Kind, u64)>,
    signer: String,
    attestors: Vec<String>,
}

impl Carried {
    fn evm_call(&mut self, data: &[u8]) {
        if let Ok(call) = multicallCall::abi_decode(data) {
            call.data.iter().for_each(|inner| self.evm_call(inner));
        } else if let Ok(call) = recvPacketCall::abi_decode(data) {
            self.evm_message(Kind::Recv, call.msg_.packet.sequence, &call.msg_.proofCommitment);
        } else if let Ok(call) = ackPacketCall::abi_decode(data) {
            self.evm_message(Kind::Ack, call.msg_.packet.sequence, &call.msg_.proofAcked);
        } else if let Ok(call) = timeoutPacketCall::abi_decode(data) {
            self.evm_message(Kind::Timeout, call.msg_.packet.sequence, &call.msg_.proofTimeout);
        }
    }

    fn evm_message(&mut self, kind: Kind, sequence: u64, proof: &[u8]) {
        self.messages.push((kind, sequence));
        if let Ok(proof) = Proof::abi_decode(proof) {
            self.signatures(&proof.attestationData, proof.signatures.iter().map(AsRef::as_ref));
        }
    }

    fn cosmos_message(&mut self, type_url: &str, value: &[u8]) -> Result<(), LocalnetError> {
        let (kind, packet, proof, signer) = match type_url {
            "/ibc.core.channel.v2.MsgRecvPacket" => {
                let message = proto::MsgRecvPacket::decode(value).map_err(chain_error)?;
                (Kind::Recv, message.packet, message.proof_commitment, message.signer)
            }
            "/ibc.core.channel.v2.MsgAcknowledgement" => {
                let message = proto::MsgAcknowledgement::decode(value).map_err(chain_error)?;
                (Kind::Ack, message.packet, message.proof_acked, message.signer)
            }
            "/ibc.core.channel.v2.MsgTimeout" => {
                let message = proto::MsgTimeout::decode(value).map_err(chain_error)?;
                (Kind::Timeout, message.packet, message.proof_unreceived, message.signer)
            }
            _ => return Ok(()),
        };
        self.messages.push((kind, packet.map(|packet| packet.sequence).unwrap_or_default()));
        self.signer = signer;
        let proof = proto::AttestationProof::decode(proof.as_slice()).map_err(chain_error)?;
        self.signatures(&proof.attestation_data, proof.signatures.iter().map(Vec::as_slice));
        Ok(())
    }

    fn signatures<'a>(&mut self, data: &[u8], signatures: impl Iterator<Item = &'a [u8]>) {
        let digest = signing_digest(Statement::Packets, data);
        for signature in signatures {
            let Ok(signature) = <&[u8; 65]>::try_from(signature) else { continue };
            let Ok(signer) = recover(&digest, signature) else { continue };
            let signer = format!("0x{}", hex::encode(signer));
            if !self.attestors.contains(&signer) {
                self.attestors.push(signer);
            }
        }
    }
}

/// A `0x…` value without its prefix, in lower case.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim_start_matches("0x").to_lowercase()
}

fn hex_of(value: &Value) -> Result<Vec<u8>, LocalnetError> {
    hex::decode(text(value)).map_err(|_| LocalnetError::answer("call data", value))
}
