//! Real nodes on loopback, house rules as tests, and the end-to-end suite.
//!
//! - [`conformance`]: what the conformance suite needs to run on the EVM and the Cosmos adapter.
//! - [`consortium`]: three operators between the two networks, and what end-to-end tests ask of them.
//! - [`localnet`]: builds and runs the real chain nodes that tests talk to.
//! - [`native`]: the program between two CometBFT chains whose clients believe validators.
//! - [`proxy`]: an endpoint that lies.
//! - [`tidy`]: the house rules, each as a function from sources to violations.

pub mod conformance;
pub mod consortium;
pub mod localnet;
pub mod native;
pub mod proxy;
pub mod tidy;
