//! The keystore's index: which keys there are and what each is for. It holds no secret, but whoever can change it can
//! change what a key signs, so only its owner may.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use catenary_core::encoding::parse_hash;
use catenary_light_clients::Hash32;
use serde::{Deserialize, Serialize};

use super::error::KeystoreError;
use crate::failpoint::failpoint;

/// Version of the index.
const INDEX_VERSION: u16 = 1;
const INDEX_FILE: &str = "keystore.json";
const LOCK_FILE: &str = "keystore.lock";
/// Most keys of a keystore: two a chain and some retired ones, for every chain that a node connects.
pub const KEYS_MAX: usize = 256;

/// What a key is for; it signs nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Binding {
    /// Attestations about one instance of one chain.
    Attestor {
        /// Chain's name in the config.
        chain: String,
        /// Light-client instance: chain id, anchor and store, as a digest in hex.
        instance: String,
    },
    /// Transactions on one chain.
    Transactions {
        /// Chain's name in the config.
        chain: String,
    },
}

impl Binding {
    /// A binding to a light-client instance.
    #[must_use]
    pub fn attestor(chain: &str, instance: catenary_light_clients::InstanceId) -> Self {
        Self::Attestor { chain: chain.into(), instance: instance.digest().to_string() }
    }

    /// The chain's name.
    #[must_use]
    pub fn chain(&self) -> &str {
        match self {
            Self::Attestor { chain, .. } | Self::Transactions { chain } => chain,
        }
    }

    /// The light-client instance of an attestor key.
    #[must_use]
    pub fn instance(&self) -> Option<Hash32> {
        match self {
            Self::Attestor { instance, .. } => parse_hash(instance),
            Self::Transactions { .. } => None,
        }
    }
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Attestor { chain, instance } => write!(f, "attestations of {chain} (light client {instance})"),
            Self::Transactions { chain } => write!(f, "transactions on {chain}"),
        }
    }
}

/// A key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Name.
    pub id: String,
    /// EVM address, `0x` and lower-case hex.
    pub address: String,
    /// Compressed public key in hex.
    pub public_key: String,
    /// What it is for.
    pub binding: Binding,
    /// It has signed an attestation; never set back.
    pub first_signed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexFile {
    version: u16,
    keys: Vec<KeyEntry>,
}

/// The index of a directory.
#[derive(Clone, Debug)]
pub(super) struct Index {
    dir: PathBuf,
}

impl Index {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self) -> PathBuf {
        self.dir.join(INDEX_FILE)
    }

    /// The keys; none when there is no index yet.
    pub(super) fn load(&self) -> Result<Vec<KeyEntry>, KeystoreError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(KeystoreError::io("read", &path)(error)),
        };
        check_private(&path)?;
        let refuse = |reason: String| KeystoreError::Index { path: path.clone(), reason };
        let file: IndexFile = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        if file.version != INDEX_VERSION {
            return Err(refuse(format!("version is {}, this program knows {INDEX_VERSION}", file.version)));
        }
        for (position, key) in file.keys.iter().enumerate() {
            let before = file.keys.iter().take(position);
            if before.clone().any(|other| other.id == key.id) {
                return Err(KeystoreError::Exists { id: key.id.clone() });
            }
            if let Some(other) = before.clone().find(|other| other.address == key.address) {
                return Err(KeystoreError::SameAddress { address: key.address.clone(), id: other.id.clone() });
            }
            if matches!(key.binding, Binding::Attestor { .. }) && key.binding.instance().is_none() {
                return Err(refuse(format!("key {} is bound to a malformed light-client instance", key.id)));
            }
        }
        Ok(file.keys)
    }

    /// Changes the index as one step, also against other processes.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut Vec<KeyEntry>) -> Result<T, KeystoreError>,
    ) -> Result<T, KeystoreError> {
        create_private_dir(&self.dir)?;
        let lock_path = self.dir.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(KeystoreError::io("open", &lock_path))?;
        lock.lock().map_err(KeystoreError::io("lock", &lock_path))?;
        let mut keys = self.load()?;
        let result = change(&mut keys)?;
        self.write(keys)?;
        Ok(result)
    }

    fn write(&self, keys: Vec<KeyEntry>) -> Result<(), KeystoreError> {
        let path = self.path();
        if keys.len() > KEYS_MAX {
            let reason = format!("{} keys are more than {KEYS_MAX}", keys.len());
            return Err(KeystoreError::Index { path, reason });
        }
        let file = IndexFile { version: INDEX_VERSION, keys };
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| KeystoreError::Index { path: path.clone(), reason: error.to_string() })?;
        let new = self.dir.join(format!("{INDEX_FILE}.new"));
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        let mut file = opened.map_err(KeystoreError::io("write", &new))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(KeystoreError::io("write", &new))?;
        failpoint("keys.index");
        fs::rename(&new, &path).map_err(KeystoreError::io("replace", &path))?;
        sync_dir(&self.dir)
    }
}

/// Refuses a file that others may read or change.
pub(super) fn check_private(path: &Path) -> Result<(), KeystoreError> {
    let mode = fs::metadata(path).map_err(KeystoreError::io("read", path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Permissions { path: path.into(), mode });
    }
    Ok(())
}

fn create_private_dir(dir: &Path) -> Result<(), KeystoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(KeystoreError::io("make directory", dir))
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), KeystoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(KeystoreError::io("write", dir))
}
