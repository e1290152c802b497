//! The parts of the crash tests.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, unreachable_pub, reason = "a test fails by panicking")]

pub mod commands;
pub mod memory;
pub mod native;
pub mod rig;
pub mod table;

use std::time::Duration;

/// Shortest time between two blocks of a devnet.
pub const BLOCK_INTERVAL: Duration = Duration::from_millis(150);
/// Random kills on the devnets.
pub const RANDOM_ROUNDS: u64 = 8;
/// Random kills on the real networks.
pub const REAL_RANDOM_ROUNDS: u64 = 3;
/// The seed of the random kills unless `CATENARY_CRASH_SEED` gives another.
const SEED: u64 = 5;

/// The seed of the random kills.
#[must_use]
pub fn seed() -> u64 {
    std::env::var("CATENARY_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}
