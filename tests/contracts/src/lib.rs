//! The Solidity contracts executed in revm at Berlin.
