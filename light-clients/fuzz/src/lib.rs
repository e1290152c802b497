//! Fuzz bodies as plain functions: each takes any bytes and panics when a property of the light clients does not
//! hold for them.
//!
//! `cargo test -p catenary-fuzz` runs every body on its corpus (`corpus/<name>/`) and on seeded mutations of it, so
//! a failure repeats on every machine. `targets/` holds the same bodies for cargo-fuzz, for longer runs by hand:
//!
//! ```text
//! cd light-clients/fuzz/targets && cargo +nightly fuzz run qbft_advance ../corpus/qbft_advance
//! ```
//!
//! An input that is found there joins the corpus. `cargo run -p catenary-fuzz --example write_corpus` writes the
//! seeds of the bodies into it again after a format has changed.
#![allow(
    clippy::missing_panics_doc,
    reason = "a fuzz body reports a broken property by panicking, that is all it is for"
)]

pub mod bft;
pub mod cometbft;
pub mod contract;
pub mod edits;
pub mod grandpa;
pub mod ibft2;
pub mod mpt;
pub mod mutate;
pub mod qbft;
pub mod rlp;
pub mod signature;

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
    Target { name: "rlp", run: rlp::canonical, seeds: rlp::seeds },
    Target { name: "signature", run: signature::recover, seeds: signature::seeds },
    Target { name: "mpt_proof", run: mpt::proof, seeds: mpt::seeds },
    Target { name: "qbft_header", run: qbft::header, seeds: qbft::header_seeds },
    Target { name: "qbft_advance", run: qbft::advance, seeds: qbft::header_seeds },
    Target { name: "qbft_misbehaviour", run: qbft::misbehaviour, seeds: qbft::evidence_seeds },
    Target { name: "qbft_restore", run: qbft::restore, seeds: qbft::state_seeds },
    Target { name: "ibft2_header", run: ibft2::header, seeds: ibft2::header_seeds },
    Target { name: "ibft2_advance", run: ibft2::advance, seeds: ibft2::header_seeds },
    Target { name: "ibft2_misbehaviour", run: ibft2::misbehaviour, seeds: ibft2::evidence_seeds },
    Target { name: "ibft2_restore", run: ibft2::restore, seeds: ibft2::state_seeds },
    Target { name: "contract_advance", run: contract::advance, seeds: contract::update_seeds },
    Target { name: "contract_misbehaviour", run: contract::misbehaviour, seeds: contract::evidence_seeds },
    Target { name: "cometbft_update", run: cometbft::update, seeds: cometbft::update_seeds },
    Target { name: "cometbft_advance", run: cometbft::advance, seeds: cometbft::update_seeds },
    Target { name: "cometbft_misbehaviour", run: cometbft::misbehaviour, seeds: cometbft::evidence_seeds },
    Target { name: "cometbft_restore", run: cometbft::restore, seeds: cometbft::state_seeds },
    Target { name: "ics23_proof", run: cometbft::proof, seeds: cometbft::proof_seeds },
    Target { name: "cometbft_edits", run: edits::updates, seeds: edits::seeds },
    Target { name: "ics23_edits", run: edits::ics23, seeds: edits::seeds },
    Target { name: "trie_proof", run: grandpa::proof, seeds: grandpa::proof_seeds },
    Target { name: "grandpa_advance", run: grandpa::advance, seeds: grandpa::update_seeds },
    Target { name: "grandpa_misbehaviour", run: grandpa::misbehaviour, seeds: grandpa::evidence_seeds },
    Target { name: "grandpa_restore", run: grandpa::restore, seeds: grandpa::state_seeds },
];
