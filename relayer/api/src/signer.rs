//! The signer: signs digests and remembers what it signed.

use catenary_light_clients::{Hash32, InstanceId};
use catenary_protocol::attestation::Statement;

use crate::error::Result;

/// Name of a key in the keystore.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct KeyId(pub String);

/// A compressed secp256k1 public key (SEC 1, 33 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct PublicKey(pub [u8; 33]);

/// What a signature is for. A signer refuses a purpose that the key is not bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A state or packet attestation about the chain that this light client follows. The signer decodes the
    /// attested bytes and computes the digest again: it signs nothing that it cannot read.
    Attestation {
        /// Light client that verified it.
        instance: InstanceId,
        /// What the bytes state.
        statement: Statement,
        /// The attested bytes.
        data: Vec<u8>,
    },
    /// A transaction on the named chain, with its nonce.
    Transaction {
        /// Chain's name in the config.
        chain: String,
        /// Nonce or sequence: a second, different digest for it is refused.
        nonce: u64,
    },
    /// The transaction that waits for its nonce, at a higher fee: the one way to a second digest for a nonce. Whoever
    /// asks has made it from the bytes of the first, so that only one of the two can take effect, and both do the same.
    Replacement {
        /// Chain's name in the config.
        chain: String,
        /// Nonce: something must have been signed for it and be on its way.
        nonce: u64,
    },
}

/// A request to sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignRequest {
    /// Key.
    pub key: KeyId,
    /// Digest.
    pub digest: Hash32,
    /// What it is for.
    pub purpose: Purpose,
}

/// Holds keys, or reaches what holds them.
///
/// `sign` is idempotent: the same request gives a signature of the same digest. It journals what it signs before it
/// answers, and refuses when it cannot.
pub trait Signer: Send + Sync {
    /// Public key of a key id.
    ///
    /// # Errors
    /// No such key.
    fn public_key(&self, key: &KeyId) -> Result<PublicKey>;

    /// A 65-byte recoverable signature `r‖s‖v` with low s and v 0 or 1.
    ///
    /// # Errors
    /// No such key, the key is not bound to the purpose, or it signed something else for the same nonce.
    fn sign(&self, request: &SignRequest) -> Result<[u8; 65]>;
}
