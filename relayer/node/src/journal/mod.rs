//! The journal on disk: append-only, checksummed, hash-chained, fsynced before anything leaves the process.
//!
//! It is a row of segments, each begun when the one before has grown to its bound; one hash chain runs over all of them.
//! One `append` is one commit: all of its records are durable when it returns, or none is. A commit is begun only
//! when the one before it is durable, so a crash can damage nothing but the last one. That torn end is cut when the
//! journal is opened, kept beside it and reported; damage anywhere else is refused. Opening reads the newest segment
//! whole; of the older ones it compares what the next segment's header says of them, and [`Reader::check`] reads
//! everything. Nothing here folds records: [`Ledger`](crate::store::Ledger) does, and it alone appends.
//!
//! After a write that failed, what is on disk is not known. Before anything else is appended, the newest segment is cut
//! back to the last durable commit and that commit is read again; only then the journal goes on.
//!
//! What an attacker can grow: the files, by packets that they pay for. Nothing is held in memory but one commit, and a
//! few dozen bytes a segment.

mod disk;
mod error;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod open;
mod reader;
mod segment;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catenary_core::bugs::{self, Bug};
use catenary_core::Record;
use catenary_light_clients::Hash32;

use crate::failpoint::{failpoint, failpoint_after};
use crate::platform;

pub(crate) use disk::sync_directory;
pub use disk::{Disk, OsDisk};
pub(crate) use error::advice;
pub use error::JournalError;
pub(crate) use frame::marker;
use frame::PAYLOAD_BYTES_MAX;
pub(crate) use reader::segment_files;
pub use reader::{Reader, SegmentFile};
pub use segment::{checkpoint_name, checkpoint_number, file_name, SegmentHeader, SEGMENT_BYTES_MAX};

/// Most bytes that one `append` takes, its records encoded.
pub const APPEND_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;
/// File in the data directory that the lock is held on; in version 1 it was the journal itself.
pub const MARKER_FILE: &str = "catenary.journal";
/// Directory of the segments in the data directory.
pub const SEGMENTS_DIR: &str = "journal";
/// What is written to see whether there is room: more than a usual commit.
const PROBE_BYTES: usize = 64 * 1024;
/// Its file, for a moment.
const PROBE_FILE: &str = "room.probe";

/// A place in the journal: after a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// Records up to here.
    pub records: u64,
    /// Segment.
    pub segment: u64,
    /// Bytes up to here in the segment's file; 0 stands for its start as well as the end of its header does.
    pub offset_bytes: u64,
    /// Chain hash of everything up to here.
    pub hash: Hash32,
}

impl Tip {
    /// Before the first record.
    #[must_use]
    pub fn start() -> Self {
        Self { records: 0, segment: 1, offset_bytes: 0, hash: frame::genesis() }
    }

    /// The place after a commit of these records. In which file that is is not known.
    ///
    /// # Errors
    /// A record that does not encode.
    pub(crate) fn followed_by(&self, records: &[Record]) -> Result<Self, JournalError> {
        let (segment, offset) = (self.segment, self.offset_bytes);
        let encode = |source| JournalError::Record { segment, offset, source };
        let encoded = records.iter().map(Record::encode).collect::<Result<Vec<_>, _>>().map_err(encode)?;
        let hash = frame::chain_hash(&self.hash, &frame::join(encoded.iter().map(Vec::as_slice)));
        Ok(Self { records: self.records.saturating_add(records.len() as u64), hash, ..*self })
    }

    /// Whether both are one place: the end of a segment and the start of the next are.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.records, self.hash) == (other.records, other.hash)
    }
}

/// How a journal is kept.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Where it is kept.
    pub disk: Arc<dyn Disk>,
    /// A segment of this size is followed by a new one.
    pub segment_bytes_max: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { disk: Arc::new(OsDisk), segment_bytes_max: SEGMENT_BYTES_MAX }
    }
}

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Records in the journal.
    pub records_count: u64,
    /// Segments that there are.
    pub segments_count: usize,
    /// A journal of version 1 became the first segment.
    pub taken_over: bool,
    /// Bytes of a torn end that were cut; 0 after an orderly stop.
    pub truncated_bytes: u64,
    /// Where the cut bytes are kept.
    pub cut_to: Option<PathBuf>,
}

/// An open journal; the only one of its data directory, on this host.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    options: JournalOptions,
    /// Holds the lock.
    _marker: File,
    segments: Vec<SegmentFile>,
    /// The newest segment.
    file: File,
    tip: Tip,
    /// Before the newest commit of the newest segment; the tip itself when it has none.
    before_tip: Tip,
    failed: Option<String>,
    /// A rotation failed, and the next segment may stand under its name already.
    rotating: bool,
}

impl Journal {
    /// Opens or creates the journal of a data directory, checks its newest segment and the seals of the others, and cuts a
    /// torn end.
    ///
    /// # Errors
    /// In use, not a journal, a newer version, damaged before its end, a segment missing, or the disk failed.
    pub fn open(data_dir: &Path) -> Result<(Self, Recovery), JournalError> {
        Self::open_with(data_dir, JournalOptions::default())
    }

    /// [`open`](Self::open) on another disk, or with other bounds.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub fn open_with(data_dir: &Path, options: JournalOptions) -> Result<(Self, Recovery), JournalError> {
        let locked = open::lock(data_dir)?;
        let dir = data_dir.join(SEGMENTS_DIR);
        let mut segments = reader::segment_files(&dir)?;
        if segments.is_empty() {
            segments.push(create(&dir, &options, &SegmentHeader::first(platform::now().seconds()))?);
        }
        reader::check_sealed(&segments, &dir)?;
        let Some(newest) = segments.last_mut() else { return Err(JournalError::Missing { number: 1, dir }) };
        let mut before_tip = newest.start();
        let (tip, bad) = reader::scan(newest, &newest.start(), newest.length_bytes, &mut |commit| {
            before_tip = commit.start;
            Ok(())
        })?;
        let mut recovery = Recovery {
            records_count: tip.records,
            segments_count: 0,
            taken_over: locked.taken_over,
            truncated_bytes: locked.unfinished_bytes,
            cut_to: None,
        };
        let mut file = open_segment(&newest.path)?;
        if let Some(reason) = bad {
            let torn = reader::torn_end(newest, tip.offset_bytes, reason)?;
            recovery.truncated_bytes = torn.len() as u64;
            recovery.cut_to = cut_end(newest, &file, (&tip, &torn), &options)?;
            newest.length_bytes = tip.offset_bytes;
        }
        file.seek(SeekFrom::Start(tip.offset_bytes)).map_err(JournalError::io("read", &newest.path))?;
        recovery.segments_count = segments.len();
        let marker = locked.marker;
        let journal =
            Self { dir, options, _marker: marker, segments, file, tip, before_tip, failed: None, rotating: false };
        Ok((journal, recovery))
    }

    /// Where the journal ends.
    #[must_use]
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// A segment of this size is followed by a new one.
    #[must_use]
    pub const fn segment_bytes_max(&self) -> u64 {
        self.options.segment_bytes_max
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let older = self.segments.iter().filter(|file| file.header.number != self.tip.segment);
        older.map(|file| file.length_bytes).sum::<u64>().saturating_add(self.tip.offset_bytes)
    }

    /// Why nothing can be appended, after a write that failed; an append tries again all the same.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// A view of everything up to the end, to read while others append.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { segments: self.segments.clone(), tip: self.tip }
    }

    /// Makes records durable, all or none, in order. No records is no work.
    ///
    /// # Errors
    /// Too many bytes, or the disk failed: what was durable before stays so, and the next append first clears away what
    /// the failed one left.
    pub fn append(&mut self, records: &[Record]) -> Result<Tip, JournalError> {
        let (segment, offset) = (self.tip.segment, self.tip.offset_bytes);
        let encode = |source| JournalError::Record { segment, offset, source };
        let encoded = records.iter().map(Record::encode).collect::<Result<Vec<_>, _>>().map_err(encode)?;
        self.append_encoded(&encoded)
    }

    /// [`append`](Self::append) for records that are encoded already.
    pub(crate) fn append_encoded(&mut self, records: &[Vec<u8>]) -> Result<Tip, JournalError> {
        if records.is_empty() {
            return Ok(self.tip);
        }
        let payload = frame::join(records.iter().map(Vec::as_slice));
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(JournalError::TooLarge { got: payload.len(), max: PAYLOAD_BYTES_MAX });
        }
        self.recover()?;
        if self.rotating || self.tip.offset_bytes >= self.options.segment_bytes_max {
            self.rotate()?;
        }
        let (hash, bytes) = frame::encode(&self.tip.hash, &payload);
        let (disk, path) = (self.options.disk.clone(), self.path().to_owned());
        failpoint_after("journal.torn", || drop(self.file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())));
        let written = disk.write(&mut self.file, &bytes).inspect(|()| failpoint("journal.written"));
        let synced = written.and_then(|()| match disk.sync(&self.file, &path) {
            Err(_) if bugs::on(Bug::IgnoreFailedFsync) => Ok(()),
            done => done,
        });
        if let Err(source) = synced {
            self.failed = Some(source.to_string());
            return Err(JournalError::Io { action: "write", path, source });
        }
        self.before_tip = self.tip;
        self.tip = Tip {
            records: self.tip.records.saturating_add(records.len() as u64),
            segment: self.tip.segment,
            offset_bytes: self.tip.offset_bytes.saturating_add(bytes.len() as u64),
            hash,
        };
        Ok(self.tip)
    }

    /// Begins a new segment, unless the newest has no commit yet; the older one is sealed by that.
    ///
    /// # Errors
    /// The disk is full or failed; the next append tries again first. The new segment may be there under its name by then,
    /// and says how long the older one is: that must not grow any more.
    pub fn rotate(&mut self) -> Result<Tip, JournalError> {
        self.recover()?;
        let Some(newest) = self.segments.last_mut() else { return Ok(self.tip) };
        if self.tip.offset_bytes <= newest.header_bytes {
            return Ok(self.tip);
        }
        let header = SegmentHeader {
            number: self.tip.segment.saturating_add(1),
            records_before: self.tip.records,
            previous_bytes: self.tip.offset_bytes,
            began_seconds: platform::now().seconds(),
            hash_before: self.tip.hash,
        };
        self.rotating = true;
        failpoint("rotate.begin");
        let next = create(&self.dir, &self.options, &header)?;
        newest.length_bytes = self.tip.offset_bytes;
        let mut file = open_segment(&next.path)?;
        file.seek(SeekFrom::End(0)).map_err(JournalError::io("open", &next.path))?;
        (self.file, self.tip, self.before_tip) = (file, next.start(), next.start());
        self.segments.push(next);
        self.rotating = false;
        failpoint("rotate.done");
        Ok(self.tip)
    }

    /// Removes segments from the oldest on: those before `base`, which stands on a checkpoint, whose records are all older
    /// than a time. Gives their numbers.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn forget(&mut self, base: u64, before_seconds: u64) -> Result<Vec<u64>, JournalError> {
        let mut removed = Vec::new();
        while let [oldest, next, ..] = self.segments.as_slice() {
            // The next one was begun after everything in this one was written.
            let began_seconds = next.header.began_seconds;
            if oldest.header.number >= base || began_seconds >= before_seconds {
                break;
            }
            fs::remove_file(&oldest.path).map_err(JournalError::io("remove", &oldest.path))?;
            failpoint("forget.segment");
            sync_directory(&oldest.path).map_err(JournalError::io("remove", &oldest.path))?;
            removed.push(oldest.header.number);
            self.segments.remove(0);
        }
        Ok(removed)
    }

    /// After a failed write: cuts away what it may have left, and reads the last durable commit again.
    fn recover(&mut self) -> Result<(), JournalError> {
        let Some(reason) = &self.failed else { return Ok(()) };
        let poisoned = |error: &dyn std::fmt::Display| JournalError::Poisoned { reason: format!("{reason}; {error}") };
        let Some(newest) = self.segments.last() else { return Ok(()) };
        // A handle of its own: the old one may hold what the disk refused.
        let mut file = open_segment(&newest.path).map_err(|error| poisoned(&error))?;
        self.options.disk.cut(&file, self.tip.offset_bytes).map_err(|error| poisoned(&error))?;
        let (end, bad) = reader::scan(newest, &self.before_tip, self.tip.offset_bytes, &mut |_| Ok(()))?;
        if let Some(reason) = bad.or_else(|| (end != self.tip).then_some("the last durable commit is not there")) {
            let (segment, offset) = (self.tip.segment, end.offset_bytes);
            return Err(JournalError::Corrupt { segment, offset, reason });
        }
        file.seek(SeekFrom::Start(self.tip.offset_bytes)).map_err(|error| poisoned(&error))?;
        self.file = file;
        self.failed = None;
        Ok(())
    }

    /// Finds out whether the disk takes writes: clears away what a failed one left, and makes a small file durable for a
    /// moment.
    ///
    /// # Errors
    /// It does not.
    pub fn probe(&mut self) -> Result<(), JournalError> {
        self.recover()?;
        let path = self.dir.join(PROBE_FILE);
        let probed = self.options.disk.create(&path, &[0; PROBE_BYTES]);
        // Whether it is removed does not matter: the next probe writes over it.
        let _ = fs::remove_file(&path);
        probed.map_err(JournalError::io("write beside", &path))
    }

    /// Gives every commit after `from`, in order, with the place that it ends at.
    ///
    /// # Errors
    /// `from` is no place in this journal, a file was damaged since it was opened, or `visit` failed.
    pub fn replay<E: From<JournalError>>(
        &self,
        from: &Tip,
        visit: impl FnMut(&Tip, Vec<Record>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.reader().replay(from, visit)
    }

    /// File of the newest segment.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.segments.last().map_or(self.dir.as_path(), |newest| newest.path.as_path())
    }
}

/// Makes a segment with its header durable.
fn create(dir: &Path, options: &JournalOptions, header: &SegmentHeader) -> Result<SegmentFile, JournalError> {
    let path = dir.join(segment::file_name(header.number));
    options.disk.create(&path, &header.encode()).map_err(JournalError::io("begin a segment of", &path))?;
    SegmentFile::open(&path, header.number)
}

fn open_segment(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(JournalError::io("open", path))
}

/// Cuts what follows the tip, and keeps it beside the segment for whoever wants to look.
fn cut_end(
    segment: &SegmentFile,
    file: &File,
    (tip, torn): (&Tip, &[u8]),
    options: &JournalOptions,
) -> Result<Option<PathBuf>, JournalError> {
    let kept = segment.path.with_extension(format!("cut-{}", tip.offset_bytes));
    // To have no room for the copy is no reason not to start: nobody was told that these bytes are durable.
    let written = fs::write(&kept, torn);
    failpoint("journal.cut");
    options.disk.cut(file, tip.offset_bytes).map_err(JournalError::io("cut", &segment.path))?;
    Ok(written.is_ok().then_some(kept))
}
