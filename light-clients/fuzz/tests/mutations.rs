//! Every body on its corpus and on seeded mutations of it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use catenary_fuzz::mutate::{mutate, Seeded};
use catenary_fuzz::{Target, TARGETS};

/// Mutations of one body.
const MUTATIONS: u64 = 20_000;

/// The committed inputs of a body, by file name.
fn corpus(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let entry = entry.expect("a readable folder");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a readable file"))
        })
        .collect()
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a body of that name");
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "a corpus for {name}");
    for (file, input) in &corpus {
        guarded(target, input, file);
    }
    let inputs: Vec<&Vec<u8>> = corpus.values().collect();
    let mut seeded = Seeded::new(u64::from_be_bytes(*b"catenary"));
    for number in 0..MUTATIONS {
        let input = inputs[seeded.below(inputs.len())];
        let other = inputs[seeded.below(inputs.len())];
        let mutated = mutate(&mut seeded, input, other);
        guarded(target, &mutated, &format!("mutation {number}"));
    }
}

/// Runs a body, and shows the input when it panics, so that it can join the corpus.
fn guarded(target: &Target, input: &[u8], what: &str) {
    if std::panic::catch_unwind(|| (target.run)(input)).is_err() {
        let shown: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{} fails on {what}: {shown}", target.name);
    }
}

/// One test a body, and one that there is a test for each body.
macro_rules! bodies {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn each_body_has_a_test() {
            let tested = [$(stringify!($name)),*];
            let bodies: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested.as_slice(), bodies);
        }
    };
}

bodies!(
    rlp,
    signature,
    mpt_proof,
    qbft_header,
    qbft_advance,
    qbft_misbehaviour,
    qbft_restore,
    ibft2_header,
    ibft2_advance,
    ibft2_misbehaviour,
    ibft2_restore,
    contract_advance,
    contract_misbehaviour,
    cometbft_update,
    cometbft_advance,
    cometbft_misbehaviour,
    cometbft_restore,
    ics23_proof,
    cometbft_edits,
    ics23_edits,
    trie_proof,
    grandpa_advance,
    grandpa_misbehaviour,
    grandpa_restore,
);

#[test]
fn the_corpus_has_the_seeds_of_each_body() {
    for target in TARGETS {
        let corpus: Vec<Vec<u8>> = corpus(target).into_values().collect();
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!(corpus.contains(seed), "seed {number} of {}: run the example write_corpus", target.name);
        }
    }
}

#[test]
fn each_body_has_a_target_for_cargo_fuzz() {
    for target in TARGETS {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("targets");
        let file = folder.join("fuzz_targets").join(format!("{}.rs", target.name));
        assert!(file.exists(), "{}", file.display());
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{} in the manifest", target.name);
    }
}
