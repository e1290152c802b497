//! What an adapter author needs, and nothing more: the traits of a chain's two sides, the signer, and the claims
//! that adapters trade in.
//!
//! An adapter moves bytes. [`ChainSource`] reads a chain and returns bytes and claims, never verdicts: what it says
//! is believed only after a light client has checked it. [`ChainSink`] builds and broadcasts transactions from
//! verified messages and cannot sign. [`Signer`] signs and remembers.
//!
//! Architecture invariants: no trait here has more than eight methods; no chain family is named; nothing here does
//! I/O or reads a clock.

pub mod claim;
pub mod error;
pub mod limits;
pub mod native;
pub mod plain;
pub mod search;
pub mod signer;
pub mod sink;
pub mod source;

pub use claim::{ClientClaim, EventClaim, Head, Identity, PacketEvent, ProofClaim, TxHash};
pub use error::{Error, Result};
pub use native::{ClientMessage, NativeClaim, NativeMessage, NativeState, NativeView, ProofHeight};
pub use plain::{BodyView, MessageView, PlainBuildRequest, PlainSink};
pub use search::{PacketSearch, Search, SearchKind};
pub use signer::{KeyId, PublicKey, Purpose, SignRequest, Signer};
pub use sink::{
    Account, Broadcast, BuildRequest, Call, ChainSink, Message, ReplacingSink, SignedTx, SinkLimits, TxBody, TxReceipt,
    UnsignedTx,
};
pub use source::ChainSource;
