//! ICS-24 v2 paths: `client_id ‖ kind ‖ sequence as 8 big-endian bytes`.

use alloc::vec::Vec;

/// What lives at a path. The discriminant is the separator byte (ICS-24 v2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Packet commitment, on the source.
    Commitment = 0x01,
    /// Packet receipt, on the destination.
    Receipt = 0x02,
    /// Acknowledgement commitment, on the destination.
    Acknowledgement = 0x03,
}

/// A provable path of a packet.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Path(Vec<u8>);

impl Path {
    /// The path of `kind` for `sequence` under `client_id` (the source client for commitments, the destination
    /// client for receipts and acknowledgements).
    #[must_use]
    pub fn new(kind: Kind, client_id: &str, sequence: u64) -> Self {
        let mut bytes = Vec::with_capacity(client_id.len().saturating_add(9));
        bytes.extend_from_slice(client_id.as_bytes());
        bytes.push(kind as u8);
        bytes.extend_from_slice(&sequence.to_be_bytes());
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, taken.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
