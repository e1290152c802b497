//! Making, importing, listing and opening keys. One Ethereum V3 key file a key, as other tools read it.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use catenary_api::PublicKey;
use catenary_core::packet_key::is_name;
use catenary_core::record::{Act, AttestorReset, Record};
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::{Address, InstanceId};
use eth_keystore::{EthKeystore, KdfparamsType};
use k256::ecdsa::SigningKey;
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::error::KeystoreError;
use super::index::{check_private, sync_dir, Binding, Index, KeyEntry};
use super::passphrase::Passphrase;
use crate::failpoint::failpoint;
use crate::platform;
use crate::store::Ledger;

/// Most bytes of a key file.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;
/// Most work that a key file may ask of scrypt: N, r and p of geth's standard with room to spare.
const SCRYPT_N_MAX: u32 = 1 << 20;
const SCRYPT_R_MAX: u32 = 16;
const SCRYPT_P_MAX: u32 = 16;
/// Most rounds that a key file may ask of PBKDF2; geth and others use 262,144.
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;
/// How often drawing a secret is tried: one draw in 2^128 is no valid scalar.
const DRAWS_MAX: usize = 4;

/// A directory of encrypted keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    index: Index,
}

/// Who does something to a key, and why; journaled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authority {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Authority {
    fn check(&self) -> Result<(), KeystoreError> {
        if self.reason.trim().is_empty() {
            return Err(KeystoreError::NoReason);
        }
        Ok(())
    }
}

impl Keystore {
    /// The keystore in a directory, which need not exist yet.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { index: Index::new(dir) }
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.index.dir()
    }

    /// The keys, without secrets; needs no passphrase.
    ///
    /// # Errors
    /// The index is malformed or others may change it.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeystoreError> {
        self.index.load()
    }

    /// One key.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn entry(&self, id: &str) -> Result<KeyEntry, KeystoreError> {
        let found = self.list()?.into_iter().find(|key| key.id == id);
        found.ok_or_else(|| KeystoreError::Unknown { id: id.into(), path: self.dir().into() })
    }

    /// Draws a new key.
    ///
    /// # Errors
    /// The name is taken or malformed, the passphrase too short, or the disk failed.
    pub fn create(&self, id: &str, binding: Binding, passphrase: &Passphrase) -> Result<KeyEntry, KeystoreError> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        for _ in 0..DRAWS_MAX {
            let randomness = |error: getrandom::Error| KeystoreError::Randomness { reason: error.to_string() };
            platform::random(secret.as_mut_slice()).map_err(randomness)?;
            if let Ok(key) = SigningKey::from_slice(secret.as_slice()) {
                return self.add(id, binding, &key, passphrase);
            }
        }
        Err(KeystoreError::Randomness { reason: "it gives no valid key".into() })
    }

    /// Imports a key from 64 hex digits, `0x` before them or not.
    ///
    /// # Errors
    /// The secret is malformed, the name or the address is taken, the passphrase too short, or the disk failed.
    pub fn import(
        &self,
        id: &str,
        binding: Binding,
        secret: impl Read,
        passphrase: &Passphrase,
    ) -> Result<KeyEntry, KeystoreError> {
        let mut text = Zeroizing::new(String::new());
        secret.take(256).read_to_string(&mut text).map_err(|_| KeystoreError::Secret)?;
        let digits = text.trim();
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let bytes = Zeroizing::new(hex::decode(digits).map_err(|_| KeystoreError::Secret)?);
        let key = SigningKey::from_slice(&bytes).map_err(|_| KeystoreError::Secret)?;
        self.add(id, binding, &key, passphrase)
    }

    fn add(
        &self,
        id: &str,
        binding: Binding,
        key: &SigningKey,
        passphrase: &Passphrase,
    ) -> Result<KeyEntry, KeystoreError> {
        if !is_name(id) {
            return Err(KeystoreError::Name { got: id.into() });
        }
        passphrase.check_length()?;
        let entry = KeyEntry {
            id: id.into(),
            address: address(key).to_string(),
            public_key: hex::encode(public_key(key).0),
            binding,
            first_signed: false,
        };
        self.index.update(|keys| {
            if keys.iter().any(|key| key.id == id) {
                return Err(KeystoreError::Exists { id: id.into() });
            }
            if let Some(other) = keys.iter().find(|key| key.address == entry.address) {
                return Err(KeystoreError::SameAddress { address: entry.address.clone(), id: other.id.clone() });
            }
            self.write_key(id, key, passphrase)?;
            failpoint("keys.written");
            keys.push(entry.clone());
            Ok(entry)
        })
    }

    fn key_path(&self, id: &str) -> PathBuf {
        self.dir().join(format!("{id}.json"))
    }

    /// Writes a key file that only we may read. It may be there without an index entry, from an attempt that did not
    /// end; that one is replaced, since nothing can have used it.
    fn write_key(&self, id: &str, key: &SigningKey, passphrase: &Passphrase) -> Result<(), KeystoreError> {
        let path = self.key_path(id);
        let _ = fs::remove_file(&path);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(KeystoreError::io("make", &path))?;
        let mut random = OsRandom { failure: None };
        let secret = Zeroizing::new(key.to_bytes().to_vec());
        let name = format!("{id}.json");
        eth_keystore::encrypt_key(self.dir(), &mut random, secret.as_slice(), passphrase.as_str(), Some(&name))
            .map_err(|error| KeystoreError::KeyFile { path: path.clone(), reason: error.to_string() })?;
        if let Some(reason) = random.failure {
            let _ = fs::remove_file(&path);
            return Err(KeystoreError::Randomness { reason });
        }
        let synced = fs::File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(KeystoreError::io("write", &path))?;
        check_private(&path)?;
        sync_dir(self.dir())
    }

    /// Opens a key.
    pub(super) fn open(&self, entry: &KeyEntry, passphrase: &Passphrase) -> Result<SigningKey, KeystoreError> {
        let path = self.key_path(&entry.id);
        check_key_file(&path)?;
        let opened = eth_keystore::decrypt_key(&path, passphrase.as_str()).map(Zeroizing::new);
        let secret = opened.map_err(|error| match error {
            eth_keystore::KeystoreError::MacMismatch => KeystoreError::WrongPassphrase { id: entry.id.clone() },
            other => KeystoreError::KeyFile { path: path.clone(), reason: other.to_string() },
        })?;
        let key = SigningKey::from_slice(&secret)
            .map_err(|_| KeystoreError::KeyFile { path, reason: "it holds no secp256k1 key".into() })?;
        let got = address(&key).to_string();
        if got != entry.address {
            return Err(KeystoreError::AddressMismatch { id: entry.id.clone(), got, expected: entry.address.clone() });
        }
        Ok(key)
    }

    /// Notes that a key has attested; durable when this returns.
    pub(super) fn mark_first_signed(&self, id: &str) -> Result<(), KeystoreError> {
        let unknown = || KeystoreError::Unknown { id: id.into(), path: self.dir().into() };
        self.index.update(|keys| {
            keys.iter_mut().find(|key| key.id == id).ok_or_else(unknown)?.first_signed = true;
            Ok(())
        })
    }

    /// Lets a key attest again although the memory of what it signed is lost. Journaled.
    ///
    /// # Errors
    /// No reason, no such attestor key, or the journal failed.
    pub fn reset_attestor(&self, id: &str, authority: &Authority, ledger: &Ledger) -> Result<(), KeystoreError> {
        authority.check()?;
        let entry = self.entry(id)?;
        if !matches!(entry.binding, Binding::Attestor { .. }) {
            let (bound, asked) = (entry.binding.to_string(), "attestations".into());
            return Err(KeystoreError::Purpose { id: id.into(), bound, asked });
        }
        let Authority { actor, reason } = authority.clone();
        let reset = AttestorReset { key: id.into(), actor, reason, at_seconds: platform::now().seconds() };
        Ok(ledger.record(vec![Record::AttestorReset(reset)])?)
    }

    /// Binds an attestor key to another light-client instance of the same chain, after a person set a new anchor.
    /// Journaled before it takes effect.
    ///
    /// # Errors
    /// No reason, no such attestor key, or the journal or the disk failed.
    pub fn rebind(
        &self,
        id: &str,
        instance: InstanceId,
        authority: &Authority,
        ledger: &Ledger,
    ) -> Result<(), KeystoreError> {
        authority.check()?;
        let entry = self.entry(id)?;
        let Binding::Attestor { chain, instance: old } = entry.binding else {
            let (bound, asked) = (entry.binding.to_string(), "attestations".into());
            return Err(KeystoreError::Purpose { id: id.into(), bound, asked });
        };
        let binding = Binding::attestor(&chain, instance);
        let details = [("key", id.into()), ("chain", chain), ("from", old), ("to", instance.digest().to_string())];
        let act = Act {
            actor: authority.actor.clone(),
            action: "keys rebind".into(),
            reason: authority.reason.clone(),
            details: details.map(|(name, value): (&str, String)| (name.into(), value)).into(),
            at_seconds: platform::now().seconds(),
        };
        ledger.record(vec![Record::Act(act)])?;
        self.index.update(|keys| {
            let unknown = || KeystoreError::Unknown { id: id.into(), path: self.dir().into() };
            keys.iter_mut().find(|key| key.id == id).ok_or_else(unknown)?.binding = binding;
            Ok(())
        })
    }
}

/// Refuses a key file that would make the library panic or work without end.
fn check_key_file(path: &Path) -> Result<(), KeystoreError> {
    check_private(path)?;
    let refuse = |reason: &str| KeystoreError::KeyFile { path: path.into(), reason: reason.into() };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(KeystoreError::io("read", path))?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(KeystoreError::io("read", path))?;
    let file: EthKeystore = serde_json::from_str(&text).map_err(|error| refuse(&error.to_string()))?;
    if file.version != 3 || file.crypto.cipher != "aes-128-ctr" {
        return Err(refuse("it is not version 3 with aes-128-ctr"));
    }
    if file.crypto.cipherparams.iv.len() != 16 || file.crypto.ciphertext.len() != 32 {
        return Err(refuse("its iv has not 16 bytes or its ciphertext not 32"));
    }
    let reasonable = match &file.crypto.kdfparams {
        KdfparamsType::Pbkdf2 { c, dklen, prf, .. } => {
            *dklen == 32 && (1..=PBKDF2_ROUNDS_MAX).contains(c) && prf == "hmac-sha256"
        }
        KdfparamsType::Scrypt { dklen, n, p, r, .. } => {
            let bounded = (2..=SCRYPT_N_MAX).contains(n) && n.is_power_of_two();
            *dklen == 32 && bounded && (1..=SCRYPT_P_MAX).contains(p) && (1..=SCRYPT_R_MAX).contains(r)
        }
    };
    if reasonable {
        Ok(())
    } else {
        Err(refuse("its key derivation parameters are out of bounds"))
    }
}

/// The EVM address of a key.
pub(super) fn address(key: &SigningKey) -> Address {
    let point = key.verifying_key().to_encoded_point(false);
    let hash = keccak256(&[point.as_bytes().get(1..).unwrap_or_default()]);
    let mut address = [0; 20];
    for (to, from) in address.iter_mut().zip(hash.0.iter().skip(12)) {
        *to = *from;
    }
    Address(address)
}

/// The compressed public key.
pub(super) fn public_key(key: &SigningKey) -> PublicKey {
    let point = key.verifying_key().to_encoded_point(true);
    PublicKey(point.as_bytes().try_into().unwrap_or([0; 33]))
}

/// The operating system's generator as the keystore library takes it. That interface cannot fail, so a failure is
/// kept, and what was made with it is thrown away.
struct OsRandom {
    failure: Option<String>,
}

impl RngCore for OsRandom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        if let Err(error) = platform::random(bytes) {
            self.failure = Some(error.to_string());
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for OsRandom {}
