//! Real chain nodes on loopback: a GoQuorum QBFT network, an ibc-go `simd` network, and single nodes with a base fee.
//!
//! Everything here blocks and needs no runtime, so that plain and asynchronous tests use it alike. Nodes are built once from the pinned Go
//! modules under `tests/nodes` ([`build`]), run on free ports of 127.0.0.1 ([`ports`]), and die with the test that started them, even when
//! that test is killed ([`process`]). Logs stay when a test panics, everything stays with `CATENARY_KEEP=1`.
//!
//! Keys are derived from names, so that a test knows the keys of its accounts and of the validators: see [`Account`],
//! [`QuorumOptions::key_seed`] and [`SimdOptions::key_seed`].

mod account;
pub mod build;
mod error;
pub(crate) mod evm_tx;
mod fee_node;
mod here;
pub mod ports;
pub mod process;
mod quorum;
pub mod record;
mod rpc;
mod simd;
pub(crate) mod workdir;

pub use account::{escrow_address, seed_of, Account};
pub use build::{ensure_anvil, ensure_built, ensure_geth, Binaries};
pub use error::LocalnetError;
pub use fee_node::FeeNode;
pub use here::{anvil_is_here, geth_is_here, nodes_are_here, NODES_ENV};
pub use quorum::{Quorum, QuorumOptions};
pub use rpc::Rpc;
pub use simd::{Simd, SimdOptions, Validator};

use std::time::{Duration, Instant};

/// How often a waiting test looks again, in milliseconds.
const POLL_MS: u64 = 100;

/// Calls `look` until it answers `Some`, at most for `deadline`.
///
/// # Errors
/// What `look` failed with, or [`LocalnetError::Timeout`] naming `what` when the deadline passes.
pub fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<Option<T>, LocalnetError>,
) -> Result<T, LocalnetError> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > deadline {
            return Err(LocalnetError::Timeout {
                what: what.to_owned(),
                seconds: deadline.as_secs(),
                detail: String::new(),
            });
        }
        // Nodes offer no event to wait for while they start, so this polls.
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
}
