//! The working state behind a trait: batches in, reads out.
//!
//! What is in a store can always be folded again from the journal (see [`fold`](crate::fold)), all but
//! [`Tree::Blobs`], which are caches.
//!
//! What an attacker can grow: one entry a packet that really was sent on a configured path, which costs its sender
//! a transaction. Scans are bounded by their caller.

use core::fmt::Debug;

use catenary_light_clients::{Class, Hash32};
use thiserror::Error as ThisError;

/// A part of the store; each has its own key space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tree {
    /// Where each packet stands, and what it and its acknowledgement are.
    Packets,
    /// Every step of each packet, with its transactions.
    History,
    /// Indexes: packets by stage, by path while open, and by payment reference.
    Transfers,
    /// The last height of each chain whose events are all taken.
    Cursors,
    /// Digests of the light clients' trusted states, and anchors that a person set.
    Clients,
    /// What each key signed for each nonce.
    Nonces,
    /// What each key attested.
    Signatures,
    /// Transactions on their way, and what became of them.
    Intents,
    /// What making a path has reached.
    Paths,
    /// What people did.
    Acts,
    /// The store's own place in the journal.
    Meta,
    /// Caches that the journal does not hold, such as trusted states; each is checked against a digest when read.
    Blobs,
}

impl Tree {
    /// Every tree.
    pub const ALL: [Self; 12] = [
        Self::Packets,
        Self::History,
        Self::Transfers,
        Self::Cursors,
        Self::Clients,
        Self::Nonces,
        Self::Signatures,
        Self::Intents,
        Self::Paths,
        Self::Acts,
        Self::Meta,
        Self::Blobs,
    ];

    /// The byte that a store may prefix keys with; never changes for a tree.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        match self {
            Self::Packets => b'p',
            Self::History => b'h',
            Self::Transfers => b't',
            Self::Cursors => b'c',
            Self::Clients => b'l',
            Self::Nonces => b'n',
            Self::Signatures => b's',
            Self::Intents => b'i',
            Self::Paths => b'w',
            Self::Acts => b'a',
            Self::Meta => b'm',
            Self::Blobs => b'b',
        }
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOp {
    /// Sets a key.
    Put {
        /// Tree.
        tree: Tree,
        /// Key.
        key: String,
        /// Value.
        value: Vec<u8>,
    },
    /// Removes a key; removing what is not there is no error.
    Delete {
        /// Tree.
        tree: Tree,
        /// Key.
        key: String,
    },
}

/// Why a store did not answer.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed.
    #[error(
        "the store cannot {action}: {reason}; nothing is signed or sent until it can again: make room or check the disk; \
         if that does not help start the node again, the store is rebuilt from the journal"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// The database's words.
        reason: String,
    },
    /// A value does not decode.
    #[error(
        "the value at {key} in the store does not decode: {reason}; stop the node and move the store away: it is \
         folded anew from the journal"
    )]
    Corrupt {
        /// Its key.
        key: String,
        /// The decoder's words.
        reason: String,
    },
    /// The store has folded more than the journal holds.
    #[error(
        "the store has folded {store} records, the journal holds {journal}: the journal was cut, lost or replaced; put \
         the right journal back (what a start cuts is kept beside its segment, in .cut-OFFSET), or run `catenary store \
         rebuild --accept-loss` to go on with what this journal knows: attestor keys then refuse until they are reset"
    )]
    AheadOfJournal {
        /// Records folded.
        store: u64,
        /// Records in the journal.
        journal: u64,
    },
    /// The store was folded from another journal.
    #[error(
        "the store stands after record {records} of a journal with hash {hash}, which is no place in this journal; put \
         the right journal back, or run `catenary store rebuild --accept-loss` to go on with what this journal knows: \
         attestor keys then refuse until they are reset"
    )]
    ForeignJournal {
        /// Records folded.
        records: u64,
        /// Chain hash after them.
        hash: Hash32,
    },
    /// An earlier failure left the ledger behind its journal.
    #[error("the ledger stopped after an earlier failure ({reason}); restart the node, it recovers from the journal")]
    Stopped {
        /// The failure.
        reason: String,
    },
    /// The store is not what the journal folds to.
    #[error(
        "the store differs from what the journal folds to in {count} entries, the first is {first}; stop the node and run \
         `catenary store rebuild`"
    )]
    Differs {
        /// How many entries.
        count: usize,
        /// The first, and what differs.
        first: String,
    },
    /// The journal failed.
    #[error("{code}: {message}")]
    Journal {
        /// The journal's code.
        code: &'static str,
        /// The journal's words.
        message: String,
    },
    /// The journal cannot be written now; nothing was recorded, and it is tried again with the next record.
    #[error("{code}: {message}")]
    Paused {
        /// The journal's code.
        code: &'static str,
        /// The journal's words.
        message: String,
    },
}

impl StoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "STORE-001",
            Self::Corrupt { .. } => "STORE-002",
            Self::AheadOfJournal { .. } => "STORE-003",
            Self::Stopped { .. } => "STORE-004",
            Self::ForeignJournal { .. } => "STORE-005",
            Self::Differs { .. } => "STORE-006",
            Self::Journal { code, .. } | Self::Paused { code, .. } => code,
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            // A disk may have room again.
            Self::Io { .. } | Self::Paused { .. } => Class::Transient,
            Self::Corrupt { .. } | Self::Stopped { .. } | Self::Journal { .. } | Self::Differs { .. } => {
                Class::Permanent
            }
            Self::AheadOfJournal { .. } | Self::ForeignJournal { .. } => Class::Config,
        }
    }
}

/// An entry of a store.
pub type Entry = (String, Vec<u8>);

/// A key-value store with atomic batches. All methods may block for a disk access; `apply` is idempotent.
pub trait Store: Send + Sync + Debug {
    /// Makes all changes or none, in order. They are visible to reads when this returns; they need not be on disk,
    /// since the journal is.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    fn apply(&self, batch: &[StoreOp]) -> Result<(), StoreError>;

    /// The value of a key.
    ///
    /// # Errors
    /// The database failed.
    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries whose key starts with `prefix`, in key order, from the first key above `after`.
    ///
    /// # Errors
    /// The database failed.
    fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Opens the database anew after a failure; what it had not written is then lost, and folded again.
    ///
    /// # Errors
    /// The database failed again.
    fn reopen(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
