//! Signing keys made of numbers. Anybody can make them: for tests only.

use alloc::vec::Vec;

use crate::crypto::keccak256;
use crate::sealing::Key;

impl Key {
    /// The key of number `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let secret = keccak256(&[b"catenary test key", &seed.to_be_bytes()]);
        Self::from_secret(&secret.0).expect("a hash is a valid scalar but for one in 2^127")
    }

    /// As [`Key::try_sign`], which does not fail.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 65] {
        self.try_sign(digest).expect("a 32-byte digest can be signed")
    }
}

/// The first `count` keys, in the ascending order of their addresses, as QBFT orders validators.
#[must_use]
pub fn keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count as u64).map(Key::new).collect();
    keys.sort_by_key(Key::address);
    keys
}
