//! The store on disk. The only file that names sled: its project is quiet, so it holds nothing that the journal
//! cannot give back, and it can be replaced here.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use catenary_core::store::Entry;
use catenary_core::{Store, StoreError, StoreOp, Tree};

use crate::failpoint::failpoint;
use crate::platform;

/// Bytes of page cache: the working state of some ten thousand open packets, within the node's memory budget.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// What sled says when its files are locked.
const LOCK_HELD: &str = "could not acquire lock";
/// What sled says when the disk is full, a quota is used up or a file may not grow any more: the system's words, or the
/// kind of the error inside of another one.
const DISK_FULL: [&str; 6] = [
    "No space left on device",
    "StorageFull",
    "Disk quota exceeded",
    "QuotaExceeded",
    "File too large",
    "FileTooLarge",
];
/// How often sled writes back on its own, in milliseconds. What a crash loses is folded again from the journal.
const FLUSH_EVERY_MS: u64 = 500;

/// One handle on one sled tree; our trees are told apart by a prefix byte, so that a batch over several is atomic.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    /// `None` between a failure and the moment that it can be opened again.
    db: RwLock<Option<sled::Db>>,
}

impl SledStore {
    /// Opens or creates a database.
    ///
    /// # Errors
    /// [`StoreError::Io`], also when sled panics on what it finds.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.into(), db: RwLock::new(Some(open(path)?)) })
    }

    fn db(&self) -> Result<sled::Db, StoreError> {
        let closed = || StoreError::Io { action: "be read", reason: "it could not be opened again yet".into() };
        self.db.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }

    /// Writes everything back.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db()?.flush().map(|_| ()).map_err(|error| io("flush", &error))
    }
}

fn open(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
    let open = || {
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
            .map_err(|_| StoreError::Io { action: "open its files", reason: "the database panicked".into() })?;
        opened.map_err(|error| io("open its files", &error))
    };
    // The journal's lock is ours already, so nobody else works here: a lock that is held is about to go, and is no
    // reason to take the store for unusable.
    let held = |error: &StoreError| matches!(error, StoreError::Io { reason, .. } if reason.contains(LOCK_HELD));
    platform::unlocked(open, held)
}

/// Whether the disk was full: what is there then is as good as it was.
pub(super) fn is_full(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { reason, .. } if DISK_FULL.iter().any(|said| reason.contains(said)))
}

fn io(action: &'static str, error: &sled::Error) -> StoreError {
    StoreError::Io { action, reason: error.to_string() }
}

fn full_key(tree: Tree, key: &str) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(tree.prefix());
    full.extend_from_slice(key.as_bytes());
    full
}

fn entry(key: &[u8], value: &[u8]) -> Result<Entry, StoreError> {
    let text = key.get(1..).unwrap_or_default();
    let text = std::str::from_utf8(text)
        .map_err(|error| StoreError::Corrupt { key: hex::encode(key), reason: error.to_string() })?;
    Ok((text.into(), value.to_vec()))
}

impl Store for SledStore {
    fn apply(&self, batch: &[StoreOp]) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for op in batch {
            match op {
                StoreOp::Put { tree, key, value } => changes.insert(full_key(*tree, key), value.as_slice()),
                StoreOp::Delete { tree, key } => changes.remove(full_key(*tree, key)),
            }
        }
        self.db()?.apply_batch(changes).map_err(|error| io("write", &error))?;
        // Everything else folds again from the journal; what the journal knows by its digest alone must be on disk
        // before the digest is.
        let cached = |op: &StoreOp| matches!(op, StoreOp::Put { tree: Tree::Blobs, .. });
        if batch.iter().any(cached) {
            failpoint("store.blob");
            self.db()?.flush().map_err(|error| io("flush", &error))?;
        }
        Ok(())
    }

    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db()?.get(full_key(tree, key)).map_err(|error| io("read", &error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let prefix = full_key(tree, prefix);
        let mut start = prefix.clone();
        if let Some(after) = after {
            // The smallest key above `after` is `after` with a zero byte behind it.
            start = full_key(tree, after);
            start.push(0);
        }
        let mut entries = Vec::new();
        for item in self.db()?.range(start.max(prefix.clone())..).take(limit) {
            let (key, value) = item.map_err(|error| io("read", &error))?;
            if !key.starts_with(&prefix) {
                break;
            }
            entries.push(entry(&key, &value)?);
        }
        Ok(entries)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // The failed handle must go first, since it holds the lock.
        drop(db.take());
        *db = Some(open(&self.path)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_damaged_store() {
        let check = |error: sled::Error, expect: bool| {
            let error = io("open its files", &error);
            assert_eq!(is_full(&error), expect, "{error}");
        };
        // ENOSPC, EDQUOT, EFBIG and EIO, as they come from the system and as sled wraps them.
        for full in [28, 122, 27] {
            check(sled::Error::Io(std::io::Error::from_raw_os_error(full)), true);
            let wrapped = format!("{:?}", std::io::Error::from_raw_os_error(full));
            check(sled::Error::Io(std::io::Error::other(wrapped)), true);
        }
        check(sled::Error::Io(std::io::Error::from_raw_os_error(5)), false);
        check(sled::Error::Corruption { at: None, bt: () }, false);
    }
}
