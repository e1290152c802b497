//! Updates as bytes: decoded strictly, bounded before work, and judged for everything that needs no trust.
//!
//! An update is the protobuf message
//!
//! ```text
//! Update {
//!   1 signed_header     tendermint.types.SignedHeader, required
//!   2 validators        tendermint.types.ValidatorSet, the set of header.validators_hash
//!   3 next_validators   tendermint.types.ValidatorSet, the set of header.next_validators_hash
//! }
//! ```
//!
//! `validators` may be left out when the light client knows the set: it remembers two, the newest verified header's
//! own set and, once it was given, the next one. So an adapter sends the set with the first update and whenever
//! [`Config`](super::Config) or the chain changed it; without it an unknown set is refused with `LC-CMT-028` and the
//! update can be sent again with the set. `next_validators` is needed only for skipping from this header. Older
//! headers, which are accepted because a trusted header links to them, need neither.
//!
//! Each part must encode back to the bytes it was decoded from. The proposer and the proposer priorities of a set
//! are not part of its hash and are ignored.

use alloc::{string::String, vec::Vec};

use prost::Message;
use prost_tendermint::Message as TendermintMessage;
use tendermint_proto::google::protobuf::Timestamp as RawTimestamp;
use tendermint_proto::v0_38::crypto::{public_key::Sum, PublicKey as RawPublicKey};
use tendermint_proto::v0_38::types::{
    BlockIdFlag, Commit as RawCommit, CommitSig as RawCommitSig, Header as RawHeader, SignedHeader as RawSignedHeader,
    Validator as RawValidator, ValidatorSet as RawValidatorSet,
};

use super::types::{CometBftError, Validator, ValidatorSet, MAX_TOTAL_POWER, MAX_VALIDATORS};
use crate::quorum;
use crate::verdict::{Hash32, Root, Timestamp};

/// Longest update that is looked at, in bytes: two sets and a commit of [`MAX_VALIDATORS`] take about 300 KiB.
pub const MAX_UPDATE_BYTES: usize = 512 * 1024;

/// Seconds of `0001-01-01T00:00:00Z`, the zero time that CometBFT writes where there is no vote.
const ZERO_TIME_SECONDS: i64 = -62_135_596_800;

/// What an update says, checked as far as no trust is needed: the commit is for exactly this header.
#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) signed_header: tendermint::block::signed_header::SignedHeader,
    /// Who voted, slot by slot.
    pub(super) votes: Vec<Vote>,
    pub(super) validators: Option<ValidatorSet>,
    pub(super) next_validators: Option<ValidatorSet>,
    pub(super) chain_id: String,
    pub(super) height: u64,
    pub(super) hash: Hash32,
    pub(super) time: Timestamp,
    pub(super) last_block: Option<Hash32>,
    pub(super) app_hash: Option<Root>,
    pub(super) validators_hash: Hash32,
    pub(super) next_validators_hash: Hash32,
}

/// One slot of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vote {
    /// No vote was received.
    Absent,
    /// A vote for no block: its signer is known, it does not count.
    Nil([u8; 20]),
    /// A vote for the block.
    Block([u8; 20]),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(bytes = "vec", tag = "1")]
    signed_header: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    validators: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    next_validators: Option<Vec<u8>>,
}

/// Joins encoded protobuf messages into an update: a `tendermint.types.SignedHeader`, and where they are sent along
/// the `tendermint.types.ValidatorSet` of its `validators_hash` and of its `next_validators_hash`.
#[must_use]
pub fn encode_update(signed_header: &[u8], validators: Option<&[u8]>, next_validators: Option<&[u8]>) -> Vec<u8> {
    let envelope = Envelope {
        signed_header: signed_header.to_vec(),
        validators: validators.map(<[u8]>::to_vec),
        next_validators: next_validators.map(<[u8]>::to_vec),
    };
    envelope.encode_to_vec()
}

/// The parts of an update, each as it was encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateParts {
    /// A `tendermint.types.SignedHeader`.
    pub signed_header: Vec<u8>,
    /// The `tendermint.types.ValidatorSet` of its `validators_hash`, where it was sent along.
    pub validators: Option<Vec<u8>>,
    /// The same of its `next_validators_hash`.
    pub next_validators: Option<Vec<u8>>,
}

/// Takes an update apart, strictly and within its bound; the parts themselves are not looked at. What
/// [`encode_update`] joins.
///
/// # Errors
/// It is too long, no update, or not the one encoding of what it decodes to.
pub fn split_update(bytes: &[u8]) -> Result<UpdateParts, CometBftError> {
    let Envelope { signed_header, validators, next_validators } = envelope(bytes)?;
    Ok(UpdateParts { signed_header, validators, next_validators })
}

fn envelope(bytes: &[u8]) -> Result<Envelope, CometBftError> {
    if bytes.len() > MAX_UPDATE_BYTES {
        return Err(CometBftError::TooLarge { got: bytes.len(), max: MAX_UPDATE_BYTES });
    }
    let envelope = Envelope::decode(bytes).map_err(|_| CometBftError::Decode { what: "update" })?;
    canonical("update", bytes, &envelope.encode_to_vec())?;
    Ok(envelope)
}

/// Decodes an update.
pub(super) fn update(bytes: &[u8]) -> Result<Update, CometBftError> {
    let envelope = envelope(bytes)?;
    // Entries are counted before anything is allocated for them.
    let mut slots = 0usize;
    for commit in fields("signed_header", &envelope.signed_header, 2)? {
        slots = slots.saturating_add(fields("signature slots", commit, 4)?.len());
    }
    count("signature slots", slots)?;
    let signed_header: RawSignedHeader = part("signed_header", &envelope.signed_header)?;
    let validators = envelope.validators.as_deref().map(|bytes| validator_set("validators", bytes)).transpose()?;
    let next_validators =
        envelope.next_validators.as_deref().map(|bytes| validator_set("next_validators", bytes)).transpose()?;
    from_raw(signed_header, validators, next_validators)
}

fn from_raw(
    raw: RawSignedHeader,
    validators: Option<ValidatorSet>,
    next_validators: Option<ValidatorSet>,
) -> Result<Update, CometBftError> {
    let header = raw.header.as_ref().ok_or(CometBftError::Malformed { what: "header" })?;
    let commit = raw.commit.as_ref().ok_or(CometBftError::Malformed { what: "commit" })?;
    let height = u64::try_from(header.height)
        .ok()
        .filter(|height| *height > 0)
        .ok_or(CometBftError::Malformed { what: "header.height" })?;
    let time = timestamp(header.time.as_ref()).ok_or(CometBftError::Malformed { what: "header.time" })?;
    let last_block = last_block(header)?;
    let validators_hash = hash("header.validators_hash", &header.validators_hash)?;
    let next_validators_hash = hash("header.next_validators_hash", &header.next_validators_hash)?;
    let app_hash = Root::new(&header.app_hash);
    let chain_id = header.chain_id.clone();
    let commit_hash = check_commit(header, commit)?;
    let votes: Result<Vec<_>, _> = commit.signatures.iter().enumerate().map(|(at, slot)| vote(at, slot)).collect();
    let votes = votes?;
    let signed_header = tendermint::block::signed_header::SignedHeader::try_from(raw)
        .map_err(|_| CometBftError::Malformed { what: "signed_header" })?;
    let computed = hash("header hash", signed_header.header.hash().as_bytes())?;
    if computed != commit_hash {
        return Err(CometBftError::CommitHash { header: computed, commit: commit_hash });
    }
    Ok(Update {
        signed_header,
        votes,
        validators,
        next_validators,
        chain_id,
        height,
        hash: computed,
        time,
        last_block,
        app_hash,
        validators_hash,
        next_validators_hash,
    })
}

fn last_block(header: &RawHeader) -> Result<Option<Hash32>, CometBftError> {
    match header.last_block_id.as_ref().map(|id| id.hash.as_slice()) {
        None | Some([]) => Ok(None),
        Some(bytes) => hash("header.last_block_id", bytes).map(Some),
    }
}

/// The commit's own fields; returns the hash that it is for.
fn check_commit(header: &RawHeader, commit: &RawCommit) -> Result<Hash32, CometBftError> {
    if commit.height != header.height {
        return Err(CometBftError::CommitHeight { commit: commit.height, header: header.height });
    }
    if commit.round < 0 {
        return Err(CometBftError::Malformed { what: "commit.round" });
    }
    let block_id = commit.block_id.as_ref().ok_or(CometBftError::Malformed { what: "commit.block_id" })?;
    let parts = block_id
        .part_set_header
        .as_ref()
        .ok_or(CometBftError::Malformed { what: "commit.block_id.part_set_header" })?;
    hash("commit.block_id.part_set_header.hash", &parts.hash)?;
    if parts.total == 0 {
        return Err(CometBftError::Malformed { what: "commit.block_id.part_set_header.total" });
    }
    hash("commit.block_id.hash", &block_id.hash)
}

fn vote(position: usize, slot: &RawCommitSig) -> Result<Vote, CometBftError> {
    let refused = |what| CometBftError::SignatureShape { position, flag: slot.block_id_flag, what };
    if slot.block_id_flag == BlockIdFlag::Absent as i32 {
        if !slot.validator_address.is_empty() {
            return Err(refused("validator_address"));
        }
        if !slot.signature.is_empty() {
            return Err(refused("signature"));
        }
        if slot.timestamp != Some(RawTimestamp { seconds: ZERO_TIME_SECONDS, nanos: 0 }) {
            return Err(refused("timestamp"));
        }
        return Ok(Vote::Absent);
    }
    let address = slot.validator_address.as_slice().try_into().map_err(|_| refused("validator_address"))?;
    if slot.signature.len() != 64 {
        return Err(refused("signature"));
    }
    if timestamp(slot.timestamp.as_ref()).is_none() {
        return Err(refused("timestamp"));
    }
    match slot.block_id_flag {
        flag if flag == BlockIdFlag::Commit as i32 => Ok(Vote::Block(address)),
        flag if flag == BlockIdFlag::Nil as i32 => Ok(Vote::Nil(address)),
        _ => Err(refused("block_id_flag")),
    }
}

/// Decodes a validator set and checks all that follows from the set alone.
fn validator_set(what: &'static str, bytes: &[u8]) -> Result<ValidatorSet, CometBftError> {
    fields("validators", bytes, 1)?;
    let raw: RawValidatorSet = part(what, bytes)?;
    let validators = raw
        .validators
        .iter()
        .enumerate()
        .map(|(position, validator)| validator_from_raw(position, validator))
        .collect::<Result<Vec<_>, _>>()?;
    let set = checked_set(validators)?;
    // Zero is what an encoder writes that did not sum up.
    if raw.total_voting_power != 0 && u64::try_from(raw.total_voting_power) != Ok(set.total_power) {
        return Err(CometBftError::TotalPowerStated { got: raw.total_voting_power, expected: set.total_power });
    }
    Ok(set)
}

fn validator_from_raw(position: usize, raw: &RawValidator) -> Result<Validator, CometBftError> {
    let key = match raw.pub_key.as_ref().and_then(|key| key.sum.as_ref()) {
        Some(Sum::Ed25519(key)) => key.as_slice().try_into().map_err(|_| "ed25519 of another length"),
        Some(Sum::Secp256k1(_)) => Err("secp256k1"),
        None => Err("none that is known"),
    };
    let key: [u8; 32] = key.map_err(|got| CometBftError::KeyType { position, got })?;
    let address = address_of(&key);
    if raw.address != address {
        return Err(CometBftError::Address { position, got: hex(&raw.address), expected: hex(&address) });
    }
    let power = u64::try_from(raw.voting_power)
        .ok()
        .filter(|power| *power > 0)
        .ok_or(CometBftError::Power { position, power: raw.voting_power })?;
    Ok(Validator { key, address, power })
}

/// The set of validators that are in the chain's order, distinct, and not more powerful than a chain allows.
pub(super) fn checked_set(validators: Vec<Validator>) -> Result<ValidatorSet, CometBftError> {
    count("validators", validators.len())?;
    let mut addresses: Vec<[u8; 20]> = validators.iter().map(|validator| validator.address).collect();
    addresses.sort_unstable();
    if let Some([address, _]) = addresses.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(CometBftError::DuplicateValidator { address: hex(address) });
    }
    let in_order = |pair: &[Validator]| matches!(pair, [a, b] if (b.power, a.address) < (a.power, b.address));
    if let Some(position) = validators.windows(2).position(|pair| !in_order(pair)) {
        return Err(CometBftError::ValidatorOrder { position: position.saturating_add(1) });
    }
    let too_powerful = |got: u128| CometBftError::TotalPower { got, max: MAX_TOTAL_POWER };
    let total_power = quorum::total_power(validators.iter().map(|validator| validator.power))
        .map_err(|_| too_powerful(validators.iter().map(|validator| u128::from(validator.power)).sum()))?;
    if total_power > MAX_TOTAL_POWER {
        return Err(too_powerful(total_power.into()));
    }
    let library = library_set(&validators)?;
    let hash = hash("validator set hash", library.hash().as_bytes())?;
    Ok(ValidatorSet { validators, total_power, hash, library })
}

/// The set in the library's form, without a proposer and with every priority 0: neither enters the hash.
fn library_set(validators: &[Validator]) -> Result<tendermint::validator::Set, CometBftError> {
    let raw = RawValidatorSet {
        validators: validators
            .iter()
            .map(|validator| RawValidator {
                address: validator.address.to_vec(),
                pub_key: Some(RawPublicKey { sum: Some(Sum::Ed25519(validator.key.to_vec())) }),
                voting_power: i64::try_from(validator.power).unwrap_or(i64::MAX),
                proposer_priority: 0,
            })
            .collect(),
        proposer: None,
        total_voting_power: 0,
    };
    raw.try_into().map_err(|_| CometBftError::Malformed { what: "validator set" })
}

/// First 20 bytes of SHA-256 of the key (CometBFT crypto/ed25519 `PubKey.Address`).
pub(super) fn address_of(key: &[u8; 32]) -> [u8; 20] {
    let digest = Hash32::sha256(&[key]);
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn hash(what: &'static str, bytes: &[u8]) -> Result<Hash32, CometBftError> {
    Hash32::from_slice(bytes).ok_or(CometBftError::Malformed { what })
}

/// A protobuf time that our timestamps can hold; nanoseconds are 0 to 999,999,999.
fn timestamp(raw: Option<&RawTimestamp>) -> Option<Timestamp> {
    let raw = raw?;
    let nanos = u64::try_from(raw.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let seconds = u64::try_from(raw.seconds).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Timestamp::from_nanos)
}

fn count(what: &'static str, got: usize) -> Result<(), CometBftError> {
    if (1..=MAX_VALIDATORS).contains(&got) {
        Ok(())
    } else {
        Err(CometBftError::Count { what, got, max: MAX_VALIDATORS })
    }
}

fn canonical(what: &'static str, got: &[u8], encoded: &[u8]) -> Result<(), CometBftError> {
    if got == encoded {
        Ok(())
    } else {
        Err(CometBftError::NotCanonical { what, got: got.len(), expected: encoded.len() })
    }
}

fn part<M: TendermintMessage + Default>(what: &'static str, bytes: &[u8]) -> Result<M, CometBftError> {
    let message = M::decode(bytes).map_err(|_| CometBftError::Decode { what })?;
    canonical(what, bytes, &message.encode_to_vec())?;
    Ok(message)
}

/// The contents of a length-delimited field wherever it occurs in a message, at most [`MAX_VALIDATORS`] times: what
/// a decoder would allocate for is counted without allocating for it.
fn fields<'a>(what: &'static str, message: &'a [u8], number: u64) -> Result<Vec<&'a [u8]>, CometBftError> {
    let mut found = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, content) = next_field(&mut rest).ok_or(CometBftError::Decode { what })?;
        if tag == number << 3 | 2 {
            found.push(content);
        }
        if found.len() > MAX_VALIDATORS {
            return Err(CometBftError::Count { what, got: found.len(), max: MAX_VALIDATORS });
        }
    }
    Ok(found)
}

/// Takes one field off a message: its tag and, when it is length-delimited, its content. Varints are the only other
/// kind that these messages have; groups and fixed widths are refused.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let tag = prost::encoding::decode_varint(rest).ok()?;
    let length = match tag & 7 {
        0 => prost::encoding::decode_varint(rest).ok().map(|_| 0)?,
        2 => usize::try_from(prost::encoding::decode_varint(rest).ok()?).ok()?,
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((tag, content))
}
