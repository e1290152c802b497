//! What can be wrong with a configuration. Every problem is collected, so that one run shows them all.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error as ThisError;

/// What is wrong at a key. Values that may be secrets are never part of it.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file cannot be read, or is no TOML.
    #[error("{} cannot be read as TOML: {reason}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// The parser's words, without the line itself.
        reason: String,
    },
    /// There is no such key.
    #[error("there is no key {got:?} here{}", nearest.as_ref().map(|key| format!("; did you mean {key:?}?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        got: String,
        /// The known key that is nearest to it.
        nearest: Option<String>,
    },
    /// A value has another type, or is missing.
    #[error("{reason}")]
    Type {
        /// The decoder's words.
        reason: String,
    },
    /// A secret stands in the configuration.
    #[error("{what} must not stand in the configuration; name a variable (…_env) or a file (…_file) that holds it, and change the secret, since it was written down")]
    LiteralSecret {
        /// What it looks like.
        what: &'static str,
    },
    /// A value is malformed.
    #[error("{got:?} is not {expected}")]
    Malformed {
        /// The value.
        got: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Something is named twice.
    #[error("{got:?} is named at {first} already; each may be there once")]
    Duplicate {
        /// What.
        got: String,
        /// Where it is named first.
        first: String,
    },
    /// A name that is defined nowhere.
    #[error("there is no {what} {got:?}; known are: {known}")]
    UnknownName {
        /// What it should name.
        what: &'static str,
        /// The name.
        got: String,
        /// Names that there are.
        known: String,
    },
    /// A threshold that no attestors can meet, or that none are needed for.
    #[error("threshold is {got} of {attestors} attestors; choose 1 to {attestors}, and more than half so that two halves cannot disagree")]
    Threshold {
        /// m.
        got: usize,
        /// n.
        attestors: usize,
    },
    /// An attestor address that is used twice.
    #[error("attestor address {address} is used at {first} already; one key attests one chain for one operator, or its signatures could be replayed")]
    SharedAttestor {
        /// Address.
        address: String,
        /// Where it is used first.
        first: String,
    },
    /// A key that is not in the keystore.
    #[error("key {id:?} is not in the keystore {}; make it with `catenary keys new`, or import it", dir.display())]
    KeyMissing {
        /// Key.
        id: String,
        /// Keystore.
        dir: PathBuf,
    },
    /// A key that is bound to something else.
    #[error("key {id:?} is bound to {bound}, here it must be bound to {needed}; use another key")]
    KeyBound {
        /// Key.
        id: String,
        /// Its binding.
        bound: String,
        /// What is needed.
        needed: String,
    },
    /// Plain text on an address that others can reach.
    #[error("{got:?} can be reached by others and has no mutual TLS; listen on 127.0.0.1, or give certificates")]
    PlainText {
        /// Address or URL.
        got: String,
    },
    /// A required value is missing.
    #[error("it is missing; {what}")]
    Missing {
        /// What to set and why.
        what: &'static str,
    },
    /// A section that does not belong to the chain's family.
    #[error("family {family} goes with section {expected:?}, found {got:?}")]
    Section {
        /// Family.
        family: String,
        /// Section that it needs.
        expected: &'static str,
        /// Section that is there.
        got: &'static str,
    },
    /// A number out of bounds.
    #[error("{got} is out of bounds; allowed are {min} to {max}")]
    Range {
        /// The number.
        got: u64,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// A path whose on-chain clients are not named yet.
    #[error(
        "it is not set, so path {path} is not created: run `catenary path create {path}` and put what it prints here"
    )]
    NotCreated {
        /// Path.
        path: String,
    },
    /// A variable that holds a value is not set.
    #[error("environment variable {name} is not set; set it before the start")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// Our own attestor address is not our key's.
    #[error("address is {got}, but key {id:?} has {expected}; put the key's address here")]
    KeyAddress {
        /// Key.
        id: String,
        /// Address in the config.
        got: String,
        /// Address of the key.
        expected: String,
    },
    /// The keystore cannot be read.
    #[error("{code}: {reason}")]
    Keystore {
        /// Code of the keystore's error.
        code: &'static str,
        /// Its words.
        reason: String,
    },
}

impl ProblemKind {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "CFG-001",
            Self::UnknownKey { .. } => "CFG-002",
            Self::Type { .. } => "CFG-003",
            Self::LiteralSecret { .. } => "CFG-004",
            Self::Malformed { .. } => "CFG-005",
            Self::Duplicate { .. } => "CFG-006",
            Self::UnknownName { .. } => "CFG-007",
            Self::Threshold { .. } => "CFG-008",
            Self::SharedAttestor { .. } => "CFG-009",
            Self::KeyMissing { .. } => "CFG-010",
            Self::KeyBound { .. } => "CFG-011",
            Self::PlainText { .. } => "CFG-012",
            Self::Missing { .. } => "CFG-013",
            Self::Section { .. } => "CFG-014",
            Self::Range { .. } => "CFG-015",
            Self::NotCreated { .. } => "CFG-016",
            Self::NoVariable { .. } => "CFG-017",
            Self::KeyAddress { .. } => "CFG-018",
            Self::Keystore { .. } => "CFG-019",
        }
    }
}

/// A problem and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Key path, such as `chains[0].trust.trusting_period`.
    pub key: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

impl Problem {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code(), self.key, self.kind)
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, PartialEq, Eq, Debug, ThisError)]
pub struct ConfigErrors(pub Vec<Problem>);

impl ConfigErrors {
    /// The stable code of the first problem; the text has those of all.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.first().map_or("", Problem::code)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
