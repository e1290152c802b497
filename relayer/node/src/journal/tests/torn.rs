//! A crash at every byte of the last commit, and damage before it.

use super::*;

#[test]
fn a_journal_torn_at_any_byte_keeps_every_durable_commit() {
    let fixture = fixture();
    for length in SEGMENT_HEADER_BYTES..fixture.bytes.len() {
        let (mut journal, recovery) = fixture.open_with(&fixture.bytes[..length]).unwrap();
        let commits = fixture.ends.iter().rposition(|end| *end <= length).unwrap();
        let (records, end) = ([0, 1, 3, 4][commits], fixture.ends[commits]);
        assert_eq!(recovery.records_count, records, "cut at {length}");
        assert_eq!(recovery.truncated_bytes, (length - end) as u64, "cut at {length}");
        if recovery.truncated_bytes > 0 {
            let cut = fs::read(recovery.cut_to.unwrap()).unwrap();
            assert_eq!(cut, &fixture.bytes[end..length], "what is cut is kept beside the journal");
        }
        journal.append(&[cursor(9)]).unwrap();
        drop(journal);
        let (journal, recovery) = fixture.open().unwrap();
        assert_eq!(recovery.truncated_bytes, 0, "cut at {length}");
        let mut expect: Vec<u64> = (1..=records).collect();
        expect.push(9);
        assert_eq!(heights(&journal, &Tip::start()), expect, "cut at {length}");
    }
}

/// A segment has its name only once its header is whole, so this is no crash.
#[test]
fn a_segment_without_a_whole_header_is_refused() {
    let fixture = fixture();
    for length in 0..SEGMENT_HEADER_BYTES {
        assert_eq!(fixture.open_with(&fixture.bytes[..length]).unwrap_err().code(), "JRN-003", "cut at {length}");
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
                    let expect = if position < SEGMENT_HEADER_BYTES { "JRN-003" } else { "JRN-005" };
                    assert_eq!(error.code(), expect, "{place}: {error}");
                    assert_eq!(fs::read(fixture.segment()).unwrap(), bytes, "{place}: a refusal changes nothing");
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

/// Found in review: a reader took a journal damaged in its newest segment for a shorter one that is whole.
#[test]
fn a_reader_refuses_damage_that_is_no_torn_end() {
    let fixture = fixture();
    let read = |bytes: &[u8]| {
        fs::write(fixture.segment(), bytes).unwrap();
        Reader::open(fixture.path()).map(|reader| reader.tip().records).map_err(|error| error.code())
    };
    assert_eq!(read(&fixture.bytes), Ok(4));
    for (commit, expect) in [(0, Err("JRN-005")), (1, Err("JRN-005")), (2, Ok(3))] {
        let mut bytes = fixture.bytes.clone();
        bytes[fixture.ends[commit] + frame::FRAME_BYTES] ^= 1;
        assert_eq!(read(&bytes), expect, "commit {commit}");
    }
    for length in fixture.ends[2]..fixture.ends[3] {
        assert_eq!(read(&fixture.bytes[..length]), Ok(3), "{length} bytes: a commit that is being written");
    }
}
