//! QBFT, as GoQuorum and Besu run it: with the validator list in the header, or (Besu's contract mode) in a contract.
//!
//! The rules are those of [`crate::bft`], which IBFT 2.0 shares; this module has how QBFT writes its extra data. No vote
//! is an empty list, a vote to drop has the empty string, the round is a number without leading zeros, and the hashes
//! of a header are made with an empty list of seals, the block hash with round 0. Nonce and ommers are not judged:
//! Besu's QBFT rules ignore them.
//!
//! An update is the RLP of one header exactly as the chain has it ([`RawHeader`]). With a validator contract it is the
//! header with its parent and the proof of its validators ([`encode_update`]): the lists in the headers must then be
//! empty, and so must the votes (`QbftValidatorsValidationRule` of Besu).
//!
//! # Cases that do not apply
//!
//! Of QB-01 to QB-15 all apply; QB-01 is in [`crate::quorum`] as well.

use crate::bft::{self, Client};

mod decode;

#[cfg(test)]
use crate::testing::Encoding;
#[cfg(test)]
#[path = "../bft/tests/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "both families pass the same cases")]
mod shared;
#[cfg(test)]
mod tests;

pub use bft::{
    array_slots, commitment_slot, encode_update, Ballot, BftError as QbftError, Config, Extra, Field,
    ValidatorContract, ValidatorVote, BROKEN_LINK, BROKEN_TIME, DOUBLE_SEAL, MAX_CHAIN_ID_BYTES,
    MAX_CONTRACT_UPDATE_BYTES, MAX_HEADER_BYTES, MAX_PATH_BYTES, MAX_VALIDATORS, MIN_FAULT_TOLERANT, SAVED_HEADERS,
};
pub use decode::QbftForm;

use crate::verdict::Hash32;

/// A light client of one QBFT chain.
pub type Qbft = Client<QbftForm>;

/// A QBFT header that has been decoded, and not yet verified.
pub type RawHeader<'a> = bft::RawHeader<'a, QbftForm>;

/// The block hash of a header, given as the chain has it. It says nothing of whether the header is sealed.
///
/// # Errors
/// [`QbftError`] when the bytes are not one header in its one encoding.
pub fn block_hash(rlp: &[u8]) -> Result<Hash32, QbftError> {
    bft::block_hash::<QbftForm>(rlp)
}

/// The block hash of the header in an update of a chain that keeps its validators in a contract. It says nothing of
/// whether the update proves anything.
///
/// # Errors
/// [`QbftError`] when the bytes are not one update in its one encoding.
pub fn contract_update_hash(update: &[u8]) -> Result<Hash32, QbftError> {
    bft::contract_update_hash::<QbftForm>(update)
}

/// What the cases of both families are run with in this one.
#[cfg(test)]
const ENCODING: Encoding = Encoding::Qbft;
#[cfg(test)]
type Tested = Qbft;
#[cfg(test)]
type TestedForm = QbftForm;
