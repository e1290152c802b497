//! Devnets: chains that live in this process, with real consensus cryptography, served on loopback over the real wire.
//!
//! The unchanged adapters talk to them, and the light clients judge them as they judge any chain. They serve the demo,
//! and, told to misbehave, they are the adversaries that light clients, adapters and the engine are tested against.
//! They are no ledgers for anybody's value: their keys follow from a seed, and nothing is kept.
//!
//! [`wire`] serves any chain on loopback ports, and [`fault`] lies there: about any field of any answer, at run time,
//! differently on each endpoint.

#[cfg(feature = "cometbft")]
pub mod cometbft;
#[cfg(feature = "evm")]
pub mod evm;
pub mod fault;
pub mod platform;
pub mod wire;
