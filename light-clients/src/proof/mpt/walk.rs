//! The walk from a root towards a key: one node after the other, each only under the hash that its parent names.

use super::{MptError, EMPTY_ROOT, KEY_NIBBLES, MAX_NODES, MAX_NODE_BYTES};
use crate::crypto::keccak256;
use crate::rlp::{check_canonical, Item, Kind};
use crate::verdict::Hash32;

/// Bytes of a hash; a node shorter than this stands inside its parent (Yellow Paper, appendix D).
const HASH_BYTES: usize = 32;

/// Children of a branch, one a nibble; its value follows them.
const BRANCH_CHILDREN: usize = 16;

/// Looks `key` up in the trie with `root`: `Some` of the bytes that its leaf holds, or `None` when the nodes show
/// that there is no such leaf.
///
/// # Errors
/// [`MptError`] when the nodes show neither, or are not exactly those of the path.
pub fn lookup<'a>(root: &Hash32, key: &Hash32, nodes: &[&'a [u8]]) -> Result<Option<&'a [u8]>, MptError> {
    if *root == Hash32([0; 32]) {
        return Err(MptError::ZeroRoot);
    }
    if nodes.len() > MAX_NODES {
        return Err(MptError::TooManyNodes { got: nodes.len() });
    }
    if let Some(position) = nodes.iter().position(|node| node.len() > MAX_NODE_BYTES) {
        let got_bytes = nodes.get(position).map_or(0, |node| node.len());
        return Err(MptError::NodeTooLong { position, got_bytes });
    }
    let mut listed = Listed { nodes, next: 0 };
    let value = if *root == EMPTY_ROOT { listed.take_empty_root() } else { walk(root, key, &mut listed)? };
    if listed.next < nodes.len() {
        return Err(MptError::ExtraNodes { used: listed.next, got: nodes.len() });
    }
    Ok(value)
}

/// The nodes of a proof, taken one by one.
struct Listed<'n, 'a> {
    nodes: &'n [&'a [u8]],
    next: usize,
}

impl<'a> Listed<'_, 'a> {
    /// The next node, which must have the hash `expected`.
    fn take(&mut self, expected: &Hash32) -> Result<&'a [u8], MptError> {
        let truncated = MptError::Truncated { got: self.next, expected: *expected };
        let node = *self.nodes.get(self.next).ok_or(truncated)?;
        let got = keccak256(&[node]);
        if got != *expected {
            return Err(MptError::WrongHash { position: self.next, got, expected: *expected });
        }
        if node.len() < HASH_BYTES && self.next > 0 {
            return Err(MptError::NotInlined { position: self.next, got_bytes: node.len() });
        }
        self.next = self.next.saturating_add(1);
        Ok(node)
    }

    /// The empty trie is shown by its root alone; some nodes of the network list its one node, the empty string.
    fn take_empty_root(&mut self) -> Option<&'a [u8]> {
        if self.nodes.first().is_some_and(|node| matches!(node, [0x80])) {
            self.next = 1;
        }
        None
    }
}

/// Where a child of a node is.
enum Child<'a> {
    /// Nowhere: there is no such key.
    Empty,
    /// In the next listed node, which has this hash.
    Hashed(Hash32),
    /// Inside the parent.
    Inline(Item<'a>),
}

impl<'a> Child<'a> {
    /// Reads a reference (Yellow Paper, appendix D: n(I, i) is the node itself below 32 bytes, else its hash).
    fn read(item: Item<'a>) -> Result<Self, MptError> {
        match item.kind() {
            Kind::List if item.raw().len() < HASH_BYTES => {
                // It is part of its parent's bytes, so all of it is held to the one encoding, on the path or not.
                check_canonical(item.raw(), HASH_BYTES)?;
                Ok(Self::Inline(item))
            }
            Kind::List => Err(MptError::Reference { got_bytes: item.raw().len() }),
            Kind::Bytes => match item.bytes()? {
                [] => Ok(Self::Empty),
                bytes => {
                    Hash32::from_slice(bytes).map(Self::Hashed).ok_or(MptError::Reference { got_bytes: bytes.len() })
                }
            },
        }
    }

    /// Checks that an inline child of an extension is a branch; a hashed one shows itself only on the path.
    fn check_branch(&self) -> Result<(), MptError> {
        match self {
            Self::Inline(item) => match read_node(*item, None)? {
                Node::Branch(_) => Ok(()),
                Node::Extension(..) | Node::Leaf(..) => Err(MptError::Extension),
            },
            Self::Empty | Self::Hashed(_) => Ok(()),
        }
    }
}

/// A node, as far as the path needs it.
enum Node<'a> {
    /// The child under the nibble of the path.
    Branch(Child<'a>),
    /// Nibbles that the path must follow, and the branch after them.
    Extension(CompactPath<'a>, Child<'a>),
    /// The rest of a key and its value.
    Leaf(CompactPath<'a>, &'a [u8]),
}

/// Walks from a root that is not that of the empty trie.
fn walk<'a>(root: &Hash32, key: &Hash32, listed: &mut Listed<'_, 'a>) -> Result<Option<&'a [u8]>, MptError> {
    let mut child = Child::Hashed(*root);
    let mut depth = 0usize;
    let mut after_extension = false;
    // Each turn but the last consumes at least one nibble, so this ends; the bound is written down all the same.
    for _ in 0..MAX_NODES {
        let item = match child {
            Child::Empty => return Ok(None),
            Child::Hashed(hash) => Item::decode(listed.take(&hash)?)?,
            Child::Inline(item) => item,
        };
        match read_node(item, nibble(key, depth))? {
            Node::Branch(next) => {
                if depth >= KEY_NIBBLES {
                    return Err(MptError::PathLength { reached: depth.saturating_add(1) });
                }
                depth = depth.saturating_add(1);
                child = next;
                after_extension = false;
            }
            Node::Extension(path, next) => {
                let reached = depth.saturating_add(path.len());
                if after_extension || path.len() == 0 || matches!(next, Child::Empty) {
                    return Err(MptError::Extension);
                }
                if reached >= KEY_NIBBLES {
                    return Err(MptError::PathLength { reached });
                }
                if !path.matches(key, depth) {
                    next.check_branch()?;
                    return Ok(None);
                }
                depth = reached;
                child = next;
                after_extension = true;
            }
            Node::Leaf(path, value) => {
                let reached = depth.saturating_add(path.len());
                if after_extension {
                    return Err(MptError::Extension);
                }
                if reached != KEY_NIBBLES {
                    return Err(MptError::PathLength { reached });
                }
                return Ok(path.matches(key, depth).then_some(value));
            }
        }
    }
    Err(MptError::PathLength { reached: depth })
}

/// Reads a node; of a branch only the child under `nibble` is kept, though all are checked.
fn read_node(item: Item<'_>, nibble: Option<u8>) -> Result<Node<'_>, MptError> {
    let items = item.items(BRANCH_CHILDREN.saturating_add(1))?;
    match items.as_slice() {
        [path, second] => {
            let (path, leaf) = CompactPath::read(path.bytes()?)?;
            if leaf {
                return Ok(Node::Leaf(path, second.bytes()?));
            }
            Ok(Node::Extension(path, Child::read(*second)?))
        }
        [children @ .., value] if children.len() == BRANCH_CHILDREN => {
            if !value.bytes()?.is_empty() {
                return Err(MptError::BranchValue);
            }
            let mut wanted = Child::Empty;
            for (index, item) in children.iter().enumerate() {
                let child = Child::read(*item)?;
                if nibble.is_some_and(|nibble| usize::from(nibble) == index) {
                    wanted = child;
                }
            }
            Ok(Node::Branch(wanted))
        }
        _ => Err(MptError::NodeItems { got: items.len() }),
    }
}

/// A path in hex-prefix encoding (Yellow Paper, appendix C), with its flags taken off.
#[derive(Clone, Copy)]
struct CompactPath<'a> {
    /// The nibble beside the flags, when the number of nibbles is odd.
    first: Option<u8>,
    /// The other nibbles, two a byte.
    rest: &'a [u8],
}

impl<'a> CompactPath<'a> {
    /// The path, and whether it is that of a leaf.
    fn read(bytes: &'a [u8]) -> Result<(Self, bool), MptError> {
        let (&flags, rest) = bytes.split_first().ok_or(MptError::CompactPath { first: 0xff })?;
        let low = flags & 0x0f;
        let (first, leaf) = match (flags >> 4, low) {
            (0, 0) => (None, false),
            (1, _) => (Some(low), false),
            (2, 0) => (None, true),
            (3, _) => (Some(low), true),
            _ => return Err(MptError::CompactPath { first: flags }),
        };
        Ok((Self { first, rest }, leaf))
    }

    /// Number of nibbles.
    fn len(&self) -> usize {
        self.rest.len().saturating_mul(2).saturating_add(usize::from(self.first.is_some()))
    }

    /// Whether the nibbles of `key` from `depth` on start with this path.
    fn matches(&self, key: &Hash32, depth: usize) -> bool {
        let rest = self.rest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        self.first
            .into_iter()
            .chain(rest)
            .enumerate()
            .all(|(offset, mine)| nibble(key, depth.saturating_add(offset)) == Some(mine))
    }
}

/// The nibble of `key` at `index`; `None` past its end.
fn nibble(key: &Hash32, index: usize) -> Option<u8> {
    let byte = key.0.get(index / 2)?;
    Some(if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}
