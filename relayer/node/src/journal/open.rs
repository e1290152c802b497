//! Opening a journal: its lock, and taking over a file of version 1.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::disk::{beside, sync_directory};
use super::error::JournalError;
use super::frame::{self, HEADER_BYTES};
use super::reader::segment_files;
use super::segment::{self, SEGMENT_VERSION};
use super::{MARKER_FILE, SEGMENTS_DIR};
use crate::platform;

/// How often the name may be given to another file between opening and locking it: once by a takeover, and once more.
const OPEN_TRIES: usize = 3;

/// What locking found.
#[derive(Debug)]
pub(super) struct Locked {
    /// The marker, locked as long as it is held.
    pub(super) marker: File,
    /// A file of version 1 became the first segment.
    pub(super) taken_over: bool,
    /// Bytes of a version 1 header or marker whose creation did not finish.
    pub(super) unfinished_bytes: u64,
}

/// Locks the journal of a data directory, making its directory; takes over a file of version 1 as the first segment, as
/// it is: its bytes are not changed, and its name then holds a marker that older programs refuse.
pub(super) fn lock(data_dir: &Path) -> Result<Locked, JournalError> {
    let path = data_dir.join(MARKER_FILE);
    let dir = data_dir.join(SEGMENTS_DIR);
    let io = |action| JournalError::io(action, &path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io("make the directory of"))?;
    let mut file = open_locked(&path)?;
    let mut start = Vec::new();
    (&file).take(HEADER_BYTES as u64 + 1).read_to_end(&mut start).map_err(io("read"))?;
    let unfinished =
        start.len() < HEADER_BYTES && (frame::header().starts_with(&start) || frame::marker().starts_with(&start));
    if unfinished {
        file.set_len(0).map_err(io("create"))?;
        file.seek(SeekFrom::Start(0)).map_err(io("create"))?;
        file.write_all(&frame::marker()).and_then(|()| file.sync_all()).map_err(io("create"))?;
        sync_directory(&path).map_err(io("create"))?;
        return Ok(Locked { marker: file, taken_over: false, unfinished_bytes: start.len() as u64 });
    }
    match frame::header_version(&start) {
        Some(frame::VERSION) => {
            let marker = take_over(&path, &dir, &file)?;
            Ok(Locked { marker, taken_over: true, unfinished_bytes: 0 })
        }
        Some(SEGMENT_VERSION) => Ok(Locked { marker: file, taken_over: false, unfinished_bytes: 0 }),
        Some(got) => Err(JournalError::Version { got, known: SEGMENT_VERSION }),
        None => Err(JournalError::NotAJournal { path: path.clone() }),
    }
}

fn open_locked(path: &Path) -> Result<File, JournalError> {
    let io = |action| JournalError::io(action, path);
    for _ in 0..OPEN_TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(io("open"))?;
        match platform::unlocked(|| file.try_lock(), |error| matches!(error, TryLockError::WouldBlock)) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path: path.into() }),
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        // A takeover gives the name to another file; a lock on the old one is worth nothing then.
        if is_same_file(&file, path).map_err(io("read"))? {
            return Ok(file);
        }
    }
    Err(JournalError::Locked { path: path.into() })
}

fn is_same_file(file: &File, path: &Path) -> std::io::Result<bool> {
    let (held, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
}

/// Makes a version 1 file the first segment and puts the marker in its place. The file is held locked meanwhile, and the
/// marker is locked before it has the name, so nobody comes between. A crash at any point leaves either the file under
/// its old name, to be taken over again, or all of it done.
fn take_over(path: &Path, dir: &Path, file: &File) -> Result<File, JournalError> {
    let io = |action| JournalError::io(action, path);
    let first = dir.join(segment::file_name(1));
    if first.exists() {
        if !is_same_file(file, &first).map_err(io("read"))? {
            return Err(JournalError::TwoJournals { file: path.into(), dir: dir.into() });
        }
    } else if segment_files(dir)?.is_empty() {
        // Where the file system has no links the file is moved; then a crash leaves it as a segment without a marker,
        // which the next start writes.
        fs::hard_link(path, &first).or_else(|_| fs::rename(path, &first)).map_err(io("take over"))?;
    } else {
        return Err(JournalError::TwoJournals { file: path.into(), dir: dir.into() });
    }
    sync_directory(&first).map_err(io("take over"))?;
    let new = beside(path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let mut marker = options.open(&new).map_err(io("take over"))?;
    marker.try_lock().map_err(|_| JournalError::Locked { path: path.into() })?;
    marker.write_all(&frame::marker()).and_then(|()| marker.sync_all()).map_err(io("take over"))?;
    fs::rename(&new, path).map_err(io("take over"))?;
    sync_directory(path).map_err(io("take over"))?;
    Ok(marker)
}
