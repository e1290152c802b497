//! An EVM network that agrees by QBFT or IBFT 2.0, in this process.
//!
//! What is real: the machine (`revm`), the state and its proofs (EIP-1186 at any kept height), transaction and receipt
//! tries, blooms, headers with the fields of their fork, keys and seals of every validator, rounds, votes, and the
//! JSON-RPC of a node. What is not: there is one process that plays all validators, so no messages pass between them;
//! and the system contracts of Cancun and Prague (beacon roots, hashes of old blocks, requests) are not deployed, nor are
//! transactions with blobs or authorizations taken.
//!
//! # Time
//!
//! QBFT and IBFT 2.0 write the time of a block in whole seconds and demand a later one in every block. Blocks that
//! follow each other within a second therefore run ahead of the clock. The chain does so for at most
//! [`SECONDS_AHEAD_MAX`] seconds, half of the drift that light clients forgive; then it waits for the clock. While
//! nothing waits it makes a block every [`EvmConfig::empty_block_interval`], which is longer than a second, so that the
//! clock catches up. A burst of transactions is thus served every [`EvmConfig::block_interval`], and a lasting load by
//! a block a second, as on a real network. Blocks on demand ([`EvmDevnet::mine`]) run ahead as far as they are asked to.
//!
//! # What can grow
//!
//! Blocks and receipts stay for as long as the network lives, as on any node; states only for
//! [`EvmConfig::retained_states`] heights, where one shares with the next all that did not change. Waiting
//! transactions, subscriptions, logs of an answer and gas of a call have bounds of their own.

mod block;
mod chain;
mod config;
mod consensus;
mod devnet;
mod events;
mod execute;
mod fault;
mod fork;
mod pool;
mod rpc;
mod state;
mod trie;
mod tx;

pub use config::{BaseFee, DevnetError, EvmConfig, BLOCK_GAS_LIMIT, RETAINED_STATES, SECONDS_AHEAD_MAX, TX_BYTES_MAX};
pub use consensus::{Ballot, ConsensusKind, VALIDATORS_MAX, VALIDATOR_CONTRACT, VALIDATOR_SLOT};
pub use devnet::{EvmDevnet, SealedHeader};
pub use fault::{Branch, EvmFault};
pub use fork::Fork;
