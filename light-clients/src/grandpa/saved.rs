//! The trusted state as bytes, canonical: equal states give equal bytes.
//!
//! SCALE encoding of the version, the instance, whether it is frozen, the kept authority sets by rising ids, each with its
//! authorities by rising keys, and the newest [`SAVED_HEADERS`] headers by rising heights. What lies below can be filled
//! in again from the chain, by the links of those above, without trust in anybody.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode};

use super::decode::exactly;
use super::error::GrandpaError;
use super::types::{Authority, AuthoritySet, Config, Retained};
use super::Grandpa;
use crate::trust::TrustError;
use crate::verdict::{Hash32, Root, Timestamp};

/// Headers that [`LightClient::save`](crate::LightClient::save) keeps, newest first. 121 bytes each.
pub const SAVED_HEADERS: usize = 256;

/// Version of the form above.
const VERSION: u8 = 1;

#[derive(Encode, Decode)]
struct Saved {
    version: u8,
    instance: [u8; 32],
    frozen: bool,
    sets: Vec<SavedSet>,
    headers: Vec<SavedHeader>,
}

#[derive(Encode, Decode)]
struct SavedSet {
    id: u64,
    members: Vec<Authority>,
}

#[derive(Encode, Decode)]
struct SavedHeader {
    height: u64,
    hash: [u8; 32],
    parent: [u8; 32],
    root: [u8; 32],
    time_nanos: u64,
    set_id: u64,
    handover: bool,
}

pub(super) fn save(client: &Grandpa) -> Vec<u8> {
    let skipped = client.retained.len().saturating_sub(SAVED_HEADERS);
    let header = |(height, header): (&u64, &Retained)| SavedHeader {
        height: *height,
        hash: header.hash.0,
        parent: header.parent.0,
        root: *header.root.as_bytes(),
        time_nanos: header.time.nanos,
        set_id: header.set_id,
        handover: header.handover,
    };
    let saved = Saved {
        version: VERSION,
        instance: client.instance.digest().0,
        frozen: client.frozen,
        sets: client.sets.values().map(|set| SavedSet { id: set.id, members: set.members().to_vec() }).collect(),
        headers: client.retained.iter().skip(skipped).map(header).collect(),
    };
    saved.encode()
}

pub(super) fn restore(config: Config, bytes: &[u8], digest: &Hash32) -> Result<Grandpa, GrandpaError> {
    let got = Hash32::sha256(&[bytes]);
    if got != *digest {
        return Err(TrustError::StateDigest { got, expected: *digest }.into());
    }
    let malformed = || GrandpaError::from(TrustError::StateForm);
    let saved: Saved = exactly(bytes).filter(|saved: &Saved| saved.version == VERSION).ok_or_else(malformed)?;
    let instance = config.instance();
    if saved.instance != instance.digest().0 {
        let (got, expected) = (Hash32(saved.instance), instance.digest());
        return Err(TrustError::StateInstance { got, expected }.into());
    }
    let mut sets = BTreeMap::new();
    for set in saved.sets {
        sets.insert(set.id, AuthoritySet::new(set.id, set.members).map_err(|_| malformed())?);
    }
    let mut retained = BTreeMap::new();
    for header in saved.headers {
        retained.insert(header.height, trusted(&header).ok_or_else(malformed)?);
    }
    let (head_height, head) = retained.last_key_value().map(|(at, head)| (*at, head.clone())).ok_or_else(malformed)?;
    let mut client = Grandpa { config, instance, retained, head_height, head, sets, frozen: saved.frozen };
    // Bytes that are not canonical would save as others, under another digest.
    if save(&client) != bytes || client.current().is_err() {
        return Err(malformed());
    }
    client.current()?.check_fault_tolerance(&client.config.trust)?;
    // The configuration may retain fewer headers than before.
    while client.retained.len() > client.capacity() {
        client.retained.pop_first();
    }
    Ok(client)
}

fn trusted(header: &SavedHeader) -> Option<Retained> {
    Some(Retained {
        hash: Hash32(header.hash),
        parent: Hash32(header.parent),
        root: Root::new(&header.root)?,
        time: Timestamp::from_nanos(header.time_nanos),
        set_id: header.set_id,
        handover: header.handover,
    })
}
