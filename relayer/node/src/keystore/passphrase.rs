//! The passphrase that opens the keys, and where it may come from: a variable or a file, never the config itself.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::error::KeystoreError;

/// Shortest passphrase for a new key, in bytes: the key file's scrypt parameters (eth-keystore: N = 2^13) slow
/// guessing down and do not stop it.
pub const PASSPHRASE_BYTES_MIN: usize = 12;
/// Longest passphrase, in bytes: more is a wrong file.
const PASSPHRASE_BYTES_MAX: u64 = 1_024;

/// A passphrase; it is wiped when dropped and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

/// Where a passphrase comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PassphraseSource {
    /// The environment variable of this name.
    Env(String),
    /// The first line of this file, which others may not read.
    File(PathBuf),
}

impl Passphrase {
    /// A passphrase from a prompt or a test.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a passphrase that is too short for a new key.
    pub(super) fn check_length(&self) -> Result<(), KeystoreError> {
        if self.0.len() < PASSPHRASE_BYTES_MIN {
            return Err(KeystoreError::ShortPassphrase { got: self.0.len(), min: PASSPHRASE_BYTES_MIN });
        }
        Ok(())
    }
}

impl PassphraseSource {
    /// Reads the passphrase.
    ///
    /// # Errors
    /// The variable is not set, or the file is missing, empty, too long or readable by everyone.
    pub fn read(&self) -> Result<Passphrase, KeystoreError> {
        let text = match self {
            Self::Env(name) => Zeroizing::new(std::env::var(name).map_err(|_| self.refuse("it is not set"))?),
            Self::File(path) => self.read_file(path)?,
        };
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(self.refuse("it is empty"));
        }
        Ok(Passphrase::new(line.into()))
    }

    fn read_file(&self, path: &PathBuf) -> Result<Zeroizing<String>, KeystoreError> {
        let file = std::fs::File::open(path).map_err(|error| self.refuse(error))?;
        let mode = file.metadata().map_err(|error| self.refuse(error))?.mode() & 0o777;
        // A group may read it, since orchestrators hand secrets out that way; everyone may not.
        if mode & 0o007 != 0 {
            return Err(KeystoreError::Permissions { path: path.clone(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(PASSPHRASE_BYTES_MAX).read_to_string(&mut text).map_err(|error| self.refuse(error))?;
        Ok(text)
    }

    fn refuse(&self, reason: impl fmt::Display) -> KeystoreError {
        let from = match self {
            Self::Env(name) => format!("environment variable {name}"),
            Self::File(path) => format!("file {}", path.display()),
        };
        KeystoreError::NoPassphrase { from, reason: reason.to_string() }
    }
}
