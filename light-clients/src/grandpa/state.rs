//! What an update proves of the state: the time, the set id, and for an anchor the authorities.
//!
//! A Substrate header has no time. The time of a block is what its own `Timestamp.set` wrote into `Timestamp.Now`, which
//! the block's author chose and every validator compared with its clock before it built on the block. It is read from
//! the state after the block, by a proof against the state root in the same header; so it is as certain as that header.

use alloc::vec::Vec;

use super::decode::{exactly, state_keys, Header, StateProof};
use super::error::GrandpaError;
use super::types::Authority;
use crate::proof::trie;
use crate::verdict::Timestamp;

/// Nanoseconds of a millisecond: the unit of `Timestamp.Now` (pallet-timestamp `Moment`).
const NANOS_PER_MILLISECOND: u64 = 1_000_000;

/// What the state after a block says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) time: Timestamp,
    pub(super) set_id: u64,
    pub(super) authorities: Option<Vec<Authority>>,
}

/// Reads the proven values under the state root of a header.
pub(super) fn read(header: &Header<'_>, proof: &StateProof<'_>) -> Result<Facts, GrandpaError> {
    let height = header.number;
    let keys = state_keys(proof.authorities);
    let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
    let values = trie::lookup(&header.root()?, &keys, &proof.nodes)?;
    let value = |position: usize| values.get(position).copied().flatten();
    let malformed = |what, bytes: &[u8]| GrandpaError::StateForm { what, height, got_bytes: bytes.len() };

    let now = value(0).ok_or(GrandpaError::StateMissing { what: "Timestamp.Now", height })?;
    let time = exactly::<u64>(now)
        .and_then(|milliseconds| milliseconds.checked_mul(NANOS_PER_MILLISECOND))
        .map(Timestamp::from_nanos)
        .ok_or_else(|| malformed("Timestamp.Now", now))?;
    // The runtime reads an absent set id as 0.
    let set_id = value(1)
        .map_or(Some(0), exactly::<u64>)
        .ok_or_else(|| malformed("Grandpa.CurrentSetId", value(1).unwrap_or_default()))?;
    let authorities = match (proof.authorities, value(2)) {
        (false, _) => None,
        (true, None) => return Err(GrandpaError::StateMissing { what: "Grandpa.Authorities", height }),
        (true, Some(bytes)) => {
            let list = exactly::<Vec<Authority>>(bytes).ok_or_else(|| malformed("Grandpa.Authorities", bytes))?;
            Some(list)
        }
    };
    Ok(Facts { time, set_id, authorities })
}
