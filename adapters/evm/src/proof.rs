//! Storage proofs: `eth_getProof`'s answer as a light client takes it.
//!
//! Values and nodes are checked for shape only; whether they prove anything is the light client's verdict.

use catenary_api::ProofClaim;
use catenary_light_clients::proof::mpt::encode_proof;
use catenary_protocol::attestation::Address;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{self, hex0x};

/// Reads `eth_getProof`'s answer for the slots, in their order.
///
/// # Errors
/// A malformed field, or a proof of another account or slot.
pub(crate) fn from_json(height: u64, router: &Address, slots: &[[u8; 32]], answer: &Value) -> Result<Vec<ProofClaim>> {
    claims(router, slots, answer).map_err(|reason| Error::Proof { height, reason })
}

fn claims(router: &Address, slots: &[[u8; 32]], answer: &Value) -> core::result::Result<Vec<ProofClaim>, String> {
    let address: Address = json::fixed(answer.get("address")).map_err(in_field("address"))?;
    if address != *router {
        return Err(format!("asked for the account {}, got {}", hex0x(router), hex0x(&address)));
    }
    let account = nodes(answer.get("accountProof")).map_err(in_field("accountProof"))?;
    let entries = json::list(answer.get("storageProof")).map_err(in_field("storageProof"))?;
    if entries.len() != slots.len() {
        return Err(format!("asked for {} slots, got {}", slots.len(), entries.len()));
    }
    slots.iter().zip(entries).map(|(slot, entry)| claim(&account, slot, entry)).collect()
}

fn claim(account: &[Vec<u8>], slot: &[u8; 32], entry: &Value) -> core::result::Result<ProofClaim, String> {
    // Nodes write the key as it was asked for, as 32 bytes or as a number.
    let key = json::data(entry.get("key")).or_else(|_| json::quantity_bytes(entry.get("key"), 32));
    let key = key.and_then(pad).map_err(in_field("key"))?;
    if key != *slot {
        return Err(format!("asked for slot {}, got {}", hex0x(slot), hex0x(&key)));
    }
    let value = json::quantity_bytes(entry.get("value"), 32).and_then(pad).map_err(in_field("value"))?;
    let storage = nodes(entry.get("proof")).map_err(in_field("proof"))?;
    let value = (value != [0; 32]).then(|| value.to_vec());
    Ok(ProofClaim { value, proof: encode_proof(account, &storage) })
}

fn in_field(field: &str) -> impl Fn(String) -> String + '_ {
    move |reason| format!("field {field} {reason}")
}

fn pad(bytes: Vec<u8>) -> core::result::Result<[u8; 32], String> {
    let mut word = [0; 32];
    let start = 32usize.checked_sub(bytes.len()).ok_or_else(|| format!("has {} bytes, at most 32", bytes.len()))?;
    word[start..].copy_from_slice(&bytes);
    Ok(word)
}

fn nodes(value: Option<&Value>) -> core::result::Result<Vec<Vec<u8>>, String> {
    json::list(value)?.iter().map(|node| json::data(Some(node))).collect()
}
