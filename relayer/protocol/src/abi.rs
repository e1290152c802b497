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
        let max = crate::limits::PACKET_BYTES_MAX;
        if bytes.len() > max {
            return Err(Error::Length { field: "abi packet", got: bytes.len(), min: 0, max });
        }
        check_payload_count(bytes)?;
        let packet = Self::from(decode_strict::<AbiPacket>("abi packet", bytes)?);
        packet.validate()?;
        Ok(packet)
    }
}

/// Refuses another number of payloads before anything is decoded: many entries of a list may point at the same bytes,
/// and a decoder copies them for each, so that a quarter of a megabyte would become half a gigabyte. What is not even
/// readable here is left to the decoder.
fn check_payload_count(bytes: &[u8]) -> Result<(), Error> {
    let number = |place: usize| {
        let word = bytes.get(place..)?.first_chunk::<32>()?;
        let (high, low) = word.split_at(24);
        let low = u64::from_be_bytes(low.try_into().ok()?);
        high.iter().all(|byte| *byte == 0).then(|| usize::try_from(low).ok()).flatten()
    };
    // The packet is at the offset in the first word; its fifth word is the offset of the payloads in it.
    let payloads = || {
        let packet = number(0)?;
        number(packet.checked_add(number(packet.checked_add(4 * 32)?)?)?)
    };
    match payloads() {
        Some(got) if got != crate::limits::PAYLOADS => {
            Err(Error::Count { field: "payloads", got, expected: crate::limits::PAYLOADS })
        }
        _ => Ok(()),
    }
}

/// Renders bytes for an error message.
pub(crate) fn hex(bytes: &[u8]) -> alloc::string::String {
    format!("0x{}", hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
    use alloc::vec;

    use super::*;

    #[test]
    fn payload_entries_that_share_their_bytes_are_refused_before_decoding() {
        let payload = Payload {
            source_port: "transfer".into(),
            destination_port: "transfer".into(),
            version: "ics20-1".into(),
            encoding: "application/x-solidity-abi".into(),
            value: vec![7; 100_000],
        };
        let packet = Packet {
            sequence: 1,
            source_client: "client-0".into(),
            destination_client: "attestations-0".into(),
            timeout_timestamp_seconds: 1,
            payloads: vec![payload],
        };
        let good = packet.abi_encode();
        assert_eq!(Packet::abi_decode(&good).unwrap(), packet);

        // The list of payloads, rewritten: four thousand offsets, all of the one payload.
        let word = |number: u64| [[0; 24].as_slice(), &number.to_be_bytes()].concat();
        let list =
            32 + usize::try_from(u64::from_be_bytes(good[32 + 5 * 32 - 8..32 + 5 * 32].try_into().unwrap())).unwrap();
        let count = 4_000;
        let mut bomb = good[..list].to_vec();
        bomb.extend(word(count));
        (0..count).for_each(|_| bomb.extend(word(32 * count)));
        bomb.extend(&good[list + 64..]);
        let error = Packet::abi_decode(&bomb).unwrap_err();
        assert_eq!(error, Error::Count { field: "payloads", got: 4_000, expected: 1 });

        // Offsets that lead nowhere are the decoder's to refuse.
        for place in [24, 32 + 4 * 32 + 24] {
            let mut wild = good.clone();
            wild[place] = 0xff;
            assert_eq!(Packet::abi_decode(&wild).unwrap_err().code(), "PR-ENC-001");
        }
    }
}
