//! Bytes and hashes in JSON: lower-case hex, bytes without a prefix, hashes with `0x`. Other spellings are refused.

use catenary_light_clients::Hash32;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// A hash in its written form (`0x` and 64 lower-case digits), `None` for anything else.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash32> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    let hash = Hash32::from_slice(&bytes)?;
    (hash.to_string() == text).then_some(hash)
}

pub(crate) mod hash_hex {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(hash: &Hash32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(hash)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash32, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hash(&text).ok_or_else(|| D::Error::custom("not a hash of 0x and 64 lower-case hex digits"))
    }
}

pub(crate) mod bytes_hex {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map_err(D::Error::custom)
    }
}

pub(crate) mod optional_bytes_hex {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => bytes_hex::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        bytes_hex::deserialize(deserializer).map(Some)
    }
}
