//! Manifests: what an executable is, and what it may use.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use catenary_api::SinkLimits;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::limits::MANIFEST_BYTES_MAX;

/// Version of the protocol that this host speaks.
pub const PROTOCOL: u32 = 1;

/// What an adapter can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// It reads a chain.
    Source,
    /// It writes to a chain.
    Sink,
    /// It finds packets by their sequences; one that does not has its blocks walked instead.
    Search,
}

/// What the process may use; the kernel enforces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Most bytes of address space (`RLIMIT_AS`).
    pub memory_bytes: u64,
    /// Most open files and sockets (`RLIMIT_NOFILE`).
    pub open_files: u64,
    /// Most seconds of processor time in one life (`RLIMIT_CPU`); then it is killed and started again.
    pub cpu_seconds: u64,
    /// Most bytes of a file that it writes (`RLIMIT_FSIZE`).
    pub file_bytes: u64,
}

/// Bounds of one transaction, and what a message takes in it: both are asked for too often to ask the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transactions {
    /// Most bytes of an encoded transaction.
    pub tx_bytes_max: usize,
    /// Most gas of a transaction.
    pub gas_max: u64,
    /// Most messages of a transaction.
    pub messages_max: usize,
    /// Bytes that every message takes beside its content.
    pub message_bytes_fixed: usize,
    /// Bytes that a byte of a message's content takes, in percent; the content counts as it is encoded in
    /// `adapter.proto`.
    pub message_bytes_percent: usize,
}

impl Transactions {
    /// As the engine asks for them.
    #[must_use]
    pub const fn sink_limits(&self) -> SinkLimits {
        SinkLimits { tx_bytes_max: self.tx_bytes_max, gas_max: self.gas_max, messages_max: self.messages_max }
    }

    /// Size of a message in a transaction, from its size in the protocol.
    pub(crate) const fn message_bytes(&self, encoded: usize) -> usize {
        self.message_bytes_fixed.saturating_add(encoded.saturating_mul(self.message_bytes_percent) / 100)
    }
}

/// A manifest.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The adapter's name.
    pub name: String,
    /// The adapter's version.
    pub version: String,
    /// Version of the protocol that it speaks.
    pub protocol: u32,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// The executable; a relative path is beside the manifest.
    pub executable: PathBuf,
    /// What it may use.
    pub resources: Resources,
    /// Bounds of transactions; needed with the capability `sink`, and only then.
    pub transactions: Option<Transactions>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`Error::Manifest`] with what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::Manifest { path: path.display().to_string(), reason };
        let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
        let mut text = String::new();
        let read = file.take(MANIFEST_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| refuse(error.to_string()))?;
        if text.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(refuse(format!("has more than {MANIFEST_BYTES_MAX} bytes")));
        }
        let mut manifest = Self::parse(&text).map_err(refuse)?;
        if manifest.executable.is_relative() {
            manifest.executable = path.parent().unwrap_or_else(|| Path::new(".")).join(&manifest.executable);
        }
        Ok(manifest)
    }

    fn parse(text: &str) -> core::result::Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> core::result::Result<(), String> {
        let word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        };
        if !word(&self.name) || !word(&self.version) {
            return Err("name and version are letters, digits, dots and dashes, at most 64".to_owned());
        }
        if self.protocol != PROTOCOL {
            return Err(format!("protocol is {}, this version speaks {PROTOCOL}", self.protocol));
        }
        let has = |capability| self.capabilities.contains(&capability);
        if !has(Capability::Source) {
            return Err("capabilities lacks source: a chain that cannot be read cannot be followed".to_owned());
        }
        if has(Capability::Sink) != self.transactions.is_some() {
            return Err("the section transactions goes with the capability sink, and only with it".to_owned());
        }
        let between = |name: &str, got: u64, min: u64, max: u64| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                Err(format!("{name} is {got}, allowed are {min} to {max}"))
            }
        };
        let Resources { memory_bytes, open_files, cpu_seconds, file_bytes } = self.resources;
        between("resources.memory_bytes", memory_bytes, 16 << 20, 64 << 30)?;
        between("resources.open_files", open_files, 16, 65_536)?;
        between("resources.cpu_seconds", cpu_seconds, 1, 366 * 86_400)?;
        between("resources.file_bytes", file_bytes, 0, 1 << 40)?;
        let Some(tx) = self.transactions else { return Ok(()) };
        between("transactions.tx_bytes_max", tx.tx_bytes_max as u64, 1_024, 4 << 20)?;
        between("transactions.gas_max", tx.gas_max, 1, u64::MAX)?;
        between("transactions.messages_max", tx.messages_max as u64, 1, 1_000)?;
        between("transactions.message_bytes_fixed", tx.message_bytes_fixed as u64, 1, 1 << 20)?;
        between("transactions.message_bytes_percent", tx.message_bytes_percent as u64, 100, 10_000)
    }

    /// Whether it finds packets by their sequences.
    #[must_use]
    pub fn searches(&self) -> bool {
        self.capabilities.contains(&Capability::Search)
    }

    /// Whether it writes.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.capabilities.contains(&Capability::Sink)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOOD: &str = r#"
        name = "evm"
        version = "0.1.0"
        protocol = 1
        capabilities = ["source", "sink"]
        executable = "catenary-adapter-evm"
        [resources]
        memory_bytes = 1073741824
        open_files = 256
        cpu_seconds = 86400
        file_bytes = 0
        [transactions]
        tx_bytes_max = 65536
        gas_max = 30000000
        messages_max = 100
        message_bytes_fixed = 2000
        message_bytes_percent = 200
    "#;

    fn check(from: &str, to: &str, words: &str) {
        assert!(GOOD.contains(from), "{from}");
        let text = Manifest::parse(&GOOD.replace(from, to)).map_or_else(|reason| reason, |_| String::new());
        assert!(text.contains(words) && text.is_empty() == words.is_empty(), "{to}: {text:?}, expected {words:?}");
    }

    #[test]
    fn manifests_that_cannot_work_are_refused() {
        check("evm", "evm", "");
        check("name = \"evm\"", "name = \"e v m\"", "letters, digits");
        check("name = \"evm\"", "", "missing field `name`");
        check("name = \"evm\"", "name = \"evm\"\nkeys = []", "unknown field `keys`");
        check("protocol = 1", "protocol = 2", "protocol is 2");
        check("\"source\", ", "", "lacks source");
        check("\"source\", \"sink\"", "\"source\"", "goes with the capability sink");
        check("\"sink\"", "\"sink\", \"search\"", "");
        check("\"sink\"", "\"signer\"", "unknown variant `signer`");
        check("memory_bytes = 1073741824", "memory_bytes = 1", "memory_bytes is 1");
        check("open_files = 256", "open_files = 3", "open_files is 3");
        check("cpu_seconds = 86400", "cpu_seconds = 0", "cpu_seconds is 0");
        check("messages_max = 100", "messages_max = 0", "messages_max is 0");
        check("message_bytes_percent = 200", "message_bytes_percent = 99", "message_bytes_percent is 99");
    }

    #[test]
    fn the_executable_is_beside_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evm.toml");
        std::fs::write(&path, GOOD).unwrap();
        assert_eq!(Manifest::read(&path).unwrap().executable, folder.path().join("catenary-adapter-evm"));
        std::fs::write(&path, GOOD.replace("catenary-adapter-evm", "/opt/evm")).unwrap();
        assert_eq!(Manifest::read(&path).unwrap().executable, Path::new("/opt/evm"));
        std::fs::write(&path, "#".repeat(70_000)).unwrap();
        assert_eq!(Manifest::read(&path).unwrap_err().code(), "PROC-001");
        assert_eq!(Manifest::read(&folder.path().join("none")).unwrap_err().code(), "PROC-001");
    }

    #[test]
    fn a_message_counts_its_content_and_what_goes_around_it() {
        let tx = Manifest::parse(GOOD).unwrap().transactions.unwrap();
        assert_eq!(tx.message_bytes(0), 2_000);
        assert_eq!(tx.message_bytes(500), 3_000);
        assert_eq!(tx.message_bytes(usize::MAX), usize::MAX / 100 + 2_000);
    }
}
