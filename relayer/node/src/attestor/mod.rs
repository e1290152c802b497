//! Attestations between members: the service that signs what our own light client verified, and the collector that
//! gathers the signatures of m members over the same bytes.
//!
//! ```text
//! relay ─► Collector ─┬─► Attestor (own) ─► Prover ─► light client ─► signer (journal) ─► signature
//!                     └─► peers over gRPC ─► judge: only bytes equal to ours, only the member's own signature
//! ```
//!
//! A member signs only facts that its own light client verified, and believes of another member nothing but a
//! signature over bytes that it has verified itself.
//!
//! # What an attacker can grow
//! Nothing without bound: requests are limited in packets, bytes, number in flight (a peer and in all) and time, the
//! answers that are kept are limited in number and bytes, and answers of peers are limited in bytes and time. All
//! numbers are in [`limits`].

mod cache;
pub mod collector;
pub mod error;
pub mod exclusion;
pub mod limits;
pub mod server;
pub mod service;
pub mod signer;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod wire;

pub use collector::{
    AttestedChunk, Availability, CollectError, Collected, Collector, CollectorConfig, Deadlines, Member, PeerClient,
    Reach, RefusedPacket,
};
pub use error::{AttestError, Refusal};
pub use exclusion::{Exclusion, ExclusionCode};
pub use server::{Listen, Server};
pub use service::{Attestor, ClientPair, CommitmentKind, Facts, SignedPackets, SignedState};
pub use signer::AttestationSigner;
pub use tls::{ClientTls, NodeIdentity, ServerTls, TransportError};
