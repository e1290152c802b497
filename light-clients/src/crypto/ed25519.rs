//! ed25519 by the rules of ZIP-215, one signature or many.
//!
//! Substrate verifies with `ed25519-zebra` (sp-core `ed25519`), and so does this module: by ZIP-215 every verifier gives
//! every signature the same verdict, alone or in a batch, points of small order and odd encodings included. Stricter or
//! looser rules would part us from the chain's own nodes (GR-13).
//!
//! # A batch without randomness
//!
//! A batch of signatures holds when a sum of their equations holds, each with a factor that whoever made the signatures
//! could not know; else wrong ones could be made that cancel one another. The usual source of the factors is a random
//! number generator, which this crate has none of. Here they are a function of all that is checked: the keys, the
//! signatures and the messages are hashed together, and the hash is stretched into one factor of 128 bits a signature.
//! To change a signature is to change all factors, so a forger is left with trying: each try, which costs it a hash of
//! the whole batch, makes a wrong batch pass with a chance of 2^-128, no better than guessing a key. (It is the
//! transformation of Fiat and Shamir; `ed25519-dalek` calls the same thing `batch_deterministic`.)
//!
//! A batch that does not hold is checked one by one, so that the first wrong signature has a name; that verdict counts.

use alloc::vec::Vec;

use ed25519_zebra::{batch, Signature, VerificationKey, VerificationKeyBytes};
use rand_core::{CryptoRng, RngCore};

use super::blake2b_256;
use crate::verdict::Hash32;

/// One signature to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// Public key.
    pub key: &'a [u8; 32],
    /// Signature.
    pub signature: &'a [u8; 64],
    /// Signed bytes.
    pub message: &'a [u8],
}

impl Check<'_> {
    /// Whether the signature holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        VerificationKey::try_from(*self.key)
            .is_ok_and(|key| key.verify(&Signature::from_bytes(self.signature), self.message).is_ok())
    }
}

/// Checks signatures together, which takes less than half the time.
///
/// # Errors
/// The position of the first one that does not hold.
pub fn check_all(checks: &[Check<'_>]) -> Result<(), usize> {
    if checks.len() > 1 {
        let mut batch = batch::Verifier::new();
        for check in checks {
            let key = VerificationKeyBytes::from(*check.key);
            batch.queue((key, Signature::from_bytes(check.signature), check.message));
        }
        if batch.verify(Factors::of(checks)).is_ok() {
            return Ok(());
        }
    }
    checks.iter().position(|check| !check.holds()).map_or(Ok(()), Err)
}

/// The factors of a batch: a stream of bytes that follows from what is checked and from nothing else.
#[derive(Debug)]
struct Factors {
    seed: Hash32,
    block: u64,
    unused: Vec<u8>,
}

impl Factors {
    fn of(checks: &[Check<'_>]) -> Self {
        let lengths: Vec<[u8; 8]> = checks.iter().map(|check| (check.message.len() as u64).to_le_bytes()).collect();
        let count = (checks.len() as u64).to_le_bytes();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(checks.len().saturating_mul(4).saturating_add(2));
        parts.extend([b"catenary/ed25519 batch/1".as_slice(), &count]);
        for (check, length) in checks.iter().zip(&lengths) {
            parts.extend([check.key.as_slice(), check.signature, length, check.message]);
        }
        Self { seed: blake2b_256(&parts), block: 0, unused: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if let Some(byte) = self.unused.pop() {
            return byte;
        }
        self.block = self.block.wrapping_add(1);
        self.unused.extend_from_slice(blake2b_256(&[self.seed.as_bytes(), &self.block.to_le_bytes()]).as_bytes());
        self.unused.pop().unwrap_or_default()
    }
}

impl RngCore for Factors {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.iter_mut().for_each(|to| *to = self.byte());
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

// As hard to foresee as BLAKE2b is: see the module's doc.
impl CryptoRng for Factors {}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use ed25519_zebra::SigningKey;

    /// Keys, signatures and messages of different lengths.
    fn signed(count: u8) -> Vec<([u8; 32], [u8; 64], Vec<u8>)> {
        let one = |n: u8| {
            let key = SigningKey::from([n.wrapping_add(1); 32]);
            let message = alloc::vec![n; usize::from(n)];
            (<[u8; 32]>::from(VerificationKey::from(&key)), key.sign(&message).to_bytes(), message)
        };
        (0..count).map(one).collect()
    }

    fn checks(signed: &[([u8; 32], [u8; 64], Vec<u8>)]) -> Vec<Check<'_>> {
        signed.iter().map(|(key, signature, message)| Check { key, signature, message }).collect()
    }

    #[test]
    fn signatures_hold_together_and_the_first_wrong_one_is_named() {
        for count in [0, 1, 2, 3, 20] {
            let good = signed(count);
            assert_eq!(check_all(&checks(&good)), Ok(()), "{count}");
            for wrong in 0..usize::from(count) {
                let mut signature = good.clone();
                signature[wrong].1[40] ^= 1;
                assert_eq!(check_all(&checks(&signature)), Err(wrong), "signature {wrong} of {count}");
                let mut message = good.clone();
                message[wrong].2.push(0);
                assert_eq!(check_all(&checks(&message)), Err(wrong), "message {wrong} of {count}");
                let mut key = good.clone();
                key[wrong].0 = [7; 32];
                assert_eq!(check_all(&checks(&key)), Err(wrong), "key {wrong} of {count}");
            }
        }
    }

    /// Two signatures whose errors are opposite would cancel in a sum with equal factors.
    #[test]
    fn errors_that_cancel_in_a_plain_sum_do_not_pass() {
        let mut two = signed(3)[1..].to_vec();
        // s + 1 and s - 1: the sum of both is the same.
        let carry = |signature: &mut [u8; 64], up: bool| {
            let s: [u8; 16] = signature[32..48].try_into().unwrap();
            let s = u128::from_le_bytes(s);
            let changed = if up { s.checked_add(1).unwrap() } else { s.checked_sub(1).unwrap() };
            signature[32..48].copy_from_slice(&changed.to_le_bytes());
        };
        carry(&mut two[0].1, true);
        carry(&mut two[1].1, false);
        assert_eq!(check_all(&checks(&two)), Err(0));
    }

    #[test]
    fn factors_follow_from_everything_that_is_checked() {
        let good = signed(4);
        let stream = |signed: &[([u8; 32], [u8; 64], Vec<u8>)]| {
            let mut bytes = [0; 100];
            Factors::of(&checks(signed)).fill_bytes(&mut bytes);
            bytes
        };
        assert_eq!(stream(&good), stream(&good), "repeatable");
        for position in 0..4 {
            for part in 0..3 {
                let mut other = good.clone();
                match part {
                    0 => other[position].0[0] ^= 1,
                    1 => other[position].1[63] ^= 1,
                    _ => other[position].2.push(0),
                }
                assert_ne!(stream(&good), stream(&other), "part {part} of {position}");
            }
        }
        assert_ne!(stream(&good), stream(&good[..3]));
        // The same bytes cut at other places.
        let (mut a, mut b) = (good.clone(), good.clone());
        a[1].2 = alloc::vec![9; 64];
        b[1].2 = alloc::vec![9; 63];
        assert_ne!(stream(&a), stream(&b));
        let mut numbers = Factors::of(&checks(&good));
        assert_ne!(numbers.next_u64(), u64::from(numbers.next_u32()), "{numbers:?}");
        let mut bytes = [0; 8];
        assert!(numbers.try_fill_bytes(&mut bytes).is_ok() && bytes != [0; 8]);
    }

    /// ZIP-215: a key of small order with a signature of small order holds for every message, alone and in a batch.
    #[test]
    fn points_of_small_order_are_judged_as_by_the_chain() {
        // The identity, and a signature R = identity, s = 0.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let odd = Check { key: &identity, signature: &signature, message: b"anything" };
        assert!(odd.holds());
        let good = signed(3);
        let mut batch = checks(&good);
        batch.push(odd);
        assert_eq!(check_all(&batch), Ok(()));
        // s = the order of the group: the same number, written otherwise. Refused, alone and in a batch.
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut large = signature;
        large[32..].copy_from_slice(&order);
        let large = Check { key: &identity, signature: &large, message: b"anything" };
        assert!(!large.holds());
        batch[3] = large;
        assert_eq!(check_all(&batch), Err(3));
    }
}
