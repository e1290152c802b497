//! Merkle-Patricia proofs of an EVM chain (EIP-1186): an account under a state root, then a slot under the storage
//! root of that account.
//!
//! Both tries are "secure": a key is the keccak-256 of an address or a slot, 64 nibbles for every key. That makes
//! the walk stricter than a general trie allows: values stand in leaves only, a leaf ends exactly at nibble 64, and
//! a branch that carries a value is no node of such a trie.
//!
//! A proof is what `eth_getProof` gives: for each trie the nodes from the root down, each hashed node once, in
//! order. Nodes shorter than 32 bytes stand inside their parents and are not listed. The walk takes the next node
//! only when its parent names its hash, and all nodes must have been taken at the end: there is nothing to repeat,
//! to reorder or to append. Absence is only ever concluded from a node that shows it (an empty slot of a branch, or
//! a leaf or extension that leaves the path); a proof that ends before such a node is an error (MPT-01).
//!
//! [`encode_proof`] and [`StorageProof::decode`] give the two lists as bytes: RLP `[[account node…], [storage
//! node…]]`, each node a byte string.
//!
//! What an attacker can grow: nothing. Bytes, nodes and node sizes are bounded before anything is hashed, each node
//! is hashed once, and the walk takes at most one step a nibble.

use alloc::vec::Vec;

use crate::crypto::{keccak256, Address};
use crate::rlp::{self, Item, RlpError};
use crate::verdict::{Class, Coded, Hash32, Root};

mod walk;

#[cfg(test)]
mod tests;

pub use walk::lookup;

/// Root of a trie without entries: keccak-256 of the RLP of the empty string (Yellow Paper, appendix D).
pub const EMPTY_ROOT: Hash32 = Hash32([
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48, 0xe0,
    0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
]);

/// Code hash of an account without code: keccak-256 of nothing (Yellow Paper, section 4.1).
pub const EMPTY_CODE_HASH: Hash32 = Hash32([
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6,
    0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
]);

/// Nibbles of a key: keccak-256 has 32 bytes.
pub(crate) const KEY_NIBBLES: usize = 64;

/// Most nodes of one proof: a node for each nibble and the leaf.
pub const MAX_NODES: usize = KEY_NIBBLES + 1;

/// Longest node: a branch of sixteen hashes and an empty value has 532 bytes, and no leaf of these tries is longer.
pub const MAX_NODE_BYTES: usize = 532;

/// Longest encoded proof: two lists of [`MAX_NODES`] nodes of [`MAX_NODE_BYTES`], with their headers.
pub const MAX_PROOF_BYTES: usize = 2 * MAX_NODES * (MAX_NODE_BYTES + 3) + 12;

/// The nodes of an account proof and of a storage proof under it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageProof<'a> {
    /// Nodes of the state trie, root first.
    pub account: Vec<&'a [u8]>,
    /// Nodes of the account's storage trie, root first.
    pub storage: Vec<&'a [u8]>,
}

impl<'a> StorageProof<'a> {
    /// Decodes `[[account node…], [storage node…]]`.
    ///
    /// # Errors
    /// [`MptError::ProofTooLong`], or [`MptError::Rlp`] when the bytes are not those two lists in their one encoding.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MptError> {
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(MptError::ProofTooLong { got_bytes: bytes.len() });
        }
        let [account, storage] = Item::decode(bytes)?.exactly::<2>()?;
        let nodes = |list: Item<'a>| list.items(MAX_NODES)?.iter().map(Item::bytes).collect::<Result<_, RlpError>>();
        Ok(Self { account: nodes(account)?, storage: nodes(storage)? })
    }

    /// Looks a slot of an account up: `Some` of its 32 left-padded bytes, or `None` when the slot is shown to hold
    /// nothing. The account itself must exist.
    ///
    /// # Errors
    /// As [`verify_account`] and [`verify_slot`].
    pub fn verify(
        &self,
        root: &Root,
        address: &Address,
        slot: &[u8; 32],
    ) -> Result<(Account, Option<[u8; 32]>), MptError> {
        let account = verify_account(root, address, &self.account)?;
        let value = verify_slot(&account.storage_root, slot, &self.storage)?;
        Ok((account, value))
    }
}

/// The bytes of a proof, from the node lists of `eth_getProof`.
#[must_use]
pub fn encode_proof(account: &[Vec<u8>], storage: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for nodes in [account, storage] {
        let mut list = Vec::new();
        nodes.iter().for_each(|node| rlp::put_bytes(&mut list, node));
        rlp::put_list(&mut payload, &list);
    }
    let mut out = Vec::with_capacity(rlp::encoded_len(payload.len()));
    rlp::put_list(&mut out, &payload);
    out
}

/// An account as the state trie holds it (Yellow Paper, section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// Transactions sent, or contracts made.
    pub nonce: u64,
    /// Balance in wei, 32 big-endian bytes.
    pub balance_wei: [u8; 32],
    /// Root of its storage trie; [`EMPTY_ROOT`] when it stores nothing.
    pub storage_root: Hash32,
    /// Hash of its code; [`EMPTY_CODE_HASH`] when it has none.
    pub code_hash: Hash32,
}

impl Account {
    /// Decodes exactly `[nonce, balance, storageRoot, codeHash]`.
    fn decode(bytes: &[u8]) -> Result<Self, RlpError> {
        let [nonce, balance, storage_root, code_hash] = Item::decode(bytes)?.exactly::<4>()?;
        Ok(Self {
            nonce: nonce.uint()?,
            balance_wei: left_pad(balance.number(32)?),
            storage_root: Hash32(storage_root.array()?),
            code_hash: Hash32(code_hash.array()?),
        })
    }
}

/// The account at `address` in the state with `root`.
///
/// # Errors
/// [`MptError::AccountAbsent`] when the proof shows that there is none: that says nothing of any storage (MPT-08).
/// Any other [`MptError`] when the proof does not hold.
pub fn verify_account(root: &Root, address: &Address, nodes: &[&[u8]]) -> Result<Account, MptError> {
    let key = keccak256(&[address.as_bytes()]);
    let value = lookup(&Hash32(*root.as_bytes()), &key, nodes)?.ok_or(MptError::AccountAbsent { address: *address })?;
    Ok(Account::decode(value)?)
}

/// The value of `slot` in the storage with `storage_root`: 32 left-padded bytes, or `None` when it holds nothing.
///
/// # Errors
/// [`MptError::ZeroValue`] when a leaf holds zero, which storage never does: zero is absence (MPT-07). Any other
/// [`MptError`] when the proof does not hold.
pub fn verify_slot(storage_root: &Hash32, slot: &[u8; 32], nodes: &[&[u8]]) -> Result<Option<[u8; 32]>, MptError> {
    let key = keccak256(&[slot]);
    let Some(encoded) = lookup(storage_root, &key, nodes)? else { return Ok(None) };
    let value = Item::decode(encoded)?.number(32)?;
    if value.is_empty() {
        return Err(MptError::ZeroValue);
    }
    Ok(Some(left_pad(value)))
}

/// Big-endian bytes, at most 32, as 32 bytes.
fn left_pad(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    out
}

/// Why a proof is refused. Node positions count from 0 at the root, within their own trie.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MptError {
    /// The encoded proof is longer than any proof can be.
    #[error("the proof has {got_bytes} bytes, the longest possible one has {MAX_PROOF_BYTES}")]
    ProofTooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// More nodes than a path has nibbles.
    #[error("the proof lists {got} nodes, a path has at most {MAX_NODES}")]
    TooManyNodes {
        /// Nodes listed.
        got: usize,
    },
    /// A node longer than any node can be.
    #[error("node {position} has {got_bytes} bytes, the longest possible one has {MAX_NODE_BYTES}")]
    NodeTooLong {
        /// Position of the node.
        position: usize,
        /// Its length.
        got_bytes: usize,
    },
    /// A root of zero bytes: uninitialised state that would verify anything.
    #[error("the root is all zero, which no trie has")]
    ZeroRoot,
    /// The proof ends although the path goes on: it shows neither presence nor absence (MPT-01).
    #[error("the proof ends after {got} nodes, where the path goes on to node {expected}")]
    Truncated {
        /// Nodes listed.
        got: usize,
        /// Hash of the node that is missing.
        expected: Hash32,
    },
    /// A node is not the one that its parent, or the root, names.
    #[error("node {position} hashes to {got}, its parent names {expected}")]
    WrongHash {
        /// Position of the node.
        position: usize,
        /// Its hash.
        got: Hash32,
        /// The hash named.
        expected: Hash32,
    },
    /// Nodes that the path does not visit.
    #[error("the path ends after {used} nodes and {got} are listed")]
    ExtraNodes {
        /// Nodes visited.
        used: usize,
        /// Nodes listed.
        got: usize,
    },
    /// A list of neither 2 nor 17 items.
    #[error("a node has {got} items; a branch has 17, a leaf or extension 2")]
    NodeItems {
        /// Its items.
        got: usize,
    },
    /// A reference that is neither a hash nor a node of less than 32 bytes nor empty.
    #[error("a reference of {got_bytes} bytes is neither empty, nor a hash, nor a node of less than 32 bytes")]
    Reference {
        /// Its length, header included for lists.
        got_bytes: usize,
    },
    /// A node of less than 32 bytes under a hash, which belongs into its parent.
    #[error("node {position} has {got_bytes} bytes, so it belongs inside its parent and not under a hash")]
    NotInlined {
        /// Position of the node.
        position: usize,
        /// Its length.
        got_bytes: usize,
    },
    /// A compact path that is empty, or whose flags or padding are none of the four forms (Yellow Paper, appendix C).
    #[error("a compact path starts with the byte {first:#04x}, which is none of the four forms")]
    CompactPath {
        /// Its first byte; 0xff when there is none.
        first: u8,
    },
    /// A path that does not end where keys of 32 bytes end.
    #[error("a node reaches nibble {reached}, where a leaf ends at 64 and anything else before it")]
    PathLength {
        /// The nibble reached.
        reached: usize,
    },
    /// A branch with a value: keys of one length never end at a branch.
    #[error("a branch carries a value, which a trie with keys of one length never has")]
    BranchValue,
    /// An extension with no nibbles, or one whose child is missing or is not a branch.
    #[error("an extension leads to no branch")]
    Extension,
    /// The account is shown not to exist (MPT-08).
    #[error("the account {address} does not exist in this state; absence of an account proves nothing of its storage")]
    AccountAbsent {
        /// The address looked up.
        address: Address,
    },
    /// A leaf that holds zero (MPT-07).
    #[error("a storage leaf holds zero, which storage never does")]
    ZeroValue,
    /// Bytes that are not canonical RLP of what is expected.
    #[error(transparent)]
    Rlp(#[from] RlpError),
}

impl Coded for MptError {
    fn code(&self) -> &'static str {
        match self {
            Self::ProofTooLong { .. } => "LC-MPT-001",
            Self::TooManyNodes { .. } => "LC-MPT-002",
            Self::NodeTooLong { .. } => "LC-MPT-003",
            Self::ZeroRoot => "LC-MPT-004",
            Self::Truncated { .. } => "LC-MPT-005",
            Self::WrongHash { .. } => "LC-MPT-006",
            Self::ExtraNodes { .. } => "LC-MPT-007",
            Self::NodeItems { .. } => "LC-MPT-008",
            Self::Reference { .. } => "LC-MPT-009",
            Self::NotInlined { .. } => "LC-MPT-010",
            Self::CompactPath { .. } => "LC-MPT-011",
            Self::PathLength { .. } => "LC-MPT-012",
            Self::BranchValue => "LC-MPT-013",
            Self::Extension => "LC-MPT-014",
            Self::AccountAbsent { .. } => "LC-MPT-015",
            Self::ZeroValue => "LC-MPT-016",
            Self::Rlp(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::AccountAbsent { .. } => Class::Config,
            Self::Rlp(error) => error.class(),
            _ => Class::Permanent,
        }
    }
}
