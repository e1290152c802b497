//! Proofs of a Substrate state: keys of the base-16 trie of `sp-trie`, whose nodes are hashed with BLAKE2b-256.
//!
//! A proof is a *set* of nodes, as `state_getReadProof` gives it: in any order, for one key or for several at once. It
//! is looked at as follows:
//!
//! - each node is hashed once; a node that is there twice is refused, and so is one that no key's path visits (ST-02);
//! - a path goes on only under a hash, or inside a node, that its parent names. What the path needs and the set does not
//!   have is an error and never an absence (ST-01). Absence is concluded only from a node that shows it;
//! - both state versions are read, as `sp-trie` reads them: a value stands in its node (version 0, and up to 32 bytes in
//!   version 1) or is named there by its hash, and is then itself in the set (ST-03);
//! - a node has one encoding (ST-07), which is told below. Nodes shorter than 32 bytes stand inside their parents.
//!
//! Keys of child tries are refused (ST-04): a child trie's root is a value of its parent trie, and nothing of ours is in
//! one. Compact proofs, which leave hashes out, have no encoding here (ST-06).
//!
//! [`encode_proof`] and [`decode_proof`] give the set as bytes: the SCALE encoding of `Vec<Vec<u8>>`.
//!
//! # The one encoding of a node
//!
//! | first byte | node | then |
//! | --- | --- | --- |
//! | `00000000` | empty trie | nothing |
//! | `01nnnnnn` | leaf | key part, value |
//! | `10nnnnnn` | branch without a value | key part, children |
//! | `11nnnnnn` | branch with a value | key part, children's bitmap, value, children |
//! | `001nnnnn` | leaf | key part, hash of the value |
//! | `0001nnnn` | branch | key part, children's bitmap, hash of the value, children |
//!
//! The `n` bits count the nibbles of the key part, going on in the next bytes when they are all ones. A key part of an
//! odd number of nibbles has a zero nibble in front. Values and children have their length in front (compact SCALE); a
//! child of 32 bytes is a hash. Refused, though `sp-trie` reads them: bytes after the node, an inline child that is no
//! node, a branch that has less than two of children and value together, and a value of 32 bytes or less that is hashed.
//! No state has such nodes.
//!
//! # What an attacker can grow
//! Nothing. Bytes, nodes, keys and node sizes are bounded before anything is hashed, each node is hashed once, and a walk
//! takes at most one step a nibble.

use alloc::vec::Vec;

use parity_scale_codec::{Compact, Decode, Encode};

use crate::crypto::{blake2b_256, twox_128};
use crate::verdict::{Class, Coded, Hash32, Root};

mod node;
#[cfg(any(test, feature = "test-util"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "builds tries for tests, not from input"
)]
pub mod testing;
#[cfg(test)]
mod tests;

use node::{Child, Nibbles, Node, Value};

/// Root of a trie without entries: BLAKE2b-256 of the empty node, one zero byte (sp-trie `hashed_null_node`).
pub const EMPTY_ROOT: Hash32 = Hash32([
    0x03, 0x17, 0x0a, 0x2e, 0x75, 0x97, 0xb7, 0xb7, 0xe3, 0xd8, 0x4c, 0x05, 0x39, 0x1d, 0x13, 0x9a, 0x62, 0xb1, 0x57,
    0xe7, 0x87, 0x86, 0xd8, 0xc0, 0x82, 0xf2, 0x9d, 0xcf, 0x4c, 0x11, 0x13, 0x14,
]);

/// Longest proof that is looked at, in bytes: several keys with their paths, one of them a set of 1,024 authorities.
pub const MAX_PROOF_BYTES: usize = 256 * 1024;

/// Most nodes of one proof.
pub const MAX_NODES: usize = 1024;

/// Longest node or hashed value, in bytes.
pub const MAX_NODE_BYTES: usize = 128 * 1024;

/// Longest key, in bytes. Keys of pallets are two hashes of 16 bytes and what the item is a map of.
pub const MAX_KEY_BYTES: usize = 512;

/// Most keys of one proof.
pub const MAX_KEYS: usize = 64;

/// What keys of child tries begin with (sp-storage `well_known_keys::CHILD_STORAGE_KEY_PREFIX`).
pub const CHILD_STORAGE_PREFIX: &[u8] = b":child_storage:";

/// A value of at least this many bytes is hashed in state version 1 (sp-storage `TRIE_VALUE_NODE_THRESHOLD`).
pub const HASHED_VALUE_BYTES: usize = 33;

/// Bytes of a hash; a node shorter than this stands inside its parent.
const HASH_BYTES: usize = 32;

/// The storage key of an item of a pallet: the XXH64-128 hashes of both names (frame-support `storage_prefix`).
#[must_use]
pub fn storage_key(pallet: &str, item: &str) -> [u8; 32] {
    let mut key = [0; 32];
    let hashes = twox_128(pallet.as_bytes()).into_iter().chain(twox_128(item.as_bytes()));
    key.iter_mut().zip(hashes).for_each(|(to, from)| *to = from);
    key
}

/// The bytes of a proof, from the nodes of `state_getReadProof`.
#[must_use]
pub fn encode_proof(nodes: &[Vec<u8>]) -> Vec<u8> {
    nodes.encode()
}

/// Decodes the bytes of a proof into its nodes.
///
/// # Errors
/// [`TrieError::ProofTooLong`], [`TrieError::TooManyNodes`], or [`TrieError::Encoding`] when the bytes are not a list of
/// byte strings in its one encoding.
pub fn decode_proof(bytes: &[u8]) -> Result<Vec<&[u8]>, TrieError> {
    if bytes.len() > MAX_PROOF_BYTES {
        return Err(TrieError::ProofTooLong { got_bytes: bytes.len() });
    }
    let mut rest = bytes;
    let nodes = take_nodes(&mut rest)?;
    if rest.is_empty() {
        Ok(nodes)
    } else {
        Err(TrieError::Encoding { what: "proof" })
    }
}

/// Takes a list of byte strings from the front of `rest`.
pub(crate) fn take_nodes<'a>(rest: &mut &'a [u8]) -> Result<Vec<&'a [u8]>, TrieError> {
    let count = take_length(rest, "proof")?;
    if count > MAX_NODES {
        return Err(TrieError::TooManyNodes { got: count });
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let length = take_length(rest, "proof")?;
        nodes.push(take(rest, length).ok_or(TrieError::Encoding { what: "proof" })?);
    }
    Ok(nodes)
}

/// Takes a compact length; the codec refuses any but the shortest form.
fn take_length(rest: &mut &[u8], what: &'static str) -> Result<usize, TrieError> {
    let length = Compact::<u32>::decode(rest).map_err(|_| TrieError::Encoding { what })?.0;
    usize::try_from(length).map_err(|_| TrieError::Encoding { what })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// Looks keys up in the trie with `root`: for each `Some` of its value, or `None` when the nodes show that there is
/// none. The nodes are exactly those that the keys need.
///
/// # Errors
/// [`TrieError`] when the nodes show neither, or are not exactly those of the paths.
pub fn lookup<'a>(root: &Root, keys: &[&[u8]], nodes: &[&'a [u8]]) -> Result<Vec<Option<&'a [u8]>>, TrieError> {
    let mut set = NodeSet::new(nodes)?;
    let values = set.lookup_all(root, keys)?;
    match set.nodes.iter().find(|node| !node.used) {
        Some(unused) => Err(TrieError::UnusedNode { hash: unused.hash }),
        None => Ok(values),
    }
}

/// The nodes of a larger proof that `keys` need, in the order given: so that a proof of many keys, asked for in one
/// call, becomes one proof for each.
///
/// # Errors
/// As [`lookup`], but for nodes that are not needed.
pub fn select<'a>(root: &Root, keys: &[&[u8]], nodes: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, TrieError> {
    let mut set = NodeSet::new(nodes)?;
    set.lookup_all(root, keys)?;
    set.nodes.sort_unstable_by_key(|node| node.position);
    Ok(set.nodes.iter().filter(|node| node.used).map(|node| node.bytes).collect())
}

/// One node of a proof, or one hashed value.
#[derive(Debug)]
struct Listed<'a> {
    hash: Hash32,
    bytes: &'a [u8],
    position: usize,
    used: bool,
}

/// The nodes of a proof by their hashes.
#[derive(Debug)]
struct NodeSet<'a> {
    nodes: Vec<Listed<'a>>,
}

impl<'a> NodeSet<'a> {
    fn new(nodes: &[&'a [u8]]) -> Result<Self, TrieError> {
        if nodes.len() > MAX_NODES {
            return Err(TrieError::TooManyNodes { got: nodes.len() });
        }
        if let Some(node) = nodes.iter().find(|node| node.len() > MAX_NODE_BYTES) {
            return Err(TrieError::NodeTooLong { got_bytes: node.len() });
        }
        let listed = |(position, bytes): (usize, &&'a [u8])| Listed {
            hash: blake2b_256(&[bytes]),
            bytes,
            position,
            used: false,
        };
        let mut nodes: Vec<Listed<'a>> = nodes.iter().enumerate().map(listed).collect();
        nodes.sort_unstable_by_key(|node| node.hash);
        match nodes.windows(2).find(|pair| matches!(pair, [a, b] if a.hash == b.hash)) {
            Some([twice, ..]) => Err(TrieError::DuplicateNode { hash: twice.hash }),
            _ => Ok(Self { nodes }),
        }
    }

    fn lookup_all(&mut self, root: &Root, keys: &[&[u8]]) -> Result<Vec<Option<&'a [u8]>>, TrieError> {
        if keys.len() > MAX_KEYS {
            return Err(TrieError::TooManyKeys { got: keys.len() });
        }
        keys.iter().map(|key| self.walk(root, key)).collect()
    }

    /// The bytes under a hash that a parent names, or the root.
    fn take(&mut self, hash: &Hash32) -> Result<&'a [u8], TrieError> {
        let found = self.nodes.binary_search_by_key(hash, |node| node.hash).ok();
        let node = found.and_then(|at| self.nodes.get_mut(at)).ok_or(TrieError::MissingNode { hash: *hash })?;
        node.used = true;
        Ok(node.bytes)
    }

    fn walk(&mut self, root: &Root, key: &[u8]) -> Result<Option<&'a [u8]>, TrieError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(TrieError::KeyLength { got_bytes: key.len() });
        }
        if key.starts_with(CHILD_STORAGE_PREFIX) {
            return Err(TrieError::ChildTrie);
        }
        let root = Hash32(*root.as_bytes());
        let mut bytes = match self.take(&root) {
            Ok(bytes) => bytes,
            // The root alone shows that the trie is empty.
            Err(_) if root == EMPTY_ROOT => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut path = Nibbles::of_key(key);
        loop {
            let next = match Node::decode(bytes)? {
                Node::Empty if root == EMPTY_ROOT => return Ok(None),
                Node::Empty => return Err(TrieError::Encoding { what: "empty node below the root" }),
                Node::Leaf { part, value } => {
                    return if path == part { self.value(value).map(Some) } else { Ok(None) };
                }
                Node::Branch { part, value, children } => {
                    if !path.strip_prefix(part) {
                        return Ok(None);
                    }
                    match path.take_first() {
                        None => return value.map(|value| self.value(value)).transpose(),
                        Some(nibble) => children.get(nibble)?,
                    }
                }
            };
            // Each turn has taken a nibble of the key, so the walk ends.
            bytes = match next {
                None => return Ok(None),
                Some(Child::Inline(bytes)) => bytes,
                Some(Child::Hash(hash)) => self.take_child(&hash)?,
            };
        }
    }

    fn take_child(&mut self, hash: &Hash32) -> Result<&'a [u8], TrieError> {
        let bytes = self.take(hash)?;
        if bytes.len() < HASH_BYTES {
            return Err(TrieError::NotInlined { got_bytes: bytes.len() });
        }
        Ok(bytes)
    }

    fn value(&mut self, value: Value<'a>) -> Result<&'a [u8], TrieError> {
        match value {
            Value::Inline(bytes) => Ok(bytes),
            Value::Hash(hash) => {
                let bytes = self.take(&hash)?;
                if bytes.len() < HASHED_VALUE_BYTES {
                    return Err(TrieError::ValueNotInlined { got_bytes: bytes.len() });
                }
                Ok(bytes)
            }
        }
    }
}

/// Why a proof is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrieError {
    /// The encoded proof is longer than is looked at.
    #[error("the proof has {got_bytes} bytes, at most {MAX_PROOF_BYTES} are looked at; ask for fewer keys at once")]
    ProofTooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// More nodes than are looked at.
    #[error("the proof has {got} nodes, at most {MAX_NODES} are looked at; ask for fewer keys at once")]
    TooManyNodes {
        /// Its nodes.
        got: usize,
    },
    /// A node longer than is looked at.
    #[error("a node has {got_bytes} bytes, at most {MAX_NODE_BYTES} are looked at")]
    NodeTooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// More keys than are looked up at once.
    #[error("{got} keys are asked for at once, at most {MAX_KEYS} are looked up")]
    TooManyKeys {
        /// Keys asked for.
        got: usize,
    },
    /// A key that is empty, or longer than is looked up.
    #[error("a key has {got_bytes} bytes, 1 to {MAX_KEY_BYTES} are looked up")]
    KeyLength {
        /// Its length.
        got_bytes: usize,
    },
    /// A key of a child trie (ST-04).
    #[error("the key is one of a child trie, which are not looked into; keep commitments in the main trie")]
    ChildTrie,
    /// Bytes that are not what they should be, or not in its one encoding (ST-07).
    #[error("{what} is not in its one encoding; ask another endpoint")]
    Encoding {
        /// The part at fault.
        what: &'static str,
    },
    /// A node is in the proof twice (ST-02).
    #[error("the node {hash} is in the proof twice; ask another endpoint")]
    DuplicateNode {
        /// Its hash.
        hash: Hash32,
    },
    /// A node that no path visits (ST-02).
    #[error("the node {hash} is on the path of no key that was asked for; leave it out")]
    UnusedNode {
        /// Its hash.
        hash: Hash32,
    },
    /// The path goes on in a node that is not in the proof: neither presence nor absence is shown (ST-01).
    #[error("the path goes on in the node {hash}, which is not in the proof; ask another endpoint")]
    MissingNode {
        /// Its hash.
        hash: Hash32,
    },
    /// A node of less than 32 bytes under a hash, which belongs into its parent.
    #[error("a node of {got_bytes} bytes is under a hash, where it belongs inside its parent")]
    NotInlined {
        /// Its length.
        got_bytes: usize,
    },
    /// A value of 32 bytes or less under a hash, which belongs into its node.
    #[error("a value of {got_bytes} bytes is under a hash, where it belongs inside its node")]
    ValueNotInlined {
        /// Its length.
        got_bytes: usize,
    },
    /// A branch that a trie never has: with fewer than two of children and value together.
    #[error("a branch has {children} children and no other key ends there, so it is no branch")]
    Branch {
        /// Its children.
        children: u32,
    },
    /// A child longer than a hash.
    #[error("a child of {got_bytes} bytes is neither a hash nor a node of less than 32 bytes")]
    Child {
        /// Its length.
        got_bytes: usize,
    },
}

impl Coded for TrieError {
    fn code(&self) -> &'static str {
        match self {
            Self::ProofTooLong { .. } => "LC-TRIE-001",
            Self::TooManyNodes { .. } => "LC-TRIE-002",
            Self::NodeTooLong { .. } => "LC-TRIE-003",
            Self::TooManyKeys { .. } => "LC-TRIE-004",
            Self::KeyLength { .. } => "LC-TRIE-005",
            Self::ChildTrie => "LC-TRIE-006",
            Self::Encoding { .. } => "LC-TRIE-007",
            Self::DuplicateNode { .. } => "LC-TRIE-008",
            Self::UnusedNode { .. } => "LC-TRIE-009",
            Self::MissingNode { .. } => "LC-TRIE-010",
            Self::NotInlined { .. } => "LC-TRIE-011",
            Self::ValueNotInlined { .. } => "LC-TRIE-012",
            Self::Branch { .. } => "LC-TRIE-013",
            Self::Child { .. } => "LC-TRIE-014",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::ChildTrie => Class::Config,
            _ => Class::Permanent,
        }
    }
}
