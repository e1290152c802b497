//! Hashes, paths and slots, computed here from the protocol and not by the contracts.

use alloy_primitives::{b256, keccak256, Address, B256, U256};
use alloy_sol_types::SolValue;
use sha2::{Digest, Sha256};

use crate::abi::{FungibleTokenPacketData, Packet, Payload};

/// ERC-7201 slot of `ibc.storage.IBCStore`.
pub const STORE_SLOT: B256 = b256!("1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600");

/// The acknowledgement of a transfer that arrived.
pub const SUCCESS_ACK: &[u8] = br#"{"result":"AQ=="}"#;

fn sha(data: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// The acknowledgement of a packet that the application refused.
#[must_use]
pub fn error_ack() -> Vec<u8> {
    sha("UNIVERSAL_ERROR_ACKNOWLEDGEMENT").to_vec()
}

fn path(client: &str, marker: u8, sequence: u64) -> Vec<u8> {
    [client.as_bytes(), &[marker], &sequence.to_be_bytes()].concat()
}

/// Where the source keeps the commitment of a packet.
#[must_use]
pub fn commitment_path(packet: &Packet) -> Vec<u8> {
    path(&packet.sourceClient, 1, packet.sequence)
}

/// Where the destination keeps the receipt of a packet.
#[must_use]
pub fn receipt_path(packet: &Packet) -> Vec<u8> {
    path(&packet.destClient, 2, packet.sequence)
}

/// Where the destination keeps the commitment of the acknowledgement.
#[must_use]
pub fn ack_path(packet: &Packet) -> Vec<u8> {
    path(&packet.destClient, 3, packet.sequence)
}

/// Storage slot of a path in the router.
#[must_use]
pub fn slot(path: &[u8]) -> B256 {
    keccak256([keccak256(path), STORE_SLOT].concat())
}

/// The commitment of a packet.
#[must_use]
pub fn commitment(packet: &Packet) -> B256 {
    let payloads: Vec<u8> = packet.payloads.iter().flat_map(payload_hash).collect();
    let timeout = packet.timeoutTimestamp.to_be_bytes();
    sha([&[2][..], &sha(&packet.destClient), &sha(timeout), &sha(payloads)].concat()).into()
}

fn payload_hash(payload: &Payload) -> [u8; 32] {
    let texts = [&payload.sourcePort, &payload.destPort, &payload.version, &payload.encoding];
    let mut hashes: Vec<u8> = texts.into_iter().flat_map(sha).collect();
    hashes.extend(sha(&payload.value));
    sha(hashes)
}

/// The commitment of acknowledgements.
#[must_use]
pub fn ack_commitment(acks: &[Vec<u8>]) -> B256 {
    let hashes = acks.iter().flat_map(sha);
    sha(std::iter::once(2).chain(hashes).collect::<Vec<u8>>()).into()
}

/// The receipt of a packet.
#[must_use]
pub fn receipt(packet: &Packet) -> B256 {
    keccak256(packet.abi_encode())
}

/// An address as denom, sender or receiver.
#[must_use]
pub fn lowercase(address: Address) -> String {
    format!("0x{}", hex::encode(address))
}

/// The payload of a transfer.
#[must_use]
pub fn transfer_payload(data: &FungibleTokenPacketData) -> Payload {
    Payload {
        sourcePort: "transfer".into(),
        destPort: "transfer".into(),
        version: "ics20-1".into(),
        encoding: "application/x-solidity-abi".into(),
        value: data.abi_encode().into(),
    }
}

/// Packet data of a transfer without a memo.
#[must_use]
pub fn transfer_data(denom: &str, sender: &str, receiver: &str, amount: u64) -> FungibleTokenPacketData {
    FungibleTokenPacketData {
        denom: denom.into(),
        sender: sender.into(),
        receiver: receiver.into(),
        amount: U256::from(amount),
        memo: String::new(),
    }
}
