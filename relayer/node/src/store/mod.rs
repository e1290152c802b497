//! The working state behind the [`Store`] trait, and the [`Ledger`] that keeps it in step with the journal.
//!
//! The journal is the truth: a record is durable there before the store knows of it, and the store remembers in the
//! same atomic batch up to where it has folded. At start it folds what it lacks; a store that is lost, damaged or of
//! another layout is moved aside and made again. A store that knows *more* than the journal is refused, because then
//! the journal, with what was signed, is what was lost.
//!
//! What an attacker can grow: see [`catenary_core::store`]. The queue of records is bounded by one commit; who comes
//! later waits.

mod memory;
mod reads;
mod sled;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use catenary_core::fold::{fold, STORE_SCHEMA};
use catenary_core::{Record, Store, StoreError, StoreOp, Tree};
use catenary_light_clients::Hash32;
use serde::{Deserialize, Serialize};

use crate::failpoint::failpoint;
use crate::journal::{Journal, JournalError, Recovery, Tip, APPEND_BYTES_MAX};
use crate::platform;

pub use memory::MemoryStore;
pub use reads::SCAN_MAX;
pub use sled::SledStore;

/// File of the journal in the data directory.
pub const JOURNAL_FILE: &str = "catenary.journal";
/// Directory of the store in the data directory.
pub const STORE_DIR: &str = "store";
/// Key in [`Tree::Meta`] of the store's place in the journal.
const TIP_KEY: &str = "tip";

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
    offset_bytes: u64,
    hash: String,
}

/// Records that wait for the next commit.
#[derive(Debug, Default)]
struct Queue {
    records: Vec<Record>,
    encoded: Vec<Vec<u8>>,
    bytes: usize,
    /// Number of the commit that the waiting records will be in.
    next_commit: u64,
    /// Number of the newest commit that is durable and folded.
    done_commit: u64,
    /// A thread is committing.
    busy: bool,
    stopped: Option<String>,
}

/// Journal and store as one: records in, reads out. Share it as `Arc<Ledger>`; every method may block for a disk
/// access, so async code calls [`record_async`](Ledger::record_async) or moves to a blocking thread.
#[derive(Debug)]
pub struct Ledger {
    journal: Mutex<Journal>,
    store: Box<dyn Store>,
    queue: Mutex<Queue>,
    committed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn journal_error(error: &JournalError) -> StoreError {
    StoreError::Journal { code: error.code(), message: error.to_string() }
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
        let io =
            |error: std::io::Error| StoreError::Io { action: "make the data directory", reason: error.to_string() };
        std::fs::create_dir_all(data_dir).map_err(io)?;
        let (journal, recovery) = Journal::open(&data_dir.join(JOURNAL_FILE)).map_err(|e| journal_error(&e))?;
        let path = data_dir.join(STORE_DIR);
        let (store, tip, rebuilt) = open_sled(&path)?;
        let (ledger, folded_records) = Self::assemble(journal, Box::new(store), tip)?;
        Ok((ledger, OpenReport { journal: recovery, folded_records, rebuilt }))
    }

    /// A journal with its working state in memory, folded whole at every start: for tests and small tools.
    ///
    /// # Errors
    /// The journal is in use or damaged, or the disk failed.
    pub fn open_in_memory(journal: &Path) -> Result<Self, StoreError> {
        let (journal, _) = Journal::open(journal).map_err(|error| journal_error(&error))?;
        Ok(Self::assemble(journal, Box::<MemoryStore>::default(), Tip::start())?.0)
    }

    fn assemble(journal: Journal, store: Box<dyn Store>, tip: Tip) -> Result<(Self, u64), StoreError> {
        let folded = catch_up(&journal, store.as_ref(), tip)?;
        let queue = Mutex::new(Queue { next_commit: 1, ..Queue::default() });
        Ok((Self { journal: Mutex::new(journal), store, queue, committed: Condvar::new() }, folded))
    }

    /// Makes records durable, then visible: all or none, in order. Threads that come together share an fsync.
    ///
    /// # Errors
    /// The journal or the store failed: the ledger then refuses everything until the node is restarted.
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
        let commit = queue.next_commit;
        loop {
            if queue.done_commit >= commit {
                return Ok(());
            }
            if let Some(reason) = &queue.stopped {
                return Err(StoreError::Stopped { reason: reason.clone() });
            }
            if queue.busy {
                queue = self.committed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                queue = self.lead(queue)?;
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
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> Result<MutexGuard<'a, Queue>, StoreError> {
        let records = std::mem::take(&mut queue.records);
        let encoded = std::mem::take(&mut queue.encoded);
        queue.bytes = 0;
        let commit = queue.next_commit;
        queue.next_commit = commit.saturating_add(1);
        queue.busy = true;
        drop(queue);
        // Room in the queue again.
        self.committed.notify_all();
        let guard = StopOnUnwind(self);
        let result = self.commit(&records, &encoded);
        std::mem::forget(guard);
        let mut queue = lock(&self.queue);
        queue.busy = false;
        match &result {
            Ok(()) => queue.done_commit = commit,
            Err(error) => queue.stopped = Some(error.to_string()),
        }
        self.committed.notify_all();
        result.map(|()| queue)
    }

    fn commit(&self, records: &[Record], encoded: &[Vec<u8>]) -> Result<(), StoreError> {
        #[cfg(feature = "simulation")]
        let path = lock(&self.journal).path().to_owned();
        #[cfg(feature = "simulation")]
        platform::simulation::commit(&path, platform::simulation::Commit::Before);
        failpoint("commit.begin");
        let tip = lock(&self.journal).append_encoded(encoded).map_err(|error| journal_error(&error))?;
        #[cfg(feature = "simulation")]
        platform::simulation::commit(&path, platform::simulation::Commit::After);
        failpoint("commit.durable");
        apply(self.store.as_ref(), records, &tip)?;
        failpoint("commit.folded");
        Ok(())
    }

    /// The end of the journal.
    #[must_use]
    pub fn tip(&self) -> Tip {
        lock(&self.journal).tip()
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
        let journal = lock(&self.journal);
        let fresh = MemoryStore::default();
        catch_up(&journal, &fresh, Tip::start())?;
        let mut differences = Vec::new();
        for tree in Tree::ALL.into_iter().filter(|tree| *tree != Tree::Blobs) {
            compare(tree, &fresh, self.store.as_ref(), "missing or different in the store", &mut differences)?;
            compare(tree, self.store.as_ref(), &fresh, "not in the journal, or different there", &mut differences)?;
        }
        Ok(differences)
    }

    /// Replays every record of the journal, in order. Nothing is recorded meanwhile.
    ///
    /// # Errors
    /// The journal was damaged since it was opened.
    pub fn replay(&self, mut visit: impl FnMut(Record)) -> Result<(), StoreError> {
        let done = lock(&self.journal).replay(&Tip::start(), |_, records| -> Result<(), Carried> {
            records.into_iter().for_each(&mut visit);
            Ok(())
        });
        done.map_err(|Carried(error)| error)
    }
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

/// Folds records and the place that they end at in one batch.
fn apply(store: &dyn Store, records: &[Record], tip: &Tip) -> Result<(), StoreError> {
    let mut batch: Vec<StoreOp> = records.iter().flat_map(fold).collect();
    let stored = StoredTip {
        schema: STORE_SCHEMA,
        records: tip.records,
        offset_bytes: tip.offset_bytes,
        hash: tip.hash.to_string(),
    };
    let value = serde_json::to_vec(&stored)
        .map_err(|error| StoreError::Io { action: "encode its place", reason: error.to_string() })?;
    batch.push(StoreOp::Put { tree: Tree::Meta, key: TIP_KEY.into(), value });
    store.apply(&batch)
}

/// Folds what a store lacks; how many records that was.
fn catch_up(journal: &Journal, store: &dyn Store, from: Tip) -> Result<u64, StoreError> {
    let end = journal.tip();
    if from.records > end.records {
        return Err(StoreError::AheadOfJournal { store: from.records, journal: end.records });
    }
    let foreign = || StoreError::ForeignJournal { records: from.records, hash: from.hash };
    if from == end {
        return Ok(0);
    }
    if from.records == end.records || from.offset_bytes >= end.offset_bytes {
        return Err(foreign());
    }
    let mut first = true;
    let done = journal.replay(&from, |tip, records| {
        first = false;
        failpoint("start.replay");
        apply(store, &records, tip).map_err(Carried)
    });
    match done {
        Ok(()) => Ok(end.records.saturating_sub(from.records)),
        // The journal was checked whole when it was opened; what does not continue is the store's place in it.
        Err(Carried(StoreError::Journal { .. })) if first && from != Tip::start() => Err(foreign()),
        Err(Carried(error)) => Err(error),
    }
}

/// A store, its place in the journal, and where an unusable one went and why.
type OpenedSled = (SledStore, Tip, Option<(PathBuf, String)>);

/// Opens sled; moves it aside and begins anew when it cannot be used.
fn open_sled(path: &Path) -> Result<OpenedSled, StoreError> {
    let reason = match SledStore::open(path).and_then(|store| stored_tip(&store).map(|tip| (store, tip))) {
        Ok((store, Some(tip))) => return Ok((store, tip, None)),
        Ok((store, None)) if is_empty(&store)? => return Ok((store, Tip::start(), None)),
        Ok((_, None)) => "it does not know its place in the journal, or has another layout".into(),
        Err(error) => error.to_string(),
    };
    let aside = path.with_extension(format!("unusable-{}", platform::now().seconds()));
    std::fs::rename(path, &aside)
        .map_err(|error| StoreError::Io { action: "move its files aside", reason: error.to_string() })?;
    failpoint("start.aside");
    let store = SledStore::open(path)?;
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
    let Some(value) = store.get(Tree::Meta, TIP_KEY)? else { return Ok(None) };
    let stored: StoredTip = catenary_core::fold::read(TIP_KEY, &value)?;
    if stored.schema != STORE_SCHEMA {
        return Ok(None);
    }
    let hash = catenary_core::encoding::parse_hash(&stored.hash).unwrap_or(Hash32([0; 32]));
    Ok(Some(Tip { records: stored.records, offset_bytes: stored.offset_bytes, hash }))
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
        for (key, value) in page {
            if right.get(tree, &key)?.as_ref() != Some(&value) {
                differences.push(Difference { tree, key, what });
            }
        }
    }
}
