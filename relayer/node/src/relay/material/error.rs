//! Why an on-chain client cannot be convinced at the moment.

use catenary_light_clients::{Class, Rejection, Timestamp};
use thiserror::Error as ThisError;

use crate::chain::ProveError;

/// Why an on-chain client that judges by validators cannot be convinced at the moment.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum MaterialError {
    /// There is no such client.
    #[error("{chain} has no client {client}; correct the id, or run `catenary path create`")]
    NoClient {
        /// Chain.
        chain: String,
        /// Client.
        client: String,
    },
    /// The client is frozen.
    #[error("client_frozen: client {client} on {chain} has seen misbehaviour of the chain that it judges; {next}")]
    Frozen {
        /// Chain.
        chain: String,
        /// Client.
        client: String,
        /// Who can recover it, if anybody, and what becomes of its packets until then.
        next: &'static str,
    },
    /// The client has expired.
    #[error(
        "client_expired: client {client} on {chain} trusts nothing since {expired_at}, it is {now} there; packets wait \
         until governance of {chain} has recovered it, and then go on by themselves"
    )]
    Expired {
        /// Chain.
        chain: String,
        /// Client.
        client: String,
        /// When its trust ended.
        expired_at: Timestamp,
        /// Time of the chain that it is on.
        now: Timestamp,
    },
    /// The client is not what the configuration says.
    #[error("client {client} on {chain}: {field} is {got}, expected is {expected}; use another client")]
    Terms {
        /// Chain.
        chain: String,
        /// Client.
        client: String,
        /// What differs.
        field: &'static str,
        /// What the chain says.
        got: String,
        /// What the configuration says.
        expected: String,
    },
    /// The client believes a header that the judged chain does not show.
    #[error(
        "client {client} on {chain} holds another {field} for height {height} than the endpoint of the judged chain \
         shows: {got}, there {expected}; compare with another endpoint, and if the client is wrong do not use it"
    )]
    OtherState {
        /// Chain.
        chain: String,
        /// Client.
        client: String,
        /// What differs.
        field: &'static str,
        /// Height.
        height: u64,
        /// What the client holds.
        got: String,
        /// What the header has.
        expected: String,
    },
    /// Too many headers are needed between two heights.
    #[error(
        "from height {known} to {target} more than {max} headers between are needed; the path goes on from there, since \
         what was reached so far is sent"
    )]
    TooFar {
        /// Height that the client knows.
        known: u64,
        /// Height to reach.
        target: u64,
        /// Most headers at once.
        max: usize,
    },
    /// An endpoint's word on what the client knows is ahead of what can be.
    #[error(
        "client {client} on {chain} knows height {latest} of the judged chain, says the endpoint, but the verified head is \
         {head}; it is asked again, and if that lasts use another endpoint or let our light client catch up"
    )]
    Ahead {
        /// Chain that the client is on.
        chain: String,
        /// Client.
        client: String,
        /// What the endpoint says that the client knows.
        latest: u64,
        /// Verified head of the judged chain.
        head: u64,
    },
    /// Misbehaviour cannot be shown to the client.
    #[error("misbehaviour of {judged} is not shown to client {client} on {chain}: {reason}")]
    NotShown {
        /// Chain that the client is on.
        chain: String,
        /// Client.
        client: String,
        /// Chain that it judges.
        judged: String,
        /// What is missing, and what to do.
        reason: &'static str,
    },
    /// A header does not hold.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The judged chain cannot be proven from.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The endpoint or the adapter failed.
    #[error(transparent)]
    Chain(#[from] catenary_api::Error),
}

impl From<catenary_adapter_cosmos::Error> for MaterialError {
    fn from(error: catenary_adapter_cosmos::Error) -> Self {
        Self::Chain(error.into())
    }
}

impl MaterialError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoClient { .. } => Self::MISSING_CODE,
            Self::Frozen { .. } => Self::FROZEN_CODE,
            Self::Expired { .. } => Self::EXPIRED_CODE,
            Self::Terms { .. } => Self::TERMS_CODE,
            Self::OtherState { .. } => "NODE-MAT-005",
            Self::TooFar { .. } => "NODE-MAT-006",
            Self::NotShown { .. } => "NODE-MAT-008",
            Self::Ahead { .. } => "NODE-MAT-009",
            Self::Refused(rejection) => rejection.code,
            Self::Prove(error) => error.code(),
            Self::Chain(error) => error.code,
        }
    }

    /// A frozen client that judges by validators.
    pub(in crate::relay) const RECOVERED_BY_GOVERNANCE: &'static str =
        "packets and refunds wait until the chain's governance has recovered it, and then go on by themselves";
    /// A frozen attestation client of an EVM router.
    pub(in crate::relay) const MIGRATED_BY_THE_ROUTER: &'static str =
        "packets and refunds wait until the router's administrator has migrated it to a new one (migrateClient), and then \
         go on by themselves";
    /// A frozen attestation client of ibc-go, which has no recovery for it.
    pub(in crate::relay) const NEVER_RECOVERED: &'static str =
        "ibc-go never recovers an attestation client: a new path is needed (`catenary path create`), and what is open on \
         this one is settled by people";

    /// The code of [`Self::NoClient`].
    pub const MISSING_CODE: &'static str = "NODE-MAT-001";
    /// The code of [`Self::Terms`].
    pub const TERMS_CODE: &'static str = "NODE-MAT-004";
    /// The code of [`Self::Frozen`].
    pub const FROZEN_CODE: &'static str = "NODE-MAT-002";
    /// The code of [`Self::Expired`].
    pub const EXPIRED_CODE: &'static str = "NODE-MAT-003";

    /// Whether it is the client that nothing can be proven through until somebody has recovered it. One that is said to
    /// be missing or of another chain is so too: an endpoint restored from an old state says it, and packets that a
    /// person has to release for that would not go on when the endpoint has caught up.
    #[must_use]
    pub const fn is_of_client(&self) -> bool {
        matches!(self, Self::Frozen { .. } | Self::Expired { .. } | Self::NoClient { .. } | Self::Terms { .. })
    }

    /// Whether a packet's journaled reason says that it waits for a client.
    #[must_use]
    pub fn waits_for_client(reason: &str) -> bool {
        let code = reason.split(':').next().unwrap_or_default();
        [Self::FROZEN_CODE, Self::EXPIRED_CODE, Self::MISSING_CODE, Self::TERMS_CODE].contains(&code)
    }

    /// What may be done about it. A client that is frozen or expired parks packets, and none for ever: they go on once it
    /// has been recovered.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::NoClient { .. } | Self::Terms { .. } => Class::Config,
            Self::Frozen { .. } | Self::Expired { .. } | Self::TooFar { .. } => Class::Transient,
            // One endpoint's word against another's: nothing is sent, and it is looked at again.
            Self::OtherState { .. } | Self::NotShown { .. } | Self::Ahead { .. } => Class::Transient,
            Self::Refused(rejection) => rejection.class,
            // A height that the on-chain client knows and that is not kept here any more: the next job proves at another.
            Self::Prove(ProveError::NotRetained { .. }) => Class::Transient,
            Self::Prove(error) => error.class(),
            Self::Chain(error) => error.class,
        }
    }
}
