//! IBFT 2.0, as Besu runs it.
//!
//! The rules are those of [`crate::bft`], which QBFT shares: a quorum of `ceil(2n/3)` distinct seals, validators in the
//! header that change by votes, a proposer among them (whose turn it was is not judged: rounds may have been skipped,
//! and Besu's validation of headers does not ask either), difficulty 1 and the mix hash of Istanbul consensus. This
//! module has what differs: how the extra data is written, what the hashes are made of, and that a nonce of zero and
//! no ommers are demanded (`IbftBlockHeaderValidationRulesetFactory` of Besu).
//!
//! No vote is the empty string, a vote to drop has a zero byte, and the round always has four bytes. The hashes are
//! made without what they leave out: the block hash of `[vanity, validators, vote]`, what validators sign of
//! `[vanity, validators, vote, round]` (`IbftExtraDataCodec` and `BftBlockHashing` of Besu). Block 0 is hashed as it
//! stands.
//!
//! A contract that keeps the validators is not part of IBFT 2.0 (`LC-IBFT2-003`): of QB-01 to QB-15 that leaves of
//! QB-10 that a header without validators is refused. Codes of shared rules start with `LC-QBFT`.

use crate::bft::{self, Client};

mod decode;
mod verify;

#[cfg(test)]
use crate::testing::Encoding;
#[cfg(test)]
#[path = "../bft/tests/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "both families pass the same cases")]
mod shared;
#[cfg(test)]
mod tests;

pub use bft::{
    commitment_slot, Ballot, BftError as Ibft2Error, Config, Extra, Field, ValidatorVote, BROKEN_LINK, BROKEN_TIME,
    DOUBLE_SEAL, MAX_CHAIN_ID_BYTES, MAX_HEADER_BYTES, MAX_PATH_BYTES, MAX_VALIDATORS, MIN_FAULT_TOLERANT,
    SAVED_HEADERS,
};
pub use decode::Ibft2Form;

use crate::verdict::Hash32;

/// A light client of one IBFT 2.0 chain.
pub type Ibft2 = Client<Ibft2Form>;

/// An IBFT 2.0 header that has been decoded, and not yet verified.
pub type RawHeader<'a> = bft::RawHeader<'a, Ibft2Form>;

/// The block hash of a header, given as the chain has it. It says nothing of whether the header is sealed.
///
/// # Errors
/// [`Ibft2Error`] when the bytes are not one header in its one encoding.
pub fn block_hash(rlp: &[u8]) -> Result<Hash32, Ibft2Error> {
    bft::block_hash::<Ibft2Form>(rlp)
}

/// What the cases of both families are run with in this one.
#[cfg(test)]
const ENCODING: Encoding = Encoding::Ibft2;
#[cfg(test)]
type Tested = Ibft2;
#[cfg(test)]
type TestedForm = Ibft2Form;
