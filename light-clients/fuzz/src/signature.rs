//! Recovery of signers: one form a signature, and none for two digests.

use catenary_light_clients::crypto::secp256k1;
use catenary_light_clients::testing::keys;

/// Input: 32 bytes of digest, 65 of signature. What recovers has `v` 0 or 1, and recovers to somebody else, or to
/// nobody, with the other `v` or for another digest.
pub fn recover(input: &[u8]) {
    let Some((digest, rest)) = input.split_first_chunk::<32>() else { return };
    let Ok(signature) = <&[u8; 65]>::try_from(rest) else { return };
    let Ok(signer) = secp256k1::recover(digest, signature) else { return };
    assert!(signature[64] <= 1, "v is {}", signature[64]);
    assert!(signature[32] <= 0x7f, "s is in the lower half");
    let mut other = *signature;
    other[64] ^= 1;
    assert_ne!(secp256k1::recover(digest, &other), Ok(signer), "the other v is another key");
    let mut other = *digest;
    other[31] ^= 1;
    assert_ne!(secp256k1::recover(&other, signature), Ok(signer), "another digest is another key");
}

/// Signatures of a few keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let sign = |(n, key): (u8, catenary_light_clients::testing::Key)| [&[n; 32][..], &key.sign(&[n; 32])].concat();
    (0..).zip(keys(4)).map(sign).collect()
}
