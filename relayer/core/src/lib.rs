//! The engine: packet lifecycle, batching, deadlines and turns as pure functions, and the records that the journal
//! keeps of its facts and decisions.
//!
//! Architecture invariants: no I/O, clock, randomness, logging or async; no chain family and no adapter is named.

pub mod bugs;
pub mod encoding;
pub mod engine;
pub mod fold;
pub mod packet_key;
mod ranges;
pub mod record;
pub mod replay;
pub mod runs;
pub mod store;
pub mod sweep;

pub use packet_key::PacketKey;
pub use record::{Record, Stage};
pub use runs::Runs;
pub use store::{Store, StoreError, StoreOp, Tree};
