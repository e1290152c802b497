//! A persistent IAVL tree: an AVL tree whose values are in its leaves, hashed as cosmos `iavl` hashes its nodes.
//!
//! A change makes new nodes along one path and shares the rest, so keeping a version, a checkpoint or a fork is
//! keeping a pointer. A node is hashed when its hash is first asked for, once.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, InnerOp, LeafOp, LengthOp, NonExistenceProof};

use super::merkle::{inner_op, sha256, Hash};

/// Length of a child's hash, which is written before it.
const HASH_LENGTH: u8 = 32;

/// A tree; cloning it is cheap and keeps the version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    root: Option<Arc<Node>>,
}

#[derive(Debug)]
struct Node {
    /// A leaf's key, or the smallest key on an inner node's right side.
    key: Vec<u8>,
    /// Version at which the node was made.
    version: u64,
    kind: Kind,
    hash: OnceLock<Hash>,
}

#[derive(Debug, Clone)]
enum Kind {
    Leaf(Vec<u8>),
    Inner { height: u64, size: u64, left: Arc<Node>, right: Arc<Node> },
}

impl Tree {
    /// The value at a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut node = self.root.as_ref()?;
        loop {
            match &node.kind {
                Kind::Leaf(value) => return (node.key == key).then_some(value),
                Kind::Inner { left, right, .. } => node = if key < node.key.as_slice() { left } else { right },
            }
        }
    }

    /// Sets a value; the nodes that this makes carry `version`.
    pub(crate) fn set(&mut self, version: u64, key: &[u8], value: Vec<u8>) {
        let leaf = Node::leaf(version, key, value);
        self.root = Some(match self.root.take() {
            None => leaf,
            Some(root) => insert(&root, version, leaf),
        });
    }

    /// Removes a key; one that is not there changes nothing.
    pub(crate) fn remove(&mut self, version: u64, key: &[u8]) {
        let Some(root) = &self.root else { return };
        if let Some(removed) = remove(root, version, key) {
            self.root = removed.left_over;
        }
    }

    /// Hash of the root. An empty tree has the hash of nothing.
    pub(crate) fn hash(&self) -> Hash {
        self.root.as_ref().map_or_else(|| sha256(&[]), |root| root.hash())
    }

    /// Proves what is at the key, a value or nothing; `None` for an empty tree, which proves nothing.
    pub(crate) fn prove(&self, key: &[u8]) -> Option<CommitmentProof> {
        let root = self.root.as_ref()?;
        let proof = match self.existence(key) {
            Some(existence) => Proof::Exist(existence),
            None => {
                let (left, right) = neighbours(root, key);
                let prove = |node: &Arc<Node>| self.existence(&node.key);
                Proof::Nonexist(NonExistenceProof {
                    key: key.to_vec(),
                    left: left.and_then(prove),
                    right: right.and_then(prove),
                })
            }
        };
        Some(CommitmentProof { proof: Some(proof) })
    }

    fn existence(&self, key: &[u8]) -> Option<ExistenceProof> {
        let mut node = self.root.as_ref()?;
        let mut path: Vec<InnerOp> = Vec::new();
        loop {
            match &node.kind {
                Kind::Leaf(value) if node.key == key => {
                    path.reverse();
                    let (key, value) = (key.to_vec(), value.clone());
                    return Some(ExistenceProof { key, value, leaf: Some(leaf_op(node.head())), path });
                }
                Kind::Leaf(_) => return None,
                Kind::Inner { left, right, .. } => {
                    let head = node.head();
                    if key < node.key.as_slice() {
                        let suffix = [&[HASH_LENGTH], &right.hash()[..]].concat();
                        path.push(inner_op([head, vec![HASH_LENGTH]].concat(), suffix));
                        node = left;
                    } else {
                        let prefix = [&head[..], &[HASH_LENGTH], &left.hash(), &[HASH_LENGTH]].concat();
                        path.push(inner_op(prefix, Vec::new()));
                        node = right;
                    }
                }
            }
        }
    }

    /// All keys that start with a prefix, with their values, in order.
    pub(crate) fn prefixed(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            collect(root, prefix, &mut found);
        }
        found
    }
}

fn leaf_op(prefix: Vec<u8>) -> LeafOp {
    LeafOp {
        hash: HashOp::Sha256.into(),
        prehash_key: HashOp::NoHash.into(),
        prehash_value: HashOp::Sha256.into(),
        length: LengthOp::VarProto.into(),
        prefix,
    }
}

pub(crate) fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(value, &mut bytes);
    bytes
}

impl Node {
    fn leaf(version: u64, key: &[u8], value: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { key: key.to_vec(), version, kind: Kind::Leaf(value), hash: OnceLock::new() })
    }

    /// An inner node that is not balanced yet.
    fn inner(version: u64, key: Vec<u8>, left: Arc<Self>, right: Arc<Self>) -> Arc<Self> {
        let height = left.height().max(right.height()) + 1;
        let size = left.size() + right.size();
        Arc::new(Self { key, version, kind: Kind::Inner { height, size, left, right }, hash: OnceLock::new() })
    }

    fn height(&self) -> u64 {
        match &self.kind {
            Kind::Leaf(_) => 0,
            Kind::Inner { height, .. } => *height,
        }
    }

    fn size(&self) -> u64 {
        match &self.kind {
            Kind::Leaf(_) => 1,
            Kind::Inner { size, .. } => *size,
        }
    }

    /// How much higher the left side is than the right one, in either direction.
    fn lean(&self) -> (u64, u64) {
        match &self.kind {
            Kind::Leaf(_) => (0, 0),
            Kind::Inner { left, right, .. } => {
                (left.height().saturating_sub(right.height()), right.height().saturating_sub(left.height()))
            }
        }
    }

    /// Start of what is hashed: height, size and version as zigzag varints.
    fn head(&self) -> Vec<u8> {
        [varint(2 * self.height()), varint(2 * self.size()), varint(2 * self.version)].concat()
    }

    fn hash(&self) -> Hash {
        *self.hash.get_or_init(|| match &self.kind {
            Kind::Leaf(value) => {
                let length = varint(self.key.len() as u64);
                sha256(&[&self.head(), &length, &self.key, &[HASH_LENGTH], &sha256(&[value])])
            }
            Kind::Inner { left, right, .. } => {
                sha256(&[&self.head(), &[HASH_LENGTH], &left.hash(), &[HASH_LENGTH], &right.hash()])
            }
        })
    }
}

fn insert(node: &Arc<Node>, version: u64, leaf: Arc<Node>) -> Arc<Node> {
    match &node.kind {
        Kind::Leaf(_) => match leaf.key.cmp(&node.key) {
            Ordering::Less => Node::inner(version, node.key.clone(), leaf, Arc::clone(node)),
            Ordering::Equal => leaf,
            Ordering::Greater => Node::inner(version, leaf.key.clone(), Arc::clone(node), leaf),
        },
        Kind::Inner { left, right, .. } => {
            let (left, right) = if leaf.key < node.key {
                (insert(left, version, leaf), Arc::clone(right))
            } else {
                (Arc::clone(left), insert(right, version, leaf))
            };
            balance(version, Node::inner(version, node.key.clone(), left, right))
        }
    }
}

/// What a removal leaves of a subtree.
struct Removed {
    left_over: Option<Arc<Node>>,
    /// The subtree's smallest key, when the removal changed it.
    smallest: Option<Vec<u8>>,
}

/// `None` when the key is not there.
fn remove(node: &Arc<Node>, version: u64, key: &[u8]) -> Option<Removed> {
    let Kind::Inner { left, right, .. } = &node.kind else {
        return (node.key == key).then_some(Removed { left_over: None, smallest: None });
    };
    if key < node.key.as_slice() {
        let below = remove(left, version, key)?;
        let Some(left) = below.left_over else {
            return Some(Removed { left_over: Some(Arc::clone(right)), smallest: Some(node.key.clone()) });
        };
        let inner = Node::inner(version, node.key.clone(), left, Arc::clone(right));
        return Some(Removed { left_over: Some(balance(version, inner)), smallest: below.smallest });
    }
    let below = remove(right, version, key)?;
    let Some(right) = below.left_over else {
        return Some(Removed { left_over: Some(Arc::clone(left)), smallest: None });
    };
    let smallest = below.smallest.unwrap_or_else(|| node.key.clone());
    let inner = Node::inner(version, smallest, Arc::clone(left), right);
    Some(Removed { left_over: Some(balance(version, inner)), smallest: None })
}

/// Restores that the sides of a node differ in height by at most one.
fn balance(version: u64, node: Arc<Node>) -> Arc<Node> {
    let Kind::Inner { left, right, .. } = &node.kind else { return node };
    match node.lean() {
        (2.., _) => {
            let left = if left.lean().1 > 0 { rotate_left(version, left) } else { Arc::clone(left) };
            rotate_right(version, &Node::inner(version, node.key.clone(), left, Arc::clone(right)))
        }
        (_, 2..) => {
            let right = if right.lean().0 > 0 { rotate_right(version, right) } else { Arc::clone(right) };
            rotate_left(version, &Node::inner(version, node.key.clone(), Arc::clone(left), right))
        }
        _ => node,
    }
}

fn rotate_right(version: u64, node: &Arc<Node>) -> Arc<Node> {
    let Kind::Inner { left, right, .. } = &node.kind else { return Arc::clone(node) };
    let Kind::Inner { left: outer, right: middle, .. } = &left.kind else { return Arc::clone(node) };
    let lower = Node::inner(version, node.key.clone(), Arc::clone(middle), Arc::clone(right));
    Node::inner(version, left.key.clone(), Arc::clone(outer), lower)
}

fn rotate_left(version: u64, node: &Arc<Node>) -> Arc<Node> {
    let Kind::Inner { left, right, .. } = &node.kind else { return Arc::clone(node) };
    let Kind::Inner { left: middle, right: outer, .. } = &right.kind else { return Arc::clone(node) };
    let lower = Node::inner(version, node.key.clone(), Arc::clone(left), Arc::clone(middle));
    Node::inner(version, right.key.clone(), lower, Arc::clone(outer))
}

/// The leaves on both sides of a key that is not there.
fn neighbours<'a>(root: &'a Arc<Node>, key: &[u8]) -> (Option<&'a Arc<Node>>, Option<&'a Arc<Node>>) {
    let (mut below, mut above) = (None, None);
    let mut node = root;
    while let Kind::Inner { left, right, .. } = &node.kind {
        if key < node.key.as_slice() {
            above = Some(outermost(right, true));
            node = left;
        } else {
            below = Some(outermost(left, false));
            node = right;
        }
    }
    match key.cmp(&node.key) {
        Ordering::Less => above = Some(node),
        Ordering::Greater => below = Some(node),
        Ordering::Equal => {}
    }
    (below, above)
}

fn outermost(node: &Arc<Node>, leftmost: bool) -> &Arc<Node> {
    let mut node = node;
    while let Kind::Inner { left, right, .. } = &node.kind {
        node = if leftmost { left } else { right };
    }
    node
}

fn collect(node: &Arc<Node>, prefix: &[u8], found: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    match &node.kind {
        Kind::Leaf(value) if node.key.starts_with(prefix) => found.push((node.key.clone(), value.clone())),
        Kind::Leaf(_) => {}
        Kind::Inner { left, right, .. } => {
            // The left side holds what is below the node's key, the right side the rest.
            if prefix < node.key.as_slice() {
                collect(left, prefix, found);
            }
            if node.key.as_slice() <= prefix || node.key.starts_with(prefix) || prefix.is_empty() {
                collect(right, prefix, found);
            }
        }
    }
}

#[cfg(test)]
mod tests;
