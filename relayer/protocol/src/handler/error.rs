//! Why the handler refuses a message. Codes are stable.

use alloc::string::String;

use catenary_light_clients::{Class, Hash32, Rejection};
use thiserror::Error as ThisError;

use super::client::Height;

/// A rule of the handler that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// No handler or app takes messages of this type.
    #[error("no message has type {type_url:?}; send one of ibc.core or of a bound app")]
    UnknownMessage {
        /// Its type URL.
        type_url: String,
    },
    /// A message does not have a field that it must have.
    #[error("the message has no {field}; set it")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A message names another signer than the one who signed.
    #[error("the message names signer {got:?}, the transaction is signed by {expected:?}")]
    Signer {
        /// The message's.
        got: String,
        /// The transaction's.
        expected: String,
    },
    /// Only a client's creator may do this.
    #[error("{got:?} is not the creator of {client_id}, which is {expected:?}")]
    NotCreator {
        /// The client.
        client_id: String,
        /// The signer.
        got: String,
        /// The creator, empty when there is none.
        expected: String,
    },
    /// A client has a list of relayers, and the signer is not in it.
    #[error("{got:?} is not one of the {allowed} relayers that {client_id} allows")]
    NotAllowedRelayer {
        /// The client.
        client_id: String,
        /// The signer.
        got: String,
        /// Length of the list.
        allowed: usize,
    },
    /// A counterparty is registered once.
    #[error("{client_id} has counterparty {existing} already; {got} needs a client of its own")]
    CounterpartyExists {
        /// The client.
        client_id: String,
        /// Its counterparty.
        existing: String,
        /// The one offered.
        got: String,
    },
    /// A client without a counterparty carries no packets.
    #[error("{client_id} has no counterparty; register it first")]
    CounterpartyNotFound {
        /// The client.
        client_id: String,
    },
    /// A packet's other client is not the counterparty.
    #[error("the counterparty of {client_id} is {expected}, the packet names {got}")]
    Counterparty {
        /// The client here.
        client_id: String,
        /// Of the packet.
        got: String,
        /// Registered.
        expected: String,
    },
    /// No client type has this state, or this id.
    #[error("no client type is called {got:?} here")]
    UnknownClientType {
        /// Type URL of the state, or the client's id.
        got: String,
    },
    /// There is no such client.
    #[error("there is no client {client_id}")]
    ClientNotFound {
        /// Its id.
        client_id: String,
    },
    /// A client is frozen or expired.
    #[error("{client_id} is {status}, so it proves nothing; it has to be recovered or replaced")]
    ClientNotActive {
        /// The client.
        client_id: String,
        /// Its status.
        status: &'static str,
    },
    /// A client cannot be recovered by this substitute, or not at all.
    #[error("{client_id} is not recovered by {substitute_id}: {reason}")]
    NotRecovered {
        /// The client that is frozen or has expired.
        client_id: String,
        /// The substitute.
        substitute_id: String,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
    /// A client knows no state at this height.
    #[error("{client_id} knows no state at height {height}; update it first")]
    ConsensusStateNotFound {
        /// The client.
        client_id: String,
        /// The height.
        height: Height,
    },
    /// What a client is to start from cannot be used.
    #[error("client or consensus state refused: {reason}")]
    InvalidState {
        /// Why.
        reason: String,
    },
    /// A message is not of the type that the client takes.
    #[error("{what} has type {got:?}, expected {expected:?}")]
    TypeUrl {
        /// What it is.
        what: &'static str,
        /// Its type URL.
        got: String,
        /// What the client takes.
        expected: &'static str,
    },
    /// A merkle path has the wrong number of elements for the client.
    #[error("the path has {got} elements, the client takes {expected}; see the registered merkle prefix")]
    PathElements {
        /// Elements.
        got: usize,
        /// What the client takes.
        expected: usize,
    },
    /// A proof is about another height.
    #[error("the proof is about height {got}, the message says {expected}")]
    ProofHeight {
        /// Of the proof.
        got: u64,
        /// Of the message.
        expected: u64,
    },
    /// A proof does not contain the path with the value.
    #[error("none of the {entries} attested entries is path {path} with {value}")]
    NotMember {
        /// Entries in the proof.
        entries: usize,
        /// Keccak-256 of the path.
        path: Hash32,
        /// The value, or what absence means.
        value: Hash32,
    },
    /// A path that was to be absent is not.
    #[error("path {path} holds {value}, so it is not absent")]
    Present {
        /// Keccak-256 of the path.
        path: Hash32,
        /// What is there.
        value: Hash32,
    },
    /// A light client refused.
    #[error("{0}")]
    LightClient(Rejection),
    /// A packet's deadline is not in the future.
    #[error("the deadline is {timeout_seconds} s, and {clock} is {now_seconds} s")]
    TimeoutElapsed {
        /// Whose time it is.
        clock: &'static str,
        /// That time.
        now_seconds: u64,
        /// The deadline.
        timeout_seconds: u64,
    },
    /// A packet's deadline is too far away.
    #[error("the deadline is {timeout_seconds} s, at most {max_seconds} s is allowed; choose an earlier one")]
    TimeoutTooFar {
        /// The deadline.
        timeout_seconds: u64,
        /// The latest one.
        max_seconds: u64,
    },
    /// A deadline has not passed in the state that is proven.
    #[error("the proven state is of {proof_seconds} s, the deadline is {timeout_seconds} s; prove a later state")]
    TimeoutNotReached {
        /// Time of the proven state.
        proof_seconds: u64,
        /// The deadline.
        timeout_seconds: u64,
    },
    /// No sequence is left.
    #[error("{client_id} has used all its sequences")]
    SequencesUsedUp {
        /// The client.
        client_id: String,
    },
    /// A packet is not the one that was sent.
    #[error("the packet commits to {got}, what was sent commits to {expected}")]
    Commitment {
        /// Of the packet given.
        got: Hash32,
        /// Stored, or zero when it is no commitment.
        expected: Hash32,
    },
    /// An acknowledgement is written once.
    #[error("packet {sequence} of {client_id} has an acknowledgement already")]
    AcknowledgementExists {
        /// The destination client.
        client_id: String,
        /// The packet.
        sequence: u64,
    },
    /// Acknowledgements that come later are not supported.
    #[error("the app of port {port} wants to acknowledge later; this handler takes acknowledgements at once only")]
    LateAcknowledgement {
        /// The app's port.
        port: String,
    },
    /// Success may not look like failure.
    #[error("the app of port {port} acknowledged success with the bytes of the universal error")]
    SentinelAcknowledgement {
        /// The app's port.
        port: String,
    },
    /// No app is bound to a port.
    #[error("no app is bound to port {port:?}")]
    UnknownPort {
        /// The port.
        port: String,
    },
    /// An app refused.
    #[error("{0}")]
    App(Rejection),
    /// Bytes break a rule of the protocol.
    #[error(transparent)]
    Protocol(#[from] crate::Error),
    /// What the handler stored itself does not decode.
    #[error("the stored {what} does not decode: {reason}; report this")]
    Stored {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// The stable code; a light client's, an app's or the protocol's own where one of those refused.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownMessage { .. } => "PR-HND-001",
            Self::Missing { .. } => "PR-HND-002",
            Self::Signer { .. } => "PR-HND-003",
            Self::NotCreator { .. } => "PR-HND-004",
            Self::NotAllowedRelayer { .. } => "PR-HND-005",
            Self::CounterpartyExists { .. } => "PR-HND-006",
            Self::CounterpartyNotFound { .. } => "PR-HND-007",
            Self::Counterparty { .. } => "PR-HND-008",
            Self::UnknownClientType { .. } => "PR-HND-010",
            Self::ClientNotFound { .. } => "PR-HND-011",
            Self::ClientNotActive { .. } => "PR-HND-012",
            Self::ConsensusStateNotFound { .. } => "PR-HND-013",
            Self::InvalidState { .. } => "PR-HND-014",
            Self::TypeUrl { .. } => "PR-HND-015",
            Self::PathElements { .. } => "PR-HND-016",
            Self::ProofHeight { .. } => "PR-HND-017",
            Self::NotMember { .. } => "PR-HND-018",
            Self::Present { .. } => "PR-HND-019",
            Self::TimeoutElapsed { .. } => "PR-HND-020",
            Self::TimeoutTooFar { .. } => "PR-HND-021",
            Self::TimeoutNotReached { .. } => "PR-HND-022",
            Self::SequencesUsedUp { .. } => "PR-HND-023",
            Self::Commitment { .. } => "PR-HND-024",
            Self::AcknowledgementExists { .. } => "PR-HND-025",
            Self::LateAcknowledgement { .. } => "PR-HND-026",
            Self::SentinelAcknowledgement { .. } => "PR-HND-027",
            Self::UnknownPort { .. } => "PR-HND-028",
            Self::Stored { .. } => "PR-HND-030",
            Self::NotRecovered { .. } => "PR-HND-031",
            Self::LightClient(rejection) | Self::App(rejection) => rejection.code,
            Self::Protocol(error) => error.code(),
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::ConsensusStateNotFound { .. } | Self::TimeoutNotReached { .. } => Class::Transient,
            Self::Stored { .. } => Class::Bug,
            Self::LightClient(rejection) | Self::App(rejection) => rejection.class,
            Self::Protocol(error) => error.class(),
            _ => Class::Permanent,
        }
    }
}
