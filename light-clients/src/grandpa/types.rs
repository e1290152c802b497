//! Configuration and trusted state of the GRANDPA light client.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use parity_scale_codec::Encode;

use super::error::GrandpaError;
use crate::crypto::twox_128;
use crate::proof::trie::{storage_key, MAX_KEY_BYTES};
use crate::quorum::{QuorumError, WeightedMembers};
use crate::trust::{Anchor, TrustOptions};
use crate::verdict::{Family, Hash32, Header, InstanceId, Root, Timestamp};

/// Longest chain id, in bytes: a name that the operator gives, since no header carries one.
pub const MAX_CHAIN_ID_BYTES: usize = 64;

/// Longest name of a pallet or of one of its items, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Longest ICS-24 path, in bytes.
pub const MAX_PATH_BYTES: usize = 256;

/// Most authorities of a set. Kusama has 1,000, the largest set there is.
pub const MAX_AUTHORITIES: usize = 1024;

/// Authorities below which no fault is tolerated.
pub const MIN_FAULT_TOLERANT: usize = 4;

/// Where a chain keeps commitments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// Name of the pallet in the runtime.
    pub pallet: String,
    /// Name of the storage item that maps paths to commitments: a map with the hasher `Identity`, whose keys are the
    /// bytes of the path without a length in front.
    pub item: String,
}

impl Store {
    /// The storage key of a path.
    #[must_use]
    pub fn key(&self, path: &[u8]) -> Vec<u8> {
        [&storage_key(&self.pallet, &self.item), path].concat()
    }

    /// A storage key that holds something in every state that has the pallet: its storage version (frame-support
    /// `STORAGE_VERSION_STORAGE_KEY_POSTFIX`). A proof of absence shows it as well, for under the name of a pallet that
    /// is not there everything is absent.
    #[must_use]
    pub fn witness_key(&self) -> Vec<u8> {
        [twox_128(self.pallet.as_bytes()), twox_128(b":__STORAGE_VERSION__:")].concat()
    }

    /// The bytes that tell this store from others.
    fn identity(&self) -> Vec<u8> {
        (&self.pallet, &self.item).encode()
    }
}

/// What a person configures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Name of the chain. Nothing that authorities sign carries one: headers are bound to the chain by the anchor.
    pub chain_id: String,
    /// The pinned header that trust starts from. Its state says which authorities come after it.
    pub anchor: Anchor,
    /// Where commitments are.
    pub store: Store,
    /// Limits of trust.
    pub trust: TrustOptions,
    /// Whether a justified header may be trusted without the headers between it and the trusted one. Without them nothing
    /// binds it to this chain but the keys of its authorities, so leave it off where they sign for another network too.
    pub skipping: bool,
}

impl Config {
    /// Refuses what can never work.
    pub(super) fn check(&self) -> Result<(), GrandpaError> {
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.chain_id.is_empty() || self.chain_id.len() > MAX_CHAIN_ID_BYTES || !printable(&self.chain_id) {
            return Err(GrandpaError::Config { what: "chain_id: 1 to 64 letters, digits or signs" });
        }
        for name in [&self.store.pallet, &self.store.item] {
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !printable(name) {
                return Err(GrandpaError::Config { what: "store: 1 to 64 letters for the pallet and for its item" });
            }
        }
        self.trust.validate()?;
        if self.anchor.height == 0 || self.anchor.height > u64::from(u32::MAX) {
            // The genesis state has no time, and numbers have 32 bits.
            return Err(GrandpaError::Config { what: "anchor height: 1 to 4294967295" });
        }
        Ok(())
    }

    /// The instance that this configuration makes.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        let anchor = (self.anchor.height, self.anchor.hash);
        InstanceId::new(Family::Grandpa, &self.chain_id, anchor, &self.store.identity())
    }
}

// A path within its bound makes a key within the bound of keys.
const _: () = assert!(32 + MAX_PATH_BYTES <= MAX_KEY_BYTES);

/// An authority: its ed25519 key and its weight.
pub(super) type Authority = ([u8; 32], u64);

/// A checked authority set: distinct keys in ascending order, weights above zero whose sum fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AuthoritySet {
    pub(super) id: u64,
    members: Vec<Authority>,
}

impl AuthoritySet {
    /// The set of a list of the chain, in any order.
    pub(super) fn new(id: u64, mut members: Vec<Authority>) -> Result<Self, GrandpaError> {
        if members.is_empty() || members.len() > MAX_AUTHORITIES {
            return Err(GrandpaError::Count { what: "authorities", got: members.len(), max: MAX_AUTHORITIES });
        }
        members.sort_unstable_by_key(|(key, _)| *key);
        match WeightedMembers::new(&members) {
            Ok(_) => Ok(Self { id, members }),
            Err(QuorumError::Unordered { position }) => {
                let key = members.get(position).map_or([0; 32], |(key, _)| *key);
                Err(GrandpaError::DuplicateAuthority { key: Hash32(key) })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn members(&self) -> &[Authority] {
        &self.members
    }

    pub(super) fn weighted(&self) -> Result<WeightedMembers<'_, [u8; 32]>, GrandpaError> {
        Ok(WeightedMembers::new(&self.members)?)
    }

    /// A set tolerates a fault, or the operator accepts that it does not.
    pub(super) const fn check_fault_tolerance(&self, trust: &TrustOptions) -> Result<(), GrandpaError> {
        if self.members.len() < MIN_FAULT_TOLERANT && !trust.allow_no_fault_tolerance {
            return Err(GrandpaError::NoFaultTolerance { got: self.members.len() });
        }
        Ok(())
    }

    /// Authorities that joined plus authorities that left, from `self` to `next`. Weights are not counted.
    pub(super) fn churn(&self, next: &Self) -> usize {
        let keys = |set: &Self| set.members.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>();
        keys(self).symmetric_difference(&keys(next)).count()
    }
}

/// What is kept of a verified header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Retained {
    pub(super) hash: Hash32,
    pub(super) parent: Hash32,
    pub(super) root: Root,
    pub(super) time: Timestamp,
    /// Id of the set that finalises the block after this one.
    pub(super) set_id: u64,
    /// Whether this header hands over to that set.
    pub(super) handover: bool,
}

impl Retained {
    pub(super) const fn state(&self, height: u64) -> Header {
        Header { height, hash: self.hash, timestamp: self.time, root: self.root }
    }
}
