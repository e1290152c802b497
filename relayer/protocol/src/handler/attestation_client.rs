//! The attestation client, as ibc-go's `attestations`: m of n members have verified the counterparty and signed.

use alloc::{collections::BTreeSet, format, vec, vec::Vec};

use catenary_light_clients::{Hash32, Timestamp};
use prost::Message;

use super::client::{Claim, ClientType, Height, NewClient, Proof, Status, Update};
use super::error::Error;
use super::state;
use super::store::{Key, Store};
use crate::abi::hex;
use crate::attestation::{recover, signing_digest, Address, PacketAttestation, StateAttestation, Statement};
use crate::limits;
use crate::proto::{
    decode_bounded, Any, AttestationClientState, AttestationConsensusState, AttestationProof, ATTESTATION_CLIENT_STATE,
    ATTESTATION_CONSENSUS_STATE, ATTESTATION_PROOF,
};

/// The type, which ids begin with (ibc-go `exported.Attestations`).
pub const ATTESTATIONS: &str = "attestations";

/// Nanoseconds of a second: attested times are in seconds, consensus states in nanoseconds.
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// On-chain client that believes a quorum of attestors.
///
/// **Rules** (ibc-go v11.2.0). Every signature has 65 bytes and recovers to a distinct attestor of the client, and
/// there are at least as many as required: one unknown or repeated signer makes the whole proof invalid. A state
/// attestation for a known height is a no-op with the same time and freezes the client with another, for ever. A
/// packet proof needs a state accepted for exactly its height.
///
/// Stricter than ibc-go: a signature with high s, a client state or attestation at height or time zero, more than
/// [`limits::ATTESTORS_MAX`] attestors, and bytes that are not the one encoding of what they decode to are refused.
#[derive(Clone, Copy, Debug)]
pub struct AttestationClient;

impl ClientType for AttestationClient {
    fn name(&self) -> &'static str {
        ATTESTATIONS
    }

    fn state_type_url(&self) -> &'static str {
        ATTESTATION_CLIENT_STATE
    }

    fn create(&self, store: &mut dyn Store, new: &NewClient<'_>, _: Timestamp) -> Result<(), Error> {
        let client: AttestationClientState = unpack("client_state", new.client_state, ATTESTATION_CLIENT_STATE)?;
        attestors(&client)?;
        let consensus: AttestationConsensusState =
            unpack("consensus_state", new.consensus_state, ATTESTATION_CONSENSUS_STATE)?;
        if consensus.timestamp == 0 {
            return Err(invalid("timestamp is 0 ns; give that of the header at latest_height".into()));
        }
        if client.latest_height == 0 {
            return Err(invalid("latest_height is 0; give that of an existing block".into()));
        }
        write_consensus(store, new.id, client.latest_height, consensus.timestamp);
        write_client(store, new.id, &client);
        Ok(())
    }

    fn update(&self, store: &mut dyn Store, id: &str, message: &Any, _: Timestamp) -> Result<Update, Error> {
        let mut client = read_client(store, id)?;
        let proof: AttestationProof = unpack("client_message", message, ATTESTATION_PROOF)?;
        let attested = StateAttestation::decode(&proof.attestation_data)?;
        check_signatures(&client, &proof, Statement::State)?;
        let nanos = attested.timestamp_seconds.checked_mul(NANOS_PER_SECOND).filter(|nanos| *nanos != 0);
        let (Some(nanos), true) = (nanos, attested.height != 0) else {
            let StateAttestation { height, timestamp_seconds } = attested;
            return Err(invalid(format!(
                "height {height} at {timestamp_seconds} s; both count from 1 to the year 2554"
            )));
        };
        let height = height(attested.height);
        if let Some(known) = read_consensus(store, id, height)? {
            if known != nanos {
                client.is_frozen = true;
                write_client(store, id, &client);
                return Ok(Update::Misbehaviour);
            }
            return Ok(Update::Heights(vec![height]));
        }
        write_consensus(store, id, attested.height, nanos);
        if attested.height > client.latest_height {
            client.latest_height = attested.height;
            write_client(store, id, &client);
        }
        Ok(Update::Heights(vec![height]))
    }

    fn status(&self, store: &dyn Store, id: &str, _: Timestamp) -> Result<Status, Error> {
        let frozen = read_client(store, id)?.is_frozen;
        Ok(if frozen { Status::Frozen } else { Status::Active })
    }

    fn latest_height(&self, store: &dyn Store, id: &str) -> Result<Height, Error> {
        Ok(height(read_client(store, id)?.latest_height))
    }

    fn timestamp(&self, store: &dyn Store, id: &str, height: Height) -> Result<Timestamp, Error> {
        let unknown = || Error::ConsensusStateNotFound { client_id: id.into(), height };
        read_consensus(store, id, height)?.map(Timestamp::from_nanos).ok_or_else(unknown)
    }

    fn verify(&self, store: &dyn Store, id: &str, proof: &Proof<'_>, claim: &Claim<'_>) -> Result<(), Error> {
        let client = read_client(store, id)?;
        self.timestamp(store, id, proof.height)?;
        let signed: AttestationProof = decode_bounded("attestation proof", proof.bytes, limits::PROOF_BYTES_MAX)?;
        let attested = PacketAttestation::decode(&signed.attestation_data)?;
        check_signatures(&client, &signed, Statement::Packets)?;
        if attested.height != proof.height.height {
            return Err(Error::ProofHeight { got: attested.height, expected: proof.height.height });
        }
        let [path] = claim.path else {
            return Err(Error::PathElements { got: claim.path.len(), expected: 1 });
        };
        check_claim(&attested, path, claim.value)
    }
}

/// The attestation says what is claimed about a path.
fn check_claim(attested: &PacketAttestation, path: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
    let absent = Hash32([0; 32]);
    let path = catenary_light_clients::crypto::keccak256(&[path]);
    let entries = attested.entries.len();
    let mut there = attested.entries.iter().filter(|entry| entry.path == path).map(|entry| entry.commitment);
    let Some(value) = value else {
        // Absent only if nothing in the attestation says otherwise.
        let Some(first) = there.next() else {
            return Err(Error::NotMember { entries, path, value: absent });
        };
        return match [first].into_iter().chain(there).find(|commitment| *commitment != absent) {
            Some(value) => Err(Error::Present { path, value }),
            None => Ok(()),
        };
    };
    let length = |got| crate::Error::Length { field: "commitment", got, min: 32, max: 32 };
    let value = Hash32::from_slice(value).ok_or_else(|| length(value.len()))?;
    if value != absent && there.any(|commitment| commitment == value) {
        return Ok(());
    }
    Err(Error::NotMember { entries, path, value })
}

/// Every signer is a distinct attestor, and there are enough of them.
fn check_signatures(
    client: &AttestationClientState,
    proof: &AttestationProof,
    statement: Statement,
) -> Result<(), Error> {
    let attestors = attestors(client)?;
    let required = usize::try_from(client.min_required_sigs).unwrap_or(usize::MAX);
    let got = proof.signatures.len();
    if got < required {
        return Err(crate::Error::Quorum { got, required }.into());
    }
    // More signatures than attestors cannot all be distinct: refused before the work of recovering them.
    if got > attestors.len() {
        let (field, max) = ("signatures", attestors.len());
        return Err(crate::Error::Length { field, got, min: required, max }.into());
    }
    let digest = signing_digest(statement, &proof.attestation_data);
    let mut seen = BTreeSet::new();
    for signature in &proof.signatures {
        let length = |got| crate::Error::Length { field: "attestation signature", got, min: 65, max: 65 };
        let signature = signature.as_slice().try_into().map_err(|_| length(signature.len()))?;
        let signer = recover(&digest, signature)?;
        if !attestors.contains(&signer) {
            return Err(crate::Error::UnknownSigner { got: hex(&signer), attestors: attestors.len() }.into());
        }
        if !seen.insert(signer) {
            return Err(crate::Error::RepeatedSigner { got: hex(&signer) }.into());
        }
    }
    Ok(())
}

/// The attestors of a client state, which has to be one that ibc-go accepts.
fn attestors(client: &AttestationClientState) -> Result<BTreeSet<Address>, Error> {
    let got = client.attestor_addresses.len();
    if !(1..=limits::ATTESTORS_MAX).contains(&got) {
        return Err(invalid(format!("{got} attestors, allowed are 1 to {}", limits::ATTESTORS_MAX)));
    }
    let required = usize::try_from(client.min_required_sigs).unwrap_or(usize::MAX);
    if !(1..=got).contains(&required) {
        return Err(invalid(format!("{required} required signatures of {got} attestors")));
    }
    let mut addresses = BTreeSet::new();
    for text in &client.attestor_addresses {
        let address = address(text).ok_or_else(|| invalid(format!("attestor {text:?} is no address in hex")))?;
        if !addresses.insert(address) {
            return Err(invalid(format!("attestor {text} is named twice")));
        }
    }
    Ok(addresses)
}

/// An address of 40 hex digits, with or without 0x before it (go-ethereum `IsHexAddress`).
fn address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut address = [0; 20];
    hex::decode_to_slice(digits, &mut address).ok()?;
    Some(address)
}

const fn height(height: u64) -> Height {
    Height { revision: 0, height }
}

fn invalid(reason: alloc::string::String) -> Error {
    Error::InvalidState { reason }
}

/// The message in an `Any` that must be of this type.
fn unpack<M: Message + Default>(what: &'static str, any: &Any, expected: &'static str) -> Result<M, Error> {
    if any.type_url != expected {
        return Err(Error::TypeUrl { what, got: any.type_url.clone(), expected });
    }
    Ok(decode_bounded(what, &any.value, limits::PROOF_BYTES_MAX)?)
}

fn stored<M: Message + Default>(what: &'static str, any: &Any, expected: &'static str) -> Result<M, Error> {
    unpack(what, any, expected).map_err(|error| Error::Stored { what, reason: format!("{error}") })
}

fn read_client(store: &dyn Store, id: &str) -> Result<AttestationClientState, Error> {
    let any = state::client_state(store, id)?.ok_or_else(|| Error::ClientNotFound { client_id: id.into() })?;
    stored("client state", &any, ATTESTATION_CLIENT_STATE)
}

/// The time of a known height, in nanoseconds.
fn read_consensus(store: &dyn Store, id: &str, height: Height) -> Result<Option<u64>, Error> {
    let Some(any) = state::consensus_state(store, id, height)? else { return Ok(None) };
    let consensus: AttestationConsensusState = stored("consensus state", &any, ATTESTATION_CONSENSUS_STATE)?;
    Ok(Some(consensus.timestamp))
}

fn write_client(store: &mut dyn Store, id: &str, client: &AttestationClientState) {
    store.set(&Key::client_state(id), pack(ATTESTATION_CLIENT_STATE, client));
}

fn write_consensus(store: &mut dyn Store, id: &str, at: u64, timestamp: u64) {
    let consensus = AttestationConsensusState { timestamp };
    store.set(&Key::consensus_state(id, height(at)), pack(ATTESTATION_CONSENSUS_STATE, &consensus));
}

fn pack(type_url: &str, message: &impl Message) -> Vec<u8> {
    Any { type_url: type_url.into(), value: message.encode_to_vec() }.encode_to_vec()
}
