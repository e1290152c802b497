//! Copies of a journal: taken while the node runs, checked by the hash chain, and put back.
//!
//! A backup is a directory that looks like a data directory without a store: the segments, the checkpoint that stands for removed ones, and a manifest that says
//! where they end. Keys are not in it. A later backup into the same directory copies only what has changed: sealed
//! segments stay.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use catenary_core::record::{Record, Restored};
use catenary_core::{Store, StoreError, Tree};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::checkpoint::{self, Base};
use super::held::{self, Held};
use super::{Ledger, SCAN_MAX, STORE_DIR};
use crate::failpoint::{failpoint, failpoint_after};
use crate::journal::{self, Disk, JournalError, OsDisk, Reader, SegmentFile, Tip, MARKER_FILE, SEGMENTS_DIR};

/// The manifest's file in a backup.
pub const MANIFEST_FILE: &str = "backup.json";
/// Directory in the data directory that a journal is made in before it has its place.
const UNFINISHED_DIR: &str = "restore.tmp";
/// Version of the manifest.
const MANIFEST_VERSION: u32 = 1;

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file.
    pub version: u32,
    /// Records.
    pub records: u64,
    /// Number of the newest segment.
    pub segment: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Chain hash at the end, which stands for all of it.
    pub hash: String,
    /// When it was taken, in Unix seconds.
    pub at_seconds: u64,
}

/// Why a backup was not taken, or not put back.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum BackupError {
    /// The journal, here or in the backup.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; {}", path.display(), journal::advice(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// File.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// There is no manifest, or it is no manifest.
    #[error("{} is no manifest of a backup: {reason}; a backup that was not finished has none, take another", path.display())]
    Manifest {
        /// File.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The segments are not those of the manifest.
    #[error(
        "the backup's {what} is {got}, its manifest says {expected}; it was changed after it was taken, use another"
    )]
    Differs {
        /// What differs.
        what: &'static str,
        /// What the segments say.
        got: String,
        /// What the manifest says.
        expected: String,
    },
    /// The directory already holds something.
    #[error("{} already holds a journal or a store; a backup is put back into an empty data_dir only: move them away", path.display())]
    NotEmpty {
        /// Directory.
        path: PathBuf,
    },
    /// The directory holds a backup of another journal.
    #[error("{} holds segment {segment} of another journal; take the backup into another directory", path.display())]
    Foreign {
        /// Directory.
        path: PathBuf,
        /// Number of the segment.
        segment: u64,
    },
    /// The journal has lost its end since the last backup.
    #[error(
        "the journal holds {got} records, the backup in {} holds {expected}: the journal was cut or damaged, and the backup \
         is left as it is; put it back, or take another backup into another directory",
        path.display()
    )]
    Shorter {
        /// Directory.
        path: PathBuf,
        /// Records here.
        got: u64,
        /// Records in the backup.
        expected: u64,
    },
    /// The journal no longer has the segments that would follow those of the backup.
    #[error(
        "{} holds segments up to {segment}, and the journal now begins with segment {first}: what is between was removed \
         before it was copied; take the backup into another directory, and keep this one",
        path.display()
    )]
    Gap {
        /// Directory.
        path: PathBuf,
        /// Newest segment in the backup before the journal's first.
        segment: u64,
        /// First segment of the journal.
        first: u64,
    },
    /// Somebody else backs up or restores there.
    #[error("another backup or restore is at work in {}; wait until it has ended, and do it again", path.display())]
    Busy {
        /// Directory.
        path: PathBuf,
    },
}

impl BackupError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Io { .. } => "STORE-101",
            Self::Manifest { .. } => "STORE-102",
            Self::Differs { .. } => "STORE-103",
            Self::NotEmpty { .. } => "STORE-104",
            Self::Foreign { .. } => "STORE-105",
            Self::Shorter { .. } => "STORE-106",
            Self::Gap { .. } => "STORE-107",
            Self::Busy { .. } => "STORE-108",
        }
    }

    fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

/// Copies the journal of a data directory up to its newest whole commit, while its node may run, and checks the copy from
/// its first byte.
///
/// # Errors
/// The journal is damaged, the target holds another or a longer one or somebody else is at work there, or a disk failed; the
/// target then has no new manifest.
pub fn backup(data_dir: &Path, target: &Path, at_seconds: u64) -> Result<Manifest, BackupError> {
    let reader = Reader::open(data_dir)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(target).map_err(BackupError::io("make", target))?;
    let held = held::to_write(target).map_err(BackupError::io("lock", target))?;
    let _held = held.ok_or_else(|| BackupError::Busy { path: target.into() })?;
    copy(&reader, target)?;
    failpoint("backup.copied");
    let copied = Reader::open(target)?;
    copied.check()?;
    same_end(&copied.tip(), &reader.tip())?;
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        records: reader.tip().records,
        segment: reader.tip().segment,
        bytes: copied.segments().iter().map(|segment| segment.length_bytes).sum(),
        hash: reader.tip().hash.to_string(),
        at_seconds,
    };
    let path = target.join(MANIFEST_FILE);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| BackupError::Manifest { path: path.clone(), reason: error.to_string() })?;
    OsDisk.create(&path, &text).map_err(BackupError::io("write", &path))?;
    failpoint("backup.done");
    Ok(manifest)
}

/// Refuses to put a journal over a backup that holds more of it.
fn no_shorter(reader: &Reader, target: &Path) -> Result<(), BackupError> {
    if !target.join(MANIFEST_FILE).exists() {
        return Ok(());
    }
    let (got, expected) = (reader.tip().records, manifest(target)?.records);
    if got < expected {
        return Err(BackupError::Shorter { path: target.into(), got, expected });
    }
    Ok(())
}

fn manifest(backup: &Path) -> Result<Manifest, BackupError> {
    let path = backup.join(MANIFEST_FILE);
    let refuse = |reason: String| BackupError::Manifest { path: path.clone(), reason };
    let text = fs::read(&path).map_err(|error| refuse(error.to_string()))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
    if manifest.version != MANIFEST_VERSION {
        return Err(refuse(format!("its version is {}, this program knows {MANIFEST_VERSION}", manifest.version)));
    }
    Ok(manifest)
}

/// Checks a backup from its first byte to its end, against its manifest; gives what it holds, which may be more than the
/// manifest says.
///
/// # Errors
/// It is damaged, was changed, was not finished, or is being written.
pub fn verify(backup: &Path) -> Result<(Manifest, Reader), BackupError> {
    let _held = hold_to_read(backup)?;
    verify_held(backup)
}

/// [`verify`], and folds it in memory as a restore would; gives the count of entries as well.
///
/// # Errors
/// See [`verify`].
pub fn test_restore(backup: &Path) -> Result<(Manifest, u64), BackupError> {
    let _held = hold_to_read(backup)?;
    let (manifest, reader) = verify_held(backup)?;
    let entries = super::fold_in_memory(&reader)?;
    Ok((manifest, entries))
}

fn hold_to_read(backup: &Path) -> Result<Held, BackupError> {
    let held = held::to_read(backup).map_err(BackupError::io("lock", backup))?;
    held.ok_or_else(|| BackupError::Busy { path: backup.into() })
}

fn verify_held(backup: &Path) -> Result<(Manifest, Reader), BackupError> {
    let mut manifest = manifest(backup)?;
    let reader = Reader::open(backup)?;
    let tip = reader.tip();
    if tip.records < manifest.records {
        differs("count of records", tip.records, manifest.records)?;
    }
    // A later backup that was interrupted left more than the manifest says. It belongs to the same chain, so it is as good
    // as the rest; what the manifest says must be a place in it.
    let mut there = (reader.start().records == manifest.records).then(|| reader.start().hash);
    reader.commits(&reader.start(), |end, _| -> Result<(), JournalError> {
        if end.records == manifest.records {
            there = Some(end.hash);
        }
        Ok(())
    })?;
    let there = there.map_or_else(|| "of no commit".to_owned(), |hash| hash.to_string());
    differs("chain hash", there, manifest.hash.clone())?;
    if tip.records > manifest.records {
        manifest.records = tip.records;
        manifest.segment = tip.segment;
        manifest.hash = tip.hash.to_string();
        manifest.bytes = reader.segments().iter().map(|segment| segment.length_bytes).sum();
    }
    Ok((manifest, reader))
}

/// Puts a backup back into an empty data directory, folds the store from it, and journals that this was done. Attestor
/// keys then refuse until a person resets them: what they signed after the backup is not known.
///
/// # Errors
/// The backup is damaged or being written, the data directory is not empty or somebody else restores into it, or the disk
/// failed.
pub fn restore(backup: &Path, data_dir: &Path, at_seconds: u64) -> Result<(Manifest, Restored), BackupError> {
    let _read = hold_to_read(backup)?;
    let (manifest, reader) = verify_held(backup)?;
    fs::create_dir_all(data_dir).map_err(BackupError::io("make", data_dir))?;
    let held = held::data_dir(data_dir).map_err(BackupError::io("lock", data_dir))?;
    let _held = held.ok_or_else(|| BackupError::Busy { path: data_dir.into() })?;
    let taken = [MARKER_FILE, SEGMENTS_DIR, STORE_DIR].iter().any(|name| data_dir.join(name).exists());
    if taken {
        return Err(BackupError::NotEmpty { path: data_dir.into() });
    }
    let restored = put_back(data_dir, at_seconds, |unfinished| {
        copy(&reader, unfinished)?;
        let copied = Reader::open(unfinished)?;
        copied.check()?;
        same_end(&copied.tip(), &reader.tip())
    })?;
    Ok((manifest, restored))
}

/// Makes a journal in a directory of its own, with the record that it was put back at its end, and moves it into the data
/// directory whole: a crash on the way leaves no journal there that does not say so, by which attestors would go on. Then
/// folds the store. What an earlier try left is removed first.
pub(super) fn put_back<E: From<StoreError>>(
    data_dir: &Path,
    at_seconds: u64,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<Restored, E> {
    let io = |action| move |error: std::io::Error| StoreError::Io { action, reason: error.to_string() };
    let unfinished = data_dir.join(UNFINISHED_DIR);
    let clear = || match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove an unfinished restore")(error)),
        _ => Ok(()),
    };
    clear()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&unfinished)
        .map_err(io("make a directory to restore in"))?;
    // What a refused one left is of no use; what the failure was matters more than whether this can be removed.
    make(&unfinished).inspect_err(|_| drop(clear()))?;
    failpoint("restore.made");
    let (ledger, _) = Ledger::open(&unfinished)?;
    let restored = forget_attested(&ledger, at_seconds)?;
    drop(ledger);
    failpoint("restore.recorded");
    let place = data_dir.join(SEGMENTS_DIR);
    let moved = fs::rename(unfinished.join(SEGMENTS_DIR), &place).and_then(|()| journal::sync_directory(&place));
    moved.map_err(io("give a restored journal its place"))?;
    failpoint("restore.moved");
    clear()?;
    Ledger::open(data_dir)?;
    failpoint("restore.done");
    Ok(restored)
}

/// Journals that this journal was put back: keys that it remembers may have attested more.
fn forget_attested(ledger: &Ledger, at_seconds: u64) -> Result<Restored, StoreError> {
    let tip = ledger.tip();
    let restored = Restored { records: tip.records, hash: tip.hash, keys: remembered(ledger.store())?, at_seconds };
    ledger.record(vec![Record::Restored(restored.clone())])?;
    Ok(restored)
}

/// Keys that a store remembers attestations of.
pub(super) fn remembered(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    const PREFIX: &str = "memory/";
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().map(|key| format!("{PREFIX}{key}"));
        let page = store.scan(Tree::Signatures, PREFIX, after.as_deref(), SCAN_MAX)?;
        if page.is_empty() {
            return Ok(keys);
        }
        keys.extend(page.iter().filter_map(|(key, _)| key.strip_prefix(PREFIX)).map(str::to_owned));
    }
}

fn differs<T: PartialEq + ToString>(what: &'static str, got: T, expected: T) -> Result<(), BackupError> {
    if got == expected {
        return Ok(());
    }
    Err(BackupError::Differs { what, got: got.to_string(), expected: expected.to_string() })
}

fn same_end(got: &Tip, expected: &Tip) -> Result<(), BackupError> {
    differs("count of records", got.records, expected.records)?;
    differs("chain hash", got.hash.to_string(), expected.hash.to_string())
}

/// Copies the segments of a view, the newest up to its end, and the checkpoint that stands for what is before them; leaves
/// sealed ones that are there already, also those that the journal has removed since.
pub(super) fn copy(reader: &Reader, target: &Path) -> Result<(), BackupError> {
    let dir = target.join(SEGMENTS_DIR);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(BackupError::io("make", &dir))?;
    let there = journal::segment_files(&dir)?;
    follows(reader, &there, target)?;
    no_shorter(reader, target)?;
    // Before the segments: without one, segments that do not begin with the first are no journal.
    if let Some(base) = checkpoint::base(reader)? {
        copy_checkpoint(&base, &dir)?;
    }
    let newest = reader.tip().segment;
    for file in reader.segments() {
        let number = file.header.number;
        let length = if number == newest { reader.tip().offset_bytes } else { file.length_bytes };
        let kept = there.iter().any(|old| old.header.number == number && old.length_bytes == length);
        if !kept || number == newest {
            copy_file(&file.path, length, &dir.join(journal::file_name(number)))?;
            failpoint("copy.segment");
        }
    }
    let marker = target.join(MARKER_FILE);
    OsDisk.create(&marker, &journal::marker()).map_err(BackupError::io("write", &marker))
}

/// Refuses segments in a target that are not this journal's, or that end before it begins.
fn follows(reader: &Reader, there: &[SegmentFile], target: &Path) -> Result<(), BackupError> {
    let Some(first) = reader.segments().first().map(|first| first.header) else { return Ok(()) };
    let is_older = |old: &&SegmentFile| old.header.number < first.number;
    if let Some(last) = there.iter().rfind(is_older) {
        let segment = last.header.number;
        if (segment.saturating_add(1), last.length_bytes) != (first.number, first.previous_bytes) {
            return Err(BackupError::Gap { path: target.into(), segment, first: first.number });
        }
    }
    for old in there.iter().filter(|old| !is_older(old)) {
        let ours = reader.segments().iter().find(|file| file.header.number == old.header.number);
        if ours.is_none_or(|ours| ours.header != old.header) {
            return Err(BackupError::Foreign { path: target.into(), segment: old.header.number });
        }
    }
    Ok(())
}

/// Copies a checkpoint unless it is there, and checks the copy. Older ones stay, for segments that stay.
fn copy_checkpoint(base: &Base, dir: &Path) -> Result<(), BackupError> {
    let path = dir.join(journal::checkpoint_name(base.record.segment));
    if path.exists() && checkpoint::digest(&path)? == base.record.digest {
        return Ok(());
    }
    let length = fs::metadata(&base.path).map_err(BackupError::io("read", &base.path))?.len();
    copy_file(&base.path, length, &path)?;
    differs("checkpoint", checkpoint::digest(&path)?.to_string(), base.record.digest.to_string())
}

/// Copies a file up to a length, durably, or nothing of it.
fn copy_file(from: &Path, length_bytes: u64, path: &Path) -> Result<(), BackupError> {
    let beside = path.with_extension("new");
    let mut source = File::open(from).map_err(BackupError::io("read", from))?.take(length_bytes);
    let io = |action| BackupError::io(action, path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut copy = options.open(&beside).map_err(io("write"))?;
    failpoint_after("copy.half", || drop(std::io::copy(&mut source.by_ref().take(length_bytes / 2), &mut copy)));
    std::io::copy(&mut source, &mut copy).map_err(io("write"))?;
    copy.flush().and_then(|()| copy.sync_all()).map_err(io("write"))?;
    failpoint("copy.beside");
    fs::rename(&beside, path).map_err(io("write"))?;
    journal::sync_directory(path).map_err(io("write"))
}
