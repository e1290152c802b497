//! Places that one command at a time may write, and stores of another layout.

use std::io::BufReader;

use super::*;
use crate::store::held;

/// A data directory whose journal was put back, so that its key refuses to attest.
fn put_back() -> TempDir {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ledger, _) = open(&dir);
    let signed = SignedAttestation {
        key: "k".into(),
        instance: Hash32([1; 32]),
        height: 7,
        statement: StatementKind::State,
        digest: Hash32([2; 32]),
        timestamp_seconds: Some(7),
    };
    ledger.record(vec![Record::SignedAttestation(signed)]).unwrap();
    backup(dir.path(), target.path(), 5).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    restore(target.path(), fresh.path(), 9).unwrap();
    fresh
}

#[test]
fn two_backups_or_restores_into_one_place_are_refused() {
    let (dir, target) = (put_back(), tempfile::tempdir().unwrap());
    let taken = backup(dir.path(), target.path(), 5).unwrap();
    let mut lines = Vec::new();
    export(&Reader::open(dir.path()).unwrap(), &mut lines).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let import = || import_into(fresh.path(), &mut BufReader::new(lines.as_slice()), 9).map_err(|error| error.code());
    // Somebody writes the backup: nobody else writes it, and nobody reads what is half of it.
    let writing = held::to_write(target.path()).unwrap().unwrap();
    assert_eq!(backup(dir.path(), target.path(), 6).unwrap_err().code(), "STORE-108");
    assert_eq!(verify(target.path()).unwrap_err().code(), "STORE-108");
    assert_eq!(restore(target.path(), fresh.path(), 6).unwrap_err().code(), "STORE-108");
    drop(writing);
    // Somebody reads it: others read it as well, and nobody writes it.
    let reading = held::to_read(target.path()).unwrap().unwrap();
    assert_eq!(verify(target.path()).unwrap().0, taken);
    assert_eq!(backup(dir.path(), target.path(), 6).unwrap_err().code(), "STORE-108");
    // Somebody restores or imports into the same data directory.
    let restoring = held::data_dir(fresh.path()).unwrap().unwrap();
    assert_eq!(restore(target.path(), fresh.path(), 6).unwrap_err().code(), "STORE-108");
    assert_eq!(import(), Err("STORE-115"));
    assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0, "nothing is made there");
    drop((reading, restoring));
    assert_eq!(import().map(|restored| restored.records), Ok(2));
    assert_eq!(backup(dir.path(), target.path(), 7).unwrap().at_seconds, 7);
}

#[test]
fn a_backup_that_cannot_be_locked_is_read_all_the_same() {
    let (dir, target) = (put_back(), tempfile::tempdir().unwrap());
    let taken = backup(dir.path(), target.path(), 5).unwrap();
    fs::remove_file(target.path().join("backup.lock")).unwrap();
    assert_eq!(test_restore(target.path()).map(|(manifest, _)| manifest).unwrap(), taken);
    assert!(!target.path().join("backup.lock").exists(), "reading makes nothing");
}

/// Found by ending the command at each of its points: a backup that was interrupted made the one before it useless.
#[test]
fn a_backup_that_was_interrupted_leaves_the_one_before_it_as_good_as_it_was() {
    let (dir, target) = (put_back(), tempfile::tempdir().unwrap());
    let taken = backup(dir.path(), target.path(), 5).unwrap();
    open(&dir).0.record(vec![cursor(8)]).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    backup::copy(&reader, target.path()).unwrap();
    let (more, copied) = verify(target.path()).unwrap();
    assert_eq!((more.records, more.at_seconds), (taken.records + 1, 5));
    assert_eq!(more.hash, reader.tip().hash.to_string());
    assert!(copied.tip().is_same(&reader.tip()));
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(restore(target.path(), fresh.path(), 9).unwrap().0, more);
    assert_eq!(open(&fresh).0.cursor("quorum").unwrap(), Some(8));
    // Another journal of that length is not it.
    let manifest = target.path().join(MANIFEST_FILE);
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in [(taken.hash.clone(), more.hash.clone()), ("\"records\": 2".into(), "\"records\": 1".into())] {
        fs::write(&manifest, text.replacen(&from, &to, 1)).unwrap();
        assert_eq!(verify(target.path()).unwrap_err().code(), "STORE-103", "{from}");
    }
}

#[test]
fn a_note_goes_with_the_next_commit_and_has_none_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    let read = |ledger: &Ledger| {
        let mut heights = Vec::new();
        let replayed = ledger.replay(|record| match record {
            Record::Cursor(cursor) => heights.push(cursor.height),
            other => panic!("{other:?}"),
        });
        replayed.map(|()| heights).unwrap()
    };
    ledger.note(&cursor(1));
    ledger.note(&cursor(2));
    assert_eq!(read(&ledger), [0; 0], "nothing is recorded for them");
    let before = ledger.tip();
    ledger.record(vec![cursor(3)]).unwrap();
    assert_eq!(read(&ledger), [1, 2, 3], "they come before what follows from them");
    let mut commits = 0;
    let counted = ledger.reader().commits(&before, |_, _| -> Result<(), JournalError> {
        commits += 1;
        Ok(())
    });
    counted.unwrap();
    assert_eq!((commits, ledger.check().unwrap()), (1, vec![]));
    // Too many are not kept: they wait for a disk that takes nothing.
    (10..10_000).for_each(|height| ledger.note(&cursor(height)));
    ledger.record(vec![cursor(4)]).unwrap();
    let heights = read(&ledger);
    assert!(heights.len() > 500 && heights.len() < 2_000, "{}", heights.len());
    assert_eq!(heights.last(), Some(&4));
}

/// Stores of version 1 may have folded a record that a journal was put back as if it were any act, and let the key attest.
#[test]
fn a_store_of_an_older_layout_is_folded_anew_and_keeps_saved_light_clients() {
    let dir = put_back();
    let bytes = b"a state";
    let state = TrustedState {
        chain: "quorum".into(),
        instance: Hash32([1; 32]),
        height: 1,
        hash: Hash32([2; 32]),
        digest: Hash32::sha256(&[bytes]),
    };
    open(&dir).0.save_client(state.clone(), bytes).unwrap();
    let older = |dir: &TempDir| {
        let memory = catenary_core::fold::keys::signature_memory("k");
        let forgets = StoreOp::Put { tree: Tree::Signatures, key: memory, value: b"signed".to_vec() };
        tamper(dir, &[tip_op(|tip| tip.schema = 1, dir), forgets]);
    };
    older(&dir);
    let (ledger, report) = open(&dir);
    let (_, why) = report.rebuilt.unwrap();
    assert!(why.contains("layout 1"), "{why}");
    assert_eq!(ledger.attestor_memory("k").unwrap(), AttestorMemory::Restored, "the key refuses again");
    assert_eq!(ledger.saved_client("quorum").unwrap(), Some((state, bytes.to_vec())));
    assert_eq!(ledger.check().unwrap(), []);
    drop(ledger);
    // It says that the journal lost its end, whatever its layout.
    older(&dir);
    let newest = Reader::open(dir.path()).unwrap().segments().last().unwrap().path.clone();
    let length = fs::metadata(&newest).unwrap().len();
    fs::OpenOptions::new().write(true).open(&newest).unwrap().set_len(length - 1).unwrap();
    assert_eq!(Ledger::open(dir.path()).unwrap_err().code(), "STORE-003");
    assert_eq!(rebuild(dir.path(), false).unwrap_err().code(), "STORE-003");
}
