//! Hash and signature suites behind small functions and traits.
//!
//! The suites are those of the chains that are connected: keccak-256 and secp256k1 recovery for the EVM families.
//! A backend is chosen at compile time and never changes a verdict: k256 everywhere, or the C library on hosts with
//! std (feature `secp256k1-c`), and a differential test holds the two to the same answers.
//!
//! Nothing is cached here. A cache of recovered signers keyed on the signature alone has let a forged header through
//! in another client; whoever adds one must key it on the digest and the signature together, and bound it.

use core::fmt;

use sha3::{Digest, Keccak256};

use crate::verdict::Hash32;

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
}
