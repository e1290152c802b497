//! Keys, sealed headers and small tries for tests, fuzz corpora and benches, of this crate and of others
//! (feature `test-util`). Nothing here is compiled into a node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "test helpers fail by panicking, on the caller's own mistakes"
)]

#[cfg(feature = "qbft")]
mod headers;
mod keys;
#[cfg(feature = "qbft")]
mod trie;

#[cfg(feature = "qbft")]
pub use headers::{vote, HeaderSpec, Network, COMMITMENT_SLOT, TRUST};
pub use keys::{keys, Key};
#[cfg(feature = "qbft")]
pub use trie::{compact, EvmState, Trie};
