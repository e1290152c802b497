//! A Merkle-Patricia trie that shares what does not change (Yellow Paper, appendix D).
//!
//! A clone is a snapshot and costs nothing; an update makes the nodes on its path anew and shares the rest. So the
//! state after every block is kept whole, and a proof at any kept height is a walk. Hashes are made when they are asked
//! for and then kept, so many updates of one block hash each node once.
//!
//! No key may be the start of another: true of hashes of 32 bytes, and of the RLP of list indices.

use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::proof::mpt::EMPTY_ROOT;
use catenary_light_clients::rlp::{put_bytes, put_list};
use catenary_light_clients::sealing::compact;

/// What a leaf holds.
pub(super) trait Value: Clone {
    /// The bytes that the leaf commits to; never empty.
    fn encode(&self) -> Vec<u8>;
}

impl Value for Vec<u8> {
    fn encode(&self) -> Vec<u8> {
        self.clone()
    }
}

/// A trie; cheap to clone.
#[derive(Clone)]
pub(super) struct Trie<V> {
    root: Option<Arc<Node<V>>>,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

struct Node<V> {
    kind: Kind<V>,
    /// How a node above names this one: its encoding where that is short, else its hash.
    reference: OnceLock<Vec<u8>>,
}

type Below<V> = Option<Arc<Node<V>>>;

enum Kind<V> {
    Leaf { rest: Vec<u8>, value: V },
    Extension { shared: Vec<u8>, below: Arc<Node<V>> },
    Branch(Box<[Below<V>; 16]>),
}

impl<V: Value> Trie<V> {
    /// The value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        let path = nibbles(key);
        let (mut node, mut rest) = (self.root.as_deref()?, path.as_slice());
        loop {
            match &node.kind {
                Kind::Leaf { rest: own, value } => return (own == rest).then_some(value),
                Kind::Extension { shared, below } => {
                    rest = rest.strip_prefix(shared.as_slice())?;
                    node = below;
                }
                Kind::Branch(children) => {
                    let (first, below) = rest.split_first()?;
                    rest = below;
                    node = children[usize::from(*first)].as_deref()?;
                }
            }
        }
    }

    /// Puts `value` under `key`.
    pub(super) fn insert(&mut self, key: &[u8], value: V) {
        self.root = Some(insert(self.root.as_ref(), &nibbles(key), value));
    }

    /// Takes the value under `key` out, if there is one.
    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Some(changed) = self.root.as_ref().and_then(|root| remove(root, &nibbles(key))) {
            self.root = changed;
        }
    }

    /// The root hash.
    pub(super) fn root(&self) -> B256 {
        self.root.as_ref().map_or(B256::new(EMPTY_ROOT.0), |root| B256::from(keccak256(&[&root.encode()]).0))
    }

    /// The nodes from the root towards `key`, as `eth_getProof` lists them: the root, and below it each node that is
    /// named by its hash.
    pub(super) fn proof(&self, key: &[u8]) -> Vec<Vec<u8>> {
        let path = nibbles(key);
        let (mut next, mut rest, mut nodes) = (self.root.as_deref(), path.as_slice(), Vec::new());
        while let Some(node) = next {
            let encoding = node.encode();
            if nodes.is_empty() || encoding.len() >= 32 {
                nodes.push(encoding);
            }
            next = match &node.kind {
                Kind::Leaf { .. } => None,
                Kind::Extension { shared, below } => rest.strip_prefix(shared.as_slice()).map(|left| {
                    rest = left;
                    &**below
                }),
                Kind::Branch(children) => rest.split_first().and_then(|(first, left)| {
                    rest = left;
                    children[usize::from(*first)].as_deref()
                }),
            };
        }
        nodes
    }
}

/// The root of the trie that lists `items` under the RLP of their positions.
pub(super) fn ordered_root(items: impl IntoIterator<Item = Vec<u8>>) -> B256 {
    let mut trie = Trie::default();
    for (index, item) in items.into_iter().enumerate() {
        let mut key = Vec::new();
        catenary_light_clients::rlp::put_uint(&mut key, index as u64);
        trie.insert(&key, item);
    }
    trie.root()
}

impl<V: Value> Node<V> {
    fn new(kind: Kind<V>) -> Arc<Self> {
        Arc::new(Self { kind, reference: OnceLock::new() })
    }

    fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(64);
        match &self.kind {
            Kind::Leaf { rest, value } => {
                put_bytes(&mut payload, &compact(rest, true));
                put_bytes(&mut payload, &value.encode());
            }
            Kind::Extension { shared, below } => {
                put_bytes(&mut payload, &compact(shared, false));
                payload.extend_from_slice(below.reference());
            }
            Kind::Branch(children) => {
                for child in children.iter() {
                    match child {
                        Some(child) => payload.extend_from_slice(child.reference()),
                        None => payload.push(0x80),
                    }
                }
                // No key is the start of another, so a branch never has a value.
                payload.push(0x80);
            }
        }
        let mut out = Vec::with_capacity(payload.len() + 4);
        put_list(&mut out, &payload);
        out
    }

    fn reference(&self) -> &[u8] {
        self.reference.get_or_init(|| {
            let encoding = self.encode();
            if encoding.len() < 32 {
                return encoding;
            }
            let mut out = Vec::with_capacity(33);
            put_bytes(&mut out, &keccak256(&[&encoding]).0);
            out
        })
    }
}

fn nibbles(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

fn shared_length(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn leaf<V: Value>(rest: &[u8], value: V) -> Arc<Node<V>> {
    Node::new(Kind::Leaf { rest: rest.to_vec(), value })
}

/// `below` under the nibbles `prefix`, with neighbours joined into one node.
fn under<V: Value>(prefix: &[u8], below: &Arc<Node<V>>) -> Arc<Node<V>> {
    if prefix.is_empty() {
        return below.clone();
    }
    match &below.kind {
        Kind::Leaf { rest, value } => leaf(&[prefix, rest].concat(), value.clone()),
        Kind::Extension { shared, below } => {
            Node::new(Kind::Extension { shared: [prefix, shared].concat(), below: below.clone() })
        }
        Kind::Branch(_) => Node::new(Kind::Extension { shared: prefix.to_vec(), below: below.clone() }),
    }
}

/// A branch that parts `old` (under the nibbles `old_path`) and a new leaf.
fn part<V: Value>(old_path: &[u8], old: &Arc<Node<V>>, path: &[u8], value: V) -> Arc<Node<V>> {
    let shared = shared_length(old_path, path);
    let mut children: Box<[Below<V>; 16]> = Box::default();
    children[usize::from(old_path[shared])] = Some(under(&old_path[shared + 1..], old));
    children[usize::from(path[shared])] = Some(leaf(&path[shared + 1..], value));
    under(&path[..shared], &Node::new(Kind::Branch(children)))
}

fn insert<V: Value>(node: Option<&Arc<Node<V>>>, path: &[u8], value: V) -> Arc<Node<V>> {
    let Some(node) = node else { return leaf(path, value) };
    match &node.kind {
        Kind::Leaf { rest, .. } if rest == path => leaf(path, value),
        Kind::Leaf { rest, value: old } => part(rest, &leaf(&[], old.clone()), path, value),
        Kind::Extension { shared, below } => match path.strip_prefix(shared.as_slice()) {
            Some(rest) => under(shared, &insert(Some(below), rest, value)),
            None => part(shared, below, path, value),
        },
        Kind::Branch(children) => {
            let mut children = children.clone();
            let child = &mut children[usize::from(path[0])];
            *child = Some(insert(child.as_ref(), &path[1..], value));
            Node::new(Kind::Branch(children))
        }
    }
}

/// What `node` becomes without the value under `path`; `None` when there is none.
fn remove<V: Value>(node: &Arc<Node<V>>, path: &[u8]) -> Option<Below<V>> {
    match &node.kind {
        Kind::Leaf { rest, .. } => (rest == path).then_some(None),
        Kind::Extension { shared, below } => {
            let changed = remove(below, path.strip_prefix(shared.as_slice())?)?;
            Some(changed.map(|below| under(shared, &below)))
        }
        Kind::Branch(children) => {
            let (first, rest) = path.split_first()?;
            let changed = remove(children[usize::from(*first)].as_ref()?, rest)?;
            let mut children = children.clone();
            children[usize::from(*first)] = changed;
            let mut left = (0u8..).zip(children.iter()).filter_map(|(nibble, child)| Some((nibble, child.as_ref()?)));
            match (left.next(), left.next()) {
                (Some((nibble, only)), None) => Some(Some(under(&[nibble], only))),
                _ => Some(Some(Node::new(Kind::Branch(children)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_rlp::BufMut as _;
    use catenary_light_clients::testing::Trie as Model;

    use super::*;

    fn key(seed: u64) -> [u8; 32] {
        keccak256(&[&seed.to_be_bytes()]).0
    }

    #[test]
    fn roots_and_proofs_are_those_of_a_trie_that_is_built_anew() {
        let (mut trie, mut model) = (Trie::default(), Model::default());
        assert_eq!(trie.root().0, EMPTY_ROOT.0);
        for seed in 0..400u64 {
            // Values of one byte make nodes that are short enough to stand within the node above.
            let value = if seed % 3 == 0 { vec![7] } else { vec![9; 40] };
            trie.insert(&key(seed), value.clone());
            model.insert(key(seed), value);
            if seed % 40 == 0 {
                assert_eq!(trie.root().0, model.root().0, "{seed}");
                for probe in [seed, seed / 2, 1_000 + seed] {
                    assert_eq!(trie.proof(&key(probe)), model.proof(&key(probe)), "{seed} {probe}");
                }
            }
        }
    }

    #[test]
    fn what_is_taken_out_leaves_no_trace_and_snapshots_stay() {
        let mut trie = Trie::default();
        let mut roots = vec![trie.root()];
        let mut snapshots = vec![trie.clone()];
        for seed in 0..200u64 {
            trie.insert(&key(seed), vec![1, 2, 3]);
            roots.push(trie.root());
            snapshots.push(trie.clone());
        }
        for seed in (0..200u64).rev() {
            let before = trie.root();
            trie.remove(&key(1_000 + seed));
            assert_eq!(trie.root(), before, "nothing was there");
            trie.remove(&key(seed));
            assert_eq!(Some(trie.root()), roots.pop().and_then(|_| roots.last().copied()), "{seed}");
            assert_eq!(trie.get(&key(seed)), None);
        }
        assert_eq!(snapshots[150].get(&key(149)), Some(&vec![1, 2, 3]));
        assert_eq!(snapshots[150].get(&key(150)), None);
    }

    #[test]
    fn the_ordered_trie_is_that_of_the_reference_implementation() {
        for count in [0usize, 1, 2, 17, 130, 300] {
            let items: Vec<Vec<u8>> = (0..count).map(|n| vec![u8::try_from(n % 200).unwrap_or(0) + 1; 5]).collect();
            let expect = alloy_trie::root::ordered_trie_root_with_encoder(&items, |item, out| out.put_slice(item));
            assert_eq!(ordered_root(items.clone()), expect, "{count}");
        }
    }
}
