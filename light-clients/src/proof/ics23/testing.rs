//! Builds IAVL stores and the multistore above them with real hashes, for tests, fuzzing and benches.

use alloc::{boxed::Box, vec, vec::Vec};

use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, InnerOp, LeafOp, LengthOp, NonExistenceProof};
use prost::Message;

use super::encode_proof;
use crate::verdict::Hash32;

/// A chain's state: one store with entries, between other stores.
#[derive(Debug)]
pub struct State {
    store: Vec<u8>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names and roots of all stores, sorted by name.
    stores: Vec<(Vec<u8>, Vec<u8>)>,
}

impl State {
    /// A state whose `store` holds the entries (at least one; later ones replace earlier ones of the same key).
    #[must_use]
    pub fn new(store: &[u8], entries: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let mut sorted: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, value) in entries {
            match sorted.binary_search_by(|(known, _)| known.cmp(key)) {
                Ok(at) => drop(core::mem::replace(&mut sorted[at].1, value.clone())),
                Err(at) => sorted.insert(at, (key.clone(), value.clone())),
            }
        }
        let root = Node::build(&sorted).hash();
        let mut stores: Vec<(Vec<u8>, Vec<u8>)> = [&b"acc"[..], b"bank", b"staking", b"transfer", b"upgrade"]
            .iter()
            .map(|name| (name.to_vec(), Hash32::sha256(&[name]).0.to_vec()))
            .collect();
        stores.push((store.to_vec(), root));
        stores.sort();
        Self { store: store.to_vec(), entries: sorted, stores }
    }

    /// Root of the multistore.
    #[must_use]
    pub fn app_hash(&self) -> Hash32 {
        Hash32::from_slice(&merkle_root(&self.store_leaves())).unwrap_or(Hash32([0; 32]))
    }

    /// The proof of what the state holds at the key: of the value, or of absence.
    #[must_use]
    pub fn prove(&self, key: &[u8]) -> Vec<u8> {
        encode_proof(&[self.lower(key).encode_to_vec(), self.upper().encode_to_vec()])
    }

    pub(crate) fn lower(&self, key: &[u8]) -> CommitmentProof {
        let proof = match self.entries.binary_search_by(|(known, _)| known.as_slice().cmp(key)) {
            Ok(at) => Proof::Exist(self.existence(at)),
            Err(at) => Proof::Nonexist(NonExistenceProof {
                key: key.to_vec(),
                left: at.checked_sub(1).map(|left| self.existence(left)),
                right: (at < self.entries.len()).then(|| self.existence(at)),
            }),
        };
        CommitmentProof { proof: Some(proof) }
    }

    /// The existence proof of the entry at a position in key order.
    pub(crate) fn existence(&self, at: usize) -> ExistenceProof {
        let (key, value) = self.entries[at].clone();
        let mut path = Vec::new();
        Node::build(&self.entries).path(at, &mut path);
        ExistenceProof { key, value, leaf: Some(leaf_op(&Node::LEAF_PREFIX)), path }
    }

    pub(crate) fn upper(&self) -> CommitmentProof {
        let at = self.stores.iter().position(|(name, _)| *name == self.store).unwrap_or_default();
        let (key, value) = self.stores[at].clone();
        let mut path = Vec::new();
        merkle_path(&self.store_leaves(), at, &mut path);
        let existence = ExistenceProof { key, value, leaf: Some(leaf_op(&[0])), path };
        CommitmentProof { proof: Some(Proof::Exist(existence)) }
    }

    fn store_leaves(&self) -> Vec<Vec<u8>> {
        self.stores.iter().map(|(name, root)| leaf_hash(&[0], name, root)).collect()
    }
}

fn leaf_op(prefix: &[u8]) -> LeafOp {
    LeafOp {
        hash: HashOp::Sha256.into(),
        prehash_key: HashOp::NoHash.into(),
        prehash_value: HashOp::Sha256.into(),
        length: LengthOp::VarProto.into(),
        prefix: prefix.to_vec(),
    }
}

fn inner_op(prefix: Vec<u8>, suffix: Vec<u8>) -> InnerOp {
    InnerOp { hash: HashOp::Sha256.into(), prefix, suffix }
}

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(value, &mut bytes);
    bytes
}

fn leaf_hash(prefix: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let value = Hash32::sha256(&[value]);
    Hash32::sha256(&[prefix, &varint(key.len() as u64), key, &varint(32), value.as_bytes()]).0.to_vec()
}

/// A node of an IAVL tree over entries in key order, split in halves, as a tree filled in random order ends up.
enum Node<'a> {
    Leaf(&'a (Vec<u8>, Vec<u8>)),
    Inner { height: u64, size: u64, left: Box<Self>, right: Box<Self> },
}

impl<'a> Node<'a> {
    /// Height 0, size 1, version 7, as zigzag varints.
    const LEAF_PREFIX: [u8; 3] = [0, 2, 14];

    fn build(entries: &'a [(Vec<u8>, Vec<u8>)]) -> Self {
        if let [entry] = entries {
            return Self::Leaf(entry);
        }
        let (left, right) = entries.split_at(entries.len() / 2);
        let (left, right) = (Self::build(left), Self::build(right));
        let height = left.height().max(right.height()) + 1;
        Self::Inner { height, size: entries.len() as u64, left: Box::new(left), right: Box::new(right) }
    }

    fn height(&self) -> u64 {
        match self {
            Self::Leaf(_) => 0,
            Self::Inner { height, .. } => *height,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::Inner { size, .. } => usize::try_from(*size).unwrap_or_default(),
        }
    }

    fn head(height: u64, size: u64) -> Vec<u8> {
        [varint(2 * height), varint(2 * size), varint(14), vec![32]].concat()
    }

    fn hash(&self) -> Vec<u8> {
        match self {
            Self::Leaf((key, value)) => leaf_hash(&Self::LEAF_PREFIX, key, value),
            Self::Inner { height, size, left, right } => {
                let preimage = [Self::head(*height, *size), left.hash(), vec![32], right.hash()].concat();
                Hash32::sha256(&[&preimage]).0.to_vec()
            }
        }
    }

    fn path(&self, at: usize, path: &mut Vec<InnerOp>) {
        let Self::Inner { height, size, left, right } = self else { return };
        let head = Self::head(*height, *size);
        if at < left.size() {
            left.path(at, path);
            path.push(inner_op(head, [vec![32], right.hash()].concat()));
        } else {
            right.path(at - left.size(), path);
            path.push(inner_op([head, left.hash(), vec![32]].concat(), Vec::new()));
        }
    }
}

/// Leaves left of the split of a merkle tree of RFC 6962: the largest power of two below their number.
fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

fn merkle_root(leaves: &[Vec<u8>]) -> Vec<u8> {
    if let [leaf] = leaves {
        return leaf.clone();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    Hash32::sha256(&[&[1], &merkle_root(left), &merkle_root(right)]).0.to_vec()
}

fn merkle_path(leaves: &[Vec<u8>], at: usize, path: &mut Vec<InnerOp>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if at < left.len() {
        merkle_path(left, at, path);
        path.push(inner_op(vec![1], merkle_root(right)));
    } else {
        merkle_path(right, at - left.len(), path);
        path.push(inner_op([vec![1], merkle_root(left)].concat(), Vec::new()));
    }
}
