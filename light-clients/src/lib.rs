//! Light-client verifiers for the consensus families that Catenary connects.
//!
//! Trusted state and untrusted bytes go in, a [`Verdict`] comes out. Nothing here does I/O, reads a clock, logs,
//! draws randomness or knows of another crate of this project: time, options and trust are arguments, so a verdict
//! is a pure function that can be replayed, simulated, fuzzed and compiled for a chain's own runtime.
//!
//! Only this crate constructs [`Verified`]: whoever holds one holds the outcome of a check that was really made.
//!
//! Architecture invariants: no clock, no randomness, no async, no logging, no `std`; no adapter and no chain
//! library type crosses the public API; no recursion on depth that an attacker chooses.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub mod bft;
#[cfg(feature = "cometbft")]
pub mod cometbft;
pub mod crypto;
#[cfg(feature = "grandpa")]
pub mod grandpa;
#[cfg(feature = "ibft2")]
pub mod ibft2;
#[cfg(any(feature = "qbft", feature = "ibft2", feature = "cometbft", feature = "grandpa"))]
pub mod proof;
#[cfg(feature = "qbft")]
pub mod qbft;
pub mod quorum;
pub mod rlp;
#[cfg(any(test, feature = "sealing"))]
pub mod sealing;
#[cfg(any(test, feature = "test-util"))]
pub mod testing;
pub mod trust;
pub mod verdict;

pub use crypto::Address;
pub use trust::{Anchor, TrustError, TrustOptions};
pub use verdict::{
    Absence, Class, Coded, Family, Hash32, Header, InstanceId, LightClient, Membership, Misbehaviour, Rejection, Root,
    Status, Timestamp, Verdict, Verified,
};
