//! MPT-01 to MPT-11 of the light-client cases, each by its number. MPT-10 is in `rlp`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use super::*;
use crate::testing::{compact, EvmState, Trie};
use std::vec;
use std::vec::Vec;

fn refs(nodes: &[Vec<u8>]) -> Vec<&[u8]> {
    nodes.iter().map(Vec::as_slice).collect()
}

fn key(n: u64) -> [u8; 32] {
    keccak256(&[&n.to_be_bytes()]).0
}

/// A trie of `count` entries with values of 33 bytes, so that leaves are hashed.
fn trie(count: u64) -> Trie {
    let mut trie = Trie::default();
    (0..count).for_each(|n| trie.insert(key(n), vec![0xa0 | (n % 16) as u8; 33]));
    trie
}

/// A key with the given first nibbles and zeros after them.
fn nibble_key(prefix: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    for (i, nibble) in prefix.iter().enumerate() {
        key[i / 2] |= if i % 2 == 0 { nibble << 4 } else { *nibble };
    }
    key
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_list(&mut out, &items.concat());
    out
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_bytes(&mut out, bytes);
    out
}

/// A leaf over all 64 nibbles but the first `depth`.
fn leaf(key: &[u8; 32], depth: usize, value: &[u8]) -> Vec<u8> {
    let nibbles: Vec<u8> = key.iter().flat_map(|b| [b >> 4, b & 15]).skip(depth).collect();
    list(&[string(&compact(&nibbles, true)), string(value)])
}

fn branch(children: &[(usize, Vec<u8>)], value: &[u8]) -> Vec<u8> {
    let mut items = vec![vec![0x80]; 16];
    children.iter().for_each(|(at, reference)| items[*at].clone_from(reference));
    items.push(string(value));
    list(&items)
}

fn hashed(node: &[u8]) -> Vec<u8> {
    string(&keccak256(&[node]).0)
}

/// Looks a key up in a hand-made trie whose first node is the root.
fn walk(key: &[u8; 32], nodes: &[Vec<u8>]) -> Result<Option<Vec<u8>>, &'static str> {
    let root = keccak256(&[&nodes[0]]);
    lookup(&root, &Hash32(*key), &refs(nodes)).map(|v| v.map(<[u8]>::to_vec)).map_err(|e| e.code())
}

#[test]
fn the_constants_are_the_hashes_that_they_say() {
    assert_eq!(keccak256(&[&[0x80]]), EMPTY_ROOT);
    assert_eq!(keccak256(&[]), EMPTY_CODE_HASH);
}

#[test]
fn every_key_of_a_trie_is_proven_and_every_other_one_is_absent() {
    for count in [1, 2, 3, 17, 300] {
        let trie = trie(count);
        for n in 0..count + 40 {
            let nodes = trie.proof(&key(n));
            let expect = (n < count).then(|| vec![0xa0 | (n % 16) as u8; 33]);
            let got = lookup(&trie.root(), &Hash32(key(n)), &refs(&nodes)).unwrap();
            assert_eq!(got.map(<[u8]>::to_vec), expect, "key {n} of {count}");
        }
    }
}

#[test]
fn mpt_01_truncated_proof_is_no_exclusion() {
    let trie = trie(300);
    for n in 0..340 {
        let nodes = trie.proof(&key(n));
        for keep in 0..nodes.len() {
            let error = lookup(&trie.root(), &Hash32(key(n)), &refs(&nodes[..keep])).unwrap_err();
            assert_eq!(error.code(), "LC-MPT-005", "{keep} of {} nodes: {error}", nodes.len());
        }
    }
}

#[test]
fn mpt_02_a_value_is_never_taken_for_a_node() {
    // A leaf holds the hash of a forged node as its value; the forged node is appended.
    let target = nibble_key(&[1, 2]);
    let forged = leaf(&target, 2, &[7; 33]);
    let victim = leaf(&nibble_key(&[1, 2]), 0, &keccak256(&[&forged]).0);
    assert_eq!(walk(&target, &[victim.clone(), forged.clone()]), Err("LC-MPT-007"));
    assert_eq!(walk(&target, &[victim]), Ok(Some(keccak256(&[&forged]).0.to_vec())));
    // A branch whose value is a reference: no trie with keys of one length has a value there.
    let holder = branch(&[(3, hashed(&forged))], &keccak256(&[&forged]).0);
    assert_eq!(walk(&target, &[holder, forged]), Err("LC-MPT-013"));
}

#[test]
fn mpt_03_inline_nodes_are_followed_and_malformed_ones_refused() {
    // Two keys that differ in their last nibble: a branch of two inline leaves under an extension of 63 nibbles.
    let (a, b) = (nibble_key(&[0; 64]), {
        let mut key = [0; 32];
        key[31] = 1;
        key
    });
    let mut trie = Trie::default();
    trie.insert(a, vec![5]);
    trie.insert(b, vec![6]);
    for (key, value) in [(a, 5), (b, 6)] {
        let nodes = trie.proof(&key);
        assert!(nodes.len() <= 2);
        assert_eq!(walk(&key, &nodes), Ok(Some(vec![value])));
        // "Ran out of proof elements" must not be said of a proof that ends inside its last node, nor may a node
        // that is inline be listed again.
        let mut again = nodes.clone();
        again.push(leaf(&key, 64, &[value]));
        assert_eq!(walk(&key, &again), Err("LC-MPT-007"));
    }
    // An inline extension over an inline branch over inline leaves, and one over a leaf, which no trie has.
    let tail = |last: u8| list(&[string(&compact(&[], true)), string(&[last])]);
    let inner = branch(&[(0, tail(5)), (1, tail(6))], &[]);
    assert!(inner.len() < 32);
    let over_branch = list(&[string(&compact(&[0], false)), inner]);
    let over_leaf = list(&[string(&compact(&[0], false)), tail(5)]);
    let over_extension = list(&[string(&compact(&[0], false)), list(&[string(&compact(&[0], false)), tail(5)])]);
    let under = |inline: Vec<u8>| {
        let low = branch(&[(0, inline), (7, tail(9))], &[]);
        let top = list(&[string(&compact(&[0; 61], false)), hashed(&low)]);
        if low.len() < 32 {
            vec![list(&[string(&compact(&[0; 61], false)), low])]
        } else {
            vec![top, low]
        }
    };
    assert_eq!(walk(&a, &under(over_branch)), Ok(Some(vec![5])));
    assert_eq!(walk(&a, &under(over_leaf)), Err("LC-MPT-014"));
    assert_eq!(walk(&a, &under(over_extension)), Err("LC-MPT-014"));
    // The same where the path leaves the extension: its inline child is a branch, or there is no such extension.
    let diverging = |inline: Vec<u8>| walk(&nibble_key(&[0, 7]), &[list(&[string(&compact(&[0, 1], false)), inline])]);
    assert_eq!(diverging(branch(&[(0, tail(5)), (1, tail(6))], &[])), Ok(None));
    assert_eq!(diverging(tail(5)), Err("LC-MPT-014"));
    assert_eq!(diverging(list(&[vec![0x80]])), Err("LC-MPT-008"));
    // A leaf of 31 bytes stands inside its parent, one of 32 bytes only under its hash.
    for (value, bytes, expect) in [(26, 31, Ok(Some(vec![1; 26]))), (27, 32, Err("LC-MPT-009"))] {
        let inline = list(&[string(&compact(&[0, 0], true)), string(&vec![1; value])]);
        assert_eq!(inline.len(), bytes);
        assert_eq!(walk(&a, &under(inline)), expect, "{bytes} bytes");
    }
    // An inline list of 32 bytes or more is neither.
    let long = list(&[string(&compact(&[0; 8], true)), string(&[1; 40])]);
    assert_eq!(walk(&a, &[branch(&[(0, long)], &[])]), Err("LC-MPT-009"));
}

#[test]
fn mpt_03_a_short_node_under_a_hash_is_refused() {
    let deep = [0u8; 32];
    let short = list(&[string(&compact(&[0; 3], true)), string(&[5])]);
    let low = branch(&[(0, hashed(&short)), (1, hashed(&[1; 40]))], &[]);
    let top = list(&[string(&compact(&[0; 60], false)), hashed(&low)]);
    assert_eq!(walk(&deep, &[top, low, short]), Err("LC-MPT-010"));
}

#[test]
fn mpt_04_too_deep_is_an_error_and_never_absence() {
    let key = [0u8; 32];
    // Sixty-five branches one below the other: the last one lies beyond the key.
    let mut nodes = vec![branch(&[(0, string(&[9; 32]))], &[])];
    for _ in 0..64 {
        let below = nodes.last().unwrap();
        nodes.push(branch(&[(0, hashed(below)), (1, string(&[9; 32]))], &[]));
    }
    nodes.reverse();
    assert_eq!(walk(&key, &nodes), Err("LC-MPT-012"));
    nodes.push(vec![0x80]);
    assert_eq!(walk(&key, &nodes), Err("LC-MPT-002"));
    // A branch that lies beyond the key after three nodes already.
    let beyond = branch(&[(0, string(&[9; 32])), (1, string(&[8; 32]))], &[]);
    let last = branch(&[(0, hashed(&beyond)), (1, string(&[9; 32]))], &[]);
    let first = list(&[string(&compact(&[0; 63], false)), hashed(&last)]);
    assert_eq!(walk(&key, &[first, last, beyond]), Err("LC-MPT-012"));
    // An extension that reaches or passes the end of the key.
    for nibbles in [64, 65] {
        let node = list(&[string(&compact(&vec![0; nibbles], false)), string(&[9; 32])]);
        assert_eq!(walk(&key, &[node]), Err("LC-MPT-012"), "{nibbles}");
    }
}

#[test]
fn mpt_05_extra_repeated_reordered_and_empty_nodes_are_refused() {
    let trie = trie(300);
    let root = trie.root();
    let nodes = trie.proof(&key(1));
    assert!(nodes.len() > 2);
    let check = |nodes: &[Vec<u8>], code: &str| {
        let error = lookup(&root, &Hash32(key(1)), &refs(nodes)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    };
    for at in 0..nodes.len() {
        let mut repeated = nodes.clone();
        repeated.insert(at, nodes[at].clone());
        check(&repeated, if at + 1 == nodes.len() { "LC-MPT-007" } else { "LC-MPT-006" });
        let mut other = nodes.clone();
        other[at][7] ^= 1;
        check(&other, "LC-MPT-006");
        let mut missing = nodes.clone();
        missing.remove(at);
        check(&missing, if at + 1 == nodes.len() { "LC-MPT-005" } else { "LC-MPT-006" });
    }
    let mut reordered = nodes.clone();
    reordered.swap(0, 1);
    check(&reordered, "LC-MPT-006");
    for extra in [vec![], vec![0x80], nodes[0].clone()] {
        let mut longer = nodes.clone();
        longer.push(extra);
        check(&longer, "LC-MPT-007");
    }
    check(&[], "LC-MPT-005");
    check(&[vec![0x80]], "LC-MPT-006");
    check(&[vec![]], "LC-MPT-006");
}

#[test]
fn mpt_06_each_form_of_absence_is_recognised() {
    let present = nibble_key(&[1, 2, 3, 4]);
    let value = [7; 33];
    // The empty storage root, with no node and with the one node that some clients list.
    assert_eq!(lookup(&EMPTY_ROOT, &Hash32(present), &[]), Ok(None));
    assert_eq!(lookup(&EMPTY_ROOT, &Hash32(present), &[&[0x80]]), Ok(None));
    for nodes in [vec![&[0x80][..], &[0x80]], vec![&[0xc0]], vec![&[]]] {
        assert_eq!(lookup(&EMPTY_ROOT, &Hash32(present), &nodes).unwrap_err().code(), "LC-MPT-007", "{nodes:?}");
    }
    // A diverging leaf, in its first, a middle and its last nibble.
    for at in [0, 30, 63] {
        let mut prefix = vec![1, 2, 3, 4];
        prefix.resize(64, 0);
        prefix[at] ^= 8;
        assert_eq!(walk(&nibble_key(&prefix), &[leaf(&present, 0, &value)]), Ok(None));
    }
    // An empty slot of a branch.
    let low = leaf(&present, 1, &value);
    let node = branch(&[(1, hashed(&low)), (5, string(&[9; 32]))], &[]);
    assert_eq!(walk(&nibble_key(&[2]), std::slice::from_ref(&node)), Ok(None));
    assert_eq!(walk(&present, &[node.clone(), low]), Ok(Some(value.to_vec())));
    // A diverging extension: absence needs no node below it, and none may be listed.
    let below = branch(&[(4, string(&[9; 32])), (5, string(&[8; 32]))], &[]);
    let extension = list(&[string(&compact(&[1, 2, 3], false)), hashed(&below)]);
    assert_eq!(walk(&nibble_key(&[1, 2, 9]), std::slice::from_ref(&extension)), Ok(None));
    assert_eq!(walk(&nibble_key(&[1, 2, 9]), &[extension.clone(), below.clone()]), Err("LC-MPT-007"));
    assert_eq!(walk(&nibble_key(&[1, 2, 3, 6]), &[extension.clone(), below]), Ok(None));
    assert_eq!(walk(&nibble_key(&[1, 2, 3, 4]), &[extension]), Err("LC-MPT-005"));
}

fn slot_under_leaf(encoded: &[u8]) -> Result<Option<[u8; 32]>, MptError> {
    let slot = [3; 32];
    let node = leaf(&keccak256(&[&slot]).0, 0, encoded);
    verify_slot(&keccak256(&[&node]), &slot, &[&node])
}

#[test]
fn mpt_07_zero_and_non_canonical_values_are_refused() {
    fn check(encoded: &[u8], code: &str) {
        assert_eq!(slot_under_leaf(encoded).unwrap_err().code(), code, "{encoded:?}");
    }
    check(&[0x80], "LC-MPT-016"); // zero
    check(&[0x00], "LC-RLP-010"); // zero as a byte
    check(&[0x82, 0x00, 0x01], "LC-RLP-010"); // leading zero
    check(&[0x81, 0x05], "LC-RLP-003"); // a byte in the long form
    check(&[], "LC-RLP-001");
    check(&[0x05, 0x05], "LC-RLP-002"); // bytes after the value
    check(&[0xc0], "LC-RLP-007"); // a list
    check(&string(&[1; 33]), "LC-RLP-011"); // 33 bytes
    let mut padded = [0; 32];
    padded[31] = 5;
    assert_eq!(slot_under_leaf(&[5]), Ok(Some(padded)));
    assert_eq!(slot_under_leaf(&string(&[1; 32])), Ok(Some([1; 32])));
    padded = [0xff; 32];
    padded[0] = 0;
    assert_eq!(slot_under_leaf(&string(&[0xff; 31])), Ok(Some(padded)), "a value that starts with a zero byte");
}

#[test]
fn mpt_08_an_absent_account_is_not_an_empty_storage() {
    let (here, there) = (Address([1; 20]), Address([2; 20]));
    let mut state = EvmState::default();
    state.insert_contract(here);
    let slot = [0; 32];
    let proof = state.proof(here, &slot);
    let decoded = StorageProof::decode(&proof).unwrap();
    let (account, value) = decoded.verify(&state.root(), &here, &slot).unwrap();
    assert_eq!((account.storage_root, account.nonce, value), (EMPTY_ROOT, 1, None));
    assert_ne!(account.code_hash, EMPTY_CODE_HASH, "the caller can bind the code hash");
    let proof = state.proof(there, &slot);
    let error = StorageProof::decode(&proof).unwrap().verify(&state.root(), &there, &slot).unwrap_err();
    assert_eq!(error, MptError::AccountAbsent { address: there });
}

#[test]
fn mpt_08_an_account_has_exactly_four_canonical_fields() {
    let hash = |byte: u8| string(&[byte; 32]);
    let address = Address([1; 20]);
    let check = |fields: &[Vec<u8>], code: &str| {
        let node = leaf(&keccak256(&[&address.0]).0, 0, &list(fields));
        let root = Root::new(&keccak256(&[&node]).0).unwrap();
        let got = verify_account(&root, &address, &[&node]).map_err(|e| e.code());
        assert_eq!(got.err().unwrap_or("ok"), code, "{fields:?}");
    };
    check(&[vec![1], vec![0x80], hash(1), hash(2)], "ok");
    check(&[vec![1], vec![0x80], hash(1)], "LC-RLP-013");
    check(&[vec![1], vec![0x80], hash(1), hash(2), vec![0x80]], "LC-RLP-012");
    check(&[vec![0], vec![0x80], hash(1), hash(2)], "LC-RLP-010");
    check(&[vec![1], vec![0], hash(1), hash(2)], "LC-RLP-010");
    check(&[string(&[1; 9]), vec![0x80], hash(1), hash(2)], "LC-RLP-011");
    check(&[vec![1], string(&[1; 33]), hash(1), hash(2)], "LC-RLP-011");
    check(&[vec![1], vec![0x80], string(&[1; 31]), hash(2)], "LC-RLP-009");
    check(&[vec![1], vec![0x80], hash(1), vec![0x80]], "LC-RLP-009");
}

#[test]
fn mpt_09_compact_paths_have_four_forms_and_end_at_nibble_64() {
    let key = [0u8; 32];
    let with = |path: &[u8]| list(&[string(path), string(&[1; 33])]);
    let mut full = vec![0x20];
    full.extend([0; 32]);
    assert_eq!(walk(&key, &[with(&full)]), Ok(Some(vec![1; 33])));
    for first in [0x01, 0x0f, 0x21, 0x2f, 0x40, 0x80, 0xf0] {
        let mut path = full.clone();
        path[0] = first;
        assert_eq!(walk(&key, &[with(&path)]), Err("LC-MPT-011"), "{first:#x}");
    }
    assert_eq!(walk(&key, &[with(&[])]), Err("LC-MPT-011"));
    for nibbles in [0, 1, 62, 63, 65, 66] {
        assert_eq!(walk(&key, &[with(&compact(&vec![0; nibbles], true))]), Err("LC-MPT-012"), "{nibbles}");
    }
    // An extension without nibbles, and one that leads nowhere.
    assert_eq!(walk(&key, &[list(&[string(&compact(&[], false)), string(&[9; 32])])]), Err("LC-MPT-014"));
    assert_eq!(walk(&key, &[list(&[string(&compact(&[0], false)), vec![0x80]])]), Err("LC-MPT-014"));
    // A value on a branch, wherever it is.
    assert_eq!(walk(&key, &[branch(&[(1, string(&[9; 32]))], &[1])]), Err("LC-MPT-013"));
}

#[test]
fn nodes_of_other_shapes_are_refused() {
    let key = [0u8; 32];
    let check = |node: Vec<u8>, code: &str| assert_eq!(walk(&key, std::slice::from_ref(&node)), Err(code), "{node:?}");
    check(list(&[]), "LC-MPT-008");
    check(list(&[vec![1]]), "LC-MPT-008");
    check(list(&vec![vec![1]; 3]), "LC-MPT-008");
    check(list(&vec![vec![0x80]; 16]), "LC-MPT-008");
    check(list(&vec![vec![0x80]; 18]), "LC-RLP-012");
    check(branch(&[(9, vec![1])], &[]), "LC-MPT-009");
    check(branch(&[(9, vec![0xc2, 0x81, 0x05])], &[]), "LC-RLP-003");
    check(branch(&[(9, vec![0xc2, 0xc1, 0x85])], &[]), "LC-RLP-001");
    check(branch(&[(9, string(&[1; 31]))], &[]), "LC-MPT-009");
    check(branch(&[(9, string(&[1; 33]))], &[]), "LC-MPT-009");
    check(string(&[1; 33]), "LC-RLP-008");
    check(list(&[list(&[]), string(&[1; 33])]), "LC-RLP-007");
    check(list(&[string(&[0x20]), list(&[])]), "LC-RLP-007");
    check([branch(&[(9, string(&[1; 32]))], &[]), vec![0]].concat(), "LC-RLP-002");
    check(vec![0xf9; MAX_NODE_BYTES + 1], "LC-MPT-003");
    assert_eq!(lookup(&Hash32([0; 32]), &Hash32(key), &[]).unwrap_err().code(), "LC-MPT-004");
}

#[test]
fn mpt_11_proofs_of_other_accounts_and_slots_are_refused() {
    let (here, there) = (Address([1; 20]), Address([2; 20]));
    let slot = |n: u8| [n; 32];
    let mut state = EvmState::default();
    for n in 1..40 {
        state.insert_slot(here, slot(n), [n; 32]);
        state.insert_slot(there, slot(n), [n + 100; 32]);
    }
    let verify = |proof: &[u8], address: &Address, slot: &[u8; 32]| {
        StorageProof::decode(proof).unwrap().verify(&state.root(), address, slot).map(|(_, value)| value)
    };
    for n in 1..40 {
        let proof = state.proof(here, &slot(n));
        assert_eq!(verify(&proof, &here, &slot(n)), Ok(Some([n; 32])));
        // The proof of one slot shows no other: it ends early, or it has a node too many, or it shows absence of a
        // key that is there, which no node can.
        for m in (1..40).filter(|m| *m != n) {
            assert!(verify(&proof, &here, &slot(m)).is_err(), "slot {m} by the proof of {n}");
        }
        assert!(verify(&proof, &there, &slot(n)).is_err(), "the other account's slot");
        // Slot keys are 32 bytes before they are hashed: the same number unpadded is another key.
        assert_ne!(keccak256(&[&[n]]), keccak256(&[&slot(n)]));
    }
    // The other account's storage nodes under this account.
    let (account, _) = state.nodes(here, &slot(1));
    let (_, storage) = state.nodes(there, &slot(1));
    assert!(verify(&encode_proof(&account, &storage), &here, &slot(1)).is_err());
}

#[test]
fn encoded_proofs_have_one_form_and_are_bounded() {
    let nodes = |n: usize| vec![vec![0xab; 40]; n];
    let encoded = encode_proof(&nodes(2), &nodes(3));
    let decoded = StorageProof::decode(&encoded).unwrap();
    assert_eq!((decoded.account.len(), decoded.storage.len()), (2, 3));
    let check = |bytes: &[u8], code: &str| {
        let error = StorageProof::decode(bytes).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    };
    check(&[], "LC-RLP-001");
    check(&[0xc0], "LC-RLP-013");
    check(&[0xc1, 0xc0], "LC-RLP-013");
    check(&[0xc3, 0xc0, 0xc0, 0xc0], "LC-RLP-012");
    check(&[0xc2, 0x80, 0xc0], "LC-RLP-008");
    check(&[0xc3, 0xc1, 0xc0, 0xc0], "LC-RLP-007");
    check(&[encoded, vec![0]].concat(), "LC-RLP-002");
    check(&encode_proof(&nodes(MAX_NODES + 1), &[]), "LC-RLP-012");
    check(&vec![0; MAX_PROOF_BYTES + 1], "LC-MPT-001");
    check(&vec![0; MAX_PROOF_BYTES], "LC-RLP-002");
    let longest = vec![vec![0xab; MAX_NODE_BYTES]; MAX_NODES];
    assert!(encode_proof(&longest, &longest).len() <= MAX_PROOF_BYTES);
    assert!(StorageProof::decode(&encode_proof(&longest, &longest)).is_ok());
}
