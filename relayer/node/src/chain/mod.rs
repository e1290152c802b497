//! One connected chain: its adapter, its light client, and what they prove together.

pub mod prover;

pub use prover::{ProveError, Prover};
