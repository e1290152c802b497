//! What the journal asks of a disk, behind a trait, so that tests can give it one that is full or fails.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failpoint::{failpoint, failpoint_after, sync_fails};
use crate::platform;

/// A disk. The default methods are the operating system's; reads are not in here, since a journal reads with plain
/// files.
pub trait Disk: Send + Sync + Debug {
    /// Writes all bytes at the file's place.
    ///
    /// # Errors
    /// The disk is full or failed; how much was written is not known.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The disk failed; what is durable is not known.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        sync_fails()?;
        platform::sync_data(file, path)
    }

    /// Cuts a file to a length, durably.
    ///
    /// # Errors
    /// The disk failed.
    fn cut(&self, file: &File, length_bytes: u64) -> io::Result<()> {
        file.set_len(length_bytes)?;
        sync_fails()?;
        file.sync_all()
    }

    /// Makes a whole new file durable under its name, or nothing of it: it is written beside and renamed.
    ///
    /// # Errors
    /// The disk is full or failed.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = beside(path);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        failpoint_after("disk.half", || drop(file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())));
        self.write(&mut file, bytes)?;
        sync_fails()?;
        file.sync_all()?;
        failpoint("disk.beside");
        fs::rename(&beside, path)?;
        failpoint("disk.named");
        sync_directory(path)
    }
}

/// The operating system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {}

/// The name that a file has until it is whole.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Makes a file's name durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
