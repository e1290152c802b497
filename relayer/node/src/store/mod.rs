//! The working state behind the [`Store`] trait, and the [`Ledger`] that keeps it in step with the journal.
//!
//! The journal is the truth: a record is durable there before the store knows of it, and the store remembers in the
//! same atomic batch up to where it has folded. At start it folds what it lacks; a store that is lost, damaged or of
//! another layout is moved aside and made again. A store that knows *more* than the journal is refused, because then
//! the journal, with what was signed, is what was lost.
//!
//! What an attacker can grow: see [`catenary_core::store`]. The queue of records is bounded by one commit; who comes
//! later waits.

mod backup;
mod checkpoint;
mod drills;
mod export;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod held;
mod memory;
mod prune;
mod reads;
mod sled;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use catenary_core::fold::STORE_SCHEMA;
use catenary_core::record::Restored;
use catenary_core::{Record, Store, StoreError, StoreOp, Tree};
use catenary_light_clients::{Class, Hash32};
use serde::{Deserialize, Serialize};

use crate::failpoint::failpoint;
use crate::journal::{Journal, JournalError, JournalOptions, Reader, Recovery, Tip, APPEND_BYTES_MAX, SEGMENTS_DIR};
use crate::platform;

pub use backup::{backup, restore, test_restore, verify, BackupError, Manifest, MANIFEST_FILE};
pub use checkpoint::Base;
pub use drills::{Drill, Drills};
pub use export::{export, import, import_into, read_export, ExportError};
pub use memory::MemoryStore;
pub use prune::{PrunePlace, Retention};
pub use reads::{AttestorMemory, SCAN_MAX};
pub use sled::SledStore;

/// Directory of the store in the data directory.
pub const STORE_DIR: &str = "store";
/// Key in [`Tree::Meta`] of the store's place in the journal.
const TIP_KEY: &str = "tip";
/// How many stores may be moved aside within a second and keep their names.
const MOVED_A_SECOND_MAX: u32 = 100;
/// Most bytes of notes that wait for a commit: the decisions of some dozen jobs. A node that decides more without recording
/// anything has a full disk.
const NOTES_BYTES_MAX: usize = 64 * 1024;
/// How long a record that waits for a disk waits between two tries.
const DISK_RETRY: Duration = Duration::from_millis(500);

/// What opening a ledger found and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenReport {
    /// What the journal found.
    pub journal: Recovery,
    /// Records that the store lacked and has now folded.
    pub folded_records: u64,
    /// Where a store that could not be used was moved, and why it could not.
    pub rebuilt: Option<(PathBuf, String)>,
}

/// How a ledger stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerStatus {
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Records that wait for a commit.
    pub waiting_records: usize,
    /// Why nothing is recorded, and so nothing signed or sent: its code and words.
    pub failure: Option<StoreError>,
}

/// A difference between the store and what the journal folds to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Tree.
    pub tree: Tree,
    /// Key.
    pub key: String,
    /// What differs.
    pub what: &'static str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTip {
    schema: u32,
    records: u64,
    /// Stores that were folded from a journal of version 1 do not say it: that file is the first segment.
    #[serde(default = "first_segment")]
    segment: u64,
    offset_bytes: u64,
    hash: String,
}

const fn first_segment() -> u64 {
    1
}

/// How a commit ended, for everyone who has records in it.
type Outcome = Arc<OnceLock<Result<(), StoreError>>>;

/// Records that wait for the next commit.
#[derive(Debug, Default)]
struct Queue {
    records: Vec<Record>,
    encoded: Vec<Vec<u8>>,
    bytes: usize,
    /// Of the commit that the waiting records will be in.
    outcome: Outcome,
    /// Records that go with the next commit, whoever makes it.
    notes: Vec<(Record, Vec<u8>)>,
    notes_bytes: usize,
    /// A thread is committing.
    busy: bool,
    /// Nothing is recorded until a restart.
    stopped: Option<String>,
    /// The newest commit failed; the next one tries again.
    failure: Option<StoreError>,
    /// Nobody waits for a disk any more, since the node stops.
    closing: bool,
}

/// The journal, and whether the store has folded all of it.
#[derive(Debug)]
struct Books {
    journal: Journal,
    is_behind: bool,
}

/// Journal and store as one: records in, reads out. Share it as `Arc<Ledger>`; every method may block for a disk
/// access, so async code calls [`record_async`](Ledger::record_async) or moves to a blocking thread.
#[derive(Debug)]
pub struct Ledger {
    books: Mutex<Books>,
    store: Box<dyn Store>,
    queue: Mutex<Queue>,
    committed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn journal_error(error: &JournalError) -> StoreError {
    let (code, message) = (error.code(), error.to_string());
    if error.class() == Class::Transient {
        StoreError::Paused { code, message }
    } else {
        StoreError::Journal { code, message }
    }
}

/// The code of records that are durable but not in the store.
const LATE_CODE: &str = "STORE-007";

/// Records are durable and not folded: not transient, since recording them again would double them.
fn late(error: &StoreError) -> StoreError {
    let message = format!(
        "recorded durably, but the store did not take it ({error}); it takes effect as soon as the store can be written \
         again, at the latest at the next start: do not repeat it"
    );
    StoreError::Journal { code: LATE_CODE, message }
}

/// Whether an error says that the records are durable all the same: they take effect later.
#[must_use]
pub fn is_late(error: &StoreError) -> bool {
    error.code() == LATE_CODE
}

/// Whether the next record may succeed: the disk may have room again.
fn is_passing(error: &StoreError) -> bool {
    error.class() == Class::Transient
}

/// Carries a journal error out of a replay whose visitor fails with store errors.
struct Carried(StoreError);

impl From<JournalError> for Carried {
    fn from(error: JournalError) -> Self {
        Self(journal_error(&error))
    }
}

impl Ledger {
    /// Opens the journal and the store of a data directory, making both if they are not there.
    ///
    /// # Errors
    /// The journal is in use or damaged, the store knows more than it, or the disk failed.
    pub fn open(data_dir: &Path) -> Result<(Self, OpenReport), StoreError> {
        Self::open_with(data_dir, JournalOptions::default())
    }

    /// [`open`](Self::open) on another disk, or with other bounds.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub fn open_with(data_dir: &Path, options: JournalOptions) -> Result<(Self, OpenReport), StoreError> {
        let io =
            |error: std::io::Error| StoreError::Io { action: "make the data directory", reason: error.to_string() };
        std::fs::create_dir_all(data_dir).map_err(io)?;
        let (journal, recovery) = Journal::open_with(data_dir, options).map_err(|e| journal_error(&e))?;
        checkpoint::clear_unfinished(&data_dir.join(SEGMENTS_DIR));
        let path = data_dir.join(STORE_DIR);
        let (store, tip, rebuilt) = open_sled(&path, &journal.reader())?;
        let (ledger, folded_records) = Self::assemble(journal, Box::new(store), tip)?;
        Ok((ledger, OpenReport { journal: recovery, folded_records, rebuilt }))
    }

    /// A data directory's journal with its working state in memory, folded whole at every start: for tests and small
    /// tools.
    ///
    /// # Errors
    /// The journal is in use or damaged, or the disk failed.
    pub fn open_in_memory(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_in_memory_with(data_dir, JournalOptions::default())
    }

    /// [`open_in_memory`](Self::open_in_memory) on another disk, or with other bounds.
    ///
    /// # Errors
    /// See [`open_in_memory`](Self::open_in_memory).
    pub fn open_in_memory_with(data_dir: &Path, options: JournalOptions) -> Result<Self, StoreError> {
        let (journal, _) = Journal::open_with(data_dir, options).map_err(|error| journal_error(&error))?;
        Ok(Self::assemble(journal, Box::<MemoryStore>::default(), Tip::start())?.0)
    }

    fn assemble(journal: Journal, store: Box<dyn Store>, tip: Tip) -> Result<(Self, u64), StoreError> {
        let reader = journal.reader();
        let folded = if tip.records == 0 {
            checkpoint::fold_anew(&reader, store.as_ref())?
        } else {
            catch_up(&reader, store.as_ref(), tip)?
        };
        let books = Mutex::new(Books { journal, is_behind: false });
        Ok((Self { books, store, queue: Mutex::default(), committed: Condvar::new() }, folded))
    }

    /// Makes records durable, then visible: all or none, in order. Threads that come together share an fsync.
    ///
    /// # Errors
    /// The journal or the store failed. When that is [transient](Class::Transient), as on a full disk, nothing was
    /// recorded and the next call tries again. When it [is late](is_late), the records are durable and take effect later.
    /// Else the ledger refuses everything until the node is restarted.
    pub fn record(&self, records: Vec<Record>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let encoded = records.iter().map(Record::encode).collect::<Result<Vec<_>, _>>();
        let encoded =
            encoded.map_err(|error| StoreError::Journal { code: error.code(), message: error.to_string() })?;
        let bytes = encoded.iter().map(|bytes| bytes.len().saturating_add(4)).sum::<usize>();
        if bytes > APPEND_BYTES_MAX {
            return Err(journal_error(&JournalError::TooLarge { got: bytes, max: APPEND_BYTES_MAX }));
        }
        let full = |queue: &mut Queue| queue.stopped.is_none() && queue.bytes.saturating_add(bytes) > APPEND_BYTES_MAX;
        let waited = self.committed.wait_while(lock(&self.queue), full);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.records.extend(records);
        queue.encoded.extend(encoded);
        queue.bytes = queue.bytes.saturating_add(bytes);
        let outcome = queue.outcome.clone();
        loop {
            if let Some(done) = outcome.get() {
                return done.clone();
            }
            if let Some(reason) = &queue.stopped {
                return Err(StoreError::Stopped { reason: reason.clone() });
            }
            if queue.busy {
                queue = self.committed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                queue = self.lead(queue);
            }
        }
    }

    /// Has a record go with the next commit, which somebody else makes: for what nothing depends on, and what is not worth an
    /// fsync of its own. It is lost when the process ends before, when that commit fails, or when too many wait.
    pub fn note(&self, record: &Record) {
        let encoded = match record.encode() {
            Ok(encoded) => encoded,
            Err(error) => return tracing::warn!(code = error.code(), "a note is not recorded: {error}"),
        };
        let bytes = encoded.len().saturating_add(4);
        let mut queue = lock(&self.queue);
        if queue.notes_bytes.saturating_add(bytes) <= NOTES_BYTES_MAX {
            queue.notes_bytes = queue.notes_bytes.saturating_add(bytes);
            queue.notes.push((record.clone(), encoded));
        }
    }

    /// [`record`](Self::record) for what has happened and must not be forgotten: waits as long as the disk takes no
    /// writes, until [`close`](Self::close).
    ///
    /// # Errors
    /// See [`record`](Self::record).
    pub fn record_patiently(&self, records: Vec<Record>) -> Result<(), StoreError> {
        loop {
            match self.record(records.clone()) {
                Err(error) if is_passing(&error) => {
                    let waited =
                        self.committed
                            .wait_timeout_while(lock(&self.queue), platform::patience(DISK_RETRY), |q| !q.closing);
                    if waited.unwrap_or_else(PoisonError::into_inner).0.closing {
                        return Err(error);
                    }
                }
                Err(error) if is_late(&error) => return self.fold_patiently(error),
                done => return done,
            }
        }
    }

    /// Waits until the store has what is durable already.
    fn fold_patiently(&self, late: StoreError) -> Result<(), StoreError> {
        loop {
            let waited =
                self.committed.wait_timeout_while(lock(&self.queue), platform::patience(DISK_RETRY), |q| !q.closing);
            if waited.unwrap_or_else(PoisonError::into_inner).0.closing {
                return Err(late);
            }
            match self.repair(&mut lock(&self.books)) {
                Err(error) if is_passing(&error) => {}
                done => return done,
            }
        }
    }

    /// [`record`](Self::record) on a blocking thread. Not cancel safe in this sense: dropping the future does not
    /// take the records back.
    ///
    /// # Errors
    /// See [`record`](Self::record).
    pub async fn record_async(self: &Arc<Self>, records: Vec<Record>) -> Result<(), StoreError> {
        let ledger = Arc::clone(self);
        let done = platform::blocking(move || ledger.record(records)).await;
        done.unwrap_or_else(|error| Err(StoreError::Stopped { reason: error.to_string() }))
    }

    /// Commits what waits, for everyone who waits; a panic on the way stops the ledger instead of hanging the others.
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let mut records = Vec::new();
        let mut encoded = Vec::new();
        if queue.bytes.saturating_add(queue.notes_bytes) <= APPEND_BYTES_MAX {
            queue.notes_bytes = 0;
            // Before the others: a decision comes before what follows from it.
            (records, encoded) = std::mem::take(&mut queue.notes).into_iter().unzip();
        }
        records.append(&mut queue.records);
        encoded.append(&mut queue.encoded);
        let outcome = std::mem::take(&mut queue.outcome);
        queue.bytes = 0;
        queue.busy = true;
        drop(queue);
        // Room in the queue again.
        self.committed.notify_all();
        let guard = StopOnUnwind(self);
        let result = self.commit(&records, &encoded);
        std::mem::forget(guard);
        let mut queue = lock(&self.queue);
        queue.busy = false;
        queue.failure = result.as_ref().err().cloned();
        if let Some(error) = result.as_ref().err().filter(|error| !is_passing(error) && !is_late(error)) {
            queue.stopped = Some(error.to_string());
        }
        // Set once: this commit was taken out of the queue, and nobody else leads it.
        let _ = outcome.set(result);
        self.committed.notify_all();
        queue
    }

    fn commit(&self, records: &[Record], encoded: &[Vec<u8>]) -> Result<(), StoreError> {
        #[cfg(feature = "simulation")]
        let path = lock(&self.books).journal.path().to_owned();
        #[cfg(feature = "simulation")]
        platform::simulation::commit(&path, platform::simulation::Commit::Before);
        let mut books = lock(&self.books);
        self.repair(&mut books)?;
        failpoint("commit.begin");
        let tip = books.journal.append_encoded(encoded).map_err(|error| journal_error(&error))?;
        #[cfg(feature = "simulation")]
        platform::simulation::commit(&path, platform::simulation::Commit::After);
        failpoint("commit.durable");
        // What is durable in the journal and not in the store is folded again at once, or else before anything else is
        // recorded, so nobody decides by a store that lacks it.
        if let Err(error) = apply(self.store.as_ref(), records, &tip) {
            books.is_behind = true;
            tracing::warn!(code = error.code(), "durable, but not in the store: {error}");
            self.repair(&mut books).map_err(|error| late(&error))?;
        }
        failpoint("commit.folded");
        Ok(())
    }

    /// Folds what a store that failed lacks, once it can be opened again.
    fn repair(&self, books: &mut Books) -> Result<(), StoreError> {
        if books.is_behind {
            self.store.reopen()?;
            let tip = stored_tip(self.store.as_ref())?.unwrap_or_else(Tip::start);
            catch_up(&books.journal.reader(), self.store.as_ref(), tip)?;
            books.is_behind = false;
        }
        Ok(())
    }

    /// How the ledger stands.
    #[must_use]
    pub fn status(&self) -> LedgerStatus {
        let journal_bytes = lock(&self.books).journal.bytes();
        let queue = lock(&self.queue);
        let stopped = queue.stopped.as_ref().map(|reason| StoreError::Stopped { reason: reason.clone() });
        let failure = stopped.or_else(|| queue.failure.clone());
        LedgerStatus { journal_bytes, waiting_records: queue.records.len(), failure }
    }

    /// After a failure: finds out whether records can be made durable again, without one. For a node that has nothing to
    /// record and must know whether it may say that it is ready.
    pub fn probe(&self) {
        if lock(&self.queue).failure.is_none() {
            return;
        }
        let mut books = lock(&self.books);
        let probed = books.journal.probe().map_err(|error| journal_error(&error));
        let probed = probed.and_then(|()| self.repair(&mut books));
        drop(books);
        let mut queue = lock(&self.queue);
        if !queue.busy {
            queue.failure = probed.err();
        }
    }

    /// Lets nobody wait for a disk any longer: the node stops.
    pub fn close(&self) {
        lock(&self.queue).closing = true;
        self.committed.notify_all();
    }

    /// The end of the journal.
    #[must_use]
    pub fn tip(&self) -> Tip {
        lock(&self.books).journal.tip()
    }

    /// A view of the journal up to its end, to read while others record.
    #[must_use]
    pub fn reader(&self) -> Reader {
        lock(&self.books).journal.reader()
    }

    /// The store, to read.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Folds the whole journal anew and compares; empty when store and journal agree. Nothing is recorded meanwhile.
    ///
    /// # Errors
    /// The journal was damaged since it was opened, or the store failed.
    pub fn check(&self) -> Result<Vec<Difference>, StoreError> {
        let books = lock(&self.books);
        let fresh = MemoryStore::default();
        checkpoint::fold_whole(&books.journal.reader(), &fresh)?;
        differences(&fresh, self.store.as_ref())
    }

    /// How many entries each tree has.
    ///
    /// # Errors
    /// The store failed.
    pub fn entries(&self) -> Result<Vec<(Tree, u64)>, StoreError> {
        count(self.store.as_ref())
    }

    /// Replays every record of the journal, in order.
    ///
    /// # Errors
    /// The journal was damaged since it was opened.
    pub fn replay(&self, mut visit: impl FnMut(Record)) -> Result<(), StoreError> {
        let reader = self.reader();
        let done = reader.replay(&reader.start(), |_, records| -> Result<(), Carried> {
            records.into_iter().for_each(&mut visit);
            Ok(())
        });
        done.map_err(|Carried(error)| error)
    }
}

fn count(store: &dyn Store) -> Result<Vec<(Tree, u64)>, StoreError> {
    let mut counts = Vec::new();
    for tree in Tree::ALL {
        let (mut entries, mut after) = (0_u64, None::<String>);
        loop {
            let page = store.scan(tree, "", after.as_deref(), SCAN_MAX)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            entries = entries.saturating_add(page.len() as u64);
        }
        counts.push((tree, entries));
    }
    Ok(counts)
}

/// Folds a journal in memory and counts what it folds to: a restore that changes nothing.
///
/// # Errors
/// The journal is damaged.
pub fn fold_in_memory(reader: &Reader) -> Result<u64, StoreError> {
    let store = MemoryStore::default();
    checkpoint::fold_whole(reader, &store)?;
    Ok(count(&store)?.into_iter().map(|(_, entries)| entries).sum())
}

/// What a rebuild did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rebuilt {
    /// Where the old store is, if there was one.
    pub aside: Option<PathBuf>,
    /// Records that were folded.
    pub folded_records: u64,
    /// What was journaled, when the old store knew more than the journal and that was accepted.
    pub lost: Option<Restored>,
}

/// Moves the store of a data directory aside and folds it anew. Saved light clients come along, since the journal has only
/// their digests. A store that knows what the journal does not is the only sign that the journal lost its end: it stays,
/// unless the loss is accepted, and then that is journaled before it goes, so attestor keys refuse until they are reset.
///
/// # Errors
/// A node is running, the store knows more than the journal, the journal is damaged, or the disk failed.
pub fn rebuild(data_dir: &Path, accept_loss: bool) -> Result<Rebuilt, StoreError> {
    let (mut journal, _) = Journal::open(data_dir).map_err(|error| journal_error(&error))?;
    let path = data_dir.join(STORE_DIR);
    let lost = match stands_in(&path, &journal.reader()) {
        Err(StoreError::AheadOfJournal { .. } | StoreError::ForeignJournal { .. }) if accept_loss => {
            Some(record_loss(&mut journal, &path)?)
        }
        stands => stands.map(|()| None)?,
    };
    let aside = if path.exists() { Some(move_aside(&path, "replaced")?) } else { None };
    let store = SledStore::open(&path)?;
    if let Some(Ok(old)) = aside.as_deref().map(SledStore::open) {
        take_blobs(&old, &store)?;
    }
    let folded_records = checkpoint::fold_anew(&journal.reader(), &store)?;
    store.flush()?;
    Ok(Rebuilt { aside, folded_records, lost })
}

/// Takes over saved light clients, of which the journal has only the digests: by these they are checked when they are used.
fn take_blobs(old: &SledStore, new: &SledStore) -> Result<(), StoreError> {
    let blobs = old.scan(Tree::Blobs, "", None, SCAN_MAX)?.into_iter();
    let puts: Vec<_> = blobs.map(|(key, value)| StoreOp::Put { tree: Tree::Blobs, key, value }).collect();
    new.apply(&puts)
}

/// Refuses a store that knows more than a journal, or another one. One that does not open or does not know its place says
/// nothing.
fn stands_in(store: &Path, journal: &Reader) -> Result<(), StoreError> {
    if !store.exists() {
        return Ok(());
    }
    let from = match SledStore::open(store).and_then(|store| stored_place(&store)) {
        Ok(Some((from, _))) => from,
        Err(error) if sled::is_full(&error) => return Err(error),
        Ok(None) | Err(_) => return Ok(()),
    };
    stands_at(&from, journal)
}

/// Refuses a place that is no place of a journal.
fn stands_at(from: &Tip, journal: &Reader) -> Result<(), StoreError> {
    // Of places in segments that were removed nothing is known any more.
    if is_end(journal, from)? || from.segment < journal.start().segment {
        return Ok(());
    }
    let mut continues = false;
    let read = journal.replay(from, |_, _| {
        continues = true;
        Err(Carried(StoreError::Stopped { reason: "the first commit tells".into() }))
    });
    if read.is_err() && !continues && journal.check_segment(from.segment).is_ok() {
        return Err(StoreError::ForeignJournal { records: from.records, hash: from.hash });
    }
    Ok(())
}

/// Journals that this journal lost what a store knew: keys that either remembers may have attested more.
fn record_loss(journal: &mut Journal, store: &Path) -> Result<Restored, StoreError> {
    let fresh = MemoryStore::default();
    checkpoint::fold_anew(&journal.reader(), &fresh)?;
    let mut keys = backup::remembered(&fresh)?;
    keys.extend(backup::remembered(&SledStore::open(store)?)?);
    keys.sort_unstable();
    keys.dedup();
    let (tip, at_seconds) = (journal.tip(), platform::now().seconds());
    let lost = Restored { records: tip.records, hash: tip.hash, keys, at_seconds };
    journal.append(&[Record::Restored(lost.clone())]).map_err(|error| journal_error(&error))?;
    Ok(lost)
}

fn move_aside(path: &Path, why: &str) -> Result<PathBuf, StoreError> {
    let named = |count: u32| path.with_extension(format!("{why}-{}-{count}", platform::now().seconds()));
    // Two starts within a second have names of their own.
    let aside = (0..MOVED_A_SECOND_MAX).map(named).find(|aside| !aside.exists()).unwrap_or_else(|| named(0));
    std::fs::rename(path, &aside)
        .map_err(|error| StoreError::Io { action: "move its files aside", reason: error.to_string() })?;
    Ok(aside)
}

/// What differs between a store that was folded anew and the working one; caches are not compared.
fn differences(fresh: &dyn Store, working: &dyn Store) -> Result<Vec<Difference>, StoreError> {
    let mut found = Vec::new();
    for tree in Tree::ALL.into_iter().filter(|tree| *tree != Tree::Blobs) {
        compare(tree, fresh, working, "missing or different in the store", &mut found)?;
        compare(tree, working, fresh, "not in the journal, or different there", &mut found)?;
    }
    Ok(found)
}

/// Marks the ledger stopped when a commit panics.
struct StopOnUnwind<'a>(&'a Ledger);

impl Drop for StopOnUnwind<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.busy = false;
        queue.stopped = Some("a commit panicked".into());
        self.0.committed.notify_all();
    }
}

/// Folds records and the place that they end at; the place last, so that a crash has them folded again.
fn apply(store: &dyn Store, records: &[Record], tip: &Tip) -> Result<(), StoreError> {
    let stored = StoredTip {
        schema: STORE_SCHEMA,
        records: tip.records,
        segment: tip.segment,
        offset_bytes: tip.offset_bytes,
        hash: tip.hash.to_string(),
    };
    let value = serde_json::to_vec(&stored)
        .map_err(|error| StoreError::Io { action: "encode its place", reason: error.to_string() })?;
    let place = StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value };
    checkpoint::apply_records(store, records, vec![place])
}

/// Whether a store's place is the journal's end; refuses one that is beyond it.
fn is_end(journal: &Reader, from: &Tip) -> Result<bool, StoreError> {
    let end = journal.tip();
    if from.records > end.records {
        return Err(StoreError::AheadOfJournal { store: from.records, journal: end.records });
    }
    if from.is_same(&end) {
        return Ok(true);
    }
    if from.records == end.records || (from.segment, from.offset_bytes) >= (end.segment, end.offset_bytes) {
        return Err(StoreError::ForeignJournal { records: from.records, hash: from.hash });
    }
    Ok(false)
}

/// Folds what a store lacks; how many records that was.
fn catch_up(journal: &Reader, store: &dyn Store, from: Tip) -> Result<u64, StoreError> {
    if is_end(journal, &from)? {
        return Ok(0);
    }
    let mut first = true;
    let done = journal.replay(&from, |tip, records| {
        first = false;
        failpoint("start.replay");
        apply(store, &records, tip).map_err(Carried)
    });
    match done {
        Ok(()) => Ok(journal.tip().records.saturating_sub(from.records)),
        // When the segment is sound, what does not continue is the store's place in it.
        Err(Carried(StoreError::Journal { .. })) if first && journal.check_segment(from.segment).is_ok() => {
            Err(StoreError::ForeignJournal { records: from.records, hash: from.hash })
        }
        Err(Carried(error)) => Err(error),
    }
}

/// A store, its place in the journal, and where an unusable one went and why.
type OpenedSled = (SledStore, Tip, Option<(PathBuf, String)>);

/// Opens sled; moves it aside and begins anew when it cannot be used. One of another layout still knows how far the journal
/// went, and is refused when that is further than this one goes.
fn open_sled(path: &Path, journal: &Reader) -> Result<OpenedSled, StoreError> {
    let (reason, is_sound) = match SledStore::open(path).and_then(|store| stored_tip(&store).map(|tip| (store, tip))) {
        Ok((store, Some(tip))) => return Ok((store, tip, None)),
        Ok((store, None)) if is_empty(&store)? => return Ok((store, Tip::start(), None)),
        Ok((store, None)) => match stored_place(&store)? {
            Some((place, schema)) => {
                stands_at(&place, journal)?;
                (format!("it has layout {schema}, this program makes {STORE_SCHEMA}"), true)
            }
            None => ("it does not know its place in the journal".into(), true),
        },
        // To move it away would not make room, and would cost what the journal has only by digest.
        Err(error) if sled::is_full(&error) => return Err(error),
        Err(error) => (error.to_string(), false),
    };
    let aside = move_aside(path, "unusable")?;
    failpoint("start.aside");
    let store = SledStore::open(path)?;
    // A newer program has another layout; what is cached is the same.
    if let (true, Ok(old)) = (is_sound, SledStore::open(&aside)) {
        take_blobs(&old, &store)?;
    }
    Ok((store, Tip::start(), Some((aside, reason))))
}

fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    for tree in Tree::ALL {
        if !store.scan(tree, "", None, 1)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a store stands in the journal; `None` when it does not say, or has another layout.
fn stored_tip(store: &dyn Store) -> Result<Option<Tip>, StoreError> {
    Ok(stored_place(store)?.filter(|(_, schema)| *schema == STORE_SCHEMA).map(|(tip, _)| tip))
}

/// Where a store of any layout stands, and the layout; `None` when it does not say.
fn stored_place(store: &dyn Store) -> Result<Option<(Tip, u32)>, StoreError> {
    let Some(value) = store.get(Tree::Meta, TIP_KEY)? else { return Ok(None) };
    let stored: StoredTip = catenary_core::fold::read(TIP_KEY, &value)?;
    let hash = catenary_core::encoding::parse_hash(&stored.hash).unwrap_or(Hash32([0; 32]));
    let StoredTip { schema, records, segment, offset_bytes, .. } = stored;
    Ok(Some((Tip { records, segment, offset_bytes, hash }, schema)))
}

/// Adds what `left` holds and `right` does not hold equally.
fn compare(
    tree: Tree,
    left: &dyn Store,
    right: &dyn Store,
    what: &'static str,
    differences: &mut Vec<Difference>,
) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let page = left.scan(tree, "", after.as_deref(), SCAN_MAX)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        // The place in the journal is compared when a store is opened; an older program wrote it otherwise.
        for (key, value) in page.into_iter().filter(|(key, _)| (tree, key.as_str()) != (Tree::Meta, TIP_KEY)) {
            if right.get(tree, &key)?.as_ref() != Some(&value) {
                differences.push(Difference { tree, key, what });
            }
        }
    }
}
