//! Keys, sealed headers and small tries for tests, fuzz corpora, benches and devnets, of this crate and of others
//! (feature `test-util`). No chain of value is ever judged by anything here.
//!
//! What a devnet of the EVM families takes from here: [`Key`] (from a number, or from secret bytes), [`HeaderSpec`]
//! to encode, seal and hash headers in either [`Encoding`], with the validators in the header or (QBFT only, by
//! [`HeaderSpec::without_validators`]) in a contract, and [`validator_slots`], the storage of such a contract.
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
pub use contract::{contract_state, item_slot, set_proof, validator_slots, ContractNetwork, VALIDATOR_CONTRACT};
#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub use headers::{vote, Encoding, HeaderSpec, Network, COMMITMENT_SLOT, EMPTY_OMMERS, TRUST};
pub use keys::{keys, Key};
#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub use trie::{compact, EvmState, Trie};
