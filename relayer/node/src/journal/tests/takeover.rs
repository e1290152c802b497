//! A journal of version 1 becomes the first segment, as it is.

use super::*;

/// Written by the program as it was before there were segments: 81 commits with 99 records, the last with one.
const VERSION_1: &[u8] = include_bytes!("../../../../../tests/vectors/journal/version-1.journal");

const RECORDS: u64 = 99;
/// Where its last commit starts.
const LAST_COMMIT: usize = 89_850;

/// How many records can be read.
fn count(reader: &Reader) -> u64 {
    let mut count = 0;
    let visit = |_: &Tip, records: Vec<Record>| -> Result<(), JournalError> {
        count += records.len() as u64;
        Ok(())
    };
    reader.replay(&Tip::start(), visit).unwrap();
    count
}

fn version_1() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(MARKER_FILE), VERSION_1).unwrap();
    dir
}

fn assert_taken_over(dir: &Path) {
    assert_eq!(fs::read(segment_path(dir, 1)).unwrap(), VERSION_1, "its bytes do not change");
    assert_eq!(fs::read(dir.join(MARKER_FILE)).unwrap(), frame::marker(), "an older program finds a newer version");
}

#[test]
fn it_is_taken_over_without_a_change_and_goes_on() {
    let dir = version_1();
    assert_eq!(count(&Reader::open(dir.path()).unwrap()), RECORDS, "readable before");
    let (mut journal, recovery) = Journal::open_with(dir.path(), tiny()).unwrap();
    let expect =
        Recovery { records_count: RECORDS, segments_count: 1, taken_over: true, truncated_bytes: 0, cut_to: None };
    assert_eq!(recovery, expect);
    assert_taken_over(dir.path());
    assert_eq!(journal.append(&[cursor(8)]).unwrap().segment, 2);
    drop(journal);
    assert_taken_over(dir.path());
    let (journal, recovery) = Journal::open(dir.path()).unwrap();
    assert_eq!((recovery.records_count, recovery.segments_count, recovery.taken_over), (RECORDS + 1, 2, false));
    assert_eq!(count(&journal.reader()), RECORDS + 1);
    journal.reader().check().unwrap();
}

#[test]
fn a_crash_at_any_point_of_it_loses_nothing() {
    let first = |dir: &Path| segment_path(dir, 1);
    let made = |dir: &Path| fs::create_dir(dir.join(SEGMENTS_DIR)).unwrap();
    let linked = |dir: &Path| {
        made(dir);
        fs::hard_link(dir.join(MARKER_FILE), first(dir)).unwrap();
    };
    let beside = |dir: &Path| {
        linked(dir);
        fs::write(disk::beside(&dir.join(MARKER_FILE)), &frame::marker()[..7]).unwrap();
    };
    let moved = |dir: &Path| {
        made(dir);
        fs::rename(dir.join(MARKER_FILE), first(dir)).unwrap();
    };
    let begun = |dir: &Path| {
        moved(dir);
        fs::write(dir.join(MARKER_FILE), &frame::marker()[..9]).unwrap();
    };
    let check = |name: &str, crash: &dyn Fn(&Path)| {
        let dir = version_1();
        crash(dir.path());
        let (journal, recovery) = Journal::open(dir.path()).unwrap();
        assert_eq!((recovery.records_count, recovery.segments_count), (RECORDS, 1), "{name}");
        assert_eq!(count(&journal.reader()), RECORDS, "{name}");
        assert_taken_over(dir.path());
    };
    check("made", &made);
    check("linked", &linked);
    check("beside", &beside);
    check("moved", &moved);
    check("begun", &begun);
}

#[test]
fn its_torn_end_is_cut_and_its_damage_refused() {
    for length in (LAST_COMMIT..VERSION_1.len()).step_by(11) {
        let dir = version_1();
        fs::write(dir.path().join(MARKER_FILE), &VERSION_1[..length]).unwrap();
        let (journal, recovery) = Journal::open(dir.path()).unwrap();
        assert_eq!((recovery.records_count, count(&journal.reader())), (RECORDS - 1, RECORDS - 1), "{length}");
        assert_eq!(recovery.truncated_bytes, (length - LAST_COMMIT) as u64, "{length}");
    }
    let dir = version_1();
    let mut damaged = VERSION_1.to_vec();
    damaged[100] ^= 1;
    fs::write(dir.path().join(MARKER_FILE), &damaged).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code(), "JRN-005");
    assert_eq!(Journal::open(dir.path()).unwrap_err().code(), "JRN-005", "and again when it is a segment");
}

/// The creation of a version 1 file, or of a marker, that a crash ended early held nothing.
#[test]
fn an_unfinished_header_is_begun_anew() {
    for whole in [frame::header(), frame::marker()] {
        for length in 0..frame::HEADER_BYTES {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(MARKER_FILE), &whole[..length]).unwrap();
            let (mut journal, recovery) = Journal::open(dir.path()).unwrap();
            assert_eq!((recovery.records_count, recovery.truncated_bytes), (0, length as u64));
            journal.append(&[cursor(1)]).unwrap();
            drop(journal);
            assert_eq!(heights(&Journal::open(dir.path()).unwrap().0, &Tip::start()), [1]);
        }
    }
}

#[test]
fn two_journals_in_one_place_are_refused() {
    let fixture = fixture();
    fs::write(fixture.path().join(MARKER_FILE), VERSION_1).unwrap();
    assert_eq!(fixture.open().unwrap_err().code(), "JRN-012");
    assert_eq!(fs::read(fixture.path().join(MARKER_FILE)).unwrap(), VERSION_1, "a refusal changes nothing");
    assert_eq!(fs::read(fixture.segment()).unwrap(), fixture.bytes, "a refusal changes nothing");
}

#[test]
fn a_running_older_program_keeps_it_locked() {
    let dir = version_1();
    let old = File::open(dir.path().join(MARKER_FILE)).unwrap();
    old.try_lock().unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code(), "JRN-001");
    drop(old);
    Journal::open(dir.path()).unwrap();
}
