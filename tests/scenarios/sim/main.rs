//! The deterministic simulation: the node's own path runner, scan, jobs, senders, signers, journals, light clients and
//! attestors in one thread of virtual time, against simulated chains whose rules are the protocol's own handler, with
//! everything going wrong that a seed can draw. README.md tells how to read and shrink a failure.

mod chain;
mod check;
mod driver;
mod endpoint;
mod mistakes;
mod operator;
mod peers;
mod plan;
mod rng;
mod scenarios;
mod tx;
mod world;
