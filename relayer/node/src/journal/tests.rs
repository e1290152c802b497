//! Torn at every byte, flipped at every bit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

use std::fs;

use catenary_core::record::Cursor;
use tempfile::TempDir;

use super::*;

fn cursor(height: u64) -> Record {
    Record::Cursor(Cursor { chain: "quorum".into(), height })
}

struct Fixture {
    dir: TempDir,
    /// The file's bytes.
    bytes: Vec<u8>,
    /// Where each commit ends, from the header on.
    ends: Vec<usize>,
}

/// A journal of three commits with 1, 2 and 1 records.
fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let mut ends = vec![HEADER_BYTES];
    let (mut journal, _) = Journal::open(&path).unwrap();
    for records in [vec![cursor(1)], vec![cursor(2), cursor(3)], vec![cursor(4)]] {
        let tip = journal.append(&records).unwrap();
        ends.push(usize::try_from(tip.offset_bytes).unwrap());
    }
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(ends.last(), Some(&bytes.len()));
    Fixture { dir, bytes, ends }
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.dir.path().join("j")
    }

    fn open_with(&self, bytes: &[u8]) -> Result<(Journal, Recovery), JournalError> {
        fs::write(self.path(), bytes).unwrap();
        Journal::open(&self.path())
    }
}

fn heights(journal: &Journal, from: &Tip) -> Vec<u64> {
    let mut heights = Vec::new();
    let visited = journal.replay(from, |_, records| -> Result<(), JournalError> {
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
    let (mut journal, recovery) = Journal::open(&fixture.path()).unwrap();
    assert_eq!(recovery, Recovery { records_count: 4, truncated_bytes: 0, cut_to: None });
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4]);
    let tip = journal.tip();
    journal.append(&[cursor(5)]).unwrap();
    assert_eq!(heights(&journal, &tip), [5], "from a place in the middle");
    assert_eq!(journal.append(&[]).unwrap(), journal.tip(), "no records is no commit");
}

/// Computed apart, from `relayer/docs/JOURNAL.md` alone.
#[test]
fn the_format_is_golden() {
    let bytes = fixture().bytes;
    let end = hex::encode(&bytes[..HEADER_BYTES + FRAME_BYTES + 4]);
    let expect = concat!(
        "43544e594a524e4c010000002bb1ec73", // magic, version, CRC-32C
        "4200000001",                       // payload length, type
        "b9dbc21c",                         // CRC-32C
        "68777503f38f7ac2f32e5da53feffa84c6d2bc9288db9f3e51648598b411599d", // chain hash
        "3e000000",                         // length of the first record
    );
    assert_eq!(end, expect);
}

#[test]
fn a_journal_torn_at_any_byte_keeps_every_durable_commit() {
    let fixture = fixture();
    for length in 0..fixture.bytes.len() {
        let (mut journal, recovery) = fixture.open_with(&fixture.bytes[..length]).unwrap();
        let kept = fixture.ends.iter().rposition(|end| *end <= length);
        let (records, end) = match kept {
            Some(commits) => ([0, 1, 3, 4][commits], fixture.ends[commits]),
            None => (0, 0),
        };
        assert_eq!(recovery.records_count, records, "cut at {length}");
        assert_eq!(recovery.truncated_bytes, (length - end) as u64, "cut at {length}");
        if recovery.truncated_bytes > 0 && kept.is_some() {
            let cut = fs::read(recovery.cut_to.unwrap()).unwrap();
            assert_eq!(cut, &fixture.bytes[end..length], "what is cut is kept beside the journal");
        }
        journal.append(&[cursor(9)]).unwrap();
        drop(journal);
        let (journal, recovery) = Journal::open(&fixture.path()).unwrap();
        assert_eq!(recovery.truncated_bytes, 0, "cut at {length}");
        let mut expect: Vec<u64> = (1..=records).collect();
        expect.push(9);
        assert_eq!(heights(&journal, &Tip::start()), expect, "cut at {length}");
    }
}

#[test]
fn a_flipped_bit_is_refused_before_the_last_commit_and_cut_in_it() {
    let fixture = fixture();
    let last = fixture.ends[2];
    for position in 0..fixture.bytes.len() {
        for bit in [position % 8, 7 - position % 8] {
            let mut bytes = fixture.bytes.clone();
            bytes[position] ^= 1 << bit;
            let place = format!("byte {position} bit {bit}");
            match fixture.open_with(&bytes) {
                Ok((journal, recovery)) => {
                    assert!(position >= last, "{place} went unnoticed");
                    assert_eq!(recovery.records_count, 3, "{place}");
                    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3], "{place}");
                }
                Err(error) => {
                    assert!(position < last, "{place}: {error}");
                    let expect = if position < HEADER_BYTES { "JRN-003" } else { "JRN-005" };
                    assert_eq!(error.code(), expect, "{place}: {error}");
                    assert_eq!(fs::read(fixture.path()).unwrap(), bytes, "{place}: a refusal changes nothing");
                    if let JournalError::Corrupt { offset, .. } = error {
                        let commit = fixture.ends.iter().rposition(|end| *end <= position).unwrap();
                        assert_eq!(offset, fixture.ends[commit] as u64, "{place}");
                    }
                }
            }
        }
    }
}

#[test]
fn zeros_after_the_end_are_a_torn_end() {
    let fixture = fixture();
    for count in [1, 41, 4096] {
        let mut bytes = fixture.bytes.clone();
        bytes.resize(bytes.len() + count, 0);
        let (_, recovery) = fixture.open_with(&bytes).unwrap();
        assert_eq!((recovery.records_count, recovery.truncated_bytes), (4, count as u64));
    }
}

#[test]
fn a_commit_taken_out_or_put_elsewhere_breaks_the_chain() {
    let fixture = fixture();
    let [header, first, second, _] = fixture.ends[..] else { panic!("three commits") };
    let (head, rest) = fixture.bytes.split_at(header);
    let (one, rest) = rest.split_at(first - header);
    let (two, three) = rest.split_at(second - first);
    for order in [vec![two, three], vec![one, three], vec![two, one, three], vec![one, one, two], vec![one, two, two]] {
        let bytes = [head, &order.concat()].concat();
        let error = fixture.open_with(&bytes).unwrap_err();
        assert_eq!(error.code(), "JRN-006", "{error}");
    }
}

#[test]
fn a_record_of_another_version_is_refused_by_replay() {
    let fixture = fixture();
    let end = Tip { offset_bytes: fixture.bytes.len() as u64, ..Journal::open(&fixture.path()).unwrap().0.tip() };
    let payload = frame::join([br#"{"v":2,"record":{"type":"later"}}"#.as_slice()].into_iter());
    let (_, bytes) = frame::encode(&end.hash, &payload);
    let (journal, _) = fixture.open_with(&[fixture.bytes.clone(), bytes].concat()).unwrap();
    let error = journal.replay(&Tip::start(), |_, _| Ok::<_, JournalError>(())).unwrap_err();
    assert_eq!(error.code(), "JRN-007");
    assert!(error.to_string().contains("CORE") || error.to_string().contains("version is 2"), "{error}");
}

#[test]
fn records_that_do_not_fill_their_commit_are_refused() {
    let fixture = fixture();
    for payload in [vec![1, 0, 0], vec![9, 0, 0, 0, 1], vec![1, 0, 0, 0, 1, 0]] {
        let (_, bytes) = frame::encode(&frame::genesis(), &payload);
        let error = fixture.open_with(&[frame::header().to_vec(), bytes].concat()).unwrap_err();
        assert_eq!(error.code(), "JRN-005", "{payload:?}");
    }
}

#[test]
fn only_one_may_have_it_open() {
    let fixture = fixture();
    let (held, _) = Journal::open(&fixture.path()).unwrap();
    assert_eq!(Journal::open(&fixture.path()).unwrap_err().code(), "JRN-001");
    drop(held);
    Journal::open(&fixture.path()).unwrap();
}

#[test]
fn other_files_are_refused() {
    let fixture = fixture();
    let mut newer = frame::header();
    newer[8] = 2;
    let checksum = crc32c::crc32c(&newer[..12]).to_le_bytes();
    newer[12..].copy_from_slice(&checksum);
    let rows: [(&[u8], &str); 4] = [
        (b"{}", "JRN-003"),
        (b"a text file that is longer than a header", "JRN-003"),
        (&[0; 4096], "JRN-003"),
        (&newer, "JRN-004"),
    ];
    for (bytes, code) in rows {
        assert_eq!(fixture.open_with(bytes).unwrap_err().code(), code);
    }
}

#[test]
fn nothing_is_appended_after_a_failed_write() {
    let fixture = fixture();
    let (mut journal, _) = Journal::open(&fixture.path()).unwrap();
    let tip = journal.tip();
    // A handle that cannot be written stands for a full or failing disk.
    let sound = std::mem::replace(&mut journal.file, File::open(fixture.path()).unwrap());
    assert_eq!(journal.append(&[cursor(5)]).unwrap_err().code(), "JRN-002");
    journal.file = sound;
    assert_eq!(journal.append(&[cursor(5)]).unwrap_err().code(), "JRN-009", "also when the disk works again");
    assert_eq!(journal.tip(), tip);
}

#[test]
fn a_commit_over_the_bound_is_refused_and_harms_nothing() {
    let fixture = fixture();
    let (mut journal, _) = Journal::open(&fixture.path()).unwrap();
    let large = Record::Cursor(Cursor { chain: "x".repeat(APPEND_BYTES_MAX), height: 1 });
    assert_eq!(journal.append(&[large]).unwrap_err().code(), "JRN-008");
    journal.append(&[cursor(5)]).unwrap();
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4, 5]);
}

#[test]
fn replay_starts_only_at_places_of_this_journal() {
    let fixture = fixture();
    let (journal, _) = Journal::open(&fixture.path()).unwrap();
    let start = Tip::start();
    let end = journal.tip();
    for tip in [
        Tip { hash: Hash32([1; 32]), ..start },
        Tip { offset_bytes: start.offset_bytes + 1, ..start },
        Tip { hash: end.hash, ..start },
        Tip { records: 7, ..start },
    ] {
        assert!(journal.replay(&tip, |_, _| Ok::<_, JournalError>(())).is_err(), "{tip:?}");
    }
}

#[test]
fn the_file_is_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture();
    assert_eq!(fs::metadata(fixture.path()).unwrap().permissions().mode() & 0o777, 0o600);
}
