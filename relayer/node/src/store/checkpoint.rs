//! Checkpoints: the state that the journal folds to before a segment, in a file beside the segments.
//!
//! A checkpoint is folded from the journal, never copied from the working store, so a fault of the store does not become
//! the truth. Its digest is journaled: a file that the journal does not confirm is not used. From it a store is folded
//! anew without reading what lies before, and only with one may older segments be removed. `relayer/docs/JOURNAL.md`
//! describes the file.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use catenary_core::record::{Checkpoint, Record};
use catenary_core::{Store, StoreError, StoreOp, Tree};
use catenary_light_clients::Hash32;
use sha2::{Digest, Sha256};

use super::{apply, catch_up, journal_error, lock, Ledger, SledStore, SCAN_MAX, TIP_KEY};
use crate::failpoint::{failpoint, failpoint_after};
use crate::journal::{checkpoint_name, checkpoint_number, sync_directory, JournalError, Reader, SegmentFile, Tip};

const MAGIC: &[u8; 8] = b"CTNYCKPT";
const VERSION: u32 = 1;
/// Stands in place of a tree after the last entry.
const END: u8 = 0xff;
/// Longest key: a history key has a chain, a client, two numbers and a hash.
const KEY_BYTES_MAX: u32 = 4_096;
/// Longest value: nothing in a store is larger than what one commit holds.
const VALUE_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// A new checkpoint is due when the journal has grown by so many segments since the last one, which fold again in some
/// seconds, or by twice the last checkpoint, so that writing them never costs more than half of what the journal does.
const DUE_SEGMENTS_MIN: u64 = 4;
/// Directory of the store that a checkpoint is folded in.
const SCRATCH_DIR: &str = "scratch";
/// How a checkpoint's file ends until it is whole.
const UNFINISHED: &str = "checkpoint-new";

/// A checkpoint that the journal confirms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// What the journal says of it.
    pub record: Checkpoint,
    /// Its file.
    pub path: PathBuf,
}

fn io_error(action: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io { action, reason: error.to_string() }
}

fn corrupt(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Corrupt { key: path.display().to_string(), reason: reason.into() }
}

/// Writes and hashes at once.
struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Trees that a checkpoint holds: what is folded, so neither caches nor the store's own place.
fn trees() -> impl Iterator<Item = Tree> {
    Tree::ALL.into_iter().filter(|tree| *tree != Tree::Blobs)
}

/// Writes what a store has folded; gives the digest and the count of entries.
pub(super) fn write(store: &dyn Store, at: &Tip, out: impl Write) -> Result<(Hash32, u64), StoreError> {
    let io = |error: io::Error| io_error("write a checkpoint", &error);
    let mut out = Hashing { out, hash: Sha256::new() };
    let mut put = |parts: &[&[u8]]| parts.iter().try_for_each(|part| out.write_all(part)).map_err(io);
    put(&[MAGIC, &VERSION.to_le_bytes(), &at.segment.to_le_bytes(), &at.records.to_le_bytes(), at.hash.as_bytes()])?;
    let mut entries = 0_u64;
    for tree in trees() {
        let mut after: Option<String> = None;
        loop {
            let page = store.scan(tree, "", after.as_deref(), SCAN_MAX)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, value) in page.iter().filter(|(key, _)| (tree, key.as_str()) != (Tree::Meta, TIP_KEY)) {
                let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
                put(&[&[tree.prefix()], &length(key.as_bytes()), key.as_bytes(), &length(value), value])?;
                entries = entries.saturating_add(1);
            }
        }
    }
    put(&[&[END], &entries.to_le_bytes()])?;
    out.flush().map_err(io)?;
    Ok((Hash32(out.hash.finalize().into()), entries))
}

/// Reads a checkpoint, entry by entry, in the one order that a writer gives them.
pub(super) fn read(
    path: &Path,
    at: &Tip,
    visit: impl FnMut(Tree, String, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let file = File::open(path).map_err(|error| corrupt(path, error.to_string()))?;
    read_from(BufReader::new(file), path, at, visit)
}

/// [`read`], from anywhere; the path is for what is said of it.
pub(super) fn read_from(
    mut input: impl Read,
    path: &Path,
    at: &Tip,
    mut visit: impl FnMut(Tree, String, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let io = |error: io::Error| corrupt(path, error.to_string());
    let start = [
        MAGIC.as_slice(),
        &VERSION.to_le_bytes(),
        &at.segment.to_le_bytes(),
        &at.records.to_le_bytes(),
        at.hash.as_bytes(),
    ]
    .concat();
    let mut got = vec![0; start.len()];
    input.read_exact(&mut got).map_err(io)?;
    if got != start {
        return Err(corrupt(path, "it is no checkpoint of this place of this journal"));
    }
    let mut last: Option<(usize, String)> = None;
    let mut entries = 0_u64;
    loop {
        let [prefix] = array(&mut input).map_err(io)?;
        if prefix == END {
            break;
        }
        let tree = trees().enumerate().find(|(_, tree)| tree.prefix() == prefix);
        let (order, tree) = tree.ok_or_else(|| corrupt(path, format!("there is no tree {prefix:#04x}")))?;
        let key = String::from_utf8(bytes(&mut input, KEY_BYTES_MAX).map_err(io)?)
            .map_err(|error| corrupt(path, error.to_string()))?;
        let value = bytes(&mut input, VALUE_BYTES_MAX).map_err(io)?;
        let place = (order, key.clone());
        if last.as_ref().is_some_and(|last| *last >= place) {
            return Err(corrupt(path, format!("the entry {key} is out of order")));
        }
        if (tree, place.1.as_str()) == (Tree::Meta, TIP_KEY) {
            return Err(corrupt(path, "it holds the place of a store, which no checkpoint has"));
        }
        last = Some(place);
        entries = entries.saturating_add(1);
        visit(tree, key, value)?;
    }
    let count = u64::from_le_bytes(array(&mut input).map_err(io)?);
    let mut rest = [0];
    if count != entries || input.read(&mut rest).map_err(io)? != 0 {
        return Err(corrupt(path, format!("it states {count} entries and has {entries}, or more bytes follow")));
    }
    Ok(())
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bytes(input: &mut impl Read, max: u32) -> io::Result<Vec<u8>> {
    let length = u32::from_le_bytes(array(input)?);
    if length > max {
        return Err(io::Error::other(format!("a length of {length} bytes, at most {max}")));
    }
    let mut bytes = Vec::new();
    input.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() < usize::try_from(length).unwrap_or(usize::MAX) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

pub(super) fn digest(path: &Path) -> Result<Hash32, StoreError> {
    let io = |error: io::Error| io_error("read a checkpoint", &error);
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(io)?;
    io::copy(&mut file, &mut hash).map_err(io)?;
    Ok(Hash32(hash.finalize().into()))
}

/// Removes what a checkpoint that was not finished left beside the segments: it is of no use, and takes the room that a full
/// disk lacks.
pub(super) fn clear_unfinished(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let removed = if entry.file_name() == SCRATCH_DIR {
            fs::remove_dir_all(&path)
        } else if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            fs::remove_file(&path)
        } else {
            continue;
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "what a checkpoint left cannot be removed");
        }
    }
}

/// Clears away what a checkpoint is made of, on every way out.
struct Clearing<'a>(&'a Path);

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        clear_unfinished(self.0);
    }
}

/// Numbers of the checkpoint files beside the segments, newest first.
fn numbers(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names.filter_map(|name| checkpoint_number(name.to_str()?)).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers
}

/// Ends a search with what was found.
enum Search {
    Found(Checkpoint),
    Failed(JournalError),
}

impl From<JournalError> for Search {
    fn from(error: JournalError) -> Self {
        Self::Failed(error)
    }
}

/// What the journal says of the checkpoint before a segment, if anything.
fn confirmed(reader: &Reader, segment: &SegmentFile) -> Result<Option<Checkpoint>, StoreError> {
    let start = segment.start();
    let found = reader.replay(&start, |_, records| {
        let ours = records.into_iter().find_map(|record| match record {
            Record::Checkpoint(record) if record.segment == start.segment => Some(record),
            _ => None,
        });
        ours.map_or(Ok(()), |record| Err(Search::Found(record)))
    });
    match found {
        Ok(()) => Ok(None),
        Err(Search::Found(record)) => Ok(Some(record)),
        Err(Search::Failed(error)) => Err(journal_error(&error)),
    }
}

/// The newest checkpoint that the journal confirms and whose file is what it says.
pub(super) fn base(reader: &Reader) -> Result<Option<Base>, StoreError> {
    let Some(dir) = reader.segments().first().and_then(|file| file.path.parent()) else { return Ok(None) };
    for number in numbers(dir) {
        let Some(segment) = reader.segments().iter().find(|file| file.header.number == number) else { continue };
        let Some(record) = confirmed(reader, segment)? else { continue };
        let path = dir.join(checkpoint_name(number));
        let start = segment.start();
        if (record.records, record.hash) == (start.records, start.hash) && digest(&path)? == record.digest {
            return Ok(Some(Base { record, path }));
        }
        tracing::warn!(segment = number, "a checkpoint is not what the journal says of it; an older one is used");
    }
    Ok(None)
}

/// Loads a checkpoint into an empty store; gives the place that it stands at.
fn load(base: &Base, reader: &Reader, store: &dyn Store) -> Result<Tip, StoreError> {
    let number = base.record.segment;
    let missing = || JournalError::Missing { number, dir: base.path.clone() };
    let segment = reader.segments().iter().find(|file| file.header.number == number);
    let start = segment.map(SegmentFile::start).ok_or_else(|| journal_error(&missing()))?;
    let mut batch = Vec::new();
    read(&base.path, &start, |tree, key, value| {
        batch.push(StoreOp::Put { tree, key, value });
        if batch.len() >= SCAN_MAX {
            store.apply(&std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    store.apply(&batch)?;
    apply(store, &[], &start)?;
    Ok(start)
}

/// Folds a journal into an empty store, from the newest checkpoint on; how many records were folded.
pub(super) fn fold_anew(reader: &Reader, store: &dyn Store) -> Result<u64, StoreError> {
    let from = match base(reader)? {
        Some(base) => load(&base, reader, store)?,
        None => Tip::start(),
    };
    catch_up(reader, store, from)
}

/// Folds a journal into an empty store and compares every checkpoint that it confirms on the way, as far as its segments
/// are still there.
pub(super) fn fold_whole(reader: &Reader, store: &dyn Store) -> Result<u64, StoreError> {
    let Some(first) = reader.segments().first() else { return Ok(0) };
    if first.header.number > 1 {
        return fold_anew(reader, store);
    }
    let Some(base) = base(reader)? else { return catch_up(reader, store, Tip::start()) };
    let Some(view) = reader.until(base.record.segment.saturating_sub(1)) else { return Ok(0) };
    let before = catch_up(&view, store, Tip::start())?;
    let segment = reader.segments().iter().find(|file| file.header.number == base.record.segment);
    let start = segment.map_or_else(Tip::start, SegmentFile::start);
    let (digest, entries) = write(store, &start, io::sink())?;
    if (digest, entries) != (base.record.digest, base.record.entries) {
        let reason = format!("the journal before it folds to {entries} entries with digest {digest}");
        return Err(corrupt(&base.path, reason));
    }
    Ok(before.saturating_add(catch_up(reader, store, start)?))
}

impl Ledger {
    /// Whether the journal has grown so far since the last checkpoint that another one is worth its bytes.
    #[must_use]
    pub fn checkpoint_due(&self) -> bool {
        let (reader, due_bytes_min) = {
            let books = lock(&self.books);
            (books.journal.reader(), books.journal.segment_bytes_max().saturating_mul(DUE_SEGMENTS_MIN))
        };
        let Some(dir) = reader.segments().first().and_then(|file| file.path.parent()) else { return false };
        let last = numbers(dir).first().copied();
        let since = reader.segments().iter().filter(|file| last.is_none_or(|last| file.header.number >= last));
        let bytes: u64 = since.map(|file| file.length_bytes).sum::<u64>();
        let size =
            last.and_then(|last| fs::metadata(dir.join(checkpoint_name(last))).ok()).map_or(0, |file| file.len());
        bytes >= due_bytes_min.max(size.saturating_mul(2))
    }

    /// Begins a new segment and writes the state before it to a checkpoint, folded from the journal in a store of its own;
    /// others record meanwhile. `None` when there is nothing before it.
    ///
    /// # Errors
    /// The journal is damaged, or the disk is full or failed: then there is no new checkpoint.
    pub fn checkpoint(&self, at_seconds: u64) -> Result<Option<Checkpoint>, StoreError> {
        let reader = {
            let mut books = lock(&self.books);
            books.journal.rotate().map_err(|error| journal_error(&error))?;
            books.journal.reader()
        };
        let Some(segment) = reader.segments().last().filter(|segment| segment.header.number > 1) else {
            return Ok(None);
        };
        let start = segment.start();
        failpoint("checkpoint.begin");
        let Some(view) = reader.until(start.segment.saturating_sub(1)) else { return Ok(None) };
        let Some(dir) = segment.path.parent() else { return Ok(None) };
        let scratch = dir.join(SCRATCH_DIR);
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("clear a checkpoint's store", &error));
            }
            _ => {}
        }
        let clearing = Clearing(dir);
        let folded = SledStore::open(&scratch)?;
        fold_anew(&view, &folded)?;
        failpoint("checkpoint.folded");
        let path = dir.join(checkpoint_name(start.segment));
        let written = write_file(&folded, &start, &path);
        drop(folded);
        drop(clearing);
        let (digest, entries) = written?;
        failpoint("checkpoint.written");
        let (segment, records, hash) = (start.segment, start.records, start.hash);
        let record = Checkpoint { segment, records, hash, digest, entries, at_seconds };
        self.record(vec![Record::Checkpoint(record.clone())])?;
        failpoint("checkpoint.recorded");
        Ok(Some(record))
    }

    /// Removes segments whose records are all older than a time and lie before the newest checkpoint, and checkpoints that
    /// a newer one replaces; gives the numbers of the segments.
    ///
    /// # Errors
    /// The journal is damaged, or the disk failed.
    pub fn forget(&self, before_seconds: u64) -> Result<Vec<u64>, StoreError> {
        let reader = self.reader();
        let Some(base) = base(&reader)? else { return Ok(Vec::new()) };
        let removed = lock(&self.books)
            .journal
            .forget(base.record.segment, before_seconds)
            .map_err(|error| journal_error(&error))?;
        if !removed.is_empty() {
            failpoint("forget.checkpoints");
        }
        let dir = base.path.parent().unwrap_or_else(|| Path::new(""));
        for number in numbers(dir).into_iter().filter(|number| *number < base.record.segment) {
            fs::remove_file(dir.join(checkpoint_name(number)))
                .map_err(|error| io_error("remove an old checkpoint", &error))?;
        }
        Ok(removed)
    }
}

fn write_file(store: &dyn Store, at: &Tip, path: &Path) -> Result<(Hash32, u64), StoreError> {
    let io = |error: io::Error| io_error("write a checkpoint", &error);
    let beside = path.with_extension(UNFINISHED);
    let mut file = BufWriter::new(File::create(&beside).map_err(io)?);
    let done = write(store, at, &mut file)?;
    let file = file.into_inner().map_err(|error| io(error.into_error()))?;
    failpoint_after("checkpoint.half", || {
        let half = file.metadata().map_or(0, |file| file.len() / 2);
        drop(file.set_len(half));
    });
    file.sync_all().map_err(io)?;
    failpoint("checkpoint.beside");
    fs::rename(&beside, path).and_then(|()| sync_directory(path)).map_err(io)?;
    Ok(done)
}

/// Folds records, and what needs the state before them, in order; everything but the last part again after a crash,
/// which changes nothing.
pub(super) fn apply_records(store: &dyn Store, records: &[Record], last: Vec<StoreOp>) -> Result<(), StoreError> {
    let mut batch = Vec::new();
    for record in records {
        if let Record::Pruned(pruned) = record {
            store.apply(&std::mem::take(&mut batch))?;
            batch = catenary_core::fold::prune(store, pruned)?;
            store.apply(&std::mem::take(&mut batch))?;
            failpoint("prune.folded");
        } else {
            batch.extend(catenary_core::fold::fold(record));
        }
    }
    batch.extend(last);
    store.apply(&batch)
}
