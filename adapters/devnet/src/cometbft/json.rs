//! Blocks and results as CometBFT 0.38 writes them: 64-bit numbers as text, hashes in upper-case hex, bytes in base64.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use catenary_protocol::handler::Rendered;
use serde_json::{json, Value};
use tendermint_proto::google::protobuf::Timestamp;
use tendermint_proto::v0_38::types as raw;
use tendermint_proto::v0_38::types::BlockIdFlag;

use super::block::{Block, BLOCK_BYTES_MAX, BLOCK_GAS_MAX};
use super::stores::ProofOp;
use super::tx::TxResult;
use super::validators::Validator;

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Bytes in upper-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

/// Go's form of bytes: null for none.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        Value::Null
    } else {
        base64(bytes).into()
    }
}

/// A list in Go's form: null when it is empty.
pub(crate) fn list(items: Vec<Value>) -> Value {
    if items.is_empty() {
        Value::Null
    } else {
        items.into()
    }
}

/// A point of time as RFC 3339 with as many digits as it has.
pub(crate) fn time(time: Option<&Timestamp>) -> String {
    let Some(time) = time.filter(|time| time.seconds >= 0) else { return "0001-01-01T00:00:00Z".to_owned() };
    let nanos = u32::try_from(time.nanos).unwrap_or_default();
    tendermint::Time::from_unix_timestamp(time.seconds, nanos).map(|time| time.to_rfc3339()).unwrap_or_default()
}

/// A block's id.
pub(crate) fn block_id(id: &raw::BlockId) -> Value {
    let parts = id.part_set_header.clone().unwrap_or_default();
    json!({ "hash": hex(&id.hash), "parts": { "total": parts.total, "hash": hex(&parts.hash) } })
}

/// A header.
pub(crate) fn header(header: &raw::Header) -> Value {
    let id = header.last_block_id.clone().unwrap_or_else(super::block::no_block);
    json!({
        "version": { "block": header.version.unwrap_or_default().block.to_string() },
        "chain_id": header.chain_id,
        "height": header.height.to_string(),
        "time": time(header.time.as_ref()),
        "last_block_id": block_id(&id),
        "last_commit_hash": hex(&header.last_commit_hash),
        "data_hash": hex(&header.data_hash),
        "validators_hash": hex(&header.validators_hash),
        "next_validators_hash": hex(&header.next_validators_hash),
        "consensus_hash": hex(&header.consensus_hash),
        "app_hash": hex(&header.app_hash),
        "last_results_hash": hex(&header.last_results_hash),
        "evidence_hash": hex(&header.evidence_hash),
        "proposer_address": hex(&header.proposer_address),
    })
}

/// A commit.
pub(crate) fn commit(commit: &raw::Commit) -> Value {
    let id = commit.block_id.clone().unwrap_or_else(super::block::no_block);
    let slot = |slot: &raw::CommitSig| {
        let absent = slot.block_id_flag == BlockIdFlag::Absent as i32;
        json!({
            "block_id_flag": slot.block_id_flag,
            "validator_address": hex(&slot.validator_address),
            "timestamp": if absent { time(None) } else { time(slot.timestamp.as_ref()) },
            "signature": bytes(&slot.signature),
        })
    };
    json!({
        "height": commit.height.to_string(),
        "round": commit.round,
        "block_id": block_id(&id),
        "signatures": commit.signatures.iter().map(slot).collect::<Vec<_>>(),
    })
}

/// A block without its id.
pub(crate) fn block(block: &Block) -> Value {
    json!({
        "header": header(&block.header),
        "data": { "txs": block.txs.iter().map(|tx| base64(tx)).collect::<Vec<_>>() },
        "evidence": { "evidence": [] },
        "last_commit": commit(&block.last_commit),
    })
}

/// A block in the list of blocks.
pub(crate) fn block_meta(block: &Block) -> Value {
    let size: usize = block.txs.iter().map(Vec::len).sum();
    json!({
        "block_id": block_id(&block.id),
        "block_size": size.to_string(),
        "header": header(&block.header),
        "num_txs": block.txs.len().to_string(),
    })
}

/// A validator of a set.
pub(crate) fn validator(validator: &Validator) -> Value {
    json!({
        "address": hex(&validator.address),
        "pub_key": public_key(validator),
        "voting_power": validator.power.to_string(),
        "proposer_priority": validator.priority.to_string(),
    })
}

/// A validator's key.
pub(crate) fn public_key(validator: &Validator) -> Value {
    json!({ "type": "tendermint/PubKeyEd25519", "value": base64(&validator.public_key) })
}

/// Events.
pub(crate) fn events(events: &[Rendered]) -> Value {
    let attribute = |(key, value): &(String, String)| json!({ "key": key, "value": value, "index": true });
    let event = |event: &Rendered| {
        let attributes: Vec<Value> = event.attributes.iter().map(attribute).collect();
        json!({ "type": event.kind, "attributes": attributes })
    };
    Value::Array(events.iter().map(event).collect())
}

/// What became of a transaction.
pub(crate) fn tx_result(result: &TxResult) -> Value {
    json!({
        "code": result.code,
        "data": bytes(&result.data),
        "log": result.log,
        "info": "",
        "gas_wanted": result.gas_wanted.to_string(),
        "gas_used": result.gas_used.to_string(),
        "events": events(&result.events),
        "codespace": result.codespace,
    })
}

/// Validators whose power a block changed.
pub(crate) fn validator_updates(changes: &[Validator]) -> Value {
    let update = |change: &Validator| {
        let key = json!({ "ed25519": base64(&change.public_key) });
        let sum = json!({ "type": "tendermint.crypto.PublicKey_Ed25519", "value": key });
        json!({ "pub_key": { "Sum": sum }, "power": change.power.to_string() })
    };
    list(changes.iter().map(update).collect())
}

/// The consensus parameters, which never change.
pub(crate) fn consensus_params() -> Value {
    json!({
        "block": { "max_bytes": BLOCK_BYTES_MAX.to_string(), "max_gas": BLOCK_GAS_MAX.to_string() },
        "evidence": {
            "max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576",
        },
        "validator": { "pub_key_types": ["ed25519"] },
        "version": {},
        "abci": {},
    })
}

/// The steps of a proof; null for none.
pub(crate) fn proof_ops(ops: Option<&[ProofOp]>) -> Value {
    let op = |op: &ProofOp| json!({ "type": op.kind, "key": base64(&op.key), "data": base64(&op.data) });
    ops.map_or(Value::Null, |ops| json!({ "ops": ops.iter().map(op).collect::<Vec<_>>() }))
}
