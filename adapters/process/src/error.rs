//! What can go wrong with an adapter in its own process. Whatever it is, it harms that chain only.

use catenary_light_clients::{Class, Hash32};
use thiserror::Error as ThisError;

/// An error of the host side.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The manifest cannot be read, or says something that cannot be.
    #[error("manifest {path}: {reason}")]
    Manifest {
        /// Its path.
        path: String,
        /// What and what to do.
        reason: String,
    },
    /// The executable is not the one that was pinned.
    #[error("executable {path} has sha256 {got}, the configuration pins {expected}; it is not started")]
    Hash {
        /// Its path.
        path: String,
        /// What it is.
        got: Hash32,
        /// What was pinned.
        expected: Hash32,
    },
    /// The executable cannot be read, or is larger than allowed.
    #[error("executable {path}: {reason}")]
    Executable {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The process could not be started.
    #[error("{chain}: the adapter could not be started: {reason}")]
    Spawn {
        /// Chain.
        chain: String,
        /// What failed.
        reason: String,
    },
    /// The process was started and did not answer `Open`.
    #[error("{chain}: the adapter was started and did not open: {reason}; it is started again after a wait")]
    Start {
        /// Chain.
        chain: String,
        /// What was seen, its last words included.
        reason: String,
    },
    /// It failed before, and the wait before its next start is not over.
    #[error("{chain}: the adapter failed {failures} times in a row, it is started again in {wait_ms} ms")]
    Waiting {
        /// Chain.
        chain: String,
        /// Failures in a row.
        failures: u32,
        /// What is left of the wait.
        wait_ms: u64,
    },
    /// The connection broke during a call: the process died, or closed it.
    #[error("{chain}: {call} lost its adapter: {reason}")]
    Lost {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// What was seen, its last words included.
        reason: String,
    },
    /// No answer within the deadline.
    #[error("{chain}: {call} had no answer of the adapter within {deadline_ms} ms")]
    Deadline {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// The deadline.
        deadline_ms: u64,
    },
    /// The adapter's own error, in its own words.
    #[error("{chain}: {call}: the adapter says {code}: {message}")]
    Said {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// Its code, a claim.
        code: String,
        /// Its words, shortened.
        message: String,
        /// What it says may be done.
        class: Class,
    },
    /// An answer that is none.
    #[error("{chain}: {call} was answered with something else than its answer: {reason}; do not trust this adapter")]
    NotAnAnswer {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A request or an answer beyond the bound.
    #[error("{chain}: {call}: more than {max} bytes; ask for less at once")]
    TooLarge {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// Most bytes.
        max: usize,
    },
    /// A request over the bounds of `catenary_api::limits`.
    #[error("{what}: {got} asked for, at most {max} at once and at least one")]
    Request {
        /// What was asked for.
        what: &'static str,
        /// How many; 0 for a range that ends before it starts.
        got: u64,
        /// Most.
        max: u64,
    },
    /// Something to write for an adapter that only reads.
    #[error("{chain}: the manifest does not name the capability sink; this adapter only reads")]
    ReadsOnly {
        /// Chain.
        chain: String,
    },
    /// A call that computes was made where nothing may block.
    #[error("{chain}: {call} was called outside of a multi-thread runtime; this is a defect of catenary")]
    Runtime {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
    },
    /// The process that opened is not what the manifest says.
    #[error("{chain}: the adapter is {got}, its manifest says {expected}; correct the manifest")]
    Other {
        /// Chain.
        chain: String,
        /// What it says it is.
        got: String,
        /// What the manifest says.
        expected: String,
    },
    /// The adapter answered with a gRPC status instead of an answer.
    #[error("{chain}: {call}: the adapter answered with gRPC status {status}: {reason}")]
    Status {
        /// Chain.
        chain: String,
        /// Call.
        call: &'static str,
        /// Number of the status.
        status: i32,
        /// Its words, shortened.
        reason: String,
    },
}

impl Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Manifest { .. } => "PROC-001",
            Self::Hash { .. } => "PROC-002",
            Self::Executable { .. } => "PROC-003",
            Self::Spawn { .. } => "PROC-004",
            Self::Start { .. } => "PROC-005",
            Self::Waiting { .. } => "PROC-006",
            Self::Lost { .. } => "PROC-007",
            Self::Deadline { .. } => "PROC-008",
            Self::Said { .. } => "PROC-009",
            Self::NotAnAnswer { .. } => "PROC-010",
            Self::TooLarge { .. } => "PROC-011",
            Self::Request { .. } => "PROC-012",
            Self::ReadsOnly { .. } => "PROC-013",
            Self::Runtime { .. } => "PROC-014",
            Self::Other { .. } => "PROC-015",
            Self::Status { .. } => "PROC-016",
        }
    }

    /// What may be done about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Manifest { .. }
            | Self::Hash { .. }
            | Self::Executable { .. }
            | Self::ReadsOnly { .. }
            | Self::Other { .. } => Class::Config,
            Self::TooLarge { .. } | Self::Request { .. } => Class::Permanent,
            Self::Runtime { .. } => Class::Bug,
            Self::Said { class, .. } => *class,
            Self::Spawn { .. }
            | Self::Start { .. }
            | Self::Waiting { .. }
            | Self::Lost { .. }
            | Self::Deadline { .. }
            | Self::NotAnAnswer { .. }
            | Self::Status { .. } => Class::Transient,
        }
    }
}

impl From<Error> for catenary_api::Error {
    fn from(error: Error) -> Self {
        Self { code: error.code(), class: error.class(), message: error.to_string() }
    }
}

/// Result of this crate.
pub type Result<T> = core::result::Result<T, Error>;

/// A plugin's words, cut and on one line: they come from outside and end in logs.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}
