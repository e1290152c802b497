//! Signing keys whose secrets are known.

use k256::ecdsa::SigningKey;
use thiserror::Error as ThisError;

use crate::crypto::secp256k1::address_of;
use crate::crypto::Address;

/// Why a header has not got a seal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ThisError)]
#[error("the key of {address} did not sign; please report this")]
pub struct SealError {
    /// Address of the key.
    pub address: Address,
}

impl SealError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "LC-SEA-001"
    }
}

/// A secp256k1 key whose secret is known to whoever asks: for devnets and tests only.
#[derive(Clone, Debug)]
pub struct Key {
    key: SigningKey,
    address: Address,
}

impl Key {
    /// The key with these secret bytes; `None` when they are zero or not below the order of the curve.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_slice(secret).ok()?;
        let point = key.verifying_key().to_encoded_point(false);
        // The 64 bytes after the tag.
        let address = address_of(point.as_bytes().get(1..)?.try_into().ok()?);
        Some(Self { key, address })
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Signs 32 bytes: r ‖ s ‖ v with low `s` and `v` 0 or 1. The nonce is that of RFC 6979, so it is repeatable.
    ///
    /// # Errors
    /// [`SealError`], which no digest of 32 bytes is known to cause.
    pub fn try_sign(&self, digest: &[u8; 32]) -> Result<[u8; 65], SealError> {
        let refused = |_| SealError { address: self.address };
        let (signature, id) = self.key.sign_prehash_recoverable(digest).map_err(refused)?;
        let mut out = [0; 65];
        let parts = signature.to_bytes();
        let bytes = parts.iter().copied().chain(core::iter::once(id.to_byte()));
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Ok(out)
    }
}
