//! The trusted state as bytes, canonical: equal states give equal bytes.
//!
//! Layout, integers big-endian: the tag, the instance (32), frozen (1), number of sets (4) and each set as its number
//! of validators (4) with key (32) and power (8) each, number of headers (4) and each header as height (8), hash
//! (32), time in nanoseconds (8), application hash (32, zero for none), last block (32, zero for none), validators
//! hash (32), next validators hash (32), heights ascending. The newest [`SAVED_HEADERS`] headers are saved: what lies
//! below can be filled in again from the chain, by the links of those above, without trust in anybody.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::decode::{address_of, checked_set};
use super::types::{CometBftError, Config, Retained, Validator, ValidatorSet};
use super::CometBft;
use crate::trust::TrustError;
use crate::verdict::{Hash32, Root, Timestamp};

/// Headers that [`LightClient::save`](crate::LightClient::save) keeps, newest first. 176 bytes each.
pub const SAVED_HEADERS: usize = 256;

const TAG: &[u8] = b"catenary/cometbft/1";

pub(super) fn save(client: &CometBft) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(TAG);
    out.extend_from_slice(client.instance.digest().as_bytes());
    out.push(u8::from(client.frozen));
    put_count(&mut out, client.sets.len());
    for set in &client.sets {
        put_count(&mut out, set.validators.len());
        for validator in &set.validators {
            out.extend_from_slice(&validator.key);
            out.extend_from_slice(&validator.power.to_be_bytes());
        }
    }
    let skipped = client.retained.len().saturating_sub(SAVED_HEADERS);
    put_count(&mut out, client.retained.len().saturating_sub(skipped));
    for (height, header) in client.retained.iter().skip(skipped) {
        out.extend_from_slice(&height.to_be_bytes());
        out.extend_from_slice(header.hash.as_bytes());
        out.extend_from_slice(&header.time.nanos.to_be_bytes());
        out.extend_from_slice(header.app_hash.as_ref().map_or([0; 32], |root| *root.as_bytes()).as_slice());
        out.extend_from_slice(header.last_block.map_or([0; 32], |hash| hash.0).as_slice());
        out.extend_from_slice(header.validators_hash.as_bytes());
        out.extend_from_slice(header.next_validators_hash.as_bytes());
    }
    out
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

pub(super) fn restore(config: Config, bytes: &[u8], digest: &Hash32) -> Result<CometBft, CometBftError> {
    let got = Hash32::sha256(&[bytes]);
    if got != *digest {
        return Err(TrustError::StateDigest { got, expected: *digest }.into());
    }
    let mut reader = Reader { bytes, offset: 0 };
    let malformed = || CometBftError::from(TrustError::StateForm);
    if reader.take(TAG.len()) != Some(TAG) {
        return Err(malformed());
    }
    let instance = config.instance();
    let saved = reader.hash().ok_or_else(malformed)?;
    if saved != instance.digest() {
        return Err(TrustError::StateInstance { got: saved, expected: instance.digest() }.into());
    }
    let (frozen, sets, retained) = read_body(&mut reader).ok_or_else(malformed)?;
    let mut client = CometBft { config, instance, retained, sets, frozen };
    let own_set_known = client.known_set(client.head().validators_hash).is_some();
    // Bytes that are not canonical would save as others, under another digest.
    if client.retained.is_empty() || !own_set_known || save(&client) != bytes {
        return Err(malformed());
    }
    // The configuration may retain fewer headers than before.
    while client.retained.len() > client.capacity() {
        client.retained.pop_first();
    }
    Ok(client)
}

type Body = (bool, Vec<ValidatorSet>, BTreeMap<u64, Retained>);

fn read_body(reader: &mut Reader<'_>) -> Option<Body> {
    let frozen = reader.take(1)? != [0];
    let mut sets = Vec::new();
    for _ in 0..reader.count()? {
        sets.push(read_set(reader)?);
    }
    let mut retained = BTreeMap::new();
    for _ in 0..reader.count()? {
        let height = reader.u64()?;
        let header = Retained {
            hash: reader.hash()?,
            time: Timestamp::from_nanos(reader.u64()?),
            app_hash: Root::new(reader.take(32)?),
            last_block: reader.hash().map(|hash| (hash != Hash32([0; 32])).then_some(hash))?,
            validators_hash: reader.hash()?,
            next_validators_hash: reader.hash()?,
        };
        retained.insert(height, header);
    }
    (reader.offset == reader.bytes.len()).then_some((frozen, sets, retained))
}

fn read_set(reader: &mut Reader<'_>) -> Option<ValidatorSet> {
    let mut validators = Vec::new();
    for _ in 0..reader.count()? {
        let key = reader.hash()?.0;
        validators.push(Validator { key, address: address_of(&key), power: reader.u64()? });
    }
    checked_set(validators).ok()
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.offset.checked_add(length)?;
        let taken = self.bytes.get(self.offset..end)?;
        self.offset = end;
        Some(taken)
    }

    fn hash(&mut self) -> Option<Hash32> {
        Hash32::from_slice(self.take(32)?)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn count(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
