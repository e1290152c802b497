//! The header of a segment, and the names of a journal's files. Pure functions; `relayer/docs/JOURNAL.md` describes the
//! format.

use catenary_light_clients::Hash32;

use super::frame;

/// Version of segments that carry their own place.
pub(super) const SEGMENT_VERSION: u32 = 2;
/// Bytes of such a segment's header: magic, version, number, records before, bytes of the segment before, time, chain
/// hash before, checksum.
pub(super) const SEGMENT_HEADER_BYTES: usize = 80;
/// A segment that has grown so far is followed by a new one. The newest is read whole at every start: 64 MiB take a tenth
/// of a second where disks are fast, and under a second where they are slow; and a copy of a journal is done in pieces
/// of this size.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How segment files end.
const SUFFIX: &str = ".seg";

/// What the start of a segment says: its place in the journal, and what precedes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// Number; the first is 1.
    pub number: u64,
    /// Records in all segments before it.
    pub records_before: u64,
    /// Bytes of the segment before it, which is thereby sealed; 0 for the first.
    pub previous_bytes: u64,
    /// When it was begun, in Unix seconds: every record before it is older. 0 for a file of version 1.
    pub began_seconds: u64,
    /// Chain hash of everything before it.
    pub hash_before: Hash32,
}

impl SegmentHeader {
    /// The first segment's header.
    #[must_use]
    pub fn first(began_seconds: u64) -> Self {
        Self { number: 1, records_before: 0, previous_bytes: 0, began_seconds, hash_before: frame::genesis() }
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let parts: [&[u8]; 7] = [
            frame::MAGIC,
            &SEGMENT_VERSION.to_le_bytes(),
            &self.number.to_le_bytes(),
            &self.records_before.to_le_bytes(),
            &self.previous_bytes.to_le_bytes(),
            &self.began_seconds.to_le_bytes(),
            self.hash_before.as_bytes(),
        ];
        let mut rest = bytes.as_mut_slice();
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        let (start, checksum) = bytes.split_at_mut(SEGMENT_HEADER_BYTES - 4);
        checksum.copy_from_slice(&crc32c::crc32c(start).to_le_bytes());
        bytes
    }

    /// The header at the start of these bytes, and how long it is: of version 2, or the 16 bytes of a version 1 file,
    /// which is always the first segment. `None` when neither starts here.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        if frame::header_version(bytes) == Some(frame::VERSION) {
            return Some((Self::first(0), frame::HEADER_BYTES));
        }
        let (start, checksum) = bytes.get(..SEGMENT_HEADER_BYTES)?.split_at(SEGMENT_HEADER_BYTES - 4);
        let (fixed, fields) = start.split_at_checked(12)?;
        let holds = fixed.starts_with(frame::MAGIC)
            && fixed.ends_with(&SEGMENT_VERSION.to_le_bytes())
            && checksum == crc32c::crc32c(start).to_le_bytes();
        let number = |at: usize| Some(u64::from_le_bytes(fields.get(at..at + 8)?.try_into().ok()?));
        let header = Self {
            number: number(0)?,
            records_before: number(8)?,
            previous_bytes: number(16)?,
            began_seconds: number(24)?,
            hash_before: Hash32::from_slice(fields.get(32..)?)?,
        };
        (holds && header.is_possible()).then_some((header, SEGMENT_HEADER_BYTES))
    }

    /// Whether a writer can have written it: the first segment has nothing before it, and each other has.
    fn is_possible(&self) -> bool {
        if self.number == 1 {
            return *self == Self::first(self.began_seconds);
        }
        self.number > 1 && self.previous_bytes >= frame::HEADER_BYTES as u64
    }
}

/// Name of a segment's file.
#[must_use]
pub fn file_name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a segment's file name; `None` for other files.
#[must_use]
pub(super) fn file_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && file_name(number) == name).then_some(number)
}

/// Name of the checkpoint before a segment.
#[must_use]
pub fn checkpoint_name(number: u64) -> String {
    format!("{number:010}.checkpoint")
}

/// The number in a checkpoint's file name; `None` for other files.
#[must_use]
pub fn checkpoint_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".checkpoint")?.parse().ok()?;
    (number > 1 && checkpoint_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]
    use proptest::prelude::*;

    use super::*;

    /// Computed apart, from `relayer/docs/JOURNAL.md` alone.
    #[test]
    fn headers_are_golden() {
        let second = SegmentHeader {
            number: 2,
            records_before: 7,
            previous_bytes: 1_000,
            began_seconds: 1_700_000_000,
            hash_before: Hash32([0xab; 32]),
        };
        let rows = [
            (
                SegmentHeader::first(1_700_000_000),
                concat!(
                    "43544e594a524e4c02000000010000000000000000000000000000000000000000000000",
                    "00f1536500000000",
                    "36db1bf8d8eef6bf86366c6e3ae37be61582c1563d78fe5dddcccf88bfd311e3",
                    "6a834f1e"
                ),
            ),
            (
                second,
                concat!(
                    "43544e594a524e4c0200000002000000000000000700000000000000e803000000000000",
                    "00f1536500000000",
                    "abababababababababababababababababababababababababababababababab",
                    "96662a95"
                ),
            ),
        ];
        for (header, expect) in rows {
            assert_eq!(hex::encode(header.encode()), expect);
            assert_eq!(SegmentHeader::decode(&header.encode()), Some((header, SEGMENT_HEADER_BYTES)));
        }
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let good = SegmentHeader { number: 2, previous_bytes: 80, ..SegmentHeader::first(5) };
        let check = |header: SegmentHeader, expect: bool| {
            assert_eq!(SegmentHeader::decode(&header.encode()).is_some(), expect, "{header:?}");
        };
        check(good, true);
        check(SegmentHeader { number: 0, ..good }, false);
        check(SegmentHeader { number: 1, ..good }, false);
        check(SegmentHeader { records_before: 1, ..SegmentHeader::first(5) }, false);
        check(SegmentHeader { hash_before: Hash32([1; 32]), ..SegmentHeader::first(5) }, false);
        check(SegmentHeader { previous_bytes: 15, ..good }, false);
        let bytes = good.encode();
        for position in 0..bytes.len() {
            let mut changed = bytes;
            changed[position] ^= 0x10;
            assert_eq!(SegmentHeader::decode(&changed), None, "byte {position}");
            assert_eq!(SegmentHeader::decode(&bytes[..position]), None, "cut at {position}");
        }
        assert_eq!(SegmentHeader::decode(&frame::header()), Some((SegmentHeader::first(0), frame::HEADER_BYTES)));
    }

    #[test]
    fn names_sort_and_are_read_back_in_one_spelling() {
        let check = |name: &str, expect: Option<u64>| assert_eq!(file_number(name), expect, "{name}");
        check("0000000001.seg", Some(1));
        check("12345678901.seg", Some(12_345_678_901));
        check("1.seg", None);
        check("0000000000.seg", None);
        check("+000000001.seg", None);
        check("0000000001.seg.new", None);
        check("0000000001.cut-80", None);
    }

    proptest! {
        #[test]
        fn decoded_bytes_encode_to_themselves(
            (number, records_before, previous_bytes, began_seconds) in any::<(u64, u64, u64, u64)>(),
            hash in any::<[u8; 32]>(),
            noise in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let hash_before = Hash32(hash);
            let header = SegmentHeader { number, records_before, previous_bytes, began_seconds, hash_before };
            let bytes = header.encode();
            if let Some((decoded, length)) = SegmentHeader::decode(&[bytes.as_slice(), &noise].concat()) {
                prop_assert_eq!((decoded, length), (header, SEGMENT_HEADER_BYTES));
            }
            if let Some((decoded, length)) = SegmentHeader::decode(&noise) {
                let again = decoded.encode();
                prop_assert_eq!(again.get(..length), noise.get(..length));
            }
        }
    }
}
