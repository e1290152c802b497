//! What QBFT and IBFT 2.0 have in common, which is nearly all: a header that lists its validators and carries the
//! seals of a quorum of them. What differs is a [`Form`]: how votes and rounds are written, what the two hashes of a
//! header are made of, and which constants it has.
//!
//! # Why every header is bound to the one below it
//!
//! A header carries no chain id, and seals say only who signed. A test network and a production network run with the
//! same validator keys, or a chain that was started again from another genesis, produce headers with valid seals for
//! one another. Signatures cannot tell them apart; the parent hash can, since it leads back to the pinned anchor. So by
//! default a header is trusted only as the child of a trusted one (`LC-QBFT-015` when it is not), and one further ahead
//! answers [`Verdict::NeedsIntermediate`].
//!
//! With `skipping` on, a header further ahead is trusted when at least F + 1 validators of the trusted set, and
//! `ceil(2n/3)` of its own, sealed it within the trusting period: F + 1 include an honest one, who seals headers of
//! its chain with their right validators only. That argument needs keys that serve one network. It is the operator's
//! to know, hence the option.
//!
//! # Changes of the validator set
//!
//! Header N lists the validators that seal N, and nothing in header N - 1 names them: they follow from votes. A
//! child with another set is trusted when (1) the set differs by one validator, the one that the vote in the trusted
//! parent is about, joined or left as that vote asks; (2) `ceil(2n'/3)` of the new set sealed it; (3) at least F + 1
//! of the old set are among them. The tally of votes is not followed: (3) has an honest validator say that the
//! change is right, and (1) leaves a forger only the change that a sealed header has proposed. Sets that switch at a
//! configured height (`transitions`) change without a vote and need a new anchor.
//!
//! Where a contract keeps the validators (QBFT only), an update proves the set of header N from the state of header
//! N - 1, which makes (1) and (3) needless for a child of a trusted header: its set is as certain as that state. The
//! set may be another one altogether; `churn_limit` is what holds such a change. A header that is skipped to proves
//! its set from the parent that it names, and F + 1 of the trusted validators stand for that parent.
//!
//! # Conflict
//!
//! Two sealed children of one trusted header are what more than F validators must have signed twice. Whoever shows
//! them freezes the client: it verifies nothing any more until a person sets a new anchor. Both must pass all checks
//! of an update, the parent hash included, so that neither another network's headers nor a header without seals can
//! freeze anything. With `skipping`, a gap that is filled down to a trusted header which it does not follow, or whose
//! times do not grow, freezes as well: the headers on both sides of it are trusted and cannot both be right.
//!
//! # Where commitments are
//!
//! The commitment of a path is in the router's storage at keccak256(keccak256(path) ‖ base). A proof is the two node
//! lists of `eth_getProof` ([`crate::proof::mpt::encode_proof`]). An account without code, or none at all, is
//! refused: it is not the router, and every absence would hold there. So it would in a contract that stores nothing,
//! such as one whose address was mistyped: a router stores its roles from its first block on.
//!
//! # What an attacker can grow
//!
//! Nothing. Headers and proofs are bounded in bytes, fields, nodes and validators before work is done on them;
//! verified headers are kept for `retain_heights` heights below the newest one; a refused update leaves no trace. A
//! header that is not the child of a trusted one costs its hashes and those of its proof; to make us check its seals
//! it must name a trusted parent.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use crate::crypto::{keccak256, Address};
use crate::proof::mpt::{Account, StorageProof, EMPTY_CODE_HASH, EMPTY_ROOT};
use crate::trust::TrustError;
use crate::verdict::{
    Absence, Family, Hash32, Header, InstanceId, LightClient, Membership, Misbehaviour, Rejection, Root, Status,
    Timestamp, Verdict, Verified,
};

mod advance;
mod contract;
mod decode;
mod misbehaviour;
mod state;
mod types;
mod verify;

pub use contract::{array_slots, encode_update, MAX_CONTRACT_UPDATE_BYTES};
pub use decode::{Extra, RawHeader, MAX_HEADER_BYTES};
pub use state::SAVED_HEADERS;
pub use types::{
    Ballot, BftError, Config, Field, ValidatorContract, ValidatorVote, BROKEN_LINK, BROKEN_TIME, DOUBLE_SEAL,
    MAX_CHAIN_ID_BYTES, MAX_PATH_BYTES, MAX_VALIDATORS, MIN_FAULT_TOLERANT,
};

pub(crate) use types::at_field;

use crate::rlp::Item;
use contract::Update;
use types::{Trusted, ValidatorSet};
use verify::Candidate;

/// What differs between the families that share these rules. Both are in this crate, and no other can be.
pub trait Form: Clone + fmt::Debug + PartialEq + Eq + Send + Sync + sealed::Sealed + 'static {
    /// The family.
    const FAMILY: Family;
    /// Whether its chains may keep their validators in a contract.
    const CONTRACT_MODE: bool;
    /// Whether the hash of block 0 is that of its bytes as they stand.
    const GENESIS_AS_IT_STANDS: bool;

    /// Reads the vote in the extra data.
    ///
    /// # Errors
    /// [`BftError::Rlp`] or [`BftError::VoteType`] when it is not a vote in its one encoding.
    fn decode_vote(item: Item<'_>) -> Result<Option<ValidatorVote>, BftError>;

    /// Reads the round in the extra data.
    ///
    /// # Errors
    /// [`BftError::Rlp`] when it is not a round in its one encoding.
    fn decode_round(item: Item<'_>) -> Result<u32, BftError>;

    /// Puts what follows the vote in the extra data that the block hash is made of.
    fn put_block_tail(out: &mut Vec<u8>);

    /// Puts what follows the vote in the extra data that validators sign.
    fn put_seal_tail(out: &mut Vec<u8>, round: u32);

    /// Checks the constants that only this family's headers have.
    ///
    /// # Errors
    /// The error of the field at fault.
    fn check_constants(header: &RawHeader<'_, Self>) -> Result<(), BftError>;
}

pub(crate) mod sealed {
    /// Keeps other crates from adding families.
    pub trait Sealed {}
}

/// The block hash of a header, given as the chain has it. It says nothing of whether the header is sealed.
///
/// # Errors
/// [`BftError`] when the bytes are not one header in its one encoding.
pub fn block_hash<F: Form>(rlp: &[u8]) -> Result<Hash32, BftError> {
    Ok(RawHeader::<F>::decode(rlp)?.block_hash())
}

/// The block hash of the header in an update of a chain that keeps its validators in a contract. It says nothing of
/// whether the update proves anything.
///
/// # Errors
/// [`BftError`] when the bytes are not one update in its one encoding.
pub fn contract_update_hash<F: Form>(update: &[u8]) -> Result<Hash32, BftError> {
    Ok(contract::header_of::<F>(update)?.block_hash())
}

/// The storage slot of a path's commitment: keccak256(keccak256(path) ‖ base), as Solidity places mappings.
#[must_use]
pub fn commitment_slot(path: &[u8], base: &[u8; 32]) -> [u8; 32] {
    keccak256(&[keccak256(&[path]).as_bytes(), base]).0
}

/// A light client of one chain.
#[derive(Clone, Debug)]
pub struct Client<F> {
    pub(crate) config: Config,
    instance: InstanceId,
    /// Verified headers by height, the newest always among them, none more than `retain_heights` below it.
    pub(crate) headers: BTreeMap<u64, Trusted>,
    /// The newest verified header.
    head: Trusted,
    frozen: bool,
    form: PhantomData<F>,
}

impl<F: Form> Client<F> {
    /// A client that trusts the header at the anchor, whose update (the header's RLP, or with a validator contract
    /// what [`encode_update`] makes) is given.
    ///
    /// # Errors
    /// [`BftError`] when the configuration cannot work, when the header is not the one that the anchor pins, when
    /// it cannot be a header of this family, or when its own validators did not seal it.
    pub fn new(config: Config, anchor_update: &[u8]) -> Result<Self, BftError> {
        config.validate::<F>()?;
        let update = Update::<F>::decode(anchor_update, config.validator_contract.as_ref())?;
        let (height, got, expected) = (update.header.number, update.header.block_hash(), config.anchor.hash);
        if height != config.anchor.height {
            return Err(TrustError::AnchorHeight { got: height, expected: config.anchor.height }.into());
        }
        if got != expected {
            return Err(TrustError::AnchorHash { height, got, expected }.into());
        }
        let anchor = Candidate::new(update, &config)?;
        // The hash alone is what a person pinned; a block that was never sealed is a mistake of theirs to catch.
        verify::check_sealed(None, &anchor)?;
        let head = trusted_from(&anchor, anchor.validators.as_slice().into())?;
        let headers = BTreeMap::from([(head.height, head.clone())]);
        Ok(Self { instance: config.instance(F::FAMILY), config, headers, head, frozen: false, form: PhantomData })
    }

    /// Decodes an update of this chain.
    fn decode<'a>(&self, update: &'a [u8]) -> Result<Update<'a, F>, BftError> {
        Update::decode(update, self.config.validator_contract.as_ref())
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The newest verified validator set, in ascending order.
    #[must_use]
    pub fn validators(&self) -> &[Address] {
        &self.head.validators
    }

    /// Lowest height that is kept, or may be filled in.
    fn lowest_retained(&self) -> u64 {
        let below = u64::from(self.config.trust.retain_heights).saturating_sub(1);
        self.head.height.saturating_sub(below)
    }

    fn verified(&self, trusted: &Trusted) -> Verified<Header> {
        Verified::new(
            self.instance,
            Header { height: trusted.height, hash: trusted.hash, timestamp: trusted.timestamp(), root: trusted.root },
        )
    }

    /// The verified header at `height`, and the router and the value of the path's slot in its state.
    fn slot_at(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<(&Trusted, Account, Option<Hash32>), BftError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        if path.is_empty() || path.len() > MAX_PATH_BYTES {
            return Err(BftError::PathLength { got_bytes: path.len() });
        }
        let trusted = self.headers.get(&height).ok_or(BftError::HeightUnknown { height })?;
        let router = Address(self.config.router);
        let slot = commitment_slot(path, &self.config.commitment_slot);
        let (account, value) = StorageProof::decode(proof)?.verify(&trusted.root, &router, &slot)?;
        if account.code_hash == EMPTY_CODE_HASH {
            return Err(BftError::RouterCode { router, height });
        }
        Ok((trusted, account, value.map(Hash32)))
    }

    fn check_membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, BftError> {
        let expected = Hash32::from_slice(value).ok_or(BftError::ValueLength { got_bytes: value.len() })?;
        if expected == Hash32([0; 32]) {
            return Err(BftError::ValueZero);
        }
        let (trusted, _, got) = self.slot_at(height, path, proof)?;
        let got = got.ok_or(BftError::ValueAbsent { height, expected })?;
        if got != expected {
            return Err(BftError::ValueMismatch { got, expected });
        }
        let (timestamp, value) = (trusted.timestamp(), value.to_vec());
        Ok(Verified::new(self.instance, Membership { height, timestamp, path: path.to_vec(), value }))
    }

    fn check_absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, BftError> {
        match self.slot_at(height, path, proof)? {
            (_, _, Some(got)) => Err(BftError::ValuePresent { height, got }),
            (_, account, None) if account.storage_root == EMPTY_ROOT => {
                Err(BftError::RouterEmpty { router: Address(self.config.router), height })
            }
            (trusted, _, None) => {
                let timestamp = trusted.timestamp();
                Ok(Verified::new(self.instance, Absence { height, timestamp, path: path.to_vec() }))
            }
        }
    }
}

/// What is kept of a header that has been verified.
fn trusted_from<F: Form>(candidate: &Candidate<'_, F>, validators: ValidatorSet) -> Result<Trusted, BftError> {
    let header = &candidate.header;
    Ok(Trusted {
        height: header.number,
        hash: header.block_hash(),
        parent_hash: header.parent_hash,
        time_seconds: header.time_seconds,
        root: Root::new(header.state_root.as_bytes()).ok_or(BftError::ZeroStateRoot)?,
        validators,
        vote: header.extra.vote,
    })
}

impl<F: Form> LightClient for Client<F> {
    fn status(&self) -> Status {
        Status {
            family: F::FAMILY,
            instance: self.instance,
            chain_id: self.config.chain_id.clone(),
            trusted_height: self.head.height,
            trusted_hash: self.head.hash,
            trusted_timestamp: self.head.timestamp(),
            provable_height: self.head.height,
            expires_at: self.config.trust.expires_at(self.head.timestamp()),
            validators: self.head.validators.len(),
            frozen: self.frozen,
        }
    }

    fn advance(&mut self, update: &[u8], now: Timestamp) -> Verdict {
        self.judge(update, now).unwrap_or_else(|error| Verdict::Rejected(error.into()))
    }

    fn header(&self, height: u64) -> Option<Verified<Header>> {
        if self.frozen {
            return None;
        }
        self.headers.get(&height).map(|trusted| self.verified(trusted))
    }

    fn membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, Rejection> {
        Ok(self.check_membership(height, path, value, proof)?)
    }

    fn absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, Rejection> {
        Ok(self.check_absence(height, path, proof)?)
    }

    fn misbehaviour(&self, first: &[u8], second: &[u8], now: Timestamp) -> Result<Misbehaviour, Rejection> {
        Ok(self.check_evidence(first, second, now)?)
    }

    fn save(&self) -> Vec<u8> {
        self.encode_state()
    }
}
