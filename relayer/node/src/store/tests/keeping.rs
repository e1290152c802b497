//! Retention, checkpoints, and removing what they stand for.

use catenary_core::record::{Act, AttestorReset, Checkpoint, Start};
use catenary_core::Runs;

use super::*;
use crate::journal::checkpoint_name;

const UETR: &str = "eb6305c9-1f7f-49de-aed0-16487c27b42d";

/// A packet that moves value under a payment reference, in bytes.
fn packet_bytes(sequence: u64) -> Vec<u8> {
    use catenary_protocol::{ics20, Packet, Payload};
    let memo = format!(r#"{{"settlement":{{"uetr":"{UETR}"}}}}"#);
    let transfer =
        ics20::Transfer { denom: "atoken".into(), amount: "1".into(), sender: "a".into(), receiver: "b".into(), memo };
    let payload = Payload {
        source_port: "transfer".into(),
        destination_port: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/x-solidity-abi".into(),
        value: transfer.abi_encode().unwrap(),
    };
    let (source_client, destination_client) = ("client-0".into(), "attestations-0".into());
    let timeout_timestamp_seconds = 86_400;
    Packet { sequence, source_client, destination_client, timeout_timestamp_seconds, payloads: vec![payload] }
        .proto_encode()
}

/// A packet's life, ended at a time.
fn life(sequence: u64, at_seconds: u64) -> Vec<Record> {
    let sent = match step(sequence, Stage::Sent, at_seconds) {
        Record::Packet(step) => Record::Packet(PacketStep { packet: Some(packet_bytes(sequence)), ..step }),
        other => other,
    };
    vec![sent, step(sequence, Stage::Received, at_seconds), step(sequence, Stage::Acknowledged, at_seconds)]
}

fn outcome(byte: u8, at_seconds: u64) -> Record {
    let (tx_hash, chain) = (Hash32([byte; 32]), "simd".into());
    Record::Outcome(Outcome { tx_hash, chain, result: OutcomeResult::Dropped, at_seconds })
}

/// What must survive everything: signatures, nonces, acts, cursors, paths, open packets and transactions.
fn kept() -> Vec<Record> {
    let attested = |statement| SignedAttestation {
        key: "k".into(),
        instance: Hash32([1; 32]),
        height: 7,
        statement,
        digest: Hash32([2; 32]),
        timestamp_seconds: (statement == StatementKind::State).then_some(7),
    };
    let reset = AttestorReset { key: "k".into(), actor: "ann".into(), reason: "r".into(), at_seconds: 1 };
    let (details, actor) = (std::collections::BTreeMap::new(), "ann".to_owned());
    vec![
        Record::Start(Start { version: "1".into(), config_digest: Hash32([1; 32]), at_seconds: 1 }),
        Record::SignedAttestation(attested(StatementKind::State)),
        Record::SignedAttestation(attested(StatementKind::Packets)),
        Record::SignedTx(SignedTx {
            key: "k".into(),
            chain: "c".into(),
            nonce: 3,
            digest: Hash32([9; 32]),
            replaces: None,
        }),
        Record::AttestorReset(reset),
        Record::Act(Act { actor, action: "a".into(), reason: "r".into(), details, at_seconds: 1 }),
        cursor(4),
        Record::Intent(intent(200)),
        step(50, Stage::Sent, 1),
        step(51, Stage::Parked, 1),
    ]
}

fn prune_all(ledger: &Ledger, before_seconds: u64) -> usize {
    let mut place = PrunePlace::default();
    let retention = Retention { before_seconds, now_seconds: 1_000 };
    let mut count = 0;
    for _ in 0..4 {
        count += ledger.prune(retention, &mut place).unwrap();
    }
    count
}

fn all_keys(ledger: &Ledger) -> Vec<(Tree, String)> {
    let entries = |tree: Tree| ledger.scan(tree, "", None, SCAN_MAX).unwrap().into_iter();
    let keys = |tree: Tree| entries(tree).map(move |(key, _): Entry| (tree, key));
    Tree::ALL.into_iter().filter(|tree| *tree != Tree::Meta).flat_map(keys).collect()
}

#[test]
fn what_ended_long_ago_leaves_the_store_and_is_known_to_have_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    ledger.record(kept()).unwrap();
    let before = all_keys(&ledger);
    (1..=3).for_each(|sequence| ledger.record(life(sequence, 10)).unwrap());
    ledger.record(life(5, 10)).unwrap();
    ledger.record(vec![Record::Intent(intent(5)), outcome(5, 10)]).unwrap();
    assert_eq!(ledger.packets_of(UETR).unwrap().len(), 4);
    assert_eq!(prune_all(&ledger, 10), 0, "what ended at the bound stays");
    assert_eq!(prune_all(&ledger, 11), 4);
    let closed = "closed/p/quorum/client-0".to_owned();
    let mut expect = before;
    expect.push((Tree::Transfers, closed));
    expect.sort();
    let mut got = all_keys(&ledger);
    got.sort();
    assert_eq!(got, expect, "nothing else is left, and nothing else is gone");
    let runs: Runs = [1, 2, 3, 5].into_iter().collect();
    assert_eq!(ledger.closed_runs("p").unwrap(), [("quorum".to_owned(), "client-0".to_owned(), runs)]);
    assert_eq!(prune_all(&ledger, 11), 0, "once");
    // Later ones join.
    ledger.record(life(4, 20)).unwrap();
    assert_eq!(prune_all(&ledger, 21), 1);
    let runs = ledger.closed_runs("p").unwrap().remove(0).2;
    assert_eq!(runs.iter().collect::<Vec<_>>(), [(1, 5)]);
    assert_eq!(ledger.check().unwrap(), []);
    drop(ledger);
    fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
    let (ledger, _) = open(&dir);
    assert_eq!(ledger.closed_runs("p").unwrap().remove(0).2, runs, "folded anew");
    assert_eq!(all_keys(&ledger).len(), expect.len());
}

#[test]
fn pruning_is_the_same_when_a_crash_has_it_folded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    (1..=9).for_each(|sequence| ledger.record(life(sequence, sequence)).unwrap());
    let before = tip_value(&ledger);
    assert_eq!(prune_all(&ledger, 6), 5);
    let expect = all_keys(&ledger);
    drop(ledger);
    // The store is as after the prune, its place as before.
    tamper(&dir, &[StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value: before }]);
    let (ledger, report) = open(&dir);
    assert_eq!(report.folded_records, 1);
    assert_eq!(all_keys(&ledger), expect);
    assert_eq!(ledger.check().unwrap(), []);
}

fn tip_value(ledger: &Ledger) -> Vec<u8> {
    ledger.get(Tree::Meta, TIP_KEY).unwrap().unwrap()
}

/// A ledger with records before and after a checkpoint.
fn checkpointed() -> (TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    ledger.record(kept()).unwrap();
    (1..=5).for_each(|sequence| ledger.record(life(sequence, 10)).unwrap());
    assert_eq!(prune_all(&ledger, 11), 5);
    let made = ledger.checkpoint(77).unwrap().unwrap();
    ledger.record(life(6, 12)).unwrap();
    assert_eq!((made.segment, made.at_seconds), (2, 77));
    (dir, made)
}

fn checkpoint_path(dir: &TempDir, number: u64) -> PathBuf {
    dir.path().join(SEGMENTS_DIR).join(checkpoint_name(number))
}

#[test]
fn a_store_is_folded_anew_from_the_newest_checkpoint() {
    let (dir, made) = checkpointed();
    let (ledger, _) = open(&dir);
    assert_eq!(ledger.check().unwrap(), []);
    let expect = all_keys(&ledger);
    drop(ledger);
    fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
    let (ledger, report) = open(&dir);
    assert_eq!(report.folded_records, report.journal.records_count - made.records, "only what follows it");
    assert_eq!(all_keys(&ledger), expect);
    assert_eq!(ledger.check().unwrap(), []);
    assert!(!dir.path().join(SEGMENTS_DIR).join("scratch").exists());
}

#[test]
fn a_checkpoint_that_the_journal_does_not_confirm_is_not_used() {
    let damaged = |dir: &TempDir| {
        let path = checkpoint_path(dir, 2);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let renamed = |dir: &TempDir| fs::rename(checkpoint_path(dir, 2), checkpoint_path(dir, 3)).unwrap();
    let rows: [&dyn Fn(&TempDir); 2] = [&damaged, &renamed];
    for change in rows {
        let (dir, _) = checkpointed();
        change(&dir);
        fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
        let (ledger, report) = open(&dir);
        assert_eq!(report.folded_records, report.journal.records_count, "all of it");
        assert_eq!(ledger.check().unwrap(), []);
    }
}

/// Computed apart, from `relayer/docs/JOURNAL.md` alone.
#[test]
fn checkpoints_are_golden() {
    let store = MemoryStore::default();
    store
        .apply(&[
            StoreOp::Put { tree: Tree::Cursors, key: "c".into(), value: b"v1".to_vec() },
            StoreOp::Put { tree: Tree::Packets, key: "p".into(), value: Vec::new() },
            StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value: b"not in it".to_vec() },
            StoreOp::Put { tree: Tree::Blobs, key: "b".into(), value: b"not in it".to_vec() },
        ])
        .unwrap();
    let at = Tip { records: 9, segment: 2, offset_bytes: 80, hash: Hash32([0xab; 32]) };
    let mut bytes = Vec::new();
    let (digest, entries) = checkpoint::write(&store, &at, &mut bytes).unwrap();
    let expect = concat!(
        "43544e59434b505401000000",                                         // magic, version
        "02000000000000000900000000000000",                                 // segment, records
        "abababababababababababababababababababababababababababababababab", // chain hash
        "70010000007000000000",                                             // tree, key, value
        "630100000063020000007631",                                         // tree, key, value
        "ff0200000000000000",                                               // end, count
    );
    assert_eq!((hex::encode(&bytes), entries), (expect.to_owned(), 2));
    assert_eq!(digest, Hash32::sha256(&[&bytes]));
}

#[test]
fn a_checkpoint_file_is_read_in_one_spelling() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let at = Tip { records: 9, segment: 2, offset_bytes: 80, hash: Hash32([0xab; 32]) };
    let store = MemoryStore::default();
    let puts = ["a", "b", "c"].map(|key| StoreOp::Put { tree: Tree::Cursors, key: key.into(), value: vec![1, 2] });
    store.apply(&puts).unwrap();
    let mut good = Vec::new();
    checkpoint::write(&store, &at, &mut good).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let mut entries = Vec::new();
        checkpoint::read(&path, &at, |tree, key, value| {
            entries.push(StoreOp::Put { tree, key, value });
            Ok(())
        })
        .map(|()| entries)
    };
    assert_eq!(read(&good).unwrap(), puts);
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_err(), "cut at {length}");
    }
    assert!(read(&[good.as_slice(), &[0]].concat()).is_err(), "a byte more");
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 0x81;
        if let Ok(entries) = read(&changed) {
            // Only what the digest alone can tell: another key that still sorts, or another value.
            let again = MemoryStore::default();
            again.apply(&entries).unwrap();
            let mut bytes = Vec::new();
            checkpoint::write(&again, &at, &mut bytes).unwrap();
            assert_eq!(bytes, changed, "byte {position}");
        }
    }
    let order = |keys: [&str; 2]| {
        let entry = |key: &str| [&b"c\x01\0\0\0"[..], key.as_bytes(), &[0; 4]].concat();
        let head = good[..60].to_vec();
        [head, entry(keys[0]), entry(keys[1]), vec![0xff, 2, 0, 0, 0, 0, 0, 0, 0]].concat()
    };
    assert!(read(&order(["a", "b"])).is_ok());
    assert!(read(&order(["b", "a"])).is_err());
    assert!(read(&order(["a", "a"])).is_err());
}

#[test]
fn segments_go_only_when_a_checkpoint_stands_for_them_and_they_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes_max: 1, ..JournalOptions::default() };
    let (ledger, _) = Ledger::open_with(dir.path(), options).unwrap();
    ledger.record(kept()).unwrap();
    (1..=4).for_each(|sequence| ledger.record(life(sequence, 10)).unwrap());
    let segments = |ledger: &Ledger| ledger.reader().segments().iter().map(|s| s.header.number).collect::<Vec<_>>();
    let future = platform::now().seconds() + 1_000;
    assert_eq!(ledger.forget(future).unwrap(), Vec::<u64>::new(), "no checkpoint stands for anything");
    let made = ledger.checkpoint(77).unwrap().unwrap();
    assert_eq!(made.segment, 6);
    ledger.record(life(5, 12)).unwrap();
    assert_eq!(ledger.forget(1).unwrap(), Vec::<u64>::new(), "none is so old");
    assert_eq!(ledger.check().unwrap(), []);
    let expect = all_keys(&ledger);
    assert_eq!(ledger.forget(future).unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(segments(&ledger).first(), Some(&6));
    assert_eq!(all_keys(&ledger), expect);
    drop(ledger);
    fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
    let (ledger, _) = open(&dir);
    assert_eq!(all_keys(&ledger), expect, "folded anew without them");
    assert_eq!(ledger.check().unwrap(), []);
    assert_eq!(ledger.attestor_memory("k").unwrap(), AttestorMemory::Kept);
    assert!(ledger.signed_state("k", 7).unwrap().is_some(), "what a key attested is never lost");
    assert!(ledger.signed_tx("c", "k", 3).unwrap().is_some(), "nor what it signed");
    // A newer one replaces it.
    let newer = ledger.checkpoint(78).unwrap().unwrap();
    ledger.forget(1).unwrap();
    assert!(!checkpoint_path(&dir, 6).exists() && checkpoint_path(&dir, newer.segment).exists());
    drop(ledger);
    fs::remove_file(checkpoint_path(&dir, newer.segment)).unwrap();
    let error = Ledger::open(dir.path()).unwrap_err();
    assert_eq!(error.code(), "JRN-010", "without its checkpoint a journal without its beginning is refused: {error}");
}

#[test]
fn a_checkpoint_is_of_the_journal_and_not_of_the_store() {
    let (dir, _) = checkpointed();
    tamper(&dir, &[StoreOp::Put { tree: Tree::Cursors, key: "quorum".into(), value: b"wrong".to_vec() }]);
    let (ledger, _) = open(&dir);
    let made = ledger.checkpoint(78).unwrap().unwrap();
    let bytes = fs::read(checkpoint_path(&dir, made.segment)).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"wrong"));
    assert_eq!(ledger.check().unwrap().len(), 2, "the store is still wrong, and is found to be");
}

#[test]
fn an_empty_journal_has_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    assert_eq!(ledger.checkpoint(1).unwrap(), None);
    assert!(!ledger.checkpoint_due());
}

/// Found in review: what a failed checkpoint left held the room of a full disk for ever.
#[test]
fn a_checkpoint_that_fails_leaves_nothing_behind() {
    let leftovers = |dir: &Path| {
        let names = fs::read_dir(dir.join(SEGMENTS_DIR)).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name == "scratch" || name.to_string_lossy().ends_with("-new")).count()
    };
    // The file is written and cannot get its name.
    let unnamed = |dir: &Path, next: u64| {
        fs::create_dir_all(dir.join(SEGMENTS_DIR).join(checkpoint_name(next)).join("in the way")).unwrap();
    };
    // The scratch store is begun and the journal does not fold.
    let damaged = |dir: &Path, _: u64| {
        let path = dir.join(SEGMENTS_DIR).join(crate::journal::file_name(1));
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let check = |spoil: &dyn Fn(&Path, u64)| {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = open(&dir);
        ledger.record(kept()).unwrap();
        spoil(dir.path(), ledger.tip().segment + 1);
        ledger.checkpoint(77).unwrap_err();
        assert_eq!(leftovers(dir.path()), 0);
    };
    check(&unnamed);
    check(&damaged);
    // What a crash leaves is cleared at the next start.
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    fs::create_dir_all(dir.path().join(SEGMENTS_DIR).join("scratch").join("blobs")).unwrap();
    fs::write(dir.path().join(SEGMENTS_DIR).join("0000000002.checkpoint-new"), "half").unwrap();
    assert_eq!(leftovers(dir.path()), 2);
    drop(open(&dir));
    assert_eq!(leftovers(dir.path()), 0);
}
