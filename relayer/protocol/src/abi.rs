//! Solidity ABI shapes of the wire (`protocol`: Solidity surface, attestation light client). The codec is
//! `alloy-sol-types`; this module keeps its types private and every decode strict.
#![allow(
    missing_docs,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "expanded by the sol! macro"
)]

use alloc::{format, string::ToString, vec::Vec};

use alloy_sol_types::{sol, SolValue};

use crate::error::Error;
use crate::packet::{Packet, Payload};

sol! {
    struct AbiPayload { string sourcePort; string destPort; string version; string encoding; bytes value; }
    struct AbiPacket { uint64 sequence; string sourceClient; string destClient; uint64 timeoutTimestamp; AbiPayload[] payloads; }
    struct AbiState { uint64 height; uint64 timestampSeconds; }
    struct AbiPathCommitment { bytes32 path; bytes32 commitment; }
    struct AbiPackets { uint64 height; AbiPathCommitment[] packets; }
    struct AbiProof { bytes attestationData; bytes[] signatures; }
    struct AbiTransfer { string denom; string sender; string receiver; uint256 amount; string memo; }
}

/// Decodes and insists that encoding again gives the same bytes.
pub(crate) fn decode_strict<T>(what: &'static str, bytes: &[u8]) -> Result<T, Error>
where
    T: SolValue + From<<T::SolType as alloy_sol_types::SolType>::RustType>,
{
    let value = T::abi_decode(bytes).map_err(|error| Error::Decode { what, reason: error.to_string() })?;
    let again = value.abi_encode();
    if again == bytes {
        Ok(value)
    } else {
        Err(Error::NotCanonical { what, got: bytes.len(), expected: again.len() })
    }
}

impl From<&Packet> for AbiPacket {
    fn from(packet: &Packet) -> Self {
        Self {
            sequence: packet.sequence,
            sourceClient: packet.source_client.clone(),
            destClient: packet.destination_client.clone(),
            timeoutTimestamp: packet.timeout_timestamp_seconds,
            payloads: packet
                .payloads
                .iter()
                .map(|payload| AbiPayload {
                    sourcePort: payload.source_port.clone(),
                    destPort: payload.destination_port.clone(),
                    version: payload.version.clone(),
                    encoding: payload.encoding.clone(),
                    value: payload.value.clone().into(),
                })
                .collect(),
        }
    }
}

impl From<AbiPacket> for Packet {
    fn from(packet: AbiPacket) -> Self {
        Self {
            sequence: packet.sequence,
            source_client: packet.sourceClient,
            destination_client: packet.destClient,
            timeout_timestamp_seconds: packet.timeoutTimestamp,
            payloads: packet
                .payloads
                .into_iter()
                .map(|payload| Payload {
                    source_port: payload.sourcePort,
                    destination_port: payload.destPort,
                    version: payload.version,
                    encoding: payload.encoding,
                    value: payload.value.to_vec(),
                })
                .collect(),
        }
    }
}

impl Packet {
    /// `abi.encode(packet)`, as attestors receive it and as the Solidity router hashes it for its receipt.
    #[must_use]
    pub fn abi_encode(&self) -> Vec<u8> {
        AbiPacket::from(self).abi_encode()
    }

    /// The packet in `abi.encode(packet)`, and nothing else.
    ///
    /// # Errors
    /// Bytes over the bound, undecodable or not canonical, or a packet that breaks a rule.
    pub fn abi_decode(bytes: &[u8]) -> Result<Self, Error> {
        let max = crate::limits::PAYLOAD_BYTES_MAX.saturating_add(8_192);
        if bytes.len() > max {
            return Err(Error::Length { field: "abi packet", got: bytes.len(), min: 0, max });
        }
        let packet = Self::from(decode_strict::<AbiPacket>("abi packet", bytes)?);
        packet.validate()?;
        Ok(packet)
    }
}

/// Renders bytes for an error message.
pub(crate) fn hex(bytes: &[u8]) -> alloc::string::String {
    format!("0x{}", hex::encode(bytes))
}
