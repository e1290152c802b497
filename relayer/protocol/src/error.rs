//! What can be wrong with protocol bytes. Codes are stable.

use alloc::string::String;

use catenary_light_clients::{Class, Hash32};
use thiserror::Error as ThisError;

/// A protocol rule that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A field is longer or shorter than its bound.
    #[error("{field} has {got} bytes, allowed are {min} to {max}")]
    Length {
        /// Which field.
        field: &'static str,
        /// Its length.
        got: usize,
        /// Least.
        min: usize,
        /// Most.
        max: usize,
    },
    /// A list has the wrong number of elements.
    #[error("{field} has {got} elements, expected {expected}")]
    Count {
        /// Which list.
        field: &'static str,
        /// Its length.
        got: usize,
        /// What is allowed.
        expected: usize,
    },
    /// An identifier has characters outside ICS-24's set, or is not `{name}-{number}`.
    #[error("{field} {got:?} is not a valid identifier")]
    Identifier {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: String,
    },
    /// Sequences start at 1.
    #[error("sequence is 0; sequences start at 1")]
    Sequence,
    /// A timeout of zero never passes.
    #[error("timeout_timestamp is 0 seconds; a packet must time out")]
    Timeout,
    /// Bytes do not decode.
    #[error("{what} does not decode: {reason}")]
    Decode {
        /// What was decoded.
        what: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// Bytes decode but are not the canonical encoding of what they decode to.
    #[error("{what} is not canonically encoded: {got} bytes given, {expected} bytes when encoded again")]
    NotCanonical {
        /// What was decoded.
        what: &'static str,
        /// Length given.
        got: usize,
        /// Length of the canonical form.
        expected: usize,
    },
    /// A verified fact is about another path than the packet's.
    #[error("the verified path is {got}, the packet's is {expected}")]
    PathMismatch {
        /// Path of the fact, in hex.
        got: String,
        /// Path of the packet, in hex.
        expected: String,
    },
    /// A verified value is not the commitment of the packet or acknowledgement at hand.
    #[error("the verified commitment is {got}, the claimed bytes commit to {expected}")]
    CommitmentMismatch {
        /// Value on chain.
        got: Hash32,
        /// Commitment of the claim.
        expected: Hash32,
    },
    /// The destination's time has not reached the packet's timeout.
    #[error("destination time is {destination_seconds} s, the packet times out at {timeout_seconds} s")]
    NotTimedOut {
        /// Time in the destination header, in seconds.
        destination_seconds: u64,
        /// The packet's timeout, in seconds.
        timeout_seconds: u64,
    },
    /// A signature cannot be used.
    #[error("attestation signature refused: {reason}")]
    Signature {
        /// Why.
        reason: String,
    },
    /// A signer is not in the attestor set.
    #[error("signer {got} is not one of the {attestors} attestors of the client")]
    UnknownSigner {
        /// Its address, in hex.
        got: String,
        /// Size of the set.
        attestors: usize,
    },
    /// A signer appears twice.
    #[error("signer {got} appears twice in one proof")]
    RepeatedSigner {
        /// Its address, in hex.
        got: String,
    },
    /// Fewer signatures than the client requires.
    #[error("{got} valid signatures, the client requires {required}")]
    Quorum {
        /// Valid signatures.
        got: usize,
        /// Required.
        required: usize,
    },
    /// An amount, denomination or address of a transfer is malformed.
    #[error("transfer {field} {got:?} is malformed")]
    Transfer {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: String,
    },
}

impl Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "PR-PKT-001",
            Self::Count { .. } => "PR-PKT-002",
            Self::Identifier { .. } => "PR-PKT-003",
            Self::Sequence => "PR-PKT-004",
            Self::Timeout => "PR-PKT-005",
            Self::Decode { .. } => "PR-ENC-001",
            Self::NotCanonical { .. } => "PR-ENC-002",
            Self::PathMismatch { .. } => "PR-VER-001",
            Self::CommitmentMismatch { .. } => "PR-VER-002",
            Self::NotTimedOut { .. } => "PR-VER-003",
            Self::Signature { .. } => "PR-ATT-001",
            Self::UnknownSigner { .. } => "PR-ATT-002",
            Self::RepeatedSigner { .. } => "PR-ATT-003",
            Self::Quorum { .. } => "PR-ATT-004",
            Self::Transfer { .. } => "PR-TRF-001",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::NotTimedOut { .. } | Self::Quorum { .. } => Class::Transient,
            Self::CommitmentMismatch { .. } => Class::Misbehaviour,
            _ => Class::Permanent,
        }
    }
}
