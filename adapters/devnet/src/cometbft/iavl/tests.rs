//! Trees against a plain map, proofs against both verifiers.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys come from few letters, so that removals and replacements hit.
fn steps() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u8>)>> {
    let key = prop::collection::vec(prop::sample::select(vec![b'a', b'b', b'c', 1, 255]), 1..4);
    prop::collection::vec((key, prop::option::weighted(0.7, any::<u8>())), 1..60)
}

fn check_node(node: &Arc<Node>) -> (Vec<u8>, Vec<u8>) {
    let Kind::Inner { height, size, left, right } = &node.kind else { return (node.key.clone(), node.key.clone()) };
    assert_eq!(*height, left.height().max(right.height()) + 1);
    assert_eq!(*size, left.size() + right.size());
    assert!(left.height().abs_diff(right.height()) <= 1, "balanced");
    let ((smallest, below), (above, largest)) = (check_node(left), check_node(right));
    assert!(below < node.key && node.key == above, "an inner key is the smallest of its right side");
    (smallest, largest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_holds_what_a_map_holds(steps in steps(), prefix in prop::collection::vec(b'a'..=b'c', 0..3)) {
        let (mut tree, mut map) = (Tree::default(), BTreeMap::new());
        let mut versions = Vec::new();
        for (version, (key, value)) in (1_u64..).zip(steps) {
            match value {
                Some(value) => {
                    tree.set(version, &key, vec![value]);
                    map.insert(key, vec![value]);
                }
                None => {
                    tree.remove(version, &key);
                    map.remove(&key);
                }
            }
            versions.push((tree.clone(), map.clone()));
        }
        for (tree, map) in versions {
            let all: Vec<_> = map.clone().into_iter().collect();
            prop_assert_eq!(tree.prefixed(b""), all.clone());
            let expect: Vec<_> = all.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
            prop_assert_eq!(tree.prefixed(&prefix), expect);
            for (key, value) in &map {
                prop_assert_eq!(tree.get(key), Some(value.as_slice()));
            }
            if let Some(root) = &tree.root {
                check_node(root);
            }
        }
    }

    #[test]
    fn every_proof_verifies_and_only_for_what_it_says(steps in steps(), probes in steps()) {
        let mut tree = Tree::default();
        tree.set(1, b"bb", vec![7]);
        for (version, (key, value)) in (1_u64..).zip(&steps) {
            match value {
                Some(value) => tree.set(version, key, vec![*value]),
                None if key != b"bb" => tree.remove(version, key),
                None => {}
            }
        }
        let (root, spec) = (tree.hash().to_vec(), ics23::iavl_spec());
        let holds = |proof: &CommitmentProof, key: &[u8], value: Option<&[u8]>| match value {
            Some(value) => ics23::verify_membership::<ics23::HostFunctionsManager>(proof, &spec, &root, key, value),
            None => ics23::verify_non_membership::<ics23::HostFunctionsManager>(proof, &spec, &root, key),
        };
        for (key, _) in probes.iter().chain(&steps) {
            let value = tree.get(key);
            let proof = tree.prove(key).unwrap();
            prop_assert!(holds(&proof, key, value), "{key:?} {value:?}");
            prop_assert!(!holds(&proof, key, if value.is_some() { None } else { Some(&[1]) }), "{key:?}");
        }
    }
}

#[test]
fn an_empty_tree_has_the_hash_of_nothing_and_proves_nothing() {
    let mut tree = Tree::default();
    tree.remove(1, b"a");
    assert!(tree.prove(b"a").is_none());
    assert_eq!(hex::encode(tree.hash()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn nodes_are_hashed_as_the_recorded_chain_hashes_its_own() {
    // The proof that a real chain gave for a packet commitment: its leaf and first step are what ours look like.
    let text = include_str!("../../../../../tests/vectors/cosmos-rpc/abci_query_present.json");
    let answer: serde_json::Value = serde_json::from_str(text).unwrap();
    let data = answer["result"]["response"]["proofOps"]["ops"][0]["data"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).unwrap();
    let recorded: CommitmentProof = prost::Message::decode(bytes.as_slice()).unwrap();
    let Some(Proof::Exist(recorded)) = recorded.proof else { unreachable!("a present key") };
    let mut tree = Tree::default();
    tree.set(8, &recorded.key, recorded.value.clone());
    let Some(Proof::Exist(ours)) = tree.prove(&recorded.key).unwrap().proof else { unreachable!("just set") };
    assert_eq!(ours.leaf, recorded.leaf, "height 0, size 1, version 8");
    tree.set(8, b"zzz", vec![1]);
    let Some(Proof::Exist(ours)) = tree.prove(&recorded.key).unwrap().proof else { unreachable!("still set") };
    let (ours, recorded) = (&ours.path[0], &recorded.path[0]);
    assert_eq!((&ours.prefix, ours.suffix.len()), (&recorded.prefix, recorded.suffix.len()));
}
