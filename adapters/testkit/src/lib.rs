//! The conformance suite that an adapter's author runs against the adapter.
//!
//! The author implements [`Harness`]: how to make an adapter, make something happen on the chain, and wait for a
//! block. The kit brings the rest: [named checks](CHECKS), an [endpoint that fails on demand](wire), keys that sign,
//! and a [report] that says of each check what was seen. [`assert_conforms`] is the helper for a test.
//!
//! ```no_run
//! # async fn example(harness: impl catenary_adapter_testkit::Harness) {
//! let seed = 7; // arbitrary range splits follow from it, so that a failure can be repeated
//! catenary_adapter_testkit::assert_conforms(&harness, seed).await;
//! # }
//! ```
//!
//! What does not apply to an adapter (it only reads, it has no network endpoint, its family has no light client here)
//! is said by [`Harness::profile`], and the report lists it as not applicable instead of passing it.
//!
//! The kit needs a runtime with time enabled. It reads the clock only to bound how long an adapter may take.

mod checks;
mod harness;
mod kit;
mod report;
pub mod wire;

pub use checks::CHECKS;
pub use harness::{Ability, Emitted, Fault, Harness, Profile, Sides, TestKey, URL_SECRET};
pub use kit::{assert_conforms, run, run_only, Check, Kit};
pub use report::{Finding, Outcome, Report};

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
