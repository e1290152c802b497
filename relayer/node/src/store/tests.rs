//! The ledger against its journal: reopened, rebuilt, torn, and with the store lost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

mod copies;
mod keeping;
mod places;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use catenary_core::fold::HistoryEntry;
use catenary_core::record::{
    Cursor, Intent, IntentKind, NonceReleased, Outcome, OutcomeResult, PacketStep, SignedAttestation, SignedTx,
    StatementKind, TrustedState,
};
use catenary_core::store::Entry;
use catenary_core::{PacketKey, Stage};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::journal::{Disk, MARKER_FILE};

fn cursor(height: u64) -> Record {
    Record::Cursor(Cursor { chain: "quorum".into(), height })
}

fn key(sequence: u64) -> PacketKey {
    PacketKey { source_chain: "quorum".into(), source_client: "client-0".into(), sequence }
}

fn step(sequence: u64, stage: Stage, at_seconds: u64) -> Record {
    let (path, key) = ("p".into(), key(sequence));
    let (packet, ack, reason) = (None, None, None);
    Record::Packet(PacketStep { path, key, stage, packet, ack, height: at_seconds, reason, at_seconds })
}

fn intent(byte: u8) -> Intent {
    Intent {
        id: "b".into(),
        path: "p".into(),
        chain: "simd".into(),
        key: "k".into(),
        nonce: byte.into(),
        tx_hash: Hash32([byte; 32]),
        tx_bytes: vec![byte; 3],
        kind: IntentKind::Recv,
        packets: vec![key(byte.into())],
        at_seconds: 5,
        replacement: 0,
    }
}

fn open(dir: &TempDir) -> (Ledger, OpenReport) {
    Ledger::open(dir.path()).unwrap()
}

/// The file of the first segment.
fn journal_file(data_dir: &Path) -> PathBuf {
    data_dir.join(SEGMENTS_DIR).join("0000000001.seg")
}

/// A data directory with a ledger of three commits, closed.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, report.rebuilt), (0, None));
    ledger.record(vec![cursor(1), step(1, Stage::Sent, 1)]).unwrap();
    ledger.record(vec![Record::Intent(intent(1))]).unwrap();
    ledger.record(vec![step(1, Stage::Received, 2), cursor(2)]).unwrap();
    dir
}

fn assert_filled(ledger: &Ledger) {
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(2));
    assert_eq!(ledger.packet_state(&key(1)).unwrap().unwrap().stage, Stage::Received);
    assert_eq!(ledger.open_packets("p").unwrap()[0].0, key(1));
    assert_eq!(ledger.packets_in(Stage::Received, None, 10).unwrap(), [key(1)]);
    assert_eq!(ledger.open_intents("simd").unwrap(), [intent(1)]);
    assert_eq!(ledger.check().unwrap(), []);
}

#[test]
fn what_was_recorded_is_there_after_a_restart() {
    let dir = filled();
    let (ledger, report) = open(&dir);
    assert_eq!((report.journal.records_count, report.folded_records, &report.rebuilt), (5, 0, &None));
    assert_filled(&ledger);
    let history = ledger.history(&key(1)).unwrap();
    assert!(matches!(history[..], [HistoryEntry::Step(_), HistoryEntry::Step(_), HistoryEntry::Tx(_)]), "{history:?}");
    let outcome =
        Outcome { tx_hash: Hash32([1; 32]), chain: "simd".into(), result: OutcomeResult::Dropped, at_seconds: 9 };
    ledger.record(vec![Record::Outcome(outcome.clone())]).unwrap();
    assert_eq!(ledger.open_intents("simd").unwrap(), []);
    assert_eq!(ledger.outcome("simd", &Hash32([1; 32])).unwrap(), Some(outcome));
    assert_eq!(ledger.intent("simd", &Hash32([1; 32])).unwrap().unwrap().nonce, 1);
}

#[test]
fn a_lost_store_is_folded_anew() {
    let dir = filled();
    fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, report.rebuilt), (5, None));
    assert_filled(&ledger);
}

#[test]
fn a_damaged_store_is_moved_aside_and_folded_anew() {
    let dir = filled();
    for entry in fs::read_dir(dir.path().join(STORE_DIR)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::write(path, vec![0xa5; 5_000]).unwrap();
        }
    }
    let (ledger, report) = open(&dir);
    let (aside, _) = report.rebuilt.unwrap();
    assert!(aside.is_dir());
    assert_eq!(report.folded_records, 5);
    assert_filled(&ledger);
    drop(ledger);
    for times in 2..5 {
        rebuild(dir.path(), false).unwrap();
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let aside = names.filter(|name| name.to_string_lossy().starts_with("store."));
        assert_eq!(aside.count(), times, "each has its own name, within a second as well");
    }
}

/// Changes the store behind the ledger's back.
fn tamper(dir: &TempDir, ops: &[StoreOp]) {
    let store = SledStore::open(&dir.path().join(STORE_DIR)).unwrap();
    store.apply(ops).unwrap();
    store.flush().unwrap();
}

fn tip_op(change: impl FnOnce(&mut StoredTip), dir: &TempDir) -> StoreOp {
    let store = SledStore::open(&dir.path().join(STORE_DIR)).unwrap();
    let value = store.get(Tree::Meta, TIP_KEY).unwrap().unwrap();
    let mut tip: StoredTip = serde_json::from_slice(&value).unwrap();
    change(&mut tip);
    StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value: serde_json::to_vec(&tip).unwrap() }
}

#[test]
fn a_store_of_another_layout_is_moved_aside() {
    let dir = filled();
    tamper(&dir, &[tip_op(|tip| tip.schema = STORE_SCHEMA + 1, &dir)]);
    let (ledger, report) = open(&dir);
    assert!(report.rebuilt.is_some());
    assert_filled(&ledger);
}

#[test]
fn a_store_that_does_not_know_its_place_is_moved_aside() {
    let dir = filled();
    tamper(&dir, &[StoreOp::Delete { tree: Tree::Meta, key: TIP_KEY.into() }]);
    let (ledger, report) = open(&dir);
    assert!(report.rebuilt.is_some());
    assert_filled(&ledger);
}

#[test]
fn a_store_that_knows_more_than_the_journal_is_refused() {
    let dir = filled();
    let journal = journal_file(dir.path());
    let whole = fs::read(&journal).unwrap();
    // The last commit is lost, to its first byte: the journal alone would take that for a torn end.
    fs::write(&journal, &whole[..whole.len() - 1]).unwrap();
    let error = Ledger::open(dir.path()).unwrap_err();
    assert_eq!((error.code(), error.class()), ("STORE-003", catenary_light_clients::Class::Config), "{error}");
    fs::remove_file(&journal).unwrap();
    assert_eq!(Ledger::open(dir.path()).unwrap_err().code(), "STORE-003", "all of it is lost");
    fs::remove_dir_all(dir.path().join(SEGMENTS_DIR)).unwrap();
    assert_eq!(Ledger::open(dir.path()).unwrap_err().code(), "STORE-003", "and its directory");
    fs::write(&journal, &whole).unwrap();
    assert_filled(&open(&dir).0);
}

#[test]
fn a_store_of_another_journal_is_refused() {
    let dir = filled();
    let other = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&other);
    // As long as the other, and longer.
    for extra in [3, 7] {
        (0..extra).for_each(|height| ledger.record(vec![cursor(height), cursor(height)]).unwrap());
        fs::copy(journal_file(other.path()), journal_file(dir.path())).unwrap();
        let error = Ledger::open(dir.path()).unwrap_err();
        assert_eq!(error.code(), "STORE-005", "{error}");
    }
}

#[test]
fn a_store_behind_the_journal_folds_what_it_lacks() {
    let dir = filled();
    {
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&[cursor(3), step(2, Stage::Sent, 3)]).unwrap();
    }
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, report.rebuilt), (2, None));
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(3));
    assert_eq!(ledger.check().unwrap(), []);
}

#[test]
fn check_finds_what_was_changed_in_the_store() {
    let dir = filled();
    let state = format!("state/{}", key(1).store_key());
    tamper(
        &dir,
        &[
            StoreOp::Put { tree: Tree::Packets, key: state.clone(), value: b"{}".to_vec() },
            StoreOp::Put { tree: Tree::Nonces, key: "simd/k/1".into(), value: b"{}".to_vec() },
            StoreOp::Delete { tree: Tree::Cursors, key: "quorum".into() },
            StoreOp::Put { tree: Tree::Blobs, key: "x".into(), value: b"a cache is not compared".to_vec() },
        ],
    );
    let found: Vec<_> = open(&dir).0.check().unwrap().into_iter().map(|found| (found.tree, found.key)).collect();
    let expect = [
        (Tree::Packets, state.clone()),
        (Tree::Packets, state),
        (Tree::Cursors, "quorum".into()),
        (Tree::Nonces, "simd/k/1".into()),
    ];
    assert_eq!(found, expect);
}

#[test]
fn two_ledgers_never_share_a_directory() {
    let dir = filled();
    let (_held, _) = open(&dir);
    assert_eq!(Ledger::open(dir.path()).unwrap_err().code(), "JRN-001");
}

#[test]
fn threads_that_record_together_are_all_durable_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&dir).0);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let ledger = Arc::clone(&ledger);
            scope.spawn(move || {
                for height in 1..=20 {
                    let chain = format!("c{thread}");
                    ledger.record(vec![Record::Cursor(Cursor { chain: chain.clone(), height })]).unwrap();
                    assert_eq!(ledger.cursor(&chain).unwrap(), Some(height), "what is recorded can be read");
                }
            });
        }
    });
    assert_eq!(ledger.tip().records, 160);
    assert_eq!(ledger.check().unwrap(), []);
    let mut last = std::collections::BTreeMap::new();
    let ordered = |record| {
        let Record::Cursor(Cursor { chain, height }) = record else { panic!("only cursors were recorded") };
        assert_eq!(last.insert(chain, height).unwrap_or(0) + 1, height);
    };
    ledger.replay(ordered).unwrap();
}

/// A store that fails as long as it is told to.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    inner: MemoryStore,
    works: Arc<AtomicBool>,
}

impl Failing {
    fn tried<T>(&self, done: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.works.load(Ordering::Relaxed) {
            return done();
        }
        Err(StoreError::Io { action: "write", reason: "the disk is full".into() })
    }
}

impl Store for Failing {
    fn apply(&self, batch: &[StoreOp]) -> Result<(), StoreError> {
        self.tried(|| self.inner.apply(batch))
    }
    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(tree, key)
    }
    fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(tree, prefix, after, limit)
    }
    fn reopen(&self) -> Result<(), StoreError> {
        self.tried(|| Ok(()))
    }
}

/// A ledger that keeps nothing, for tests of what must not happen then.
pub(crate) fn failing_ledger(data_dir: &Path) -> Ledger {
    switched_ledger(data_dir, false).0
}

/// A ledger whose store works or fails as it is told.
pub(crate) fn switched_ledger(data_dir: &Path, works: bool) -> (Ledger, Arc<AtomicBool>) {
    let (journal, _) = Journal::open(data_dir).unwrap();
    let works = Arc::new(AtomicBool::new(works));
    let store = Failing { works: works.clone(), ..Failing::default() };
    (Ledger::assemble(journal, Box::new(store), Tip::start()).unwrap().0, works)
}

#[test]
fn a_ledger_whose_store_failed_decides_nothing_until_the_store_has_folded_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    let store = Failing::default();
    let works = store.works.clone();
    let ledger = Ledger::assemble(journal, Box::new(store), Tip::start()).unwrap().0;
    let error = ledger.record(vec![cursor(1)]).unwrap_err();
    assert_eq!((error.code(), error.class(), is_late(&error)), ("STORE-007", Class::Permanent, true), "{error}");
    assert_eq!(ledger.record(vec![cursor(2)]).unwrap_err().code(), "STORE-001", "tried again");
    assert_eq!(ledger.tip().records, 1, "the first is durable, the second was not begun");
    assert_eq!(ledger.status().failure.unwrap().code(), "STORE-001");
    works.store(true, Ordering::Relaxed);
    ledger.probe();
    assert_eq!(ledger.status().failure, None);
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(1), "what was durable is folded");
    ledger.record(vec![cursor(3)]).unwrap();
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(3));
    drop(ledger);
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, ledger.cursor("quorum").unwrap()), (2, Some(3)), "and after a restart");
}

/// A store of which the first write fails.
#[derive(Debug, Default)]
struct FailsOnce {
    inner: MemoryStore,
    failed: AtomicBool,
}

impl Store for FailsOnce {
    fn apply(&self, batch: &[StoreOp]) -> Result<(), StoreError> {
        if !self.failed.swap(true, Ordering::Relaxed) {
            return Err(StoreError::Io { action: "write", reason: "the disk is full".into() });
        }
        self.inner.apply(batch)
    }
    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(tree, key)
    }
    fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(tree, prefix, after, limit)
    }
}

#[test]
fn what_is_durable_is_never_told_as_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    let ledger = Ledger::assemble(journal, Box::<FailsOnce>::default(), Tip::start()).unwrap().0;
    ledger.record(vec![Record::Intent(intent(1))]).unwrap();
    assert_eq!((ledger.open_intents("simd").unwrap(), ledger.tip().records), (vec![intent(1)], 1));
    drop(ledger);
    // Where the store stays away, who must not forget waits for it, and records nothing twice.
    let dir = tempfile::tempdir().unwrap();
    let (ledger, works) = switched_ledger(dir.path(), false);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ledger.record_patiently(vec![Record::Intent(intent(1))]));
        while ledger.status().failure.is_none() {
            std::thread::yield_now();
        }
        works.store(true, Ordering::Relaxed);
        waiting.join().unwrap().unwrap();
    });
    assert_eq!((ledger.open_intents("simd").unwrap(), ledger.tip().records), (vec![intent(1)], 1));
}

/// A disk that is full as long as it is told to.
#[derive(Debug, Default)]
struct FullDisk(AtomicBool);

impl Disk for FullDisk {
    fn write(&self, file: &mut fs::File, bytes: &[u8]) -> std::io::Result<()> {
        use std::io::Write;
        if !self.0.load(Ordering::Relaxed) {
            return file.write_all(bytes);
        }
        file.write_all(&bytes[..bytes.len() / 2])?;
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

fn on_full_disk(dir: &TempDir) -> (Arc<Ledger>, Arc<FullDisk>) {
    let disk = Arc::new(FullDisk::default());
    let options = JournalOptions { disk: disk.clone(), ..JournalOptions::default() };
    (Arc::new(Ledger::open_with(dir.path(), options).unwrap().0), disk)
}

#[test]
fn a_full_disk_pauses_the_ledger_and_room_lets_it_go_on() {
    let dir = filled();
    let (ledger, disk) = on_full_disk(&dir);
    disk.0.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let error = ledger.record(vec![cursor(9)]).unwrap_err();
        assert_eq!((error.code(), error.class()), ("JRN-002", Class::Transient), "{error}");
    }
    ledger.probe();
    assert_eq!(ledger.status().failure.unwrap().code(), "JRN-002", "there is no room yet");
    assert_filled(&ledger);
    // What must not be forgotten waits.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ledger.record_patiently(vec![cursor(10)]));
        assert!(!waiting.is_finished());
        disk.0.store(false, Ordering::Relaxed);
        waiting.join().unwrap().unwrap();
    });
    assert_eq!((ledger.cursor("quorum").unwrap(), ledger.status().failure), (Some(10), None));
    assert_eq!(ledger.check().unwrap(), []);
    drop(ledger);
    let (ledger, report) = open(&dir);
    assert_eq!((report.journal.records_count, report.journal.truncated_bytes), (6, 0));
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(10));
}

#[test]
fn a_node_that_stops_does_not_wait_for_a_disk() {
    let dir = filled();
    let (ledger, disk) = on_full_disk(&dir);
    disk.0.store(true, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ledger.record_patiently(vec![cursor(10)]));
        ledger.close();
        assert_eq!(waiting.join().unwrap().unwrap_err().code(), "JRN-002");
    });
    assert_filled(&ledger);
}

#[test]
fn everyone_in_a_failed_commit_is_told_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, disk) = on_full_disk(&dir);
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8_u64)
            .map(|thread| {
                let (ledger, disk) = (&ledger, &disk);
                scope.spawn(move || {
                    let mut durable = 0;
                    for height in 1..=50 {
                        disk.0.store(thread == 1 && height % 3 == 0, Ordering::Relaxed);
                        let record = Record::Cursor(Cursor { chain: format!("c{thread}"), height });
                        let before = durable;
                        if ledger.record(vec![record]).is_ok() {
                            durable = height;
                        }
                        let kept = ledger.cursor(&format!("c{thread}")).unwrap().unwrap_or(0);
                        assert_eq!(kept, durable, "thread {thread}, height {height}, before {before}");
                    }
                    durable > 0
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes, [true; 8]);
    disk.0.store(false, Ordering::Relaxed);
    ledger.record(vec![cursor(1)]).unwrap();
    assert_eq!(ledger.check().unwrap(), []);
}

#[test]
fn a_data_directory_from_before_there_were_segments_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let old: &[u8] = include_bytes!("../../../../tests/vectors/journal/version-1.journal");
    fs::write(dir.path().join(MARKER_FILE), old).unwrap();
    let (ledger, report) = open(&dir);
    assert_eq!((report.journal.taken_over, report.folded_records), (true, 99));
    assert_eq!(ledger.check().unwrap(), []);
    drop(ledger);
    // Its store did not say in which segment it stands.
    tamper(&dir, &[without_segment(&dir)]);
    let (ledger, report) = open(&dir);
    assert_eq!((report.folded_records, report.rebuilt), (0, None));
    assert_eq!(ledger.check().unwrap(), [], "before it is written anew");
    ledger.record(vec![cursor(1)]).unwrap();
    assert_eq!(ledger.check().unwrap(), []);
}

fn without_segment(dir: &TempDir) -> StoreOp {
    let store = SledStore::open(&dir.path().join(STORE_DIR)).unwrap();
    let value = store.get(Tree::Meta, TIP_KEY).unwrap().unwrap();
    let mut tip: serde_json::Value = serde_json::from_slice(&value).unwrap();
    assert!(tip.as_object_mut().unwrap().remove("segment").is_some());
    StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value: serde_json::to_vec(&tip).unwrap() }
}

#[test]
fn records_that_cannot_be_kept_are_refused_and_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir);
    let large = Record::Cursor(Cursor { chain: "x".repeat(APPEND_BYTES_MAX), height: 1 });
    assert_eq!(ledger.record(vec![large]).unwrap_err().code(), "JRN-008");
    // What would be written and never read again would make the journal unusable.
    assert_eq!(ledger.record(vec![step(0, Stage::Sent, 1)]).unwrap_err().code(), "CORE-REC-004");
    ledger.record(vec![cursor(1)]).unwrap();
    ledger.record(Vec::new()).unwrap();
    assert_eq!(ledger.tip().records, 1);
}

#[test]
fn a_saved_client_comes_back_only_against_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let state = |bytes: &[u8], height| TrustedState {
        chain: "quorum".into(),
        instance: Hash32([1; 32]),
        height,
        hash: Hash32([2; 32]),
        digest: Hash32::sha256(&[bytes]),
    };
    {
        let (ledger, _) = open(&dir);
        assert_eq!(ledger.saved_client("quorum").unwrap(), None);
        let other = TrustedState { digest: Hash32([9; 32]), ..state(b"one", 1) };
        assert_eq!(ledger.save_client(other, b"one").unwrap_err().code(), "STORE-002");
        ledger.save_client(state(b"one", 1), b"one").unwrap();
        ledger.save_client(state(b"two", 2), b"two").unwrap();
        assert_eq!(ledger.saved_client("quorum").unwrap(), Some((state(b"two", 2), b"two".to_vec())));
        assert_eq!(ledger.scan(Tree::Blobs, "", None, 9).unwrap().len(), 1, "the older state is gone");
        ledger.save_client(state(b"two", 2), b"two").unwrap();
        assert_eq!(ledger.scan(Tree::Blobs, "", None, 9).unwrap().len(), 1, "the same state again stays");
    }
    let key = format!("client/quorum/{}", Hash32::sha256(&[b"two"]));
    tamper(&dir, &[StoreOp::Put { tree: Tree::Blobs, key, value: b"twx".to_vec() }]);
    assert_eq!(open(&dir).0.saved_client("quorum").unwrap(), None, "changed bytes are not given out");
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open_in_memory(dir.path()).unwrap();
    ledger.record((1..=25).map(|sequence| step(sequence, Stage::Sent, 1)).collect()).unwrap();
    let mut seen = Vec::new();
    loop {
        let page = ledger.packets_in(Stage::Sent, seen.last(), 10).unwrap();
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, (1..=25).map(key).collect::<Vec<_>>());
    assert_eq!(ledger.open_packets("p").unwrap().len(), 25);
    assert_eq!(ledger.open_packets("p-other").unwrap().len(), 0);
}

#[tokio::test]
async fn recording_from_async_code_does_not_block_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&dir).0);
    ledger.record_async(vec![cursor(4)]).await.unwrap();
    assert_eq!(ledger.cursor("quorum").unwrap(), Some(4));
}

fn any_tree() -> impl Strategy<Value = Tree> {
    prop::sample::select(vec![Tree::Packets, Tree::Cursors, Tree::Blobs])
}

fn any_key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "a/", "a/b", "a/b/c", "a0", "b", "\u{10ffff}"]).prop_map(Into::into)
}

fn any_op() -> impl Strategy<Value = StoreOp> {
    (any_tree(), any_key(), prop::option::of(any::<u8>())).prop_map(|(tree, key, value)| match value {
        Some(value) => StoreOp::Put { tree, key, value: vec![value] },
        None => StoreOp::Delete { tree, key },
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    let digest = || (0..3_u8).prop_map(|byte| Hash32([byte; 32]));
    let signed = |(height, digest, is_state): (u64, Hash32, bool)| {
        let statement = if is_state { StatementKind::State } else { StatementKind::Packets };
        let (key, instance, timestamp_seconds) = ("k".into(), Hash32([1; 32]), is_state.then_some(height));
        Record::SignedAttestation(SignedAttestation { key, instance, height, statement, digest, timestamp_seconds })
    };
    prop_oneof![
        (1..5_u64).prop_map(cursor),
        (1..4_u64, prop::sample::select(Stage::ALL.to_vec()), 1..4_u64).prop_map(|(s, stage, at)| step(s, stage, at)),
        (1..4_u8).prop_map(|byte| Record::Intent(intent(byte))),
        (1..4_u8).prop_map(|byte| Record::Outcome(Outcome {
            tx_hash: Hash32([byte; 32]),
            chain: "simd".into(),
            result: OutcomeResult::Dropped,
            at_seconds: 3
        })),
        (1..4_u64, digest()).prop_map(|(nonce, digest)| Record::SignedTx(SignedTx {
            key: "k".into(),
            chain: "c".into(),
            nonce,
            digest,
            replaces: None
        })),
        (1..4_u64).prop_map(|nonce| Record::NonceReleased(NonceReleased {
            key: "k".into(),
            chain: "c".into(),
            nonce,
            actor: "a".into(),
            reason: "r".into(),
            at_seconds: 1
        })),
        (1..4_u64, digest(), any::<bool>()).prop_map(signed),
    ]
}

/// What happens to a ledger between two batches.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    Restart,
    LoseStore,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sled_and_memory_answer_alike(
        batches in prop::collection::vec(prop::collection::vec(any_op(), 0..6), 0..6),
        reads in prop::collection::vec((any_tree(), any_key(), prop::option::of(any_key()), 0..5_usize), 12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let sled = SledStore::open(dir.path()).unwrap();
        let memory = MemoryStore::default();
        for batch in &batches {
            sled.apply(batch).unwrap();
            memory.apply(batch).unwrap();
        }
        for (tree, key, after, limit) in reads {
            prop_assert_eq!(sled.get(tree, &key).unwrap(), memory.get(tree, &key).unwrap());
            let after = after.as_deref();
            prop_assert_eq!(sled.scan(tree, &key, after, limit).unwrap(), memory.scan(tree, &key, after, limit).unwrap());
        }
    }

    #[test]
    fn the_store_is_what_the_journal_folds_to(
        steps in prop::collection::vec(
            (
                prop::collection::vec(any_record(), 1..4),
                prop_oneof![Just(Event::Nothing), Just(Event::Nothing), Just(Event::Restart), Just(Event::LoseStore)],
            ),
            1..8,
        ),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = open(&dir).0;
        let mut all = Vec::new();
        for (records, event) in steps {
            ledger.record(records.clone()).unwrap();
            all.extend(records);
            match event {
                Event::Nothing => continue,
                Event::Restart => drop(ledger),
                Event::LoseStore => {
                    drop(ledger);
                    fs::remove_dir_all(dir.path().join(STORE_DIR)).unwrap();
                }
            }
            ledger = open(&dir).0;
        }
        prop_assert_eq!(ledger.check().unwrap(), Vec::new());
        let mut replayed = Vec::new();
        ledger.replay(|record| replayed.push(record)).unwrap();
        prop_assert_eq!(replayed, all);
    }
}
