//! The lies that endpoints tell in tests, each of one kind and nothing else.

use std::sync::{Mutex, PoisonError};

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine as _;
use serde_json::{json, Value};
use sha3::{Digest as _, Keccak256};

use crate::localnet::evm_tx::{bytes, list, trim};

/// Changes one hex digit of a string, `back` digits from its end.
fn turn_digit(text: &Value, back: usize) -> Option<Value> {
    let mut text = text.as_str()?.to_owned();
    let place = text.len().checked_sub(back + 1)?;
    let digit = text.get(place..=place)?;
    let other = if digit == "1" { "2" } else { "1" };
    text.replace_range(place..=place, other);
    Some(Value::from(text))
}

fn set(answer: &mut Value, pointer: &str, new: impl FnOnce(&Value) -> Option<Value>) -> bool {
    let Some(place) = answer.pointer_mut(pointer) else { return false };
    let Some(new) = new(place) else { return false };
    *place = new;
    true
}

fn asks(request: &Value, method: &str) -> bool {
    request["method"] == method
}

/// A commit seal of a QBFT block, which its hash does not cover.
#[must_use]
pub fn qbft_seal(request: &Value, answer: &mut Value) -> bool {
    // The seals are the last item of the extra data, so a digit near the end is in the last of them.
    asks(request, "eth_getBlockByNumber") && set(answer, "/result/extraData", |data| turn_digit(data, 40))
}

/// The state root of a QBFT block, with the hash that fits: only the seals give it away.
#[must_use]
pub fn qbft_state_root(request: &Value, answer: &mut Value) -> bool {
    if !asks(request, "eth_getBlockByNumber") || !set(answer, "/result/stateRoot", |root| turn_digit(root, 0)) {
        return false;
    }
    let hash = answer.get("result").and_then(qbft_hash);
    hash.is_some_and(|hash| set(answer, "/result/hash", |_| Some(Value::from(hash))))
}

/// The hash of a QBFT header: of its RLP, with the extra data without its seals and round 0.
fn qbft_hash(block: &Value) -> Option<String> {
    let field = |name: &str| hex::decode(pad(block[name].as_str()?.strip_prefix("0x")?)).ok();
    let fixed = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"];
    let numbers = ["difficulty", "number", "gasLimit", "gasUsed", "timestamp"];
    let mut items = Vec::new();
    for name in fixed {
        items.push(bytes(&field(name)?));
    }
    for name in numbers {
        items.push(bytes(trim(&field(name)?)));
    }
    items.push(bytes(&unsealed(&field("extraData")?)?));
    items.push(bytes(&field("mixHash")?));
    items.push(bytes(&field("nonce")?));
    Some(format!("0x{}", hex::encode(Keccak256::digest(list(&items)))))
}

fn pad(digits: &str) -> String {
    if digits.len().is_multiple_of(2) {
        digits.to_owned()
    } else {
        format!("0{digits}")
    }
}

/// Extra data `[vanity, validators, vote, round, seals]` with round 0 and no seals.
fn unsealed(extra: &[u8]) -> Option<Vec<u8>> {
    let mut rest = content(extra)?.0;
    let mut items = Vec::new();
    for _ in 0..3 {
        let (_, length) = content(rest)?;
        items.push(rest.get(..length)?.to_vec());
        rest = rest.get(length..)?;
    }
    items.extend([bytes(&[]), list(&[])]);
    Some(list(&items))
}

/// The content of the RLP item at the start, and the length of the whole item.
fn content(item: &[u8]) -> Option<(&[u8], usize)> {
    let first = usize::from(*item.first()?);
    let long = |base: usize| {
        let size = first - base;
        let length = item.get(1..=size)?.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        Some((1 + size, length))
    };
    let (start, length) = match first {
        0..=0x7f => (0, 1),
        0x80..=0xb7 => (1, first - 0x80),
        0xb8..=0xbf => long(0xb7)?,
        0xc0..=0xf7 => (1, first - 0xc0),
        _ => long(0xf7)?,
    };
    Some((item.get(start..start + length)?, start + length))
}

/// The value at a storage slot.
#[must_use]
pub fn storage_value(request: &Value, answer: &mut Value) -> bool {
    let present = answer.pointer("/result/storageProof/0/value").is_some_and(|value| value != "0x0");
    asks(request, "eth_getProof")
        && present
        && set(answer, "/result/storageProof/0/value", |value| turn_digit(value, 0))
}

/// A node of a storage proof.
#[must_use]
pub fn storage_proof(request: &Value, answer: &mut Value) -> bool {
    asks(request, "eth_getProof") && set(answer, "/result/storageProof/0/proof/0", |node| turn_digit(node, 8))
}

/// The packet in an event of the router: a digit of the receiver, near the end of the data.
#[must_use]
pub fn evm_event(request: &Value, answer: &mut Value) -> bool {
    if !asks(request, "eth_getLogs") {
        return false;
    }
    let Some(logs) = answer.get_mut("result").and_then(Value::as_array_mut) else { return false };
    let sent = format!("0x{}", hex::encode(Keccak256::digest(SEND_PACKET)));
    let mut changed = false;
    for log in logs.iter_mut().filter(|log| log["topics"][0] == sent.as_str()) {
        let Some(data) = log["data"].as_str().map(str::to_owned) else { continue };
        // The receiver is text: its first letters in hex are those of every address of the chain.
        if let Some(place) = data.find(&hex::encode("cosmos1")) {
            let mut data = data;
            data.replace_range(place..place + 14, &hex::encode("cosmos2"));
            log["data"] = Value::from(data);
            changed = true;
        }
    }
    changed
}

/// Signature of the router's event.
const SEND_PACKET: &str =
    "SendPacket(string,uint256,(uint64,string,string,uint64,(string,string,string,string,bytes)[]))";

/// The app hash in a CometBFT header.
#[must_use]
pub fn app_hash(request: &Value, answer: &mut Value) -> bool {
    asks(request, "commit") && set(answer, "/result/signed_header/header/app_hash", |hash| turn_digit(hash, 0))
}

/// A signature of a CometBFT commit.
#[must_use]
pub fn comet_signature(request: &Value, answer: &mut Value) -> bool {
    asks(request, "commit")
        && set(answer, "/result/signed_header/commit/signatures/0/signature", |signature| {
            let mut bytes = BASE64.decode(signature.as_str()?).ok()?;
            *bytes.first_mut()? ^= 1;
            Some(Value::from(BASE64.encode(bytes)))
        })
}

/// The value of a key of the IBC store.
#[must_use]
pub fn store_value(request: &Value, answer: &mut Value) -> bool {
    let proven = request["params"]["prove"] == true;
    asks(request, "abci_query")
        && proven
        && set(answer, "/result/response/value", |value| {
            let mut bytes = BASE64.decode(value.as_str()?).ok()?;
            *bytes.first_mut()? ^= 1;
            Some(Value::from(BASE64.encode(bytes)))
        })
}

/// A head that stands still: what was first asked for the head is the answer for ever.
pub fn frozen_head() -> impl Fn(&Value, &mut Value) -> bool + Send + Sync + 'static {
    let first: Mutex<Option<Value>> = Mutex::new(None);
    move |request, answer| {
        let head = asks(request, "eth_blockNumber")
            || (asks(request, "eth_getBlockByNumber") && request["params"][0] == json!("latest"))
            || asks(request, "status");
        if !head {
            return false;
        }
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = first.get_or_insert_with(|| answer["result"].clone()).clone();
        let changed = answer["result"] != kept;
        answer["result"] = kept;
        changed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn the_hash_of_a_recorded_header_is_the_one_that_its_chain_gave() {
        let text = include_str!("../../vectors/evm/blocks.json");
        let blocks: Vec<Value> = serde_json::from_str(text).unwrap();
        let sealed = blocks.iter().filter(|block| block["number"] != "0x0");
        let hashes: Vec<_> = sealed.map(|block| (qbft_hash(block).unwrap(), block["hash"].clone())).collect();
        assert!(hashes.len() > 3);
        for (computed, given) in hashes {
            assert_eq!(given, computed.as_str());
        }
    }

    #[test]
    fn each_lie_changes_what_it_says_and_nothing_of_other_answers() {
        let block = json!({ "result": { "extraData": format!("0x{}", "0".repeat(200)) } });
        let asked = json!({ "method": "eth_getBlockByNumber" });
        let mut answer = block.clone();
        assert!(qbft_seal(&asked, &mut answer));
        assert_ne!(answer, block);
        let mut answer = block.clone();
        assert!(!qbft_seal(&json!({ "method": "eth_getLogs" }), &mut answer));
        assert_eq!(answer, block);

        let frozen = frozen_head();
        let asked = json!({ "method": "eth_blockNumber" });
        let mut heads = ["0x1", "0x2"].map(|head| json!({ "result": head }));
        let changed = heads.each_mut().map(|head| frozen(&asked, head));
        assert_eq!((changed, &heads[1]), ([false, true], &json!({ "result": "0x1" })));
    }
}
