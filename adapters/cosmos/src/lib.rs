//! The Cosmos adapter: ibc-go chains on CometBFT, read and written through CometBFT RPC and `abci_query` alone.
//!
//! [`CosmosAdapter`] implements [`ChainSource`](catenary_api::ChainSource) and [`ChainSink`](catenary_api::ChainSink)
//! for ibc-go v11 (cosmos-sdk 0.54, CometBFT 0.39). It gives bytes and claims; whether they are true is for the
//! light client to say. It cannot sign.
//!
//! Requests and most answers have the types of `tendermint-rpc`, in its v0.38 dialect set explicitly: the crate does
//! not know CometBFT 0.39. Answers of `block` and `block_results` have narrow types of our own, with only the
//! fields that the scan reads, so that a field which a newer CometBFT adds or changes cannot stop it.
//!
//! What an attacker who controls an endpoint can grow: nothing beyond one request. Bodies, retries, concurrent
//! requests, events and the memory of validator sets are bounded ([`limits`]), and each request has a deadline.
//!
//! Architecture invariants: no verdicts, no keys, no clock and no sleep of its own; a URL's path and credentials
//! appear in no error and no log.

pub mod config;
pub mod error;
pub mod limits;
pub mod native;
pub mod setup;

mod address;
mod ahead;
mod answers;
mod events;
mod proofs;
mod query;
mod search;
mod sink;
mod source;
mod transport;
mod tx;
mod updates;

pub use address::account_address;
pub use config::CosmosConfig;
pub use error::Error;
pub use source::CosmosAdapter;
