//! The k256 backend: pure Rust, no std, for every target.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

use super::Recover;

/// Recovers through the k256 crate.
#[derive(Clone, Copy, Debug)]
pub struct PureRust;

impl Recover for PureRust {
    fn public_key(digest: &[u8; 32], signature: &[u8; 64], v: u8) -> Option<[u8; 64]> {
        let signature = Signature::from_slice(signature).ok()?;
        let id = RecoveryId::from_byte(v)?;
        let key = VerifyingKey::recover_from_prehash(digest, &signature, id).ok()?;
        let point = key.to_encoded_point(false);
        // An uncompressed point is 0x04 ‖ x ‖ y (SEC 1, section 2.3.3).
        point.as_bytes().get(1..)?.try_into().ok()
    }
}
