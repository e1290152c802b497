//! Configuration, trusted state and errors of the CometBFT light client.

use alloc::{string::String, vec::Vec};

use crate::trust::{Anchor, TrustError, TrustOptions};
use crate::verdict::{Class, Coded, Family, Hash32, InstanceId, Root, Timestamp};

/// Longest chain id, in bytes (CometBFT `MaxChainIDLen`, types/genesis.go).
pub const MAX_CHAIN_ID_BYTES: usize = 50;

/// Most validators of a set that is looked at. Consortium chains have fewer than 100 and the largest public Cosmos
/// chains below 300; the bound keeps the quadratic parts of the wrapped library below 2 ms.
pub const MAX_VALIDATORS: usize = 1024;

/// Largest sum of voting powers (CometBFT `MaxTotalVotingPower`, types/validator_set.go: the largest int64 / 8).
pub const MAX_TOTAL_POWER: u64 = 1_152_921_504_606_846_975;

/// What a person configures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Chain id that headers and votes must carry.
    pub chain_id: String,
    /// The pinned header that trust starts from.
    pub anchor: Anchor,
    /// Name of the store that holds the commitments, then what keys begin with in it: `["ibc", ""]` on ibc-go.
    pub store_prefix: Vec<Vec<u8>>,
    /// Limits of trust.
    pub trust: TrustOptions,
    /// Whether a header may skip others when more than a third of the trusted validators signed it. A skipped-to
    /// header is not linked to the trusted one by hashes, so another network with the same chain id and validator
    /// keys is not told apart: leave it off unless the chain is followed too rarely to verify every header.
    pub skipping: bool,
}

impl Config {
    /// Refuses what can never work.
    pub(super) fn check(&self) -> Result<(), CometBftError> {
        let charset = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let chain_id = self.chain_id.as_bytes();
        if chain_id.is_empty() || chain_id.len() > MAX_CHAIN_ID_BYTES || !chain_id.iter().copied().all(charset) {
            return Err(CometBftError::Config { what: "chain_id: 1 to 50 letters, digits, '-', '_' or '.'" });
        }
        if !matches!(self.store_prefix.as_slice(), [store, _] if !store.is_empty()) {
            return Err(CometBftError::Config {
                what: "store_prefix: a store name and a key prefix, as [\"ibc\", \"\"]",
            });
        }
        self.trust.validate()?;
        if self.trust.retain_heights < 2 {
            return Err(CometBftError::Config { what: "retain_heights: at least 2, a state needs the next header" });
        }
        if self.anchor.height == 0 {
            return Err(CometBftError::Config { what: "anchor height: at least 1" });
        }
        Ok(())
    }

    /// The instance that this configuration makes; the store prefix enters with the length of each part.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        let mut store = Vec::new();
        for part in &self.store_prefix {
            store.extend_from_slice(&(part.len() as u64).to_be_bytes());
            store.extend_from_slice(part);
        }
        InstanceId::new(Family::CometBft, &self.chain_id, (self.anchor.height, self.anchor.hash), &store)
    }

    pub(super) fn store(&self) -> &[u8] {
        self.store_prefix.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn key(&self, path: &[u8]) -> Vec<u8> {
        let prefix = self.store_prefix.get(1).map_or(&[][..], Vec::as_slice);
        [prefix, path].concat()
    }
}

/// What is kept of a verified header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Retained {
    pub(super) hash: Hash32,
    pub(super) time: Timestamp,
    /// State after the block *before* this one; `None` when the chain wrote something that is not a root.
    pub(super) app_hash: Option<Root>,
    /// Hash of the header before this one; `None` in the first.
    pub(super) last_block: Option<Hash32>,
    pub(super) validators_hash: Hash32,
    pub(super) next_validators_hash: Hash32,
}

/// A validator: an ed25519 key, the address that follows from it, and its voting power (more than 0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Validator {
    pub(super) key: [u8; 32],
    pub(super) address: [u8; 20],
    pub(super) power: u64,
}

/// A checked validator set with its hash, and the form that the wrapped library takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ValidatorSet {
    pub(super) validators: Vec<Validator>,
    pub(super) total_power: u64,
    pub(super) hash: Hash32,
    pub(super) library: tendermint::validator::Set,
}

impl ValidatorSet {
    /// Validators that joined plus validators that left, from `self` to `next`, by address. Power is not counted.
    pub(super) fn churn(&self, next: &Self) -> usize {
        let sorted = |set: &Self| {
            let mut addresses: Vec<[u8; 20]> = set.validators.iter().map(|validator| validator.address).collect();
            addresses.sort_unstable();
            addresses
        };
        let (ours, theirs) = (sorted(self), sorted(next));
        let missing = |from: &[[u8; 20]], of: &[[u8; 20]]| {
            from.iter().filter(|address| of.binary_search(address).is_err()).count()
        };
        missing(&ours, &theirs).saturating_add(missing(&theirs, &ours))
    }
}

/// Why an update, a proof, a configuration or a saved state is refused. Each variant carries both compared values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CometBftError {
    /// A refusal that concerns trust and time, the same in every family.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The update is longer than is looked at.
    #[error("update of {got} bytes is longer than {max}; ask another endpoint")]
    TooLarge {
        /// Length given.
        got: usize,
        /// Longest allowed.
        max: usize,
    },
    /// The bytes are not the protobuf message.
    #[error("{what} is not the protobuf message it should be; ask another endpoint")]
    Decode {
        /// The part.
        what: &'static str,
    },
    /// The bytes decode, but encode to other bytes.
    #[error("{what} is not in canonical protobuf encoding ({got} bytes given, {expected} when encoded); re-encode it")]
    NotCanonical {
        /// The part.
        what: &'static str,
        /// Length given.
        got: usize,
        /// Length of the canonical form.
        expected: usize,
    },
    /// A field is absent or has a value that the chain never writes.
    #[error("{what} is missing or malformed; ask another endpoint")]
    Malformed {
        /// The field.
        what: &'static str,
    },
    /// More or fewer entries than are looked at.
    #[error("{got} {what}, 1 to {max} are looked at")]
    Count {
        /// What is counted.
        what: &'static str,
        /// Number given.
        got: usize,
        /// Most allowed.
        max: usize,
    },
    /// A validator's key is not ed25519. Other signatures are not verified by this light client.
    #[error("validator {position} has a key of type {got}, only ed25519 is verified; this chain is not supported")]
    KeyType {
        /// Position in the set, from 0.
        position: usize,
        /// Type of the key.
        got: &'static str,
    },
    /// A validator's address does not follow from its key.
    #[error("validator {position} says address {got}, its key gives {expected}")]
    Address {
        /// Position in the set, from 0.
        position: usize,
        /// Address given, in hex.
        got: String,
        /// First 20 bytes of SHA-256 of the key, in hex.
        expected: String,
    },
    /// A validator is in the set twice.
    #[error("validator {address} is in the set twice")]
    DuplicateValidator {
        /// Its address, in hex.
        address: String,
    },
    /// The set is not ordered by power, then address.
    #[error("validator {position} is out of order: sets are ordered by falling power, then rising address")]
    ValidatorOrder {
        /// Position in the set, from 0.
        position: usize,
    },
    /// A voting power that no validator has.
    #[error("validator {position} has power {power}, it must be at least 1")]
    Power {
        /// Position in the set, from 0.
        position: usize,
        /// Power given.
        power: i64,
    },
    /// The powers sum to more than a chain allows.
    #[error("voting powers sum to {got}, at most {max} is possible")]
    TotalPower {
        /// Sum so far.
        got: u128,
        /// Largest sum.
        max: u64,
    },
    /// The total that the set states is not the sum of its powers.
    #[error("validator set states a total power of {got}, its powers sum to {expected}")]
    TotalPowerStated {
        /// Total stated.
        got: i64,
        /// Sum of the powers.
        expected: u64,
    },
    /// Header and commit are of different heights.
    #[error("commit is of height {commit}, header of height {header}")]
    CommitHeight {
        /// Height of the commit.
        commit: i64,
        /// Height of the header.
        header: i64,
    },
    /// The commit is for another header than the one given: a field of the header was changed.
    #[error("header hashes to {header}, the commit is for {commit}")]
    CommitHash {
        /// Hash computed from the header.
        header: Hash32,
        /// Hash in the commit.
        commit: Hash32,
    },
    /// Not one signature slot for each validator.
    #[error("commit has {got} signature slots, the set has {expected} validators")]
    SignatureCount {
        /// Slots in the commit.
        got: usize,
        /// Validators in the set.
        expected: usize,
    },
    /// A signature slot is not absent, nil or commit in the form that the chain writes.
    #[error("signature slot {position}: {what} is not what the chain writes for its flag {flag}")]
    SignatureShape {
        /// Slot, from 0.
        position: usize,
        /// Block id flag.
        flag: i32,
        /// Field at fault.
        what: &'static str,
    },
    /// A slot's signer is not the validator at its position.
    #[error("signature slot {position} is of {got}, the validator there is {expected}")]
    SignatureOrder {
        /// Slot, from 0.
        position: usize,
        /// Address in the slot, in hex.
        got: String,
        /// Address of the validator, in hex.
        expected: String,
    },
    /// Another chain, or another revision of this one.
    #[error("header is of chain {got}, expected {expected}; check the endpoint and the configured chain id")]
    ChainId {
        /// Chain id in the header.
        got: String,
        /// Chain id configured.
        expected: String,
    },
    /// The validators given are not those that the header names.
    #[error("{which} validators given hash to {got}, the header names {expected}")]
    ValidatorsHash {
        /// Own or next validators.
        which: &'static str,
        /// Hash of the set given.
        got: Hash32,
        /// Hash in the header.
        expected: Hash32,
    },
    /// The header names other validators than the trusted header before it announced.
    #[error("header {height} is of validators {got}, the trusted header before it announced {expected}")]
    UnannouncedValidators {
        /// Height of the header.
        height: u64,
        /// Hash in the header.
        got: Hash32,
        /// Hash announced.
        expected: Hash32,
    },
    /// The header does not follow the trusted one: another network with the same chain id and keys, or a fork.
    #[error("header {height} follows block {got}, the trusted block before it is {expected}; check the endpoint")]
    LastBlockId {
        /// Height of the header.
        height: u64,
        /// Hash of the last block in the header, zero for none.
        got: Hash32,
        /// Trusted hash, zero for none.
        expected: Hash32,
    },
    /// Time does not grow with height.
    #[error("header {height} has time {got}, it must be after {after}")]
    Time {
        /// Height of the header.
        height: u64,
        /// Its time.
        got: Timestamp,
        /// Time of the trusted header below it.
        after: Timestamp,
    },
    /// The signers do not have more than two thirds of the power.
    #[error("validators with power {got} of {total} signed, more than two thirds are needed")]
    Power23 {
        /// Power of the signers.
        got: u64,
        /// Power of the set.
        total: u64,
    },
    /// The signers do not have more than a third of the trusted power: a header between is needed.
    #[error("trusted validators with power {got} of {total} signed, more than a third are needed to skip")]
    Power13 {
        /// Power of the signers among the trusted validators.
        got: u64,
        /// Power of the trusted validators.
        total: u64,
    },
    /// Skipping is off, or the trusted header's next validators are not known.
    #[error("header {target_height} does not follow {trusted_height} directly: {why}; give the header in between")]
    NotAdjacent {
        /// Height trusted.
        trusted_height: u64,
        /// Height given.
        target_height: u64,
        /// Why the gap cannot be skipped.
        why: &'static str,
    },
    /// A signature does not verify.
    #[error("signature of validator {address} on block {hash} does not verify")]
    Signature {
        /// Address of the validator, in hex.
        address: String,
        /// Hash of the header.
        hash: Hash32,
    },
    /// Our checks passed and the wrapped library refused: one of the two is wrong.
    #[error("header {height} passed our checks and was refused by the library: {detail}; report this")]
    Library {
        /// Height of the header.
        height: u64,
        /// What the library says.
        detail: String,
    },
    /// The update leaves out its validators and the client does not know a set of that hash.
    #[error("validators with hash {hash} are not known; send the set with the update")]
    UnknownValidators {
        /// Hash in the header.
        hash: Hash32,
    },
    /// An older header that nothing trusted links to.
    #[error("header {height} is older than {trusted_height} and header {successor} above it is not retained")]
    NotLinked {
        /// Height given.
        height: u64,
        /// Newest trusted height.
        trusted_height: u64,
        /// Height that would have to be retained.
        successor: u64,
    },
    /// An older header that the trusted one above it does not link to.
    #[error("header {height} hashes to {got}, the trusted header above it follows {expected}")]
    Link {
        /// Height given.
        height: u64,
        /// Hash of the header given.
        got: Hash32,
        /// Hash of the last block in the trusted header above, zero for none.
        expected: Hash32,
    },
    /// An older header for which there is no room.
    #[error("header {height} is below the {retained} retained heights, the oldest is {oldest}; raise retain_heights")]
    NotRetained {
        /// Height given.
        height: u64,
        /// Number retained.
        retained: usize,
        /// Oldest height retained.
        oldest: u64,
    },
    /// There is no verified state at the height.
    #[error("no verified state at height {height}: it needs headers {height} and {next}; newest header: {newest}")]
    NoState {
        /// Height asked for.
        height: u64,
        /// Height that carries its root.
        next: u64,
        /// Newest verified header.
        newest: u64,
    },
    /// A first block that differs from the trusted one: neither follows a block that would show whose it is.
    #[error("first block {height} hashes to {got}, trusted is {trusted}; nothing to judge by; check the endpoint")]
    Unjudged {
        /// Height of both.
        height: u64,
        /// Hash of the header given.
        got: Hash32,
        /// Hash of the trusted header.
        trusted: Hash32,
    },
    /// The configuration can never work.
    #[error("configuration: {what}")]
    Config {
        /// What it should be.
        what: &'static str,
    },
    /// Evidence whose halves do not contradict each other.
    #[error("headers {first_height} {first} and {second_height} {second} do not contradict each other")]
    NoContradiction {
        /// Height of the first.
        first_height: u64,
        /// Hash of the first.
        first: Hash32,
        /// Height of the second.
        second_height: u64,
        /// Hash of the second.
        second: Hash32,
    },
}

impl Coded for CometBftError {
    fn code(&self) -> &'static str {
        match self {
            Self::Trust(error) => error.code(),
            Self::TooLarge { .. } => "LC-CMT-001",
            Self::Decode { .. } => "LC-CMT-002",
            Self::NotCanonical { .. } => "LC-CMT-003",
            Self::Malformed { .. } => "LC-CMT-004",
            Self::Count { .. } => "LC-CMT-005",
            Self::KeyType { .. } => "LC-CMT-006",
            Self::Address { .. } => "LC-CMT-007",
            Self::DuplicateValidator { .. } => "LC-CMT-008",
            Self::ValidatorOrder { .. } => "LC-CMT-009",
            Self::Power { .. } => "LC-CMT-010",
            Self::TotalPower { .. } => "LC-CMT-011",
            Self::TotalPowerStated { .. } => "LC-CMT-012",
            Self::CommitHeight { .. } => "LC-CMT-013",
            Self::CommitHash { .. } => "LC-CMT-014",
            Self::SignatureCount { .. } => "LC-CMT-015",
            Self::SignatureShape { .. } => "LC-CMT-016",
            Self::SignatureOrder { .. } => "LC-CMT-017",
            Self::ChainId { .. } => "LC-CMT-018",
            Self::ValidatorsHash { .. } => "LC-CMT-019",
            Self::UnannouncedValidators { .. } => "LC-CMT-020",
            Self::LastBlockId { .. } => "LC-CMT-021",
            Self::Time { .. } => "LC-CMT-022",
            Self::Power23 { .. } => "LC-CMT-023",
            Self::Power13 { .. } => "LC-CMT-024",
            Self::NotAdjacent { .. } => "LC-CMT-025",
            Self::Signature { .. } => "LC-CMT-026",
            Self::Library { .. } => "LC-CMT-027",
            Self::UnknownValidators { .. } => "LC-CMT-028",
            Self::NotLinked { .. } => "LC-CMT-029",
            Self::Link { .. } => "LC-CMT-030",
            Self::NotRetained { .. } => "LC-CMT-031",
            Self::NoState { .. } => "LC-CMT-032",
            Self::Config { .. } => "LC-CMT-033",
            Self::NoContradiction { .. } => "LC-CMT-034",
            Self::Unjudged { .. } => "LC-CMT-035",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Trust(error) => error.class(),
            // Ask again later, for the header in between, or with the set.
            Self::Power13 { .. }
            | Self::NotAdjacent { .. }
            | Self::UnknownValidators { .. }
            | Self::NotLinked { .. }
            | Self::NoState { .. } => Class::Transient,
            // An honest endpoint of this chain never serves these.
            Self::Address { .. }
            | Self::DuplicateValidator { .. }
            | Self::CommitHash { .. }
            | Self::ValidatorsHash { .. }
            | Self::UnannouncedValidators { .. }
            | Self::LastBlockId { .. }
            | Self::Time { .. }
            | Self::Power23 { .. }
            | Self::Signature { .. }
            | Self::Link { .. }
            | Self::Unjudged { .. } => Class::Misbehaviour,
            // A person has to change or to decide something.
            Self::KeyType { .. } | Self::ChainId { .. } | Self::NotRetained { .. } | Self::Config { .. } => {
                Class::Config
            }
            Self::Library { .. } => Class::Bug,
            Self::TooLarge { .. }
            | Self::Decode { .. }
            | Self::NotCanonical { .. }
            | Self::Malformed { .. }
            | Self::Count { .. }
            | Self::ValidatorOrder { .. }
            | Self::Power { .. }
            | Self::TotalPower { .. }
            | Self::TotalPowerStated { .. }
            | Self::CommitHeight { .. }
            | Self::SignatureCount { .. }
            | Self::SignatureShape { .. }
            | Self::SignatureOrder { .. }
            | Self::NoContradiction { .. } => Class::Permanent,
        }
    }
}
