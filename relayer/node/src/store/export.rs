//! A journal as lines of JSON, for people and other programs, and back.
//!
//! The first line says what it is and where it starts, each further one is a commit with its records and the chain hash
//! after it, the last one says where it ends. Reading it back makes the same commits, so the same chain hashes: a line
//! that was changed, left out or moved is noticed.

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use catenary_core::record::Restored;
use catenary_core::{Record, StoreError};
use catenary_light_clients::Hash32;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::backup::put_back;
use super::held;
use crate::journal::{advice, Journal, JournalError, Reader, Tip, MARKER_FILE, SEGMENTS_DIR};

/// Version of the lines.
const EXPORT_VERSION: u32 = 1;
/// Most bytes of a line: a commit's payload, and a little more for its frame.
const LINE_BYTES_MAX: u64 = crate::journal::APPEND_BYTES_MAX as u64 + 4_096;

/// Why nothing was exported or imported.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading or writing the lines failed.
    #[error("cannot {action} the export: {source}; {}", advice(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// A line is not what an export has there.
    #[error("line {line} of the export is refused: {reason}; export it again")]
    Line {
        /// Number, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The lines do not give the chain hash that they state.
    #[error("line {line} of the export states chain hash {expected}, its records give {got}; a line was changed, left out or moved")]
    Chain {
        /// Number, from 1.
        line: u64,
        /// What the records give.
        got: String,
        /// What the line states.
        expected: String,
    },
    /// An export is imported into an empty journal only.
    #[error("the journal already holds {records} records; import into an empty data_dir only")]
    NotEmpty {
        /// How many.
        records: u64,
    },
    /// Somebody else puts a journal there.
    #[error("another import or restore is at work in {}; wait until it has ended", path.display())]
    Busy {
        /// Data directory.
        path: PathBuf,
    },
}

impl ExportError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Io { .. } => "STORE-111",
            Self::Line { .. } => "STORE-112",
            Self::Chain { .. } => "STORE-113",
            Self::NotEmpty { .. } => "STORE-114",
            Self::Busy { .. } => "STORE-115",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    catenary_journal: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: u64,
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitLine {
    hash: String,
    records: Vec<VersionedRecord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionedRecord {
    v: u16,
    record: Record,
}

/// A line after the first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Commit(CommitLine),
    End(End),
}

/// Writes a journal from its first record on; says where it ended.
///
/// # Errors
/// The journal is damaged, its first segments were removed, or the writer failed.
pub fn export(reader: &Reader, out: &mut impl Write) -> Result<Tip, ExportError> {
    let io = |source| ExportError::Io { action: "write", source };
    write_line(out, &Head { catenary_journal: EXPORT_VERSION })?;
    reader.commits(&Tip::start(), |tip, records| -> Result<(), ExportError> {
        write!(out, "{{\"hash\":\"{}\",\"records\":[", tip.hash).map_err(io)?;
        for (at, record) in records.iter().enumerate() {
            out.write_all(if at == 0 { b"" } else { b"," }).and_then(|()| out.write_all(record)).map_err(io)?;
        }
        out.write_all(b"]}\n").map_err(io)
    })?;
    let tip = reader.tip();
    write_line(out, &End { records: tip.records, end: tip.hash.to_string() })?;
    out.flush().map_err(io)?;
    Ok(tip)
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), ExportError> {
    let io = |source| ExportError::Io { action: "write", source };
    let text = serde_json::to_vec(value).map_err(|error| io(error.into()))?;
    out.write_all(&text).and_then(|()| out.write_all(b"\n")).map_err(io)
}

/// Reads an export into an empty journal; says where it ended.
///
/// # Errors
/// The journal is not empty, a line is not what an export has, or the disk failed. What was imported until then stays
/// in the journal, which is no journal of a node: [`import_into`] makes it apart.
pub fn import(journal: &mut Journal, input: &mut impl BufRead) -> Result<Tip, ExportError> {
    if journal.tip().records > 0 {
        return Err(ExportError::NotEmpty { records: journal.tip().records });
    }
    lines(input, |_, records| Ok(journal.append(&records)?))
}

/// Reads an export without writing anything, and gives the records of each commit; says where it ended.
///
/// # Errors
/// A line is not what an export has.
pub fn read_export(input: &mut impl BufRead, mut visit: impl FnMut(Vec<Record>)) -> Result<Tip, ExportError> {
    lines(input, |before, records| {
        let after = before.followed_by(&records)?;
        visit(records);
        Ok(after)
    })
}

/// Reads lines, and compares the place after each commit with what they state.
fn lines(
    input: &mut impl BufRead,
    mut commit: impl FnMut(&Tip, Vec<Record>) -> Result<Tip, ExportError>,
) -> Result<Tip, ExportError> {
    let mut line = 0_u64;
    let mut text = Vec::new();
    let mut is_begun = false;
    let mut tip = Tip::start();
    loop {
        line = line.saturating_add(1);
        text.clear();
        let io = |source| ExportError::Io { action: "read", source };
        (&mut *input).take(LINE_BYTES_MAX).read_until(b'\n', &mut text).map_err(io)?;
        let refuse = |reason: String| ExportError::Line { line, reason };
        if text.is_empty() {
            return Err(refuse("the export ends before its last line".into()));
        }
        if !is_begun {
            let head: Head = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
            if head.catenary_journal != EXPORT_VERSION {
                return Err(refuse(format!("its version is {}, known is {EXPORT_VERSION}", head.catenary_journal)));
            }
            is_begun = true;
            continue;
        }
        match serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))? {
            Line::Commit(CommitLine { hash, records }) => {
                tip = commit(&tip, commit_records(line, records)?)?;
                same(line, &tip.hash, &hash)?;
            }
            Line::End(End { records, end }) => {
                same(line, &tip.hash, &end)?;
                if records != tip.records {
                    return Err(refuse(format!("it states {records} records, there were {}", tip.records)));
                }
                return Ok(tip);
            }
        }
    }
}

/// Imports into a data directory that holds nothing, and journals that attestor keys need a reset: an export may be older
/// than what they signed.
///
/// # Errors
/// See [`import`].
pub fn import_into(data_dir: &Path, input: &mut impl BufRead, at_seconds: u64) -> Result<Restored, ExportError> {
    let io = |source| ExportError::Io { action: "make the directory for", source };
    std::fs::create_dir_all(data_dir).map_err(io)?;
    let io = |source| ExportError::Io { action: "lock the directory for", source };
    let _held = held::data_dir(data_dir).map_err(io)?.ok_or_else(|| ExportError::Busy { path: data_dir.into() })?;
    if [MARKER_FILE, SEGMENTS_DIR].iter().any(|name| data_dir.join(name).exists()) {
        let (held, _) = Journal::open(data_dir)?;
        if held.tip().records > 0 {
            return Err(ExportError::NotEmpty { records: held.tip().records });
        }
        // A segment without a commit is in the way of the one that comes.
        std::fs::remove_file(held.path()).map_err(io)?;
    }
    put_back(data_dir, at_seconds, |unfinished| {
        let (mut journal, _) = Journal::open(unfinished)?;
        import(&mut journal, input).map(drop)
    })
}

fn commit_records(line: u64, versioned: Vec<VersionedRecord>) -> Result<Vec<Record>, ExportError> {
    let refuse = |reason: String| ExportError::Line { line, reason };
    let mut records = Vec::with_capacity(versioned.len());
    for VersionedRecord { v, record } in versioned {
        if v != record.version() {
            return Err(refuse(format!("record version is {v}, a {} has {}", record.type_name(), record.version())));
        }
        records.push(record);
    }
    if records.is_empty() {
        return Err(refuse("a commit without records".into()));
    }
    Ok(records)
}

fn same(line: u64, got: &Hash32, expected: &str) -> Result<(), ExportError> {
    let got = got.to_string();
    if got == expected {
        return Ok(());
    }
    Err(ExportError::Chain { line, got, expected: expected.chars().take(80).collect() })
}
