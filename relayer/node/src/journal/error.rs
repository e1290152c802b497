//! Why a journal refuses.

use std::path::{Path, PathBuf};

use catenary_core::record::RecordError;
use catenary_light_clients::{Class, Hash32};
use thiserror::Error as ThisError;

/// What is wrong with a journal.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has it open.
    #[error("journal {} is in use by another process; two nodes must never share one, stop the other first", path.display())]
    Locked {
        /// File.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} journal {}: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// File.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} does not start as a journal does; is this the right data_dir?", path.display())]
    NotAJournal {
        /// File.
        path: PathBuf,
    },
    /// The file's version is unknown.
    #[error("journal version is {got}, this program knows {known}; a newer catenary wrote it, use that one")]
    Version {
        /// Its version.
        got: u32,
        /// Ours.
        known: u32,
    },
    /// Bytes before the last commit are damaged.
    #[error(
        "journal segment {segment} is damaged at byte {offset} ({reason}) and this is no torn end; nothing was changed: \
         restore the file from a backup or a standby"
    )]
    Corrupt {
        /// Number of the segment.
        segment: u64,
        /// Where.
        offset: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A commit does not continue the chain.
    #[error(
        "journal segment {segment} has chain hash {got} at byte {offset}, expected {expected}: it was changed after it was \
         written; restore the file from a backup or a standby"
    )]
    ChainBroken {
        /// Number of the segment.
        segment: u64,
        /// Where.
        offset: u64,
        /// Hash in the file.
        got: Hash32,
        /// Hash of what precedes it and of its payload.
        expected: Hash32,
    },
    /// A record does not decode although its commit is intact.
    #[error("journal segment {segment}, commit at byte {offset}: {source}")]
    Record {
        /// Number of the segment.
        segment: u64,
        /// Where.
        offset: u64,
        /// Why.
        source: RecordError,
    },
    /// More bytes than a commit may have.
    #[error("a commit of {got} bytes is over the limit of {max}; this is a bug, report it")]
    TooLarge {
        /// Bytes.
        got: usize,
        /// Limit.
        max: usize,
    },
    /// An earlier write failed, and what it left on disk cannot be cleared away.
    #[error(
        "journal waits after a failed write ({reason}) until the disk takes writes again; nothing is signed or sent \
         until then: make room, or mend the disk"
    )]
    Poisoned {
        /// The failure.
        reason: String,
    },
    /// A segment is not there.
    #[error(
        "journal segment {number} is missing in {}, and later ones need it; put it back from the archive or a backup",
        dir.display()
    )]
    Missing {
        /// Its number.
        number: u64,
        /// Directory of the journal.
        dir: PathBuf,
    },
    /// A segment does not follow the one before it.
    #[error(
        "journal segment {segment}: its {what} is {got}, expected {expected}; a segment was cut, changed or taken from \
         another journal: restore it from a backup or a standby"
    )]
    Seal {
        /// Number of the segment.
        segment: u64,
        /// What differs.
        what: &'static str,
        /// What it is.
        got: u64,
        /// What the next segment, or the one before, says.
        expected: u64,
    },
    /// A journal of version 1 stands beside segments that are not made from it.
    #[error(
        "{} is a whole journal of version 1 and {} holds another one; keep the one that is this node's and move the \
         other away",
        file.display(), dir.display()
    )]
    TwoJournals {
        /// The old file.
        file: PathBuf,
        /// Directory of segments.
        dir: PathBuf,
    },
}

/// What helps against a refusal of the operating system.
pub(crate) fn advice(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "it is not there: compare the path, and put the file back from a backup if it was lost",
        ErrorKind::PermissionDenied => "give the user that runs this program read and write access to it",
        ErrorKind::ReadOnlyFilesystem => {
            "its file system is mounted read-only: mend the disk and mount it to be written"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room on that disk, or raise the quota or the limit of file sizes"
        }
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            "something else stands at that path: move it away"
        }
        _ => "the disk or its file system failed: look into the system's log, and mend or replace it",
    }
}

impl JournalError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "JRN-001",
            Self::Io { .. } => "JRN-002",
            Self::NotAJournal { .. } => "JRN-003",
            Self::Version { .. } => "JRN-004",
            Self::Corrupt { .. } => "JRN-005",
            Self::ChainBroken { .. } => "JRN-006",
            Self::Record { .. } => "JRN-007",
            Self::TooLarge { .. } => "JRN-008",
            Self::Poisoned { .. } => "JRN-009",
            Self::Missing { .. } => "JRN-010",
            Self::Seal { .. } => "JRN-011",
            Self::TwoJournals { .. } => "JRN-012",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Locked { .. } | Self::NotAJournal { .. } | Self::Version { .. } | Self::TwoJournals { .. } => {
                Class::Config
            }
            Self::TooLarge { .. } => Class::Bug,
            // The disk may have room again.
            Self::Io { .. } | Self::Poisoned { .. } => Class::Transient,
            Self::Corrupt { .. }
            | Self::ChainBroken { .. }
            | Self::Record { .. }
            | Self::Missing { .. }
            | Self::Seal { .. } => Class::Permanent,
        }
    }

    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by an operator's question: a file that was missing was answered with "check disk space".
    #[test]
    fn the_advice_fits_what_the_system_said() {
        let check = |number: i32, expect: &str| {
            let error = JournalError::io("read", Path::new("journal/0000000001.seg"))(
                std::io::Error::from_raw_os_error(number),
            );
            let text = error.to_string();
            assert!(text.contains(expect), "{number}: {text}");
            assert_eq!(text.contains("make room"), expect == "make room", "{number}: {text}");
        };
        // ENOENT, EACCES, EROFS, ENOSPC, EDQUOT, EFBIG, ENOTDIR, EIO.
        check(2, "it is not there");
        check(13, "read and write access");
        check(30, "read-only");
        check(28, "make room");
        check(122, "make room");
        check(27, "make room");
        check(20, "something else stands");
        check(5, "mend or replace");
    }
}
