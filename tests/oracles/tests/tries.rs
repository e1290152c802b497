//! Tries of `sp-trie` (Apache-2.0) and ours: the same roots, and each reads the other's proofs to the same answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use catenary_light_clients::proof::trie::testing::{StateVersion, Trie};
use catenary_light_clients::proof::trie::{lookup, select, EMPTY_ROOT};
use catenary_light_clients::{Coded, Hash32, Root};
use sp_core::{Blake2Hasher, Hasher, H256};
use sp_trie::trie_types::{TrieDBMutBuilderV0, TrieDBMutBuilderV1};
use sp_trie::{LayoutV1, MemoryDB, Recorder, StorageProof, Trie as _, TrieDBBuilder, TrieDBMut, TrieLayout, TrieMut};

/// A stream of numbers from a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keys that share prefixes, some of which begin with others; values around the sizes at which nodes turn.
fn entries(seeded: &mut Seeded) -> Entries {
    let mut entries = Entries::new();
    for _ in 0..seeded.below(120) {
        let known: Vec<&Vec<u8>> = entries.keys().collect();
        let mut key =
            if known.is_empty() || seeded.below(3) == 0 { vec![] } else { known[seeded.below(known.len())].clone() };
        key.truncate(1 + seeded.below(24));
        let more = 1 + seeded.below(10);
        key.extend(seeded.bytes(more));
        let length = [1, 2, 5, 20, 31, 32, 33, 34, 60, 100][seeded.below(10)];
        entries.insert(key, seeded.bytes(length));
    }
    entries
}

/// Nodes and root are written when the trie is dropped.
fn fill<L: TrieLayout>(mut trie: TrieDBMut<'_, L>, entries: &Entries) {
    for (key, value) in entries {
        assert!(trie.insert(key, value).is_ok());
    }
}

/// The root by `sp-trie`, and its nodes.
fn theirs(entries: &Entries, version: StateVersion) -> (H256, MemoryDB<Blake2Hasher>) {
    let (mut db, mut root) = (MemoryDB::default(), H256(EMPTY_ROOT.0));
    match version {
        StateVersion::V0 => fill(TrieDBMutBuilderV0::<Blake2Hasher>::new(&mut db, &mut root).build(), entries),
        StateVersion::V1 => fill(TrieDBMutBuilderV1::<Blake2Hasher>::new(&mut db, &mut root).build(), entries),
    }
    (root, db)
}

fn ours(entries: &Entries, version: StateVersion) -> Trie {
    let mut trie = Trie::new(version);
    entries.iter().for_each(|(key, value)| trie.insert(key, value));
    trie
}

/// The nodes that `sp-trie` reads on the way to keys: what `state_getReadProof` gives.
fn recorded(db: &MemoryDB<Blake2Hasher>, root: &H256, keys: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut recorder = Recorder::<LayoutV1<Blake2Hasher>>::new();
    {
        let trie = TrieDBBuilder::<LayoutV1<Blake2Hasher>>::new(db, root).with_recorder(&mut recorder).build();
        for key in keys {
            trie.get(key).unwrap();
        }
    }
    StorageProof::new(recorder.drain().into_iter().map(|record| record.data)).into_nodes().into_iter().collect()
}

/// What `sp-trie` reads from a proof alone.
fn read(nodes: &[Vec<u8>], root: &H256, key: &[u8]) -> Option<Option<Vec<u8>>> {
    let db = StorageProof::new(nodes.to_vec()).into_memory_db::<Blake2Hasher>();
    let trie = TrieDBBuilder::<LayoutV1<Blake2Hasher>>::new(&db, root).build();
    trie.get(key).ok()
}

fn refs(nodes: &[Vec<u8>]) -> Vec<&[u8]> {
    nodes.iter().map(Vec::as_slice).collect()
}

/// Keys of the entries, keys near to them, and keys far off.
fn questions(entries: &Entries, seeded: &mut Seeded) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = entries.keys().cloned().collect();
    for key in entries.keys().take(30) {
        keys.push([key.as_slice(), &[1]].concat());
        keys.push(key[..key.len() - 1].to_vec());
        let mut near = key.clone();
        *near.last_mut().unwrap() ^= 1 << seeded.below(8);
        keys.push(near);
    }
    keys.push(seeded.bytes(8));
    keys.retain(|key| !key.is_empty());
    keys
}

#[test]
fn roots_and_proofs_are_the_same() {
    let mut seeded = Seeded(1);
    let mut looked = 0;
    for _ in 0..25 {
        let entries = entries(&mut seeded);
        for version in [StateVersion::V0, StateVersion::V1] {
            let ((root, db), trie) = (theirs(&entries, version), ours(&entries, version));
            assert_eq!(trie.root().as_bytes(), &root.0, "root of {} entries", entries.len());
            let ours_root = Root::new(&root.0).unwrap();
            let keys = questions(&entries, &mut seeded);
            for key in &keys {
                let expect = entries.get(key);
                let given = recorded(&db, &root, &[key]);
                let got = lookup(&ours_root, &[key], &refs(&given)).unwrap();
                assert_eq!(got, [expect.map(Vec::as_slice)], "their proof of {key:?}");
                let made = trie.proof(&[key]);
                if !entries.is_empty() {
                    assert_eq!(read(&made, &root, key), Some(expect.cloned()), "our proof of {key:?}");
                    let mut made = made;
                    made.sort();
                    let mut given = given;
                    given.sort();
                    assert_eq!(made, given, "the same nodes");
                }
                looked += 1;
            }
            // Many keys in one proof, and one key picked out of it.
            let many: Vec<&[u8]> = keys.iter().take(60).map(Vec::as_slice).collect();
            let given = recorded(&db, &root, &many);
            let got = lookup(&ours_root, &many, &refs(&given)).unwrap();
            for (key, got) in many.iter().zip(got) {
                assert_eq!(got, entries.get(*key).map(Vec::as_slice));
                let picked = select(&ours_root, &[key], &refs(&given)).unwrap();
                assert_eq!(lookup(&ours_root, &[key], &picked).unwrap(), [entries.get(*key).map(Vec::as_slice)]);
            }
        }
    }
    assert!(looked > 2_000, "{looked}");
}

/// Changed proofs: what we take for shown, `sp-trie` reads as well, and to the same answer. The reverse does not hold:
/// `sp-trie` also takes unused nodes, and encodings that no state has.
#[test]
fn no_changed_proof_shows_more_than_sp_trie_reads() {
    let mut seeded = Seeded(2);
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..20 {
        let entries = entries(&mut seeded);
        if entries.is_empty() {
            continue;
        }
        for version in [StateVersion::V0, StateVersion::V1] {
            let (_, db) = theirs(&entries, version);
            let root = H256(*ours(&entries, version).root().as_bytes());
            for key in questions(&entries, &mut seeded) {
                let mut nodes = recorded(&db, &root, &[&key]);
                let at = seeded.below(nodes.len());
                let byte = seeded.below(nodes[at].len().max(1));
                match seeded.below(4) {
                    0 => drop(nodes.remove(at)),
                    1 => nodes[at].truncate(byte),
                    2 => nodes[at].push(0),
                    _ => nodes[at][byte] ^= 1 << seeded.below(8),
                }
                // The changed node is the root of another trie: both are asked under the root that it has.
                let root = if nodes.len() == 1 { Hash32(Blake2Hasher::hash(&nodes[0]).0) } else { Hash32(root.0) };
                match lookup(&Root::new(&root.0).unwrap(), &[&key], &refs(&nodes)) {
                    Ok(got) => {
                        assert_eq!(read(&nodes, &H256(root.0), &key), Some(got[0].map(<[u8]>::to_vec)), "{key:?}");
                        *verdicts.entry("shown").or_default() += 1;
                    }
                    Err(error) => *verdicts.entry(error.code()).or_default() += 1,
                }
            }
        }
    }
    assert!(verdicts.len() > 2 && verdicts.contains_key("shown"), "{verdicts:?}");
}
