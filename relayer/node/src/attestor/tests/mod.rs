//! The service and the collector over real loopback gRPC, with a real light client on sealed headers and real tries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod collecting;
mod flips;
mod liars;
mod mutual_tls;
mod rig;
mod serving;
mod signing;
