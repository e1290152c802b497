//! Rotation: one chain over many files, and what may be wrong with them.

use proptest::prelude::*;

use super::*;

/// A journal of four segments with one commit each, and their bytes.
fn four() -> (TempDir, Vec<Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open_with(dir.path(), tiny()).unwrap();
    for height in 1..=4 {
        journal.append(&[cursor(height)]).unwrap();
    }
    assert_eq!(journal.tip().segment, 4);
    let bytes = (1..=4).map(|number| fs::read(segment_path(dir.path(), number)).unwrap()).collect();
    (dir, bytes)
}

#[test]
fn a_segment_that_is_full_is_followed_by_a_new_one() {
    let (dir, bytes) = four();
    let (mut journal, recovery) = Journal::open_with(dir.path(), tiny()).unwrap();
    assert_eq!((recovery.records_count, recovery.segments_count), (4, 4));
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4]);
    journal.append(&[cursor(5)]).unwrap();
    assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4, 5]);
    assert_eq!(fs::read(segment_path(dir.path(), 4)).unwrap(), bytes[3], "a sealed segment does not change");
    let reader = journal.reader();
    reader.check().unwrap();
    let starts: Vec<Tip> = reader.segments().iter().map(SegmentFile::start).collect();
    for (number, start) in (1..).zip(&starts) {
        assert_eq!(heights(&journal, start), (number..=5).collect::<Vec<_>>(), "from the start of segment {number}");
    }
    for segment in 1..=4 {
        let view = reader.until(segment).unwrap();
        assert!(
            view.tip().is_same(&starts[usize::try_from(segment).unwrap()]),
            "the end of one is the start of the next"
        );
        assert_eq!(heights_of(&view, &Tip::start()), (1..=segment).collect::<Vec<_>>());
        assert_eq!(
            heights(&journal, &view.tip()),
            (segment + 1..=5).collect::<Vec<_>>(),
            "on from the end of {segment}"
        );
    }
    assert_eq!(reader.until(5), None, "the newest is not sealed");
}

#[test]
fn rotation_by_hand_does_nothing_to_an_empty_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    let rows = [(false, 1), (true, 1), (true, 2), (false, 3), (true, 3)];
    for (append, segment) in rows {
        if append {
            assert_eq!(journal.append(&[cursor(1)]).unwrap().segment, segment);
        }
        assert_eq!(journal.tip().segment, segment);
        journal.rotate().unwrap();
    }
    assert_eq!((journal.tip().segment, journal.tip().records), (4, 3));
    drop(journal);
    let (journal, recovery) = Journal::open(dir.path()).unwrap();
    assert_eq!((recovery.segments_count, recovery.records_count, journal.tip().segment), (4, 3, 4));
}

#[test]
fn what_is_wrong_with_older_segments_is_refused_or_found_by_the_whole_check() {
    let (dir, bytes) = four();
    let check = |number: u64, change: &dyn Fn(&mut Vec<u8>), opens: Option<&str>, whole: Option<&str>| {
        let path = segment_path(dir.path(), number);
        let mut changed = bytes[usize::try_from(number).unwrap() - 1].clone();
        change(&mut changed);
        fs::write(&path, &changed).unwrap();
        let opened = Journal::open(dir.path());
        assert_eq!(opened.as_ref().err().map(JournalError::code), opens, "segment {number}: {opened:?}");
        drop(opened);
        let read = Reader::open(dir.path()).and_then(|reader| reader.check());
        assert_eq!(read.as_ref().err().map(JournalError::code), whole, "segment {number}, whole: {read:?}");
        assert_eq!(fs::read(&path).unwrap(), changed, "a refusal changes nothing");
        fs::write(&path, &bytes[usize::try_from(number).unwrap() - 1]).unwrap();
    };
    let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    check(1, &|_| {}, None, None);
    // Cut or grown: the seal says so at once.
    check(1, &|bytes| bytes.truncate(bytes.len() - 1), Some("JRN-011"), Some("JRN-011"));
    check(2, &|bytes| bytes.push(0), Some("JRN-011"), Some("JRN-011"));
    // Changed in place: only reading it tells.
    check(1, &last, None, Some("JRN-005"));
    check(3, &last, None, Some("JRN-005"));
    // Another segment in its place.
    check(2, &|other| other.clone_from(&bytes[2]), Some("JRN-011"), Some("JRN-011"));
    let renumbered = |bytes: &mut Vec<u8>| {
        let (header, _) = SegmentHeader::decode(bytes).unwrap();
        let header = SegmentHeader { hash_before: Hash32([7; 32]), ..header };
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    };
    check(3, &renumbered, None, Some("JRN-006"));
    check(4, &renumbered, Some("JRN-006"), Some("JRN-006"));
    let counted = |bytes: &mut Vec<u8>| {
        let (header, _) = SegmentHeader::decode(bytes).unwrap();
        let header = SegmentHeader { records_before: 9, ..header };
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    };
    check(3, &counted, Some("JRN-011"), Some("JRN-011"));
}

#[test]
fn a_missing_segment_is_refused() {
    for (number, expect) in [(1, "JRN-010"), (2, "JRN-010"), (3, "JRN-010")] {
        let (dir, _) = four();
        fs::remove_file(segment_path(dir.path(), number)).unwrap();
        let error = Journal::open(dir.path()).unwrap_err();
        assert_eq!(error.code(), expect, "{error}");
        assert!(error.to_string().contains(&format!("segment {number} ")), "{error}");
    }
}

/// A new segment is written beside and renamed: a crash leaves nothing of it, or a part under another name, or all.
#[test]
fn a_crash_at_any_point_of_a_rotation_loses_nothing() {
    let (dir, bytes) = four();
    let newest = segment_path(dir.path(), 4);
    for length in 0..=SEGMENT_HEADER_BYTES {
        fs::remove_file(&newest).unwrap();
        fs::write(disk::beside(&newest), &bytes[3][..length]).unwrap();
        let (mut journal, recovery) = Journal::open_with(dir.path(), tiny()).unwrap();
        assert_eq!((recovery.records_count, recovery.truncated_bytes), (3, 0), "{length} bytes beside");
        assert_eq!(journal.append(&[cursor(8)]).unwrap().segment, 4);
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 8], "{length} bytes beside");
    }
    for length in SEGMENT_HEADER_BYTES..bytes[3].len() {
        fs::write(&newest, &bytes[3][..length]).unwrap();
        let (mut journal, recovery) = Journal::open_with(dir.path(), tiny()).unwrap();
        let torn = length - SEGMENT_HEADER_BYTES;
        assert_eq!((recovery.records_count, recovery.truncated_bytes), (3, torn as u64), "{length} bytes of it");
        assert_eq!(journal.append(&[cursor(8)]).unwrap().segment, 4);
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 8], "{length} bytes of it");
    }
}

#[test]
fn opening_does_not_read_what_is_sealed() {
    let (dir, bytes) = four();
    // Nothing of the three older ones could be read as a commit.
    for number in 1..=3_u64 {
        let mut noise = bytes[usize::try_from(number).unwrap() - 1].clone();
        noise[SEGMENT_HEADER_BYTES..].fill(0xa5);
        fs::write(segment_path(dir.path(), number), noise).unwrap();
    }
    let (journal, recovery) = Journal::open(dir.path()).unwrap();
    assert_eq!(recovery.records_count, 4);
    assert_eq!(journal.reader().check().unwrap_err().code(), "JRN-005");
}

/// What happens between two commits.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    Rotate,
    Restart,
    /// A crash with so many bytes of a commit behind the end.
    Torn(usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![Just(Event::Nothing), Just(Event::Rotate), Just(Event::Restart), (1..100_usize).prop_map(Event::Torn),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_every_durable_record_comes_back_once(
        steps in prop::collection::vec((1..4_u64, any_event()), 1..12),
        segment_bytes_max in 1..2_000_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = || JournalOptions { segment_bytes_max, ..JournalOptions::default() };
        let mut journal = Journal::open_with(dir.path(), options()).unwrap().0;
        let mut expect = Vec::new();
        for (count, event) in steps {
            let records: Vec<Record> = (0..count).map(|at| cursor(expect.len() as u64 + at)).collect();
            expect.extend((0..count).map(|at| expect.len() as u64 + at).collect::<Vec<_>>());
            let tip = journal.append(&records).unwrap();
            match event {
                Event::Nothing => {}
                Event::Rotate => {
                    journal.rotate().unwrap();
                }
                Event::Restart => {
                    drop(journal);
                    journal = Journal::open_with(dir.path(), options()).unwrap().0;
                    prop_assert!(journal.tip().is_same(&tip));
                }
                Event::Torn(length) => {
                    drop(journal);
                    let (_, torn) = frame::encode(&tip.hash, &frame::join([[7; 200].as_slice()].into_iter()));
                    let path = segment_path(dir.path(), tip.segment);
                    let bytes = [fs::read(&path).unwrap(), torn[..length].to_vec()].concat();
                    fs::write(&path, bytes).unwrap();
                    let (opened, recovery) = Journal::open_with(dir.path(), options()).unwrap();
                    prop_assert_eq!(recovery.truncated_bytes, length as u64);
                    journal = opened;
                }
            }
        }
        prop_assert_eq!(heights(&journal, &Tip::start()), expect);
        journal.reader().check().unwrap();
        prop_assert_eq!(Reader::open(dir.path()).unwrap().tip(), journal.tip());
    }
}
