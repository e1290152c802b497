//! Accounts whose keys the tests know.

use k256::ecdsa::SigningKey;
use sha2::{Digest, Sha256};
use sha3::Keccak256;

/// 32 bytes derived from a name: the sha256 of it. For test keys only.
#[must_use]
pub fn seed_of(name: &str) -> [u8; 32] {
    Sha256::digest(name.as_bytes()).into()
}

/// A secp256k1 key with its address on both kinds of chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What the account is for.
    pub name: String,
    /// The private key.
    pub private_key: [u8; 32],
    /// Compressed public key, 33 bytes.
    pub public_key: [u8; 33],
    /// Address on EVM chains.
    pub evm_address: [u8; 20],
    /// Address on the ibc-go chain, `cosmos1…`.
    pub cosmos_address: String,
}

impl Account {
    /// The account of that name; the same name always gives the same key.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::from_key(name, seed_of(&format!("catenary account {name}")))
    }

    /// An account with a given key.
    ///
    /// # Panics
    /// When the bytes are not a secp256k1 private key.
    #[must_use]
    pub fn from_key(name: &str, private_key: [u8; 32]) -> Self {
        let key = SigningKey::from_slice(&private_key).expect("a secp256k1 private key");
        let point = key.verifying_key().to_encoded_point(true);
        let public_key: [u8; 33] = point.as_bytes().try_into().expect("a compressed point has 33 bytes");
        let cosmos_address = cosmos(&ripemd::Ripemd160::digest(Sha256::digest(public_key)));
        Self { name: name.to_owned(), private_key, public_key, evm_address: evm_address(&key), cosmos_address }
    }

    /// The EVM address as `0x` and lower-case hex.
    #[must_use]
    pub fn evm_hex(&self) -> String {
        format!("0x{}", hex::encode(self.evm_address))
    }

    /// What the examples and most tests use: a deployer, three relayers and four users.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        ["deployer", "relayer-0", "relayer-1", "relayer-2", "user-0", "user-1", "user-2", "user-3"]
            .map(Self::named)
            .to_vec()
    }
}

/// The account in which ibc-go's transfer module holds what went out over a client (ADR 028: the first 20 bytes of a sha256).
#[must_use]
pub fn escrow_address(client_id: &str) -> String {
    cosmos(&Sha256::digest([b"ics20-1\0transfer/", client_id.as_bytes()].concat())[..20])
}

fn cosmos(account_id: &[u8]) -> String {
    let prefix = bech32::Hrp::parse("cosmos").expect("a valid prefix");
    bech32::encode::<bech32::Bech32>(prefix, account_id).expect("20 bytes fit")
}

/// The last 20 bytes of the keccak of the uncompressed public key without its first byte.
fn evm_address(key: &SigningKey) -> [u8; 20] {
    let point = key.verifying_key().to_encoded_point(false);
    let hash = Keccak256::digest(&point.as_bytes()[1..]);
    hash[12..].try_into().expect("32 - 12 = 20 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_known_keys() {
        let one = Account::from_key("one", {
            let mut k = [0; 32];
            k[31] = 1;
            k
        });
        assert_eq!(one.evm_hex(), "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf");
        let user = Account::from_key("user", seed_of("catenary test user"));
        assert_eq!(user.cosmos_address, "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh");
    }

    #[test]
    fn escrow_addresses_are_those_of_the_module() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../vectors/ibc/escrows.json")).unwrap();
        for row in file["rows"].as_array().unwrap() {
            assert_eq!(escrow_address(row["client_id"].as_str().unwrap()), row["bech32"].as_str().unwrap());
        }
    }
}
