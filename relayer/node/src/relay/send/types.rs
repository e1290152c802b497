//! Words of the senders.

use std::time::Duration;

use catenary_api::{Account, KeyId, Signer, TxHash, TxReceipt};
use catenary_core::packet_key::PacketKey;
use catenary_core::record::{Intent, IntentKind};
use catenary_core::store::StoreError;
use catenary_light_clients::Class;
use thiserror::Error as ThisError;

use crate::relay::limits;

/// What a transaction is for, as the journal keeps it.
#[derive(Debug, Clone)]
pub struct Note {
    /// For people.
    pub id: String,
    /// Path; empty when none.
    pub path: String,
    /// Kind.
    pub kind: IntentKind,
    /// Packets that it carries.
    pub packets: Vec<PacketKey>,
}

impl Note {
    /// The note of a journaled transaction.
    pub(super) fn of(intent: &Intent) -> Self {
        let Intent { id, path, kind, packets, .. } = intent;
        Self { id: id.clone(), path: path.clone(), kind: *kind, packets: packets.clone() }
    }
}

/// Why nothing was sent, or nothing is known of what was.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum SendError {
    /// The adapter or the node behind it refused.
    #[error(transparent)]
    Chain(#[from] catenary_api::Error),
    /// The journal or the store failed: nothing was broadcast.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transaction reverted.
    #[error("transaction {tx} on {chain} took no effect: {reason}")]
    Reverted {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
        /// The chain's words.
        reason: String,
    },
    /// No receipt within the bound.
    #[error("transaction {tx} on {chain} has no receipt yet; it is looked for again before anything else is sent")]
    Unknown {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
    },
    /// The transaction will not be included.
    #[error(
        "transaction {tx} on {chain} was not included: it is refused, or something else used its nonce {nonce}; look at the \
         account before you give the same command again"
    )]
    Vanished {
        /// Chain.
        chain: String,
        /// Transaction.
        tx: TxHash,
        /// Its nonce.
        nonce: u64,
    },
    /// An earlier transaction with the same packets was settled first.
    #[error("transaction {tx} on {chain} with the same packets was settled first; they are looked at again")]
    Settled {
        /// Chain.
        chain: String,
        /// The earlier transaction.
        tx: TxHash,
    },
}

impl SendError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code,
            Self::Store(error) => error.code(),
            Self::Reverted { .. } => "NODE-TX-001",
            Self::Unknown { .. } => "NODE-TX-002",
            Self::Vanished { .. } => "NODE-TX-003",
            Self::Settled { .. } => "NODE-TX-004",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Chain(error) => error.class,
            Self::Store(error) => error.class(),
            Self::Reverted { .. } => Class::Permanent,
            Self::Unknown { .. } | Self::Vanished { .. } | Self::Settled { .. } => Class::Transient,
        }
    }
}

/// A call of an earlier run, found to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effected {
    /// What it was, for people.
    pub id: String,
    /// Its transaction.
    pub tx: TxHash,
}

/// What a sent transaction led to.
#[derive(Debug, Clone)]
pub enum Sent {
    /// It took effect.
    Included {
        /// Transaction.
        tx: TxHash,
        /// Its receipt.
        receipt: TxReceipt,
    },
    /// Others had done all of it.
    Redundant,
}

/// An outcome of a transaction, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct TxEvent<'a> {
    /// Chain.
    pub chain: &'a str,
    /// Key that signed.
    pub key: &'a str,
    /// What it was for.
    pub note: &'a Note,
    /// `included`, `reverted`, `dropped`, `refused`, `redundant`, `replaced` or `unknown`.
    pub outcome: &'static str,
    /// The receipt, when it is in a block.
    pub receipt: Option<&'a TxReceipt>,
    /// The corridor of each packet that it carried; empty while it is in no block.
    pub corridors: &'a [Corridor],
}

/// Where a packet's value goes: the direction by the chain that it comes from, and the asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Corridor {
    /// Chain that the packet was sent from.
    pub source: String,
    /// The asset's name where it is at home; `None` for a packet that is no transfer, or whose body is not known any more.
    /// Chosen by who sent the packet.
    pub asset: Option<String>,
}

/// Told of each transaction, for metrics.
pub trait SendObserver: Send + Sync {
    /// A transaction reached an outcome.
    fn transaction(&self, event: &TxEvent<'_>);
    /// The account was read; `next` is the nonce that would be used now.
    fn account(&self, chain: &str, key: &str, account: &Account, next: u64);
    /// How many nonces are on their way.
    fn in_flight(&self, chain: &str, key: &str, count: usize);
}

/// A signer that can be told that a nonce stayed unused, so that something else may be signed for it.
pub trait ReleasingSigner: Signer {
    /// Journals that the chain shows the nonce unused and refused what was signed for it.
    ///
    /// # Errors
    /// The journal failed.
    fn release_nonce(&self, key: &KeyId, chain: &str, nonce: u64, reason: &str) -> catenary_api::Result<()>;
}

/// How patient a sender is, and how much it has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPolicy {
    /// Most transactions on their way, beside one that times packets out.
    pub in_flight_max: usize,
    /// A transaction without a receipt for this long is replaced at a higher fee, where the chain knows that.
    pub replace_after: Duration,
    /// Most replacements of one transaction.
    pub replacements_max: u32,
    /// Pause between two looks for a receipt.
    pub poll: Duration,
    /// How long an account that shows nonces as unused which were seen used is not believed.
    pub floor_patience: Duration,
}

impl Default for SendPolicy {
    /// One at a time, and nothing is replaced.
    fn default() -> Self {
        Self {
            in_flight_max: 1,
            replace_after: Duration::MAX,
            replacements_max: 0,
            poll: Duration::from_millis(limits::RECEIPT_POLL_MS),
            floor_patience: Duration::from_millis(limits::FLOOR_PATIENCE_MS),
        }
    }
}
