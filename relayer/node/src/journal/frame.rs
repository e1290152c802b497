//! The bytes of a journal: a header, then commits. Pure functions; `relayer/docs/JOURNAL.md` describes the format.

use catenary_light_clients::Hash32;

use super::segment::SEGMENT_VERSION;

/// First bytes of the file.
pub(super) const MAGIC: &[u8; 8] = b"CTNYJRNL";
/// Version of a journal in one file; what its commits look like is the same in segments.
pub(super) const VERSION: u32 = 1;
/// Bytes of the file header: magic, version, checksum.
pub(super) const HEADER_BYTES: usize = 16;
/// Bytes of a commit before its payload: length, type, checksum, chain hash.
pub(super) const FRAME_BYTES: usize = 41;
/// Type of a commit of JSON records.
const TYPE_RECORDS: u8 = 1;
/// Most payload bytes of a commit: a group of batches of the largest transactions, and still quickly read.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a parser found at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A commit whose checksum holds.
    Frame {
        /// Chain hash that it carries.
        hash: Hash32,
        /// Its payload.
        payload: &'a [u8],
    },
    /// No commit, and why.
    Bad(&'static str),
}

/// The header of a version 1 file.
pub(super) fn header() -> [u8; HEADER_BYTES] {
    versioned(VERSION)
}

/// What stands where a version 1 file was: a header of a newer version, so that an older program refuses to begin a
/// journal anew beside the segments. The lock of the journal is held on it.
pub(crate) fn marker() -> [u8; HEADER_BYTES] {
    versioned(SEGMENT_VERSION)
}

fn versioned(number: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let (start, checksum) = bytes.split_at_mut(12);
    let (magic, version) = start.split_at_mut(8);
    magic.copy_from_slice(MAGIC);
    version.copy_from_slice(&number.to_le_bytes());
    checksum.copy_from_slice(&crc32c::crc32c(start).to_le_bytes());
    bytes
}

/// The version in a header; `None` when this is no journal.
pub(super) fn header_version(bytes: &[u8]) -> Option<u32> {
    let (start, checksum) = bytes.get(..HEADER_BYTES)?.split_at(12);
    let version = u32::from_le_bytes(start.get(8..12)?.try_into().ok()?);
    let holds = start.starts_with(MAGIC) && checksum == crc32c::crc32c(start).to_le_bytes();
    holds.then_some(version)
}

/// Chain hash before the first commit: the digest of a version 1 header, in segments too, so that a journal that began as
/// one file is one chain.
pub(super) fn genesis() -> Hash32 {
    Hash32::sha256(&[&header()])
}

/// Chain hash of a commit.
pub(super) fn chain_hash(previous: &Hash32, payload: &[u8]) -> Hash32 {
    Hash32::sha256(&[previous.as_bytes(), &[TYPE_RECORDS], payload])
}

fn checksum(length: [u8; 4], kind: u8, hash: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&length);
    let crc = crc32c::crc32c_append(crc, &[kind]);
    let crc = crc32c::crc32c_append(crc, hash);
    crc32c::crc32c_append(crc, payload)
}

/// A commit with its chain hash; the payload's length was checked by the caller.
pub(super) fn encode(previous: &Hash32, payload: &[u8]) -> (Hash32, Vec<u8>) {
    let hash = chain_hash(previous, payload);
    (hash, with_hash(&hash, payload))
}

/// A commit that carries a chain hash.
pub(super) fn with_hash(hash: &Hash32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
    bytes.extend_from_slice(&length);
    bytes.push(TYPE_RECORDS);
    bytes.extend_from_slice(&checksum(length, TYPE_RECORDS, hash.as_bytes(), payload).to_le_bytes());
    bytes.extend_from_slice(hash.as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Payload length that a frame's first bytes announce; an error when no commit starts so.
pub(super) fn payload_length(head: &[u8]) -> Result<usize, &'static str> {
    let (Some(length), Some(kind)) = (head.first_chunk::<4>(), head.get(4)) else {
        return Err("the commit's head is incomplete");
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        return Err("no commit has this length");
    }
    if *kind != TYPE_RECORDS {
        return Err("no commit has this type");
    }
    Ok(length)
}

/// The commit at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let length = match payload_length(bytes) {
        Ok(length) => length,
        Err(reason) => return Parsed::Bad(reason),
    };
    let Some((head, rest)) = bytes.split_at_checked(FRAME_BYTES) else {
        return Parsed::Bad("the commit's head is incomplete");
    };
    let Some(payload) = rest.get(..length) else {
        return Parsed::Bad("the commit's payload is incomplete");
    };
    let (Some(length), Some(crc), Some(hash)) =
        (head.first_chunk::<4>(), head.get(5..9), head.get(9..).and_then(Hash32::from_slice))
    else {
        return Parsed::Bad("the commit's head is incomplete");
    };
    if crc != checksum(*length, TYPE_RECORDS, hash.as_bytes(), payload).to_le_bytes() {
        return Parsed::Bad("the checksum does not hold");
    }
    Parsed::Frame { hash, payload }
}

/// Whether a commit with a holding checksum starts anywhere after the first byte. A torn end has none, since a
/// commit is only begun when the one before it is durable.
pub(super) fn holds_later_frame(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|start| bytes.get(start..).is_some_and(|rest| matches!(parse(rest), Parsed::Frame { .. })))
}

/// Joins records to a payload.
pub(super) fn join<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut payload = Vec::new();
    for record in records {
        payload.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
        payload.extend_from_slice(record);
    }
    payload
}

/// Splits a payload into records; `None` when lengths do not add up.
pub(super) fn split(mut payload: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = payload.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        records.push(record);
        payload = rest;
    }
    payload.is_empty().then_some(records)
}
