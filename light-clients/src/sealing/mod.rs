//! Sealed headers of QBFT and IBFT 2.0 for chains that make their own, with keys whose secrets are known (feature
//! `sealing`): what the EVM devnet is made of. Nothing here panics, and no chain of value is ever judged by it.
//!
//! A chain that makes its own headers takes three steps: fill a [`HeaderSpec`] (its fields are those of the Yellow
//! Paper, section 4.3, and those of the extra data), [`HeaderSpec::try_seal`] it with the validators' keys in the order
//! in which their seals should stand, and [`HeaderSpec::encode`] it. [`HeaderSpec::hash`] is the block hash that the
//! next header names as its parent, and [`HeaderSpec::extra_data`] what `eth_getBlockByNumber` shows.
//!
//! Headers are encoded here from their fields, independently of how the light client takes them apart, so that a
//! mistake in its hashes cannot cancel itself out in a test.

mod header;
mod keys;
mod slots;

pub use header::{Encoding, HeaderSpec, EMPTY_OMMERS};
pub use keys::{Key, SealError};
pub use slots::{compact, item_slot, validator_slots};
