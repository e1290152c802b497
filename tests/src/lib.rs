//! Real nodes on loopback, house rules as tests, and the end-to-end suite.
//!
//! - [`localnet`]: builds and runs the real chain nodes that tests talk to.
//! - [`tidy`]: the house rules, each as a function from sources to violations.

pub mod localnet;
pub mod tidy;
