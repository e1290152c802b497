//! What a connected chain can prove: the only way from an endpoint's bytes to verified facts.

use async_trait::async_trait;
use catenary_light_clients::{Absence, Class, Header, InstanceId, Membership, Rejection, Verified};
use catenary_protocol::{Packet, VerifiedPacket};
use thiserror::Error as ThisError;

/// Why a chain cannot prove something now.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum ProveError {
    /// The light client refused what the endpoint gave.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The endpoint failed.
    #[error(transparent)]
    Endpoint(#[from] catenary_api::Error),
    /// The packet is not the one that is committed.
    #[error(transparent)]
    Protocol(#[from] catenary_protocol::Error),
    /// The height is above the highest provable one.
    #[error("height {height} is not provable yet, the verified head is {head}; ask again or ask for less")]
    AboveHead {
        /// Height asked for.
        height: u64,
        /// Highest provable height.
        head: u64,
    },
    /// The height is not retained any more, or was skipped.
    #[error("height {height} is not retained, the verified head is {head}; choose a height nearer to the head")]
    NotRetained {
        /// Height asked for.
        height: u64,
        /// Highest provable height.
        head: u64,
    },
    /// The endpoint claims that a path holds nothing where something was expected, or the other way round.
    #[error("path {path} {claim} at height {height}, says the endpoint; the claim that led here does not hold there")]
    Claim {
        /// Path in hex.
        path: String,
        /// "holds nothing" or "holds a value".
        claim: &'static str,
        /// Height of the state.
        height: u64,
    },
    /// Trust has ended, the client is frozen, or the head is too old: nothing is proven from here.
    #[error("chain {chain} is stopped: {reason}")]
    Stopped {
        /// Chain's name.
        chain: String,
        /// Why, and what a person does next.
        reason: String,
    },
}

impl ProveError {
    /// The code of [`ProveError::Claim`], which callers tell from other refusals.
    pub const CLAIM_CODE: &'static str = "NODE-PRV-003";

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(rejection) => rejection.code,
            Self::Endpoint(error) => error.code,
            Self::Protocol(error) => error.code(),
            Self::AboveHead { .. } => "NODE-PRV-001",
            Self::NotRetained { .. } => "NODE-PRV-002",
            Self::Claim { .. } => Self::CLAIM_CODE,
            Self::Stopped { .. } => "NODE-PRV-004",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Refused(rejection) => rejection.class,
            Self::Endpoint(error) => error.class,
            Self::Protocol(error) => error.class(),
            // A stopped chain says nothing of a packet: it waits until the chain goes on.
            Self::AboveHead { .. } | Self::Claim { .. } | Self::Stopped { .. } => Class::Transient,
            Self::NotRetained { .. } => Class::Permanent,
        }
    }
}

/// Proves facts of one chain at a height, through its light client. Every method is idempotent and cancel safe.
#[async_trait]
pub trait Prover: Send + Sync {
    /// Name of the chain in the config.
    fn chain(&self) -> &str;

    /// The light client's instance.
    fn instance(&self) -> InstanceId;

    /// Highest height whose state can be proven now; 0 while there is none.
    fn head(&self) -> u64;

    /// The verified state at a height; waits a bounded time when the height is just above the head.
    ///
    /// # Errors
    /// See [`ProveError`].
    async fn state(&self, height: u64) -> Result<Verified<Header>, ProveError>;

    /// Proves that each packet is committed on this chain, its source. One outcome a packet, in order.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    async fn packets(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<VerifiedPacket, ProveError>>, ProveError>;

    /// Proves what the acknowledgement paths of the packets hold on this chain, their destination.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    async fn acks(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Membership>, ProveError>>, ProveError>;

    /// Proves that the receipts of the packets are absent on this chain, their destination.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    async fn receipt_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError>;

    /// Proves that the commitments of the packets are absent on this chain, their source: they have ended.
    ///
    /// # Errors
    /// The height as a whole cannot be proven, or the endpoint failed.
    async fn commitment_absences(
        &self,
        height: u64,
        packets: &[Packet],
    ) -> Result<Vec<Result<Verified<Absence>, ProveError>>, ProveError>;
}
