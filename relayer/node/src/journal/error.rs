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
    #[error("cannot {action} journal {}: {source}; check disk space and permissions, then start again", path.display())]
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
        "journal is damaged at byte {offset} ({reason}) and valid commits follow, so this is no torn end; nothing was \
         changed: restore the file from a backup or a standby"
    )]
    Corrupt {
        /// Where.
        offset: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A commit does not continue the chain.
    #[error(
        "journal commit at byte {offset} has chain hash {got}, expected {expected}: it was changed after it was written; \
         restore the file from a backup or a standby"
    )]
    ChainBroken {
        /// Where.
        offset: u64,
        /// Hash in the file.
        got: Hash32,
        /// Hash of what precedes it and of its payload.
        expected: Hash32,
    },
    /// A record does not decode although its commit is intact.
    #[error("journal commit at byte {offset}: {source}")]
    Record {
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
    /// An earlier write failed, so what is on disk is not known.
    #[error("journal stopped after a failed write ({reason}); restart the node, it recovers what was durable")]
    Poisoned {
        /// The failure.
        reason: String,
    },
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
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Locked { .. } | Self::NotAJournal { .. } | Self::Version { .. } => Class::Config,
            Self::TooLarge { .. } => Class::Bug,
            Self::Io { .. }
            | Self::Corrupt { .. }
            | Self::ChainBroken { .. }
            | Self::Record { .. }
            | Self::Poisoned { .. } => Class::Permanent,
        }
    }

    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.into(), source }
    }
}
