//! What a light client answers: verdicts, verified facts and stable rejections.
//!
//! A verdict is not a bool: it says verified, needs an intermediate header, rejected (with both compared values),
//! expired, held for a person, or conflict. Verified facts are values of [`Verified`], which only this crate can
//! construct, so that code which pays, signs or forwards cannot be handed a claim by mistake.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use sha2::{Digest, Sha256};

/// A 32-byte hash. It says nothing of what was hashed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash32(pub [u8; 32]);

impl Hash32 {
    /// SHA-256 of the concatenated parts (FIPS 180-4).
    #[must_use]
    pub fn sha256(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The hash in a slice of exactly 32 bytes, else `None`.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A state root that proofs are checked against. All-zero is not a root: a default-initialised root that verified
/// anything is how Nomad was emptied in 2022.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Root(Hash32);

impl Root {
    /// A root from bytes; `None` when it is all zero or not 32 bytes long.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let hash = Hash32::from_slice(bytes)?;
        (hash.0 != [0; 32]).then_some(Self(hash))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0 .0
    }
}

/// A point in time, in nanoseconds since the Unix epoch (UTC, no leap seconds). Covers 1970 to 2554.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp {
    /// Nanoseconds since the Unix epoch.
    pub nanos: u64,
}

impl Timestamp {
    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { nanos }
    }

    /// From whole seconds; saturates in the year 2554.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { nanos: seconds.saturating_mul(1_000_000_000) }
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.nanos / 1_000_000_000
    }

    /// This time plus whole seconds, `None` past the year 2554.
    #[must_use]
    pub fn checked_add_seconds(self, seconds: u64) -> Option<Self> {
        let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(self.nanos)?;
        Some(Self { nanos })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.seconds(), self.nanos % 1_000_000_000)
    }
}

/// The consensus family that a light client verifies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Family {
    /// QBFT, with the validators in the header or in a contract.
    Qbft,
    /// CometBFT with ed25519 validators.
    CometBft,
    /// IBFT 2.0, with the validators in the header.
    Ibft2,
    /// Substrate chains with GRANDPA finality and ed25519 authorities.
    Grandpa,
}

impl Family {
    /// The name used in config, metrics and docs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qbft => "qbft",
            Self::CometBft => "cometbft",
            Self::Ibft2 => "ibft2",
            Self::Grandpa => "grandpa",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which light client produced a verdict: a digest of family, chain id, anchor and the place of the commitments
/// (contract or store). Two light clients of different chains, or of one chain restarted, never share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Hash32);

impl InstanceId {
    /// The instance of a light client; `store` is the contract address or the store prefix that holds commitments.
    #[must_use]
    pub fn new(family: Family, chain_id: &str, anchor: (u64, Hash32), store: &[u8]) -> Self {
        let lengths = [chain_id.len() as u64, store.len() as u64];
        Self(Hash32::sha256(&[
            b"catenary/instance/1",
            family.name().as_bytes(),
            &lengths.first().copied().unwrap_or_default().to_be_bytes(),
            chain_id.as_bytes(),
            &anchor.0.to_be_bytes(),
            anchor.1.as_bytes(),
            &lengths.last().copied().unwrap_or_default().to_be_bytes(),
            store,
        ]))
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> Hash32 {
        self.0
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({})", self.0)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A fact that a light client of this crate has checked. Private fields, no public constructor, not
/// deserialisable: it cannot be made from a claim, and it does not survive a restart.
///
/// Nobody else can construct one:
///
/// ```compile_fail,E0451
/// use catenary_light_clients::{Family, Hash32, InstanceId, Verified};
/// let instance = InstanceId::new(Family::Qbft, "1", (1, Hash32([1; 32])), &[]);
/// let forged = Verified { instance, fact: 1 };
/// ```
///
/// ```compile_fail,E0624
/// use catenary_light_clients::{Family, Hash32, InstanceId, Verified};
/// let instance = InstanceId::new(Family::Qbft, "1", (1, Hash32([1; 32])), &[]);
/// let forged = Verified::new(instance, 1);
/// ```
///
/// ```compile_fail,E0277
/// fn stored<T: Default>() -> T { T::default() }
/// let forged: catenary_light_clients::Verified<catenary_light_clients::Membership> = stored();
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified<T> {
    instance: InstanceId,
    fact: T,
}

impl<T> Verified<T> {
    pub(crate) const fn new(instance: InstanceId, fact: T) -> Self {
        Self { instance, fact }
    }

    /// The light client that checked the fact.
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.fact
    }
}

/// The state of a chain after executing block `height`, with the time of header `height`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Block height.
    pub height: u64,
    /// Hash of header `height`.
    pub hash: Hash32,
    /// Time in header `height`.
    pub timestamp: Timestamp,
    /// Root of the state after executing block `height`. In CometBFT it comes from header `height + 1`.
    pub root: Root,
}

/// A value that is in the state after block `height`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Height of the state.
    pub height: u64,
    /// Time in header `height`.
    pub timestamp: Timestamp,
    /// ICS-24 path bytes.
    pub path: Vec<u8>,
    /// The value: as stored in a Cosmos store, or 32 left-padded bytes of an EVM storage slot.
    pub value: Vec<u8>,
}

/// A path that holds nothing in the state after block `height`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Absence {
    /// Height of the state.
    pub height: u64,
    /// Time in header `height`.
    pub timestamp: Timestamp,
    /// ICS-24 path bytes.
    pub path: Vec<u8>,
}

/// What kind of trouble a rejection is, and so what may be done about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Class {
    /// May pass by itself: ask again, or ask another endpoint.
    Transient,
    /// The same input will fail for ever.
    Permanent,
    /// Somebody signed or served what an honest party never does.
    Misbehaviour,
    /// The operator's configuration has to change.
    Config,
    /// Ours: should be impossible.
    Bug,
}

impl Class {
    /// The name used in metrics and docs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Misbehaviour => "misbehaviour",
            Self::Config => "config",
            Self::Bug => "bug",
        }
    }
}

/// A refusal with a stable code. The typed error of the check that refused is in the family's module; this is its
/// form at the boundary, where families are not told apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Stable code such as `LC-QBFT-007`, listed in the errors page.
    pub code: &'static str,
    /// What may be done about it.
    pub class: Class,
    /// Both compared values and what to do next, for people.
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl core::error::Error for Rejection {}

/// A typed error of this crate: each of its kinds has a stable code and a class.
pub trait Coded {
    /// Stable code such as `LC-QBFT-007`, listed in the errors page.
    fn code(&self) -> &'static str;

    /// What may be done about it.
    fn class(&self) -> Class;
}

impl<E: Coded + fmt::Display> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self { code: error.code(), class: error.class(), message: error.to_string() }
    }
}

/// Two contradictory facts, each valid by itself, that only misbehaving validators can have produced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misbehaviour {
    /// Height at which the two differ.
    pub height: u64,
    /// Hash of the first header.
    pub first: Hash32,
    /// Hash of the second header.
    pub second: Hash32,
    /// Stable code of the kind of misbehaviour.
    pub code: &'static str,
}

/// The outcome of handing an untrusted update to a light client.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// The header was checked and is now trusted (or was already). For CometBFT the highest provable state is one
    /// below the newest verified header, and it is that state that is given; `None` while there is no such state.
    Verified(Option<Verified<Header>>),
    /// Too little overlap with the trusted validators to skip from `trusted_height`: give a header between.
    NeedsIntermediate {
        /// Height of the trusted header that the skip started from.
        trusted_height: u64,
        /// Height of the refused header.
        target_height: u64,
        /// The tally that fell short.
        reason: Rejection,
    },
    /// Refused.
    Rejected(Rejection),
    /// The trusted state is older than the trusting period: a person must set a new anchor.
    Expired {
        /// When trust ended.
        expired_at: Timestamp,
        /// The time given.
        now: Timestamp,
    },
    /// More validators changed at once than `churn_limit` allows: a person must approve.
    Held(Rejection),
    /// The update contradicts a header that is already trusted.
    Conflict(Box<Misbehaviour>),
}

/// Where a light client stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Family.
    pub family: Family,
    /// Instance.
    pub instance: InstanceId,
    /// Chain id that the headers are bound to.
    pub chain_id: String,
    /// Height of the newest verified header.
    pub trusted_height: u64,
    /// Hash of the newest verified header.
    pub trusted_hash: Hash32,
    /// Time in the newest verified header.
    pub trusted_timestamp: Timestamp,
    /// Highest height whose state can be proven: `trusted_height`, or one less for CometBFT; 0 when none.
    pub provable_height: u64,
    /// When the trusted state expires.
    pub expires_at: Timestamp,
    /// Number of validators in the newest verified set.
    pub validators: usize,
    /// Conflict seen: nothing is verified any more until a person sets a new anchor.
    pub frozen: bool,
}

/// A light client: trusted state in, verdict out. Pure; `now` is an argument.
///
/// Updates and proofs are bytes in the encoding that the family's `decode` module documents, since adapters supply
/// bytes and nothing more. All methods are total: no input makes them panic, and a refusal changes nothing.
pub trait LightClient: Send + Sync {
    /// Where the client stands.
    fn status(&self) -> Status;

    /// Checks an update against the trusted state and, if it holds, trusts it. An update at an older height that
    /// links to trusted neighbours fills the gap and does not move the head; one already trusted is a no-op.
    fn advance(&mut self, update: &[u8], now: Timestamp) -> Verdict;

    /// The verified state at exactly `height`, if it is retained.
    fn header(&self, height: u64) -> Option<Verified<Header>>;

    /// Checks that `path` holds `value` in the state at `height`.
    ///
    /// # Errors
    /// A [`Rejection`] with the code of the check that failed; nothing is retained of the attempt.
    fn membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, Rejection>;

    /// Checks that `path` holds nothing in the state at `height`.
    ///
    /// # Errors
    /// A [`Rejection`] with the code of the check that failed; nothing is retained of the attempt.
    fn absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, Rejection>;

    /// Checks evidence as strictly as updates: both halves must verify by themselves from the trusted state.
    ///
    /// # Errors
    /// A [`Rejection`] when either half does not verify or the two do not contradict each other.
    fn misbehaviour(&self, first: &[u8], second: &[u8], now: Timestamp) -> Result<Misbehaviour, Rejection>;

    /// The trusted state as canonical bytes; it comes back only through the family's `restore`, against the
    /// SHA-256 digest of these bytes that the journal kept.
    fn save(&self) -> Vec<u8>;
}
