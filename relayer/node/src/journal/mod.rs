//! The journal on disk: append-only, checksummed, hash-chained, fsynced before anything leaves the process.
//!
//! One `append` is one commit: all of its records are durable when it returns, or none is. A commit is begun only
//! when the one before it is durable, so a crash can damage nothing but the last one. That torn end is cut when the
//! journal is opened, kept beside it and reported; damage anywhere else is refused. Nothing here folds records:
//! [`Ledger`](crate::store::Ledger) does, and it alone appends.
//!
//! What an attacker can grow: the file, by packets that they pay for. Nothing is held in memory but one commit.

mod error;
mod frame;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use catenary_core::Record;
use catenary_light_clients::Hash32;

use crate::failpoint::{failpoint, failpoint_after};
use crate::platform;

pub use error::JournalError;
use frame::{Parsed, FRAME_BYTES, HEADER_BYTES, PAYLOAD_BYTES_MAX};

/// Most bytes that one `append` takes, its records encoded.
pub const APPEND_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

/// A place in the journal: after a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// Records up to here.
    pub records: u64,
    /// Bytes up to here.
    pub offset_bytes: u64,
    /// Chain hash of everything up to here.
    pub hash: Hash32,
}

impl Tip {
    /// Before the first record.
    #[must_use]
    pub fn start() -> Self {
        Self { records: 0, offset_bytes: HEADER_BYTES as u64, hash: frame::genesis() }
    }
}

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Records in the journal.
    pub records_count: u64,
    /// Bytes of a torn end that were cut; 0 after an orderly stop.
    pub truncated_bytes: u64,
    /// Where the cut bytes are kept.
    pub cut_to: Option<PathBuf>,
}

/// An open journal; the only one of its file, on this host.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    tip: Tip,
    poisoned: Option<String>,
}

impl Journal {
    /// Opens or creates a journal, checks all of it, and cuts a torn end.
    ///
    /// # Errors
    /// In use, not a journal, a newer version, damaged before its end, or the disk failed.
    pub fn open(path: &Path) -> Result<(Self, Recovery), JournalError> {
        let io = |action| JournalError::io(action, path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(io("open"))?;
        match platform::unlocked(|| file.try_lock(), |error| matches!(error, TryLockError::WouldBlock)) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path: path.into() }),
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        let length = file.metadata().map_err(io("read"))?.len();
        let mut journal = Self { path: path.into(), file, tip: Tip::start(), poisoned: None };
        let mut recovery = Recovery { records_count: 0, truncated_bytes: 0, cut_to: None };
        if journal.check_header(length)? {
            journal.tip = journal.read(&Tip::start(), length, &mut |_| Ok(()))?;
            recovery.records_count = journal.tip.records;
            recovery.truncated_bytes = length.saturating_sub(journal.tip.offset_bytes);
            if recovery.truncated_bytes > 0 {
                recovery.cut_to = Some(journal.cut_end()?);
            }
        } else {
            recovery.truncated_bytes = length;
            journal.create()?;
        }
        journal.file.seek(SeekFrom::Start(journal.tip.offset_bytes)).map_err(io("read"))?;
        Ok((journal, recovery))
    }

    /// Where the journal ends.
    #[must_use]
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes records durable, all or none, in order. No records is no work.
    ///
    /// # Errors
    /// Too many bytes, or the disk failed: then nothing is appended any more, since what is on disk is not known.
    pub fn append(&mut self, records: &[Record]) -> Result<Tip, JournalError> {
        let encode = |source| JournalError::Record { offset: self.tip.offset_bytes, source };
        let encoded = records.iter().map(Record::encode).collect::<Result<Vec<_>, _>>().map_err(encode)?;
        self.append_encoded(&encoded)
    }

    /// [`append`](Self::append) for records that are encoded already.
    pub(crate) fn append_encoded(&mut self, records: &[Vec<u8>]) -> Result<Tip, JournalError> {
        if let Some(reason) = &self.poisoned {
            return Err(JournalError::Poisoned { reason: reason.clone() });
        }
        if records.is_empty() {
            return Ok(self.tip);
        }
        let payload = frame::join(records.iter().map(Vec::as_slice));
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(JournalError::TooLarge { got: payload.len(), max: PAYLOAD_BYTES_MAX });
        }
        let (hash, bytes) = frame::encode(&self.tip.hash, &payload);
        failpoint_after("journal.torn", || drop(self.file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())));
        let written = self.file.write_all(&bytes).inspect(|()| failpoint("journal.written"));
        if let Err(source) = written.and_then(|()| platform::sync_data(&self.file, &self.path)) {
            self.poisoned = Some(source.to_string());
            return Err(JournalError::Io { action: "write", path: self.path.clone(), source });
        }
        self.tip = Tip {
            records: self.tip.records.saturating_add(records.len() as u64),
            offset_bytes: self.tip.offset_bytes.saturating_add(bytes.len() as u64),
            hash,
        };
        Ok(self.tip)
    }

    /// Gives every commit after `from`, in order, with the place that it ends at.
    ///
    /// # Errors
    /// `from` is no place in this journal, the file was damaged since it was opened, or `visit` failed.
    pub fn replay<E: From<JournalError>>(
        &self,
        from: &Tip,
        mut visit: impl FnMut(&Tip, Vec<Record>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failure = None;
        let mut place = *from;
        let result = self.read(from, self.tip.offset_bytes, &mut |commit| {
            let records = commit
                .records
                .iter()
                .map(|bytes| Record::decode(bytes))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|source| JournalError::Record { offset: place.offset_bytes, source })?;
            place = commit.end;
            visit(&commit.end, records).map_err(|error| {
                failure = Some(error);
                JournalError::Poisoned { reason: "the visitor stopped".into() }
            })
        });
        match (failure, result) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(end)) if end == self.tip => Ok(()),
            (None, Ok(end)) => {
                let (offset, got, expected) = (end.offset_bytes, end.hash, self.tip.hash);
                Err(JournalError::ChainBroken { offset, got, expected }.into())
            }
        }
    }

    /// Whether the file has a header; `false` for a file whose creation did not finish.
    fn check_header(&mut self, length: u64) -> Result<bool, JournalError> {
        let mut start = Vec::new();
        let header = frame::header();
        (&self.file).take(HEADER_BYTES as u64).read_to_end(&mut start).map_err(JournalError::io("read", &self.path))?;
        if length < HEADER_BYTES as u64 && header.starts_with(&start) {
            return Ok(false);
        }
        match frame::header_version(&start) {
            Some(frame::VERSION) => Ok(true),
            Some(got) => Err(JournalError::Version { got, known: frame::VERSION }),
            None => Err(JournalError::NotAJournal { path: self.path.clone() }),
        }
    }

    fn create(&mut self) -> Result<(), JournalError> {
        let io = |action| JournalError::io(action, &self.path);
        self.file.set_len(0).map_err(io("create"))?;
        self.file.seek(SeekFrom::Start(0)).map_err(io("create"))?;
        self.file.write_all(&frame::header()).map_err(io("create"))?;
        self.file.sync_all().map_err(io("create"))?;
        sync_directory(&self.path).map_err(io("create"))
    }

    /// Reads commits from a place to the end of the file, or to its torn end; returns the place after the last one.
    fn read(
        &self,
        from: &Tip,
        length: u64,
        visit: &mut dyn FnMut(Commit<'_>) -> Result<(), JournalError>,
    ) -> Result<Tip, JournalError> {
        let io = |action| JournalError::io(action, &self.path);
        // A handle of its own, so that the place where the next commit is written does not move.
        let mut reader = BufReader::with_capacity(1024 * 1024, File::open(&self.path).map_err(io("read"))?);
        reader.seek(SeekFrom::Start(from.offset_bytes)).map_err(io("read"))?;
        let mut tip = *from;
        let mut bytes = Vec::new();
        while tip.offset_bytes < length {
            let rest = length.saturating_sub(tip.offset_bytes);
            read_frame(&mut reader, rest, &mut bytes).map_err(io("read"))?;
            let (hash, payload) = match frame::parse(&bytes) {
                Parsed::Frame { hash, payload } => (hash, payload),
                Parsed::Bad(reason) => {
                    self.check_torn(tip.offset_bytes, rest, reason)?;
                    return Ok(tip);
                }
            };
            let offset = tip.offset_bytes;
            let expected = frame::chain_hash(&tip.hash, payload);
            if hash != expected {
                return Err(JournalError::ChainBroken { offset, got: hash, expected });
            }
            let reason = "the commit's records do not add up to its length";
            let records = frame::split(payload).ok_or(JournalError::Corrupt { offset, reason })?;
            tip = Tip {
                records: tip.records.saturating_add(records.len() as u64),
                offset_bytes: offset.saturating_add(bytes.len() as u64),
                hash,
            };
            visit(Commit { end: tip, records })?;
        }
        Ok(tip)
    }

    /// Refuses damage that is not a torn end: more bytes than one commit has, or a valid commit after it.
    fn check_torn(&self, offset: u64, rest_bytes: u64, reason: &'static str) -> Result<(), JournalError> {
        let corrupt = JournalError::Corrupt { offset, reason };
        if rest_bytes > (FRAME_BYTES + PAYLOAD_BYTES_MAX) as u64 {
            return Err(corrupt);
        }
        if frame::holds_later_frame(&self.bytes_from(offset)?) {
            return Err(corrupt);
        }
        Ok(())
    }

    fn bytes_from(&self, offset: u64) -> Result<Vec<u8>, JournalError> {
        let io = |action| JournalError::io(action, &self.path);
        let mut file = File::open(&self.path).map_err(io("read"))?;
        file.seek(SeekFrom::Start(offset)).map_err(io("read"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read"))?;
        Ok(bytes)
    }

    /// Cuts what follows the tip, and keeps it beside the journal for whoever wants to look.
    fn cut_end(&self) -> Result<PathBuf, JournalError> {
        let io = |action| JournalError::io(action, &self.path);
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".cut-{}", self.tip.offset_bytes));
        let kept = PathBuf::from(name);
        fs::write(&kept, self.bytes_from(self.tip.offset_bytes)?).map_err(io("keep the torn end of"))?;
        failpoint("journal.cut");
        self.file.set_len(self.tip.offset_bytes).map_err(io("cut"))?;
        self.file.sync_all().map_err(io("cut"))?;
        Ok(kept)
    }
}

/// A commit as it is read.
struct Commit<'a> {
    end: Tip,
    records: Vec<&'a [u8]>,
}

/// Reads one frame, or as much of it as there is.
fn read_frame(reader: &mut impl Read, rest_bytes: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    bytes.clear();
    reader.take(rest_bytes.min(FRAME_BYTES as u64)).read_to_end(bytes)?;
    if let Ok(length) = frame::payload_length(bytes) {
        let left = rest_bytes.saturating_sub(bytes.len() as u64);
        reader.take(left.min(length as u64)).read_to_end(bytes)?;
    }
    Ok(())
}

/// Makes a file's name durable.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
