//! Disks that are full or fail, and what the journal does until they work again.

use std::io;
use std::sync::Mutex;

use super::*;

/// What a disk refuses from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// Writes end after so many bytes.
    Full(usize),
    /// Everything is written and nothing is known to be durable.
    Sync,
    /// Writes and cuts fail.
    Dead,
}

#[derive(Debug)]
struct Faulty(Mutex<Fault>);

impl Faulty {
    fn now(&self) -> Fault {
        *self.0.lock().unwrap()
    }
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl Disk for Faulty {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let written = match self.now() {
            Fault::None | Fault::Sync => return file.write_all(bytes),
            Fault::Full(room) => room.min(bytes.len()),
            Fault::Dead => 0,
        };
        file.write_all(&bytes[..written])?;
        Err(full())
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        if self.now() == Fault::Sync {
            return Err(io::Error::other("the disk went away"));
        }
        file.sync_data()
    }

    fn cut(&self, file: &File, length_bytes: u64) -> io::Result<()> {
        if matches!(self.now(), Fault::Dead | Fault::Sync) {
            return Err(io::Error::other("the disk went away"));
        }
        file.set_len(length_bytes)
    }
}

fn faulty(data_dir: &Path, segment_bytes_max: u64) -> (Journal, Arc<Faulty>) {
    let disk = Arc::new(Faulty(Mutex::new(Fault::None)));
    let options = JournalOptions { disk: disk.clone(), segment_bytes_max };
    (Journal::open_with(data_dir, options).unwrap().0, disk)
}

fn set(disk: &Faulty, fault: Fault) {
    *disk.0.lock().unwrap() = fault;
}

#[test]
fn a_failed_write_is_cleared_away_before_anything_else_is_appended() {
    let size = fixture().ends[1] - SEGMENT_HEADER_BYTES;
    let faults = (0..size).step_by(7).map(Fault::Full).chain([Fault::Sync, Fault::Dead]);
    for fault in faults {
        let fixture = fixture();
        let (mut journal, disk) = faulty(fixture.path(), SEGMENT_BYTES_MAX);
        let tip = journal.tip();
        set(&disk, fault);
        assert_eq!(journal.append(&[cursor(5)]).unwrap_err().code(), "JRN-002", "{fault:?}");
        assert!(journal.failure().is_some());
        let again = journal.append(&[cursor(6)]).unwrap_err();
        let expect = if matches!(fault, Fault::Full(_)) { "JRN-002" } else { "JRN-009" };
        assert_eq!((again.code(), again.class()), (expect, catenary_light_clients::Class::Transient), "{fault:?}");
        assert!(journal.probe().is_err(), "{fault:?}: there is no room to be found");
        assert_eq!(journal.tip(), tip, "{fault:?}");
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4], "{fault:?}: what was durable can be read meanwhile");
        set(&disk, Fault::None);
        journal.probe().unwrap();
        assert_eq!(journal.failure(), None);
        journal.append(&[cursor(7)]).unwrap();
        assert_eq!(
            heights(&journal, &Tip::start()),
            [1, 2, 3, 4, 7],
            "{fault:?}: nothing of the failed commits is left"
        );
        drop(journal);
        let (journal, recovery) = fixture.open().unwrap();
        assert_eq!((recovery.truncated_bytes, recovery.records_count), (0, 5), "{fault:?}");
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4, 7], "{fault:?}");
    }
}

#[test]
fn a_crash_while_the_disk_is_full_loses_nothing_durable() {
    for fault in [Fault::Full(0), Fault::Full(20), Fault::Full(90), Fault::Dead] {
        let fixture = fixture();
        let (mut journal, disk) = faulty(fixture.path(), SEGMENT_BYTES_MAX);
        set(&disk, fault);
        journal.append(&[cursor(5)]).unwrap_err();
        drop(journal);
        let (journal, _) = fixture.open().unwrap();
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3, 4], "{fault:?}");
    }
    // A commit that was written and could not be synced may be there after a crash. Nobody acted on it.
    let fixture = fixture();
    let (mut journal, disk) = faulty(fixture.path(), SEGMENT_BYTES_MAX);
    set(&disk, Fault::Sync);
    journal.append(&[cursor(5)]).unwrap_err();
    drop(journal);
    assert_eq!(heights(&fixture.open().unwrap().0, &Tip::start()), [1, 2, 3, 4, 5]);
}

#[test]
fn a_rotation_that_fails_is_tried_again_with_the_next_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, disk) = faulty(dir.path(), 1);
    journal.append(&[cursor(1)]).unwrap();
    for room in [0, 10, 79] {
        set(&disk, Fault::Full(room));
        let error = journal.append(&[cursor(2)]).unwrap_err();
        assert_eq!(error.code(), "JRN-002", "{error}");
        assert!(error.to_string().contains("begin a segment"), "{error}");
        assert_eq!(journal.tip().segment, 1);
    }
    set(&disk, Fault::None);
    assert_eq!(journal.append(&[cursor(3)]).unwrap().segment, 2);
    assert_eq!(heights(&journal, &Tip::start()), [1, 3]);
    assert_eq!(fs::read_dir(dir.path().join(SEGMENTS_DIR)).unwrap().count(), 2, "nothing is left beside");
}

#[test]
fn a_last_commit_that_is_not_there_any_more_is_not_built_upon() {
    let fixture = fixture();
    let (mut journal, disk) = faulty(fixture.path(), SEGMENT_BYTES_MAX);
    set(&disk, Fault::Full(3));
    journal.append(&[cursor(5)]).unwrap_err();
    set(&disk, Fault::None);
    // A disk that lost what it had called durable.
    let mut bytes = fixture.bytes.clone();
    bytes[fixture.ends[2] + 50] ^= 1;
    fs::write(fixture.segment(), &bytes).unwrap();
    let error = journal.append(&[cursor(6)]).unwrap_err();
    assert_eq!((error.code(), error.class()), ("JRN-005", catenary_light_clients::Class::Permanent), "{error}");
}

/// A disk that fails once a new file has its name and before that is known to be durable.
#[derive(Debug, Default)]
struct Unsynced(std::sync::atomic::AtomicBool);

impl Disk for Unsynced {
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OsDisk.create(path, bytes)?;
        let fails = self.0.load(std::sync::atomic::Ordering::SeqCst);
        if fails {
            Err(io::Error::other("the directory was not synced"))
        } else {
            Ok(())
        }
    }
}

/// Found in review: the older segment grew after the next one stood beside it, and the next start refused with JRN-011.
#[test]
fn a_segment_that_a_failed_rotation_left_does_not_shut_the_journal() {
    for appends_while_it_fails in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Unsynced::default());
        let options = JournalOptions { disk: disk.clone(), segment_bytes_max: SEGMENT_BYTES_MAX };
        let (mut journal, _) = Journal::open_with(dir.path(), options).unwrap();
        journal.append(&[cursor(1)]).unwrap();
        disk.0.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(journal.rotate().unwrap_err().code(), "JRN-002");
        assert!(segment_path(dir.path(), 2).exists(), "it has its name all the same");
        if appends_while_it_fails {
            assert_eq!(journal.append(&[cursor(9)]).unwrap_err().code(), "JRN-002");
        }
        assert_eq!(heights_of(&Reader::open(dir.path()).unwrap(), &Tip::start()), [1], "a crash here loses nothing");
        disk.0.store(false, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(journal.append(&[cursor(2)]).unwrap().segment, 2);
        assert_eq!(journal.append(&[cursor(3)]).unwrap().segment, 2, "the rotation was done once");
        drop(journal);
        let (journal, recovery) = Journal::open(dir.path()).unwrap();
        assert_eq!((recovery.segments_count, recovery.truncated_bytes), (2, 0));
        assert_eq!(heights(&journal, &Tip::start()), [1, 2, 3]);
    }
}
