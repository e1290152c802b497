//! Hash and signature suites behind small functions and traits.
//!
//! The suites are those of the chains that are connected: keccak-256 and secp256k1 recovery for the EVM families;
//! BLAKE2b, XXH64 and ed25519 for Substrate.
//! A backend is chosen at compile time and never changes a verdict: k256 everywhere, or the C library on hosts with
//! std (feature `secp256k1-c`), and a differential test holds the two to the same answers.
//!
//! Nothing is cached here. A cache of recovered signers keyed on the signature alone has let a forged header through
//! in another client; whoever adds one must key it on the digest and the signature together, and bound it.

use core::fmt;

use sha3::{Digest, Keccak256};

use crate::verdict::Hash32;

#[cfg(feature = "grandpa")]
pub mod ed25519;
pub mod secp256k1;

/// Keccak-256 of the concatenated parts (the original Keccak padding that Ethereum uses, not FIPS 202).
#[must_use]
pub fn keccak256(parts: &[&[u8]]) -> Hash32 {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash32(hasher.finalize().into())
}

/// BLAKE2b with 32 bytes of output and no key (RFC 7693), of the concatenated parts.
#[cfg(feature = "grandpa")]
#[must_use]
pub fn blake2b_256(parts: &[&[u8]]) -> Hash32 {
    let mut state = blake2b_simd::Params::new().hash_length(32).to_state();
    for part in parts {
        state.update(part);
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(state.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
    Hash32(hash)
}

/// XXH64 with the seeds 0 and 1, little-endian, one after the other: how Substrate hashes the names of pallets and
/// items (sp-crypto-hashing `twox_128`). Not a cryptographic hash: for names only.
#[cfg(feature = "grandpa")]
#[must_use]
pub fn twox_128(name: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    let halves = [0, 1].into_iter().flat_map(|seed| twox_hash::XxHash64::oneshot(seed, name).to_le_bytes());
    hash.iter_mut().zip(halves).for_each(|(to, from)| *to = from);
    hash
}

/// A 20-byte account address of an EVM chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The address in a slice of exactly 20 bytes, else `None`.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Whether all bytes are zero: nobody holds the key of that address.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn keccak_is_the_one_of_ethereum_and_parts_are_concatenated() {
        // The code hash of an account without code (Yellow Paper, section 4.1).
        let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(keccak256(&[]).to_string(), empty);
        assert_eq!(keccak256(&[b""]).to_string(), empty);
        assert_eq!(keccak256(&[b"ab", b"c"]), keccak256(&[b"abc"]));
    }

    #[cfg(feature = "grandpa")]
    #[test]
    fn blake2b_and_twox_are_those_of_substrate() {
        // RFC 7693 gives the 64-byte form only; these are the widely published 32-byte hashes of "" and "abc".
        let empty = "0x0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
        assert_eq!(blake2b_256(&[]).to_string(), empty);
        let abc = "0xbddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
        assert_eq!(blake2b_256(&[b"ab", b"c"]).to_string(), abc);
        // Names as every explorer of Substrate chains shows them.
        assert_eq!(hex::encode(twox_128(b"System")), "26aa394eea5630e07c48ae0c9558cef7");
        assert_eq!(hex::encode(twox_128(b"Timestamp")), "f0c365c3cf59d671eb72da0e7a4113c4");
        assert_eq!(hex::encode(twox_128(b"Now")), "9f1f0515f462cdcf84e0f1d6045dfcbb");
    }
}
