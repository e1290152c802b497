//! Membership and absence proofs against a typed root, one module a tree.

#[cfg(feature = "cometbft")]
pub mod ics23;
#[cfg(any(feature = "qbft", feature = "ibft2"))]
pub mod mpt;
#[cfg(feature = "grandpa")]
pub mod trie;
