//! The catenary node: the only crate that reads the clock, picks families and adapters, and holds keys.

pub mod api;
pub mod attestor;
pub mod chain;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
mod demo;
mod failpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod journal;
pub mod keystore;
pub mod platform;
pub mod query;
pub mod relay;
pub mod retry;
pub mod setup;
pub mod store;
pub mod telemetry;
pub mod watched;
pub mod wiring;
