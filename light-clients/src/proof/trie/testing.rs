//! Small Substrate tries, in both state versions.

use alloc::collections::BTreeMap;
use alloc::{vec, vec::Vec};

use parity_scale_codec::{Compact, Encode};

use super::{EMPTY_ROOT, HASHED_VALUE_BYTES};
use crate::crypto::blake2b_256;
use crate::verdict::{Hash32, Root};

/// How values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StateVersion {
    /// All values stand in their nodes.
    V0,
    /// Values of more than 32 bytes are named by their hashes.
    #[default]
    V1,
}

/// A trie. Every root and proof is computed anew: for small tries.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    /// State version.
    pub version: StateVersion,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Trie {
    /// An empty trie.
    #[must_use]
    pub const fn new(version: StateVersion) -> Self {
        Self { version, entries: BTreeMap::new() }
    }

    /// Puts `value` under `key`.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.entries.insert(key.to_vec(), value.to_vec());
    }

    /// Removes what is under `key`.
    pub fn remove(&mut self, key: &[u8]) {
        self.entries.remove(key);
    }

    /// What is under `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.entries.get(key).map(Vec::as_slice)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Root {
        let hash = self.build(&[]).map_or(EMPTY_ROOT, |(root, _)| blake2b_256(&[&root]));
        Root::new(hash.as_bytes()).expect("a hash is not zero")
    }

    /// The nodes that `keys` need, each once, in no order that means anything.
    #[must_use]
    pub fn proof(&self, keys: &[&[u8]]) -> Vec<Vec<u8>> {
        let Some((root, nodes)) = self.build(keys) else { return Vec::new() };
        let mut nodes: BTreeMap<Hash32, Vec<u8>> =
            nodes.into_iter().map(|node| (blake2b_256(&[&node]), node)).collect();
        nodes.insert(blake2b_256(&[&root]), root);
        nodes.into_values().collect()
    }

    /// The root node, and the hashed nodes and values on the paths of `keys`.
    fn build(&self, keys: &[&[u8]]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let entries: Vec<(Vec<u8>, &[u8])> = self.entries.iter().map(|(k, v)| (nibbles(k), v.as_slice())).collect();
        if entries.is_empty() {
            return None;
        }
        let mut builder =
            Builder { version: self.version, targets: keys.iter().map(|k| nibbles(k)).collect(), on_path: vec![] };
        let root = builder.node(&entries, 0);
        Some((root, builder.on_path))
    }
}

/// The nibbles of a key.
#[must_use]
pub fn nibbles(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

/// The first bytes of a node: its kind with the count of nibbles, and the nibbles. `mask` has the bits that count.
#[must_use]
pub fn node_header(kind: u8, mask: u8, part: &[u8]) -> Vec<u8> {
    let limit = usize::from(mask);
    let mut out = vec![kind | part.len().min(limit) as u8];
    if part.len() >= limit {
        let mut rest = part.len() - (limit - 1);
        while rest > 255 {
            out.push(255);
            rest -= 255;
        }
        out.push((rest - 1) as u8);
    }
    let padded: Vec<u8> = core::iter::repeat_n(0, part.len() % 2).chain(part.iter().copied()).collect();
    out.extend(padded.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    out
}

/// The nibbles of a key, and its value.
type Entry<'a> = (Vec<u8>, &'a [u8]);

struct Builder {
    version: StateVersion,
    targets: Vec<Vec<u8>>,
    on_path: Vec<Vec<u8>>,
}

impl Builder {
    /// The encoding of the node that holds `entries`, which agree in their first `depth` nibbles.
    fn node(&mut self, entries: &[(Vec<u8>, &[u8])], depth: usize) -> Vec<u8> {
        let (first, last) = (&entries[0].0, &entries[entries.len() - 1].0);
        let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
        let end = depth + shared;
        let part = &first[depth..end];
        // Entries are sorted, so a key that ends here is the first.
        let (own, below) = if first.len() == end { (Some(&entries[0]), &entries[1..]) } else { (None, entries) };
        let hashed =
            own.is_some_and(|(_, value)| self.version == StateVersion::V1 && value.len() >= HASHED_VALUE_BYTES);
        let mut out = match (below.is_empty(), own.is_some(), hashed) {
            (true, _, false) => node_header(0x40, 0x3f, part),
            (true, _, true) => node_header(0x20, 0x1f, part),
            (false, false, _) => node_header(0x80, 0x3f, part),
            (false, true, false) => node_header(0xc0, 0x3f, part),
            (false, true, true) => node_header(0x10, 0x0f, part),
        };
        let groups: Vec<(u8, Vec<Entry<'_>>)> = (0..16u8)
            .map(|nibble| (nibble, below.iter().filter(|(key, _)| key[end] == nibble).cloned().collect::<Vec<_>>()))
            .filter(|(_, group)| !group.is_empty())
            .collect();
        if !below.is_empty() {
            let bitmap = groups.iter().fold(0u16, |bits, (nibble, _)| bits | 1 << nibble);
            out.extend(bitmap.to_le_bytes());
        }
        if let Some((key, value)) = own {
            if hashed {
                out.extend(blake2b_256(&[value]).0);
                if self.targets.contains(key) {
                    self.on_path.push(value.to_vec());
                }
            } else {
                value.encode_to(&mut out);
            }
        }
        for (nibble, group) in groups {
            let child = self.node(&group, end + 1);
            if child.len() < 32 {
                child.encode_to(&mut out);
                continue;
            }
            Compact(32u32).encode_to(&mut out);
            out.extend(blake2b_256(&[&child]).0);
            let leads = |target: &Vec<u8>| target.starts_with(&first[..end]) && target.get(end) == Some(&nibble);
            if self.targets.iter().any(leads) {
                self.on_path.push(child);
            }
        }
        out
    }
}
