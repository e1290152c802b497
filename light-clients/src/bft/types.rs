//! Configuration, trusted headers and errors.
//!
//! Codes start with `LC-QBFT` in both families, since a code stands for a rule and the rules are the same;
//! `LC-IBFT2` is for what IBFT 2.0 alone demands.

use alloc::string::String;
use alloc::sync::Arc;

use super::Form;
use crate::crypto::secp256k1::SignatureError;
use crate::crypto::Address;
use crate::proof::mpt::MptError;
use crate::quorum::QuorumError;
use crate::rlp::RlpError;
use crate::trust::{Anchor, TrustError, TrustOptions};
use crate::verdict::{Class, Coded, Family, Hash32, InstanceId, Root, Timestamp};

/// Most validators of a set. Networks in the field have well below a hundred; the bound keeps the signatures that
/// one header can make us check, and with them the time, within reason.
pub const MAX_VALIDATORS: usize = 256;

/// Fewest validators that tolerate one fault: F = (n-1)/3 is 1 from 4 on.
pub const MIN_FAULT_TOLERANT: usize = 4;

/// Longest ICS-24 path that is looked up, in bytes. Client ids have at most 64 characters.
pub const MAX_PATH_BYTES: usize = 256;

/// Longest chain id, in bytes.
pub const MAX_CHAIN_ID_BYTES: usize = 64;

/// Code of two headers at one height that were both sealed by a quorum.
pub const DOUBLE_SEAL: &str = "LC-QBFT-100";

/// Code of trusted headers below and above a header that names another parent than the one below.
pub const BROKEN_LINK: &str = "LC-QBFT-101";

/// Code of a header whose time is not between those of the trusted headers below and above it.
pub const BROKEN_TIME: &str = "LC-QBFT-102";

/// What a light client is told by its operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Chain id, as the operator names the chain. headers do not carry it; the anchor is what binds.
    pub chain_id: String,
    /// Where trust starts: never block 0, which has no seals, lists its validators unsorted and has time 0.
    pub anchor: Anchor,
    /// The IBC router, under which commitments are stored.
    pub router: [u8; 20],
    /// ERC-7201 base slot of the commitments: the slot of a path is keccak256(keccak256(path) ‖ this).
    pub commitment_slot: [u8; 32],
    /// Trusting period, drift, churn and retention.
    pub trust: TrustOptions,
    /// Whether a header may be trusted without the ones between, by the signatures of validators trusted already.
    /// Off by default for a reason: see the module doc.
    pub skipping: bool,
    /// The contract that keeps the validators (QBFT in contract mode); none when each header lists them.
    pub validator_contract: Option<ValidatorContract>,
}

/// A contract that keeps validators in an `address[]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValidatorContract {
    /// Its address: `validatorcontractaddress` in Besu's genesis file.
    pub address: [u8; 20],
    /// The storage slot at which the array is declared: 0 when it is the contract's first variable.
    pub slot: [u8; 32],
}

impl Config {
    /// Checks the configuration by itself, for a family.
    ///
    /// # Errors
    /// [`BftError::Trust`], [`BftError::ChainId`], [`BftError::ZeroRouter`], [`BftError::GenesisAnchor`],
    /// [`BftError::ZeroContract`], or [`BftError::NoContractMode`] for a family without one.
    pub fn validate<F: Form>(&self) -> Result<(), BftError> {
        self.trust.validate()?;
        if self.chain_id.is_empty() || self.chain_id.len() > MAX_CHAIN_ID_BYTES {
            return Err(BftError::ChainId { got_bytes: self.chain_id.len() });
        }
        if Address(self.router).is_zero() {
            return Err(BftError::ZeroRouter);
        }
        if self.anchor.height == 0 {
            return Err(BftError::GenesisAnchor);
        }
        match self.validator_contract {
            Some(_) if !F::CONTRACT_MODE => Err(BftError::NoContractMode { family: F::FAMILY }),
            Some(contract) if Address(contract.address).is_zero() => Err(BftError::ZeroContract),
            _ => Ok(()),
        }
    }

    /// The instance that this configuration stands for, as a client of `family`.
    #[must_use]
    pub fn instance(&self, family: Family) -> InstanceId {
        let mut store = [self.router.as_slice(), self.commitment_slot.as_slice()].concat();
        if let Some(contract) = self.validator_contract {
            store.extend_from_slice(&contract.address);
            store.extend_from_slice(&contract.slot);
        }
        InstanceId::new(family, &self.chain_id, (self.anchor.height, self.anchor.hash), &store)
    }
}

/// What a vote in a header asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ballot {
    /// Take the candidate in.
    Add,
    /// Take the candidate out.
    Drop,
}

/// The vote of a proposer on a validator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValidatorVote {
    /// Who is voted on.
    pub candidate: Address,
    /// What is asked for.
    pub ballot: Ballot,
}

/// A validator set: 1 to [`MAX_VALIDATORS`] addresses in ascending order, shared by the
/// headers that repeat it.
pub(crate) type ValidatorSet = Arc<[Address]>;

/// What is kept of a verified header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trusted {
    pub(crate) height: u64,
    pub(crate) hash: Hash32,
    pub(crate) parent_hash: Hash32,
    pub(crate) time_seconds: u64,
    pub(crate) root: Root,
    pub(crate) validators: ValidatorSet,
    pub(crate) vote: Option<ValidatorVote>,
}

impl Trusted {
    /// The header's time.
    pub(crate) const fn timestamp(&self) -> Timestamp {
        Timestamp::from_seconds(self.time_seconds)
    }
}

/// A field of a header, for error messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Field {
    /// The list of an update that has more than a header.
    Update,
    /// The list of fields itself.
    Header,
    /// A field, by its position from 0 (Yellow Paper, section 4.3).
    Position(usize),
    /// The extra data: the outer list.
    Extra,
    /// Vanity in the extra data.
    Vanity,
    /// Validators in the extra data.
    Validators,
    /// Vote in the extra data.
    Vote,
    /// Round in the extra data.
    Round,
    /// Seals in the extra data.
    Seals,
}

/// Names the field in which an encoding is wrong.
pub(crate) fn at_field(field: Field) -> impl Fn(RlpError) -> BftError {
    move |error| BftError::Rlp { field, error }
}

/// Why a header, a proof or a configuration is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BftError {
    /// The header is longer than any that is looked at.
    #[error("the header has {got_bytes} bytes, at most {max_bytes} are looked at")]
    HeaderTooLong {
        /// Its length.
        got_bytes: usize,
        /// The most that is looked at.
        max_bytes: usize,
    },
    /// Fewer fields than the oldest header has.
    #[error("the header has {got} fields, at least {min} are expected")]
    FieldCount {
        /// Its fields.
        got: usize,
        /// The fewest expected.
        min: usize,
    },
    /// A field is not the one encoding of what is expected.
    #[error("{field:?} of the header: {error}; ask another endpoint")]
    Rlp {
        /// The field.
        field: Field,
        /// What is wrong with it.
        #[source]
        error: RlpError,
    },
    /// A vote that neither adds nor drops.
    #[error("the vote's type starts with {first:#04x}: 0xff adds; the empty string (IBFT 2.0: a zero byte) drops")]
    VoteType {
        /// First byte of the type.
        first: u8,
    },
    /// No validators in the header: they are in a contract, or the bytes are of another family.
    #[error("the header lists no validators; if a contract keeps them, configure validator_contract and its slot")]
    NoValidators,
    /// Validators out of order or repeated.
    #[error("validator {position} (from 0) of the header is not above the one before it")]
    ValidatorOrder {
        /// Its position.
        position: usize,
    },
    /// The zero address as a validator.
    #[error("the zero address is listed as a validator, whose key nobody has")]
    ZeroValidator,
    /// More seals than validators.
    #[error("the header carries {got} seals for {validators} validators")]
    SealCount {
        /// Its seals.
        got: usize,
        /// Its validators.
        validators: usize,
    },
    /// Block 0 as an update.
    #[error("block 0 has no seals and is never an update")]
    Genesis,
    /// A difficulty other than 1.
    #[error("difficulty is {got}, headers of this family have 1")]
    Difficulty {
        /// The difficulty.
        got: u64,
    },
    /// Another mix hash than that of Istanbul consensus.
    #[error("mixHash is {got}, headers of this family have {expected}")]
    MixHash {
        /// The mix hash.
        got: Hash32,
        /// That of the family.
        expected: Hash32,
    },
    /// A proposer that is no validator.
    #[error("the proposer {coinbase} is none of the header's validators")]
    Proposer {
        /// The coinbase of the header.
        coinbase: Address,
    },
    /// A state root of zero bytes.
    #[error("the state root is all zero, which no state has")]
    ZeroStateRoot,
    /// A time past the year 2554.
    #[error("the time {got_seconds} s leaves the range of times")]
    TimeRange {
        /// Time in seconds since 1970.
        got_seconds: u64,
    },
    /// Fewer than four validators.
    #[error("{got} validators tolerate no fault; set allow_no_fault_tolerance to accept that one key may decide")]
    NoFaultTolerance {
        /// Validators of the header.
        got: usize,
    },
    /// The header is not a child of the trusted one: another network, or a fork.
    #[error("header {height} names the parent {got}, trusted is {expected}; the endpoint serves another chain")]
    Parent {
        /// Height of the header.
        height: u64,
        /// The parent that it names.
        got: Hash32,
        /// Hash of the trusted header below it.
        expected: Hash32,
    },
    /// A time not after that of the trusted header.
    #[error("time {got_seconds} s of the header is not after {trusted_seconds} s of the trusted one")]
    TimeOrder {
        /// Time of the header, in seconds since 1970.
        got_seconds: u64,
        /// Time of the trusted header, in seconds since 1970.
        trusted_seconds: u64,
    },
    /// A change of validators that the trusted header did not vote for.
    #[error("{joined} validators joined and {left} left, which is not what the vote in the trusted header asks for")]
    UnvotedChange {
        /// Validators that joined.
        joined: usize,
        /// Validators that left.
        left: usize,
    },
    /// A seal of a key that is no validator of the header.
    #[error("seal {position} (from 0) recovers to {signer}, which is none of the header's validators")]
    SealByStranger {
        /// Position of the seal.
        position: usize,
        /// Who made it, over these header bytes.
        signer: Address,
    },
    /// Two seals of one validator.
    #[error("seal {position} (from 0) is a second one of {signer}")]
    SealRepeated {
        /// Position of the seal.
        position: usize,
        /// Who made it.
        signer: Address,
    },
    /// A seal that nobody can have made, or not in the one accepted form.
    #[error("seal {position} (from 0): {error}")]
    Seal {
        /// Position of the seal.
        position: usize,
        /// What is wrong with it.
        #[source]
        error: SignatureError,
    },
    /// Too few votes.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// Too few seals of validators that are trusted already.
    #[error("{got} of {trusted} trusted validators sealed the header, {needed} are needed to trust its new set")]
    Overlap {
        /// Distinct trusted validators among the seals.
        got: usize,
        /// Needed: F + 1.
        needed: usize,
        /// Size of the trusted set.
        trusted: usize,
    },
    /// A header beyond the next one, without skipping.
    #[error("header {target} does not follow the trusted {trusted}, and skipping is off: give the header between")]
    NotAdjacent {
        /// Trusted height.
        trusted: u64,
        /// Height of the header.
        target: u64,
    },
    /// An older header that no retained header names as its parent.
    #[error("header {height} is older than the trusted ones and none of them names a parent at that height")]
    NotLinked {
        /// Height of the header.
        height: u64,
    },
    /// An older header that is not the parent of the retained one above it.
    #[error("header {height} hashes to {got}, the trusted one above it names {expected}")]
    Successor {
        /// Height of the header.
        height: u64,
        /// Its hash.
        got: Hash32,
        /// The parent that the trusted header above names.
        expected: Hash32,
    },
    /// An older header below what is retained.
    #[error("header {height} is below {lowest}, the lowest height that retain_heights keeps")]
    BelowRetained {
        /// Height of the header.
        height: u64,
        /// Lowest height that is kept.
        lowest: u64,
    },
    /// A header that differs from the trusted one and cannot be judged, since their parent is not retained.
    #[error("header {height} hashes to {got}, trusted is {trusted}; their parent is not retained to judge by")]
    Unjudged {
        /// Height of both.
        height: u64,
        /// Hash of the header given.
        got: Hash32,
        /// Hash of the trusted header.
        trusted: Hash32,
    },
    /// Evidence of two heights.
    #[error("the two headers have heights {first} and {second}, so they do not contradict each other")]
    EvidenceHeights {
        /// Height of the first.
        first: u64,
        /// Height of the second.
        second: u64,
    },
    /// Evidence of one header twice.
    #[error("the two headers are one: both hash to {hash}")]
    EvidenceSame {
        /// Hash of both.
        hash: Hash32,
    },
    /// Evidence at a height whose parent is not retained.
    #[error("the header below {height} is not retained, so neither half can be verified")]
    EvidenceParent {
        /// Height of the evidence.
        height: u64,
    },
    /// A height that is not retained.
    #[error("height {height} is not among the verified headers; advance to it first")]
    HeightUnknown {
        /// The height asked for.
        height: u64,
    },
    /// A path that is empty or too long.
    #[error("the path has {got_bytes} bytes, 1 to {MAX_PATH_BYTES} are looked up")]
    PathLength {
        /// Its length.
        got_bytes: usize,
    },
    /// A value of another length than a storage slot.
    #[error("the value has {got_bytes} bytes, a storage slot has 32")]
    ValueLength {
        /// Its length.
        got_bytes: usize,
    },
    /// A value of zero, which storage never holds.
    #[error("the value is zero, and a slot that holds zero holds nothing: ask for absence")]
    ValueZero,
    /// The slot holds another value.
    #[error("the slot of the path holds {got}, claimed is {expected}")]
    ValueMismatch {
        /// What the slot holds.
        got: Hash32,
        /// What is claimed.
        expected: Hash32,
    },
    /// The slot holds nothing where a value is claimed.
    #[error("the slot of the path holds nothing at height {height}, claimed is {expected}")]
    ValueAbsent {
        /// Height of the state.
        height: u64,
        /// What is claimed.
        expected: Hash32,
    },
    /// The slot holds something where absence is claimed.
    #[error("the slot of the path holds {got} at height {height}, claimed is that it holds nothing")]
    ValuePresent {
        /// Height of the state.
        height: u64,
        /// What the slot holds.
        got: Hash32,
    },
    /// The router has no code: every absence would hold there.
    #[error("the account {router} has no code at height {height}, so it is not the router; check the configuration")]
    RouterCode {
        /// Address of the configured router.
        router: Address,
        /// Height of the state.
        height: u64,
    },
    /// The router stores nothing at all: every absence would hold there.
    #[error(
        "the contract {router} stores nothing at height {height}, so it is not the router; check the configuration"
    )]
    RouterEmpty {
        /// Address of the configured router.
        router: Address,
        /// Height of the state.
        height: u64,
    },
    /// A chain id that is empty or too long.
    #[error("the chain id has {got_bytes} bytes, 1 to {MAX_CHAIN_ID_BYTES} are expected")]
    ChainId {
        /// Its length.
        got_bytes: usize,
    },
    /// A router at the zero address.
    #[error("the router is the zero address; set the address of the IBC router")]
    ZeroRouter,
    /// Block 0 as the anchor.
    #[error("block 0 cannot be the anchor: it is expired, having time 0, and unsealed; pin a later block")]
    GenesisAnchor,
    /// Validators in the header of a chain whose contract keeps them.
    #[error("the header lists {got} validators, and the contract should keep them; check validator_contract")]
    ContractHeaderSet {
        /// Validators that the header lists.
        got: usize,
    },
    /// A vote in the header of a chain whose contract keeps the validators.
    #[error("the header votes on {candidate}, where a contract keeps the validators and votes mean nothing")]
    ContractHeaderVote {
        /// Who is voted on.
        candidate: Address,
    },
    /// A lower header that is not the parent of the header.
    #[error("the proof's header hashes to {got}, header {height} names the parent {expected}; ask another endpoint")]
    ContractParent {
        /// Height of the header.
        height: u64,
        /// Hash of the lower header given.
        got: Hash32,
        /// The parent that the header names.
        expected: Hash32,
    },
    /// The contract has no code.
    #[error(
        "the account {contract} has no code at height {height}, so it keeps no validators; check the configuration"
    )]
    ContractCode {
        /// Address of the configured contract.
        contract: Address,
        /// Height of the state.
        height: u64,
    },
    /// The contract's array is empty.
    #[error("the contract {contract} keeps no validators at height {height}; check its address and slot")]
    ContractEmpty {
        /// Address of the configured contract.
        contract: Address,
        /// Height of the state.
        height: u64,
    },
    /// The contract's array is longer than any that is looked at, or the slot holds something else.
    #[error("the array's length is {got}, at most {max} validators are looked at; check the configured slot")]
    ContractLength {
        /// What the slot holds.
        got: Hash32,
        /// The most that are looked at.
        max: usize,
    },
    /// Another number of slot proofs than the length and each item need.
    #[error("{got} slots are proven, the array needs {expected}: its length and each item")]
    ContractProofCount {
        /// Slots proven.
        got: usize,
        /// Slots needed.
        expected: usize,
    },
    /// An item of the array that is wider than an address.
    #[error("item {position} (from 0) of the array is {got}, which is no address; check the configured slot")]
    ContractItem {
        /// Its position.
        position: usize,
        /// What the slot holds.
        got: Hash32,
    },
    /// A validator that the contract keeps twice.
    #[error("the contract keeps the validator {validator} twice, which makes its quorum ambiguous")]
    ContractRepeated {
        /// The validator.
        validator: Address,
    },
    /// A contract at the zero address.
    #[error("the validator contract is the zero address; set the one of the network's genesis file")]
    ZeroContract,
    /// The update is longer than any that is looked at.
    #[error("the update has {got_bytes} bytes, at most {max_bytes} are looked at")]
    UpdateTooLong {
        /// Its length.
        got_bytes: usize,
        /// The most that is looked at.
        max_bytes: usize,
    },
    /// A nonce other than zero, where the family demands it.
    #[error("the nonce is {got:#018x}, headers of IBFT 2.0 have 0")]
    Nonce {
        /// The nonce.
        got: u64,
    },
    /// Ommers, where the family has none.
    #[error("the hash of the ommers is {got}, headers of IBFT 2.0 have none: {expected}")]
    Ommers {
        /// Hash of the ommers.
        got: Hash32,
        /// Hash of an empty list.
        expected: Hash32,
    },
    /// A validator contract for a family that has none.
    #[error("validators in a contract are not part of {family}; leave validator_contract out")]
    NoContractMode {
        /// The family.
        family: Family,
    },
    /// What is wrong with a proof.
    #[error(transparent)]
    Proof(#[from] MptError),
    /// What concerns trust and time.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Coded for BftError {
    fn code(&self) -> &'static str {
        match self {
            Self::HeaderTooLong { .. } => "LC-QBFT-001",
            Self::FieldCount { .. } => "LC-QBFT-002",
            Self::Rlp { error, .. } => error.code(),
            Self::VoteType { .. } => "LC-QBFT-003",
            Self::NoValidators => "LC-QBFT-004",
            Self::ValidatorOrder { .. } => "LC-QBFT-005",
            Self::ZeroValidator => "LC-QBFT-006",
            Self::SealCount { .. } => "LC-QBFT-007",
            Self::Genesis => "LC-QBFT-008",
            Self::Difficulty { .. } => "LC-QBFT-009",
            Self::MixHash { .. } => "LC-QBFT-010",
            Self::Proposer { .. } => "LC-QBFT-011",
            Self::ZeroStateRoot => "LC-QBFT-012",
            Self::TimeRange { .. } => "LC-QBFT-013",
            Self::NoFaultTolerance { .. } => "LC-QBFT-014",
            Self::Parent { .. } => "LC-QBFT-015",
            Self::TimeOrder { .. } => "LC-QBFT-016",
            Self::UnvotedChange { .. } => "LC-QBFT-017",
            Self::SealByStranger { .. } => "LC-QBFT-018",
            Self::SealRepeated { .. } => "LC-QBFT-019",
            Self::Seal { error, .. } => error.code(),
            Self::Quorum(error) => error.code(),
            Self::Overlap { .. } => "LC-QBFT-020",
            Self::NotAdjacent { .. } => "LC-QBFT-021",
            Self::NotLinked { .. } => "LC-QBFT-022",
            Self::Successor { .. } => "LC-QBFT-023",
            Self::BelowRetained { .. } => "LC-QBFT-024",
            Self::Unjudged { .. } => "LC-QBFT-025",
            Self::EvidenceHeights { .. } => "LC-QBFT-026",
            Self::EvidenceSame { .. } => "LC-QBFT-027",
            Self::EvidenceParent { .. } => "LC-QBFT-028",
            Self::HeightUnknown { .. } => "LC-QBFT-029",
            Self::PathLength { .. } => "LC-QBFT-030",
            Self::ValueLength { .. } => "LC-QBFT-031",
            Self::ValueZero => "LC-QBFT-032",
            Self::ValueMismatch { .. } => "LC-QBFT-033",
            Self::ValueAbsent { .. } => "LC-QBFT-034",
            Self::ValuePresent { .. } => "LC-QBFT-035",
            Self::RouterCode { .. } => "LC-QBFT-036",
            Self::ChainId { .. } => "LC-QBFT-037",
            Self::ZeroRouter => "LC-QBFT-038",
            Self::GenesisAnchor => "LC-QBFT-039",
            Self::RouterEmpty { .. } => "LC-QBFT-040",
            Self::ContractHeaderSet { .. } => "LC-QBFT-041",
            Self::ContractHeaderVote { .. } => "LC-QBFT-042",
            Self::ContractParent { .. } => "LC-QBFT-043",
            Self::ContractCode { .. } => "LC-QBFT-044",
            Self::ContractEmpty { .. } => "LC-QBFT-045",
            Self::ContractLength { .. } => "LC-QBFT-046",
            Self::ContractProofCount { .. } => "LC-QBFT-047",
            Self::ContractItem { .. } => "LC-QBFT-048",
            Self::ContractRepeated { .. } => "LC-QBFT-049",
            Self::ZeroContract => "LC-QBFT-050",
            Self::UpdateTooLong { .. } => "LC-QBFT-051",
            Self::Nonce { .. } => "LC-IBFT2-001",
            Self::Ommers { .. } => "LC-IBFT2-002",
            Self::NoContractMode { .. } => "LC-IBFT2-003",
            Self::Proof(error) => error.code(),
            Self::Trust(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Rlp { error, .. } => error.class(),
            Self::Quorum(error) => error.class(),
            Self::Proof(error) => error.class(),
            Self::Trust(error) => error.class(),
            Self::NoFaultTolerance { .. }
            | Self::NoValidators
            | Self::ChainId { .. }
            | Self::ZeroRouter
            | Self::GenesisAnchor
            | Self::RouterCode { .. }
            | Self::RouterEmpty { .. }
            | Self::ContractHeaderSet { .. }
            | Self::ContractCode { .. }
            | Self::ContractEmpty { .. }
            | Self::ContractLength { .. }
            | Self::ContractItem { .. }
            | Self::ContractRepeated { .. }
            | Self::ZeroContract
            | Self::NoContractMode { .. } => Class::Config,
            Self::Parent { .. }
            | Self::UnvotedChange { .. }
            | Self::SealByStranger { .. }
            | Self::SealRepeated { .. }
            | Self::Seal { .. }
            | Self::Successor { .. }
            | Self::Unjudged { .. } => Class::Misbehaviour,
            Self::NotAdjacent { .. } | Self::Overlap { .. } | Self::HeightUnknown { .. } => Class::Transient,
            _ => Class::Permanent,
        }
    }
}
