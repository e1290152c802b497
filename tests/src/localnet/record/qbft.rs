//! Headers and proofs of a QBFT network: a stopped validator (rounds above 0), a validator voted out and in again.

use std::path::Path;
use std::time::Duration;

use serde_json::{json, Map, Value};
use sha3::{Digest, Keccak256};

use super::write;
use crate::localnet::{wait_until, LocalnetError, Quorum, QuorumOptions};

/// How long each step may take, in seconds; generous for loaded machines.
const STEP: Duration = Duration::from_secs(240);
/// Fewest headers in a recording.
const HEADERS_MIN: u64 = 64;
/// ERC-7201 base slot of `ibc.storage.IBCStore`, the public Solidity router's store.
const IBC_STORE_SLOT: &str = "1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600";
/// Runs SSTORE(calldata[0..32], calldata[32..64]).
const RUNTIME: [u8; 8] = [0x60, 0x20, 0x35, 0x60, 0x00, 0x35, 0x55, 0x00];

type Word = [u8; 32];

/// Records `headers.json` and `proofs.json` into `dir`.
///
/// # Errors
/// When the network does not start or a step does not happen in time.
pub fn record_qbft(dir: &Path) -> Result<(), LocalnetError> {
    let net = Quorum::start(QuorumOptions { request_timeout_seconds: 2, ..QuorumOptions::default() })?;
    let slots = slots();
    let deployer = &net.options.accounts[0];
    let created = net.send(deployer, None, &init_code(&slots))?;
    let contract = address(&created["contractAddress"])?;
    let plain = address(&net.send(deployer, None, &init_code(&[]))?["contractAddress"])?;
    let full = net.wait_for_height(net.height(0)? + 3, STEP)? - 1;
    // one slot is emptied again: present at the first height, absent at the second
    net.send(deployer, Some(contract), &[slots[0].1, [0; 32]].concat())?;
    let emptied = net.wait_for_height(net.height(0)? + 3, STEP)? - 1;
    let story = change_validators(&net)?;
    let head = net.wait_for_height(HEADERS_MIN.max(net.height(0)? + 3), STEP)?;

    let headers = (0..=head).map(|n| header(&net, n)).collect::<Result<Vec<_>, _>>()?;
    write(
        dir,
        "headers.json",
        &json!({
            "source": "GoQuorum 22.7.4, four validators, recorded by `catenary-localnet record`",
            "chain_id": net.options.chain_id, "genesis_hash": net.genesis_hash, "validators": net.validators, "story": story,
            "validator_keys_hex": net.validator_keys.iter().map(hex::encode).collect::<Vec<_>>(), "headers": headers,
        }),
    )?;
    let absent_slots: Vec<Word> = (0..6u8).map(|i| Keccak256::digest([b'x', i]).into()).collect();
    let keys: Vec<Word> = slots.iter().map(|s| s.1).chain(absent_slots.iter().copied()).collect();
    let asked = [
        ("contract with storage", contract, keys.clone(), full),
        ("contract with one slot emptied", contract, keys, emptied),
        ("contract without storage", plain, absent_slots.clone(), full),
        ("account without code", deployer.evm_address, absent_slots.clone(), full),
        ("absent account", [0xaa; 20], absent_slots, full),
        ("genesis account at block 0", deployer.evm_address, vec![], 0),
    ];
    let rows = asked.into_iter().map(|a| proof(&net, a)).collect::<Result<Vec<_>, _>>()?;
    let known = slots.iter().map(|(name, key, value)| json!({"name": name, "key": word(key), "value": word(value)}));
    let known: Vec<Value> = known.collect();
    write(dir, "proofs.json", &json!({"source": "GoQuorum 22.7.4, eth_getProof", "slots": known, "rows": rows}))
}

/// Stops a validator for a while, votes it out, and in again; gives the heights at which each step began.
fn change_validators(net: &Quorum) -> Result<Value, LocalnetError> {
    let mut story = Map::new();
    let mut mark = |what: &str| -> Result<u64, LocalnetError> {
        let height = net.height(0)?;
        story.insert(what.to_owned(), height.into());
        Ok(height)
    };
    let at = mark("validator_3_stopped_after")?;
    net.stop(3);
    net.wait_for_node_height(0, at + 10, STEP)?;
    net.restart(3)?;
    let at = mark("validator_3_started_after")?;
    net.wait_for_node_height(3, at + 2, STEP)?;
    for (authorise, what) in [(false, "vote_out_after"), (true, "vote_in_after")] {
        mark(what)?;
        net.propose_validator(&net.validators[3], authorise)?;
        let size = if authorise { 4 } else { 3 };
        wait_until("the change of the validator set", STEP, || {
            Ok((net.validators_now(0)?.len() == size).then_some(()))
        })?;
        let at = mark(if authorise { "voted_in_before" } else { "voted_out_before" })?;
        net.wait_for_node_height(0, at + 5, STEP)?;
    }
    Ok(story.into())
}

/// Named storage slots: name, key, value.
fn slots() -> Vec<(String, Word, Word)> {
    let small = |n: u8| {
        let mut w = [0; 32];
        w[31] = n;
        w
    };
    let text = |s: &str| -> Word { Keccak256::digest(s.as_bytes()).into() };
    let mut zero_led = text("value with a leading zero");
    zero_led[0] = 0;
    let mut out = vec![
        ("number one".to_owned(), small(0), small(1)),
        ("number 128, whose encoding has a prefix".to_owned(), small(1), small(128)),
        ("32 bytes".to_owned(), small(2), text("value")),
        ("leading zero byte".to_owned(), small(3), zero_led),
        ("all ones".to_owned(), small(4), [0xff; 32]),
    ];
    for sequence in 1..=40u64 {
        let path = [b"client-0", &[1][..], &sequence.to_be_bytes()].concat();
        out.push((
            format!("commitment {sequence} of client-0"),
            ibc_slot(&path),
            text(&format!("commitment {sequence}")),
        ));
    }
    out
}

/// Where the Solidity router keeps the value of an ICS-24 path.
fn ibc_slot(path: &[u8]) -> Word {
    let base = hex::decode(IBC_STORE_SLOT).expect("a constant in hex");
    Keccak256::digest([&Keccak256::digest(path)[..], &base].concat()).into()
}

/// Creation code that stores the slots and leaves [`RUNTIME`] behind.
fn init_code(slots: &[(String, Word, Word)]) -> Vec<u8> {
    let mut code = Vec::new();
    for (_, key, value) in slots {
        for word in [value, key] {
            code.push(0x7f);
            code.extend(word);
        }
        code.push(0x55);
    }
    // PUSH8 runtime, PUSH1 0, MSTORE, PUSH1 8, PUSH1 24, RETURN
    code.push(0x67);
    code.extend(RUNTIME);
    code.extend([0x60, 0x00, 0x52, 0x60, 0x08, 0x60, 0x18, 0xf3]);
    code
}

fn word(w: &Word) -> String {
    format!("0x{}", hex::encode(w))
}

fn address(text: &Value) -> Result<[u8; 20], LocalnetError> {
    let bytes = text.as_str().and_then(|t| hex::decode(t.trim_start_matches("0x")).ok());
    bytes.and_then(|b| b.try_into().ok()).ok_or_else(|| LocalnetError::answer("contract address", text))
}

/// One header: the node's own RLP, and its JSON.
fn header(net: &Quorum, number: u64) -> Result<Value, LocalnetError> {
    let mut block = net.rpc(0).call("eth_getBlockByNumber", json!([format!("{number:#x}"), false]))?;
    if let Some(fields) = block.as_object_mut() {
        for not_header in ["transactions", "uncles", "size", "totalDifficulty"] {
            fields.remove(not_header);
        }
    }
    let rlp = net.rpc(0).call("debug_getBlockRlp", json!([number]))?;
    let raw = rlp.as_str().and_then(|t| hex::decode(t.trim_start_matches("0x")).ok()).unwrap_or_default();
    let first = first_item(&raw).ok_or_else(|| LocalnetError::answer("debug_getBlockRlp", &rlp))?;
    Ok(json!({"number": number, "hash": block["hash"], "rlp_hex": hex::encode(first), "json": block}))
}

/// The first item of an RLP list, its own prefix included: the header of a block.
fn first_item(list: &[u8]) -> Option<&[u8]> {
    let (start, _) = payload(list)?;
    let item = list.get(start..)?;
    let (offset, length) = payload(item)?;
    item.get(..offset + length)
}

/// Offset and length of a list's payload.
fn payload(list: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*list.first()?);
    if first >= 0xf8 {
        let size = first - 0xf7;
        let length = list.get(1..1 + size)?.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        return Some((1 + size, length));
    }
    Some((1, first.checked_sub(0xc0)?))
}

fn proof(net: &Quorum, (name, who, keys, height): (&str, [u8; 20], Vec<Word>, u64)) -> Result<Value, LocalnetError> {
    let (at, who) = (format!("{height:#x}"), format!("0x{}", hex::encode(who)));
    let keys: Vec<String> = keys.iter().map(word).collect();
    let answer = net.rpc(0).call("eth_getProof", json!([who, keys, at]))?;
    let block = net.rpc(0).call("eth_getBlockByNumber", json!([at, false]))?;
    Ok(
        json!({"name": name, "height": height, "state_root": block["stateRoot"], "address": who, "keys": keys, "answer": answer}),
    )
}
