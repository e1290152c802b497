//! The adversary catalogue: every field of every answer that a node reads is changed, one at a time, on the real wire,
//! and the node's own way through that chain is walked again.
//!
//! [`walk`] is that way: an unchanged adapter, a real light client, the node's own `Chain` around them, and the screening
//! of claims. [`flips`] takes the answers of an honest walk apart into single changes. [`run()`] serves one change a
//! walk, and [`table`] judges: *refused* with a stable code; or *explained* by a row of a table that says why the change
//! does no harm. A fact that the honest walk did not have, a panic, a walk that does not end, an error without a code,
//! and a difference that no row explains are survivors, and fail the test. So does a row that explains nothing.
//!
//! The envelope of JSON-RPC (version, ids, batches) belongs to the transports, whose own tests take it apart.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "shared by tests that each use a part, and fail by panicking"
)]

pub mod counterparty;
pub mod flips;
pub mod run;
pub mod table;
pub mod walk;

use catenary_light_clients::TrustOptions;

/// What all light clients of the catalogue are told.
pub const TRUST: TrustOptions = TrustOptions {
    trusting_period_seconds: 14 * 86_400,
    clock_drift_seconds: 10,
    churn_limit_permille: 1_000,
    allow_no_fault_tolerance: true,
    retain_heights: 10_000,
};

/// Seconds since 1970, by the machine's clock: the node's own code compares headers with it.
pub fn now_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
