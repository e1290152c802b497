//! Encrypted keys, what each is bound to, and the signer that remembers.
//!
//! A key has one purpose for life: attestations of one chain instance, or transactions on one chain. The signed bytes
//! of an attestation carry no chain id, so a key that attested two chains could be replayed from one to the other.
//! Secrets are wiped when dropped and appear in no error, log or debug output; passphrases come from a variable or a
//! file.
//!
//! What an attacker can grow: nothing; keys are made by people, at most [`KEYS_MAX`].

mod error;
mod index;
mod keys;
mod passphrase;
mod signer;
#[cfg(test)]
mod tests;

pub use error::KeystoreError;
pub use index::{Binding, KeyEntry, KEYS_MAX};
pub use keys::{Authority, Keystore};
pub use passphrase::{Passphrase, PassphraseSource, PASSPHRASE_BYTES_MIN};
pub use signer::{AttestorKey, KeystoreSigner, REPLACEMENTS_MAX};
