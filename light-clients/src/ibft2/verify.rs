//! The constants that IBFT 2.0 demands beyond those that QBFT has as well
//! (`IbftBlockHeaderValidationRulesetFactory` of Besu).

use super::decode::Ibft2Form;
use crate::bft::{BftError, RawHeader};
use crate::verdict::Hash32;

/// Hash of an empty list of ommers: keccak-256 of the byte 0xc0 (Yellow Paper, section 4.4.3).
const NO_OMMERS: Hash32 = Hash32([
    0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a, 0xd3, 0x12, 0x45,
    0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
]);

/// Checks that a header has no ommers and a nonce of zero.
pub(super) fn check_constants(header: &RawHeader<'_, Ibft2Form>) -> Result<(), BftError> {
    if header.ommers_hash != NO_OMMERS {
        return Err(BftError::Ommers { got: header.ommers_hash, expected: NO_OMMERS });
    }
    if header.nonce != [0; 8] {
        return Err(BftError::Nonce { got: u64::from_be_bytes(header.nonce) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keccak256;

    #[test]
    fn no_ommers_are_an_empty_list() {
        assert_eq!(keccak256(&[&[0xc0]]), NO_OMMERS);
    }
}
