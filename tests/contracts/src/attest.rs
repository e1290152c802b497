//! Attestors: their keys, what they sign, and the envelopes that carry it.

use alloy_primitives::{keccak256, Address, Bytes, B256, U256};
use alloy_sol_types::SolValue;
use k256::ecdsa::SigningKey;
use sha2::{Digest, Sha256};

use crate::abi::{AttestationProof, PacketAttestation, PacketCompact};

/// First byte of what is signed for a state.
pub const TAG_STATE: u8 = 1;
/// First byte of what is signed for packets.
pub const TAG_PACKETS: u8 = 2;

/// Order of the curve, big endian, for turning a signature into its twin.
const CURVE_ORDER: U256 = U256::from_be_bytes([
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
]);

/// One attestor.
#[derive(Debug, Clone)]
pub struct Attestor {
    key: SigningKey,
    /// The address of its key.
    pub address: Address,
}

impl Attestor {
    /// The attestor of a fixed key.
    #[must_use]
    pub fn new(seed: u8) -> Self {
        let mut secret = [0u8; 32];
        secret[31] = seed;
        let key = SigningKey::from_slice(&secret).expect("a small number is a key");
        let point = key.verifying_key().to_encoded_point(false);
        let address = Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..]);
        Self { key, address }
    }

    /// Signs attested bytes: r, s, v with v 27 or 28 and low s.
    #[must_use]
    pub fn sign(&self, tag: u8, data: &[u8]) -> Vec<u8> {
        let (signature, recovery) =
            self.key.sign_prehash_recoverable(&tagged_digest(tag, data)).expect("a digest can be signed");
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        bytes
    }
}

/// sha256(tag ‖ sha256(data)).
#[must_use]
pub fn tagged_digest(tag: u8, data: &[u8]) -> [u8; 32] {
    let inner = Sha256::digest(data);
    Sha256::new().chain_update([tag]).chain_update(inner).finalize().into()
}

/// The other signature with the same meaning: s in the high half and v flipped.
#[must_use]
pub fn malleate(signature: &[u8]) -> Vec<u8> {
    let mut twin = signature.to_vec();
    let s = U256::from_be_slice(&signature[32..64]);
    twin[32..64].copy_from_slice(&(CURVE_ORDER - s).to_be_bytes::<32>());
    twin[64] = if signature[64] == 27 { 28 } else { 27 };
    twin
}

/// Attested bytes of a state.
#[must_use]
pub fn state_data(height: u64, timestamp_seconds: u64) -> Vec<u8> {
    (height, timestamp_seconds).abi_encode_params()
}

/// Attested bytes of packets: pairs of path and commitment, zero for what is absent.
#[must_use]
pub fn packets_data(height: u64, entries: &[(Vec<u8>, B256)]) -> Vec<u8> {
    let packets =
        entries.iter().map(|(path, commitment)| PacketCompact { path: keccak256(path), commitment: *commitment });
    PacketAttestation { height, packets: packets.collect() }.abi_encode()
}

/// The envelope of attested bytes and signatures, as EVM clients take it.
#[must_use]
pub fn envelope(data: &[u8], signatures: Vec<Vec<u8>>) -> Bytes {
    AttestationProof {
        attestationData: data.to_vec().into(),
        signatures: signatures.into_iter().map(Bytes::from).collect(),
    }
    .abi_encode()
    .into()
}

/// A set of attestors that sign for one chain.
#[derive(Debug, Clone)]
pub struct Quorum {
    /// The attestors, in the order of the client's list.
    pub attestors: Vec<Attestor>,
    /// How many must sign.
    pub threshold: u8,
}

impl Quorum {
    /// `threshold` of `count` attestors with the keys that follow `first_seed`.
    #[must_use]
    pub fn new(first_seed: u8, count: u8, threshold: u8) -> Self {
        let attestors = (0..count).map(|i| Attestor::new(first_seed + i)).collect();
        Self { attestors, threshold }
    }

    /// Their addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.attestors.iter().map(|attestor| attestor.address).collect()
    }

    /// The first `threshold` of them sign.
    #[must_use]
    pub fn sign(&self, tag: u8, data: &[u8]) -> Bytes {
        let signers = self.attestors.iter().take(usize::from(self.threshold));
        envelope(data, signers.map(|attestor| attestor.sign(tag, data)).collect())
    }

    /// A signed state.
    #[must_use]
    pub fn sign_state(&self, height: u64, timestamp_seconds: u64) -> Bytes {
        self.sign(TAG_STATE, &state_data(height, timestamp_seconds))
    }

    /// Signed packets.
    #[must_use]
    pub fn sign_packets(&self, height: u64, entries: &[(Vec<u8>, B256)]) -> Bytes {
        self.sign(TAG_PACKETS, &packets_data(height, entries))
    }
}
