//! Recovery of secp256k1 signers from a prehashed message.
//!
//! Policy, the same for both backends: `v` is 0 or 1 (a caller whose wire says 27 or 28 normalises it), `r` and `s`
//! are in `1..n`, and `s` is in the lower half (SEC 1 calls both halves valid; the higher one is refused so that a
//! signature has one form, EIP-2). `v` of 2 or 3, where `r` has wrapped around the group order, is refused: it
//! occurs by chance once in 2^127 signatures.

use crate::crypto::Address;
use crate::verdict::{Class, Coded};

#[cfg(feature = "secp256k1-c")]
mod c_library;
mod pure_rust;

#[cfg(feature = "secp256k1-c")]
pub use c_library::CLibrary;
pub use pure_rust::PureRust;

/// Bytes of a recoverable signature: r ‖ s ‖ v.
pub const SIGNATURE_BYTES: usize = 65;

/// Half of the group order, rounded down: the highest `s` that is accepted (SEC 2, section 2.4.1; EIP-2).
pub const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A way to recover signers. Implementations differ in speed only.
pub trait Recover {
    /// The 64 bytes (x ‖ y) of the key that made `signature` over `digest`; `v` is 0 or 1 and `s` low already.
    /// `None` when there is no such key.
    fn public_key(digest: &[u8; 32], signature: &[u8; 64], v: u8) -> Option<[u8; 64]>;
}

/// The backend that [`recover`] uses.
#[cfg(feature = "secp256k1-c")]
type Chosen = CLibrary;
/// The backend that [`recover`] uses.
#[cfg(not(feature = "secp256k1-c"))]
type Chosen = PureRust;

/// The address whose key made `signature` (r ‖ s ‖ v, `v` 0 or 1) over the 32 bytes of `digest`.
///
/// # Errors
/// [`SignatureError`] when the signature is not in the one accepted form, or nobody can have made it.
pub fn recover(digest: &[u8; 32], signature: &[u8; SIGNATURE_BYTES]) -> Result<Address, SignatureError> {
    recover_with::<Chosen>(digest, signature)
}

/// As [`recover`], with a backend of the caller's choice.
///
/// # Errors
/// As [`recover`].
pub fn recover_with<B: Recover>(
    digest: &[u8; 32],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<Address, SignatureError> {
    let (rs, v) = split(signature);
    if v > 1 {
        return Err(SignatureError::RecoveryId { v });
    }
    let s = rs.get(32..).unwrap_or_default();
    if s > HALF_ORDER.as_slice() {
        return Err(SignatureError::HighS);
    }
    let key = B::public_key(digest, &rs, v).ok_or(SignatureError::NoKey)?;
    Ok(address_of(&key))
}

/// The address of an uncompressed public key x ‖ y: the last 20 bytes of its keccak-256.
#[must_use]
pub fn address_of(public_key: &[u8; 64]) -> Address {
    let hash = crate::crypto::keccak256(&[public_key]);
    let mut address = [0; 20];
    address.iter_mut().zip(hash.0.iter().skip(12)).for_each(|(to, from)| *to = *from);
    Address(address)
}

/// r ‖ s and v.
fn split(signature: &[u8; SIGNATURE_BYTES]) -> ([u8; 64], u8) {
    let mut rs = [0; 64];
    rs.iter_mut().zip(signature).for_each(|(to, from)| *to = *from);
    let [.., v] = *signature;
    (rs, v)
}

/// Why a signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// `v` is neither 0 nor 1.
    #[error("recovery id {v} where 0 or 1 is expected")]
    RecoveryId {
        /// The last byte of the signature.
        v: u8,
    },
    /// `s` is in the upper half of the group order.
    #[error("s is in the upper half of the group order, so the signature is not in its one accepted form")]
    HighS,
    /// r or s is out of range, or no key can have made it.
    #[error("no key can have made this signature: r or s is zero or out of range, or r is not on the curve")]
    NoKey,
}

impl Coded for SignatureError {
    fn code(&self) -> &'static str {
        match self {
            Self::RecoveryId { .. } => "LC-SIG-001",
            Self::HighS => "LC-SIG-002",
            Self::NoKey => "LC-SIG-003",
        }
    }

    fn class(&self) -> Class {
        Class::Permanent
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use crate::testing::Key;

    /// The group order n (SEC 2, section 2.4.1).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];

    /// n - s, for malleated signatures.
    fn negate(s: &[u8]) -> [u8; 32] {
        let mut out = [0u8; 32];
        let mut borrow = 0i16;
        for i in (0..32).rev() {
            let mut digit = i16::from(ORDER[i]) - i16::from(s[i]) - borrow;
            borrow = i16::from(digit < 0);
            if digit < 0 {
                digit += 256;
            }
            out[i] = u8::try_from(digit).unwrap();
        }
        out
    }

    fn malleate(signature: &[u8; 65]) -> [u8; 65] {
        let mut other = *signature;
        other[32..64].copy_from_slice(&negate(&signature[32..64]));
        other[64] ^= 1;
        other
    }

    fn rsv(r: &[u8; 32], s: &[u8; 32], v: u8) -> [u8; 65] {
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(r);
        signature[32..64].copy_from_slice(s);
        signature[64] = v;
        signature
    }

    /// A digest, a signature, and what must become of it; `None` for an error of any kind or a stranger.
    type Case = ([u8; 32], [u8; 65], Result<Address, Option<SignatureError>>);

    /// Signatures of every kind with what must become of them.
    fn cases() -> std::vec::Vec<Case> {
        let mut one = [0u8; 32];
        one[31] = 1;
        let mut cases = std::vec::Vec::new();
        for i in 0..40u8 {
            let key = Key::new(u64::from(i));
            let digest = crate::crypto::keccak256(&[&[i]]).0;
            let signature = key.sign(&digest);
            cases.push((digest, signature, Ok(key.address())));
            cases.push((digest, malleate(&signature), Err(Some(SignatureError::HighS))));
            for v in [2u8, 3, 27, 28, 255] {
                let mut other = signature;
                other[64] = v;
                cases.push((digest, other, Err(Some(SignatureError::RecoveryId { v }))));
            }
            // `None` as the error: any outcome, so long as both backends agree and it is not the signer.
            let mut other = signature;
            other[64] ^= 1;
            cases.push((digest, other, Err(None)));
            let mut other = signature;
            other[usize::from(i) % 64] ^= 1 << (i % 8);
            cases.push((digest, other, Err(None)));
        }
        let low = HALF_ORDER;
        for (r, s) in
            [([0; 32], [0; 32]), ([0; 32], one), (one, [0; 32]), (ORDER, one), ([0xff; 32], one), (ORDER, low)]
        {
            cases.push(([7; 32], rsv(&r, &s, 0), Err(Some(SignatureError::NoKey))));
        }
        let mut above = HALF_ORDER;
        above[31] += 1;
        cases.push(([7; 32], rsv(&one, &above, 0), Err(Some(SignatureError::HighS))));
        cases.push(([7; 32], rsv(&one, &ORDER, 0), Err(Some(SignatureError::HighS))));
        cases.push(([7; 32], rsv(&one, &[0xff; 32], 0), Err(Some(SignatureError::HighS))));
        // The highest s that is low, and a digest of zero: fine as far as the form goes.
        cases.push(([7; 32], rsv(&one, &HALF_ORDER, 0), Err(None)));
        cases.push(([0; 32], rsv(&one, &one, 1), Err(None)));
        cases
    }

    fn check<B: Recover>() {
        let signers: std::vec::Vec<Address> = (0..40).map(|i| Key::new(i).address()).collect();
        for (digest, signature, expect) in cases() {
            let got = recover_with::<B>(&digest, &signature);
            match expect {
                Ok(address) => assert_eq!(got, Ok(address)),
                Err(Some(error)) => assert_eq!(got, Err(error)),
                Err(None) => assert!(got.is_ok_and(|a| !signers.contains(&a)) || got.is_err()),
            }
        }
    }

    #[test]
    fn the_one_accepted_form_recovers_its_signer_and_no_other_form_does() {
        check::<PureRust>();
    }

    #[test]
    fn the_highest_low_s_is_within_the_policy() {
        let mut one = [0u8; 32];
        one[31] = 1;
        assert!(recover(&[7; 32], &rsv(&one, &HALF_ORDER, 0)).is_ok());
    }

    #[cfg(feature = "secp256k1-c")]
    #[test]
    fn both_backends_give_the_same_verdict() {
        check::<CLibrary>();
        for (digest, signature, _) in cases() {
            assert_eq!(
                recover_with::<CLibrary>(&digest, &signature),
                recover_with::<PureRust>(&digest, &signature),
                "{signature:?}"
            );
        }
    }
}
