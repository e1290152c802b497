//! What can go wrong with nodes, said so that a person can act on it.

use std::path::PathBuf;

/// Why a network could not be built, started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalnetError {
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A node could not be compiled.
    #[error("building {what} failed ({status}); it needs Go 1.26 and the Go module proxy:\n{output}")]
    Build {
        /// What was being built.
        what: String,
        /// Exit status of the compiler.
        status: String,
        /// Its last lines.
        output: String,
    },
    /// A helper program of a node failed.
    #[error("{program} failed ({status}):\n{output}")]
    Tool {
        /// The program and its first arguments.
        program: String,
        /// Exit status.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A node ended by itself.
    #[error("{name} ended by itself; the last lines of {log}:\n{tail}", log = log.display())]
    NodeDied {
        /// The node's name.
        name: String,
        /// Its log file.
        log: PathBuf,
        /// The last 30 lines of it.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s{detail}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long, in seconds.
        seconds: u64,
        /// What the nodes last said, if a node is at fault.
        detail: String,
    },
    /// A node answered with an error, or not at all.
    #[error("{method} at {url}: {message}")]
    Rpc {
        /// Method called.
        method: String,
        /// Endpoint.
        url: String,
        /// The answer.
        message: String,
    },
    /// A node or helper program answered with something that cannot be read.
    #[error("{what}: unexpected answer: {answer}")]
    Answer {
        /// What was asked.
        what: String,
        /// The answer.
        answer: String,
    },
    /// No free port was found.
    #[error("no {wanted} free ports on 127.0.0.1 between {first} and {last}")]
    Ports {
        /// How many were wanted.
        wanted: usize,
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
    },
}

impl LocalnetError {
    /// An [`LocalnetError::Io`] maker for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// An [`LocalnetError::Answer`].
    pub(crate) fn answer(what: impl Into<String>, answer: impl ToString) -> Self {
        Self::Answer { what: what.into(), answer: answer.to_string() }
    }

    /// Adds what the nodes last said to a timeout; other errors stay as they are.
    #[must_use]
    pub(crate) fn with_detail(self, tell: impl FnOnce() -> String) -> Self {
        match self {
            Self::Timeout { what, seconds, .. } => Self::Timeout { what, seconds, detail: tell() },
            other => other,
        }
    }

    /// Whether another process took a port between our look and the node's start.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::NodeDied { tail, .. } if tail.contains("address already in use"))
    }
}
