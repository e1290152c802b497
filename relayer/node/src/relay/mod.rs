//! The drivers that carry the engine's effects out: scanning, proving, collecting attestations, sending.
//!
//! A path has one runner that owns its engine; everything else is a task that answers to it. What a runner decides
//! is journaled before it is acted on, and every transaction is journaled with its raw bytes before its broadcast.
//!
//! # What an attacker can grow
//!
//! Channels are bounded (`limits`), jobs in flight are at most three a side, transactions in flight a few a
//! key; a peer or endpoint that stalls holds up its own path for the deadline of one request.

mod confirm;
mod decision;
mod job;
pub mod limits;
pub mod material;
mod observe;
mod probe;
mod runner;
mod scan;
mod screen;
mod send;
mod stand;
mod sweep;
mod upkeep;

pub use job::{ClientUpdate, OnChainClient, PathContext, PathObserver, PathSide};
pub use material::{Attested, Material, Native};
pub use observe::{ChainWatch, PathWatch};
pub use probe::probe;
pub use runner::cursor_name;
pub use runner::{PathRunner, Restored};
pub use send::{
    Corridor, Effected, Note, ReleasingSigner, SendError, SendObserver, SendPolicy, Sender, SenderParts, Sent, TxEvent,
};
pub use stand::ClientStand;
pub use sweep::Swept;
pub use upkeep::{upkeep, Keepers};
