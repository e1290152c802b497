//! ST-01 to ST-08 of the light-client cases, each by its number.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use super::testing::{nibbles, node_header, StateVersion, Trie};
use super::*;
use std::string::ToString;
use std::vec;

fn refs(nodes: &[Vec<u8>]) -> Vec<&[u8]> {
    nodes.iter().map(Vec::as_slice).collect()
}

/// A key like a pallet's: few prefixes, then a hash. Every fourth key begins with the one before it.
fn key(n: u64) -> Vec<u8> {
    if n % 4 == 1 {
        return [key(n - 1), vec![n as u8; 2]].concat();
    }
    let mut key = twox_128(&[(n % 3) as u8]).to_vec();
    key.extend(&blake2b_256(&[&n.to_le_bytes()]).0[..(n as usize * 3) % 32]);
    key.extend(n.to_be_bytes());
    key
}

/// A value of 1 to 70 bytes.
fn value(n: u64) -> Vec<u8> {
    vec![n as u8; 1 + (n as usize * 11) % 70]
}

fn trie(count: u64, version: StateVersion) -> Trie {
    let mut trie = Trie::new(version);
    (0..count).for_each(|n| trie.insert(&key(n), &value(n)));
    trie
}

fn code<T>(result: Result<T, TrieError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "shown")
}

/// Looks a key up in a hand-made trie whose first node is the root.
fn walk(key: &[u8], nodes: &[Vec<u8>]) -> Result<Option<Vec<u8>>, &'static str> {
    let root = Root::new(&blake2b_256(&[&nodes[0]]).0).unwrap();
    let found = lookup(&root, &[key], &refs(nodes)).map_err(|error| error.code())?;
    Ok(found[0].map(<[u8]>::to_vec))
}

fn leaf(part: &[u8], value: &[u8]) -> Vec<u8> {
    [node_header(0x40, 0x3f, part), value.encode()].concat()
}

fn hashed_leaf(part: &[u8], hash: Hash32) -> Vec<u8> {
    [node_header(0x20, 0x1f, part), hash.0.to_vec()].concat()
}

fn branch(part: &[u8], children: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let bitmap = children.iter().fold(0u16, |bits, (nibble, _)| bits | 1 << nibble);
    let children = children.iter().map(|(_, child)| child.encode()).collect::<Vec<_>>().concat();
    [node_header(0x80, 0x3f, part), bitmap.to_le_bytes().to_vec(), children].concat()
}

fn hashed(node: &[u8]) -> Vec<u8> {
    blake2b_256(&[node]).0.to_vec()
}

#[test]
fn the_constants_and_keys_are_those_of_substrate() {
    assert_eq!(blake2b_256(&[&[0]]), EMPTY_ROOT);
    let now = storage_key("Timestamp", "Now");
    assert_eq!(hex::encode(now), "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb");
    let authorities = storage_key("Grandpa", "Authorities");
    assert_eq!(hex::encode(authorities), "5f9cc45b7a00c5899361e1c6099678dc5e0621c4869aa60c02be9adcc98a0d1d");
}

#[test]
fn every_key_of_a_trie_is_proven_and_every_other_one_is_absent() {
    for version in [StateVersion::V0, StateVersion::V1] {
        for count in [1, 2, 3, 17, 300] {
            let trie = trie(count, version);
            for n in 0..count + 40 {
                let nodes = trie.proof(&[&key(n)]);
                let expect = (n < count).then(|| value(n));
                let got = lookup(&trie.root(), &[&key(n)], &refs(&nodes)).unwrap();
                assert_eq!(got[0].map(<[u8]>::to_vec), expect, "key {n} of {count}");
            }
            // Many at once, and one of them picked out of the many again.
            let keys: Vec<Vec<u8>> = (0..count + 5).take(60).map(key).collect();
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            let nodes = trie.proof(&keys);
            let got = lookup(&trie.root(), &keys, &refs(&nodes)).unwrap();
            for (n, got) in (0..).zip(got) {
                assert_eq!(got.map(<[u8]>::to_vec), (n < count).then(|| value(n)));
                let picked = select(&trie.root(), &[&key(n)], &refs(&nodes)).unwrap();
                let mut alone = trie.proof(&[&key(n)]);
                let mut sorted: Vec<Vec<u8>> = picked.iter().map(|node| node.to_vec()).collect();
                alone.sort();
                sorted.sort();
                assert_eq!(alone, sorted, "key {n} of {count}");
            }
        }
    }
}

#[test]
fn an_empty_trie_holds_nothing() {
    let root = Root::new(&EMPTY_ROOT.0).unwrap();
    assert_eq!(Trie::default().root(), root);
    assert_eq!(lookup(&root, &[b"key"], &[]), Ok(vec![None]));
    assert_eq!(lookup(&root, &[b"key"], &[&[0]]), Ok(vec![None]));
    assert_eq!(code(lookup(&root, &[b"key"], &[&[0], &[1]])), "LC-TRIE-009");
}

#[test]
fn st_01_a_missing_node_is_an_error_and_no_absence() {
    for version in [StateVersion::V0, StateVersion::V1] {
        let trie = trie(200, version);
        for n in 0..240 {
            let nodes = trie.proof(&[&key(n)]);
            for without in 0..nodes.len() {
                let mut fewer = refs(&nodes);
                fewer.remove(without);
                assert_eq!(code(lookup(&trie.root(), &[&key(n)], &fewer)), "LC-TRIE-010", "{without} of {n}");
                assert_eq!(code(select(&trie.root(), &[&key(n)], &fewer)), "LC-TRIE-010", "{without} of {n}");
            }
        }
    }
}

#[test]
fn st_02_unused_and_duplicate_nodes_are_refused() {
    let trie = trie(200, StateVersion::V1);
    let nodes = trie.proof(&[&key(7)]);
    for at in 0..nodes.len() {
        let mut twice = refs(&nodes);
        twice.push(&nodes[at]);
        assert_eq!(code(lookup(&trie.root(), &[&key(7)], &twice)), "LC-TRIE-008");
    }
    let both = trie.proof(&[&key(7), &key(8)]);
    assert_eq!(code(lookup(&trie.root(), &[&key(7), &key(8)], &refs(&both))), "shown");
    assert_eq!(code(lookup(&trie.root(), &[&key(7)], &refs(&both))), "LC-TRIE-009");
    let mut more = nodes.clone();
    more.push(b"no node at all".to_vec());
    assert_eq!(code(lookup(&trie.root(), &[&key(7)], &refs(&more))), "LC-TRIE-009");
    assert_eq!(select(&trie.root(), &[&key(7)], &refs(&more)).unwrap(), refs(&nodes), "and left out on request");
    // Order means nothing.
    let reversed: Vec<&[u8]> = nodes.iter().rev().map(Vec::as_slice).collect();
    assert_eq!(code(lookup(&trie.root(), &[&key(7)], &reversed)), "shown");
}

#[test]
fn st_03_both_state_versions_are_read_under_their_own_roots() {
    let (v0, v1) = (trie(50, StateVersion::V0), trie(50, StateVersion::V1));
    assert_ne!(v0.root(), v1.root());
    let long = (0..50).find(|n| value(*n).len() >= HASHED_VALUE_BYTES).unwrap();
    for (trie, other) in [(&v0, &v1), (&v1, &v0)] {
        let nodes = trie.proof(&[&key(long)]);
        assert_eq!(lookup(&trie.root(), &[&key(long)], &refs(&nodes)).unwrap(), [Some(value(long).as_slice())]);
        assert_eq!(code(lookup(&other.root(), &[&key(long)], &refs(&nodes))), "LC-TRIE-010");
    }
    // In version 1 the value is a node of its own: without it, or with another, nothing is shown.
    let nodes = v1.proof(&[&key(long)]);
    let without: Vec<&[u8]> = nodes.iter().map(Vec::as_slice).filter(|node| *node != value(long)).collect();
    assert_eq!(without.len() + 1, nodes.len());
    assert_eq!(code(lookup(&v1.root(), &[&key(long)], &without)), "LC-TRIE-010");
    // A value that belongs into its node is not taken from under its hash.
    let path = nibbles(b"k");
    for length in [0, 1, 32] {
        let short = vec![7; length];
        assert_eq!(walk(b"k", &[hashed_leaf(&path, blake2b_256(&[&short])), short]), Err("LC-TRIE-012"));
    }
    let long = vec![7; 33];
    assert_eq!(walk(b"k", &[hashed_leaf(&path, blake2b_256(&[&long])), long.clone()]), Ok(Some(long.clone())));
    assert_eq!(walk(b"k", &[leaf(&path, &long)]), Ok(Some(long)), "version 0 keeps long values in their nodes");
}

#[test]
fn st_04_child_tries_are_refused() {
    let mut trie = trie(20, StateVersion::V1);
    let child = b":child_storage:default:tokens";
    trie.insert(child, &[1; 32]);
    let nodes = trie.proof(&[child]);
    assert_eq!(code(lookup(&trie.root(), &[child], &refs(&nodes))), "LC-TRIE-006");
    assert_eq!(TrieError::ChildTrie.class(), Class::Config);
    let close = b":child_storage";
    assert_eq!(lookup(&trie.root(), &[close], &refs(&trie.proof(&[close]))), Ok(vec![None]));
}

#[test]
fn st_05_each_key_has_its_own_answer() {
    let trie = trie(60, StateVersion::V1);
    let keys = [key(3), key(1000), key(3), key(4)];
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let nodes = trie.proof(&keys);
    let got = lookup(&trie.root(), &keys, &refs(&nodes)).unwrap();
    let (three, four) = (value(3), value(4));
    assert_eq!(got, [Some(three.as_slice()), None, Some(&three), Some(&four)]);
    let many: Vec<&[u8]> = vec![b"k"; MAX_KEYS + 1];
    assert_eq!(code(lookup(&trie.root(), &many, &[])), "LC-TRIE-004");
}

#[test]
fn st_06_compact_proofs_have_no_encoding_here() {
    // A compact proof leaves out the hash of a child that follows, an empty child in its place.
    let low = leaf(&[1; 40], &[5; 20]);
    let holder = branch(&[], &[(0, hashed(&low)), (1, hashed(&low))]);
    let compact = branch(&[], &[(0, vec![]), (1, hashed(&low))]);
    assert_eq!(walk(&[1; 3], &[holder, low.clone()]), Ok(None));
    assert_eq!(walk(&[1; 3], &[compact, low]), Err("LC-TRIE-007"));
}

#[test]
fn st_07_a_node_has_one_encoding() {
    let path = nibbles(b"key");
    let good = leaf(&path, b"value");
    assert_eq!(walk(b"key", core::slice::from_ref(&good)), Ok(Some(b"value".to_vec())));
    let refused = |what: &str, node: Vec<u8>, expect: &str| {
        assert_eq!(walk(b"key", &[node]).unwrap_err(), expect, "{what}");
    };
    refused("a byte after the node", [good.clone(), vec![0]].concat(), "LC-TRIE-007");
    refused("a byte short", good[..good.len() - 1].to_vec(), "LC-TRIE-007");
    refused("no bytes", vec![], "LC-TRIE-007");
    refused("the empty node below another root", vec![0, 0], "LC-TRIE-007");
    for first in 1..0x10 {
        refused("a first byte of no meaning", vec![first, 0, 0, 0], "LC-TRIE-007");
    }
    // An odd part has a zero nibble in front.
    let odd = [vec![0x41, 0xf6], b"v".to_vec().encode()].concat();
    refused("padding", odd, "LC-TRIE-007");
    // Lengths in their shortest form only.
    let long_form = [node_header(0x40, 0x3f, &path), vec![0x15, 0x00], b"value".to_vec()].concat();
    refused("a length in two bytes", long_form, "LC-TRIE-007");
    // Branches: a bitmap, at least two of children and value, children of at most 32 bytes.
    let below = leaf(&[1; 60], b"v");
    let one = branch(&[], &[(6, hashed(&below))]);
    refused("one child and no value", one, "LC-TRIE-013");
    refused("no child", [node_header(0x80, 0x3f, &[]), vec![0, 0]].concat(), "LC-TRIE-013");
    refused(
        "no child, with a value",
        [node_header(0xc0, 0x3f, &[]), vec![0, 0], b"v".to_vec().encode()].concat(),
        "LC-TRIE-013",
    );
    refused("a child of 33 bytes", branch(&[], &[(1, vec![1; 33]), (6, hashed(&below))]), "LC-TRIE-014");
    refused("a child that is no node", branch(&[], &[(1, vec![0x0f]), (6, hashed(&below))]), "LC-TRIE-007");
    refused("an empty node as child", branch(&[], &[(1, vec![0]), (6, hashed(&below))]), "LC-TRIE-007");
    let inner = branch(&[], &[(0, leaf(&[], b"a")), (1, vec![0x0f])]);
    refused("one deep inside that is no node", branch(&[], &[(1, inner), (6, hashed(&below))]), "LC-TRIE-007");
    // A node of less than 32 bytes stands in its parent.
    let short = leaf(&nibbles(b"ey")[..], b"v");
    let children = [(5, leaf(&[2], b"x")), (6, hashed(&[short.clone(), vec![0; 9]].concat()))];
    refused("not in the proof", branch(&[], &children), "LC-TRIE-010");
    let apart = [node_header(0x80, 0x3f, &[]), 0x60u16.to_le_bytes().to_vec()].concat();
    let apart = [apart, leaf(&[2], b"x").encode(), hashed(&short).encode()].concat();
    assert_eq!(walk(b"key", &[apart, short]), Err("LC-TRIE-011"));
}

/// Counts of nibbles around the turns of their encoding.
#[test]
fn st_07_counts_of_nibbles_have_one_form() {
    for count in
        [1usize, 14, 15, 16, 30, 31, 32, 61, 62, 63, 64, 65, 126, 254, 255, 256, 270, 316, 317, 318, 319, 320, 600]
    {
        let key = vec![0x11; count.div_ceil(2)];
        // An odd path: a branch takes the first nibble, so that the part has an odd count.
        let part = &nibbles(&key)[nibbles(&key).len() - count..];
        let (long, other) = (vec![3; 40], leaf(&[1], b"x"));
        for low in [leaf(part, &long), hashed_leaf(part, blake2b_256(&[&long]))] {
            let extra: Vec<Vec<u8>> = if low[0] & 0xc0 == 0 { vec![long.clone()] } else { vec![] };
            let nodes = if count % 2 == 0 {
                [vec![low], extra].concat()
            } else {
                [vec![branch(&[], &[(1, hashed(&low)), (2, other.clone())]), low], extra].concat()
            };
            let key = if count % 2 == 0 { key.clone() } else { vec![0x11; count.div_ceil(2)] };
            assert_eq!(walk(&key, &nodes), Ok(Some(long.clone())), "{count} nibbles");
            let longer = [key.clone(), vec![1]].concat();
            assert_eq!(walk(&longer, &nodes[..nodes.len() - usize::from(nodes.last() == Some(&long))]), Ok(None));
        }
    }
    assert_eq!(walk(b"key", &[vec![0x7f, 0xff, 0xff]]), Err("LC-TRIE-007"), "a count without an end");
}

#[test]
fn st_08_values_are_bytes_and_lists_decode_to_themselves() {
    let trie = trie(30, StateVersion::V1);
    let nodes = trie.proof(&[&key(9)]);
    let bytes = encode_proof(&nodes);
    assert_eq!(decode_proof(&bytes).unwrap(), refs(&nodes));
    for (what, bytes, expect) in [
        ("nothing", vec![], "LC-TRIE-007"),
        ("a byte more", [bytes.clone(), vec![0]].concat(), "LC-TRIE-007"),
        ("a byte less", bytes[..bytes.len() - 1].to_vec(), "LC-TRIE-007"),
        ("a count in two bytes", [vec![0x05, 0x00], vec![0]].concat(), "LC-TRIE-007"),
        ("more nodes than are looked at", Compact(MAX_NODES as u32 + 1).encode(), "LC-TRIE-002"),
        ("a count of billions", Compact(u32::MAX).encode(), "LC-TRIE-002"),
        ("too long", vec![0; MAX_PROOF_BYTES + 1], "LC-TRIE-001"),
    ] {
        assert_eq!(code(decode_proof(&bytes)), expect, "{what}");
    }
}

#[test]
fn sizes_are_bounded_before_work() {
    let trie = trie(10, StateVersion::V1);
    let big = vec![0; MAX_NODE_BYTES + 1];
    assert_eq!(code(lookup(&trie.root(), &[b"k"], &[&big])), "LC-TRIE-003");
    let many: Vec<&[u8]> = vec![b"n"; MAX_NODES + 1];
    assert_eq!(code(lookup(&trie.root(), &[b"k"], &many)), "LC-TRIE-002");
    assert_eq!(code(lookup(&trie.root(), &[b""], &[])), "LC-TRIE-005");
    assert_eq!(code(lookup(&trie.root(), &[&[1; MAX_KEY_BYTES + 1]], &[])), "LC-TRIE-005");
    let error = lookup(&trie.root(), &[b"k"], &[]).unwrap_err();
    assert!(error.to_string().contains(&trie.root_text()), "{error}");
}

impl Trie {
    fn root_text(&self) -> std::string::String {
        Hash32(*self.root().as_bytes()).to_string()
    }
}
