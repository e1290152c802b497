//! The reading side of a chain.

use async_trait::async_trait;

use crate::claim::{ClientClaim, EventClaim, Head, Identity, ProofClaim};
use crate::error::Result;
use crate::search::PacketSearch;

/// Reads a chain; returns bytes and claims, never verdicts.
///
/// All methods are idempotent and cancel safe (dropping the future leaves nothing behind), have a deadline of their
/// own, and fail with [`Class::Transient`](catenary_light_clients::Class) errors where a retry or another endpoint
/// may help. Answers over the bounds of [`limits`](crate::limits) are refused.
#[async_trait]
pub trait ChainSource: Send + Sync {
    /// Which network the endpoint serves.
    ///
    /// # Errors
    /// Transport and decoding errors of the adapter.
    async fn identity(&self) -> Result<Identity>;

    /// The newest block that is final by the family's rule.
    ///
    /// # Errors
    /// Transport and decoding errors of the adapter.
    async fn head(&self) -> Result<Head>;

    /// Light-client updates for the heights `from..=to`, one a height, in order, in the encoding of the family's
    /// `decode` module. At most [`HEIGHTS_MAX`](crate::limits::HEIGHTS_MAX) heights.
    ///
    /// # Errors
    /// Transport and decoding errors; a height that the endpoint does not have.
    async fn updates(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>>;

    /// Packet events of the blocks `from..=to`, in block order; all of them or an error, never a part.
    ///
    /// # Errors
    /// Transport and decoding errors; a range that the endpoint does not have in full.
    async fn events(&self, from: u64, to: u64) -> Result<Vec<EventClaim>>;

    /// Values and proofs of the ICS-24 paths in the state after block `height`, in order, in one call where the
    /// chain allows it. At most [`PATHS_MAX`](crate::limits::PATHS_MAX) paths.
    ///
    /// # Errors
    /// Transport and decoding errors; a state that the endpoint does not have.
    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>>;

    /// Whether each path holds something in the newest state, unproven: for leaving out what is done already just
    /// before a send, never for a decision that matters.
    ///
    /// # Errors
    /// Transport and decoding errors.
    async fn present(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>>;

    /// What the chain says of its on-chain client `client_id`; `None` when there is no such client.
    ///
    /// # Errors
    /// Transport and decoding errors.
    async fn client(&self, client_id: &str) -> Result<Option<ClientClaim>>;

    /// Finds packets by their sequences, where the adapter can; `None` where it cannot. An adapter over several others
    /// passes theirs on.
    fn search(&self) -> Option<&dyn PacketSearch> {
        None
    }
}
