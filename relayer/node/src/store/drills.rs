//! When the journal was last backed up, and a backup last tested: noted by the commands that do it, read by the node that
//! shows it in its metrics.
//!
//! Each is a small file in the data directory. One that cannot be read says "never": an alert too many is better than a
//! backup that nobody misses.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::journal::{Disk, OsDisk};

/// File of the newest backup.
const BACKUP_FILE: &str = "last-backup.json";
/// File of the newest test of a backup.
const RESTORE_TEST_FILE: &str = "last-restore-test.json";
/// Longest file that is read, in bytes: three numbers and their names.
const FILE_BYTES_MAX: usize = 1_024;

/// A backup that was taken, or tested, with success.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// When it was done, in Unix seconds.
    pub at_seconds: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the backup.
    pub bytes: u64,
}

/// The newest of each; `None` when there was none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drills {
    /// The newest backup.
    pub backup: Option<Drill>,
    /// The newest test of a backup.
    pub restore_test: Option<Drill>,
}

impl Drills {
    /// What is noted in a data directory.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        Self { backup: read(&data_dir.join(BACKUP_FILE)), restore_test: read(&data_dir.join(RESTORE_TEST_FILE)) }
    }
}

impl Drill {
    /// Notes a backup of a data directory's journal.
    ///
    /// # Errors
    /// The disk is full or failed; the backup is none the worse.
    pub fn note_backup(&self, data_dir: &Path) -> std::io::Result<()> {
        self.write(&data_dir.join(BACKUP_FILE))
    }

    /// Notes a test of a backup, in the data directory of the node that it is of. Where there is none, as on another
    /// machine, nothing is noted.
    ///
    /// # Errors
    /// The disk is full or failed; the test holds all the same.
    pub fn note_restore_test(&self, data_dir: &Path) -> std::io::Result<()> {
        if data_dir.is_dir() {
            self.write(&data_dir.join(RESTORE_TEST_FILE))
        } else {
            Ok(())
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        OsDisk.create(path, &serde_json::to_vec(self)?)
    }
}

fn read(path: &Path) -> Option<Drill> {
    let bytes = fs::read(path).ok().filter(|bytes| bytes.len() <= FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_anything_else_is_never() {
        let dir = tempfile::tempdir().unwrap();
        let drill = |at_seconds| Drill { at_seconds, duration_ms: 5, bytes: 9 };
        assert_eq!(Drills::read(dir.path()), Drills::default());
        drill(7).note_backup(dir.path()).unwrap();
        drill(8).note_backup(dir.path()).unwrap();
        drill(9).note_restore_test(dir.path()).unwrap();
        assert_eq!(Drills::read(dir.path()), Drills { backup: Some(drill(8)), restore_test: Some(drill(9)) });
        drill(9).note_restore_test(&dir.path().join("nowhere")).unwrap();
        assert!(!dir.path().join("nowhere").exists(), "a test on another machine makes no data directory");
        let check = |text: &str| {
            fs::write(dir.path().join(BACKUP_FILE), text).unwrap();
            assert_eq!(Drills::read(dir.path()).backup, None, "{text}");
        };
        check("");
        check("{}");
        check(r#"{"at_seconds":1,"duration_ms":1,"bytes":1,"more":1}"#);
        check(&format!(r#"{{"at_seconds":1,"duration_ms":1,"bytes":1{}}}"#, " ".repeat(FILE_BYTES_MAX)));
    }
}
