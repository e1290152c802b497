//! Torn at every byte, flipped at every bit, with full disks and with journals of version 1.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

mod disks;
mod segments;
mod takeover;
mod torn;

use std::fs;

use catenary_core::record::Cursor;
use tempfile::TempDir;

use super::segment::SEGMENT_HEADER_BYTES;
use super::*;

fn cursor(height: u64) -> Record {
    Record::Cursor(Cursor { chain: "quorum".into(), height })
}

fn segment_path(data_dir: &Path, number: u64) -> PathBuf {
    data_dir.join(SEGMENTS_DIR).join(segment::file_name(number))
}

struct Fixture {
    dir: TempDir,
    /// The first segment's bytes.
    bytes: Vec<u8>,
    /// Where each commit ends, from the header on.
    ends: Vec<usize>,
}

/// A journal of three commits with 1, 2 and 1 records.
fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let mut ends = vec![SEGMENT_HEADER_BYTES];
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    for records in [vec![cursor(1)], vec![cursor(2), cursor(3)], vec![cursor(4)]] {
        let tip = journal.append(&records).unwrap();
        ends.push(usize::try_from(tip.offset_bytes).unwrap());
    }
    drop(journal);
    let bytes = fs::read(segment_path(dir.path(), 1)).unwrap();
    assert_eq!(ends.last(), Some(&bytes.len()));
    Fixture { dir, bytes, ends }
}

impl Fixture {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn segment(&self) -> PathBuf {
        segment_path(self.path(), 1)
    }

    fn open(&self) -> Result<(Journal, Recovery), JournalError> {
        Journal::open(self.path())
    }

    fn open_with(&self, bytes: &[u8]) -> Result<(Journal, Recovery), JournalError> {
        fs::write(self.segment(), bytes).unwrap();
        self.open()
    }
}

/// Options with segments so small that each commit has its own.
fn tiny() -> JournalOptions {
    JournalOptions { segment_bytes_max: 1, ..JournalOptions::default() }
}

fn heights(journal: &Journal, from: &Tip) -> Vec<u64> {
    heights_of(&journal.reader(), from)
}

fn heights_of(reader: &Reader, from: &Tip) -> Vec<u64> {
    let mut heights = Vec::new();
    let visited = reader.replay(from, |_, records| -> Result<(), JournalError> {
        heights.extend(records.iter().filter_map(|record| match record {
            Record::Cursor(cursor) => Some(cursor.height),
            _ => None,
        }));
        Ok(())
    });
    visited.unwrap();
    heights
}

#[test]
fn what_was_appended_comes_back_in_order() {
    let fixture = fixture();
    let (mut journal, recovery) = fixture.open().unwrap();
    let expect = Recovery { records_count: 4, segments_count: 1, taken_over: false, truncated_bytes: 0, cut_to: None };
    assert_eq!(recovery, expect);
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4]);
    let tip = journal.tip();
    journal.append(&[cursor(5)]).unwrap();
    assert_eq!(heights(&journal, &tip), [5], "from a place in the middle");
    assert_eq!(journal.append(&[]).unwrap(), journal.tip(), "no records is no commit");
    assert_eq!(journal.bytes(), fs::metadata(fixture.segment()).unwrap().len());
}

/// Computed apart, from `relayer/docs/JOURNAL.md` alone.
#[test]
fn the_format_is_golden() {
    let bytes = fixture().bytes;
    let commit = hex::encode(&bytes[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + frame::FRAME_BYTES + 4]);
    let expect = concat!(
        "4200000001",                                                       // payload length, type
        "b9dbc21c",                                                         // CRC-32C
        "68777503f38f7ac2f32e5da53feffa84c6d2bc9288db9f3e51648598b411599d", // chain hash
        "3e000000",                                                         // length of the first record
    );
    assert_eq!(commit, expect);
    assert_eq!(hex::encode(frame::header()), "43544e594a524e4c010000002bb1ec73", "version 1: magic, version, CRC-32C");
    assert_eq!(hex::encode(frame::marker()), "43544e594a524e4c020000001238ce11", "what stands in its place");
}

#[test]
fn a_record_of_another_version_is_refused_by_replay() {
    let fixture = fixture();
    let end = fixture.open().unwrap().0.tip();
    let payload = frame::join([br#"{"v":3,"record":{"type":"later"}}"#.as_slice()].into_iter());
    let (_, bytes) = frame::encode(&end.hash, &payload);
    let (journal, _) = fixture.open_with(&[fixture.bytes.clone(), bytes].concat()).unwrap();
    let error = journal.replay(&Tip::start(), |_, _| Ok::<_, JournalError>(())).unwrap_err();
    assert_eq!(error.code(), "JRN-007");
    assert!(error.to_string().contains("version is 3"), "{error}");
}

#[test]
fn records_that_do_not_fill_their_commit_are_refused() {
    let fixture = fixture();
    for payload in [vec![1, 0, 0], vec![9, 0, 0, 0, 1], vec![1, 0, 0, 0, 1, 0]] {
        let (_, bytes) = frame::encode(&frame::genesis(), &payload);
        let error = fixture.open_with(&[&fixture.bytes[..SEGMENT_HEADER_BYTES], &bytes].concat()).unwrap_err();
        assert_eq!(error.code(), "JRN-005", "{payload:?}");
    }
}

#[test]
fn only_one_may_have_it_open() {
    let fixture = fixture();
    let (held, _) = fixture.open().unwrap();
    assert_eq!(fixture.open().unwrap_err().code(), "JRN-001");
    assert_eq!(heights_of(&Reader::open(fixture.path()).unwrap(), &Tip::start()), [1, 2, 3, 4], "a reader may");
    drop(held);
    fixture.open().unwrap();
}

#[test]
fn other_files_are_refused() {
    let mut newer = frame::header();
    newer[8] = 3;
    let checksum = crc32c::crc32c(&newer[..12]).to_le_bytes();
    newer[12..].copy_from_slice(&checksum);
    let rows: [(&[u8], &str); 4] = [
        (b"{}", "JRN-003"),
        (b"a text file that is longer than a header", "JRN-003"),
        (&[0; 4096], "JRN-003"),
        (&newer, "JRN-004"),
    ];
    let fixture = fixture();
    for (bytes, code) in rows {
        assert_eq!(fixture.open_with(bytes).unwrap_err().code(), code, "as a segment");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MARKER_FILE), bytes).unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap_err().code(), code, "in place of the marker");
        assert_eq!(fs::read(dir.path().join(MARKER_FILE)).unwrap(), bytes, "a refusal changes nothing");
    }
}

#[test]
fn a_commit_over_the_bound_is_refused_and_harms_nothing() {
    let fixture = fixture();
    let (mut journal, _) = fixture.open().unwrap();
    let large = Record::Cursor(Cursor { chain: "x".repeat(APPEND_BYTES_MAX), height: 1 });
    assert_eq!(journal.append(&[large]).unwrap_err().code(), "JRN-008");
    journal.append(&[cursor(5)]).unwrap();
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4, 5]);
}

#[test]
fn replay_starts_only_at_places_of_this_journal() {
    let fixture = fixture();
    let (journal, _) = fixture.open().unwrap();
    let start = Tip::start();
    let end = journal.tip();
    for tip in [
        Tip { hash: Hash32([1; 32]), ..start },
        Tip { offset_bytes: end.offset_bytes - 1, ..start },
        Tip { hash: end.hash, ..start },
        Tip { records: 7, ..start },
        Tip { segment: 2, ..end },
        Tip { offset_bytes: 0, ..end },
    ] {
        assert!(journal.replay(&tip, |_, _| Ok::<_, JournalError>(())).is_err(), "{tip:?}");
    }
}

#[test]
fn the_files_are_only_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.segment()), 0o600);
    assert_eq!(mode(&fixture.path().join(MARKER_FILE)), 0o600);
    assert_eq!(mode(&fixture.path().join(SEGMENTS_DIR)), 0o700);
}
