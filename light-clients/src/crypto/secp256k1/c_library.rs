//! The libsecp256k1 backend, for hosts with std: several times faster.

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1};

use super::Recover;

/// Recovers through the C library.
#[derive(Clone, Copy, Debug)]
pub struct CLibrary;

impl Recover for CLibrary {
    fn public_key(digest: &[u8; 32], signature: &[u8; 64], v: u8) -> Option<[u8; 64]> {
        let id = RecoveryId::from_i32(i32::from(v)).ok()?;
        let signature = RecoverableSignature::from_compact(signature, id).ok()?;
        // A verification context has no secret tables to blind, so making one costs an allocation and keeps this
        // free of global state.
        let key = Secp256k1::verification_only().recover_ecdsa(&Message::from_digest(*digest), &signature).ok()?;
        // An uncompressed point is 0x04 ‖ x ‖ y (SEC 1, section 2.3.3).
        key.serialize_uncompressed().get(1..)?.try_into().ok()
    }
}
