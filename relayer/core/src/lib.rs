//! The engine: packet lifecycle, batching, deadlines and turns as pure functions, and the records that the journal
//! keeps of its facts and decisions.
//!
//! Architecture invariants: no I/O, clock, randomness, logging or async; no chain family and no adapter is named.

pub mod engine;
