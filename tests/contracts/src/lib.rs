//! The Solidity contracts executed in revm at Berlin.
//!
//! - [`abi`]: the surface of the contracts, written down by hand from the protocol, so that a changed signature in the
//!   sources fails here;
//! - [`artifact`]: the committed bytecode;
//! - [`chain`]: one EVM chain with a clock;
//! - [`attest`]: attestors, honest and not;
//! - [`packet`]: hashes and paths computed apart from the contracts;
//! - [`world`]: two chains with a client of each other, and the steps of a packet between them.
//!
//! Everything panics on a surprise: this crate is test code only.

pub mod abi;
pub mod artifact;
pub mod attest;
pub mod chain;
pub mod packet;
pub mod vectors;
pub mod world;
