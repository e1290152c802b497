//! Fuzz bodies of what reads the journal's files, as plain functions: each takes any bytes and panics when a property does
//! not hold for them. The property is the same for all: what is accepted encodes back to the same bytes.
//!
//! The tests run every body on its corpus (`relayer/fuzz/corpus/NAME/`) and on seeded mutations of it, so a failure repeats
//! on every machine. `relayer/fuzz` holds the same bodies for cargo-fuzz, for longer runs by hand:
//!
//! ```text
//! cd relayer/fuzz && cargo +nightly fuzz run journal_segment corpus/journal_segment
//! ```
//!
//! An input that is found there joins the corpus. `UPDATE=1 cargo test -p catenary --lib fuzz` writes the seeds into it
//! again after a format has changed.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a fuzz body reports a broken property by panicking, that is all it is for"
)]

use crate::{journal, store};

/// A body, with the inputs that its mutations start from.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the body and of its folder in the corpus.
    pub name: &'static str,
    /// The body.
    pub run: fn(&[u8]),
    /// Inputs that reach deep into the code.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All bodies.
pub const TARGETS: &[Target] = &[
    Target { name: "journal_record", run: journal::fuzz::record, seeds: journal::fuzz::record_seeds },
    Target { name: "journal_commit", run: journal::fuzz::commit, seeds: journal::fuzz::commit_seeds },
    Target { name: "journal_segment", run: journal::fuzz::segment, seeds: journal::fuzz::segment_seeds },
    Target { name: "journal_checkpoint", run: store::fuzz::checkpoint, seeds: store::fuzz::checkpoint_seeds },
    Target { name: "journal_export", run: store::fuzz::export, seeds: store::fuzz::export_seeds },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use catenary_fuzz::mutate::{mutate, Seeded};

    use super::*;

    /// Mutations of one body.
    const MUTATIONS: u64 = 10_000;

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
    }

    /// The committed inputs of a body, by file name.
    fn corpus(target: &Target) -> BTreeMap<String, Vec<u8>> {
        let folder = folder().join("corpus").join(target.name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            for (number, seed) in (target.seeds)().iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{number:02}")), seed).expect("written");
            }
        }
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
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!(
                corpus.values().any(|input| input == seed),
                "seed {number} of {name} is not in the corpus: UPDATE=1"
            );
        }
        for (file, input) in &corpus {
            guarded(target, input, file);
        }
        let inputs: Vec<&Vec<u8>> = corpus.values().collect();
        let mut seeded = Seeded::new(u64::from_be_bytes(*b"journals"));
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
            panic!("{} fails on {what}: {}", target.name, hex::encode(input));
        }
    }

    /// One test a body, and one that there is a test and a target for cargo-fuzz for each body.
    macro_rules! bodies {
        ($($name:ident),* $(,)?) => {
            $(#[test]
            fn $name() {
                run(stringify!($name));
            })*

            #[test]
            fn each_body_has_a_test_and_a_target_for_cargo_fuzz() {
                let tested = [$(stringify!($name)),*];
                let bodies: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                assert_eq!(tested.as_slice(), bodies);
                let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("a manifest");
                for name in tested {
                    let file = folder().join("fuzz_targets").join(format!("{name}.rs"));
                    assert!(file.exists(), "{}", file.display());
                    assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} in the manifest");
                }
            }
        };
    }

    bodies!(journal_record, journal_commit, journal_segment, journal_checkpoint, journal_export);
}
