//! Headers from bytes.
//!
//! An update is the RLP of one header exactly as the chain has it, seals and round included. Its fields are kept as
//! slices of those bytes, whatever comes after the known ones too (a fork adds fields and none of them may get
//! lost): a header rebuilt from a fixed structure hashes to something else after the next fork.
//!
//! The extra data is RLP `[vanity, [validator…], vote, round, [seal…]]` (EIP-650, QBFT specification): vanity
//! of 32 bytes, addresses of 20, a vote that is `[]` or `[candidate, 0xff | ""]`, a round without leading zeros,
//! seals of 65 bytes. Two hashes are made of a header, both without seals: the block hash has round 0, what the
//! validators sign has the real round.

use alloc::vec::Vec;

use super::types::{Ballot, Field, QbftError, ValidatorVote, MAX_VALIDATORS};
use crate::crypto::secp256k1::SIGNATURE_BYTES;
use crate::crypto::{keccak256, Address};
use crate::rlp::{encoded_len, put_header, put_list, put_uint, Item, Kind, RlpError};
use crate::verdict::Hash32;

/// Longest header that is looked at: [`MAX_VALIDATORS`] addresses and seals (22,784 bytes), a bloom and thirty
/// other fields fit with room to spare.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Fields of a header before any fork added one (Yellow Paper, section 4.3).
const MIN_FIELDS: usize = 15;

/// Most fields that are looked at; the newest fork has 23.
const MAX_FIELDS: usize = 40;

/// Bytes of vanity before the validators.
const VANITY_BYTES: usize = 32;

/// Positions of header fields (Yellow Paper, section 4.3).
const PARENT_HASH: usize = 0;
const COINBASE: usize = 2;
const STATE_ROOT: usize = 3;
const DIFFICULTY: usize = 7;
const NUMBER: usize = 8;
const TIME: usize = 11;
const EXTRA: usize = 12;
const MIX_HASH: usize = 13;

/// Position of the round in the extra data.
const ROUND: usize = 3;

/// Fields that are strings of a fixed length: ommers hash, transactions root, receipts root, bloom, nonce.
const FIXED_FIELDS: [(usize, usize); 5] = [(1, 32), (4, 32), (5, 32), (6, 256), (14, 8)];

/// Fields that are numbers and not used here: gas limit and gas used.
const NUMBER_FIELDS: [usize; 2] = [9, 10];

/// The extra data of a header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extra<'a> {
    /// Who may propose and seal this header, in the order of the header.
    pub validators: Vec<Address>,
    /// The proposer's vote, if any.
    pub vote: Option<ValidatorVote>,
    /// The round in which the header was sealed.
    pub round: u32,
    /// Commit seals, each r ‖ s ‖ v.
    pub seals: Vec<&'a [u8; SIGNATURE_BYTES]>,
    /// Vanity, validators and vote as they stand in the header.
    before_round: &'a [u8],
}

/// A header that has been decoded, and not yet verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawHeader<'a> {
    /// Block hash of the header below.
    pub parent_hash: Hash32,
    /// The proposer.
    pub coinbase: Address,
    /// Root of the state after this block.
    pub state_root: Hash32,
    /// Difficulty: 1 in QBFT.
    pub difficulty: u64,
    /// Height.
    pub number: u64,
    /// Time in seconds since 1970.
    pub time_seconds: u64,
    /// Mix hash: a constant in QBFT.
    pub mix_hash: Hash32,
    /// The extra data.
    pub extra: Extra<'a>,
    /// The encoded fields before the extra data.
    before_extra: &'a [u8],
    /// The encoded fields after the extra data, known or not.
    after_extra: &'a [u8],
}

impl<'a> RawHeader<'a> {
    /// Decodes one header.
    ///
    /// # Errors
    /// [`QbftError::HeaderTooLong`], [`QbftError::FieldCount`], or [`QbftError::Rlp`] with the field at fault, and
    /// [`QbftError::VoteType`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, QbftError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(QbftError::HeaderTooLong { got_bytes: bytes.len(), max_bytes: MAX_HEADER_BYTES });
        }
        let list = Item::decode(bytes).map_err(at(Field::Header))?;
        let fields = list.items(MAX_FIELDS).map_err(at(Field::Header))?;
        if fields.len() < MIN_FIELDS {
            return Err(QbftError::FieldCount { got: fields.len(), min: MIN_FIELDS });
        }
        check_unused(&fields)?;
        let extra: &[u8] = read(&fields, EXTRA, Item::bytes)?;
        let (before_extra, _) = split_after(list.payload(), fields.get(..EXTRA));
        let (_, after_extra) = split_after(list.payload(), fields.get(..=EXTRA));
        Ok(Self {
            parent_hash: Hash32(read(&fields, PARENT_HASH, Item::array)?),
            coinbase: Address(read(&fields, COINBASE, Item::array)?),
            state_root: Hash32(read(&fields, STATE_ROOT, Item::array)?),
            difficulty: read(&fields, DIFFICULTY, Item::uint)?,
            number: read(&fields, NUMBER, Item::uint)?,
            time_seconds: read(&fields, TIME, Item::uint)?,
            mix_hash: Hash32(read(&fields, MIX_HASH, Item::array)?),
            extra: Extra::decode(extra)?,
            before_extra,
            after_extra,
        })
    }

    /// The block hash, which the header above names as its parent: no seals, round 0.
    #[must_use]
    pub fn block_hash(&self) -> Hash32 {
        self.hash_with_round(0)
    }

    /// What the validators seal: no seals, the real round.
    #[must_use]
    pub fn seal_hash(&self) -> Hash32 {
        self.hash_with_round(self.extra.round)
    }

    fn hash_with_round(&self, round: u32) -> Hash32 {
        let extra = self.extra.without_seals(round);
        let (mut header, mut extra_header) = (Vec::new(), Vec::new());
        let payload_bytes = [self.before_extra.len(), encoded_len(extra.len()), self.after_extra.len()]
            .iter()
            .fold(0usize, |sum, bytes| sum.saturating_add(*bytes));
        put_header(&mut header, Kind::List, payload_bytes);
        put_header(&mut extra_header, Kind::Bytes, extra.len());
        keccak256(&[&header, self.before_extra, &extra_header, &extra, self.after_extra])
    }
}

impl<'a> Extra<'a> {
    /// Decodes the extra data of a header.
    fn decode(bytes: &'a [u8]) -> Result<Self, QbftError> {
        let list = Item::decode(bytes).map_err(at(Field::Extra))?;
        let items = list.exactly::<5>().map_err(at(Field::Extra))?;
        let [vanity, validators, vote, round, seals] = items;
        vanity.array::<VANITY_BYTES>().map_err(at(Field::Vanity))?;
        let (before_round, _) = split_after(list.payload(), items.get(..ROUND));
        Ok(Self {
            validators: decode_validators(validators)?,
            vote: decode_vote(vote)?,
            round: decode_round(round)?,
            seals: decode_seals(seals)?,
            before_round,
        })
    }

    /// The extra data without seals and with `round`.
    fn without_seals(&self, round: u32) -> Vec<u8> {
        let mut tail = Vec::new();
        put_uint(&mut tail, u64::from(round));
        put_list(&mut tail, &[]);
        let mut payload = Vec::with_capacity(self.before_round.len().saturating_add(tail.len()));
        payload.extend_from_slice(self.before_round);
        payload.extend_from_slice(&tail);
        let mut out = Vec::with_capacity(encoded_len(payload.len()));
        put_list(&mut out, &payload);
        out
    }
}

fn decode_validators(item: Item<'_>) -> Result<Vec<Address>, QbftError> {
    let items = item.items(MAX_VALIDATORS).map_err(at(Field::Validators))?;
    items.iter().map(|item| item.array().map(Address)).collect::<Result<_, _>>().map_err(at(Field::Validators))
}

fn decode_vote(item: Item<'_>) -> Result<Option<ValidatorVote>, QbftError> {
    if item.items(2).map_err(at(Field::Vote))?.is_empty() {
        return Ok(None);
    }
    let [candidate, ballot] = item.exactly::<2>().map_err(at(Field::Vote))?;
    let candidate = Address(candidate.array().map_err(at(Field::Vote))?);
    let ballot = match ballot.bytes().map_err(at(Field::Vote))? {
        [0xff] => Ballot::Add,
        [] => Ballot::Drop,
        other => return Err(QbftError::VoteType { first: other.first().copied().unwrap_or_default() }),
    };
    Ok(Some(ValidatorVote { candidate, ballot }))
}

fn decode_round(item: Item<'_>) -> Result<u32, QbftError> {
    let digits = item.number(4).map_err(at(Field::Round))?;
    Ok(digits.iter().fold(0, |round, byte| (round << 8) | u32::from(*byte)))
}

fn decode_seals<'a>(item: Item<'a>) -> Result<Vec<&'a [u8; SIGNATURE_BYTES]>, QbftError> {
    let items = item.items(MAX_VALIDATORS).map_err(at(Field::Seals))?;
    let seal = |item: &Item<'a>| {
        let bytes = item.bytes()?;
        bytes.try_into().map_err(|_| RlpError::WrongLength { got: bytes.len(), expected: SIGNATURE_BYTES })
    };
    items.iter().map(seal).collect::<Result<_, _>>().map_err(at(Field::Seals))
}

/// Checks the fields that are not used here: what is known of them, and that the others are strings, so that no
/// list with bytes of another encoding can hide in one.
fn check_unused(fields: &[Item<'_>]) -> Result<(), QbftError> {
    for (position, length) in FIXED_FIELDS {
        let bytes: &[u8] = read(fields, position, Item::bytes)?;
        if bytes.len() != length {
            let error = RlpError::WrongLength { got: bytes.len(), expected: length };
            return Err(QbftError::Rlp { field: Field::Position(position), error });
        }
    }
    for position in NUMBER_FIELDS {
        read(fields, position, Item::uint)?;
    }
    for position in MIN_FIELDS..fields.len() {
        read(fields, position, Item::bytes)?;
    }
    Ok(())
}

/// Reads the field at `position`, which is known to be there.
fn read<'a, T>(
    fields: &[Item<'a>],
    position: usize,
    reader: impl Fn(&Item<'a>) -> Result<T, RlpError>,
) -> Result<T, QbftError> {
    let item = fields.get(position).ok_or(QbftError::FieldCount { got: fields.len(), min: MIN_FIELDS })?;
    reader(item).map_err(at(Field::Position(position)))
}

/// Names the field in which an encoding is wrong.
fn at(field: Field) -> impl Fn(RlpError) -> QbftError {
    move |error| QbftError::Rlp { field, error }
}

/// Splits the payload of a list behind its first items.
fn split_after<'a>(payload: &'a [u8], items: Option<&[Item<'a>]>) -> (&'a [u8], &'a [u8]) {
    let bytes = items.unwrap_or_default().iter().fold(0usize, |sum, item| sum.saturating_add(item.raw().len()));
    payload.split_at_checked(bytes).unwrap_or((payload, &[]))
}
