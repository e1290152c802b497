//! IBC v2 as bytes: packets, commitments, paths, acknowledgements, attestations and transfer payloads; and the
//! [`handler`] that chains run over them.
//!
//! Every encoding here is pinned by golden bytes of the real ibc-go module (`tests/vectors/ibc`). Decoders are
//! strict: what does not re-encode to the same bytes is refused. [`VerifiedPacket`], [`VerifiedAck`] and
//! [`VerifiedTimeout`] are the only forms in which a packet reaches delivery, attestation or ledger code, and their
//! only constructors take a `Verified<_>` of the light clients and compare path and commitment.
//!
//! Architecture invariants: no I/O, clock, randomness, logging, async or `std`; no chain family is named but where
//! an encoding belongs to one.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod abi;
pub mod attestation;
pub mod error;
pub mod handler;
pub mod ics20;
mod json;
pub mod limits;
pub mod packet;
pub mod path;
pub mod proto;
pub mod verified;

pub use attestation::{AttestationProof, PacketAttestation, StateAttestation};
pub use error::Error;
pub use packet::{Acknowledgement, Packet, Payload};
pub use path::Path;
pub use verified::{VerifiedAck, VerifiedPacket, VerifiedTimeout};
