//! How QBFT writes votes and rounds (the QBFT specification; Besu's `QbftExtraDataCodec`).

use alloc::vec::Vec;

use crate::bft::sealed::Sealed;
use crate::bft::{at_field, Ballot, BftError, Field, Form, RawHeader, ValidatorVote};
use crate::crypto::Address;
use crate::rlp::{put_list, put_uint, Item};
use crate::verdict::Family;

/// The form of QBFT headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QbftForm;

impl Sealed for QbftForm {}

impl Form for QbftForm {
    const FAMILY: Family = Family::Qbft;
    const CONTRACT_MODE: bool = true;
    /// Block 0 has round 0 and no seals, so its bytes are what its hash is made of in either way.
    const GENESIS_AS_IT_STANDS: bool = false;

    fn decode_vote(item: Item<'_>) -> Result<Option<ValidatorVote>, BftError> {
        let at = at_field(Field::Vote);
        if item.items(2).map_err(&at)?.is_empty() {
            return Ok(None);
        }
        let [candidate, ballot] = item.exactly::<2>().map_err(&at)?;
        let candidate = Address(candidate.array().map_err(&at)?);
        let ballot = match ballot.bytes().map_err(&at)? {
            [0xff] => Ballot::Add,
            [] => Ballot::Drop,
            other => return Err(BftError::VoteType { first: other.first().copied().unwrap_or_default() }),
        };
        Ok(Some(ValidatorVote { candidate, ballot }))
    }

    fn decode_round(item: Item<'_>) -> Result<u32, BftError> {
        let digits = item.number(4).map_err(at_field(Field::Round))?;
        Ok(digits.iter().fold(0, |round, byte| (round << 8) | u32::from(*byte)))
    }

    fn put_block_tail(out: &mut Vec<u8>) {
        Self::put_seal_tail(out, 0);
    }

    fn put_seal_tail(out: &mut Vec<u8>, round: u32) {
        put_uint(out, u64::from(round));
        put_list(out, &[]);
    }

    fn check_constants(_: &RawHeader<'_, Self>) -> Result<(), BftError> {
        Ok(())
    }
}
