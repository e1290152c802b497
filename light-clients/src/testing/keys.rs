//! Signing keys whose secrets are public.

use alloc::vec::Vec;

use k256::ecdsa::SigningKey;

use crate::crypto::secp256k1::address_of;
use crate::crypto::{keccak256, Address};

/// A secp256k1 key made of a number. Anybody can make it: for tests only.
#[derive(Clone, Debug)]
pub struct Key(SigningKey);

impl Key {
    /// The key of number `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let secret = keccak256(&[b"catenary test key", &seed.to_be_bytes()]);
        Self(SigningKey::from_slice(&secret.0).expect("a hash is a valid scalar but for one in 2^127"))
    }

    /// The key with these secret bytes; `None` when they are zero or not below the order of the curve.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(secret).ok().map(Self)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        let point = self.0.verifying_key().to_encoded_point(false);
        address_of(point.as_bytes()[1..].try_into().expect("64 bytes follow the tag"))
    }

    /// Signs 32 bytes: r ‖ s ‖ v with low `s` and `v` 0 or 1. The nonce is that of RFC 6979, so it is repeatable.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        let (signature, id) = self.0.sign_prehash_recoverable(digest).expect("a 32-byte digest can be signed");
        let mut out = [0; 65];
        out[..64].copy_from_slice(&signature.to_bytes());
        out[64] = id.to_byte();
        out
    }
}

/// The first `count` keys, in the ascending order of their addresses, as QBFT orders validators.
#[must_use]
pub fn keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count as u64).map(Key::new).collect();
    keys.sort_by_key(Key::address);
    keys
}
