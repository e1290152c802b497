//! The EVM adapter: JSON-RPC transport, event scan, proofs and transactions. Bytes and claims, never verdicts.
//!
//! [`EvmAdapter`] is both sides of one chain: `ChainSource` and `ChainSink` of `catenary_api`. [`setup`] makes the
//! calls that people ask for: deploying contracts, adding clients, sending transfers.
//!
//! ethers-rs serves as ABI and RLP codec and for its types; it is no longer maintained, so it stays inside this
//! crate, and the HTTP stack under it is our own ([`rpc`]).
//!
//! Architecture invariants: nothing here judges a chain, signs, logs, or reads a clock; no endpoint's credentials
//! reach an error.

mod abi;
mod adapter;
mod ahead;
mod config;
mod contract;
mod error;
mod events;
mod fee;
mod header;
mod json;
pub mod limits;
mod proof;
mod reads;
mod receipt;
pub mod rpc;
mod search;
pub mod setup;
mod sink;
mod source;
#[cfg(test)]
mod testing;
mod tx;

pub use abi::Contract;
pub use adapter::{At, EvmAdapter};
pub use config::{EvmConfig, Fee, GasPrice, COMMITMENT_SLOT, TX_BYTES_MAX};
pub use error::{Error, Result};
pub use reads::TokenInfo;
pub use tx::{checksummed, parse_address};

#[cfg(test)]
mod tests;
