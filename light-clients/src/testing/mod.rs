//! Keys, chains of sealed headers and small tries for tests, fuzz corpora and benches, of this crate and of others
//! (feature `test-util`), on what [`sealing`](crate::sealing) encodes. No chain of value is ever judged by anything here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "test helpers fail by panicking, on the caller's own mistakes"
)]

#[cfg(any(feature = "qbft", feature = "ibft2"))]
mod contract;
#[cfg(any(feature = "qbft", feature = "ibft2"))]
mod headers;
mod keys;
#[cfg(any(feature = "qbft", feature = "ibft2"))]
mod trie;

#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub use contract::{contract_state, set_proof, ContractNetwork, VALIDATOR_CONTRACT};
#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub use headers::{vote, Network, COMMITMENT_SLOT, TRUST};
pub use keys::keys;
#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub use trie::{EvmState, Trie};

pub use crate::sealing::{compact, item_slot, validator_slots, Encoding, HeaderSpec, Key, EMPTY_OMMERS};
