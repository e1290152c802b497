//! Places that one command at a time may write: the target of a backup, the data directory of a restore.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::platform;

/// File in a backup that the lock is held on; it stays there, and means nothing by itself.
const BACKUP_LOCK_FILE: &str = "backup.lock";

/// A place that is held until this is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Held(#[allow(dead_code, reason = "the lock lives as long as its file is open")] Option<File>);

/// Holds a backup's directory, to write it; `None` when somebody else does anything with it.
pub(super) fn to_write(backup: &Path) -> io::Result<Option<Held>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    held(options.open(backup.join(BACKUP_LOCK_FILE))?, File::try_lock)
}

/// Holds a backup's directory, to read it; `None` when somebody writes it. A backup that was never locked, or that lies
/// where nothing can be locked, as on a read-only medium, is read all the same.
pub(super) fn to_read(backup: &Path) -> io::Result<Option<Held>> {
    match File::open(backup.join(BACKUP_LOCK_FILE)) {
        Ok(file) => held(file, File::try_lock_shared),
        Err(_) => Ok(Some(Held(None))),
    }
}

/// Holds a data directory that a journal is put into; `None` when another restore or import does.
pub(super) fn data_dir(data_dir: &Path) -> io::Result<Option<Held>> {
    // The directory itself, so that one that was refused is left as empty as it was.
    held(File::open(data_dir)?, File::try_lock)
}

fn held(file: File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> io::Result<Option<Held>> {
    match platform::unlocked(|| lock(&file), |error| matches!(error, TryLockError::WouldBlock)) {
        Ok(()) => Ok(Some(Held(Some(file)))),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: then nobody can be kept away, and the copy is checked at its end all the same.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Some(Held(None))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
