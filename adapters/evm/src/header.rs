//! Raw headers: the RLP of a block header is built from the JSON fields of `eth_getBlockByNumber`, and its hash is
//! compared with the one that the endpoint claims. A light client then checks the seals in it.
//!
//! Fields that came with later forks are kept in their canonical order, so a header of a newer network is hashed
//! right or refused, never cut.

use catenary_light_clients::{ibft2, qbft, Family, Hash32, Timestamp};
use ethers_core::utils::rlp::RlpStream;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json;

/// How a header field is written in JSON and in RLP.
#[derive(Clone, Copy)]
enum Kind {
    /// A number of at most this many bytes.
    Number(usize),
    /// Exactly this many bytes.
    Fixed(usize),
    /// Any number of bytes.
    Bytes,
}

/// The fields that every header has, in RLP order (Yellow Paper 4.3).
const FIELDS: [(&str, Kind); 15] = [
    ("parentHash", Kind::Fixed(32)),
    ("sha3Uncles", Kind::Fixed(32)),
    ("miner", Kind::Fixed(20)),
    ("stateRoot", Kind::Fixed(32)),
    ("transactionsRoot", Kind::Fixed(32)),
    ("receiptsRoot", Kind::Fixed(32)),
    ("logsBloom", Kind::Fixed(256)),
    ("difficulty", Kind::Number(32)),
    ("number", Kind::Number(8)),
    ("gasLimit", Kind::Number(32)),
    ("gasUsed", Kind::Number(32)),
    ("timestamp", Kind::Number(8)),
    ("extraData", Kind::Bytes),
    ("mixHash", Kind::Fixed(32)),
    ("nonce", Kind::Fixed(8)),
];

/// The fields that forks have added, in RLP order (EIP-1559, 4895, 4844 twice, 4788, 7685). A header may end after
/// any of them but not leave one out.
const LATER_FIELDS: [(&str, Kind); 6] = [
    ("baseFeePerGas", Kind::Number(32)),
    ("withdrawalsRoot", Kind::Fixed(32)),
    ("blobGasUsed", Kind::Number(8)),
    ("excessBlobGas", Kind::Number(8)),
    ("parentBeaconBlockRoot", Kind::Fixed(32)),
    ("requestsHash", Kind::Fixed(32)),
];

/// A header as an endpoint gave it, with a hash that fits its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RawHeader {
    pub(crate) height: u64,
    pub(crate) timestamp: Timestamp,
    pub(crate) hash: Hash32,
    pub(crate) rlp: Vec<u8>,
}

/// Reads the block that was asked for at `height`.
///
/// # Errors
/// No block, a missing or malformed field, another height, or a hash that is not the header's.
pub(crate) fn from_json(family: Family, height: u64, block: &Value) -> Result<RawHeader> {
    if block.is_null() {
        return Err(Error::NoBlock { height });
    }
    let refuse = |field: &'static str| move |reason: String| Error::Header { height, field, reason };
    let got = json::quantity(block.get("number")).map_err(refuse("number"))?;
    if got != height {
        return Err(Error::OtherBlock { asked: height, got });
    }
    let seconds = json::quantity(block.get("timestamp")).map_err(refuse("timestamp"))?;
    let claimed = Hash32(json::fixed(block.get("hash")).map_err(refuse("hash"))?);
    let rlp = encode(&fields(height, block)?);
    let computed = match family {
        Family::Ibft2 => ibft2::block_hash(&rlp),
        _ => qbft::block_hash(&rlp),
    };
    let computed = computed.map_err(|error| refuse("extraData")(format!("is not of {family}: {error}")))?;
    if computed != claimed {
        return Err(Error::HashMismatch { height, computed, claimed });
    }
    Ok(RawHeader { height, timestamp: Timestamp::from_seconds(seconds), hash: computed, rlp })
}

fn fields(height: u64, block: &Value) -> Result<Vec<Vec<u8>>> {
    let mut items = Vec::with_capacity(FIELDS.len() + LATER_FIELDS.len());
    for (field, kind) in FIELDS {
        items.push(read(block, field, kind).map_err(|reason| Error::Header { height, field, reason })?);
    }
    let mut ended = None;
    for (field, kind) in LATER_FIELDS {
        match (block.get(field), ended) {
            (None | Some(Value::Null), None) => ended = Some(field),
            (None | Some(Value::Null), Some(_)) => {}
            (Some(_), Some(missing)) => {
                return Err(Error::Header {
                    height,
                    field,
                    reason: format!("is there, but {missing} before it is not"),
                });
            }
            (Some(_), None) => {
                items.push(read(block, field, kind).map_err(|reason| Error::Header { height, field, reason })?);
            }
        }
    }
    Ok(items)
}

fn read(block: &Value, field: &str, kind: Kind) -> core::result::Result<Vec<u8>, String> {
    let value = block.get(field);
    match kind {
        Kind::Number(bytes_max) => json::quantity_bytes(value, bytes_max),
        Kind::Bytes => json::data(value),
        Kind::Fixed(length) => {
            let bytes = json::data(value)?;
            if bytes.len() == length {
                Ok(bytes)
            } else {
                Err(format!("has {} bytes, expected {length}", bytes.len()))
            }
        }
    }
}

fn encode(items: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = RlpStream::new_list(items.len());
    for item in items {
        stream.append(&item.as_slice());
    }
    stream.out().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::testing::{blocks, with};

    fn height(block: &Value) -> u64 {
        json::quantity(block.get("number")).unwrap()
    }

    #[test]
    fn recorded_headers_hash_to_what_the_chain_says() {
        for block in blocks() {
            let header = from_json(Family::Qbft, height(&block), &block).unwrap();
            assert_eq!(json!(header.hash.to_string()), block["hash"]);
            assert_eq!(header.timestamp.seconds(), json::quantity(block.get("timestamp")).unwrap());
            assert_eq!(qbft::block_hash(&header.rlp).unwrap(), header.hash);
        }
    }

    #[test]
    fn a_wrong_field_is_refused() {
        let block = blocks().remove(0);
        let check = |pointer: &str, new: Value, code: &str| {
            let error = from_json(Family::Qbft, height(&block), &with(&block, pointer, new.clone())).unwrap_err();
            assert_eq!(error.code(), code, "{pointer} = {new}: {error}");
        };
        // Every field is bound by the hash …
        let word = json!(format!("0x{}", "ab".repeat(32)));
        for field in ["parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash", "hash"] {
            check(&format!("/{field}"), word.clone(), "EVM-HDR-004");
            check(&format!("/{field}"), json!("0xab"), "EVM-HDR-002");
            check(&format!("/{field}"), Value::Null, "EVM-HDR-002");
        }
        for field in ["difficulty", "gasLimit", "gasUsed", "timestamp"] {
            check(&format!("/{field}"), json!("0x7"), "EVM-HDR-004");
            check(&format!("/{field}"), json!("0x07"), "EVM-HDR-002");
            check(&format!("/{field}"), Value::Null, "EVM-HDR-002");
        }
        check("/miner", json!(format!("0x{}", "ab".repeat(20))), "EVM-HDR-004");
        check("/logsBloom", json!(format!("0x{}", "00".repeat(256))), "EVM-HDR-004");
        check("/logsBloom", json!("0x"), "EVM-HDR-002");
        check("/nonce", json!("0x0000000000000001"), "EVM-HDR-004");
        check("/extraData", json!("0x"), "EVM-HDR-002");
        check("/extraData", json!("0xc0"), "EVM-HDR-002");
        check("/extraData", json!(7), "EVM-HDR-002");
        // … but the seals, which are hashed by nobody: the light client judges them.
        check("/number", json!("0x0"), "EVM-HDR-003");
        check("/number", json!("latest"), "EVM-HDR-002");
        assert_eq!(from_json(Family::Qbft, 7, &Value::Null).unwrap_err().code(), "EVM-HDR-001");
        assert_eq!(from_json(Family::Qbft, 7, &json!([])).unwrap_err().code(), "EVM-HDR-002");
    }

    #[test]
    fn later_fields_are_kept_in_order_and_never_skipped() {
        let mut block = blocks().remove(0);
        let bare = encode(&fields(1, &block).unwrap());
        let word = format!("0x{}", "cd".repeat(32));
        let values = [json!("0x7"), json!(word), json!("0x0"), json!("0x20000"), json!(word), json!(word)];
        let mut last = bare;
        for ((field, _), value) in LATER_FIELDS.iter().zip(values) {
            block[*field] = value;
            let longer = encode(&fields(1, &block).unwrap());
            assert!(longer.len() > last.len(), "{field} is in the header");
            assert_eq!(
                from_json(Family::Qbft, height(&block), &block).unwrap_err().code(),
                "EVM-HDR-004",
                "{field} is hashed"
            );
            last = longer;
        }
        let gap = with(&block, "/blobGasUsed", Value::Null);
        let error = from_json(Family::Qbft, height(&block), &gap).unwrap_err();
        assert_eq!(error.code(), "EVM-HDR-002");
        assert!(error.to_string().contains("excessBlobGas") && error.to_string().contains("blobGasUsed"), "{error}");
    }
}
