//! Small Merkle-Patricia tries, and an EVM state made of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::crypto::{keccak256, Address};
use crate::proof::mpt::{encode_proof, EMPTY_CODE_HASH, EMPTY_ROOT};
use crate::rlp;
use crate::sealing::compact;
use crate::verdict::{Hash32, Root};

/// A trie with keys of 32 bytes. Every root and proof is computed anew: for small tries.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    entries: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Trie {
    /// Puts `value` under `key`, which is a hash already.
    pub fn insert(&mut self, key: [u8; 32], value: Vec<u8>) {
        self.entries.insert(key, value);
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        self.build(&[]).map_or(EMPTY_ROOT, |(root, _)| keccak256(&[&root]))
    }

    /// The nodes from the root towards `key`, each hashed node once.
    #[must_use]
    pub fn proof(&self, key: &[u8; 32]) -> Vec<Vec<u8>> {
        let Some((root, mut nodes)) = self.build(&nibbles(key)) else { return Vec::new() };
        if root.len() < 32 {
            nodes.push(root);
        }
        nodes.reverse();
        nodes
    }

    fn build(&self, target: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let entries: Vec<(Vec<u8>, &[u8])> = self.entries.iter().map(|(k, v)| (nibbles(k), v.as_slice())).collect();
        if entries.is_empty() {
            return None;
        }
        let mut on_path = Vec::new();
        let root = node(&entries, 0, target, &mut on_path);
        Some((root, on_path))
    }
}

fn nibbles(key: &[u8; 32]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

/// The encoding of the node that holds `entries`, which agree in their first `depth` nibbles. Nodes of 32 bytes and
/// more that stand on the way to `target` are pushed to `on_path`, lowest first.
fn node(entries: &[(Vec<u8>, &[u8])], depth: usize, target: &[u8], on_path: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let first = &entries[0].0;
    let shared = match entries {
        [_] => first.len() - depth,
        _ => {
            let last = &entries[entries.len() - 1].0;
            first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count()
        }
    };
    let mut payload = Vec::new();
    if let [(_, value)] = entries {
        rlp::put_bytes(&mut payload, &compact(&first[depth..], true));
        rlp::put_bytes(&mut payload, value);
    } else if shared > 0 {
        rlp::put_bytes(&mut payload, &compact(&first[depth..depth + shared], false));
        put_reference(&mut payload, &node(entries, depth + shared, target, on_path));
    } else {
        for nibble in 0..16u8 {
            let below: Vec<_> = entries.iter().filter(|(key, _)| key[depth] == nibble).cloned().collect();
            if below.is_empty() {
                payload.push(0x80);
            } else {
                put_reference(&mut payload, &node(&below, depth + 1, target, on_path));
            }
        }
        payload.push(0x80);
    }
    let mut out = Vec::new();
    rlp::put_list(&mut out, &payload);
    if out.len() >= 32 && !target.is_empty() && target.starts_with(&first[..depth]) {
        on_path.push(out.clone());
    }
    out
}

fn put_reference(payload: &mut Vec<u8>, node: &[u8]) {
    if node.len() < 32 {
        payload.extend_from_slice(node);
    } else {
        rlp::put_bytes(payload, &keccak256(&[node]).0);
    }
}

/// An EVM state: accounts with storage.
#[derive(Clone, Debug, Default)]
pub struct EvmState {
    storage: BTreeMap<[u8; 20], Trie>,
    codeless: Vec<[u8; 20]>,
}

impl EvmState {
    /// Makes sure that a contract stands at `address`.
    pub fn insert_contract(&mut self, address: Address) {
        self.storage.entry(address.0).or_default();
    }

    /// Makes sure that an account without code stands at `address`.
    pub fn insert_codeless(&mut self, address: Address) {
        self.insert_contract(address);
        self.codeless.push(address.0);
    }

    /// Writes a slot of the contract at `address`; zero clears nothing, so do not write it.
    pub fn insert_slot(&mut self, address: Address, slot: [u8; 32], value: [u8; 32]) {
        let digits: Vec<u8> = value.iter().copied().skip_while(|byte| *byte == 0).collect();
        let mut encoded = Vec::new();
        rlp::put_bytes(&mut encoded, &digits);
        self.storage.entry(address.0).or_default().insert(keccak256(&[&slot]).0, encoded);
    }

    /// What a slot holds, `None` when it holds nothing.
    #[must_use]
    pub fn slot(&self, address: Address, slot: &[u8; 32]) -> Option<[u8; 32]> {
        let encoded = self.storage.get(&address.0)?.entries.get(&keccak256(&[slot]).0)?;
        let digits = rlp::Item::decode(encoded).ok()?.bytes().ok()?;
        let mut value = [0; 32];
        value[32 - digits.len()..].copy_from_slice(digits);
        Some(value)
    }

    /// The state root.
    #[must_use]
    pub fn root(&self) -> Root {
        Root::new(&self.accounts().root().0).expect("a hash is not zero")
    }

    /// The account and storage nodes of a slot, as `eth_getProof` lists them.
    #[must_use]
    pub fn nodes(&self, address: Address, slot: &[u8; 32]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let account = self.accounts().proof(&keccak256(&[&address.0]).0);
        let storage = self.storage.get(&address.0).map(|trie| trie.proof(&keccak256(&[slot]).0));
        (account, storage.unwrap_or_default())
    }

    /// The encoded proof of a slot.
    #[must_use]
    pub fn proof(&self, address: Address, slot: &[u8; 32]) -> Vec<u8> {
        let (account, storage) = self.nodes(address, slot);
        encode_proof(&account, &storage)
    }

    fn accounts(&self) -> Trie {
        let mut trie = Trie::default();
        for (address, storage) in &self.storage {
            let code = if self.codeless.contains(address) { EMPTY_CODE_HASH } else { keccak256(&[b"code"]) };
            let mut payload = Vec::new();
            rlp::put_uint(&mut payload, 1);
            rlp::put_uint(&mut payload, 0);
            rlp::put_bytes(&mut payload, &storage.root().0);
            rlp::put_bytes(&mut payload, &code.0);
            let mut account = Vec::new();
            rlp::put_list(&mut account, &payload);
            trie.insert(keccak256(&[address]).0, account);
        }
        trie
    }
}
