//! QBFT with the validator list in the header, as GoQuorum and Besu run it.
//!
//! An update is the RLP of one header exactly as the chain has it ([`RawHeader`]). What is checked, in order, is in
//! the `verify` module.
//!
//! # Why every header is bound to the one below it
//!
//! A QBFT header carries no chain id, and seals say only who signed. A test network and a production network run
//! with the same validator keys, or a chain that was started again from another genesis, produce headers with valid
//! seals for one another. Signatures cannot tell them apart; the parent hash can, since it leads back to the pinned
//! anchor. So by default a header is trusted only as the child of a trusted one (`LC-QBFT-015` when it is not), and
//! one further ahead answers [`Verdict::NeedsIntermediate`].
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
//! Nothing. Headers are bounded in bytes, fields and validators before work is done on them; verified headers are
//! kept for `retain_heights` heights below the newest one; a refused update leaves no trace. A header that is not
//! the child of a trusted one costs one hash; to make us check its seals it must name a trusted parent.
//!
//! # Cases that do not apply
//!
//! Of QB-01 to QB-15: QB-01 is in [`crate::quorum`]; QB-09 applies in one direction (bytes of IBFT2 given to this
//! decoder), since IBFT2 is not a family yet; QB-10 as far as a header without validators is refused, since sets
//! kept in contracts are not supported.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::crypto::{keccak256, Address};
use crate::proof::mpt::{Account, StorageProof, EMPTY_CODE_HASH, EMPTY_ROOT};
use crate::trust::TrustError;
use crate::verdict::{
    Absence, Family, Hash32, Header, InstanceId, LightClient, Membership, Misbehaviour, Rejection, Root, Status,
    Timestamp, Verdict, Verified,
};

mod advance;
mod decode;
mod misbehaviour;
mod state;
mod types;
mod verify;

#[cfg(test)]
mod tests;

pub use decode::{Extra, RawHeader, MAX_HEADER_BYTES};
pub use state::SAVED_HEADERS;
pub use types::{
    Ballot, Config, Field, QbftError, ValidatorVote, BROKEN_LINK, BROKEN_TIME, DOUBLE_SEAL, MAX_CHAIN_ID_BYTES,
    MAX_PATH_BYTES, MAX_VALIDATORS, MIN_FAULT_TOLERANT,
};

use types::{Trusted, ValidatorSet};

/// The block hash of a header, given as the chain has it. It says nothing of whether the header is sealed.
///
/// # Errors
/// [`QbftError`] when the bytes are not one header in its one encoding.
pub fn block_hash(rlp: &[u8]) -> Result<Hash32, QbftError> {
    Ok(RawHeader::decode(rlp)?.block_hash())
}

/// The storage slot of a path's commitment: keccak256(keccak256(path) ‖ base), as Solidity places mappings.
#[must_use]
pub fn commitment_slot(path: &[u8], base: &[u8; 32]) -> [u8; 32] {
    keccak256(&[keccak256(&[path]).as_bytes(), base]).0
}

/// A light client of one QBFT chain.
#[derive(Clone, Debug)]
pub struct Qbft {
    config: Config,
    instance: InstanceId,
    /// Verified headers by height, the newest always among them, none more than `retain_heights` below it.
    headers: BTreeMap<u64, Trusted>,
    /// The newest verified header.
    head: Trusted,
    frozen: bool,
}

impl Qbft {
    /// A client that trusts the header at the anchor, whose RLP is given.
    ///
    /// # Errors
    /// [`QbftError`] when the configuration cannot work, when the header is not the one that the anchor pins, when
    /// it cannot be a header of this family, or when its own validators did not seal it.
    pub fn new(config: Config, anchor_header_rlp: &[u8]) -> Result<Self, QbftError> {
        config.validate()?;
        let header = RawHeader::decode(anchor_header_rlp)?;
        let (got, expected) = (header.block_hash(), config.anchor.hash);
        if header.number != config.anchor.height {
            return Err(TrustError::AnchorHeight { got: header.number, expected: config.anchor.height }.into());
        }
        if got != expected {
            return Err(TrustError::AnchorHash { height: header.number, got, expected }.into());
        }
        verify::check_form(&header, &config.trust)?;
        // The hash alone is what a person pinned; a block that was never sealed is a mistake of theirs to catch.
        verify::check_seals(&header.extra.validators, &header)?;
        let head = trusted_from(&header, header.extra.validators.as_slice().into())?;
        let headers = BTreeMap::from([(head.height, head.clone())]);
        Ok(Self { instance: instance_of(&config), config, headers, head, frozen: false })
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
    fn slot_at(
        &self,
        height: u64,
        path: &[u8],
        proof: &[u8],
    ) -> Result<(&Trusted, Account, Option<Hash32>), QbftError> {
        if self.frozen {
            return Err(TrustError::Frozen.into());
        }
        if path.is_empty() || path.len() > MAX_PATH_BYTES {
            return Err(QbftError::PathLength { got_bytes: path.len() });
        }
        let trusted = self.headers.get(&height).ok_or(QbftError::HeightUnknown { height })?;
        let router = Address(self.config.router);
        let slot = commitment_slot(path, &self.config.commitment_slot);
        let (account, value) = StorageProof::decode(proof)?.verify(&trusted.root, &router, &slot)?;
        if account.code_hash == EMPTY_CODE_HASH {
            return Err(QbftError::RouterCode { router, height });
        }
        Ok((trusted, account, value.map(Hash32)))
    }

    fn check_membership(
        &self,
        height: u64,
        path: &[u8],
        value: &[u8],
        proof: &[u8],
    ) -> Result<Verified<Membership>, QbftError> {
        let expected = Hash32::from_slice(value).ok_or(QbftError::ValueLength { got_bytes: value.len() })?;
        if expected == Hash32([0; 32]) {
            return Err(QbftError::ValueZero);
        }
        let (trusted, _, got) = self.slot_at(height, path, proof)?;
        let got = got.ok_or(QbftError::ValueAbsent { height, expected })?;
        if got != expected {
            return Err(QbftError::ValueMismatch { got, expected });
        }
        let (timestamp, value) = (trusted.timestamp(), value.to_vec());
        Ok(Verified::new(self.instance, Membership { height, timestamp, path: path.to_vec(), value }))
    }

    fn check_absence(&self, height: u64, path: &[u8], proof: &[u8]) -> Result<Verified<Absence>, QbftError> {
        match self.slot_at(height, path, proof)? {
            (_, _, Some(got)) => Err(QbftError::ValuePresent { height, got }),
            (_, account, None) if account.storage_root == EMPTY_ROOT => {
                Err(QbftError::RouterEmpty { router: Address(self.config.router), height })
            }
            (trusted, _, None) => {
                let timestamp = trusted.timestamp();
                Ok(Verified::new(self.instance, Absence { height, timestamp, path: path.to_vec() }))
            }
        }
    }
}

/// The instance that a configuration stands for.
fn instance_of(config: &Config) -> InstanceId {
    let store = [config.router.as_slice(), config.commitment_slot.as_slice()].concat();
    InstanceId::new(Family::Qbft, &config.chain_id, (config.anchor.height, config.anchor.hash), &store)
}

/// What is kept of a header that has been verified.
fn trusted_from(header: &RawHeader<'_>, validators: ValidatorSet) -> Result<Trusted, QbftError> {
    Ok(Trusted {
        height: header.number,
        hash: header.block_hash(),
        parent_hash: header.parent_hash,
        time_seconds: header.time_seconds,
        root: Root::new(header.state_root.as_bytes()).ok_or(QbftError::ZeroStateRoot)?,
        validators,
        vote: header.extra.vote,
    })
}

impl LightClient for Qbft {
    fn status(&self) -> Status {
        Status {
            family: Family::Qbft,
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
