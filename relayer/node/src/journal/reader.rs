//! Reading commits over segments, without the lock and without changing anything.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use catenary_core::Record;

use super::error::JournalError;
use super::frame::{self, Parsed, FRAME_BYTES, PAYLOAD_BYTES_MAX};
use super::segment::{self, SegmentHeader, SEGMENT_HEADER_BYTES};
use super::{Tip, MARKER_FILE, SEGMENTS_DIR};

/// A segment's file, as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its header says.
    pub header: SegmentHeader,
    /// Bytes of the header.
    pub header_bytes: u64,
    /// Bytes of the file: sealed by the next segment, or those of the newest.
    pub length_bytes: u64,
}

impl SegmentFile {
    /// Reads a segment's header.
    ///
    /// # Errors
    /// The file cannot be read, or does not start as this segment does.
    pub(super) fn open(path: &Path, number: u64) -> Result<Self, JournalError> {
        let file = Self::open_any(path)?;
        let got = file.header.number;
        if got != number {
            return Err(JournalError::Seal { segment: number, what: "number", got, expected: number });
        }
        Ok(file)
    }

    /// Reads the header of whatever segment this is.
    fn open_any(path: &Path) -> Result<Self, JournalError> {
        let io = |action| JournalError::io(action, path);
        let file = File::open(path).map_err(io("read"))?;
        let length_bytes = file.metadata().map_err(io("read"))?.len();
        let mut start = Vec::new();
        file.take(SEGMENT_HEADER_BYTES as u64).read_to_end(&mut start).map_err(io("read"))?;
        let Some((header, header_bytes)) = SegmentHeader::decode(&start) else {
            return Err(match frame::header_version(&start) {
                Some(got) if got > segment::SEGMENT_VERSION => {
                    JournalError::Version { got, known: segment::SEGMENT_VERSION }
                }
                _ => JournalError::NotAJournal { path: path.into() },
            });
        };
        Ok(Self { path: path.into(), header, header_bytes: header_bytes as u64, length_bytes })
    }

    /// The place before its first commit.
    #[must_use]
    pub fn start(&self) -> Tip {
        let SegmentHeader { number, records_before, hash_before, .. } = self.header;
        Tip { records: records_before, segment: number, offset_bytes: self.header_bytes, hash: hash_before }
    }
}

/// Segments that follow each other, up to a place. It is a view: what is appended later is not in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    pub(super) segments: Vec<SegmentFile>,
    pub(super) tip: Tip,
}

/// A commit as it is read.
pub(super) struct Commit<'a> {
    pub(super) start: Tip,
    pub(super) end: Tip,
    pub(super) records: Vec<&'a [u8]>,
}

/// Where reading a segment came to: the place after the last whole commit, and why the next one is none.
pub(super) type Scanned = (Tip, Option<&'static str>);

impl Reader {
    /// The journal of a data directory as it is on disk: of a stopped node, or of a running one up to the newest commit
    /// that is whole. Takes no lock and changes nothing; reads all of the newest segment.
    ///
    /// # Errors
    /// There is no journal, segments do not follow each other, or the newest is damaged before its last commit.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let dir = data_dir.join(SEGMENTS_DIR);
        let mut segments = segment_files(&dir)?;
        if segments.is_empty() {
            // Not taken over yet.
            segments.push(SegmentFile::open(&data_dir.join(MARKER_FILE), 1)?);
        }
        check_sealed(&segments, &dir)?;
        let Some(newest) = segments.last_mut() else { return Err(JournalError::Missing { number: 1, dir }) };
        let (mut tip, mut bad) = scan(newest, &newest.start(), newest.length_bytes, &mut |_| Ok(()))?;
        // A node that runs may have cleared a failed write away meanwhile and gone on: look once more.
        if bad.is_some_and(|reason| torn_end(newest, tip.offset_bytes, reason).is_err()) {
            *newest = SegmentFile::open(&newest.path, newest.header.number)?;
            (tip, bad) = scan(newest, &tip, newest.length_bytes, &mut |_| Ok(()))?;
            bad.map_or(Ok(Vec::new()), |reason| torn_end(newest, tip.offset_bytes, reason))?;
        }
        Ok(Self { segments, tip })
    }

    /// One segment by itself, as somebody sent it: from its header to its last whole commit.
    ///
    /// # Errors
    /// It is no segment, or damaged before its last commit.
    pub fn open_segment(path: &Path) -> Result<Self, JournalError> {
        let file = SegmentFile::open_any(path)?;
        let (tip, bad) = scan(&file, &file.start(), file.length_bytes, &mut |_| Ok(()))?;
        bad.map_or(Ok(Vec::new()), |reason| torn_end(&file, tip.offset_bytes, reason))?;
        Ok(Self { segments: vec![file], tip })
    }

    /// Whether a file starts as a segment does.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_segment(path: &Path) -> Result<bool, JournalError> {
        let io = |action| JournalError::io(action, path);
        let mut start = Vec::new();
        File::open(path)
            .map_err(io("read"))?
            .take(frame::MAGIC.len() as u64)
            .read_to_end(&mut start)
            .map_err(io("read"))?;
        Ok(start == frame::MAGIC)
    }

    /// Where it ends.
    #[must_use]
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// The segments, oldest first; never empty.
    #[must_use]
    pub fn segments(&self) -> &[SegmentFile] {
        &self.segments
    }

    /// The first place that can be read from.
    #[must_use]
    pub fn start(&self) -> Tip {
        self.segments.first().map_or_else(Tip::start, SegmentFile::start)
    }

    /// The same view, ending where an older segment ends.
    #[must_use]
    pub fn until(&self, segment: u64) -> Option<Self> {
        let next = self.segments.iter().find(|file| file.header.number == segment.saturating_add(1))?;
        let segments: Vec<SegmentFile> =
            self.segments.iter().filter(|file| file.header.number <= segment).cloned().collect();
        let SegmentHeader { records_before: records, hash_before: hash, previous_bytes: offset_bytes, .. } =
            next.header;
        let tip = Tip { records, segment, offset_bytes, hash };
        (!segments.is_empty()).then_some(Self { segments, tip })
    }

    /// Gives every commit after `from`, in order, with the place that it ends at.
    ///
    /// # Errors
    /// `from` is no place in this journal, a file was damaged, or `visit` failed.
    pub fn replay<E: From<JournalError>>(
        &self,
        from: &Tip,
        mut visit: impl FnMut(&Tip, Vec<Record>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = *from;
        self.commits(from, |end, records| {
            let (segment, offset) = (end.segment, start.offset_bytes);
            let decoded = records.iter().map(|bytes| Record::decode(bytes)).collect::<Result<Vec<_>, _>>();
            start = *end;
            visit(end, decoded.map_err(|source| JournalError::Record { segment, offset, source })?)
        })
    }

    /// [`replay`](Self::replay) with the records' bytes.
    ///
    /// # Errors
    /// See [`replay`](Self::replay).
    pub fn commits<E: From<JournalError>>(
        &self,
        from: &Tip,
        mut visit: impl FnMut(&Tip, &[&[u8]]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failure = None;
        let result = self.read(from, &mut |commit| {
            visit(&commit.end, &commit.records).map_err(|error| {
                failure = Some(error);
                JournalError::Poisoned { reason: "the visitor stopped".into() }
            })
        });
        match (failure, result) {
            (Some(error), _) => Err(error),
            (None, result) => Ok(result?),
        }
    }

    /// Checks every checksum and every link of the chain hash, from the first segment to the end.
    ///
    /// # Errors
    /// A file is damaged or was changed.
    pub fn check(&self) -> Result<(), JournalError> {
        self.read(&self.start(), &mut |_| Ok(()))
    }

    /// Checks one segment by itself: its checksums, and the chain hash from its header on.
    ///
    /// # Errors
    /// It is missing, damaged or was changed.
    pub fn check_segment(&self, segment: u64) -> Result<(), JournalError> {
        let Some(file) = self.segments.iter().find(|file| file.header.number == segment) else {
            return Err(JournalError::Missing { number: segment, dir: self.dir() });
        };
        let last = segment == self.tip.segment;
        let length = if last { self.tip.offset_bytes } else { file.length_bytes };
        match scan(file, &file.start(), length, &mut |_| Ok(()))? {
            (_, None) => Ok(()),
            (end, Some(reason)) => Err(JournalError::Corrupt { segment, offset: end.offset_bytes, reason }),
        }
    }

    fn dir(&self) -> PathBuf {
        self.segments.first().and_then(|file| file.path.parent()).unwrap_or_else(|| Path::new("")).into()
    }

    fn read(
        &self,
        from: &Tip,
        visit: &mut dyn FnMut(Commit<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut tip = *from;
        if !self.segments.iter().any(|file| file.header.number == from.segment) {
            return Err(JournalError::Missing { number: from.segment, dir: self.dir() });
        }
        for file in self.segments.iter().filter(|file| file.header.number >= from.segment) {
            let segment = file.header.number;
            let start = file.start();
            if tip.segment != segment || tip.offset_bytes <= start.offset_bytes {
                if (tip.records, tip.hash) != (start.records, start.hash) {
                    let (got, expected) = (start.hash, tip.hash);
                    return Err(JournalError::ChainBroken { segment, offset: 0, got, expected });
                }
                tip = start;
            }
            let last = segment == self.tip.segment;
            let length = if last { self.tip.offset_bytes } else { file.length_bytes };
            let (end, bad) = scan(file, &tip, length, visit)?;
            if let Some(reason) = bad {
                return Err(JournalError::Corrupt { segment, offset: end.offset_bytes, reason });
            }
            tip = end;
        }
        if !tip.is_same(&self.tip) {
            let (segment, offset, got, expected) = (tip.segment, tip.offset_bytes, tip.hash, self.tip.hash);
            return Err(JournalError::ChainBroken { segment, offset, got, expected });
        }
        Ok(())
    }
}

/// The segments of a directory, oldest first; none when there is no such directory.
pub(crate) fn segment_files(dir: &Path) -> Result<Vec<SegmentFile>, JournalError> {
    let io = |action| JournalError::io(action, dir);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("list")(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(io("list"))?.file_name();
        numbers.extend(name.to_str().and_then(segment::file_number));
    }
    numbers.sort_unstable();
    numbers.into_iter().map(|number| SegmentFile::open(&dir.join(segment::file_name(number)), number)).collect()
}

/// Compares each segment with what the next one says of it: none is missing, none was cut or made longer. What is in the
/// older ones is not read.
pub(super) fn check_sealed(segments: &[SegmentFile], dir: &Path) -> Result<(), JournalError> {
    // The oldest ones may have been removed once a checkpoint stood for them.
    if let Some(oldest) = segments.first().map(|oldest| oldest.header.number).filter(|oldest| *oldest > 1) {
        let stands = |file: &SegmentFile| dir.join(segment::checkpoint_name(file.header.number)).exists();
        if !segments.iter().any(stands) {
            return Err(JournalError::Missing { number: oldest.saturating_sub(1), dir: dir.into() });
        }
    }
    for (before, next) in segments.iter().zip(segments.iter().skip(1)) {
        let number = before.header.number;
        if next.header.number != number.saturating_add(1) {
            return Err(JournalError::Missing { number: number.saturating_add(1), dir: dir.into() });
        }
        let (got, expected) = (before.length_bytes, next.header.previous_bytes);
        if got != expected {
            return Err(JournalError::Seal { segment: number, what: "length in bytes", got, expected });
        }
        let (got, expected) = (before.header.records_before, next.header.records_before);
        if got > expected {
            return Err(JournalError::Seal { segment: number, what: "count of records before it", got, expected });
        }
    }
    Ok(())
}

/// Reads commits of a segment from a place up to a length; what is no commit ends it, and is for the caller to judge.
pub(super) fn scan(
    file: &SegmentFile,
    from: &Tip,
    length_bytes: u64,
    visit: &mut dyn FnMut(Commit<'_>) -> Result<(), JournalError>,
) -> Result<Scanned, JournalError> {
    let io = |action| JournalError::io(action, &file.path);
    let segment = file.header.number;
    let mut tip = *from;
    if tip.offset_bytes >= length_bytes {
        return Ok((tip, None));
    }
    let mut reader = BufReader::with_capacity(1024 * 1024, File::open(&file.path).map_err(io("read"))?);
    reader.seek(SeekFrom::Start(tip.offset_bytes)).map_err(io("read"))?;
    let mut bytes = Vec::new();
    while tip.offset_bytes < length_bytes {
        let offset = tip.offset_bytes;
        read_frame(&mut reader, length_bytes.saturating_sub(offset), &mut bytes).map_err(io("read"))?;
        let (hash, payload) = match frame::parse(&bytes) {
            Parsed::Frame { hash, payload } => (hash, payload),
            Parsed::Bad(reason) => return Ok((tip, Some(reason))),
        };
        let expected = frame::chain_hash(&tip.hash, payload);
        if hash != expected {
            return Err(JournalError::ChainBroken { segment, offset, got: hash, expected });
        }
        let reason = "the commit's records do not add up to its length";
        let records = frame::split(payload).ok_or(JournalError::Corrupt { segment, offset, reason })?;
        let start = tip;
        tip = Tip {
            records: tip.records.saturating_add(records.len() as u64),
            segment,
            offset_bytes: offset.saturating_add(bytes.len() as u64),
            hash,
        };
        visit(Commit { start, end: tip, records })?;
    }
    Ok((tip, None))
}

/// Refuses damage that is not a torn end: more bytes than one commit has, or a valid commit after it. Gives the bytes.
pub(super) fn torn_end(file: &SegmentFile, offset: u64, reason: &'static str) -> Result<Vec<u8>, JournalError> {
    let segment = file.header.number;
    if file.length_bytes.saturating_sub(offset) > (FRAME_BYTES + PAYLOAD_BYTES_MAX) as u64 {
        return Err(JournalError::Corrupt { segment, offset, reason });
    }
    let io = |action| JournalError::io(action, &file.path);
    let mut opened = File::open(&file.path).map_err(io("read"))?;
    opened.seek(SeekFrom::Start(offset)).map_err(io("read"))?;
    let mut bytes = Vec::new();
    // No further than was looked at: a node that runs may have finished this commit and others since.
    opened.take(file.length_bytes.saturating_sub(offset)).read_to_end(&mut bytes).map_err(io("read"))?;
    if frame::holds_later_frame(&bytes) {
        return Err(JournalError::Corrupt { segment, offset, reason });
    }
    Ok(bytes)
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
