//! Why a key is not made, read or used. No variant holds a secret or a passphrase.

use std::path::{Path, PathBuf};

use catenary_core::StoreError;
use catenary_light_clients::{Class, Hash32};
use thiserror::Error as ThisError;

use crate::store::is_late;

/// What is wrong with a key, or with what was asked of it.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The passphrase is not where the config says.
    #[error("no passphrase from {from}: {reason}; set it there, never in the config itself")]
    NoPassphrase {
        /// Variable or file.
        from: String,
        /// What is wrong.
        reason: String,
    },
    /// The passphrase is too short to protect a key.
    #[error("the passphrase has {got} bytes, at least {min} are needed for a new key; choose a longer one")]
    ShortPassphrase {
        /// Its length.
        got: usize,
        /// Least.
        min: usize,
    },
    /// Others may read a file that only we may.
    #[error("{} has mode {mode:o}, others may use it; run chmod go-rwx on it", path.display())]
    Permissions {
        /// File.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// File.
        path: PathBuf,
        /// Its words.
        reason: String,
    },
    /// The index does not decode.
    #[error("the keystore index {} does not decode: {reason}; restore it from a backup", path.display())]
    Index {
        /// File.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// The name cannot name a key.
    #[error("{got:?} cannot name a key; use 1 to 32 of a-z 0-9 - _")]
    Name {
        /// The name.
        got: String,
    },
    /// There is a key of this name.
    #[error("key {id} exists already; choose another name, keys are never overwritten")]
    Exists {
        /// Key.
        id: String,
    },
    /// The same key is there under another name.
    #[error("address {address} is held as key {id} already; a key has one name and one purpose, make a new key")]
    SameAddress {
        /// Address.
        address: String,
        /// The other name.
        id: String,
    },
    /// There is no such key.
    #[error("no key {id} in the keystore {}; make it with `catenary keys new` or `keys import`", path.display())]
    Unknown {
        /// Key.
        id: String,
        /// Directory.
        path: PathBuf,
    },
    /// The passphrase does not open the key.
    #[error("key {id} does not open with this passphrase; is it the one that the key was made with?")]
    WrongPassphrase {
        /// Key.
        id: String,
    },
    /// The key file is malformed, or asks for unreasonable work.
    #[error("key file {} cannot be used: {reason}; restore it from a backup", path.display())]
    KeyFile {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The secret to import is malformed.
    #[error("the secret is not 64 hex digits of a secp256k1 key; nothing was imported")]
    Secret,
    /// The key file holds another key than the index says.
    #[error("key {id} has address {got}, the index says {expected}; files were mixed up, restore them from a backup")]
    AddressMismatch {
        /// Key.
        id: String,
        /// Address of the file.
        got: String,
        /// Address in the index.
        expected: String,
    },
    /// The key is bound to something else.
    #[error("key {id} is bound to {bound}, it was asked to sign {asked}; use the key that is made for it")]
    Purpose {
        /// Key.
        id: String,
        /// Its binding.
        bound: String,
        /// What was asked.
        asked: String,
    },
    /// The attested bytes are not what they are said to be.
    #[error("key {id} signs only attestations that it can read: {reason}")]
    Attestation {
        /// Key.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Another state was attested for this height.
    #[error(
        "key {id} attested time {signed_seconds} s with digest {signed} for height {height}, now {asked} is asked for: two \
         states of one height are never signed; a light client or an endpoint is wrong, find out which"
    )]
    OtherState {
        /// Key.
        id: String,
        /// Height.
        height: u64,
        /// What was signed.
        signed: Hash32,
        /// Its time.
        signed_seconds: u64,
        /// What is asked for.
        asked: Hash32,
    },
    /// Another transaction was signed for this nonce.
    #[error(
        "key {id} signed {signed} for nonce {nonce} on {chain}, now {asked} is asked for: a nonce is signed for once, unless \
         it is released with a reason"
    )]
    OtherTransaction {
        /// Key.
        id: String,
        /// Chain.
        chain: String,
        /// Nonce.
        nonce: u64,
        /// What was signed.
        signed: Hash32,
        /// What is asked for.
        asked: Hash32,
    },
    /// Nothing is on its way that a transaction could take the place of.
    #[error(
        "key {id} was asked to replace its transaction with nonce {nonce} on {chain}, but no such transaction is on its \
         way; report this"
    )]
    NothingToReplace {
        /// Key.
        id: String,
        /// Chain.
        chain: String,
        /// Nonce.
        nonce: u64,
    },
    /// A transaction was replaced as often as is allowed.
    #[error(
        "key {id} replaced its transaction with nonce {nonce} on {chain} {max} times, which is the most; raise the fee \
         settings and wait for the one that is on its way"
    )]
    Replacements {
        /// Key.
        id: String,
        /// Chain.
        chain: String,
        /// Nonce.
        nonce: u64,
        /// Most.
        max: u32,
    },
    /// The journal does not know what this key signed.
    #[error(
        "key {id} has attested, and the journal knows nothing of it or was put back from a backup: put the right journal \
         back, or run `catenary attestor reset {id} --reason …` if it is lost"
    )]
    NoMemory {
        /// Key.
        id: String,
    },
    /// A person's act lacks its reason.
    #[error("a reason is needed; it is journaled and shown to others")]
    NoReason,
    /// The journal or the store failed, so nothing was signed.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The generator of randomness failed.
    #[error("the operating system gives no randomness: {reason}")]
    Randomness {
        /// Its words.
        reason: String,
    },
    /// The signature could not be made.
    #[error("key {id} cannot sign this digest: {reason}")]
    Signing {
        /// Key.
        id: String,
        /// The library's words.
        reason: String,
    },
}

impl KeystoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPassphrase { .. } => "KEY-001",
            Self::ShortPassphrase { .. } => "KEY-002",
            Self::Permissions { .. } => "KEY-003",
            Self::Io { .. } => "KEY-004",
            Self::Index { .. } => "KEY-005",
            Self::Name { .. } => "KEY-006",
            Self::Exists { .. } => "KEY-007",
            Self::SameAddress { .. } => "KEY-008",
            Self::Unknown { .. } => "KEY-009",
            Self::WrongPassphrase { .. } => "KEY-010",
            Self::KeyFile { .. } => "KEY-011",
            Self::Secret => "KEY-012",
            Self::AddressMismatch { .. } => "KEY-013",
            Self::Purpose { .. } => "KEY-014",
            Self::Attestation { .. } => "KEY-015",
            Self::OtherState { .. } => "KEY-016",
            Self::OtherTransaction { .. } => "KEY-017",
            Self::NoMemory { .. } => "KEY-018",
            Self::NoReason => "KEY-019",
            Self::Randomness { .. } => "KEY-020",
            Self::Signing { .. } => "KEY-021",
            Self::NothingToReplace { .. } => "KEY-022",
            Self::Replacements { .. } => "KEY-023",
            Self::Ledger(error) => error.code(),
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::OtherState { .. } => Class::Misbehaviour,
            Self::Attestation { .. } | Self::Signing { .. } | Self::NothingToReplace { .. } => Class::Bug,
            Self::OtherTransaction { .. } | Self::Replacements { .. } => Class::Permanent,
            Self::Ledger(error) => error.class(),
            _ => Class::Config,
        }
    }

    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |error| Self::Io { action, path: path.into(), reason: error.to_string() }
    }
}

impl From<KeystoreError> for catenary_api::Error {
    fn from(error: KeystoreError) -> Self {
        let class = match &error {
            // What was to be signed was not, and may be later.
            KeystoreError::Ledger(late) if is_late(late) => Class::Transient,
            other => other.class(),
        };
        Self { code: error.code(), class, message: error.to_string() }
    }
}
