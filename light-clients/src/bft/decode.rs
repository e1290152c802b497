//! Headers from bytes.
//!
//! An update is the RLP of one header exactly as the chain has it, seals and round included. Its fields are kept as
//! slices of those bytes, whatever comes after the known ones too (a fork adds fields and none of them may get
//! lost): a header rebuilt from a fixed structure hashes to something else after the next fork.
//!
//! The extra data is RLP `[vanity, [validator…], vote, round, [seal…]]` (EIP-650, and the QBFT specification): vanity
//! of 32 bytes, addresses of 20, seals of 65. How a vote and a round are written, and what of them is under which
//! hash, is the family's ([`Form`]). Two hashes are made of a header, both without seals: the block hash says nothing
//! of the round, what the validators sign does.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::types::{at_field, BftError, Field, ValidatorVote, MAX_VALIDATORS};
use super::Form;
use crate::crypto::secp256k1::SIGNATURE_BYTES;
use crate::crypto::{keccak256, Address};
use crate::rlp::{encoded_len, put_header, put_list, Item, Kind, RlpError};
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
const OMMERS_HASH: usize = 1;
const COINBASE: usize = 2;
const STATE_ROOT: usize = 3;
const DIFFICULTY: usize = 7;
const NUMBER: usize = 8;
const TIME: usize = 11;
const EXTRA: usize = 12;
const MIX_HASH: usize = 13;
const NONCE: usize = 14;

/// Position of the round in the extra data.
const ROUND: usize = 3;

/// Fields that are strings of a fixed length and not used here: transactions root, receipts root, bloom.
const FIXED_FIELDS: [(usize, usize); 3] = [(4, 32), (5, 32), (6, 256)];

/// Fields that are numbers and not used here: gas limit and gas used.
const NUMBER_FIELDS: [usize; 2] = [9, 10];

/// The extra data of a header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extra<'a> {
    /// Who may propose and seal this header, in the order of the header; none when they are kept in a contract.
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
pub struct RawHeader<'a, F> {
    /// Block hash of the header below.
    pub parent_hash: Hash32,
    /// Hash of the ommers.
    pub ommers_hash: Hash32,
    /// The proposer.
    pub coinbase: Address,
    /// Root of the state after this block.
    pub state_root: Hash32,
    /// Difficulty: 1 in these families.
    pub difficulty: u64,
    /// Height.
    pub number: u64,
    /// Time in seconds since 1970.
    pub time_seconds: u64,
    /// Mix hash: a constant in these families.
    pub mix_hash: Hash32,
    /// Nonce.
    pub nonce: [u8; 8],
    /// The extra data.
    pub extra: Extra<'a>,
    /// The encoded fields before the extra data.
    before_extra: &'a [u8],
    /// The encoded fields after the extra data, known or not.
    after_extra: &'a [u8],
    /// The header as it was given.
    encoded: &'a [u8],
    form: PhantomData<F>,
}

impl<'a, F: Form> RawHeader<'a, F> {
    /// Decodes one header.
    ///
    /// # Errors
    /// [`BftError::HeaderTooLong`], [`BftError::FieldCount`], or [`BftError::Rlp`] with the field at fault, and
    /// what the family's form says of votes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BftError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(BftError::HeaderTooLong { got_bytes: bytes.len(), max_bytes: MAX_HEADER_BYTES });
        }
        let list = Item::decode(bytes).map_err(at_field(Field::Header))?;
        let fields = list.items(MAX_FIELDS).map_err(at_field(Field::Header))?;
        if fields.len() < MIN_FIELDS {
            return Err(BftError::FieldCount { got: fields.len(), min: MIN_FIELDS });
        }
        check_unused(&fields)?;
        let extra: &[u8] = read(&fields, EXTRA, Item::bytes)?;
        let (before_extra, _) = split_after(list.payload(), fields.get(..EXTRA));
        let (_, after_extra) = split_after(list.payload(), fields.get(..=EXTRA));
        Ok(Self {
            parent_hash: Hash32(read(&fields, PARENT_HASH, Item::array)?),
            ommers_hash: Hash32(read(&fields, OMMERS_HASH, Item::array)?),
            coinbase: Address(read(&fields, COINBASE, Item::array)?),
            state_root: Hash32(read(&fields, STATE_ROOT, Item::array)?),
            difficulty: read(&fields, DIFFICULTY, Item::uint)?,
            number: read(&fields, NUMBER, Item::uint)?,
            time_seconds: read(&fields, TIME, Item::uint)?,
            mix_hash: Hash32(read(&fields, MIX_HASH, Item::array)?),
            nonce: read(&fields, NONCE, Item::array)?,
            extra: Extra::decode::<F>(extra)?,
            before_extra,
            after_extra,
            encoded: bytes,
            form: PhantomData,
        })
    }

    /// The block hash, which the header above names as its parent: no seals, and no round.
    #[must_use]
    pub fn block_hash(&self) -> Hash32 {
        if F::GENESIS_AS_IT_STANDS && self.number == 0 {
            return keccak256(&[self.encoded]);
        }
        self.hash_with_tail(F::put_block_tail)
    }

    /// What the validators seal: no seals, and the round.
    #[must_use]
    pub fn seal_hash(&self) -> Hash32 {
        self.hash_with_tail(|out| F::put_seal_tail(out, self.extra.round))
    }

    fn hash_with_tail(&self, put_tail: impl FnOnce(&mut Vec<u8>)) -> Hash32 {
        let extra = self.extra.with_tail(put_tail);
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
    fn decode<F: Form>(bytes: &'a [u8]) -> Result<Self, BftError> {
        let list = Item::decode(bytes).map_err(at_field(Field::Extra))?;
        let items = list.exactly::<5>().map_err(at_field(Field::Extra))?;
        let [vanity, validators, vote, round, seals] = items;
        vanity.array::<VANITY_BYTES>().map_err(at_field(Field::Vanity))?;
        let (before_round, _) = split_after(list.payload(), items.get(..ROUND));
        Ok(Self {
            validators: decode_validators(validators)?,
            vote: F::decode_vote(vote)?,
            round: F::decode_round(round)?,
            seals: decode_seals(seals)?,
            before_round,
        })
    }

    /// The extra data up to the vote, and then what the family puts under a hash.
    fn with_tail(&self, put_tail: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut payload = self.before_round.to_vec();
        put_tail(&mut payload);
        let mut out = Vec::with_capacity(encoded_len(payload.len()));
        put_list(&mut out, &payload);
        out
    }
}

fn decode_validators(item: Item<'_>) -> Result<Vec<Address>, BftError> {
    let items = item.items(MAX_VALIDATORS).map_err(at_field(Field::Validators))?;
    items.iter().map(|item| item.array().map(Address)).collect::<Result<_, _>>().map_err(at_field(Field::Validators))
}

fn decode_seals<'a>(item: Item<'a>) -> Result<Vec<&'a [u8; SIGNATURE_BYTES]>, BftError> {
    let items = item.items(MAX_VALIDATORS).map_err(at_field(Field::Seals))?;
    let seal = |item: &Item<'a>| {
        let bytes = item.bytes()?;
        bytes.try_into().map_err(|_| RlpError::WrongLength { got: bytes.len(), expected: SIGNATURE_BYTES })
    };
    items.iter().map(seal).collect::<Result<_, _>>().map_err(at_field(Field::Seals))
}

/// Checks the fields that are not used here: what is known of them, and that the others are strings, so that no
/// list with bytes of another encoding can hide in one.
fn check_unused(fields: &[Item<'_>]) -> Result<(), BftError> {
    for (position, length) in FIXED_FIELDS {
        let bytes: &[u8] = read(fields, position, Item::bytes)?;
        if bytes.len() != length {
            let error = RlpError::WrongLength { got: bytes.len(), expected: length };
            return Err(BftError::Rlp { field: Field::Position(position), error });
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
) -> Result<T, BftError> {
    let item = fields.get(position).ok_or(BftError::FieldCount { got: fields.len(), min: MIN_FIELDS })?;
    reader(item).map_err(at_field(Field::Position(position)))
}

/// Splits the payload of a list behind its first items.
fn split_after<'a>(payload: &'a [u8], items: Option<&[Item<'a>]>) -> (&'a [u8], &'a [u8]) {
    let bytes = items.unwrap_or_default().iter().fold(0usize, |sum, item| sum.saturating_add(item.raw().len()));
    payload.split_at_checked(bytes).unwrap_or((payload, &[]))
}
