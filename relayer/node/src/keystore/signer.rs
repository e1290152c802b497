//! The signer over the keystore: it refuses what a key is not for, and remembers what it signed.
//!
//! Order of every signature: check the binding, read what is to be signed, compare with the journal's memory, journal
//! it durably, and only then sign. One signature of a key at a time, so that two threads cannot both pass the check.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catenary_api::{KeyId, PublicKey, Purpose, SignRequest, Signer};
use catenary_core::bugs::{self, Bug};
use catenary_core::record::{NonceReleased, Record, Replaces, SignedAttestation, SignedTx, StatementKind};
use catenary_light_clients::{Address, Hash32, InstanceId};
use catenary_protocol::attestation::{normalise, signing_digest, Statement};
use catenary_protocol::{limits, PacketAttestation, StateAttestation};
use k256::ecdsa::SigningKey;

use super::error::KeystoreError;
use super::index::{Binding, KeyEntry};
use super::keys::{address, public_key, Authority, Keystore};
use super::passphrase::Passphrase;
use crate::failpoint::failpoint;
use crate::platform;
use crate::store::{AttestorMemory, Ledger};

/// Most replacements of one transaction, whatever the configuration says: at an eighth more each, the last one costs six
/// times the first.
pub const REPLACEMENTS_MAX: u32 = 16;

struct HeldKey {
    entry: KeyEntry,
    secret: SigningKey,
    /// Whether the keystore notes that it has attested; held while the key signs.
    first_signed: Mutex<bool>,
}

/// Opened keys and the ledger that remembers what they signed.
pub struct KeystoreSigner {
    keystore: Keystore,
    keys: BTreeMap<String, HeldKey>,
    ledger: Arc<Ledger>,
}

impl fmt::Debug for KeystoreSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeystoreSigner").field("keys", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl KeystoreSigner {
    /// Opens the named keys.
    ///
    /// # Errors
    /// A key is missing, malformed or does not open.
    pub fn open(
        keystore: Keystore,
        ids: &[KeyId],
        passphrase: &Passphrase,
        ledger: Arc<Ledger>,
    ) -> Result<Self, KeystoreError> {
        let mut keys = BTreeMap::new();
        for KeyId(id) in ids {
            let entry = keystore.entry(id)?;
            let secret = keystore.open(&entry, passphrase)?;
            let first_signed = Mutex::new(entry.first_signed);
            keys.insert(id.clone(), HeldKey { entry, secret, first_signed });
        }
        Ok(Self { keystore, keys, ledger })
    }

    /// The same secrets with another ledger and keystore directory, as after a start of the process: opening a key file
    /// costs more than all else in a simulated start.
    ///
    /// # Errors
    /// The keystore lacks one of the keys.
    #[cfg(feature = "simulation")]
    pub fn reopened(&self, keystore: Keystore, ledger: Arc<Ledger>) -> Result<Self, KeystoreError> {
        let mut keys = BTreeMap::new();
        for (id, held) in &self.keys {
            let entry = keystore.entry(id)?;
            let first_signed = Mutex::new(entry.first_signed);
            keys.insert(id.clone(), HeldKey { entry, secret: held.secret.clone(), first_signed });
        }
        Ok(Self { keystore, keys, ledger })
    }

    fn held(&self, KeyId(id): &KeyId) -> Result<&HeldKey, KeystoreError> {
        let unknown = || KeystoreError::Unknown { id: id.clone(), path: self.keystore.dir().into() };
        self.keys.get(id).ok_or_else(unknown)
    }

    /// A handle that signs statements with one attestor key.
    ///
    /// # Errors
    /// No such key, or it is not an attestor's.
    pub fn attestor_key(self: &Arc<Self>, key: &KeyId) -> Result<AttestorKey, KeystoreError> {
        let held = self.held(key)?;
        if !matches!(held.entry.binding, Binding::Attestor { .. }) {
            return Err(held.refuse("attestations"));
        }
        Ok(AttestorKey { signer: Arc::clone(self), key: key.clone(), address: address(&held.secret) })
    }

    /// Signs a request; [`Signer::sign`] with the keystore's own errors.
    ///
    /// # Errors
    /// See [`Signer::sign`].
    pub fn try_sign(&self, request: &SignRequest) -> Result<[u8; 65], KeystoreError> {
        let held = self.held(&request.key)?;
        match &request.purpose {
            Purpose::Attestation { instance, statement, data } => {
                let signed = held.read_attestation(*instance, *statement, data)?;
                if signed.digest != request.digest {
                    let reason = format!("its digest is {}, the request says {}", signed.digest, request.digest);
                    return Err(KeystoreError::Attestation { id: held.entry.id.clone(), reason });
                }
                self.attest(held, signed)
            }
            Purpose::Transaction { chain, nonce } => self.sign_transaction(held, chain, *nonce, request.digest),
            Purpose::Replacement { chain, nonce } => self.sign_replacement(held, chain, *nonce, request.digest),
        }
    }

    fn attest(&self, held: &HeldKey, signed: SignedAttestation) -> Result<[u8; 65], KeystoreError> {
        let id = &held.entry.id;
        let mut first_signed = held.first_signed.lock().unwrap_or_else(PoisonError::into_inner);
        let remembers = match self.ledger.attestor_memory(id)? {
            AttestorMemory::Kept => true,
            AttestorMemory::None => !*first_signed,
            // A keystore may be older than the journal's backup and not know of any signature.
            AttestorMemory::Restored => false,
        };
        if !remembers {
            return Err(KeystoreError::NoMemory { id: id.clone() });
        }
        let digest = signed.digest;
        let known = match signed.statement {
            StatementKind::State => match self.ledger.signed_state(id, signed.height)? {
                Some(before) if before.digest != digest => {
                    return Err(KeystoreError::OtherState {
                        id: id.clone(),
                        height: signed.height,
                        signed: before.digest,
                        signed_seconds: before.timestamp_seconds.unwrap_or_default(),
                        asked: digest,
                    });
                }
                before => before.is_some(),
            },
            StatementKind::Packets => self.ledger.signed_packets(&signed)?,
        };
        if !known {
            self.ledger.record(vec![Record::SignedAttestation(signed)])?;
            failpoint("sign.attestation");
        }
        if !*first_signed {
            failpoint("sign.first");
            self.keystore.mark_first_signed(id)?;
            *first_signed = true;
        }
        held.sign(&digest)
    }

    fn sign_transaction(
        &self,
        held: &HeldKey,
        chain: &str,
        nonce: u64,
        digest: Hash32,
    ) -> Result<[u8; 65], KeystoreError> {
        let (id, _turn) = held.turn_on(chain)?;
        let remembered =
            if bugs::on(Bug::ForgetNonceMemory) { None } else { self.ledger.signed_tx(chain, id, nonce)? };
        match remembered {
            Some(before) if before.digest != digest => {
                let (id, chain) = (id.clone(), chain.into());
                return Err(KeystoreError::OtherTransaction { id, chain, nonce, signed: before.digest, asked: digest });
            }
            Some(_) => {}
            None if bugs::on(Bug::ForgetNonceMemory) => {}
            None => {
                let signed = SignedTx { key: id.clone(), chain: chain.into(), nonce, digest, replaces: None };
                self.ledger.record(vec![Record::SignedTx(signed)])?;
                failpoint("sign.transaction");
            }
        }
        held.sign(&digest)
    }

    /// The same transaction at a higher fee. The memory then holds the new digest and what it replaces, so the next one
    /// replaces this. Only what the journal knows to be on its way can be replaced: at most one of them is included.
    fn sign_replacement(
        &self,
        held: &HeldKey,
        chain: &str,
        nonce: u64,
        digest: Hash32,
    ) -> Result<[u8; 65], KeystoreError> {
        let (id, _turn) = held.turn_on(chain)?;
        let open = self.ledger.open_intents(chain)?;
        let under_way = open.iter().any(|intent| intent.key == *id && intent.nonce == nonce);
        let Some(before) = self.ledger.signed_tx(chain, id, nonce)?.filter(|_| under_way) else {
            return Err(KeystoreError::NothingToReplace { id: id.clone(), chain: chain.into(), nonce });
        };
        if before.digest != digest {
            let number = before.replaces.map_or(0, |replaces| replaces.number).saturating_add(1);
            if number > REPLACEMENTS_MAX {
                let (id, chain, max) = (id.clone(), chain.into(), REPLACEMENTS_MAX);
                return Err(KeystoreError::Replacements { id, chain, nonce, max });
            }
            let replaces = Some(Replaces { digest: before.digest, number });
            let signed = SignedTx { key: id.clone(), chain: chain.into(), nonce, digest, replaces };
            self.ledger.record(vec![Record::SignedTx(signed)])?;
        }
        held.sign(&digest)
    }

    /// Lets a key sign another transaction for a nonce: for when the chain shows the nonce unused and refused for good
    /// what was signed for it. Journaled.
    ///
    /// # Errors
    /// No reason, no such key, or the journal failed.
    pub fn release_nonce(
        &self,
        key: &KeyId,
        chain: &str,
        nonce: u64,
        authority: &Authority,
    ) -> Result<(), KeystoreError> {
        let held = self.held(key)?;
        if authority.reason.trim().is_empty() {
            return Err(KeystoreError::NoReason);
        }
        let _turn = held.first_signed.lock().unwrap_or_else(PoisonError::into_inner);
        let released = NonceReleased {
            key: held.entry.id.clone(),
            chain: chain.into(),
            nonce,
            reason: authority.reason.clone(),
            actor: authority.actor.clone(),
            at_seconds: platform::now().seconds(),
        };
        self.ledger.record(vec![Record::NonceReleased(released)])?;
        failpoint("sign.released");
        Ok(())
    }
}

impl HeldKey {
    /// What comes before every signature of a transaction: the key is bound to the chain, and signs nothing else meanwhile.
    fn turn_on(&self, chain: &str) -> Result<(&String, MutexGuard<'_, bool>), KeystoreError> {
        if !matches!(&self.entry.binding, Binding::Transactions { chain: bound } if bound == chain) {
            return Err(self.refuse(&format!("transactions on {chain}")));
        }
        Ok((&self.entry.id, self.first_signed.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn refuse(&self, asked: &str) -> KeystoreError {
        let (id, bound) = (self.entry.id.clone(), self.entry.binding.to_string());
        KeystoreError::Purpose { id, bound, asked: asked.into() }
    }

    /// Reads attested bytes, so that nothing is signed blindly.
    fn read_attestation(
        &self,
        instance: InstanceId,
        statement: Statement,
        data: &[u8],
    ) -> Result<SignedAttestation, KeystoreError> {
        if self.entry.binding.instance() != Some(instance.digest()) {
            return Err(self.refuse(&format!("attestations of light client {instance}")));
        }
        let malformed = |reason: String| KeystoreError::Attestation { id: self.entry.id.clone(), reason };
        let decoded = match statement {
            Statement::State => StateAttestation::decode(data)
                .map(|state| (state.height, StatementKind::State, Some(state.timestamp_seconds))),
            Statement::Packets => PacketAttestation::decode(data).and_then(|packets| {
                let (got, max) = (packets.entries.len(), limits::ATTESTED_PACKETS_MAX);
                let count = catenary_protocol::Error::Count { field: "attested packets", got, expected: max };
                if (1..=max).contains(&got) {
                    Ok((packets.height, StatementKind::Packets, None))
                } else {
                    Err(count)
                }
            }),
        };
        let (height, kind, timestamp_seconds) = decoded.map_err(|error| malformed(error.to_string()))?;
        Ok(SignedAttestation {
            key: self.entry.id.clone(),
            instance: instance.digest(),
            height,
            statement: kind,
            digest: signing_digest(statement, data),
            timestamp_seconds,
        })
    }

    fn sign(&self, digest: &Hash32) -> Result<[u8; 65], KeystoreError> {
        let failed = |reason: String| KeystoreError::Signing { id: self.entry.id.clone(), reason };
        let (signature, recovery) =
            self.secret.sign_prehash_recoverable(digest.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let mut bytes = [0; 65];
        let (rs, v) = bytes.split_at_mut(64);
        rs.copy_from_slice(&signature.to_bytes());
        v.copy_from_slice(&[recovery.to_byte()]);
        if recovery.is_x_reduced() {
            return Err(failed("its r was reduced, which no chain recovers".into()));
        }
        Ok(bytes)
    }
}

impl Signer for KeystoreSigner {
    fn public_key(&self, key: &KeyId) -> catenary_api::Result<PublicKey> {
        Ok(public_key(&self.held(key)?.secret))
    }

    fn sign(&self, request: &SignRequest) -> catenary_api::Result<[u8; 65]> {
        Ok(self.try_sign(request)?)
    }
}

/// One attestor key: signs statements and gives signatures as members exchange them, v 27 or 28.
#[derive(Clone, Debug)]
pub struct AttestorKey {
    signer: Arc<KeystoreSigner>,
    key: KeyId,
    address: Address,
}

impl AttestorKey {
    /// The address that on-chain clients know this attestor by.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Signs the time of a height. Idempotent.
    ///
    /// # Errors
    /// The key is bound to another light client, another time was signed for this height, or the memory of what was
    /// signed is missing.
    pub fn sign_state(&self, instance: InstanceId, statement: &StateAttestation) -> Result<[u8; 65], KeystoreError> {
        self.sign(instance, Statement::State, statement.encode())
    }

    /// Signs what paths hold at a height. Idempotent.
    ///
    /// # Errors
    /// The key is bound to another light client, or the memory of what was signed is missing.
    pub fn sign_packets(&self, instance: InstanceId, statement: &PacketAttestation) -> Result<[u8; 65], KeystoreError> {
        self.sign(instance, Statement::Packets, statement.encode())
    }

    fn sign(&self, instance: InstanceId, statement: Statement, data: Vec<u8>) -> Result<[u8; 65], KeystoreError> {
        let digest = signing_digest(statement, &data);
        let purpose = Purpose::Attestation { instance, statement, data };
        let signature = self.signer.try_sign(&SignRequest { key: self.key.clone(), digest, purpose })?;
        let failed = |error: catenary_protocol::Error| KeystoreError::Signing {
            id: self.key.0.clone(),
            reason: error.to_string(),
        };
        normalise(&signature).map_err(failed)
    }
}
