#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]
//! IC-01 to IC-11, on trees of real hashes.

use alloc::string::{String, ToString};
use alloc::{format, vec, vec::Vec};

use ics23::{BatchEntry, BatchProof, HashOp, LengthOp};

use super::testing::State;
use super::*;

const STORE: &[u8] = b"ibc";

fn entries(count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..count).map(|n| (format!("key-{:04}", 2 * n).into_bytes(), format!("value-{n}").into_bytes())).collect()
}

fn state() -> State {
    State::new(STORE, &entries(21))
}

fn root(state: &State) -> Root {
    Root::new(state.app_hash().as_bytes()).unwrap()
}

fn target(key: &[u8]) -> StoreKey<'_> {
    StoreKey { store: STORE, key }
}

fn code(result: Result<(), Ics23Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |()| "ok")
}

fn join(lower: &CommitmentProof, upper: &CommitmentProof) -> Vec<u8> {
    encode_proof(&[lower.encode_to_vec(), upper.encode_to_vec()])
}

fn exist(existence: ExistenceProof) -> CommitmentProof {
    CommitmentProof { proof: Some(Proof::Exist(existence)) }
}

/// The proof of `key-0010` (value-5) after a change of its lower operation.
fn membership_after(change: impl FnOnce(&mut ExistenceProof)) -> Result<(), Ics23Error> {
    let state = state();
    let mut existence = state.existence(5);
    change(&mut existence);
    verify_membership(&root(&state), target(b"key-0010"), b"value-5", &join(&exist(existence), &state.upper()))
}

/// The proof that `key-0011` is absent after a change of its lower operation.
fn absence_after(change: impl FnOnce(&State, &mut NonExistenceProof)) -> Result<(), Ics23Error> {
    let state = state();
    let mut lower = state.lower(b"key-0011");
    let Some(Proof::Nonexist(absence)) = &mut lower.proof else { panic!("key-0011 is not in the state") };
    change(&state, absence);
    verify_absence(&root(&state), target(b"key-0011"), &join(&lower, &state.upper()))
}

#[test]
fn every_key_is_proven_and_every_gap_is_absent() {
    for count in 1..40 {
        let entries = entries(count);
        let state = State::new(STORE, &entries);
        for (n, (key, value)) in entries.iter().enumerate() {
            let proof = state.prove(key);
            assert_eq!(verify_membership(&root(&state), target(key), value, &proof), Ok(()), "{n} of {count}");
            assert_eq!(code(verify_absence(&root(&state), target(key), &proof)), "LC-ICS23-005");
            let gap = format!("key-{:04}", 2 * n + 1).into_bytes();
            assert_eq!(verify_absence(&root(&state), target(&gap), &state.prove(&gap)), Ok(()), "{n} of {count}");
            assert_eq!(code(verify_membership(&root(&state), target(&gap), value, &state.prove(&gap))), "LC-ICS23-005");
        }
        assert_eq!(verify_absence(&root(&state), target(b"a"), &state.prove(b"a")), Ok(()), "before all {count}");
        assert_eq!(verify_absence(&root(&state), target(b"z"), &state.prove(b"z")), Ok(()), "after all {count}");
    }
}

#[test]
fn unchanged_proofs_hold() {
    assert_eq!(membership_after(|_| ()), Ok(()));
    assert_eq!(absence_after(|_, _| ()), Ok(()));
}

#[test]
fn ic_01_iavl_prefixes_are_three_minimal_varints_and_the_lengths_of_the_children() {
    let leaf =
        |prefix: &'static [u8]| code(membership_after(|proof| proof.leaf.as_mut().unwrap().prefix = prefix.to_vec()));
    assert_eq!(leaf(&[0, 2, 14]), "ok");
    assert_eq!(leaf(&[0, 2, 16]), "LC-ICS23-013", "another version is another hash");
    assert_eq!(leaf(&[]), "LC-ICS23-010");
    assert_eq!(leaf(&[0, 2]), "LC-ICS23-010", "version missing");
    assert_eq!(leaf(&[0, 2, 14, 0]), "LC-ICS23-010", "bytes after the version");
    assert_eq!(leaf(&[2, 2, 14]), "LC-ICS23-010", "a leaf has height 0");
    assert_eq!(leaf(&[0, 4, 14]), "LC-ICS23-010", "a leaf has size 1");
    assert_eq!(leaf(&[0, 2, 13]), "LC-ICS23-010", "version negative");
    assert_eq!(leaf(&[0, 2, 0x8e, 0]), "LC-ICS23-010", "version not minimal");

    let inner = |change: fn(&mut Vec<u8>)| code(membership_after(|proof| change(&mut proof.path[0].prefix)));
    assert_eq!(inner(|_| ()), "ok");
    assert_eq!(inner(|prefix| prefix[0] = 1), "LC-ICS23-011", "height negative");
    assert_eq!(inner(|prefix| prefix[1] = 3), "LC-ICS23-011", "size negative");
    assert_eq!(inner(|prefix| prefix[2] = 3), "LC-ICS23-011", "version negative");
    assert_eq!(inner(|prefix| prefix[0] = 0), "LC-ICS23-012", "height of a leaf");
    assert_eq!(inner(|prefix| prefix[1] = 2), "LC-ICS23-012", "size of a leaf");
    assert_eq!(inner(|prefix| prefix.push(0)), "LC-ICS23-011", "one byte more than the children's lengths");
    assert_eq!(inner(|prefix| prefix.truncate(prefix.len() - 1)), "LC-ICS23-011", "one byte less");
    assert_eq!(inner(|prefix| *prefix.last_mut().unwrap() = 31), "LC-ICS23-011", "length of another hash");
    let growing = code(membership_after(|proof| {
        let above = proof.path[1].prefix[0];
        proof.path[0].prefix[0] = above;
    }));
    assert_eq!(growing, "LC-ICS23-012", "a node as high as the one above it");
}

#[test]
fn ic_01_a_forged_absence_over_a_shifted_leaf_is_refused() {
    // Dragonberry: bytes moved between a prefix and the hashed data, so that one preimage reads as two nodes.
    let shifted = absence_after(|_, absence| {
        let left = absence.left.as_mut().unwrap();
        let step = left.path.remove(0);
        left.leaf.as_mut().unwrap().prefix = step.prefix;
    });
    assert_eq!(code(shifted), "LC-ICS23-010");
    let swallowed = absence_after(|_, absence| {
        let right = absence.right.as_mut().unwrap();
        let prefix = [right.path[0].prefix.clone(), right.path[1].prefix.clone()].concat();
        right.path[0].prefix = prefix;
    });
    assert_eq!(code(swallowed), "LC-ICS23-011");
}

#[test]
fn ic_02_an_inner_step_with_a_leaf_prefix_is_refused() {
    // IAVL: a height of 0. Multistore: the leaf prefix 0x00 in place of 0x01.
    assert_eq!(code(membership_after(|proof| proof.path[0].prefix[0] = 0)), "LC-ICS23-012");
    let state = state();
    let mut upper = state.upper();
    let Some(Proof::Exist(existence)) = &mut upper.proof else { panic!("the store exists") };
    existence.path[0].prefix[0] = 0;
    let proof = join(&state.lower(b"key-0010"), &upper);
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &proof)), "LC-ICS23-011");
}

#[test]
fn ic_03_prefixes_and_suffixes_hold_exactly_one_sibling() {
    // The library's allow-listed specifications cannot confuse a longer prefix with a prefix and a child.
    for layer in [Layer::Iavl, Layer::Multistore] {
        let spec = layer.spec().inner_spec.unwrap();
        assert!(spec.max_prefix_length < spec.min_prefix_length + spec.child_size, "{layer}");
        assert!(spec.child_size >= 1, "{layer}");
    }
    let with = |change: fn(&mut InnerOp)| code(membership_after(|proof| change(&mut proof.path[0])));
    assert_eq!(with(|op| op.suffix.extend([0; 33])), "LC-ICS23-011", "two siblings in the suffix");
    assert_eq!(with(|op| op.suffix.push(0)), "LC-ICS23-011");
    assert_eq!(
        with(|op| {
            op.prefix.extend([7; 32]);
            op.prefix.push(32);
        }),
        "LC-ICS23-011",
        "two siblings in the prefix, or one on each side"
    );
    for layer in [Layer::Iavl, Layer::Multistore] {
        assert_eq!(side(layer, &InnerOp { hash: HashOp::Sha256.into(), prefix: vec![], suffix: vec![] }), None);
    }
}

#[test]
fn ic_03_a_step_of_the_multistore_holds_exactly_one_sibling() {
    let state = state();
    for (sibling, suffix, expect) in [
        (32, 0, "LC-ICS23-013"), // the form of a right child, and not the one that hashes to the root
        (0, 32, "LC-ICS23-013"), // the same of a left one
        (31, 0, "LC-ICS23-011"),
        (33, 0, "LC-ICS23-011"),
        (64, 0, "LC-ICS23-011"),
        (0, 31, "LC-ICS23-011"),
        (0, 33, "LC-ICS23-011"),
        (0, 64, "LC-ICS23-011"),
        (32, 32, "LC-ICS23-011"),
        (0, 0, "LC-ICS23-011"),
    ] {
        let mut upper = state.upper();
        let Some(Proof::Exist(existence)) = &mut upper.proof else { panic!("the store exists") };
        existence.path[0].prefix = vec![1; 1 + sibling];
        existence.path[0].suffix = vec![2; suffix];
        let proof = join(&state.lower(b"key-0010"), &upper);
        let refused = verify_membership(&root(&state), target(b"key-0010"), b"value-5", &proof);
        assert_eq!(code(refused), expect, "{sibling} bytes after the first of the prefix, {suffix} in the suffix");
    }
}

#[test]
fn ic_04_depth_and_bytes_are_bounded_before_work() {
    let deep = membership_after(|proof| {
        let step = proof.path[0].clone();
        proof.path.resize(MAX_IAVL_DEPTH + 1, step);
    });
    assert_eq!(deep, Err(Ics23Error::TooDeep { layer: Layer::Iavl, got: 65, max: 64 }));
    let state = state();
    let mut upper = state.upper();
    let Some(Proof::Exist(existence)) = &mut upper.proof else { panic!("the store exists") };
    let step = existence.path[0].clone();
    existence.path.resize(MAX_MULTISTORE_DEPTH + 1, step);
    let proof = join(&state.lower(b"key-0010"), &upper);
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &proof)), "LC-ICS23-006");
    // One step fewer is looked at, and hashes to something else.
    let Some(Proof::Exist(existence)) = &mut upper.proof else { panic!("the store exists") };
    existence.path.truncate(MAX_MULTISTORE_DEPTH);
    let proof = join(&state.lower(b"key-0010"), &upper);
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &proof)), "LC-ICS23-013");
    let long = vec![0; MAX_PROOF_BYTES + 1];
    assert_eq!(code(verify_absence(&root(&state), target(b"k"), &long)), "LC-ICS23-001");
    assert_eq!(code(verify_absence(&root(&state), target(b"k"), &long[1..])), "LC-ICS23-002", "looked at");
}

/// The library judges last. No proof is known that passes our checks and not its own; if there is one, it is refused.
#[test]
fn a_refusal_by_the_library_stands() {
    for layer in [Layer::Iavl, Layer::Multistore] {
        assert_eq!(agree(layer, true), Ok(()));
        assert_eq!(agree(layer, false), Err(Ics23Error::Disagreement { layer }));
    }
}

#[test]
fn long_bytes_are_cut_in_messages() {
    let shown = |length| Bytes::of(&vec![0xab; length]).to_string();
    assert_eq!(shown(0), "0x");
    assert_eq!(shown(40), format!("0x{}", "ab".repeat(40)));
    assert_eq!(shown(41), format!("0x{}… (41 bytes)", "ab".repeat(40)));
}

#[test]
fn ic_05_neighbours_are_ordered_and_adjacent() {
    assert_eq!(code(absence_after(|_, absence| absence.left = None)), "LC-ICS23-016", "right is not the first");
    assert_eq!(code(absence_after(|_, absence| absence.right = None)), "LC-ICS23-016", "left is not the last");
    let none = absence_after(|_, absence| {
        absence.left = None;
        absence.right = None;
    });
    assert_eq!(code(none), "LC-ICS23-016");
    assert_eq!(
        code(absence_after(|_, absence| core::mem::swap(&mut absence.left, &mut absence.right))),
        "LC-ICS23-015"
    );
    for (left, right, expect) in [(5, 6, "ok"), (4, 6, "LC-ICS23-016"), (5, 7, "LC-ICS23-016"), (0, 20, "LC-ICS23-016")]
    {
        let result = absence_after(|state, absence| {
            absence.left = Some(state.existence(left));
            absence.right = Some(state.existence(right));
        });
        assert_eq!(code(result), expect, "{left} and {right}");
    }
    // The key itself as its own neighbour, on either side and at either end: what is there would be shown absent.
    let state = state();
    for (at, left, right) in [(5, Some(5), Some(6)), (5, Some(4), Some(5)), (0, None, Some(0)), (20, Some(20), None)] {
        let key = format!("key-{:04}", 2 * at).into_bytes();
        let neighbour = |at: Option<usize>| at.map(|at| state.existence(at));
        let own = NonExistenceProof { key: key.clone(), left: neighbour(left), right: neighbour(right) };
        let lower = CommitmentProof { proof: Some(Proof::Nonexist(own)) };
        let proof = join(&lower, &state.upper());
        assert_eq!(code(verify_absence(&root(&state), target(&key), &proof)), "LC-ICS23-015", "{left:?} and {right:?}");
    }
    // A proof made for another absent key, though the neighbours would fit.
    assert_eq!(code(absence_after(|_, absence| absence.key = b"key-0011a".to_vec())), "LC-ICS23-007");
}

#[test]
fn ic_06_paths_that_end_before_they_part_do_not_panic() {
    let state = state();
    let op = |at: usize| state.existence(at).path[0].clone();
    for (left, right) in [
        (vec![], vec![]),
        (vec![], vec![op(0)]),
        (vec![op(0)], vec![]),
        (vec![op(0)], vec![op(0)]),
        (vec![op(1), op(0)], vec![op(0)]),
        (vec![op(0)], vec![op(1), op(0)]),
    ] {
        assert!(!are_neighbours(&left, &right));
    }
    // Two paths part where one goes left and the other right, not where both go one way in nodes that differ.
    let (left, right) = (op(0), op(1));
    assert_eq!((side(Layer::Iavl, &left), side(Layer::Iavl, &right)), (Some(Side::Left), Some(Side::Right)));
    let (mut other_left, mut other_right) = (left.clone(), right.clone());
    *other_left.suffix.last_mut().unwrap() ^= 1;
    other_right.prefix[10] ^= 1;
    for (first, second, expect) in
        [(&left, &right, true), (&right, &left, false), (&left, &other_left, false), (&right, &other_right, false)]
    {
        assert_eq!(are_neighbours(core::slice::from_ref(first), core::slice::from_ref(second)), expect);
    }
    let same = absence_after(|state, absence| {
        absence.right = Some(state.existence(5));
        absence.right.as_mut().unwrap().key = b"key-0012".to_vec();
    });
    assert_eq!(code(same), "LC-ICS23-013");
    // One leaf as both neighbours of a tree of one entry.
    let single = State::new(STORE, &[(b"m".to_vec(), b"v".to_vec())]);
    let mut lower = single.lower(b"n");
    let Some(Proof::Nonexist(absence)) = &mut lower.proof else { panic!("n is not in the state") };
    absence.right = absence.left.clone();
    assert_eq!(code(verify_absence(&root(&single), target(b"n"), &join(&lower, &single.upper()))), "LC-ICS23-015");
}

#[test]
fn ic_07_batches_and_compressed_batches_are_refused() {
    let state = state();
    let entry = BatchEntry { proof: Some(ics23::batch_entry::Proof::Exist(state.existence(5))) };
    let batch = CommitmentProof { proof: Some(Proof::Batch(BatchProof { entries: vec![entry] })) };
    let compressed = ics23::compress(&batch).unwrap();
    let out_of_range = {
        let mut proof = compressed.clone();
        let Some(Proof::Compressed(inner)) = &mut proof.proof else { panic!("compressed") };
        inner.lookup_inners.clear();
        proof
    };
    let spec = Layer::Iavl.spec();
    let store_root = match &state.upper().proof {
        Some(Proof::Exist(existence)) => existence.value.clone(),
        _ => panic!("the store exists"),
    };
    assert!(
        ics23::verify_membership::<HostFunctionsManager>(&batch, &spec, &store_root, b"key-0010", b"value-5"),
        "the library accepts it, so the refusal below is ours"
    );
    for (lower, kind) in [(batch, "batch"), (compressed, "compressed batch"), (out_of_range, "compressed batch")] {
        let proof = join(&lower, &state.upper());
        let refused = verify_membership(&root(&state), target(b"key-0010"), b"value-5", &proof);
        assert_eq!(refused, Err(Ics23Error::Kind { layer: Layer::Iavl, got: kind, expected: "existence" }));
        assert_eq!(code(verify_absence(&root(&state), target(b"key-0011"), &proof)), "LC-ICS23-005");
        let upper = join(&state.lower(b"key-0010"), &lower);
        assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &upper)), "LC-ICS23-005");
    }
}

#[test]
fn ic_08_empty_keys_and_values_are_refused() {
    let state = state();
    let empty_value = {
        let mut existence = state.existence(5);
        existence.value = vec![];
        join(&exist(existence), &state.upper())
    };
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"", &empty_value)), "LC-ICS23-009");
    let empty_key = {
        let mut existence = state.existence(5);
        existence.key = vec![];
        join(&exist(existence), &state.upper())
    };
    assert_eq!(code(verify_membership(&root(&state), target(b""), b"value-5", &empty_key)), "LC-ICS23-009");
    assert_eq!(code(verify_absence(&root(&state), target(b""), &state.prove(b""))), "LC-ICS23-009");
    let neighbour = absence_after(|_, absence| absence.left.as_mut().unwrap().value = vec![]);
    assert_eq!(code(neighbour), "LC-ICS23-009");
}

#[test]
fn ic_09_the_operations_are_those_of_our_specifications() {
    let leaf = |change: fn(&mut LeafOp)| code(membership_after(|proof| change(proof.leaf.as_mut().unwrap())));
    assert_eq!(leaf(|leaf| leaf.hash = HashOp::NoHash.into()), "LC-ICS23-010");
    assert_eq!(leaf(|leaf| leaf.hash = HashOp::Keccak256.into()), "LC-ICS23-010");
    assert_eq!(leaf(|leaf| leaf.prehash_key = HashOp::Sha256.into()), "LC-ICS23-010");
    assert_eq!(leaf(|leaf| leaf.prehash_value = HashOp::NoHash.into()), "LC-ICS23-010");
    assert_eq!(leaf(|leaf| leaf.length = LengthOp::NoPrefix.into()), "LC-ICS23-010");
    assert_eq!(leaf(|leaf| leaf.hash = 99), "LC-ICS23-010");
    assert_eq!(code(membership_after(|proof| proof.leaf = None)), "LC-ICS23-010");
    assert_eq!(code(membership_after(|proof| proof.path[0].hash = HashOp::NoHash.into())), "LC-ICS23-011");
    // The two trees' operations in each other's place.
    let state = state();
    let swapped = encode_proof(&[state.upper().encode_to_vec(), state.lower(b"key-0010").encode_to_vec()]);
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &swapped)), "LC-ICS23-007");
}

#[test]
fn ic_10_steps_with_both_or_neither_sibling_are_refused() {
    // The range proof of the BNB hub had nodes with left and right set; here one sibling is all there can be.
    let state = state();
    let both = membership_after(|proof| {
        let at = proof.path.iter().position(|op| op.suffix.is_empty()).unwrap();
        proof.path[at].suffix = [vec![32], vec![9; 32]].concat();
    });
    assert_eq!(code(both), "LC-ICS23-011");
    let neither = membership_after(|proof| {
        let at = proof.path.iter().position(|op| !op.suffix.is_empty()).unwrap();
        proof.path[at].suffix = vec![];
    });
    assert_eq!(code(neither), "LC-ICS23-011");
    // Legacy `iavl:v` operations carry amino-encoded range proofs: not a CommitmentProof.
    let legacy = encode_proof(&[vec![0x0a, 0xff, 0x01, 0x13, 0x37], state.upper().encode_to_vec()]);
    assert_eq!(code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", &legacy)), "LC-ICS23-002");
}

#[test]
fn ic_11_two_levels_of_the_named_store_under_the_application_hash() {
    let state = state();
    let (lower, upper) = (state.lower(b"key-0010").encode_to_vec(), state.upper().encode_to_vec());
    let check = |store: &[u8], proof: &[u8]| {
        code(verify_membership(&root(&state), StoreKey { store, key: b"key-0010" }, b"value-5", proof))
    };
    assert_eq!(check(STORE, &encode_proof(&[lower.clone(), upper.clone()])), "ok");
    assert_eq!(check(b"bank", &encode_proof(&[lower.clone(), upper.clone()])), "LC-ICS23-007", "another store's name");
    assert_eq!(check(STORE, &encode_proof(core::slice::from_ref(&lower))), "LC-ICS23-004", "one level");
    assert_eq!(check(STORE, &encode_proof(&[lower.clone(), upper.clone(), upper.clone()])), "LC-ICS23-004");
    assert_eq!(check(STORE, &[]), "LC-ICS23-004");

    // The value of the upper proof is not the root of the lower one: a store of another chain.
    let other = State::new(STORE, &entries(22));
    assert_eq!(check(STORE, &join(&other.lower(b"key-0010"), &state.upper())), "LC-ICS23-013");
    assert_eq!(check(STORE, &join(&state.lower(b"key-0010"), &other.upper())), "LC-ICS23-013");
    // One level judged against the store's own root in place of the application hash.
    let Some(Proof::Exist(existence)) = state.upper().proof else { panic!("the store exists") };
    let store_root = Root::new(&existence.value).unwrap();
    let proof = join(&state.lower(b"key-0010"), &state.upper());
    assert_eq!(code(verify_membership(&store_root, target(b"key-0010"), b"value-5", &proof)), "LC-ICS23-013");
    let short = {
        let mut upper = state.upper();
        let Some(Proof::Exist(existence)) = &mut upper.proof else { panic!("the store exists") };
        existence.value.pop();
        join(&state.lower(b"key-0010"), &upper)
    };
    assert_eq!(check(STORE, &short), "LC-ICS23-014");
}

#[test]
fn other_keys_values_and_roots_are_refused() {
    let state = state();
    let proof = state.prove(b"key-0010");
    let check = |key: &[u8], value: &[u8]| code(verify_membership(&root(&state), target(key), value, &proof));
    assert_eq!(check(b"key-0010", b"value-5"), "ok");
    assert_eq!(check(b"key-0010", b"value-6"), "LC-ICS23-008");
    assert_eq!(check(b"key-0012", b"value-5"), "LC-ICS23-007");
    let renamed = membership_after(|proof| proof.value = b"value-6".to_vec());
    assert_eq!(code(renamed), "LC-ICS23-008");
    let other_root = Root::new(&[1; 32]).unwrap();
    assert_eq!(code(verify_membership(&other_root, target(b"key-0010"), b"value-5", &proof)), "LC-ICS23-013");
}

#[test]
fn proofs_have_one_encoding() {
    let state = state();
    let proof = state.prove(b"key-0010");
    let check = |proof: &[u8]| code(verify_membership(&root(&state), target(b"key-0010"), b"value-5", proof));
    let unknown_field = [proof.clone(), vec![0x10, 0x01]].concat();
    assert_eq!(check(&unknown_field), "LC-ICS23-003");
    let first_length = proof[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let mut long_varint = proof.clone();
    long_varint[first_length] |= 0x80;
    long_varint.insert(first_length + 1, 0);
    assert_eq!(check(&long_varint), "LC-ICS23-003");
    for cut in 0..proof.len() {
        assert_ne!(check(&proof[..cut]), "ok", "cut at {cut}");
    }
}

#[test]
fn any_changed_bit_is_refused() {
    let state = state();
    for key in [&b"key-0010"[..], b"key-0011"] {
        let proof = state.prove(key);
        for bit in 0..proof.len() * 8 {
            let mut changed = proof.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let membership = verify_membership(&root(&state), target(key), b"value-5", &changed);
            let absence = verify_absence(&root(&state), target(key), &changed);
            assert!(membership.is_err() && absence.is_err(), "bit {bit} of the proof of {key:?}");
            for error in [membership.unwrap_err(), absence.unwrap_err()] {
                assert_ne!(error.class(), Class::Bug, "bit {bit}: {error}");
            }
        }
    }
}

#[test]
fn messages_name_both_values() {
    let error = Ics23Error::ValueMismatch { got: Bytes(vec![0xab; 50]), expected: Bytes(vec![1]) };
    let shown: String = format!("{error}");
    assert_eq!(shown, format!("proof is of value 0x{}… (50 bytes), expected 0x01", "ab".repeat(40)));
}
