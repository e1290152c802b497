//! The deterministic simulation: the node's own path runner, scan, jobs, senders, signers, journals, light clients and
//! attestors in one thread of virtual time, against simulated chains whose rules are the protocol's own handler, with
//! everything going wrong that a seed can draw. README.md tells how to read and shrink a failure.

mod chain;
mod check;
mod disk;
mod driver;
mod endpoint;
// Without debug assertions no mistake can be made.
#[cfg(debug_assertions)]
mod mistakes;
mod operator;
mod peers;
mod plan;
mod rng;
mod scenarios;
mod sweeps;
mod tx;
mod ways;
mod world;
