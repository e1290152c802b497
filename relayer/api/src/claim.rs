//! Claims: what an endpoint says. Nothing here may be acted on before a light client has checked it.

use core::fmt;

use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::{Acknowledgement, Packet};

use crate::native::NativeClaim;

/// Hash of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TxHash(pub Hash32);

impl fmt::Display for TxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The newest block that is final by the family's rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Height.
    pub height: u64,
    /// Time in its header.
    pub timestamp: Timestamp,
}

/// Which network the endpoint says it serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Chain id, as the family writes it (EVM: decimal).
    pub chain_id: String,
    /// Hash of the genesis block or of the first block; `None` when the endpoint has pruned it.
    pub genesis_hash: Option<Hash32>,
}

/// Something that happened to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PacketEvent {
    /// Sent here.
    Sent(Packet),
    /// Received here and acknowledged.
    WroteAck {
        /// The packet.
        packet: Packet,
        /// Its acknowledgement.
        acknowledgement: Acknowledgement,
    },
    /// Its acknowledgement arrived here, its source; the commitment is gone.
    Acknowledged(Packet),
    /// It timed out here, its source; the commitment is gone.
    TimedOut(Packet),
}

impl PacketEvent {
    /// The packet that it is about.
    #[must_use]
    pub const fn packet(&self) -> &Packet {
        match self {
            Self::Sent(packet)
            | Self::Acknowledged(packet)
            | Self::TimedOut(packet)
            | Self::WroteAck { packet, .. } => packet,
        }
    }
}

/// An event with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventClaim {
    /// Block height.
    pub height: u64,
    /// Transaction.
    pub tx: TxHash,
    /// What happened.
    pub event: PacketEvent,
}

/// A value and its proof, or the proof that there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofClaim {
    /// The claimed value, `None` for absent. EVM: 32 bytes, left-padded.
    pub value: Option<Vec<u8>>,
    /// Proof bytes in the encoding of the family's `decode` module.
    pub proof: Vec<u8>,
}

/// What a chain says of one of its on-chain clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientClaim {
    /// Attestor addresses, 20 bytes each; empty when the client is not an attestation client.
    pub attestors: Vec<[u8; 20]>,
    /// Signatures required.
    pub min_required_sigs: u32,
    /// Newest height that it has accepted.
    pub latest_height: u64,
    /// Frozen.
    pub frozen: bool,
    /// Client id on the counterparty, once registered.
    pub counterparty: Option<String>,
    /// Where it lives (EVM: contract address in hex; Cosmos: the client type).
    pub location: String,
    /// What only a client that judges by the chain's own validators has; else `None`.
    pub native: Option<NativeClaim>,
}
