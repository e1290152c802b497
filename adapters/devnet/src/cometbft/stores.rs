//! The multistore: named IAVL trees under one merkle root, which is the app hash.

use std::collections::BTreeMap;

use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, LeafOp, LengthOp};
use prost::Message;

use super::iavl::{varint, Tree};
use super::merkle::{self, Hash};

/// Store of the accounts.
pub(crate) const ACC: &str = "acc";
/// Store of the balances.
pub(crate) const BANK: &str = "bank";
/// Store in which every block leaves its height and time, so that no two states are equal: on a live chain minting
/// and rewards see to that, and a proof of a neighbouring height never passes there either.
pub(crate) const CLOCK: &str = "clock";
/// Store of the IBC handler.
pub(crate) const IBC: &str = "ibc";

/// Steps of a proof from a key to the app hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ProofOp {
    /// `ics23:iavl` or `ics23:simple`.
    pub(crate) kind: &'static str,
    /// The key in the tree below, or the store's name.
    pub(crate) key: Vec<u8>,
    /// An ICS-23 `CommitmentProof`.
    pub(crate) data: Vec<u8>,
}

/// All stores at one point of time; cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    trees: BTreeMap<&'static str, Tree>,
    /// Version that changes belong to: the height of the block under way.
    pub(crate) version: u64,
}

impl Stores {
    /// Empty stores, to be filled for the first block.
    pub(crate) fn new() -> Self {
        let trees = [ACC, BANK, CLOCK, IBC].map(|name| (name, Tree::default())).into();
        Self { trees, version: 1 }
    }

    /// The store of a name.
    pub(crate) fn tree(&self, name: &str) -> Option<&Tree> {
        self.trees.get(name)
    }

    /// The value at a key of a store.
    pub(crate) fn get(&self, store: &str, key: &[u8]) -> Option<&[u8]> {
        self.trees.get(store)?.get(key)
    }

    /// Sets a value in a store.
    pub(crate) fn set(&mut self, store: &'static str, key: &[u8], value: Vec<u8>) {
        let version = self.version;
        self.trees.entry(store).or_default().set(version, key, value);
    }

    /// Removes a key from a store.
    pub(crate) fn remove(&mut self, store: &'static str, key: &[u8]) {
        let version = self.version;
        self.trees.entry(store).or_default().remove(version, key);
    }

    /// The app hash.
    pub(crate) fn app_hash(&self) -> Hash {
        merkle::root(&self.leaves())
    }

    /// Proves what is at a key of a store; `None` when there is no such store or it is empty.
    pub(crate) fn prove(&self, store: &str, key: &[u8]) -> Option<[ProofOp; 2]> {
        let lower = self.trees.get(store)?.prove(key)?;
        let upper = self.prove_store(store)?;
        Some([
            ProofOp { kind: "ics23:iavl", key: key.to_vec(), data: lower.encode_to_vec() },
            ProofOp { kind: "ics23:simple", key: store.as_bytes().to_vec(), data: upper.encode_to_vec() },
        ])
    }

    fn prove_store(&self, store: &str) -> Option<CommitmentProof> {
        let at = self.trees.keys().position(|name| *name == store)?;
        let leaf = LeafOp {
            hash: HashOp::Sha256.into(),
            prehash_key: HashOp::NoHash.into(),
            prehash_value: HashOp::Sha256.into(),
            length: LengthOp::VarProto.into(),
            prefix: vec![0],
        };
        let existence = ExistenceProof {
            key: store.as_bytes().to_vec(),
            value: self.trees.get(store)?.hash().to_vec(),
            leaf: Some(leaf),
            path: merkle::path(&self.leaves(), at),
        };
        Some(CommitmentProof { proof: Some(Proof::Exist(existence)) })
    }

    /// What the merkle tree is over: each name and the hash of its root, each with its length, in order of names.
    fn leaves(&self) -> Vec<Vec<u8>> {
        let leaf = |(name, tree): (&&str, &Tree)| {
            let value = merkle::sha256(&[&tree.hash()]);
            [varint(name.len() as u64), name.as_bytes().to_vec(), varint(value.len() as u64), value.to_vec()].concat()
        };
        self.trees.iter().map(leaf).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use catenary_light_clients::proof::ics23::{encode_proof, verify_absence, verify_membership, StoreKey};
    use catenary_light_clients::Root;

    use super::*;

    fn stores() -> Stores {
        let mut stores = Stores::new();
        for (store, key) in [(ACC, "a"), (BANK, "b"), (CLOCK, "c"), (IBC, "m"), (IBC, "p"), (IBC, "t")] {
            stores.set(store, key.as_bytes(), vec![1, 2, 3]);
        }
        stores
    }

    fn proof(stores: &Stores, store: &str, key: &str) -> Vec<u8> {
        encode_proof(&stores.prove(store, key.as_bytes()).unwrap().map(|op| op.data))
    }

    fn target<'a>(store: &'a str, key: &'a str) -> StoreKey<'a> {
        StoreKey { store: store.as_bytes(), key: key.as_bytes() }
    }

    #[test]
    fn the_light_client_takes_every_proof() {
        let stores = stores();
        let root = Root::new(&stores.app_hash()).unwrap();
        for (store, key) in [(ACC, "a"), (BANK, "b"), (CLOCK, "c"), (IBC, "m"), (IBC, "p"), (IBC, "t")] {
            let proof = proof(&stores, store, key);
            assert_eq!(verify_membership(&root, target(store, key), &[1, 2, 3], &proof), Ok(()), "{store} {key}");
            assert!(verify_membership(&root, target(store, key), &[1, 2, 4], &proof).is_err(), "{store} {key}");
            assert!(verify_absence(&root, target(store, key), &proof).is_err(), "{store} {key}");
        }
        for (store, key) in [(ACC, "0"), (ACC, "b"), (IBC, "a"), (IBC, "n"), (IBC, "q"), (IBC, "z")] {
            let proof = proof(&stores, store, key);
            assert_eq!(verify_absence(&root, target(store, key), &proof), Ok(()), "{store} {key}");
            assert!(verify_membership(&root, target(store, key), &[1, 2, 3], &proof).is_err(), "{store} {key}");
        }
    }

    #[test]
    fn a_proof_is_of_one_state_alone() {
        let (before, mut after) = (stores(), stores());
        after.version = 2;
        after.set(CLOCK, b"c", vec![9]);
        let roots = [&before, &after].map(|stores| Root::new(&stores.app_hash()).unwrap());
        assert_ne!(roots[0], roots[1]);
        let proof = proof(&before, IBC, "p");
        assert_eq!(verify_membership(&roots[0], target(IBC, "p"), &[1, 2, 3], &proof), Ok(()));
        assert!(verify_membership(&roots[1], target(IBC, "p"), &[1, 2, 3], &proof).is_err());
    }

    #[test]
    fn what_is_not_there_proves_nothing() {
        assert_eq!(Stores::new().prove(IBC, b"a"), None, "an empty store");
        assert_eq!(stores().prove("staking", b"a"), None, "no such store");
    }
}
