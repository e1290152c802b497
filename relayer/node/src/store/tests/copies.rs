//! Backup, restore, export, import and rebuild.

use std::io::BufReader;

use super::*;

/// A ledger that remembers an attestation, in many small segments.
fn attested() -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes_max: 300, ..JournalOptions::default() };
    let (ledger, _) = Ledger::open_with(dir.path(), options).unwrap();
    let signed = SignedAttestation {
        key: "k".into(),
        instance: Hash32([1; 32]),
        height: 7,
        statement: StatementKind::State,
        digest: Hash32([2; 32]),
        timestamp_seconds: Some(7),
    };
    ledger.record(vec![Record::SignedAttestation(signed)]).unwrap();
    (1..=6).for_each(|sequence| ledger.record(vec![step(sequence, Stage::Sent, 1)]).unwrap());
    assert!(ledger.tip().segment > 2);
    (dir, ledger)
}

#[test]
fn a_backup_is_taken_while_the_ledger_records_and_grows_with_it() {
    let (dir, ledger) = attested();
    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("backup");
    let first = backup(dir.path(), &target, 5).unwrap();
    assert_eq!((first.records, first.hash.clone(), first.at_seconds), (7, ledger.tip().hash.to_string(), 5));
    assert_eq!(verify(&target).unwrap().0, first);
    let sealed = fs::metadata(journal_file(&target)).unwrap().modified().unwrap();
    std::thread::scope(|scope| {
        let recording = scope.spawn(|| {
            (10..60).for_each(|sequence| ledger.record(vec![step(sequence, Stage::Sent, 1)]).unwrap());
        });
        for at in 6..12 {
            let taken = backup(dir.path(), &target, at).unwrap();
            assert!(taken.records >= first.records);
            assert_eq!(verify(&target).unwrap().0, taken);
        }
        recording.join().unwrap();
    });
    assert_eq!(backup(dir.path(), &target, 13).unwrap().records, ledger.tip().records);
    let again = fs::metadata(journal_file(&target)).unwrap().modified().unwrap();
    assert_eq!(sealed, again, "a sealed segment is copied once");
}

#[test]
fn a_backup_put_back_has_everything_but_the_right_to_attest() {
    let (dir, ledger) = attested();
    let target = tempfile::tempdir().unwrap();
    backup(dir.path(), target.path(), 5).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let (manifest, restored) = restore(target.path(), fresh.path(), 9).unwrap();
    assert_eq!((manifest.records, restored.keys.clone()), (7, vec!["k".to_owned()]));
    let (put_back, report) = open(&fresh);
    assert_eq!((report.folded_records, report.journal.records_count), (0, 8));
    assert_eq!(put_back.open_packets("p").unwrap().len(), 6);
    assert_eq!(put_back.signed_state("k", 7).unwrap(), ledger.signed_state("k", 7).unwrap());
    assert_eq!(
        put_back.attestor_memory("k").unwrap(),
        AttestorMemory::Restored,
        "it may have attested more after the backup"
    );
    assert_eq!(put_back.acts(None, 9).unwrap().len(), 1, "that it was put back is among the acts");
    assert_eq!(put_back.check().unwrap(), []);
    let error = restore(target.path(), fresh.path(), 9).unwrap_err();
    assert_eq!(error.code(), "STORE-104", "{error}");
}

#[test]
fn what_is_wrong_with_a_backup_is_refused() {
    let (dir, _ledger) = attested();
    let check = |change: &dyn Fn(&Path), expect: &str| {
        let target = tempfile::tempdir().unwrap();
        backup(dir.path(), target.path(), 5).unwrap();
        change(target.path());
        let error = verify(target.path()).unwrap_err();
        assert_eq!(error.code(), expect, "{error}");
        let fresh = tempfile::tempdir().unwrap();
        assert_eq!(restore(target.path(), fresh.path(), 9).unwrap_err().code(), expect);
        assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0, "nothing is put back");
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let newest =
        |target: &Path| fs::read_dir(target.join(SEGMENTS_DIR)).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    check(&|target| fs::remove_file(target.join(MANIFEST_FILE)).unwrap(), "STORE-102");
    check(&|target| fs::write(target.join(MANIFEST_FILE), "{}").unwrap(), "STORE-102");
    check(&|target| flip(&journal_file(target)), "JRN-005");
    check(&|target| fs::remove_file(journal_file(target)).unwrap(), "JRN-010");
    check(&|target| flip(&newest(target)), "STORE-103");
    check(&|target| fs::remove_file(newest(target)).unwrap(), "STORE-103");
}

#[test]
fn two_journals_are_never_mixed_in_a_backup() {
    let (dir, _ledger) = attested();
    let target = tempfile::tempdir().unwrap();
    backup(dir.path(), target.path(), 5).unwrap();
    let third = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&third);
    ledger.record(vec![cursor(9)]).unwrap();
    let error = backup(third.path(), target.path(), 6).unwrap_err();
    assert_eq!(error.code(), "STORE-105", "{error}");
    assert_eq!(verify(target.path()).unwrap().0.records, 7, "the backup is as it was");
}

#[test]
fn an_export_read_back_is_the_same_chain() {
    let (dir, ledger) = attested();
    let mut lines = Vec::new();
    let tip = export(&Reader::open(dir.path()).unwrap(), &mut lines).unwrap();
    assert!(tip.is_same(&ledger.tip()));
    let fresh = tempfile::tempdir().unwrap();
    let restored = import_into(fresh.path(), &mut BufReader::new(lines.as_slice()), 9).unwrap();
    assert_eq!((restored.records, restored.hash, restored.keys), (7, ledger.tip().hash, vec!["k".to_owned()]));
    let (read_back, _) = open(&fresh);
    assert_eq!(read_back.open_packets("p").unwrap().len(), 6);
    assert_eq!(read_back.attestor_memory("k").unwrap(), AttestorMemory::Restored);
    drop(read_back);
    let again = import_into(fresh.path(), &mut BufReader::new(lines.as_slice()), 9).unwrap_err();
    assert_eq!(again.code(), "STORE-114", "{again}");
}

#[test]
fn an_export_that_was_changed_is_refused() {
    let (dir, _ledger) = attested();
    let mut lines = Vec::new();
    export(&Reader::open(dir.path()).unwrap(), &mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let all: Vec<&str> = text.lines().collect();
    let check = |lines: Vec<String>, expect: &str| {
        let fresh = tempfile::tempdir().unwrap();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let error = import_into(fresh.path(), &mut BufReader::new(text.as_bytes()), 9).unwrap_err();
        assert_eq!(error.code(), expect, "{error}");
        assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0, "nothing of it stays: {error}");
    };
    let owned = || all.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let without = |at: usize| {
        let mut lines = owned();
        lines.remove(at);
        lines
    };
    check(without(0), "STORE-112");
    check(without(3), "STORE-113");
    check(without(all.len() - 2), "STORE-113");
    check(without(all.len() - 1), "STORE-112");
    let swapped = {
        let mut lines = owned();
        lines.swap(2, 3);
        lines
    };
    check(swapped, "STORE-113");
    let replaced = |from: &str, to: &str| owned().iter().map(|line| line.replacen(from, to, 1)).collect::<Vec<_>>();
    check(replaced("client-0/1", "client-0/9"), "STORE-113");
    check(replaced("\"stage\":\"sent\"", "\"stage\":\"received\""), "STORE-113");
    check(replaced("\"v\":1", "\"v\":2"), "STORE-112");
    check(replaced("catenary_journal\":1", "catenary_journal\":2"), "STORE-112");
}

#[test]
fn a_rebuilt_store_is_the_same_and_keeps_saved_light_clients() {
    let (dir, ledger) = attested();
    let bytes = b"a state";
    let state = TrustedState {
        chain: "quorum".into(),
        instance: Hash32([1; 32]),
        height: 1,
        hash: Hash32([2; 32]),
        digest: Hash32::sha256(&[bytes]),
    };
    ledger.save_client(state.clone(), bytes).unwrap();
    assert_eq!(rebuild(dir.path(), false).unwrap_err().code(), "JRN-001", "a node is running");
    drop(ledger);
    tamper(&dir, &[StoreOp::Put { tree: Tree::Nonces, key: "c/k/1".into(), value: b"wrong".to_vec() }]);
    let rebuilt = rebuild(dir.path(), false).unwrap();
    assert!(rebuilt.aside.unwrap().is_dir());
    assert_eq!((rebuilt.folded_records, rebuilt.lost), (8, None));
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, report.rebuilt), (0, None));
    assert_eq!(ledger.check().unwrap(), []);
    assert_eq!(ledger.saved_client("quorum").unwrap(), Some((state, bytes.to_vec())));
}

/// Found in review: a backup of a damaged journal replaced the longer one of before.
#[test]
fn a_journal_that_lost_its_end_does_not_replace_a_longer_backup() {
    let (dir, ledger) = attested();
    let target = tempfile::tempdir().unwrap();
    let taken = backup(dir.path(), target.path(), 5).unwrap();
    drop(ledger);
    let newest = Reader::open(dir.path()).unwrap().segments().last().unwrap().path.clone();
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() - 1]).unwrap();
    let error = backup(dir.path(), target.path(), 6).unwrap_err();
    assert_eq!(error.code(), "STORE-106", "{error}");
    assert_eq!(verify(target.path()).unwrap().0, taken, "the backup is left as it was");
    fs::write(&newest, &bytes).unwrap();
    assert_eq!(backup(dir.path(), target.path(), 7).unwrap().records, taken.records);
}

/// Found in review: a restore that was interrupted left a valid journal that did not say that it was put back, so
/// attestor keys went on signing.
#[test]
fn an_interrupted_restore_leaves_no_journal() {
    let (dir, _ledger) = attested();
    let target = tempfile::tempdir().unwrap();
    backup(dir.path(), target.path(), 5).unwrap();
    let (_, reader) = verify(target.path()).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let stopped = std::panic::catch_unwind(|| {
        backup::put_back(fresh.path(), 9, |unfinished| -> Result<(), BackupError> {
            backup::copy(&reader, unfinished)?;
            panic!("the power goes before the record is made");
        })
    });
    assert!(stopped.is_err());
    assert!(fresh.path().join("restore.tmp").join(SEGMENTS_DIR).exists(), "it was copied that far");
    assert!(!fresh.path().join(SEGMENTS_DIR).exists() && Reader::open(fresh.path()).is_err());
    let (_, restored) = restore(target.path(), fresh.path(), 10).unwrap();
    assert_eq!(restored.keys, ["k".to_owned()]);
    assert!(!fresh.path().join("restore.tmp").exists(), "what was left is removed");
    let (put_back, _) = open(&fresh);
    assert_eq!(put_back.attestor_memory("k").unwrap(), AttestorMemory::Restored);
    assert_eq!(put_back.tip().records, 8);
}

#[test]
fn an_import_goes_into_a_journal_that_was_only_begun() {
    let (dir, _ledger) = attested();
    let mut lines = Vec::new();
    export(&Reader::open(dir.path()).unwrap(), &mut lines).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let begun = open(&fresh).0;
    let import = || import_into(fresh.path(), &mut BufReader::new(lines.as_slice()), 9).map_err(|error| error.code());
    assert_eq!(import(), Err("JRN-001"), "a node is running");
    drop(begun);
    assert_eq!(import().map(|restored| restored.records), Ok(7));
}

/// Found in review: a rebuild took the store away that alone knew that the journal had lost its end, and the attestor's key
/// signed on.
#[test]
fn a_rebuild_refuses_a_store_that_knows_more_than_the_journal() {
    // How the journal loses its end, what refuses then, and records up to there.
    let cut = |dir: &Path| {
        let newest = Reader::open(dir).unwrap().segments().last().unwrap().path.clone();
        let length = fs::metadata(&newest).unwrap().len();
        fs::OpenOptions::new().write(true).open(&newest).unwrap().set_len(length - 1).unwrap();
    };
    let replaced = |dir: &Path| {
        fs::remove_dir_all(dir.join(SEGMENTS_DIR)).unwrap();
        let (mut journal, _) = Journal::open(dir).unwrap();
        for height in 1..=9 {
            journal.append(&[cursor(height)]).unwrap();
        }
    };
    let lost = |dir: &Path| fs::remove_dir_all(dir.join(SEGMENTS_DIR)).unwrap();
    let check = |lose: &dyn Fn(&Path), expect: &str, records: u64| {
        let (dir, ledger) = attested();
        drop(ledger);
        lose(dir.path());
        for _ in 0..2 {
            let error = rebuild(dir.path(), false).unwrap_err();
            assert_eq!(error.code(), expect, "{error}");
            assert!(error.to_string().contains("store rebuild --accept-loss"), "{error}");
            assert_eq!(Ledger::open(dir.path()).unwrap_err().code(), expect, "the store is where it was");
        }
        let rebuilt = rebuild(dir.path(), true).unwrap();
        let loss = rebuilt.lost.unwrap();
        assert_eq!((loss.records, loss.keys), (records, vec!["k".to_owned()]), "{expect}");
        let (ledger, report) = open(&dir);
        assert_eq!((report.folded_records, report.journal.records_count), (0, records + 1));
        assert_eq!(ledger.attestor_memory("k").unwrap(), AttestorMemory::Restored);
        assert_eq!(ledger.check().unwrap(), []);
        drop(ledger);
        assert_eq!(rebuild(dir.path(), true).unwrap().lost, None, "it is journaled once");
    };
    check(&cut, "STORE-003", 6);
    check(&lost, "STORE-003", 0);
    check(&replaced, "STORE-005", 9);
}

/// Found in review: backups had no checkpoints, so one of a journal whose first segments were removed did not open.
#[test]
fn a_backup_holds_the_checkpoint_for_segments_that_were_removed() {
    let (dir, ledger) = attested();
    let targets = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [grown, stale, new] = targets.each_ref().map(TempDir::path);
    backup(dir.path(), stale, 5).unwrap();
    ledger.record(vec![step(7, Stage::Sent, 1)]).unwrap();
    backup(dir.path(), grown, 6).unwrap();
    let made = ledger.checkpoint(77).unwrap().unwrap();
    assert!(!ledger.forget(u64::MAX).unwrap().is_empty());
    ledger.record(vec![step(8, Stage::Sent, 1)]).unwrap();
    for target in [grown, new] {
        let taken = backup(dir.path(), target, 8).unwrap();
        assert_eq!(verify(target).unwrap().0, taken);
        let first = verify(target).unwrap().1.start().segment;
        assert_eq!(first, if target == grown { 1 } else { made.segment }, "what was removed here stays there");
        fold_in_memory(&Reader::open(target).unwrap()).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        restore(target, fresh.path(), 9).unwrap();
        let (put_back, report) = open(&fresh);
        assert_eq!(report.journal.records_count, taken.records + 1);
        assert_eq!(put_back.open_packets("p").unwrap().len(), 8);
        assert_eq!(put_back.attestor_memory("k").unwrap(), AttestorMemory::Restored);
        assert_eq!(put_back.check().unwrap(), []);
    }
    let before = verify(stale).unwrap().0;
    let error = backup(dir.path(), stale, 8).unwrap_err();
    assert_eq!(error.code(), "STORE-107", "{error}");
    assert_eq!(verify(stale).unwrap().0, before, "it is left as it was");
}
