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

/// Nodes of an account, and of each slot that was asked for.
pub(crate) type Nodes = (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>);

/// Reads the bare nodes of `eth_getProof`'s answer for the slots, in their order.
///
/// # Errors
/// A malformed field, or a proof of another account or slot.
pub(crate) fn nodes_from_json(height: u64, account: &Address, slots: &[[u8; 32]], answer: &Value) -> Result<Nodes> {
    let read = || {
        let (account, slots) = read(account, slots, answer)?;
        Ok((account, slots.into_iter().map(|slot| slot.nodes).collect()))
    };
    read().map_err(|reason| Error::Proof { height, reason })
}

/// What an answer says of one slot.
struct Slot {
    value: [u8; 32],
    nodes: Vec<Vec<u8>>,
}

fn claims(router: &Address, slots: &[[u8; 32]], answer: &Value) -> core::result::Result<Vec<ProofClaim>, String> {
    let (account, slots) = read(router, slots, answer)?;
    let claim = |slot: Slot| {
        let value = (slot.value != [0; 32]).then(|| slot.value.to_vec());
        ProofClaim { value, proof: encode_proof(&account, &slot.nodes) }
    };
    Ok(slots.into_iter().map(claim).collect())
}

fn read(
    router: &Address,
    slots: &[[u8; 32]],
    answer: &Value,
) -> core::result::Result<(Vec<Vec<u8>>, Vec<Slot>), String> {
    let address: Address = json::fixed(answer.get("address")).map_err(in_field("address"))?;
    if address != *router {
        return Err(format!("asked for the account {}, got {}", hex0x(router), hex0x(&address)));
    }
    let account = nodes(answer.get("accountProof")).map_err(in_field("accountProof"))?;
    let entries = json::list(answer.get("storageProof")).map_err(in_field("storageProof"))?;
    if entries.len() != slots.len() {
        return Err(format!("asked for {} slots, got {}", slots.len(), entries.len()));
    }
    let slots = slots.iter().zip(entries).map(|(slot, entry)| read_slot(slot, entry));
    Ok((account, slots.collect::<core::result::Result<_, String>>()?))
}

fn read_slot(slot: &[u8; 32], entry: &Value) -> core::result::Result<Slot, String> {
    // Nodes write the key as it was asked for, as 32 bytes or as a number.
    let key = json::data(entry.get("key")).or_else(|_| json::quantity_bytes(entry.get("key"), 32));
    let key = key.and_then(pad).map_err(in_field("key"))?;
    if key != *slot {
        return Err(format!("asked for slot {}, got {}", hex0x(slot), hex0x(&key)));
    }
    let value = json::quantity_bytes(entry.get("value"), 32).and_then(pad).map_err(in_field("value"))?;
    Ok(Slot { value, nodes: nodes(entry.get("proof")).map_err(in_field("proof"))? })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use catenary_light_clients::proof::mpt::StorageProof;
    use serde_json::json;

    use super::*;
    use crate::testing::{proof, with};

    fn read(answer: &Value) -> core::result::Result<Vec<ProofClaim>, Error> {
        let recorded = proof();
        let router = json::fixed(recorded["answer"].get("address")).unwrap();
        let slots: Vec<[u8; 32]> =
            recorded["slots"].as_array().unwrap().iter().map(|slot| json::fixed(Some(slot)).unwrap()).collect();
        from_json(7, &router, &slots, answer)
    }

    #[test]
    fn a_recorded_proof_becomes_claims_in_order() {
        let answer = proof()["answer"].clone();
        let claims = read(&answer).unwrap();
        assert_eq!(claims.len(), 2);
        assert_eq!(claims[0].value.as_ref().unwrap().len(), 32);
        assert_eq!(claims[1].value, None, "the receipt is not here");
        for (index, claim) in claims.iter().enumerate() {
            let nodes = StorageProof::decode(&claim.proof).unwrap();
            assert_eq!(nodes.account.len(), answer["accountProof"].as_array().unwrap().len());
            assert_eq!(nodes.storage.len(), answer["storageProof"][index]["proof"].as_array().unwrap().len());
        }
    }

    #[test]
    fn values_are_padded_to_words() {
        let answer = proof()["answer"].clone();
        let mut word = [0; 32];
        word[31] = 7;
        let short = with(&answer, "/storageProof/0/value", json!("0x7"));
        assert_eq!(read(&short).unwrap()[0].value.as_deref(), Some(&word[..]));
        let zero = with(&answer, "/storageProof/0/value", json!("0x0"));
        assert_eq!(read(&zero).unwrap()[0].value, None);
    }

    #[test]
    fn other_answers_are_refused() {
        let answer = proof()["answer"].clone();
        let check = |pointer: &str, new: Value, words: &str| {
            let error = read(&with(&answer, pointer, new)).unwrap_err();
            assert_eq!(error.code(), "EVM-PRF-001", "{error}");
            assert!(error.to_string().contains(words), "{pointer}: {error}");
        };
        check("/address", json!(format!("0x{}", "ab".repeat(20))), "asked for the account");
        check("/address", Value::Null, "address is missing");
        check("/accountProof", Value::Null, "accountProof is missing");
        check("/accountProof/0", json!("0xabc"), "accountProof is not an even number");
        check("/storageProof", json!([]), "asked for 2 slots, got 0");
        check("/storageProof/0", answer["storageProof"][1].clone(), "asked for slot");
        check("/storageProof/0/key", json!(format!("0x{}", "ab".repeat(33))), "key has 33 bytes");
        check("/storageProof/0/value", json!(format!("0x1{}", "00".repeat(32))), "value has 65 hex digits");
        check("/storageProof/0/value", json!("0x007"), "value is a quantity with");
        check("/storageProof/1/proof", Value::Null, "proof is missing");
        check("/storageProof/1/proof", json!([7]), "proof is no string");
        assert_eq!(read(&Value::Null).unwrap_err().code(), "EVM-PRF-001");
    }
}
