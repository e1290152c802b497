//! Account addresses: bech32 of RIPEMD-160 of SHA-256 of the public key (cosmos-sdk `crypto/keys/secp256k1`).

use bech32::{Bech32, Hrp};
use catenary_api::PublicKey;
use catenary_light_clients::Hash32;
use ripemd::{Digest, Ripemd160};

use crate::error::{Error, Result};

/// The address of a public key under a human-readable prefix.
///
/// # Errors
/// [`Error::PublicKey`] when the key does not have the shape of a compressed point, [`Error::Argument`] when the
/// prefix is none.
pub fn account_address(prefix: &str, key: &PublicKey) -> Result<String> {
    if !matches!(key.0.first(), Some(2 | 3)) {
        return Err(Error::PublicKey { got: hex::encode(key.0) });
    }
    encode(prefix, &Ripemd160::digest(Hash32::sha256(&[&key.0]).as_bytes()))
}

/// Bech32 of address bytes.
pub(crate) fn encode(prefix: &str, bytes: &[u8]) -> Result<String> {
    let wrong = |reason: String| Error::Argument { field: "address_prefix", got: prefix.to_owned(), reason };
    let hrp = Hrp::parse(prefix).map_err(|error| wrong(error.to_string()))?;
    bech32::encode::<Bech32>(hrp, bytes).map_err(|error| wrong(error.to_string()))
}

/// Whether the text is an address under the prefix, of 20 bytes (accounts) or 32 (modules and contracts).
pub(crate) fn check(field: &'static str, prefix: &str, text: &str) -> Result<()> {
    let wrong = |reason: String| Err(Error::Argument { field, got: text.to_owned(), reason });
    match bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text) {
        Err(error) => wrong(format!("no bech32 address: {error}")),
        Ok(parsed) if parsed.hrp().as_str() != prefix => {
            wrong(format!("prefix is {}, expected {prefix}", parsed.hrp().as_str()))
        }
        Ok(parsed) => match parsed.byte_iter().count() {
            20 | 32 => Ok(()),
            other => wrong(format!("{other} bytes, expected 20 or 32")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_other_chains_are_refused() {
        let good = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";
        assert_eq!(check("receiver", "cosmos", good), Ok(()));
        let rows = [
            ("osmo", good),
            ("cosmos", "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrq"),
            ("cosmos", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"),
            ("cosmos", ""),
            ("cosmos", "cosmos1"),
        ];
        for (prefix, text) in rows {
            assert!(matches!(check("receiver", prefix, text), Err(Error::Argument { .. })), "{prefix} {text}");
        }
    }

    #[test]
    fn a_key_that_is_no_point_has_no_address() {
        let mut bytes = [7; 33];
        assert!(matches!(account_address("cosmos", &PublicKey(bytes)), Err(Error::PublicKey { .. })));
        bytes[0] = 2;
        assert!(account_address("cosmos", &PublicKey(bytes)).is_ok_and(|address| address.starts_with("cosmos1")));
    }
}
