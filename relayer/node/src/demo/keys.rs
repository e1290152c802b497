//! The keys of the demo: each follows from the seed and its name, and so do the payment references. They are worth
//! nothing, since the networks that know them end with the process.

use sha2::{Digest, Sha256};

/// Secret of a key, as the keystore imports it: 64 hex digits.
pub(super) fn secret(seed: u64, name: &str) -> String {
    hex::encode(digest(seed, "key", name))
}

/// The payment reference of the n-th transfer: a UUID of version 4 (RFC 9562), as a UETR is one.
pub(super) fn uetr(seed: u64, number: u64) -> String {
    let mut bytes = digest(seed, "uetr", &number.to_string());
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(&bytes[..16]);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn digest(seed: u64, what: &str, name: &str) -> [u8; 32] {
    Sha256::digest(format!("catenary demo {what} {seed} {name}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_seed_and_name_and_nothing_else() {
        assert_eq!(secret(1, "alpha"), secret(1, "alpha"));
        assert_eq!(secret(1, "alpha").len(), 64);
        assert_ne!(secret(1, "alpha"), secret(2, "alpha"));
        assert_ne!(secret(1, "alpha"), secret(1, "beta"));
        assert_eq!(secret(7, "customer-evm"), "f5a6c9c9810772c890a658740aec3473d3c278c93b6d663eb4ea447bfe5bc76b");
    }

    #[test]
    fn payment_references_are_uuids_of_version_4() {
        for number in 0..200 {
            let uetr = uetr(3, number);
            let lengths: Vec<usize> = uetr.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{uetr}");
            assert_eq!(&uetr[14..15], "4", "{uetr}");
            assert!(matches!(&uetr[19..20], "8" | "9" | "a" | "b"), "{uetr}");
        }
        assert_eq!(uetr(3, 5), uetr(3, 5));
        assert_ne!(uetr(3, 5), uetr(3, 6));
        assert_ne!(uetr(3, 5), uetr(4, 5));
    }
}
