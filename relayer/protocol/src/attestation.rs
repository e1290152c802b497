//! Attestations: what members sign, byte for byte the same on ibc-go v11 and on EVM.
//!
//! State: `abi.encode(uint64 height, uint64 timestamp_seconds)`. Packets: `abi.encode(tuple(uint64 height,
//! tuple(bytes32 path, bytes32 commitment)[]))` with `path = keccak256(path bytes)` and commitment zero for absent.
//! A signature is 65 bytes `r‖s‖v` over `sha256(tag ‖ sha256(data))`; tag 0x01 for state, 0x02 for packets.
//!
//! State and packet statements are made from verified facts only: [`StateAttestation::of`] takes a verified header
//! and the packet entries take verified packets, acks and absences.

use alloc::{collections::BTreeSet, format, vec::Vec};

use alloy_sol_types::SolValue;
use catenary_light_clients::crypto::secp256k1;
use catenary_light_clients::{Absence, Hash32, Header, Membership, Verified};
use sha3::{Digest, Keccak256};

use crate::abi::{decode_strict, hex, AbiPackets, AbiPathCommitment, AbiProof, AbiState};
use crate::error::Error;
use crate::limits;
use crate::path::Path;
use crate::verified::{VerifiedAck, VerifiedPacket};

/// A 20-byte Ethereum-style address of an attestor.
pub type Address = [u8; 20];

/// What a signature is about; the tag separates the two so that neither can be replayed as the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Statement {
    /// A state attestation.
    State = 0x01,
    /// A packet attestation.
    Packets = 0x02,
}

/// The digest that attestors sign: `sha256(tag ‖ sha256(data))`.
#[must_use]
pub fn signing_digest(statement: Statement, data: &[u8]) -> Hash32 {
    let inner = Hash32::sha256(&[data]);
    Hash32::sha256(&[&[statement as u8], inner.as_bytes()])
}

/// Keccak-256 of a path, as attested and as the Solidity router keys its commitments.
#[must_use]
pub fn path_key(path: &Path) -> Hash32 {
    Hash32(Keccak256::digest(path.as_bytes()).into())
}

/// The statement "block `height` has this time".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateAttestation {
    /// Height of the attested state.
    pub height: u64,
    /// Time of that height's header, in whole seconds, rounded down.
    pub timestamp_seconds: u64,
}

impl StateAttestation {
    /// The statement about a verified header. Client creation and updates both use it, so that an on-chain client
    /// never sees two times for one height.
    #[must_use]
    pub fn of(header: &Verified<Header>) -> Self {
        Self { height: header.height, timestamp_seconds: header.timestamp.seconds() }
    }

    /// The attested bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        AbiState { height: self.height, timestampSeconds: self.timestamp_seconds }.abi_encode()
    }

    /// The statement in attested bytes.
    ///
    /// # Errors
    /// Undecodable or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let state = decode_strict::<AbiState>("state attestation", bytes)?;
        Ok(Self { height: state.height, timestamp_seconds: state.timestampSeconds })
    }
}

/// One path and what it holds; zero means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathCommitment {
    /// `keccak256(path bytes)`.
    pub path: Hash32,
    /// The commitment, or zero for absent.
    pub commitment: Hash32,
}

impl PathCommitment {
    /// The commitment of a verified packet.
    #[must_use]
    pub fn of_packet(packet: &VerifiedPacket) -> Self {
        let packet = packet.packet();
        Self { path: path_key(&packet.commitment_path()), commitment: packet.commitment() }
    }

    /// The commitment of a verified acknowledgement.
    #[must_use]
    pub fn of_ack(ack: &VerifiedAck) -> Self {
        Self { path: path_key(&ack.packet().ack_path()), commitment: ack.acknowledgement().commitment() }
    }

    /// Whatever commitment is proven at a path; `None` when the value is not a commitment of 32 bytes, or is zero,
    /// which would say "absent".
    #[must_use]
    pub fn of_membership(membership: &Verified<Membership>) -> Option<Self> {
        let commitment = Hash32::from_slice(&membership.value)?;
        let path = Hash32(Keccak256::digest(&membership.path).into());
        (commitment != Hash32([0; 32])).then_some(Self { path, commitment })
    }

    /// The zero of a verified absence.
    #[must_use]
    pub fn of_absence(absence: &Verified<Absence>) -> Self {
        Self { path: Hash32(Keccak256::digest(&absence.path).into()), commitment: Hash32([0; 32]) }
    }
}

/// The statement "after block `height` these paths hold these commitments".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketAttestation {
    /// Height of the state.
    pub height: u64,
    /// Paths and commitments, in request order.
    pub entries: Vec<PathCommitment>,
}

impl PacketAttestation {
    /// The attested bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let packets = self
            .entries
            .iter()
            .map(|entry| AbiPathCommitment { path: entry.path.0.into(), commitment: entry.commitment.0.into() })
            .collect();
        AbiPackets { height: self.height, packets }.abi_encode()
    }

    /// The statement in attested bytes.
    ///
    /// # Errors
    /// Over the bound, undecodable or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > limits::ATTESTED_BYTES_MAX {
            let (got, max) = (bytes.len(), limits::ATTESTED_BYTES_MAX);
            return Err(Error::Length { field: "packet attestation", got, min: 0, max });
        }
        let packets = decode_strict::<AbiPackets>("packet attestation", bytes)?;
        let entries = packets
            .packets
            .into_iter()
            .map(|entry| PathCommitment { path: Hash32(entry.path.0), commitment: Hash32(entry.commitment.0) })
            .collect();
        Ok(Self { height: packets.height, entries })
    }
}

/// Attested bytes and the members' signatures over them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestationProof {
    /// The attested bytes.
    pub data: Vec<u8>,
    /// 65-byte signatures by distinct members, v 27 or 28.
    pub signatures: Vec<[u8; 65]>,
}

impl AttestationProof {
    /// The proof as the Solidity light client takes it: `abi.encode(struct(bytes, bytes[]))`.
    #[must_use]
    pub fn abi_encode(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| signature.to_vec().into()).collect();
        AbiProof { attestationData: self.data.clone().into(), signatures }.abi_encode()
    }

    /// The proof as ibc-go takes it: protobuf `AttestationProof`.
    #[must_use]
    pub fn proto_encode(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| signature.to_vec()).collect();
        let message = crate::proto::AttestationProof { attestation_data: self.data.clone(), signatures };
        prost::Message::encode_to_vec(&message)
    }

    /// Checks the proof as the on-chain client will: every signer known and distinct, at least `required` of them.
    /// Called before any fee is spent.
    ///
    /// # Errors
    /// The first signature that would make the on-chain client refuse, or too few of them.
    pub fn check(&self, statement: Statement, attestors: &[Address], required: usize) -> Result<(), Error> {
        let digest = signing_digest(statement, &self.data);
        let mut seen = BTreeSet::new();
        for signature in &self.signatures {
            // The Solidity client recovers nobody from v 0 or 1.
            if !matches!(signature.last(), Some(27 | 28)) {
                return Err(Error::Signature { reason: "recovery id is neither 27 nor 28".into() });
            }
            let signer = recover(&digest, signature)?;
            if !attestors.contains(&signer) {
                return Err(Error::UnknownSigner { got: hex(&signer), attestors: attestors.len() });
            }
            if !seen.insert(signer) {
                return Err(Error::RepeatedSigner { got: hex(&signer) });
            }
        }
        if required == 0 || seen.len() < required {
            return Err(Error::Quorum { got: seen.len(), required });
        }
        Ok(())
    }
}

/// The signer of a digest. v may be 0, 1, 27 or 28; high s is refused.
///
/// # Errors
/// [`Error::Signature`] when nothing can be recovered.
pub fn recover(digest: &Hash32, signature: &[u8; 65]) -> Result<Address, Error> {
    let mut plain = *signature;
    if let Some(v) = plain.last_mut() {
        if matches!(*v, 27 | 28) {
            *v = v.saturating_sub(27);
        }
    }
    secp256k1::recover(digest.as_bytes(), &plain)
        .map(|address| address.0)
        .map_err(|error| Error::Signature { reason: format!("{error}") })
}

/// A peer's signature in the form that we emit (v 27 or 28), or a refusal.
///
/// # Errors
/// [`Error::Length`] when it is not 65 bytes, [`Error::Signature`] when v is none of 0, 1, 27, 28 or s is high, so that
/// a signature has one form.
pub fn normalise(signature: &[u8]) -> Result<[u8; 65], Error> {
    let mut normal: [u8; 65] = signature.try_into().map_err(|_| Error::Length {
        field: "attestation signature",
        got: signature.len(),
        min: 65,
        max: 65,
    })?;
    match normal.last_mut() {
        Some(v @ (0 | 1)) => *v = v.saturating_add(27),
        Some(27 | 28) => {}
        _ => return Err(Error::Signature { reason: "recovery id is none of 0, 1, 27, 28".into() }),
    }
    if normal.get(32..64).is_none_or(|s| s > secp256k1::HALF_ORDER.as_slice()) {
        return Err(Error::Signature { reason: "s is in the higher half, sign with the lower one".into() });
    }
    Ok(normal)
}
