//! How IBFT 2.0 writes votes and rounds (Besu's `IbftExtraDataCodec`).

use alloc::vec::Vec;

use super::verify;
use crate::bft::sealed::Sealed;
use crate::bft::{at_field, Ballot, BftError, Field, Form, RawHeader, ValidatorVote};
use crate::crypto::Address;
use crate::rlp::{put_bytes, Item, Kind, RlpError};
use crate::verdict::Family;

/// The form of IBFT 2.0 headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ibft2Form;

impl Sealed for Ibft2Form {}

impl Form for Ibft2Form {
    const FAMILY: Family = Family::Ibft2;
    const CONTRACT_MODE: bool = false;
    /// Besu's `BftBlockHashing` leaves the extra data of block 0 alone, the round and the empty seals in it included.
    const GENESIS_AS_IT_STANDS: bool = true;

    fn decode_vote(item: Item<'_>) -> Result<Option<ValidatorVote>, BftError> {
        let at = at_field(Field::Vote);
        if item.kind() == Kind::Bytes {
            let got = item.bytes().map_err(&at)?.len();
            // The empty string is no vote, and no other string is one.
            return if got == 0 { Ok(None) } else { Err(at(RlpError::WrongLength { got, expected: 0 })) };
        }
        let [candidate, ballot] = item.exactly::<2>().map_err(&at)?;
        let candidate = Address(candidate.array().map_err(&at)?);
        let ballot = match ballot.bytes().map_err(&at)? {
            [0xff] => Ballot::Add,
            [0] => Ballot::Drop,
            other => return Err(BftError::VoteType { first: other.first().copied().unwrap_or_default() }),
        };
        Ok(Some(ValidatorVote { candidate, ballot }))
    }

    fn decode_round(item: Item<'_>) -> Result<u32, BftError> {
        item.array().map(u32::from_be_bytes).map_err(at_field(Field::Round))
    }

    fn put_block_tail(_: &mut Vec<u8>) {}

    fn put_seal_tail(out: &mut Vec<u8>, round: u32) {
        put_bytes(out, &round.to_be_bytes());
    }

    fn check_constants(header: &RawHeader<'_, Self>) -> Result<(), BftError> {
        verify::check_constants(header)
    }
}
