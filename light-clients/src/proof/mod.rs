//! Membership and absence proofs against a typed root, one module a tree.

#[cfg(feature = "cometbft")]
pub mod ics23;
#[cfg(feature = "qbft")]
pub mod mpt;
